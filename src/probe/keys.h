/*
 * probe/keys.h - the keys of one incarnation: their names, their values, and which should exist.
 *
 * Key n is "upshift:p:<incarnation>:<n>" and its value follows from the two, so that any later
 * process can tell what should be there from numbers alone. A keyspace is what one incarnation
 * wrote; a probe that follows a dead one takes over its keyspace from its log.
 */
#ifndef UPSHIFT_PROBE_KEYS_H
#define UPSHIFT_PROBE_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "probe/ranges.h"

enum { KEY_VALUE_SIZE = 96 };

/* Writes the name of key `number` into `ret_key`, replacing what was there. Negative numbers name
 * keys that are never written. */
void key_write_name(struct buf *ret_key, const char *incarnation, int64_t number);

/* The same for its value: KEY_VALUE_SIZE hexadecimal digits. */
void key_write_value(struct buf *ret_value, const char *incarnation, int64_t number);

/* Keys numbered `from` and above were written at `us` or later. */
struct key_age {
    int64_t from;
    int64_t us;
};

struct keyspace {
    char *incarnation; /* owned */
    int64_t ttl_us;
    int64_t next;         /* numbers below were used */
    int64_t gone;         /* of them, handed to a read-back and removed */
    struct ranges acked;  /* acknowledged, to be read back */
    struct ranges unsure; /* sent and never acknowledged: to be removed only */
    struct key_age *ages; /* ascending; owned */
    size_t age_count, age_capacity;
};

void keyspace_init(struct keyspace *keys, const char *incarnation, int64_t ttl_us);
void keyspace_release(struct keyspace *keys);

/* Remembers that keys from `next` on are written at `us` or later; at most once a second. */
void keyspace_note_time(struct keyspace *keys, int64_t us);

/* The number below which all keys were written before `us`; 0 when none is known to be. */
int64_t keyspace_written_before(const struct keyspace *keys, int64_t us);

/* The earliest time at which key `number` may have expired. */
int64_t keyspace_expires_us(const struct keyspace *keys, int64_t number);

#endif
