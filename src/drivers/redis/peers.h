/*
 * drivers/redis/peers.h - where there is one primary: who follows whom, and what Sentinels say.
 *
 * Without Redis Cluster a server has no id of its own: its address is its identity. A server names
 * others by numbers, the inventory may name them by words; what the inventory calls a place counts,
 * so that both are the same text.
 */
#ifndef UPSHIFT_DRIVERS_REDIS_PEERS_H
#define UPSHIFT_DRIVERS_REDIS_PEERS_H

#include "drivers/redis/config.h"
#include "drivers/redis/conn.h"

/* "host:port" as the inventory writes it; as it is given when no node is there. */
const char *redis_peer_id(
    struct arena *arena, const struct inv_cluster *cluster, struct str host, int64_t port);

/* INFO or INFO replication: id, primary and views of a node. A primary sees its attached replicas,
 * a replica its primary. */
void redis_peers_of_info(struct arena *arena, const struct inv_cluster *cluster, struct str info,
    const struct inv_node *inv, struct fact_node *node);

/* The same of its configuration file: whose replica a restart makes it. */
void redis_peers_of_file(struct arena *arena, const struct inv_cluster *cluster,
    const struct redis_config *file, struct fact_node *node);

/* Reads all Sentinels into `facts`. One that cannot be read is a fact. */
void redis_sentinels_read(const struct call *call, const struct redis_driver *driver,
    const struct secret *password, struct facts *facts);

/* The slots of struct settings_ops about the line of a file that names the primary. */
MUST_USE struct err *redis_get_file_primary(const struct call *call, struct settings *settings,
    const struct inv_node *node, char **ret_primary);
MUST_USE struct err *redis_set_file_primary(const struct call *call, struct settings *settings,
    const struct inv_node *node, const struct inv_node *primary);

/* A configuration file as a whole. Errors: ERR_INVALID, code config_missing; those of the host. */
MUST_USE struct err *redis_read_config_file(const struct call *call,
    const struct redis_driver *driver, const struct inv_node *node, struct buf *ret_text);
MUST_USE struct err *redis_write_config_file(const struct call *call,
    const struct redis_driver *driver, const struct inv_node *node, const struct buf *content);

/* The slots of struct settings_ops about what an older program reads (file_fit.c). */
MUST_USE struct err *redis_file_fits(const struct call *call, struct settings *settings,
    const struct inv_node *node, const char *series, bool *ret_fits);
MUST_USE struct err *redis_fit_file(const struct call *call, struct settings *settings,
    const struct inv_node *node, const char *series);

/* A setting of the Sentinel about the primary, and how it is changed (it keeps it by itself). */
MUST_USE struct err *redis_sentinel_get(const struct call *call, struct redis_conn *conn,
    const char *master_name, const char *name, char **ret_value);

#endif
