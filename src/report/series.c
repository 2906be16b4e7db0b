#include "report/series.h"

#include <stddef.h>
#include <string.h>

void series_init(struct series *series, int64_t origin_ms)
{
    *series = (struct series){.origin_ms = origin_ms, .slot_ms = SERIES_SLOT_MS};
    series->slots = arena_alloc_array(&series->arena, SERIES_SLOTS_MAX, sizeof(*series->slots));
}

void series_release(struct series *series)
{
    arena_release(&series->arena);
}

static void add_slot(struct series_slot *sum, const struct series_slot *slot)
{
    sum->intended += slot->intended;
    sum->reads += slot->reads;
    sum->writes += slot->writes;
    sum->ok += slot->ok;
    sum->raw_failed += slot->raw_failed;
    sum->failed += slot->failed;
    sum->wrong += slot->wrong;
    sum->fresh += slot->fresh;
    sum->redirected += slot->redirected;
    sum->acked += slot->acked;
    sum->stalled_us += slot->stalled_us;
    sum->cpu_us += slot->cpu_us;
    if (slot->max_us > sum->max_us) {
        sum->max_us = slot->max_us;
        sum->max_at_ms = slot->max_at_ms;
        sum->max_stalled_us = slot->max_stalled_us;
    }
    for (size_t i = 0; i < PROBE_BUCKET_COUNT; i++) {
        sum->latencies[i] += slot->latencies[i];
    }
}

static void join_pairs(struct series *series)
{
    for (size_t i = 0; i < series->slot_count; i++) {
        if (i % 2 == 1) {
            add_slot(&series->slots[i / 2], &series->slots[i]);
        } else if (i > 0) {
            series->slots[i / 2] = series->slots[i];
        }
    }
    const size_t count = (series->slot_count + 1) / 2;
    memset(&series->slots[count], 0, (SERIES_SLOTS_MAX - count) * sizeof(*series->slots));
    series->slot_count = count;
    series->slot_ms *= 2;
}

/* The slot of a time at or after the origin; makes room for it. */
static struct series_slot *slot_at(struct series *series, int64_t at_ms)
{
    int64_t index = (at_ms - series->origin_ms) / series->slot_ms;
    while (index >= SERIES_SLOTS_MAX) {
        join_pairs(series);
        index = (at_ms - series->origin_ms) / series->slot_ms;
    }
    if ((size_t)index >= series->slot_count) {
        series->slot_count = (size_t)index + 1;
    }
    return &series->slots[index];
}

static void add_observed(struct series *series, struct series_span span)
{
    if (series->observed_count > 0) {
        struct series_span *last = &series->observed[series->observed_count - 1];
        if (span.from_ms <= last->to_ms) {
            last->to_ms = span.to_ms > last->to_ms ? span.to_ms : last->to_ms;
            return;
        }
    }
    struct series_span *next = arena_push(
        &series->arena, &series->observed, &series->observed_count, sizeof(*series->observed));
    *next = span;
}

void series_add(struct series *series, int64_t at_ms, const struct probe_block *block)
{
    const int64_t from_ms = at_ms < series->origin_ms ? series->origin_ms : at_ms;
    struct series_slot one = {
        .intended = block->intended,
        .reads = block->reads,
        .writes = block->writes,
        .ok = block->ok,
        .raw_failed = block->raw_failed,
        .failed = block->failed,
        .wrong = block->wrong,
        .fresh = block->fresh,
        .redirected = block->redirected,
        .stalled_us = block->stalled_us,
        .cpu_us = block->cpu_us,
        .max_us = block->latency_max_us,
        .max_at_ms = from_ms,
        .max_stalled_us = block->stalled_us,
    };
    for (size_t i = 0; i < block->acked_count; i++) {
        one.acked += block->acked[i].to - block->acked[i].from + 1;
    }
    for (size_t i = 0; i < block->latency_count; i++) {
        const int64_t bucket = block->latencies[i].bucket;
        if (bucket >= 0 && bucket < PROBE_BUCKET_COUNT) {
            one.latencies[bucket] += block->latencies[i].count;
        }
    }
    add_slot(slot_at(series, from_ms), &one);
    add_observed(series, (struct series_span){from_ms, at_ms + PROBE_BLOCK_MS});
}

void series_hide(struct series *series, struct series_span gap)
{
    struct series_span *kept = NULL;
    size_t count = 0;
    for (size_t i = 0; i < series->observed_count; i++) {
        const struct series_span span = series->observed[i];
        const struct series_span parts[2] = {
            {span.from_ms, gap.from_ms < span.to_ms ? gap.from_ms : span.to_ms},
            {gap.to_ms > span.from_ms ? gap.to_ms : span.from_ms, span.to_ms},
        };
        const bool is_apart = gap.to_ms <= span.from_ms || gap.from_ms >= span.to_ms;
        for (size_t p = 0; p < 2; p++) {
            const struct series_span part = is_apart ? span : parts[p];
            if (part.from_ms < part.to_ms && !(is_apart && p == 1)) {
                struct series_span *slot = arena_push(&series->arena, &kept, &count, sizeof(*kept));
                *slot = part;
            }
        }
    }
    series->observed = kept;
    series->observed_count = count;
}

/* Spreads the observed time over the slots. */
static void spread_observed(struct series *series)
{
    for (size_t i = 0; i < series->observed_count; i++) {
        struct series_span rest = series->observed[i];
        while (rest.from_ms < rest.to_ms) {
            const int64_t index = (rest.from_ms - series->origin_ms) / series->slot_ms;
            const int64_t end_ms = series->origin_ms + (index + 1) * series->slot_ms;
            const int64_t until_ms = end_ms < rest.to_ms ? end_ms : rest.to_ms;
            if ((size_t)index < series->slot_count) {
                series->slots[index].observed_ms += until_ms - rest.from_ms;
            }
            rest.from_ms = until_ms;
        }
    }
}

static const struct {
    const char *key;
    size_t offset;
} slot_fields[] = {
    {"intended", offsetof(struct series_slot, intended)},
    {"reads", offsetof(struct series_slot, reads)},
    {"writes", offsetof(struct series_slot, writes)},
    {"ok", offsetof(struct series_slot, ok)},
    {"raw_failed", offsetof(struct series_slot, raw_failed)},
    {"failed", offsetof(struct series_slot, failed)},
    {"wrong", offsetof(struct series_slot, wrong)},
    {"fresh", offsetof(struct series_slot, fresh)},
    {"redirected", offsetof(struct series_slot, redirected)},
    {"acked", offsetof(struct series_slot, acked)},
    {"stalled_us", offsetof(struct series_slot, stalled_us)},
    {"cpu_us", offsetof(struct series_slot, cpu_us)},
    {"observed_ms", offsetof(struct series_slot, observed_ms)},
    {"max_us", offsetof(struct series_slot, max_us)},
    {"max_at_ms", offsetof(struct series_slot, max_at_ms)},
    {"max_stalled_us", offsetof(struct series_slot, max_stalled_us)},
};

/* Zeros are left out: most slots are without failures. */
static struct json *write_slot(const struct series_slot *slot)
{
    struct json *object = js_object();
    for (size_t i = 0; i < ARRAY_COUNT(slot_fields); i++) {
        const char *at = (const char *)slot + slot_fields[i].offset;
        const int64_t value = *(const int64_t *)(const void *)at;
        if (value != 0) {
            js_put_number(object, slot_fields[i].key, value);
        }
    }
    struct json *latencies = js_array();
    for (size_t i = 0; i < PROBE_BUCKET_COUNT; i++) {
        if (slot->latencies[i] > 0) {
            struct json *pair = js_array();
            js_push(pair, js_number((int64_t)i));
            js_push(pair, js_number(slot->latencies[i]));
            js_push(latencies, pair);
        }
    }
    js_put(object, "latencies", latencies);
    return object;
}

static void push_gap(struct json *gaps, int64_t from_ms, int64_t to_ms)
{
    if (from_ms < to_ms) {
        struct json *gap = js_object();
        js_put_number(gap, "from_ms", from_ms);
        js_put_number(gap, "to_ms", to_ms);
        js_push(gaps, gap);
    }
}

void series_write(struct series *series, int64_t end_ms, struct json *ret_object)
{
    if (end_ms > series->origin_ms) {
        (void)slot_at(series, end_ms - 1);
    }
    spread_observed(series);
    struct json *slots = js_array();
    for (size_t i = 0; i < series->slot_count; i++) {
        js_push(slots, write_slot(&series->slots[i]));
    }
    struct json *gaps = js_array();
    int64_t seen_ms = series->origin_ms;
    for (size_t i = 0; i < series->observed_count; i++) {
        push_gap(gaps, seen_ms, series->observed[i].from_ms);
        seen_ms = series->observed[i].to_ms;
    }
    push_gap(gaps, seen_ms, end_ms);
    js_put_number(ret_object, "slot_ms", series->slot_ms);
    js_put(ret_object, "slots", slots);
    js_put(ret_object, "gaps", gaps);
}
