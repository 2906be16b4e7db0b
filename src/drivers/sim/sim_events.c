/*
 * drivers/sim/sim_events.c - how time passes: to the next event, and what happens then.
 *
 * The life of a process:
 *
 *   DOWN --start--> STARTING --answer--> LOADING --ready--> UP --stop, crash--> DOWN
 *                      |                                    a primary: 2 s of rejoining first
 *                      +--die (cannot read its files)--> DOWN
 */
#include <assert.h>

#include "drivers/sim/sim_internal.h"

enum {
    DIE_MS = 50,           /* from start until a server has seen that it cannot read its files */
    GOSSIP_MS = 50,        /* until a restarted node has heard who owns its slots */
    ELECTION_MS_MIN = 500, /* replicas wait so long before they ask for votes */
    ELECTION_MS_SPREAD = 500,
};

static void forget_timers(struct sim_node *node)
{
    for (int i = 0; i < SIM_TIMER_COUNT; i++) {
        node->due_ms[i] = SIM_NEVER;
    }
}

static void on_answer(struct sim *UNUSED(sim), struct sim_node *node)
{
    node->phase = SIM_LOADING;
}

static void on_ready(struct sim *sim, struct sim_node *node)
{
    node->phase = SIM_UP;
    node->is_failed = false;
    node->due_ms[SIM_TIMER_LEARN] = sim->now_ms + GOSSIP_MS;
    if (node->role == FACT_ROLE_PRIMARY) {
        node->replid = ++sim->replid_last;
        node->replid_before = 0;
        node->is_rejoining = true;
        node->due_ms[SIM_TIMER_REJOIN] = sim->now_ms + SIM_REJOIN_MS;
        sim_attach_all(sim, node);
    } else {
        sim_attach(sim, node);
    }
    sim_announce(sim, node);
    sim_listen(sim, node);
}

static void on_process_end(struct sim *sim, struct sim_node *node)
{
    sim_end_process(sim, node);
}

static void on_rejoin(struct sim *sim, struct sim_node *node)
{
    node->is_rejoining = false;
    sim_account(sim, node);
}

static void on_fail(struct sim *sim, struct sim_node *node)
{
    node->is_failed = true;
    sim_announce(sim, node);
    if (node->role == FACT_ROLE_PRIMARY) {
        node->due_ms[SIM_TIMER_FAILOVER] =
            sim->now_ms + sim_draw(sim, ELECTION_MS_MIN, ELECTION_MS_MIN + ELECTION_MS_SPREAD);
    }
}

static void (*const timer_handlers[SIM_TIMER_COUNT])(struct sim *, struct sim_node *) = {
    [SIM_TIMER_ANSWER] = on_answer,
    [SIM_TIMER_READY] = on_ready,
    [SIM_TIMER_DIE] = on_process_end,
    [SIM_TIMER_STOPPED] = on_process_end,
    [SIM_TIMER_REJOIN] = on_rejoin,
    [SIM_TIMER_LEARN] = sim_on_learn,
    [SIM_TIMER_SYNC] = sim_on_sync,
    [SIM_TIMER_SWITCH] = sim_on_switch,
    [SIM_TIMER_FAIL] = on_fail,
    [SIM_TIMER_FAILOVER] = sim_on_failover,
};

static int64_t node_next_due(const struct sim *sim, const struct sim_node *node)
{
    int64_t due_ms = SIM_NEVER;
    for (int i = 0; i < SIM_TIMER_COUNT; i++) {
        due_ms = node->due_ms[i] < due_ms ? node->due_ms[i] : due_ms;
    }
    for (int i = 0; i < sim->node_count; i++) {
        due_ms = node->views[i].due_ms < due_ms ? node->views[i].due_ms : due_ms;
    }
    if (node->paused_until_ms > sim->now_ms && node->paused_until_ms < due_ms) {
        due_ms = node->paused_until_ms;
    }
    return due_ms;
}

static void fire_due(struct sim *sim, struct sim_node *node)
{
    for (int i = 0; i < SIM_TIMER_COUNT; i++) {
        if (node->due_ms[i] <= sim->now_ms) {
            node->due_ms[i] = SIM_NEVER;
            timer_handlers[i](sim, node);
        }
    }
    for (int i = 0; i < sim->node_count; i++) {
        if (node->views[i].due_ms <= sim->now_ms) {
            sim_refresh_view(sim, node, i);
        }
    }
}

void sim_advance(struct sim *sim, int64_t duration_ms)
{
    assert(duration_ms >= 0);
    const int64_t end_ms = sim->now_ms + duration_ms;
    while (sim->now_ms < end_ms) {
        int64_t next_ms = end_ms;
        for (int i = 0; i < sim->node_count; i++) {
            const int64_t due_ms = node_next_due(sim, &sim->nodes[i]);
            next_ms = due_ms < next_ms ? due_ms : next_ms;
        }
        if (next_ms <= sim->now_ms) {
            next_ms = sim->now_ms + 1; /* due at once: no event may stop time */
        }
        sim_write(sim, next_ms - sim->now_ms);
        sim->now_ms = next_ms;
        for (int i = 0; i < sim->node_count; i++) {
            fire_due(sim, &sim->nodes[i]);
        }
    }
}

/* What the program finds in the data directory. False: it cannot read it and ends. */
static bool load_directory(struct sim_node *node)
{
    const struct series_rule *rule = node->rule;
    const bool has_log = node->has_old_log || (rule->is_multi_part_aof && node->has_appendonly_dir);
    if (!has_log) {
        node->keys = 0; /* measured: looks for its log, finds none, starts empty, says nothing */
    } else if (node->rdb_version > rule->rdb_version) {
        return false; /* measured: "Can't handle RDB format version" */
    }
    node->rdb_version = rule->rdb_version;
    node->has_appendonly_dir |= rule->is_multi_part_aof;
    node->has_old_log = !rule->is_multi_part_aof; /* a newer one takes it into its folder */
    return true;
}

void sim_start_process(struct sim *sim, struct sim_node *node)
{
    forget_timers(node);
    node->program = sim_find_program(sim, node->link);
    node->rule = sim_program_rule(sim, node->program);
    node->phase = SIM_STARTING;
    node->pid = ++sim->pid_last;
    node->started_ms = sim->now_ms;
    node->start_count++;
    node->replid = 0; /* measured: a log file does not keep the history's name */
    node->full_sync_count = 0;
    sim_settings_reload(node);
    const int64_t restart_ms = sim_draw(sim, SIM_RESTART_MS_MIN, SIM_RESTART_MS_MAX);
    if (node->program->complaint != NULL || !load_directory(node)) {
        node->due_ms[SIM_TIMER_DIE] = sim->now_ms + DIE_MS;
        return;
    }
    node->due_ms[SIM_TIMER_ANSWER] = sim->now_ms + restart_ms / 2;
    node->due_ms[SIM_TIMER_READY] = sim->now_ms + restart_ms;
}

void sim_end_process(struct sim *sim, struct sim_node *node)
{
    if (node->phase == SIM_DOWN) {
        return;
    }
    forget_timers(node);
    node->phase = SIM_DOWN;
    node->is_rejoining = false;
    node->paused_until_ms = 0;
    node->sync = SIM_SYNC_NONE;
    if (node->is_link_up) {
        node->is_link_up = false;
        node->link_down_ms = sim->now_ms;
    }
    node->due_ms[SIM_TIMER_FAIL] = sim->now_ms + sim->options.node_timeout_ms;
    if (node->role == FACT_ROLE_PRIMARY) {
        sim_cut_replicas(sim, node);
    }
    sim_announce(sim, node);
}
