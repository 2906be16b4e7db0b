#include "probe/timeline.h"

#include <stdlib.h>
#include <time.h>

#include "base/mem.h"

enum { BLOCK_US = PROBE_BLOCK_MS * 1000 };

void timeline_init(
    struct timeline *timeline, struct record *record, int64_t started_us, int64_t started_wall_ms)
{
    *timeline = (struct timeline){
        .record = record, .started_us = started_us, .started_wall_ms = started_wall_ms};
}

static void block_free(struct timeline_block *block)
{
    ranges_release(&block->acked);
    free(block);
}

void timeline_release(struct timeline *timeline)
{
    for (size_t i = 0; i < timeline->count; i++) {
        block_free(timeline->open[(timeline->first + i) % timeline->capacity]);
    }
    free(timeline->open);
    timeline->open = NULL;
    timeline->count = 0;
}

int64_t process_cpu_us(void)
{
    struct timespec used;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

/* Charges the processor time since the last call to the newest block: it is that block's, less
 * what fell to the moments since it ended. */
static void charge_cpu(struct timeline *timeline)
{
    const int64_t cpu_us = process_cpu_us();
    const size_t newest = (timeline->first + timeline->count - 1) % timeline->capacity;
    timeline->open[newest]->sums.cpu_us += cpu_us - timeline->cpu_us;
    timeline->cpu_us = cpu_us;
}

static void timeline_grow(struct timeline *timeline)
{
    const size_t capacity = timeline->capacity == 0 ? 32 : timeline->capacity * 2;
    struct timeline_block **open = mem_alloc_array(capacity, sizeof(*open));
    for (size_t i = 0; i < timeline->count; i++) {
        open[i] = timeline->open[(timeline->first + i) % timeline->capacity];
    }
    free(timeline->open);
    timeline->open = open;
    timeline->first = 0;
    timeline->capacity = capacity;
}

static void push_block(struct timeline *timeline)
{
    if (timeline->count > 0) {
        charge_cpu(timeline);
    }
    if (timeline->count == timeline->capacity) {
        timeline_grow(timeline);
    }
    struct timeline_block *block = mem_alloc(sizeof(*block));
    block->sums.index = timeline->first_index + (int64_t)timeline->count;
    block->sums.wall_ms = timeline->started_wall_ms + block->sums.index * PROBE_BLOCK_MS;
    timeline->open[(timeline->first + timeline->count) % timeline->capacity] = block;
    timeline->count++;
}

struct timeline_block *timeline_at(struct timeline *timeline, int64_t us)
{
    const int64_t index = (us - timeline->started_us) / BLOCK_US;
    const int64_t offset = index < timeline->first_index ? 0 : index - timeline->first_index;
    while ((int64_t)timeline->count <= offset) {
        push_block(timeline);
    }
    return timeline->open[(timeline->first + (size_t)offset) % timeline->capacity];
}

void timeline_count_latency(struct timeline_block *block, int64_t latency_us)
{
    block->latencies[probe_bucket_of(latency_us)]++;
    if (latency_us > block->sums.latency_max_us) {
        block->sums.latency_max_us = latency_us;
    }
}

void timeline_count_stall(struct timeline *timeline, int64_t from_us, int64_t to_us)
{
    int64_t us = from_us > timeline->started_us ? from_us : timeline->started_us;
    while (us < to_us) {
        const int64_t end_us = timeline_block_end_us(timeline, us);
        const int64_t part_end_us = end_us < to_us ? end_us : to_us;
        timeline_at(timeline, us)->sums.stalled_us += part_end_us - us;
        us = part_end_us;
    }
}

static void add_to_totals(struct timeline *timeline, const struct timeline_block *block)
{
    struct probe_final *totals = &timeline->totals;
    totals->block_count++;
    totals->intended += block->sums.intended;
    totals->ok += block->sums.ok;
    totals->raw_failed += block->sums.raw_failed;
    totals->failed += block->sums.failed;
    totals->wrong += block->sums.wrong;
    totals->acked += block->acked.total;
    if (block->sums.latency_max_us > totals->latency_max_us) {
        totals->latency_max_us = block->sums.latency_max_us;
    }
}

static void write_block(struct timeline *timeline, struct timeline_block *block)
{
    struct probe_bucket latencies[PROBE_BUCKET_COUNT];
    struct probe_block *sums = &block->sums;
    for (size_t i = 0; i < PROBE_BUCKET_COUNT; i++) {
        if (block->latencies[i] > 0) {
            latencies[sums->latency_count++] =
                (struct probe_bucket){(int64_t)i, block->latencies[i]};
            timeline->latencies[i] += block->latencies[i];
        }
    }
    sums->latencies = latencies;
    sums->acked = block->acked.items;
    sums->acked_count = block->acked.count;
    (void)record_append(timeline->record, "block", &probe_block_codec, sums);
}

void timeline_write(struct timeline *timeline, int64_t settled_us)
{
    while (timeline_next_us(timeline) <= settled_us) {
        (void)timeline_at(timeline, settled_us); /* so that the oldest block's time is over */
        struct timeline_block *block = timeline->open[timeline->first];
        if (block->undecided > 0) {
            return;
        }
        write_block(timeline, block);
        add_to_totals(timeline, block);
        block_free(block);
        timeline->first = (timeline->first + 1) % timeline->capacity;
        timeline->count--;
        timeline->first_index++;
    }
}

int64_t timeline_next_us(const struct timeline *timeline)
{
    return timeline->started_us + (timeline->first_index + 1) * BLOCK_US;
}

int64_t timeline_block_end_us(const struct timeline *timeline, int64_t us)
{
    return timeline->started_us + ((us - timeline->started_us) / BLOCK_US + 1) * BLOCK_US;
}

int64_t latency_quantile(const int64_t counts[PROBE_BUCKET_COUNT], int per_mille)
{
    int64_t total = 0;
    for (size_t i = 0; i < PROBE_BUCKET_COUNT; i++) {
        total += counts[i];
    }
    const int64_t wanted = (total * per_mille + 999) / 1000;
    int64_t seen = 0;
    for (size_t i = 0; i < PROBE_BUCKET_COUNT && total > 0; i++) {
        seen += counts[i];
        if (seen >= wanted) {
            return probe_bucket_low(i + 1);
        }
    }
    return 0;
}
