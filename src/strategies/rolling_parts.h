/*
 * strategies/rolling_parts.h - what the files of the rolling strategy share; private to them.
 */
#ifndef UPSHIFT_STRATEGIES_ROLLING_PARTS_H
#define UPSHIFT_STRATEGIES_ROLLING_PARTS_H

#include "strategies/rolling.h"

/* One shard and what is to be done in it. */
struct rolling_shard {
    const char *name;                /* "shard-1" */
    const struct fact_node *primary; /* now */
    const struct fact_node *heir;    /* replica that takes over; NULL: no switchover needed */
    const struct fact_node **early;  /* replicas for phase "replicas", in inventory order */
    size_t early_count;
    const struct fact_node **late; /* for "finalize": the old primary, or, where the primary is at
                                      the target already, the replicas that are not */
    size_t late_count;
    size_t replica_count;
    bool is_switched; /* its primary is at the target: the late ones are an earlier way back */
};

/* One planning. */
struct rolling {
    const struct rolling_request *request;
    const struct facts *facts;
    const struct fact_artefact *target;
    const struct rolling_shard *shards; /* those with something to do, by number */
    size_t shard_count;
    struct plan *plan; /* everything in it lives in its arena */
};

bool rolling_is_at_target(const struct fact_node *node, const struct fact_artefact *target);

/* Sorts the nodes into shards and duties; every node must have a shard. Owns: `arena`. */
void rolling_find_shards(const struct facts *facts, struct arena *arena,
    struct rolling_shard **ret_shards, size_t *ret_count);

/* Fills phases, health and during (rolling_steps.c). */
void rolling_add_phases(struct rolling *rolling);

/* Fills request, policy, artefact and groups; notes, way back and estimate (rolling_words.c). */
void rolling_add_head(struct rolling *rolling);
void rolling_add_words(struct rolling *rolling);

/* How long requests wait when `primary` hands over, in ms. */
int64_t rolling_hold_ms(struct arena *arena, const struct fact_node *primary);

#endif
