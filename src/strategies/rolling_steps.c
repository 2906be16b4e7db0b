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

enum {
    /* The server gives up a manual failover after 5 s by itself; ours must be longer, and before
     * that "not yet" does not mean "no". */
    SWITCHOVER_DEADLINE_MS = 15000,
    SWITCHOVER_SETTLE_MS = 6000,
    START_SETTLE_MS = 1000, /* a server that refuses its configuration is gone by then */
};

static const char *const backlog_setting = "repl-backlog-size";
static const char *const delay_setting = "repl-diskless-sync-delay";

#define CLUSTER_IS_WELL(details)                                                                   \
    {"all_reachable", details}, {"not_loading", details}, {"cluster_ok", details},                 \
        {"views_agree", details}, {"replicas_synced", details},                                    \
    {                                                                                              \
        "redundancy", details                                                                      \
    }

#define READY_FOR_PHASE(details)                                                                   \
    CLUSTER_IS_WELL(details), {"key_counts_match", details},                                       \
    {                                                                                              \
        "no_slot_moves", details                                                                   \
    }

#define READY_FOR_STOP(details)                                                                    \
    READY_FOR_PHASE(details), {"process_known", TELL_NODE}, {"min_replicas", details},             \
        {"no_saving", TELL_NODE}, {"no_drift", TELL_NODE | TELL_IGNORE},                           \
        {"directory_safe", TELL_NODE | TELL_TARGET_SERIES},                                        \
    {                                                                                              \
        "full_sync_allowed", TELL_NODE | TELL_ID | TELL_TARGET_SERIES                              \
    }

static const struct gate_use health_gates[] = {CLUSTER_IS_WELL(0), {NULL, 0}};

static const struct gate_use start_of_run_gates[] = {READY_FOR_PHASE(TELL_EXCEPT_BACK),
    {"process_known", 0}, {"min_replicas", 0}, {"no_drift", 0}, {"persistent_primary", 0},
    {"sentinel_spare", 0}, {NULL, 0}};

static const struct gate_use start_of_phase_gates[] = {
    READY_FOR_PHASE(TELL_EXCEPT_BACK), {NULL, 0}};

static const struct gate_use end_of_phase_gates[] = {
    CLUSTER_IS_WELL(0), {"key_counts_match", 0}, {NULL, 0}};

static const struct gate_use end_of_prepare_gates[] = {
    CLUSTER_IS_WELL(TELL_EXCEPT_BACK), {NULL, 0}};

static const struct gate_use end_of_replicas_gates[] = {
    CLUSTER_IS_WELL(TELL_EXCEPT_BACK), {"key_counts_match", TELL_EXCEPT_BACK}, {NULL, 0}};

/* An old node may hold other keys than its newer primary sends: that closes the way back, which is
 * watched and said, and does not keep the run from its pause point. */
static const struct gate_use end_of_switchover_gates[] = {
    CLUSTER_IS_WELL(TELL_EXCEPT_BACK), {"key_counts_match", TELL_EXCEPT_LATE}, {NULL, 0}};

static const struct gate_use stop_replica_gates[] = {READY_FOR_STOP(TELL_EXCEPT_BACK), {NULL, 0}};

/* An old node whose link broke at the pause point can never copy from its newer primary: only
 * finalize repairs it. So the state of nodes that are still old must not keep finalize from
 * starting, nor from stopping one of them; once restarted, each is waited for like any other. */
static const struct gate_use start_of_finalize_gates[] = {
    READY_FOR_PHASE(TELL_EXCEPT_LATE), {NULL, 0}};

static const struct gate_use stop_old_gates[] = {
    READY_FOR_STOP(TELL_EXCEPT_OLD), {"drained", TELL_NODE}, {NULL, 0}};

static const struct gate_use start_gates[] = {{"directory_safe", TELL_NODE | TELL_TARGET_SERIES},
    {"full_sync_allowed", TELL_NODE | TELL_ID | TELL_TARGET_SERIES}, {NULL, 0}};

static const struct gate_use setting_gates[] = {{"not_loading", TELL_NODE}, {NULL, 0}};

static const struct gate_use switchover_gates[] = {CLUSTER_IS_WELL(TELL_EXCEPT_BACK),
    {"nodes_settled", 0}, {"no_slot_moves", 0}, {"redundancy", TELL_SHARD | TELL_TARGET_SERIES},
    {"no_saving", TELL_NODE}, {"no_saving", TELL_PRIMARY}, {"persistent_primary", TELL_NODE},
    {"heir_electable", TELL_NODE}, {"key_counts_match", TELL_NODE},
    {"lag_small", TELL_NODE | TELL_LAG}, {NULL, 0}};

static const struct gate_use no_gates[] = {{NULL, 0}};

/* Assumptions. A node that the run has stopped can say nothing: only steps that find their node
 * serving assume something of it. */
static const struct gate_use stop_assumptions[] = {{"assume_id", TELL_NODE | TELL_ID},
    {"assume_role", TELL_NODE | TELL_AS_REPLICA | TELL_SHARD},
    {"assume_series", TELL_NODE | TELL_OWN_SERIES}, {NULL, 0}};

static const struct gate_use stop_old_assumptions[] = {{"assume_id", TELL_NODE | TELL_ID},
    {"assume_role", TELL_NODE | TELL_AS_REPLICA | TELL_SHARD},
    {"assume_series", TELL_NODE | TELL_OWN_SERIES}, {"assume_id", TELL_PRIMARY | TELL_ID},
    {"assume_role", TELL_PRIMARY | TELL_AS_PRIMARY | TELL_SHARD},
    {"assume_series", TELL_PRIMARY | TELL_TARGET_SERIES}, {NULL, 0}};

static const struct gate_use primary_assumptions[] = {{"assume_id", TELL_NODE | TELL_ID},
    {"assume_role", TELL_NODE | TELL_AS_PRIMARY | TELL_SHARD}, {NULL, 0}};

static const struct gate_use heir_assumptions[] = {
    {"assume_id", TELL_NODE | TELL_ID}, {"assume_role", TELL_NODE | TELL_AS_REPLICA}, {NULL, 0}};

static const struct gate_use switchover_assumptions[] = {{"assume_id", TELL_NODE | TELL_ID},
    {"assume_role", TELL_NODE | TELL_AS_REPLICA | TELL_SHARD},
    {"assume_series", TELL_NODE | TELL_TARGET_SERIES}, {"assume_id", TELL_PRIMARY | TELL_ID},
    {"assume_role", TELL_PRIMARY | TELL_AS_PRIMARY | TELL_SHARD}, {NULL, 0}};

static struct json *tell_ignored(void)
{
    struct json *names = js_array();
    js_push(names, js_text(backlog_setting));
    js_push(names, js_text(delay_setting));
    return names;
}

/* What finalize restarts: everywhere, or only where an earlier run has switched over already. */
static void tell_late(const struct rolling *rolling, bool is_only_back, struct json *args)
{
    AUTO_JSON names = js_array();
    for (size_t i = 0; i < rolling->shard_count; i++) {
        const struct rolling_shard *shard = &rolling->shards[i];
        for (size_t j = 0; (shard->is_switched || !is_only_back) && j < shard->late_count; j++) {
            js_push(names, js_text(shard->late[j]->name));
        }
    }
    if (js_count(names) > 0) {
        js_put(args, "except", js_ref(names));
    }
}

static struct json *write_details(
    const struct rolling *rolling, unsigned details, const struct act *act)
{
    struct json *args = js_object();
    const struct fact_node *about = act == NULL                     ? NULL
                                    : (details & TELL_PRIMARY) != 0 ? act->primary
                                                                    : act->node;
    if ((details & (TELL_NODE | TELL_PRIMARY)) != 0) {
        js_put_text(args, "node", about->name);
    }
    if ((details & TELL_ID) != 0) {
        js_put_text(args, "id", about->id);
    }
    if ((details & TELL_SHARD) != 0) {
        js_put_text(args, "shard", act->shard);
    }
    if ((details & TELL_TARGET_SERIES) != 0) {
        js_put_text(args, "series", rolling->target->series);
    }
    if ((details & TELL_OWN_SERIES) != 0) {
        js_put_text(args, "series", about->series);
    }
    if ((details & TELL_LAG) != 0) {
        js_put_number(args, "bytes", rolling->request->cluster->policy.lag_bytes_max);
    }
    if ((details & TELL_IGNORE) != 0) {
        js_put(args, "ignore", tell_ignored());
    }
    if ((details & (TELL_EXCEPT_LATE | TELL_EXCEPT_BACK)) != 0) {
        tell_late(rolling, (details & TELL_EXCEPT_BACK) != 0, args);
    }
    if ((details & TELL_EXCEPT_OLD) != 0) {
        js_put_bool(args, "except_old", true);
        js_put_text(args, "product", rolling->target->product);
        js_put_text(args, "version", rolling->target->version);
    }
    if ((details & (TELL_AS_REPLICA | TELL_AS_PRIMARY)) != 0) {
        js_put_text(args, "role", (details & TELL_AS_REPLICA) != 0 ? "replica" : "primary");
    }
    return args;
}

static struct plan_gate *write_gates(const struct rolling *rolling, const struct gate_use *uses,
    const struct act *act, size_t *ret_count)
{
    struct plan_gate *gates = NULL;
    size_t count = 0;
    const struct rolling_topology *topology = rolling_topology_of(rolling->facts);
    for (; uses->name != NULL; uses++) {
        const char *names[TOPOLOGY_SWAP_MAX];
        rolling_topology_gates(topology, uses->name, names);
        for (size_t i = 0; names[i] != NULL; i++) {
            struct plan_gate *gate =
                arena_push(&rolling->plan->arena, &gates, &count, sizeof(*gate));
            gate->name = names[i];
            gate->args = write_details(rolling, uses->details, act);
        }
    }
    *ret_count = count;
    return gates;
}

static const struct step_sort stop_replica = {.verb = "stop",
    .kind = "service.stop",
    .assumptions = stop_assumptions,
    .gates = stop_replica_gates,
    .takes_out = true};

static const struct step_sort stop_old = {.verb = "stop",
    .kind = "service.stop",
    .assumptions = stop_old_assumptions,
    .gates = stop_old_gates,
    .takes_out = true,
    .ends_way_back = true};

static const struct step_sort switch_program = {
    .verb = "switch", .kind = "package.switch", .assumptions = no_gates, .gates = no_gates};

static const struct step_sort start = {
    .verb = "start", .kind = "service.start", .assumptions = no_gates, .gates = start_gates};

static const struct step_sort switchover = {.verb = NULL,
    .kind = NULL, /* by topology */
    .assumptions = switchover_assumptions,
    .gates = switchover_gates};

struct plan_step *rolling_add_step(struct rolling *rolling, struct plan_phase *phase,
    const struct step_sort *sort, const struct act *act)
{
    struct arena *arena = &rolling->plan->arena;
    struct plan_step *step = arena_push(arena, &phase->steps, &phase->step_count, sizeof(*step));
    step->id = sort->verb == NULL
                   ? arena_format(arena, "%s/switchover", act->shard)
                   : arena_format(arena, "%s/%s/%s", act->shard, act->node->name, sort->verb);
    step->kind = sort->kind;
    step->def = 1;
    step->node = arena_strdup(arena, act->node->name);
    step->shard = arena_strdup(arena, act->shard);
    step->args = js_object();
    js_put_text(step->args, "node", act->node->name);
    step->assumptions = write_gates(rolling, sort->assumptions, act, &step->assumption_count);
    step->gates = write_gates(rolling, sort->gates, act, &step->gate_count);
    step->scope = sort->scope;
    step->takes_out = sort->takes_out;
    step->ends_way_back = sort->ends_way_back;
    step->deadline_ms = rolling->request->cluster->policy.step_timeout_s * 1000;
    if (sort->takes_out) {
        step->takes = arena_alloc_array(arena, 2, sizeof(*step->takes));
        step->takes[step->takes_count++] = step->shard;
        step->takes[step->takes_count++] = "cluster";
    }
    return step;
}

void rolling_follow_step(struct rolling *rolling, struct plan_step *step, const char *earlier)
{
    const char **slot =
        arena_push(&rolling->plan->arena, &step->after, &step->after_count, sizeof(*slot));
    *slot = earlier;
}

void rolling_tell_start(const struct rolling *rolling, struct plan_step *step)
{
    js_put_text(step->args, "series", rolling->target->series);
}

/* Stop, switch, start. Returns the id of the start. */
static const char *add_restart(struct rolling *rolling, struct plan_phase *phase,
    const struct step_sort *stop, const struct act *act)
{
    struct arena *arena = &rolling->plan->arena;
    const struct fact_artefact *target = rolling->target;
    struct plan_step *step = rolling_add_step(rolling, phase, stop, act);
    step->summary = arena_format(arena, "stop %s (replica of %s)", act->node->name, act->shard);
    const char *earlier = step->id;

    step = rolling_add_step(rolling, phase, &switch_program, act);
    step->summary =
        arena_format(arena, "point %s at %s %s", act->node->name, target->product, target->version);
    js_put_text(step->args, "server", target->server);
    js_put_text(step->args, "version", target->version);
    js_put_text(step->args, "series", target->series);
    rolling_follow_step(rolling, step, earlier);
    earlier = step->id;

    step = rolling_add_step(rolling, phase, &start, act);
    step->summary = arena_format(
        arena, "start %s with %s %s", act->node->name, target->product, target->version);
    rolling_tell_start(rolling, step);
    step->settle_ms = START_SETTLE_MS;
    rolling_follow_step(rolling, step, earlier);
    return step->id;
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
    if (earlier != NULL) {
        rolling_follow_step(rolling, step, earlier);
    }
}

/* A long backlog lets replicas (the way back among them) come back without a full copy; without
 * the delay the full copies that are needed begin at once. */
static void add_settings(struct rolling *rolling, struct plan_phase *phase, const struct act *act,
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
}

static void fill_prepare(
    struct rolling *rolling, struct plan_phase *phase, const struct rolling_shard *shard)
{
    const struct act act = {shard->name, shard->primary, shard->primary};
    add_settings(
        rolling, phase, &act, NULL, shard->heir != NULL ? PLAN_SCOPE_RUN : PLAN_SCOPE_FINALIZE);
}

static void fill_replicas(
    struct rolling *rolling, struct plan_phase *phase, const struct rolling_shard *shard)
{
    bool is_heir_set = shard->heir == NULL;
    for (size_t i = 0; i < shard->early_count; i++) {
        const struct act act = {shard->name, shard->early[i], shard->primary};
        const char *started = add_restart(rolling, phase, &stop_replica, &act);
        if (act.node == shard->heir) {
            add_settings(rolling, phase, &act, started, PLAN_SCOPE_FINALIZE);
            is_heir_set = true;
        }
    }
    if (!is_heir_set) { /* it was upgraded by an earlier run */
        const struct act act = {shard->name, shard->heir, shard->primary};
        add_settings(rolling, phase, &act, NULL, PLAN_SCOPE_FINALIZE);
    }
}

static void fill_switchover(
    struct rolling *rolling, struct plan_phase *phase, const struct rolling_shard *shard)
{
    if (shard->heir == NULL) {
        return;
    }
    /* One election at a time: two at once compete for the votes of the same epoch. */
    const char *earlier = phase->step_count == 0 ? NULL : phase->steps[phase->step_count - 1].id;
    struct arena *arena = &rolling->plan->arena;
    const struct act act = {shard->name, shard->heir, shard->primary};
    const struct rolling_topology *topology = rolling_topology_of(rolling->facts);
    const size_t first = phase->step_count;
    if (topology->before_switchover != NULL) {
        topology->before_switchover(rolling, phase, shard);
    }
    const size_t index = phase->step_count;
    struct plan_step *step = rolling_add_step(rolling, phase, &switchover, &act);
    step->kind = topology->switchover_kind;
    step->summary = arena_format(
        arena, "%s takes over %s from %s", shard->heir->name, shard->name, shard->primary->name);
    js_put_text(step->args, "primary", shard->primary->name);
    js_put_text(step->args, "shard", shard->name);
    js_put_text(step->args, "id", shard->heir->id);
    js_put_text(step->args, "primary_id", shard->primary->id);
    step->deadline_ms = SWITCHOVER_DEADLINE_MS;
    step->settle_ms = SWITCHOVER_SETTLE_MS;
    step->hold_ms = rolling_hold_ms(arena, shard->primary);
    if (earlier != NULL) {
        rolling_follow_step(rolling, step, earlier);
    }
    for (size_t i = first; i < index; i++) {
        rolling_follow_step(rolling, step, phase->steps[i].id);
    }
    if (topology->after_switchover != NULL) {
        topology->after_switchover(rolling, phase, shard);
    }
}

static void fill_finalize(
    struct rolling *rolling, struct plan_phase *phase, const struct rolling_shard *shard)
{
    const struct fact_node *primary = shard->heir != NULL ? shard->heir : shard->primary;
    for (size_t i = 0; i < shard->late_count; i++) {
        const struct act act = {shard->name, shard->late[i], primary};
        (void)add_restart(rolling, phase, &stop_old, &act);
    }
}

static const struct phase_sort {
    const char *name;
    const char *title;
    const struct gate_use *before;
    const struct gate_use *after;
    void (*fill)(
        struct rolling *rolling, struct plan_phase *phase, const struct rolling_shard *shard);
} phase_sorts[] = {
    {"prepare", "temporary settings on the primaries", start_of_run_gates, end_of_prepare_gates,
        fill_prepare},
    {"replicas", "replicas onto the new version", start_of_phase_gates, end_of_replicas_gates,
        fill_replicas},
    {"switchover", "an upgraded replica becomes primary in each shard", start_of_phase_gates,
        end_of_switchover_gates, fill_switchover},
    {"finalize", "the old nodes onto the new version", start_of_finalize_gates, end_of_phase_gates,
        fill_finalize},
};

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
    struct plan *plan = rolling->plan;
    const struct rolling_topology *topology = rolling_topology_of(rolling->facts);
    for (size_t i = 0; i < ARRAY_COUNT(phase_sorts); i++) {
        const struct phase_sort *sort = &phase_sorts[i];
        struct plan_phase phase = {.name = sort->name, .title = sort->title};
        for (size_t j = 0; j < rolling->shard_count; j++) {
            sort->fill(rolling, &phase, &rolling->shards[j]);
        }
        if (sort->fill == fill_finalize && topology->at_the_end != NULL) {
            topology->at_the_end(rolling, &phase);
        }
        if (phase.step_count == 0) {
            continue;
        }
        phase.before = write_gates(rolling, sort->before, NULL, &phase.before_count);
        phase.after = write_gates(rolling, sort->after, NULL, &phase.after_count);
        struct plan_phase *slot =
            arena_push(&plan->arena, &plan->phases, &plan->phase_count, sizeof(*slot));
        *slot = phase;
    }
    plan->health = write_gates(rolling, health_gates, NULL, &plan->health_count);
    add_during(rolling);
}
