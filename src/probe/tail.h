/*
 * probe/tail.h - follows a probe's log for live figures.
 *
 * probe_tail_read() takes in what is new and never waits. The log's chain is verified on the way.
 */
#ifndef UPSHIFT_PROBE_TAIL_H
#define UPSHIFT_PROBE_TAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/probe_log.h"

struct probe_figures {
    int64_t rate;
    int64_t started_us, started_wall_ms;
    int64_t block_count;
    int64_t intended, ok, raw_failed, failed, wrong, acked; /* since the probe's start */
    int64_t stalled_us;
    int64_t latency_p99_us, latency_max_us; /* since probe_tail_forget_latency() */
    int64_t read_back, checked, missing, different, not_checked; /* all read-backs so far */
    int64_t last_block_us;   /* when the last block ended; 0: none yet */
    int64_t last_success_us; /* end of the last block with a success; 0: none yet */
    bool is_final;           /* it ended by itself: `missing` and the like are the result */
    bool is_broken;          /* the chain does not hold: nothing behind the break is read */
};

struct probe_tail;

/* Opens <directory>/<incarnation>.log; NULL or empty: the log that was written to last.
 * Errors: ERR_INVALID "probe_log_read". */
MUST_USE struct err *probe_tail_open(
    const char *directory, const char *incarnation, struct probe_tail **ret_tail);
void probe_tail_close(struct probe_tail *tail); /* NULL is allowed */

/* Takes in new lines and returns the figures; borrowed until the next call. */
const struct probe_figures *probe_tail_read(struct probe_tail *tail);

/* Starts latency_p99_us and latency_max_us anew. */
void probe_tail_forget_latency(struct probe_tail *tail);

/* Milliseconds since the last block ended (a healthy probe: under 400); -1 before the first. */
int64_t probe_tail_age_ms(const struct probe_tail *tail);

/* True while the probe's process lives (it holds the lock of its log). */
bool probe_tail_is_alive(const struct probe_tail *tail);

#endif
