/* strategies/rolling_notes.c - what a plan tells of its nodes that keeps nobody from anything. */
#include <inttypes.h>

#include "base/buf.h"
#include "base/str.h"
#include "strategies/gate_report.h"
#include "strategies/rolling_parts.h"

enum { NODES_NAMED_MAX = 12, CLIENTS_NAMED_MAX = 12 };

static bool guesses_memory(const struct rolling *UNUSED(rolling), const struct fact_node *node)
{
    return node->memory_bytes > 0 && node->overcommit == 0;
}

static bool breaks_copies(const struct rolling *UNUSED(rolling), const struct fact_node *node)
{
    return node->replica_buffer_bytes > 0 && node->replica_buffer_bytes < node->data_bytes;
}

/* Since 7.0 a smaller limit than the backlog counts as one of that size. */
static bool breaks_backlog(const struct rolling *rolling, const struct fact_node *node)
{
    return node->replica_buffer_bytes > 0 &&
           node->replica_buffer_bytes < rolling->request->cluster->policy.backlog_bytes;
}

static bool announces_elsewhere(const struct rolling *UNUSED(rolling), const struct fact_node *node)
{
    return node->announced != NULL && !text_equal(node->announced, node->address);
}

static bool loses_channels(const struct rolling *rolling, const struct fact_node *node)
{
    return node->lacks_channels && text_equal(node->series, "redis/6.0") &&
           rolling->target != NULL && !text_equal(rolling->target->series, "redis/6.2") &&
           !rolling_is_at_target(node, rolling->target);
}

/* Its shard has one replica: while that one restarts WAIT finds none. */
static bool waits_in_vain(const struct rolling *rolling, const struct fact_node *node)
{
    int64_t replica_count = 0;
    for (size_t i = 0; i < rolling->facts->node_count; i++) {
        const struct fact_node *other = &rolling->facts->nodes[i];
        replica_count += other->role == FACT_ROLE_REPLICA && text_equal(other->shard, node->shard);
    }
    return node->has_waits && replica_count == 1;
}

/* A fault that several nodes may have, and its sentence around their names. */
static const struct node_note {
    bool (*is_so)(const struct rolling *rolling, const struct fact_node *node);
    const char *before;
    const char *after;
} node_notes[] = {
    {guesses_memory, "vm.overcommit_memory is 0 on the hosts of ",
        ": a save or a full sync may fail when memory is short; Redis advises 1"},
    {breaks_copies, "client-output-buffer-limit of ",
        " is smaller than the data: a full sync during which more than that is written begins "
        "again"},
    {breaks_backlog, "client-output-buffer-limit of ",
        " is smaller than policy.backlog: before 7.0 a replica is cut off at the smaller of the "
        "two"},
    {waits_in_vain, "clients use WAIT on ",
        ": while its only replica is restarted they wait in vain to their timeout"},
    {loses_channels, "users without a rule about channels are in the file of ",
        ": in the new version they may neither publish nor subscribe; remove the line "
        "`user default on nopass ~* +@all` that CONFIG REWRITE of 6.0 writes, and give others &* "
        "with ACL SETUSER after the restart"},
};

static void add_node_note(struct rolling *rolling, const struct node_note *note)
{
    AUTO_BUF names = {0};
    size_t count = 0;
    for (size_t i = 0; i < rolling->facts->node_count; i++) {
        const struct fact_node *node = &rolling->facts->nodes[i];
        if (node->is_reachable && note->is_so(rolling, node) && count++ < NODES_NAMED_MAX) {
            buf_printf(&names, "%s%s", count == 1 ? "" : ", ", node->name);
        }
    }
    if (count > NODES_NAMED_MAX) {
        buf_printf(&names, " and %zu more", count - NODES_NAMED_MAX);
    }
    if (count > 0) {
        rolling_add_note(rolling, arena_format(&rolling->plan->arena, "%s%s%s", note->before,
                                      buf_text(&names), note->after));
    }
}

/* The numbers behind the two notes about buffers, once where all nodes have the same. */
static void add_buffer_number(struct rolling *rolling)
{
    struct arena *arena = &rolling->plan->arena;
    int64_t smallest = 0;
    int64_t most_data = 0;
    for (size_t i = 0; i < rolling->facts->node_count; i++) {
        const struct fact_node *node = &rolling->facts->nodes[i];
        if (breaks_copies(rolling, node) || breaks_backlog(rolling, node)) {
            smallest = smallest == 0 || node->replica_buffer_bytes < smallest
                           ? node->replica_buffer_bytes
                           : smallest;
            most_data = node->data_bytes > most_data ? node->data_bytes : most_data;
        }
    }
    if (smallest > 0) {
        rolling_add_note(
            rolling, arena_format(arena, "the smallest of these limits is %s, the most data %s",
                         gate_write_bytes(arena, smallest), gate_write_bytes(arena, most_data)));
    }
}

static void add_announced(struct rolling *rolling)
{
    for (size_t i = 0; i < rolling->facts->node_count; i++) {
        const struct fact_node *node = &rolling->facts->nodes[i];
        if (announces_elsewhere(rolling, node)) {
            rolling_add_note(rolling,
                arena_format(&rolling->plan->arena,
                    "%s sends clients to %s, the inventory reaches it at %s: the probe must reach "
                    "both",
                    node->name, node->announced, node->address));
        }
    }
}

/* Is the name among those of earlier nodes, or earlier in this one's? */
static bool is_client_told(const struct facts *facts, size_t node, size_t client)
{
    const char *name = facts->nodes[node].clients[client].name;
    for (size_t i = 0; i <= node; i++) {
        const size_t end = i == node ? client : facts->nodes[i].client_count;
        for (size_t j = 0; j < end; j++) {
            if (text_equal(facts->nodes[i].clients[j].name, name)) {
                return true;
            }
        }
    }
    return false;
}

static void add_clients(struct rolling *rolling)
{
    AUTO_BUF names = {0};
    size_t count = 0;
    const struct facts *facts = rolling->facts;
    for (size_t i = 0; i < facts->node_count; i++) {
        for (size_t j = 0; j < facts->nodes[i].client_count; j++) {
            if (!is_client_told(facts, i, j) && count++ < CLIENTS_NAMED_MAX) {
                buf_printf(&names, "%s%s", count == 1 ? "" : ", ", facts->nodes[i].clients[j].name);
            }
        }
    }
    if (count > CLIENTS_NAMED_MAX) {
        buf_printf(&names, " and %zu more", count - CLIENTS_NAMED_MAX);
    }
    if (count > 0) {
        rolling_add_note(rolling, arena_format(&rolling->plan->arena,
                                      "clients seen: %s; one that does not reconnect and repeat "
                                      "once sees errors when its node restarts",
                                      buf_text(&names)));
    }
}

void rolling_add_preflight_notes(struct rolling *rolling)
{
    for (size_t i = 0; i < ARRAY_COUNT(node_notes); i++) {
        add_node_note(rolling, &node_notes[i]);
    }
    add_buffer_number(rolling);
    add_announced(rolling);
    add_clients(rolling);
}
