/*
 * drivers/service.h - the server process of a node: is it there, start it, end it.
 *
 * Implemented by drivers/process/ (plain processes) and drivers/sim/. A process is known by an
 * identity (boot, pid and start time), so that a later process with the same number is not taken
 * for it. Every call blocks at most to the call's deadline and may be repeated.
 */
#ifndef UPSHIFT_DRIVERS_SERVICE_H
#define UPSHIFT_DRIVERS_SERVICE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/call.h"
#include "base/err.h"
#include "model/inventory.h"

struct service;

enum { SERVICE_IDENTITY_SIZE = 96 };

struct service_status {
    bool is_running;
    char identity[SERVICE_IDENTITY_SIZE]; /* "<boot id>/<pid>/<start time>"; "" when not running */
};

struct service_ops {
    const char *name; /* as written in the inventory: "process" */

    struct err *(*get_status)(const struct call *call, struct service *service,
        const struct inv_node *node, struct service_status *ret_status);

    /* Starts the program that the node's server link names, with its configuration file, unless it
     * runs already. Returns when the process was executed, not when it serves.
     * Errors: ERR_INVALID cannot be started (with the reason). */
    struct err *(*start)(
        const struct call *call, struct service *service, const struct inv_node *node);

    /* Asks the process with this identity to end (SIGTERM) and waits until it is gone. Another
     * identity, or none, is left alone and is success. Never SIGKILL: a server that does not end
     * by the deadline is an error for a human. Errors: ERR_UNKNOWN at the deadline. */
    struct err *(*stop)(const struct call *call, struct service *service,
        const struct inv_node *node, const char *identity);

    void (*close)(struct service *service);
};

struct service {
    const struct service_ops *ops;
};

MUST_USE static inline struct err *service_get_status(const struct call *call,
    struct service *service, const struct inv_node *node, struct service_status *ret_status)
{
    return service->ops->get_status(call, service, node, ret_status);
}

MUST_USE static inline struct err *service_start(
    const struct call *call, struct service *service, const struct inv_node *node)
{
    return service->ops->start(call, service, node);
}

MUST_USE static inline struct err *service_stop(const struct call *call, struct service *service,
    const struct inv_node *node, const char *identity)
{
    return service->ops->stop(call, service, node, identity);
}

static inline void service_close(struct service *service)
{
    if (service != NULL) {
        service->ops->close(service);
    }
}

#endif
