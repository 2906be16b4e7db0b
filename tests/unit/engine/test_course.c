/* Changes of course: rollback from everywhere, by the operator and by policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/mem.h"
#include "course.h"
#include "engine/snapshot.h"

/* --- rollback --- */

static void a_rollback_at_the_pause_point_takes_each_node_back(void **state)
{
    struct bench *bench = *state;
    go_to_soak(bench);
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    assert_true(bench->reply_ok);
    assert_int_equal(bench->state.status, RUN_RUNNING);
    assert_rolled_back(bench);
    assert_int_equal(bench_count(bench, JOURNAL_PLAN_REVISED, NULL), 1);
    for (size_t i = 13; i < 19; i++) {
        assert_int_equal(bench->steps[i].apply_count, 1);
    }
    assert_int_equal(bench->steps[10].apply_count, 0);
    assert_int_equal(bench->state.steps[10].status, RUN_STEP_DROPPED);
}

static void a_rollback_while_a_node_is_out_brings_it_up_first(void **state)
{
    struct bench *bench = *state;
    go_until_applied(bench, 2);
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    assert_int_equal(bench->state.status, RUN_RUNNING);
    assert_rolled_back(bench);
    assert_true(bench->steps[4].is_done);
    assert_int_equal(bench->steps[5].apply_count, 0);
    assert_true(bench->steps[15].is_done);
}

static void a_rollback_gives_up_a_chain_that_cannot_go_on(void **state)
{
    struct bench *bench = *state;
    bench->steps[4].gate = GATE_NEVER;
    go_until_applied(bench, 2);
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.steps[4].status, RUN_STEP_FAILED);
    assert_int_equal(bench->state.status, RUN_ROLLED_BACK);
}

static void a_rollback_of_a_paused_run(void **state)
{
    struct bench *bench = *state;
    go_until_applied(bench, 2);
    bench_operator(bench, RUN_COMMAND_PAUSE);
    assert_int_equal(bench->state.status, RUN_PAUSING);
    bench_run(bench, 2000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    assert_rolled_back(bench);
}

static void a_rollback_of_a_pausing_run(void **state)
{
    struct bench *bench = *state;
    go_until_applied(bench, 2);
    bench_operator(bench, RUN_COMMAND_PAUSE);
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    assert_true(bench->reply_ok);
    assert_rolled_back(bench);
}

static void a_rollback_after_a_failed_step(void **state)
{
    struct bench *bench = *state;
    go_to_question(bench, 8);
    assert_true(is_offered(bench, "rollback"));
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    assert_rolled_back(bench);
    assert_int_equal(bench->state.steps[8].status, RUN_STEP_FAILED);
}

static void a_rollback_with_a_step_that_nobody_can_see(void **state)
{
    struct bench *bench = *state;
    go_until_applied(bench, 8);
    bench->steps[8].is_blind = true;
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    bench_run(bench, 30000);
    assert_int_equal(bench->state.steps[8].status, RUN_STEP_UNKNOWN);
    assert_int_equal(bench->state.status, RUN_ROLLED_BACK);
    assert_int_equal(bench_count(bench, JOURNAL_STATE, NULL), 4); /* it never asked */
}

static void a_rollback_of_an_aborted_run(void **state)
{
    struct bench *bench = *state;
    go_to_soak(bench);
    bench_operator(bench, RUN_COMMAND_ABORT);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_ABORTED);
    bench_crash(bench, bench->record_count);
    bench_begin_with(bench, RUN_COMMAND_ROLLBACK);
    assert_false(bench->state.is_finished && bench->state.status == RUN_RUNNING);
    assert_rolled_back(bench);
    assert_int_equal(bench_count(bench, JOURNAL_FINISH, NULL), 2);
}

static void an_ended_run_that_cannot_go_back_ends_its_new_controller(void **state)
{
    struct bench *bench = *state;
    go_to_soak(bench);
    bench->during = GATE_NEVER;
    bench_run(bench, 3000);
    bench_operator(bench, RUN_COMMAND_ABORT);
    bench_run(bench, 3000);
    bench_crash(bench, bench->record_count);
    bench_begin_with(bench, RUN_COMMAND_ROLLBACK);
    assert_true(bench->has_ended);
    assert_int_equal(bench->exit_code, 4);
    assert_int_equal(bench->state.status, RUN_ABORTED);
}

static void a_closed_way_back_refuses_with_its_reason(void **state)
{
    struct bench *bench = *state;
    go_to_soak(bench);
    bench->during = GATE_NEVER;
    bench_run(bench, 3000);
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    assert_false(bench->reply_ok);
    assert_int_equal(bench->reply_exit, 4);
    assert_non_null(strstr(bench->reply_text, "toy"));
    assert_non_null(strstr(bench->reply_text, "what is possible"));
    assert_int_equal(bench->state.status, RUN_SOAKING);
    assert_int_equal(bench_count(bench, JOURNAL_OPERATOR, NULL), 0);
}

static void finalizing_refuses_a_rollback(void **state)
{
    struct bench *bench = *state;
    go_to_soak(bench);
    bench_operator(bench, RUN_COMMAND_FINALIZE);
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    assert_false(bench->reply_ok);
    assert_non_null(strstr(bench->reply_text, "finalize has begun"));
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_COMPLETE);
    bench->has_ended = false;
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    assert_int_equal(bench->reply_exit, 4);
}

static void a_rollback_that_no_plan_leads_to_asks(void **state)
{
    struct bench *bench = *state;
    go_to_soak(bench);
    bench->replan.refusal = GATE_NEVER;
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_int_equal(bench->state.direction, RUN_FORWARD);
    assert_int_equal(bench->state.replan, RUN_REPLAN_NONE);
    assert_string_equal(bench->state.reasons[0], "rollback, asked for by ada");
    assert_string_equal(bench->state.reasons[1], "no plan leads there");
    assert_int_equal(run_exit_code(&bench->state), 11);
    bench_operator(bench, RUN_COMMAND_RESUME);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
}

static void a_rollback_that_cannot_be_planned_yet_is_waited_for(void **state)
{
    struct bench *bench = *state;
    go_to_soak(bench);
    bench->replan.refusal = GATE_NOT_YET;
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_RUNNING);
    assert_true(bench->replan.count > 3);
    bench->replan.refusal = GATE_YES;
    assert_rolled_back(bench);
}

static void a_second_rollback_is_said_to_be_under_way(void **state)
{
    struct bench *bench = *state;
    go_to_soak(bench);
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    assert_true(bench->reply_ok);
    assert_non_null(strstr(bench->reply_text, "already"));
    assert_int_equal(bench_count(bench, JOURNAL_REPLAN, NULL), 1);
}

static void going_back_goes_on_beside_a_failed_step_and_then_asks(void **state)
{
    struct bench *bench = *state;
    go_to_soak(bench);
    bench->steps[13].has_no_effect = true; /* back/n4/stop */
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_int_equal(run_exit_code(&bench->state), 15);
    assert_true(bench->steps[18].is_done);
    assert_non_null(strstr(bench->state.reasons[0], "back/n4/stop"));
    assert_true(is_offered(bench, "resume --forward"));
    assert_false(is_offered(bench, "rollback"));
    bench->steps[13].has_no_effect = false;
    bench_operator(bench, RUN_COMMAND_RESUME);
    assert_rolled_back(bench);
}

static void a_node_that_fails_to_go_back_keeps_no_other_from_it(void **state)
{
    struct bench *bench = *state;
    go_to_soak(bench);
    bench->steps[13].gate = GATE_NEVER;   /* back/n4/stop */
    bench->steps[16].gate = GATE_NOT_YET; /* back/n5/stop */
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.steps[13].status, RUN_STEP_FAILED);
    assert_int_equal(bench->state.status, RUN_RUNNING);
    bench->steps[16].gate = GATE_YES;
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_true(bench->steps[18].is_done);
}

static void a_rollback_is_turned_forward_again(void **state)
{
    struct bench *bench = *state;
    go_to_soak(bench);
    bench->steps[13].has_no_effect = true;
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    bench_run(bench, 5000);
    bench_answer(bench, RUN_COMMAND_RESUME, "forward");
    assert_true(bench->reply_ok);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.direction, RUN_FORWARD);
    assert_int_equal(bench->state.revision_count, 2);
    assert_int_equal(bench->state.status, RUN_SOAKING);
    bench_operator(bench, RUN_COMMAND_FINALIZE);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_COMPLETE);
}

static void a_rollback_that_has_not_begun_is_withdrawn(void **state)
{
    struct bench *bench = *state;
    go_until_applied(bench, 2);
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    bench_operator(bench, RUN_COMMAND_PAUSE);
    while (bench->state.status != RUN_PAUSED) {
        assert_true(bench_step(bench));
    }
    assert_int_equal(bench->state.replan, RUN_REPLAN_BACK);
    bench_answer(bench, RUN_COMMAND_RESUME, "forward");
    assert_true(bench->reply_ok);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
    assert_int_equal(bench->state.revision_count, 0);
}

static void a_controller_that_is_told_to_end_leaves_the_rollback_to_the_next(void **state)
{
    struct bench *bench = *state;
    go_until_applied(bench, 2);
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    bench->state.is_ending = true; /* SIGTERM is a pause with that */
    bench_operator(bench, RUN_COMMAND_PAUSE);
    bench_run(bench, 3000);
    assert_true(bench->has_ended);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    bench_crash(bench, bench->record_count);
    bench_begin(bench, true);
    bench_run(bench, 1000);
    assert_int_equal(run_exit_code(&bench->state), 15); /* planned, and still paused */
    bench_operator(bench, RUN_COMMAND_RESUME);
    assert_rolled_back(bench);
}

static void only_what_goes_back_can_be_turned_forward(void **state)
{
    struct bench *bench = *state;
    go_to_question(bench, 8);
    bench_answer(bench, RUN_COMMAND_RESUME, "forward");
    assert_false(bench->reply_ok);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    bench_answer(bench, RUN_COMMAND_RESUME, "sideways");
    assert_false(bench->reply_ok);
}

static void an_aborted_rollback_is_between_the_versions(void **state)
{
    struct bench *bench = *state;
    go_to_soak(bench);
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    while (bench->steps[13].apply_count == 0) {
        assert_true(bench_step(bench));
    }
    bench_operator(bench, RUN_COMMAND_ABORT);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_ABORTED);
    assert_int_equal(bench->exit_code, 15);
    assert_true(bench->steps[15].is_done); /* the chain was finished */
    assert_int_equal(bench->steps[16].apply_count, 0);
}

/* --- policy on_failure --- */

static void a_failed_step_turns_the_run_by_policy(void **state)
{
    struct bench *bench = *state;
    bench->plan.policy.on_failure = "rollback";
    bench->steps[8].has_no_effect = true;
    bench_begin(bench, false);
    assert_rolled_back(bench);
    assert_int_equal(bench_count(bench, JOURNAL_OPERATOR, NULL), 0);
}

static void a_gate_that_stays_red_turns_the_run_by_policy_and_never_asks(void **state)
{
    struct bench *bench = *state;
    bench->plan.policy.on_failure = "rollback";
    bench->steps[8].gate = GATE_NOT_YET;
    bench_begin(bench, false);
    bench_run(bench, 120000);
    assert_int_equal(bench->state.status, RUN_ROLLED_BACK);
}

static void what_needs_a_human_is_asked_whatever_the_policy(void **state)
{
    struct bench *bench = *state;
    bench->plan.policy.on_failure = "rollback";
    bench->steps[8].gate = GATE_NEVER;
    bench_begin(bench, false);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_int_equal(bench->state.revision_count, 0);
}

static void policy_does_not_turn_what_has_no_way_back(void **state)
{
    struct bench *bench = *state;
    bench->plan.policy.on_failure = "rollback";
    go_to_soak(bench);
    bench->steps[10].has_no_effect = true;
    bench_operator(bench, RUN_COMMAND_FINALIZE);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_int_equal(bench->state.revision_count, 0);
}

static void policy_does_not_turn_a_run_whose_way_back_has_closed(void **state)
{
    struct bench *bench = *state;
    bench->plan.policy.on_failure = "rollback";
    bench->during = GATE_NEVER;
    bench->steps[8].has_no_effect = true;
    bench_begin(bench, false);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.way_back, RUN_WAY_BACK_CLOSED);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_int_equal(bench->state.revision_count, 0);
    assert_false(is_offered(bench, "rollback"));
}

/* --- health while soaking --- */

static void go_red_for(struct bench *bench, enum gate_state health, int64_t duration_ms)
{
    bench->health = health;
    const int64_t until_ms = bench->now_ms + duration_ms;
    while (bench->now_ms < until_ms && bench->state.status == RUN_SOAKING) {
        assert_true(bench_step(bench));
    }
}

static void health_that_stays_red_in_soak_is_asked_about(void **state)
{
    static const enum gate_state answers[] = {GATE_NOT_YET, GATE_NEEDS_YOU, GATE_NEVER};
    struct bench *bench = *state;
    go_to_soak(bench);
    for (size_t i = 0; i < ARRAY_COUNT(answers); i++) {
        const int64_t since_ms = bench->now_ms;
        go_red_for(bench, answers[i], 120000);
        assert_in_range(bench->now_ms - since_ms, 60000, 63000);
        assert_int_equal(bench->state.status, RUN_PAUSED);
        assert_true(bench->state.has_question);
        assert_string_equal(bench->state.reasons[0], "not healthy");
        assert_string_equal(bench->state.remedy, "wait");
        assert_true(is_offered(bench, "rollback"));
        assert_int_equal(bench->state.revision_count, 0);
        bench_operator(bench, RUN_COMMAND_RESUME); /* still red: the window begins anew */
        bench_run(bench, 3000);
        assert_int_equal(bench->state.status, RUN_SOAKING);
        go_red_for(bench, GATE_YES, 3000);
    }
}

static void health_that_is_red_for_less_only_stops_the_soak(void **state)
{
    struct bench *bench = *state;
    bench->plan.policy.on_failure = "rollback";
    go_to_soak(bench);
    for (int i = 0; i < 3; i++) {
        go_red_for(bench, GATE_NEEDS_YOU, 50000);
        AUTO_JSON snapshot = run_snapshot(&bench->state, bench->now_ms, 1700000000000);
        const struct json *waiting = js_get(snapshot, "waiting");
        assert_string_equal(js_get_text(waiting, "because"), "not healthy");
        go_red_for(bench, GATE_YES, 3000);
    }
    assert_int_equal(bench->state.status, RUN_SOAKING);
    assert_int_equal(bench->state.revision_count, 0);
}

static void health_that_stays_red_in_soak_turns_the_run_by_policy(void **state)
{
    struct bench *bench = *state;
    bench->plan.policy.on_failure = "rollback";
    go_to_soak(bench);
    go_red_for(bench, GATE_NOT_YET, 120000);
    assert_int_equal(bench->state.status, RUN_RUNNING);
    assert_string_equal(bench->state.replan_cause, "rollback by policy (on_failure): not healthy");
    bench->health = GATE_YES;
    assert_rolled_back(bench);
}

static void a_soak_that_nobody_can_see_is_asked_about_whatever_the_policy(void **state)
{
    struct bench *bench = *state;
    bench->plan.policy.on_failure = "rollback";
    bench->is_blind = true;
    go_to_soak(bench);
    go_red_for(bench, GATE_NOT_YET, 120000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_int_equal(bench->state.revision_count, 0);
    assert_true(is_offered(bench, "rollback"));
}

static void a_soak_without_a_way_back_is_asked_about_whatever_the_policy(void **state)
{
    struct bench *bench = *state;
    bench->plan.policy.on_failure = "rollback";
    bench->during = GATE_NEVER;
    go_to_soak(bench);
    go_red_for(bench, GATE_NOT_YET, 120000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_int_equal(bench->state.revision_count, 0);
    assert_false(is_offered(bench, "rollback"));
}

static void a_failed_step_stops_no_other_by_policy(void **state)
{
    struct bench *bench = *state;
    bench->plan.policy.on_failure = "continue";
    bench->steps[8].has_no_effect = true;
    bench->steps[9].gate = GATE_NOT_YET;
    bench_begin(bench, false);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.steps[8].status, RUN_STEP_FAILED);
    assert_int_equal(bench->state.status, RUN_RUNNING);
    bench->steps[9].gate = GATE_YES;
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_true(bench->steps[9].is_done);
}

static void independent_steps_go_on_by_policy(void **state)
{
    struct bench *bench = *state;
    bench->plan.policy.on_failure = "continue";
    bench->steps[2].has_no_effect = true;
    bench_begin(bench, false);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_true(bench->steps[7].is_done);
    assert_int_equal(bench->steps[8].apply_count, 0); /* the phase is not done */
    assert_int_equal(bench->state.reason_count, 1);
    assert_non_null(strstr(bench->state.reasons[0], "s1/n4/stop"));
    bench->steps[2].has_no_effect = false;
    bench_operator(bench, RUN_COMMAND_RESUME);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_rollback_at_the_pause_point_takes_each_node_back),
        CASE(a_rollback_while_a_node_is_out_brings_it_up_first),
        CASE(a_rollback_gives_up_a_chain_that_cannot_go_on),
        CASE(a_rollback_of_a_paused_run),
        CASE(a_rollback_of_a_pausing_run),
        CASE(a_rollback_after_a_failed_step),
        CASE(a_rollback_with_a_step_that_nobody_can_see),
        CASE(a_rollback_of_an_aborted_run),
        CASE(an_ended_run_that_cannot_go_back_ends_its_new_controller),
        CASE(a_closed_way_back_refuses_with_its_reason),
        CASE(finalizing_refuses_a_rollback),
        CASE(a_rollback_that_no_plan_leads_to_asks),
        CASE(a_rollback_that_cannot_be_planned_yet_is_waited_for),
        CASE(a_second_rollback_is_said_to_be_under_way),
        CASE(going_back_goes_on_beside_a_failed_step_and_then_asks),
        CASE(a_node_that_fails_to_go_back_keeps_no_other_from_it),
        CASE(a_rollback_is_turned_forward_again),
        CASE(a_rollback_that_has_not_begun_is_withdrawn),
        CASE(a_controller_that_is_told_to_end_leaves_the_rollback_to_the_next),
        CASE(only_what_goes_back_can_be_turned_forward),
        CASE(an_aborted_rollback_is_between_the_versions),
        CASE(a_failed_step_turns_the_run_by_policy),
        CASE(a_gate_that_stays_red_turns_the_run_by_policy_and_never_asks),
        CASE(what_needs_a_human_is_asked_whatever_the_policy),
        CASE(policy_does_not_turn_what_has_no_way_back),
        CASE(policy_does_not_turn_a_run_whose_way_back_has_closed),
        CASE(health_that_stays_red_in_soak_is_asked_about),
        CASE(health_that_is_red_for_less_only_stops_the_soak),
        CASE(health_that_stays_red_in_soak_turns_the_run_by_policy),
        CASE(a_soak_that_nobody_can_see_is_asked_about_whatever_the_policy),
        CASE(a_soak_without_a_way_back_is_asked_about_whatever_the_policy),
        CASE(a_failed_step_stops_no_other_by_policy),
        CASE(independent_steps_go_on_by_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
