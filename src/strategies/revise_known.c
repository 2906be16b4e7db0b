/* strategies/revise_known.c - what a run knows of its nodes beyond fresh facts. */
#include "base/str.h"
#include "strategies/basis.h"
#include "strategies/gate_report.h"
#include "strategies/gates.h"
#include "strategies/revise_parts.h"
#include "strategies/rolling_topology.h"

const char *revise_find_basis(const struct plan *plan, const char *node, const char *aspect)
{
    for (size_t i = 0; i < plan->basis_count; i++) {
        if (text_equal(plan->basis[i].subject, node) && text_equal(plan->basis[i].aspect, aspect)) {
            return plan->basis[i].value;
        }
    }
    return NULL;
}

static bool is_another_node(const struct plan *plan, const struct facts *facts, const char *name)
{
    const struct fact_node *node = facts_find(facts, name);
    const char *id = revise_find_basis(plan, name, "id");
    return node != NULL && node->is_reachable && id != NULL && !text_equal(id, node->id);
}

static void keep_basis(struct plan *plan, const struct plan_basis *from)
{
    struct plan_basis *slot =
        arena_push(&plan->arena, &plan->basis, &plan->basis_count, sizeof(*slot));
    slot->subject = arena_strdup(&plan->arena, from->subject);
    slot->aspect = arena_strdup(&plan->arena, from->aspect);
    slot->value = arena_strdup(&plan->arena, from->value);
}

void revise_keep_basis(
    const struct revise_request *request, const struct facts *facts, struct plan *plan)
{
    const struct plan *old = request->plan;
    struct plan_basis *fresh = NULL;
    size_t fresh_count = 0;
    AUTO_ARENA arena = {0};
    basis_collect(facts, &arena, &fresh, &fresh_count);
    for (size_t i = 0; i < old->basis_count; i++) {
        if (!is_another_node(old, facts, old->basis[i].subject)) {
            keep_basis(plan, &old->basis[i]);
        }
    }
    for (size_t i = 0; i < fresh_count; i++) {
        if (is_another_node(old, facts, fresh[i].subject)) {
            keep_basis(plan, &fresh[i]);
        }
    }
}

/* What the first who can be asked says of the node with this id. */
static const struct fact_view *find_view(const struct facts *facts, const char *id)
{
    for (size_t i = 0; id != NULL && i < facts->node_count; i++) {
        const struct fact_node *viewer = &facts->nodes[i];
        const struct fact_view *view = viewer->is_reachable ? gate_view_of(viewer, id) : NULL;
        if (view != NULL) {
            return view;
        }
    }
    return NULL;
}

void revise_read_version(const char *title, struct arena *arena, struct fact_node *node)
{
    struct str rest = str_of(title);
    struct str product;
    struct version version;
    if (title == NULL || !str_cut(&rest, ' ', &product) || rest.data == NULL) {
        return;
    }
    node->product = arena_strndup(arena, product.data, product.size);
    node->version = arena_strndup(arena, rest.data, rest.size);
    AUTO_ERR err = version_parse(arena, node->product, node->version, &version);
    node->series = err == NULL ? version_series(arena, &version) : NULL;
}

/* A primary that died and was replaced still calls itself one: the run's own steps on it have ids
 * that begin with its shard. Owns: `arena`. */
static const char *find_planned_shard(
    const struct progress *progress, const char *node, struct arena *arena)
{
    for (size_t i = 0; i < progress->step_count; i++) {
        struct str id = str_of(progress->steps[i].id);
        struct str shard;
        if (text_equal(progress->steps[i].node, node) && str_cut(&id, '/', &shard)) {
            return arena_strndup(arena, shard.data, shard.size);
        }
    }
    return NULL;
}

static void complete_node(const struct revise_request *request, struct arena *arena,
    const struct facts *facts, struct fact_node *node)
{
    const struct plan *plan = request->plan;
    node->id = revise_find_basis(plan, node->name, "id");
    revise_read_version(revise_find_basis(plan, node->name, "version"), arena, node);
    const struct fact_view *view = find_view(facts, node->id);
    const struct fact_node *primary = view == NULL ? NULL : facts_find_id(facts, view->primary_id);
    if (primary == NULL || primary->shard == NULL) {
        primary = facts_primary_of(facts, find_planned_shard(request->progress, node->name, arena));
    }
    if (primary != NULL) {
        node->role = FACT_ROLE_REPLICA;
        node->primary_id = primary->id;
        node->shard = primary->shard;
    }
}

static bool knows(const struct fact_node *viewer, const char *id, const char *address)
{
    for (size_t i = 0; i < viewer->view_count; i++) {
        const struct fact_view *view = &viewer->views[i];
        if (text_equal(view->id, id) || text_equal(view->address, address)) {
            return true;
        }
    }
    return false;
}

/* Without Redis Cluster a primary forgets whoever dies, so there is no telling. */
static bool is_gone(const struct revise_request *request, const struct fact_node *node)
{
    const struct facts *facts = request->rolling.facts;
    const char *id = revise_find_basis(request->plan, node->name, "id");
    bool has_viewer = false;
    if (node->is_reachable || facts_have_one_primary(facts)) {
        return false;
    }
    for (size_t i = 0; i < facts->node_count; i++) {
        const struct fact_node *viewer = &facts->nodes[i];
        has_viewer |= viewer->is_reachable && viewer->view_count > 0;
        if (viewer->is_reachable && knows(viewer, id, node->address)) {
            return false;
        }
    }
    return has_viewer;
}

struct facts revise_complete(const struct revise_request *request, struct arena *arena)
{
    const struct facts *facts = request->rolling.facts;
    struct facts complete = *facts;
    complete.nodes = arena_alloc_array(arena, facts->node_count, sizeof(*complete.nodes));
    complete.node_count = 0;
    for (size_t i = 0; i < facts->node_count; i++) {
        if (is_gone(request, &facts->nodes[i])) {
            continue;
        }
        struct fact_node *node = &complete.nodes[complete.node_count++];
        *node = facts->nodes[i];
        if (!node->is_reachable) {
            complete_node(request, arena, facts, node);
        }
    }
    return complete;
}

size_t revise_find_gone(
    const struct revise_request *request, struct arena *arena, const char *const **ret_names)
{
    const struct facts *facts = request->rolling.facts;
    const char **names = NULL;
    size_t count = 0;
    for (size_t i = 0; i < facts->node_count; i++) {
        if (is_gone(request, &facts->nodes[i])) {
            const char **slot = arena_push(arena, &names, &count, sizeof(*slot));
            *slot = facts->nodes[i].name;
        }
    }
    *ret_names = names;
    return count;
}

void revise_add_gone_notes(struct rolling *rolling)
{
    for (size_t i = 0; i < rolling->gone_count; i++) {
        rolling_add_note(rolling,
            arena_format(&rolling->plan->arena,
                "%s is gone: it does not answer, and no other node knows it; this is planned "
                "without it",
                rolling->gone[i]));
    }
}

bool revise_has_taken_out(const struct revise_request *request, const struct fact_node *node)
{
    return progress_has_touched(request->progress, "service.stop", node->name);
}

/* Arguments of a gate that leave out nodes that cannot be read. */
static struct json *except_down(const struct facts *facts)
{
    struct json *args = js_object();
    AUTO_JSON names = js_array();
    for (size_t i = 0; i < facts->node_count; i++) {
        if (!facts->nodes[i].is_reachable) {
            js_push(names, js_text(facts->nodes[i].name));
        }
    }
    js_put(args, "except", js_ref(names));
    return args;
}

static void push_answers(const struct revise_request *request, const struct facts *facts,
    const char *gate, struct json *args, struct plan_refusal *refusal, struct arena *arena)
{
    const char *names[TOPOLOGY_SWAP_MAX];
    rolling_topology_gates(rolling_topology_of(facts), gate, names);
    for (size_t i = 0; names[i] != NULL; i++) {
        const struct gate_input input = {facts, request->rolling.rules, args, arena};
        struct gate_answer *slot =
            arena_push(arena, &refusal->answers, &refusal->answer_count, sizeof(*slot));
        *slot = gate_find(names[i])->eval(&input);
    }
}

static int64_t count_slots(const char *ranges)
{
    struct str rest = str_of(ranges);
    struct str range;
    int64_t count = 0;
    while (str_cut(&rest, ' ', &range)) {
        struct str word;
        int64_t first = 0;
        int64_t last = 0;
        (void)str_cut(&range, '-', &word);
        if (str_to_int64(word, &first)) {
            count += range.data != NULL && str_to_int64(range, &last) ? last - first + 1 : 1;
        }
    }
    return count;
}

/* Shards are numbered by the primaries in sight: with one missing, the others have other names. */
static bool is_every_shard_in_sight(const struct facts *facts)
{
    enum { SLOT_COUNT = 16384 };
    if (facts_have_one_primary(facts)) {
        return facts_primary_of(facts, "shard-1") != NULL;
    }
    int64_t count = 0;
    for (size_t i = 0; i < facts->node_count; i++) {
        count += facts->nodes[i].is_reachable ? count_slots(facts->nodes[i].slots) : 0;
    }
    return count >= SLOT_COUNT;
}

bool revise_is_whole(const struct revise_request *request, const struct facts *facts,
    struct plan_refusal *refusal, struct arena *arena)
{
    if (is_every_shard_in_sight(facts)) {
        return true;
    }
    AUTO_JSON args = except_down(facts);
    push_answers(request, facts, "cluster_ok", args, refusal, arena);
    return false;
}

bool revise_is_fed(const struct revise_request *request, const struct facts *facts,
    const struct fact_node *node, struct plan_refusal *refusal, struct arena *arena)
{
    AUTO_JSON args = js_object();
    struct json *nodes = js_array();
    struct json *item = js_object();
    js_put_text(item, "node", node->name);
    js_put_text(item, "shard", node->shard);
    js_put_text(item, "series", node->series);
    js_push(nodes, item);
    js_put(args, "nodes", nodes);
    push_answers(request, facts, "way_back_fed", args, refusal, arena);
    const bool is_closed = refusal->answers[refusal->answer_count - 1].state > GATE_NOT_YET;
    refusal->answer_count -= !is_closed;
    return !is_closed;
}

void revise_keep_artefact(const struct revise_request *request, struct plan *plan)
{
    const struct fact_artefact *from = &request->plan->artefact;
    const char *const texts[] = {from->product, from->version, from->series, from->package_version,
        from->digest, from->server};
    const char **const slots[] = {&plan->artefact.product, &plan->artefact.version,
        &plan->artefact.series, &plan->artefact.package_version, &plan->artefact.digest,
        &plan->artefact.server};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        *slots[i] = texts[i] == NULL ? NULL : arena_strdup(&plan->arena, texts[i]);
    }
}

void revise_add_drop(
    struct rolling *rolling, struct plan_phase *phase, const struct fact_node *node)
{
    static const struct step_sort sort = {.verb = "drop-aside",
        .kind = "data.drop_aside",
        .assumptions = rolling_no_gates,
        .gates = rolling_no_gates};
    const struct act act = {node->shard, node, node};
    struct plan_step *step = rolling_add_step(rolling, phase, &sort, &act);
    step->summary =
        arena_format(&rolling->plan->arena, "delete what was set aside on %s", node->name);
}
