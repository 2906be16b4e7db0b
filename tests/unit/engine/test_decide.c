/* engine_decide() against the contract: one case per rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/mem.h"
#include "bench.h"
#include "engine/snapshot.h"

static int setup(void **state)
{
    struct bench *bench = mem_alloc(sizeof(*bench));
    bench_init(bench);
    *state = bench;
    return 0;
}

static int teardown(void **state)
{
    bench_release(*state);
    free(*state);
    return 0;
}

static void run_to_pause_point(struct bench *bench)
{
    bench_begin(bench, false);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
}

static void a_run_stops_at_the_pause_point_and_completes_after_finalize(void **state)
{
    struct bench *bench = *state;
    run_to_pause_point(bench);
    assert_false(bench->steps[10].is_done);
    assert_int_equal(run_exit_code(&bench->state), 12);
    bench_operator(bench, RUN_COMMAND_FINALIZE);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_COMPLETE);
    assert_int_equal(bench->exit_code, 0);
    for (int i = 2; i < 13; i++) {
        assert_int_equal(bench->steps[i].apply_count, 1);
    }
    assert_false(bench->act_without_intent);
    assert_true(bench_fold_equals_state(bench));
}

static void no_more_nodes_are_out_than_the_plan_allows(void **state)
{
    struct bench *bench = *state;
    run_to_pause_point(bench);
    assert_int_equal(bench->out_max, 1);
}

static void a_step_that_is_done_already_is_found_and_not_applied(void **state)
{
    struct bench *bench = *state;
    bench->steps[8].is_done = true;
    run_to_pause_point(bench);
    assert_int_equal(bench->steps[8].apply_count, 0);
    assert_int_equal(bench_count(bench, JOURNAL_FOUND, "s1/switchover"), 1);
}

static void a_found_setting_is_never_taken_back(void **state)
{
    struct bench *bench = *state;
    bench->steps[0].is_done = true;
    run_to_pause_point(bench);
    assert_int_equal(bench->steps[0].undo_count, 0);
}

static void scopes_of_the_run_close_at_the_pause_point_and_the_others_at_the_end(void **state)
{
    struct bench *bench = *state;
    run_to_pause_point(bench);
    assert_int_equal(bench->steps[0].undo_count, 1);
    assert_int_equal(bench->steps[1].undo_count, 0);
    bench_operator(bench, RUN_COMMAND_FINALIZE);
    bench_run(bench, 5000);
    assert_int_equal(bench->steps[1].undo_count, 1);
    assert_int_equal(bench_count(bench, JOURNAL_SCOPE_CLOSED, NULL), 2);
}

static void a_lost_reply_is_verified_and_not_repeated(void **state)
{
    struct bench *bench = *state;
    bench->steps[8].loses_reply = true;
    bench->steps[8].moving_looks = 3;
    run_to_pause_point(bench);
    assert_int_equal(bench->steps[8].apply_count, 1);
}

static void an_act_without_effect_is_tried_three_times_and_then_asks(void **state)
{
    struct bench *bench = *state;
    bench->steps[8].has_no_effect = true;
    bench_begin(bench, false);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_int_equal(bench->steps[8].apply_count, 3);
    assert_int_equal(run_exit_code(&bench->state), 11);
    assert_true(bench->state.reason_count > 0);
    assert_non_null(bench->state.remedy);
    bench->steps[8].has_no_effect = false;
    bench_operator(bench, RUN_COMMAND_RESUME);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
    assert_int_equal(bench->steps[8].apply_count, 4);
}

static void a_change_of_primary_is_journaled_with_its_time(void **state)
{
    struct bench *bench = *state;
    bench->primary = "n1";
    bench_begin(bench, false);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
    const int marks = bench_count(bench, JOURNAL_MARK, NULL);
    bench->primary = "n4"; /* nobody here did that */
    bench_run(bench, 5000);
    assert_int_equal(bench_count(bench, JOURNAL_MARK, NULL), marks + 1);
    const struct json *body = NULL;
    for (size_t i = 0; i < bench->record_count; i++) {
        body = bench->records[i].type == JOURNAL_MARK ? bench->records[i].body : body;
    }
    assert_string_equal(js_get_text(body, "what"), "roles");
    assert_in_range(js_get_number(body, "unseen_ms", -1), 1, 5000);
    assert_string_equal(js_get_text(js_at(js_get(body, "nodes"), 1), "role"), "primary");
    bench_run(bench, 5000); /* once */
    assert_int_equal(bench_count(bench, JOURNAL_MARK, NULL), marks + 1);
}

static void a_gate_that_says_not_yet_is_waited_for(void **state)
{
    struct bench *bench = *state;
    bench->steps[8].gate = GATE_NOT_YET;
    bench_begin(bench, false);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_RUNNING);
    assert_int_equal(bench->steps[8].apply_count, 0);
    assert_int_equal(bench_count(bench, JOURNAL_GATE, "s1/switchover"), 1);
    bench->steps[8].gate = GATE_YES;
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
}

static void a_gate_that_stays_red_past_its_window_asks(void **state)
{
    struct bench *bench = *state;
    bench->steps[8].gate = GATE_NOT_YET;
    bench_begin(bench, false);
    bench_run(bench, 120000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_true(bench->state.has_question);
    assert_int_equal(bench->steps[8].apply_count, 0);
}

static void never_asks_at_once(void **state)
{
    struct bench *bench = *state;
    bench->steps[2].gate = GATE_NEVER;
    bench->steps[2].reason = "n4 would start empty";
    bench_begin(bench, false);
    bench_run(bench, 1000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_string_equal(bench->state.reasons[0], "s1/n4/stop: n4 would start empty");
}

static void a_gate_that_turns_red_after_the_intent_cancels_the_attempt(void **state)
{
    struct bench *bench = *state;
    bench->steps[8].turns_red = true;
    run_to_pause_point(bench);
    assert_int_equal(bench->steps[8].apply_count, 1);
    assert_int_equal(bench_count(bench, JOURNAL_INTENT, "s1/switchover"), 2);
}

static void somebody_elses_change_is_never_fixed_unasked(void **state)
{
    struct bench *bench = *state;
    bench->steps[3].is_elsewhere = true;
    bench_begin(bench, false);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_int_equal(bench->steps[3].apply_count, 0);
    assert_int_equal(bench_count(bench, JOURNAL_FOREIGN, "s1/n4/switch"), 1);
}

static void a_step_that_cannot_be_seen_becomes_unknown_and_asks(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench, false);
    while (bench->steps[2].apply_count == 0) {
        assert_true(bench_step(bench));
    }
    bench->steps[2].is_blind = true;
    bench_run(bench, 30000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_int_equal(bench->state.steps[2].status, RUN_STEP_UNKNOWN);
    bench->steps[2].is_blind = false;
    bench_operator(bench, RUN_COMMAND_RESUME);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
    assert_int_equal(bench->steps[2].apply_count, 1);
}

static void pausing_between_stop_and_start_brings_the_node_back_first(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench, false);
    while (!bench->steps[2].is_done) {
        assert_true(bench_step(bench));
    }
    bench_operator(bench, RUN_COMMAND_PAUSE);
    assert_true(bench->reply_ok);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_true(bench->steps[4].is_done);
    assert_int_equal(bench->steps[5].apply_count, 0);
    assert_int_equal(run_exit_code(&bench->state), 10);
}

static void aborting_between_stop_and_start_brings_the_node_back_and_closes_scopes(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench, false);
    while (!bench->steps[2].is_done) {
        assert_true(bench_step(bench));
    }
    bench_operator(bench, RUN_COMMAND_ABORT);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_ABORTED);
    assert_int_equal(bench->exit_code, 14);
    assert_true(bench->steps[4].is_done);
    assert_int_equal(bench->steps[5].apply_count, 0);
    assert_int_equal(bench->steps[0].undo_count, 1);
    assert_int_equal(bench->steps[1].undo_count, 1);
}

static void an_abort_ends_even_when_the_node_cannot_be_brought_back(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench, false);
    while (!bench->steps[2].is_done) {
        assert_true(bench_step(bench));
    }
    bench->steps[4].gate = GATE_NEVER;
    bench_operator(bench, RUN_COMMAND_ABORT);
    bench_run(bench, 120000);
    assert_int_equal(bench->state.status, RUN_ABORTED);
    assert_int_equal(bench->state.steps[4].status, RUN_STEP_FAILED);
}

static void a_scope_that_somebody_changed_is_left_and_said(void **state)
{
    struct bench *bench = *state;
    bench->steps[0].undo_leaves = STEP_ELSEWHERE;
    run_to_pause_point(bench);
    for (size_t i = 0; i < bench->record_count; i++) {
        if (bench->records[i].type == JOURNAL_SCOPE_CLOSED) {
            assert_string_equal(js_get_text(bench->records[i].body, "left"), "foreign");
            AUTO_BUF line = {0};
            assert_true(record_describe(&bench->state, &bench->records[i], &line));
            assert_non_null(strstr(buf_text(&line), "somebody else changed it to theirs"));
        }
    }
    assert_int_equal(bench_count(bench, JOURNAL_SCOPE_CLOSED, "s1/n1/backlog"), 1);
}

static void a_scope_that_cannot_be_closed_is_listed_and_does_not_block(void **state)
{
    struct bench *bench = *state;
    bench->steps[0].undo_fails = true;
    bench_begin(bench, false);
    bench_run(bench, 30000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
    assert_int_equal(bench_count(bench, JOURNAL_SCOPE_CLOSED, "s1/n1/backlog"), 1);
}

static void red_preflight_refuses_and_changes_nothing(void **state)
{
    struct bench *bench = *state;
    bench->health = GATE_NEVER;
    bench_begin(bench, false);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_REFUSED);
    assert_int_equal(bench->exit_code, 4);
    assert_int_equal(bench_count(bench, JOURNAL_INTENT, NULL), 0);
    assert_true(bench->state.reason_count > 0);
}

static void a_run_that_is_paused_before_it_began_says_who_stopped_it(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench, false);
    bench_operator(bench, RUN_COMMAND_PAUSE);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_REFUSED);
    assert_int_equal(bench_count(bench, JOURNAL_INTENT, NULL), 0);
    assert_int_equal(bench->state.reason_count, 1);
    assert_non_null(strstr(bench->state.reasons[0], "stopped by the operator"));
}

static void soak_counts_observed_healthy_time_only(void **state)
{
    struct bench *bench = *state;
    run_to_pause_point(bench);
    bench_run(bench, 25000);
    const int64_t healthy_ms = bench->state.soak_healthy_ms;
    assert_true(healthy_ms >= 20000);
    bench->health = GATE_NOT_YET;
    const int64_t since_ms = bench->now_ms;
    while (bench->now_ms < since_ms + 30000) {
        assert_true(bench_step(bench));
    }
    assert_true(bench->state.soak_healthy_ms + bench->state.soak_unsaved_ms < healthy_ms + 15000);
}

static void a_closed_way_back_is_said_once_and_stays_closed(void **state)
{
    struct bench *bench = *state;
    run_to_pause_point(bench);
    bench->during = GATE_NEVER;
    bench_run(bench, 3000);
    assert_int_equal(bench->state.way_back, RUN_WAY_BACK_CLOSED);
    assert_string_equal(bench->state.way_back_reason, "toy");
    bench->during = GATE_YES;
    bench_run(bench, 3000);
    assert_int_equal(bench->state.way_back, RUN_WAY_BACK_CLOSED);
    assert_int_equal(bench_count(bench, JOURNAL_WAY_BACK, NULL), 1);
}

static void every_command_is_answered_in_every_state(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench, false);
    bench_operator(bench, RUN_COMMAND_FINALIZE);
    assert_false(bench->reply_ok);
    assert_int_equal(bench->reply_exit, 4);
    bench_run(bench, 5000);
    bench_operator(bench, RUN_COMMAND_RESUME);
    assert_true(bench->reply_ok);
    bench_operator(bench, RUN_COMMAND_PAUSE);
    assert_false(bench->reply_ok);
    assert_int_equal(bench->reply_count, 3);
    assert_int_equal(bench->state.status, RUN_SOAKING);
}

static void a_finished_run_with_failed_requests_is_not_proved(void **state)
{
    struct bench *bench = *state;
    run_to_pause_point(bench);
    bench_operator(bench, RUN_COMMAND_FINALIZE);
    while (!bench->is_probe_asked) {
        assert_true(bench_step(bench));
    }
    bench_probe(bench, 3);
    assert_int_equal(bench->state.status, RUN_COMPLETE);
    assert_int_equal(bench->exit_code, 16);
}

static void a_gap_in_a_required_watch_is_not_proved(void **state)
{
    struct bench *bench = *state;
    run_to_pause_point(bench);
    bench->state.has_probe_gap = true;
    bench_operator(bench, RUN_COMMAND_FINALIZE);
    bench_run(bench, 5000);
    assert_int_equal(bench->exit_code, 16);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_run_stops_at_the_pause_point_and_completes_after_finalize),
        CASE(no_more_nodes_are_out_than_the_plan_allows),
        CASE(a_step_that_is_done_already_is_found_and_not_applied),
        CASE(a_found_setting_is_never_taken_back),
        CASE(scopes_of_the_run_close_at_the_pause_point_and_the_others_at_the_end),
        CASE(a_lost_reply_is_verified_and_not_repeated),
        CASE(an_act_without_effect_is_tried_three_times_and_then_asks),
        CASE(a_gate_that_says_not_yet_is_waited_for),
        CASE(a_gate_that_stays_red_past_its_window_asks),
        CASE(never_asks_at_once),
        CASE(a_gate_that_turns_red_after_the_intent_cancels_the_attempt),
        CASE(somebody_elses_change_is_never_fixed_unasked),
        CASE(a_step_that_cannot_be_seen_becomes_unknown_and_asks),
        CASE(pausing_between_stop_and_start_brings_the_node_back_first),
        CASE(aborting_between_stop_and_start_brings_the_node_back_and_closes_scopes),
        CASE(an_abort_ends_even_when_the_node_cannot_be_brought_back),
        CASE(a_scope_that_somebody_changed_is_left_and_said),
        CASE(a_scope_that_cannot_be_closed_is_listed_and_does_not_block),
        CASE(red_preflight_refuses_and_changes_nothing),
        CASE(a_run_that_is_paused_before_it_began_says_who_stopped_it),
        CASE(soak_counts_observed_healthy_time_only),
        CASE(a_closed_way_back_is_said_once_and_stays_closed),
        CASE(every_command_is_answered_in_every_state),
        CASE(a_change_of_primary_is_journaled_with_its_time),
        CASE(a_finished_run_with_failed_requests_is_not_proved),
        CASE(a_gap_in_a_required_watch_is_not_proved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
