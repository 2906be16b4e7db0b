#include "drivers/redis/facts.h"

#include <stdlib.h>

#include "base/buf.h"
#include "drivers/redis/conn.h"
#include "model/version.h"
#include "wire/redis_text.h"

enum { SLOT_WORD_BITS = 64 };

static const char *copy_str(struct arena *arena, struct str text)
{
    return text.size == 0 ? NULL : arena_strndup(arena, text.data, text.size);
}

static bool info_is(struct str info, const char *name, const char *wanted)
{
    struct str value;
    return redis_info_get(info, name, &value) && str_is(value, wanted);
}

static const char *copy_info(struct arena *arena, struct str info, const char *name)
{
    struct str value;
    return redis_info_get(info, name, &value) ? copy_str(arena, value) : NULL;
}

static struct err *odd_text(const struct fact_node *node, const char *what)
{
    struct err *err = err_new(ERR_INVALID, node->address, "%s is not in the known format", what);
    return err_code(err, "odd_reply");
}

static struct err *read_server_version(struct arena *arena, struct str info, struct fact_node *node)
{
    const bool is_valkey = info_is(info, "server_name", "valkey");
    node->product = is_valkey ? "valkey" : "redis";
    node->version = copy_info(arena, info, is_valkey ? "valkey_version" : "redis_version");
    struct version version;
    if (node->version == NULL) {
        return odd_text(node, "the server's version");
    }
    struct err *err = version_parse(arena, node->product, node->version, &version);
    if (err != NULL) {
        err_free(err);
        return odd_text(node, "the server's version");
    }
    node->series = version_series(arena, &version);
    return NULL;
}

/* Keyspace lines: "db0:keys=12,expires=0,avg_ttl=0"; Valkey 9 has several in a cluster. */
static int64_t count_keys(struct str info)
{
    int64_t total = 0;
    struct str line;
    while (str_cut(&info, '\n', &line)) {
        struct str name, count;
        int64_t value = 0;
        if (str_starts_with(line, "db") && str_cut(&line, '=', &name) &&
            str_cut(&line, ',', &count) && str_to_int64(count, &value) && name.size > 4 &&
            memcmp(name.data + name.size - 5, ":keys", 5) == 0) {
            total += value;
        }
    }
    return total;
}

struct err *redis_facts_server(struct arena *arena, struct str info, struct fact_node *node)
{
    struct err *err = read_server_version(arena, info, node);
    if (err != NULL) {
        return err;
    }
    node->process = copy_info(arena, info, "run_id");
    node->uptime_s = redis_info_number(info, "uptime_in_seconds", 0);
    node->is_loading = redis_info_number(info, "loading", 0) != 0;
    node->is_saving = redis_info_number(info, "rdb_bgsave_in_progress", 0) != 0 ||
                      redis_info_number(info, "aof_rewrite_in_progress", 0) != 0 ||
                      redis_info_number(info, "aof_rewrite_scheduled", 0) != 0;
    node->is_last_write_good = info_is(info, "aof_last_write_status", "ok") &&
                               info_is(info, "rdb_last_bgsave_status", "ok");
    node->full_sync_count = redis_info_number(info, "sync_full", 0);
    node->key_count = count_keys(info);
    return NULL;
}

/* Lines "slave0:ip=127.0.0.1,port=7004,state=online,offset=14,lag=0". */
static int64_t count_online_replicas(struct str info)
{
    int64_t count = 0;
    struct str line;
    while (str_cut(&info, '\n', &line)) {
        const bool is_replica = str_starts_with(line, "slave") && line.size > 5 &&
                                line.data[5] >= '0' && line.data[5] <= '9';
        if (is_replica && memmem(line.data, line.size, ",state=online,", 14) != NULL) {
            count++;
        }
    }
    return count;
}

void redis_facts_replication(struct arena *arena, struct str info, struct fact_node *node)
{
    const bool is_replica = info_is(info, "role", "slave");
    node->role = is_replica                        ? FACT_ROLE_REPLICA
                 : info_is(info, "role", "master") ? FACT_ROLE_PRIMARY
                                                   : FACT_ROLE_UNKNOWN;
    node->is_link_up = is_replica && info_is(info, "master_link_status", "up");
    node->is_syncing = is_replica && redis_info_number(info, "master_sync_in_progress", 0) != 0;
    node->link_silence_s =
        is_replica ? redis_info_number(info, "master_last_io_seconds_ago", -1) : 0;
    node->offset =
        redis_info_number(info, is_replica ? "slave_repl_offset" : "master_repl_offset", 0);
    node->replid = copy_info(arena, info, "master_replid");
    node->replica_count = is_replica ? 0 : count_online_replicas(info);
    node->backlog_bytes = redis_info_number(info, "repl_backlog_size", 0);
}

void redis_facts_cluster(struct str info, struct fact_node *node)
{
    node->is_cluster_ok = info_is(info, "cluster_state", "ok");
    node->slots_ok = redis_info_number(info, "cluster_slots_ok", 0);
    node->slots_suspect = redis_info_number(info, "cluster_slots_pfail", 0);
    node->slots_failing = redis_info_number(info, "cluster_slots_fail", 0);
    node->known_nodes = redis_info_number(info, "cluster_known_nodes", 0);
    node->current_epoch = redis_info_number(info, "cluster_current_epoch", 0);
}

static bool has_slot(const uint64_t *slots, int64_t slot)
{
    return slot < REDIS_SLOT_COUNT &&
           (slots[slot / SLOT_WORD_BITS] >> (slot % SLOT_WORD_BITS) & 1) != 0;
}

/* Ranges in one defined form, whatever order the server lists them in; NULL for none. */
static const char *write_slots(struct arena *arena, const uint64_t *slots)
{
    AUTO_BUF text = {0};
    for (int64_t first = 0; first < REDIS_SLOT_COUNT; first++) {
        if (!has_slot(slots, first)) {
            continue;
        }
        int64_t last = first;
        while (has_slot(slots, last + 1)) {
            last++;
        }
        buf_printf(&text, "%s%lld", text.size == 0 ? "" : " ", (long long)first);
        if (last > first) {
            buf_printf(&text, "-%lld", (long long)last);
        }
        first = last;
    }
    return copy_str(arena, (struct str){text.data, text.size});
}

static bool read_slots(struct arena *arena, struct str text, struct fact_view *view)
{
    uint64_t slots[REDIS_SLOT_COUNT / SLOT_WORD_BITS] = {0};
    int64_t first = 0;
    int64_t last = 0;
    int found;
    while ((found = redis_slots_next(&text, &first, &last)) > 0) {
        if (found == 2) {
            view->moving_slots++;
            continue;
        }
        for (int64_t slot = first; slot <= last; slot++) {
            slots[slot / SLOT_WORD_BITS] |= UINT64_C(1) << (slot % SLOT_WORD_BITS);
        }
    }
    view->slots = write_slots(arena, slots);
    return found == 0;
}

static bool read_view(
    struct arena *arena, const struct redis_cluster_node *line, struct fact_view *view)
{
    *view = (struct fact_view){
        .id = copy_str(arena, line->id),
        .address = arena_format(arena, STR_FMT ":%lld", STR_ARG(line->host), (long long)line->port),
        .role = line->is_primary   ? FACT_ROLE_PRIMARY
                : line->is_replica ? FACT_ROLE_REPLICA
                                   : FACT_ROLE_UNKNOWN,
        .primary_id = copy_str(arena, line->primary_id),
        .is_myself = line->is_myself,
        .is_failing = line->is_failing,
        .is_suspect = line->is_suspect,
        .is_handshaking = line->is_handshaking || line->has_no_address,
        .is_linked = line->is_linked || line->is_myself,
        .epoch = line->epoch,
    };
    return view->id != NULL && read_slots(arena, line->slots, view);
}

static int compare_view_ids(const void *a, const void *b)
{
    const struct fact_view *left = a;
    const struct fact_view *right = b;
    return strcmp(left->id, right->id);
}

struct err *redis_facts_views(struct arena *arena, struct str nodes, struct fact_node *node)
{
    struct redis_cluster_node line;
    int found;
    while ((found = redis_cluster_nodes_next(&nodes, &line)) > 0) {
        struct fact_view *view =
            arena_push(arena, &node->views, &node->view_count, sizeof(*node->views));
        if (!read_view(arena, &line, view)) {
            return odd_text(node, "CLUSTER NODES");
        }
        if (view->is_myself) {
            node->id = view->id;
            node->primary_id = view->primary_id;
            node->slots = view->slots;
            node->epoch = view->epoch;
        }
    }
    if (found < 0 || node->id == NULL) {
        return odd_text(node, "CLUSTER NODES");
    }
    qsort(node->views, node->view_count, sizeof(*node->views), compare_view_ids);
    return NULL;
}

int64_t redis_facts_busy_clients(struct str list)
{
    int64_t count = 0;
    struct str line;
    while (str_cut(&list, '\n', &line)) {
        struct str name, idle;
        const bool is_ours =
            redis_client_get(line, "name", &name) && str_starts_with(name, REDIS_CONN_PREFIX);
        if (!is_ours && redis_client_get(line, "idle", &idle) && str_is(idle, "0")) {
            count++;
        }
    }
    return count;
}

int64_t redis_facts_rdb_version(struct str header)
{
    enum { HEADER_SIZE = 9 }; /* "REDIS0011", "VALKEY080" */
    static const char *const magics[] = {"REDIS", "VALKEY"};
    for (size_t i = 0; i < ARRAY_COUNT(magics); i++) {
        const size_t size = strlen(magics[i]);
        int64_t version = 0;
        if (header.size >= HEADER_SIZE && str_starts_with(header, magics[i]) &&
            str_to_int64((struct str){header.data + size, HEADER_SIZE - size}, &version)) {
            return version;
        }
    }
    return 0;
}
