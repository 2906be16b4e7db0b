/*
 * app/world.h - the drivers of one cluster, chosen by the names in the inventory.
 *
 * The one place that knows every driver; the registry is a table in world.c.
 */
#ifndef UPSHIFT_APP_WORLD_H
#define UPSHIFT_APP_WORLD_H

#include "base/attr.h"
#include "base/call.h"
#include "base/err.h"
#include "base/log.h"
#include "drivers/world.h"
#include "model/facts.h"
#include "model/inventory.h"
#include "model/version.h"

/* Opens the drivers that `cluster` names. `cluster` is borrowed for the world's life.
 * Errors: ERR_INVALID a name without a driver. Owns: release with world_close(). */
MUST_USE struct err *world_open(const struct inv_cluster *cluster, struct world *ret_world);
void world_close(struct world *world);

/* Reads the cluster, and for every node that answers whether the service manager knows its process
 * (`is_process_lost`). As topology_read(). */
MUST_USE struct err *world_read_facts(
    const struct world *world, const struct call *call, struct facts *ret_facts);

/* Logs every call of every driver at debug. `log` is borrowed until world_close(). */
void world_trace(struct world *world, const struct log *log);

#endif
