/* Children: what they get, what we get back, and that none outlives its time. */
#include "transport/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "fixture.h"

static char folder[64];

static int make_folder(void **UNUSED(state))
{
    memcpy(folder, "/tmp/upshift-spawn-XXXXXX", sizeof("/tmp/upshift-spawn-XXXXXX"));
    return mkdtemp(folder) == NULL || chmod(folder, 0777) != 0 ? -1 : 0;
}

static int remove_folder(void **UNUSED(state))
{
    AUTO_ERR err = fs_remove_tree(folder);
    return err == NULL ? 0 : -1;
}

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SHELL(script) ARGV("sh", "-c", script)

static struct spawn_result run(const struct spawn_request *request)
{
    const struct call call = call_for_ms(10000);
    struct spawn_result result = {0};
    AUTO_ERR err = spawn_run(&call, request, &result);
    if (err != NULL) {
        fail_msg("%s", err->what);
    }
    return result;
}

static void assert_not_started(struct err *err, const char *what)
{
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_INVALID);
    assert_string_equal(err->code, "program_not_started");
    assert_non_null(err->hint);
    assert_string_equal(err->what, what);
    err_free(err);
}

/* True while the process exists and is not a zombie that somebody else has yet to reap. */
static bool is_alive(pid_t pid)
{
    AUTO_FREE char *path = mem_format("/proc/%d/stat", (int)pid);
    AUTO_BUF status = {0};
    AUTO_ERR err = fs_read(path, 4096, &status);
    return err == NULL && strstr(buf_text(&status), ") Z ") == NULL;
}

static void assert_dies(pid_t pid)
{
    for (int i = 0; i < 500 && is_alive(pid); i++) {
        clock_wait_ms(clock_system(), 10);
    }
    assert_false(is_alive(pid));
}

/* Waits until a file contains `text`, and gives the file. */
static struct buf wait_for(const char *path, const char *text)
{
    struct buf content = {0};
    for (int i = 0; i < 500; i++) {
        buf_clear(&content);
        AUTO_ERR err = fs_read(path, 65536, &content);
        if (err == NULL && strstr(buf_text(&content), text) != NULL) {
            return content;
        }
        clock_wait_ms(clock_system(), 10);
    }
    fail_msg("not in %s: %s", path, text);
    return content;
}

static void output_errors_and_exit_status_come_back(void **UNUSED(state))
{
    struct spawn_result result = run(&(struct spawn_request){
        .argv = SHELL("echo out; echo err >&2; exit 3"),
    });
    assert_int_equal(result.exit_status, 3);
    assert_int_equal(result.signal, 0);
    assert_false(result.is_timeout);
    assert_string_equal(buf_text(&result.output), "out\n");
    assert_string_equal(buf_text(&result.errors), "err\n");
    spawn_result_release(&result);
}

static void a_signal_is_no_exit_status(void **UNUSED(state))
{
    struct spawn_result result = run(&(struct spawn_request){.argv = SHELL("kill -TERM $$")});
    assert_int_equal(result.exit_status, -1);
    assert_int_equal(result.signal, SIGTERM);
    assert_false(result.is_timeout);
    spawn_result_release(&result);
}

static void input_environment_and_directory_are_given(void **UNUSED(state))
{
    assert_int_equal(setenv("UPSHIFT_TEST_A", "ours", 1), 0);
    assert_int_equal(setenv("UPSHIFT_TEST_B", "kept", 1), 0);
    struct spawn_result result = run(&(struct spawn_request){
        .argv = SHELL("cat; echo $UPSHIFT_TEST_A $UPSHIFT_TEST_B $UPSHIFT_TEST_C; pwd"),
        .environment = ARGV("UPSHIFT_TEST_A=theirs", "UPSHIFT_TEST_C=new"),
        .directory = "/usr",
        .input = "from us\n",
    });
    assert_string_equal(buf_text(&result.output), "from us\ntheirs kept new\n/usr\n");
    spawn_result_release(&result);
    result = run(&(struct spawn_request){.argv = ARGV("cat")}); /* /dev/null, not our terminal */
    assert_int_equal(result.exit_status, 0);
    assert_int_equal(result.output.size, 0);
    spawn_result_release(&result);
}

static void no_shell_looks_at_the_arguments(void **UNUSED(state))
{
    struct spawn_result result =
        run(&(struct spawn_request){.argv = ARGV("printf", "%s|", "$HOME; a b", "*")});
    assert_string_equal(buf_text(&result.output), "$HOME; a b|*|");
    spawn_result_release(&result);
}

static void output_beyond_the_limit_is_dropped_and_the_child_goes_on(void **UNUSED(state))
{
    struct spawn_result result = run(&(struct spawn_request){
        .argv = SHELL("head -c 300000 /dev/zero | tr '\\0' x; echo end >&2"),
        .output_size_max = 1000,
    });
    assert_int_equal(result.exit_status, 0);
    assert_int_equal(result.output.size, 1000);
    assert_string_equal(buf_text(&result.errors), "end\n");
    spawn_result_release(&result);
}

static void large_output_arrives_whole(void **UNUSED(state))
{
    struct spawn_result result = run(&(struct spawn_request){
        .argv = SHELL("head -c 300000 /dev/zero | tr '\\0' x"),
    });
    assert_int_equal(result.output.size, 300000);
    spawn_result_release(&result);
}

static void the_deadline_ends_the_whole_group(void **UNUSED(state))
{
    const struct call call = call_for_ms(300);
    struct spawn_result result = {0};
    AUTO_ERR err = spawn_run(&call,
        &(struct spawn_request){
            .argv = SHELL("trap '' TERM; sleep 60 & echo $!; while :; do sleep 60; done")},
        &result);
    assert_null(err);
    assert_true(result.is_timeout);
    assert_int_equal(result.signal, SIGKILL);
    int64_t pid = 0;
    assert_true(str_to_int64(str_trim(str_of(buf_text(&result.output))), &pid));
    assert_dies((pid_t)pid);
    spawn_result_release(&result);
}

static void a_child_that_never_stops_talking_is_ended_too(void **UNUSED(state))
{
    const struct call call = call_for_ms(300);
    struct spawn_result result = {0};
    AUTO_ERR err = spawn_run(
        &call, &(struct spawn_request){.argv = ARGV("yes"), .output_size_max = 10}, &result);
    assert_null(err);
    assert_true(result.is_timeout);
    assert_string_equal(buf_text(&result.output), "y\ny\ny\ny\ny\n");
    spawn_result_release(&result);
}

static void what_a_child_leaves_behind_is_ended_with_it(void **UNUSED(state))
{
    struct spawn_result result =
        run(&(struct spawn_request){.argv = SHELL("sleep 60 & echo $!")}); /* holds our pipe */
    assert_false(result.is_timeout);
    int64_t pid = 0;
    assert_true(str_to_int64(str_trim(str_of(buf_text(&result.output))), &pid));
    assert_dies((pid_t)pid);
    spawn_result_release(&result);
}

static void what_cannot_be_started_is_told_with_its_reason(void **UNUSED(state))
{
    AUTO_FREE char *plain = mem_format("%s/plain", folder);
    AUTO_ERR written = fs_write(plain, "no program\n", 11, 0600);
    assert_null(written);
    static const char enoent[] = "cannot execute the program: No such file or directory";
    const struct {
        struct spawn_request request;
        const char *what;
    } cases[] = {
        {{.argv = ARGV("upshift-no-such-program")}, "no such program on the PATH"},
        {{.argv = ARGV("/absent/program")}, enoent},
        {{.argv = ARGV(plain)}, "cannot execute the program: Permission denied"},
        {{.argv = ARGV("true"), .directory = "/absent"},
            "cannot enter its working directory: No such file or directory"},
    };
    const struct call call = call_for_ms(10000);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct spawn_result result = {0};
        assert_not_started(spawn_run(&call, &cases[i].request, &result), cases[i].what);
        assert_null(result.output.data);
    }
}

static void a_text_file_is_not_handed_to_a_shell(void **UNUSED(state))
{
    AUTO_FREE char *script = mem_format("%s/script", folder);
    AUTO_ERR written = fs_write(script, "echo shell\n", 11, 0700);
    assert_null(written);
    const struct call call = call_for_ms(10000);
    struct spawn_result result = {0};
    assert_not_started(spawn_run(&call, &(struct spawn_request){.argv = ARGV(script)}, &result),
        "cannot execute the program: Exec format error");
}

/* The C library keeps signals 32 and 33 to itself: whether they are ignored comes from whoever
 * started us, and no program can change it. */
static const char *without_own_signals(struct buf *status)
{
    char *ignored = strstr(status->data, "SigIgn:\t");
    assert_non_null(ignored);
    char *digits = ignored + strlen("SigIgn:\t") + 7; /* bits 28 to 35: two of 16 digits */
    for (int i = 0; i < 2; i++) {
        static const char own[] = {'1', '8'}; /* signal 33 is bit 32, signal 32 is bit 31 */
        digits[i] = digits[i] == own[i] ? '0' : digits[i];
    }
    return buf_text(status);
}

static void children_inherit_no_descriptor_and_no_blocked_signal(void **UNUSED(state))
{
    AUTO_CLOSE leak = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
    assert_true(leak > 2);
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    (void)signal(SIGUSR1, SIG_IGN);
    struct spawn_result files = run(&(struct spawn_request){.argv = ARGV("ls", "/proc/self/fd")});
    struct spawn_result signals = run(
        &(struct spawn_request){.argv = ARGV("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status")});
    (void)signal(SIGUSR1, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    assert_string_equal(buf_text(&files.output), "0\n1\n2\n3\n"); /* 3: the folder it reads */
    assert_string_equal(without_own_signals(&signals.output),
        "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    spawn_result_release(&files);
    spawn_result_release(&signals);
}

static void a_child_dies_with_us(void **UNUSED(state))
{
    AUTO_FREE char *file = mem_format("%s/pid", folder);
    AUTO_FREE char *script = mem_format("echo $$ >%s; exec sleep 60", file);
    const pid_t middle = fork();
    if (middle == 0) {
        const struct call call = call_for_ms(60000);
        struct spawn_result result = {0};
        struct err *err = spawn_run(&call, &(struct spawn_request){.argv = SHELL(script)}, &result);
        _exit(err == NULL ? 0 : 1);
    }
    AUTO_BUF line = wait_for(file, "\n");
    int64_t pid = 0;
    assert_true(str_to_int64(str_trim(str_of(buf_text(&line))), &pid));
    assert_true(is_alive((pid_t)pid));
    assert_int_equal(kill(middle, SIGKILL), 0);
    assert_int_equal(waitpid(middle, NULL, 0), middle);
    assert_dies((pid_t)pid);
}

static pid_t start_daemon(const char *script, const char *log_file, const char *user)
{
    pid_t pid = 0;
    AUTO_ERR err = spawn_daemon(&(struct spawn_daemon){.argv = ARGV("/bin/sh", "-c", script),
                                    .directory = folder,
                                    .log_file = log_file,
                                    .user = user},
        &pid);
    if (err != NULL) {
        fail_msg("%s", err->what);
    }
    return pid;
}

static void a_daemon_is_nobodys_child_and_writes_its_log(void **UNUSED(state))
{
    AUTO_FREE char *log_file = mem_format("%s/log", folder);
    AUTO_ERR err = fs_write(log_file, "before ", 7, 0600);
    assert_null(err);
    const pid_t pid =
        start_daemon("ls /proc/$$/fd; echo pid $$ in $(pwd); exec sleep 60", log_file, NULL);
    AUTO_FREE char *expected = mem_format("before 0\n1\n2\npid %d in %s\n", (int)pid, folder);
    AUTO_BUF log = wait_for(log_file, folder);
    assert_string_equal(buf_text(&log), expected);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_not_equal(getsid(pid), getsid(0));
    assert_true(is_alive(pid));
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_dies(pid);
}

static void a_daemon_outlives_who_started_it(void **UNUSED(state))
{
    AUTO_FREE char *log_file = mem_format("%s/log", folder);
    const pid_t starter = fork();
    if (starter == 0) {
        (void)start_daemon("echo $$; exec sleep 60", log_file, NULL);
        (void)kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(starter, NULL, 0), starter);
    AUTO_BUF log = wait_for(log_file, "\n");
    int64_t pid = 0;
    assert_true(str_to_int64(str_trim(str_of(buf_text(&log))), &pid));
    assert_true(is_alive((pid_t)pid));
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
    assert_dies((pid_t)pid);
}

static void a_daemon_runs_as_its_user_with_its_groups(void **UNUSED(state))
{
    if (geteuid() != 0) {
        skip(); /* only root may switch */
    }
    AUTO_FREE char *log_file = mem_format("%s/log", folder);
    (void)start_daemon("id -un; id -G; id -ru", log_file, "nobody");
    AUTO_BUF log = wait_for(log_file, "65534\n65534\n");
    assert_string_equal(buf_text(&log), "nobody\n65534\n65534\n");
    struct stat status;
    assert_int_equal(stat(log_file, &status), 0);
    assert_int_equal(status.st_uid, 65534); /* opened as the user, not as root */
}

static void a_daemon_of_our_own_user_needs_no_right_to_switch(void **UNUSED(state))
{
    const struct passwd *self = getpwuid(geteuid());
    assert_non_null(self);
    AUTO_FREE char *log_file = mem_format("%s/log", folder);
    (void)start_daemon("echo here", log_file, self->pw_name);
    AUTO_BUF log = wait_for(log_file, "\n");
    assert_string_equal(buf_text(&log), "here\n");
}

static void a_daemon_that_cannot_start_is_told_with_its_reason(void **UNUSED(state))
{
    AUTO_FREE char *log_file = mem_format("%s/log", folder);
    const struct {
        struct spawn_daemon daemon;
        const char *what;
    } cases[] = {
        {{.argv = ARGV("true"), .directory = "/", .log_file = log_file},
            "cannot execute the program: No such file or directory"}, /* not looked up */
        {{.argv = ARGV("/bin/true"), .directory = "/absent", .log_file = log_file},
            "cannot enter its working directory: No such file or directory"},
        {{.argv = ARGV("/bin/true"), .directory = "/", .log_file = "/absent/log"},
            "cannot open its log file: No such file or directory"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        pid_t pid = 42;
        assert_not_started(spawn_daemon(&cases[i].daemon, &pid), cases[i].what);
        assert_int_equal(pid, 42);
    }
    pid_t pid = 42;
    AUTO_ERR err = spawn_daemon(&(struct spawn_daemon){.argv = ARGV("/bin/true"),
                                    .directory = "/",
                                    .log_file = log_file,
                                    .user = "no-such-user"},
        &pid);
    assert_non_null(err);
    assert_string_equal(err->code, "user_unknown");
    assert_string_equal(err->cause->where, "no-such-user");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_errors_and_exit_status_come_back),
        cmocka_unit_test(a_signal_is_no_exit_status),
        cmocka_unit_test(input_environment_and_directory_are_given),
        cmocka_unit_test(no_shell_looks_at_the_arguments),
        cmocka_unit_test(output_beyond_the_limit_is_dropped_and_the_child_goes_on),
        cmocka_unit_test(large_output_arrives_whole),
        cmocka_unit_test(the_deadline_ends_the_whole_group),
        cmocka_unit_test(a_child_that_never_stops_talking_is_ended_too),
        cmocka_unit_test(what_a_child_leaves_behind_is_ended_with_it),
        CASE(what_cannot_be_started_is_told_with_its_reason),
        CASE(a_text_file_is_not_handed_to_a_shell),
        cmocka_unit_test(children_inherit_no_descriptor_and_no_blocked_signal),
        CASE(a_child_dies_with_us),
        CASE(a_daemon_is_nobodys_child_and_writes_its_log),
        CASE(a_daemon_outlives_who_started_it),
        CASE(a_daemon_runs_as_its_user_with_its_groups),
        CASE(a_daemon_of_our_own_user_needs_no_right_to_switch),
        CASE(a_daemon_that_cannot_start_is_told_with_its_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
