/* strategies/rolling_words.c - a plan's head, and what it tells people. */
#include <inttypes.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "strategies/rolling_parts.h"
#include "strategies/rolling_topology.h"

enum {
    /* Measured with 100,000 keys a shard on one machine, rounded up. */
    RESTART_MS = 1500,
    SYNC_MS_PER_KEYS = 1000,
    SYNC_KEYS = 100000,
    /* Measured: a full sync of 400 MiB took 1.8 s, and to load them 1.5 s. */
    SYNC_BYTES = 100 * 1024 * 1024,
    SWITCHOVER_MS = 300,
    /* Longest stalls measured: 6.0 does parts of a failover in its 100 ms timer. */
    HOLD_MS = 60,
    HOLD_MS_BEFORE_7 = 100,
};

static const char *const failure_words[] = {[INV_FAILURE_PAUSE] = "pause",
    [INV_FAILURE_ROLLBACK] = "rollback",
    [INV_FAILURE_CONTINUE] = "continue"};
static const char *const revise_words[] = {
    [INV_REVISE_NARROW] = "narrow", [INV_REVISE_ASK] = "ask"};
static const char *const probe_words[] = {
    [INV_PROBE_OFF] = "off", [INV_PROBE_READ_ONLY] = "read-only", [INV_PROBE_WRITE] = "write"};

static const char *keep_text(struct rolling *rolling, const char *text)
{
    return text == NULL ? NULL : arena_strdup(&rolling->plan->arena, text);
}

/* "redis 6.0.16, redis 7.0.15": each version once, in the order of the nodes. */
static const char *list_old_versions(struct rolling *rolling)
{
    AUTO_BUF list = {0};
    const struct facts *facts = rolling->facts;
    for (size_t i = 0; i < facts->node_count; i++) {
        const struct fact_node *node = &facts->nodes[i];
        bool is_listed = false;
        for (size_t j = 0; j < i; j++) {
            is_listed |= text_equal(facts->nodes[j].product, node->product) &&
                         text_equal(facts->nodes[j].version, node->version);
        }
        if (!is_listed) {
            buf_printf(&list, "%s%s %s", list.size == 0 ? "" : ", ", node->product, node->version);
        }
    }
    return keep_text(rolling, buf_text(&list));
}

/* What the nodes run stays: the same words on both sides, and no artefact. */
static void add_kept_versions(struct rolling *rolling)
{
    struct plan_request *request = &rolling->plan->request;
    const struct fact_node *first = &rolling->facts->nodes[0];
    request->to = request->from;
    request->to_series = keep_text(rolling, first->series);
    request->to_version = keep_text(rolling, first->version);
    request->to_product = keep_text(rolling, first->product);
}

static void add_target(struct rolling *rolling)
{
    const struct fact_artefact *target = rolling->target;
    struct plan *plan = rolling->plan;
    plan->request.to = arena_format(&plan->arena, "%s %s", target->product, target->version);
    plan->request.to_series = keep_text(rolling, target->series);
    plan->request.to_version = keep_text(rolling, target->version);
    plan->request.to_product = keep_text(rolling, target->product);
    plan->artefact = (struct fact_artefact){
        .product = plan->request.to_product,
        .version = plan->request.to_version,
        .series = plan->request.to_series,
        .package_version = keep_text(rolling, target->package_version),
        .digest = keep_text(rolling, target->digest),
        .server = keep_text(rolling, target->server),
    };
}

static void add_request(struct rolling *rolling, const char *action)
{
    struct plan *plan = rolling->plan;
    plan->format = PLAN_FORMAT;
    plan->strategy = "rolling";
    plan->direction = "forward";
    plan->request = (struct plan_request){
        .cluster = keep_text(rolling, rolling->request->cluster->name),
        .action = action,
        .from = list_old_versions(rolling),
    };
    if (rolling->target != NULL) {
        add_target(rolling);
    } else {
        add_kept_versions(rolling);
    }
    plan->inventory_path = keep_text(rolling, rolling->request->inventory->path);
    plan->inventory_digest = keep_text(rolling, rolling->request->inventory->digest);
    plan->rules_digest = keep_text(rolling, rolling->request->rules->digest);
}

static void add_policy(struct rolling *rolling)
{
    const struct inv_policy *policy = &rolling->request->cluster->policy;
    rolling->plan->policy = (struct plan_policy){
        .max_unavailable = policy->max_unavailable,
        .soak_s = policy->soak_s,
        .gate_timeout_ms = policy->gate_timeout_s * 1000,
        .on_failure = failure_words[policy->on_failure],
        .revise = revise_words[policy->revise],
        .probe_mode = probe_words[policy->probe.mode],
        .probe_required = policy->probe.is_required,
        .probe_rate = policy->probe.rate,
        .probe_keys_max = policy->probe.keys_max,
        .probe_ttl_s = policy->probe.ttl_s,
        .probe_linger_s = policy->probe.linger_s,
    };
}

/* Of a shard, or of the whole cluster (`shard` NULL). */
static void add_group(
    struct rolling *rolling, const char *name, const char *shard, int64_t max_unavailable)
{
    struct plan *plan = rolling->plan;
    struct plan_group *group =
        arena_push(&plan->arena, &plan->groups, &plan->group_count, sizeof(*group));
    group->name = keep_text(rolling, name);
    group->max_unavailable = max_unavailable;
    for (size_t i = 0; i < rolling->facts->node_count; i++) {
        const struct fact_node *node = &rolling->facts->nodes[i];
        if (shard == NULL || text_equal(node->shard, shard)) {
            const char **slot =
                arena_push(&plan->arena, &group->nodes, &group->node_count, sizeof(*slot));
            *slot = keep_text(rolling, node->name);
        }
    }
}

void rolling_add_head(struct rolling *rolling, const char *action)
{
    add_request(rolling, action);
    add_policy(rolling);
    for (size_t i = 0; i < rolling->shard_count; i++) {
        add_group(rolling, rolling->shards[i].name, rolling->shards[i].name, 1);
    }
    if (rolling->shard_count > 0) {
        add_group(rolling, "cluster", NULL, rolling->plan->policy.max_unavailable);
        rolling_topology_add_groups(rolling);
    }
}

/* False for what is not a version. */
static bool is_older(struct arena *arena, const char *product, const char *text, const char *than)
{
    struct version version;
    struct version limit;
    AUTO_ERR err = version_parse(arena, product, text, &version);
    AUTO_ERR limit_err = version_parse(arena, product, than, &limit);
    return err == NULL && limit_err == NULL && version_compare(&version, &limit) < 0;
}

int64_t rolling_hold_ms(struct arena *arena, const struct fact_node *primary)
{
    return is_older(arena, primary->product, primary->version, "7.0") ? HOLD_MS_BEFORE_7 : HOLD_MS;
}

void rolling_add_note(struct rolling *rolling, const char *text)
{
    struct plan *plan = rolling->plan;
    const char **slot = arena_push(&plan->arena, &plan->notes, &plan->note_count, sizeof(*slot));
    *slot = text;
}

static bool has_switchover(const struct rolling *rolling)
{
    for (size_t i = 0; i < rolling->shard_count; i++) {
        if (rolling->shards[i].heir != NULL) {
            return true;
        }
    }
    return false;
}

/* Names of the nodes that finalize restarts, of one shard or of all (`only` NULL). */
static const char *list_late(struct rolling *rolling, const struct rolling_shard *only)
{
    AUTO_BUF list = {0};
    for (size_t i = 0; i < rolling->shard_count; i++) {
        const struct rolling_shard *shard = &rolling->shards[i];
        for (size_t j = 0; (only == NULL || only == shard) && j < shard->late_count; j++) {
            buf_printf(&list, "%s%s", list.size == 0 ? "" : ", ", shard->late[j]->name);
        }
    }
    return keep_text(rolling, buf_text(&list));
}

static void add_redundancy_note(struct rolling *rolling, const struct rolling_shard *shard)
{
    struct arena *arena = &rolling->plan->arena;
    if (shard->replica_count > 1) {
        rolling_add_note(
            rolling, arena_format(arena, "%s keeps %zu of %zu replicas while one is restarted",
                         shard->name, shard->replica_count - 1, shard->replica_count));
        return;
    }
    const char *late = list_late(rolling, shard);
    const char *early = shard->early_count > 0 ? shard->early[0]->name : NULL;
    rolling_add_note(
        rolling, arena_format(arena, "while %s%s%s is down %s has no replica",
                     early == NULL ? "" : early, early == NULL ? "" : " or ", late, shard->name));
}

static void add_way_back_notes(struct rolling *rolling)
{
    struct arena *arena = &rolling->plan->arena;
    for (size_t i = 0; i < rolling->shard_count; i++) {
        const struct rolling_shard *shard = &rolling->shards[i];
        rolling_add_note(
            rolling, arena_format(arena, "the way back of %s closes when finalize stops %s",
                         shard->name, shard->late[0]->name));
    }
    rolling_add_note(rolling,
        arena_format(arena,
            "until then do not restart %s, and use no command that is new in %s: the old version "
            "could not follow it",
            list_late(rolling, NULL), rolling->plan->request.to));
}

/* Measured: since 7.0 a primary replicates SET with a time to live as SET ... PXAT, an option that
 * came with 6.2; an older replica drops the command without a word. */
bool rolling_drops_times(
    struct arena *arena, const struct fact_artefact *target, const struct fact_node *old)
{
    return is_older(arena, old->product, old->version, "6.2") &&
           !is_older(arena, target->product, target->version, "7.0");
}

static void add_time_to_live_note(struct rolling *rolling)
{
    struct arena *arena = &rolling->plan->arena;
    for (size_t i = 0; i < rolling->shard_count; i++) {
        const struct fact_node *old = rolling->shards[i].late[0];
        if (!rolling_drops_times(arena, rolling->target, old)) {
            continue;
        }
        rolling_add_note(rolling,
            arena_format(arena,
                "SET with a time to live does not reach %s %s from %s: what is written so after "
                "the switchover is missing on the way back",
                old->product, old->version, rolling->plan->request.to));
        return;
    }
}

static void add_rule_notes(struct rolling *rolling)
{
    const struct fact_artefact *target = rolling->target;
    struct arena *arena = &rolling->plan->arena;
    for (size_t i = 0; i < rolling->facts->node_count; i++) {
        const char *product = rolling->facts->nodes[i].product;
        if (!text_equal(product, target->product)) {
            rolling_add_note(rolling, arena_format(arena, "this changes the product from %s to %s",
                                          product, target->product));
            break;
        }
    }
    const struct series_rule *rule = rules_find(rolling->request->rules, target->series);
    if (rule != NULL && !rule->is_tested) {
        rolling_add_note(
            rolling, arena_format(arena, "%s is not part of upshift's own tests", target->series));
    }
}

/* The password is asked of the environment (REDISCLI_AUTH), never written down. */
static const char *write_failover(struct rolling *rolling, const struct fact_node *node)
{
    const struct inv_cluster *cluster = rolling->request->cluster;
    if (facts_have_one_primary(rolling->facts)) { /* by hand it would lose writes */
        return arena_format(&rolling->plan->arena, "upshift rollback %s", cluster->name);
    }
    const struct inv_node *inv = inv_cluster_find_node(cluster, node->name);
    if (inv == NULL) {
        return NULL;
    }
    AUTO_BUF line = {0};
    buf_printf(&line, "redis-cli -h %s -p %" PRId64, inv->host, inv->port);
    if (cluster->tls.is_enabled) {
        buf_append_text(&line, " --tls");
    }
    if (cluster->tls.is_enabled && cluster->tls.ca_file != NULL) {
        buf_printf(&line, " --cacert %s", cluster->tls.ca_file);
    }
    if (cluster->user != NULL) {
        buf_printf(&line, " --user %s", cluster->user);
    }
    buf_append_text(&line, " CLUSTER FAILOVER");
    return keep_text(rolling, buf_text(&line));
}

static void add_way_back(struct rolling *rolling)
{
    struct plan *plan = rolling->plan;
    for (size_t i = 0; i < rolling->shard_count; i++) {
        const char *line = write_failover(rolling, rolling->shards[i].late[0]);
        if (line != NULL) {
            const char **slot =
                arena_push(&plan->arena, &plan->way_back, &plan->way_back_count, sizeof(*slot));
            *slot = line;
        }
    }
}

int64_t rolling_restart_ms(const struct fact_node *primary)
{
    const int64_t by_keys = (primary->key_count + SYNC_KEYS - 1) / SYNC_KEYS;
    const int64_t by_bytes = (primary->data_bytes + SYNC_BYTES - 1) / SYNC_BYTES;
    const int64_t syncs = by_keys > by_bytes ? by_keys : by_bytes;
    return RESTART_MS + syncs * SYNC_MS_PER_KEYS;
}

int64_t rolling_switchover_ms(void)
{
    return SWITCHOVER_MS;
}

void rolling_add_estimate(struct rolling *rolling, int64_t estimate_ms)
{
    rolling->plan->estimate_s = (estimate_ms + 999) / 1000;
    rolling_add_note(rolling,
        "estimated with 1.5 s for each restart, 1 s for each begun 100,000 keys or 100 MiB that "
        "it loads and copies, and 0.3 s for each switchover");
}

static void add_estimate(struct rolling *rolling, bool has_restarts)
{
    int64_t estimate_ms = 0;
    for (size_t i = 0; i < rolling->shard_count; i++) {
        const struct rolling_shard *shard = &rolling->shards[i];
        const int64_t restarts = (int64_t)(shard->early_count + shard->late_count);
        estimate_ms += has_restarts ? restarts * rolling_restart_ms(shard->primary) : 0;
        estimate_ms += shard->heir != NULL ? SWITCHOVER_MS : 0;
    }
    rolling_add_estimate(rolling, estimate_ms);
}

void rolling_add_words(struct rolling *rolling)
{
    rolling_add_note(
        rolling, has_switchover(rolling)
                     ? "order: replicas first, then one switchover after the other, then the "
                       "pause point; finalize restarts the old primaries, which are replicas "
                       "by then"
                     : "order: every shard was switched over before, so the run goes to its "
                       "pause point at once; finalize restarts the old replicas");
    for (size_t i = 0; i < rolling->shard_count; i++) {
        add_redundancy_note(rolling, &rolling->shards[i]);
    }
    add_way_back_notes(rolling);
    add_time_to_live_note(rolling);
    add_rule_notes(rolling);
    rolling_topology_add_notes(rolling);
    rolling_add_preflight_notes(rolling);
    add_way_back(rolling);
    add_estimate(rolling, true);
}

void rolling_add_restart_words(struct rolling *rolling)
{
    rolling_add_note(rolling,
        "order: replicas first, then one switchover after the other, then those that were "
        "primaries; the new primaries stay primaries");
    for (size_t i = 0; i < rolling->shard_count; i++) {
        add_redundancy_note(rolling, &rolling->shards[i]);
    }
    rolling_add_preflight_notes(rolling);
    add_estimate(rolling, true);
}

void rolling_add_switchover_words(struct rolling *rolling)
{
    rolling_add_note(rolling,
        "each old primary holds its clients until the new one has every write, then becomes its "
        "replica; nothing is restarted");
    add_estimate(rolling, false);
}
