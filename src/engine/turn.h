/*
 * engine/turn.h - one decision while it is being made; shared by the decide_*.c files only.
 *
 * decide.c answers events and moves the run; the others each own an idea: decide_operator.c what a
 * human says, decide_claim.c the marks on the nodes, decide_replan.c changes of course,
 * decide_steps.c steps, decide_scopes.c temporary changes, decide_health.c phases and watching.
 * Each looks at the state, emits records (folded at once) and adds commands.
 */
#ifndef UPSHIFT_ENGINE_TURN_H
#define UPSHIFT_ENGINE_TURN_H

#include "engine/decide.h"

enum {
    TURN_LOOK_MS = 5000,      /* one reading of a cluster; a dead node costs 2 s of it */
    TURN_REPLAN_MS = 30000,   /* a reading, and what a strategy must try out before it plans */
    TURN_DELAY_FIRST_MS = 20, /* a role changes in 2-30 ms: look soon */
    TURN_DELAY_MAX_MS = 500,  /* and later not more often than a human would notice */
    TURN_ATTEMPTS_MAX = 3,    /* then a human decides */
    TURN_RETRY_MS = 1000,     /* between attempts, times their number */
    TURN_UNDO_TRIES_MAX = 20, /* closing a scope on a node that does not answer */
    TURN_CLOSING_MS = 1000,   /* a way back that looks closing for less is said to be open */
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

/* The state stays and is told anew: what is to be said when the run ends. Owns: takes `reasons`. */
void turn_stay(struct turn *turn, struct json *reasons, const char *remedy);

/* Stops for a human. While aborting there is nobody to ask: the abort goes on. A run that is paused
 * already keeps its question. Owns: takes `reasons`. */
void turn_ask(struct turn *turn, struct json *reasons, const char *remedy);

/* The run must look again at `at_ms` at the latest. */
void turn_wake(struct turn *turn, int64_t at_ms);

struct command *turn_command(struct turn *turn, enum command_kind kind);

/* Next spacing of repeated looks. */
int64_t turn_next_delay(int64_t delay_ms);

/* Goes on waiting for `answer`, spaced. False: it cannot be waited for, or its time is up. */
bool turn_wait(struct turn *turn, struct run_wait *wait, const struct gate_answer *answer);

/* All that is not yes. Owns: the caller's. */
MUST_USE struct json *turn_reasons(const struct run_result *result);

/* The run is over but for the probe's last word. */
void turn_finish(struct turn *turn, enum run_event event);

/* --- decide_operator.c --- */
void operator_on_command(struct turn *turn, const struct run_pending *command);

/* Why the command cannot be carried out now, or NULL. */
const char *operator_find_refusal(struct turn *turn, const struct run_pending *command);

/* Keeps the event's command until the claim is settled. */
void operator_defer(struct turn *turn);

/* Carries out what was kept, or answers all of it with `refusal`. */
void operator_go_on(struct turn *turn, int exit_code, const char *refusal);

/* --- decide_claim.c --- */

/* Takes, renews, parks. False: the nodes are not known to be ours, so nothing may be decided yet.
 */
bool claim_advance(struct turn *turn);
void claim_on_result(struct turn *turn, const struct run_result *result);

/* May something that changes the world be begun? Else `ret_answer` says why not. */
bool claim_is_fresh(const struct turn *turn, struct gate_answer *ret_answer);

/* Do the nodes know that the run is at rest (or cannot be told)? */
bool claim_may_rest(const struct run_state *state);

/* Gives the nodes back before the run's last record. False: not done yet. */
bool claim_release(struct turn *turn);

/* The operator's word after a claim was lost: try again. */
void claim_forget_loss(struct run_state *state);

/* --- decide_replan.c --- */

/* A change of course; NONE: it is withdrawn. `remedy` (may be NULL) is told when nothing comes of
 * it. */
void replan_begin(struct turn *turn, enum run_replan why, const char *cause, const char *remedy);

/* The same by the engine's own idea, because an assumption is false. */
void replan_for_assumption(struct turn *turn, const char *cause, const char *remedy);

/* Asks for the new plan when it is wanted and nothing else goes on. */
void replan_advance(struct turn *turn);
void replan_on_result(struct turn *turn, const struct run_result *result);

/* Takes the proposal, on the word of `who`. */
void replan_accept(struct turn *turn, const char *who);

/* By policy on_failure: rollback. False: that is not to be, or cannot. Borrows `reasons`. */
bool replan_back_by_policy(struct turn *turn, const struct json *reasons);

/* --- decide_steps.c --- */
void steps_on_result(struct turn *turn, const struct run_result *result);

/* Starts what may start, looks at what is under way. */
void steps_advance(struct turn *turn);

/* Nothing in flight, nothing being verified. */
bool steps_are_quiet(const struct run_state *state);

/* And no node out that we took out and can bring back. */
bool steps_are_idle(const struct run_state *state);

/* After a restart of the controller: every open intent is verified before anything else. */
void steps_begin_again(struct turn *turn);

/* The operator said go on: waits and failures begin anew. */
void steps_forget_waits(struct run_state *state);

/* The operator repaired by hand: what came to nothing, or is not known, is theirs now. */
void steps_give_away(struct turn *turn);

/* Steps came to nothing and no other can go on: asks. */
void steps_ask_when_stuck(struct turn *turn);

/* Adds a task for a step and notes it as in flight. */
struct command *steps_submit(
    struct turn *turn, enum run_task_kind kind, struct run_step *step, int64_t deadline_ms);

/* Waits a little longer than last time before the next look. */
void steps_look_again(struct turn *turn, struct run_step *step);

/* Is it in the middle of what keeps its node out? */
bool steps_is_chain_begun(const struct run_state *state, size_t index);

/* --- decide_budget.c --- */

/* Why the step's node may not go out of service now, or NULL. In the commands' arena. */
const char *budget_find_reason(
    struct turn *turn, const struct run_step *step, const struct run_result *result);

/* --- decide_scopes.c --- */

/* Closes temporary changes up to `scope`, last first. True when none is left open. */
bool scopes_close(struct turn *turn, enum plan_scope scope);
void scopes_on_undo(struct turn *turn, struct run_step *step, const struct run_result *result);

/* Lists all that is open as left, for good. */
void scopes_leave(struct turn *turn);

/* --- decide_health.c --- */
void health_on_result(struct turn *turn, const struct run_result *result);

/* Moves phases; reaches the pause point and the end. */
void health_advance_phases(struct turn *turn);
void health_preflight(struct turn *turn);
void health_soak(struct turn *turn);

/* Has the way back changed? From every reading that looked. */
void health_watch_way_back(struct turn *turn, const struct run_result *result);

/* Journals who is primary whenever that has changed. */
void health_watch_roles(struct turn *turn, const struct run_result *result);

/* Its gates, while they matter: forward, and before finalize. */
void health_fill_during(const struct run_state *state, struct run_task *task);

#endif
