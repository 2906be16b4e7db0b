/* strategies/rolling_write.c - writes steps and gates of a plan, whatever it is for. */
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

/* Assumptions. A node that the run has stopped can say nothing: only steps that find their node
 * serving assume something of it. */
const struct gate_use rolling_no_gates[] = {{NULL, 0}};

const struct gate_use rolling_stop_assumptions[] = {{"assume_id", TELL_NODE | TELL_ID},
    {"assume_role", TELL_NODE | TELL_AS_REPLICA | TELL_SHARD},
    {"assume_series", TELL_NODE | TELL_OWN_SERIES}, {NULL, 0}};

const struct gate_use rolling_switchover_assumptions[] = {{"assume_id", TELL_NODE | TELL_ID},
    {"assume_role", TELL_NODE | TELL_AS_REPLICA | TELL_SHARD},
    {"assume_series", TELL_NODE | TELL_TARGET_SERIES}, {"assume_id", TELL_PRIMARY | TELL_ID},
    {"assume_role", TELL_PRIMARY | TELL_AS_PRIMARY | TELL_SHARD}, {NULL, 0}};

const struct gate_use rolling_health[] = {CLUSTER_IS_WELL(0), {NULL, 0}};

static const struct gate_use start_gates[] = {{"directory_safe", TELL_NODE | TELL_TARGET_SERIES},
    {"full_sync_allowed", TELL_NODE | TELL_ID | TELL_TARGET_SERIES}, {NULL, 0}};

static const struct step_sort switch_program = {.verb = "switch",
    .kind = "package.switch",
    .assumptions = rolling_no_gates,
    .gates = rolling_no_gates};

static const struct step_sort start_program = {.verb = "start",
    .kind = "service.start",
    .assumptions = rolling_no_gates,
    .gates = start_gates};

const struct fact_artefact *rolling_goal(
    const struct rolling *rolling, const struct fact_node *node)
{
    return rolling->goals == NULL ? rolling->target : &rolling->goals[node - rolling->facts->nodes];
}

static const char *const temporary_settings[] = {
    "repl-backlog-size", "repl-diskless-sync-delay", "min-replicas-to-write"};

bool rolling_is_temporary(const char *setting)
{
    for (size_t i = 0; i < ARRAY_COUNT(temporary_settings); i++) {
        if (text_equal(temporary_settings[i], setting)) {
            return true;
        }
    }
    return false;
}

/* min-replicas-to-write only where the policy lets the run change it. */
static void tell_temporary(const struct inv_policy *policy, const char *list, struct json *args)
{
    struct json *names = js_array();
    const size_t count =
        ARRAY_COUNT(temporary_settings) - (policy->min_replicas != INV_MIN_REPLICAS_RELAX);
    for (size_t i = 0; i < count; i++) {
        js_push(names, js_text(temporary_settings[i]));
    }
    js_put(args, list, names);
}

void rolling_tell_ignored(const struct inv_policy *policy, struct json *args)
{
    tell_temporary(policy, "ignore", args);
    if (policy->drift == INV_DRIFT_IGNORE) {
        js_put_text(args, "drift", "ignore");
    }
}

void rolling_tell_policy(const struct inv_policy *policy, struct json *args)
{
    if (policy->drift != INV_DRIFT_REFUSE) {
        js_put_text(args, "drift", policy->drift == INV_DRIFT_REWRITE ? "rewrite" : "ignore");
        tell_temporary(policy, "temporary", args);
    }
    if (policy->min_replicas == INV_MIN_REPLICAS_RELAX) {
        js_put_bool(args, "to_be_relaxed", true);
    }
    if (policy->modules == INV_MODULES_ALLOW) {
        js_put_bool(args, "allow", true);
    }
}

/* What finalize restarts: everywhere, or only where an earlier run has switched over already. */
static void tell_late(const struct rolling *rolling, bool is_only_back, struct json *names)
{
    for (size_t i = 0; i < rolling->shard_count; i++) {
        const struct rolling_shard *shard = &rolling->shards[i];
        for (size_t j = 0; (shard->is_switched || !is_only_back) && j < shard->late_count; j++) {
            js_push(names, js_text(shard->late[j]->name));
        }
    }
}

static void tell_excepted(const struct rolling *rolling, unsigned details, struct json *args)
{
    AUTO_JSON names = js_array();
    if ((details & (TELL_EXCEPT_LATE | TELL_EXCEPT_BACK)) != 0) {
        tell_late(rolling, (details & TELL_EXCEPT_LATE) == 0, names);
    }
    for (size_t i = 0; (details & TELL_EXCEPT_BROKEN) != 0 && i < rolling->broken_count; i++) {
        js_push(names, js_text(rolling->broken[i]->name));
    }
    if (js_count(names) > 0) {
        js_put(args, "except", js_ref(names));
    }
}

/* Of a gate about one node it is no matter who else is there. */
static void tell_gone(const struct rolling *rolling, struct json *args)
{
    if (rolling->gone_count == 0 || js_get_text(args, "node") != NULL) {
        return;
    }
    struct json *names = js_array();
    for (size_t i = 0; i < rolling->gone_count; i++) {
        js_push(names, js_text(rolling->gone[i]));
    }
    js_put(args, "gone", names);
}

static const char *goal_series(const struct rolling *rolling, const struct fact_node *about)
{
    return about == NULL ? rolling->target->series : rolling_goal(rolling, about)->series;
}

static struct json *write_details(
    const struct rolling *rolling, unsigned details, const struct act *act)
{
    struct json *args = js_object();
    const struct inv_policy *policy = &rolling->request->cluster->policy;
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
        js_put_text(args, "series", goal_series(rolling, about));
    }
    if ((details & TELL_OWN_SERIES) != 0) {
        js_put_text(args, "series", about->series);
    }
    if ((details & TELL_LAG) != 0) {
        js_put_number(args, "bytes", rolling->request->cluster->policy.lag_bytes_max);
    }
    if ((details & TELL_IGNORE) != 0) {
        rolling_tell_ignored(policy, args);
    }
    if ((details & TELL_UNPREPARED) != 0) {
        rolling_tell_policy(policy, args);
    }
    if ((details & TELL_RELAXED) != 0 && policy->min_replicas == INV_MIN_REPLICAS_RELAX) {
        js_put_bool(args, "relaxed", true);
    }
    tell_excepted(rolling, details, args);
    tell_gone(rolling, args);
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

struct plan_gate *rolling_write_gates(const struct rolling *rolling, const struct gate_use *uses,
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

struct plan_step *rolling_add_step(struct rolling *rolling, struct plan_phase *phase,
    const struct step_sort *sort, const struct act *act)
{
    struct arena *arena = &rolling->plan->arena;
    struct plan_step *step = arena_push(arena, &phase->steps, &phase->step_count, sizeof(*step));
    step->id = sort->is_of_shard
                   ? arena_format(arena, "%s/%s", act->shard, sort->verb)
                   : arena_format(arena, "%s/%s/%s", act->shard, act->node->name, sort->verb);
    step->kind = sort->kind;
    step->def = 1;
    step->node = arena_strdup(arena, act->node->name);
    step->shard = arena_strdup(arena, act->shard);
    step->args = js_object();
    js_put_text(step->args, "node", act->node->name);
    step->assumptions =
        rolling_write_gates(rolling, sort->assumptions, act, &step->assumption_count);
    step->gates = rolling_write_gates(rolling, sort->gates, act, &step->gate_count);
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
    if (earlier != NULL) {
        const char **slot =
            arena_push(&rolling->plan->arena, &step->after, &step->after_count, sizeof(*slot));
        *slot = earlier;
    }
}

/* The step alone; its place is the end of the phase. */
static struct plan_step *add_handover(struct rolling *rolling, struct plan_phase *phase,
    const struct step_sort *sort, const struct rolling_shard *shard)
{
    struct arena *arena = &rolling->plan->arena;
    const struct act act = {shard->name, shard->heir, shard->primary};
    const struct rolling_topology *topology = rolling_topology_of(rolling->facts);
    struct plan_step *step = rolling_add_step(rolling, phase, sort, &act);
    step->kind = topology->switchover_kind;
    step->summary = arena_format(
        arena, "%s takes over %s from %s", act.node->name, act.shard, act.primary->name);
    js_put_text(step->args, "primary", act.primary->name);
    js_put_text(step->args, "shard", act.shard);
    js_put_text(step->args, "id", act.node->id);
    js_put_text(step->args, "primary_id", act.primary->id);
    step->deadline_ms = SWITCHOVER_DEADLINE_MS;
    step->settle_ms = SWITCHOVER_SETTLE_MS;
    step->hold_ms = rolling_hold_ms(arena, act.primary);
    if (topology->time_switchover != NULL) {
        topology->time_switchover(rolling, step);
    }
    return step;
}

void rolling_add_switchover(struct rolling *rolling, struct plan_phase *phase,
    const struct step_sort *sort, const struct rolling_shard *shard)
{
    /* One election at a time: two at once compete for the votes of the same epoch. */
    const size_t first = phase->step_count;
    const char *earlier = first == 0 ? NULL : phase->steps[first - 1].id;
    const struct rolling_topology *topology = rolling_topology_of(rolling->facts);
    if (topology->before_switchover != NULL) {
        topology->before_switchover(rolling, phase, shard);
    }
    const size_t index = phase->step_count;
    struct plan_step *step = add_handover(rolling, phase, sort, shard);
    rolling_follow_step(rolling, step, earlier);
    for (size_t i = first; i < index; i++) {
        rolling_follow_step(rolling, step, phase->steps[i].id);
    }
    if (topology->after_switchover != NULL) {
        topology->after_switchover(rolling, phase, shard);
    }
}

void rolling_tell_start(
    const struct rolling *rolling, struct plan_step *step, const struct fact_artefact *goal)
{
    const struct series_rule *rule = rules_find(rolling->request->rules, goal->series);
    const bool reads_folder = rule != NULL && rule->is_multi_part_aof;
    js_put_text(step->args, "series", goal->series);
    js_put_text(step->args, "reads_rdb",
        rule == NULL ? "0" : arena_format(&rolling->plan->arena, "%" PRId64, rule->rdb_version));
    js_put_text(step->args, "reads_aof_folder", reads_folder ? "yes" : "no");
}

struct plan_step *rolling_add_switch(
    struct rolling *rolling, struct plan_phase *phase, const struct act *act, const char *earlier)
{
    const struct fact_artefact *goal = rolling_goal(rolling, act->node);
    struct plan_step *step = rolling_add_step(rolling, phase, &switch_program, act);
    step->summary = arena_format(
        &rolling->plan->arena, "point %s at %s %s", act->node->name, goal->product, goal->version);
    js_put_text(step->args, "server", goal->server);
    js_put_text(step->args, "version", goal->version);
    js_put_text(step->args, "series", goal->series);
    rolling_follow_step(rolling, step, earlier);
    return step;
}

struct plan_step *rolling_add_start(
    struct rolling *rolling, struct plan_phase *phase, const struct act *act, const char *earlier)
{
    struct arena *arena = &rolling->plan->arena;
    const struct fact_artefact *goal = rolling_goal(rolling, act->node);
    struct plan_step *step = rolling_add_step(rolling, phase, &start_program, act);
    step->summary =
        arena_format(arena, "start %s with %s %s", act->node->name, goal->product, goal->version);
    rolling_tell_start(rolling, step, goal);
    step->settle_ms = START_SETTLE_MS;
    rolling_follow_step(rolling, step, earlier);
    return step;
}

void rolling_add_phase(struct rolling *rolling, struct plan_phase *phase,
    const struct gate_use *before, const struct gate_use *after)
{
    struct plan *plan = rolling->plan;
    if (phase->step_count == 0) {
        return;
    }
    phase->before = rolling_write_gates(rolling, before, NULL, &phase->before_count);
    phase->after = rolling_write_gates(rolling, after, NULL, &phase->after_count);
    struct plan_phase *slot =
        arena_push(&plan->arena, &plan->phases, &plan->phase_count, sizeof(*slot));
    *slot = *phase;
}
