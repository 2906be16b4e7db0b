/*
 * strategies/revise.h - planning the rest of a run anew: world changes, the way back, forward
 * again.
 *
 * Every change of course is a new plan, computed from fresh facts and the run's progress by a pure
 * function, exactly as the first one was; it can be printed, reviewed and stored like it
 * (`rollback --dry-run`). What the run has touched is in the progress; what is so now is in the
 * facts; where they differ the facts win.
 */
#ifndef UPSHIFT_STRATEGIES_REVISE_H
#define UPSHIFT_STRATEGIES_REVISE_H

#include "model/progress.h"
#include "strategies/rolling.h"

enum revise_why {
    REVISE_WORLD,   /* the same goal from where the world is now */
    REVISE_BACK,    /* every node back to the version it had when the run began */
    REVISE_FORWARD, /* a rollback is turned again: the goal of the first plan */
};

struct revise_request {
    struct rolling_request rolling; /* facts->artefacts[0] is the first plan's target */
    enum revise_why why;
    const struct plan *plan; /* the present one */
    const struct progress *progress;
};

struct revise_result {
    bool is_wider;           /* more than the operator agreed to: needs consent */
    const char *const *diff; /* in the arena; what it does otherwise, one line each */
    size_t diff_count;
};

/* Plans. True: `ret_plan` is filled, with direction and revision = plan->revision + 1; it has no
 * phases when nothing is left to do. False: `ret_refusal` has all reasons (of a way back: what has
 * closed it, and what is still possible). */
MUST_USE bool revise_plan(const struct revise_request *request, struct arena *arena,
    struct plan *ret_plan, struct revise_result *ret_result, struct plan_refusal *ret_refusal);

#endif
