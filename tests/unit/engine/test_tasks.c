/* Tasks that reach beyond a step: the look at the claim, stopping, claiming, planning anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "fake_world.h"

enum { LIMIT_MS = 5000, STEP_MS = 60000 };

struct desk {
    struct fake_world world;
    struct plan_gate assumption, gate;
    struct plan_step step;
    struct json *args, *before;
    struct run_result *result;
};

static int open_desk(void **state)
{
    static struct desk desk;
    memset(&desk, 0, sizeof(desk));
    fake_world_init(&desk.world);
    desk.args = js_object();
    desk.before = js_object();
    desk.assumption.name = "a";
    desk.gate.name = "b";
    desk.step = (struct plan_step){.id = "s1/n1/fake",
        .kind = "fake",
        .def = 3,
        .node = "n1",
        .args = desk.args,
        .assumptions = &desk.assumption,
        .assumption_count = 1,
        .gates = &desk.gate,
        .gate_count = 1,
        .deadline_ms = STEP_MS};
    *state = &desk;
    return 0;
}

static int close_desk(void **state)
{
    struct desk *desk = *state;
    run_result_free(desk->result);
    js_free(desk->args);
    js_free(desk->before);
    return 0;
}

static const struct run_result *work_on(struct desk *desk, struct run_task task)
{
    task.deadline_ms = LIMIT_MS;
    desk->result = executor_do(&desk->world.executor, &task);
    return desk->result;
}

static const struct run_result *work_on_step(struct desk *desk, enum run_task_kind kind)
{
    return work_on(desk, (struct run_task){.kind = kind,
                             .plan = &desk->step,
                             .args = desk->args,
                             .before = desk->before,
                             .must_stop = true});
}

/* --- the claim --- */

static void an_act_is_not_sent_to_a_node_that_is_anothers(void **state)
{
    struct desk *desk = *state;
    desk->world.lost = "bob";
    const struct run_result *result = work_on_step(desk, RUN_TASK_APPLY);
    assert_false(result->is_sent);
    assert_int_equal(desk->world.apply_count, 0);
    assert_int_equal(result->answers[0].state, GATE_NEVER);
    assert_string_equal(result->answers[0].gate, "claim_ours");
    assert_string_equal(result->answers[0].reason, "bob has n1");
    assert_false(result->is_assumption);
}

static void nothing_is_taken_back_on_a_node_that_is_anothers(void **state)
{
    struct desk *desk = *state;
    desk->world.lost = "bob";
    const struct run_result *result = work_on_step(desk, RUN_TASK_UNDO);
    assert_int_equal(desk->world.undo_count, 0);
    assert_string_equal(result->err->code, "claim_lost");
}

static void the_claim_is_looked_at_last(void **state)
{
    struct desk *desk = *state;
    desk->world.gates[FAKE_GATE_B] = GATE_NOT_YET;
    assert_false(work_on_step(desk, RUN_TASK_APPLY)->is_sent);
    assert_int_equal(desk->world.look_count, 0);
}

static void without_others_there_is_no_claim(void **state)
{
    struct desk *desk = *state;
    desk->world.executor.claims = NULL;
    const struct run_result *result = work_on(desk, (struct run_task){.kind = RUN_TASK_CLAIM});
    assert_null(result->err);
    assert_int_equal(result->claim.node_count, 0);
}

static void a_claim_says_who_asks_and_what_came_of_it(void **state)
{
    struct desk *desk = *state;
    const struct run_task task = {.kind = RUN_TASK_CLAIM,
        .claim = CLAIM_RENEW,
        .epoch = 7,
        .status = RUN_SOAKING,
        .is_parked = true,
        .seq = 41};
    const struct run_result *result = work_on(desk, task);
    assert_int_equal(result->act, CLAIM_RENEW);
    assert_int_equal(desk->world.claim.act, CLAIM_RENEW);
    assert_int_equal(desk->world.claim.epoch, 7);
    assert_int_equal(desk->world.claim.seq, 41);
    assert_string_equal(desk->world.claim.run, "toy-1");
    assert_string_equal(desk->world.claim.state, "SOAKING");
    assert_true(desk->world.claim.is_parked);
    assert_int_equal(result->claim.held_count, 5);
    assert_string_equal(result->claim.reason, "n2 cannot be reached");
}

/* --- stopping --- */

static void what_an_earlier_attempt_left_is_stopped_before_looking(void **state)
{
    struct desk *desk = *state;
    const struct run_result *result = work_on_step(desk, RUN_TASK_VERIFY);
    assert_null(result->err);
    assert_int_equal(desk->world.stop_count, 1);
    assert_int_equal(desk->world.verify_count, 1);
}

static void what_cannot_be_stopped_is_not_looked_at(void **state)
{
    struct desk *desk = *state;
    desk->world.is_blind = true;
    const struct run_result *result = work_on_step(desk, RUN_TASK_VERIFY);
    assert_int_equal(result->err->kind, ERR_UNREACHABLE);
    assert_int_equal(desk->world.verify_count, 0);
}

static void a_kind_that_leaves_nothing_is_only_looked_at(void **state)
{
    struct desk *desk = *state;
    desk->step.kind = "fake.forever";
    assert_null(work_on_step(desk, RUN_TASK_VERIFY)->err);
    assert_int_equal(desk->world.stop_count, 0);
    assert_int_equal(desk->world.verify_count, 1);
}

/* --- assumptions and new plans --- */

static const struct run_result *look_at_step(struct desk *desk)
{
    return work_on(desk, (struct run_task){.kind = RUN_TASK_LOOK, .plan = &desk->step});
}

static void a_false_assumption_is_told_from_a_red_gate(void **state)
{
    static const struct {
        enum gate_state assumption, gate;
        bool is_assumption;
    } rows[] = {
        {GATE_NEVER, GATE_YES, true},
        {GATE_NEEDS_YOU, GATE_NOT_YET, true},
        {GATE_NEVER, GATE_NEVER, true},
        {GATE_NEEDS_YOU, GATE_NEVER, false},
        {GATE_NOT_YET, GATE_YES, false},
        {GATE_YES, GATE_NEVER, false},
        {GATE_YES, GATE_YES, false},
    };
    struct desk *desk = *state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        desk->world.gates[FAKE_GATE_A] = rows[i].assumption;
        desk->world.gates[FAKE_GATE_B] = rows[i].gate;
        const struct run_result *result = look_at_step(desk);
        assert_int_equal(result->is_assumption, rows[i].is_assumption);
        if (rows[i].is_assumption) {
            assert_string_equal(result->answers[0].gate, "a");
        }
        run_result_free(desk->result);
        desk->result = NULL;
    }
}

static void a_look_watches_the_way_back(void **state)
{
    struct desk *desk = *state;
    struct plan_gate during = {.name = "c"};
    desk->world.gates[FAKE_GATE_C] = GATE_NEVER;
    desk->world.seen = STEP_DONE;
    const struct run_result *result = work_on(desk,
        (struct run_task){
            .kind = RUN_TASK_LOOK, .plan = &desk->step, .during = &during, .during_count = 1});
    assert_true(result->has_during);
    assert_int_equal(result->during.state, GATE_NEVER);
}

static void a_look_without_the_way_back_says_nothing_of_it(void **state)
{
    assert_false(look_at_step(*state)->has_during);
}

static struct json *some_plan(const char *kind)
{
    struct plan_step step = {.id = "back/n1", .kind = kind, .def = 3, .node = "n1"};
    struct plan_phase phase = {.name = "back", .title = "back", .steps = &step, .step_count = 1};
    const struct plan plan = {
        .format = PLAN_FORMAT, .direction = "back", .phases = &phase, .phase_count = 1};
    step.args = js_object();
    struct json *json = plan_to_json(&plan);
    js_free(step.args);
    return json;
}

static const struct run_result *plan_anew(struct desk *desk)
{
    return work_on(desk, (struct run_task){.kind = RUN_TASK_REPLAN, .replan = RUN_REPLAN_BACK});
}

static void a_new_plan_is_handed_on(void **state)
{
    struct desk *desk = *state;
    AUTO_JSON plan = some_plan("fake");
    desk->world.plan = plan;
    const struct run_result *result = plan_anew(desk);
    assert_int_equal(result->replan, RUN_REPLAN_BACK);
    assert_true(js_equal(result->plan, plan));
}

static void a_new_plan_that_nobody_here_can_carry_out_is_a_refusal(void **state)
{
    struct desk *desk = *state;
    AUTO_JSON plan = some_plan("moon.walk");
    desk->world.plan = plan;
    const struct run_result *result = plan_anew(desk);
    assert_null(result->plan);
    assert_int_equal(result->answer_count, 1);
    assert_non_null(strstr(result->answers[0].reason, "moon.walk"));
}

static void a_refusal_is_handed_on(void **state)
{
    const struct run_result *result = plan_anew(*state);
    assert_null(result->plan);
    assert_string_equal(result->answers[0].reason, "there is no way");
}

static void where_nobody_plans_there_is_neither_plan_nor_reason(void **state)
{
    struct desk *desk = *state;
    desk->world.executor.replan = NULL;
    const struct run_result *result = plan_anew(desk);
    assert_null(result->plan);
    assert_null(result->err);
    assert_int_equal(result->answer_count, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_desk, close_desk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_act_is_not_sent_to_a_node_that_is_anothers),
        CASE(nothing_is_taken_back_on_a_node_that_is_anothers),
        CASE(the_claim_is_looked_at_last),
        CASE(without_others_there_is_no_claim),
        CASE(a_claim_says_who_asks_and_what_came_of_it),
        CASE(what_an_earlier_attempt_left_is_stopped_before_looking),
        CASE(what_cannot_be_stopped_is_not_looked_at),
        CASE(a_kind_that_leaves_nothing_is_only_looked_at),
        CASE(a_false_assumption_is_told_from_a_red_gate),
        CASE(a_look_watches_the_way_back),
        CASE(a_look_without_the_way_back_says_nothing_of_it),
        CASE(a_new_plan_is_handed_on),
        CASE(a_new_plan_that_nobody_here_can_carry_out_is_a_refusal),
        CASE(a_refusal_is_handed_on),
        CASE(where_nobody_plans_there_is_neither_plan_nor_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
