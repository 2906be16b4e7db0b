/*
 * report/text.c - the report as the terminal's last screen.
 */
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "report/failovers.h"
#include "report/format.h"
#include "report/report.h"

enum { TEXT_WIDTH = 78, STRIP_WIDTH = 64 };

/* Appends a text broken at blanks, each further line indented. */
static void wrap(struct buf *buf, const char *first, const char *text)
{
    size_t column = strlen(first);
    const size_t indent = column;
    buf_append_text(buf, first);
    struct str rest = str_of(text);
    struct str word;
    while (str_cut(&rest, ' ', &word)) {
        if (column > indent && column + 1 + word.size > TEXT_WIDTH) {
            buf_printf(buf, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            buf_append_char(buf, ' ');
            column++;
        }
        buf_append_str(buf, word);
        column += word.size;
    }
    buf_append_char(buf, '\n');
}

static void write_sentences(struct buf *buf, const char *title, const struct json *list)
{
    if (js_count(list) == 0) {
        return;
    }
    buf_printf(buf, "\n%s\n", title);
    for (size_t i = 0; i < js_count(list); i++) {
        const char *text = js_as_text(js_at(list, i));
        wrap(buf, "  - ", text == NULL ? "" : text);
    }
}

/* One sign for some slots: the worst of them decides. */
static char sign_of(const struct json *slots, size_t from, size_t to, int64_t slot_ms)
{
    char sign = '=';
    for (size_t i = from; i < to; i++) {
        const struct json *slot = js_at(slots, i);
        if (js_get_number(slot, "failed", 0) + js_get_number(slot, "wrong", 0) > 0) {
            return 'X';
        }
        const bool is_last = i + 1 == js_count(slots); /* the last slot ends when time ends */
        const bool is_seen = is_last || js_get_number(slot, "observed_ms", 0) >= slot_ms;
        if (js_get_number(slot, "raw_failed", 0) > 0) {
            sign = '+';
        } else if (!is_seen && sign == '=') {
            sign = '?';
        }
    }
    return sign;
}

static void write_strip(struct buf *buf, struct arena *arena, const struct json *report)
{
    const struct json *probe = js_get(report, "probe");
    const struct json *slots = js_get(probe, "slots");
    const size_t count = js_count(slots);
    if (js_count(js_get(probe, "incarnations")) == 0) {
        return;
    }
    const int64_t slot_ms = js_get_number(probe, "slot_ms", 1000);
    const size_t width = count < STRIP_WIDTH ? count : STRIP_WIDTH;
    buf_append_text(buf, "\n  [");
    for (size_t i = 0; i < width; i++) {
        buf_append_char(buf, sign_of(slots, i * count / width, (i + 1) * count / width, slot_ms));
    }
    buf_printf(buf, "] %s\n",
        format_ms(arena, js_get_number(report, "to_ms", 0) - js_get_number(report, "from_ms", 0)));
    buf_append_text(buf, "  = all succeeded  + some on retry  X failed  ? not observed\n");
}

static void append_cost(struct buf *buf, const struct json *summary)
{
    const char *cost = js_get_text(summary, "cost");
    if (cost != NULL) {
        buf_append_char(buf, '\n');
        wrap(buf, "  Cost: ", cost);
    }
}

static void write_stalls(struct buf *buf, struct arena *arena, const struct json *report)
{
    const struct json *stalls = js_get(report, "stalls");
    if (js_count(stalls) > 0) {
        buf_append_text(buf, "\nSlowest moments\n");
    }
    for (size_t i = 0; i < js_count(stalls); i++) {
        const struct json *stall = js_at(stalls, i);
        const struct json *steps = js_get(stall, "steps");
        const char *step = js_as_text(js_at(steps, 0));
        const int64_t raw_failed = js_get_number(stall, "raw_failed", 0);
        const char *cause = step == NULL ? "no step" : step;
        if (js_count(steps) > 1) {
            cause = arena_format(arena, "%s and %zu more", cause, js_count(steps) - 1);
        }
        if (js_get_bool(stall, "is_probe_stall", false)) {
            cause = "the probe itself was not scheduled";
        }
        buf_printf(buf, "  %8s  at %s  %s%s\n",
            format_us(arena, js_get_number(stall, "longest_us", 0)),
            format_clock(arena, js_get_number(stall, "at_ms", 0)), cause,
            raw_failed == 0
                ? ""
                : arena_format(arena, ", %s raw failed", format_count(arena, raw_failed)));
    }
}

static void write_back(struct buf *buf, const struct json *run)
{
    const char *cause = js_get_text(run, "rollback_cause");
    if (cause != NULL) {
        wrap(buf, "  Went back: ", cause);
    }
}

static void write_revisions(struct buf *buf, struct arena *arena, const struct json *report)
{
    const struct json *revisions = js_get(report, "revisions");
    if (js_count(revisions) > 0) {
        buf_append_text(buf, "\nThe plan was revised\n");
    }
    for (size_t i = 0; i < js_count(revisions); i++) {
        wrap(buf, "  - ", format_revision(arena, js_at(revisions, i)));
    }
}

static void write_failovers(struct buf *buf, struct arena *arena, const struct json *report)
{
    const struct json *failovers = js_get(report, "failovers");
    if (js_count(failovers) > 0) {
        buf_append_text(buf, "\nFailovers that this run did not make\n");
    }
    for (size_t i = 0; i < js_count(failovers); i++) {
        wrap(buf, "  - ", failovers_describe(arena, js_at(failovers, i)));
    }
}

void report_write_text(const struct json *report, struct buf *ret_text)
{
    AUTO_ARENA arena = {0};
    const struct json *run = js_get(report, "run");
    const struct json *summary = js_get(report, "summary");
    const char *title = js_get_text(run, "title");
    const char *headline = js_get_text(summary, "headline");
    buf_printf(ret_text, "Run %s: %s\n", js_get_text(run, "id"), title == NULL ? "" : title);
    buf_printf(ret_text, "%s, %s of %s steps done\n\n", js_get_text(run, "state"),
        format_count(&arena, js_get_number(summary, "steps_done", 0)),
        format_count(&arena, js_get_number(summary, "steps_total", 0)));
    const char *verdict = js_get_text(summary, "verdict");
    wrap(ret_text,
        text_equal(verdict, "passed")        ? "  PASSED      "
        : text_equal(verdict, "rolled back") ? "  ROLLED BACK "
                                             : "  NOT PROVED  ",
        headline == NULL ? "" : headline);
    write_back(ret_text, run);
    write_strip(ret_text, &arena, report);
    append_cost(ret_text, summary);
    write_sentences(ret_text, "Not proved because", js_get(summary, "reasons"));
    write_revisions(ret_text, &arena, report);
    write_failovers(ret_text, &arena, report);
    write_stalls(ret_text, &arena, report);
    write_sentences(ret_text, "Checked", js_get(report, "checked"));
    write_sentences(ret_text, "Not checked", js_get(report, "not_checked"));
}
