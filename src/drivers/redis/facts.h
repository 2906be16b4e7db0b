/*
 * drivers/redis/facts.h - from a server's answers to facts, without a socket.
 *
 * Every function fills its part of one `struct fact_node` from one text; strings are copied into
 * `arena`. Texts come from a peer: what is missing stays zero, what is wrong is an error with code
 * odd_reply.
 */
#ifndef UPSHIFT_DRIVERS_REDIS_FACTS_H
#define UPSHIFT_DRIVERS_REDIS_FACTS_H

#include "base/str.h"
#include "model/facts.h"

/* INFO: product and version, process, persistence, keys. Valkey gives itself as Redis 7.2.4 in
 * redis_version, its true version is in valkey_version. */
MUST_USE struct err *redis_facts_server(
    struct arena *arena, struct str info, struct fact_node *node);

/* INFO or INFO replication: role, link, offset. */
void redis_facts_replication(struct arena *arena, struct str info, struct fact_node *node);

/* CLUSTER INFO. */
void redis_facts_cluster(struct str info, struct fact_node *node);

/* CLUSTER NODES: the views, sorted by id, and from its own line the node's id, slots and epoch. */
MUST_USE struct err *redis_facts_views(
    struct arena *arena, struct str nodes, struct fact_node *node);

/* CLIENT LIST TYPE normal: others than upshift's own that were active within the last second. */
int64_t redis_facts_busy_clients(struct str list);

/* The number after "REDIS" (or "VALKEY") in the header of an RDB file; 0 when it is none. */
int64_t redis_facts_rdb_version(struct str header);

#endif
