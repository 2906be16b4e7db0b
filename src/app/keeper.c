#include "app/keeper.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "app/child.h"
#include "app/probe_setup.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "probe/control.h"
#include "probe/probe.h"
#include "probe/tail.h"

enum {
    LOOK_MS = 200,
    ALIVE_MS = 1000,
    START_MS = 10000, /* a probe that has no log by then has failed */
    STOP_MS = 300000, /* reading back a million keys takes a minute on a busy machine */
    ERRORS_SIZE_MAX = 65536,
};

/* What incarnations that ended have counted; the figures of the present one come on top. */
struct sums {
    int64_t failed, wrong, missing, different, not_checked, intended, ok, raw_failed, acked;
};

struct keeper {
    struct keeper_hooks hooks;
    char *directory;
    char *config_text; /* for every incarnation */
    bool is_off;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool is_stopping; /* guarded by lock, as all below */
    bool is_closing;
    bool has_ended;
    int64_t stop_deadline_ms;
    struct probe_tail *tail;
    struct probe_figures figures;
    bool is_alive;
    int64_t block_age_ms;
    int64_t alive_sent_ms;
    struct sums sums;
};

static void send_message(const struct keeper *keeper, const struct json *message)
{
    AUTO_ERR ignored =
        probe_control_send(keeper->directory, message); /* a dead one is seen below */
    (void)ignored;
}

static void write_config(struct keeper *keeper, const struct keeper_config *config)
{
    AUTO_ARENA arena = {0};
    const struct plan_policy *policy = config->policy; /* the run's own copy decides */
    struct probe_config probe;
    probe_setup(config->cluster, &arena, &probe);
    probe.run = config->run;
    probe.directory = config->directory;
    probe.mode = policy->probe_mode;
    probe.rate = policy->probe_rate;
    probe.keys_max = policy->probe_keys_max;
    probe.ttl_s = policy->probe_ttl_s;
    probe.linger_s = policy->probe_linger_s;
    AUTO_JSON value = codec_write(&probe_config_codec, &probe);
    keeper->config_text = js_write(value);
}

static struct err *start_probe(struct keeper *keeper)
{
    AUTO_FREE char *errors = mem_format("%s/errors.txt", keeper->directory);
    const struct child child = {
        .word = "internal-probe",
        .input = keeper->config_text,
        .error_file = errors,
        .output_fd = -1,
    };
    return child_start(&child);
}

static void add_figures(struct sums *sums, const struct probe_figures *figures)
{
    sums->failed += figures->failed;
    sums->wrong += figures->wrong;
    sums->intended += figures->intended;
    sums->ok += figures->ok;
    sums->raw_failed += figures->raw_failed;
    sums->acked += figures->acked;
    sums->missing += figures->missing;
    sums->different += figures->different;
    sums->not_checked += figures->not_checked;
}

/* What all logs of this run but the present one have counted: incarnations that have ended, also
 * those that an earlier controller kept. */
static struct sums sum_ended(const struct keeper *keeper)
{
    struct sums sums = {0};
    DIR *folder = opendir(keeper->directory);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        const size_t size = strlen(entry->d_name);
        if (size <= 4 || strcmp(entry->d_name + size - 4, ".log") != 0) {
            continue;
        }
        AUTO_FREE char *incarnation = mem_format("%.*s", (int)size - 4, entry->d_name);
        struct probe_tail *tail = NULL;
        AUTO_ERR err = probe_tail_open(keeper->directory, incarnation, &tail);
        if (err == NULL && !probe_tail_is_alive(tail)) {
            add_figures(&sums, probe_tail_read(tail));
        }
        probe_tail_close(tail);
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return sums;
}

/* Looks for the log that was written last; true when its probe lives. Otherwise `ret_end_wall_ms`
 * says until when the last one watched, 0 when there was none. */
static bool find_probe(struct keeper *keeper, int64_t *ret_end_wall_ms)
{
    struct probe_tail *tail = NULL;
    *ret_end_wall_ms = 0;
    AUTO_ERR err = probe_tail_open(keeper->directory, NULL, &tail);
    if (err != NULL) {
        return false;
    }
    const bool is_alive = probe_tail_is_alive(tail);
    const struct probe_figures figures = *probe_tail_read(tail);
    if (!is_alive) {
        const int64_t watched_us =
            figures.last_block_us > 0 ? figures.last_block_us - figures.started_us : 0;
        *ret_end_wall_ms = figures.started_wall_ms + watched_us / 1000;
        probe_tail_close(tail);
        return false;
    }
    const struct sums sums = sum_ended(keeper);
    (void)pthread_mutex_lock(&keeper->lock);
    probe_tail_close(keeper->tail);
    keeper->tail = tail;
    keeper->figures = figures;
    keeper->sums = sums;
    keeper->is_alive = true;
    (void)pthread_mutex_unlock(&keeper->lock);
    return true;
}

static struct err *err_of_start(const struct keeper *keeper)
{
    AUTO_FREE char *path = mem_format("%s/errors.txt", keeper->directory);
    AUTO_BUF text = {0};
    AUTO_ERR unread = fs_read(path, ERRORS_SIZE_MAX, &text);
    const bool has_text = unread == NULL && text.size > 0;
    return err_code(err_new(ERR_INVALID, NULL, "the probe does not start: %s",
                        has_text ? buf_text(&text) : "it left no message"),
        "probe_failed");
}

/* Starts a probe and waits for its log. When one had watched before, nobody did meanwhile. */
static struct err *start_and_find(struct keeper *keeper)
{
    int64_t since_wall_ms = 0, ignored_ms = 0;
    if (find_probe(keeper, &since_wall_ms)) {
        return NULL;
    }
    struct err *err = start_probe(keeper);
    struct clock *clock = clock_system();
    const int64_t deadline_ms = clock_now_ms(clock) + START_MS;
    while (err == NULL && !find_probe(keeper, &ignored_ms)) {
        if (clock_now_ms(clock) > deadline_ms) {
            err = err_of_start(keeper);
        }
        clock_wait_ms(clock, 20);
    }
    if (since_wall_ms == 0) {
        return err;
    }
    AUTO_FREE char *text = err == NULL ? mem_strdup("its process had ended") : err_text(err);
    AUTO_JSON gap = js_object();
    js_put_number(gap, "from_wall_ms", since_wall_ms);
    js_put_number(gap, "to_wall_ms", clock_wall_ms(clock));
    js_put_text(gap, "reason", text);
    keeper->hooks.on_gap(keeper->hooks.context, gap);
    return err;
}

static struct json *final_of(const struct sums *s)
{
    struct json *final = js_object();
    js_put_number(final, "intended", s->intended);
    js_put_number(final, "ok", s->ok);
    js_put_number(final, "raw_failed", s->raw_failed);
    js_put_number(final, "failed", s->failed);
    js_put_number(final, "wrong", s->wrong);
    js_put_number(final, "acked", s->acked);
    js_put_number(final, "missing", s->missing);
    js_put_number(final, "different", s->different);
    js_put_number(final, "not_checked", s->not_checked);
    return final;
}

/* Locked, but hooks are called without the lock. */
static void tell_end(struct keeper *keeper, bool has_final)
{
    keeper->has_ended = true;
    struct sums sums = keeper->sums;
    add_figures(&sums, &keeper->figures);
    AUTO_JSON final = has_final ? final_of(&sums) : NULL;
    (void)pthread_mutex_unlock(&keeper->lock);
    keeper->hooks.on_end(keeper->hooks.context, final);
    (void)pthread_mutex_lock(&keeper->lock);
}

/* The probe died without being asked: another one takes over; nobody watched meanwhile. A start
 * that fails is tried again: the gap says how long nobody watched. */
static void replace_probe(struct keeper *keeper)
{
    (void)pthread_mutex_unlock(&keeper->lock);
    AUTO_ERR err = start_and_find(keeper);
    (void)pthread_mutex_lock(&keeper->lock);
}

/* Locked. */
static void watch_probe(struct keeper *keeper)
{
    const int64_t now_ms = clock_now_us() / 1000;
    if (now_ms - keeper->alive_sent_ms >= ALIVE_MS) {
        keeper->alive_sent_ms = now_ms;
        AUTO_JSON message = js_object();
        js_put_bool(message, "alive", true);
        send_message(keeper, message);
    }
    /* Alive first, figures then: what it wrote before it died is read. */
    keeper->is_alive = keeper->tail != NULL && probe_tail_is_alive(keeper->tail);
    if (keeper->tail != NULL) {
        keeper->figures = *probe_tail_read(keeper->tail);
        keeper->block_age_ms = probe_tail_age_ms(keeper->tail);
    }
    if (keeper->is_alive && (!keeper->is_stopping || now_ms < keeper->stop_deadline_ms)) {
        return;
    }
    if (keeper->is_stopping) {
        tell_end(keeper, keeper->figures.is_final);
    } else {
        replace_probe(keeper);
    }
}

static void *keep(void *context)
{
    struct keeper *keeper = context;
    (void)pthread_mutex_lock(&keeper->lock);
    while (!keeper->is_closing && !keeper->has_ended) {
        if (keeper->is_off && keeper->is_stopping) {
            tell_end(keeper, /* has_final= */ false);
            break;
        }
        if (!keeper->is_off) {
            watch_probe(keeper);
        }
        const struct timespec until = clock_deadline(LOOK_MS);
        (void)pthread_cond_timedwait(&keeper->woken, &keeper->lock, &until);
    }
    (void)pthread_mutex_unlock(&keeper->lock);
    return NULL;
}

static struct err *start_keeping(struct keeper *keeper)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    keeper->has_thread = pthread_create(&keeper->thread, NULL, keep, keeper) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return keeper->has_thread ? NULL : err_new(ERR_INTERNAL, NULL, "cannot start a thread");
}

struct err *keeper_open(const struct keeper_config *config, const struct keeper_hooks *hooks,
    struct keeper **ret_keeper)
{
    struct keeper *keeper = mem_alloc(sizeof(*keeper));
    keeper->hooks = *hooks;
    keeper->directory = mem_strdup(config->directory);
    keeper->is_off = text_equal(config->policy->probe_mode, "off");
    (void)pthread_mutex_init(&keeper->lock, NULL);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&keeper->woken, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    struct err *err = NULL;
    if (!keeper->is_off) {
        write_config(keeper, config);
        err = fs_make_dirs(keeper->directory, 0700);
    }
    if (err == NULL && !keeper->is_off) {
        err = start_and_find(keeper);
    }
    if (err == NULL) {
        err = start_keeping(keeper);
    }
    if (err != NULL) {
        keeper_close(keeper);
        return err;
    }
    *ret_keeper = keeper;
    return NULL;
}

void keeper_mark(struct keeper *keeper, const char *step, const char *boundary)
{
    if (keeper == NULL || keeper->is_off) {
        return;
    }
    struct json *mark = js_object();
    js_put_text(mark, "step", step);
    js_put_text(mark, "boundary", boundary);
    AUTO_JSON message = js_object();
    js_put(message, "mark", mark);
    send_message(keeper, message);
}

void keeper_stop(struct keeper *keeper)
{
    AUTO_JSON message = js_object();
    js_put_bool(message, "stop", true);
    js_put_text(message, "reason", "stopped");
    (void)pthread_mutex_lock(&keeper->lock);
    keeper->is_stopping = true;
    keeper->stop_deadline_ms = clock_now_us() / 1000 + STOP_MS;
    if (!keeper->is_off) {
        send_message(keeper, message);
    }
    (void)pthread_cond_signal(&keeper->woken);
    (void)pthread_mutex_unlock(&keeper->lock);
}

void keeper_decorate(struct keeper *keeper, struct json *snapshot)
{
    if (keeper == NULL || keeper->is_off) {
        js_put(snapshot, "probe", js_none());
        return;
    }
    struct json *probe = js_object();
    (void)pthread_mutex_lock(&keeper->lock);
    const struct probe_figures *f = &keeper->figures;
    const struct sums *s = &keeper->sums;
    js_put_bool(probe, "is_alive", keeper->is_alive);
    js_put_number(probe, "intended", s->intended + f->intended);
    js_put_number(probe, "ok", s->ok + f->ok);
    js_put_number(probe, "raw_failed", s->raw_failed + f->raw_failed);
    js_put_number(probe, "failed", s->failed + f->failed);
    js_put_number(probe, "wrong", s->wrong + f->wrong);
    js_put_number(probe, "acked", s->acked + f->acked);
    js_put_number(probe, "latency_max_us", f->latency_max_us);
    js_put_number(probe, "latency_p99_us", f->latency_p99_us);
    js_put_number(probe, "rate", f->rate);
    js_put_number(probe, "last_block_age_ms", keeper->block_age_ms);
    (void)pthread_mutex_unlock(&keeper->lock);
    js_put(snapshot, "probe", probe);
}

void keeper_close(struct keeper *keeper)
{
    if (keeper == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&keeper->lock);
    keeper->is_closing = true;
    (void)pthread_cond_signal(&keeper->woken);
    (void)pthread_mutex_unlock(&keeper->lock);
    if (keeper->has_thread) {
        (void)pthread_join(keeper->thread, NULL);
    }
    probe_tail_close(keeper->tail);
    (void)pthread_cond_destroy(&keeper->woken);
    (void)pthread_mutex_destroy(&keeper->lock);
    free(keeper->directory);
    free(keeper->config_text);
    free(keeper);
}
