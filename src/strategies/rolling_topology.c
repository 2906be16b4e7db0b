#include "strategies/rolling_topology.h"

#include <inttypes.h>

#include "base/err.h"
#include "base/str.h"

enum {
    /* Sentinels must not take a held primary for down. */
    SILENCE_MARGIN_MS = 30000,
    FIRST_CHOICE = 1, /* replica-priority: the lowest that may be chosen */
    SECOND_CHOICE = 2,
    SENTINEL_SETTLE_MS = 1000,
    CUTOVER_SETTLE_MS = 500,
    CUTOVER_MARGIN_MS = 60000, /* a guard prepares, finishes, and runs the hook besides */
    /* Predicted waits: measured and rounded up. */
    CUTOVER_HOLD_MS = 200,
    SENTINEL_HOLD_MS = 1500, /* until the Sentinels tell of the new primary */
};

static const char *const sentinel_group = "sentinels";
static const char *const priority_setting = "replica-priority";
static const char *const silence_setting = "down-after-milliseconds";

/* ---- gates ---- */

static const struct topology_swap cluster_swaps[] = {
    {"heir_electable", {NULL}}, {"sentinel_spare", {NULL}}, {NULL, {NULL}}};

static const struct topology_swap replication_swaps[] = {{"cluster_ok", {"one_primary"}},
    {"views_agree", {NULL}}, {"no_slot_moves", {"files_follow"}}, {"heir_electable", {NULL}},
    {"sentinel_spare", {NULL}}, {NULL, {NULL}}};

static const struct topology_swap sentinel_swaps[] = {{"cluster_ok", {"one_primary"}},
    {"views_agree", {"sentinels_agree", "sentinel_quorum"}}, {"no_slot_moves", {"files_follow"}},
    {NULL, {NULL}}};

static const struct gate_use watched_gates[] = {
    {"sentinels_agree", 0}, {"sentinel_quorum", 0}, {NULL, 0}};

static const struct gate_use stop_sentinel_gates[] = {{"all_reachable", 0}, {"one_primary", 0},
    {"sentinels_agree", 0}, {"sentinel_quorum", 0}, {"sentinel_spare", 0}, {NULL, 0}};

static const struct gate_use no_gates_here[] = {{NULL, 0}};

static const struct gate_use heir_follows[] = {{"assume_id", TELL_NODE | TELL_ID},
    {"assume_role", TELL_NODE | TELL_AS_REPLICA | TELL_SHARD}, {NULL, 0}};

/* ---- Sentinels: silenced around the switchover, and upgraded at the end ---- */

/* A Sentinel as steps see a node: its name is all that they need. */
static struct fact_node as_node(const struct fact_sentinel *sentinel)
{
    return (struct fact_node){
        .name = sentinel->name, .product = sentinel->product, .version = sentinel->version};
}

static void add_value(
    struct rolling *rolling, struct plan_step *step, const char *setting, const char *value)
{
    step->summary =
        arena_format(&rolling->plan->arena, "set %s %s on %s", setting, value, step->node);
    js_put_text(step->args, "name", setting);
    js_put_text(step->args, "value", value);
}

/* On 6.0 a held primary answers nobody, Sentinels included: they would fail over meanwhile. */
static void silence_sentinels(struct rolling *rolling, struct plan_phase *phase)
{
    static const struct step_sort sort = {.verb = "silence",
        .kind = "repl.setting",
        .assumptions = no_gates_here,
        .gates = watched_gates,
        .scope = PLAN_SCOPE_RUN};
    struct arena *arena = &rolling->plan->arena;
    const int64_t wanted_ms =
        rolling->request->cluster->policy.hold_limit_ms * 2 + SILENCE_MARGIN_MS;
    for (size_t i = 0; i < rolling->facts->sentinel_count; i++) {
        const struct fact_sentinel *sentinel = &rolling->facts->sentinels[i];
        if (sentinel->down_after_ms >= wanted_ms) {
            continue;
        }
        const struct fact_node node = as_node(sentinel);
        const struct act act = {sentinel_group, &node, &node};
        struct plan_step *step = rolling_add_step(rolling, phase, &sort, &act);
        add_value(rolling, step, silence_setting, arena_format(arena, "%" PRId64, wanted_ms));
    }
}

/* Would Sentinels take the heir without help? */
static bool is_first_choice(const struct facts *facts, const struct fact_node *heir)
{
    for (size_t i = 0; i < facts->node_count; i++) {
        const struct fact_node *other = &facts->nodes[i];
        if (other != heir && other->role == FACT_ROLE_REPLICA && other->replica_priority != 0 &&
            other->replica_priority <= heir->replica_priority) {
            return false;
        }
    }
    return true;
}

static void prefer_heir(
    struct rolling *rolling, struct plan_phase *phase, const struct rolling_shard *shard)
{
    static const struct step_sort sort = {.verb = "prefer",
        .kind = "repl.setting",
        .assumptions = heir_follows,
        .gates = no_gates_here,
        .scope = PLAN_SCOPE_RUN};
    if (is_first_choice(rolling->facts, shard->heir)) {
        return;
    }
    struct arena *arena = &rolling->plan->arena;
    const struct act act = {shard->name, shard->heir, shard->primary};
    struct plan_step *step = rolling_add_step(rolling, phase, &sort, &act);
    add_value(rolling, step, priority_setting, arena_format(arena, "%d", FIRST_CHOICE));
}

/* The first choice of an earlier switchover may be a replica again (a failover that nobody
 * planned): no priority is lower, so it makes way. */
static void make_way(
    struct rolling *rolling, struct plan_phase *phase, const struct rolling_shard *shard)
{
    static const struct step_sort sort = {.verb = "make-way",
        .kind = "repl.setting",
        .assumptions = heir_follows,
        .gates = no_gates_here,
        .scope = PLAN_SCOPE_RUN};
    struct arena *arena = &rolling->plan->arena;
    for (size_t i = 0; i < rolling->facts->node_count; i++) {
        const struct fact_node *node = &rolling->facts->nodes[i];
        if (node == shard->heir || node->role != FACT_ROLE_REPLICA ||
            node->replica_priority != FIRST_CHOICE) {
            continue;
        }
        const struct act act = {shard->name, node, shard->primary};
        struct plan_step *step = rolling_add_step(rolling, phase, &sort, &act);
        add_value(rolling, step, priority_setting, arena_format(arena, "%d", SECOND_CHOICE));
    }
}

static void before_sentinel_switchover(
    struct rolling *rolling, struct plan_phase *phase, const struct rolling_shard *shard)
{
    silence_sentinels(rolling, phase);
    make_way(rolling, phase, shard);
    prefer_heir(rolling, phase, shard);
}

static bool is_sentinel_old(
    const struct fact_sentinel *sentinel, const struct fact_artefact *target)
{
    AUTO_ARENA arena = {0};
    struct version version, wanted;
    if (!text_equal(sentinel->product, target->product)) {
        return true;
    }
    AUTO_ERR err = version_parse(&arena, target->product, sentinel->version, &version);
    AUTO_ERR wanted_err = version_parse(&arena, target->product, target->version, &wanted);
    return err == NULL && wanted_err == NULL && version_compare(&version, &wanted) < 0;
}

static void restart_sentinel(
    struct rolling *rolling, struct plan_phase *phase, const struct fact_sentinel *sentinel)
{
    static const struct step_sort stop = {.verb = "stop",
        .kind = "service.stop",
        .assumptions = no_gates_here,
        .gates = stop_sentinel_gates,
        .takes_out = true};
    static const struct step_sort point = {.verb = "switch",
        .kind = "package.switch",
        .assumptions = no_gates_here,
        .gates = no_gates_here};
    static const struct step_sort begin = {.verb = "start",
        .kind = "service.start",
        .assumptions = no_gates_here,
        .gates = no_gates_here};
    struct arena *arena = &rolling->plan->arena;
    const struct fact_artefact *target = rolling->target;
    const struct fact_node node = as_node(sentinel);
    const struct act act = {sentinel_group, &node, &node};
    const char *earlier = phase->step_count == 0 ? NULL : phase->steps[phase->step_count - 1].id;
    struct plan_step *step = rolling_add_step(rolling, phase, &stop, &act);
    step->summary = arena_format(arena, "stop %s", node.name);
    if (earlier != NULL) {
        rolling_follow_step(rolling, step, earlier);
    }
    earlier = step->id;
    step = rolling_add_step(rolling, phase, &point, &act);
    step->summary =
        arena_format(arena, "point %s at %s %s", node.name, target->product, target->version);
    js_put_text(step->args, "server", target->server);
    js_put_text(step->args, "version", target->version);
    js_put_text(step->args, "series", target->series);
    rolling_follow_step(rolling, step, earlier);
    earlier = step->id;
    step = rolling_add_step(rolling, phase, &begin, &act);
    step->summary =
        arena_format(arena, "start %s with %s %s", node.name, target->product, target->version);
    rolling_tell_start(rolling, step, target);
    step->settle_ms = SENTINEL_SETTLE_MS;
    rolling_follow_step(rolling, step, earlier);
}

/* Last of all: a newer Sentinel writes its file as an older one cannot read it, so there would be
 * no way back for it. Older ones watch newer servers well. */
static void restart_sentinels(struct rolling *rolling, struct plan_phase *phase)
{
    for (size_t i = 0; i < rolling->facts->sentinel_count; i++) {
        if (is_sentinel_old(&rolling->facts->sentinels[i], rolling->target)) {
            restart_sentinel(rolling, phase, &rolling->facts->sentinels[i]);
        }
    }
}

/* ---- the files follow ---- */

/* Sentinels let servers write their files when they change a role themselves; the guard changes
 * that of the old primary before they do. */

static void follow_in_files(
    struct rolling *rolling, struct plan_phase *phase, const struct rolling_shard *shard)
{
    static const struct step_sort sort = {.verb = "follow",
        .kind = "config.replicaof",
        .assumptions = no_gates_here,
        .gates = no_gates_here};
    struct arena *arena = &rolling->plan->arena;
    const char *earlier = phase->steps[phase->step_count - 1].id;
    for (size_t i = 0; i < rolling->facts->node_count; i++) {
        const struct fact_node *node = &rolling->facts->nodes[i];
        const bool is_heir = node == shard->heir;
        const struct act act = {shard->name, node, shard->heir};
        struct plan_step *step = rolling_add_step(rolling, phase, &sort, &act);
        step->summary =
            is_heir
                ? arena_format(arena, "let the file of %s name no primary", node->name)
                : arena_format(arena, "let the file of %s name %s", node->name, shard->heir->name);
        js_put_text(step->args, "primary", is_heir ? "none" : shard->heir->name);
        rolling_follow_step(rolling, step, earlier);
    }
}

/* Servers that were told to write their files wrote them as their version does. */
static const char *fit_old_file(
    struct rolling *rolling, struct plan_phase *phase, const struct act *act, const char *earlier)
{
    static const struct step_sort sort = {
        .verb = "fit", .kind = "config.fit", .assumptions = no_gates_here, .gates = no_gates_here};
    const char *series = rolling_goal(rolling, act->node)->series;
    struct plan_step *step = rolling_add_step(rolling, phase, &sort, act);
    step->summary = arena_format(
        &rolling->plan->arena, "let %s read the file of %s again", series, act->node->name);
    js_put_text(step->args, "series", series);
    rolling_follow_step(rolling, step, earlier);
    return step->id;
}

/* ---- the cut-over ---- */

/* 6.0 cannot end a hold early, but who waits there is sent away. */
static void time_cutover(const struct rolling *rolling, struct plan_step *step)
{
    const int64_t limit_ms = rolling->request->cluster->policy.hold_limit_ms;
    step->hold_ms = rolling->facts->sentinel_count > 0 ? SENTINEL_HOLD_MS : CUTOVER_HOLD_MS;
    step->deadline_ms = limit_ms + CUTOVER_MARGIN_MS;
    step->settle_ms = CUTOVER_SETTLE_MS;
}

/* ---- the table ---- */

static const struct rolling_topology topologies[] = {
    {.name = "cluster", .swaps = cluster_swaps, .switchover_kind = "repl.switchover"},
    {.name = "replication",
        .swaps = replication_swaps,
        .switchover_kind = "repl.cutover",
        .time_switchover = time_cutover,
        .after_switchover = follow_in_files},
    {.name = "sentinel",
        .swaps = sentinel_swaps,
        .switchover_kind = "repl.cutover",
        .time_switchover = time_cutover,
        .before_switchover = before_sentinel_switchover,
        .after_switchover = follow_in_files,
        .before_old = fit_old_file,
        .at_the_end = restart_sentinels},
};

const struct rolling_topology *rolling_topology_of(const struct facts *facts)
{
    for (size_t i = 1; i < ARRAY_COUNT(topologies); i++) {
        if (text_equal(topologies[i].name, facts->topology)) {
            return &topologies[i];
        }
    }
    return &topologies[0];
}

void rolling_topology_gates(const struct rolling_topology *topology, const char *gate,
    const char *ret_names[TOPOLOGY_SWAP_MAX])
{
    const struct topology_swap *swap = topology->swaps;
    while (swap->gate != NULL && !text_equal(swap->gate, gate)) {
        swap++;
    }
    for (size_t i = 0; i < TOPOLOGY_SWAP_MAX; i++) {
        ret_names[i] = swap->gate != NULL ? swap->instead[i] : NULL;
    }
    if (swap->gate == NULL) {
        ret_names[0] = gate;
    }
}

void rolling_topology_add_groups(struct rolling *rolling)
{
    struct plan *plan = rolling->plan;
    const size_t count = rolling->facts->sentinel_count;
    if (count == 0) {
        return;
    }
    struct plan_group *group =
        arena_push(&plan->arena, &plan->groups, &plan->group_count, sizeof(*group));
    *group = (struct plan_group){
        .name = sentinel_group, .max_unavailable = (int64_t)(count - (count / 2 + 1))};
    for (size_t i = 0; i < count; i++) {
        const char **slot =
            arena_push(&plan->arena, &group->nodes, &group->node_count, sizeof(*slot));
        *slot = arena_strdup(&plan->arena, rolling->facts->sentinels[i].name);
    }
}

static void add_topology_note(struct rolling *rolling, const char *text)
{
    struct plan *plan = rolling->plan;
    const char **slot = arena_push(&plan->arena, &plan->notes, &plan->note_count, sizeof(*slot));
    *slot = text;
}

void rolling_topology_add_notes(struct rolling *rolling)
{
    if (!facts_have_one_primary(rolling->facts)) {
        return;
    }
    const struct inv_cluster *cluster = rolling->request->cluster;
    add_topology_note(
        rolling, arena_format(&rolling->plan->arena,
                     "while the primary is changed writes wait or are refused, at most %" PRId64
                     " ms (policy.hold_limit_ms)",
                     cluster->policy.hold_limit_ms));
    if (rolling->facts->sentinel_count > 0) {
        add_topology_note(rolling,
            "clients ask the Sentinels for the primary; the Sentinels themselves are restarted "
            "last, one at a time");
    } else if (cluster->primary_changed != NULL) {
        add_topology_note(rolling,
            "clients are told of the new primary by the hook primary_changed, right after the "
            "promotion");
    } else {
        add_topology_note(
            rolling, "nobody tells clients of the new primary: hooks.primary_changed is not set");
    }
}
