/*
 * report/summary.h - the figures of a report, as a pure function of its data.
 */
#ifndef UPSHIFT_REPORT_SUMMARY_H
#define UPSHIFT_REPORT_SUMMARY_H

#include <stdint.h>

#include "base/json.h"

/* Writes (or writes again) the members "summary", "failovers", "stalls", "parts", "checked",
 * "not_checked". */
void summary_write(struct json *report);

/* The members that summary_write() makes; NULL-terminated. */
extern const char *const summary_members[];

/* What some slots amount to. */
struct summary_sum {
    int64_t intended, reads, writes, ok, raw_failed, failed, wrong, fresh, redirected, acked;
    int64_t stalled_us, cpu_us;
    int64_t observed_ms;
    int64_t max_us;    /* the slowest operation */
    int64_t max_at_ms; /* when its block began */
};

/* Adds up the slots that begin in [from_ms, to_ms). */
struct summary_sum summary_add(const struct json *report, int64_t from_ms, int64_t to_ms);

/* The latency that `permille` of the operations of these slots did not exceed, known to 6 % and
 * rounded up, at most the longest; 0 without operations. */
int64_t summary_percentile_us(
    const struct json *report, int64_t from_ms, int64_t to_ms, int64_t permille);

#endif
