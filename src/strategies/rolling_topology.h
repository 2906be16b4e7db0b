/*
 * strategies/rolling_topology.h - what a roll does otherwise without Redis Cluster, as one table.
 *
 * The phases are the same everywhere. What differs by topology: which gates say that all is well,
 * which kind of step hands over, what is set around it, and what else has to be upgraded.
 */
#ifndef UPSHIFT_STRATEGIES_ROLLING_TOPOLOGY_H
#define UPSHIFT_STRATEGIES_ROLLING_TOPOLOGY_H

#include "strategies/rolling_parts.h"

enum { TOPOLOGY_SWAP_MAX = 3 };

/* A gate of Redis Cluster and those that stand for it elsewhere, NULL-terminated; none: left out.
 */
struct topology_swap {
    const char *gate;
    const char *instead[TOPOLOGY_SWAP_MAX];
};

struct rolling_topology {
    const char *name;
    const struct topology_swap *swaps; /* ended by a NULL gate */
    const char *switchover_kind;
    /* How long it may take and lets requests wait; NULL: as in a Redis Cluster. */
    void (*time_switchover)(const struct rolling *rolling, struct plan_step *step);
    /* Steps around the switchover of a shard, and of the last phase; NULL: none. */
    void (*before_switchover)(
        struct rolling *rolling, struct plan_phase *phase, const struct rolling_shard *shard);
    void (*after_switchover)(
        struct rolling *rolling, struct plan_phase *phase, const struct rolling_shard *shard);
    /* Before a node gets an older program: the id of the last step, `earlier` without any. */
    const char *(*before_old)(struct rolling *rolling, struct plan_phase *phase,
        const struct act *act, const char *earlier);
    void (*at_the_end)(struct rolling *rolling, struct plan_phase *phase);
};

/* The row of the cluster's topology. */
const struct rolling_topology *rolling_topology_of(const struct facts *facts);

/* The gates that stand for `gate`, NULL-terminated, at most TOPOLOGY_SWAP_MAX - 1. Fills
 * `ret_names`. */
void rolling_topology_gates(const struct rolling_topology *topology, const char *gate,
    const char *ret_names[TOPOLOGY_SWAP_MAX]);

/* Groups of which only some may be out at a time, besides shards and cluster. */
void rolling_topology_add_groups(struct rolling *rolling);

/* Sentences about the topology for people. */
void rolling_topology_add_notes(struct rolling *rolling);

#endif
