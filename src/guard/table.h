/*
 * guard/table.h - the states of one cut-over, and what a world that was left behind asks for.
 *
 * Both are pure: a table and a function, without time or servers, so that every pair is tested.
 *
 *   PREPARED -> ARMED -> FENCED -> PROVEN -> COMMITTED -> FLIPPED -> RELEASED
 *                 |         |         |          |
 *                 +---------+---------+----------+--> BACKING -> RELEASED_BACK
 *
 * In no state may writes be taken by two servers. Up to PROVEN the old primary gets them back; from
 * COMMITTED on the cut-over is finished, unless the promotion was refused: then nothing happened.
 */
#ifndef UPSHIFT_GUARD_TABLE_H
#define UPSHIFT_GUARD_TABLE_H

#include <stdbool.h>

#include "model/facts.h"

enum guard_state {
    GUARD_PREPARED,  /* looks at everything, connects, arms the timer */
    GUARD_ARMED,     /* the timer will lift the fence if we cannot: holds and fences */
    GUARD_FENCED,    /* no write is acknowledged any more: waits until the heir has all */
    GUARD_PROVEN,    /* it has: disarms the timer, which is the right to commit */
    GUARD_COMMITTED, /* durable: promotes, and makes the others follow */
    GUARD_FLIPPED,   /* the heir is primary, the old one follows: tells clients, releases */
    GUARD_RELEASED,
    GUARD_BACKING, /* gives the old primary its writes back */
    GUARD_RELEASED_BACK,
    GUARD_STUCK, /* neither way by its deadline: a human decides */
    GUARD_STATE_COUNT,
};
extern const char *const guard_state_names[]; /* NULL-terminated */

enum guard_event {
    GUARD_DONE,     /* the act of the state is complete */
    GUARD_FAILED,   /* it failed; what that means is in the table */
    GUARD_REFUSED,  /* the promotion was refused: nothing has happened */
    GUARD_RIVAL,    /* another server is primary, and not by us */
    GUARD_TOO_LATE, /* the deadline of the state has passed */
    GUARD_EVENT_COUNT,
};
extern const char *const guard_event_names[]; /* NULL-terminated */

/* Where `event` leads from `from`; `from` itself: the act is tried again. */
enum guard_state guard_next(enum guard_state from, enum guard_event event);
bool guard_is_final(enum guard_state state);

/* What is there after a guard that did not end by itself. */
struct guard_scene {
    bool is_primary_seen, is_heir_seen; /* they answer */
    enum fact_role primary_role, heir_role;
    bool is_primary_fenced;
    bool is_rival_primary; /* a third server says that it is primary */
    bool is_failing_over;  /* the watchers are changing the primary now */
    bool is_committed;     /* says the guard's log: it was permitted to promote */
};

enum guard_verdict {
    GUARD_WAIT,          /* it is moving: look again */
    GUARD_BACK,          /* the old primary serves: lift the fence, end the hold */
    GUARD_FORWARD,       /* the heir is primary: the others follow, then as above */
    GUARD_FENCE_PRIMARY, /* both take writes: fence the one that had no permission, and ask */
    GUARD_FENCE_HEIR,
    GUARD_ASK, /* nothing can be done without knowing more */
    GUARD_VERDICT_COUNT,
};
extern const char *const guard_verdict_names[]; /* NULL-terminated */

enum guard_verdict guard_decide(const struct guard_scene *scene);

#endif
