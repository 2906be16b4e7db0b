/*
 * engine/decide_budget.c - how many nodes may be out of service at a time (engine.md 6).
 */
#include "base/str.h"
#include "engine/turn.h"

static bool contains(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (text_equal(names[i], name)) {
            return true;
        }
    }
    return false;
}

/* Is the node out by an act of ours that is not finished? */
static bool is_reserved(const struct run_state *state, const char *node)
{
    for (size_t i = 0; i < state->step_count; i++) {
        const struct run_step *step = &state->steps[i];
        if (!run_step_is_current(state, step) || !text_equal(step->plan->node, node)) {
            continue;
        }
        const bool is_taking = step->plan->takes_out && step->status == RUN_STEP_INTENDED;
        if (is_taking || (!run_step_is_final(step) && steps_is_chain_begun(state, i))) {
            return true;
        }
    }
    return false;
}

static const struct plan_group *find_group(const struct plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->group_count; i++) {
        if (text_equal(plan->groups[i].name, name)) {
            return &plan->groups[i];
        }
    }
    return NULL;
}

/* engine.md 6: for every group, what is out together with the step's node must fit its limit; a
 * node that is out already costs nothing more. Returns a reason, or NULL when the act may start. */
const char *budget_find_reason(
    struct turn *turn, const struct run_step *step, const struct run_result *result)
{
    const struct run_state *state = turn->state;
    const char *const *out = (const char *const *)result->out;
    if (!step->plan->takes_out || contains(out, result->out_count, step->plan->node)) {
        return NULL;
    }
    for (size_t t = 0; t < step->plan->takes_count; t++) {
        const struct plan_group *group = find_group(state->plan, step->plan->takes[t]);
        int64_t count = 1;
        const char *other = NULL;
        for (size_t n = 0; group != NULL && n < group->node_count; n++) {
            const char *node = group->nodes[n];
            if (!text_equal(node, step->plan->node) &&
                (contains(out, result->out_count, node) || is_reserved(state, node))) {
                count++;
                other = node;
            }
        }
        if (group != NULL && count > group->max_unavailable) {
            return arena_format(&turn->out->arena,
                "%s is out of service and %s allows %lld at a time",
                other == NULL ? "a node" : other, group->name, (long long)group->max_unavailable);
        }
    }
    return NULL;
}
