/* One thing goes wrong, and the record shows exactly that. */
#include "probe/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probe_case.h"

/* Two operations in a hundred are noise on a busy host: times are compared with room. */
static void run_with(
    struct probe_case *test, enum fake_fault fault, int at, int times, struct probe_sums *ret_sums)
{
    fake_redis_set_fault(test->fake, fault, at, times);
    probe_case_run(test, ret_sums);
}

static int setup(void **state)
{
    struct probe_case *test = calloc(1, sizeof(*test));
    assert_non_null(test);
    probe_case_init(test, NULL);
    *state = test;
    return 0;
}

static int teardown(void **state)
{
    probe_case_release(*state);
    free(*state);
    return 0;
}

static void assert_nothing_lost(struct probe_case *test, const struct probe_sums *sums)
{
    assert_int_equal(sums->final.acked, sums->acked);
    assert_int_equal(sums->final.checked, sums->acked);
    assert_int_equal(sums->final.missing + sums->final.different + sums->final.not_checked, 0);
    assert_int_equal(sums->final.keys_left, 0);
    assert_int_equal(fake_redis_key_count(test->fake), 0);
}

static void assert_no_failure(const struct probe_sums *sums)
{
    assert_int_equal(sums->all.raw_failed, 0);
    assert_int_equal(sums->all.failed, 0);
    assert_int_equal(sums->error_count, 0);
}

static void a_quiet_run_has_nothing_to_report(void **state)
{
    struct probe_case *test = *state;
    struct probe_sums sums;
    run_with(test, FAKE_FAULT_NONE, 0, 0, &sums);
    assert_no_failure(&sums);
    assert_nothing_lost(test, &sums);
    assert_in_range(sums.all.intended, 195, 205);
    assert_int_equal(sums.acked, sums.all.writes);
    assert_in_range(sums.all.writes, 97, 103);
    assert_true(sums.all.fresh > 0 && sums.all.fresh < 40);
    assert_int_equal(sums.all.wrong + sums.all.redirected, 0);
    assert_string_equal(sums.final.reason, "time is up");
    assert_int_equal(sums.final.keys_removed, sums.acked);
    assert_true(sums.final.bytes_sent > 0 && sums.final.bytes_received > 0);
}

static void an_error_answered_by_the_retry_is_raw_failed_only(void **state)
{
    struct probe_case *test = *state;
    struct probe_sums sums;
    run_with(test, FAKE_ERROR, 20, 1, &sums);
    assert_int_equal(sums.all.raw_failed, 1);
    assert_int_equal(sums.all.failed, 0);
    assert_int_equal(sums.error_count, 1);
    assert_string_equal(sums.errors[0].text, "CLUSTERDOWN The cluster is down");
    assert_string_equal(sums.errors[0].operation, "SET");
    assert_string_equal(sums.errors[0].node, test->node);
    assert_false(sums.errors[0].is_retry);
    assert_in_range(sums.all.latency_max_us, 50000, 300000);
    assert_int_equal(sums.acked, sums.all.writes);
    assert_nothing_lost(test, &sums);
}

static void an_error_of_the_retry_too_is_failed(void **state)
{
    struct probe_case *test = *state;
    struct probe_sums sums;
    run_with(test, FAKE_ERROR, 20, 2, &sums);
    assert_int_equal(sums.all.raw_failed, 1);
    assert_int_equal(sums.all.failed, 1);
    assert_int_equal(sums.error_count, 2);
    assert_true(sums.errors[1].is_retry);
    assert_true(sums.errors[1].is_fresh);
    assert_in_range(sums.errors[1].us - sums.errors[0].us, 50000, 300000);
    assert_int_equal(sums.acked, sums.all.writes - 1);
    assert_nothing_lost(test, &sums);
}

static void a_moved_slot_is_followed_and_no_failure(void **state)
{
    struct probe_case *test = *state;
    struct probe_sums sums;
    run_with(test, FAKE_MOVED, 20, 1, &sums);
    assert_no_failure(&sums);
    assert_int_equal(sums.all.redirected, 1);
    assert_nothing_lost(test, &sums);
}

static void an_ask_is_followed_with_asking(void **state)
{
    struct probe_case *test = *state;
    struct probe_sums sums;
    run_with(test, FAKE_ASK, 20, 1, &sums);
    assert_no_failure(&sums);
    assert_int_equal(sums.all.redirected, 1);
    assert_nothing_lost(test, &sums);
}

static void a_closed_connection_fails_what_was_on_it(void **state)
{
    struct probe_case *test = *state;
    struct probe_sums sums;
    run_with(test, FAKE_CLOSE, 20, 1, &sums);
    assert_int_equal(sums.all.raw_failed, 1);
    assert_int_equal(sums.all.failed, 0);
    assert_string_equal(sums.errors[0].text, "the server closed the connection");
    assert_nothing_lost(test, &sums);
}

static void a_stall_is_latency_and_no_failure(void **state)
{
    struct probe_case *test = *state;
    struct probe_sums sums;
    run_with(test, FAKE_STALL, 20, 1, &sums);
    assert_no_failure(&sums);
    assert_in_range(sums.all.latency_max_us, 290000, 500000);
    assert_true(sums.all.stalled_us < 150000);
    assert_nothing_lost(test, &sums);
}

static void an_answer_of_another_type_is_raw_failed(void **state)
{
    struct probe_case *test = *state;
    struct probe_sums sums;
    run_with(test, FAKE_ODD, 20, 1, &sums);
    assert_int_equal(sums.all.raw_failed, 1);
    assert_int_equal(sums.all.failed, 0);
    assert_string_equal(sums.errors[0].text, "an answer of an unexpected type");
    assert_nothing_lost(test, &sums);
}

static void bytes_that_are_not_resp_break_the_connection(void **state)
{
    struct probe_case *test = *state;
    struct probe_sums sums;
    run_with(test, FAKE_GARBAGE, 20, 1, &sums);
    assert_int_equal(sums.all.raw_failed, 1);
    assert_int_equal(sums.all.failed, 0);
    assert_string_equal(sums.errors[0].text, "an answer that is not RESP");
    assert_nothing_lost(test, &sums);
}

static void a_deleted_key_is_missing_and_named(void **state)
{
    struct probe_case *test = *state;
    struct probe_sums sums;
    run_with(test, FAKE_DELETE, 60, 1, &sums);
    assert_no_failure(&sums);
    assert_int_equal(sums.final.missing, 1);
    assert_int_equal(sums.final.different, 0);
    assert_int_equal(sums.final.checked, sums.acked);
    assert_int_equal(sums.last_readback.missing_key_count, 1);
    assert_string_equal(sums.last_readback.missing_keys[0], fake_redis_fault_key(test->fake));
    assert_int_equal(sums.last_readback.lost_count, 1); /* its number, for its time */
    const char *number = strrchr(fake_redis_fault_key(test->fake), ':') + 1;
    assert_int_equal(sums.last_readback.lost[0].from, strtol(number, NULL, 10));
    assert_int_equal(sums.last_readback.lost[0].to, strtol(number, NULL, 10));
    assert_int_equal(sums.last_readback.lost[0].count, 1);
}

static void a_changed_value_is_different_and_named(void **state)
{
    struct probe_case *test = *state;
    struct probe_sums sums;
    run_with(test, FAKE_CHANGE, 60, 1, &sums);
    assert_no_failure(&sums);
    assert_int_equal(sums.final.missing, 0);
    assert_int_equal(sums.final.different, 1);
    assert_string_equal(sums.last_readback.missing_keys[0], fake_redis_fault_key(test->fake));
}

static void a_read_of_another_value_is_wrong(void **state)
{
    struct probe_case *test = *state;
    struct probe_sums sums;
    run_with(test, FAKE_WRONG, 20, 1, &sums);
    assert_no_failure(&sums);
    assert_int_equal(sums.all.wrong, 1);
    assert_nothing_lost(test, &sums);
}

/* Connection 1 asks for the layout, 2 is the long-lived one: the third is a fresh one. */
static void a_silent_fresh_connection_fails_after_one_second(void **state)
{
    struct probe_case *test = *state;
    struct probe_sums sums;
    run_with(test, FAKE_MUTE, 4, 1, &sums);
    assert_int_equal(sums.all.raw_failed, 1);
    assert_int_equal(sums.all.failed, 1);
    assert_int_equal(sums.error_count, 1);
    assert_string_equal(sums.errors[0].text, "no answer within 1 s");
    assert_true(sums.errors[0].is_fresh);
    assert_nothing_lost(test, &sums);
}

static void a_refused_fresh_connection_is_retried(void **state)
{
    struct probe_case *test = *state;
    struct probe_sums sums;
    run_with(test, FAKE_RESET, 4, 1, &sums);
    assert_int_equal(sums.all.raw_failed, 1);
    assert_int_equal(sums.all.failed, 0);
    assert_int_equal(sums.error_count, 1);
    assert_true(sums.errors[0].is_fresh);
    assert_non_null(strstr(sums.errors[0].text, "reset by peer"));
    assert_nothing_lost(test, &sums);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_quiet_run_has_nothing_to_report),
        CASE(an_error_answered_by_the_retry_is_raw_failed_only),
        CASE(an_error_of_the_retry_too_is_failed),
        CASE(a_moved_slot_is_followed_and_no_failure),
        CASE(an_ask_is_followed_with_asking),
        CASE(a_closed_connection_fails_what_was_on_it),
        CASE(a_stall_is_latency_and_no_failure),
        CASE(an_answer_of_another_type_is_raw_failed),
        CASE(bytes_that_are_not_resp_break_the_connection),
        CASE(a_deleted_key_is_missing_and_named),
        CASE(a_changed_value_is_different_and_named),
        CASE(a_read_of_another_value_is_wrong),
        CASE(a_silent_fresh_connection_fails_after_one_second),
        CASE(a_refused_fresh_connection_is_retried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
