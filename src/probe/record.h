/*
 * probe/record.h - the log file of one incarnation, written behind the loop's back.
 *
 * The loop appends lines to memory; a second thread writes and syncs them every 100 ms, so a slow
 * disk is never taken for a slow cluster. The file is locked (flock) for the life of the process:
 * that is how others see that it lives.
 */
#ifndef UPSHIFT_PROBE_RECORD_H
#define UPSHIFT_PROBE_RECORD_H

#include <stdint.h>

#include "base/codec.h"

struct record;

/* Creates <directory>/<incarnation>.log. Errors: ERR_REFUSED "probe_log_write". */
MUST_USE struct err *record_open(
    const char *directory, const char *incarnation, struct record **ret_record);

/* Appends one line; `object` is written by `codec`. Returns its sequence number. Thread: one. */
int64_t record_append(
    struct record *record, const char *kind, const struct codec *codec, const void *object);

/* The last sequence number that is durable. Thread: any. */
int64_t record_synced(const struct record *record);

/* Writes and syncs all, ends the thread, closes the file. NULL is allowed.
 * Errors: ERR_REFUSED "probe_log_write" of any write that failed. Blocks: on the disk. */
MUST_USE struct err *record_close(struct record *record);

/* True once a write has failed; record_close() says why. Thread: any. */
bool record_has_failed(const struct record *record);

#endif
