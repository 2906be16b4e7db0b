/* The step repl.cutover over the simulation, with a guard that is no process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "drivers/guard.h"
#include "scene.h"
#include "steps/steps.h"

/* Does what app/guards.c does, in this process. */
struct inline_guard {
    struct guard base;
    struct scene *scene;
    int settle_count;
};

static struct err *cut_over_inline(
    const struct call *UNUSED(call), struct guard *guard, const struct guard_order *order)
{
    struct scene *scene = ((struct inline_guard *)guard)->scene;
    assert_string_equal(order->fence_before, "0");
    scene->config.hold_limit_ms = order->hold_limit_ms;
    return scene_run(scene) == GUARD_RELEASED
               ? NULL
               : err_code(err_new(ERR_REFUSED, NULL, "it went back"), "cutover_backed");
}

static struct err *settle_inline(
    const struct call *UNUSED(call), struct guard *guard, const struct guard_order *UNUSED(order))
{
    ((struct inline_guard *)guard)->settle_count++;
    return NULL;
}

static const struct guard_ops inline_ops = {
    .name = "inline", .cut_over = cut_over_inline, .settle = settle_inline};

struct bench {
    struct scene scene;
    struct inline_guard guard;
    struct json *args;
    struct json *before;
};

static void bench_open(struct bench *bench)
{
    *bench = (struct bench){0};
    scene_open(&bench->scene,
        &(struct fixture_options){.server = SERVER_7_0, .write_rate = SCENE_RATE, .lag_ms = 20});
    bench->scene.fixture.cluster.policy.hold_limit_ms = SCENE_HOLD_MS;
    bench->guard = (struct inline_guard){.base.ops = &inline_ops, .scene = &bench->scene};
    bench->scene.fixture.world->guard = &bench->guard.base;
    bench->args = js_object();
    static const char *const words[][2] = {
        {"node", "n4"}, {"primary", "n1"}, {"shard", "shard-1"}, {"id", "x"}, {"primary_id", "y"}};
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        js_put_text(bench->args, words[i][0], words[i][1]);
    }
}

static void bench_close(struct bench *bench)
{
    bench->scene.fixture.world->guard = NULL;
    js_free(bench->args);
    js_free(bench->before);
    scene_close(&bench->scene);
}
#define AUTO_BENCH CLEANUP(bench_close) struct bench

static void capture_now(struct bench *bench)
{
    const struct bound bound = {bench->args};
    AUTO_ERR err = repl_cutover_ops.capture(&bench->scene.fixture.call, &bound, &bench->before);
    assert_null(err);
}

static struct err *apply_now(struct bench *bench)
{
    const struct bound bound = {bench->args};
    const struct before before = {bench->before};
    return repl_cutover_ops.apply(&bench->scene.fixture.call, &bound, &before);
}

static void expect_seen(struct bench *bench, enum step_state wanted)
{
    const struct bound bound = {bench->args};
    const struct before before = {bench->before};
    enum step_state seen = STEP_ELSEWHERE;
    AUTO_ERR err = repl_cutover_ops.verify(&bench->scene.fixture.call, &bound, &before, &seen);
    assert_null(err);
    assert_int_equal(seen, wanted);
}

static void the_step_is_absent_then_done(void **UNUSED(state))
{
    AUTO_BENCH bench;
    bench_open(&bench);
    struct json *args = NULL;
    AUTO_ERR bind = repl_cutover_ops.bind(&bench.scene.fixture.call, NULL, bench.args, &args);
    assert_null(bind);
    js_free(args);
    expect_seen(&bench, STEP_ABSENT);
    capture_now(&bench);
    AUTO_ERR err = apply_now(&bench);
    assert_null(err);
    expect_seen(&bench, STEP_DONE);
    assert_int_equal(sim_get_counts(bench.scene.fixture.sim).lost, 0);
}

static void a_step_without_its_arguments_is_refused(void **UNUSED(state))
{
    AUTO_BENCH bench;
    bench_open(&bench);
    struct json *args = NULL;
    js_remove(bench.args, "primary");
    AUTO_ERR err = repl_cutover_ops.bind(&bench.scene.fixture.call, NULL, bench.args, &args);
    assert_non_null(err);
    assert_string_equal(err->code, "step_args");
}

static void a_fence_that_stands_is_moving_and_is_not_captured(void **UNUSED(state))
{
    AUTO_BENCH bench;
    bench_open(&bench);
    fixture_set(&bench.scene.fixture, "n1", "min-replicas-to-write", "99");
    expect_seen(&bench, STEP_MOVING);
    const struct bound bound = {bench.args};
    AUTO_ERR err = repl_cutover_ops.capture(&bench.scene.fixture.call, &bound, &bench.before);
    assert_non_null(err);
    assert_string_equal(err->code, "fence_unavailable");
}

static void another_primary_than_planned_is_elsewhere(void **UNUSED(state))
{
    AUTO_BENCH bench;
    bench_open(&bench);
    fixture_switchover(&bench.scene.fixture, "n4"); /* somebody else's */
    js_put_text(bench.args, "node", "n1");
    js_put_text(bench.args, "primary", "n5");
    expect_seen(&bench, STEP_ELSEWHERE);
}

static void what_an_attempt_left_is_settled(void **UNUSED(state))
{
    AUTO_BENCH bench;
    bench_open(&bench);
    capture_now(&bench);
    const struct bound bound = {bench.args};
    const struct before before = {bench.before};
    AUTO_ERR err = repl_cutover_ops.stop(&bench.scene.fixture.call, &bound, &before);
    assert_null(err);
    assert_int_equal(bench.guard.settle_count, 1);
}

static struct err *say_lost(const struct call *call, const char *node)
{
    const char *lost = call->claim_context;
    return strcmp(node, lost) != 0
               ? NULL
               : err_code(err_new(ERR_CANCELLED, node, "somebody else's"), "claim_lost");
}

static void without_the_claim_on_both_nothing_begins(void **UNUSED(state))
{
    static const char *const nodes[] = {"n1", "n4"};
    for (size_t i = 0; i < ARRAY_COUNT(nodes); i++) {
        AUTO_BENCH bench;
        bench_open(&bench);
        capture_now(&bench);
        bench.scene.fixture.call.check_claim = say_lost;
        bench.scene.fixture.call.claim_context = nodes[i];
        AUTO_ERR err = apply_now(&bench);
        assert_non_null(err);
        assert_string_equal(err->code, "claim_lost");
        assert_int_equal(scene_view(&bench.scene, "n1").role, FACT_ROLE_PRIMARY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_step_is_absent_then_done),
        cmocka_unit_test(a_step_without_its_arguments_is_refused),
        cmocka_unit_test(a_fence_that_stands_is_moving_and_is_not_captured),
        cmocka_unit_test(another_primary_than_planned_is_elsewhere),
        cmocka_unit_test(what_an_attempt_left_is_settled),
        cmocka_unit_test(without_the_claim_on_both_nothing_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
