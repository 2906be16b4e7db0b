/*
 * guard/config.h - what a guard or its timer is told on standard input, as JSON.
 *
 * The part of the inventory that it needs, with secrets as references; nothing is on the command
 * line. The process builds its own struct inv_cluster of it and opens drivers as everybody does.
 */
#ifndef UPSHIFT_GUARD_CONFIG_H
#define UPSHIFT_GUARD_CONFIG_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/json.h"
#include "model/inventory.h"

struct guard_config {
    struct inv_cluster cluster; /* as far as drivers need it */
    const char **password_argv; /* of a secret that a command gives; without the NULL at its end */
    size_t password_argv_count;
    const char *run;
    const char *step;
    const char *primary; /* names of nodes */
    const char *heir;
    const char *base;         /* path of its files without their suffixes (guard/files.h) */
    const char *fence_before; /* the setting that fences, as it shall be afterwards */
    int64_t epoch;
    int64_t hold_limit_ms;
    int64_t start_before_ms; /* clock time: later it does not begin */
    int64_t fires_at_ms;     /* the timer's; clock time */
};

MUST_USE RETURNS_NONNULL struct json *guard_config_write(const struct guard_config *config);

/* Owns: `arena`. Errors: ERR_INVALID. */
MUST_USE struct err *guard_config_read(
    const struct json *value, struct arena *arena, struct guard_config *ret_config);

#endif
