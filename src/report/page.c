/*
 * report/page.c - the HTML page: the proof in one line, the pictures, the data.
 */
#include "report/page.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/chart.h"
#include "report/format.h"
#include "report/report.h"

void page_open_section(const struct page *page, const char *title, const char *note)
{
    buf_append_text(page->out, "<section><h2>");
    format_html(page->out, title);
    buf_append_text(page->out, "</h2>");
    if (note != NULL) {
        buf_append_text(page->out, "<p class=\"note\">");
        format_html(page->out, note);
        buf_append_text(page->out, "</p>");
    }
    buf_append_char(page->out, '\n');
}

void page_close_section(const struct page *page)
{
    buf_append_text(page->out, "</section>\n");
}

static void write_head(const struct page *page)
{
    buf_append_text(page->out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
        "<meta name=\"color-scheme\" content=\"light dark\"><title>");
    format_html(page->out, js_get_text(page->run, "id"));
    buf_append_text(page->out, " - upshift report</title>\n<style>\n");
    buf_append_text(page->out, page_css);
    buf_append_text(page->out,
        "</style></head><body>\n<svg width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>"
        "<pattern id=\"hatch\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" "
        "patternTransform=\"rotate(45)\"><path class=\"hatch\" d=\"M0 0V5\"/></pattern></defs>"
        "</svg>\n<main>\n");
}

static int64_t page_figure(const struct page *page, const char *key)
{
    return js_get_number(page->summary, key, 0);
}

/* Red when something is known to be wrong, amber when something is merely not known. */
static const char *verdict_class(const struct page *page)
{
    const char *verdict = js_get_text(page->summary, "verdict");
    if (text_equal(verdict, "passed") || text_equal(verdict, "rolled back")) {
        return "passed";
    }
    const bool is_bad =
        page_figure(page, "failed") + page_figure(page, "wrong") + page_figure(page, "lost") > 0;
    return is_bad ? "failed" : "open";
}

static void write_title(const struct page *page)
{
    char from[CLOCK_TEXT_SIZE];
    const char *title = js_get_text(page->run, "title");
    const int64_t from_ms = js_get_number(page->report, "from_ms", 0);
    const int64_t to_ms = js_get_number(page->report, "to_ms", 0);
    buf_append_text(page->out, "<header><p class=\"run\"><b>upshift</b> run ");
    format_html(page->out, js_get_text(page->run, "id"));
    buf_printf(page->out, "<span>%.16s UTC, %s</span></p><h1>", clock_format_wall(from_ms, from),
        format_ms(page->arena, to_ms - from_ms));
    const char *cluster = js_get_text(page->run, "cluster");
    format_html(page->out, cluster == NULL ? js_get_text(page->run, "id") : cluster);
    if (title != NULL) {
        buf_append_text(page->out, "<small>");
        format_html(page->out, title);
        buf_append_text(page->out, "</small>");
    }
    buf_append_text(page->out, "</h1></header>\n");
}

static void write_verdict(const struct page *page)
{
    buf_printf(page->out, "<div class=\"verdict %s\"><p class=\"word\">", verdict_class(page));
    format_html(page->out, js_get_text(page->summary, "verdict"));
    buf_append_text(page->out, "</p><p class=\"proof\">");
    format_html(page->out, js_get_text(page->summary, "headline"));
    buf_append_text(page->out, "</p>");
    const char *cause = js_get_text(page->run, "rollback_cause");
    if (cause != NULL) {
        buf_append_text(page->out, "<p class=\"note\">Went back: ");
        format_html(page->out, cause);
        buf_append_text(page->out, ".</p>");
    }
    const struct json *reasons = js_get(page->summary, "reasons");
    if (js_count(reasons) > 0) {
        buf_append_text(page->out, "<ul>");
        for (size_t i = 0; i < js_count(reasons); i++) {
            buf_append_text(page->out, "<li>");
            format_html(page->out, js_as_text(js_at(reasons, i)));
            buf_append_text(page->out, "</li>");
        }
        buf_append_text(page->out, "</ul>");
    }
    buf_append_text(page->out, "</div>\n");
}

static void write_tile(const struct page *page, const char *value, const char *label)
{
    buf_append_text(page->out, "<div><b>");
    format_html(page->out, value);
    buf_append_text(page->out, "</b><span>");
    format_html(page->out, label);
    buf_append_text(page->out, "</span></div>\n");
}

/* A count says something only where somebody looked. */
static const char *count_or_dash(const struct page *page, bool is_known, int64_t count)
{
    return is_known ? format_count(page->arena, count) : "-";
}

static void write_tiles(const struct page *page)
{
    struct arena *arena = page->arena;
    const bool has_seen = page_figure(page, "intended") > 0;
    const bool has_gap = page_figure(page, "unobserved_ms") > 0;
    const int64_t failed = page_figure(page, "failed");
    buf_append_text(page->out, "<div class=\"tiles\">\n");
    write_tile(page, count_or_dash(page, has_seen, failed),
        has_gap ? "operations failed while observed" : "operations failed");
    write_tile(page, count_or_dash(page, has_seen, page_figure(page, "raw_failed") - failed),
        "succeeded only on retry");
    write_tile(page,
        count_or_dash(page, page_figure(page, "checked") > 0, page_figure(page, "lost")),
        page_figure(page, "not_checked") > 0 ? "of the writes read back lost"
                                             : "acknowledged writes lost");
    write_tile(page, has_seen ? format_us(arena, page_figure(page, "longest_us")) : "-",
        failed > 0 ? "longest that succeeded" : "longest operation");
    write_tile(
        page, has_seen ? format_us(arena, page_figure(page, "p99_us")) : "-", "99 of 100 within");
    write_tile(page,
        format_percent(arena, page_figure(page, "observed_ms"), page_figure(page, "window_ms")),
        "of the time observed");
    write_tile(page,
        arena_format(arena, "%s/%s", format_count(arena, page_figure(page, "steps_done")),
            format_count(arena, page_figure(page, "steps_total"))),
        "steps done");
    buf_append_text(page->out, "</div>\n");
}

static void write_pictures(const struct page *page)
{
    const struct chart chart = chart_of(page->report, page->out, page->arena);
    const struct json *probe = js_get(page->report, "probe");
    const bool has_probe = js_count(js_get(probe, "incarnations")) > 0;
    page_open_section(page, "What clients saw",
        arena_format(page->arena, "Each bar is %s; the time axis is the same in all pictures.",
            format_ms(page->arena, chart_column_ms(&chart))));
    chart_write_strip(&chart);
    buf_append_text(page->out,
        "<p class=\"legend\"><i class=\"good\"></i>all succeeded <i class=\"raw\"></i>some only "
        "on retry <i class=\"bad\"></i>failed <i class=\"gap\"></i>not observed <i "
        "class=\"stalled\"></i>probe not scheduled by its host <i class=\"restart\"></i>node "
        "restarted <i class=\"switchover\"></i>switchover</p>\n");
    if (has_probe) {
        chart_write_latency(&chart);
        page_write_stalls(page);
        buf_append_text(page->out, "<p class=\"note\">Cost of looking: ");
        format_html(page->out, js_get_text(page->summary, "cost"));
        buf_append_text(page->out, ".</p>\n");
    }
    page_close_section(page);
    if (js_count(js_get(page->report, "snapshots")) > 0) {
        page_open_section(page, "Nodes and versions",
            "Versions and roles as the servers gave them at the begin and at the end.");
        chart_write_nodes(&chart);
        buf_append_text(page->out,
            "<p class=\"legend\"><i class=\"old\"></i>version before <i class=\"new\"></i>version "
            "after <i class=\"thick\"></i>primary <i class=\"thin\"></i>replica <i "
            "class=\"out\"></i>out of service <i class=\"switchover\"></i>became primary</p>\n");
        page_close_section(page);
    }
}

static void write_digest(const struct page *page, const char *what, const char *digest)
{
    buf_append_text(page->out, "<tr><td>");
    format_html(page->out, what);
    buf_append_text(page->out, "</td><td><code>");
    format_html(page->out, digest == NULL ? "-" : digest);
    buf_append_text(page->out, "</code></td></tr>\n");
}

static void write_verification(const struct page *page)
{
    page_open_section(page, "How to verify",
        "This file carries its data. `upshift report --verify FILE` recomputes every figure and "
        "picture from it, and, where the journal and the probe's logs are still there, the data "
        "from them.");
    buf_append_text(page->out, "<table class=\"digests\">\n");
    const struct json *journal = js_get(page->report, "journal");
    write_digest(page,
        arena_format(page->arena, "journal, %s",
            format_counted(page->arena, js_get_number(journal, "records", 0), "record")),
        js_get_text(journal, "head"));
    write_digest(page, "plan", js_get_text(page->run, "plan_digest"));
    const struct json *files = js_get(js_get(page->report, "probe"), "incarnations");
    for (size_t i = 0; i < js_count(files); i++) {
        const struct json *file = js_at(files, i);
        write_digest(page,
            arena_format(page->arena, "probe log %s, %s", js_get_text(file, "file"),
                format_counted(page->arena, js_get_number(file, "lines", 0), "line")),
            js_get_text(file, "head"));
    }
    buf_append_text(page->out, "</table>\n");
    page_close_section(page);
}

/* In a script element only "<" can end the data early; in JSON it may always be written so. */
static void write_data(const struct page *page)
{
    AUTO_FREE char *text = js_write(page->report);
    buf_append_text(page->out, PAGE_DATA_BEGIN);
    struct str rest = str_of(text);
    struct str part;
    bool is_first = true;
    while (str_cut(&rest, '<', &part)) {
        buf_append_text(page->out, is_first ? "" : "\\u003c");
        buf_append_str(page->out, part);
        is_first = false;
    }
    buf_append_text(page->out, PAGE_DATA_END "\n");
}

void report_write_html(const struct json *report, struct buf *ret_html)
{
    AUTO_ARENA arena = {0};
    const struct page page = {.out = ret_html,
        .arena = &arena,
        .report = report,
        .run = js_get(report, "run"),
        .summary = js_get(report, "summary")};
    write_head(&page);
    write_title(&page);
    write_verdict(&page);
    write_tiles(&page);
    write_pictures(&page);
    page_write_failovers(&page);
    page_write_scope(&page);
    page_write_parts(&page);
    page_write_stock(&page);
    page_write_errors(&page);
    page_write_revisions(&page);
    page_write_steps(&page);
    page_write_events(&page);
    page_write_way_back(&page);
    write_verification(&page);
    buf_append_text(page.out, "</main>\n");
    write_data(&page);
    buf_append_text(page.out, "</body></html>\n");
}
