/*
 * report/chart_nodes.c - a row per node: version by colour, role by thickness, out of service.
 *
 * Versions and roles are those that servers reported at the begin and the end; the moments of
 * change are those of the steps in between.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "report/chart.h"
#include "report/failovers.h"
#include "report/format.h"

struct row {
    const char *name, *shard;
    const struct json *before, *after; /* what the server said; NULL: not asked */
    double height;
    double middle;
};

/* Many nodes get thin rows, so that 200 of them still are one picture. */
static const struct {
    size_t node_count_max;
    double height;
    const char *font;
} row_sizes[] = {{30, 22, "label"}, {80, 15, "label"}, {SIZE_MAX, 10, "label small"}};

static const struct json *find_node(const struct json *snapshot, const char *name)
{
    const struct json *nodes = js_get(snapshot, "nodes");
    for (size_t i = 0; name != NULL && i < js_count(nodes); i++) {
        if (text_equal(js_get_text(js_at(nodes, i), "name"), name)) {
            return js_at(nodes, i);
        }
    }
    return NULL;
}

static bool is_primary(const struct json *node)
{
    return text_equal(js_get_text(node, "role"), "primary");
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

/* By shard, its first primary on top. */
static int compare_rows(const void *a, const void *b)
{
    const struct row *left = a;
    const struct row *right = b;
    const int shards = strcmp(or_empty(left->shard), or_empty(right->shard));
    if (shards != 0) {
        return shards;
    }
    const int roles = is_primary(right->before) - is_primary(left->before);
    return roles != 0 ? roles : strcmp(left->name, right->name);
}

static struct row *collect_rows(const struct chart *chart, size_t *ret_count)
{
    const struct json *snapshots = js_get(chart->report, "snapshots");
    const size_t snapshot_count = js_count(snapshots);
    const struct json *first = js_at(snapshots, 0);
    const struct json *last = snapshot_count > 1 ? js_at(snapshots, snapshot_count - 1) : NULL;
    const struct json *nodes = js_get(first, "nodes");
    struct row *rows = NULL;
    size_t count = 0;
    for (size_t i = 0; i < js_count(nodes); i++) {
        const struct json *node = js_at(nodes, i);
        const char *name = js_get_text(node, "name");
        struct row *row = arena_push(chart->arena, &rows, &count, sizeof(*rows));
        *row = (struct row){.name = or_empty(name),
            .shard = js_get_text(node, "shard"),
            .before = node,
            .after = find_node(last, name)};
    }
    if (count > 0) {
        qsort(rows, count, sizeof(*rows), compare_rows);
    }
    *ret_count = count;
    return rows;
}

/* "redis 7.0.15" */
static const char *version_of(const struct chart *chart, const struct json *node)
{
    const char *version = js_get_text(node, "version");
    return version == NULL ? "?"
                           : arena_format(chart->arena, "%s %s",
                                 or_empty(js_get_text(node, "product")), version);
}

/* When the node's server was started again; -1: not in this run. */
static int64_t restarted_at(const struct chart *chart, const char *node)
{
    const struct json *steps = js_get(chart->report, "steps");
    int64_t at_ms = -1;
    for (size_t i = 0; i < js_count(steps); i++) {
        const struct json *step = js_at(steps, i);
        if (text_equal(js_get_text(step, "node"), node) &&
            text_equal(js_get_text(step, "kind"), "service.start") &&
            text_equal(js_get_text(step, "state"), "done")) {
            at_ms = js_get_number(step, "ended_ms", at_ms);
        }
    }
    return at_ms;
}

/* When the role of the row's node changed by a switchover of its shard; -1: it did not. */
static int64_t switched_at(const struct chart *chart, const struct row *row)
{
    const struct json *steps = js_get(chart->report, "steps");
    for (size_t i = 0; i < js_count(steps); i++) {
        const struct json *step = js_at(steps, i);
        const bool is_switchover = failovers_is_switch(step) &&
                                   text_equal(js_get_text(step, "state"), "done") &&
                                   text_equal(js_get_text(step, "shard"), row->shard);
        const bool is_heir = text_equal(js_get_text(step, "node"), row->name);
        if (is_switchover && (is_heir || is_primary(row->before))) {
            return js_get_number(step, "ended_ms", -1);
        }
    }
    return -1;
}

/* A stretch of the bar in which neither version nor role changes. */
struct stretch {
    int64_t from_ms, to_ms;
    const char *look;
    bool is_thick;
};

static void write_stretch(
    const struct chart *chart, const struct row *row, const struct stretch *stretch)
{
    if (stretch->from_ms >= stretch->to_ms) {
        return;
    }
    const double left = chart_x(chart, stretch->from_ms);
    const double height = row->height * (stretch->is_thick ? 0.66 : 0.26);
    buf_printf(chart->out,
        "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", stretch->look,
        left, row->middle - height / 2, chart_x(chart, stretch->to_ms) - left, height);
}

/* How the bar looks after the restart: nobody claims a version that no server has told. */
static const char *look_after(const struct chart *chart, const struct row *row)
{
    if (row->after == NULL) {
        return "unread";
    }
    const bool is_same = text_equal(version_of(chart, row->before), version_of(chart, row->after));
    return is_same ? "old" : "new";
}

static void write_bar(const struct chart *chart, const struct row *row)
{
    const int64_t restarted_ms = restarted_at(chart, row->name);
    const int64_t switched_ms = switched_at(chart, row);
    const int64_t new_ms = restarted_ms >= 0 ? restarted_ms : chart->to_ms;
    const int64_t turn_ms = switched_ms >= 0 ? switched_ms : chart->to_ms;
    const bool was_primary = is_primary(row->before);
    const bool is_new_first = new_ms < turn_ms;
    const char *after = look_after(chart, row);
    const struct stretch stretches[] = {
        {chart->from_ms, is_new_first ? new_ms : turn_ms, "old", was_primary},
        {is_new_first ? new_ms : turn_ms, is_new_first ? turn_ms : new_ms,
            is_new_first ? after : "old", is_new_first ? was_primary : !was_primary},
        {is_new_first ? turn_ms : new_ms, chart->to_ms, after, !was_primary},
    };
    for (size_t i = 0; i < ARRAY_COUNT(stretches); i++) {
        write_stretch(chart, row, &stretches[i]);
    }
    buf_append_char(chart->out, '\n');
}

/* What the server said last, unless something was done to it since. */
static const char *last_word(const struct chart *chart, const struct row *row)
{
    const bool is_touched = restarted_at(chart, row->name) >= 0 || switched_at(chart, row) >= 0;
    if (row->after == NULL && is_touched) {
        return "not read again yet";
    }
    const struct json *last = row->after == NULL ? row->before : row->after;
    return arena_format(
        chart->arena, "%s%s", version_of(chart, last), is_primary(last) ? " primary" : "");
}

/* From the act that took the node out to the end of its next start. */
static void write_out_of_service(const struct chart *chart, const struct row *row)
{
    const struct json *steps = js_get(chart->report, "steps");
    int64_t out_ms = -1;
    for (size_t i = 0; i < js_count(steps); i++) {
        const struct json *step = js_at(steps, i);
        if (!text_equal(js_get_text(step, "node"), row->name)) {
            continue;
        }
        if (js_get_bool(step, "takes_out", false) && out_ms < 0) {
            out_ms = js_get_number(step, "started_ms", -1);
        }
        if (out_ms < 0 || !text_equal(js_get_text(step, "kind"), "service.start")) {
            continue;
        }
        const int64_t back_ms = js_get_number(step, "ended_ms", chart->to_ms);
        const double left = chart_x(chart, out_ms);
        const double width = chart_x(chart, back_ms) - left;
        buf_printf(chart->out,
            "<rect class=\"out\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"1.5\">"
            "<title>%s</title></rect>\n",
            left, row->middle - row->height * 0.42, width < 2.5 ? 2.5 : width, row->height * 0.84,
            arena_format(
                chart->arena, "out of service for %s", format_ms(chart->arena, back_ms - out_ms)));
        out_ms = -1;
    }
}

static void write_row(const struct chart *chart, const struct row *row, const char *font)
{
    buf_printf(chart->out, "<text class=\"%s\" x=\"%d\" y=\"%.1f\">", font, CHART_LEFT - 12,
        row->middle + 4);
    format_html(chart->out, row->name);
    buf_append_text(chart->out, "</text>");
    write_bar(chart, row);
    write_out_of_service(chart, row);
    const int64_t switched_ms = switched_at(chart, row);
    if (switched_ms >= 0 && !is_primary(row->before)) {
        const double half = row->height * 0.42;
        buf_printf(chart->out,
            "<path class=\"switchover\" d=\"M%.1f %.1fl%.1f %.1fl-%.1f %.1fl-%.1f -%.1fz\"/>\n",
            chart_x(chart, switched_ms), row->middle - half, half, half, half, half, half, half);
    }
    buf_printf(chart->out, "<text class=\"%s end\" x=\"%d\" y=\"%.1f\">", font, CHART_RIGHT + 12,
        row->middle + 4);
    format_html(chart->out, last_word(chart, row));
    buf_append_text(chart->out, "</text>\n");
}

void chart_write_nodes(const struct chart *chart)
{
    size_t count = 0;
    struct row *rows = collect_rows(chart, &count);
    size_t size = 0;
    while (row_sizes[size].node_count_max < count) {
        size++;
    }
    double top = 6;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && !text_equal(rows[i].shard, rows[i - 1].shard)) {
            top += row_sizes[size].height * 0.45;
        }
        rows[i].height = row_sizes[size].height;
        rows[i].middle = top + rows[i].height / 2;
        top += rows[i].height;
    }
    chart_begin(chart, (int)top + 26, "Versions and roles of the nodes over time");
    chart_write_times(chart, 4, (int)top + 6);
    for (size_t i = 0; i < count; i++) {
        write_row(chart, &rows[i], row_sizes[size].font);
    }
    chart_end(chart);
}
