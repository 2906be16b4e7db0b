/*
 * drivers/redis/preflight.h - what an upgrade asks of a node before anything moves.
 *
 * Like facts.h: every function fills its part of one `struct fact_node`; strings go to `arena`.
 */
#ifndef UPSHIFT_DRIVERS_REDIS_PREFLIGHT_H
#define UPSHIFT_DRIVERS_REDIS_PREFLIGHT_H

#include "drivers/host.h"
#include "drivers/redis/config.h"

/* INFO: memory and loaded modules. */
void redis_preflight_info(struct arena *arena, struct str info, struct fact_node *node);

/* INFO commandstats: has anybody called WAIT? */
void redis_preflight_commands(struct str info, struct fact_node *node);

/* CLIENT LIST: the libraries in use, or the names of connections that do not tell theirs; upshift's
 * own left out. */
void redis_preflight_clients(struct arena *arena, struct str list, struct fact_node *node);

/* Live settings: what the node announces, and what it allows. */
void redis_preflight_settings(struct arena *arena, const struct inv_cluster *cluster,
    const struct inv_node *inv, const struct redis_config *live, struct fact_node *node);

/* The configuration file: modules, and commands that it renames. */
void redis_preflight_file(struct arena *arena, const struct inv_cluster *cluster,
    const struct redis_config *file, struct fact_node *node);

void redis_preflight_room(const struct host_room *room, struct fact_node *node);

#endif
