/* Changed plans: a world that is not as planned, repairs by hand, consent, and the journal of it.
 */
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

/* --- the world changes --- */

static void break_assumption(struct bench *bench, size_t step)
{
    bench->steps[step].gate = GATE_NEVER;
    bench->steps[step].is_assumption = true;
    bench->steps[step].reason = "n4 is no replica any more";
}

static void a_false_assumption_changes_the_plan_by_itself(void **state)
{
    struct bench *bench = *state;
    break_assumption(bench, 8);
    go_to_soak(bench);
    assert_int_equal(bench->state.revision_count, 1);
    assert_int_equal(bench->state.automatic_count, 1);
    assert_int_equal(bench->steps[8].apply_count, 0);
    assert_int_equal(bench->state.steps[8].status, RUN_STEP_DROPPED);
    assert_int_equal(bench->state.steps[7].status, RUN_STEP_DONE);
    assert_int_equal(bench->steps[4].apply_count, 1);
    bench_operator(bench, RUN_COMMAND_FINALIZE);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_COMPLETE);
}

static void the_same_plan_again_is_a_question(void **state)
{
    struct bench *bench = *state;
    break_assumption(bench, 8);
    bench->replan.is_same = true;
    bench_begin(bench, false);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_int_equal(bench->state.revision_count, 0);
    assert_string_equal(bench->state.reasons[0], "s1/switchover: n4 is no replica any more");
    assert_int_equal(bench->replan.count, 1);
}

static void a_false_assumption_is_a_question_where_nobody_can_plan(void **state)
{
    struct bench *bench = *state;
    break_assumption(bench, 8);
    bench->replan.is_unable = true;
    bench_begin(bench, false);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_int_equal(bench->state.reason_count, 1);
    assert_string_equal(bench->state.remedy, "wait");
}

static void a_refused_plan_is_a_question_with_its_reasons(void **state)
{
    struct bench *bench = *state;
    break_assumption(bench, 8);
    bench->replan.refusal = GATE_NEVER;
    bench_begin(bench, false);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.reason_count, 2);
    assert_string_equal(bench->state.reasons[1], "no plan leads there");
}

static void a_world_that_cannot_be_read_is_waited_for_and_then_asked_about(void **state)
{
    struct bench *bench = *state;
    go_to_soak(bench);
    bench->replan.is_blind = true;
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_RUNNING);
    assert_true(bench->replan.count > 3);
    bench_run(bench, 120000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_int_equal(bench->state.replan, RUN_REPLAN_NONE);
}

static void go_to_proposal(struct bench *bench)
{
    break_assumption(bench, 8);
    bench->replan.is_wider = true;
    bench_begin(bench, false);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_non_null(bench->state.proposal);
    assert_int_equal(bench->state.revision_count, 0);
}

static void a_wider_plan_waits_for_consent(void **state)
{
    struct bench *bench = *state;
    go_to_proposal(bench);
    const char *digest = js_get_text(bench->state.proposal, "digest");
    AUTO_FREE char *answer = mem_format("accept %.8s", digest);
    AUTO_FREE char *offered = mem_format("resume --accept %.12s", digest);
    assert_true(is_offered(bench, offered));
    assert_string_equal(bench->state.reasons[2], "other arguments");
    bench_answer(bench, RUN_COMMAND_RESUME, answer);
    assert_true(bench->reply_ok);
    assert_int_equal(bench->state.revision_count, 1);
    assert_int_equal(bench->state.automatic_count, 0);
    assert_null(bench->state.proposal);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
}

static void a_wrong_hash_is_refused_and_told_the_right_one(void **state)
{
    struct bench *bench = *state;
    go_to_proposal(bench);
    AUTO_FREE char *right = mem_format("%.8s", js_get_text(bench->state.proposal, "digest"));
    AUTO_FREE char *short_one = mem_format("accept %.7s", right);
    const char *const wrong[] = {"accept 00000000", "accept ", short_one};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        bench_answer(bench, RUN_COMMAND_RESUME, wrong[i]);
        assert_false(bench->reply_ok);
        assert_int_equal(bench->reply_exit, 4);
        assert_non_null(strstr(bench->reply_text, right));
    }
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_int_equal(bench->state.revision_count, 0);
}

static void a_plain_resume_looks_anew(void **state)
{
    struct bench *bench = *state;
    go_to_proposal(bench);
    bench->steps[8].gate = GATE_YES; /* it is as it was */
    bench_operator(bench, RUN_COMMAND_RESUME);
    assert_null(bench->state.proposal);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
    assert_int_equal(bench->state.revision_count, 0);
    bench_answer(bench, RUN_COMMAND_RESUME, "accept 00000000");
    assert_int_equal(bench->state.revision_count, 0);
}

static void there_must_be_a_proposal_to_accept(void **state)
{
    struct bench *bench = *state;
    go_to_question(bench, 8);
    bench_answer(bench, RUN_COMMAND_RESUME, "accept 0123456789ab");
    assert_false(bench->reply_ok);
    assert_non_null(strstr(bench->reply_text, "no changed plan"));
}

static void a_narrower_plan_asks_where_the_policy_says_so(void **state)
{
    struct bench *bench = *state;
    bench->plan.policy.revise = "ask";
    break_assumption(bench, 8);
    bench_begin(bench, false);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_non_null(bench->state.proposal);
}

static void the_ninth_change_of_the_plan_is_a_question(void **state)
{
    struct bench *bench = *state;
    for (size_t i = 0; i < BENCH_STEPS_MAX; i++) { /* each plan's switchover, whichever it is */
        break_assumption(bench, i);
        bench->steps[i].is_done = i < 8;
    }
    bench_begin(bench, false);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_int_equal(bench->state.revision_count, RUN_REVISIONS_MAX);
    assert_non_null(strstr(bench->state.reasons[0], "the cluster is not stable"));
    assert_non_null(bench->state.proposal);
}

static void a_changed_plan_waits_for_the_chain_that_is_begun(void **state)
{
    struct bench *bench = *state;
    bench->plan.groups[0].max_unavailable = 2;
    break_assumption(bench, 5); /* n5, while n4 is out */
    bench_begin(bench, false);
    while (bench_count(bench, JOURNAL_PLAN_REVISED, NULL) == 0) {
        assert_true(bench_step(bench));
    }
    assert_true(bench->steps[4].is_done || bench->steps[2].apply_count == 0);
}

/* --- repairs by hand --- */

static void reconcile_plans_what_is_left_and_stays_paused(void **state)
{
    struct bench *bench = *state;
    go_to_question(bench, 8);
    assert_true(is_offered(bench, "reconcile"));
    bench_operator(bench, RUN_COMMAND_RECONCILE);
    assert_true(bench->reply_ok);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_false(bench->state.has_question);
    assert_int_equal(bench->state.revision_count, 1);
    assert_int_equal(bench->state.automatic_count, 0);
    assert_int_equal(bench->state.steps[8].status, RUN_STEP_FOREIGN);
    assert_int_equal(bench_count(bench, JOURNAL_FOREIGN, "s1/switchover"), 1);
    bench_operator(bench, RUN_COMMAND_RESUME);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
}

static void reconcile_of_a_node_that_still_hangs_does_not_wait_for_it(void **state)
{
    struct bench *bench = *state;
    go_to_question(bench, 8);
    bench_crash(bench, bench->record_count);
    bench_begin(bench, true);
    bench_run(bench, 1000);
    bench_operator(bench, RUN_COMMAND_RECONCILE);
    bench_run(bench, 1000);
    assert_int_equal(bench->state.revision_count, 1);
}

static void reconcile_waits_for_what_is_under_way(void **state)
{
    struct bench *bench = *state;
    bench->steps[8].gate = GATE_NEVER; /* asks while the other switchover is being done */
    bench_begin(bench, false);
    while (bench->task_count < 2 || bench->tasks[1].step != 9) {
        assert_true(bench_step(bench));
    }
    const struct run_task first = bench->tasks[0];
    bench->tasks[0] = bench->tasks[1];
    bench->tasks[1] = first;
    while (bench->state.status != RUN_PAUSED) {
        assert_true(bench_step(bench));
    }
    assert_int_equal(bench->state.steps[9].live.in_flight, RUN_TASK_APPLY);
    bench_operator(bench, RUN_COMMAND_RECONCILE);
    assert_int_equal(bench->task_count, 1);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.steps[9].status, RUN_STEP_DONE);
    assert_int_equal(bench->state.revision_count, 1);
}

static void reconcile_that_needs_more_waits_for_consent(void **state)
{
    struct bench *bench = *state;
    go_to_question(bench, 8);
    bench->replan.is_wider = true;
    bench_operator(bench, RUN_COMMAND_RECONCILE);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_true(bench->state.has_question);
    assert_non_null(bench->state.proposal);
}

static void reconcile_at_the_pause_point_pauses(void **state)
{
    struct bench *bench = *state;
    go_to_soak(bench);
    bench_operator(bench, RUN_COMMAND_RECONCILE);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    bench_operator(bench, RUN_COMMAND_RESUME);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
}

static void an_abandoned_run_lists_what_it_leaves_and_ends(void **state)
{
    struct bench *bench = *state;
    go_to_question(bench, 8);
    const int open_count = bench_count(bench, JOURNAL_SCOPE_OPEN, NULL);
    bench_operator(bench, RUN_COMMAND_ABANDON);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_ABANDONED);
    assert_int_equal(bench->exit_code, 14);
    assert_int_equal(bench_count(bench, JOURNAL_SCOPE_CLOSED, NULL), open_count);
    assert_int_equal(bench->steps[0].undo_count, 0);
    assert_int_equal(bench->steps[1].undo_count, 0);
}

/* --- the journal --- */

static void finish_anyhow(struct bench *bench)
{
    for (int i = 0; i < 20 && !run_status_is_final(bench->state.status); i++) {
        bench_run(bench, 3000);
        if (bench->state.status == RUN_SOAKING) {
            bench_operator(bench, RUN_COMMAND_ROLLBACK);
        } else if (bench->state.proposal != NULL) {
            AUTO_FREE char *answer =
                mem_format("accept %s", js_get_text(bench->state.proposal, "digest"));
            bench_answer(bench, RUN_COMMAND_RESUME, answer);
        } else if (bench->state.status == RUN_PAUSED) {
            bench_operator(bench, RUN_COMMAND_RESUME);
        }
    }
}

static void live_through_changes(struct bench *bench, size_t record_count)
{
    break_assumption(bench, 8);
    bench->replan.is_wider = true;
    bench_begin(bench, false);
    while (bench->record_count < record_count && !bench->has_ended) {
        if (!bench_step(bench) || bench->state.status == RUN_SOAKING ||
            (bench->state.status == RUN_PAUSED && bench->task_count == 0)) {
            finish_anyhow(bench);
        }
    }
}

/* A world change with consent, then a rollback, and a crash after each record of all that. */
static void a_crash_after_any_record_of_a_turned_run_is_continued(void **UNUSED(state))
{
    size_t count = SIZE_MAX;
    for (size_t crash_at = 1; crash_at < count; crash_at++) {
        struct bench *bench = mem_alloc(sizeof(*bench));
        bench_init(bench);
        live_through_changes(bench, crash_at);
        if (bench->has_ended && bench->record_count <= crash_at) {
            count = crash_at; /* that was all of it */
        }
        bench_crash(bench, crash_at < bench->record_count ? crash_at : bench->record_count);
        assert_true(bench_fold_equals_state(bench));
        bench_begin(bench, true);
        finish_anyhow(bench);
        assert_int_equal(bench->state.status, RUN_ROLLED_BACK);
        assert_true(bench_fold_equals_state(bench));
        bench_release(bench);
        free(bench);
    }
    assert_true(count > 60 && count < SIZE_MAX);
}

/* Whatever was journaled so far, folding it gives what the controller has. */
static void every_prefix_of_a_turned_run_folds_to_the_live_state(void **state)
{
    struct bench *bench = *state;
    break_assumption(bench, 8);
    bench->replan.is_wider = true;
    bench_begin(bench, false);
    int waits = 0;
    while (!bench->has_ended && waits < 10) {
        const bool has_rest = bench->state.status == RUN_SOAKING || bench->state.has_question;
        if (has_rest && bench->task_count == 0) {
            AUTO_FREE char *answer = mem_format("accept %s",
                bench->state.proposal == NULL ? "" : js_get_text(bench->state.proposal, "digest"));
            const bool is_soaking = bench->state.status == RUN_SOAKING;
            bench_answer(bench, is_soaking ? RUN_COMMAND_ROLLBACK : RUN_COMMAND_RESUME,
                is_soaking ? NULL : answer);
            waits++;
        }
        assert_true(bench_fold_equals_state(bench));
        (void)bench_step(bench);
    }
    assert_int_equal(bench->state.status, RUN_ROLLED_BACK);
    assert_int_equal(waits, 2);
}

static void a_plan_of_another_release_is_not_gone_on_with(void **state)
{
    struct bench *bench = *state;
    go_to_soak(bench);
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    while (bench_count(bench, JOURNAL_PLAN_REVISED, NULL) == 0) {
        assert_true(bench_step(bench));
    }
    for (size_t i = 0; i < bench->record_count; i++) {
        if (bench->records[i].type == JOURNAL_PLAN_REVISED) {
            struct json *body = js_copy(bench->records[i].body);
            js_put_number(js_get(body, "plan"), "format", 99);
            js_free(bench->records[i].body);
            bench->records[i].body = body;
        }
    }
    bench_crash(bench, bench->record_count);
    bench_begin(bench, true);
    assert_true(bench->has_ended);
    assert_int_equal(bench->exit_code, 7);
}

static void the_snapshot_tells_direction_revision_and_history(void **state)
{
    struct bench *bench = *state;
    go_to_soak(bench);
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    AUTO_JSON turning = run_snapshot(&bench->state, bench->now_ms, 0);
    assert_string_equal(js_get_text(turning, "direction"), "forward");
    assert_string_equal(js_get_text(js_get(turning, "replan"), "why"), "back");
    assert_rolled_back(bench);
    AUTO_JSON snapshot = run_snapshot(&bench->state, bench->now_ms, 0);
    assert_string_equal(js_get_text(snapshot, "direction"), "back");
    assert_int_equal(js_get_number(snapshot, "revision", 0), 1);
    assert_int_equal(js_get_number(snapshot, "steps_total", 0), 6);
    assert_int_equal(js_count(js_get(snapshot, "steps")), 10 + 6); /* three were never begun */
    const struct json *first = js_at(js_get(snapshot, "steps"), 0);
    assert_int_equal(js_get_number(first, "revision", -1), 0);
    assert_string_equal(js_get_text(first, "phase"), "prepare");
}

static void strategies_are_told_the_progress_in_the_order_of_intents(void **state)
{
    struct bench *bench = *state;
    go_to_soak(bench);
    AUTO_JSON progress = run_progress_to_json(&bench->state);
    const struct json *steps = js_get(progress, "steps");
    assert_int_equal(js_count(steps), 13);
    assert_int_equal(js_get_number(progress, "revision", -1), 0);
    for (size_t i = 10; i < 13; i++) { /* behind the pause point: never intended */
        assert_int_equal(js_get_number(js_at(steps, i), "attempt", -1), 0);
        assert_string_equal(js_get_text(js_at(steps, i), "state"), "pending");
    }
    assert_string_equal(js_get_text(js_get(js_at(steps, 0), "before"), "value"), "old");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_false_assumption_changes_the_plan_by_itself),
        CASE(the_same_plan_again_is_a_question),
        CASE(a_false_assumption_is_a_question_where_nobody_can_plan),
        CASE(a_refused_plan_is_a_question_with_its_reasons),
        CASE(a_world_that_cannot_be_read_is_waited_for_and_then_asked_about),
        CASE(a_wider_plan_waits_for_consent),
        CASE(a_wrong_hash_is_refused_and_told_the_right_one),
        CASE(a_plain_resume_looks_anew),
        CASE(there_must_be_a_proposal_to_accept),
        CASE(a_narrower_plan_asks_where_the_policy_says_so),
        CASE(the_ninth_change_of_the_plan_is_a_question),
        CASE(a_changed_plan_waits_for_the_chain_that_is_begun),
        CASE(reconcile_plans_what_is_left_and_stays_paused),
        CASE(reconcile_of_a_node_that_still_hangs_does_not_wait_for_it),
        CASE(reconcile_waits_for_what_is_under_way),
        CASE(reconcile_that_needs_more_waits_for_consent),
        CASE(reconcile_at_the_pause_point_pauses),
        CASE(an_abandoned_run_lists_what_it_leaves_and_ends),
        cmocka_unit_test(a_crash_after_any_record_of_a_turned_run_is_continued),
        CASE(every_prefix_of_a_turned_run_folds_to_the_live_state),
        CASE(a_plan_of_another_release_is_not_gone_on_with),
        CASE(the_snapshot_tells_direction_revision_and_history),
        CASE(strategies_are_told_the_progress_in_the_order_of_intents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
