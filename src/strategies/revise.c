#include "strategies/revise.h"

#include "base/str.h"
#include "strategies/revise_parts.h"

/* Taken out by the run itself and still down. */
static size_t find_broken(const struct revise_request *request, const struct facts *facts,
    struct arena *arena, const struct fact_node ***ret_nodes)
{
    size_t count = 0;
    *ret_nodes = NULL;
    for (size_t i = 0; i < facts->node_count; i++) {
        const struct fact_node *node = &facts->nodes[i];
        if (!node->is_reachable && revise_has_taken_out(request, node)) {
            const struct fact_node **slot = arena_push(arena, ret_nodes, &count, sizeof(*slot));
            *slot = node;
        }
    }
    return count;
}

/* What a way back that was turned again has left: gone with the last phase. */
static void drop_asides(
    const struct revise_request *request, const struct facts *facts, struct plan *plan)
{
    struct rolling rolling = {.request = &request->rolling, .facts = facts, .plan = plan};
    for (size_t i = 0; plan->phase_count > 0 && i < facts->node_count; i++) {
        const struct fact_node *node = &facts->nodes[i];
        if (node->shard != NULL &&
            progress_has_touched(request->progress, "data.set_aside", node->name)) {
            revise_add_drop(&rolling, &plan->phases[plan->phase_count - 1], node);
        }
    }
}

/* On to the first plan's target, from where the world is now. */
static bool rolling_on(const struct revise_request *request, struct arena *arena,
    struct plan *ret_plan, struct plan_refusal *ret_refusal)
{
    const struct facts complete = revise_complete(request, arena);
    struct rolling_request again = request->rolling;
    again.facts = &complete;
    struct rolling rolling = {.request = &again, .facts = &complete, .plan = ret_plan};
    rolling.broken_count = find_broken(request, &complete, arena, &rolling.broken);
    rolling.gone_count = revise_find_gone(request, arena, &rolling.gone);
    if (!revise_is_whole(request, &complete, ret_refusal, arena) ||
        !rolling_again(&rolling, arena, ret_refusal)) {
        return false;
    }
    revise_add_gone_notes(&rolling);
    ret_plan->revision = request->plan->revision + 1;
    drop_asides(request, &complete, ret_plan);
    revise_keep_basis(request, &complete, ret_plan);
    return true;
}

/* A restart knows no target, so facts do not say which nodes it has done; a switchover is one act.
 * Neither is worth guessing about. */
static bool is_same_version(
    const struct revise_request *request, struct arena *arena, struct plan_refusal *ret_refusal)
{
    const char *action = request->plan->request.action;
    if (!text_equal(action, "restart") && !text_equal(action, "switchover")) {
        return false;
    }
    ret_refusal->answers = arena_alloc(arena, sizeof(*ret_refusal->answers));
    ret_refusal->answer_count = 1;
    ret_refusal->answers[0] = (struct gate_answer){GATE_NEVER, "plan_again",
        arena_format(arena, "what is left of a %s is not planned anew", action),
        "end it with `upshift abort`, look at the cluster, and begin again"};
    return true;
}

bool revise_plan(const struct revise_request *request, struct arena *arena, struct plan *ret_plan,
    struct revise_result *ret_result, struct plan_refusal *ret_refusal)
{
    const bool is_back =
        request->why == REVISE_BACK ||
        (request->why == REVISE_WORLD && text_equal(request->plan->direction, "back"));
    *ret_result = (struct revise_result){0};
    *ret_refusal = (struct plan_refusal){0};
    if (is_same_version(request, arena, ret_refusal)) {
        return false;
    }
    const bool is_planned = is_back ? rolling_back(request, arena, ret_plan, ret_refusal)
                                    : rolling_on(request, arena, ret_plan, ret_refusal);
    if (!is_planned) {
        plan_release(ret_plan);
        return false;
    }
    revise_compare(request, ret_plan, arena, ret_result);
    if (request->why != REVISE_WORLD || is_back) {
        ret_result->is_wider = false; /* it is what the operator has just asked for */
    }
    return true;
}
