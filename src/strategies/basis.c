#include "strategies/basis.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/str.h"

static const char *const state_aspect = "state";

static const char *or_none(const char *text)
{
    return text == NULL || text[0] == '\0' ? "none" : text;
}

static const char *tell_id(const struct fact_node *node, struct arena *UNUSED(arena))
{
    return or_none(node->id);
}

static const char *tell_role(const struct fact_node *node, struct arena *UNUSED(arena))
{
    static const char *const words[] = {"unknown", "primary", "replica"};
    return words[node->role];
}

static const char *tell_primary(const struct fact_node *node, struct arena *UNUSED(arena))
{
    return or_none(node->primary_id);
}

static const char *tell_version(const struct fact_node *node, struct arena *arena)
{
    return arena_format(arena, "%s %s", or_none(node->product), or_none(node->version));
}

static const char *tell_slots(const struct fact_node *node, struct arena *UNUSED(arena))
{
    return or_none(node->slots);
}

static const char *tell_config(const struct fact_node *node, struct arena *UNUSED(arena))
{
    return or_none(node->config_digest);
}

static const char *tell_server(const struct fact_node *node, struct arena *UNUSED(arena))
{
    return or_none(node->server_target);
}

/* The format number of a dump changes when the first one is written, so it is left to the gate
 * directory_safe, which judges it. */
static const char *tell_directory(const struct fact_node *node, struct arena *UNUSED(arena))
{
    return node->has_appendonly_dir ? "with appendonlydir/" : "without appendonlydir/";
}

static const char *tell_persistence(const struct fact_node *node, struct arena *UNUSED(arena))
{
    if (node->has_appendonly) {
        return "append-only file";
    }
    return node->is_persistent ? "save points" : "none";
}

static const char *tell_min_replicas(const struct fact_node *node, struct arena *arena)
{
    return arena_format(arena, "%" PRId64, node->min_replicas);
}

static const char *tell_drift(const struct fact_node *node, struct arena *arena)
{
    AUTO_BUF list = {0};
    for (size_t i = 0; i < node->drift_count; i++) {
        buf_printf(&list, "%s%s=%s", list.size == 0 ? "" : ", ", node->drift[i].setting,
            node->drift[i].live == NULL ? "" : node->drift[i].live);
    }
    return list.size == 0 ? "as in the file" : arena_strdup(arena, buf_text(&list));
}

static const struct basis_aspect {
    const char *name;
    const char *(*tell)(const struct fact_node *node, struct arena *arena);
} aspects[] = {
    {"id", tell_id},
    {"role", tell_role},
    {"primary", tell_primary},
    {"version", tell_version},
    {"slots", tell_slots},
    {"configuration file", tell_config},
    {"live settings", tell_drift},
    {"server link", tell_server},
    {"directory", tell_directory},
    {"persistence", tell_persistence},
    {"min-replicas-to-write", tell_min_replicas},
};

struct basis_list {
    struct arena *arena;
    struct plan_basis *items;
    size_t count;
};

static void add_basis(
    struct basis_list *list, const char *subject, const char *aspect, const char *value)
{
    struct plan_basis *item = arena_push(list->arena, &list->items, &list->count, sizeof(*item));
    item->subject = arena_strdup(list->arena, subject);
    item->aspect = aspect;
    item->value = arena_strdup(list->arena, value);
}

void basis_collect(const struct facts *facts, struct arena *arena, struct plan_basis **ret_basis,
    size_t *ret_count)
{
    struct basis_list list = {.arena = arena};
    for (size_t i = 0; i < facts->node_count; i++) {
        const struct fact_node *node = &facts->nodes[i];
        add_basis(&list, node->name, state_aspect,
            node->is_reachable      ? "readable"
            : node->trouble != NULL ? node->trouble
                                    : "not readable");
        for (size_t j = 0; node->is_reachable && j < ARRAY_COUNT(aspects); j++) {
            add_basis(&list, node->name, aspects[j].name, aspects[j].tell(node, arena));
        }
    }
    if (facts->artefact_count > 0) {
        const struct fact_artefact *target = &facts->artefacts[0];
        add_basis(&list, "target", "package", or_none(target->package_version));
        add_basis(&list, "target", "digest", or_none(target->digest));
        add_basis(&list, "target", "server", or_none(target->server));
    }
    *ret_basis = list.items;
    *ret_count = list.count;
}

static const struct plan_basis *find_basis(
    const struct plan_basis *items, size_t count, const char *subject, const char *aspect)
{
    for (size_t i = 0; i < count; i++) {
        if (text_equal(items[i].subject, subject) && text_equal(items[i].aspect, aspect)) {
            return &items[i];
        }
    }
    return NULL;
}

struct basis_compare {
    const struct plan *plan;
    struct basis_list now;
    struct arena *arena;
    const char **differences;
    size_t difference_count;
};

static void basis_differ(struct basis_compare *compare, const char *subject, const char *aspect,
    const char *planned, const char *now)
{
    const char **slot = arena_push(
        compare->arena, &compare->differences, &compare->difference_count, sizeof(*slot));
    *slot =
        arena_format(compare->arena, "%s %s: planned %s, now %s", subject, aspect, planned, now);
}

/* Nothing else is known of a node that cannot be read. */
static bool is_unreadable(const struct basis_compare *compare, const char *subject)
{
    const struct plan_basis *state =
        find_basis(compare->now.items, compare->now.count, subject, state_aspect);
    return state != NULL && !text_equal(state->value, "readable");
}

static void compare_planned(struct basis_compare *compare, const struct plan_basis *planned)
{
    const struct plan_basis *now =
        find_basis(compare->now.items, compare->now.count, planned->subject, planned->aspect);
    const bool is_state = text_equal(planned->aspect, state_aspect);
    if (now != NULL && !text_equal(now->value, planned->value)) {
        basis_differ(compare, planned->subject, planned->aspect, planned->value, now->value);
    } else if (now == NULL && is_state) {
        basis_differ(
            compare, planned->subject, planned->aspect, planned->value, "not in the inventory");
    }
}

void plan_basis_compare(const struct plan *plan, const struct facts *facts, struct arena *arena,
    const char ***ret_differences, size_t *ret_count)
{
    struct basis_compare compare = {.plan = plan, .now = {.arena = arena}, .arena = arena};
    basis_collect(facts, arena, &compare.now.items, &compare.now.count);
    for (size_t i = 0; i < plan->basis_count; i++) {
        const struct plan_basis *planned = &plan->basis[i];
        if (text_equal(planned->aspect, state_aspect) ||
            !is_unreadable(&compare, planned->subject)) {
            compare_planned(&compare, planned);
        }
    }
    for (size_t i = 0; i < compare.now.count; i++) {
        const struct plan_basis *now = &compare.now.items[i];
        if (text_equal(now->aspect, state_aspect) &&
            find_basis(plan->basis, plan->basis_count, now->subject, state_aspect) == NULL) {
            basis_differ(&compare, now->subject, now->aspect, "without it", now->value);
        }
    }
    *ret_differences = compare.differences;
    *ret_count = compare.difference_count;
}
