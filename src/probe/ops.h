/*
 * probe/ops.h - the measured operations: when they are due, what they are, how they end.
 *
 * Open loop: operation k is due at start + k / rate whether or not earlier ones were answered, and
 * its latency counts from then. An operation's life:
 *
 *     begun --answer--------------------------------------------> ok
 *       | ^--MOVED, ASK: asked again there (five times at most)
 *       '--error, loss--> raw failed --50 ms, fresh link--> answer -> ok
 *       |                     '----------error, loss----------------> failed
 *       '--1 s after it was due, without an answer------------------> raw failed and failed
 *
 * Time in which the probe itself was not running counts neither as latency nor towards the second.
 * Operations it could not begin within half a second, for that reason, are left out of all counts:
 * the block says `stalled_us` instead.
 */
#ifndef UPSHIFT_PROBE_OPS_H
#define UPSHIFT_PROBE_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "probe/keys.h"
#include "probe/links.h"
#include "probe/slots.h"
#include "probe/timeline.h"

struct op;

struct ops {
    struct links *links; /* borrowed, like all pointers here but the last two */
    struct slots *slots;
    struct timeline *timeline;
    struct keyspace *keys; /* of this incarnation */
    bool is_read_only;
    int64_t keys_max;
    int64_t rate;
    int64_t base_us, base_id; /* operation base_id is due at base_us */
    int64_t stalled_us;       /* sum of the probe's own pauses ... */
    int64_t stall_us;         /* ... the length of the last one ... */
    int64_t stall_end_us;     /* ... and its end */
    int64_t error_count;      /* raw failures so far */
    struct random random;
    uint64_t first_id, next_id; /* undecided ones are among these */
    struct op *ring;            /* by id; capacity a power of two; owned */
    size_t capacity;
    uint64_t *retries; /* ring of ids in order of retry time; as large; owned */
    size_t retry_first, retry_count;
    struct buf command, key, value; /* scratch */
};

/* Fill in the borrowed members first. */
void ops_start(struct ops *ops, int64_t start_us, int64_t rate);
void ops_release(struct ops *ops);

/* Changes the pace from now on. */
void ops_set_rate(struct ops *ops, int64_t rate);

/* The probe was not running from..to. */
void ops_note_stall(struct ops *ops, int64_t from_us, int64_t to_us);

/* Begins what is due, retries what is to be retried, ends what has no time left. */
void ops_step(struct ops *ops, int64_t now_us);

/* Ends what has no time left and retries, but begins nothing. */
void ops_drain(struct ops *ops, int64_t now_us);

/* When the next one is due to begin (none before it is to come) or to be seen to. */
int64_t ops_due_us(const struct ops *ops);
int64_t ops_wake_us(const struct ops *ops, bool is_draining);

bool ops_are_decided(const struct ops *ops);

void ops_answered(
    struct ops *ops, const struct link *link, struct request request, const struct resp *value);
void ops_lost(
    struct ops *ops, const struct link *link, struct request request, const struct link_loss *loss);

#endif
