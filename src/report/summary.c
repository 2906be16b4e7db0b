#include "report/summary.h"

#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"
#include "model/probe_log.h"
#include "report/failovers.h"
#include "report/format.h"
#include "report/judge.h"
#include "report/parts.h"

const char *const summary_members[] = {
    "summary", "failovers", "stalls", "parts", "checked", "not_checked", NULL};

static const struct {
    const char *key;
    size_t offset;
} sum_fields[] = {
    {"intended", offsetof(struct summary_sum, intended)},
    {"reads", offsetof(struct summary_sum, reads)},
    {"writes", offsetof(struct summary_sum, writes)},
    {"ok", offsetof(struct summary_sum, ok)},
    {"raw_failed", offsetof(struct summary_sum, raw_failed)},
    {"failed", offsetof(struct summary_sum, failed)},
    {"wrong", offsetof(struct summary_sum, wrong)},
    {"fresh", offsetof(struct summary_sum, fresh)},
    {"redirected", offsetof(struct summary_sum, redirected)},
    {"acked", offsetof(struct summary_sum, acked)},
    {"stalled_us", offsetof(struct summary_sum, stalled_us)},
    {"cpu_us", offsetof(struct summary_sum, cpu_us)},
    {"observed_ms", offsetof(struct summary_sum, observed_ms)},
};

/* The slots that begin in [from_ms, to_ms). */
struct slot_range {
    const struct json *slots;
    size_t first, end;
};

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static struct slot_range range_of(const struct json *report, int64_t from_ms, int64_t to_ms)
{
    const struct json *probe = js_get(report, "probe");
    const struct json *slots = js_get(probe, "slots");
    const int64_t slot_ms = clamp(js_get_number(probe, "slot_ms", 1000), 1, INT32_MAX);
    const int64_t origin_ms = js_get_number(report, "from_ms", 0);
    const int64_t end_ms = origin_ms + (int64_t)js_count(slots) * slot_ms;
    const int64_t from = clamp(from_ms, origin_ms, end_ms) - origin_ms;
    const int64_t to = clamp(to_ms, origin_ms, end_ms) - origin_ms;
    return (struct slot_range){
        slots, (size_t)((from + slot_ms - 1) / slot_ms), (size_t)((to + slot_ms - 1) / slot_ms)};
}

struct summary_sum summary_add(const struct json *report, int64_t from_ms, int64_t to_ms)
{
    const struct slot_range range = range_of(report, from_ms, to_ms);
    struct summary_sum sum = {0};
    for (size_t i = range.first; i < range.end; i++) {
        const struct json *slot = js_at(range.slots, i);
        for (size_t f = 0; f < ARRAY_COUNT(sum_fields); f++) {
            int64_t *field = (int64_t *)(void *)((char *)&sum + sum_fields[f].offset);
            *field += js_get_number(slot, sum_fields[f].key, 0);
        }
        const int64_t max_us = js_get_number(slot, "max_us", 0);
        if (max_us > sum.max_us) {
            sum.max_us = max_us;
            sum.max_at_ms = js_get_number(slot, "max_at_ms", 0);
        }
    }
    return sum;
}

/* Adds up histograms and gives the number of operations in them. */
static int64_t add_latencies(const struct slot_range *range, int64_t ret_counts[PROBE_BUCKET_COUNT])
{
    int64_t total = 0;
    for (size_t i = range->first; i < range->end; i++) {
        const struct json *latencies = js_get(js_at(range->slots, i), "latencies");
        for (size_t l = 0; l < js_count(latencies); l++) {
            const int64_t bucket = js_as_number(js_at(js_at(latencies, l), 0), -1);
            const int64_t count = js_as_number(js_at(js_at(latencies, l), 1), 0);
            if (bucket >= 0 && bucket < PROBE_BUCKET_COUNT) {
                ret_counts[bucket] += count;
                total += count;
            }
        }
    }
    return total;
}

int64_t summary_percentile_us(
    const struct json *report, int64_t from_ms, int64_t to_ms, int64_t permille)
{
    int64_t counts[PROBE_BUCKET_COUNT] = {0};
    const struct slot_range range = range_of(report, from_ms, to_ms);
    const int64_t total = add_latencies(&range, counts);
    const int64_t wanted = total / 1000 * permille + (total % 1000 * permille + 999) / 1000;
    const int64_t max_us = summary_add(report, from_ms, to_ms).max_us;
    int64_t seen = 0;
    for (size_t i = 0; total > 0 && i < PROBE_BUCKET_COUNT; i++) {
        seen += counts[i];
        if (seen >= wanted) {
            const int64_t high_us = probe_bucket_low(i + 1);
            return max_us > 0 && high_us > max_us ? max_us : high_us;
        }
    }
    return 0;
}

static void write_readback(const struct json *report, int64_t acked, struct json *summary)
{
    static const char *const keys[] = {"checked", "missing", "different", "not_checked"};
    const struct json *readbacks = js_get(js_get(report, "probe"), "readbacks");
    for (size_t k = 0; k < ARRAY_COUNT(keys); k++) {
        int64_t sum = 0;
        for (size_t i = 0; i < js_count(readbacks); i++) {
            sum += js_get_number(js_at(readbacks, i), keys[k], 0);
        }
        js_put_number(summary, keys[k], sum);
    }
    js_put_number(summary, "lost",
        js_get_number(summary, "missing", 0) + js_get_number(summary, "different", 0));
    js_put_number(summary, "lost_in_failovers", failovers_lost(js_get(report, "failovers")));
    const int64_t unread = acked - js_get_number(summary, "checked", 0);
    if (unread > js_get_number(summary, "not_checked", 0)) {
        js_put_number(summary, "not_checked", unread);
    }
}

/* A witness that gets in the way would be a poor one: what it used itself. */
static void write_cost(struct arena *arena, const struct json *report, struct json *summary)
{
    static const char *const keys[] = {"bytes_sent", "bytes_received"};
    const struct json *probe = js_get(report, "probe");
    const struct json *finals = js_get(probe, "finals");
    for (size_t k = 0; k < ARRAY_COUNT(keys); k++) {
        int64_t sum = 0;
        for (size_t i = 0; i < js_count(finals); i++) {
            sum += js_get_number(js_at(finals, i), keys[k], 0);
        }
        js_put_number(summary, keys[k], sum);
    }
    if (js_count(js_get(probe, "incarnations")) == 0) {
        js_put(summary, "cost", js_none());
        return;
    }
    const char *cost = arena_format(arena, "the probe used %s of one core",
        format_percent(arena, js_get_number(summary, "cpu_us", 0),
            js_get_number(summary, "observed_ms", 0) * 1000));
    /* Bytes are in the last record only: those of a probe that was killed are unknown. */
    if (js_count(finals) == js_count(js_get(probe, "incarnations"))) {
        cost = arena_format(arena, "%s, sent %s and received %s", cost,
            format_bytes(arena, js_get_number(summary, "bytes_sent", 0)),
            format_bytes(arena, js_get_number(summary, "bytes_received", 0)));
    }
    js_put_text(summary, "cost", cost);
}

/* Of a plan that was revised, what came of it counts; what did not is the next plan's matter. */
static void write_steps(const struct json *report, struct json *summary)
{
    const struct json *steps = js_get(report, "steps");
    const int64_t revision = (int64_t)js_count(js_get(report, "revisions"));
    int64_t done = 0, total = 0;
    for (size_t i = 0; i < js_count(steps); i++) {
        const struct json *step = js_at(steps, i);
        const char *state = js_get_text(step, "state");
        const bool is_done = text_equal(state, "done") || text_equal(state, "found");
        done += is_done ? 1 : 0;
        total += is_done || js_get_number(step, "revision", 0) == revision ? 1 : 0;
    }
    js_put_number(summary, "steps_done", done);
    js_put_number(summary, "steps_total", total);
}

static void write_figures(const struct json *report, struct json *summary)
{
    const struct summary_sum sum = summary_add(report, INT64_MIN, INT64_MAX);
    for (size_t f = 0; f < ARRAY_COUNT(sum_fields); f++) {
        js_put_number(summary, sum_fields[f].key,
            *(const int64_t *)(const void *)((const char *)&sum + sum_fields[f].offset));
    }
    js_put_number(summary, "longest_us", sum.max_us);
    js_put_number(summary, "p50_us", summary_percentile_us(report, INT64_MIN, INT64_MAX, 500));
    js_put_number(summary, "p99_us", summary_percentile_us(report, INT64_MIN, INT64_MAX, 990));
    const int64_t window_ms =
        js_get_number(report, "to_ms", 0) - js_get_number(report, "from_ms", 0);
    js_put_number(summary, "window_ms", window_ms);
    js_put_number(summary, "unobserved_ms", window_ms - sum.observed_ms);
    write_readback(report, sum.acked, summary);
    write_steps(report, summary);
}

/* "0 failed of 123,456 operations", never "0 failed" alone where nobody looked. */
static const char *describe_failed(struct arena *arena, const struct json *summary)
{
    const int64_t operations = js_get_number(summary, "intended", 0);
    const char *failed = format_count(arena, js_get_number(summary, "failed", 0));
    if (js_get_number(summary, "unobserved_ms", 0) == 0) {
        return arena_format(
            arena, "%s failed of %s", failed, format_counted(arena, operations, "operation"));
    }
    return arena_format(arena, "%s failed in the %s observed (%s)", failed,
        format_percent(arena, js_get_number(summary, "observed_ms", 0),
            js_get_number(summary, "window_ms", 0)),
        format_counted(arena, operations, "operation"));
}

static const char *describe_lost(struct arena *arena, const struct json *summary)
{
    const int64_t not_checked = js_get_number(summary, "not_checked", 0);
    const int64_t foreign = js_get_number(summary, "lost_in_failovers", 0);
    const char *lost = format_count(arena, js_get_number(summary, "lost", 0) - foreign);
    if (js_get_number(summary, "acked", 0) == 0) {
        return "no write was checked";
    }
    if (js_get_number(summary, "checked", 0) == 0) {
        return arena_format(arena, "none of %s acknowledged writes was read back",
            format_count(arena, not_checked));
    }
    if (not_checked == 0) {
        return arena_format(arena, "%s of %s acknowledged writes lost", lost,
            format_count(arena, js_get_number(summary, "acked", 0)));
    }
    return arena_format(arena, "%s of %s checked writes lost (%s not checked)", lost,
        format_count(arena, js_get_number(summary, "checked", 0)),
        format_count(arena, not_checked));
}

static void write_headline(struct arena *arena, const struct json *report, struct json *summary)
{
    if (js_count(js_get(js_get(report, "probe"), "incarnations")) == 0) {
        js_put_text(summary, "headline", "nothing was observed: no probe was running");
        return;
    }
    /* A failed operation has no length: it was given up. */
    const bool has_failed = js_get_number(summary, "failed", 0) > 0;
    const int64_t foreign = js_get_number(summary, "lost_in_failovers", 0);
    const char *apart =
        foreign == 0 ? ""
                     : arena_format(arena, " and %s in a failover that this run did not make",
                           format_count(arena, foreign));
    js_put_text(summary, "headline",
        arena_format(arena, "%s, %s%s, longest %s %s", describe_failed(arena, summary),
            describe_lost(arena, summary), apart, has_failed ? "successful operation" : "operation",
            format_us(arena, js_get_number(summary, "longest_us", 0))));
}

void summary_write(struct json *report)
{
    AUTO_ARENA arena = {0};
    struct json *summary = js_object();
    js_put(report, "summary", summary);
    js_put(report, "failovers", failovers_find(report));
    write_figures(report, summary);
    write_headline(&arena, report, summary);
    write_cost(&arena, report, summary);
    judge_write(report);
    js_put(report, "stalls", parts_find_stalls(report));
    js_put(report, "parts", parts_find(report));
}
