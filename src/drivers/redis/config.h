/*
 * drivers/redis/config.h - a server's settings: from its configuration file and from CONFIG GET *.
 *
 * Both become one list of names and values, so that they can be compared (drift.c). Secrets are
 * dropped at the door: a setting that may hold one keeps its name and loses its value, so nothing
 * later can show it. Included files are not followed.
 */
#ifndef UPSHIFT_DRIVERS_REDIS_CONFIG_H
#define UPSHIFT_DRIVERS_REDIS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"
#include "model/facts.h"
#include "wire/resp.h"

struct redis_directive {
    const char *name;   /* lower case */
    const char *value;  /* arguments joined by a space; "" without; NULL when it may be a secret */
    const char *digest; /* of a value that may be a secret, to compare it; NULL of others */
};

struct redis_config {
    struct redis_directive *items; /* in the order of the file */
    size_t count;
    bool has_include;
    bool lacks_channels; /* it has a user without a rule about channels */
};

/* Splits one line of a configuration file into words: blanks separate, "..." knows \n \r \t \a \b
 * \xHH and \ before any other, '...' knows \'. A comment or an empty line has none. False: a quote
 * is not closed, or closed in the middle of a word. */
bool redis_config_split(
    struct arena *arena, struct str line, const char ***ret_words, size_t *ret_count);

/* Reads a configuration file. A line that cannot be split is left out: the dry start reports it. */
void redis_config_parse(struct arena *arena, struct str text, struct redis_config *ret_config);

/* Reads the reply to CONFIG GET. */
void redis_config_of_reply(
    struct arena *arena, const struct resp *reply, struct redis_config *ret_config);

/* The last value of a setting, also under its older or newer name (slave, replica); NULL when it
 * is not there, or may be a secret. */
const char *redis_config_get(const struct redis_config *config, const char *name);

/* The digest of its last value; NULL when it is not there or no secret. */
const char *redis_config_get_digest(const struct redis_config *config, const char *name);

/* May this setting hold a password, or the name of an account? */
bool redis_config_is_secret(const char *name);

/* Adds to `node->drift` each setting whose live value is not what the file would give it at the
 * next start. Strings go to `arena`. */
void redis_drift_find(struct arena *arena, const struct redis_config *live,
    const struct redis_config *file, struct fact_node *node);

#endif
