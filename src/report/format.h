/*
 * report/format.h - numbers for people. Every text lives in the arena given.
 */
#ifndef UPSHIFT_REPORT_FORMAT_H
#define UPSHIFT_REPORT_FORMAT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

/* "1,234,567" */
const char *format_count(struct arena *arena, int64_t count);

/* "1 write", "61,000 writes"; `noun` in the singular, its plural with s. */
const char *format_counted(struct arena *arena, int64_t count, const char *noun);

/* "850 us", "6.1 ms", "61 ms", "1.24 s" */
const char *format_us(struct arena *arena, int64_t us);

/* "812 ms", "12.3 s", "3 min 20 s", "1 h 20 min" */
const char *format_ms(struct arena *arena, int64_t ms);

/* "99.8 %", always rounded down, so that 100 % means all. */
const char *format_percent(struct arena *arena, int64_t part, int64_t whole);

/* "850 B", "6.1 kB", "12 MB"; powers of 1000. */
const char *format_bytes(struct arena *arena, int64_t size);

/* "02:15:04" of a wall time, in UTC. */
const char *format_clock(struct arena *arena, int64_t wall_ms);

/* "02:15:04 going back: the operator said rollback (by anna)" of an entry of "revisions". */
const char *format_revision(struct arena *arena, const struct json *revision);

/* Appends text as HTML text or attribute value; " -> " becomes an arrow. NULL appends nothing. */
void format_html(struct buf *buf, const char *text);

#endif
