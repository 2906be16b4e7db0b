#include "engine/workers.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { WAIT_MAX_MS = 1000 }; /* CLOCK_MONOTONIC stops while the machine sleeps: look again often */

struct queued_event {
    struct queued_event *next;
    struct event event;
    char *who, *answer;
};

struct queued_task {
    struct queued_task *next;
    struct run_task task;
};

struct workers {
    const struct executor *executor;
    pthread_mutex_t lock;
    pthread_cond_t has_task;
    pthread_cond_t has_event;
    struct queued_task *tasks, **tasks_end;
    struct queued_event *events, **events_end;
    struct queued_event *current; /* handed out last; the engine's thread only */
    bool is_closing;
    pthread_t *threads;
    size_t thread_count;
};

static void free_event(struct queued_event *queued)
{
    if (queued != NULL) {
        js_free((struct json *)(uintptr_t)queued->event.body);
        free(queued->who);
        free(queued->answer);
        free(queued);
    }
}

void workers_post(struct workers *workers, const struct event *event)
{
    struct queued_event *queued = mem_alloc(sizeof(*queued));
    queued->event = *event;
    queued->who = event->who == NULL ? NULL : mem_strdup(event->who);
    queued->event.who = queued->who;
    queued->answer = event->answer == NULL ? NULL : mem_strdup(event->answer);
    queued->event.answer = queued->answer;
    queued->event.body = event->body == NULL ? NULL : js_copy(event->body);
    (void)pthread_mutex_lock(&workers->lock);
    *workers->events_end = queued;
    workers->events_end = &queued->next;
    (void)pthread_cond_signal(&workers->has_event);
    (void)pthread_mutex_unlock(&workers->lock);
}

static void queue_task(void *context, const struct run_task *task)
{
    struct workers *workers = context;
    struct queued_task *queued = mem_alloc(sizeof(*queued));
    queued->task = *task;
    (void)pthread_mutex_lock(&workers->lock);
    *workers->tasks_end = queued;
    workers->tasks_end = &queued->next;
    (void)pthread_cond_signal(&workers->has_task);
    (void)pthread_mutex_unlock(&workers->lock);
}

const struct exec_ops workers_exec_ops = {.submit = queue_task};

/* The next task, or NULL when the pool is closing. */
static struct queued_task *take_task(struct workers *workers)
{
    (void)pthread_mutex_lock(&workers->lock);
    while (workers->tasks == NULL && !workers->is_closing) {
        (void)pthread_cond_wait(&workers->has_task, &workers->lock);
    }
    struct queued_task *queued = workers->is_closing ? NULL : workers->tasks;
    if (queued != NULL) {
        workers->tasks = queued->next;
        if (workers->tasks == NULL) {
            workers->tasks_end = &workers->tasks;
        }
    }
    (void)pthread_mutex_unlock(&workers->lock);
    return queued;
}

static void free_task(struct queued_task *queued)
{
    run_task_release(&queued->task);
    free(queued);
}

static void *work(void *context)
{
    struct workers *workers = context;
    struct queued_task *queued;
    while ((queued = take_task(workers)) != NULL) {
        struct event event = {
            .kind = EVENT_RESULT, .result = executor_do(workers->executor, &queued->task)};
        free_task(queued);
        workers_post(workers, &event);
    }
    return NULL;
}

static void start_threads(struct workers *workers, size_t count)
{
    sigset_t all, before; /* signals belong to one thread of the controller, not to these */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (workers->thread_count < count &&
           pthread_create(&workers->threads[workers->thread_count], NULL, work, workers) == 0) {
        workers->thread_count++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct err *workers_open(
    const struct executor *executor, size_t count, struct workers **ret_workers)
{
    struct workers *workers = mem_alloc(sizeof(*workers));
    workers->executor = executor;
    workers->tasks_end = &workers->tasks;
    workers->events_end = &workers->events;
    workers->threads = mem_alloc_array(count, sizeof(*workers->threads));
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&workers->lock, NULL);
    (void)pthread_cond_init(&workers->has_task, &attributes);
    (void)pthread_cond_init(&workers->has_event, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    start_threads(workers, count);
    if (workers->thread_count == 0) {
        workers_close(workers);
        return err_new(ERR_INTERNAL, NULL, "no worker thread can be started");
    }
    *ret_workers = workers;
    return NULL;
}

void workers_close(struct workers *workers)
{
    if (workers == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&workers->lock);
    workers->is_closing = true;
    (void)pthread_cond_broadcast(&workers->has_task);
    (void)pthread_mutex_unlock(&workers->lock);
    for (size_t i = 0; i < workers->thread_count; i++) {
        (void)pthread_join(workers->threads[i], NULL);
    }
    while (workers->tasks != NULL) {
        struct queued_task *next = workers->tasks->next;
        free_task(workers->tasks);
        workers->tasks = next;
    }
    while (workers->events != NULL) {
        struct queued_event *next = workers->events->next;
        run_result_free(workers->events->event.result);
        free_event(workers->events);
        workers->events = next;
    }
    free_event(workers->current);
    (void)pthread_cond_destroy(&workers->has_task);
    (void)pthread_cond_destroy(&workers->has_event);
    (void)pthread_mutex_destroy(&workers->lock);
    free(workers->threads);
    free(workers);
}

static int64_t wait_length_ms(const struct workers *workers, int64_t until_ms)
{
    if (until_ms == 0) {
        return WAIT_MAX_MS;
    }
    const int64_t left_ms = until_ms - clock_now_ms(workers->executor->clock);
    return left_ms > WAIT_MAX_MS ? WAIT_MAX_MS : left_ms;
}

static void wait_for_event(struct workers *workers, int64_t length_ms)
{
    const struct timespec until = clock_deadline(length_ms);
    (void)pthread_cond_timedwait(&workers->has_event, &workers->lock, &until);
}

bool workers_next_event(void *context, int64_t until_ms, struct event *ret_event)
{
    struct workers *workers = context;
    free_event(workers->current);
    workers->current = NULL;
    (void)pthread_mutex_lock(&workers->lock);
    int64_t length_ms;
    while (workers->events == NULL && (length_ms = wait_length_ms(workers, until_ms)) > 0) {
        wait_for_event(workers, length_ms);
    }
    struct queued_event *queued = workers->events;
    if (queued != NULL) {
        workers->events = queued->next;
        if (workers->events == NULL) {
            workers->events_end = &workers->events;
        }
        *ret_event = queued->event;
        workers->current = queued;
    }
    (void)pthread_mutex_unlock(&workers->lock);
    return queued != NULL;
}
