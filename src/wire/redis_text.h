/*
 * wire/redis_text.h - the line formats inside replies of Redis and Valkey: INFO, CLUSTER INFO,
 * CLUSTER NODES, CLIENT LIST, and key slots.
 *
 * Everything points into the given text; nothing is copied or allocated. Unknown fields are
 * skipped, because newer servers add some. Sources: redis.io, commands INFO, CLUSTER NODES, CLIENT
 * LIST, and the Redis cluster specification ("Key distribution model", CRC16 with polynomial 1021,
 * XMODEM).
 */
#ifndef UPSHIFT_WIRE_REDIS_TEXT_H
#define UPSHIFT_WIRE_REDIS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum { REDIS_SLOT_COUNT = 16384 };

/* Value of "name:value" in INFO or CLUSTER INFO; false when absent. */
bool redis_info_get(struct str info, const char *name, struct str *ret_value);

/* The same as a number; `fallback` when absent or not a number. */
int64_t redis_info_number(struct str info, const char *name, int64_t fallback);

/* One line of CLUSTER NODES. */
struct redis_cluster_node {
    struct str id;
    struct str host; /* without port; may be empty (address not known yet) */
    int64_t port;
    int64_t bus_port;      /* 0 when not given */
    struct str hostname;   /* 7.0 and later; empty if not set */
    struct str primary_id; /* empty for "-" */
    bool is_myself, is_primary, is_replica;
    bool is_failing;     /* fail */
    bool is_suspect;     /* fail? */
    bool is_handshaking; /* handshake */
    bool has_no_address; /* noaddr */
    bool is_linked;      /* link-state connected */
    int64_t ping_sent_ms, pong_received_ms;
    int64_t epoch;
    struct str slots; /* the rest of the line: "0-5460 7000 [93->-id]"; may be empty */
};

/* Cuts the next line off `rest` and parses it. Returns 1 for a node, 0 at the end, -1 for a line
 * that is not in the format. */
int redis_cluster_nodes_next(struct str *rest, struct redis_cluster_node *ret_node);

/* Cuts the next slot range off `rest` (the `slots` member). Returns 1 for a range [first, last];
 * 2 for a migrating or importing marker (first = last = the slot); 0 at the end; -1 bad. */
int redis_slots_next(struct str *rest, int64_t *ret_first, int64_t *ret_last);

/* Value of "name=" in one line of CLIENT LIST. */
bool redis_client_get(struct str line, const char *name, struct str *ret_value);

/* The slot of a key, honouring {hash tags}. */
uint16_t redis_key_slot(struct str key);

/* An error reply "MOVED 3999 127.0.0.1:6381" or "ASK ...": the new address; false for others.
 * An empty host (allowed by the specification) means the host that answered. */
bool redis_parse_redirect(
    struct str error, bool *ret_is_ask, int64_t *ret_slot, struct str *ret_host, int64_t *ret_port);

#endif
