#include "drivers/redis/preflight.h"

#include <stdlib.h>
#include <strings.h>

#include "base/buf.h"
#include "drivers/redis/conn.h"
#include "drivers/redis/peers.h"
#include "wire/redis_text.h"

enum {
    CLIENTS_MAX = 16,     /* different ones kept per node */
    CLIENT_SIZE_MAX = 48, /* a library's name may be anything */
    MODULES_SIZE_MAX = 256,
    LIMIT_WORD_COUNT = 4, /* a class and three numbers */
};

/* What upshift sends to servers, and its probe; where there is one primary, the guard as well. */
static const char *const used_commands[] = {
    "AUTH", "CLIENT", "CLUSTER", "CONFIG", "DEL", "EXPIRE", "GET", "INFO", "SET"};
static const char *const guard_commands[] = {"EXEC", "MULTI", "REPLICAOF", "ROLE"};

/* The value of "name=" among fields between commas, or the whole rest of such a line. */
static struct str get_part(struct str line, const char *name)
{
    struct str field;
    while (str_cut(&line, ',', &field)) {
        struct str key;
        if (str_cut(&field, '=', &key) && str_is(key, name)) {
            return field;
        }
    }
    return (struct str){0};
}

/* Lines "module:name=search,ver=20811,api=1,...". */
static void read_modules(struct arena *arena, struct str info, struct fact_node *node)
{
    AUTO_BUF names = {0};
    struct str line;
    while (str_cut(&info, '\n', &line)) {
        struct str kind;
        if (!str_starts_with(line, "module:") || !str_cut(&line, ':', &kind)) {
            continue;
        }
        node->module_count++;
        if (names.size < MODULES_SIZE_MAX) {
            buf_printf(&names, "%s" STR_FMT " " STR_FMT, names.size == 0 ? "" : ", ",
                STR_ARG(get_part(line, "name")), STR_ARG(get_part(line, "ver")));
        }
    }
    node->modules = names.size == 0 ? NULL : arena_strdup(arena, buf_text(&names));
}

void redis_preflight_info(struct arena *arena, struct str info, struct fact_node *node)
{
    node->used_bytes = redis_info_number(info, "used_memory", 0);
    node->data_bytes = redis_info_number(info, "used_memory_dataset", 0);
    read_modules(arena, info, node);
}

void redis_preflight_commands(struct str info, struct fact_node *node)
{
    struct str value;
    int64_t calls = 0;
    node->has_waits = redis_info_get(info, "cmdstat_wait", &value) &&
                      str_to_int64(get_part(value, "calls"), &calls) && calls > 0;
}

/* Whatever a client calls itself becomes one clean word or two. */
static void append_clean(struct buf *text, struct str raw)
{
    for (size_t i = 0; i < raw.size && text->size < CLIENT_SIZE_MAX; i++) {
        const unsigned char c = (unsigned char)raw.data[i];
        buf_append_char(text, c <= ' ' || c >= 0x7f || c == ',' ? '_' : (char)c);
    }
}

/* "redis-py 5.0.1", else the connection's name; empty when it gives none. */
static void name_client(struct str line, struct buf *ret_name)
{
    struct str value;
    const bool has_library = redis_client_get(line, "lib-name", &value) && value.size > 0;
    if (has_library || redis_client_get(line, "name", &value)) {
        append_clean(ret_name, value);
    }
    if (has_library && redis_client_get(line, "lib-ver", &value) && value.size > 0) {
        buf_append_char(ret_name, ' ');
        append_clean(ret_name, value);
    }
}

static void keep_client(struct arena *arena, const char *name, struct fact_node *node)
{
    for (size_t i = 0; i < node->client_count; i++) {
        if (text_equal(node->clients[i].name, name)) {
            return;
        }
    }
    if (node->client_count < CLIENTS_MAX) {
        struct fact_client *slot =
            arena_push(arena, &node->clients, &node->client_count, sizeof(*slot));
        slot->name = arena_strdup(arena, name);
    }
}

static int compare_clients(const void *a, const void *b)
{
    return strcmp(((const struct fact_client *)a)->name, ((const struct fact_client *)b)->name);
}

void redis_preflight_clients(struct arena *arena, struct str list, struct fact_node *node)
{
    struct str line;
    while (str_cut(&list, '\n', &line)) {
        struct str name;
        const bool is_ours =
            redis_client_get(line, "name", &name) && str_starts_with(name, REDIS_CONN_PREFIX);
        AUTO_BUF shown = {0};
        if (!is_ours) {
            name_client(line, &shown);
        }
        if (shown.size > 0) {
            keep_client(arena, buf_text(&shown), node);
        }
    }
    if (node->client_count > 1) {
        qsort(node->clients, node->client_count, sizeof(*node->clients), compare_clients);
    }
}

static int64_t get_number(const struct redis_config *live, const char *name)
{
    const char *value = redis_config_get(live, name);
    int64_t number = 0;
    return value != NULL && str_to_int64(str_of(value), &number) ? number : 0;
}

/* A port of its own for TLS came with 6.2; before, and without TLS, the plain one is meant. */
static int64_t get_announced_port(
    const struct inv_cluster *cluster, const struct redis_config *live)
{
    if (inv_cluster_has_one_primary(cluster)) {
        return get_number(live, "replica-announce-port");
    }
    const bool has_tls_port = redis_config_get(live, "cluster-announce-tls-port") != NULL;
    return get_number(live, cluster->tls.is_enabled && has_tls_port ? "cluster-announce-tls-port"
                                                                    : "cluster-announce-port");
}

static const char *find_announced(struct arena *arena, const struct inv_cluster *cluster,
    const struct inv_node *inv, const struct redis_config *live)
{
    const bool has_one_primary = inv_cluster_has_one_primary(cluster);
    const char *host =
        redis_config_get(live, has_one_primary ? "replica-announce-ip" : "cluster-announce-ip");
    const int64_t port = get_announced_port(cluster, live);
    const bool has_host = host != NULL && *host != '\0';
    if (!has_host && port == 0) {
        return NULL;
    }
    return redis_peer_id(
        arena, cluster, str_of(has_host ? host : inv->host), port == 0 ? inv->port : port);
}

/* "normal 0 0 0 slave 268435456 67108864 60 pubsub ...": the hard limit of replicas. */
static int64_t find_replica_limit(const char *limits)
{
    AUTO_ARENA scratch = {0};
    const char **words;
    size_t count;
    if (limits == NULL || !redis_config_split(&scratch, str_of(limits), &words, &count)) {
        return 0;
    }
    for (size_t i = 0; i + LIMIT_WORD_COUNT <= count; i += LIMIT_WORD_COUNT) {
        int64_t bytes = 0;
        if ((strcasecmp(words[i], "slave") == 0 || strcasecmp(words[i], "replica") == 0) &&
            str_to_size(words[i + 1], &bytes)) {
            return bytes;
        }
    }
    return 0;
}

void redis_preflight_settings(struct arena *arena, const struct inv_cluster *cluster,
    const struct inv_node *inv, const struct redis_config *live, struct fact_node *node)
{
    node->announced = find_announced(arena, cluster, inv, live);
    node->is_failover_forbidden =
        text_equal(redis_config_get(live, "cluster-replica-no-failover"), "yes");
    node->replica_buffer_bytes =
        find_replica_limit(redis_config_get(live, "client-output-buffer-limit"));
}

static bool is_one_of(struct str name, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (name.size == strlen(words[i]) && strncasecmp(name.data, words[i], name.size) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_used_command(const struct inv_cluster *cluster, struct str name)
{
    return is_one_of(name, used_commands, ARRAY_COUNT(used_commands)) ||
           (inv_cluster_has_one_primary(cluster) &&
               is_one_of(name, guard_commands, ARRAY_COUNT(guard_commands)));
}

/* The new name is as good as a password: it is not kept. */
void redis_preflight_file(struct arena *arena, const struct inv_cluster *cluster,
    const struct redis_config *file, struct fact_node *node)
{
    AUTO_BUF renamed = {0};
    node->lacks_channels = file->lacks_channels;
    for (size_t i = 0; i < file->count; i++) {
        const struct redis_directive *item = &file->items[i];
        node->file_module_count += text_equal(item->name, "loadmodule");
        struct str rest = str_of(item->value);
        struct str command;
        if (text_equal(item->name, "rename-command") && str_cut(&rest, ' ', &command) &&
            is_used_command(cluster, command)) {
            buf_printf(&renamed, "%s" STR_FMT, renamed.size == 0 ? "" : ", ", STR_ARG(command));
        }
    }
    node->renamed_commands = renamed.size == 0 ? NULL : arena_strdup(arena, buf_text(&renamed));
}

void redis_preflight_room(const struct host_room *room, struct fact_node *node)
{
    node->memory_bytes = room->memory_bytes;
    node->memory_free_bytes = room->memory_free_bytes;
    node->overcommit = room->overcommit;
    node->disk_bytes = room->disk_bytes;
    node->disk_free_bytes = room->disk_free_bytes;
}
