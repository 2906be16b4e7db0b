/*
 * tests/fuzz/fuzz_cluster_nodes.c - any bytes as CLUSTER NODES.
 *
 * Goal: no crash and no endless walk; what a node or a slot range claims is within its bounds.
 */
#include "wire/redis_text.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct str part, struct str text)
{
    if (part.size > 0) {
        assert(part.data >= text.data);
        assert(part.data + part.size <= text.data + text.size);
        assert(memchr(part.data, '\n', part.size) == NULL);
    }
}

static void check_slots(struct str slots)
{
    int64_t first;
    int64_t last;
    size_t turns_left = slots.size + 2;
    int found;
    while ((found = redis_slots_next(&slots, &first, &last)) != 0) {
        assert(turns_left-- > 0);
        if (found < 0) {
            continue;
        }
        assert(0 <= first);
        assert(first <= last);
        assert(last < REDIS_SLOT_COUNT);
        assert(found == 1 || first == last);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str text = {(const char *)data, size};
    struct str rest = text;
    struct redis_cluster_node node;
    size_t turns_left = size + 2;
    int found;
    while ((found = redis_cluster_nodes_next(&rest, &node)) != 0) {
        assert(turns_left-- > 0);
        if (found < 0) {
            continue;
        }
        assert(node.id.size > 0);
        assert(0 <= node.port && node.port <= 65535);
        assert(0 <= node.bus_port && node.bus_port <= 65535);
        assert(node.epoch >= 0);
        check_inside(node.id, text);
        check_inside(node.host, text);
        check_inside(node.hostname, text);
        check_inside(node.primary_id, text);
        check_inside(node.slots, text);
        check_slots(node.slots);
    }
    return 0;
}
