/*
 * report/page_lists.c - the page's lists and tables.
 */
#include "base/str.h"
#include "report/failovers.h"
#include "report/format.h"
#include "report/page.h"

enum { ERRORS_LISTED_MAX = 30 };

static void write_cell(const struct page *page, const char *class, const char *text)
{
    buf_printf(page->out, "<td class=\"%s\">", class);
    format_html(page->out, text);
    buf_append_text(page->out, "</td>");
}

static const struct json *find_step(const struct page *page, const char *id)
{
    const struct json *steps = js_get(page->report, "steps");
    for (size_t i = 0; id != NULL && i < js_count(steps); i++) {
        if (text_equal(js_get_text(js_at(steps, i), "id"), id)) {
            return js_at(steps, i);
        }
    }
    return NULL;
}

/* What people call a step: its summary, else its id. */
static const char *name_step(const struct page *page, const char *id)
{
    const char *summary = js_get_text(find_step(page, id), "summary");
    return summary == NULL ? id : summary;
}

/* What went on during a stall: the steps by name, shortened. */
static const char *explain_stall(const struct page *page, const struct json *stall)
{
    const struct json *steps = js_get(stall, "steps");
    if (js_get_bool(stall, "is_probe_stall", false)) {
        return "this host did not let the probe run; it says nothing about the cluster";
    }
    if (js_count(steps) == 0) {
        return "no step was under way";
    }
    const char *text = name_step(page, js_as_text(js_at(steps, 0)));
    if (js_count(steps) > 1) {
        const char *second = name_step(page, js_as_text(js_at(steps, 1)));
        text = arena_format(page->arena, "%s; %s", text, second);
    }
    return js_count(steps) <= 2
               ? text
               : arena_format(page->arena, "%s; and %zu more", text, js_count(steps) - 2);
}

void page_write_stalls(const struct page *page)
{
    const struct json *stalls = js_get(page->report, "stalls");
    if (js_count(stalls) == 0) {
        buf_append_text(page->out, "<p class=\"note\">No moment stands out.</p>\n");
        return;
    }
    buf_append_text(page->out, "<ol class=\"stalls\">\n");
    for (size_t i = 0; i < js_count(stalls); i++) {
        const struct json *stall = js_at(stalls, i);
        const int64_t raw_failed = js_get_number(stall, "raw_failed", 0);
        const int64_t failed = js_get_number(stall, "failed", 0);
        buf_printf(page->out, "<li><b>%s</b> at %s",
            format_us(page->arena, js_get_number(stall, "longest_us", 0)),
            format_clock(page->arena, js_get_number(stall, "at_ms", 0)));
        if (raw_failed > 0) {
            buf_printf(page->out, ", %s raw failed, %s failed",
                format_count(page->arena, raw_failed), format_count(page->arena, failed));
        }
        buf_append_text(page->out, ": ");
        format_html(page->out, explain_stall(page, stall));
        buf_append_text(page->out, "</li>\n");
    }
    buf_append_text(page->out, "</ol>\n");
}

static void write_scope_list(
    const struct page *page, const char *class, const char *title, const struct json *list)
{
    buf_printf(page->out, "<section class=\"%s\"><h2>%s</h2><ul>\n", class, title);
    for (size_t i = 0; i < js_count(list); i++) {
        buf_append_text(page->out, "<li>");
        format_html(page->out, js_as_text(js_at(list, i)));
        buf_append_text(page->out, "</li>\n");
    }
    buf_append_text(page->out, "</ul></section>\n");
}

void page_write_scope(const struct page *page)
{
    buf_append_text(page->out, "<div class=\"scope\">\n");
    write_scope_list(page, "checked", "Checked", js_get(page->report, "checked"));
    write_scope_list(page, "unchecked", "Not checked", js_get(page->report, "not_checked"));
    buf_append_text(page->out, "</div>\n");
}

void page_write_parts(const struct page *page)
{
    const struct json *parts = js_get(page->report, "parts");
    if (js_count(parts) == 0) {
        return;
    }
    struct arena *arena = page->arena;
    page_open_section(page, "Before, during, after", NULL);
    buf_append_text(page->out,
        "<table><thead><tr><th>part</th><th class=\"n\">lasted</th><th class=\"n\">operations</th>"
        "<th class=\"n\">raw failed</th><th class=\"n\">failed</th><th class=\"n\">half within</th>"
        "<th class=\"n\">99 of 100 within</th><th class=\"n\">longest</th></tr></thead>\n");
    for (size_t i = 0; i < js_count(parts); i++) {
        const struct json *part = js_at(parts, i);
        buf_append_text(page->out, "<tr>");
        write_cell(page, "name", js_get_text(part, "title"));
        write_cell(page, "n",
            format_ms(arena, js_get_number(part, "to_ms", 0) - js_get_number(part, "from_ms", 0)));
        write_cell(page, "n", format_count(arena, js_get_number(part, "operations", 0)));
        write_cell(page, "n", format_count(arena, js_get_number(part, "raw_failed", 0)));
        write_cell(page, "n", format_count(arena, js_get_number(part, "failed", 0)));
        write_cell(page, "n", format_us(arena, js_get_number(part, "p50_us", 0)));
        write_cell(page, "n", format_us(arena, js_get_number(part, "p99_us", 0)));
        write_cell(page, "n", format_us(arena, js_get_number(part, "longest_us", 0)));
        buf_append_text(page->out, "</tr>\n");
    }
    buf_append_text(page->out, "</table>\n");
    page_close_section(page);
}

void page_write_failovers(const struct page *page)
{
    const struct json *failovers = js_get(page->report, "failovers");
    if (js_count(failovers) == 0) {
        return;
    }
    page_open_section(page, "Failovers that this run did not make",
        "What was lost in them is counted apart; the proof of the run's own steps stays as it is.");
    buf_append_text(page->out, "<ul>\n");
    for (size_t i = 0; i < js_count(failovers); i++) {
        buf_append_text(page->out, "<li>");
        format_html(page->out, failovers_describe(page->arena, js_at(failovers, i)));
        buf_append_text(page->out, "</li>\n");
    }
    buf_append_text(page->out, "</ul>\n");
    page_close_section(page);
}

void page_write_revisions(const struct page *page)
{
    const struct json *revisions = js_get(page->report, "revisions");
    if (js_count(revisions) == 0) {
        return;
    }
    page_open_section(page, "Changes of the plan", NULL);
    buf_append_text(page->out, "<ul>\n");
    for (size_t i = 0; i < js_count(revisions); i++) {
        const struct json *revision = js_at(revisions, i);
        const struct json *diff = js_get(revision, "diff");
        buf_append_text(page->out, "<li>");
        format_html(page->out, format_revision(page->arena, revision));
        buf_append_text(page->out, js_count(diff) > 0 ? "<ul>" : "");
        for (size_t d = 0; d < js_count(diff); d++) {
            buf_append_text(page->out, "<li>");
            format_html(page->out, js_as_text(js_at(diff, d)));
            buf_append_text(page->out, "</li>");
        }
        buf_append_text(page->out, js_count(diff) > 0 ? "</ul></li>\n" : "</li>\n");
    }
    buf_append_text(page->out, "</ul>\n");
    page_close_section(page);
}

static void write_step(const struct page *page, const struct json *step)
{
    const int64_t started_ms = js_get_number(step, "started_ms", -1);
    const int64_t ended_ms = js_get_number(step, "ended_ms", -1);
    const int64_t attempts = js_get_number(step, "attempts", 0);
    const char *state = js_get_text(step, "state");
    const char *error = js_get_text(step, "error");
    const bool is_good = text_equal(state, "done") || text_equal(state, "found");
    const bool is_open = text_equal(state, "pending") || text_equal(state, "intended") ||
                         text_equal(state, "dropped");
    buf_append_text(page->out, "<tr>");
    write_cell(page, "name", name_step(page, js_get_text(step, "id")));
    write_cell(page, "", js_get_text(step, "phase"));
    write_cell(page, "n", started_ms < 0 ? "-" : format_clock(page->arena, started_ms));
    write_cell(page, "n",
        started_ms < 0 || ended_ms < 0 ? "-" : format_ms(page->arena, ended_ms - started_ms));
    const char *outcome =
        attempts > 1 ? arena_format(page->arena, "%s, %lld attempts", state, (long long)attempts)
                     : state;
    if (error != NULL && !is_good) {
        outcome = arena_format(page->arena, "%s: %s", outcome, error);
    }
    write_cell(page, is_good ? "state" : is_open ? "state open" : "state odd", outcome);
    buf_append_text(page->out, "</tr>\n");
}

void page_write_steps(const struct page *page)
{
    const struct json *steps = js_get(page->report, "steps");
    if (js_count(steps) == 0) {
        return;
    }
    page_open_section(page, "Steps", "In the order of the plan; times in UTC.");
    buf_append_text(page->out,
        "<table class=\"steps\"><thead><tr><th>step</th><th>phase</th><th class=\"n\">began</th>"
        "<th class=\"n\">took</th><th>outcome</th></tr></thead>\n");
    for (size_t i = 0; i < js_count(steps); i++) {
        write_step(page, js_at(steps, i));
    }
    buf_append_text(page->out, "</table>\n");
    page_close_section(page);
}

void page_write_events(const struct page *page)
{
    const struct json *events = js_get(page->report, "events");
    if (js_count(events) == 0) {
        return;
    }
    page_open_section(page, "What else happened", NULL);
    buf_append_text(page->out, "<table class=\"events\">\n");
    for (size_t i = 0; i < js_count(events); i++) {
        const struct json *event = js_at(events, i);
        buf_append_text(page->out, "<tr>");
        write_cell(page, "n", format_clock(page->arena, js_get_number(event, "at_ms", 0)));
        write_cell(page, "", js_get_text(event, "text"));
        buf_append_text(page->out, "</tr>\n");
    }
    buf_append_text(page->out, "</table>\n");
    page_close_section(page);
}

void page_write_errors(const struct page *page)
{
    const struct json *errors = js_get(js_get(page->report, "probe"), "errors");
    const size_t count = js_count(errors);
    if (count == 0) {
        return;
    }
    page_open_section(page, "Errors, in the servers' own words",
        count > ERRORS_LISTED_MAX
            ? arena_format(
                  page->arena, "The first %d; the data below holds %zu.", ERRORS_LISTED_MAX, count)
            : NULL);
    buf_append_text(page->out, "<table class=\"events\">\n");
    for (size_t i = 0; i < count && i < ERRORS_LISTED_MAX; i++) {
        const struct json *error = js_at(errors, i);
        buf_append_text(page->out, "<tr>");
        write_cell(page, "n", format_clock(page->arena, js_get_number(error, "at_ms", 0)));
        write_cell(page, "", js_get_text(error, "node"));
        write_cell(page, "", js_get_text(error, "operation"));
        write_cell(page, "", js_get_text(error, "text"));
        write_cell(page, "",
            js_get_bool(error, "is_retry", false)   ? "retry failed too"
            : js_get_bool(error, "is_fresh", false) ? "on a fresh connection"
                                                    : "");
        buf_append_text(page->out, "</tr>\n");
    }
    buf_append_text(page->out, "</table>\n");
    page_close_section(page);
}

/* Whatever the stock client counted, under its own names, one level deep. */
static void write_counts(const struct page *page, const struct json *counts, const char *prefix)
{
    size_t cursor = 0;
    const char *key = NULL;
    struct json *value = NULL;
    while (js_next(counts, &cursor, &key, &value)) {
        const char *name = arena_format(page->arena, "%s%s", prefix, key);
        if (js_is(value, JS_OBJECT)) {
            write_counts(page, value, arena_format(page->arena, "%s ", name));
            continue;
        }
        const char *text = js_is(value, JS_INT) ? format_count(page->arena, js_as_number(value, 0))
                                                : js_as_text(value);
        if (js_is(value, JS_BOOL)) {
            text = js_as_bool(value, false) ? "yes" : "no";
        }
        buf_append_text(page->out, "<tr>");
        write_cell(page, "name", name);
        write_cell(page, "n", text);
        buf_append_text(page->out, "</tr>\n");
    }
}

void page_write_stock(const struct page *page)
{
    const struct json *stock = js_get(page->report, "stock");
    if (!js_is(stock, JS_OBJECT)) {
        return;
    }
    page_open_section(page, "A stock client beside the probe",
        "Its own counts, as its library's users would have seen them.");
    buf_append_text(page->out, "<table class=\"stock\">\n");
    write_counts(page, stock, "");
    buf_append_text(page->out, "</table>\n");
    page_close_section(page);
}

void page_write_way_back(const struct page *page)
{
    const struct json *lines = js_get(page->report, "way_back");
    if (js_count(lines) == 0 || text_equal(js_get_text(page->run, "state"), "COMPLETE")) {
        return;
    }
    page_open_section(page, "The way back, by hand",
        "Good only while the old-version nodes stay attached and are not restarted.");
    buf_append_text(page->out, "<pre>");
    for (size_t i = 0; i < js_count(lines); i++) {
        format_html(page->out, js_as_text(js_at(lines, i)));
        buf_append_char(page->out, '\n');
    }
    buf_append_text(page->out, "</pre>\n");
    page_close_section(page);
}
