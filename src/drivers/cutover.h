/*
 * drivers/cutover.h - the acts of a cut-over: hold, fence, promote, follow, release.
 *
 * A hold makes writes wait and ends by itself; it proves nothing. A fence makes a server refuse
 * writes and stands until it is lifted; it is therefore set only by a guard (src/guard/), whose
 * timer lifts it when everything of ours has died. One session has open connections to all servers
 * of the cluster and to those who watch them, because connecting must not be part of the hold.
 *
 * Implemented by drivers/redis/ (topologies "sentinel" and "replication") and drivers/sim/. Every
 * call blocks at most to the call's deadline and may be repeated.
 */
#ifndef UPSHIFT_DRIVERS_CUTOVER_H
#define UPSHIFT_DRIVERS_CUTOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/call.h"
#include "base/err.h"
#include "model/facts.h"
#include "model/inventory.h"

struct cutover;
struct cutover_session;

enum { CUTOVER_ID_SIZE = 288, CUTOVER_FENCE_SIZE = 32 };

/* All other servers of the cluster are replicas that will follow the heir. */
struct cutover_parties {
    const struct inv_node *primary; /* gives up its role; borrowed until the session is closed */
    const struct inv_node *heir;    /* takes it */
};

/* What one server says of itself. */
struct cutover_view {
    enum fact_role role;
    const struct inv_node *primary; /* of a replica: whom it follows; NULL: none of the cluster */
    bool is_link_up;
    int64_t offset;                 /* of a primary written, of a replica applied */
    bool is_fenced;                 /* by upshift */
    char fence[CUTOVER_FENCE_SIZE]; /* the setting that fences, as it is */
};

/* What those who watch the servers tell clients. Without any: published, nothing in progress. */
struct cutover_watch {
    bool is_published;    /* all that answer, and a majority of all, name the heir */
    bool is_failing_over; /* one of them is changing the primary right now */
};

struct cutover_ops {
    const char *name;

    /* Connects to nothing yet. Errors: ERR_INVALID a secret cannot be resolved. */
    struct err *(*open)(const struct call *call, struct cutover *cutover,
        const struct cutover_parties *parties, struct cutover_session **ret_session);

    /* Reads one server. Errors: ERR_UNREACHABLE, ERR_UNKNOWN. */
    struct err *(*look)(const struct call *call, struct cutover_session *session,
        const struct inv_node *node, struct cutover_view *ret_view);

    /* Asks whether the primary can be fenced at all, and prepares whatever the hold must not wait
     * for. Changes nothing. Errors: ERR_REFUSED, code "fence_unavailable". */
    struct err *(*prepare)(const struct call *call, struct cutover_session *session);

    /* Holds and fences the primary in one act; the hold ends by itself after `hold_ms`. Fills the
     * position after it: nothing that is acknowledged lies behind it. */
    struct err *(*hold)(const struct call *call, struct cutover_session *session, int64_t hold_ms,
        int64_t *ret_offset);

    /* Fences a server without holding its writers. */
    struct err *(*fence)(
        const struct call *call, struct cutover_session *session, const struct inv_node *node);

    /* Makes the heir primary, or asks those who watch to do so. Errors: ERR_REFUSED, code
     * "promotion_refused": nothing has happened and nothing will. */
    struct err *(*promote)(const struct call *call, struct cutover_session *session);

    /* Makes `node` a replica of the heir. May return before the server did it: look. */
    struct err *(*follow)(
        const struct call *call, struct cutover_session *session, const struct inv_node *node);

    /* Lifts our fence from `node`: sets the setting to `value` if it still is as a fence left it.
     */
    struct err *(*unfence)(const struct call *call, struct cutover_session *session,
        const struct inv_node *node, const char *value);

    /* Lets the writers of the primary go on, where the server can; elsewhere the hold runs out. */
    struct err *(*release)(const struct call *call, struct cutover_session *session);

    struct err *(*watch)(
        const struct call *call, struct cutover_session *session, struct cutover_watch *ret_watch);

    void (*close_session)(struct cutover_session *session);
    void (*close)(struct cutover *cutover);
};

struct cutover {
    const struct cutover_ops *ops;
};

struct cutover_session {
    const struct cutover_ops *ops;
    const struct inv_cluster *cluster;
    struct cutover_parties parties;
};

MUST_USE static inline struct err *cutover_open(const struct call *call, struct cutover *cutover,
    const struct cutover_parties *parties, struct cutover_session **ret_session)
{
    return cutover->ops->open(call, cutover, parties, ret_session);
}

MUST_USE static inline struct err *cutover_look(const struct call *call,
    struct cutover_session *session, const struct inv_node *node, struct cutover_view *ret_view)
{
    return session->ops->look(call, session, node, ret_view);
}

MUST_USE static inline struct err *cutover_prepare(
    const struct call *call, struct cutover_session *session)
{
    return session->ops->prepare(call, session);
}

MUST_USE static inline struct err *cutover_hold(
    const struct call *call, struct cutover_session *session, int64_t hold_ms, int64_t *ret_offset)
{
    return session->ops->hold(call, session, hold_ms, ret_offset);
}

MUST_USE static inline struct err *cutover_fence(
    const struct call *call, struct cutover_session *session, const struct inv_node *node)
{
    return session->ops->fence(call, session, node);
}

MUST_USE static inline struct err *cutover_promote(
    const struct call *call, struct cutover_session *session)
{
    return session->ops->promote(call, session);
}

MUST_USE static inline struct err *cutover_follow(
    const struct call *call, struct cutover_session *session, const struct inv_node *node)
{
    return session->ops->follow(call, session, node);
}

MUST_USE static inline struct err *cutover_unfence(const struct call *call,
    struct cutover_session *session, const struct inv_node *node, const char *value)
{
    return session->ops->unfence(call, session, node, value);
}

MUST_USE static inline struct err *cutover_release(
    const struct call *call, struct cutover_session *session)
{
    return session->ops->release(call, session);
}

MUST_USE static inline struct err *cutover_watch(
    const struct call *call, struct cutover_session *session, struct cutover_watch *ret_watch)
{
    return session->ops->watch(call, session, ret_watch);
}

static inline void cutover_close_session(struct cutover_session *session)
{
    if (session != NULL) {
        session->ops->close_session(session);
    }
}

static inline void cutover_close_session_slot(struct cutover_session **slot)
{
    cutover_close_session(*slot);
}
#define AUTO_CUTOVER_SESSION CLEANUP(cutover_close_session_slot) struct cutover_session *

static inline void cutover_close(struct cutover *cutover)
{
    if (cutover != NULL) {
        cutover->ops->close(cutover);
    }
}

#endif
