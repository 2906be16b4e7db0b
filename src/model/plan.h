/*
 * model/plan.h - the ordered steps that a strategy computes; canonical JSON, content-addressed.
 *
 * A plan is data: no times, no random ids, no floats. The same facts and request give the same
 * bytes, so a plan can be printed, reviewed, stored, compared, and run later: the reviewed plan is
 * the one that runs. Step kinds and gates are names; `app` checks that each exists.
 */
#ifndef UPSHIFT_MODEL_PLAN_H
#define UPSHIFT_MODEL_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/codec.h"
#include "base/sha256.h"
#include "model/facts.h"
#include "model/gate.h"
#include "model/inventory.h"

/* Until when a temporary change stands; it is closed on success and on abort, in reverse order. */
enum plan_scope {
    PLAN_SCOPE_NONE,     /* not a temporary change */
    PLAN_SCOPE_RUN,      /* closed when the run reaches the pause point or ends */
    PLAN_SCOPE_FINALIZE, /* closed when finalize is done or the run ends */
};

struct plan_gate {
    const char *name;
    struct json *args; /* object; owned by the plan */
};

struct plan_step {
    const char *id;                /* path-like, stable: "shard-1/n4/stop" */
    const char *kind;              /* "service.stop" */
    int64_t def;                   /* definition version of the kind */
    const char *summary;           /* one line for people: "stop n4 (replica of shard-1)" */
    const char *node;              /* the node it acts on */
    const char *shard;             /* NULL: none */
    struct json *args;             /* frozen arguments; owned by the plan */
    struct plan_gate *assumptions; /* must hold as planned; false = PAUSED with the difference */
    size_t assumption_count;
    struct plan_gate *gates; /* "before" gates: waited for, re-checked right before the act */
    size_t gate_count;
    const char **after; /* ids of steps that must be done first */
    size_t after_count;
    const char **takes; /* groups it takes a member out of: "shard-1", "cluster" */
    size_t takes_count;
    enum plan_scope scope;
    bool takes_out; /* its node is out of service until the gates of later steps see it healthy */
    bool ends_way_back;  /* point of no return */
    int64_t deadline_ms; /* apply and settle, together */
    int64_t settle_ms;   /* an answer counts when it stood still for so long */
    int64_t hold_ms;     /* predicted time during which requests wait; 0: none */
};

struct plan_phase {
    const char *name;  /* "prepare", "replicas", "switchover", "finalize" */
    const char *title; /* for people */
    struct plan_gate *before;
    size_t before_count;
    struct plan_gate *after; /* all must be yes before the next phase (or the pause point) */
    size_t after_count;
    struct plan_step *steps;
    size_t step_count;
};

struct plan_group {
    const char *name; /* "shard-1", "cluster" */
    int64_t max_unavailable;
    const char **nodes;
    size_t node_count;
};

struct plan_request {
    const char *cluster;
    const char *action;     /* "upgrade", "restart", "switchover"; of a way back: "rollback" */
    const char *from;       /* "redis 6.0.16" (several: "redis 6.0.16, redis 7.0.15") */
    const char *to;         /* "valkey 8.1.1" */
    const char *to_series;  /* "valkey/8.1" */
    const char *to_version; /* "8.1.1" */
    const char *to_product; /* "valkey" */
};

struct plan_policy { /* the run's own copy: editing the inventory changes nothing under way */
    int64_t max_unavailable;
    int64_t soak_s;
    int64_t gate_timeout_ms;
    const char *on_failure; /* "pause", "rollback", "continue" */
    const char *revise;     /* "narrow": small changes of the plan need no consent; "ask" */
    const char *probe_mode; /* "off", "read-only", "write" */
    bool probe_required;
    int64_t probe_rate;
    int64_t probe_keys_max;
    int64_t probe_ttl_s;
    int64_t probe_linger_s;
};

/* Something the plan depends on: compared when a reviewed plan starts. */
struct plan_basis {
    const char *subject; /* "n4" or "cluster" */
    const char *aspect;  /* "role", "version", "id", "slots", "config file", "directory", ... */
    const char *value;
};

enum { PLAN_FORMAT = 1 };

struct plan {
    struct arena arena;
    int64_t format;        /* PLAN_FORMAT */
    const char *strategy;  /* "rolling" */
    const char *direction; /* "forward" or "back" */
    int64_t revision;      /* 0: as started; 1, 2, ...: what replaced the rest of it */
    struct plan_request request;
    struct plan_policy policy;
    const char *inventory_path;
    const char *inventory_digest;
    const char *rules_digest;
    struct fact_artefact artefact;
    struct plan_basis *basis;
    size_t basis_count;
    struct plan_group *groups;
    size_t group_count;
    struct plan_phase *phases; /* the phase named "finalize" is last and behind the pause point */
    size_t phase_count;
    struct plan_gate *during; /* must hold while the way back is open: "way_back_fed" */
    size_t during_count;
    struct plan_gate *health; /* the health gates: soak watches them, success ends with them */
    size_t health_count;
    const char *
        *notes; /* sentences for people: order, redundancy meanwhile, where the way back closes */
    size_t note_count;
    const char **way_back; /* what to type to go back by hand, in order */
    size_t way_back_count;
    int64_t estimate_s; /* predicted duration without soak */
};

extern const struct codec plan_codec;
extern const struct codec plan_step_codec;

void plan_release(struct plan *plan);
#define AUTO_PLAN CLEANUP(plan_release) struct plan

MUST_USE struct json *plan_to_json(const struct plan *plan);
MUST_USE struct err *plan_from_json(
    const struct json *value, const char *where, struct plan *ret_plan);

/* The plan's identity: SHA-256 of its canonical JSON. */
void plan_digest(const struct plan *plan, char ret_hex[SHA256_HEX_SIZE]);

/* Finds a step; NULL when unknown. `ret_phase` may be NULL. */
const struct plan_step *plan_find_step(
    const struct plan *plan, const char *id, size_t *ret_phase_index);

/* Total number of steps. */
size_t plan_step_count(const struct plan *plan);

/* Why a plan cannot be made: all reasons at once. */
struct plan_refusal {
    struct gate_answer *answers; /* all that are not yes, in a defined order */
    size_t answer_count;
};

#endif
