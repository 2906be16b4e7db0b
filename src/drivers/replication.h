/*
 * drivers/replication.h - the planned change of primary.
 *
 * Implemented by drivers/redis/ (CLUSTER FAILOVER, never FORCE or TAKEOVER) and drivers/sim/.
 */
#ifndef UPSHIFT_DRIVERS_REPLICATION_H
#define UPSHIFT_DRIVERS_REPLICATION_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/call.h"
#include "base/err.h"
#include "model/facts.h"
#include "model/inventory.h"

struct replication;

struct replication_state {
    enum fact_role role;
    char primary_id[64]; /* of a replica; cluster node id */
    char id[64];         /* its own */
    bool is_link_up;     /* replica: link to its primary is up */
    bool is_loading;     /* not serving yet */
    char series[32];     /* "redis/7.0": what it says it runs */
};

struct replication_ops {
    const char *name;

    /* Reads one node's own view of its role. Errors: ERR_UNREACHABLE, ERR_UNKNOWN. */
    struct err *(*get_state)(const struct call *call, struct replication *replication,
        const struct inv_node *node, struct replication_state *ret_state);

    /* Asks `target`, a replica, to take over from its primary without losing a write. Returns when
     * the server accepted the request; the change of role follows and is seen by get_state.
     * Errors: ERR_REFUSED the server said no (its own words); ERR_UNKNOWN sent, no answer. */
    struct err *(*switchover)(
        const struct call *call, struct replication *replication, const struct inv_node *target);

    void (*close)(struct replication *replication);
};

struct replication {
    const struct replication_ops *ops;
};

MUST_USE static inline struct err *replication_get_state(const struct call *call,
    struct replication *replication, const struct inv_node *node,
    struct replication_state *ret_state)
{
    return replication->ops->get_state(call, replication, node, ret_state);
}

MUST_USE static inline struct err *replication_switchover(
    const struct call *call, struct replication *replication, const struct inv_node *target)
{
    return replication->ops->switchover(call, replication, target);
}

static inline void replication_close(struct replication *replication)
{
    if (replication != NULL) {
        replication->ops->close(replication);
    }
}

#endif
