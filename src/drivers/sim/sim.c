#include "drivers/sim/sim.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "drivers/sim/sim_files.h"
#include "drivers/sim/sim_internal.h"

enum {
    SLOT_COUNT = 16384,
    NODE_TIMEOUT_MS = 15000,
    FIRST_PORT = 7000,
    WALL_MS_AT_START = 1000000, /* people's time runs beside ours; any date will do */
};

int64_t sim_draw(struct sim *sim, int64_t min, int64_t max)
{
    assert(min <= max);
    return min + (int64_t)random_below(&sim->random, (uint64_t)(max - min) + 1);
}

struct sim_node *sim_find(struct sim *sim, const char *name)
{
    for (int i = 0; i < sim->node_count; i++) {
        if (text_equal(sim->nodes[i].inv->name, name)) {
            return &sim->nodes[i];
        }
    }
    return NULL;
}

int sim_index(const struct sim *sim, const struct sim_node *node)
{
    return (int)(node - sim->nodes);
}

const struct sim_program *sim_find_program(const struct sim *sim, const char *path)
{
    for (size_t i = 0; i < sim->options.program_count; i++) {
        if (text_equal(sim->options.programs[i].path, path)) {
            return &sim->options.programs[i];
        }
    }
    return NULL;
}

const struct series_rule *sim_program_rule(const struct sim *sim, const struct sim_program *program)
{
    AUTO_ARENA arena = {0};
    struct version version;
    AUTO_ERR err = version_parse(&arena, program->product, program->version, &version);
    return err == NULL ? rules_find(sim->options.rules, version_series(&arena, &version)) : NULL;
}

static int64_t timepiece_now_ms(struct clock *clock)
{
    struct sim *sim = ((struct sim_clock *)clock)->sim;
    pthread_mutex_lock(&sim->mutex);
    const int64_t now_ms = sim->now_ms;
    pthread_mutex_unlock(&sim->mutex);
    return now_ms;
}

static int64_t timepiece_wall_ms(struct clock *clock)
{
    return timepiece_now_ms(clock) + WALL_MS_AT_START;
}

static void timepiece_wait_ms(struct clock *clock, int64_t duration_ms)
{
    struct sim *sim = ((struct sim_clock *)clock)->sim;
    pthread_mutex_lock(&sim->mutex);
    sim_advance(sim, duration_ms);
    pthread_mutex_unlock(&sim->mutex);
}

static const struct clock_ops timepiece_ops = {
    .now_ms = timepiece_now_ms,
    .wall_ms = timepiece_wall_ms,
    .wait_ms = timepiece_wait_ms,
};

static void make_shards(struct sim *sim)
{
    for (int i = 0; i < sim->shard_count; i++) {
        sim->shards[i] = (struct sim_shard){
            .owner = i,
            .slot_first = (int64_t)SLOT_COUNT * i / sim->shard_count,
            .slot_last = (int64_t)SLOT_COUNT * (i + 1) / sim->shard_count - 1,
            .keys_acked = sim->options.key_count,
        };
    }
}

/* A node as it is in a cluster that has run quietly for long. */
static void make_node(struct sim *sim, int index)
{
    struct sim_node *node = &sim->nodes[index];
    node->inv = &sim->options.cluster->nodes[index];
    for (size_t i = 0; i + 1 < sizeof(node->id); i++) {
        node->id[i] = "0123456789abcdef"[random_below(&sim->random, 16)];
    }
    node->link = mem_strdup(sim->options.server);
    node->program = sim_find_program(sim, sim->options.server);
    assert(node->program != NULL);
    node->rule = sim_program_rule(sim, node->program);
    assert(node->rule != NULL);
    node->phase = SIM_UP;
    node->pid = ++sim->pid_last;
    node->start_count = 1;
    node->has_appendonly_dir = node->rule->is_multi_part_aof;
    node->has_old_log = !node->rule->is_multi_part_aof;
    node->rdb_version = node->rule->rdb_version;
    node->shard = index % sim->shard_count;
    node->primary = index < sim->shard_count ? -1 : node->shard;
    node->role = node->primary < 0 ? FACT_ROLE_PRIMARY : FACT_ROLE_REPLICA;
    node->epoch = node->shard + 1;
    node->keys = sim->options.key_count;
    node->replid = node->shard + 1;
    node->is_link_up = node->role == FACT_ROLE_REPLICA;
    node->demoted_ms = INT64_MIN / 2;
    for (int i = 0; i < SIM_TIMER_COUNT; i++) {
        node->due_ms[i] = SIM_NEVER;
    }
    sim_settings_init(sim, node);
}

static void connect_world(struct sim *sim)
{
    sim->host = (struct sim_host){{&sim_host_ops}, sim};
    sim->service = (struct sim_service){{&sim_service_ops}, sim};
    sim->package = (struct sim_package){{&sim_package_ops}, sim};
    sim->settings = (struct sim_settings){{&sim_settings_ops}, sim};
    sim->cutover = (struct sim_cutover){{&sim_cutover_ops}, sim};
    sim->replication = (struct sim_replication){{&sim_replication_ops}, sim};
    sim->topology = (struct sim_topology){{&sim_topology_ops}, sim};
    sim->clock = (struct sim_clock){{&timepiece_ops}, sim};
    sim->world = (struct world){
        .cluster = sim->options.cluster,
        .topology = &sim->topology.base,
        .replication = &sim->replication.base,
        .cutover = &sim->cutover.base,
        .settings = &sim->settings.base,
        .service = &sim->service.base,
        .package = &sim->package.base,
        .host = &sim->host.base,
    };
}

struct sim *sim_open(const struct sim_options *options)
{
    assert(options->cluster->node_count <= SIM_NODES_MAX);
    assert(options->shard_count > 0 && options->shard_count <= options->cluster->node_count);
    struct sim *sim = mem_alloc(sizeof(*sim));
    pthread_mutex_init(&sim->mutex, NULL);
    sim->options = *options;
    if (sim->options.node_timeout_ms == 0) {
        sim->options.node_timeout_ms = NODE_TIMEOUT_MS;
    }
    sim->random.state = options->seed;
    sim->node_count = (int)options->cluster->node_count;
    sim->shard_count = (int)options->shard_count;
    sim->nodes = mem_alloc_array(options->cluster->node_count, sizeof(*sim->nodes));
    sim->shards = mem_alloc_array(options->shard_count, sizeof(*sim->shards));
    sim->epoch = sim->shard_count;
    sim->replid_last = sim->shard_count;
    for (size_t i = 0; i < options->program_count; i++) {
        assert(sim_program_rule(sim, &options->programs[i]) != NULL);
    }
    make_shards(sim);
    for (int i = 0; i < sim->node_count; i++) {
        make_node(sim, i);
    }
    for (int i = 0; i < sim->node_count; i++) {
        for (int j = 0; j < sim->node_count; j++) {
            sim_refresh_view(sim, &sim->nodes[i], j);
        }
    }
    connect_world(sim);
    return sim;
}

void sim_close(struct sim *sim)
{
    if (sim == NULL) {
        return;
    }
    for (int i = 0; i < sim->node_count; i++) {
        free(sim->nodes[i].link);
        free(sim->nodes[i].claim);
        sim_free_files(&sim->nodes[i]);
    }
    pthread_mutex_destroy(&sim->mutex);
    free(sim->nodes);
    free(sim->shards);
    free(sim);
}

void sim_fill_cluster(struct arena *arena, size_t node_count, struct inv_cluster *ret_cluster)
{
    *ret_cluster = (struct inv_cluster){
        .name = "sim",
        .datastore = "redis",
        .topology = "cluster",
        .host_via = "local",
        .service_manager = "process",
        .package_provider = "suite",
        .nodes = arena_alloc_array(arena, node_count, sizeof(*ret_cluster->nodes)),
        .node_count = node_count,
        .place = "sim",
        .policy = {.max_unavailable = 1,
            .soak_s = 30,
            .step_timeout_s = 120,
            .gate_timeout_s = 300,
            .lag_bytes_max = 1 << 20,
            .backlog_bytes = 64 << 20,
            .probe = {.mode = INV_PROBE_OFF}},
    };
    for (size_t i = 0; i < node_count; i++) {
        const char *name = arena_format(arena, "n%zu", i + 1);
        ret_cluster->nodes[i] = (struct inv_node){
            .name = name,
            .host = "127.0.0.1",
            .port = FIRST_PORT + (int64_t)i,
            .directory = arena_format(arena, "/sim/%s/data", name),
            .config_file = arena_format(arena, "/sim/%s/server.conf", name),
            .server_link = arena_format(arena, "/sim/%s/server", name),
            .pid_file = arena_format(arena, "/sim/%s/server.pid", name),
            .log_file = arena_format(arena, "/sim/%s/server.log", name),
        };
    }
}

struct world *sim_world(struct sim *sim)
{
    return &sim->world;
}

struct clock *sim_clock(struct sim *sim)
{
    return &sim->clock.base;
}

void sim_set_faults(struct sim *sim, struct sim_faults faults)
{
    pthread_mutex_lock(&sim->mutex);
    sim->options.faults = faults;
    pthread_mutex_unlock(&sim->mutex);
}

void sim_fail_next(
    struct sim *sim, const char *op, const char *node, enum sim_fault fault, int64_t delay_ms)
{
    pthread_mutex_lock(&sim->mutex);
    assert(sim->script_count < SIM_SCRIPT_MAX);
    sim->script[sim->script_count++] = (struct sim_scripted){op, node, fault, delay_ms};
    pthread_mutex_unlock(&sim->mutex);
}

void sim_crash_node(struct sim *sim, const char *node)
{
    pthread_mutex_lock(&sim->mutex);
    struct sim_node *found = sim_find(sim, node);
    assert(found != NULL);
    sim_end_process(sim, found);
    pthread_mutex_unlock(&sim->mutex);
}

void sim_set_write_rate(struct sim *sim, int64_t rate)
{
    pthread_mutex_lock(&sim->mutex);
    sim->options.write_rate = rate;
    pthread_mutex_unlock(&sim->mutex);
}

void sim_set_lag_ms(struct sim *sim, int64_t lag_ms)
{
    pthread_mutex_lock(&sim->mutex);
    sim->options.lag_ms = lag_ms;
    pthread_mutex_unlock(&sim->mutex);
}

struct sim_counts sim_get_counts(struct sim *sim)
{
    pthread_mutex_lock(&sim->mutex);
    struct sim_counts counts = {.stall_ms_max = sim->stall_ms_max};
    for (int i = 0; i < sim->shard_count; i++) {
        counts.acked += sim->shards[i].keys_acked - sim->options.key_count;
        counts.lost += sim->shards[i].keys_lost;
    }
    pthread_mutex_unlock(&sim->mutex);
    return counts;
}

int64_t sim_get_start_count(struct sim *sim, const char *node)
{
    pthread_mutex_lock(&sim->mutex);
    const struct sim_node *found = sim_find(sim, node);
    assert(found != NULL);
    const int64_t count = found->start_count;
    pthread_mutex_unlock(&sim->mutex);
    return count;
}
