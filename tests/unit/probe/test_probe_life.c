/* The probe's life: messages, modes, bounds, its observer. */
#include "probe/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

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

static void messages_are_obeyed_and_marks_recorded(void **state)
{
    struct probe_case *test = *state;
    test->config.seconds = 0;
    const pid_t pid = probe_case_start(test);
    probe_case_pause_ms(500);
    probe_case_tell(test, "{\"alive\":true}");
    probe_case_tell(test, "{\"rate\":1000}");
    probe_case_tell(test, "{\"mark\":{\"step\":\"s3\",\"boundary\":\"done\"}}");
    probe_case_pause_ms(500);
    probe_case_tell(test, "{\"stop\":true,\"reason\":\"the run ended\"}");
    probe_case_wait(pid);
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

static void live_keys_stay_within_bounds(void **state)
{
    struct probe_case *test = *state;
    test->config.keys_max = 300;
    test->config.rate = 1000;
    test->config.seconds = 3;
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
        CASE(live_keys_stay_within_bounds),
        CASE(an_observer_is_told_every_second_and_can_stop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
