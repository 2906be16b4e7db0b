/*
 * test_replan.c - the rest of a run planned anew, over a simulated cluster.
 *
 * What a strategy plans is in tests/golden; here is what it is asked with, and what comes back.
 */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "../../sim/stage.h"
#include "app/replan.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/topology.h"
#include "steps/steps.h"
#include "strategies/gates.h"

struct place {
    struct stage stage;
    struct plan first;
    struct run_state state;
    struct json *progress; /* as the run tells it; NULL: of `state` as it is */
    struct world world;
    struct topology blind;
    struct arena arena;
    struct executor executor;
    struct replan_answer answer;
};

static struct err *read_nothing(const struct call *UNUSED(call), struct topology *UNUSED(topology),
    struct facts *UNUSED(ret_facts))
{
    return err_code(err_new(ERR_INVALID, "the password", "cannot be read"), "secret_unreadable");
}

static const struct topology_ops blind_ops = {.name = "blind", .read = read_nothing};

/* Three shards on Redis 6.0, and a run to 7.0 that has begun nothing. */
static void open_place(struct place *place)
{
    *place = (struct place){.blind = {&blind_ops}};
    const struct stage_options options = {.server = STAGE_REDIS_6_0,
        .shard_count = 3,
        .replica_count = 1,
        .max_unavailable = 1,
        .seed = 1};
    stage_open(&place->stage, &options);
    stage_plan(&place->stage, "redis", "7.0", &place->first);
    run_init(&place->state, &place->first, "sim-1");
    place->progress = run_progress_to_json(&place->state);
    place->world = *sim_world(place->stage.sim);
    place->executor = (struct executor){.steps = step_table,
        .gates = strategy_gates,
        .gate_count = strategy_gate_count,
        .rules = &place->stage.rules};
}

static void close_place(struct place *place)
{
    replan_answer_release(&place->answer);
    js_free(place->progress);
    run_release(&place->state);
    plan_release(&place->first);
    stage_close(&place->stage);
    arena_release(&place->arena);
}
#define AUTO_PLACE CLEANUP(close_place) struct place

static struct call call_to(struct place *place)
{
    struct clock *clock = sim_clock(place->stage.sim);
    return (struct call){
        .clock = clock, .deadline_ms = clock_now_ms(clock) + 20000, .world = &place->world};
}

static struct replan ask(struct place *place, enum run_replan why, const struct plan *present)
{
    return (struct replan){.inventory = &place->stage.inventory,
        .cluster = &place->stage.cluster,
        .rules = &place->stage.rules,
        .world = &place->world,
        .first = &place->first,
        .present = present,
        .progress = place->progress,
        .why = why};
}

static struct err *try_make(struct place *place, const struct replan *replan)
{
    const struct call call = call_to(place);
    replan_answer_release(&place->answer);
    return replan_make(&call, replan, &place->arena, &place->answer);
}

static void make(struct place *place, enum run_replan why, const struct plan *present)
{
    const struct replan replan = ask(place, why, present);
    AUTO_ERR err = try_make(place, &replan);
    assert_null(err);
}

/* The step has been done, as the journal would have it. */
static void mark_done(struct place *place, const char *kind, const char *node, const char *before)
{
    struct json *steps = js_get(place->progress, "steps");
    bool is_found = false;
    for (size_t i = 0; i < js_count(steps); i++) {
        struct json *step = js_at(steps, i);
        if (text_equal(js_get_text(step, "kind"), kind) &&
            text_equal(js_get_text(step, "node"), node)) {
            struct json *values = js_object();
            js_put_text(values, "server", before);
            js_put(step, "before", values);
            js_put_text(step, "state", "done");
            js_put_number(step, "attempt", 1);
            is_found = true;
        }
    }
    assert_true(is_found);
}

static void upgrade(struct place *place, const char *node)
{
    stage_upgrade_by_hand(&place->stage, node, STAGE_REDIS_7_0);
    mark_done(place, "service.stop", node, NULL);
    mark_done(place, "package.switch", node, STAGE_REDIS_6_0);
    mark_done(place, "service.start", node, NULL);
}

static size_t count_steps(const struct plan *plan, const char *kind, const char *node)
{
    size_t count = 0;
    for (size_t p = 0; p < plan->phase_count; p++) {
        for (size_t s = 0; s < plan->phases[p].step_count; s++) {
            const struct plan_step *step = &plan->phases[p].steps[s];
            count += text_equal(step->kind, kind) && text_equal(step->node, node);
        }
    }
    return count;
}

static void the_same_world_gives_the_same_rest(void **UNUSED(state))
{
    AUTO_PLACE place;
    open_place(&place);
    char before[SHA256_HEX_SIZE];
    char after[SHA256_HEX_SIZE];
    plan_digest(&place.first, before);
    make(&place, RUN_REPLAN_WORLD, &place.first);
    assert_true(place.answer.is_planned);
    assert_false(place.answer.result.is_wider);
    const struct plan *plan = &place.answer.plan;
    assert_string_equal(plan->direction, "forward");
    assert_int_equal(plan->revision, 1);
    assert_int_equal(plan_step_count(plan), plan_step_count(&place.first));
    plan_digest(&place.first, after);
    assert_string_equal(before, after); /* the engine's thread reads it meanwhile */
}

/* Nothing is fetched anew: the package may be gone from its mirror by now. */
static void the_target_is_the_first_plans(void **UNUSED(state))
{
    AUTO_PLACE place;
    open_place(&place);
    make(&place, RUN_REPLAN_WORLD, &place.first);
    assert_string_equal(place.answer.plan.artefact.server, place.first.artefact.server);
    assert_string_equal(place.answer.plan.request.to, "redis 7.0.15");
}

static void what_is_done_is_not_planned_again(void **UNUSED(state))
{
    AUTO_PLACE place;
    open_place(&place);
    upgrade(&place, "n4");
    make(&place, RUN_REPLAN_WORLD, &place.first);
    assert_true(place.answer.is_planned);
    assert_int_equal(count_steps(&place.answer.plan, "package.switch", "n4"), 0);
    assert_int_equal(count_steps(&place.answer.plan, "package.switch", "n5"), 1);
}

static void the_way_back_takes_what_the_run_has_touched(void **UNUSED(state))
{
    AUTO_PLACE place;
    open_place(&place);
    upgrade(&place, "n4");
    make(&place, RUN_REPLAN_BACK, &place.first);
    assert_true(place.answer.is_planned);
    const struct plan *back = &place.answer.plan;
    assert_string_equal(back->direction, "back");
    assert_int_equal(back->revision, 1);
    assert_int_equal(count_steps(back, "package.switch", "n4"), 1);
    assert_int_equal(count_steps(back, "package.switch", "n5"), 0);
}

static void a_way_back_is_turned_forward_again(void **UNUSED(state))
{
    AUTO_PLACE place;
    open_place(&place);
    upgrade(&place, "n4");
    make(&place, RUN_REPLAN_BACK, &place.first);
    AUTO_JSON json = plan_to_json(&place.answer.plan);
    AUTO_PLAN back = {0};
    AUTO_ERR err = plan_from_json(json, "the way back", &back);
    assert_null(err);
    js_put_number(place.progress, "revision", 1);
    make(&place, RUN_REPLAN_FORWARD, &back);
    assert_true(place.answer.is_planned);
    assert_string_equal(place.answer.plan.direction, "forward");
    assert_int_equal(place.answer.plan.revision, 2);
    assert_int_equal(count_steps(&place.answer.plan, "package.switch", "n4"), 0);
    assert_int_equal(count_steps(&place.answer.plan, "package.switch", "n5"), 1);
}

static void a_cluster_that_cannot_be_read_gives_no_plan(void **UNUSED(state))
{
    AUTO_PLACE place;
    open_place(&place);
    place.world.topology = &place.blind;
    const struct replan replan = ask(&place, RUN_REPLAN_BACK, &place.first);
    AUTO_ERR err = try_make(&place, &replan);
    assert_non_null(err);
    assert_string_equal(err->code, "secret_unreadable");
    AUTO_FREE char *text = err_text(err);
    assert_non_null(strstr(text, "cannot read the cluster to plan anew"));
    assert_false(place.answer.is_planned);
}

static void progress_that_nobody_understands_gives_no_plan(void **UNUSED(state))
{
    AUTO_PLACE place;
    open_place(&place);
    js_put_text(place.progress, "steps", "all of them");
    const struct replan replan = ask(&place, RUN_REPLAN_BACK, &place.first);
    AUTO_ERR err = try_make(&place, &replan);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_INVALID);
    assert_false(place.answer.is_planned);
    assert_int_equal(place.answer.plan.phase_count, 0);
}

/* --- for the engine --- */

static struct run_result *do_replan_of(struct place *place, enum run_replan why)
{
    const struct replan replan = ask(place, why, &place->first);
    const struct call call = call_to(place);
    struct run_result *result = mem_alloc(sizeof(*result));
    result->err = replan_for_engine(&call, &replan, &place->executor, result);
    return result;
}

static void the_engine_gets_the_plan_and_what_is_other_in_it(void **UNUSED(state))
{
    AUTO_PLACE place;
    open_place(&place);
    stage_upgrade_by_hand(&place.stage, "n4", STAGE_REDIS_7_0); /* not by the run */
    struct run_result *result = do_replan_of(&place, RUN_REPLAN_WORLD);
    assert_null(result->err);
    assert_int_equal(result->answer_count, 0);
    AUTO_PLAN plan = {0};
    AUTO_ERR err = plan_from_json(result->plan, "the engine's", &plan);
    assert_null(err);
    assert_int_equal(plan.revision, 1);
    assert_int_equal(count_steps(&plan, "package.switch", "n4"), 0);
    assert_true(result->diff_count > 0);
    bool is_told = false;
    for (size_t i = 0; i < result->diff_count; i++) {
        is_told |= strstr(result->diff[i], "n4") != NULL;
    }
    assert_true(is_told);
    run_result_free(result);
}

static bool is_answered(const struct run_result *result, const char *words)
{
    for (size_t i = 0; i < result->answer_count; i++) {
        if (result->answers[i].state == GATE_NEVER &&
            strstr(result->answers[i].reason, words) != NULL) {
            return true;
        }
    }
    return false;
}

/* Two shards have nobody left who could take the data to the old version. */
static void the_engine_gets_every_reason_of_a_refusal(void **UNUSED(state))
{
    static const char *const shards[][2] = {{"n4", "n1"}, {"n5", "n2"}};
    AUTO_PLACE place;
    open_place(&place);
    for (size_t i = 0; i < ARRAY_COUNT(shards); i++) {
        upgrade(&place, shards[i][0]);
        stage_switch_by_hand(&place.stage, shards[i][0]);
        upgrade(&place, shards[i][1]);
    }
    struct run_result *result = do_replan_of(&place, RUN_REPLAN_BACK);
    assert_null(result->err);
    assert_null(result->plan);
    assert_true(is_answered(result, "no replica of n4 runs redis 6.0.16 any more"));
    assert_true(is_answered(result, "no replica of n5 runs redis 6.0.16 any more"));
    run_result_free(result);
}

static void a_plan_with_a_step_that_nobody_knows_is_none(void **UNUSED(state))
{
    static const struct step_ops *const few[] = {&service_stop_ops, NULL};
    AUTO_PLACE place;
    open_place(&place);
    place.executor.steps = few;
    struct run_result *result = do_replan_of(&place, RUN_REPLAN_WORLD);
    assert_non_null(result->err);
    assert_int_equal(result->err->kind, ERR_REFUSED);
    assert_null(result->plan);
    run_result_free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_world_gives_the_same_rest),
        cmocka_unit_test(the_target_is_the_first_plans),
        cmocka_unit_test(what_is_done_is_not_planned_again),
        cmocka_unit_test(the_way_back_takes_what_the_run_has_touched),
        cmocka_unit_test(a_way_back_is_turned_forward_again),
        cmocka_unit_test(a_cluster_that_cannot_be_read_gives_no_plan),
        cmocka_unit_test(progress_that_nobody_understands_gives_no_plan),
        cmocka_unit_test(the_engine_gets_the_plan_and_what_is_other_in_it),
        cmocka_unit_test(the_engine_gets_every_reason_of_a_refusal),
        cmocka_unit_test(a_plan_with_a_step_that_nobody_knows_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
