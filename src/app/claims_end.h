/*
 * app/claims_end.h - ending by hand what a controller has left on the nodes (`upshift reconcile`).
 */
#ifndef UPSHIFT_APP_CLAIMS_END_H
#define UPSHIFT_APP_CLAIMS_END_H

#include "cli/services.h"

/* The slot reconcile_claims of struct services. Blocks: when the claim looks alive, for as long as
 * its owner may be silent between two renewals. */
MUST_USE struct err *services_reconcile_claims(struct services *services,
    const struct cli_request *request, enum cli_claims_act act, struct arena *arena,
    struct cli_claims *ret_claims);

#endif
