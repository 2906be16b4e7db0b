/* How the probe comes in: passwords, and a cluster that is not there. */
#include "probe/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
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

static void write_password(const char *path, const char *password)
{
    AUTO_ERR err = fs_write(path, password, strlen(password), 0600);
    assert_null(err);
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

/* Fresh connections meet the new password first; their retries already know it. */
static void a_rotated_password_is_found_again(void **state)
{
    struct probe_case *test = *state;
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/password", test->directory);
    write_password(path, "secret\n");
    test->config.password = (struct probe_secret){.source = SECRET_FILE, .name = path};
    test->config.seconds = 0;
    test->config.rate = 1000;
    const pid_t pid = probe_case_start(test);
    probe_case_pause_ms(400);
    write_password(path, "other\n");
    fake_redis_set_password(test->fake, "other");
    probe_case_pause_ms(600);
    probe_case_tell(test, "{\"stop\":true}");
    probe_case_wait(pid);
    struct probe_sums sums;
    probe_case_read(test, "one", &sums);
    assert_in_range(sums.all.raw_failed, 1, 10);
    assert_int_equal(sums.all.failed, 0);
    assert_string_equal(sums.errors[0].text, "WRONGPASS invalid password");
    assert_true(sums.all.fresh > sums.all.raw_failed + 10);
    assert_int_equal(sums.final.checked, sums.acked);
}

/* Who came without a password is told so by every command, and comes again with it. */
static void a_password_set_later_is_given(void **state)
{
    struct probe_case *test = *state;
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/password", test->directory);
    write_password(path, "");
    fake_redis_set_password(test->fake, NULL);
    test->config.password = (struct probe_secret){.source = SECRET_FILE, .name = path};
    test->config.seconds = 0;
    test->config.rate = 1000;
    const pid_t pid = probe_case_start(test);
    probe_case_pause_ms(400);
    write_password(path, "other");
    fake_redis_set_password(test->fake, "other");
    probe_case_pause_ms(600);
    probe_case_tell(test, "{\"stop\":true}");
    probe_case_wait(pid);
    struct probe_sums sums;
    probe_case_read(test, "one", &sums);
    assert_true(sums.all.raw_failed > 0);
    assert_int_equal(sums.all.failed, 0);
    assert_string_equal(sums.errors[0].text, "NOAUTH Authentication required.");
    assert_int_equal(sums.final.checked, sums.acked);
}

/* A reference that has gone meanwhile leaves the old password in use. */
static void a_secret_that_has_gone_ends_nothing(void **state)
{
    struct probe_case *test = *state;
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/password", test->directory);
    write_password(path, "secret");
    test->config.password = (struct probe_secret){.source = SECRET_FILE, .name = path};
    test->config.seconds = 0;
    const pid_t pid = probe_case_start(test);
    probe_case_pause_ms(300);
    assert_int_equal(unlink(path), 0);
    fake_redis_set_password(test->fake, "other");
    probe_case_pause_ms(400);
    fake_redis_set_password(test->fake, "secret");
    probe_case_pause_ms(400);
    probe_case_tell(test, "{\"stop\":true}");
    probe_case_wait(pid);
    struct probe_sums sums;
    probe_case_read(test, "one", &sums);
    assert_true(sums.all.raw_failed > 0);
    assert_true(sums.all.ok > 100);
    assert_int_equal(sums.final.checked, sums.acked);
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

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_wrong_password_fails_every_operation_with_the_servers_words),
        CASE(a_rotated_password_is_found_again),
        CASE(a_password_set_later_is_given),
        CASE(a_secret_that_has_gone_ends_nothing),
        CASE(a_cluster_that_is_not_there_is_a_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
