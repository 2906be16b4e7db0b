/*
 * probe/slots.h - which node owns which slot, as this client believes.
 *
 * A map like that of any cluster client: filled from CLUSTER SLOTS, corrected by MOVED. It is
 * allowed to be wrong; a redirection corrects it and is no failure. Where there is one primary, it
 * owns all slots: Sentinels tell who it is, without them the nodes do (ROLE). Like an ordinary
 * client, nobody is asked as long as the primary answers.
 */
#ifndef UPSHIFT_PROBE_SLOTS_H
#define UPSHIFT_PROBE_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "wire/redis_text.h"
#include "wire/resp.h"

enum { SLOTS_NODE_COUNT_MAX = 256 };

/* How the owners are found. */
enum slots_source { SLOTS_FROM_CLUSTER, SLOTS_FROM_ROLES, SLOTS_FROM_SENTINELS };

struct slot_node {
    char *host; /* owned */
    int64_t port;
    char *where; /* "127.0.0.1:7001"; owned */
};

struct slots {
    struct slot_node nodes[SLOTS_NODE_COUNT_MAX];
    size_t node_count;
    enum slots_source source;
    size_t sentinel_count;            /* the first nodes are Sentinels and own nothing */
    int16_t owners[REDIS_SLOT_COUNT]; /* index of the node, or -1 */
    bool is_stale;                    /* something contradicted the map: ask again */
    int adviser;                      /* the node to ask, or -1 for any */
};

void slots_init(struct slots *slots);
void slots_release(struct slots *slots);

/* Index of a node, which is added when new; -1 when there are too many. */
int slots_node(struct slots *slots, struct str host, int64_t port);

/* The node to ask who owns what. `is_lost`: the one asked last did not answer. */
int slots_adviser(const struct slots *slots, bool is_lost, uint64_t random);

/* Takes over its reply: of node `from` to CLUSTER SLOTS, ROLE, or SENTINEL GET-MASTER-ADDR-BY-NAME.
 * False when it does not tell. */
bool slots_load(struct slots *slots, const struct resp *reply, int from);

/* The node to ask for a key; any node while the owner is unknown. `random` chooses it. */
int slots_route(const struct slots *slots, struct str key, uint64_t random);

/* A node other than `node`, if there is one. */
int slots_other(const struct slots *slots, int node, uint64_t random);

/* Whom to ask when `node`, the owner, failed: another one knows who took over. Where there is one
 * primary, it is asked again: a replica would answer reads, and may be behind. */
int slots_elsewhere(const struct slots *slots, int node, uint64_t random);

/* Says that `node` failed its client: the map is to be asked again, from somebody else. */
void slots_distrust(struct slots *slots, int node, uint64_t random);

/* An error of `node`: where there is one primary, maybe it is another one now. Asks it first. */
void slots_doubt(struct slots *slots, int node);

/* If `error` redirects: learns from it and returns the node to ask instead. -1 otherwise. */
int slots_redirect(struct slots *slots, struct str error, int from, bool *ret_is_ask);

#endif
