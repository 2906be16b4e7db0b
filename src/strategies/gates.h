/*
 * strategies/gates.h - every gate that plans name, as one table.
 *
 * Gates are pure: facts, rules and arguments in, one of four answers out. Each looks at the nodes
 * that its arguments name ("node", or every node) and tells all it finds wrong in one sentence, the
 * worst first, so that a refusal is complete. What could not be read is *not yet*, never *yes*.
 * Nodes in the argument "except" (an array of names) are those that the run itself has in repair;
 * they are left out of account; with "except_old" so are those that serve another version than
 * "product" and "version" say. "preflight" tells that no run is under way yet. The table is also
 * the documentation: gates_*.c by idea.
 *
 *     const struct gate_ops *gate = gate_find("cluster_ok");
 *     struct gate_answer answer = gate->eval(&input);
 */
#ifndef UPSHIFT_STRATEGIES_GATES_H
#define UPSHIFT_STRATEGIES_GATES_H

#include <stddef.h>

#include "model/gate.h"

extern const struct gate_ops strategy_gates[];
extern const size_t strategy_gate_count;

/* NULL when unknown. */
const struct gate_ops *gate_find(const char *name);

#endif
