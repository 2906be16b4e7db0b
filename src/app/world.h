/*
 * app/world.h - the drivers of one cluster, chosen by the names in the inventory.
 *
 * The one place that knows every driver; the registry is a table in world.c.
 */
#ifndef UPSHIFT_APP_WORLD_H
#define UPSHIFT_APP_WORLD_H

#include "base/attr.h"
#include "base/err.h"
#include "base/log.h"
#include "drivers/world.h"
#include "model/inventory.h"
#include "model/version.h"

/* Opens the drivers that `cluster` names. `cluster` is borrowed for the world's life.
 * Errors: ERR_INVALID a name without a driver. Owns: release with world_close(). */
MUST_USE struct err *world_open(const struct inv_cluster *cluster, struct world *ret_world);
void world_close(struct world *world);

/* Logs every call of every driver at debug. `log` is borrowed until world_close(). */
void world_trace(struct world *world, const struct log *log);

#endif
