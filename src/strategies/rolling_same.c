/* strategies/rolling_same.c - plans that change no version: a restart, and switchovers alone. */
#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"
#include "strategies/basis.h"
#include "strategies/gates.h"
#include "strategies/rolling_parts.h"

/* Every node keeps what it runs. */
static void keep_versions(struct rolling *rolling)
{
    const struct facts *facts = rolling->facts;
    struct fact_artefact *goals =
        arena_alloc_array(&rolling->plan->arena, facts->node_count, sizeof(*goals));
    for (size_t i = 0; i < facts->node_count; i++) {
        const struct fact_node *node = &facts->nodes[i];
        goals[i] = (struct fact_artefact){.product = node->product,
            .version = node->version,
            .series = node->series,
            .server = node->server_target};
    }
    rolling->goals = goals;
}

/* A restarted node copies from its primary: one that is older than it could not. */
static void refuse_copies(
    const struct rolling *rolling, struct arena *arena, struct plan_refusal *refusal)
{
    for (size_t i = 0; i < rolling->facts->node_count; i++) {
        const struct fact_node *node = &rolling->facts->nodes[i];
        if (!node->is_reachable || node->role != FACT_ROLE_REPLICA) {
            continue;
        }
        AUTO_JSON args = js_object();
        js_put_text(args, "node", node->name);
        js_put_text(args, "series", node->series);
        const struct gate_input input = {rolling->facts, rolling->request->rules, args, arena};
        const struct gate_answer answer = gate_find("full_sync_allowed")->eval(&input);
        rolling_refuse(rolling, &answer, false, arena, refusal);
    }
}

bool restart_plan(const struct rolling_request *request, struct arena *arena, struct plan *ret_plan,
    struct plan_refusal *ret_refusal)
{
    struct rolling rolling = {.request = request, .facts = request->facts, .plan = ret_plan};
    *ret_refusal = (struct plan_refusal){0};
    keep_versions(&rolling);
    struct rolling_shard *shards;
    rolling_find_shards(request->facts, NULL, arena, &shards, &rolling.shard_count);
    rolling.shards = shards;
    refuse_copies(&rolling, arena, ret_refusal);
    if (rolling_is_refused(&rolling, arena, ret_refusal)) {
        return false;
    }
    rolling_add_head(&rolling, "restart");
    basis_collect(request->facts, &ret_plan->arena, &ret_plan->basis, &ret_plan->basis_count);
    rolling_add_restart_phases(&rolling);
    rolling_add_restart_words(&rolling);
    return true;
}

/* The shards of a cluster, of which some may be chosen. */
struct choosing {
    const struct facts *facts;
    struct arena *arena;
    struct plan_refusal *refusal;
    struct rolling_shard *shards;
    size_t count;
};

PRINTF_LIKE(3, 4)
static void refuse_choice(struct choosing *choosing, const char *remedy, const char *format, ...)
{
    char reason[256];
    va_list values;
    va_start(values, format);
    (void)vsnprintf(reason, sizeof(reason), format, values);
    va_end(values);
    struct gate_answer *slot = arena_push(choosing->arena, &choosing->refusal->answers,
        &choosing->refusal->answer_count, sizeof(*slot));
    *slot = (struct gate_answer){
        GATE_NEVER, "switchover_choice", arena_strdup(choosing->arena, reason), remedy};
}

/* Leaves only the one with that name. */
static struct rolling_shard *keep_shard(struct choosing *choosing, const char *name)
{
    for (size_t i = 0; i < choosing->count; i++) {
        if (text_equal(choosing->shards[i].name, name)) {
            choosing->shards = &choosing->shards[i];
            choosing->count = 1;
            return choosing->shards;
        }
    }
    choosing->count = 0;
    return NULL;
}

static void choose_node(struct choosing *choosing, const char *name)
{
    const struct fact_node *node = facts_find(choosing->facts, name);
    struct rolling_shard *shard = keep_shard(choosing, node == NULL ? NULL : node->shard);
    if (node == NULL) {
        refuse_choice(
            choosing, "`upshift cluster show` lists the nodes", "no node is called %s", name);
    } else if (node->role == FACT_ROLE_PRIMARY) {
        refuse_choice(choosing, "name one of its replicas", "%s is a primary already", name);
    } else if (shard != NULL) {
        shard->heir = node;
    }
}

static void choose_shard(struct choosing *choosing, const char *name)
{
    if (keep_shard(choosing, name) == NULL) {
        refuse_choice(
            choosing, "`upshift cluster show` lists the shards", "no shard is called %s", name);
    }
}

static void choose_shards(struct choosing *choosing, const struct switchover_choice *choice)
{
    if (choice->node != NULL) {
        choose_node(choosing, choice->node);
    } else if (choice->shard != NULL) {
        choose_shard(choosing, choice->shard);
    }
    for (size_t i = 0; i < choosing->count; i++) {
        if (choosing->shards[i].heir == NULL) {
            refuse_choice(choosing, "add a replica to the shard",
                "%s has no replica that could take over", choosing->shards[i].name);
        }
    }
}

bool switchover_plan(const struct rolling_request *request, const struct switchover_choice *choice,
    struct arena *arena, struct plan *ret_plan, struct plan_refusal *ret_refusal)
{
    struct rolling rolling = {.request = request, .facts = request->facts, .plan = ret_plan};
    *ret_refusal = (struct plan_refusal){0};
    keep_versions(&rolling);
    struct choosing choosing = {.facts = request->facts, .arena = arena, .refusal = ret_refusal};
    rolling_find_shards(request->facts, NULL, arena, &choosing.shards, &choosing.count);
    choose_shards(&choosing, choice);
    rolling.shards = choosing.shards;
    rolling.shard_count = choosing.count;
    if (rolling_is_refused(&rolling, arena, ret_refusal)) {
        return false;
    }
    rolling_add_head(&rolling, "switchover");
    basis_collect(request->facts, &ret_plan->arena, &ret_plan->basis, &ret_plan->basis_count);
    rolling_add_switchover_phases(&rolling);
    rolling_add_switchover_words(&rolling);
    return true;
}
