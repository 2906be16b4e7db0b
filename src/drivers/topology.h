/*
 * drivers/topology.h - reading the living cluster: facts, from every node's own view.
 *
 * Implemented by drivers/redis/ and drivers/sim/. Reading never changes anything. A node that
 * cannot be read is a fact (`is_reachable` false with the trouble), not an error.
 */
#ifndef UPSHIFT_DRIVERS_TOPOLOGY_H
#define UPSHIFT_DRIVERS_TOPOLOGY_H

#include "base/attr.h"
#include "base/call.h"
#include "base/err.h"
#include "model/facts.h"
#include "model/inventory.h"

struct topology;

struct topology_ops {
    const char *name;

    /* Reads all nodes, primaries before replicas so that lag is never understated.
     * `ret_facts` is zeroed by the caller and released by it, also after an error.
     * Errors: ERR_INVALID a secret cannot be resolved; ERR_INTERNAL. Blocks: to the deadline. */
    struct err *(*read)(
        const struct call *call, struct topology *topology, struct facts *ret_facts);

    /* Starts the program `server` with the node's configuration on a spare port and an empty
     * folder, sees whether it accepts every directive, and ends it. Fills `ret_dry_start`
     * (strings in `arena`). */
    struct err *(*dry_start)(const struct call *call, struct topology *topology,
        const struct inv_node *node, const char *server, struct arena *arena,
        struct fact_dry_start *ret_dry_start);

    /* Lets the program `server` load the dump file `dump` with the node's configuration on a spare
     * port, and counts the keys; -1: the program does not tell. Errors: ERR_REFUSED, code
     * "dump_unusable", it does not load it. Blocks: to the deadline. */
    struct err *(*try_dump)(const struct call *call, struct topology *topology,
        const struct inv_node *node, const char *server, const char *dump, int64_t *ret_key_count);

    void (*close)(struct topology *topology);
};

struct topology {
    const struct topology_ops *ops;
};

MUST_USE static inline struct err *topology_read(
    const struct call *call, struct topology *topology, struct facts *ret_facts)
{
    return topology->ops->read(call, topology, ret_facts);
}

MUST_USE static inline struct err *topology_dry_start(const struct call *call,
    struct topology *topology, const struct inv_node *node, const char *server, struct arena *arena,
    struct fact_dry_start *ret_dry_start)
{
    return topology->ops->dry_start(call, topology, node, server, arena, ret_dry_start);
}

MUST_USE static inline struct err *topology_try_dump(const struct call *call,
    struct topology *topology, const struct inv_node *node, const char *server, const char *dump,
    int64_t *ret_key_count)
{
    return topology->ops->try_dump(call, topology, node, server, dump, ret_key_count);
}

static inline void topology_close(struct topology *topology)
{
    if (topology != NULL) {
        topology->ops->close(topology);
    }
}

#endif
