/*
 * strategies/rolling_steps.c - the steps of each phase, with what must hold right before each.
 *
 * The lists of gates below are the safety of a roll, so they are data: a stop waits until the whole
 * cluster is as well as before, which is also how the node before it is waited for; a start waits
 * for nothing but its own safety, because the cluster misses this node.
 */
#include <inttypes.h>

#include "base/str.h"
#include "strategies/rolling_parts.h"
#include "strategies/rolling_topology.h"

static const char *const backlog_setting = "repl-backlog-size";
static const char *const delay_setting = "repl-diskless-sync-delay";
static const char *const min_replicas_setting = "min-replicas-to-write";

/* What this run has broken is repaired by the phase that it keeps from being green. */
enum { EXCEPT_START = TELL_EXCEPT_BACK | TELL_EXCEPT_BROKEN };

#define READY_FOR_STOP(details)                                                                    \
    READY_FOR_PHASE(details), {"process_known", TELL_NODE},                                        \
        {"min_replicas", (details) | TELL_RELAXED}, {"no_saving", TELL_NODE},                      \
        {"no_drift", TELL_NODE | TELL_IGNORE}, {"directory_safe", TELL_NODE | TELL_TARGET_SERIES}, \
        {"disk_space", TELL_NODE}, {"fork_memory", TELL_PRIMARY},                                  \
    {                                                                                              \
        "full_sync_allowed", TELL_NODE | TELL_ID | TELL_TARGET_SERIES                              \
    }

static const struct gate_use start_of_run_gates[] = {READY_FOR_PHASE(EXCEPT_START),
    {"process_known", TELL_EXCEPT_BROKEN}, {"min_replicas", TELL_EXCEPT_BROKEN | TELL_UNPREPARED},
    {"no_drift", TELL_EXCEPT_BROKEN | TELL_IGNORE | TELL_UNPREPARED},
    {"persistent_primary", TELL_EXCEPT_BROKEN}, {"sentinel_spare", 0}, {NULL, 0}};

static const struct gate_use start_of_phase_gates[] = {READY_FOR_PHASE(EXCEPT_START), {NULL, 0}};

static const struct gate_use end_of_phase_gates[] = {
    CLUSTER_IS_WELL(0), {"key_counts_match", 0}, {NULL, 0}};

static const struct gate_use end_of_prepare_gates[] = {CLUSTER_IS_WELL(EXCEPT_START), {NULL, 0}};

static const struct gate_use end_of_replicas_gates[] = {
    CLUSTER_IS_WELL(TELL_EXCEPT_BACK), {"key_counts_match", TELL_EXCEPT_BACK}, {NULL, 0}};

/* An old node may hold other keys than its newer primary sends: that closes the way back, which is
 * watched and said, and does not keep the run from its pause point. */
static const struct gate_use end_of_switchover_gates[] = {
    CLUSTER_IS_WELL(TELL_EXCEPT_BACK), {"key_counts_match", TELL_EXCEPT_LATE}, {NULL, 0}};

static const struct gate_use stop_replica_gates[] = {READY_FOR_STOP(TELL_EXCEPT_BACK), {NULL, 0}};

static const struct gate_use stop_broken_gates[] = {READY_FOR_PHASE(EXCEPT_START), {NULL, 0}};

/* An old node whose link broke at the pause point can never copy from its newer primary: only
 * finalize repairs it. So the state of nodes that are still old must not keep finalize from
 * starting, nor from stopping one of them; once restarted, each is waited for like any other. */
static const struct gate_use start_of_finalize_gates[] = {
    READY_FOR_PHASE(TELL_EXCEPT_LATE | TELL_EXCEPT_BROKEN), {NULL, 0}};

static const struct gate_use stop_old_gates[] = {
    READY_FOR_STOP(TELL_EXCEPT_OLD), {"drained", TELL_NODE}, {NULL, 0}};

static const struct gate_use stop_primary_gates[] = {
    READY_FOR_STOP(0), {"drained", TELL_NODE}, {NULL, 0}};

static const struct gate_use backup_gates[] = {
    {"not_loading", TELL_NODE}, {"no_saving", TELL_NODE}, {"disk_space", TELL_NODE}, {NULL, 0}};

static const struct gate_use setting_gates[] = {{"not_loading", TELL_NODE}, {NULL, 0}};

static const struct gate_use switchover_gates[] = {CLUSTER_IS_WELL(TELL_EXCEPT_BACK),
    {"nodes_settled", 0}, {"no_slot_moves", 0}, {"redundancy", TELL_SHARD | TELL_TARGET_SERIES},
    {"no_saving", TELL_NODE}, {"no_saving", TELL_PRIMARY}, {"persistent_primary", TELL_NODE},
    {"heir_electable", TELL_NODE}, {"key_counts_match", TELL_NODE},
    {"lag_small", TELL_NODE | TELL_LAG}, {NULL, 0}};

static const struct gate_use stop_old_assumptions[] = {{"assume_id", TELL_NODE | TELL_ID},
    {"assume_role", TELL_NODE | TELL_AS_REPLICA | TELL_SHARD},
    {"assume_series", TELL_NODE | TELL_OWN_SERIES}, {"assume_id", TELL_PRIMARY | TELL_ID},
    {"assume_role", TELL_PRIMARY | TELL_AS_PRIMARY | TELL_SHARD},
    {"assume_series", TELL_PRIMARY | TELL_TARGET_SERIES}, {NULL, 0}};

static const struct gate_use primary_assumptions[] = {{"assume_id", TELL_NODE | TELL_ID},
    {"assume_role", TELL_NODE | TELL_AS_PRIMARY | TELL_SHARD}, {NULL, 0}};

static const struct gate_use heir_assumptions[] = {
    {"assume_id", TELL_NODE | TELL_ID}, {"assume_role", TELL_NODE | TELL_AS_REPLICA}, {NULL, 0}};

static const struct step_sort stop_replica = {.verb = "stop",
    .kind = "service.stop",
    .assumptions = rolling_stop_assumptions,
    .gates = stop_replica_gates,
    .takes_out = true};

/* A node that is down answers no question about itself; its stop is found done. */
static const struct step_sort stop_broken = {.verb = "stop",
    .kind = "service.stop",
    .assumptions = rolling_no_gates,
    .gates = stop_broken_gates,
    .takes_out = true};

static const struct step_sort stop_old = {.verb = "stop",
    .kind = "service.stop",
    .assumptions = stop_old_assumptions,
    .gates = stop_old_gates,
    .takes_out = true,
    .ends_way_back = true};

static const struct step_sort stop_primary = {.verb = "stop",
    .kind = "service.stop",
    .assumptions = stop_old_assumptions,
    .gates = stop_primary_gates,
    .takes_out = true};

static const struct step_sort switchover = {.verb = "switchover",
    .is_of_shard = true,
    .assumptions = rolling_switchover_assumptions,
    .gates = switchover_gates};

/* Down by the run itself. Another one that is down has died: it is waited for like any other. */
static bool is_broken(const struct rolling *rolling, const struct fact_node *node)
{
    for (size_t i = 0; i < rolling->broken_count; i++) {
        if (rolling->broken[i] == node) {
            return true;
        }
    }
    return false;
}

/* Stop, switch (where there is a target), start. Returns the id of the start. */
static const char *add_restart(struct rolling *rolling, struct plan_phase *phase,
    const struct step_sort *stop, const struct act *act)
{
    const struct step_sort *sort = is_broken(rolling, act->node) ? &stop_broken : stop;
    struct plan_step *step = rolling_add_step(rolling, phase, sort, act);
    step->ends_way_back = stop->ends_way_back;
    step->summary =
        arena_format(&rolling->plan->arena, "stop %s (replica of %s)", act->node->name, act->shard);
    const char *earlier = step->id;
    if (rolling->target != NULL) {
        earlier = rolling_add_switch(rolling, phase, act, earlier)->id;
    }
    return rolling_add_start(rolling, phase, act, earlier)->id;
}

struct setting {
    const char *verb;
    const char *name;
    int64_t value;
    enum plan_scope scope;
};

/* For people; the step gets the plain number. */
static const char *write_size(struct arena *arena, int64_t bytes)
{
    const int64_t mb = 1 << 20;
    return bytes > 0 && bytes % mb == 0 ? arena_format(arena, "%" PRId64 "mb", bytes / mb)
                                        : arena_format(arena, "%" PRId64, bytes);
}

static void add_setting(struct rolling *rolling, struct plan_phase *phase,
    const struct setting *setting, const struct act *act, const char *earlier)
{
    struct arena *arena = &rolling->plan->arena;
    const bool is_primary = act->node->role == FACT_ROLE_PRIMARY;
    const struct step_sort sort = {
        .verb = setting->verb,
        .kind = "repl.setting",
        .assumptions = is_primary ? primary_assumptions : heir_assumptions,
        .gates = setting_gates,
        .scope = setting->scope,
    };
    struct plan_step *step = rolling_add_step(rolling, phase, &sort, act);
    step->summary = arena_format(arena, "set %s %s on %s", setting->name,
        write_size(arena, setting->value), act->node->name);
    js_put_text(step->args, "name", setting->name);
    js_put(step->args, "value", js_text(arena_format(arena, "%" PRId64, setting->value)));
    rolling_follow_step(rolling, step, earlier);
}

/* A primary whose only replica is out would refuse writes. */
static bool refuses_writes(const struct rolling *rolling, const struct act *act)
{
    int64_t replica_count = 0;
    for (size_t i = 0; i < rolling->facts->node_count; i++) {
        const struct fact_node *node = &rolling->facts->nodes[i];
        replica_count += node->role == FACT_ROLE_REPLICA && text_equal(node->shard, act->shard);
    }
    return act->node->min_replicas > replica_count - 1;
}

void rolling_add_settings(struct rolling *rolling, struct plan_phase *phase, const struct act *act,
    const char *earlier, enum plan_scope delay_scope)
{
    const int64_t backlog_bytes = rolling->request->cluster->policy.backlog_bytes;
    if (act->node->backlog_bytes < backlog_bytes) {
        const struct setting backlog = {
            "backlog", backlog_setting, backlog_bytes, PLAN_SCOPE_FINALIZE};
        add_setting(rolling, phase, &backlog, act, earlier);
    }
    const struct setting delay = {"delay", delay_setting, 0, delay_scope};
    add_setting(rolling, phase, &delay, act, earlier);
    const bool may_relax = rolling->request->cluster->policy.min_replicas == INV_MIN_REPLICAS_RELAX;
    if (may_relax && refuses_writes(rolling, act)) {
        const struct setting relaxed = {"min-replicas", min_replicas_setting, 0, delay_scope};
        add_setting(rolling, phase, &relaxed, act, earlier);
    }
}

/* Would a restart lose something, and is the file the better for being written now? Not while the
 * run's own settings are live: they would stay. */
static bool needs_rewrite(const struct fact_node *node)
{
    bool needs = false;
    for (size_t i = 0; i < node->drift_count; i++) {
        if (rolling_is_temporary(node->drift[i].setting)) {
            return false;
        }
        needs = true;
    }
    return needs && node->is_reachable && node->config_digest != NULL;
}

/* Before any temporary setting is made. Returns the id of the last step. */
static const char *add_rewrites(
    struct rolling *rolling, struct plan_phase *phase, const struct rolling_shard *shard)
{
    static const struct step_sort sort = {.verb = "rewrite",
        .kind = "config.rewrite",
        .assumptions = rolling_no_gates,
        .gates = setting_gates};
    const char *earlier = NULL;
    for (size_t i = 0; i < rolling->facts->node_count; i++) {
        const struct fact_node *node = &rolling->facts->nodes[i];
        if (!text_equal(node->shard, shard->name) || !needs_rewrite(node)) {
            continue;
        }
        const struct act act = {shard->name, node, shard->primary};
        struct plan_step *step = rolling_add_step(rolling, phase, &sort, &act);
        step->summary = arena_format(&rolling->plan->arena,
            "write the live settings of %s into its file, a copy of which is kept", node->name);
        js_put_text(step->args, "digest", node->config_digest);
        rolling_follow_step(rolling, step, earlier);
        earlier = step->id;
    }
    return earlier;
}

/* Who has all data of a shard and the fewest clients: the replica that takes over. After a
 * switchover an old replica may lack what it did not understand: then a new one, or the primary. */
static const struct fact_node *find_backed_up(
    const struct rolling *rolling, const struct rolling_shard *shard)
{
    if (shard->heir != NULL) {
        return shard->heir;
    }
    for (size_t i = 0; i < rolling->facts->node_count; i++) {
        const struct fact_node *node = &rolling->facts->nodes[i];
        if (node->role == FACT_ROLE_REPLICA && text_equal(node->shard, shard->name) &&
            rolling_is_at_target(node, rolling->target)) {
            return node;
        }
    }
    return shard->primary;
}

static const char *add_backup(struct rolling *rolling, struct plan_phase *phase,
    const struct rolling_shard *shard, const char *earlier)
{
    static const struct step_sort sort = {.verb = "backup",
        .kind = "backup.take",
        .assumptions = rolling_no_gates,
        .gates = backup_gates};
    const char *folder = rolling->request->cluster->policy.backup_dir;
    const struct fact_node *node = find_backed_up(rolling, shard);
    const struct act act = {shard->name, node, shard->primary};
    struct plan_step *step = rolling_add_step(rolling, phase, &sort, &act);
    step->summary = arena_format(&rolling->plan->arena,
        "copy a dump of %s (%s) to %s and load it to see", node->name, shard->name, folder);
    js_put_text(step->args, "dir", folder);
    js_put_text(step->args, "dump", node->rdb_file == NULL ? "dump.rdb" : node->rdb_file);
    js_put_text(step->args, "server",
        rolling->target == NULL ? node->server_target : rolling->target->server);
    rolling_follow_step(rolling, step, earlier);
    return step->id;
}

static void fill_prepare(
    struct rolling *rolling, struct plan_phase *phase, const struct rolling_shard *shard)
{
    const struct act act = {shard->name, shard->primary, shard->primary};
    const bool rewrites = rolling->request->cluster->policy.drift == INV_DRIFT_REWRITE;
    const char *earlier = rewrites ? add_rewrites(rolling, phase, shard) : NULL;
    if (rolling->request->cluster->policy.backup == INV_BACKUP_REQUIRED) {
        earlier = add_backup(rolling, phase, shard, earlier);
    }
    rolling_add_settings(
        rolling, phase, &act, earlier, shard->heir != NULL ? PLAN_SCOPE_RUN : PLAN_SCOPE_FINALIZE);
}

static void fill_replicas(
    struct rolling *rolling, struct plan_phase *phase, const struct rolling_shard *shard)
{
    bool is_heir_set = shard->heir == NULL;
    for (size_t i = 0; i < shard->early_count; i++) {
        const struct act act = {shard->name, shard->early[i], shard->primary};
        const char *started = add_restart(rolling, phase, &stop_replica, &act);
        if (act.node == shard->heir) {
            rolling_add_settings(rolling, phase, &act, started, PLAN_SCOPE_FINALIZE);
            is_heir_set = true;
        }
    }
    if (!is_heir_set) { /* it was upgraded by an earlier run */
        const struct act act = {shard->name, shard->heir, shard->primary};
        rolling_add_settings(rolling, phase, &act, NULL, PLAN_SCOPE_FINALIZE);
    }
}

static void fill_switchover(
    struct rolling *rolling, struct plan_phase *phase, const struct rolling_shard *shard)
{
    if (shard->heir != NULL) {
        rolling_add_switchover(rolling, phase, &switchover, shard);
    }
}

static void restart_late(struct rolling *rolling, struct plan_phase *phase,
    const struct rolling_shard *shard, const struct step_sort *stop)
{
    const struct fact_node *primary = shard->heir != NULL ? shard->heir : shard->primary;
    for (size_t i = 0; i < shard->late_count; i++) {
        const struct act act = {shard->name, shard->late[i], primary};
        (void)add_restart(rolling, phase, stop, &act);
    }
}

static void fill_finalize(
    struct rolling *rolling, struct plan_phase *phase, const struct rolling_shard *shard)
{
    restart_late(rolling, phase, shard, &stop_old);
}

static void fill_primaries(
    struct rolling *rolling, struct plan_phase *phase, const struct rolling_shard *shard)
{
    restart_late(rolling, phase, shard, &stop_primary);
}

struct phase_sort {
    const char *name;
    const char *title;
    const struct gate_use *before;
    const struct gate_use *after;
    void (*fill)(
        struct rolling *rolling, struct plan_phase *phase, const struct rolling_shard *shard);
};

static const struct phase_sort upgrade_phases[] = {
    {"prepare", "temporary settings on the primaries", start_of_run_gates, end_of_prepare_gates,
        fill_prepare},
    {"replicas", "replicas onto the new version", start_of_phase_gates, end_of_replicas_gates,
        fill_replicas},
    {"switchover", "an upgraded replica becomes primary in each shard", start_of_phase_gates,
        end_of_switchover_gates, fill_switchover},
    {"finalize", "the old nodes onto the new version", start_of_finalize_gates, end_of_phase_gates,
        fill_finalize},
};

static const struct phase_sort restart_phases[] = {
    {"prepare", "temporary settings on the primaries", start_of_run_gates, end_of_prepare_gates,
        fill_prepare},
    {"replicas", "replicas, one at a time", start_of_phase_gates, end_of_phase_gates,
        fill_replicas},
    {"switchover", "a restarted replica becomes primary in each shard", start_of_phase_gates,
        end_of_phase_gates, fill_switchover},
    {"primaries", "those that were primaries, replicas by now", start_of_phase_gates,
        end_of_phase_gates, fill_primaries},
};

static const struct phase_sort switchover_phases[] = {
    {"switchover", "a replica becomes primary", start_of_run_gates, end_of_phase_gates,
        fill_switchover},
};

static void add_sorted_phases(struct rolling *rolling, const struct phase_sort *sorts, size_t count)
{
    struct plan *plan = rolling->plan;
    const struct rolling_topology *topology = rolling_topology_of(rolling->facts);
    for (size_t i = 0; i < count; i++) {
        struct plan_phase phase = {.name = sorts[i].name, .title = sorts[i].title};
        for (size_t j = 0; j < rolling->shard_count; j++) {
            sorts[i].fill(rolling, &phase, &rolling->shards[j]);
        }
        if (sorts[i].fill == fill_finalize && topology->at_the_end != NULL) {
            topology->at_the_end(rolling, &phase);
        }
        rolling_add_phase(rolling, &phase, sorts[i].before, sorts[i].after);
    }
    plan->health = rolling_write_gates(rolling, rolling_health, NULL, &plan->health_count);
}

/* The nodes that can be failed back to: per shard the first that finalize restarts. */
static void add_during(struct rolling *rolling)
{
    struct json *nodes = js_array();
    for (size_t i = 0; i < rolling->shard_count; i++) {
        const struct rolling_shard *shard = &rolling->shards[i];
        struct json *item = js_object();
        js_put_text(item, "node", shard->late[0]->name);
        js_put_text(item, "shard", shard->name);
        js_put_text(item, "series", shard->late[0]->series);
        js_push(nodes, item);
    }
    struct plan *plan = rolling->plan;
    struct plan_gate *gate =
        arena_push(&plan->arena, &plan->during, &plan->during_count, sizeof(*gate));
    gate->name = "way_back_fed";
    gate->args = js_object();
    js_put(gate->args, "nodes", nodes);
}

void rolling_add_phases(struct rolling *rolling)
{
    add_sorted_phases(rolling, upgrade_phases, ARRAY_COUNT(upgrade_phases));
    add_during(rolling);
}

void rolling_add_restart_phases(struct rolling *rolling)
{
    add_sorted_phases(rolling, restart_phases, ARRAY_COUNT(restart_phases));
}

void rolling_add_switchover_phases(struct rolling *rolling)
{
    add_sorted_phases(rolling, switchover_phases, ARRAY_COUNT(switchover_phases));
}
