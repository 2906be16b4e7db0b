/*
 * drivers/sim/sim_write.c - a client that writes all the time, and the stream to the replicas.
 *
 * A write is acknowledged when the primary has it; replicas have it `lag_ms` later. What was
 * acknowledged and is in no data set that a primary serves any more is lost.
 */
#include "drivers/sim/sim_internal.h"

int64_t sim_good_replicas(const struct sim *sim, const struct sim_node *primary)
{
    int64_t count = 0;
    for (int i = 0; i < sim->node_count; i++) {
        const struct sim_node *node = &sim->nodes[i];
        count += node->is_link_up && node->primary == sim_index(sim, primary);
    }
    return count;
}

static bool can_write(const struct sim *sim, const struct sim_node *primary)
{
    return primary->phase == SIM_UP && primary->role == FACT_ROLE_PRIMARY &&
           !primary->is_rejoining && primary->paused_until_ms <= sim->now_ms &&
           sim_slots_failing(sim, primary) == 0 && /* cluster-require-full-coverage yes */
           sim_good_replicas(sim, primary) >= sim_setting_number(primary, "min-replicas-to-write");
}

/* Writes to one shard for a while; says how many keys were acknowledged. */
static int64_t write_shard(struct sim *sim, struct sim_shard *shard, int64_t duration_ms)
{
    struct sim_node *primary = &sim->nodes[shard->owner];
    if (sim->options.write_rate == 0) {
        return 0;
    }
    if (!can_write(sim, primary)) {
        shard->stalled_ms += duration_ms;
        sim->stall_ms_max =
            shard->stalled_ms > sim->stall_ms_max ? shard->stalled_ms : sim->stall_ms_max;
        return 0;
    }
    shard->stalled_ms = 0;
    const int64_t per_key = 1000 * (int64_t)sim->shard_count;
    shard->keys_fraction += sim->options.write_rate * duration_ms;
    const int64_t count = shard->keys_fraction / per_key;
    shard->keys_fraction %= per_key;
    primary->keys += count;
    shard->keys_acked += count;
    return count;
}

/* What a replica has after `duration_ms`: all that its primary had `lag_ms` ago. */
static void feed_replica(
    const struct sim *sim, struct sim_node *replica, int64_t duration_ms, int64_t written)
{
    const struct sim_node *primary = &sim->nodes[replica->primary];
    const int64_t lag_ms = sim->options.lag_ms;
    const int64_t missing_before = primary->keys - written - replica->keys;
    int64_t keys;
    if (duration_ms >= lag_ms) {
        keys = primary->keys - written * lag_ms / duration_ms;
    } else {
        keys = replica->keys + (missing_before * duration_ms + lag_ms - 1) / lag_ms;
    }
    replica->keys = keys > replica->keys ? keys : replica->keys;
}

void sim_write(struct sim *sim, int64_t duration_ms)
{
    int64_t written[SIM_NODES_MAX] = {0};
    for (int i = 0; i < sim->shard_count; i++) {
        written[sim->shards[i].owner] = write_shard(sim, &sim->shards[i], duration_ms);
    }
    for (int i = 0; i < sim->node_count; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (node->is_link_up && node->primary >= 0) {
            feed_replica(sim, node, duration_ms, written[node->primary]);
        }
    }
}

void sim_account(struct sim *sim, const struct sim_node *primary)
{
    struct sim_shard *shard = &sim->shards[primary->shard];
    const int64_t missing = shard->keys_acked - shard->keys_lost - primary->keys;
    if (shard->owner == sim_index(sim, primary) && missing > 0) {
        shard->keys_lost += missing;
    }
}
