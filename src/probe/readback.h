/*
 * probe/readback.h - reads acknowledged writes again, compares, counts, and removes them.
 *
 * One job at a time, over links of its own, with a window of requests in flight:
 *
 *     start -> (grace) -> CHECK: GET each key -> record it -> (durable) -> REMOVE: DEL -> idle
 *
 * The grace is the longest life of an operation, so that nobody still reads what is removed. The
 * record comes before the removal: whoever takes over after a crash must not miss keys that this
 * process removed.
 */
#ifndef UPSHIFT_PROBE_READBACK_H
#define UPSHIFT_PROBE_READBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "probe/keys.h"
#include "probe/links.h"
#include "probe/record.h"

enum {
    READBACK_WINDOW = 1024,
    READBACK_KEY_COUNT_MAX = 20,
    READBACK_LOST_MAX = 256,  /* entries; the last takes in what comes after */
    READBACK_LOST_NEAR = 256, /* numbers apart: one entry */
};

enum readback_phase {
    READBACK_IDLE,
    READBACK_GRACE,
    READBACK_CHECK,
    READBACK_SYNC,
    READBACK_REMOVE
};

struct readback_item {
    int64_t number;
    int64_t retry_us;
    uint32_t attempt;
    int node;
    int redirect_count;
    bool is_open; /* takes part */
};

struct readback {
    struct links *links; /* borrowed, like slots and record */
    struct slots *slots;
    struct record *record;
    int64_t no_progress_us; /* then a phase gives up */
    struct random random;
    enum readback_phase phase;
    struct keyspace *keys; /* of the job */
    struct ranges check;   /* of the job: acknowledged */
    struct ranges remove;  /* of the job: all to be removed */
    struct ranges todo;    /* of the phase: not yet asked */
    struct probe_readback figures;
    char *missing_keys[READBACK_KEY_COUNT_MAX];
    struct probe_lost lost[READBACK_LOST_MAX];
    int64_t phase_until_us; /* end of the grace; or when the phase gives up */
    int64_t progress_us;    /* last time a key was decided */
    int64_t sync_sequence;
    struct readback_item items[READBACK_WINDOW];
    size_t open_count;
    size_t waiting_retry_count;
    struct buf command, key, value; /* scratch */
    struct probe_final totals;      /* acked, checked, ..., keys_removed, keys_left */
};

/* Fill in the borrowed members first. */
void readback_init(struct readback *readback);
void readback_release(struct readback *readback);

/* Starts a job for the keys below `limit`; takes them out of `keys`. Idle is required. */
void readback_start(
    struct readback *readback, struct keyspace *keys, int64_t limit, int64_t grace_us);

void readback_step(struct readback *readback, int64_t now_us);
int64_t readback_wake_us(const struct readback *readback);

void readback_answered(struct readback *readback, const struct link *link, struct request request,
    const struct resp *value);
void readback_lost(struct readback *readback, const struct link *link, struct request request,
    const struct link_loss *loss);

#endif
