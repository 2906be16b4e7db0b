/*
 * report/parts.h - when it was slow and what was going on, and the figures of each part of the run.
 */
#ifndef UPSHIFT_REPORT_PARTS_H
#define UPSHIFT_REPORT_PARTS_H

#include "base/json.h"

/* The moments that stand out, in the order of time: [{at_ms, until_ms, longest_us, raw_failed,
 * failed, is_probe_stall, steps: [ids that were under way]}]. Owns: the caller. */
struct json *parts_find_stalls(const struct json *report);

/* The stretches before, of each phase, between and after: [{title, from_ms, to_ms, operations,
 * raw_failed, failed, p50_us, p99_us, longest_us}]. Owns: the caller. */
struct json *parts_find(const struct json *report);

#endif
