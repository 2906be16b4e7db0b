/* The probe's life: messages, modes, bounds, death and succession. */
#include "probe/probe.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "probe/control.h"
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

/* A probe in a process of its own. */
static pid_t start_process(const struct probe_case *test)
{
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct probe_final final;
        struct err *err = probe_run(&test->config, NULL, &final);
        _exit(err == NULL ? 0 : 1);
    }
    return pid;
}

static void wait_for_end(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void tell(const struct probe_case *test, const char *text)
{
    AUTO_JSON message = NULL;
    AUTO_ERR parse_err = js_parse(text, strlen(text), "test", &message);
    assert_null(parse_err);
    AUTO_ERR err = probe_control_send(test->directory, message);
    assert_null(err);
}

static void pause_ms(int64_t duration_ms)
{
    clock_wait_ms(clock_system(), duration_ms);
}

static void messages_are_obeyed_and_marks_recorded(void **state)
{
    struct probe_case *test = *state;
    test->config.seconds = 0;
    const pid_t pid = start_process(test);
    pause_ms(500);
    tell(test, "{\"alive\":true}");
    tell(test, "{\"rate\":1000}");
    tell(test, "{\"mark\":{\"step\":\"s3\",\"boundary\":\"done\"}}");
    pause_ms(500);
    tell(test, "{\"stop\":true,\"reason\":\"the run ended\"}");
    wait_for_end(pid);
    struct probe_sums sums;
    probe_case_read(test, "one", &sums);
    assert_string_equal(sums.final.reason, "the run ended");
    assert_int_equal(sums.mark_count, 1);
    assert_string_equal(sums.last_mark.step, "s3");
    assert_string_equal(sums.last_mark.boundary, "done");
    assert_in_range(sums.all.intended, 350, 800); /* 0.5 s at 200, 0.5 s at 1,000 */
    assert_int_equal(sums.final.not_checked + sums.final.missing, 0);
}

static void without_a_sign_of_life_it_ends_by_itself(void **state)
{
    struct probe_case *test = *state;
    test->config.seconds = 0;
    test->config.linger_s = 1;
    struct probe_sums sums;
    probe_case_run(test, &sums);
    assert_string_equal(sums.final.reason, "lingered");
    assert_int_equal(sums.final.checked, sums.acked);
}

static void read_only_mode_writes_nothing(void **state)
{
    struct probe_case *test = *state;
    test->config.mode = "read-only";
    struct probe_sums sums;
    probe_case_run(test, &sums);
    assert_int_equal(sums.all.writes, 0);
    assert_int_equal(sums.all.ok, sums.all.intended);
    assert_int_equal(sums.all.wrong, 0);
    assert_int_equal(sums.readback_count, 0);
}

static void a_wrong_password_fails_every_operation_with_the_servers_words(void **state)
{
    struct probe_case *test = *state;
    (void)setenv("UPSHIFT_TEST_PASSWORD", "wrong", 1);
    test->config.rate = 20;
    struct probe_sums sums;
    probe_case_run(test, &sums);
    assert_int_equal(sums.all.ok, 0);
    assert_int_equal(sums.all.failed, sums.all.intended);
    assert_string_equal(sums.errors[0].text, "WRONGPASS invalid password");
}

static void a_cluster_that_is_not_there_is_a_result(void **state)
{
    struct probe_case *test = *state;
    static const char *nowhere[] = {"127.0.0.1:1"};
    test->config.nodes = nowhere;
    test->config.rate = 20;
    struct probe_sums sums;
    probe_case_run(test, &sums);
    assert_int_equal(sums.all.failed, sums.all.intended);
    assert_string_equal(sums.errors[0].operation, "connect");
    assert_non_null(strstr(sums.errors[0].text, "refused"));
}

static void live_keys_stay_within_bounds(void **state)
{
    struct probe_case *test = *state;
    test->config.keys_max = 300;
    test->config.rate = 1000;
    test->config.seconds = 4;
    struct probe_sums sums;
    probe_case_run(test, &sums);
    assert_true(sums.readback_count >= 2);
    assert_true(sums.all.writes > 300);
    assert_int_equal(sums.final.acked, sums.acked);
    assert_int_equal(sums.final.checked, sums.acked);
    assert_int_equal(sums.final.missing, 0);
    assert_int_equal(sums.all.wrong, 0);
    assert_int_equal(fake_redis_key_count(test->fake), 0);
}

static void a_killed_probes_keys_are_read_back_by_the_next(void **state)
{
    struct probe_case *test = *state;
    test->config.seconds = 0;
    const pid_t pid = start_process(test);
    pause_ms(1500);
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
    const pid_t pid = start_process(test);
    pause_ms(1000);
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
    const pid_t pid = start_process(test);
    pause_ms(700);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    pause_ms(1500);
    assert_int_equal(kill(pid, SIGCONT), 0);
    pause_ms(500);
    tell(test, "{\"stop\":true}");
    wait_for_end(pid);
    struct probe_sums sums;
    probe_case_read(test, "one", &sums);
    assert_int_equal(sums.all.failed, 0);
    assert_int_equal(sums.all.raw_failed, 0);
    assert_in_range(sums.all.stalled_us, 1400000, 1800000);
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

/* In a process of its own, with a limit on the size of files as a full disk. */
static void a_probe_without_a_log_ends_at_once_with_an_error(void **state)
{
    struct probe_case *test = *state;
    test->config.seconds = 30;
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct rlimit tight = {.rlim_cur = 5000, .rlim_max = 5000};
        (void)signal(SIGXFSZ, SIG_IGN);
        (void)setrlimit(RLIMIT_FSIZE, &tight);
        struct probe_final final;
        const struct err *err = probe_run(&test->config, NULL, &final);
        _exit(err != NULL && strcmp(err->code, "probe_log_write") == 0 ? 0 : 1);
    }
    const int64_t before_us = clock_now_us();
    wait_for_end(pid);
    assert_true(clock_now_us() - before_us < 10000000);
}

struct observed {
    int count;
    struct probe_progress last;
    atomic_bool stop;
};

static void observe(void *context, const struct probe_progress *progress)
{
    struct observed *observed = context;
    observed->count++;
    observed->last = *progress;
    atomic_store(&observed->stop, observed->count == 2);
}

static void an_observer_is_told_every_second_and_can_stop_it(void **state)
{
    struct probe_case *test = *state;
    test->config.seconds = 30;
    struct observed observed = {0};
    const struct probe_observer observer = {
        .progress = observe, .context = &observed, .stop = &observed.stop};
    struct probe_final final;
    AUTO_ERR err = probe_run(&test->config, &observer, &final);
    assert_null(err);
    assert_int_equal(observed.count, 2);
    assert_int_equal(observed.last.elapsed_s, 2);
    assert_in_range(observed.last.second_ok, 100, 300);
    assert_true(observed.last.latency_p99_us > 0);
    assert_string_equal(final.reason, "stopped");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(messages_are_obeyed_and_marks_recorded),
        CASE(without_a_sign_of_life_it_ends_by_itself),
        CASE(read_only_mode_writes_nothing),
        CASE(a_wrong_password_fails_every_operation_with_the_servers_words),
        CASE(a_cluster_that_is_not_there_is_a_result),
        CASE(live_keys_stay_within_bounds),
        CASE(a_killed_probes_keys_are_read_back_by_the_next),
        CASE(a_tail_sees_a_probe_live_and_die),
        CASE(a_stopped_probe_says_that_it_was_stalled),
        CASE(keys_of_an_unreachable_cluster_are_not_checked),
        CASE(a_probe_without_a_log_ends_at_once_with_an_error),
        CASE(an_observer_is_told_every_second_and_can_stop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
