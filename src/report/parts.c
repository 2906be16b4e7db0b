#include "report/parts.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/str.h"
#include "report/summary.h"

/* Slower than this, and than eight times the usual p99, a person asks why. */
enum { STALL_US_MIN = 20000, STALL_P99_FACTOR = 8, STALLS_MAX = 8 };

/* A pause between two phases that is worth a line. */
enum { PART_MS_MIN = 500 };

struct moment {
    int64_t at_ms, until_ms;
    int64_t longest_us, stalled_us; /* the latter: of the probe itself, meanwhile */
    int64_t raw_failed, failed;
};

static int64_t limit(int64_t count)
{
    return count > 10000 ? 10000 : count;
}

/* Failures first, then slowness. */
static int64_t weigh(const struct moment *moment)
{
    return moment->failed > 0       ? INT64_MAX - 1000000 + limit(moment->failed)
           : moment->raw_failed > 0 ? INT64_MAX / 2 + limit(moment->raw_failed)
                                    : moment->longest_us;
}

static int compare_weights(const void *a, const void *b)
{
    const struct moment *left = a;
    const struct moment *right = b;
    return (weigh(left) < weigh(right)) - (weigh(left) > weigh(right));
}

static int compare_times(const void *a, const void *b)
{
    const struct moment *left = a;
    const struct moment *right = b;
    return (left->at_ms > right->at_ms) - (left->at_ms < right->at_ms);
}

static struct json *steps_during(const struct json *report, int64_t from_ms, int64_t until_ms)
{
    struct json *ids = js_array();
    const struct json *steps = js_get(report, "steps");
    for (size_t i = 0; i < js_count(steps); i++) {
        const struct json *step = js_at(steps, i);
        const int64_t started_ms = js_get_number(step, "started_ms", INT64_MAX);
        const int64_t ended_ms = js_get_number(step, "ended_ms", INT64_MAX);
        if (started_ms <= until_ms && ended_ms >= from_ms) {
            js_push(ids, js_text(js_get_text(step, "id")));
        }
    }
    return ids;
}

static struct json *describe_stall(const struct json *report, const struct moment *moment)
{
    struct json *stall = js_object();
    js_put_number(stall, "at_ms", moment->at_ms);
    js_put_number(stall, "until_ms", moment->until_ms);
    js_put_number(stall, "longest_us", moment->longest_us);
    js_put_number(stall, "raw_failed", moment->raw_failed);
    js_put_number(stall, "failed", moment->failed);
    js_put_bool(stall, "is_probe_stall",
        moment->raw_failed + moment->failed == 0 && moment->stalled_us * 2 >= moment->longest_us);
    js_put(stall, "steps", steps_during(report, moment->at_ms, moment->until_ms));
    return stall;
}

/* What was intended in this slot was under way from its begin until its slowest had ended. */
static struct moment moment_of(const struct json *slot, int64_t at_ms, int64_t slot_ms)
{
    struct moment moment = {
        .at_ms = at_ms,
        .longest_us = js_get_number(slot, "max_us", 0),
        .stalled_us = js_get_number(slot, "max_stalled_us", 0),
        .raw_failed = js_get_number(slot, "raw_failed", 0),
        .failed = js_get_number(slot, "failed", 0) + js_get_number(slot, "wrong", 0),
    };
    moment.until_ms = at_ms + slot_ms + moment.longest_us / 1000;
    return moment;
}

/* Joins a moment to the last one when they touch: it is one event then. */
static bool join_last(struct moment *last, const struct moment *moment)
{
    if (moment->at_ms > last->until_ms) {
        return false;
    }
    last->until_ms = moment->until_ms > last->until_ms ? moment->until_ms : last->until_ms;
    last->raw_failed += moment->raw_failed;
    last->failed += moment->failed;
    if (moment->longest_us > last->longest_us) {
        last->longest_us = moment->longest_us;
        last->stalled_us = moment->stalled_us;
    }
    return true;
}

static struct moment *collect_moments(
    struct arena *arena, const struct json *report, size_t *ret_count)
{
    const struct json *probe = js_get(report, "probe");
    const struct json *slots = js_get(probe, "slots");
    const int64_t slot_ms = js_get_number(probe, "slot_ms", 1000);
    const int64_t usual_us = js_get_number(js_get(report, "summary"), "p99_us", 0);
    const int64_t factored_us = usual_us * STALL_P99_FACTOR;
    const int64_t limit_us = factored_us > STALL_US_MIN ? factored_us : STALL_US_MIN;
    struct moment *moments = NULL;
    size_t count = 0;
    for (size_t i = 0; i < js_count(slots); i++) {
        const int64_t at_ms = js_get_number(report, "from_ms", 0) + (int64_t)i * slot_ms;
        const struct moment moment = moment_of(js_at(slots, i), at_ms, slot_ms);
        const bool is_odd =
            moment.longest_us > limit_us || moment.raw_failed > 0 || moment.failed > 0;
        if (is_odd && (count == 0 || !join_last(&moments[count - 1], &moment))) {
            struct moment *kept = arena_push(arena, &moments, &count, sizeof(*moments));
            *kept = moment;
        }
    }
    *ret_count = count;
    return moments;
}

struct json *parts_find_stalls(const struct json *report)
{
    AUTO_ARENA arena = {0};
    size_t count = 0;
    struct moment *moments = collect_moments(&arena, report, &count);
    struct json *stalls = js_array();
    if (count == 0) {
        return stalls;
    }
    qsort(moments, count, sizeof(*moments), compare_weights);
    count = count > STALLS_MAX ? STALLS_MAX : count;
    qsort(moments, count, sizeof(*moments), compare_times);
    for (size_t i = 0; i < count; i++) {
        js_push(stalls, describe_stall(report, &moments[i]));
    }
    return stalls;
}

static void add_part(const struct json *report, struct json *parts, const char *title,
    int64_t from_ms, int64_t to_ms)
{
    const struct summary_sum sum = summary_add(report, from_ms, to_ms);
    struct json *part = js_object();
    js_put_text(part, "title", title);
    js_put_number(part, "from_ms", from_ms);
    js_put_number(part, "to_ms", to_ms);
    js_put_number(part, "operations", sum.intended);
    js_put_number(part, "raw_failed", sum.raw_failed);
    js_put_number(part, "failed", sum.failed);
    js_put_number(part, "p50_us", summary_percentile_us(report, from_ms, to_ms, 500));
    js_put_number(part, "p99_us", summary_percentile_us(report, from_ms, to_ms, 990));
    js_put_number(part, "longest_us", sum.max_us);
    js_push(parts, part);
}

/* What the time between two phases is called. */
static const char *between(const struct json *report, const char *next, bool is_first)
{
    if (is_first) {
        return "before";
    }
    const bool is_soaking = text_equal(js_get_text(js_get(report, "run"), "state"), "SOAKING");
    if (text_equal(next, "finalize") || (next == NULL && is_soaking)) {
        return "pause point";
    }
    return next == NULL ? "after" : "between";
}

struct json *parts_find(const struct json *report)
{
    struct json *parts = js_array();
    const struct json *phases = js_get(report, "phases");
    const int64_t end_ms = js_get_number(report, "to_ms", 0);
    int64_t seen_ms = js_get_number(report, "from_ms", 0);
    for (size_t i = 0; i < js_count(phases); i++) {
        const struct json *phase = js_at(phases, i);
        const char *name = js_get_text(phase, "name");
        const int64_t from_ms = js_get_number(phase, "started_ms", -1);
        const int64_t to_ms = js_get_number(phase, "ended_ms", end_ms);
        if (from_ms < 0) {
            continue;
        }
        if (from_ms - seen_ms >= PART_MS_MIN) {
            add_part(report, parts, between(report, name, js_count(parts) == 0), seen_ms, from_ms);
        }
        add_part(report, parts, name, from_ms, to_ms);
        seen_ms = to_ms > seen_ms ? to_ms : seen_ms;
    }
    if (end_ms - seen_ms >= PART_MS_MIN) {
        add_part(report, parts, between(report, NULL, js_count(parts) == 0), seen_ms, end_ms);
    }
    return parts;
}
