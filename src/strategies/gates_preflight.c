/* Has every node what an upgrade will ask of it and of its host? */
#include <inttypes.h>

#include "base/str.h"
#include "strategies/gate_report.h"

enum {
    /* Of what a server uses, at least a quarter must be free before its memory is copied for a
     * save or a full sync: each page that is written meanwhile exists twice. */
    COPY_SHARE = 4,
    /* The file of a full sync and a rewritten append-only file are beside the present ones. */
    DISK_COPIES = 2,
    OVERCOMMIT_NEVER = 2, /* vm.overcommit_memory: then all of it must be free */
};

const char *gate_write_bytes(struct arena *arena, int64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    int64_t tenths = bytes < INT64_MAX / 10 ? bytes * 10 : INT64_MAX;
    size_t unit = 0;
    for (; tenths >= 10240 && unit + 1 < ARRAY_COUNT(units); unit++) {
        tenths /= 1024;
    }
    return unit == 0 ? arena_format(arena, "%" PRId64 " bytes", bytes)
                     : arena_format(arena, "%" PRId64 ".%" PRId64 " %s", tenths / 10, tenths % 10,
                           units[unit]);
}

static void report_room_unread(struct gate_report *report, const struct fact_node *node)
{
    gate_report_add_node(report, &(struct gate_problem){.state = GATE_NOT_YET, .node = node->name},
        ": what its host has left was not read");
}

struct gate_answer gate_fork_memory(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        const bool is_strict = node->overcommit == OVERCOMMIT_NEVER;
        const int64_t wanted = is_strict ? node->used_bytes : node->used_bytes / COPY_SHARE;
        if (node->memory_bytes == 0) {
            report_room_unread(&report, node);
        } else if (node->memory_free_bytes < wanted) {
            gate_report_add(&report, gate_lasting(input),
                is_strict ? "set vm.overcommit_memory to 1 on the host, or free memory there"
                          : "free memory on the host, or lower maxmemory",
                "the host of %s has %s of memory left; to copy its %s for a save or a full sync "
                "it needs %s",
                node->name, gate_write_bytes(input->arena, node->memory_free_bytes),
                gate_write_bytes(input->arena, node->used_bytes),
                gate_write_bytes(input->arena, wanted));
        }
    }
    return gate_report_finish(&report, "fork_memory");
}

struct gate_answer gate_disk_space(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        const int64_t wanted = node->data_bytes * DISK_COPIES;
        if (node->disk_bytes == 0) {
            report_room_unread(&report, node);
        } else if (node->disk_free_bytes < wanted) {
            gate_report_add(&report, gate_lasting(input),
                "make room on the disk, or move the directory to a larger one",
                "the disk of %s has %s left; for a full sync and a new append-only file of its %s "
                "it needs %s",
                node->name, gate_write_bytes(input->arena, node->disk_free_bytes),
                gate_write_bytes(input->arena, node->data_bytes),
                gate_write_bytes(input->arena, wanted));
        }
    }
    return gate_report_finish(&report, "disk_space");
}

/* The target loads the same module files, and whether they fit it upshift cannot know (args.allow:
 * the operator does). One that the file does not load is gone after a restart, and with it the
 * server, if its data need it. */
struct gate_answer gate_modules_allowed(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    const bool is_allowed = js_get_bool(input->args, "allow", false);
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        if (node->module_count > node->file_module_count) {
            gate_report_add_node(&report,
                &(struct gate_problem){.state = GATE_NEEDS_YOU,
                    .remedy = "write each of them into the configuration file (loadmodule), or "
                              "MODULE UNLOAD it",
                    .node = node->name},
                ": modules were loaded live that its file does not load (loaded: %s)",
                node->modules);
        } else if (node->module_count > 0 && !is_allowed) {
            gate_report_add_node(&report,
                &(struct gate_problem){.state = GATE_NEEDS_YOU,
                    .remedy = "make sure that the modules work with the target version, then set "
                              "policy.modules: allow",
                    .before = "modules are loaded on ",
                    .node = node->name},
                ": %s", node->modules);
        }
    }
    return gate_report_finish(&report, "modules_allowed");
}

struct gate_answer gate_commands_known(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        if (node->renamed_commands != NULL) {
            gate_report_add_node(&report,
                &(struct gate_problem){.state = GATE_NEVER,
                    .remedy = "take rename-command for these out of the file and restart the node; "
                              "restrict them by ACL instead",
                    .before = "commands that upshift needs are renamed in the file of ",
                    .node = node->name},
                ": %s", node->renamed_commands);
        }
    }
    return gate_report_finish(&report, "commands_known");
}

/* Where there is one primary, its replicas are known by the addresses they announce; those of a
 * Redis Cluster have ids, and another address is only worth a note. */
struct gate_answer gate_addresses_announced(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        if (facts_have_one_primary(input->facts) && node->announced != NULL &&
            !text_equal(node->announced, node->address)) {
            gate_report_add(&report, GATE_NEEDS_YOU,
                "write the announced addresses into the inventory, or correct replica-announce-ip "
                "and replica-announce-port",
                "%s announces itself as %s, the inventory has %s", node->name, node->announced,
                node->address);
        }
    }
    return gate_report_finish(&report, "addresses_announced");
}

/* Of args.node: somebody has said that it should not become primary. Another replica of its shard
 * would have been chosen. */
struct gate_answer gate_heir_allowed(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    const bool is_unwatched = text_equal(input->facts->topology, "replication");
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        if (node->role == FACT_ROLE_REPLICA && node->is_failover_forbidden) {
            gate_report_add(&report, GATE_NEEDS_YOU,
                "set cluster-replica-no-failover to no on one replica of the shard, in the file "
                "and live",
                "%s may not become primary (cluster-replica-no-failover), and no other replica of "
                "%s may",
                node->name, node->shard);
        }
        if (is_unwatched && node->role == FACT_ROLE_REPLICA && node->replica_priority == 0) {
            gate_report_add(&report, GATE_NEEDS_YOU,
                "set replica-priority of one replica above 0, in the file and live",
                "%s may not become primary (replica-priority 0), and no other replica may",
                node->name);
        }
    }
    return gate_report_finish(&report, "heir_allowed");
}
