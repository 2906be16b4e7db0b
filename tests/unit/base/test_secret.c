/* Secrets: by reference only, read afresh, and never part of an error. */
#include "base/secret.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"

static char file[64];

static int make_file(void **UNUSED(state))
{
    memcpy(file, "/tmp/upshift-secret-XXXXXX", sizeof("/tmp/upshift-secret-XXXXXX"));
    AUTO_CLOSE fd = mkstemp(file);
    return fd < 0 ? -1 : 0;
}

static int remove_file(void **UNUSED(state))
{
    return unlink(file);
}

static struct secret_ref command(const char *const *argv)
{
    return (struct secret_ref){.source = SECRET_COMMAND, .argv = argv};
}

static void assert_secret(const struct secret_ref *ref, const char *expected)
{
    AUTO_SECRET secret = {0};
    AUTO_ERR err = secret_resolve(ref, &secret);
    assert_null(err);
    assert_int_equal(secret.size, strlen(expected));
    assert_string_equal(secret.bytes, expected);
}

static void assert_refused(const struct secret_ref *ref, const char *where)
{
    AUTO_SECRET secret = {0};
    AUTO_ERR err = secret_resolve(ref, &secret);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_INVALID);
    assert_string_equal(err->code, "secret_missing");
    assert_string_equal(err->where, where);
    AUTO_FREE char *text = err_text(err);
    assert_null(strstr(text, "hunter2"));
    assert_null(secret.bytes);
}

static void no_reference_gives_no_secret(void **UNUSED(state))
{
    AUTO_SECRET secret = {0};
    AUTO_ERR err = secret_resolve(&(struct secret_ref){0}, &secret);
    assert_null(err);
    assert_null(secret.bytes);
    assert_int_equal(secret.size, 0);
}

static void a_variable_is_read_afresh(void **UNUSED(state))
{
    const struct secret_ref ref = {.source = SECRET_ENV, .name = "UPSHIFT_TEST_SECRET"};
    assert_int_equal(setenv(ref.name, "hunter2", 1), 0);
    assert_secret(&ref, "hunter2");
    assert_int_equal(setenv(ref.name, "rotated", 1), 0);
    assert_secret(&ref, "rotated");
    assert_int_equal(unsetenv(ref.name), 0);
    assert_refused(&ref, ref.name);
}

static void a_file_loses_one_newline_only(void **UNUSED(state))
{
    const struct secret_ref ref = {.source = SECRET_FILE, .name = file};
    AUTO_ERR err = fs_write(file, "hunter2\n\n", 9, 0600);
    assert_null(err);
    assert_secret(&ref, "hunter2\n");
    err = fs_write(file, "", 0, 0600);
    assert_null(err);
    assert_secret(&ref, "");
}

static void a_file_that_is_absent_or_huge_is_refused(void **UNUSED(state))
{
    assert_refused(&(struct secret_ref){.source = SECRET_FILE, .name = "/absent"}, "/absent");
    AUTO_FREE char *huge = mem_alloc(8192);
    memset(huge, 'x', 8192);
    AUTO_ERR err = fs_write(file, huge, 8192, 0600);
    assert_null(err);
    assert_refused(&(struct secret_ref){.source = SECRET_FILE, .name = file}, file);
}

static void a_command_gives_its_output(void **UNUSED(state))
{
    const struct secret_ref ref = command((const char *[]){"printf", "hunter2\n", NULL});
    assert_secret(&ref, "hunter2");
}

static void a_command_that_fails_is_refused_without_its_output(void **UNUSED(state))
{
    const struct secret_ref failing =
        command((const char *[]){"sh", "-c", "echo hunter2; exit 1", NULL});
    assert_refused(&failing, "sh");
    const struct secret_ref killed =
        command((const char *[]){"sh", "-c", "echo hunter2; kill -9 $$", NULL});
    assert_refused(&killed, "sh");
    const struct secret_ref absent = command((const char *[]){"/absent/program", NULL});
    assert_refused(&absent, "/absent/program");
    const struct secret_ref endless = command((const char *[]){"yes", "hunter2", NULL});
    assert_refused(&endless, "yes");
}

static void a_command_leaves_no_process_behind(void **UNUSED(state))
{
    AUTO_FREE char *script = mem_format("sleep 60 >/dev/null & echo $! >%s; echo hunter2", file);
    const struct secret_ref ref = command((const char *[]){"sh", "-c", script, NULL});
    assert_secret(&ref, "hunter2");
    AUTO_BUF content = {0};
    AUTO_ERR err = fs_read(file, 64, &content);
    assert_null(err);
    int64_t pid = 0;
    assert_true(str_to_int64(str_trim(str_of(buf_text(&content))), &pid));
    /* The orphan is reaped by somebody else, some time later: dead or a zombie is what counts. */
    AUTO_FREE char *status_path = mem_format("/proc/%lld/stat", (long long)pid);
    for (int i = 0; i < 200; i++) {
        AUTO_BUF status = {0};
        AUTO_ERR gone = fs_read(status_path, 4096, &status);
        if (gone != NULL || strstr(buf_text(&status), ") Z ") != NULL) {
            return;
        }
        clock_wait_ms(clock_system(), 10);
    }
    fail_msg("process %lld is still there", (long long)pid);
}

static void a_command_may_be_asked_for_with_signals_blocked(void **UNUSED(state))
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    /* Blocked signals would be inherited, and the child would not die of its own SIGTERM. */
    const struct secret_ref ref =
        command((const char *[]){"sh", "-c", "kill -TERM $$; echo hunter2", NULL});
    assert_refused(&ref, "sh");
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_reference_gives_no_secret),
        cmocka_unit_test(a_variable_is_read_afresh),
        cmocka_unit_test_setup_teardown(a_file_loses_one_newline_only, make_file, remove_file),
        cmocka_unit_test_setup_teardown(
            a_file_that_is_absent_or_huge_is_refused, make_file, remove_file),
        cmocka_unit_test(a_command_gives_its_output),
        cmocka_unit_test(a_command_that_fails_is_refused_without_its_output),
        cmocka_unit_test_setup_teardown(a_command_leaves_no_process_behind, make_file, remove_file),
        cmocka_unit_test(a_command_may_be_asked_for_with_signals_blocked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
