/*
 * report/chart.h - the pictures: SVG without script, all on the same time axis.
 */
#ifndef UPSHIFT_REPORT_CHART_H
#define UPSHIFT_REPORT_CHART_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

/* All pictures are this wide, in the same units, so that times stand below each other. */
enum { CHART_WIDTH = 1160, CHART_LEFT = 118, CHART_RIGHT = 1004 };

struct chart {
    struct buf *out;
    struct arena *arena;
    const struct json *report;
    int64_t from_ms, to_ms;
};

struct chart chart_of(const struct json *report, struct buf *out, struct arena *arena);

/* Where a time is, within the plot. */
double chart_x(const struct chart *chart, int64_t at_ms);

/* How much time one bar or point of a picture stands for. */
int64_t chart_column_ms(const struct chart *chart);

void chart_begin(const struct chart *chart, int height, const char *label);
void chart_end(const struct chart *chart);

/* Lines and labels of the time axis from `top` to `bottom`. */
void chart_write_times(const struct chart *chart, int top, int bottom);

/* Phases, success per second, steps. */
void chart_write_strip(const struct chart *chart);

/* p50, p99 and the longest operation, on a logarithmic scale. */
void chart_write_latency(const struct chart *chart);

/* Versions, roles and time out of service, a row per node. */
void chart_write_nodes(const struct chart *chart);

#endif
