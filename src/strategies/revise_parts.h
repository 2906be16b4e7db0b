/*
 * strategies/revise_parts.h - what the files that plan a run anew share; private to them.
 */
#ifndef UPSHIFT_STRATEGIES_REVISE_PARTS_H
#define UPSHIFT_STRATEGIES_REVISE_PARTS_H

#include "strategies/revise.h"
#include "strategies/rolling_parts.h"

/* What the first plan found: the value of an aspect of a node, or NULL. */
const char *revise_find_basis(const struct plan *plan, const char *node, const char *aspect);

/* Reads "redis 6.0.16" into product, version and series; NULL, or what is none, leaves them. */
void revise_read_version(const char *title, struct arena *arena, struct fact_node *node);

/* Copies the basis of the run's first plan into a plan that replaces it: it stays what a way back
 * leads to. A node that has become another one has its new basis. */
void revise_keep_basis(
    const struct revise_request *request, const struct facts *facts, struct plan *plan);

/* The artefact of the run stays that which was made ready for it. */
void revise_keep_artefact(const struct revise_request *request, struct plan *plan);

/* Those of the inventory that cannot be read and that no other node knows: somebody has taken them
 * out of the cluster. Answers how many; owns: `arena`. */
size_t revise_find_gone(
    const struct revise_request *request, struct arena *arena, const char *const **ret_names);

/* Tells people who was left out. */
void revise_add_gone_notes(struct rolling *rolling);

/* The facts without those that are gone. Fills in of nodes that cannot be read who they are (by the
 * first plan), and role and shard (by what the others say of them). Everything else is shared with
 * the request's facts. Owns: `arena`. */
struct facts revise_complete(const struct revise_request *request, struct arena *arena);

/* Has the run itself taken the node out? */
bool revise_has_taken_out(const struct revise_request *request, const struct fact_node *node);

/* Is a primary of every shard in sight? Else nothing can be planned: false, with what the cluster
 * says of itself. */
bool revise_is_whole(const struct revise_request *request, const struct facts *facts,
    struct plan_refusal *refusal, struct arena *arena);

/* May the old node's shard fail back to it? A link that is down for a moment is waited for by the
 * step's gates. False: it is closed, with the reason. */
bool revise_is_fed(const struct revise_request *request, const struct facts *facts,
    const struct fact_node *node, struct plan_refusal *refusal, struct arena *arena);

/* Adds a step that deletes what the run has set aside on the node. */
void revise_add_drop(
    struct rolling *rolling, struct plan_phase *phase, const struct fact_node *node);

/* Fills is_wider and diff (revise_compare.c). */
void revise_compare(const struct revise_request *request, const struct plan *now,
    struct arena *arena, struct revise_result *ret_result);

/* Every node that the run has touched back to the version it had (rolling_back.c). */
bool rolling_back(const struct revise_request *request, struct arena *arena, struct plan *ret_plan,
    struct plan_refusal *ret_refusal);

#endif
