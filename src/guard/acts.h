/*
 * guard/acts.h - what guard, timer and successor do alike: look at all, go back, go forward.
 */
#ifndef UPSHIFT_GUARD_ACTS_H
#define UPSHIFT_GUARD_ACTS_H

#include "base/call.h"
#include "base/err.h"
#include "drivers/cutover.h"
#include "guard/guard.h"
#include "guard/table.h"

enum {
    GUARD_ACT_MS = 1000, /* one command to one server; it answers within a few */
    GUARD_BACK_MS =
        100,           /* one look before going back: writers wait, and who is silent takes none */
    GUARD_LOOK_MS = 5, /* between two looks */
};

/* All that is needed to act on the servers of one cut-over. */
struct guard_hands {
    struct call call; /* its deadline is that of the whole; each act gets a share of it */
    struct cutover_session *session;
    const char *fence_before;
    int64_t act_ms; /* longest act; 0: GUARD_ACT_MS */
};

/* What was seen of everybody, in one round. */
struct guard_sight {
    struct cutover_view primary, heir;
    bool is_primary_seen, is_heir_seen;
    const struct inv_node *rival;  /* a third server that says it is primary */
    const struct inv_node *unseen; /* a third server that does not answer */
    int64_t offset_least;          /* of the third servers that are replicas; INT64_MAX: none */
};

/* Opens the session with the servers that the config names. Owns: the caller ends it with
 * cutover_close_session(). Errors: ERR_INVALID a server that the cluster does not have. */
MUST_USE struct err *guard_hands_open(
    struct guard_hands *hands, const struct guard_config *config, const struct guard_env *env);

/* A call for one act: within the deadline, and at most `act_ms` long. */
struct call guard_act_call(const struct guard_hands *hands);

void guard_look(const struct guard_hands *hands, struct guard_sight *ret_sight);

/* Gives the old primary its writes back, unless another server is primary or about to
 * become it: then two would take them, and it is left fenced until it follows that one. `ret_event`
 * is GUARD_DONE when nothing is held any more, GUARD_RIVAL, or GUARD_FAILED; `ret_err` says why, or
 * is NULL. */
void guard_go_back(
    const struct guard_hands *hands, enum guard_event *ret_event, struct err **ret_err);

/* Makes all others follow the heir, which is primary. GUARD_DONE when the old primary does. */
void guard_follow_all(
    const struct guard_hands *hands, enum guard_event *ret_event, struct err **ret_err);

/* Lifts the fence of a primary that follows, ends its hold. */
MUST_USE struct err *guard_let_go(const struct guard_hands *hands);

#endif
