/*
 * probe/timeline.h - the blocks of 100 ms: counted while open, written in order when decided.
 *
 * An operation belongs to the block in which it was intended, and may be decided up to a second
 * later; so a dozen blocks are open at a time. A block is written once its time is over and all
 * its operations are decided. Sums over everything are kept beside them.
 */
#ifndef UPSHIFT_PROBE_TIMELINE_H
#define UPSHIFT_PROBE_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#include "model/probe_log.h"
#include "probe/ranges.h"
#include "probe/record.h"

struct timeline_block {
    struct probe_block sums; /* without its lists */
    struct ranges acked;
    int64_t undecided;
    uint32_t latencies[PROBE_BUCKET_COUNT];
};

struct timeline {
    struct record *record; /* borrowed */
    int64_t started_us, started_wall_ms;
    struct timeline_block **open; /* ring of blocks, oldest first; owned */
    size_t first, count, capacity;
    int64_t first_index;       /* of the oldest open block */
    int64_t cpu_us;            /* charged to blocks so far */
    struct probe_final totals; /* counts of written blocks */
    int64_t latencies[PROBE_BUCKET_COUNT];
};

void timeline_init(
    struct timeline *timeline, struct record *record, int64_t started_us, int64_t started_wall_ms);
void timeline_release(struct timeline *timeline);

/* The block of a time that is not yet written (earlier times give the oldest open one). */
struct timeline_block *timeline_at(struct timeline *timeline, int64_t us);

/* Counts a success. */
void timeline_count_latency(struct timeline_block *block, int64_t latency_us);

/* Adds a time span in which the probe was not running to the blocks it covers. */
void timeline_count_stall(struct timeline *timeline, int64_t from_us, int64_t to_us);

/* Writes the blocks that ended by `settled_us` (no operation intended before it is to come) and
 * whose operations are all decided. */
void timeline_write(struct timeline *timeline, int64_t settled_us);

/* When the oldest open block ends. */
int64_t timeline_next_us(const struct timeline *timeline);

/* When the block of a time ends. */
int64_t timeline_block_end_us(const struct timeline *timeline, int64_t us);

/* The value below which `per_mille` of the counted latencies lie (the bucket's upper end); 0
 * without any. */
int64_t latency_quantile(const int64_t counts[PROBE_BUCKET_COUNT], int per_mille);

/* Processor time of this process, all threads. */
int64_t process_cpu_us(void);

#endif
