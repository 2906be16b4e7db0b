/*
 * strategies/rolling.h - in place, one node at a time: replicas, switchovers, then old primaries.
 *
 *   prepare -> replicas -> switchover -> (pause point: way back open) -> finalize
 *
 * Pure functions of the request: the same facts give the same plan, byte for byte, and what is
 * noise (offsets, counters, times) does not reach it. A refusal is complete: all reasons at once.
 * No primary is ever stopped; an old primary becomes a replica first and stays on the old version,
 * fed by partial resync, until finalize: that is the way back.
 */
#ifndef UPSHIFT_STRATEGIES_ROLLING_H
#define UPSHIFT_STRATEGIES_ROLLING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/attr.h"
#include "model/facts.h"
#include "model/gate.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "model/version.h"

struct rolling_request {
    const struct inventory *inventory;
    const struct inv_cluster *cluster; /* one of the inventory's */
    const struct rules *rules;
    const struct facts *facts; /* artefacts[0] is the target; dry starts were made with it */
};

/* Plans. True: `ret_plan` (zeroed by the caller, released by it) is filled; it has no phases when
 * every node is at the target already. False: `ret_refusal` has all reasons, in `arena`; a cluster
 * that is not healthy *yet* is refused too, because a run starts from a green one. */
MUST_USE bool rolling_plan(const struct rolling_request *request, struct arena *arena,
    struct plan *ret_plan, struct plan_refusal *ret_refusal);

/* Evaluates every gate that applies before a run, those of a target only when facts have one; all
 * answers in a fixed order. Owns: `arena`. */
void rolling_check(const struct rolling_request *request, struct arena *arena,
    struct gate_answer **ret_answers, size_t *ret_count);

/* Plans a restart of every node with the version it has: replicas, switchovers, old primaries, no
 * pause point in between. Needs no target; facts->artefacts is not looked at. Else as
 * rolling_plan(); there is always something to do. */
MUST_USE bool restart_plan(const struct rolling_request *request, struct arena *arena,
    struct plan *ret_plan, struct plan_refusal *ret_refusal);

/* At most one of the two is set; neither: every shard hands over to its first replica by name. */
struct switchover_choice {
    const char *shard; /* "shard-2": only this one */
    const char *node;  /* this replica takes over its shard */
};

/* Plans switchovers alone, one after the other. A choice that names nothing, or a node that is
 * primary already, is a refusal. Else as restart_plan(). */
MUST_USE bool switchover_plan(const struct rolling_request *request,
    const struct switchover_choice *choice, struct arena *arena, struct plan *ret_plan,
    struct plan_refusal *ret_refusal);

#endif
