/*
 * engine/turn.h - one decision while it is being made; shared by the decide_*.c files only.
 *
 * decide.c answers events and moves the run; decide_steps.c moves steps; decide_health.c moves
 * phases and watches. Each looks at the state, emits records (folded at once) and adds commands.
 */
#ifndef UPSHIFT_ENGINE_TURN_H
#define UPSHIFT_ENGINE_TURN_H

#include "engine/decide.h"

enum {
    TURN_LOOK_MS = 5000,      /* one reading of a cluster; a dead node costs 2 s of it */
    TURN_DELAY_FIRST_MS = 20, /* a role changes in 2-30 ms: look soon */
    TURN_DELAY_MAX_MS = 500,  /* and later not more often than a human would notice */
    TURN_ATTEMPTS_MAX = 3,    /* then a human decides */
    TURN_RETRY_MS = 1000,     /* between attempts, times their number */
    TURN_UNDO_TRIES_MAX = 20, /* closing a scope on a node that does not answer */
    TURN_SOAK_LOOK_MS = 1000,
    TURN_SOAK_TICK_MS = 10000, /* engine.md 2.6 */
};

struct turn {
    struct run_state *state;
    const struct event *event;
    struct commands *out;
};

/* Appends a record about `step` (NULL: the run) and folds it. Owns: takes `body`. */
void turn_emit(struct turn *turn, enum journal_type type, struct run_step *step, struct json *body);

/* Moves the run along the table; an illegal event is our bug. */
void turn_move(struct turn *turn, enum run_event event);

/* The same with what is to be told: reasons (a JSON array, taken) and a remedy. */
void turn_move_because(
    struct turn *turn, enum run_event event, struct json *reasons, const char *remedy);

/* Stops for a human. While aborting there is nobody to ask: the abort goes on. */
void turn_ask(struct turn *turn, struct json *reasons, const char *remedy);

/* The run must look again at `at_ms` at the latest. */
void turn_wake(struct turn *turn, int64_t at_ms);

struct command *turn_command(struct turn *turn, enum command_kind kind);

/* Next spacing of repeated looks. */
int64_t turn_next_delay(int64_t delay_ms);

/* --- decide_steps.c --- */
void steps_on_result(struct turn *turn, const struct run_result *result);

/* Starts what may start, looks at what is under way. */
void steps_advance(struct turn *turn);

/* Nothing in flight, nothing being verified, no node out that we took out and can bring back. */
bool steps_are_idle(const struct run_state *state);

/* After a restart of the controller: every open intent is verified before anything else. */
void steps_begin_again(struct turn *turn);

/* The operator said go on: waits and failures begin anew. */
void steps_forget_waits(struct run_state *state);

/* Closes temporary changes up to `scope`, last first. True when none is left open. */
bool steps_close_scopes(struct turn *turn, enum plan_scope scope);

/* --- decide_health.c --- */
void health_on_result(struct turn *turn, const struct run_result *result);

/* Moves phases; reaches the pause point and the end. */
void health_advance_phases(struct turn *turn);
void health_preflight(struct turn *turn);
void health_soak(struct turn *turn);

/* The run is over but for the probe's last word. */
void turn_finish(struct turn *turn, enum run_event event);

#endif
