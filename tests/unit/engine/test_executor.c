#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "fake_world.h"

enum { DEADLINE_MS = 5000 };

struct bed {
    struct fake_world world;
    struct plan_gate gates[3], assumption;
    struct plan_step step;
    struct json *args, *before;
    struct run_result *result;
};

static int set_up(void **state)
{
    static struct bed bed;
    memset(&bed, 0, sizeof(bed));
    fake_world_init(&bed.world);
    bed.args = js_object();
    bed.before = js_object();
    bed.gates[0].name = "a";
    bed.gates[1].name = "b";
    bed.gates[2].name = "c";
    bed.step = (struct plan_step){.id = "s1/n1/fake",
        .kind = "fake",
        .def = 3,
        .args = bed.args,
        .gates = bed.gates,
        .gate_count = ARRAY_COUNT(bed.gates)};
    *state = &bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    run_result_free(bed->result);
    js_free(bed->args);
    js_free(bed->before);
    return 0;
}

static const struct run_result *look(struct bed *bed, const struct json *before)
{
    const struct run_task task = {.kind = RUN_TASK_LOOK,
        .step = 4,
        .plan = &bed->step,
        .deadline_ms = DEADLINE_MS,
        .before = (struct json *)(uintptr_t)before};
    bed->result = executor_do(&bed->world.executor, &task);
    return bed->result;
}

static const struct run_result *act(struct bed *bed, enum run_task_kind kind)
{
    const struct run_task task = {.kind = kind,
        .plan = &bed->step,
        .attempt = 2,
        .deadline_ms = DEADLINE_MS,
        .args = bed->args,
        .before = bed->before};
    bed->result = executor_do(&bed->world.executor, &task);
    return bed->result;
}

/* --- look --- */

static void a_look_binds_and_captures_when_all_gates_say_yes(void **state)
{
    struct bed *bed = *state;
    const struct run_result *result = look(bed, NULL);
    assert_null(result->err);
    assert_int_equal(result->kind, RUN_TASK_LOOK);
    assert_int_equal(result->step, 4);
    assert_int_equal(result->seen, STEP_ABSENT);
    assert_true(js_equal(result->args, bed->args));
    assert_ptr_not_equal(result->args, bed->args); /* the plan's own are shared by all workers */
    assert_string_equal(js_get_text(result->before, "value"), "old");
    assert_int_equal(bed->world.apply_count, 0);
}

static void a_look_tells_the_worst_gate_first(void **state)
{
    struct bed *bed = *state;
    bed->world.gates[FAKE_GATE_A] = GATE_NOT_YET;
    bed->world.gates[FAKE_GATE_B] = GATE_NEVER;
    bed->world.gates[FAKE_GATE_C] = GATE_NEEDS_YOU;
    const struct run_result *result = look(bed, NULL);
    assert_int_equal(result->answer_count, 3);
    assert_string_equal(result->answers[0].gate, "b");
    assert_string_equal(result->answers[0].reason, "gate b says never");
    assert_string_equal(result->answers[1].gate, "c");
    assert_string_equal(result->answers[2].gate, "a");
    assert_null(result->before);
    assert_int_equal(bed->world.capture_count, 0);
}

static void an_assumption_counts_as_a_gate(void **state)
{
    struct bed *bed = *state;
    bed->assumption.name = "c";
    bed->step.assumptions = &bed->assumption;
    bed->step.assumption_count = 1;
    bed->step.gate_count = 1;
    bed->world.gates[FAKE_GATE_C] = GATE_NEVER;
    const struct run_result *result = look(bed, NULL);
    assert_int_equal(result->answer_count, 1);
    assert_string_equal(result->answers[0].gate, "c");
}

static void a_look_does_not_capture_again(void **state)
{
    struct bed *bed = *state;
    const struct run_result *result = look(bed, bed->before);
    assert_int_equal(result->seen, STEP_ABSENT);
    assert_int_equal(bed->world.capture_count, 0);
    assert_null(result->before);
}

static void a_look_does_not_bind_again(void **state)
{
    struct bed *bed = *state;
    const struct run_task task = {
        .kind = RUN_TASK_LOOK, .plan = &bed->step, .deadline_ms = DEADLINE_MS, .args = bed->before};
    bed->result = executor_do(&bed->world.executor, &task);
    assert_ptr_equal(bed->result->args, bed->before);
    assert_int_equal(bed->world.bind_count, 0);
}

static void a_look_at_what_is_done_asks_no_gate(void **state)
{
    struct bed *bed = *state;
    bed->world.seen = STEP_DONE;
    bed->world.gates[FAKE_GATE_A] = GATE_NEVER;
    const struct run_result *result = look(bed, NULL);
    assert_int_equal(result->seen, STEP_DONE);
    assert_int_equal(result->answer_count, 0);
    assert_int_equal(bed->world.capture_count, 0);
}

static void a_look_that_sees_nothing_is_an_error(void **state)
{
    struct bed *bed = *state;
    bed->world.is_blind = true;
    const struct run_result *result = look(bed, NULL);
    assert_int_equal(result->err->kind, ERR_UNREACHABLE);
    assert_int_equal(bed->world.capture_count, 0);
}

static void nodes_that_do_not_serve_are_told(void **state)
{
    const struct run_result *result = look(*state, NULL);
    static const char *const out[] = {"n2", "n3", "n4", "n5", "n6"};
    assert_int_equal(result->out_count, ARRAY_COUNT(out));
    for (size_t i = 0; i < ARRAY_COUNT(out); i++) {
        assert_string_equal(result->out[i], out[i]);
    }
    assert_int_equal(js_count(result->nodes), 6);
    assert_string_equal(js_get_text(js_at(result->nodes, 0), "role"), "primary");
}

static void a_gate_that_nobody_knows_says_never(void **state)
{
    struct bed *bed = *state;
    bed->gates[1].name = "moon_phase";
    const struct run_result *result = look(bed, NULL);
    assert_int_equal(result->answer_count, 1);
    assert_int_equal(result->answers[0].state, GATE_NEVER);
    assert_string_equal(result->answers[0].gate, "moon_phase");
    assert_int_equal(bed->world.capture_count, 0);
}

/* --- apply, verify, undo --- */

static void an_act_is_sent_and_its_answer_told(void **state)
{
    struct bed *bed = *state;
    bed->world.has_apply_error = true;
    bed->world.apply_error = ERR_UNKNOWN;
    const struct run_result *result = act(bed, RUN_TASK_APPLY);
    assert_true(result->is_sent);
    assert_int_equal(result->attempt, 2);
    assert_int_equal(result->err->kind, ERR_UNKNOWN);
    assert_int_equal(bed->world.apply_count, 1);
}

static void an_act_is_not_sent_when_a_gate_turned_red(void **state)
{
    struct bed *bed = *state;
    bed->world.gates[FAKE_GATE_C] = GATE_NOT_YET;
    const struct run_result *result = act(bed, RUN_TASK_APPLY);
    assert_false(result->is_sent);
    assert_int_equal(result->answer_count, 1);
    assert_string_equal(result->answers[0].reason, "gate c says not yet");
    assert_int_equal(bed->world.apply_count, 0);
}

static void an_act_is_not_sent_when_its_gates_cannot_be_asked(void **state)
{
    struct bed *bed = *state;
    bed->world.cannot_read = true;
    const struct run_result *result = act(bed, RUN_TASK_APPLY);
    assert_false(result->is_sent);
    assert_string_equal(result->err->what, "cannot read the cluster");
    assert_int_equal(bed->world.apply_count, 0);
}

static void an_act_is_not_sent_after_its_deadline(void **state)
{
    struct bed *bed = *state;
    bed->world.now_ms = DEADLINE_MS;
    const struct run_result *result = act(bed, RUN_TASK_APPLY);
    assert_false(result->is_sent);
    assert_null(result->err);
    assert_int_equal(bed->world.apply_count, 0);
}

/* Whoever was stopped for longer in between acts in another world. */
static void an_act_may_begin_for_a_second_after_its_gates_were_seen(void **state)
{
    struct bed *bed = *state;
    bed->world.now_ms = 1000;
    assert_true(act(bed, RUN_TASK_APPLY)->is_sent);
    assert_int_equal(bed->world.begin_before_ms, 2000);
    run_result_free(bed->result);
    bed->step.gate_count = 0;
    bed->world.now_ms = 3000;
    assert_true(act(bed, RUN_TASK_APPLY)->is_sent);
    assert_int_equal(bed->world.begin_before_ms, 4000);
    run_result_free(bed->result);
    bed->world.now_ms = 4000;
    assert_null(act(bed, RUN_TASK_UNDO)->err);
    assert_int_equal(bed->world.begin_before_ms, 5000);
}

static void a_step_without_gates_reads_no_facts_to_act(void **state)
{
    struct bed *bed = *state;
    bed->step.gate_count = 0;
    assert_true(act(bed, RUN_TASK_APPLY)->is_sent);
    assert_int_equal(bed->world.read_count, 0);
}

static void verifying_looks_and_does_nothing_else(void **state)
{
    struct bed *bed = *state;
    bed->world.seen = STEP_MOVING;
    assert_int_equal(act(bed, RUN_TASK_VERIFY)->seen, STEP_MOVING);
    assert_int_equal(bed->world.verify_count, 1);
    assert_int_equal(bed->world.read_count + bed->world.apply_count, 0);
}

static void an_undo_says_what_it_left(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(act(bed, RUN_TASK_UNDO)->seen, STEP_ABSENT);
    assert_int_equal(bed->world.undo_count, 1);
}

static void an_undo_that_found_another_value_reads_it(void **state)
{
    struct bed *bed = *state;
    bed->world.undo_leaves = STEP_ELSEWHERE;
    const struct run_result *result = act(bed, RUN_TASK_UNDO);
    assert_int_equal(result->seen, STEP_ELSEWHERE);
    assert_string_equal(js_get_text(result->before, "value"), "old");
    assert_int_equal(bed->world.capture_count, 1);
}

static void what_cannot_be_taken_back_says_so(void **state)
{
    struct bed *bed = *state;
    bed->step.kind = "fake.forever";
    assert_int_equal(act(bed, RUN_TASK_UNDO)->err->kind, ERR_INTERNAL);
}

static void a_step_that_nobody_knows_does_nothing(void **state)
{
    struct bed *bed = *state;
    bed->step.kind = "moon.walk";
    const struct run_result *result = act(bed, RUN_TASK_APPLY);
    assert_int_equal(result->err->kind, ERR_INTERNAL);
    assert_false(result->is_sent);
}

/* --- health --- */

static const struct run_result *ask_health(struct bed *bed)
{
    const struct run_task task = {.kind = RUN_TASK_HEALTH,
        .purpose = RUN_HEALTH_SOAK,
        .deadline_ms = DEADLINE_MS,
        .gates = &bed->gates[0],
        .gate_count = 1,
        .during = &bed->gates[1],
        .during_count = 2};
    bed->result = executor_do(&bed->world.executor, &task);
    return bed->result;
}

static void health_and_the_way_back_are_told_apart(void **state)
{
    struct bed *bed = *state;
    bed->world.gates[FAKE_GATE_B] = GATE_NOT_YET;
    bed->world.gates[FAKE_GATE_C] = GATE_NEVER;
    const struct run_result *result = ask_health(bed);
    assert_int_equal(result->answer_count, 0);
    assert_int_equal(result->during.state, GATE_NEVER);
    assert_string_equal(result->during.gate, "c");
    assert_string_equal(result->during.reason, "gate c says never");
}

static void a_way_back_that_is_fed_says_yes(void **state)
{
    struct bed *bed = *state;
    bed->world.gates[FAKE_GATE_A] = GATE_NOT_YET;
    const struct run_result *result = ask_health(bed);
    assert_int_equal(result->answer_count, 1);
    assert_int_equal(result->during.state, GATE_YES);
    assert_int_equal(result->purpose, RUN_HEALTH_SOAK);
}

static void a_cluster_that_cannot_be_read_is_not_yet_healthy(void **state)
{
    struct bed *bed = *state;
    bed->world.cannot_read = true;
    const struct run_result *result = ask_health(bed);
    assert_null(result->err);
    assert_int_equal(result->answer_count, 1);
    assert_int_equal(result->answers[0].state, GATE_NOT_YET);
    assert_string_equal(result->answers[0].gate, "can_see");
    assert_int_equal(result->during.state, GATE_NOT_YET);
}

/* --- plans of other releases --- */

struct plan_bed {
    struct plan_phase phase;
    struct plan plan;
};

static void wrap(struct bed *bed, struct plan_bed *ret_wrapped)
{
    *ret_wrapped = (struct plan_bed){.phase = {.name = "p", .steps = &bed->step, .step_count = 1}};
    ret_wrapped->plan = (struct plan){.phases = &ret_wrapped->phase, .phase_count = 1};
}

static void assert_other_release(struct bed *bed, const struct plan *plan, const char *name)
{
    AUTO_ERR err = executor_check_plan(&bed->world.executor, plan);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_REFUSED);
    assert_string_equal(err->code, "plan_from_another_release");
    assert_non_null(strstr(err->what, name));
    assert_non_null(err->hint);
}

static void a_plan_of_this_release_is_accepted(void **state)
{
    struct bed *bed = *state;
    struct plan_bed wrapped;
    wrap(bed, &wrapped);
    assert_null(executor_check_plan(&bed->world.executor, &wrapped.plan));
    bed->step.def = fake_step_ops.def_min;
    assert_null(executor_check_plan(&bed->world.executor, &wrapped.plan));
}

static void an_unknown_kind_or_definition_is_refused(void **state)
{
    struct bed *bed = *state;
    struct plan_bed wrapped;
    wrap(bed, &wrapped);
    bed->step.kind = "moon.walk";
    assert_other_release(bed, &wrapped.plan, "moon.walk");
    bed->step.kind = "fake";
    bed->step.def = fake_step_ops.def + 1;
    assert_other_release(bed, &wrapped.plan, "fake");
    bed->step.def = fake_step_ops.def_min - 1;
    assert_other_release(bed, &wrapped.plan, "fake");
}

static void an_unknown_gate_is_refused_wherever_it_stands(void **state)
{
    struct bed *bed = *state;
    struct plan_gate unknown = {.name = "moon_phase"};
    struct plan_bed wrapped;
    wrap(bed, &wrapped);
    struct {
        struct plan_gate **gates;
        size_t *count;
    } places[] = {
        {&wrapped.plan.health, &wrapped.plan.health_count},
        {&wrapped.plan.during, &wrapped.plan.during_count},
        {&wrapped.phase.before, &wrapped.phase.before_count},
        {&wrapped.phase.after, &wrapped.phase.after_count},
        {&bed->step.assumptions, &bed->step.assumption_count},
        {&bed->step.gates, &bed->step.gate_count},
    };
    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        struct plan_gate *gates = *places[i].gates;
        const size_t count = *places[i].count;
        *places[i].gates = &unknown;
        *places[i].count = 1;
        assert_other_release(bed, &wrapped.plan, "moon_phase");
        *places[i].gates = gates;
        *places[i].count = count;
    }
    assert_null(executor_check_plan(&bed->world.executor, &wrapped.plan));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_look_binds_and_captures_when_all_gates_say_yes),
        CASE(a_look_tells_the_worst_gate_first),
        CASE(an_assumption_counts_as_a_gate),
        CASE(a_look_does_not_capture_again),
        CASE(a_look_does_not_bind_again),
        CASE(a_look_at_what_is_done_asks_no_gate),
        CASE(a_look_that_sees_nothing_is_an_error),
        CASE(nodes_that_do_not_serve_are_told),
        CASE(a_gate_that_nobody_knows_says_never),
        CASE(an_act_is_sent_and_its_answer_told),
        CASE(an_act_is_not_sent_when_a_gate_turned_red),
        CASE(an_act_is_not_sent_when_its_gates_cannot_be_asked),
        CASE(an_act_is_not_sent_after_its_deadline),
        CASE(an_act_may_begin_for_a_second_after_its_gates_were_seen),
        CASE(a_step_without_gates_reads_no_facts_to_act),
        CASE(verifying_looks_and_does_nothing_else),
        CASE(an_undo_says_what_it_left),
        CASE(an_undo_that_found_another_value_reads_it),
        CASE(what_cannot_be_taken_back_says_so),
        CASE(a_step_that_nobody_knows_does_nothing),
        CASE(health_and_the_way_back_are_told_apart),
        CASE(a_way_back_that_is_fed_says_yes),
        CASE(a_cluster_that_cannot_be_read_is_not_yet_healthy),
        CASE(a_plan_of_this_release_is_accepted),
        CASE(an_unknown_kind_or_definition_is_refused),
        CASE(an_unknown_gate_is_refused_wherever_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
