/*
 * strategies/revise_compare.c - what a new plan does otherwise than the rest of the old one.
 *
 * Remainder against remainder, step by step, by their ids. Less of the same needs nobody's consent;
 * more does: another node than the one agreed to, another switchover, work on a node that was done.
 */
#include "base/str.h"
#include "strategies/revise_parts.h"

struct comparison {
    const struct revise_request *request;
    const struct plan *now; /* the new plan */
    struct arena *arena;
    struct revise_result *result;
    const char **lines;
    size_t line_count;
};

static void add_line(struct comparison *comparison, const char *line)
{
    const char **slot =
        arena_push(comparison->arena, &comparison->lines, &comparison->line_count, sizeof(*slot));
    *slot = line;
}

static void add_wider(struct comparison *comparison, const char *line)
{
    comparison->result->is_wider = true;
    add_line(comparison, line);
}

/* How the present plan's step ended; NULL: it has not. */
static const char *find_outcome(const struct comparison *comparison, const char *id)
{
    static const char *const ends[] = {"done", "found"};
    const struct progress *progress = comparison->request->progress;
    for (size_t i = 0; i < progress->step_count; i++) {
        const struct progress_step *step = &progress->steps[i];
        if (step->revision != comparison->request->plan->revision || !text_equal(step->id, id)) {
            continue;
        }
        for (size_t j = 0; j < ARRAY_COUNT(ends); j++) {
            if (text_equal(step->state, ends[j])) {
                return ends[j];
            }
        }
    }
    return NULL;
}

static bool is_switchover(const struct plan_step *step)
{
    return text_equal(step->kind, "repl.switchover") || text_equal(step->kind, "repl.cutover");
}

/* Of the steps on one node the first stands for all. Settings are looked at again by each plan. */
static bool is_news(const struct plan_step *step)
{
    return step->takes_out || is_switchover(step);
}

static void compare_identities(struct comparison *comparison)
{
    const struct facts *facts = comparison->request->rolling.facts;
    for (size_t i = 0; i < facts->node_count; i++) {
        const struct fact_node *node = &facts->nodes[i];
        const char *id = revise_find_basis(comparison->request->plan, node->name, "id");
        if (!node->is_reachable || text_equal(node->id, id)) {
            continue;
        }
        add_wider(comparison,
            id == NULL ? arena_format(comparison->arena, "%s is new", node->name)
                       : arena_format(comparison->arena, "%s is another node now: %s instead of %s",
                             node->name, node->id, id));
    }
}

static void compare_members(struct comparison *comparison)
{
    const char *const *gone;
    const size_t count = revise_find_gone(comparison->request, comparison->arena, &gone);
    for (size_t i = 0; i < count; i++) {
        add_line(comparison, arena_format(comparison->arena, "without %s: it is gone", gone[i]));
    }
}

static const char *name_phase(const struct plan *plan, const char *id)
{
    size_t phase = 0;
    return plan_find_step(plan, id, &phase) == NULL ? NULL : plan->phases[phase].name;
}

static void compare_step(struct comparison *comparison, const struct plan_step *step)
{
    const struct plan *before = comparison->request->plan;
    const struct plan_step *old = plan_find_step(before, step->id, NULL);
    struct arena *arena = comparison->arena;
    if (old == NULL && is_switchover(step)) {
        add_wider(comparison, arena_format(arena, "one more switchover: %s", step->summary));
    } else if (old == NULL) {
        add_wider(comparison, arena_format(arena, "new: %s", step->summary));
    } else if (find_outcome(comparison, step->id) != NULL) {
        add_wider(comparison, arena_format(arena, "once more: %s", step->summary));
    } else if (!text_equal(old->summary, step->summary)) {
        add_line(
            comparison, arena_format(arena, "%s, instead of: %s", step->summary, old->summary));
    } else if (!text_equal(name_phase(before, step->id), name_phase(comparison->now, step->id))) {
        add_line(
            comparison, arena_format(arena, "%s in phase %s, not %s", step->summary,
                            name_phase(comparison->now, step->id), name_phase(before, step->id)));
    }
}

/* A node that this run has left down is finished, not begun anew. */
static bool is_repair(const struct comparison *comparison, const struct plan_step *step)
{
    const struct fact_node *node = facts_find(comparison->request->rolling.facts, step->node);
    return node != NULL && !node->is_reachable && revise_has_taken_out(comparison->request, node);
}

static void compare_added(struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->now->phase_count; i++) {
        const struct plan_phase *phase = &comparison->now->phases[i];
        for (size_t j = 0; j < phase->step_count; j++) {
            const struct plan_step *step = &phase->steps[j];
            if (step->takes_out && is_repair(comparison, step)) {
                add_line(
                    comparison, arena_format(comparison->arena, "to repair it: %s", step->summary));
            } else if (is_news(step)) {
                compare_step(comparison, step);
            }
        }
    }
}

static void compare_dropped(struct comparison *comparison)
{
    const struct plan *before = comparison->request->plan;
    for (size_t i = 0; i < before->phase_count; i++) {
        for (size_t j = 0; j < before->phases[i].step_count; j++) {
            const struct plan_step *step = &before->phases[i].steps[j];
            const bool is_left = find_outcome(comparison, step->id) == NULL;
            if (is_left && is_news(step) &&
                plan_find_step(comparison->now, step->id, NULL) == NULL) {
                add_line(comparison, arena_format(comparison->arena, "no more: %s", step->summary));
            }
        }
    }
}

static void compare_heads(struct comparison *comparison)
{
    const struct plan *before = comparison->request->plan;
    const struct plan *now = comparison->now;
    if (!text_equal(before->artefact.server, now->artefact.server) ||
        !text_equal(before->artefact.digest, now->artefact.digest)) {
        add_wider(comparison, arena_format(comparison->arena, "another target: %s, instead of %s",
                                  now->request.to, before->request.to));
    }
    if (now->policy.max_unavailable > before->policy.max_unavailable) {
        add_wider(comparison, "more nodes out of service at a time");
    }
}

void revise_compare(const struct revise_request *request, const struct plan *now,
    struct arena *arena, struct revise_result *ret_result)
{
    struct comparison comparison = {
        .request = request, .now = now, .arena = arena, .result = ret_result};
    if (text_equal(request->plan->direction, now->direction)) {
        compare_heads(&comparison);
        compare_identities(&comparison);
        compare_members(&comparison);
        compare_added(&comparison);
        compare_dropped(&comparison);
    } else {
        add_line(&comparison,
            arena_format(arena, "%s: to %s",
                text_equal(now->direction, "back") ? "back" : "forward again", now->request.to));
    }
    ret_result->diff = comparison.lines;
    ret_result->diff_count = comparison.line_count;
}
