/*
 * tests/sim/universe_parts.h - what the files of a universe share; see universe.h.
 *
 * fate.c decides what goes wrong, operator.c types commands, universe.c lets a controller live.
 */
#ifndef UPSHIFT_TESTS_SIM_UNIVERSE_PARTS_H
#define UPSHIFT_TESTS_SIM_UNIVERSE_PARTS_H

#include <setjmp.h>

#include "app/claims.h"
#include "base/random.h"
#include "engine/executor.h"
#include "invariants.h"
#include "memory_journal.h"
#include "universe.h"

enum { UNIVERSE_TASKS_MAX = 256 };

struct timepiece {
    struct clock base;
    struct universe *universe;
};

struct universe {
    const struct universe_options *options;
    struct sim *sim;
    struct timepiece clock;
    struct random random;
    struct random wall_random;
    struct memory_journal journal;
    struct invariants invariants;
    struct executor executor;
    int64_t started_ms;
    int64_t wall_offset_ms;
    int64_t answer_at_ms; /* the operator acts; 0: has nothing to do */
    size_t life_count, question_count;
    size_t strike_count; /* that have hit */
    int64_t places[PLACE_COUNT];
    size_t orders_done; /* bits: commands that were to be typed at a time */
    struct claims claims, rival_claims;
    struct run_task ghost; /* kind RUN_TASK_NONE: there is none */
    int64_t ghost_at_ms, ghost_life;
    bool has_event_happened;
    bool is_over; /* nothing more can come of it */

    /* of the present controller */
    struct run_state state;
    struct run_task tasks[UNIVERSE_TASKS_MAX];
    size_t task_count;
    struct run_result *answers[UNIVERSE_TASKS_MAX]; /* done, but not heard of yet */
    size_t answer_count;
    size_t worker_count; /* tasks in work, one within the other */
    bool is_dead;
    bool is_probe_asked;
    struct json *body; /* of the event handed out last */
    bool is_thinking;  /* its own code runs, and not the test's around it */
    jmp_buf death;     /* of an allocation */
};

/* --- fate.c --- */
int64_t universe_now(const struct universe *universe);
int64_t universe_draw(struct universe *universe, int64_t limit); /* below it */
bool universe_happens(struct universe *universe, unsigned permille);
bool universe_is_troubled(const struct universe *universe);
void universe_trace(const struct universe *universe, const char *what, const char *detail);
void universe_die(struct universe *universe, const char *where);

/* Something passes a place: does a strike hit it, and how? */
bool universe_is_struck(
    struct universe *universe, enum universe_place place, enum universe_blow *ret_blow);

/* What becomes of the next append; `context` is the universe. */
enum append_fate universe_append_fate(void *context);

/* The clock of the controller. */
void universe_wind_clock(struct universe *universe);

/* Whose allocations may be struck: of the universe that was told last, or of none (NULL). */
void universe_watch_allocations(struct universe *universe);

/* --- rivals.c --- */

/* Gives the executor the nodes' claims, if the universe has any. */
void universe_open_claims(struct universe *universe);

/* Which controller's process runs from now on. */
void universe_act_as(int64_t life);

/* A second controller, or what is left of a dead one, acts now if its time has come. */
void universe_let_rivals_act(struct universe *universe);

/* Keeps the task of a dead controller for later, or not. Owns: takes it when true. */
bool universe_keep_ghost(struct universe *universe, const struct run_task *task);
void universe_forget_ghost(struct universe *universe);

/* --- operator.c --- */

/* Somebody types a command: because the run waits for one, or unasked. */
bool universe_operate(struct universe *universe, struct event *ret_event);

#endif
