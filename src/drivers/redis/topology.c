/*
 * drivers/redis/topology.c - all nodes, each in its own words.
 *
 * Two rounds over the same connections. The first reads everything; the second reads replication
 * once more, primaries before replicas: a replica found at an offset that its primary had *earlier*
 * has everything up to then. A node that does not answer costs its fair share of the time, at most
 * two seconds, and becomes a fact.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "drivers/redis/config.h"
#include "drivers/redis/conn.h"
#include "drivers/redis/facts.h"
#include "drivers/redis/peers.h"
#include "drivers/redis/preflight.h"

enum {
    NODE_READ_MS_MAX = 2000,
    CONFIG_SIZE_MAX = 4 * 1024 * 1024,
    RDB_HEADER_SIZE = 9,
};

/* What is kept of one node between the rounds. */
struct reading {
    const struct inv_node *node;
    struct fact_node *fact;
    struct redis_conn *conn; /* NULL: trouble */
    struct redis_config live;
    struct redis_config file;
};

struct round {
    const struct call *call;
    const struct redis_driver *driver;
    const struct secret *password;
    struct arena *arena;   /* of the facts */
    struct arena *scratch; /* of this read */
    struct reading *readings;
    size_t count;
};

/* Where there is one primary, INFO is all that tells who follows whom. */
static void follow_peers(const struct round *round, struct reading *reading, struct str info)
{
    const struct inv_cluster *cluster = round->driver->cluster;
    if (inv_cluster_has_one_primary(cluster)) {
        redis_peers_of_info(round->arena, cluster, info, reading->node, reading->fact);
    }
}

static struct err *ask_replication(
    const struct call *call, const struct round *round, struct reading *reading)
{
    struct str info;
    struct err *err = redis_conn_ask_text(call, reading->conn, REDIS_COMMAND("INFO"), &info);
    if (err == NULL) { /* the keys of the same instant: else they do not compare */
        err = redis_facts_server(round->arena, info, reading->fact);
    }
    if (err == NULL) {
        redis_facts_replication(round->arena, info, reading->fact);
        follow_peers(round, reading, info);
    }
    return err;
}

static struct err *ask_cluster(
    const struct call *call, const struct round *round, struct reading *reading)
{
    struct str text;
    struct err *err =
        redis_conn_ask_text(call, reading->conn, REDIS_COMMAND("CLUSTER", "INFO"), &text);
    if (err != NULL) {
        return err;
    }
    redis_facts_cluster(text, reading->fact);
    err = redis_conn_ask_text(call, reading->conn, REDIS_COMMAND("CLUSTER", "NODES"), &text);
    return err == NULL ? redis_facts_views(round->arena, text, reading->fact) : err;
}

static void use_settings(const struct redis_config *live, struct fact_node *fact)
{
    const char *appendonly = redis_config_get(live, "appendonly");
    const char *save = redis_config_get(live, "save");
    const char *min_replicas = redis_config_get(live, "min-replicas-to-write");
    const char *priority = redis_config_get(live, "replica-priority");
    fact->has_appendonly = text_equal(appendonly, "yes");
    fact->is_persistent = fact->has_appendonly || (save != NULL && *save != '\0');
    if (min_replicas != NULL && !str_to_int64(str_of(min_replicas), &fact->min_replicas)) {
        fact->min_replicas = 0;
    }
    if (priority != NULL && !str_to_int64(str_of(priority), &fact->replica_priority)) {
        fact->replica_priority = 0;
    }
}

static struct err *ask_settings(
    const struct call *call, const struct round *round, struct reading *reading)
{
    struct resp reply;
    struct err *err =
        redis_conn_ask(call, reading->conn, REDIS_COMMAND("CONFIG", "GET", "*"), &reply);
    if (err != NULL) {
        return err;
    }
    redis_config_of_reply(round->scratch, &reply, &reading->live);
    use_settings(&reading->live, reading->fact);
    redis_preflight_settings(
        round->arena, round->driver->cluster, reading->node, &reading->live, reading->fact);
    return NULL;
}

static struct err *ask_clients(
    const struct call *call, const struct round *round, struct reading *reading)
{
    struct str list;
    struct err *err = redis_conn_ask_text(
        call, reading->conn, REDIS_COMMAND("CLIENT", "LIST", "TYPE", "normal"), &list);
    if (err == NULL) {
        reading->fact->busy_clients = redis_facts_busy_clients(list);
        redis_preflight_clients(round->arena, list, reading->fact);
        err =
            redis_conn_ask_text(call, reading->conn, REDIS_COMMAND("INFO", "commandstats"), &list);
    }
    if (err == NULL) {
        redis_preflight_commands(list, reading->fact);
    }
    return err;
}

static struct err *ask_node(
    const struct call *call, const struct round *round, struct reading *reading)
{
    struct str info;
    struct err *err =
        redis_conn_open(call, round->driver, reading->node, round->password, &reading->conn);
    if (err == NULL) {
        err = redis_conn_ask_text(call, reading->conn, REDIS_COMMAND("INFO"), &info);
    }
    if (err == NULL) {
        err = redis_facts_server(round->arena, info, reading->fact);
    }
    if (err != NULL) {
        return err;
    }
    redis_facts_replication(round->arena, info, reading->fact);
    redis_preflight_info(round->arena, info, reading->fact);
    follow_peers(round, reading, info);
    err = ask_settings(call, round, reading);
    if (err == NULL) {
        err = ask_clients(call, round, reading);
    }
    /* A server that loads its data answers nothing about the cluster. */
    const bool is_asked =
        !reading->fact->is_loading && !inv_cluster_has_one_primary(round->driver->cluster);
    return err == NULL && is_asked ? ask_cluster(call, round, reading) : err;
}

/* The error becomes a fact. The outermost line is the connection's: it names the place itself. */
static void note_trouble(const struct round *round, struct reading *reading, struct err *err)
{
    redis_conn_close(reading->conn);
    reading->conn = NULL;
    if (text_equal(err->code, "loading")) { /* began to load between two questions */
        reading->fact->is_loading = true;
        err_free(err);
        return;
    }
    AUTO_FREE char *text = err_text(err);
    reading->fact->is_reachable = false;
    reading->fact->trouble = arena_strdup(round->arena, text);
    reading->fact->trouble_code = err->code; /* static storage */
    err_free(err);
}

/* The call for one node out of `waiting_count` that are still to be read. */
static struct call call_for_one(const struct call *call, size_t waiting_count)
{
    const int64_t share_ms = call_left_ms(call) / (int64_t)waiting_count;
    struct call one = *call;
    one.deadline_ms =
        clock_now_ms(call->clock) + (share_ms < NODE_READ_MS_MAX ? share_ms : NODE_READ_MS_MAX);
    return one;
}

static void run_first_round(const struct round *round)
{
    for (size_t i = 0; i < round->count; i++) {
        struct reading *reading = &round->readings[i];
        const struct call call = call_for_one(round->call, round->count - i);
        reading->fact->is_reachable = true;
        struct err *err = ask_node(&call, round, reading);
        if (err != NULL) {
            note_trouble(round, reading, err);
        }
    }
}

static void run_offset_round(const struct round *round, bool is_for_replicas)
{
    for (size_t i = 0; i < round->count; i++) {
        struct reading *reading = &round->readings[i];
        const bool is_replica = reading->fact->role == FACT_ROLE_REPLICA;
        if (reading->conn == NULL || is_replica != is_for_replicas) {
            continue;
        }
        const struct call call = call_for_one(round->call, round->count - i);
        struct err *err = ask_replication(&call, round, reading);
        if (err != NULL) {
            note_trouble(round, reading, err);
        }
    }
}

static struct err *read_config_file(const struct round *round, struct reading *reading)
{
    AUTO_BUF text = {0};
    bool exists = false;
    struct err *err = host_read_file(round->call, round->driver->host, reading->node,
        reading->node->config_file, CONFIG_SIZE_MAX, &exists, &text);
    if (err != NULL) {
        return err;
    }
    if (!exists) {
        err = err_new(ERR_INVALID, reading->node->config_file, "there is no such file");
        return err_hint(err_code(err, "config_missing"),
            "correct config_file of %s in the inventory", reading->node->name);
    }
    char digest[SHA256_HEX_SIZE];
    sha256_hex(buf_text(&text), text.size, digest);
    reading->fact->config_digest = arena_strdup(round->arena, digest);
    redis_config_parse(round->scratch, (struct str){text.data, text.size}, &reading->file);
    redis_peers_of_file(round->arena, round->driver->cluster, &reading->file, reading->fact);
    redis_preflight_file(round->arena, round->driver->cluster, &reading->file, reading->fact);
    explicit_bzero(text.data, text.size);
    return NULL;
}

/* The name of a file in the data directory: as the server runs, else as its file says. */
static const char *name_in_directory(const struct round *round, const struct reading *reading,
    const char *setting, const char *standard)
{
    const char *name = redis_config_get(&reading->live, setting);
    if (name == NULL) {
        name = redis_config_get(&reading->file, setting);
    }
    return arena_strdup(round->arena, name == NULL ? standard : name);
}

static const char *path_in_directory(
    const struct round *round, const struct reading *reading, const char *name)
{
    return arena_format(round->scratch, "%s/%s", reading->node->directory, name);
}

static struct err *read_directory(const struct round *round, struct reading *reading)
{
    const struct inv_node *node = reading->node;
    struct host *host = round->driver->host;
    struct fact_node *fact = reading->fact;
    fact->rdb_file = name_in_directory(round, reading, "dbfilename", "dump.rdb");
    fact->aof_file = name_in_directory(round, reading, "appendfilename", "appendonly.aof");
    fact->aof_folder = name_in_directory(round, reading, "appenddirname", "appendonlydir");
    fact->cluster_file = name_in_directory(round, reading, "cluster-config-file", "nodes.conf");
    struct err *err = host_exists(round->call, host, node,
        path_in_directory(round, reading, fact->aof_folder), &fact->has_appendonly_dir);
    if (err != NULL) {
        return err;
    }
    AUTO_BUF header = {0};
    bool exists = false;
    err = host_read_file(round->call, host, node, path_in_directory(round, reading, fact->rdb_file),
        RDB_HEADER_SIZE, &exists, &header);
    fact->rdb_version = redis_facts_rdb_version((struct str){header.data, header.size});
    return err;
}

static struct err *read_room(const struct round *round, struct reading *reading)
{
    struct host_room room = {0};
    struct err *err = host_get_room(round->call, round->driver->host, reading->node, &room);
    redis_preflight_room(&room, reading->fact);
    return err;
}

static struct err *read_server_link(const struct round *round, struct reading *reading)
{
    AUTO_FREE char *target = NULL;
    struct err *err = host_read_link(
        round->call, round->driver->host, reading->node, reading->node->server_link, &target);
    if (err != NULL) {
        return err_hint(err, "point it at the server program in use: ln -s");
    }
    reading->fact->server_target = arena_strdup(round->arena, target);
    return NULL;
}

/* Read whether or not the server answers: a stopped node's directory must be known too. */
static void read_files(const struct round *round)
{
    for (size_t i = 0; i < round->count; i++) {
        struct reading *reading = &round->readings[i];
        struct err *err = read_config_file(round, reading);
        if (err == NULL) {
            err = read_directory(round, reading);
        }
        if (err == NULL) {
            err = read_server_link(round, reading);
        }
        if (err == NULL) {
            err = read_room(round, reading);
        }
        if (err == NULL && reading->live.count > 0) {
            redis_drift_find(round->arena, &reading->live, &reading->file, reading->fact);
        }
        if (err != NULL && reading->fact->is_reachable) {
            note_trouble(round, reading, err);
        } else {
            err_free(err); /* the server's own trouble comes first */
        }
    }
}

static void prepare_facts(const struct round *round, struct facts *facts)
{
    const struct inv_cluster *cluster = round->driver->cluster;
    facts->cluster = arena_strdup(&facts->arena, cluster->name);
    facts->datastore = arena_strdup(&facts->arena, cluster->datastore);
    facts->topology = arena_strdup(&facts->arena, cluster->topology);
    facts->read_at_ms = clock_now_ms(round->call->clock);
    facts->nodes = arena_alloc_array(&facts->arena, round->count, sizeof(*facts->nodes));
    facts->node_count = round->count;
    for (size_t i = 0; i < round->count; i++) {
        const struct inv_node *node = &cluster->nodes[i];
        facts->nodes[i].name = arena_strdup(&facts->arena, node->name);
        facts->nodes[i].address =
            arena_format(&facts->arena, "%s:%lld", node->host, (long long)node->port);
        if (inv_cluster_has_one_primary(cluster)) {
            facts->nodes[i].id = facts->nodes[i].address; /* known of a stopped node, too */
        }
        round->readings[i] = (struct reading){.node = node, .fact = &facts->nodes[i]};
    }
}

static struct err *redis_read(
    const struct call *call, struct topology *topology, struct facts *ret_facts)
{
    const struct redis_driver *driver = REDIS_DRIVER_OF(topology, topology);
    AUTO_SECRET password = {0};
    struct err *err = redis_conn_password(driver, &password);
    if (err != NULL) {
        return err;
    }
    AUTO_ARENA scratch = {0};
    const size_t count = driver->cluster->node_count;
    const struct round round = {.call = call,
        .driver = driver,
        .password = &password,
        .arena = &ret_facts->arena,
        .scratch = &scratch,
        .readings = arena_alloc_array(&scratch, count, sizeof(struct reading)),
        .count = count};
    prepare_facts(&round, ret_facts);
    run_first_round(&round);
    run_offset_round(&round, false);
    run_offset_round(&round, true);
    read_files(&round);
    for (size_t i = 0; i < count; i++) {
        redis_conn_close(round.readings[i].conn);
    }
    facts_assign_shards(ret_facts);
    redis_sentinels_read(call, driver, &password, ret_facts);
    return NULL;
}

static void topology_close_driver(struct topology *topology)
{
    redis_driver_unref(REDIS_DRIVER_OF(topology, topology));
}

const struct topology_ops redis_topology_ops = {
    .name = "redis",
    .read = redis_read,
    .dry_start = redis_dry_start,
    .try_dump = redis_try_dump,
    .close = topology_close_driver,
};
