/*
 * drivers/redis/redis.h - Redis Cluster and Valkey Cluster.
 *
 * One driver, five capabilities: reading the cluster, the planned change of primary, live settings,
 * cutting the connections of earlier controllers, and cut-overs. Every call makes its own named
 * connection
 * ("upshift:<run>:<epoch>"), with the password read afresh, and closes it; so a call leaves nothing
 * behind, and several threads may call at once.
 *
 * Needs these rights of an ACL user: +info +config|get +config|set +cluster|info +cluster|nodes
 * +cluster|failover +client|list +client|kill +client|setname. Cut-overs: +multi +exec +replicaof
 * +client|pause +client|unpause, on 6.0 +monitor +subscribe +unsubscribe, on Sentinels +sentinel.
 */
#ifndef UPSHIFT_DRIVERS_REDIS_REDIS_H
#define UPSHIFT_DRIVERS_REDIS_REDIS_H

#include "drivers/cutover.h"
#include "drivers/fence.h"
#include "drivers/host.h"
#include "drivers/replication.h"
#include "drivers/settings.h"
#include "drivers/topology.h"

/* Each is closed by its own topology_close() and so on; the last one releases what they share. */
struct redis_capabilities {
    struct topology *topology;
    struct replication *replication;
    struct settings *settings;
    struct fence *fence;
    struct cutover *cutover;
};

/* Connects to nothing yet. `cluster` and `host` are borrowed until the last close.
 * Errors: ERR_INVALID a TLS file. */
MUST_USE struct err *redis_open(
    const struct inv_cluster *cluster, struct host *host, struct redis_capabilities *ret_redis);

#endif
