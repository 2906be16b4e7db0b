/*
 * engine/step.h - what a kind of step is.
 *
 * One attempt: bind and capture, commit the intent, check gates again, apply, verify, commit the
 * outcome. After a crash a step restarts at verify, never at apply. Steps reach the world through
 * `call->world` (drivers/world.h) only, are stateless, and run on worker threads.
 */
#ifndef UPSHIFT_ENGINE_STEP_H
#define UPSHIFT_ENGINE_STEP_H

#include <stdint.h>

#include "base/call.h"
#include "base/err.h"
#include "base/json.h"
#include "model/facts.h"

enum step_state {
    STEP_ABSENT,    /* the world is as `before` says, or as if never applied */
    STEP_MOVING,    /* on its way: ask again */
    STEP_DONE,      /* fully so */
    STEP_ELSEWHERE, /* neither: somebody else moved it; never "fix" it unasked */
};

enum step_observe {
    STEP_BY_STATE,  /* O1: the component's own state decides */
    STEP_BY_RECORD, /* O2: a record made atomically with the effect */
    STEP_BY_ECHO,   /* O3: someone else's delayed view; counts when it stood still */
    STEP_UNSEEN,    /* O4: nowhere */
};

enum step_flags {
    STEP_TAKES_OUT = 1,     /* takes its node out of service */
    STEP_ENDS_WAY_BACK = 2, /* may end the way back */
    STEP_READ_ONLY = 4,
    STEP_NO_UNDO = 8,
};

/* What one step resolved and read once, before its first intent; frozen in the journal. A resumed
 * step never captures again: it would take our own change for the original. */
struct bound {
    const struct json *args; /* frozen arguments of the plan, late ones filled in; borrowed */
};
struct before {
    const struct json *values; /* what undo restores; object; borrowed */
};

struct step_ops {
    const char *name;      /* "service.stop" */
    uint16_t def, def_min; /* version of args and meaning; the oldest this binary still finishes */
    enum step_observe observe;
    uint32_t flags;
    /* Resolves late arguments. Owns: `*ret_args` is a new reference. */
    struct err *(*bind)(struct call *call, const struct facts *facts, const struct json *args,
        struct json **ret_args);
    /* Reads what undo and verify compare with. Owns: `*ret_values` is a new object. */
    struct err *(*capture)(struct call *call, const struct bound *bound, struct json **ret_values);
    /* Looks, without side effects. `before` has NULL values when nothing was captured yet. An error
     * means "cannot see", never ABSENT. */
    struct err *(*verify)(struct call *call, const struct bound *bound, const struct before *before,
        enum step_state *ret_state);
    /* Acts; may be repeated. Whatever it returns, verify decides. */
    struct err *(*apply)(struct call *call, const struct bound *bound, const struct before *before);
    /* Restores `before`, compare-and-set: a value that is neither ours nor before is left and
     * reported as ELSEWHERE. Of temporary changes only, else NULL: a rollback is a plan of its own
     * (docs/decisions/0010). */
    struct err *(*undo)(struct call *call, const struct bound *bound, const struct before *before,
        enum step_state *ret_left);
    /* Ends what an earlier attempt may have left behind (a guard, a hold) and decides it by the
     * world; called before verify when an attempt's end was not seen. NULL: there is nothing. */
    struct err *(*stop)(struct call *call, const struct bound *bound, const struct before *before);
};

#endif
