/*
 * drivers/redis/conn.h - one connection to one server: a command, its reply, errors in our words.
 *
 * Blocking, with the deadline of the call. A connection is authenticated and named before it is
 * handed out. After an error other than ERR_REFUSED it is out of step with the server: close it.
 */
#ifndef UPSHIFT_DRIVERS_REDIS_CONN_H
#define UPSHIFT_DRIVERS_REDIS_CONN_H

#include "base/secret.h"
#include "drivers/redis/driver.h"
#include "wire/resp.h"

struct redis_conn;

/* Names start like this, so that we tell our own connections from those of applications. */
#define REDIS_CONN_PREFIX "upshift:"

/* Reads the cluster's password. Errors: ERR_INVALID. */
MUST_USE struct err *redis_conn_password(
    const struct redis_driver *driver, struct secret *ret_password);

/* Errors: ERR_UNREACHABLE; ERR_REFUSED with code wrong_password, password_missing, no_permission,
 * too_many_clients, protected_mode; ERR_UNKNOWN no answer in time. */
MUST_USE struct err *redis_conn_open(const struct call *call, const struct redis_driver *driver,
    const struct inv_node *node, const struct secret *password, struct redis_conn **ret_conn);

/* Sends one command (NULL-terminated) and waits for its reply, which stays valid until the next.
 * Errors: ERR_REFUSED an error reply, with a code where we know it; ERR_UNKNOWN. */
MUST_USE struct err *redis_conn_ask(const struct call *call, struct redis_conn *conn,
    const char *const *argv, struct resp *ret_reply);

/* Its two halves, for replies that come later or with others in between. */
MUST_USE struct err *redis_conn_send(
    const struct call *call, struct redis_conn *conn, const char *const *argv);
MUST_USE struct err *redis_conn_receive(const struct call *call, struct redis_conn *conn,
    const char *const *argv, struct resp *ret_reply);

/* The same for a command that is answered by text. Errors: also ERR_INVALID for another type. */
MUST_USE struct err *redis_conn_ask_text(const struct call *call, struct redis_conn *conn,
    const char *const *argv, struct str *ret_text);

void redis_conn_close(struct redis_conn *conn); /* NULL is allowed */
void redis_conn_close_slot(struct redis_conn **slot);
#define AUTO_REDIS_CONN CLEANUP(redis_conn_close_slot) struct redis_conn *

#define REDIS_COMMAND(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
