/*
 * engine/claim.h - the run's mark on every node's host, so that another controller sees it.
 *
 * The lock beside the journal keeps two controllers apart that share a state directory; the claim
 * keeps those apart that do not. It lies where the acts land: in each node's own directory. Before
 * the first act a run holds it on every node that can be reached and at least on a majority, and no
 * node showed another's. Whoever finds a foreign claim gives back what it took and names the owner.
 * A claim is never taken from a stranger by itself, however old it is: a human clears or adopts it.
 *
 * The engine decides when (take, renew, park, release); app/claims.c does it, over drivers/host.h.
 */
#ifndef UPSHIFT_ENGINE_CLAIM_H
#define UPSHIFT_ENGINE_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/call.h"
#include "base/err.h"
#include "base/json.h"

enum claim_act {
    CLAIM_TAKE,    /* compare-and-set to our epoch, in the order of the nodes' names */
    CLAIM_RENEW,   /* the same owner again: still here; also tells state and scopes */
    CLAIM_RELEASE, /* leave the epoch as a tombstone */
};
extern const char *const claim_act_names[]; /* NULL-terminated */

enum {
    CLAIM_TTL_MS = 15000,  /* a live claim that stood still for so long has lost its owner */
    CLAIM_RENEW_MS = 3000, /* a fifth of it */
    CLAIM_SEND_MS = 9000,  /* on a claim that was seen longer ago no act is begun: a reading of the
                              cluster and the gates come first, and it must not expire meanwhile */
};

/* What the engine wants written. */
struct claim_request {
    enum claim_act act;
    int64_t epoch;             /* of this controller */
    const char *run;           /* run id */
    const char *state;         /* run status word: "RUNNING", "PAUSED" */
    bool is_parked;            /* nothing is done until somebody says so: does not expire */
    const struct json *scopes; /* open temporary changes, oldest first: [{step, kind, args,
                                  before}] as they are journaled */
    int64_t seq;               /* last journal record */
};

/* What came of it. Texts live in the caller's arena. */
struct claim_answer {
    int64_t held_count, node_count; /* of the nodes: ours now. No nodes: nobody to share with */
    int64_t epoch_max;              /* the highest on the nodes, ours or not. After CLAIM_TAKE
                                       that is neither foreign nor ahead it is ours: above the
                                       request's where somebody had one as high; the engine goes on
                                       with it */
    bool is_foreign;                /* somebody else's live, parked or expired claim was seen */
    bool is_ahead;                  /* our own run's claim is ahead of our journal: a copied one */
    const char *reason;             /* one sentence naming owner, host, run, since when; or NULL */
    const char *remedy;
};

struct claim_ops {
    /* Errors: ERR_UNREACHABLE less than a majority could be marked (names the nodes). */
    struct err *(*act)(const struct call *call, void *context, const struct claim_request *request,
        struct arena *arena, struct claim_answer *ret_answer);

    /* Right before an act: is the claim on `node` ours, with this epoch? NULL `*ret_reason` when it
     * is, else one sentence (in `arena`). `node` NULL: nothing to look at. */
    struct err *(*look)(const struct call *call, void *context, const char *node,
        struct arena *arena, const char **ret_reason);
};

#endif
