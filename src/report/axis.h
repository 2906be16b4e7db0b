/*
 * report/axis.h - one time axis for journal and probe.
 *
 * Wall clocks jump; CLOCK_BOOTTIME does not. Times in a report are the wall time of the run's first
 * record carried forward by CLOCK_BOOTTIME, and the wall clock's own only across a reboot.
 */
#ifndef UPSHIFT_REPORT_AXIS_H
#define UPSHIFT_REPORT_AXIS_H

#include <stdint.h>

#include "base/str.h"

struct axis {
    const char *boot_id; /* of the first record; borrowed; may be NULL */
    int64_t boottime_ms;
    int64_t wall_ms;
};

static inline int64_t axis_time_ms(
    const struct axis *axis, const char *boot_id, int64_t boottime_ms, int64_t wall_ms)
{
    const bool is_same_boot = boot_id != NULL && text_equal(axis->boot_id, boot_id);
    return is_same_boot ? axis->wall_ms + boottime_ms - axis->boottime_ms : wall_ms;
}

#endif
