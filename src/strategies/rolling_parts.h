/*
 * strategies/rolling_parts.h - what the files of the rolling strategy share; private to them.
 *
 *   rolling.c        refusals, shards, the plan of an upgrade
 *   rolling_same.c   the plans of a restart and of switchovers
 *   rolling_back.c   the way back
 *   rolling_steps.c  the phases of these plans
 *   rolling_write.c  writing steps and gates, whatever the plan
 *   rolling_words.c  a plan's head, and what it tells people
 */
#ifndef UPSHIFT_STRATEGIES_ROLLING_PARTS_H
#define UPSHIFT_STRATEGIES_ROLLING_PARTS_H

#include "strategies/rolling.h"

/* One shard and what is to be done in it. */
struct rolling_shard {
    const char *name;                /* "shard-1" */
    const struct fact_node *primary; /* now */
    const struct fact_node *heir;    /* replica that takes over; NULL: no switchover needed */
    const struct fact_node **early;  /* replicas for phase "replicas", those that are down first */
    size_t early_count;
    const struct fact_node **late; /* for the last phase: the old primary, or, where the primary is
                                      at the target already, the replicas that are not */
    size_t late_count;
    size_t replica_count;
    bool is_switched; /* its primary is at the target: the late ones are an earlier way back */
};

/* One planning. */
struct rolling {
    const struct rolling_request *request;
    const struct facts *facts;
    const struct fact_artefact *target; /* NULL: the nodes keep their versions */
    const struct fact_artefact *goals; /* what each node of the facts is to run; NULL: the target */
    const struct fact_node **broken;   /* taken out by the run itself, and still down */
    size_t broken_count;
    const char *const *gone; /* no members any more: not in `facts`, told to gates */
    size_t gone_count;
    const struct rolling_shard *shards; /* those with something to do, by number */
    size_t shard_count;
    bool is_running;   /* the plan replaces the rest of another one */
    struct plan *plan; /* everything in it lives in its arena */
};

/* False of everything without a target. */
bool rolling_is_at_target(const struct fact_node *node, const struct fact_artefact *target);

/* What the node is to run. */
const struct fact_artefact *rolling_goal(
    const struct rolling *rolling, const struct fact_node *node);

/* Sorts the nodes into shards and duties; every node must have a shard. Owns: `arena`. */
void rolling_find_shards(const struct facts *facts, const struct fact_artefact *target,
    struct arena *arena, struct rolling_shard **ret_shards, size_t *ret_count);

/* Adds to `refusal` what speaks against the plan; true: something does. */
bool rolling_is_refused(
    const struct rolling *rolling, struct arena *arena, struct plan_refusal *refusal);

/* Adds an answer that is not yes, unless it is waited for: `may_wait`, or in a run, *not yet*. */
void rolling_refuse(const struct rolling *rolling, const struct gate_answer *answer, bool may_wait,
    struct arena *arena, struct plan_refusal *refusal);

/* The rest of an upgrade from where the world is now, without basis. The caller has filled request,
 * facts (without those that are gone), broken, gone and plan. */
bool rolling_again(struct rolling *rolling, struct arena *arena, struct plan_refusal *refusal);

/* Fills phases, health and during (rolling_steps.c). */
void rolling_add_phases(struct rolling *rolling);
void rolling_add_restart_phases(struct rolling *rolling);
void rolling_add_switchover_phases(struct rolling *rolling);

/* Fills request, policy, artefact and groups; notes, way back and estimate (rolling_words.c). */
void rolling_add_head(struct rolling *rolling, const char *action);
void rolling_add_words(struct rolling *rolling);
void rolling_add_restart_words(struct rolling *rolling);
void rolling_add_switchover_words(struct rolling *rolling);
void rolling_add_note(struct rolling *rolling, const char *text);
/* Does `old` miss what a primary of the target writes with a time to live? */
bool rolling_drops_times(
    struct arena *arena, const struct fact_artefact *target, const struct fact_node *old);
void rolling_add_estimate(struct rolling *rolling, int64_t estimate_ms);

/* What a look at the nodes tells people before anything moves (rolling_notes.c). */
void rolling_add_preflight_notes(struct rolling *rolling);

/* The policy as arguments of gates, before anything was done (rolling_write.c). */
void rolling_tell_policy(const struct inv_policy *policy, struct json *args);

/* How long a restart takes until the node has copied the keys of `primary`, in ms. */
int64_t rolling_restart_ms(const struct fact_node *primary);
int64_t rolling_switchover_ms(void);

/* How long requests wait when `primary` hands over, in ms. */
int64_t rolling_hold_ms(struct arena *arena, const struct fact_node *primary);

struct act;

/* A long backlog lets replicas (the way back among them) come back without a full copy; without
 * the delay the full copies that are needed begin at once. */
void rolling_add_settings(struct rolling *rolling, struct plan_phase *phase, const struct act *act,
    const char *earlier, enum plan_scope delay_scope);

/* --- rolling_write.c --- */

/* What a gate is told, besides its name. */
enum gate_detail {
    TELL_NODE = 1,             /* node: the one acted on */
    TELL_PRIMARY = 2,          /* node: the other one, primary of the shard at this moment */
    TELL_ID = 4,               /* id: of that node */
    TELL_SHARD = 8,            /* shard */
    TELL_TARGET_SERIES = 16,   /* series: what that node is to run */
    TELL_OWN_SERIES = 32,      /* series: what that node runs now */
    TELL_LAG = 64,             /* bytes: policy.lag_bytes_max */
    TELL_IGNORE = 128,         /* ignore: the run's own temporary settings */
    TELL_AS_REPLICA = 256,     /* role: replica */
    TELL_AS_PRIMARY = 512,     /* role: primary */
    TELL_EXCEPT_OLD = 1024,    /* except_old: those that are not at the target yet */
    TELL_EXCEPT_LATE = 2048,   /* except: all that finalize restarts */
    TELL_EXCEPT_BACK = 4096,   /* except: the way back that an earlier run left */
    TELL_EXCEPT_BROKEN = 8192, /* except: what the run itself has to repair */
    TELL_RELAXED = 16384,      /* relaxed: by policy, primaries alone count */
    TELL_UNPREPARED = 32768,   /* drift, to_be_relaxed: what phase prepare does by policy */
};

struct gate_use {
    const char *name; /* NULL ends a list */
    unsigned details; /* of enum gate_detail */
};

#define CLUSTER_IS_WELL(details)                                                                   \
    {"all_reachable", details}, {"not_loading", details}, {"cluster_ok", details},                 \
        {"views_agree", details}, {"replicas_synced", details},                                    \
    {                                                                                              \
        "redundancy", details                                                                      \
    }

#define READY_FOR_PHASE(details)                                                                   \
    CLUSTER_IS_WELL(details), {"key_counts_match", details},                                       \
    {                                                                                              \
        "no_slot_moves", details                                                                   \
    }

/* One act: on whom, in which shard, and who is the shard's primary at that moment. */
struct act {
    const char *shard;
    const struct fact_node *node;
    const struct fact_node *primary;
};

/* What the kinds of step have in common. */
struct step_sort {
    const char *verb; /* last part of the id */
    bool is_of_shard; /* the id names the shard and not the node */
    const char *kind;
    const struct gate_use *assumptions;
    const struct gate_use *gates;
    enum plan_scope scope;
    bool takes_out;
    bool ends_way_back;
};

extern const struct gate_use rolling_no_gates[];
extern const struct gate_use rolling_stop_assumptions[];
extern const struct gate_use rolling_switchover_assumptions[];
extern const struct gate_use rolling_health[];

/* Puts "ignore": the run's own temporary settings. */
void rolling_tell_ignored(const struct inv_policy *policy, struct json *args);

/* `act` is NULL where the gates are of a phase. */
struct plan_gate *rolling_write_gates(const struct rolling *rolling, const struct gate_use *uses,
    const struct act *act, size_t *ret_count);

/* The caller writes summary and further arguments. Valid until the next one is added. */
struct plan_step *rolling_add_step(struct rolling *rolling, struct plan_phase *phase,
    const struct step_sort *sort, const struct act *act);

/* Is this one of the settings that a run changes for a while? */
bool rolling_is_temporary(const char *setting);

/* The step waits for the one with the id `earlier`; NULL: for none. */
void rolling_follow_step(struct rolling *rolling, struct plan_step *step, const char *earlier);

/* shard->heir takes over from shard->primary, after the phase's last step; with what the topology
 * does before and after. `sort` is without kind. */
void rolling_add_switchover(struct rolling *rolling, struct plan_phase *phase,
    const struct step_sort *sort, const struct rolling_shard *shard);

/* The arguments of service.start besides the node. */
void rolling_tell_start(
    const struct rolling *rolling, struct plan_step *step, const struct fact_artefact *goal);

/* Points the node at the server of its goal; starts what it is pointed at. */
struct plan_step *rolling_add_switch(
    struct rolling *rolling, struct plan_phase *phase, const struct act *act, const char *earlier);
struct plan_step *rolling_add_start(
    struct rolling *rolling, struct plan_phase *phase, const struct act *act, const char *earlier);

/* Adds the phase with these gates, unless it has no steps. */
void rolling_add_phase(struct rolling *rolling, struct plan_phase *phase,
    const struct gate_use *before, const struct gate_use *after);

#endif
