/*
 * drivers/redis/driver.h - what the three capabilities share; private to this folder.
 */
#ifndef UPSHIFT_DRIVERS_REDIS_DRIVER_H
#define UPSHIFT_DRIVERS_REDIS_DRIVER_H

#include <stddef.h>

#include "drivers/cutover.h"
#include "drivers/fence.h"
#include "drivers/host.h"
#include "drivers/replication.h"
#include "drivers/settings.h"
#include "drivers/topology.h"
#include "transport/stream.h"

struct redis_driver {
    struct topology topology;
    struct replication replication;
    struct settings settings;
    struct fence fence;
    struct cutover cutover;
    const struct inv_cluster *cluster; /* borrowed */
    struct host *host;                 /* borrowed */
    struct tls *tls;                   /* NULL: plain connections */
    int open_count;                    /* capabilities not closed yet */
};

extern const struct topology_ops redis_topology_ops;       /* topology.c */
extern const struct replication_ops redis_replication_ops; /* control.c */
extern const struct settings_ops redis_settings_ops;
extern const struct fence_ops redis_fence_ops;     /* fence.c */
extern const struct cutover_ops redis_cutover_ops; /* cutover.c */

/* The driver that a capability is a member of. */
#define REDIS_DRIVER_OF(pointer, member)                                                           \
    ((struct redis_driver *)((char *)(pointer)-offsetof(struct redis_driver, member)))

/* Closes one capability. */
void redis_driver_unref(struct redis_driver *driver);

/* The slot dry_start of struct topology_ops. */
MUST_USE struct err *redis_dry_start(const struct call *call, struct topology *topology,
    const struct inv_node *node, const char *server, struct arena *arena,
    struct fact_dry_start *ret_dry_start);

/* The slot try_dump. */
MUST_USE struct err *redis_try_dump(const struct call *call, struct topology *topology,
    const struct inv_node *node, const char *server, const char *dump, int64_t *ret_key_count);

#endif
