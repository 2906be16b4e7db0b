#include "report/format.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"

const char *format_count(struct arena *arena, int64_t count)
{
    if (count < 0) {
        return arena_format(arena, "-%s", format_count(arena, -count));
    }
    if (count < 1000) {
        return arena_format(arena, "%" PRId64, count);
    }
    return arena_format(arena, "%s,%03d", format_count(arena, count / 1000), (int)(count % 1000));
}

const char *format_counted(struct arena *arena, int64_t count, const char *noun)
{
    return arena_format(arena, "%s %s%s", format_count(arena, count), noun, count == 1 ? "" : "s");
}

const char *format_us(struct arena *arena, int64_t us)
{
    if (us < 1000) {
        return arena_format(arena, "%" PRId64 " us", us);
    }
    if (us < 10000) {
        return arena_format(arena, "%.1f ms", (double)us / 1000.0);
    }
    if (us < 1000000) {
        return arena_format(arena, "%" PRId64 " ms", (us + 500) / 1000);
    }
    return arena_format(arena, "%.2f s", (double)us / 1000000.0);
}

const char *format_ms(struct arena *arena, int64_t ms)
{
    if (ms < 1000) {
        return arena_format(arena, "%" PRId64 " ms", ms);
    }
    if (ms < 100000) {
        return arena_format(arena, "%.1f s", (double)ms / 1000.0);
    }
    const int64_t seconds = ms / 1000;
    if (seconds < 3600) {
        return arena_format(arena, "%" PRId64 " min %" PRId64 " s", seconds / 60, seconds % 60);
    }
    return arena_format(
        arena, "%" PRId64 " h %" PRId64 " min", seconds / 3600, seconds % 3600 / 60);
}

const char *format_percent(struct arena *arena, int64_t part, int64_t whole)
{
    const int64_t tenths = whole <= 0 ? 0 : part * 1000 / whole;
    return tenths % 10 == 0
               ? arena_format(arena, "%" PRId64 " %%", tenths / 10)
               : arena_format(arena, "%" PRId64 ".%" PRId64 " %%", tenths / 10, tenths % 10);
}

const char *format_bytes(struct arena *arena, int64_t size)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)size;
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < ARRAY_COUNT(units)) {
        value /= 1000.0;
        unit++;
    }
    return arena_format(
        arena, unit > 0 && value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

const char *format_clock(struct arena *arena, int64_t wall_ms)
{
    char text[CLOCK_TEXT_SIZE];
    const char *whole = clock_format_wall(wall_ms, text); /* 2026-11-21T02:15:04.123Z */
    const char *time_of_day = strchr(whole, 'T');
    return time_of_day == NULL ? arena_strdup(arena, whole)
                               : arena_strndup(arena, time_of_day + 1, 8);
}

const char *format_revision(struct arena *arena, const struct json *revision)
{
    const bool is_back = text_equal(js_get_text(revision, "direction"), "back");
    const char *cause = js_get_text(revision, "cause");
    const char *who = js_get_text(revision, "accepted_by");
    return arena_format(arena, "%s %s: %s%s%s",
        format_clock(arena, js_get_number(revision, "at_ms", 0)),
        is_back ? "going back" : "going forward", cause == NULL ? "?" : cause,
        who == NULL ? "" : "; accepted by ", who == NULL ? "" : who);
}

void format_html(struct buf *buf, const char *text)
{
    while (text != NULL && *text != '\0') {
        static const char special[] = "<>&\"'";
        const size_t plain = strcspn(text, special);
        const char *arrow = strstr(text, " -> ");
        if (arrow != NULL && (size_t)(arrow - text) < plain) {
            buf_append(buf, text, (size_t)(arrow - text));
            buf_append_text(buf, " \u2192 ");
            text = arrow + 4;
            continue;
        }
        buf_append(buf, text, plain);
        text += plain;
        if (*text != '\0') {
            buf_printf(buf, "&#%d;", (unsigned char)*text);
            text++;
        }
    }
}
