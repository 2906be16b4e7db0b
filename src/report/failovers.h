/*
 * report/failovers.h - failovers that the run did not make, and what was lost in them.
 *
 * A primary that dies takes the writes with it that its replicas had not got yet; no upgrade can
 * help that, and it must not hide in the proof of the run's own steps, nor they behind it. So they
 * are told apart by time: the probe knows when each lost write was acknowledged.
 */
#ifndef UPSHIFT_REPORT_FAILOVERS_H
#define UPSHIFT_REPORT_FAILOVERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/json.h"

/* [{shard, node, was, from_ms, to_ms, lost, lost_from_ms, lost_to_ms}]: `node` became primary after
 * `was` at some time in between without a step of this run; the last two only when something was
 * lost. Owns: the caller. */
struct json *failovers_find(const struct json *report);

/* Is this step of the report one that makes a replica the primary? */
bool failovers_is_switch(const struct json *step);

/* Acknowledged writes lost in all of them. */
int64_t failovers_lost(const struct json *failovers);

/* "n4 took over shard-2 from n1 between 12:00:01 and 12:00:03: ..." Owns: `arena`. */
const char *failovers_describe(struct arena *arena, const struct json *failover);

#endif
