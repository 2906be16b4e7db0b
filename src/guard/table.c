#include "guard/table.h"

#include <assert.h>
#include <stddef.h>

#include "base/attr.h"

const char *const guard_state_names[] = {"PREPARED", "ARMED", "FENCED", "PROVEN", "COMMITTED",
    "FLIPPED", "RELEASED", "BACKING", "RELEASED_BACK", "STUCK", NULL};
const char *const guard_event_names[] = {"done", "failed", "refused", "rival", "too late", NULL};
const char *const guard_verdict_names[] = {
    "wait", "back", "forward", "fence the old primary", "fence the heir", "ask", NULL};

/* engine.md 2.7. Redis has no state HELD: its hold and its fence are one act. */
static const enum guard_state transitions[GUARD_STATE_COUNT][GUARD_EVENT_COUNT] = {
    /*                    done                failed              refused
                          rival               too late */
    [GUARD_PREPARED] = {GUARD_ARMED, GUARD_RELEASED_BACK, GUARD_RELEASED_BACK, GUARD_RELEASED_BACK,
        GUARD_RELEASED_BACK},
    [GUARD_ARMED] = {GUARD_FENCED, GUARD_BACKING, GUARD_BACKING, GUARD_BACKING, GUARD_BACKING},
    [GUARD_FENCED] = {GUARD_PROVEN, GUARD_FENCED, GUARD_BACKING, GUARD_BACKING, GUARD_BACKING},
    [GUARD_PROVEN] = {GUARD_COMMITTED, GUARD_BACKING, GUARD_BACKING, GUARD_BACKING, GUARD_BACKING},
    [GUARD_COMMITTED] = {GUARD_FLIPPED, GUARD_COMMITTED, GUARD_BACKING, GUARD_BACKING, GUARD_STUCK},
    [GUARD_FLIPPED] = {GUARD_RELEASED, GUARD_FLIPPED, GUARD_FLIPPED, GUARD_STUCK, GUARD_STUCK},
    [GUARD_RELEASED] = {GUARD_RELEASED, GUARD_RELEASED, GUARD_RELEASED, GUARD_RELEASED,
        GUARD_RELEASED},
    [GUARD_BACKING] = {GUARD_RELEASED_BACK, GUARD_BACKING, GUARD_BACKING, GUARD_BACKING,
        GUARD_STUCK},
    [GUARD_RELEASED_BACK] = {GUARD_RELEASED_BACK, GUARD_RELEASED_BACK, GUARD_RELEASED_BACK,
        GUARD_RELEASED_BACK, GUARD_RELEASED_BACK},
    [GUARD_STUCK] = {GUARD_STUCK, GUARD_STUCK, GUARD_STUCK, GUARD_STUCK, GUARD_STUCK},
};

enum guard_state guard_next(enum guard_state from, enum guard_event event)
{
    assert(from < GUARD_STATE_COUNT);
    assert(event < GUARD_EVENT_COUNT);
    return transitions[from][event];
}

bool guard_is_final(enum guard_state state)
{
    return state == GUARD_RELEASED || state == GUARD_RELEASED_BACK || state == GUARD_STUCK;
}

/* The promotion itself is the commit: a heir that is primary is one, whatever any log says. */
enum guard_verdict guard_decide(const struct guard_scene *scene)
{
    const bool is_primary = scene->is_primary_seen && scene->primary_role == FACT_ROLE_PRIMARY;
    const bool is_heir_primary = scene->is_heir_seen && scene->heir_role == FACT_ROLE_PRIMARY;
    if (scene->is_failing_over) {
        return GUARD_WAIT;
    }
    if (is_primary && is_heir_primary && !scene->is_primary_fenced) {
        return scene->is_committed ? GUARD_FENCE_PRIMARY : GUARD_FENCE_HEIR;
    }
    if (is_heir_primary && scene->is_primary_seen && !scene->is_rival_primary) {
        return GUARD_FORWARD;
    }
    if (is_heir_primary || scene->is_rival_primary || !is_primary) {
        return GUARD_ASK;
    }
    /* Unseen, the heir may be primary if it was permitted: two would then take writes. */
    return scene->is_heir_seen || !scene->is_committed ? GUARD_BACK : GUARD_ASK;
}
