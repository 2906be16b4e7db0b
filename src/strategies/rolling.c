#include "strategies/rolling.h"

#include <assert.h>

#include "base/str.h"
#include "strategies/basis.h"
#include "strategies/gates.h"
#include "strategies/rolling_parts.h"
#include "strategies/rolling_topology.h"

/* What must be green before anything moves, in the order in which it is told. */
static const struct preflight {
    const char *gate;
    bool needs_target;    /* has the target as arguments, and no sense without one */
    bool may_wait;        /* passes by itself and is waited for in the run: no reason to refuse */
    bool passes_way_back; /* does not judge old replicas of an upgraded primary */
} preflights[] = {
    {"all_reachable", false, false, false},
    {"roles_known", false, false, false},
    {"process_known", false, false, false},
    {"not_loading", false, false, false},
    {"cluster_ok", false, false, false},
    {"views_agree", false, false, false},
    {"replicas_synced", false, false, true},
    {"key_counts_match", false, false, true},
    {"redundancy", false, false, true},
    {"min_replicas", false, false, false},
    {"no_slot_moves", false, false, false},
    {"sentinel_spare", false, false, false},
    {"no_saving", false, true, false},
    {"no_drift", false, false, false},
    {"persistent_primary", false, false, false},
    {"fork_memory", false, false, false},
    {"disk_space", false, false, false},
    {"modules_allowed", false, false, false},
    {"commands_known", false, false, false},
    {"addresses_announced", false, false, false},
    {"one_product", true, false, false},
    {"no_downgrade", true, false, false},
    {"hop_allowed", true, false, false},
    {"full_sync_allowed", true, false, false},
    {"directory_safe", true, false, false},
    {"config_accepted", true, false, false},
};

bool rolling_is_at_target(const struct fact_node *node, const struct fact_artefact *target)
{
    return target != NULL && text_equal(node->product, target->product) &&
           text_equal(node->version, target->version);
}

static bool is_everything_at_target(const struct facts *facts)
{
    for (size_t i = 0; i < facts->node_count; i++) {
        const struct fact_node *node = &facts->nodes[i];
        if (!node->is_reachable || !rolling_is_at_target(node, &facts->artefacts[0])) {
            return false;
        }
    }
    return true;
}

/* Old replicas of a primary that is at the target already: the way back of an earlier run. Finalize
 * repairs whatever they miss, so they are no reason to refuse it. */
static void name_way_back(
    const struct rolling_request *request, struct arena *arena, struct json *names)
{
    struct rolling_shard *shards = NULL;
    size_t shard_count = 0;
    if (request->facts->artefact_count > 0) {
        rolling_find_shards(
            request->facts, &request->facts->artefacts[0], arena, &shards, &shard_count);
    }
    for (size_t i = 0; i < shard_count; i++) {
        for (size_t j = 0; shards[i].is_switched && j < shards[i].late_count; j++) {
            js_push(names, js_text(shards[i].late[j]->name));
        }
    }
}

/* Nodes that cannot be read are named once, in all_reachable; the other gates tell what they see in
 * the rest. */
static struct json *name_excepted(
    const struct rolling_request *request, const struct preflight *preflight, struct arena *arena)
{
    struct json *names = js_array();
    for (size_t i = 0; i < request->facts->node_count; i++) {
        if (!request->facts->nodes[i].is_reachable) {
            js_push(names, js_text(request->facts->nodes[i].name));
        }
    }
    if (preflight->passes_way_back) {
        name_way_back(request, arena, names);
    }
    return names;
}

/* Asks `gate`, which stands for that of the row. In a run (`is_running`) what does not last is left
 * to the gates of the steps, and the run's own settings are no drift. */
static struct gate_answer ask_preflight(const struct rolling_request *request,
    const struct preflight *preflight, const char *gate, bool is_running, struct arena *arena)
{
    AUTO_JSON args = js_object();
    js_put_bool(args, "preflight", !is_running);
    if (is_running) {
        rolling_tell_ignored(&request->cluster->policy, args);
    }
    rolling_tell_policy(&request->cluster->policy, args);
    if (!text_equal(gate, "all_reachable")) {
        js_put(args, "except", name_excepted(request, preflight, arena));
    }
    if (preflight->needs_target) {
        const struct fact_artefact *target = &request->facts->artefacts[0];
        js_put_text(args, "product", target->product);
        js_put_text(args, "version", target->version);
        js_put_text(args, "series", target->series);
    }
    const struct gate_input input = {request->facts, request->rules, args, arena};
    return gate_find(gate)->eval(&input);
}

static void push_answer(struct arena *arena, struct gate_answer **answers, size_t *count,
    const struct gate_answer *answer)
{
    struct gate_answer *slot = arena_push(arena, answers, count, sizeof(*slot));
    *slot = *answer;
}

/* What passes by itself is waited for in a run, by the gates of its steps. */
void rolling_refuse(const struct rolling *rolling, const struct gate_answer *answer, bool may_wait,
    struct arena *arena, struct plan_refusal *refusal)
{
    const bool is_waited_for = (may_wait || rolling->is_running) && answer->state == GATE_NOT_YET;
    if (answer->state != GATE_YES && !is_waited_for) {
        push_answer(arena, &refusal->answers, &refusal->answer_count, answer);
    }
}

/* A replica that is to become primary must keep its data as the primary does, and be chosen. */
static void refuse_heir(const struct rolling *rolling, const struct fact_node *heir,
    struct arena *arena, struct plan_refusal *refusal)
{
    const struct rolling_request *request = rolling->request;
    static const char *const gates[] = {"persistent_primary", "heir_electable", "heir_allowed"};
    AUTO_JSON args = js_object();
    js_put_bool(args, "preflight", !rolling->is_running);
    js_put_text(args, "node", heir->name);
    const struct gate_input input = {request->facts, request->rules, args, arena};
    for (size_t i = 0; i < ARRAY_COUNT(gates); i++) {
        const char *names[TOPOLOGY_SWAP_MAX];
        rolling_topology_gates(rolling_topology_of(request->facts), gates[i], names);
        for (size_t j = 0; names[j] != NULL; j++) {
            const struct gate_answer answer = gate_find(names[j])->eval(&input);
            rolling_refuse(rolling, &answer, false, arena, refusal);
        }
    }
}

static void refuse_preflight(const struct rolling *rolling, const struct preflight *preflight,
    struct arena *arena, struct plan_refusal *refusal)
{
    const struct rolling_request *request = rolling->request;
    const char *names[TOPOLOGY_SWAP_MAX];
    rolling_topology_gates(rolling_topology_of(request->facts), preflight->gate, names);
    for (size_t i = 0; names[i] != NULL; i++) {
        const struct gate_answer answer =
            ask_preflight(request, preflight, names[i], rolling->is_running, arena);
        rolling_refuse(rolling, &answer, preflight->may_wait, arena, refusal);
    }
}

bool rolling_is_refused(
    const struct rolling *rolling, struct arena *arena, struct plan_refusal *refusal)
{
    for (size_t i = 0; i < ARRAY_COUNT(preflights); i++) {
        if (!preflights[i].needs_target || rolling->target != NULL) {
            refuse_preflight(rolling, &preflights[i], arena, refusal);
        }
    }
    for (size_t i = 0; i < rolling->shard_count; i++) {
        if (rolling->shards[i].heir != NULL) {
            refuse_heir(rolling, rolling->shards[i].heir, arena, refusal);
        }
    }
    return refusal->answer_count > 0;
}

void rolling_check(const struct rolling_request *request, struct arena *arena,
    struct gate_answer **ret_answers, size_t *ret_count)
{
    *ret_answers = NULL;
    *ret_count = 0;
    for (size_t i = 0; i < ARRAY_COUNT(preflights); i++) {
        const char *names[TOPOLOGY_SWAP_MAX];
        rolling_topology_gates(rolling_topology_of(request->facts), preflights[i].gate, names);
        const bool is_asked = !preflights[i].needs_target || request->facts->artefact_count > 0;
        for (size_t j = 0; is_asked && names[j] != NULL; j++) {
            const struct gate_answer answer =
                ask_preflight(request, &preflights[i], names[j], false, arena);
            push_answer(arena, ret_answers, ret_count, &answer);
        }
    }
}

static void push_node(struct arena *arena, const struct fact_node ***nodes, size_t *count,
    const struct fact_node *node)
{
    const struct fact_node **slot = arena_push(arena, nodes, count, sizeof(*slot));
    *slot = node;
}

/* The first by name: predictable, and printed. Sentinels never choose one of priority 0; it is 0
 * everywhere where nobody reads it. */
static bool is_better_heir(const struct fact_node *node, const struct fact_node *than)
{
    if (node->is_failover_forbidden != than->is_failover_forbidden) {
        return than->is_failover_forbidden;
    }
    if ((node->replica_priority == 0) != (than->replica_priority == 0)) {
        return than->replica_priority == 0;
    }
    return strcmp(node->name, than->name) < 0;
}

/* Brings those that are down to the front: they are repaired before another one is stopped. */
static void put_down_first(const struct fact_node **nodes, size_t count)
{
    size_t front = 0;
    for (size_t i = 0; i < count; i++) {
        if (nodes[i]->is_reachable) {
            continue;
        }
        const struct fact_node *down = nodes[i];
        memmove(&nodes[front + 1], &nodes[front], (i - front) * sizeof(*nodes));
        nodes[front++] = down;
    }
}

/* Old replicas of an old primary go first. Where the primary is at the target already, the old
 * replicas are the way back of an earlier run and wait for finalize. */
static void sort_shard(const struct facts *facts, const struct fact_artefact *target,
    struct arena *arena, struct rolling_shard *shard)
{
    const bool is_switched = rolling_is_at_target(shard->primary, target);
    shard->is_switched = is_switched;
    if (!is_switched) {
        push_node(arena, &shard->late, &shard->late_count, shard->primary);
    }
    for (size_t i = 0; i < facts->node_count; i++) {
        const struct fact_node *node = &facts->nodes[i];
        if (node->role != FACT_ROLE_REPLICA || !text_equal(node->shard, shard->name)) {
            continue;
        }
        shard->replica_count++;
        if (!is_switched && (shard->heir == NULL || is_better_heir(node, shard->heir))) {
            shard->heir = node;
        }
        if (rolling_is_at_target(node, target)) {
            continue;
        }
        if (is_switched) {
            push_node(arena, &shard->late, &shard->late_count, node);
        } else {
            push_node(arena, &shard->early, &shard->early_count, node);
        }
    }
    put_down_first(shard->early, shard->early_count);
    put_down_first(shard->late, shard->late_count);
}

void rolling_find_shards(const struct facts *facts, const struct fact_artefact *target,
    struct arena *arena, struct rolling_shard **ret_shards, size_t *ret_count)
{
    *ret_shards = NULL;
    *ret_count = 0;
    for (size_t number = 1; number <= facts->node_count; number++) {
        struct rolling_shard shard = {.name = arena_format(arena, "shard-%zu", number)};
        shard.primary = facts_primary_of(facts, shard.name);
        if (shard.primary == NULL) {
            return;
        }
        sort_shard(facts, target, arena, &shard);
        if (shard.late_count > 0) {
            struct rolling_shard *slot = arena_push(arena, ret_shards, ret_count, sizeof(*slot));
            *slot = shard;
        }
    }
}

static void find_shards_of(struct rolling *rolling, struct arena *arena)
{
    struct rolling_shard *shards;
    rolling_find_shards(rolling->facts, rolling->target, arena, &shards, &rolling->shard_count);
    rolling->shards = shards;
}

static void keep_own_basis(struct rolling *rolling)
{
    struct plan *plan = rolling->plan;
    basis_collect(rolling->facts, &plan->arena, &plan->basis, &plan->basis_count);
}

bool rolling_plan(const struct rolling_request *request, struct arena *arena, struct plan *ret_plan,
    struct plan_refusal *ret_refusal)
{
    assert(request->facts->artefact_count > 0);
    struct rolling rolling = {
        .request = request,
        .facts = request->facts,
        .target = &request->facts->artefacts[0],
        .plan = ret_plan,
    };
    *ret_refusal = (struct plan_refusal){0};
    if (!is_everything_at_target(request->facts)) {
        find_shards_of(&rolling, arena);
        if (rolling_is_refused(&rolling, arena, ret_refusal)) {
            return false;
        }
    }
    rolling_add_head(&rolling, "upgrade");
    keep_own_basis(&rolling);
    if (rolling.shard_count > 0) {
        rolling_add_phases(&rolling);
        rolling_add_words(&rolling);
    }
    return true;
}

/* A gate would wait for it: in a run, no replica for a moment is no reason to refuse. */
static void refuse_bare_shards(
    const struct rolling *rolling, struct arena *arena, struct plan_refusal *refusal)
{
    const struct facts *facts = rolling->facts;
    for (size_t number = 1; rolling->gone_count > 0 && number <= facts->node_count; number++) {
        const char *shard = arena_format(arena, "shard-%zu", number);
        const struct fact_node *primary = facts_primary_of(facts, shard);
        bool has_replica = primary == NULL;
        for (size_t i = 0; i < facts->node_count; i++) {
            const struct fact_node *node = &facts->nodes[i];
            has_replica |= node->role == FACT_ROLE_REPLICA && text_equal(node->shard, shard);
        }
        if (!has_replica) {
            const struct gate_answer answer = {GATE_NEEDS_YOU, "redundancy",
                arena_format(
                    arena, "%s of %s has no replica left to hand over to", shard, primary->name),
                "give it a replica again, at the address of the node that is gone, then `upshift "
                "reconcile`"};
            push_answer(arena, &refusal->answers, &refusal->answer_count, &answer);
        }
    }
}

bool rolling_again(struct rolling *rolling, struct arena *arena, struct plan_refusal *refusal)
{
    rolling->target = &rolling->request->facts->artefacts[0];
    rolling->is_running = true;
    refuse_bare_shards(rolling, arena, refusal);
    if (!is_everything_at_target(rolling->facts)) {
        find_shards_of(rolling, arena);
        (void)rolling_is_refused(rolling, arena, refusal);
    }
    if (refusal->answer_count > 0) {
        return false;
    }
    rolling_add_head(rolling, "upgrade");
    if (rolling->shard_count > 0) {
        rolling_add_phases(rolling);
        rolling_add_words(rolling);
    }
    return true;
}
