/*
 * wire/resp.h - RESP2 and RESP3, the protocol of Redis and Valkey: no sockets, no allocation.
 *
 * Replies are parsed in place: a value points into the input and into a pool of elements that the
 * caller provides. Incomplete input is an answer of its own, so the same function serves blocking
 * and event-driven readers. Source: the Redis serialization protocol specification (redis.io,
 * "Redis serialization protocol specification", RESP2 and RESP3).
 */
#ifndef UPSHIFT_WIRE_RESP_H
#define UPSHIFT_WIRE_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

enum resp_type {
    RESP_STRING,  /* + simple, $ bulk, = verbatim (without its three-letter prefix) */
    RESP_ERROR,   /* - simple, ! bulk */
    RESP_INTEGER, /* : */
    RESP_NULL,    /* $-1, *-1, _ */
    RESP_BOOL,    /* # ; number is 0 or 1 */
    RESP_DOUBLE,  /* , and ( big number: as text */
    RESP_ARRAY,   /* * array, ~ set, > push */
    RESP_MAP,     /* % ; 2 * count items, key and value in turn */
};

struct resp {
    enum resp_type type;
    bool is_push;             /* a push message (>), not the reply to a command */
    struct str text;          /* strings, errors, doubles; points into the input */
    int64_t number;           /* integers and booleans */
    const struct resp *items; /* arrays and maps; in the pool */
    size_t count;             /* elements; of a map: pairs */
};

enum resp_result {
    RESP_DONE, /* one whole value; ret_used bytes of the input belong to it */
    RESP_MORE, /* the input ends inside the value: read more and parse again from its start */
    RESP_BAD,  /* not RESP, nested deeper than 16, a bulk over 512 MiB, or the pool is too small */
};

/* Parses one value from the front of `input`. `pool` holds nested elements. */
enum resp_result resp_parse(struct str input, struct resp *pool, size_t pool_count,
    struct resp *ret_value, size_t *ret_used);

/* Appends one command as an array of bulk strings. */
void resp_append_command(struct buf *output, const struct str *args, size_t arg_count);

/* The same for terminated texts, ended by NULL: resp_append(&out, "CONFIG", "GET", name, NULL). */
void resp_append(struct buf *output, ...) __attribute__((sentinel));

/* Value of `key` in a map, or in a flat array of pairs (RESP2), or NULL. */
const struct resp *resp_find(const struct resp *map, const char *key);

#endif
