/*
 * drivers/guard.h - one cut-over by a process that outlives the controller (src/guard/).
 *
 * Implemented by app/guards.c, which starts this program again. The step repl.cutover is its only
 * user. Controller and guard never act on the same servers at the same time: who wants to decide
 * waits for the guard's end first.
 */
#ifndef UPSHIFT_DRIVERS_GUARD_H
#define UPSHIFT_DRIVERS_GUARD_H

#include "base/attr.h"
#include "base/call.h"
#include "base/err.h"
#include "drivers/cutover.h"

struct guard;

struct guard_order {
    struct cutover_parties parties;
    const char *fence_before; /* the setting that fences, as it was before the step's intent */
    int64_t hold_limit_ms;    /* writes wait no longer */
};

struct guard_ops {
    const char *name;

    /* Starts a guard and waits for its end. NULL: the heir is primary and writes flow.
     * Errors: ERR_REFUSED, code "cutover_backed": the old primary serves, and why; ERR_UNKNOWN,
     * code "cutover_unclear": settle. */
    struct err *(*cut_over)(
        const struct call *call, struct guard *guard, const struct guard_order *order);

    /* Waits for what an earlier attempt of the step left behind, ends it where it does not move,
     * and decides by the world: afterwards nothing is held and one server takes writes.
     * Errors: ERR_UNKNOWN, code "cutover_unclear": a human must decide; the text says what. */
    struct err *(*settle)(
        const struct call *call, struct guard *guard, const struct guard_order *order);

    void (*close)(struct guard *guard);
};

struct guard {
    const struct guard_ops *ops;
};

MUST_USE static inline struct err *guard_cut_over(
    const struct call *call, struct guard *guard, const struct guard_order *order)
{
    return guard->ops->cut_over(call, guard, order);
}

MUST_USE static inline struct err *guard_settle(
    const struct call *call, struct guard *guard, const struct guard_order *order)
{
    return guard->ops->settle(call, guard, order);
}

static inline void guard_close(struct guard *guard)
{
    if (guard != NULL) {
        guard->ops->close(guard);
    }
}

#endif
