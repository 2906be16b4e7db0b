/* The marks on the nodes: taken first, renewed, parked, given back, and never taken from others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/mem.h"
#include "bench.h"
#include "engine/snapshot.h"

static int share_nodes(void **state)
{
    struct bench *bench = mem_alloc(sizeof(*bench));
    bench_init(bench);
    bench->claim.nodes = 4;
    *state = bench;
    return 0;
}

static int drop_nodes(void **state)
{
    struct bench *bench = *state;
    const bool is_folded = bench_fold_equals_state(bench);
    bench_release(bench);
    free(bench);
    return is_folded ? 0 : 1;
}

static void claim_and_soak(struct bench *bench)
{
    bench_begin(bench, false);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
}

static int asked(const struct bench *bench, enum claim_act act)
{
    return bench->claim.counts[act];
}

static void nothing_is_done_before_the_nodes_are_claimed(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench, false);
    while (bench->state.status != RUN_RUNNING) {
        assert_int_equal(bench_count(bench, JOURNAL_INTENT, NULL), 0);
        assert_true(bench_step(bench));
    }
    assert_int_equal(asked(bench, CLAIM_TAKE), 1);
    assert_int_equal(bench_count(bench, JOURNAL_CLAIMED, NULL), 1);
    assert_false(bench->claim.is_parked);
}

static void a_claim_is_renewed_parked_at_rest_and_given_back(void **state)
{
    struct bench *bench = *state;
    claim_and_soak(bench);
    assert_true(bench->claim.is_parked);
    const int before = asked(bench, CLAIM_RENEW);
    const int64_t since_ms = bench->now_ms;
    while (bench->now_ms < since_ms + 30000) {
        assert_true(bench_step(bench));
    }
    assert_in_range(asked(bench, CLAIM_RENEW) - before, 9, 11);
    bench_operator(bench, RUN_COMMAND_FINALIZE);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_COMPLETE);
    assert_int_equal(asked(bench, CLAIM_RELEASE), 1);
    assert_int_equal(bench_count(bench, JOURNAL_RELEASED, NULL), 1);
    assert_int_equal(bench_count(bench, JOURNAL_CLAIMED, NULL), 1);
}

static size_t open_scopes(const struct bench *bench)
{
    size_t count = 0;
    for (size_t i = 0; i < bench->state.step_count; i++) {
        count += bench->state.steps[i].is_scope_open;
    }
    return count;
}

/* Whoever finds the nodes without their journal takes back what the claim tells. */
static void the_nodes_hear_of_temporary_changes_at_once(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench, false);
    size_t most = 0;
    while (bench->state.status != RUN_SOAKING) {
        assert_true(bench_step(bench));
        most = open_scopes(bench) > most ? open_scopes(bench) : most;
        assert_true(
            bench->state.claim.is_in_flight || bench->claim.scope_count == open_scopes(bench));
    }
    assert_int_equal(most, 2);
    bench_run(bench, 3000);
    assert_int_equal(bench->claim.scope_count, open_scopes(bench));
}

static void go_until_releasing(struct bench *bench)
{
    claim_and_soak(bench);
    bench_operator(bench, RUN_COMMAND_FINALIZE);
    while (!bench->is_probe_asked) {
        assert_true(bench_step(bench));
    }
}

static const struct json *find_released(const struct bench *bench)
{
    for (size_t i = 0; i < bench->record_count; i++) {
        if (bench->records[i].type == JOURNAL_RELEASED) {
            return bench->records[i].body;
        }
    }
    return NULL;
}

static void a_failed_release_does_not_keep_the_run_from_ending(void **state)
{
    struct bench *bench = *state;
    go_until_releasing(bench);
    bench->claim.is_blind = true;
    const int64_t since_ms = bench->now_ms;
    bench_run(bench, 10000);
    assert_int_equal(bench->state.status, RUN_COMPLETE);
    assert_true(bench->has_ended);
    assert_in_range(bench->now_ms - since_ms, 2000, 4000);
    assert_in_range(asked(bench, CLAIM_RELEASE), 4, 7);
    assert_int_equal(bench_count(bench, JOURNAL_RELEASED, NULL), 1);
    assert_non_null(strstr(js_get_text(find_released(bench), "reason"), "too few hosts answer"));
}

static void a_release_that_fails_at_first_is_tried_again(void **state)
{
    struct bench *bench = *state;
    go_until_releasing(bench);
    bench->claim.left = 1; /* of four nodes: that one would be refused to others */
    while (asked(bench, CLAIM_RELEASE) < 2) {
        assert_true(bench_step(bench));
        assert_int_equal(bench->state.status, RUN_RUNNING);
    }
    bench->claim.left = 0;
    bench_run(bench, 10000);
    assert_int_equal(bench->state.status, RUN_COMPLETE);
    assert_int_equal(asked(bench, CLAIM_RELEASE), 3);
    assert_int_equal(bench_count(bench, JOURNAL_RELEASED, NULL), 1);
    assert_int_equal(js_get_number(find_released(bench), "held", -1), 0);
}

static void a_strangers_claim_refuses_the_start_and_names_it(void **state)
{
    struct bench *bench = *state;
    bench->claim.is_foreign = true;
    bench_begin(bench, false);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_REFUSED);
    assert_int_equal(bench->exit_code, 5);
    assert_string_equal(bench->state.reasons[0], "run other-1 of bob has n1");
    assert_string_equal(bench->state.remedy, "wait for it");
    assert_int_equal(bench_count(bench, JOURNAL_INTENT, NULL), 0);
    assert_int_equal(asked(bench, CLAIM_RELEASE), 0);
}

static void too_few_hosts_refuse_the_start_after_the_window(void **state)
{
    struct bench *bench = *state;
    bench->claim.is_blind = true;
    bench_begin(bench, false);
    bench_run(bench, 30000);
    assert_int_equal(bench->state.status, RUN_CLAIMING);
    bench_run(bench, 120000);
    assert_int_equal(bench->state.status, RUN_REFUSED);
    assert_int_equal(bench->exit_code, 4);
}

static void a_run_is_stopped_while_it_claims(void **state)
{
    struct bench *bench = *state;
    bench->claim.is_blind = true;
    bench_begin(bench, false);
    bench_run(bench, 1000);
    assert_int_equal(bench->state.status, RUN_CLAIMING);
    bench_operator(bench, RUN_COMMAND_ABORT);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_REFUSED);
}

static void a_new_controller_claims_above_the_old_before_anything_else(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench, false);
    while (bench->steps[2].apply_count == 0) {
        assert_true(bench_step(bench));
    }
    bench_crash(bench, bench->record_count);
    bench_begin(bench, true);
    assert_int_equal(bench->task_count, 1);
    assert_int_equal(bench->tasks[0].kind, RUN_TASK_CLAIM);
    assert_int_equal(bench->tasks[0].claim, CLAIM_TAKE);
    assert_int_equal(bench->tasks[0].epoch, 2);
    assert_int_equal(js_count(bench->tasks[0].scopes), 2);
    assert_string_equal(js_get_text(js_at(bench->tasks[0].scopes, 0), "kind"), "fake");
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
    assert_int_equal(bench->stop_count, 1);
}

static void a_tombstone_lifts_the_epoch(void **state)
{
    struct bench *bench = *state;
    bench->claim.epoch_max = 41;
    claim_and_soak(bench);
    assert_int_equal(bench->state.epoch, 41);
    for (size_t i = 0; i < bench->record_count; i++) {
        if (bench->records[i].type == JOURNAL_INTENT) {
            assert_int_equal(bench->records[i].epoch, 41);
        }
    }
}

static void a_stranger_ends_the_new_controller_and_leaves_the_run(void **state)
{
    struct bench *bench = *state;
    claim_and_soak(bench);
    bench_crash(bench, bench->record_count);
    bench->claim.is_foreign = true;
    const int gates = bench_count(bench, JOURNAL_GATE, NULL);
    bench_begin(bench, true);
    bench_operator(bench, RUN_COMMAND_ROLLBACK);
    assert_int_equal(bench->reply_count, 0); /* it waits for the claim */
    bench_run(bench, 3000);
    assert_true(bench->has_ended);
    assert_int_equal(bench->exit_code, 5);
    assert_int_equal(bench->reply_count, 1);
    assert_int_equal(bench->reply_exit, 5);
    assert_string_equal(bench->reply_text, "run other-1 of bob has n1");
    assert_int_equal(bench->state.status, RUN_SOAKING);
    assert_int_equal(bench_count(bench, JOURNAL_GATE, NULL), gates + 1);
    AUTO_JSON snapshot = run_snapshot(&bench->state, bench->now_ms, 0);
    assert_int_equal(js_get_number(snapshot, "exit", 0), 5);
    assert_string_equal(
        js_get_text(js_get(snapshot, "question"), "text"), "run other-1 of bob has n1");
}

static void a_copied_journal_is_not_gone_on_with(void **state)
{
    struct bench *bench = *state;
    claim_and_soak(bench);
    bench_crash(bench, bench->record_count);
    bench->claim.is_ahead = true;
    bench_begin(bench, true);
    bench_run(bench, 3000);
    assert_true(bench->has_ended);
    assert_int_equal(bench->exit_code, 7);
    assert_int_equal(bench->state.status, RUN_SOAKING);
}

static void commands_wait_for_the_claim_and_are_then_carried_out(void **state)
{
    struct bench *bench = *state;
    claim_and_soak(bench);
    bench_crash(bench, bench->record_count);
    bench_begin(bench, true);
    bench_operator(bench, RUN_COMMAND_FINALIZE);
    assert_int_equal(bench_count(bench, JOURNAL_OPERATOR, NULL), 0);
    bench_run(bench, 3000);
    assert_int_equal(bench->reply_count, 1);
    assert_true(bench->reply_ok);
    assert_int_equal(bench->state.status, RUN_COMPLETE);
}

static void a_new_controller_that_sees_too_few_hosts_still_answers(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench, false);
    while (bench->steps[2].apply_count == 0) {
        assert_true(bench_step(bench));
    }
    bench_crash(bench, bench->record_count);
    bench->claim.is_blind = true;
    bench_begin(bench, true);
    bench_operator(bench, RUN_COMMAND_PAUSE);
    bench_run(bench, 5000);
    assert_int_equal(bench->reply_count, 1);
    const int acts = bench->steps[2].apply_count + bench->steps[3].apply_count;
    assert_int_equal(acts, 1);
    assert_int_equal(bench->stop_count, 0);
    bench->claim.is_blind = false;
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_true(bench->steps[4].is_done);
}

static void a_lost_claim_stops_the_run_with_a_question(void **state)
{
    struct bench *bench = *state;
    bench->steps[8].gate = GATE_NOT_YET;
    bench_begin(bench, false);
    bench_run(bench, 2000);
    assert_int_equal(bench->state.status, RUN_RUNNING);
    bench->claim.is_foreign = true;
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_string_equal(bench->state.reasons[0], "run other-1 of bob has n1");
    const int taken = asked(bench, CLAIM_TAKE);
    bench_run(bench, 20000);
    assert_int_equal(asked(bench, CLAIM_TAKE), taken); /* never by itself */
    bench->steps[8].gate = GATE_YES;
    bench_operator(bench, RUN_COMMAND_RESUME);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_PAUSED); /* still another's */
    assert_int_equal(bench->steps[8].apply_count, 0);
    assert_false(bench->has_ended);
    bench->claim.is_foreign = false;
    bench_operator(bench, RUN_COMMAND_RESUME);
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
}

static void a_claim_lost_while_aborting_ends_the_controller(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench, false);
    while (bench->steps[2].apply_count == 0) {
        assert_true(bench_step(bench));
    }
    bench->steps[4].gate = GATE_NOT_YET;
    bench_operator(bench, RUN_COMMAND_ABORT);
    bench_run(bench, 1000);
    assert_int_equal(bench->state.status, RUN_ABORTING);
    bench->claim.is_foreign = true;
    bench_run(bench, 10000);
    assert_true(bench->has_ended);
    assert_int_equal(bench->exit_code, 5);
    assert_int_equal(bench->state.status, RUN_ABORTING);
}

static void nothing_is_sent_on_a_claim_that_was_not_renewed(void **state)
{
    struct bench *bench = *state;
    bench->steps[8].gate = GATE_NOT_YET;
    bench_begin(bench, false);
    bench_run(bench, 2000);
    bench->claim.is_blind = true;
    const int64_t since_ms = bench->now_ms;
    while (bench->now_ms < since_ms + CLAIM_TTL_MS) {
        assert_true(bench_step(bench));
    }
    bench->steps[8].gate = GATE_YES;
    bench_run(bench, 5000);
    assert_int_equal(bench->steps[8].apply_count, 0);
    assert_int_equal(bench->state.status, RUN_RUNNING);
    AUTO_JSON snapshot = run_snapshot(&bench->state, bench->now_ms, 0);
    assert_non_null(
        strstr(js_get_text(js_get(snapshot, "waiting"), "because"), "too few hosts answer"));
    bench->claim.is_blind = false;
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
    assert_int_equal(bench->steps[8].apply_count, 1);
}

static void a_controller_that_is_told_to_end_parks_the_claim_first(void **state)
{
    struct bench *bench = *state;
    bench->steps[8].gate = GATE_NOT_YET;
    bench_begin(bench, false);
    bench_run(bench, 2000);
    bench->state.is_ending = true;
    bench_operator(bench, RUN_COMMAND_PAUSE);
    assert_false(bench->has_ended);
    bench_run(bench, 5000);
    assert_true(bench->has_ended);
    assert_int_equal(bench->exit_code, 10);
    assert_true(bench->claim.is_parked);
    assert_int_equal(asked(bench, CLAIM_RELEASE), 0);
}

static void an_aborted_run_claims_again_before_it_goes_back(void **state)
{
    struct bench *bench = *state;
    claim_and_soak(bench);
    bench_operator(bench, RUN_COMMAND_ABORT);
    bench_run(bench, 3000);
    bench_crash(bench, bench->record_count);
    bench_begin_with(bench, RUN_COMMAND_ROLLBACK);
    assert_int_equal(bench->tasks[0].kind, RUN_TASK_CLAIM);
    assert_int_equal(bench->state.status, RUN_ABORTED);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_ROLLED_BACK);
    assert_int_equal(asked(bench, CLAIM_RELEASE), 2);
}

static void a_stranger_keeps_an_aborted_run_from_going_back(void **state)
{
    struct bench *bench = *state;
    claim_and_soak(bench);
    bench_operator(bench, RUN_COMMAND_ABORT);
    bench_run(bench, 3000);
    bench_crash(bench, bench->record_count);
    bench->claim.is_foreign = true;
    bench_begin_with(bench, RUN_COMMAND_ROLLBACK);
    bench_run(bench, 3000);
    assert_true(bench->has_ended);
    assert_int_equal(bench->exit_code, 5);
    assert_int_equal(bench->state.status, RUN_ABORTED);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, share_nodes, drop_nodes)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_is_done_before_the_nodes_are_claimed),
        CASE(a_claim_is_renewed_parked_at_rest_and_given_back),
        CASE(the_nodes_hear_of_temporary_changes_at_once),
        CASE(a_failed_release_does_not_keep_the_run_from_ending),
        CASE(a_release_that_fails_at_first_is_tried_again),
        CASE(a_strangers_claim_refuses_the_start_and_names_it),
        CASE(too_few_hosts_refuse_the_start_after_the_window),
        CASE(a_run_is_stopped_while_it_claims),
        CASE(a_new_controller_claims_above_the_old_before_anything_else),
        CASE(a_tombstone_lifts_the_epoch),
        CASE(a_stranger_ends_the_new_controller_and_leaves_the_run),
        CASE(a_copied_journal_is_not_gone_on_with),
        CASE(commands_wait_for_the_claim_and_are_then_carried_out),
        CASE(a_new_controller_that_sees_too_few_hosts_still_answers),
        CASE(a_lost_claim_stops_the_run_with_a_question),
        CASE(a_claim_lost_while_aborting_ends_the_controller),
        CASE(nothing_is_sent_on_a_claim_that_was_not_renewed),
        CASE(a_controller_that_is_told_to_end_parks_the_claim_first),
        CASE(an_aborted_run_claims_again_before_it_goes_back),
        CASE(a_stranger_keeps_an_aborted_run_from_going_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
