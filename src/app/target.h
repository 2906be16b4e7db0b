/*
 * app/target.h - which of the inventory's versions an operator means.
 */
#ifndef UPSHIFT_APP_TARGET_H
#define UPSHIFT_APP_TARGET_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "model/inventory.h"

/*
 * Resolves "7.0.15", "8.1" or "valkey/8.1" to a version of the inventory. A number alone means
 * `product`, the cluster's own; another product is written out. Of several that fit, the newest is
 * taken. An exact number whose series the inventory has is asked of that series' suite as it is.
 * Owns: `arena`. Errors: ERR_INVALID, code "unknown_version", naming those that are known.
 */
MUST_USE struct err *target_find(const struct inventory *inventory, const char *product,
    const char *target, struct arena *arena, struct inv_version *ret_version);

#endif
