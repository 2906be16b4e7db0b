/*
 * engine/run_live.h - what goes on in a run right now: tasks in flight, waits, the claim.
 *
 * A crash may lose all of it; the next controller finds out again by looking.
 */
#ifndef UPSHIFT_ENGINE_RUN_LIVE_H
#define UPSHIFT_ENGINE_RUN_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "engine/run_tables.h"
#include "engine/step.h"
#include "model/gate.h"

/* An answer that outlives the arena it was made in. */
struct run_answer {
    enum gate_state state;
    char *gate, *reason, *remedy; /* owned; NULL where absent */
};
void run_answer_set(struct run_answer *answer, const struct gate_answer *from);
void run_answer_release(struct run_answer *answer);

enum run_task_kind {
    RUN_TASK_NONE,
    RUN_TASK_LOOK,
    RUN_TASK_APPLY,
    RUN_TASK_VERIFY,
    RUN_TASK_UNDO,
    RUN_TASK_HEALTH,
    RUN_TASK_REPLAN,
    RUN_TASK_CLAIM,
};

/* What goes on with a step right now; lost by a crash and rebuilt by looking. */
struct run_activity {
    enum run_task_kind in_flight;
    bool is_verifying; /* between the act and its outcome */
    bool must_stop;    /* an earlier attempt may still be at it: end it before looking */
    int64_t next_ms;   /* nothing before this time */
    int64_t delay_ms;  /* the present spacing of looks */
    int64_t since_ms;  /* of the wait or the verification */
    int64_t since_wall_ms;
    int64_t deadline_ms;  /* of the wait (gates) or the verification (settle) */
    enum step_state seen; /* last answer of verify, and since when it stands still */
    bool has_seen;
    int64_t seen_since_ms;
    struct run_answer blocked; /* why it waits; state YES: it does not */
    int64_t undo_count;        /* tries to close its scope */
    int64_t failure_count;     /* attempts of this controller that came to nothing */
    char *apply_text;          /* what the driver said to the last act, or NULL; owned */
};

/* Which gates a health task evaluates, and what its answer decides. */
enum run_health_purpose {
    RUN_HEALTH_PREFLIGHT,
    RUN_HEALTH_PHASE_BEFORE,
    RUN_HEALTH_PHASE_AFTER,
    RUN_HEALTH_SOAK,
    RUN_HEALTH_END,
};

/* Something that is asked again until it is well. */
struct run_wait {
    int64_t next_ms, delay_ms;
    int64_t since_ms, since_wall_ms;
    int64_t deadline_ms; /* 0: no wait begun */
    struct run_answer blocked;
};

void run_wait_reset(struct run_wait *wait);

/* Who was primary, as last journaled: the report finds failovers by it that nobody planned. */
struct run_roles {
    struct json *nodes; /* owned; NULL: this controller has journaled none yet */
    int64_t seen_ms;    /* when they were last seen so */
    bool has_news;      /* one reading said otherwise: a reading may be older than it arrives */
};

struct run_health {
    bool is_in_flight;
    enum run_health_purpose purpose;
    struct run_wait wait;
};

/* The marks on the nodes (engine/claim.h), as this controller knows them. */
struct run_claim {
    bool is_ours;
    bool was_held; /* by this controller, at some time */
    bool is_lost;  /* somebody else's was seen; nothing is taken again unasked */
    bool is_tried; /* the nodes were asked at least once */
    bool is_in_flight;
    bool has_news;   /* a temporary change began or ended since the nodes were told */
    bool is_parked;  /* as the nodes were told last */
    bool is_parking; /* as the request in flight tells them */
    int exit_code;   /* this controller ends with it and leaves the run as it was; 0: it does not */
    int64_t nodes;   /* 0: there is nobody to share the cluster with */
    int64_t sent_ms; /* of the request in flight */
    int64_t seen_ms; /* the last time it was surely ours on a majority */
    int64_t release_until_ms; /* for so long a release that failed is tried again; 0: none has */
    struct run_wait wait;
};

/* An operator's command that came before the claim was settled. */
struct run_pending {
    enum run_command command;
    char *who, *answer; /* owned */
    int64_t reply_id;
    bool is_ending;
};

#endif
