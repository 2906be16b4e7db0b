/*
 * drivers/fence.h - ending what an earlier controller may still have open at a node.
 *
 * A controller names each of its connections by run and epoch before it looks at the claim, and
 * looks before it acts. Who has taken the claim cuts what bears an older epoch before it acts
 * itself: a controller that was frozen between look and act wakes up on a dead connection.
 *
 * Implemented by drivers/redis/. Where it is NULL nothing of ours acts through connections.
 */
#ifndef UPSHIFT_DRIVERS_FENCE_H
#define UPSHIFT_DRIVERS_FENCE_H

#include "base/attr.h"
#include "base/call.h"
#include "base/err.h"
#include "model/inventory.h"

struct fence;

struct fence_mark {
    const char *run;
    int64_t epoch; /* connections of that run with a lower one are cut */
};

struct fence_ops {
    const char *name;

    /* Errors: ERR_UNREACHABLE the server does not answer: then nothing can act through it now;
     * ERR_REFUSED, code "no_permission". */
    struct err *(*cut)(const struct call *call, struct fence *fence, const struct inv_node *node,
        const struct fence_mark *mark, int64_t *ret_cut_count);

    void (*close)(struct fence *fence);
};

struct fence {
    const struct fence_ops *ops; /* first member of every driver's own struct */
};

MUST_USE static inline struct err *fence_cut(const struct call *call, struct fence *fence,
    const struct inv_node *node, const struct fence_mark *mark, int64_t *ret_cut_count)
{
    return fence->ops->cut(call, fence, node, mark, ret_cut_count);
}

static inline void fence_close(struct fence *fence)
{
    if (fence != NULL) {
        fence->ops->close(fence);
    }
}

#endif
