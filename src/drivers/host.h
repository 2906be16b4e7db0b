/*
 * drivers/host.h - files on the host of a node.
 *
 * Implemented by drivers/local/ (this machine) and drivers/sim/. Paths are absolute. Every call
 * blocks at most to the call's deadline and may be repeated.
 */
#ifndef UPSHIFT_DRIVERS_HOST_H
#define UPSHIFT_DRIVERS_HOST_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/call.h"
#include "base/err.h"
#include "model/inventory.h"

struct host;

struct host_ops {
    const char *name; /* as written in the inventory: "local" */

    /* Appends up to `size_max` bytes from the start of a file. `ret_exists` false: no such file,
     * which is not an error. */
    struct err *(*read_file)(const struct call *call, struct host *host,
        const struct inv_node *node, const char *path, size_t size_max, bool *ret_exists,
        struct buf *ret_content);

    /* Does a file or folder exist? */
    struct err *(*exists)(const struct call *call, struct host *host, const struct inv_node *node,
        const char *path, bool *ret_exists);

    /* Reads a symbolic link. Owns: `*ret_target` is the caller's. */
    struct err *(*read_link)(const struct call *call, struct host *host,
        const struct inv_node *node, const char *path, char **ret_target);

    /* Points a symbolic link at `target` by rename: it is never missing. */
    struct err *(*replace_link)(const struct call *call, struct host *host,
        const struct inv_node *node, const char *path, const char *target);

    void (*close)(struct host *host);
};

struct host {
    const struct host_ops *ops; /* first member of every driver's own struct */
};

MUST_USE static inline struct err *host_read_file(const struct call *call, struct host *host,
    const struct inv_node *node, const char *path, size_t size_max, bool *ret_exists,
    struct buf *ret_content)
{
    return host->ops->read_file(call, host, node, path, size_max, ret_exists, ret_content);
}

MUST_USE static inline struct err *host_exists(const struct call *call, struct host *host,
    const struct inv_node *node, const char *path, bool *ret_exists)
{
    return host->ops->exists(call, host, node, path, ret_exists);
}

MUST_USE static inline struct err *host_read_link(const struct call *call, struct host *host,
    const struct inv_node *node, const char *path, char **ret_target)
{
    return host->ops->read_link(call, host, node, path, ret_target);
}

MUST_USE static inline struct err *host_replace_link(const struct call *call, struct host *host,
    const struct inv_node *node, const char *path, const char *target)
{
    return host->ops->replace_link(call, host, node, path, target);
}

static inline void host_close(struct host *host)
{
    if (host != NULL) {
        host->ops->close(host);
    }
}

#endif
