/* How the probe ends, or almost: killed, stopped, without servers, without a disk. */
#include "probe/probe.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "probe/tail.h"
#include "probe_case.h"

static int setup(void **state)
{
    struct probe_case *test = calloc(1, sizeof(*test));
    assert_non_null(test);
    probe_case_init(test, "secret");
    (void)setenv("UPSHIFT_TEST_PASSWORD", "secret", 1);
    test->config.password =
        (struct probe_secret){.source = SECRET_ENV, .name = "UPSHIFT_TEST_PASSWORD"};
    *state = test;
    return 0;
}

static int teardown(void **state)
{
    probe_case_release(*state);
    free(*state);
    return 0;
}

static void a_killed_probes_keys_are_read_back_by_the_next(void **state)
{
    struct probe_case *test = *state;
    test->config.seconds = 0;
    const pid_t pid = probe_case_start(test);
    probe_case_pause_ms(800);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    const int left_count = fake_redis_key_count(test->fake);
    assert_true(left_count > 50);
    assert_int_equal(fake_redis_endless_key_count(test->fake), 0);
    struct probe_sums first;
    probe_case_read(test, "one", &first);
    assert_false(first.has_final);
    assert_true(first.is_whole);

    test->config.incarnation = "two";
    test->config.seconds = 1;
    struct probe_sums second;
    probe_case_run(test, &second);
    assert_int_equal(second.readback_count, 2);
    assert_string_equal(second.last_readback.incarnation, "one");
    assert_int_equal(second.last_readback.acked, first.acked);
    assert_int_equal(second.last_readback.checked, first.acked);
    assert_int_equal(second.final.checked, first.acked + second.acked);
    assert_int_equal(second.final.missing, 0);
    assert_int_equal(second.final.keys_removed, left_count + second.acked);
    assert_int_equal(fake_redis_key_count(test->fake), 0);
}

static void a_tail_sees_a_probe_live_and_die(void **state)
{
    struct probe_case *test = *state;
    test->config.seconds = 0;
    const pid_t pid = probe_case_start(test);
    probe_case_pause_ms(1000);
    struct probe_tail *tail = NULL;
    AUTO_ERR err = probe_tail_open(test->directory, "one", &tail);
    assert_null(err);
    const struct probe_figures *figures = probe_tail_read(tail);
    assert_true(probe_tail_is_alive(tail));
    assert_true(figures->ok > 50);
    assert_in_range(probe_tail_age_ms(tail), 0, 1000);
    assert_true(figures->latency_p99_us > 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(probe_tail_is_alive(tail));
    assert_false(probe_tail_read(tail)->is_final);
    probe_tail_close(tail);
}

/* Its own pause is told as such, and does not become the cluster's failure. */
static void a_stopped_probe_says_that_it_was_stalled(void **state)
{
    struct probe_case *test = *state;
    test->config.seconds = 0;
    const pid_t pid = probe_case_start(test);
    probe_case_pause_ms(400);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    probe_case_pause_ms(800);
    assert_int_equal(kill(pid, SIGCONT), 0);
    probe_case_pause_ms(500);
    probe_case_tell(test, "{\"stop\":true}");
    probe_case_wait(pid);
    struct probe_sums sums;
    probe_case_read(test, "one", &sums);
    assert_int_equal(sums.all.failed, 0);
    assert_int_equal(sums.all.raw_failed, 0);
    assert_in_range(sums.all.stalled_us, 700000, 1100000);
    assert_true(sums.all.latency_max_us < 400000);
    assert_string_equal(sums.final.reason, "stopped");
}

static void keys_of_an_unreachable_cluster_are_not_checked(void **state)
{
    struct probe_case *test = *state;
    fake_redis_set_fault(test->fake, FAKE_DOWN, 50, 0);
    struct probe_sums sums;
    probe_case_run(test, &sums);
    assert_true(sums.all.failed > 0);
    assert_int_equal(sums.final.acked, sums.acked);
    assert_int_equal(sums.final.not_checked, sums.acked);
    assert_int_equal(sums.final.missing, 0);
    assert_int_equal(sums.final.keys_removed, 0);
    assert_true(sums.final.keys_left >= sums.acked);
}

static void a_probe_without_a_log_ends_at_once_with_an_error(void **state)
{
    struct probe_case *test = *state;
    test->config.seconds = 30;
    const int64_t before_us = clock_now_us();
    probe_case_wait(probe_case_start_without_room(test));
    assert_true(clock_now_us() - before_us < 10000000);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_killed_probes_keys_are_read_back_by_the_next),
        CASE(a_tail_sees_a_probe_live_and_die),
        CASE(a_stopped_probe_says_that_it_was_stalled),
        CASE(keys_of_an_unreachable_cluster_are_not_checked),
        CASE(a_probe_without_a_log_ends_at_once_with_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
