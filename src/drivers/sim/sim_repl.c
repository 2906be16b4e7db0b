/*
 * drivers/sim/sim_repl.c - who copies from whom, and who takes over.
 *
 * A replica follows a history (`replid`). It goes on where it stopped (partial) when its primary
 * knows that history and still keeps what is missing; otherwise it needs a full copy, and whether
 * it can read one depends on both versions.
 */
#include <stdio.h>

#include "base/str.h"
#include "drivers/sim/sim_act.h"

enum {
    COPY_MS = 200,          /* of every full copy: fork, connect, load */
    COPY_KEYS_PER_MS = 100, /* measured: 100 k keys took 0.2-2.1 s */
    REPOINT_MS_MAX = 5,     /* until the nodes of a shard follow a promotion */
    ELECTION_RETRY_MS = 1000,
};

/* Reacts at once; before, a server took its steps in timers of 100 ms and 1 s. */
static bool reacts_at_once(const struct sim_node *node)
{
    int64_t major = 0;
    const char *text = node->program->version;
    return str_to_int64((struct str){text, strcspn(text, ".")}, &major) &&
           major >= SIM_DISKLESS_VERSION;
}

static bool is_serving_primary(const struct sim_node *node)
{
    return node->phase == SIM_UP && node->role == FACT_ROLE_PRIMARY;
}

static bool can_go_on(const struct sim_node *primary, const struct sim_node *replica)
{
    const bool knows_history =
        replica->replid != 0 &&
        ((replica->replid == primary->replid && replica->keys <= primary->keys) ||
            (replica->replid == primary->replid_before && replica->keys <= primary->keys_before));
    const int64_t missing_bytes = (primary->keys - replica->keys) * SIM_KEY_BYTES;
    return knows_history && missing_bytes <= sim_setting_number(primary, "repl-backlog-size");
}

static int64_t full_copy_ms(const struct sim_node *primary)
{
    const int64_t delay_s =
        reacts_at_once(primary) ? sim_setting_number(primary, "repl-diskless-sync-delay") : 0;
    return delay_s * 1000 + COPY_MS + primary->keys / COPY_KEYS_PER_MS;
}

static void cut_link(struct sim *sim, struct sim_node *replica)
{
    if (replica->is_link_up) {
        replica->is_link_up = false;
        replica->link_down_ms = sim->now_ms;
    }
    replica->sync = SIM_SYNC_NONE;
    replica->due_ms[SIM_TIMER_SYNC] = SIM_NEVER;
}

static void begin_full_copy(
    struct sim *sim, struct sim_node *replica, struct sim_node *primary, int64_t wait_ms)
{
    replica->sync = SIM_SYNC_FULL;
    replica->replid = 0;
    primary->full_sync_count++;
    replica->due_ms[SIM_TIMER_SYNC] = sim->now_ms + wait_ms;
}

void sim_attach(struct sim *sim, struct sim_node *replica)
{
    cut_link(sim, replica);
    if (replica->phase != SIM_UP || replica->role != FACT_ROLE_REPLICA ||
        !is_serving_primary(&sim->nodes[replica->primary])) {
        return; /* tried again when the primary is ready */
    }
    struct sim_node *primary = &sim->nodes[replica->primary];
    if (!can_go_on(primary, replica)) {
        begin_full_copy(sim, replica, primary, full_copy_ms(primary));
        return;
    }
    replica->sync = SIM_SYNC_PARTIAL;
    replica->due_ms[SIM_TIMER_SYNC] =
        sim->now_ms + (reacts_at_once(replica) ? sim_draw(sim, 1, 2) : sim_draw(sim, 150, 1000));
}

void sim_attach_all(struct sim *sim, const struct sim_node *primary)
{
    for (int i = 0; i < sim->node_count; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (node->role == FACT_ROLE_REPLICA && node->primary == sim_index(sim, primary)) {
            sim_attach(sim, node);
        }
    }
}

void sim_cut_replicas(struct sim *sim, const struct sim_node *primary)
{
    for (int i = 0; i < sim->node_count; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (node->role == FACT_ROLE_REPLICA && node->primary == sim_index(sim, primary)) {
            cut_link(sim, node);
        }
    }
}

void sim_on_sync(struct sim *sim, struct sim_node *node)
{
    struct sim_node *primary = &sim->nodes[node->primary];
    if (node->sync == SIM_SYNC_PARTIAL && !can_go_on(primary, node)) {
        begin_full_copy(sim, node, primary, full_copy_ms(primary)); /* the gap has grown */
        return;
    }
    if (node->sync == SIM_SYNC_FULL) {
        if (!rules_allow_full_sync(sim->options.rules, primary->rule->series, node->rule->series)) {
            node->keys = 0; /* measured: emptied for a copy that it then cannot read, for ever */
            begin_full_copy(sim, node, primary, SIM_RESYNC_RETRY_MS);
            return;
        }
        node->keys = primary->keys;
    }
    node->replid = primary->replid;
    node->replid_before = 0;
    node->sync = SIM_SYNC_NONE;
    node->is_link_up = true;
}

void sim_promote(struct sim *sim, struct sim_node *node)
{
    cut_link(sim, node);
    node->due_ms[SIM_TIMER_SWITCH] = SIM_NEVER;
    node->role = FACT_ROLE_PRIMARY;
    node->primary = -1;
    node->epoch = ++sim->epoch;
    node->replid_before = node->replid;
    node->keys_before = node->keys;
    node->replid = ++sim->replid_last;
    sim->shards[node->shard].owner = sim_index(sim, node);
    sim_account(sim, node);
    sim_announce(sim, node);
    for (int i = 0; i < sim->node_count; i++) {
        struct sim_node *other = &sim->nodes[i];
        if (other != node && other->shard == node->shard && other->phase == SIM_UP) {
            other->due_ms[SIM_TIMER_LEARN] = sim->now_ms + sim_draw(sim, 1, REPOINT_MS_MAX);
        }
    }
}

void sim_on_learn(struct sim *sim, struct sim_node *node)
{
    const int owner = sim->shards[node->shard].owner;
    if (owner == sim_index(sim, node) || node->primary == owner) {
        return;
    }
    if (node->role == FACT_ROLE_PRIMARY) {
        node->demoted_ms = sim->now_ms;
        node->is_rejoining = false;
        node->due_ms[SIM_TIMER_REJOIN] = SIM_NEVER;
        node->paused_until_ms = 0;
        node->link_down_ms = sim->now_ms;
        sim_cut_replicas(sim, node);
    }
    node->role = FACT_ROLE_REPLICA;
    node->primary = owner;
    node->epoch = sim->nodes[owner].epoch;
    sim_refresh_view(sim, node, owner); /* the slots never are without an owner in its view */
    sim_announce(sim, node);
    sim_attach(sim, node);
}

/* The server bounds its own attempt: it takes over when it has everything, or gives up; then the
 * primary ends its pause by itself. */
void sim_on_switch(struct sim *sim, struct sim_node *node)
{
    if (node->role != FACT_ROLE_REPLICA) {
        return;
    }
    const struct sim_node *primary = &sim->nodes[node->primary];
    if (!is_serving_primary(primary) || !node->is_link_up ||
        sim->options.lag_ms >= SIM_FAILOVER_LIMIT_MS) {
        return;
    }
    node->keys = primary->keys; /* the pause let the stream run dry */
    sim_promote(sim, node);
}

static bool has_majority(const struct sim *sim)
{
    int up_count = 0;
    for (int i = 0; i < sim->shard_count; i++) {
        up_count += is_serving_primary(&sim->nodes[sim->shards[i].owner]);
    }
    return up_count > sim->shard_count / 2;
}

/* The replica that has most; one that never finished a copy has nothing to offer. */
static struct sim_node *best_replica(struct sim *sim, const struct sim_node *primary)
{
    struct sim_node *best = NULL;
    for (int i = 0; i < sim->node_count; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (node->phase == SIM_UP && node->primary == sim_index(sim, primary) &&
            node->replid != 0 && (best == NULL || node->keys > best->keys)) {
            best = node;
        }
    }
    return best;
}

void sim_on_failover(struct sim *sim, struct sim_node *node)
{
    struct sim_node *best = best_replica(sim, node);
    if (best != NULL && has_majority(sim)) {
        sim_promote(sim, best);
    } else {
        node->due_ms[SIM_TIMER_FAILOVER] = sim->now_ms + ELECTION_RETRY_MS;
    }
}

static struct err *repl_get_state(const struct call *call, struct replication *replication,
    const struct inv_node *node, struct replication_state *ret_state)
{
    struct sim_act act = {.sim = ((struct sim_replication *)replication)->sim,
        .call = call,
        .op = "replication.get_state"};
    struct err *err = sim_enter(&act, node);
    if (err == NULL) {
        err = sim_check_answers(&act);
    }
    if (err == NULL) {
        const struct sim_node *own = act.node;
        *ret_state = (struct replication_state){.is_loading = own->phase == SIM_LOADING};
        snprintf(ret_state->series, sizeof(ret_state->series), "%s", own->rule->series);
        if (own->phase == SIM_UP) { /* while loading, a server does not talk about the cluster */
            ret_state->role = own->role;
            ret_state->is_link_up = own->is_link_up;
            snprintf(ret_state->id, sizeof(ret_state->id), "%s", own->id);
            snprintf(ret_state->primary_id, sizeof(ret_state->primary_id), "%s",
                own->primary < 0 ? "" : act.sim->nodes[own->primary].id);
        }
    }
    return sim_leave(&act, err);
}

static struct err *ask_switchover(struct sim *sim, struct sim_node *node)
{
    const char *refusal = NULL;
    if (node->phase != SIM_UP) {
        refusal = "LOADING server is loading the dataset in memory";
    } else if (node->role != FACT_ROLE_REPLICA) {
        refusal = "ERR You should send CLUSTER FAILOVER to a replica";
    } else if (!is_serving_primary(&sim->nodes[node->primary])) {
        refusal = "ERR Master is down or failed, please use CLUSTER FAILOVER FORCE";
    }
    if (refusal != NULL) {
        return err_code(err_new(ERR_REFUSED, node->inv->name, "%s", refusal), "failover_refused");
    }
    if (node->due_ms[SIM_TIMER_SWITCH] != SIM_NEVER) {
        return NULL; /* asked again while it is under way */
    }
    struct sim_node *primary = &sim->nodes[node->primary];
    const int64_t lag_ms = sim->options.lag_ms;
    int64_t wait_ms = reacts_at_once(primary) ? sim_draw(sim, 2, 30) : sim_draw(sim, 20, 100);
    wait_ms = wait_ms > lag_ms ? wait_ms : lag_ms;
    if (!node->is_link_up || wait_ms > SIM_FAILOVER_LIMIT_MS) {
        wait_ms = SIM_FAILOVER_LIMIT_MS;
    }
    primary->paused_until_ms = sim->now_ms + SIM_FAILOVER_LIMIT_MS;
    node->due_ms[SIM_TIMER_SWITCH] = sim->now_ms + wait_ms;
    return NULL;
}

static struct err *repl_switchover(
    const struct call *call, struct replication *replication, const struct inv_node *target)
{
    struct sim_act act = {.sim = ((struct sim_replication *)replication)->sim,
        .call = call,
        .op = "replication.switchover",
        .is_change = true};
    struct err *err = sim_enter(&act, target);
    if (err == NULL) {
        err = sim_check_answers(&act);
    }
    if (err == NULL) {
        err = ask_switchover(act.sim, act.node);
    }
    return sim_leave(&act, err);
}

static void repl_leave_open(struct replication *UNUSED(replication))
{
    /* part of the simulation, which sim_close() ends */
}

const struct replication_ops sim_replication_ops = {
    .name = "sim",
    .get_state = repl_get_state,
    .switchover = repl_switchover,
    .close = repl_leave_open,
};
