/*
 * app/server.h - the controller's ear: the Unix socket of engine/control.h, one thread.
 *
 * Peers must be root or the controller's own user (SO_PEERCRED). Snapshots are composed when they
 * are sent: the engine's part from server_publish(), the rest from `decorate`. A viewer that reads
 * too slowly misses snapshots, not the last one; it never holds up the engine.
 */
#ifndef UPSHIFT_APP_SERVER_H
#define UPSHIFT_APP_SERVER_H

#include "base/attr.h"
#include "base/err.h"
#include "base/json.h"
#include "engine/run.h"

struct server;

/* What somebody asked for. Texts live until the hook returns. */
struct server_command {
    enum run_command command;
    const char *answer; /* what goes with it ("accept 3f9a..."), or NULL */
    const char *who;    /* "ada (uid 1000, pid 4711)" */
    int64_t reply_id;
};

struct server_hooks {
    /* A command came: answer it with server_reply() later, from another thread. Thread: the
     * server's, which holds its lock. */
    void (*on_command)(void *context, const struct server_command *command);
    /* Adds `probe` and what else the engine does not know. Thread: the server's. */
    void (*decorate)(void *context, struct json *snapshot);
    void *context;
};

/* Listens in `directory` (<state>/<cluster>), replacing the socket of a dead controller: the caller
 * holds the lock. Errors: ERR_REFUSED; ERR_INTERNAL no thread to be had. */
MUST_USE struct err *server_open(
    const char *directory, const struct server_hooks *hooks, struct server **ret_server);

/* Sends the last snapshot to all viewers, then ends. NULL is allowed. */
void server_close(struct server *server);

/* Takes over the engine's snapshot and wakes the viewers. Owns: takes `snapshot`. Thread: any. */
void server_publish(struct server *server, struct json *snapshot);

/* Adds a line to the events that viewers see. Thread: any. */
void server_tell(struct server *server, int64_t wall_ms, const char *text);

/* Answers a command. Thread: any. */
void server_reply(
    struct server *server, int64_t reply_id, bool is_ok, int exit_code, const char *text);

/* Tells everybody, also those who come now, why the controller cannot go on. Blocks: until
 * somebody has heard it, half a second at most. */
void server_fail(struct server *server, int exit_code, const struct err *err);

#endif
