/* The viewer's loop, against a controller that plays a script. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "cli/exit.h"
#include "fake_controller.h"
#include "fake_services.h"

#define ASSERT_HAS(buf, part)                                                                      \
    do {                                                                                           \
        if (strstr(buf_text(&(buf)), part) == NULL) {                                              \
            fail_msg("no \"%s\" in: %s", part, buf_text(&(buf)));                                  \
        }                                                                                          \
    } while (false)

#define RUN                                                                                        \
    "\"run\":\"orders-cache-1\",\"cluster\":\"orders-cache\",\"way_back\":\"open\","               \
    "\"way_back_by_hand\":[\"redis-cli -p 7001 CLUSTER FAILOVER\"],"
#define SNAPSHOT(state, exit, events)                                                              \
    "\"snapshot\":{" RUN "\"state\":\"" state "\",\"exit\":" exit ",\"events\":[" events "]}"
#define ANSWER(text, snapshot) "{\"ok\":true,\"text\":\"" text "\"," snapshot "}"
#define PUSH(snapshot) "{" snapshot "}"
#define STOPPED "{\"wall_ms\":1000,\"text\":\"n4: stopped\"}"
#define STARTED "{\"wall_ms\":2000,\"text\":\"n4: started\"}"

#define RUNNING SNAPSHOT("RUNNING", "null", STOPPED)
#define PAUSED SNAPSHOT("PAUSED", "10", STOPPED "," STARTED)

struct scene {
    struct fake fake;
    struct fake_controller controller;
};

static void scene_open(struct scene *scene, const struct fake_turn *turns, size_t count)
{
    fake_open(&scene->fake);
    scene->controller = (struct fake_controller){.turns = turns, .turn_count = count};
    fake_controller_open(&scene->controller, scene->fake.directory, "orders-cache");
}

static void scene_close(struct scene *scene)
{
    fake_controller_close(&scene->controller);
    fake_close(&scene->fake);
}
#define AUTO_SCENE CLEANUP(scene_close) struct scene

static void each_event_is_one_line_and_comes_once(void **UNUSED(state))
{
    static const struct fake_turn turns[] = {
        {ANSWER("", RUNNING), {PUSH(RUNNING), PUSH(RUNNING), PUSH(PAUSED)}}};
    AUTO_SCENE scene;
    scene_open(&scene, turns, ARRAY_COUNT(turns));
    AUTO_OUTCOME outcome = fake_call(&scene.fake, "watch orders-cache");
    assert_int_equal(outcome.exit, EXIT_PAUSED);
    assert_true(str_starts_with(str_of(buf_text(&outcome.out)),
        "00:00:01 n4: stopped\n00:00:02 n4: started\norders-cache-1: "));
    ASSERT_HAS(outcome.out, "`upshift resume orders-cache` goes on");
}

static void json_is_one_snapshot_a_line_and_the_exit(void **UNUSED(state))
{
    static const struct fake_turn turns[] = {{ANSWER("", RUNNING), {PUSH(PAUSED)}}};
    AUTO_SCENE scene;
    scene_open(&scene, turns, ARRAY_COUNT(turns));
    AUTO_OUTCOME outcome = fake_call(&scene.fake, "watch orders-cache --json");
    struct str rest = str_of(buf_text(&outcome.out)), line;
    size_t count = 0;
    while (rest.size > 0 && str_cut(&rest, '\n', &line)) {
        AUTO_JSON value = NULL;
        AUTO_ERR err = js_parse(line.data, line.size, "line", &value);
        assert_null(err);
        count++;
        if (rest.size == 0) {
            assert_int_equal(js_get_number(value, "exit", -1), EXIT_PAUSED);
            assert_string_equal(js_get_text(value, "word"), "paused");
        }
    }
    assert_int_equal(count, 3);
}

static void a_dead_controller_leaves_a_safe_run(void **UNUSED(state))
{
    static const struct fake_turn turns[] = {{ANSWER("", RUNNING), {NULL}}};
    AUTO_SCENE scene;
    scene_open(&scene, turns, ARRAY_COUNT(turns));
    AUTO_OUTCOME outcome = fake_call(&scene.fake, "watch orders-cache");
    assert_int_equal(outcome.exit, EXIT_PAUSED);
    ASSERT_HAS(outcome.err, "ended unexpectedly; the run is safe: `upshift resume orders-cache`");
}

static void an_ended_run_is_watched_until_its_controller_ends(void **UNUSED(state))
{
    static const struct fake_turn turns[] = {{ANSWER("", RUNNING),
        {PUSH(SNAPSHOT("COMPLETE", "0", STOPPED)), PUSH(SNAPSHOT("COMPLETE", "16", STOPPED))}}};
    AUTO_SCENE scene;
    scene_open(&scene, turns, ARRAY_COUNT(turns));
    AUTO_OUTCOME outcome = fake_call(&scene.fake, "watch orders-cache");
    assert_int_equal(outcome.exit, EXIT_NOT_PROVED); /* the last word counts */
}

/* Signals that wait when the viewer begins come first in its loop. */
static void send_signals(int number)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, number);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)raise(number);
}

static void ctrl_c_pauses(void **UNUSED(state))
{
    static const struct fake_turn turns[] = {
        {ANSWER("", RUNNING), {NULL}}, {ANSWER("pause", RUNNING), {PUSH(PAUSED)}}};
    AUTO_SCENE scene;
    scene_open(&scene, turns, ARRAY_COUNT(turns));
    send_signals(SIGINT);
    AUTO_OUTCOME outcome = fake_call(&scene.fake, "watch orders-cache");
    assert_int_equal(outcome.exit, EXIT_PAUSED);
    ASSERT_HAS(outcome.err, "pausing; go on with `upshift resume orders-cache`");
    assert_string_equal(scene.controller.requests[1], "{\"command\":\"pause\"}\n");
}

static void a_refused_pause_says_why(void **UNUSED(state))
{
    static const struct fake_turn turns[] = {{ANSWER("", RUNNING), {NULL}},
        {"{\"ok\":false,\"exit\":4,\"error\":{\"what\":\"it does nothing\"}}",
            {PUSH(SNAPSHOT("SOAKING", "12", STOPPED))}}};
    AUTO_SCENE scene;
    scene_open(&scene, turns, ARRAY_COUNT(turns));
    send_signals(SIGINT);
    AUTO_OUTCOME outcome = fake_call(&scene.fake, "watch orders-cache");
    assert_int_equal(outcome.exit, EXIT_SOAKING);
    ASSERT_HAS(outcome.err, "no pause: it does nothing");
    ASSERT_HAS(outcome.out, "`upshift finalize orders-cache`");
}

static void a_lost_terminal_only_detaches(void **UNUSED(state))
{
    static const struct fake_turn turns[] = {{ANSWER("", RUNNING), {NULL}}, {NULL, {NULL}}};
    AUTO_SCENE scene;
    scene_open(&scene, turns, ARRAY_COUNT(turns)); /* the second turn keeps the first open */
    send_signals(SIGHUP);
    AUTO_OUTCOME outcome = fake_call(&scene.fake, "watch orders-cache");
    assert_int_equal(outcome.exit, EXIT_DETACHED);
    assert_int_equal(scene.controller.request_count, 1);
}

/* --- steering --- */

static void resume_watches_past_the_old_state(void **UNUSED(state))
{
    static const struct fake_turn turns[] = {{ANSWER("resume", PAUSED), {NULL}},
        {ANSWER("", PAUSED), {PUSH(PAUSED), PUSH(RUNNING), PUSH(SNAPSHOT("SOAKING", "12", ""))}}};
    AUTO_SCENE scene;
    scene_open(&scene, turns, ARRAY_COUNT(turns));
    AUTO_OUTCOME outcome = fake_call(&scene.fake, "resume orders-cache");
    assert_int_equal(outcome.exit, EXIT_SOAKING);
    assert_int_equal(scene.fake.continue_count, 0);
}

static void a_command_that_changes_nothing_says_so(void **UNUSED(state))
{
    static const struct fake_turn turns[] = {{ANSWER("the run is paused already", PAUSED), {NULL}}};
    AUTO_SCENE scene;
    scene_open(&scene, turns, ARRAY_COUNT(turns));
    AUTO_OUTCOME outcome = fake_call(&scene.fake, "pause orders-cache");
    assert_int_equal(outcome.exit, EXIT_DONE);
    ASSERT_HAS(outcome.err, "the run is paused already");
}

static void an_early_finalize_is_told_so(void **UNUSED(state))
{
    static const struct fake_turn turns[] = {
        {"{\"ok\":true,\"snapshot\":{\"soak\":{\"healthy_s\":12,\"wanted_s\":30}}}", {NULL}},
        {ANSWER("finalize", RUNNING), {NULL}}};
    AUTO_SCENE scene;
    scene_open(&scene, turns, ARRAY_COUNT(turns));
    AUTO_OUTCOME outcome = fake_call(&scene.fake, "finalize orders-cache --yes --detach");
    assert_int_equal(outcome.exit, EXIT_DETACHED);
    ASSERT_HAS(outcome.err, "12 s of 30 s were seen healthy");
}

static void a_refused_command_says_why(void **UNUSED(state))
{
    static const struct fake_turn turns[] = {{ANSWER("", RUNNING), {NULL}},
        {"{\"ok\":false,\"exit\":4,\"error\":{\"what\":\"not at its pause point\"}}", {NULL}}};
    AUTO_SCENE scene;
    scene_open(&scene, turns, ARRAY_COUNT(turns));
    AUTO_OUTCOME outcome = fake_call(&scene.fake, "finalize orders-cache --yes --quiet");
    assert_int_equal(outcome.exit, EXIT_REFUSED);
    ASSERT_HAS(outcome.err, "upshift: not at its pause point");
}

static void status_asks_the_controller(void **UNUSED(state))
{
    static const struct fake_turn turns[] = {{ANSWER("", RUNNING), {NULL}}};
    AUTO_SCENE scene;
    scene_open(&scene, turns, ARRAY_COUNT(turns));
    AUTO_OUTCOME outcome = fake_call(&scene.fake, "status orders-cache --json");
    assert_int_equal(outcome.exit, EXIT_DONE);
    ASSERT_HAS(outcome.out, "\"has_controller\":true");
    ASSERT_HAS(outcome.out, "\"state\":\"RUNNING\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_event_is_one_line_and_comes_once),
        cmocka_unit_test(json_is_one_snapshot_a_line_and_the_exit),
        cmocka_unit_test(a_dead_controller_leaves_a_safe_run),
        cmocka_unit_test(an_ended_run_is_watched_until_its_controller_ends),
        cmocka_unit_test(ctrl_c_pauses),
        cmocka_unit_test(a_refused_pause_says_why),
        cmocka_unit_test(a_lost_terminal_only_detaches),
        cmocka_unit_test(resume_watches_past_the_old_state),
        cmocka_unit_test(a_command_that_changes_nothing_says_so),
        cmocka_unit_test(an_early_finalize_is_told_so),
        cmocka_unit_test(a_refused_command_says_why),
        cmocka_unit_test(status_asks_the_controller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
