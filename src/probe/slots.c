#include "probe/slots.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void slots_init(struct slots *slots)
{
    *slots = (struct slots){.is_stale = true, .adviser = -1};
    memset(slots->owners, 0xff, sizeof(slots->owners));
}

void slots_release(struct slots *slots)
{
    for (size_t i = 0; i < slots->node_count; i++) {
        free(slots->nodes[i].host);
        free(slots->nodes[i].where);
    }
    slots->node_count = 0;
}

int slots_node(struct slots *slots, struct str host, int64_t port)
{
    for (size_t i = 0; i < slots->node_count; i++) {
        if (slots->nodes[i].port == port && str_is(host, slots->nodes[i].host)) {
            return (int)i;
        }
    }
    if (slots->node_count == SLOTS_NODE_COUNT_MAX) {
        return -1;
    }
    struct slot_node *node = &slots->nodes[slots->node_count];
    node->host = mem_format(STR_FMT, STR_ARG(host));
    node->port = port;
    node->where = mem_format("%s:%" PRId64, node->host, port);
    return (int)slots->node_count++;
}

/* [host, port, id, ...]; a host that is absent or empty is the one that answered. */
static int read_node(struct slots *slots, const struct resp *entry, int from)
{
    if (entry->type != RESP_ARRAY || entry->count < 2 || entry->items[1].type != RESP_INTEGER) {
        return -1;
    }
    const struct resp *host = &entry->items[0];
    if (host->type == RESP_NULL || host->text.size == 0) {
        return slots_node(slots, str_of(slots->nodes[from].host), entry->items[1].number);
    }
    if (host->type != RESP_STRING || str_is(host->text, "?")) {
        return -1; /* a node whose host name is not known yet */
    }
    return slots_node(slots, host->text, entry->items[1].number);
}

static void give_all_to(struct slots *slots, int owner)
{
    for (size_t slot = 0; slot < REDIS_SLOT_COUNT; slot++) {
        slots->owners[slot] = (int16_t)owner;
    }
}

/* ["master", ...] owns all; ["slave", host, port, ...] tells who does, and that one is asked next.
 */
static bool load_role(struct slots *slots, const struct resp *reply, int from)
{
    if (reply->type != RESP_ARRAY || reply->count < 3 || reply->items[0].type != RESP_STRING) {
        return false;
    }
    if (str_is(reply->items[0].text, "master")) {
        give_all_to(slots, from);
        return true;
    }
    if (reply->items[1].type == RESP_STRING && reply->items[2].type == RESP_INTEGER) {
        slots->is_stale = true;
        slots->adviser = slots_node(slots, reply->items[1].text, reply->items[2].number);
        give_all_to(slots, slots->adviser);
        return true;
    }
    return false;
}

/* [host, port], both as text. */
static bool load_address(struct slots *slots, const struct resp *reply)
{
    int64_t port = 0;
    if (reply->type != RESP_ARRAY || reply->count != 2 || reply->items[0].type != RESP_STRING ||
        reply->items[1].type != RESP_STRING || !str_to_int64(reply->items[1].text, &port)) {
        return false;
    }
    const int owner = slots_node(slots, reply->items[0].text, port);
    give_all_to(slots, owner);
    return owner >= 0;
}

static bool load_ranges(struct slots *slots, const struct resp *reply, int from)
{
    if (reply->type != RESP_ARRAY || reply->count == 0) {
        return false;
    }
    for (size_t i = 0; i < reply->count; i++) {
        const struct resp *range = &reply->items[i];
        if (range->type != RESP_ARRAY || range->count < 3 || range->items[0].type != RESP_INTEGER ||
            range->items[1].type != RESP_INTEGER) {
            return false;
        }
        const int64_t first = range->items[0].number;
        const int64_t last = range->items[1].number;
        if (first < 0 || last >= REDIS_SLOT_COUNT) {
            return false;
        }
        const int owner = read_node(slots, &range->items[2], from);
        for (size_t replica = 3; replica < range->count; replica++) {
            (void)read_node(slots, &range->items[replica], from);
        }
        for (int64_t slot = first; slot <= last; slot++) {
            slots->owners[slot] = (int16_t)owner;
        }
    }
    return true;
}

bool slots_load(struct slots *slots, const struct resp *reply, int from)
{
    switch (slots->source) {
    case SLOTS_FROM_ROLES:
        return load_role(slots, reply, from);
    case SLOTS_FROM_SENTINELS:
        return load_address(slots, reply);
    case SLOTS_FROM_CLUSTER:
    default:
        return load_ranges(slots, reply, from);
    }
}

/* A node that may own slots. */
static int any_node(const struct slots *slots, uint64_t random)
{
    const size_t count = slots->node_count - slots->sentinel_count;
    return (int)(slots->sentinel_count + random % (count == 0 ? 1 : count));
}

int slots_adviser(const struct slots *slots, bool is_lost, uint64_t random)
{
    if (slots->source == SLOTS_FROM_SENTINELS) {
        return (int)(random % slots->sentinel_count);
    }
    return is_lost || slots->adviser < 0 ? any_node(slots, random) : slots->adviser;
}

int slots_route(const struct slots *slots, struct str key, uint64_t random)
{
    const int owner = slots->owners[redis_key_slot(key)];
    return owner >= 0 ? owner : any_node(slots, random);
}

int slots_other(const struct slots *slots, int node, uint64_t random)
{
    const int first = (int)slots->sentinel_count;
    const int count = (int)slots->node_count - first;
    if (count < 2 || node < first) {
        return node < first ? any_node(slots, random) : node;
    }
    const int other = first + (int)(random % (uint64_t)(count - 1));
    return other < node ? other : other + 1;
}

int slots_elsewhere(const struct slots *slots, int node, uint64_t random)
{
    return slots->source == SLOTS_FROM_CLUSTER ? slots_other(slots, node, random) : node;
}

void slots_distrust(struct slots *slots, int node, uint64_t random)
{
    slots->is_stale = true;
    slots->adviser = slots_other(slots, node, random);
}

void slots_doubt(struct slots *slots, int node)
{
    if (slots->source != SLOTS_FROM_CLUSTER) {
        slots->is_stale = true;
        slots->adviser = node;
    }
}

int slots_redirect(struct slots *slots, struct str error, int from, bool *ret_is_ask)
{
    bool is_ask;
    int64_t slot;
    int64_t port;
    struct str host;
    if (!redis_parse_redirect(error, &is_ask, &slot, &host, &port) || slot < 0 ||
        slot >= REDIS_SLOT_COUNT) {
        return -1;
    }
    const int node =
        slots_node(slots, host.size > 0 ? host : str_of(slots->nodes[from].host), port);
    if (node >= 0 && !is_ask) {
        slots->owners[slot] = (int16_t)node;
        slots->is_stale = true;
        slots->adviser = node;
    }
    *ret_is_ask = is_ask;
    return node;
}
