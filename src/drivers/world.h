/*
 * drivers/world.h - the drivers of one cluster, as steps reach them (`call->world`).
 *
 * app/drivers.c fills it from the inventory. All members are borrowed by steps; a capability that
 * the cluster's drivers do not have is NULL, and the planner sees that before anything moves.
 */
#ifndef UPSHIFT_DRIVERS_WORLD_H
#define UPSHIFT_DRIVERS_WORLD_H

#include "model/inventory.h"

struct cutover;
struct fence;
struct guard;
struct host;
struct package;
struct replication;
struct service;
struct settings;
struct topology;

struct world {
    const struct inv_cluster *cluster;
    struct topology *topology;
    struct replication *replication;
    struct settings *settings;
    struct fence *fence;
    struct cutover *cutover;
    struct guard *guard; /* NULL: outside of a run */
    struct service *service;
    struct package *package;
    struct host *host;
};

#endif
