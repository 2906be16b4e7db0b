/*
 * engine/run.h - the state of one run: a fold of its journal records and nothing else.
 *
 * `struct run_state` has a durable part, changed only by run_fold(), and a live part (what is in
 * flight, what is waited for) that a crash may lose. Which transitions are legal is data
 * (engine/run_tables.h).
 */
#ifndef UPSHIFT_ENGINE_RUN_H
#define UPSHIFT_ENGINE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "engine/journal.h"
#include "engine/run_live.h"
#include "engine/run_tables.h"
#include "engine/step.h"
#include "model/gate.h"
#include "model/plan.h"

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

struct run_step {
    const struct plan_step *plan;
    int64_t revision; /* of the plan it belongs to; steps of earlier ones are history: kept for
                         their scopes, their progress and the report, never started again */
    size_t phase;     /* of that plan */
    enum run_step_status status;
    int64_t attempt;     /* of the last intent; 0: none */
    int64_t intent_seq;  /* of the first intent's record; 0: none */
    struct json *args;   /* of the first intent, frozen; owned */
    struct json *before; /* captured before the first intent, frozen; owned */
    bool is_scope_open;  /* a temporary change stands */
    char *reason;        /* of the last failure; owned */
    int64_t started_wall_ms, ended_wall_ms;
    struct run_activity live;
};

struct run_state {
    struct arena arena;
    const struct plan *plan;  /* the present one */
    const struct plan *first; /* borrowed, outlives the state */
    struct plan **revisions;  /* the later ones, owned */
    size_t revision_count;    /* also the number of the present plan */
    const char *id;
    int64_t epoch;

    /* durable: run_fold() only */
    enum run_status status;
    enum run_direction direction;
    enum run_replan replan;   /* wanted; NONE again with the new plan */
    bool is_replan_automatic; /* the engine's own idea: counted, and never twice the same */
    char *replan_cause;       /* one sentence; owned */
    char *replan_remedy;      /* if nothing comes of it; owned */
    struct json *proposal;    /* body of plan_proposed, waiting for --accept; NULL; owned */
    int64_t automatic_count;  /* revisions that nobody was asked about */
    char *plan_trouble;       /* a revision that this program cannot read; NULL; owned */
    enum run_way_back way_back;
    char *way_back_reason;         /* why it is not open; NULL: nothing to say; owned */
    enum run_phase_status *phases; /* as plan->phases */
    struct run_step *steps;        /* of all plans so far, oldest plan first, in plan order */
    size_t step_count;
    char **reasons; /* of the question or refusal; owned */
    size_t reason_count;
    char *remedy;
    bool has_question;
    bool is_claim_refused; /* why it was refused: another run has the nodes */
    bool is_finalizing;    /* the operator ended the way back */
    bool is_finished;      /* the finish record is there */
    bool is_proved;        /* the probe's final record says so */
    int64_t soak_healthy_ms;
    int64_t last_seq;
    int64_t started_wall_ms;

    /* live */
    struct run_health health;
    struct run_claim claim;
    struct run_pending *pending; /* owned */
    size_t pending_count;
    bool is_replanning; /* its task is in flight */
    struct run_wait replan_wait;
    bool is_ending;           /* SIGTERM: pause, then end the process */
    bool is_finishing;        /* the probe was told to read back; its final record is awaited */
    bool is_releasing;        /* that is here; the claim is being released */
    struct json *probe_final; /* that record; owned */
    enum run_event finishing; /* and this follows */
    bool has_probe_gap;       /* somebody did not watch for a while (durable: probe_gap records) */
    struct json *nodes;       /* as read last; owned */
    struct run_roles roles;
    bool is_resumed;          /* restart: intents must be verified first */
    int64_t closing_since_ms; /* the way back looks so; 0: it does not */
    int64_t soak_seen_ms;     /* last health answer while soaking */
    int64_t soak_unsaved_ms;
    bool is_soak_green;
};

/* Prepares the state of a run that has no records yet. `id` is copied; `plan` is borrowed. */
void run_init(struct run_state *state, const struct plan *plan, const char *id);
void run_release(struct run_state *state);

/* For run_fold(): `plan` becomes the present one, behind all steps so far. Borrowed. */
void run_add_plan(struct run_state *state, const struct plan *plan);
void run_forget_reasons(struct run_state *state);

/* Applies one record. Steps that no plan of the run has are ignored. */
void run_fold(struct run_state *state, const struct journal_record *record);

/* Index into `steps` of the newest step with that id, or -1. */
long run_find_step(const struct run_state *state, const char *id);

/* Of the step with that id in that plan, or -1. */
long run_find_step_of(const struct run_state *state, const char *id, int64_t revision);

/* Of the step that a record is about, or -1. */
long run_find_recorded(const struct run_state *state, const struct journal_record *record);

/* The plan with that number; 0 is the first. */
const struct plan *run_plan_of(const struct run_state *state, int64_t revision);

/* Belongs to the present plan. */
bool run_step_is_current(const struct run_state *state, const struct run_step *step);

/* True for DONE and FOUND. */
bool run_step_is_final(const struct run_step *step);

/* True for FAILED, FOREIGN and UNKNOWN: it came to nothing, or nobody knows. */
bool run_step_is_stuck(const struct run_step *step);

/* The phase in work: the first that is not done; phase_count when all are. */
size_t run_open_phase(const struct run_state *state);

/* Is the phase the one behind the pause point? */
bool run_phase_is_finalize(const struct run_state *state, size_t phase);

/* Why there is no way back any more and what is possible instead, in one line; NULL: it may be
 * tried. Owns: `arena`. */
const char *run_closed_way_back(const struct run_state *state, struct arena *arena);

/* Exit code for a viewer (engine.md 13), or -1 while it should go on watching. */
int run_exit_code(const struct run_state *state);

/* Open temporary changes, oldest first, for people: [{what, where, before}]; and as claims carry
 * them: [{step, kind, args, before}]. They share nothing with the state. Owns: caller frees. */
MUST_USE struct json *run_scopes_to_json(const struct run_state *state);
MUST_USE struct json *run_claim_scopes_to_json(const struct run_state *state);

/* What strategies are told (model/progress.h), as JSON; shares nothing. Owns: caller frees. */
MUST_USE struct json *run_progress_to_json(const struct run_state *state);

/* The durable part as JSON, for comparing folds. Owns: caller frees. */
MUST_USE struct json *run_to_json(const struct run_state *state);

#endif
