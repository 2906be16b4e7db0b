/* Log lines: one event, one line, whatever the values contain. */
#include "base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/fs.h"

static int64_t fixed_ms(struct clock *UNUSED(clock))
{
    return 1795227304123;
}

static void no_wait(struct clock *UNUSED(clock), int64_t UNUSED(duration_ms))
{
}

static const struct clock_ops fixed_ops = {fixed_ms, fixed_ms, no_wait};
static struct clock fixed_clock = {&fixed_ops};

#define PREFIX "time=2026-11-21T02:15:04.123Z level="

/* Opens a log on a pipe; the test reads the other end. */
static int log_open(struct log *ret_log, enum log_level level_min)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    *ret_log = (struct log){ends[1], level_min, &fixed_clock};
    return ends[0];
}

static void assert_logged(int fd, const char *expected)
{
    char text[1024] = {0};
    const ssize_t size = read(fd, text, sizeof(text) - 1);
    assert_string_equal(size < 0 ? "" : text, expected);
}

static void an_event_is_one_line_of_pairs(void **UNUSED(state))
{
    struct log log;
    AUTO_CLOSE fd = log_open(&log, LOG_INFO);
    log_event(&log, LOG_NOTICE, "step_verified", "run", "r42", "host", NULL, "ms", "812", NULL);
    assert_logged(fd, PREFIX "notice event=step_verified run=r42 ms=812\n");
    fs_close_slot(&log.fd);
}

static void values_that_would_mislead_are_quoted(void **UNUSED(state))
{
    struct log log;
    AUTO_CLOSE fd = log_open(&log, LOG_DEBUG);
    log_event(&log, LOG_ERROR, "e", "a", "x y", "b", "", "c", "\"\\", "d", "k=v", "e", "1\n2\r\t3",
        "f", "\x1b[31m", "g", "\x7f", "h", "\xc3\xa4", NULL);
    assert_logged(fd, PREFIX "error event=e a=\"x y\" b=\"\" c=\"\\\"\\\\\" d=\"k=v\" "
                             "e=\"1 2  3\" f=\" [31m\" g=\" \" h=\xc3\xa4\n");
    fs_close_slot(&log.fd);
}

static void lower_levels_are_left_out(void **UNUSED(state))
{
    struct log log;
    AUTO_CLOSE fd = log_open(&log, LOG_WARNING);
    log_event(&log, LOG_NOTICE, "quiet", NULL);
    assert_logged(fd, "");
    log_event(&log, LOG_WARNING, "loud", NULL);
    assert_logged(fd, PREFIX "warning event=loud\n");
    fs_close_slot(&log.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_one_line_of_pairs),
        cmocka_unit_test(values_that_would_mislead_are_quoted),
        cmocka_unit_test(lower_levels_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
