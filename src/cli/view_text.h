/*
 * cli/view_text.h - snapshots of a run (engine/control.h) as plain lines.
 *
 * Pure functions: a snapshot in, text out. Used where there is no screen to redraw, for `status`,
 * and for what a viewer leaves behind when it ends.
 */
#ifndef UPSHIFT_CLI_VIEW_TEXT_H
#define UPSHIFT_CLI_VIEW_TEXT_H

#include "base/buf.h"
#include "base/json.h"

/* Appends one line for every event in `snapshot` that `previous` (may be NULL) did not have, and
 * the waiting sentence when it is another one. */
void view_append_news(
    const struct json *previous, const struct json *snapshot, struct buf *ret_text);

/* Appends how far the run is: state, steps, wait, question, probe, open changes. */
void view_append_status(const struct json *snapshot, struct buf *ret_text);

/* Appends what the run came to and what to do next; `report_path` may be NULL. */
void view_append_end(const struct json *snapshot, const char *report_path, struct buf *ret_text);

/* "waiting for X because Y, since 12:00:01, until 12:05:01; to change it, do V"; nothing when the
 * run waits for nothing. Without a line end. */
void view_append_waiting(const struct json *snapshot, struct buf *ret_text);

/* Is the run on its way back (also when it has arrived)? */
bool view_is_back(const struct json *snapshot);

/* That the way back is closing or closed, and why, without a line end. */
void view_append_closing(const struct json *snapshot, struct buf *ret_text);

/* How to take a proposed plan, without a line end; nothing when there is none. */
void view_append_proposal(const struct json *snapshot, struct buf *ret_text);

/* A text member, or `fallback` when it is missing or empty. Borrowed. */
const char *view_get_text(const struct json *object, const char *key, const char *fallback);

/* "12:00:01 n4: stop n4: done in 0.2 s", without a line end. */
void view_append_event(const struct json *event, struct buf *ret_text);

/* "1 h 02 min", "3 min 05 s", "12 s", "0.4 s". */
void view_append_duration(struct buf *text, int64_t duration_ms);

#endif
