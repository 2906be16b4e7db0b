/*
 * probe/loop.h - the one loop of the probe: load, messages, layout, read-backs, its own pauses.
 *
 *     find the layout (0.5 s at most) -> load, until there is a reason to end -> wait for the last
 *     operations -> read back and remove all keys, earlier incarnations' too -> final figures
 */
#ifndef UPSHIFT_PROBE_LOOP_H
#define UPSHIFT_PROBE_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "probe/access.h"
#include "probe/links.h"
#include "probe/ops.h"
#include "probe/previous.h"
#include "probe/probe.h"
#include "probe/readback.h"
#include "probe/record.h"
#include "probe/slots.h"
#include "probe/timeline.h"

enum { INCARNATION_SIZE_MAX = 64, LOOP_REASON_SIZE = 64 };

/* Earlier incarnations' logs are read once, by a thread of its own. */
struct loader {
    pthread_t thread;
    const char *directory, *incarnation; /* borrowed */
    struct previous previous;            /* the thread's until is_done */
    struct err *err;                     /* likewise */
    atomic_bool is_done;
};

struct loop {
    const struct probe_config *config; /* borrowed, like the observer */
    const struct probe_observer *observer;
    char incarnation[INCARNATION_SIZE_MAX];
    int control_fd;
    struct record *record;
    struct access access;
    struct tls *tls;
    struct slots slots;
    struct links links;
    struct link_events events;
    struct keyspace keys;
    struct timeline timeline;
    struct ops ops;
    struct readback readback;
    struct loader loader;
    char reason[LOOP_REASON_SIZE]; /* why the load ended; empty while it goes on */
    bool is_loading;
    int64_t ended_us;    /* when the load ended */
    int64_t alive_us;    /* last sign of life of the controller */
    int64_t map_sent_us; /* last question about the layout */
    uint32_t map_attempt;
    bool is_map_awaited, has_map;
    int64_t wake_us;                              /* when this wait should end; 0: any time */
    int64_t woken_us;                             /* when the last wait ended */
    int64_t second_us;                            /* when the observer was last told */
    int64_t second_latencies[PROBE_BUCKET_COUNT]; /* sums at that time */
    int64_t second_ok;
};

/* Runs to the end; everything above `reason` must be open. Errors: those of previous_load(), after
 * everything else was done. Blocks: for the whole run. */
MUST_USE struct err *loop_run(struct loop *loop, struct probe_final *ret_final);

#endif
