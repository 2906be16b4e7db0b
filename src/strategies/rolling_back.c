/*
 * strategies/rolling_back.c - the way back: every node that the run has touched gets its version
 * again.
 *
 *   prepare -> failback -> nodes -> clean
 *
 * First the old primary takes over again wherever a new one serves: it was fed by partial resync
 * all the time, so nothing is lost. Then each upgraded node is stopped, its data are set aside, and
 * the old program copies everything from its primary. What was set aside goes last.
 */
#include <inttypes.h>

#include "base/buf.h"
#include "base/str.h"
#include "strategies/gate_report.h"
#include "strategies/revise_parts.h"
#include "strategies/rolling_topology.h"

/* What is to be done on one node. */
struct home {
    bool is_switched;     /* points at, or runs, another version than it had */
    bool is_down;         /* stopped by the run and not started again */
    bool sets_data_aside; /* a newer program may have written them */
    bool has_data_aside;  /* from an earlier way back of this run */
};

struct going_back {
    const struct revise_request *request;
    struct rolling rolling;
    struct home *homes; /* as facts->nodes */
    struct arena *arena;
    struct plan_refusal *refusal;
};

#define EXCEPT TELL_EXCEPT_BROKEN

static const struct gate_use failback_gates[] = {CLUSTER_IS_WELL(EXCEPT), {"nodes_settled", EXCEPT},
    {"no_slot_moves", EXCEPT}, {"redundancy", TELL_SHARD | TELL_TARGET_SERIES},
    {"persistent_primary", TELL_NODE}, {"heir_electable", TELL_NODE},
    {"key_counts_match", TELL_NODE}, {"lag_small", TELL_NODE | TELL_LAG}, {NULL, 0}};

static const struct gate_use start_of_back_gates[] = {READY_FOR_PHASE(EXCEPT), {NULL, 0}};

static const struct gate_use end_of_failback_gates[] = {
    CLUSTER_IS_WELL(EXCEPT), {"key_counts_match", EXCEPT}, {NULL, 0}};

static const struct gate_use end_of_nodes_gates[] = {
    CLUSTER_IS_WELL(0), {"key_counts_match", 0}, {NULL, 0}};

/* Not asked: whether it saves well. Its data are set aside, and a failing disk may be the reason to
 * go back. */
#define READY_TO_LEAVE                                                                             \
    READY_FOR_PHASE(0), {"process_known", TELL_NODE}, {"min_replicas", TELL_RELAXED},              \
        {"no_drift", TELL_NODE | TELL_IGNORE},                                                     \
    {                                                                                              \
        "full_sync_allowed", TELL_NODE | TELL_ID | TELL_TARGET_SERIES                              \
    }

static const struct gate_use leave_gates[] = {READY_TO_LEAVE, {NULL, 0}};

/* Clients were sent away by the switchover; the last of them are waited for. */
static const struct gate_use leave_primary_gates[] = {
    READY_TO_LEAVE, {"drained", TELL_NODE}, {NULL, 0}};

/* What we have broken is repaired first, and red gates of its own do not keep us from it. */
static const struct gate_use leave_broken_gates[] = {READY_FOR_PHASE(EXCEPT),
    {"full_sync_allowed", TELL_NODE | TELL_ID | TELL_TARGET_SERIES}, {NULL, 0}};

static const struct gate_use returned_gates[] = {{"assume_id", TELL_NODE | TELL_ID},
    {"assume_series", TELL_NODE | TELL_TARGET_SERIES}, {NULL, 0}};

static const struct step_sort failback = {.verb = "failback",
    .is_of_shard = true,
    .assumptions = rolling_switchover_assumptions,
    .gates = failback_gates};

static const struct step_sort leave = {.verb = "stop",
    .kind = "service.stop",
    .assumptions = rolling_stop_assumptions,
    .gates = leave_gates,
    .takes_out = true};

static const struct step_sort leave_primary = {.verb = "stop",
    .kind = "service.stop",
    .assumptions = rolling_stop_assumptions,
    .gates = leave_primary_gates,
    .takes_out = true};

static const struct step_sort leave_broken = {.verb = "stop",
    .kind = "service.stop",
    .assumptions = rolling_no_gates,
    .gates = leave_broken_gates,
    .takes_out = true};

static const struct step_sort set_aside = {.verb = "set-aside",
    .kind = "data.set_aside",
    .assumptions = rolling_no_gates,
    .gates = rolling_no_gates};

/* --- what is to be done --- */

static struct home *home_of(const struct going_back *back, const struct fact_node *node)
{
    return &back->homes[node - back->rolling.facts->nodes];
}

static bool is_returning(const struct going_back *back, const struct fact_node *node)
{
    const struct home *home = home_of(back, node);
    return home->is_switched || home->is_down;
}

/* The program that the node's link named before this run first changed it; NULL: it never did. */
static const char *find_old_server(const struct progress *progress, const char *node)
{
    for (size_t i = 0; i < progress->step_count; i++) {
        const struct progress_step *step = &progress->steps[i];
        if (step->attempt > 0 && text_equal(step->kind, "package.switch") &&
            text_equal(step->node, node)) {
            return js_get_text(step->before, "server");
        }
    }
    return NULL;
}

/* What the node was when the run began. */
static struct fact_artefact find_goal(const struct going_back *back, const struct fact_node *node)
{
    const struct plan *plan = back->request->plan;
    struct fact_node first = {0};
    revise_read_version(
        revise_find_basis(plan, node->name, "version"), &back->rolling.plan->arena, &first);
    const char *server = find_old_server(back->request->progress, node->name);
    return (struct fact_artefact){
        .product = first.product != NULL ? first.product : node->product,
        .version = first.version != NULL ? first.version : node->version,
        .series = first.series != NULL ? first.series : node->series,
        .server = server != NULL ? server : node->server_target,
    };
}

static struct home find_home(
    const struct going_back *back, const struct fact_node *node, const struct fact_artefact *goal)
{
    const struct progress *progress = back->request->progress;
    const struct fact_artefact *target = &back->request->rolling.facts->artefacts[0];
    const bool is_ours = find_old_server(progress, node->name) != NULL;
    const bool is_as_it_was = rolling_is_at_target(node, goal) && node->is_reachable &&
                              text_equal(node->server_target, goal->server);
    const bool was_started = progress_has_touched(progress, "service.start", node->name);
    struct home home = {
        .is_switched = is_ours && !is_as_it_was,
        .is_down = !node->is_reachable && revise_has_taken_out(back->request, node),
        .has_data_aside = progress_has_touched(progress, "data.set_aside", node->name),
    };
    const bool may_be_newer = was_started || !rolling_is_at_target(node, goal);
    home.sets_data_aside =
        home.is_switched && may_be_newer && !text_equal(goal->series, target->series);
    return home;
}

static void find_homes(struct going_back *back)
{
    const struct facts *facts = back->rolling.facts;
    struct arena *arena = &back->rolling.plan->arena;
    struct fact_artefact *goals = arena_alloc_array(arena, facts->node_count, sizeof(*goals));
    back->homes = arena_alloc_array(back->arena, facts->node_count, sizeof(*back->homes));
    for (size_t i = 0; i < facts->node_count; i++) {
        const struct fact_node *node = &facts->nodes[i];
        goals[i] = find_goal(back, node);
        back->homes[i] = find_home(back, node, &goals[i]);
        const bool is_well = node->is_reachable &&
                             (node->role == FACT_ROLE_PRIMARY || gate_is_healthy_replica(node));
        if (is_returning(back, node) && !is_well) {
            const struct fact_node **slot = arena_push(
                back->arena, &back->rolling.broken, &back->rolling.broken_count, sizeof(*slot));
            *slot = node;
        }
    }
    back->rolling.goals = goals;
}

static bool is_in_repair(const struct going_back *back, const struct fact_node *node)
{
    for (size_t i = 0; i < back->rolling.broken_count; i++) {
        if (back->rolling.broken[i] == node) {
            return true;
        }
    }
    return false;
}

/* --- to whom a shard fails back --- */

/* What is still possible depends on where the run is bound for. */
static void refuse_back(struct going_back *back, const char *gate, const char *reason)
{
    const bool is_on_its_way = text_equal(back->request->plan->direction, "back");
    struct gate_answer *slot = arena_push(
        back->arena, &back->refusal->answers, &back->refusal->answer_count, sizeof(*slot));
    *slot = (struct gate_answer){GATE_NEVER, gate, reason,
        is_on_its_way
            ? "turn again with `upshift resume --forward`, or copy the data into a new cluster of "
              "the old version"
            : "go on with `upshift resume`, at the pause point with `upshift finalize`; or copy "
              "the data into a new cluster of the old version"};
}

static bool was_primary(const struct going_back *back, const struct fact_node *node)
{
    return text_equal(revise_find_basis(back->request->plan, node->name, "role"), "primary");
}

/* A replica that never left its version, or has it again. */
static bool is_candidate(
    const struct going_back *back, const struct fact_node *node, const struct fact_node *primary)
{
    return node->is_reachable && node->role == FACT_ROLE_REPLICA &&
           text_equal(node->primary_id, primary->id) && !is_returning(back, node) &&
           rolling_is_at_target(node, rolling_goal(&back->rolling, node));
}

/* That which was the primary, else the first by name. */
static const struct fact_node *find_candidate(
    const struct going_back *back, const struct fact_node *primary)
{
    const struct facts *facts = back->rolling.facts;
    const struct fact_node *found = NULL;
    for (size_t i = 0; i < facts->node_count; i++) {
        const struct fact_node *node = &facts->nodes[i];
        if (!is_candidate(back, node, primary)) {
            continue;
        }
        const bool is_better = found == NULL || (was_primary(back, node) != was_primary(back, found)
                                                        ? was_primary(back, node)
                                                        : strcmp(node->name, found->name) < 0);
        found = is_better ? node : found;
    }
    return found;
}

/* NULL with the reason refused: nobody is left, or whom there is lacks something. */
static const struct fact_node *find_way_back(
    struct going_back *back, const char *shard, const struct fact_node *primary)
{
    const struct fact_node *node = find_candidate(back, primary);
    if (node == NULL) {
        const struct fact_artefact *goal = rolling_goal(&back->rolling, primary);
        refuse_back(back, "way_back_fed",
            arena_format(back->arena,
                "the way back of %s is closed: no replica of %s runs %s %s any more", shard,
                primary->name, goal->product, goal->version));
        return NULL;
    }
    const bool is_fed =
        revise_is_fed(back->request, back->rolling.facts, node, back->refusal, back->arena);
    return is_fed ? node : NULL;
}

/* An old program that cannot load its primary's full copy would copy for ever. */
static void check_copies(struct going_back *back, const struct rolling_shard *shard)
{
    const struct fact_node *primary = shard->heir != NULL ? shard->heir : shard->primary;
    const char *from = is_returning(back, primary) ? rolling_goal(&back->rolling, primary)->series
                                                   : primary->series;
    for (size_t i = 0; i < shard->early_count; i++) {
        const struct fact_node *node = shard->early[i];
        const char *to = rolling_goal(&back->rolling, node)->series;
        if (!rules_allow_full_sync(back->request->rolling.rules, from, to)) {
            refuse_back(back, "full_sync_allowed",
                arena_format(back->arena, "%s on %s could not copy from %s on %s", node->name, to,
                    primary->name, from));
        }
    }
}

/* Those that are broken come first. */
static void find_returning(struct going_back *back, struct rolling_shard *shard)
{
    const struct facts *facts = back->rolling.facts;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < facts->node_count; i++) {
            const struct fact_node *node = &facts->nodes[i];
            if (text_equal(node->shard, shard->name) && is_returning(back, node) &&
                is_in_repair(back, node) == (pass == 0)) {
                const struct fact_node **slot =
                    arena_push(back->arena, &shard->early, &shard->early_count, sizeof(*slot));
                *slot = node;
            }
        }
    }
}

static void find_back_shards(struct going_back *back)
{
    const struct facts *facts = back->rolling.facts;
    struct rolling_shard *shards = NULL;
    for (size_t number = 1; number <= facts->node_count; number++) {
        struct rolling_shard shard = {.name = arena_format(back->arena, "shard-%zu", number)};
        shard.primary = facts_primary_of(facts, shard.name);
        if (shard.primary == NULL) {
            break;
        }
        find_returning(back, &shard);
        if (home_of(back, shard.primary)->is_switched) {
            shard.heir = find_way_back(back, shard.name, shard.primary);
        }
        if (shard.early_count > 0) {
            check_copies(back, &shard);
            struct rolling_shard *slot =
                arena_push(back->arena, &shards, &back->rolling.shard_count, sizeof(*slot));
            *slot = shard;
        }
    }
    back->rolling.shards = shards;
}

/* --- the plan --- */

static const char *or_standard(const char *name, const char *standard)
{
    return name == NULL ? standard : name;
}

static const char *add_set_aside(
    struct going_back *back, struct plan_phase *phase, const struct act *act, const char *earlier)
{
    struct rolling *rolling = &back->rolling;
    struct arena *arena = &rolling->plan->arena;
    const struct fact_node *node = act->node;
    struct plan_step *step = rolling_add_step(rolling, phase, &set_aside, act);
    step->summary = arena_format(arena, "set the data of %s aside", node->name);
    js_put_text(step->args, "series", rolling_goal(rolling, node)->series);
    js_put_text(step->args, "to", arena_format(arena, "%" PRId64, rolling->plan->revision));
    js_put_text(step->args, "rdb_file", or_standard(node->rdb_file, "dump.rdb"));
    js_put_text(step->args, "aof_file", or_standard(node->aof_file, "appendonly.aof"));
    js_put_text(step->args, "aof_folder", or_standard(node->aof_folder, "appendonlydir"));
    js_put_text(step->args, "cluster_file", or_standard(node->cluster_file, "nodes.conf"));
    rolling_follow_step(rolling, step, earlier);
    return step->id;
}

static void add_return(struct going_back *back, struct plan_phase *phase,
    const struct rolling_shard *shard, const struct fact_node *node)
{
    struct rolling *rolling = &back->rolling;
    const struct home *home = home_of(back, node);
    const struct rolling_topology *topology = rolling_topology_of(rolling->facts);
    const struct fact_node *primary = shard->heir != NULL ? shard->heir : shard->primary;
    const struct act act = {shard->name, node, primary};
    const struct step_sort *sort = is_in_repair(back, node) ? &leave_broken
                                   : node == shard->primary ? &leave_primary
                                                            : &leave;
    struct plan_step *step = rolling_add_step(rolling, phase, sort, &act);
    step->summary =
        arena_format(&rolling->plan->arena, "stop %s (replica of %s)", node->name, shard->name);
    const char *earlier = step->id;
    if (home->sets_data_aside) {
        earlier = add_set_aside(back, phase, &act, earlier);
    }
    if (home->is_switched && topology->before_old != NULL) {
        earlier = topology->before_old(rolling, phase, &act, earlier);
    }
    if (home->is_switched) {
        earlier = rolling_add_switch(rolling, phase, &act, earlier)->id;
    }
    (void)rolling_add_start(rolling, phase, &act, earlier);
}

static void read_back_node(struct going_back *back, struct plan_phase *phase,
    const struct rolling_shard *shard, const struct fact_node *node)
{
    struct arena *arena = &back->rolling.plan->arena;
    const struct act act = {shard->name, node, shard->primary};
    size_t count;
    const struct plan_gate *gates =
        rolling_write_gates(&back->rolling, returned_gates, &act, &count);
    for (size_t i = 0; i < count; i++) {
        struct plan_gate *slot =
            arena_push(arena, &phase->after, &phase->after_count, sizeof(*slot));
        *slot = gates[i];
    }
}

/* What was so before the first act of the way back, read back at its end. */
static void add_read_back(struct going_back *back, struct plan_phase *phase)
{
    struct arena *arena = &back->rolling.plan->arena;
    for (size_t i = 0; i < back->rolling.shard_count; i++) {
        const struct rolling_shard *shard = &back->rolling.shards[i];
        for (size_t j = 0; j < shard->early_count; j++) {
            read_back_node(back, phase, shard, shard->early[j]);
        }
        if (shard->primary->slots != NULL) {
            struct plan_gate *slot =
                arena_push(arena, &phase->after, &phase->after_count, sizeof(*slot));
            *slot = (struct plan_gate){.name = "assume_slots", .args = js_object()};
            js_put_text(slot->args, "shard", shard->name);
            js_put_text(slot->args, "slots", shard->primary->slots);
        }
    }
}

/* On those that the others will copy from. */
static void add_preparation(struct going_back *back)
{
    struct rolling *rolling = &back->rolling;
    struct plan_phase phase = {
        .name = "prepare", .title = "temporary settings on those that will be primaries"};
    for (size_t i = 0; i < rolling->shard_count; i++) {
        const struct rolling_shard *shard = &rolling->shards[i];
        const struct fact_node *primary = shard->heir != NULL ? shard->heir : shard->primary;
        const struct act act = {shard->name, primary, shard->primary};
        rolling_add_settings(rolling, &phase, &act, NULL, PLAN_SCOPE_FINALIZE);
    }
    rolling_add_phase(rolling, &phase, start_of_back_gates, end_of_failback_gates);
}

static void add_failback(struct going_back *back)
{
    struct rolling *rolling = &back->rolling;
    struct plan_phase phase = {
        .name = "failback", .title = "the old primaries take over again, one after the other"};
    for (size_t i = 0; i < rolling->shard_count; i++) {
        if (rolling->shards[i].heir != NULL) {
            rolling_add_switchover(rolling, &phase, &failback, &rolling->shards[i]);
        }
    }
    rolling_add_phase(rolling, &phase, start_of_back_gates, end_of_failback_gates);
}

static void add_returns(struct going_back *back, struct plan_phase *phase, bool is_repair)
{
    for (size_t i = 0; i < back->rolling.shard_count; i++) {
        const struct rolling_shard *shard = &back->rolling.shards[i];
        for (size_t j = 0; j < shard->early_count; j++) {
            if (is_in_repair(back, shard->early[j]) == is_repair) {
                add_return(back, phase, shard, shard->early[j]);
            }
        }
    }
}

static void add_nodes(struct going_back *back)
{
    struct rolling *rolling = &back->rolling;
    struct plan_phase phase = {
        .name = "nodes", .title = "each upgraded node back onto the version it had"};
    add_returns(back, &phase, true);
    add_returns(back, &phase, false);
    rolling_add_phase(rolling, &phase, start_of_back_gates, end_of_nodes_gates);
    struct plan *plan = rolling->plan;
    if (phase.step_count > 0) {
        add_read_back(back, &plan->phases[plan->phase_count - 1]);
    }
}

static void add_clean(struct going_back *back)
{
    struct rolling *rolling = &back->rolling;
    struct plan_phase phase = {.name = "clean", .title = "what was set aside is deleted"};
    for (size_t i = 0; i < rolling->facts->node_count; i++) {
        const struct fact_node *node = &rolling->facts->nodes[i];
        const struct home *home = home_of(back, node);
        if ((home->sets_data_aside || home->has_data_aside) && node->shard != NULL) {
            revise_add_drop(rolling, &phase, node);
        }
    }
    rolling_add_phase(rolling, &phase, rolling_no_gates, rolling_no_gates);
}

/* "redis 6.0.16": where the touched nodes go, each version once. */
static void add_destination(struct going_back *back)
{
    struct rolling *rolling = &back->rolling;
    struct plan_request *request = &rolling->plan->request;
    AUTO_BUF list = {0};
    for (size_t i = 0; i < rolling->facts->node_count; i++) {
        const struct fact_artefact *goal = &rolling->goals[i];
        bool is_listed = goal->version == NULL;
        for (size_t j = 0; j < i; j++) {
            is_listed |= text_equal(rolling->goals[j].product, goal->product) &&
                         text_equal(rolling->goals[j].version, goal->version);
        }
        if (!is_listed) {
            buf_printf(&list, "%s%s %s", list.size == 0 ? "" : ", ", goal->product, goal->version);
        }
    }
    const struct fact_artefact *first = rolling->shard_count == 0
                                            ? &rolling->goals[0]
                                            : rolling_goal(rolling, rolling->shards[0].early[0]);
    request->to = arena_strdup(&rolling->plan->arena, buf_text(&list));
    request->to_product = arena_strdup(&rolling->plan->arena, first->product);
    request->to_version = arena_strdup(&rolling->plan->arena, first->version);
    request->to_series = arena_strdup(&rolling->plan->arena, first->series);
}

static void add_loss_note(struct going_back *back)
{
    struct rolling *rolling = &back->rolling;
    struct arena *arena = &rolling->plan->arena;
    const struct fact_artefact *newer = &rolling->plan->artefact;
    for (size_t i = 0; i < rolling->shard_count; i++) {
        const struct fact_node *old = rolling->shards[i].heir;
        if (old != NULL && rolling_drops_times(arena, newer, old)) {
            rolling_add_note(rolling,
                arena_format(arena,
                    "SET with a time to live did not reach %s %s from %s %s: what was written so "
                    "since the switchover will be missing",
                    old->product, old->version, newer->product, newer->version));
            return;
        }
    }
}

static void add_back_words(struct going_back *back)
{
    struct rolling *rolling = &back->rolling;
    int64_t estimate_ms = 0;
    for (size_t i = 0; i < rolling->shard_count; i++) {
        const struct rolling_shard *shard = &rolling->shards[i];
        estimate_ms += shard->heir != NULL ? rolling_switchover_ms() : 0;
        estimate_ms += (int64_t)shard->early_count * rolling_restart_ms(shard->primary);
    }
    rolling_add_note(rolling,
        "order: the old primaries take over again, then one node after the other gets its old "
        "program, those that are down first");
    rolling_add_note(rolling,
        "an old program cannot read newer files: dump and log are set aside, the node copies "
        "everything from its primary, and what was set aside is deleted at the end");
    add_loss_note(back);
    rolling_add_estimate(rolling, estimate_ms);
}

bool rolling_back(const struct revise_request *request, struct arena *arena, struct plan *ret_plan,
    struct plan_refusal *ret_refusal)
{
    const struct facts complete = revise_complete(request, arena);
    struct going_back back = {
        .request = request,
        .rolling = {.request = &request->rolling, .facts = &complete, .plan = ret_plan},
        .arena = arena,
        .refusal = ret_refusal,
    };
    ret_plan->revision = request->plan->revision + 1;
    back.rolling.gone_count = revise_find_gone(request, arena, &back.rolling.gone);
    find_homes(&back);
    if (revise_is_whole(request, &complete, ret_refusal, arena)) {
        find_back_shards(&back);
    }
    if (ret_refusal->answer_count > 0) {
        return false;
    }
    rolling_add_head(&back.rolling, "rollback");
    ret_plan->direction = "back";
    ret_plan->revision = request->plan->revision + 1;
    add_destination(&back);
    revise_keep_artefact(request, ret_plan);
    revise_keep_basis(request, &complete, ret_plan);
    add_preparation(&back);
    add_failback(&back);
    add_nodes(&back);
    add_clean(&back);
    ret_plan->health =
        rolling_write_gates(&back.rolling, rolling_health, NULL, &ret_plan->health_count);
    add_back_words(&back);
    revise_add_gone_notes(&back.rolling);
    return true;
}
