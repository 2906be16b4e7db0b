/*
 * probe/access.h - the password of the cluster, resolved again when a server refuses it.
 *
 * A password may be rotated while the probe runs: then its reference has the new one. A command
 * that gives it may take seconds, so a thread resolves it and the load goes on meanwhile.
 */
#ifndef UPSHIFT_PROBE_ACCESS_H
#define UPSHIFT_PROBE_ACCESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/secret.h"
#include "probe/links.h"
#include "probe/probe.h"

struct access {
    struct arena arena;
    struct secret_ref ref; /* borrows from the arena and the configuration */
    const char *user;      /* borrowed; NULL: the default user */
    int64_t every_us, resolved_us;
    pthread_t thread;
    bool is_resolving;   /* there is a thread */
    struct secret fresh; /* the thread's until is_done, as is `err` */
    struct err *err;
    atomic_bool is_done;
};

/* Resolves the password and gives it to `links`. Borrows: `config` until access_close().
 * Errors: those of secret_resolve(). Blocks: as secret_resolve(). */
MUST_USE struct err *access_open(
    const struct probe_config *config, struct links *links, struct access *ret_access);

/* Begins to resolve it again when it was refused, and hands over what was resolved. */
void access_step(struct access *access, struct links *links, int64_t now_us);

/* Allowed on one that is all zeros. Blocks: until a resolution under way has ended. */
void access_close(struct access *access);

#endif
