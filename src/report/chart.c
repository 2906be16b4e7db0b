#include "report/chart.h"

#include <math.h>

#include "base/str.h"
#include "report/format.h"
#include "report/summary.h"

enum {
    COLUMNS_MAX = 440, /* two units each: finer cannot be seen */
    COLUMN_MS_MIN = 1000,
    STRIP_TOP = 34,
    STRIP_BOTTOM = 66,
    TICKS_TOP = 72,
    LATENCY_TOP = 26,
    LATENCY_BOTTOM = 226,
    STALL_SHOWN_US = 100000, /* of the probe itself, in one second: hatched */
};

struct chart chart_of(const struct json *report, struct buf *out, struct arena *arena)
{
    struct chart chart = {.out = out, .arena = arena, .report = report};
    chart.from_ms = js_get_number(report, "from_ms", 0);
    chart.to_ms = js_get_number(report, "to_ms", 0);
    if (chart.to_ms <= chart.from_ms) {
        chart.to_ms = chart.from_ms + 1;
    }
    return chart;
}

double chart_x(const struct chart *chart, int64_t at_ms)
{
    const int64_t inside = at_ms < chart->from_ms ? chart->from_ms
                           : at_ms > chart->to_ms ? chart->to_ms
                                                  : at_ms;
    return CHART_LEFT + (double)(CHART_RIGHT - CHART_LEFT) * (double)(inside - chart->from_ms) /
                            (double)(chart->to_ms - chart->from_ms);
}

void chart_begin(const struct chart *chart, int height, const char *label)
{
    buf_printf(chart->out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n",
        CHART_WIDTH, height, label);
}

void chart_end(const struct chart *chart)
{
    buf_append_text(chart->out, "</svg>\n");
}

/* "1:30" for a minute and a half, "2:00:00" for two hours. */
static const char *clock_label(const struct chart *chart, int64_t ms)
{
    const int64_t seconds = ms / 1000;
    return seconds < 3600
               ? arena_format(chart->arena, "%d:%02d", (int)(seconds / 60), (int)(seconds % 60))
               : arena_format(chart->arena, "%d:%02d:%02d", (int)(seconds / 3600),
                     (int)(seconds / 60 % 60), (int)(seconds % 60));
}

void chart_write_times(const struct chart *chart, int top, int bottom)
{
    static const int64_t steps_s[] = {
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400};
    const int64_t length_ms = chart->to_ms - chart->from_ms;
    int64_t step_ms = length_ms / 8;
    for (size_t i = ARRAY_COUNT(steps_s); i-- > 0;) {
        step_ms = length_ms / (steps_s[i] * 1000) <= 12 ? steps_s[i] * 1000 : step_ms;
    }
    for (int64_t at_ms = 0; at_ms <= length_ms; at_ms += step_ms < 1 ? 1 : step_ms) {
        const double x = chart_x(chart, chart->from_ms + at_ms);
        buf_printf(chart->out,
            "<path class=\"grid\" d=\"M%.1f %dV%d\"/>"
            "<text class=\"tick\" x=\"%.1f\" y=\"%d\">%s</text>\n",
            x, top, bottom, x, bottom + 13, clock_label(chart, at_ms));
    }
}

static void write_phases(const struct chart *chart)
{
    const struct json *phases = js_get(chart->report, "phases");
    int index = 0;
    for (size_t i = 0; i < js_count(phases); i++) {
        const struct json *phase = js_at(phases, i);
        const int64_t from_ms = js_get_number(phase, "started_ms", -1);
        if (from_ms < 0) {
            continue;
        }
        const double left = chart_x(chart, from_ms);
        const double right = chart_x(chart, js_get_number(phase, "ended_ms", chart->to_ms));
        const double width = right - left < 2 ? 2 : right - left;
        buf_printf(chart->out,
            "<rect class=\"phase p%d\" x=\"%.1f\" y=\"8\" width=\"%.1f\" height=\"18\" rx=\"3\">"
            "<title>",
            index++ % 2, left, width);
        format_html(chart->out, js_get_text(phase, "name"));
        buf_append_text(chart->out, "</title></rect>");
        if (width > 7.0 * (double)strlen(js_get_text(phase, "name"))) {
            buf_printf(chart->out, "<text class=\"phase\" x=\"%.1f\" y=\"21\">", left + width / 2);
            format_html(chart->out, js_get_text(phase, "name"));
            buf_append_text(chart->out, "</text>");
        }
        buf_append_char(chart->out, '\n');
    }
}

/* One column of a picture: some slots, a second or more. */
struct column {
    int64_t from_ms, to_ms;
    double left, width;
};

static int64_t slot_ms_of(const struct chart *chart)
{
    const int64_t slot_ms = js_get_number(js_get(chart->report, "probe"), "slot_ms", 1000);
    return slot_ms < 1 ? 1 : slot_ms;
}

static size_t slot_count_of(const struct chart *chart)
{
    return js_count(js_get(js_get(chart->report, "probe"), "slots"));
}

int64_t chart_column_ms(const struct chart *chart)
{
    const int64_t slot_ms = slot_ms_of(chart);
    const int64_t for_second = (COLUMN_MS_MIN + slot_ms - 1) / slot_ms;
    const int64_t for_width = ((int64_t)slot_count_of(chart) + COLUMNS_MAX - 1) / COLUMNS_MAX;
    return slot_ms * (for_second > for_width ? for_second : for_width);
}

static size_t column_count(const struct chart *chart)
{
    const int64_t column_ms = chart_column_ms(chart);
    const int64_t length_ms = (int64_t)slot_count_of(chart) * slot_ms_of(chart);
    return (size_t)((length_ms + column_ms - 1) / column_ms);
}

static struct column column_at(const struct chart *chart, size_t index)
{
    const int64_t column_ms = chart_column_ms(chart);
    struct column column = {.from_ms = chart->from_ms + (int64_t)index * column_ms};
    column.to_ms = column.from_ms + column_ms;
    column.left = chart_x(chart, column.from_ms);
    column.width = chart_x(chart, column.to_ms) - column.left;
    return column;
}

/* How a column looks: the worst of what is in it decides; bad ones stand out by height too. */
static const struct {
    const char *name, *text;
    int rise;
} looks[] = {
    {"good", "all succeeded", 0}, {"raw", "some succeeded only on retry", 4}, {"bad", "failed", 9}};

static void write_column(const struct chart *chart, const struct column *column)
{
    const struct summary_sum sum = summary_add(chart->report, column->from_ms, column->to_ms);
    const int look = sum.failed + sum.wrong > 0 ? 2 : sum.raw_failed > 0 ? 1 : 0;
    if (sum.intended == 0) {
        return;
    }
    const double gap = column->width > 4 ? 0.8 : 0;
    buf_printf(chart->out,
        "<rect class=\"%s\" x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\"><title>%s: %s, %s, "
        "%s raw failed, %s failed</title></rect>\n",
        looks[look].name, column->left, STRIP_TOP - looks[look].rise, column->width - gap,
        STRIP_BOTTOM - STRIP_TOP + looks[look].rise,
        clock_label(chart, column->from_ms - chart->from_ms), looks[look].text,
        format_counted(chart->arena, sum.intended, "operation"),
        format_count(chart->arena, sum.raw_failed), format_count(chart->arena, sum.failed));
    if (sum.stalled_us * 1000 >= STALL_SHOWN_US * chart_column_ms(chart)) {
        buf_printf(chart->out,
            "<rect fill=\"url(#hatch)\" x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\"/>\n",
            column->left, STRIP_TOP, column->width, STRIP_BOTTOM - STRIP_TOP);
    }
}

static void write_gaps(const struct chart *chart, int top, int bottom)
{
    const struct json *gaps = js_get(js_get(chart->report, "probe"), "gaps");
    for (size_t i = 0; i < js_count(gaps); i++) {
        const double left = chart_x(chart, js_get_number(js_at(gaps, i), "from_ms", 0));
        const double right = chart_x(chart, js_get_number(js_at(gaps, i), "to_ms", 0));
        buf_printf(chart->out,
            "<rect class=\"gap\" x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\">"
            "<title>not observed</title></rect>\n",
            left, top, right - left < 1.5 ? 1.5 : right - left, bottom - top);
    }
}

static void write_step_ticks(const struct chart *chart)
{
    const struct json *steps = js_get(chart->report, "steps");
    for (size_t i = 0; i < js_count(steps); i++) {
        const struct json *step = js_at(steps, i);
        const char *kind = js_get_text(step, "kind");
        const bool is_switchover = text_equal(kind, "repl.switchover");
        const int64_t at_ms = js_get_number(step, "started_ms", -1);
        if (at_ms < 0 || (!is_switchover && !js_get_bool(step, "takes_out", false))) {
            continue;
        }
        const double x = chart_x(chart, at_ms);
        buf_printf(chart->out,
            is_switchover ? "<path class=\"switchover\" d=\"M%.1f %dl4 5l-4 5l-4 -5z\"><title>"
                          : "<path class=\"restart\" d=\"M%.1f %dl4 8h-8z\"><title>",
            x, TICKS_TOP);
        format_html(chart->out, js_get_text(step, "id"));
        buf_append_text(chart->out, "</title></path>\n");
    }
}

void chart_write_strip(const struct chart *chart)
{
    chart_begin(chart, 112, "Success per second, with phases and steps");
    chart_write_times(chart, STRIP_TOP, TICKS_TOP + 14);
    write_phases(chart);
    buf_printf(chart->out, "<rect class=\"floor\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n",
        CHART_LEFT, STRIP_TOP, CHART_RIGHT - CHART_LEFT, STRIP_BOTTOM - STRIP_TOP);
    for (size_t i = 0; i < column_count(chart); i++) {
        const struct column column = column_at(chart, i);
        write_column(chart, &column);
    }
    write_gaps(chart, STRIP_TOP, STRIP_BOTTOM);
    write_step_ticks(chart);
    buf_printf(chart->out,
        "<text class=\"label\" x=\"%d\" y=\"21\">phase</text>"
        "<text class=\"label\" x=\"%d\" y=\"54\">operations</text>"
        "<text class=\"label\" x=\"%d\" y=\"81\">steps</text>\n",
        CHART_LEFT - 12, CHART_LEFT - 12, CHART_LEFT - 12);
    chart_end(chart);
}

/* The vertical scale: whole powers of ten around what there is. */
struct scale {
    int low, high; /* powers of ten of a microsecond */
};

static struct scale scale_of(const struct chart *chart)
{
    struct scale scale = {.low = 2, .high = 4};
    const struct json *summary = js_get(chart->report, "summary");
    const double longest_us = (double)js_get_number(summary, "longest_us", 0);
    const double usual_us = (double)js_get_number(summary, "p50_us", 0);
    while (scale.high < 8 && pow(10, scale.high) < longest_us) {
        scale.high++;
    }
    while (scale.low > 0 && pow(10, scale.low) > usual_us) {
        scale.low--;
    }
    return scale;
}

static double scale_y(const struct scale *scale, int64_t us)
{
    const double power = us < 1 ? 0 : log10((double)us);
    const double share = (power - scale->low) / (double)(scale->high - scale->low);
    const double inside = share < 0 ? 0 : share > 1 ? 1 : share;
    return LATENCY_BOTTOM - inside * (LATENCY_BOTTOM - LATENCY_TOP);
}

static void write_scale(const struct chart *chart, const struct scale *scale)
{
    static const char *const labels[] = {
        "1 us", "10 us", "0.1 ms", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s"};
    for (int power = scale->low; power <= scale->high; power++) {
        const double y = LATENCY_BOTTOM - (double)(power - scale->low) *
                                              (LATENCY_BOTTOM - LATENCY_TOP) /
                                              (double)(scale->high - scale->low);
        buf_printf(chart->out,
            "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"label\" x=\"%d\" y=\"%.1f\">%s"
            "</text>\n",
            CHART_LEFT, y, CHART_RIGHT, CHART_LEFT - 12, y + 4, labels[power]);
    }
}

/* A line over the columns; where nothing was measured it has a hole. */
static void write_line(
    const struct chart *chart, const struct scale *scale, const char *name, int64_t permille)
{
    bool is_open = false;
    buf_printf(chart->out, "<path class=\"line %s\" d=\"", name);
    for (size_t i = 0; i < column_count(chart); i++) {
        const struct column column = column_at(chart, i);
        const int64_t us =
            summary_percentile_us(chart->report, column.from_ms, column.to_ms, permille);
        if (us > 0) {
            buf_printf(chart->out, "%c%.1f %.1f", is_open ? 'L' : 'M',
                column.left + column.width / 2, scale_y(scale, us));
        }
        is_open = us > 0;
    }
    buf_append_text(chart->out, "\"/>\n");
}

static void write_longest(const struct chart *chart, const struct scale *scale)
{
    for (size_t i = 0; i < column_count(chart); i++) {
        const struct column column = column_at(chart, i);
        const struct summary_sum sum = summary_add(chart->report, column.from_ms, column.to_ms);
        if (sum.max_us > 0) {
            buf_printf(chart->out,
                "<circle class=\"longest\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.1\"><title>%s: longest "
                "operation %s</title></circle>\n",
                chart_x(chart, sum.max_at_ms), scale_y(scale, sum.max_us),
                clock_label(chart, column.from_ms - chart->from_ms),
                format_us(chart->arena, sum.max_us));
        }
    }
}

/* Numbered as in the list below the picture; neighbours step down so that none is hidden. */
static void write_stall_marks(const struct chart *chart, const struct scale *scale)
{
    const struct json *stalls = js_get(chart->report, "stalls");
    double last_x = 0;
    int level = 0;
    for (size_t i = 0; i < js_count(stalls); i++) {
        const struct json *stall = js_at(stalls, i);
        const double x = chart_x(chart, js_get_number(stall, "at_ms", 0));
        const double y = scale_y(scale, js_get_number(stall, "longest_us", 0));
        level = x - last_x < 17 ? (level + 1) % 3 : 0;
        last_x = x;
        const double top = LATENCY_TOP - 14 + level * 17;
        buf_printf(chart->out,
            "<path class=\"stem\" d=\"M%.1f %.1fV%.1f\"/><circle class=\"mark\" cx=\"%.1f\" "
            "cy=\"%.1f\" r=\"8\"/><text class=\"mark\" x=\"%.1f\" y=\"%.1f\">%zu</text>\n",
            x, top, y, x, top, x, top + 4, i + 1);
    }
}

void chart_write_latency(const struct chart *chart)
{
    static const struct {
        const char *name, *text;
        int y;
    } legend[] = {{"longest", "longest", 60}, {"p99", "99 of 100", 80}, {"p50", "half", 100}};
    const struct scale scale = scale_of(chart);
    chart_begin(chart, 250, "Latency over time");
    chart_write_times(chart, LATENCY_TOP, LATENCY_BOTTOM);
    write_scale(chart, &scale);
    write_gaps(chart, LATENCY_TOP, LATENCY_BOTTOM);
    write_line(chart, &scale, "p50", 500);
    write_line(chart, &scale, "p99", 990);
    write_longest(chart, &scale);
    write_stall_marks(chart, &scale);
    for (size_t i = 0; i < ARRAY_COUNT(legend); i++) {
        buf_printf(chart->out,
            "<rect class=\"key %s\" x=\"%d\" y=\"%d\" width=\"12\" height=\"4\" rx=\"2\"/>"
            "<text class=\"key\" x=\"%d\" y=\"%d\">%s</text>\n",
            legend[i].name, CHART_RIGHT + 14, legend[i].y - 6, CHART_RIGHT + 32, legend[i].y,
            legend[i].text);
    }
    chart_end(chart);
}
