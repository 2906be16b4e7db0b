/*
 * Threads and their queue. Run by ThreadSanitizer, too: `make test` builds this folder with it.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/mem.h"
#include "engine/snapshot.h"
#include "engine/workers.h"
#include "fake_world.h"

enum { WORKER_COUNT = 4, TASK_COUNT = 200, POST_COUNT = 50, STEP_COUNT = 6, WAIT_MS = 20000 };

static const struct plan_step step = {.id = "s1/n1/fake", .kind = "fake", .def = 3};

struct bed {
    struct fake_world world;
    struct workers *workers;
};

static int set_up(void **state)
{
    static struct bed bed;
    memset(&bed, 0, sizeof(bed));
    fake_world_init(&bed.world);
    bed.world.executor.clock = clock_system(); /* workers wait for real */
    AUTO_ERR err = workers_open(&bed.world.executor, WORKER_COUNT, &bed.workers);
    assert_null(err);
    *state = &bed;
    return 0;
}

static int tear_down(void **state)
{
    workers_close(((struct bed *)*state)->workers);
    return 0;
}

static void submit(struct bed *bed, size_t index)
{
    const struct run_task task = {
        .kind = RUN_TASK_APPLY,
        .step = index,
        .plan = &step,
        .deadline_ms = clock_now_ms(clock_system()) + WAIT_MS,
        .args = js_object(), /* taken over */
        .before = js_object(),
    };
    workers_exec_ops.submit(bed->workers, &task);
}

static bool next(struct bed *bed, struct event *ret_event)
{
    return workers_next_event(bed->workers, clock_now_ms(clock_system()) + WAIT_MS, ret_event);
}

static void a_task_comes_back_as_one_result(void **state)
{
    struct bed *bed = *state;
    submit(bed, 7);
    struct event event = {0};
    assert_true(next(bed, &event));
    assert_int_equal(event.kind, EVENT_RESULT);
    assert_int_equal(event.result->step, 7);
    assert_true(event.result->is_sent);
    run_result_free(event.result);
    assert_false(workers_next_event(bed->workers, clock_now_ms(clock_system()) + 10, &event));
}

static void many_tasks_come_back_once_each(void **state)
{
    struct bed *bed = *state;
    bool has_come[TASK_COUNT] = {false};
    for (size_t i = 0; i < TASK_COUNT; i++) {
        submit(bed, i);
    }
    for (size_t i = 0; i < TASK_COUNT; i++) {
        struct event event = {0};
        assert_true(next(bed, &event));
        assert_false(has_come[event.result->step]);
        has_come[event.result->step] = true;
        run_result_free(event.result);
    }
    assert_int_equal(bed->world.apply_count, TASK_COUNT);
}

static void what_is_posted_comes_out_in_order_with_its_text(void **state)
{
    struct bed *bed = *state;
    for (int64_t i = 1; i <= POST_COUNT; i++) {
        AUTO_JSON body = js_object();
        js_put_number(body, "n", i);
        char who[] = "ada";
        const struct event event = {
            .kind = EVENT_OPERATOR, .who = who, .reply_id = i, .body = body};
        workers_post(bed->workers, &event);
        memset(who, 'x', sizeof(who) - 1); /* it was copied */
    }
    for (int64_t i = 1; i <= POST_COUNT; i++) {
        struct event event = {0};
        assert_true(next(bed, &event));
        assert_int_equal(event.reply_id, i);
        assert_string_equal(event.who, "ada");
        assert_int_equal(js_get_number(event.body, "n", 0), i);
    }
}

static void *post_many(void *context)
{
    struct bed *bed = context;
    AUTO_JSON body = js_object(); /* the same again and again: posting copies it */
    for (int64_t i = 1; i <= POST_COUNT; i++) {
        const struct event event = {
            .kind = EVENT_OPERATOR, .who = "bob", .reply_id = i, .body = body};
        workers_post(bed->workers, &event);
    }
    return NULL;
}

static void posts_of_other_threads_and_results_mix(void **state)
{
    struct bed *bed = *state;
    pthread_t poster;
    assert_int_equal(pthread_create(&poster, NULL, post_many, bed), 0);
    for (size_t i = 0; i < POST_COUNT; i++) {
        submit(bed, i);
    }
    int64_t last_reply = 0;
    int result_count = 0;
    while (result_count < POST_COUNT || last_reply < POST_COUNT) {
        struct event event = {0};
        assert_true(next(bed, &event));
        if (event.kind == EVENT_RESULT) {
            result_count++;
            run_result_free(event.result);
        } else {
            assert_int_equal(event.reply_id, last_reply + 1);
            last_reply = event.reply_id;
        }
    }
    assert_int_equal(pthread_join(poster, NULL), 0);
}

/* --- a whole run on threads --- */

struct run_bed {
    struct bed *bed;
    struct plan_step steps[STEP_COUNT];
    struct plan_phase phase;
    struct plan plan;
    struct run_state state;
    pthread_t viewer;
    bool has_viewer;
    bool is_stale; /* something was decided that no viewer could see yet */
    int reply_count;
};

/* A step is done once it was applied: all are, as soon as one was. */
static void become_done(struct fake_world *world)
{
    world->seen = STEP_DONE;
}

static struct err *append(struct journal *UNUSED(journal), const char *UNUSED(run),
    struct journal_record *UNUSED(records), size_t UNUSED(record_count), const char *UNUSED(state),
    bool UNUSED(is_final))
{
    return NULL;
}

static void on_records(void *context, const struct run_state *UNUSED(state),
    const struct journal_record *UNUSED(records), size_t UNUSED(record_count))
{
    ((struct run_bed *)context)->is_stale = true;
}

/* Who gets a reply looks at once: it must not see what was before. */
static void on_reply(void *context, int64_t UNUSED(reply_id), bool is_ok, int UNUSED(exit_code),
    const char *UNUSED(text))
{
    struct run_bed *bed = context;
    assert_true(is_ok);
    assert_false(bed->is_stale);
    bed->reply_count++;
}

static void on_probe_stop(void *context)
{
    const struct event event = {.kind = EVENT_PROBE};
    workers_post(((struct run_bed *)context)->bed->workers, &event);
}

static void *view(void *context)
{
    struct json *snapshot = context;
    AUTO_FREE char *text = js_write(snapshot);
    js_free(snapshot);
    return text[0] == '{' ? NULL : context;
}

static void stop_viewing(struct run_bed *bed)
{
    if (bed->has_viewer) {
        (void)pthread_join(bed->viewer, NULL);
    }
    bed->has_viewer = false;
}

/* Another thread has the snapshot while the engine goes on, as app/server.h does it. */
static void on_change(void *context, const struct run_state *state)
{
    struct run_bed *bed = context;
    bed->is_stale = false;
    stop_viewing(bed);
    struct json *snapshot = run_snapshot(state, 0, 0);
    bed->has_viewer = pthread_create(&bed->viewer, NULL, view, snapshot) == 0;
    assert_true(bed->has_viewer);
}

static void fill_run(struct run_bed *bed, struct json *args)
{
    static const char *const ids[STEP_COUNT] = {"a", "b", "c", "d", "e", "f"};
    for (size_t i = 0; i < STEP_COUNT; i++) {
        bed->steps[i] = (struct plan_step){.id = ids[i],
            .kind = "fake",
            .def = 3,
            .summary = "act",
            .node = "n1",
            .args = args,
            .scope = PLAN_SCOPE_FINALIZE,
            .deadline_ms = WAIT_MS};
    }
    bed->phase = (struct plan_phase){
        .name = "prepare", .title = "prepare", .steps = bed->steps, .step_count = STEP_COUNT};
    bed->plan = (struct plan){.phases = &bed->phase,
        .phase_count = 1,
        .policy = {.gate_timeout_ms = WAIT_MS, .probe_mode = "off", .on_failure = "pause"}};
    run_init(&bed->state, &bed->plan, "toy-1");
}

/* Runs to its end and returns the exit code. */
static int play(struct run_bed *run)
{
    static const struct journal_ops journal_ops = {.append = append};
    static const struct observer_ops observer = {on_records, on_reply, on_probe_stop, on_change};
    run->bed->world.on_apply = become_done;
    AUTO_JSON args = js_object();
    js_put_text(args, "node", "n1");
    fill_run(run, args);
    struct journal journal = {&journal_ops, "nowhere"};
    const struct engine_io io = {
        .clock = clock_system(),
        .journal = &journal,
        .exec = &workers_exec_ops,
        .exec_context = run->bed->workers,
        .observer = &observer,
        .observer_context = run,
        .next_event = workers_next_event,
        .queue_context = run->bed->workers,
    };
    struct event first = {.kind = EVENT_BEGIN};
    int exit_code = -1;
    AUTO_ERR err = engine_run(&run->state, &io, &first, &exit_code);
    assert_null(err);
    stop_viewing(run);
    run_release(&run->state);
    return exit_code;
}

static void a_run_shares_no_json_between_threads(void **state)
{
    struct run_bed run = {.bed = *state};
    assert_int_equal(play(&run), 0);
}

static void who_gets_a_reply_can_see_what_came_of_it(void **state)
{
    struct run_bed run = {.bed = *state};
    const struct event event = {
        .kind = EVENT_OPERATOR, .command = RUN_COMMAND_PAUSE, .who = "ada", .reply_id = 1};
    workers_post(run.bed->workers, &event);
    assert_int_equal(play(&run), 4); /* stopped before anything began */
    assert_int_equal(run.reply_count, 1);
}

static void a_tick_comes_at_its_time(void **state)
{
    struct bed *bed = *state;
    struct event event = {0};
    const int64_t until_ms = clock_now_ms(clock_system()) + 50;
    assert_false(workers_next_event(bed->workers, until_ms, &event));
    assert_true(clock_now_ms(clock_system()) >= until_ms);
}

static void act_slowly(struct fake_world *UNUSED(world))
{
    clock_wait_ms(clock_system(), 100);
}

static void closing_waits_for_tasks_in_work_and_drops_the_others(void **state)
{
    struct bed *bed = *state;
    bed->world.on_apply = act_slowly;
    for (size_t i = 0; i < TASK_COUNT; i++) {
        submit(bed, i);
    }
    while (bed->world.apply_count == 0) {
        clock_wait_ms(clock_system(), 1);
    }
    workers_close(bed->workers);
    bed->workers = NULL;
    const int begun = bed->world.apply_count;
    assert_in_range(begun, 1, 2 * WORKER_COUNT);
    clock_wait_ms(clock_system(), 150);
    assert_int_equal(bed->world.apply_count, begun);
}

static void nothing_to_close_is_fine(void **UNUSED(state))
{
    workers_close(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_task_comes_back_as_one_result),
        CASE(many_tasks_come_back_once_each),
        CASE(what_is_posted_comes_out_in_order_with_its_text),
        CASE(posts_of_other_threads_and_results_mix),
        CASE(a_run_shares_no_json_between_threads),
        CASE(who_gets_a_reply_can_see_what_came_of_it),
        CASE(a_tick_comes_at_its_time),
        CASE(closing_waits_for_tasks_in_work_and_drops_the_others),
        cmocka_unit_test(nothing_to_close_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
