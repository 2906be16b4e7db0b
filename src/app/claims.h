/*
 * app/claims.h - takes, renews, looks at and releases the run's claim on the nodes' hosts.
 *
 * The decisions are the engine's (engine/claim.h); here is what they mean on files: who a claim
 * belongs to, compare and swap in one order for everybody, giving back what was taken when somebody
 * else was there first, and cutting the connections of an earlier controller.
 */
#ifndef UPSHIFT_APP_CLAIMS_H
#define UPSHIFT_APP_CLAIMS_H

#include "drivers/world.h"
#include "engine/claim.h"

/* All borrowed. Has no state of its own: any thread may use it. */
struct claims {
    const struct world *world;
    const char *directory; /* <state>/<cluster>: whether an earlier run has ended is looked up in
                              its journal */
    const char *origin;    /* hash of the run's first record */
    const char *run;
};

extern const struct claim_ops claims_ops; /* context: struct claims * */

/* Before there is a run: looks whether another's stands anywhere, and changes nothing. `directory`
 * as above. Errors: ERR_REFUSED, code "claimed", naming it with the remedy. */
MUST_USE struct err *claims_refuse_foreign(
    const struct call *call, const struct world *world, const char *directory);

#endif
