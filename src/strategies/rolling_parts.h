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

/* What a gate is told, besides its name. */
enum gate_detail {
    TELL_NODE = 1,           /* node: the one acted on */
    TELL_PRIMARY = 2,        /* node: the other one, primary of the shard at this moment */
    TELL_ID = 4,             /* id: of that node */
    TELL_SHARD = 8,          /* shard */
    TELL_TARGET_SERIES = 16, /* series: of the target */
    TELL_OWN_SERIES = 32,    /* series: what that node runs now */
    TELL_LAG = 64,           /* bytes: policy.lag_bytes_max */
    TELL_IGNORE = 128,       /* ignore: the run's own temporary settings */
    TELL_AS_REPLICA = 256,   /* role: replica */
    TELL_AS_PRIMARY = 512,   /* role: primary */
    TELL_EXCEPT_OLD = 1024,  /* except_old: those that are not at the target yet */
    TELL_EXCEPT_LATE = 2048, /* except: all that finalize restarts */
    TELL_EXCEPT_BACK = 4096, /* except: the way back that an earlier run left */
};

struct gate_use {
    const char *name;
    unsigned details; /* of enum gate_detail */
};

/* One act: on whom, in which shard, and who is the shard's primary at that moment. */
struct act {
    const char *shard;
    const struct fact_node *node;
    const struct fact_node *primary;
};

/* What the kinds of step have in common. */
struct step_sort {
    const char *verb; /* last part of the id */
    const char *kind;
    const struct gate_use *assumptions;
    const struct gate_use *gates;
    enum plan_scope scope;
    bool takes_out;
    bool ends_way_back;
};

/* Adds a step of that sort to a phase; the caller writes summary and further arguments. Valid until
 * the next one is added. */
struct plan_step *rolling_add_step(struct rolling *rolling, struct plan_phase *phase,
    const struct step_sort *sort, const struct act *act);

/* Lets `step` wait until the step with the id `earlier` is done. */
void rolling_follow_step(struct rolling *rolling, struct plan_step *step, const char *earlier);

/* The arguments of service.start besides the node. */
void rolling_tell_start(const struct rolling *rolling, struct plan_step *step);

/* How long requests wait when `primary` hands over, in ms. */
int64_t rolling_hold_ms(struct arena *arena, const struct fact_node *primary);

#endif
