/*
 * probe/links.h - the probe's connections to the nodes, and the one place where it waits.
 *
 * A link carries pipelined requests; answers come in order, so each link keeps a queue of what it
 * asked. Every node has one long-lived link per lane, opened when first used and again after it
 * broke; a fresh link is opened for one request and closed after its answer. Nothing here decides
 * what an answer or a loss means: that is handed to `events`, with the request's own numbers.
 *
 *     links_send(): closed -> OPENING -> GREETING (AUTH) -> READY, requests wait meanwhile
 *                      ^--- broken: every waiting request is reported lost
 */
#ifndef UPSHIFT_PROBE_LINKS_H
#define UPSHIFT_PROBE_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/secret.h"
#include "probe/slots.h"
#include "transport/stream.h"
#include "wire/resp.h"

enum link_lane {
    LANE_OPERATIONS, /* the measured load */
    LANE_BULK,       /* read-backs and questions about the cluster: never in the load's way */
    LANE_COUNT,
};

enum request_owner {
    OWNER_NOBODY, /* the answer is of no interest (AUTH, ASKING) */
    OWNER_OPERATION,
    OWNER_READBACK,
    OWNER_MAP,
};

/* A request as its owner knows it; `attempt` tells a late answer from the one waited for. */
struct request {
    enum request_owner owner;
    uint32_t attempt;
    uint64_t id;
};

struct link;

struct link_loss {
    const char *reason;
    bool was_connecting; /* nothing of the request left this host */
};

struct link_events {
    void (*woken)(void *context); /* the wait has ended; answers and losses follow */
    void (*answered)(
        void *context, const struct link *link, struct request request, const struct resp *value);
    void (*lost)(void *context, const struct link *link, struct request request,
        const struct link_loss *loss);
    void *context;
};

struct links {
    const struct link_events *events;
    struct slots *slots;    /* borrowed */
    struct tls *tls;        /* borrowed; NULL: plain */
    struct secret greeting; /* the AUTH command; empty: none */
    bool is_refused;        /* a server did not take it; for others to reset */
    struct link *all;       /* every link that exists */
    struct link *lanes[LANE_COUNT][SLOTS_NODE_COUNT_MAX];
    struct resp *pool;
    struct pollfd *polled; /* for ppoll, and the links in the same order */
    struct link **polled_links;
    size_t link_count, polled_capacity;
    int64_t bytes_sent, bytes_received;
};

/* Borrows: `slots`, `tls` and `events` for the links' life. `user` may be NULL. */
void links_init(struct links *links, struct slots *slots, struct tls *tls);
/* For links that open from now on. */
void links_set_password(struct links *links, const char *user, const struct secret *password);
void links_release(struct links *links);

/* The long-lived link of a node; opened if need be. */
struct link *links_get(struct links *links, enum link_lane lane, int node);

/* A link for one request. It closes itself after the answer, or by links_abandon(). */
struct link *links_open_fresh(struct links *links, int node);

/* Ends a fresh link whose answer is no longer of interest. */
void links_abandon(struct link *link);

/* Queues one command; nothing is written or reported before links_wait(). */
void link_send(struct link *link, struct request request, const struct buf *command);

int link_node(const struct link *link);

/* Writes what is queued, waits until something happens, `until_us` at most, or `extra_fd` (-1:
 * none) becomes readable, and reports answers and losses. Blocks: until then. */
void links_wait(struct links *links, int64_t until_us, int extra_fd);

#endif
