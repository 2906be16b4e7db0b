/*
 * base/call.h - what every call to the outside world carries: deadline, cancellation, time, names.
 */
#ifndef UPSHIFT_BASE_CALL_H
#define UPSHIFT_BASE_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"

struct world; /* the drivers of one cluster: drivers/world.h; only steps look inside */

struct call {
    struct clock *clock;
    int64_t deadline_ms;     /* no call blocks past it (clock time) */
    int64_t send_before_ms;  /* nothing that changes the world is sent after it; 0: no limit */
    int64_t begin_before_ms; /* no act is begun after it: what allowed it was seen too long ago;
                                what has begun may go on. 0: no limit */
    const atomic_bool *cancelled; /* set by another thread; may be NULL */
    struct world *world;          /* borrowed; NULL outside of steps */
    const char *run;              /* names for logs and for the names of connections; may be NULL */
    const char *step;
    int64_t epoch; /* of the run; 0 outside of one */
    /* Is the node still this controller's to act on? A driver asks on a connection that bears its
     * epoch, right before it sends a change: a successor takes the claim first and then cuts what
     * bears an older one (engine/claim.h). Errors: ERR_CANCELLED, code "claim_lost". NULL: there is
     * nobody to share with. */
    struct err *(*check_claim)(const struct call *call, const char *node);
    const void *claim_context; /* of check_claim; borrowed */
};

/* Time left in milliseconds, 0 when the deadline has passed or the call was cancelled. */
static inline int64_t call_left_ms(const struct call *call)
{
    if (call->cancelled != NULL && atomic_load(call->cancelled)) {
        return 0;
    }
    const int64_t left_ms = call->deadline_ms - clock_now_ms(call->clock);
    return left_ms > 0 ? left_ms : 0;
}

/* True while something that changes the world may still be sent. */
static inline bool call_may_send(const struct call *call)
{
    return call_left_ms(call) > 0 &&
           (call->send_before_ms == 0 || clock_now_ms(call->clock) < call->send_before_ms);
}

/* True while something may be begun that changes the world. */
static inline bool call_may_begin(const struct call *call)
{
    return call_may_send(call) &&
           (call->begin_before_ms == 0 || clock_now_ms(call->clock) < call->begin_before_ms);
}

/* Asks; NULL: act. */
static inline struct err *call_check_claim(const struct call *call, const char *node)
{
    return call->check_claim == NULL ? NULL : call->check_claim(call, node);
}

#endif
