/*
 * model/facts.h - what was read from the living cluster just now.
 *
 * Never remembered, always re-read. A node's own answers and its own view of all others stay apart,
 * because one node's view alone is stale for tens of milliseconds after each failover. Facts turn
 * into JSON and back exactly, so a real cluster's `cluster show --json` is a golden test's input.
 */
#ifndef UPSHIFT_MODEL_FACTS_H
#define UPSHIFT_MODEL_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/codec.h"

enum fact_role { FACT_ROLE_UNKNOWN, FACT_ROLE_PRIMARY, FACT_ROLE_REPLICA };

/* One line of one node's own table of the cluster (CLUSTER NODES). */
struct fact_view {
    const char *id;      /* cluster node id */
    const char *address; /* "host:port" */
    enum fact_role role;
    const char *primary_id; /* of a replica */
    bool is_myself;
    bool is_failing;      /* fail */
    bool is_suspect;      /* fail? */
    bool is_handshaking;  /* handshake or noaddr */
    bool is_linked;       /* link-state connected (or myself) */
    int64_t epoch;        /* config epoch */
    const char *slots;    /* "0-5460 7000", sorted; NULL for none */
    int64_t moving_slots; /* migrating or importing markers */
};

/* A live setting whose value differs from the node's configuration file. */
struct fact_drift {
    const char *setting;
    const char *live;
    const char *file;
};

/* Programs that use a node: a client library, or the name that a connection gave itself. */
struct fact_client {
    const char *name; /* "redis-py 5.0.1" */
};

/* One configuration file, dry-started with the target version on an empty directory. */
struct fact_dry_start {
    const char *node;
    bool is_good;
    const char *message; /* the server's own complaint */
};

struct fact_node {
    const char *name;    /* inventory name */
    const char *address; /* "host:port" */
    bool is_reachable;
    const char *trouble;      /* why it could not be read, one line */
    const char *trouble_code; /* stable word of the error: "unreachable", "wrong_password", ... */

    const char *product;  /* "redis", "valkey": true name and version, as the server gives them */
    const char *version;  /* "7.0.15" */
    const char *series;   /* "redis/7.0" */
    const char *process;  /* run id: another one means restarted */
    bool is_process_lost; /* it answers, but the service manager knows no process of it */
    int64_t uptime_s;

    const char *id; /* cluster node id; where there is one primary: the address */
    enum fact_role role;
    const char *primary_id;
    const char *shard; /* "shard-1"...: by lowest slot; of a replica: its primary's; where there is
                          one primary: "shard-1" */
    const char *slots; /* owned by itself, as in fact_view */
    int64_t epoch;
    bool is_loading;

    bool is_link_up;        /* replica: link to its primary is up */
    bool is_syncing;        /* replica: full sync in progress */
    int64_t link_silence_s; /* replica: since the primary was last heard */
    int64_t offset;         /* replication offset: of a primary written, of a replica applied */
    const char *replid;
    int64_t replica_count; /* primary: attached replicas that are online */
    int64_t backlog_bytes;
    int64_t full_sync_count; /* served since its start */

    bool is_cluster_ok; /* cluster_state:ok */
    int64_t slots_ok;
    int64_t slots_suspect; /* pfail */
    int64_t slots_failing;
    int64_t known_nodes;
    int64_t current_epoch;

    int64_t key_count;
    bool is_persistent;      /* append-only file on, or save points set */
    bool has_appendonly;     /* append-only file on */
    bool is_saving;          /* BGSAVE or AOF rewrite in progress */
    bool is_last_write_good; /* aof_last_write_status and last bgsave */
    int64_t min_replicas;    /* min-replicas-to-write */
    int64_t busy_clients;    /* other normal clients active within the last second */

    const char *file_primary_id; /* whose replica its configuration file makes it; NULL: none's */
    int64_t replica_priority;    /* 0: Sentinels never choose it */

    const char *server_target; /* where its server link points */
    const char *config_digest; /* of the configuration file, hex */
    bool has_appendonly_dir;   /* appendonlydir/ exists in its data directory */
    int64_t rdb_version;       /* header of its RDB file; 0 when there is none */
    const char *rdb_file;      /* names in its data directory, as configured; NULL: not known */
    const char *aof_file;
    const char *aof_folder;
    const char *cluster_file; /* nodes.conf */
    struct fact_drift *drift;
    size_t drift_count;

    /* What an upgrade asks of a node and its host; preflight.c of the driver reads it. */
    int64_t used_bytes;           /* memory in use */
    int64_t data_bytes;           /* of it, keys and values */
    int64_t memory_bytes;         /* of its host; 0: not read */
    int64_t memory_free_bytes;    /* that the host would still hand out */
    int64_t overcommit;           /* vm.overcommit_memory of its host: 0, 1 or 2 */
    int64_t disk_bytes;           /* of the file system of its directory; 0: not read */
    int64_t disk_free_bytes;      /* for the user that writes there */
    const char *modules;          /* loaded ones: "search 20811, json 20609"; NULL: none */
    int64_t module_count;         /* loaded */
    int64_t file_module_count;    /* that its configuration file loads */
    const char *renamed_commands; /* of those that upshift uses: "CONFIG, WAIT"; NULL: none */
    const char *announced;        /* "host:port" that it tells others; NULL: where it listens */
    bool lacks_channels;          /* its file has a user without a rule about channels */
    bool is_failover_forbidden;   /* cluster-replica-no-failover */
    int64_t replica_buffer_bytes; /* output buffer at which it cuts off a replica; 0: never */
    bool has_waits;               /* clients have called WAIT since its start */
    struct fact_client *clients;  /* in the order of name; the first few */
    size_t client_count;

    struct fact_view *views; /* its own table, in the order of id */
    size_t view_count;
};

/* A replica as one Sentinel sees it. */
struct fact_watched {
    const char *id;      /* "host:port" */
    bool is_down;        /* s_down, o_down or disconnected */
    bool is_link_up;     /* master-link-status:ok */
    int64_t info_age_ms; /* since its INFO was read */
    int64_t priority;
    const char *primary_id;
};

/* One Sentinel and its own view of the primary and the replicas. */
struct fact_sentinel {
    const char *name;
    const char *address;
    bool is_reachable;
    const char *trouble;
    const char *trouble_code;
    const char *product;
    const char *version;
    const char *series;
    const char *process;  /* run id */
    bool is_process_lost; /* as of a node */

    const char *primary_id; /* whom it names to clients */
    bool is_primary_down;   /* s_down or o_down */
    bool is_failing_over;
    int64_t quorum;         /* how many must agree that the primary is down */
    int64_t sentinel_count; /* that it knows, itself included */
    int64_t down_after_ms;
    bool is_quorum_reached; /* CKQUORUM */
    const char *quorum_message;

    const char *server_target;
    const char *config_digest;
    struct fact_watched *watched; /* in the order of id */
    size_t watched_count;
};

/* The programs of the target version, fetched and checked before anything moves. */
struct fact_artefact {
    const char *product;
    const char *version; /* exact: "7.0.15" */
    const char *series;
    const char *package_version; /* "5:7.0.15-1~deb12u7" */
    const char *digest;          /* of the package file, hex */
    const char *server;          /* absolute path of the server program */
};

struct facts {
    struct arena arena;
    const char *cluster;
    const char *datastore;
    const char *topology;
    int64_t read_at_ms;      /* struct clock time when reading began; not part of JSON */
    struct fact_node *nodes; /* in inventory order */
    size_t node_count;
    struct fact_sentinel *sentinels; /* topology "sentinel": in inventory order */
    size_t sentinel_count;
    struct fact_artefact *artefacts; /* target versions made ready for the request; may be empty */
    size_t artefact_count;
    struct fact_dry_start *dry_starts;
    size_t dry_start_count;
};

extern const struct codec facts_codec;
extern const struct codec fact_artefact_codec; /* a plan carries one, too */

void facts_release(struct facts *facts);
#define AUTO_FACTS CLEANUP(facts_release) struct facts

MUST_USE struct json *facts_to_json(const struct facts *facts);
MUST_USE struct err *facts_from_json(
    const struct json *value, const char *where, struct facts *ret_facts);

/* NULL when unknown. Borrowed. */
const struct fact_node *facts_find(const struct facts *facts, const char *name);
const struct fact_node *facts_find_id(const struct facts *facts, const char *id);

const struct fact_sentinel *facts_find_sentinel(const struct facts *facts, const char *name);

/* Does each node hold all data, so that one of them is the primary? (No Redis Cluster.) */
bool facts_have_one_primary(const struct facts *facts);

/* The node that says of itself that it is primary of that shard (in a Redis Cluster: and owns slots
 * in it), or NULL. */
const struct fact_node *facts_primary_of(const struct facts *facts, const char *shard);

/* Fills `shard` of every node: primaries with slots, by lowest slot, are shard-1, shard-2, ...;
 * a replica has the shard of the primary it names; others NULL. Where there is one primary, it and
 * whoever copies from a node are shard-1. */
void facts_assign_shards(struct facts *facts);

#endif
