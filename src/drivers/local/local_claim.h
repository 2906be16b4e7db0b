/*
 * drivers/local/local_claim.h - the claim file of a node on this machine; slots of struct host_ops.
 */
#ifndef UPSHIFT_DRIVERS_LOCAL_LOCAL_CLAIM_H
#define UPSHIFT_DRIVERS_LOCAL_LOCAL_CLAIM_H

#include "drivers/host.h"

MUST_USE struct err *local_claim_read(const struct call *call, struct host *host,
    const struct inv_node *node, bool *ret_exists, struct buf *ret_text);
MUST_USE struct err *local_claim_swap(const struct call *call, struct host *host,
    const struct inv_node *node, const struct host_claim_swap *swap, bool *ret_is_done);

#endif
