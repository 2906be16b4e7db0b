/*
 * probe/previous.h - what earlier incarnations, which died, left in the cluster.
 *
 * Their logs lie in the same folder. What they acknowledged in lines that survived must still be
 * there; what they sent beyond that may be there and is only removed. A log whose chain is broken
 * counts up to the break.
 */
#ifndef UPSHIFT_PROBE_PREVIOUS_H
#define UPSHIFT_PROBE_PREVIOUS_H

#include <stddef.h>

#include "base/err.h"
#include "probe/keys.h"

struct previous {
    struct keyspace *keyspaces; /* those with keys left; owned */
    size_t count;
};

/* Reads every log of `directory` but that of `incarnation` and of those still running.
 * Errors: ERR_INVALID "probe_log_read". Blocks: on the disk. */
MUST_USE struct err *previous_load(
    const char *directory, const char *incarnation, struct previous *ret_previous);
void previous_release(struct previous *previous);

#endif
