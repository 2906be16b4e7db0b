/*
 * report/series.h - the probe's blocks over time, and the time they cover.
 *
 * A slot is one block, so that a failure can be told apart from the step before it. When a run is
 * longer than ten minutes, slots are joined in pairs as often as needed, so that a report stays a
 * file one can mail. Pictures join them to seconds.
 */
#ifndef UPSHIFT_REPORT_SERIES_H
#define UPSHIFT_REPORT_SERIES_H

#include <stdint.h>

#include "base/arena.h"
#include "base/json.h"
#include "model/probe_log.h"

enum { SERIES_SLOT_MS = PROBE_BLOCK_MS, SERIES_SLOTS_MAX = 6000 };

struct series_slot {
    int64_t intended, reads, writes, ok, raw_failed, failed, wrong, fresh, redirected, acked;
    int64_t stalled_us, cpu_us;
    int64_t observed_ms;
    int64_t max_us;         /* the slowest operation */
    int64_t max_at_ms;      /* when its block began */
    int64_t max_stalled_us; /* how long the probe itself was not scheduled in that block */
    int64_t latencies[PROBE_BUCKET_COUNT];
};

/* From `from_ms` up to, not including, `to_ms`. */
struct series_span {
    int64_t from_ms, to_ms;
};

struct series {
    struct arena arena;
    int64_t origin_ms; /* begin of the first slot */
    int64_t slot_ms;
    struct series_slot *slots;
    size_t slot_count;
    struct series_span *observed; /* in order, not touching each other */
    size_t observed_count;
};

void series_init(struct series *series, int64_t origin_ms);
void series_release(struct series *series);

/* Adds a block that began at `at_ms`; blocks come in the order of their begin. */
void series_add(struct series *series, int64_t at_ms, const struct probe_block *block);

/* Takes a stretch of time out of what counts as observed. */
void series_hide(struct series *series, struct series_span gap);

/* Writes the slots of [origin, end_ms) and the gaps in them as members "slot_ms", "slots", "gaps"
 * of `ret_object`. To be called once, at the end. */
void series_write(struct series *series, int64_t end_ms, struct json *ret_object);

#endif
