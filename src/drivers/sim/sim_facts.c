/*
 * drivers/sim/sim_facts.c - the simulated cluster as facts: each node's answers and its own view.
 */
#include <stdlib.h>

#include "base/sha256.h"
#include "base/str.h"
#include "drivers/sim/sim_act.h"

enum { SLOT_COUNT = 16384, CLIENT_COUNT = 8, STRAGGLER_COUNT = 2 };

static const char *slots_text(struct arena *arena, const struct sim *sim, int shard)
{
    return arena_format(arena, "%lld-%lld", (long long)sim->shards[shard].slot_first,
        (long long)sim->shards[shard].slot_last);
}

static const char *address_text(struct arena *arena, const struct inv_node *node)
{
    return arena_format(arena, "%s:%lld", node->host, (long long)node->port);
}

static const char *primary_id(struct arena *arena, const struct sim *sim, int primary)
{
    return primary < 0 ? NULL : arena_strdup(arena, sim->nodes[primary].id);
}

static int compare_views(const void *a, const void *b)
{
    return strcmp(((const struct fact_view *)a)->id, ((const struct fact_view *)b)->id);
}

/* What every viewer tells of a node: written once for all of them. */
struct sim_spoken {
    const char *id, *address, *slots;
};

static void speak(const struct sim *sim, struct arena *arena, struct sim_spoken *ret_spoken)
{
    for (int i = 0; i < sim->node_count; i++) {
        const struct sim_node *node = &sim->nodes[i];
        ret_spoken[i] = (struct sim_spoken){
            .id = arena_strdup(arena, node->id),
            .address = address_text(arena, node->inv),
            .slots = slots_text(arena, sim, node->shard),
        };
    }
}

static void fill_views(const struct sim *sim, const struct sim_node *node,
    const struct sim_spoken *spoken, struct arena *arena, struct fact_node *fact)
{
    fact->views = arena_alloc_array(arena, (size_t)sim->node_count, sizeof(*fact->views));
    fact->view_count = (size_t)sim->node_count;
    for (int i = 0; i < sim->node_count; i++) {
        const struct sim_view *view = &node->views[i];
        const struct sim_node *other = &sim->nodes[i];
        fact->views[i] = (struct fact_view){
            .id = spoken[i].id,
            .address = spoken[i].address,
            .role = view->role,
            .primary_id = view->primary < 0 ? NULL : spoken[view->primary].id,
            .is_myself = other == node,
            .is_failing = view->is_failing,
            .is_linked = view->is_linked,
            .epoch = view->epoch,
            .slots = view->has_slots ? spoken[i].slots : NULL,
        };
    }
    qsort(fact->views, fact->view_count, sizeof(*fact->views), compare_views);
}

/* CLUSTER INFO: the sums of the node's own view. */
static void fill_cluster(const struct sim *sim, const struct sim_node *node, struct fact_node *fact)
{
    int64_t owned = 0;
    for (int i = 0; i < sim->node_count; i++) {
        const struct sim_view *view = &node->views[i];
        const struct sim_shard *shard = &sim->shards[sim->nodes[i].shard];
        owned += view->has_slots ? shard->slot_last - shard->slot_first + 1 : 0;
        fact->current_epoch = view->epoch > fact->current_epoch ? view->epoch : fact->current_epoch;
    }
    fact->slots_failing = sim_slots_failing(sim, node);
    fact->slots_ok = owned - fact->slots_failing;
    fact->is_cluster_ok = fact->slots_ok == SLOT_COUNT && !node->is_rejoining;
    fact->known_nodes = sim->node_count;
}

static void fill_replication(
    const struct sim *sim, const struct sim_node *node, struct arena *arena, struct fact_node *fact)
{
    const bool is_replica = node->role == FACT_ROLE_REPLICA;
    fact->id = arena_strdup(arena, node->id);
    fact->role = node->role;
    fact->primary_id = primary_id(arena, sim, node->primary);
    fact->slots =
        node->views[sim_index(sim, node)].has_slots ? slots_text(arena, sim, node->shard) : NULL;
    fact->epoch = node->epoch;
    fact->is_link_up = node->is_link_up;
    fact->is_syncing = node->sync == SIM_SYNC_FULL;
    fact->link_silence_s =
        is_replica && !node->is_link_up ? (sim->now_ms - node->link_down_ms) / 1000 : 0;
    fact->offset = node->keys * SIM_KEY_BYTES;
    fact->replid = arena_format(arena, "%040llx", (unsigned long long)node->replid);
    fact->replica_count = is_replica ? 0 : sim_good_replicas(sim, node);
    fact->full_sync_count = node->full_sync_count;
}

static void fill_storage(const struct sim_node *node, struct fact_node *fact)
{
    fact->key_count = node->keys;
    fact->has_appendonly = text_equal(sim_setting_text(node, "appendonly"), "yes");
    fact->is_persistent = fact->has_appendonly || *sim_setting_text(node, "save") != '\0';
    fact->is_last_write_good = true;
    fact->backlog_bytes = sim_setting_number(node, "repl-backlog-size");
    fact->min_replicas = sim_setting_number(node, "min-replicas-to-write");
}

static void fill_room(const struct sim_node *node, struct fact_node *fact)
{
    fact->data_bytes = node->keys * SIM_KEY_BYTES;
    fact->used_bytes = fact->data_bytes;
    fact->memory_bytes = SIM_ROOM_BYTES;
    fact->memory_free_bytes = SIM_ROOM_BYTES;
    fact->overcommit = 1;
    fact->disk_bytes = SIM_ROOM_BYTES;
    fact->disk_free_bytes = SIM_ROOM_BYTES;
}

static int64_t busy_clients(const struct sim *sim, const struct sim_node *node)
{
    if (sim->options.write_rate == 0) {
        return 0;
    }
    if (node->role == FACT_ROLE_PRIMARY) {
        return CLIENT_COUNT;
    }
    return sim->now_ms - node->demoted_ms < SIM_CLIENTS_LINGER_MS ? STRAGGLER_COUNT : 0;
}

static void fill_drift(const struct sim_node *node, struct arena *arena, struct fact_node *fact)
{
    for (size_t i = 0; sim_setting_name(i) != NULL; i++) {
        const struct sim_setting *setting = &node->settings[i];
        if (!text_equal(setting->live, setting->file)) {
            struct fact_drift *drift =
                arena_push(arena, &fact->drift, &fact->drift_count, sizeof(*drift));
            drift->setting = sim_setting_name(i);
            drift->live = arena_strdup(arena, setting->live);
            drift->file = arena_strdup(arena, setting->file);
        }
    }
}

/* What the node's host tells, whether its server runs or not. */
static void fill_files(const struct sim_node *node, struct arena *arena, struct fact_node *fact)
{
    AUTO_BUF config = {0};
    sim_write_config(node, &config);
    char digest[SHA256_HEX_SIZE];
    sha256_hex(buf_text(&config), config.size, digest);
    fact->name = node->inv->name;
    fact->address = address_text(arena, node->inv);
    fact->server_target = arena_strdup(arena, node->link);
    fact->config_digest = arena_strdup(arena, digest);
    fact->has_appendonly_dir = node->has_appendonly_dir;
    fact->rdb_version = node->rdb_version;
    fact->rdb_file = "dump.rdb";
    fact->aof_file = "appendonly.aof";
    fact->aof_folder = "appendonlydir";
    fact->cluster_file = "nodes.conf";
}

static void fill_node(struct sim *sim, struct sim_node *node, const struct sim_spoken *spoken,
    struct arena *arena, struct fact_node *fact)
{
    fill_files(node, arena, fact);
    if (node->phase == SIM_DOWN || node->phase == SIM_STARTING) {
        fact->trouble = "connection refused";
        fact->trouble_code = "unreachable";
        return;
    }
    fact->is_reachable = true;
    fact->product = node->program->product;
    fact->version = node->program->version;
    fact->series = node->rule->series;
    fact->process = arena_format(arena, "%040llx", (unsigned long long)node->pid);
    fact->uptime_s = (sim->now_ms - node->started_ms) / 1000;
    fact->is_loading = node->phase == SIM_LOADING;
    if (fact->is_loading) {
        return; /* a loading server does not talk about the cluster */
    }
    sim_refresh_view(sim, node, sim_index(sim, node));
    fill_views(sim, node, spoken, arena, fact);
    fill_cluster(sim, node, fact);
    fill_replication(sim, node, arena, fact);
    fill_storage(node, fact);
    fill_room(node, fact);
    fill_drift(node, arena, fact);
    fact->busy_clients = busy_clients(sim, node);
}

static struct err *topology_look(
    const struct call *UNUSED(call), struct topology *topology, struct facts *ret_facts)
{
    struct sim *sim = ((struct sim_topology *)topology)->sim;
    pthread_mutex_lock(&sim->mutex);
    ret_facts->cluster = sim->options.cluster->name;
    ret_facts->datastore = sim->options.cluster->datastore;
    ret_facts->topology = sim->options.cluster->topology;
    ret_facts->read_at_ms = sim->now_ms;
    ret_facts->node_count = (size_t)sim->node_count;
    ret_facts->nodes =
        arena_alloc_array(&ret_facts->arena, ret_facts->node_count, sizeof(*ret_facts->nodes));
    struct sim_spoken spoken[SIM_NODES_MAX];
    speak(sim, &ret_facts->arena, spoken);
    for (int i = 0; i < sim->node_count; i++) {
        fill_node(sim, &sim->nodes[i], spoken, &ret_facts->arena, &ret_facts->nodes[i]);
    }
    pthread_mutex_unlock(&sim->mutex);
    facts_assign_shards(ret_facts);
    return NULL;
}

static struct err *topology_try_to_load(const struct call *call, struct topology *topology,
    const struct inv_node *node, const char *UNUSED(server), const char *UNUSED(dump),
    int64_t *ret_key_count)
{
    struct sim_act act = {
        .sim = ((struct sim_topology *)topology)->sim, .call = call, .op = "topology.try_dump"};
    struct err *err = sim_enter(&act, node);
    if (err == NULL) {
        *ret_key_count = act.node->keys;
    }
    return sim_leave(&act, err);
}

static struct err *topology_try(const struct call *UNUSED(call), struct topology *topology,
    const struct inv_node *node, const char *server, struct arena *UNUSED(arena),
    struct fact_dry_start *ret_dry_start)
{
    const struct sim *sim = ((struct sim_topology *)topology)->sim;
    const struct sim_program *program = sim_find_program(sim, server);
    *ret_dry_start = (struct fact_dry_start){
        .node = node->name,
        .is_good = program != NULL && program->complaint == NULL,
        .message = program == NULL ? "no such program" : program->complaint,
    };
    return NULL;
}

static void topology_leave_open(struct topology *UNUSED(topology))
{
    /* part of the simulation, which sim_close() ends */
}

const struct topology_ops sim_topology_ops = {
    .name = "sim",
    .read = topology_look,
    .dry_start = topology_try,
    .try_dump = topology_try_to_load,
    .close = topology_leave_open,
};
