/* A guard's files: attempts, evidence, locks, and who may act. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "guard/files.h"

static char directory[] = "/tmp/upshift-guard-XXXXXX";

static void begin(char **ret_base, int *ret_fd)
{
    AUTO_ERR err = guard_files_begin(directory, "r1", "shard-1/cutover", ret_base, ret_fd);
    assert_null(err);
}

static void append_text(int fd, const char *text)
{
    AUTO_ERR err = fs_write_fd(fd, "log", text, strlen(text));
    assert_null(err);
}

static void each_attempt_has_a_log_of_its_own(void **UNUSED(state))
{
    AUTO_FREE char *first = NULL;
    AUTO_FREE char *second = NULL;
    AUTO_CLOSE first_fd = -1;
    AUTO_CLOSE second_fd = -1;
    begin(&first, &first_fd);
    begin(&second, &second_fd);
    assert_string_not_equal(first, second);
    assert_non_null(strstr(first, "r1.shard-1-cutover.1"));
}

static void a_log_tells_the_last_state_and_whether_it_was_committed(void **UNUSED(state))
{
    AUTO_FREE char *base = NULL;
    AUTO_CLOSE fd = -1;
    begin(&base, &fd);
    append_text(fd, "{\"state\":\"PREPARED\",\"at_ms\":42}\n{\"state\":\"COMMITTED\"}\n"
                    "{\"state\":\"STUCK\",\"why\":\"because\"}\n{\"state\":\"REL"); /* torn */
    AUTO_ARENA arena = {0};
    struct guard_trace *traces = NULL;
    size_t count = 0;
    AUTO_ERR err = guard_files_read(directory, "r1", "shard-1/cutover", &arena, &traces, &count);
    assert_null(err);
    assert_true(count >= 1);
    const struct guard_trace *last = &traces[count - 1];
    assert_string_equal(last->base, base);
    assert_int_equal(last->state, GUARD_STUCK);
    assert_int_equal(last->started_ms, 42);
    assert_true(last->is_committed);
    assert_string_equal(last->why, "because");
    AUTO_ERR other = guard_files_read(directory, "r1", "shard-1/cut", &arena, &traces, &count);
    assert_null(other);
    assert_int_equal(count, 0);
}

static void exactly_one_disarms_a_timer(void **UNUSED(state))
{
    AUTO_FREE char *base = mem_format("%s/one", directory);
    AUTO_ERR armed = guard_timer_arm(base);
    assert_null(armed);
    assert_true(guard_timer_is_armed(base));
    AUTO_ERR again = guard_timer_arm(base);
    assert_non_null(again);
    assert_true(guard_timer_disarm(base));
    assert_false(guard_timer_disarm(base));
}

/* A process that has the log as its standard output, as a guard has, and is frozen. */
static pid_t start_frozen(int fd)
{
    const pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(fd, STDOUT_FILENO);
        (void)close(fd);
        (void)raise(SIGSTOP);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    return pid;
}

static void the_lock_lives_in_the_process_that_inherited_it(void **UNUSED(state))
{
    AUTO_FREE char *base = NULL;
    int fd = -1;
    begin(&base, &fd);
    const pid_t pid = start_frozen(fd);
    fs_close_slot(&fd);
    assert_true(guard_is_alive(base, ".log"));
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    assert_false(guard_is_alive(base, ".log"));
}

static void nobody_begins_beside_a_guard_of_another_run(void **UNUSED(state))
{
    AUTO_FREE char *base = NULL;
    int fd = -1;
    begin(&base, &fd);
    const pid_t pid = start_frozen(fd);
    fs_close_slot(&fd);
    const struct call call = {
        .clock = clock_system(), .deadline_ms = clock_now_ms(clock_system()) + 50};
    AUTO_ERR busy = guard_await_quiet(&call, directory);
    assert_non_null(busy);
    assert_string_equal(busy->code, "cutover_busy");
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0); /* it was not ended */
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    AUTO_ERR quiet = guard_await_quiet(&call, directory);
    assert_null(quiet);
}

static void a_frozen_guard_is_ended_at_the_deadline(void **UNUSED(state))
{
    AUTO_FREE char *base = NULL;
    int fd = -1;
    begin(&base, &fd);
    const pid_t pid = start_frozen(fd);
    fs_close_slot(&fd);
    const struct call call = {
        .clock = clock_system(), .deadline_ms = clock_now_ms(clock_system()) + 50};
    AUTO_ERR err = guard_await_end(&call, base, ".log");
    assert_null(err);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static int make_directory(void **UNUSED(state))
{
    return mkdtemp(directory) == NULL;
}

static int remove_directory(void **UNUSED(state))
{
    AUTO_ERR err = fs_remove_tree(directory);
    return err != NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_attempt_has_a_log_of_its_own),
        cmocka_unit_test(a_log_tells_the_last_state_and_whether_it_was_committed),
        cmocka_unit_test(exactly_one_disarms_a_timer),
        cmocka_unit_test(the_lock_lives_in_the_process_that_inherited_it),
        cmocka_unit_test(nobody_begins_beside_a_guard_of_another_run),
        cmocka_unit_test(a_frozen_guard_is_ended_at_the_deadline),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
