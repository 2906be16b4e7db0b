/*
 * model/inventory.h - what the operator wrote into upshift.yaml, checked.
 *
 * Plain data in one arena; config/inventory.h builds it and reports every mistake with its place.
 */
#ifndef UPSHIFT_MODEL_INVENTORY_H
#define UPSHIFT_MODEL_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/secret.h"

/* Where the programs of a version come from: a Debian suite by name. */
struct inv_version {
    const char *name;    /* as written: "7.0.15", "7.0" or "8.1" */
    const char *product; /* "redis" or "valkey" */
    const char *suite;   /* "bookworm" */
};

struct inv_datastore {
    const char *name; /* "redis", "valkey" */
    struct inv_version *versions;
    size_t version_count;
};

struct inv_node {
    const char *name; /* unique in the cluster; "host:port" unless written */
    const char *host; /* as clients reach it */
    int64_t port;
    const char *directory;   /* data directory on its host, absolute */
    const char *config_file; /* the server's own configuration file, absolute */
    const char *server_link; /* symbolic link that names the program in use, absolute */
    const char *pid_file;    /* absolute */
    const char *log_file;    /* for standard output and error of the started server, absolute */
    bool is_sentinel;        /* a Sentinel: it watches the servers and holds no data */
};

enum inv_failure { INV_FAILURE_PAUSE, INV_FAILURE_ROLLBACK, INV_FAILURE_CONTINUE };
enum inv_revise { INV_REVISE_NARROW, INV_REVISE_ASK };
enum inv_drift { INV_DRIFT_REFUSE, INV_DRIFT_REWRITE, INV_DRIFT_IGNORE };
enum inv_modules { INV_MODULES_REFUSE, INV_MODULES_ALLOW };
enum inv_min_replicas { INV_MIN_REPLICAS_REFUSE, INV_MIN_REPLICAS_RELAX };
enum inv_backup { INV_BACKUP_NONE, INV_BACKUP_REQUIRED };
enum inv_probe_mode { INV_PROBE_OFF, INV_PROBE_READ_ONLY, INV_PROBE_WRITE };

struct inv_probe {
    enum inv_probe_mode mode; /* default write */
    bool is_required;         /* finished but unobserved is then "not proved" (exit 16) */
    int64_t rate;             /* operations per second; default 100 */
    int64_t keys_max;         /* live keys at a time; default 1,000,000 */
    int64_t ttl_s;            /* time to live of its keys; default 3,600 */
    int64_t linger_s;         /* how long it goes on without a controller; default 600 */
};

struct inv_policy {
    int64_t max_unavailable; /* nodes out at a time, per cluster; default 1 */
    int64_t soak_s;          /* healthy time before finalize is offered as safe; default 30 */
    int64_t step_timeout_s;  /* for one step; default 120 */
    int64_t gate_timeout_s;  /* how long a gate may stay "not yet"; default 300 */
    int64_t lag_bytes_max;   /* replication lag accepted before a switchover; default 1 MiB */
    int64_t backlog_bytes;   /* temporary repl-backlog-size; default 64 MiB */
    int64_t hold_limit_ms;   /* how long a cut-over may let writes wait; default 5,000 */
    enum inv_failure on_failure;
    enum inv_revise revise;   /* which changes of a plan need no consent; default narrow */
    enum inv_drift drift;     /* what to do with live values that the file does not have */
    enum inv_modules modules; /* loaded modules: does the operator vouch for them? */
    enum inv_min_replicas min_replicas; /* where it would refuse writes during a restart */
    enum inv_backup backup;             /* of each shard, before anything else */
    const char *backup_dir;             /* on the host of each node; set with a backup */
    struct inv_probe probe;
};

struct inv_tls {
    bool is_enabled;
    const char *ca_file;   /* verifies the server; the system's store when NULL */
    const char *cert_file; /* client certificate, optional */
    const char *key_file;
    const char *server_name; /* expected in the certificate; the node's host when NULL */
};

struct inv_cluster {
    const char *name;
    const char *datastore;   /* "redis" or "valkey" */
    const char *topology;    /* "cluster", "sentinel" or "replication" */
    const char *master_name; /* topology "sentinel": what the Sentinels call the primary */
    const char *user;        /* ACL user; NULL: the default user */
    struct secret_ref password;
    struct inv_tls tls;
    const char *host_via;         /* "local" */
    const char *service_manager;  /* "process" */
    const char *service_user;     /* user to start servers as when upshift runs as root, or NULL */
    const char *package_provider; /* "suite" */
    struct inv_node *nodes;
    size_t node_count;
    struct inv_node *sentinels; /* topology "sentinel": all of them */
    size_t sentinel_count;
    const char *const *primary_changed; /* hook: program and arguments; NULL: none */
    size_t primary_changed_count;
    struct inv_policy policy;
    const char *place; /* "upshift.yaml:12:3", for errors */
};

struct inventory {
    struct arena arena;
    const char *path;   /* absolute; the controller re-reads secrets' references from it */
    const char *digest; /* of the file, hex */
    struct inv_datastore *datastores;
    size_t datastore_count;
    struct inv_cluster *clusters;
    size_t cluster_count;
};

void inventory_release(struct inventory *inventory);
#define AUTO_INVENTORY CLEANUP(inventory_release) struct inventory

/* NULL when unknown. Borrowed. */
const struct inv_cluster *inventory_find_cluster(
    const struct inventory *inventory, const char *name);
const struct inv_datastore *inventory_find_datastore(
    const struct inventory *inventory, const char *name);
/* A server, else a Sentinel, of that name: no two share one. */
const struct inv_node *inv_cluster_find_node(const struct inv_cluster *cluster, const char *name);
/* Does each server hold all data, so that one of them is the primary? */
bool inv_cluster_has_one_primary(const struct inv_cluster *cluster);

#endif
