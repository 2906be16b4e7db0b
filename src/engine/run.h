/*
 * engine/run.h - the state of one run: a fold of its journal records and nothing else.
 *
 * `struct run_state` has a durable part, changed only by run_fold(), and a live part (what is in
 * flight, what is waited for) that a crash may lose. Which transitions are legal is data: the
 * tables below are what is built of the contract's tables of runs and commands, and a test walks
 * them pair by pair.
 */
#ifndef UPSHIFT_ENGINE_RUN_H
#define UPSHIFT_ENGINE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "engine/journal.h"
#include "engine/step.h"
#include "model/gate.h"
#include "model/plan.h"

enum run_status {
    RUN_PLANNED,
    RUN_CLAIMING, /* preflight is green; the claim is being taken on the nodes */
    RUN_RUNNING,
    RUN_PAUSING,
    RUN_PAUSED,
    RUN_ABORTING,
    RUN_ABORTED,
    RUN_SOAKING,
    RUN_REFUSED,
    RUN_COMPLETE,
    RUN_ROLLED_BACK,
    RUN_ABANDONED,
};
extern const char *const run_status_names[]; /* NULL-terminated: "PLANNED", ... */

enum run_event {
    RUN_EVENT_PREFLIGHT_GREEN,
    RUN_EVENT_PREFLIGHT_RED,
    RUN_EVENT_PAUSE,
    RUN_EVENT_IDLE,     /* nothing in flight, no node of ours out */
    RUN_EVENT_QUESTION, /* needs you, never, a failed step, a wait past its window */
    RUN_EVENT_RESUME,
    RUN_EVENT_ABORT,
    RUN_EVENT_ABORTED, /* nothing in flight, scopes closed */
    RUN_EVENT_SOAK,    /* all phases before finalize are done */
    RUN_EVENT_FINALIZE,
    RUN_EVENT_FINISHED, /* phase finalize is done and the end gate green */
    RUN_EVENT_CLAIMED,  /* the claim is ours on a majority and nowhere another's */
    RUN_EVENT_CLAIM_REFUSED,
    RUN_EVENT_ROLLBACK,    /* by the operator, or by policy on_failure: rollback */
    RUN_EVENT_ROLLED_BACK, /* all of it is undone and the end gate green */
    RUN_EVENT_RECONCILE,   /* the operator repaired by hand: re-plan from the world, stay */
    RUN_EVENT_ABANDON,
};
extern const char *const run_event_names[];

struct run_transition {
    enum run_status from;
    enum run_event event;
    enum run_status to;
    const char *why; /* for people */
};
extern const struct run_transition run_transitions[];
extern const size_t run_transition_count;

/* The table's answer; false: this event is not legal here. */
bool run_next_status(enum run_status from, enum run_event event, enum run_status *ret_to);

bool run_status_is_final(enum run_status status);

enum run_command {
    RUN_COMMAND_RESUME, /* with `answer` "accept HASH" or "forward" */
    RUN_COMMAND_PAUSE,
    RUN_COMMAND_ABORT,
    RUN_COMMAND_FINALIZE,
    RUN_COMMAND_ROLLBACK,
    RUN_COMMAND_RECONCILE,
    RUN_COMMAND_ABANDON,
    RUN_COMMAND_COUNT,
};
extern const char *const run_command_names[];

enum run_verdict {
    RUN_DO,      /* carry it out: the event of the rule */
    RUN_NOTHING, /* already so: says so, exit 0 */
    RUN_REFUSE,  /* refused with reason and remedy */
};

struct run_rule {
    enum run_verdict verdict;
    enum run_event event; /* of RUN_DO */
    const char *text;     /* reason and remedy, or what is so already */
};

/* An attribute of a run, not a state. */
enum run_direction { RUN_FORWARD, RUN_BACK };
extern const char *const run_direction_names[]; /* "forward", "back" */

/* Why the rest of the plan is made anew. It is one mechanism: nothing new starts, what is begun
 * ends, and then a strategy plans from fresh facts and the run's progress; the new plan replaces
 * what was left of the old (journal: plan_revised). */
enum run_replan {
    RUN_REPLAN_NONE,
    RUN_REPLAN_WORLD,   /* an assumption is false, or somebody repaired by hand */
    RUN_REPLAN_BACK,    /* rollback */
    RUN_REPLAN_FORWARD, /* resume --forward: a rollback is turned again */
};
extern const char *const run_replan_names[]; /* "none", "world", "back", "forward" */

enum { RUN_REVISIONS_MAX = 8 }; /* by itself; then the cluster is not stable (engine.md 4) */

/* What a command means in a state (engine.md 2.2); every pair has an answer. */
const struct run_rule *run_find_rule(enum run_status status, enum run_command command);

enum run_way_back { RUN_WAY_BACK_OPEN, RUN_WAY_BACK_CLOSING, RUN_WAY_BACK_CLOSED };
extern const char *const run_way_back_names[];

enum run_phase_status { RUN_PHASE_PENDING, RUN_PHASE_OPEN, RUN_PHASE_DONE };
extern const char *const run_phase_status_names[];

enum run_step_status {
    RUN_STEP_PENDING,
    RUN_STEP_INTENDED, /* also while applying and verifying: those live in memory only */
    RUN_STEP_DONE,
    RUN_STEP_FOUND, /* was so before any intent; never undone: it was not ours */
    RUN_STEP_FAILED,
    RUN_STEP_FOREIGN, /* somebody else moved it */
    RUN_STEP_UNKNOWN, /* could not be read by the deadline */
    RUN_STEP_DROPPED, /* a revision of the plan has no use for it any more */
};
extern const char *const run_step_status_names[];

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

struct run_step {
    const struct plan_step *plan;
    int64_t revision; /* of the plan it belongs to; steps of earlier ones are history: kept for
                         their scopes, their progress and the report, never started again */
    size_t phase;     /* of that plan */
    enum run_step_status status;
    int64_t attempt;     /* of the last intent; 0: none */
    struct json *args;   /* of the first intent, frozen; owned */
    struct json *before; /* captured before the first intent, frozen; owned */
    bool is_scope_open;  /* a temporary change stands */
    char *reason;        /* of the last failure; owned */
    int64_t started_wall_ms, ended_wall_ms;
    struct run_activity live;
};

/* Which gates a health task evaluates, and what its answer decides. */
enum run_health_purpose {
    RUN_HEALTH_PREFLIGHT,
    RUN_HEALTH_PHASE_BEFORE,
    RUN_HEALTH_PHASE_AFTER,
    RUN_HEALTH_SOAK,
    RUN_HEALTH_END,
};

struct run_health {
    bool is_in_flight;
    enum run_health_purpose purpose;
    int64_t next_ms, delay_ms;
    int64_t since_ms, since_wall_ms;
    int64_t deadline_ms; /* 0: no wait begun */
    struct run_answer blocked;
};

struct run_state {
    struct arena arena;
    const struct plan *plan; /* the present one: the first is borrowed and outlives the state, */
    struct plan **revisions; /* the later ones are owned */
    size_t revision_count;
    const char *id;
    int64_t epoch;

    /* durable: run_fold() only */
    enum run_status status;
    enum run_direction direction;
    enum run_replan replan;  /* wanted; NONE again with the new plan */
    char *replan_cause;      /* one sentence; owned */
    struct json *proposal;   /* body of plan_proposed, waiting for --accept; NULL; owned */
    int64_t automatic_count; /* revisions that nobody was asked about */
    enum run_way_back way_back;
    char *way_back_reason;         /* why it is not open; NULL: nothing to say; owned */
    enum run_phase_status *phases; /* as plan->phases */
    struct run_step *steps;        /* of all plans so far, oldest plan first, in plan order */
    size_t step_count;
    char **reasons; /* of the question or refusal; owned */
    size_t reason_count;
    char *remedy;
    bool has_question;
    bool is_finalizing; /* the operator ended the way back */
    bool is_finished;   /* the finish record is there */
    bool is_proved;     /* the probe's final record says so */
    int64_t soak_healthy_ms;
    int64_t last_seq;
    int64_t started_wall_ms;

    /* live */
    struct run_health health;
    bool is_replanning; /* its task is in flight */
    bool is_claimed;    /* this controller's epoch is on the nodes */
    bool is_claim_in_flight;
    int64_t claim_next_ms;    /* renewal */
    int64_t claimed_ms;       /* last time it was seen to be ours on a majority */
    bool is_ending;           /* SIGTERM: pause, then end the process */
    bool is_finishing;        /* the probe was told to read back; its final record is awaited */
    enum run_event finishing; /* and this follows */
    bool has_probe_gap;       /* somebody did not watch for a while (durable: probe_gap records) */
    struct json *nodes;       /* as read last; owned */
    bool is_resumed;          /* restart: intents must be verified first */
    int64_t soak_seen_ms;     /* last health answer while soaking */
    int64_t soak_unsaved_ms;
    bool is_soak_green;
};

/* Prepares the state of a run that has no records yet. `id` is copied; `plan` is borrowed. */
void run_init(struct run_state *state, const struct plan *plan, const char *id);
void run_release(struct run_state *state);

/* Applies one record. Unknown steps in records are ignored: the plan of a run never changes. */
void run_fold(struct run_state *state, const struct journal_record *record);

/* Index into `steps` of the newest step with that id, or -1. */
long run_find_step(const struct run_state *state, const char *id);

/* True for DONE and FOUND. */
bool run_step_is_final(const struct run_step *step);

/* The phase in work: the first that is not done; phase_count when all are. */
size_t run_open_phase(const struct run_state *state);

/* Is the phase the one behind the pause point? */
bool run_phase_is_finalize(const struct run_state *state, size_t phase);

/* Exit code for a viewer (engine.md 13), or -1 while it should go on watching. */
int run_exit_code(const struct run_state *state);

/* The durable part as JSON, for comparing folds. Owns: caller frees. */
MUST_USE struct json *run_to_json(const struct run_state *state);

#endif
