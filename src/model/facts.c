#include "model/facts.h"

#include <stdlib.h>

#include "base/str.h"

static const char *const role_names[] = {
    [FACT_ROLE_UNKNOWN] = "unknown",
    [FACT_ROLE_PRIMARY] = "primary",
    [FACT_ROLE_REPLICA] = "replica",
    NULL,
};

static const struct codec_field view_fields[] = {
    CODEC_TEXT(struct fact_view, id),
    CODEC_TEXT(struct fact_view, address),
    CODEC_ENUM(struct fact_view, role, role_names),
    CODEC_TEXT(struct fact_view, primary_id),
    CODEC_BOOL(struct fact_view, is_myself),
    CODEC_BOOL(struct fact_view, is_failing),
    CODEC_BOOL(struct fact_view, is_suspect),
    CODEC_BOOL(struct fact_view, is_handshaking),
    CODEC_BOOL(struct fact_view, is_linked),
    CODEC_INT(struct fact_view, epoch),
    CODEC_TEXT(struct fact_view, slots),
    CODEC_INT(struct fact_view, moving_slots),
    CODEC_END,
};
static const struct codec view_codec = {sizeof(struct fact_view), view_fields};

static const struct codec_field drift_fields[] = {
    CODEC_TEXT(struct fact_drift, setting),
    CODEC_TEXT(struct fact_drift, live),
    CODEC_TEXT(struct fact_drift, file),
    CODEC_END,
};
static const struct codec drift_codec = {sizeof(struct fact_drift), drift_fields};

static const struct codec_field client_fields[] = {
    CODEC_TEXT(struct fact_client, name),
    CODEC_END,
};
static const struct codec client_codec = {sizeof(struct fact_client), client_fields};

static const struct codec_field dry_start_fields[] = {
    CODEC_TEXT(struct fact_dry_start, node),
    CODEC_BOOL(struct fact_dry_start, is_good),
    CODEC_TEXT(struct fact_dry_start, message),
    CODEC_END,
};
static const struct codec dry_start_codec = {sizeof(struct fact_dry_start), dry_start_fields};

static const struct codec_field node_fields[] = {
    CODEC_TEXT(struct fact_node, name),
    CODEC_TEXT(struct fact_node, address),
    CODEC_BOOL(struct fact_node, is_reachable),
    CODEC_TEXT(struct fact_node, trouble),
    CODEC_TEXT(struct fact_node, trouble_code),
    CODEC_TEXT(struct fact_node, product),
    CODEC_TEXT(struct fact_node, version),
    CODEC_TEXT(struct fact_node, series),
    CODEC_TEXT(struct fact_node, process),
    CODEC_INT(struct fact_node, uptime_s),
    CODEC_TEXT(struct fact_node, id),
    CODEC_ENUM(struct fact_node, role, role_names),
    CODEC_TEXT(struct fact_node, primary_id),
    CODEC_TEXT(struct fact_node, shard),
    CODEC_TEXT(struct fact_node, slots),
    CODEC_INT(struct fact_node, epoch),
    CODEC_BOOL(struct fact_node, is_process_lost),
    CODEC_BOOL(struct fact_node, is_loading),
    CODEC_BOOL(struct fact_node, is_link_up),
    CODEC_BOOL(struct fact_node, is_syncing),
    CODEC_INT(struct fact_node, link_silence_s),
    CODEC_INT(struct fact_node, offset),
    CODEC_TEXT(struct fact_node, replid),
    CODEC_INT(struct fact_node, replica_count),
    CODEC_INT(struct fact_node, backlog_bytes),
    CODEC_INT(struct fact_node, full_sync_count),
    CODEC_BOOL(struct fact_node, is_cluster_ok),
    CODEC_INT(struct fact_node, slots_ok),
    CODEC_INT(struct fact_node, slots_suspect),
    CODEC_INT(struct fact_node, slots_failing),
    CODEC_INT(struct fact_node, known_nodes),
    CODEC_INT(struct fact_node, current_epoch),
    CODEC_INT(struct fact_node, key_count),
    CODEC_BOOL(struct fact_node, is_persistent),
    CODEC_BOOL(struct fact_node, has_appendonly),
    CODEC_BOOL(struct fact_node, is_saving),
    CODEC_BOOL(struct fact_node, is_last_write_good),
    CODEC_INT(struct fact_node, min_replicas),
    CODEC_INT(struct fact_node, busy_clients),
    CODEC_TEXT(struct fact_node, file_primary_id),
    CODEC_INT(struct fact_node, replica_priority),
    CODEC_TEXT(struct fact_node, server_target),
    CODEC_TEXT(struct fact_node, config_digest),
    CODEC_BOOL(struct fact_node, has_appendonly_dir),
    CODEC_INT(struct fact_node, rdb_version),
    CODEC_TEXT(struct fact_node, rdb_file),
    CODEC_TEXT(struct fact_node, aof_file),
    CODEC_TEXT(struct fact_node, aof_folder),
    CODEC_TEXT(struct fact_node, cluster_file),
    CODEC_LIST(struct fact_node, drift, drift_count, &drift_codec),
    CODEC_INT(struct fact_node, used_bytes),
    CODEC_INT(struct fact_node, data_bytes),
    CODEC_INT(struct fact_node, memory_bytes),
    CODEC_INT(struct fact_node, memory_free_bytes),
    CODEC_INT(struct fact_node, overcommit),
    CODEC_INT(struct fact_node, disk_bytes),
    CODEC_INT(struct fact_node, disk_free_bytes),
    CODEC_TEXT(struct fact_node, modules),
    CODEC_INT(struct fact_node, module_count),
    CODEC_INT(struct fact_node, file_module_count),
    CODEC_TEXT(struct fact_node, renamed_commands),
    CODEC_TEXT(struct fact_node, announced),
    CODEC_BOOL(struct fact_node, lacks_channels),
    CODEC_BOOL(struct fact_node, is_failover_forbidden),
    CODEC_INT(struct fact_node, replica_buffer_bytes),
    CODEC_BOOL(struct fact_node, has_waits),
    CODEC_LIST(struct fact_node, clients, client_count, &client_codec),
    CODEC_LIST(struct fact_node, views, view_count, &view_codec),
    CODEC_END,
};
static const struct codec node_codec = {sizeof(struct fact_node), node_fields};

static const struct codec_field watched_fields[] = {
    CODEC_TEXT(struct fact_watched, id),
    CODEC_BOOL(struct fact_watched, is_down),
    CODEC_BOOL(struct fact_watched, is_link_up),
    CODEC_INT(struct fact_watched, info_age_ms),
    CODEC_INT(struct fact_watched, priority),
    CODEC_TEXT(struct fact_watched, primary_id),
    CODEC_END,
};
static const struct codec watched_codec = {sizeof(struct fact_watched), watched_fields};

static const struct codec_field sentinel_fields[] = {
    CODEC_TEXT(struct fact_sentinel, name),
    CODEC_TEXT(struct fact_sentinel, address),
    CODEC_BOOL(struct fact_sentinel, is_reachable),
    CODEC_TEXT(struct fact_sentinel, trouble),
    CODEC_TEXT(struct fact_sentinel, trouble_code),
    CODEC_TEXT(struct fact_sentinel, product),
    CODEC_TEXT(struct fact_sentinel, version),
    CODEC_TEXT(struct fact_sentinel, series),
    CODEC_TEXT(struct fact_sentinel, process),
    CODEC_BOOL(struct fact_sentinel, is_process_lost),
    CODEC_TEXT(struct fact_sentinel, primary_id),
    CODEC_BOOL(struct fact_sentinel, is_primary_down),
    CODEC_BOOL(struct fact_sentinel, is_failing_over),
    CODEC_INT(struct fact_sentinel, quorum),
    CODEC_INT(struct fact_sentinel, sentinel_count),
    CODEC_INT(struct fact_sentinel, down_after_ms),
    CODEC_BOOL(struct fact_sentinel, is_quorum_reached),
    CODEC_TEXT(struct fact_sentinel, quorum_message),
    CODEC_TEXT(struct fact_sentinel, server_target),
    CODEC_TEXT(struct fact_sentinel, config_digest),
    CODEC_LIST(struct fact_sentinel, watched, watched_count, &watched_codec),
    CODEC_END,
};
static const struct codec sentinel_codec = {sizeof(struct fact_sentinel), sentinel_fields};

static const struct codec_field artefact_fields[] = {
    CODEC_TEXT(struct fact_artefact, product),
    CODEC_TEXT(struct fact_artefact, version),
    CODEC_TEXT(struct fact_artefact, series),
    CODEC_TEXT(struct fact_artefact, package_version),
    CODEC_TEXT(struct fact_artefact, digest),
    CODEC_TEXT(struct fact_artefact, server),
    CODEC_END,
};
const struct codec fact_artefact_codec = {sizeof(struct fact_artefact), artefact_fields};

static const struct codec_field facts_fields[] = {
    CODEC_TEXT(struct facts, cluster),
    CODEC_TEXT(struct facts, datastore),
    CODEC_TEXT(struct facts, topology),
    CODEC_LIST(struct facts, nodes, node_count, &node_codec),
    CODEC_LIST(struct facts, sentinels, sentinel_count, &sentinel_codec),
    CODEC_LIST(struct facts, artefacts, artefact_count, &fact_artefact_codec),
    CODEC_LIST(struct facts, dry_starts, dry_start_count, &dry_start_codec),
    CODEC_END,
};
const struct codec facts_codec = {sizeof(struct facts), facts_fields};

void facts_release(struct facts *facts)
{
    arena_release(&facts->arena);
    *facts = (struct facts){0};
}

struct json *facts_to_json(const struct facts *facts)
{
    return codec_write(&facts_codec, facts);
}

struct err *facts_from_json(const struct json *value, const char *where, struct facts *ret_facts)
{
    AUTO_FACTS facts = {0};
    struct err *err = codec_read(&facts_codec, value, &facts.arena, where, &facts);
    if (err != NULL) {
        return err_wrap(err, NULL, "these are not facts of a cluster");
    }
    *ret_facts = facts;
    facts = (struct facts){0}; /* handed over */
    return NULL;
}

const struct fact_node *facts_find(const struct facts *facts, const char *name)
{
    for (size_t i = 0; i < facts->node_count; i++) {
        if (text_equal(facts->nodes[i].name, name)) {
            return &facts->nodes[i];
        }
    }
    return NULL;
}

const struct fact_node *facts_find_id(const struct facts *facts, const char *id)
{
    for (size_t i = 0; id != NULL && i < facts->node_count; i++) {
        if (text_equal(facts->nodes[i].id, id)) {
            return &facts->nodes[i];
        }
    }
    return NULL;
}

const struct fact_sentinel *facts_find_sentinel(const struct facts *facts, const char *name)
{
    for (size_t i = 0; i < facts->sentinel_count; i++) {
        if (text_equal(facts->sentinels[i].name, name)) {
            return &facts->sentinels[i];
        }
    }
    return NULL;
}

bool facts_have_one_primary(const struct facts *facts)
{
    return facts->topology != NULL && !text_equal(facts->topology, "cluster");
}

/* The first slot that a node owns as primary, or -1. */
static int64_t lowest_slot(const struct fact_node *node)
{
    if (node->role != FACT_ROLE_PRIMARY || node->slots == NULL) {
        return -1;
    }
    struct str rest = str_of(node->slots);
    struct str range;
    struct str first;
    int64_t slot;
    if (!str_cut(&rest, ' ', &range) || !str_cut(&range, '-', &first) ||
        !str_to_int64(first, &slot)) {
        return -1;
    }
    return slot;
}

const struct fact_node *facts_primary_of(const struct facts *facts, const char *shard)
{
    const struct fact_node *found = NULL;
    for (size_t i = 0; shard != NULL && i < facts->node_count; i++) {
        const struct fact_node *node = &facts->nodes[i];
        const bool is_primary = facts_have_one_primary(facts) ? node->role == FACT_ROLE_PRIMARY
                                                              : lowest_slot(node) >= 0;
        /* For an instant after a failover two nodes claim the slots: the newer epoch is right. */
        if (is_primary && text_equal(node->shard, shard) &&
            (found == NULL || node->epoch > found->epoch)) {
            found = node;
        }
    }
    return found;
}

static int compare_slots(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a;
    const int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* The rank of `slot` among the distinct numbers of a sorted list, from 1. */
static size_t rank_of(const int64_t *slots, size_t count, int64_t slot)
{
    size_t rank = 1;
    for (size_t i = 0; i < count && slots[i] < slot; i++) {
        rank += slots[i + 1] != slots[i];
    }
    return rank;
}

static void assign_only_shard(struct facts *facts)
{
    for (size_t i = 0; i < facts->node_count; i++) {
        struct fact_node *node = &facts->nodes[i];
        const struct fact_node *primary = facts_find_id(facts, node->primary_id);
        const bool is_replica = node->role == FACT_ROLE_REPLICA && primary != NULL;
        node->shard = is_replica || node->role == FACT_ROLE_PRIMARY ? "shard-1" : NULL;
    }
}

void facts_assign_shards(struct facts *facts)
{
    if (facts_have_one_primary(facts)) {
        assign_only_shard(facts);
        return;
    }
    int64_t *slots = arena_alloc_array(&facts->arena, facts->node_count + 1, sizeof(*slots));
    size_t count = 0;
    for (size_t i = 0; i < facts->node_count; i++) {
        facts->nodes[i].shard = NULL;
        const int64_t slot = lowest_slot(&facts->nodes[i]);
        if (slot >= 0) {
            slots[count++] = slot;
        }
    }
    qsort(slots, count, sizeof(*slots), compare_slots);
    for (size_t i = 0; i < facts->node_count; i++) {
        const int64_t slot = lowest_slot(&facts->nodes[i]);
        if (slot >= 0) {
            facts->nodes[i].shard =
                arena_format(&facts->arena, "shard-%zu", rank_of(slots, count, slot));
        }
    }
    for (size_t i = 0; i < facts->node_count; i++) {
        struct fact_node *node = &facts->nodes[i];
        const struct fact_node *primary = facts_find_id(facts, node->primary_id);
        if (node->role == FACT_ROLE_REPLICA && primary != NULL && lowest_slot(primary) >= 0) {
            node->shard = primary->shard;
        }
    }
}
