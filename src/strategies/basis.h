/*
 * strategies/basis.h - what a plan depends on, and whether it still is so.
 *
 * Topology, identities, roles, versions, slots, the configuration in use and the directories; not
 * offsets, counters or times. A reviewed plan starts only when nothing of it has moved.
 */
#ifndef UPSHIFT_STRATEGIES_BASIS_H
#define UPSHIFT_STRATEGIES_BASIS_H

#include <stddef.h>

#include "base/arena.h"
#include "model/facts.h"
#include "model/plan.h"

/* Writes down what facts say, node by node. Owns: `arena`. */
void basis_collect(const struct facts *facts, struct arena *arena, struct plan_basis **ret_basis,
    size_t *ret_count);

/* Names each difference between the plan's basis and fresh facts: "n4 role: planned replica, now
 * primary". Of a node that cannot be read only that is told. Owns: `arena`. */
void plan_basis_compare(const struct plan *plan, const struct facts *facts, struct arena *arena,
    const char ***ret_differences, size_t *ret_count);

#endif
