/*
 * engine/run_tables.h - which moves of a run are legal, and what each command means in each state.
 *
 * Both are data, in run_tables.c: what is built of the contract's tables of runs and commands. A
 * test walks them pair by pair.
 */
#ifndef UPSHIFT_ENGINE_RUN_TABLES_H
#define UPSHIFT_ENGINE_RUN_TABLES_H

#include <stdbool.h>
#include <stddef.h>

enum run_status {
    RUN_PLANNED,
    RUN_CLAIMING, /* preflight is green; the claim is being taken on the nodes */
    RUN_RUNNING,
    RUN_PAUSING,
    RUN_PAUSED,
    RUN_ABORTING,
    RUN_ABORTED, /* ended; only a rollback goes on from here */
    RUN_SOAKING,
    RUN_REFUSED,
    RUN_COMPLETE,
    RUN_ROLLED_BACK,
    RUN_ABANDONED,
};
enum { RUN_STATUS_COUNT = RUN_ABANDONED + 1 };
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
enum { RUN_EVENT_COUNT = RUN_EVENT_ABANDON + 1 };
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

/* What a command means in a state (engine.md 2.2); every pair has an answer. Where a run is on its
 * way back, or has none, decide_operator.c says more. */
const struct run_rule *run_find_rule(enum run_status status, enum run_command command);

#endif
