/* Time: it goes forward, waiting waits, and wall time is written as people read it. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void waiting_takes_its_time(void **UNUSED(state))
{
    struct clock *clock = clock_system();
    const int64_t start_ms = clock_now_ms(clock);
    clock_wait_ms(clock, 20);
    assert_in_range(clock_now_ms(clock) - start_ms, 19, 5000);
}

static void waiting_for_nothing_returns_at_once(void **UNUSED(state))
{
    struct clock *clock = clock_system();
    const int64_t start_us = clock_now_us();
    clock_wait_ms(clock, 0);
    clock_wait_ms(clock, -1000);
    assert_true(clock_now_us() - start_us < 900000);
}

static void wall_time_is_written_in_utc(void **UNUSED(state))
{
    char text[CLOCK_TEXT_SIZE];
    assert_string_equal(clock_format_wall(0, text), "1970-01-01T00:00:00.000Z");
    assert_string_equal(clock_format_wall(1795227304123, text), "2026-11-21T02:15:04.123Z");
}

static void the_boot_has_one_stable_name(void **UNUSED(state))
{
    const char *id = clock_boot_id();
    assert_true(id[0] != '\0');
    assert_null(strchr(id, '\n'));
    assert_string_equal(id, clock_boot_id());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiting_takes_its_time),
        cmocka_unit_test(waiting_for_nothing_returns_at_once),
        cmocka_unit_test(wall_time_is_written_in_utc),
        cmocka_unit_test(the_boot_has_one_stable_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
