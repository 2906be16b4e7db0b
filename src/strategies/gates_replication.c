/* Are the copies there, in step, and enough of them? */
#include <inttypes.h>

#include "base/str.h"
#include "strategies/gate_report.h"

enum {
    /* Primaries ping their replicas every 10 s (repl-ping-replica-period); a 6.0 replica of an idle
     * primary hears nothing in between. */
    SILENCE_S_MAX = 15,
    /* Under load two counts are taken at two moments, and expired keys die on the primary first. */
    KEYS_APART_MAX = 1000,
    KEYS_APART_PCT_MAX = 5,
};

static const struct fact_node *primary_of(
    const struct gate_input *input, const struct fact_node *node)
{
    if (node->primary_id == NULL) {
        return NULL;
    }
    const struct fact_node *primary = facts_find_id(input->facts, node->primary_id);
    return primary != NULL && primary->is_reachable ? primary : NULL;
}

static const char *name_of_primary(const struct gate_input *input, const struct fact_node *node)
{
    const struct fact_node *primary = primary_of(input, node);
    return primary == NULL ? "its primary" : primary->name;
}

/* An old server copies from its newer primary for ever and never has it (a restart at the wrong
 * moment): waiting cannot help, and only finalize repairs it. */
static bool can_never_copy(const struct gate_input *input, const struct fact_node *node)
{
    const struct fact_node *primary = primary_of(input, node);
    return node->is_syncing && primary != NULL &&
           !rules_allow_full_sync(input->rules, primary->series, node->series);
}

static void check_synced(struct gate_report *report, const struct fact_node *node)
{
    const char *primary = name_of_primary(report->input, node);
    if (node->is_loading) {
        gate_report_add(report, GATE_NOT_YET, NULL, "%s is loading its data", node->name);
    } else if (can_never_copy(report->input, node)) {
        gate_report_add(report, GATE_NEEDS_YOU,
            "abort and plan again: the new plan passes over it, and finalize repairs it",
            "%s (%s) cannot load the copy that its newer primary %s sends, so it is no way back",
            node->name, node->series, primary);
    } else if (node->is_syncing) {
        gate_report_add(
            report, GATE_NOT_YET, NULL, "%s is copying everything from %s", node->name, primary);
    } else if (!node->is_link_up) {
        gate_report_add(
            report, GATE_NOT_YET, NULL, "the link of %s to %s is down", node->name, primary);
    } else if (node->link_silence_s < 0 || node->link_silence_s > SILENCE_S_MAX) {
        gate_report_add(report, GATE_NOT_YET, NULL,
            "%s has heard nothing from %s for %" PRId64 " s (at most %d)", node->name, primary,
            node->link_silence_s, SILENCE_S_MAX);
    }
}

struct gate_answer gate_replicas_synced(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    const bool is_named = js_get_text(input->args, "node") != NULL;
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        if (node->role == FACT_ROLE_REPLICA) {
            check_synced(&report, node);
        } else if (node->role == FACT_ROLE_UNKNOWN) {
            gate_report_add(&report, GATE_NOT_YET, NULL, "%s does not say its role", node->name);
        } else if (is_named) {
            gate_report_add(&report, GATE_NOT_YET, NULL, "%s is not a replica", node->name);
        }
    }
    return gate_report_finish(&report, "replicas_synced");
}

/* The primary of a replica, or NULL with the reason reported. */
static const struct fact_node *require_primary(
    struct gate_report *report, const struct fact_node *node)
{
    if (node->role != FACT_ROLE_REPLICA) {
        gate_report_add(report, GATE_NOT_YET, NULL, "%s is not a replica", node->name);
        return NULL;
    }
    const struct fact_node *primary = primary_of(report->input, node);
    if (primary == NULL) {
        gate_report_add(report, GATE_NOT_YET, NULL, "the primary of %s cannot be read", node->name);
    }
    return primary;
}

struct gate_answer gate_lag_small(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    const int64_t bytes_max = js_get_number(input->args, "bytes", 0);
    size_t cursor = 0;
    const struct fact_node *node = gate_next_node(&report, &cursor);
    const struct fact_node *primary = node == NULL ? NULL : require_primary(&report, node);
    if (primary != NULL && !text_equal(node->replid, primary->replid)) {
        gate_report_add(&report, GATE_NOT_YET, NULL,
            "%s follows another history than %s has (replication id)", node->name, primary->name);
    } else if (primary != NULL && primary->offset - node->offset > bytes_max) {
        gate_report_add(&report, GATE_NOT_YET,
            "wait for a quieter moment, or raise policy.lag_bytes_max for a new plan",
            "%s is %" PRId64 " bytes behind %s (at most %" PRId64 ")", node->name,
            primary->offset - node->offset, primary->name, bytes_max);
    }
    return gate_report_finish(&report, "lag_small");
}

static bool are_counts_apart(int64_t a, int64_t b)
{
    const int64_t apart = a > b ? a - b : b - a;
    const int64_t by_share = (a > b ? a : b) / 100 * KEYS_APART_PCT_MAX;
    return apart > (by_share > KEYS_APART_MAX ? by_share : KEYS_APART_MAX);
}

/* An old server on a newer directory starts empty and says nothing: zero against any is apart. */
static void check_key_count(struct gate_report *report, const struct fact_node *node)
{
    const struct fact_node *primary = require_primary(report, node);
    if (primary == NULL) {
        return;
    }
    const bool is_one_empty = (node->key_count == 0) != (primary->key_count == 0);
    const bool is_alarming = is_one_empty && gate_is_healthy_replica(node);
    if (is_one_empty || are_counts_apart(node->key_count, primary->key_count)) {
        gate_report_add(report, GATE_NOT_YET,
            is_alarming ? "find out why one of them is empty before anything else is stopped"
                        : NULL,
            "%s holds %" PRId64 " keys, its primary %s %" PRId64, node->name, node->key_count,
            primary->name, primary->key_count);
    }
}

struct gate_answer gate_key_counts_match(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    const bool is_named = js_get_text(input->args, "node") != NULL;
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        const bool is_pair =
            node->role == FACT_ROLE_REPLICA && !gate_is_primary_excepted(input, node);
        if (is_named || is_pair) {
            check_key_count(&report, node);
        }
    }
    return gate_report_finish(&report, "key_counts_match");
}

static bool has_healthy_replica(
    const struct gate_input *input, const struct fact_node *primary, const char *series)
{
    for (size_t i = 0; i < input->facts->node_count; i++) {
        const struct fact_node *node = &input->facts->nodes[i];
        if (gate_is_healthy_replica(node) && text_equal(node->primary_id, primary->id) &&
            !gate_is_excepted(input, node->name) &&
            (series == NULL || text_equal(node->series, series))) {
            return true;
        }
    }
    return false;
}

/* A replica that this run took out is coming back: its shard is not to be blamed for it. */
static bool has_replica_in_repair(const struct gate_input *input, const struct fact_node *primary)
{
    for (size_t i = 0; i < primary->view_count; i++) {
        const struct fact_view *view = &primary->views[i];
        const struct fact_node *node = gate_node_of_view(input->facts, view);
        if (view->role == FACT_ROLE_REPLICA && text_equal(view->primary_id, primary->id) &&
            node != NULL && gate_is_excepted(input, node->name)) {
            return true;
        }
    }
    /* Without Redis Cluster a primary forgets a replica that is gone. */
    for (size_t i = 0; facts_have_one_primary(input->facts) && i < input->facts->node_count; i++) {
        const struct fact_node *node = &input->facts->nodes[i];
        if (node != primary && gate_is_excepted(input, node->name)) {
            return true;
        }
    }
    return false;
}

static void check_redundancy(
    struct gate_report *report, const struct fact_node *primary, const char *series)
{
    if (has_healthy_replica(report->input, primary, series) ||
        has_replica_in_repair(report->input, primary)) {
        return;
    }
    if (gate_replica_count(primary) == 0) { /* for a moment also right after a switchover */
        gate_report_add(report, gate_lasting(report->input),
            "add a replica to each such shard (redis-cli --cluster add-node, --cluster-slave) and "
            "to the inventory",
            "%s of %s has no replica", primary->shard, primary->name);
        return;
    }
    gate_report_add(report, GATE_NOT_YET, NULL, "%s of %s has no healthy replica%s%s",
        primary->shard, primary->name, series == NULL ? "" : " on ", series == NULL ? "" : series);
}

struct gate_answer gate_redundancy(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    const char *shard = js_get_text(input->args, "shard");
    const char *series = js_get_text(input->args, "series");
    bool is_found = false;
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        if (node->role == FACT_ROLE_PRIMARY && node->shard != NULL &&
            (shard == NULL || text_equal(node->shard, shard))) {
            is_found = true;
            check_redundancy(&report, node, series);
        }
    }
    if (!is_found && shard != NULL) {
        gate_report_add(&report, GATE_NOT_YET, NULL, "%s has no primary in sight", shard);
    }
    return gate_report_finish(&report, "redundancy");
}

/* Any node of a shard may be its primary before the run is over, so each one's setting counts. */
struct gate_answer gate_min_replicas(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    const bool is_to_be_relaxed = js_get_bool(input->args, "to_be_relaxed", false);
    const bool is_relaxed = js_get_bool(input->args, "relaxed", false);
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        const struct fact_node *primary =
            node->role == FACT_ROLE_PRIMARY ? node : primary_of(input, node);
        if (is_to_be_relaxed || (is_relaxed && node != primary)) {
            continue;
        }
        if (node->min_replicas == 0 || primary == NULL || primary->shard == NULL) {
            continue;
        }
        const int64_t count = gate_replica_count(primary);
        if (node->min_replicas > count - 1) {
            gate_report_add_node(&report,
                &(struct gate_problem){
                    .state = gate_lasting(input),
                    .remedy = "lower min-replicas-to-write in the configuration files and live, or "
                              "let the run do it for a while (policy.min_replicas: relax), or "
                              "add a replica to the shard",
                    .before = "min-replicas-to-write of ",
                    .node = node->name,
                },
                " is %" PRId64 ", %s has %" PRId64
                " replica%s and one at a time is restarted: it would refuse writes",
                node->min_replicas, primary->shard, count, count == 1 ? "" : "s");
        }
    }
    return gate_report_finish(&report, "min_replicas");
}

/* Restarted after its primary was: it knows neither the primary's history nor a place in it, so
 * that only a full copy helps. (One that was just demoted is older and has a place in its own,
 * which is 0 or 1 as well where nothing was ever written.) */
static bool has_lost_its_place(const struct fact_node *node, const struct fact_node *primary)
{
    return node->offset <= 1 && !text_equal(node->replid, primary->replid) &&
           node->uptime_s < primary->uptime_s;
}

/* An old server cannot load a newer primary's full copy, so once it needs one it is no way back.
 * It needs one when the primary has written more than its backlog holds since the link broke. */
static void check_old_link(
    struct gate_report *report, const struct fact_node *node, const char *shard)
{
    const struct gate_input *input = report->input;
    const struct fact_node *primary = require_primary(report, node);
    if (primary == NULL || (node->is_link_up && !node->is_syncing)) {
        return;
    }
    const bool can_copy = rules_allow_full_sync(input->rules, primary->series, node->series);
    const int64_t missed = primary->offset - node->offset;
    if (!can_copy && (node->is_syncing || has_lost_its_place(node, primary))) {
        gate_report_add(report, GATE_NEVER, "go on with finalize",
            "the way back of %s is closed: %s (%s) needs a full copy of %s (%s) and cannot load it",
            shard, node->name, node->series, primary->name, primary->series);
    } else if (!can_copy && missed > primary->backlog_bytes) {
        gate_report_add(report, GATE_NEVER, "go on with finalize",
            "the way back of %s is closed: %s missed %" PRId64 " bytes, the backlog of %s holds "
            "%" PRId64,
            shard, node->name, missed, primary->name, primary->backlog_bytes);
    } else {
        gate_report_add(report, GATE_NOT_YET, "repair the link before the backlog is overrun",
            "the way back of %s is closing: the link of %s to %s is down", shard, node->name,
            primary->name);
    }
}

/* A server drops commands of its newer primary that it does not know, without a word: its link and
 * its offset stay perfect while its data falls behind (measured: SET with a time to live, which 7.0
 * replicates as PXAT, on 6.0). Only the data tells. */
static void check_old_data(
    struct gate_report *report, const struct fact_node *node, const char *shard)
{
    const struct fact_node *primary = primary_of(report->input, node);
    if (primary == NULL || !are_counts_apart(primary->key_count, node->key_count)) {
        return;
    }
    if (!node->is_link_up || node->is_syncing || node->offset < primary->offset) {
        return; /* only behind: it came back a moment ago */
    }
    gate_report_add(report, GATE_NEVER, "go on with finalize: it copies the data anew",
        "the way back of %s is closed: %s (%s) holds %" PRId64
        " keys, its newer primary %s %" PRId64 ": it does not understand all that it is sent",
        shard, node->name, node->series, node->key_count, primary->name, primary->key_count);
}

static void check_way_back(struct gate_report *report, const struct json *item)
{
    const char *name = js_get_text(item, "node");
    const char *shard = js_get_text(item, "shard");
    const char *series = js_get_text(item, "series");
    const struct fact_node *node = facts_find(report->input->facts, name);
    if (node == NULL || !node->is_reachable) {
        gate_report_add(report, GATE_NOT_YET,
            "look at the node first: starting the old version again may close the way back",
            "the way back of %s cannot be seen: %s cannot be read", shard, name);
    } else if (series != NULL && !text_equal(node->series, series)) {
        gate_report_add(report, GATE_NEVER, "go on with finalize",
            "the way back of %s is closed: %s runs %s now", shard, name,
            node->series == NULL ? "something unknown" : node->series);
    } else if (node->role != FACT_ROLE_PRIMARY) {
        check_old_link(report, node, shard);
        check_old_data(report, node, shard);
    } /* a primary: not switched over yet, or gone back to: it is the way back itself */
}

struct gate_answer gate_way_back_fed(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    const struct json *items = js_get(input->args, "nodes");
    for (size_t i = 0; i < js_count(items); i++) {
        check_way_back(&report, js_at(items, i));
    }
    return gate_report_finish(&report, "way_back_fed");
}
