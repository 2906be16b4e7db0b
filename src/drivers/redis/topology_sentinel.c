/*
 * drivers/redis/topology_sentinel.c - every Sentinel's own view of the primary and its replicas.
 *
 * Read one by one like nodes: a Sentinel that does not answer costs at most two seconds and becomes
 * a fact, because how many agree is what an upgrade has to know.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "drivers/redis/facts.h"
#include "drivers/redis/peers.h"

enum {
    SENTINEL_READ_MS_MAX = 2000,
    SENTINEL_CONFIG_SIZE_MAX = 4 * 1024 * 1024,
};

/* One Sentinel while it is read. */
struct watch {
    const struct call *call;
    const struct redis_driver *driver;
    const struct inv_node *node;
    struct arena *arena;
    struct fact_sentinel *fact;
    struct redis_conn *conn;
};

static struct str text_of(const struct resp *map, const char *key)
{
    const struct resp *value = resp_find(map, key);
    return value != NULL && value->type == RESP_STRING ? value->text : (struct str){NULL, 0};
}

static int64_t number_of(const struct resp *map, const char *key)
{
    int64_t number = 0;
    return str_to_int64(text_of(map, key), &number) ? number : 0;
}

/* Is `word` one of "master,s_down,o_down"? */
static bool has_flag(const struct resp *map, const char *word)
{
    struct str rest = text_of(map, "flags");
    struct str flag;
    while (str_cut(&rest, ',', &flag)) {
        if (str_is(flag, word)) {
            return true;
        }
    }
    return false;
}

static const char *peer_of(
    const struct watch *watch, const struct resp *map, const char *host, const char *port)
{
    const struct str name = text_of(map, host);
    return name.size == 0 || str_is(name, "?")
               ? NULL
               : redis_peer_id(watch->arena, watch->driver->cluster, name, number_of(map, port));
}

static struct err *ask_version(const struct watch *watch)
{
    struct str info;
    struct fact_node node = {.address = watch->fact->address};
    struct err *err = redis_conn_ask_text(watch->call, watch->conn, REDIS_COMMAND("INFO"), &info);
    if (err == NULL) {
        err = redis_facts_server(watch->arena, info, &node);
    }
    watch->fact->product = node.product;
    watch->fact->version = node.version;
    watch->fact->series = node.series;
    watch->fact->process = node.process;
    return err;
}

static struct err *ask_primary(const struct watch *watch)
{
    struct resp reply;
    struct err *err = redis_conn_ask(watch->call, watch->conn,
        REDIS_COMMAND("SENTINEL", "MASTER", watch->driver->cluster->master_name), &reply);
    if (err != NULL) {
        return err;
    }
    struct fact_sentinel *fact = watch->fact;
    fact->primary_id = peer_of(watch, &reply, "ip", "port");
    fact->is_primary_down = has_flag(&reply, "s_down") || has_flag(&reply, "o_down");
    fact->is_failing_over = has_flag(&reply, "failover_in_progress");
    fact->quorum = number_of(&reply, "quorum");
    fact->sentinel_count = number_of(&reply, "num-other-sentinels") + 1;
    fact->down_after_ms = number_of(&reply, "down-after-milliseconds");
    return NULL;
}

static int compare_watched(const void *a, const void *b)
{
    const struct fact_watched *left = a;
    const struct fact_watched *right = b;
    return strcmp(left->id, right->id);
}

/* SLAVES, because 6.0 to 8.1 all know that name. */
static struct err *ask_watched(const struct watch *watch)
{
    struct resp reply;
    struct err *err = redis_conn_ask(watch->call, watch->conn,
        REDIS_COMMAND("SENTINEL", "SLAVES", watch->driver->cluster->master_name), &reply);
    for (size_t i = 0; err == NULL && reply.type == RESP_ARRAY && i < reply.count; i++) {
        const struct resp *item = &reply.items[i];
        const char *id = peer_of(watch, item, "ip", "port");
        if (id == NULL) {
            continue;
        }
        struct fact_watched *slot = arena_push(
            watch->arena, &watch->fact->watched, &watch->fact->watched_count, sizeof(*slot));
        *slot = (struct fact_watched){.id = id,
            .is_down = has_flag(item, "s_down") || has_flag(item, "o_down") ||
                       has_flag(item, "disconnected"),
            .is_link_up = str_is(text_of(item, "master-link-status"), "ok"),
            .info_age_ms = number_of(item, "info-refresh"),
            .priority = number_of(item, "slave-priority"),
            .primary_id = peer_of(watch, item, "master-host", "master-port")};
    }
    if (watch->fact->watched_count > 0) {
        qsort(watch->fact->watched, watch->fact->watched_count, sizeof(*watch->fact->watched),
            compare_watched);
    }
    return err;
}

/* "OK 3 usable Sentinels...", or an error "NOQUORUM ...", which is an answer as well. */
static struct err *ask_quorum(const struct watch *watch)
{
    struct resp reply;
    struct err *err = redis_conn_ask(watch->call, watch->conn,
        REDIS_COMMAND("SENTINEL", "CKQUORUM", watch->driver->cluster->master_name), &reply);
    watch->fact->is_quorum_reached = err == NULL && str_starts_with(reply.text, "OK");
    watch->fact->quorum_message =
        err == NULL ? arena_strndup(watch->arena, reply.text.data, reply.text.size)
                    : arena_strdup(watch->arena, err->what);
    if (err != NULL && err->kind == ERR_REFUSED) {
        err_free(err);
        return NULL;
    }
    return err;
}

static struct err *ask_sentinel(struct watch *watch, const struct secret *password)
{
    static struct err *(*const questions[])(const struct watch *watch) = {
        ask_version, ask_primary, ask_watched, ask_quorum};
    struct err *err =
        redis_conn_open(watch->call, watch->driver, watch->node, password, &watch->conn);
    for (size_t i = 0; err == NULL && i < ARRAY_COUNT(questions); i++) {
        err = questions[i](watch);
    }
    redis_conn_close(watch->conn);
    return err;
}

/* Its file is its memory: read for a digest alone. */
static struct err *read_sentinel_files(const struct watch *watch)
{
    AUTO_BUF text = {0};
    bool exists = false;
    AUTO_FREE char *target = NULL;
    struct host *host = watch->driver->host;
    const struct inv_node *node = watch->node;
    struct err *err = host_read_file(
        watch->call, host, node, node->config_file, SENTINEL_CONFIG_SIZE_MAX, &exists, &text);
    if (err == NULL && !exists) {
        err = err_new(ERR_INVALID, node->config_file, "there is no such file");
        err = err_hint(
            err_code(err, "config_missing"), "correct config of %s in the inventory", node->name);
    }
    if (err == NULL) {
        char digest[SHA256_HEX_SIZE];
        sha256_hex(buf_text(&text), text.size, digest);
        watch->fact->config_digest = arena_strdup(watch->arena, digest);
        explicit_bzero(text.data, text.size);
        err = host_read_link(watch->call, host, node, node->server_link, &target);
    }
    if (err == NULL) {
        watch->fact->server_target = arena_strdup(watch->arena, target);
    }
    return err;
}

static void read_sentinel(struct watch *watch, const struct secret *password)
{
    struct fact_sentinel *fact = watch->fact;
    struct err *err = ask_sentinel(watch, password);
    fact->is_reachable = err == NULL;
    struct err *file_err = read_sentinel_files(watch);
    if (err == NULL && file_err != NULL) {
        fact->is_reachable = false;
        err = file_err;
        file_err = NULL;
    }
    err_free(file_err); /* the Sentinel's own trouble comes first */
    if (err != NULL) {
        AUTO_FREE char *text = err_text(err);
        fact->trouble = arena_strdup(watch->arena, text);
        fact->trouble_code = err->code; /* static storage */
        err_free(err);
    }
}

void redis_sentinels_read(const struct call *call, const struct redis_driver *driver,
    const struct secret *password, struct facts *facts)
{
    const struct inv_cluster *cluster = driver->cluster;
    facts->sentinel_count = cluster->sentinel_count;
    facts->sentinels =
        arena_alloc_array(&facts->arena, cluster->sentinel_count, sizeof(*facts->sentinels));
    for (size_t i = 0; i < cluster->sentinel_count; i++) {
        const struct inv_node *node = &cluster->sentinels[i];
        const int64_t share_ms = call_left_ms(call) / (int64_t)(cluster->sentinel_count - i);
        struct call one = *call;
        one.deadline_ms = clock_now_ms(call->clock) +
                          (share_ms < SENTINEL_READ_MS_MAX ? share_ms : SENTINEL_READ_MS_MAX);
        facts->sentinels[i] = (struct fact_sentinel){
            .name = arena_strdup(&facts->arena, node->name),
            .address = arena_format(&facts->arena, "%s:%lld", node->host, (long long)node->port)};
        struct watch watch = {&one, driver, node, &facts->arena, &facts->sentinels[i], NULL};
        read_sentinel(&watch, password);
    }
}

struct err *redis_sentinel_get(const struct call *call, struct redis_conn *conn,
    const char *master_name, const char *name, char **ret_value)
{
    struct resp reply;
    struct err *err =
        redis_conn_ask(call, conn, REDIS_COMMAND("SENTINEL", "MASTER", master_name), &reply);
    if (err == NULL) {
        const struct str value = text_of(&reply, name);
        *ret_value = value.data == NULL ? NULL : mem_format(STR_FMT, STR_ARG(value));
    }
    return err;
}
