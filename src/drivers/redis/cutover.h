/*
 * drivers/redis/cutover.h - one cut-over's open connections; private to this folder.
 */
#ifndef UPSHIFT_DRIVERS_REDIS_CUTOVER_H
#define UPSHIFT_DRIVERS_REDIS_CUTOVER_H

#include "base/secret.h"
#include "drivers/cutover.h"
#include "drivers/redis/conn.h"

struct cutover_link {
    const struct inv_node *node;
    struct redis_conn *conn; /* NULL: not connected (any more) */
    bool is_monitoring;      /* replies stand among lines about other clients' commands */
};

struct redis_cutover {
    struct cutover_session base;
    const struct redis_driver *driver;
    struct secret password;
    struct cutover_link *links; /* the servers, then the Sentinels */
    size_t link_count;
    bool pauses_all;              /* Redis 6.0: CLIENT PAUSE stops every command of every client */
    struct redis_conn *bystander; /* there: waits for the end of the pause in front of all others */
    bool is_follow_queued;        /* on it */
    bool is_handed_over;          /* the old primary was told to follow */
    int64_t cleared_ms;           /* when those who wait were disconnected last */
};

/* Asks one server or Sentinel, connecting first where needed. After an error that leaves the
 * connection out of step it is closed. Errors: as redis_conn_open() and redis_conn_ask(). */
MUST_USE struct err *redis_cutover_ask(const struct call *call, struct redis_cutover *session,
    const struct inv_node *node, const char *const *argv, struct resp *ret_reply);

/* With Sentinels (cutover_sentinel.c): asks one of them for the failover; what all of them tell. */
MUST_USE struct err *redis_sentinel_promote(const struct call *call, struct redis_cutover *session);
MUST_USE struct err *redis_sentinel_watch(
    const struct call *call, struct redis_cutover *session, struct cutover_watch *ret_watch);

#endif
