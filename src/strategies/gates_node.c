/* Is this node in a state in which it may be stopped, or be relied upon? */
#include <inttypes.h>

#include "base/str.h"
#include "strategies/gate_report.h"

/* A primary refuses requests for 2 s after its start once it thinks the cluster failed, as it may
 * for a moment when slots change hands (measured: one request failed so). */
enum { SETTLED_S = 3 };

struct gate_answer gate_no_saving(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        if (!node->is_last_write_good) {
            gate_report_add(&report, GATE_NEVER,
                "read the node's log, make room on its disk, and let BGSAVE or BGREWRITEAOF "
                "succeed",
                "the last save or append of %s failed", node->name);
        }
        if (node->is_saving) {
            gate_report_add(&report, GATE_NOT_YET, NULL, "%s is saving its data", node->name);
        }
    }
    return gate_report_finish(&report, "no_saving");
}

struct gate_answer gate_nodes_settled(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        if (node->uptime_s < SETTLED_S) {
            gate_report_add_node(&report,
                &(struct gate_problem){.state = GATE_NOT_YET, .node = node->name},
                " started less than %d s ago and may refuse requests as a primary", SETTLED_S);
        }
    }
    return gate_report_finish(&report, "nodes_settled");
}

/* Whoever cannot stop a server must not begin to replace it: a second one would be started. */
struct gate_answer gate_process_known(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        if (node->is_process_lost) {
            gate_report_add_node(&report,
                &(struct gate_problem){
                    .state = GATE_NEEDS_YOU,
                    .remedy = "write the number of the server's process into the node's pid_file, "
                              "or correct pid_file and directory in the inventory",
                    .node = node->name,
                },
                ": its server answers, but the pid file names no process in its directory");
        }
    }
    return gate_report_finish(&report, "process_known");
}

struct gate_answer gate_drained(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        if (node->busy_clients > 0) {
            gate_report_add(&report, GATE_NOT_YET,
                "end the clients that still use it, or point those that read from replicas "
                "elsewhere",
                "%" PRId64 " client%s still busy on %s", node->busy_clients,
                node->busy_clients == 1 ? " is" : "s are", node->name);
        }
    }
    return gate_report_finish(&report, "drained");
}

static bool is_listed(const struct gate_input *input, const char *list, const char *setting)
{
    const struct json *names = js_get(input->args, list);
    for (size_t i = 0; i < js_count(names); i++) {
        if (text_equal(js_as_text(js_at(names, i)), setting)) {
            return true;
        }
    }
    return false;
}

static const char *or_nothing(const char *value)
{
    return value == NULL || value[0] == '\0' ? "nothing" : value;
}

/* CONFIG REWRITE of 6.0 adds "user default on nopass ~* +@all", and with that line 7.0 forbids that
 * user to publish and subscribe (measured). */
static bool has_good_rewrite(const struct fact_node *node)
{
    return !text_equal(node->series, "redis/6.0");
}

/* What the policy (args.drift) says to all of a node's drift. A file is not rewritten while
 * settings are live that a run may have made for a while (args.temporary): they would stay. */
static bool is_drift_accepted(const struct gate_input *input, const struct fact_node *node)
{
    const char *policy = js_get_text(input->args, "drift");
    bool may_rewrite = has_good_rewrite(node);
    for (size_t i = 0; i < node->drift_count; i++) {
        may_rewrite &= !is_listed(input, "temporary", node->drift[i].setting);
    }
    return text_equal(policy, "ignore") || (text_equal(policy, "rewrite") && may_rewrite);
}

/* Which of the two values is meant, only the operator knows. */
struct gate_answer gate_no_drift(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        for (size_t i = 0; i < node->drift_count; i++) {
            const struct fact_drift *drift = &node->drift[i];
            if (is_listed(input, "ignore", drift->setting) || is_drift_accepted(input, node)) {
                continue;
            }
            gate_report_add(&report, GATE_NEEDS_YOU,
                has_good_rewrite(node)
                    ? "keep the live values with CONFIG REWRITE, or let the run do it "
                      "(policy.drift: rewrite), or set them back to those of the file"
                    : "write the live values into the file by hand, or set them back to those of "
                      "the file (CONFIG REWRITE of 6.0 also writes users, whom 7.0 then forbids to "
                      "publish and subscribe)",
                "%s of %s is %s live and %s in its file: a restart would lose it", drift->setting,
                node->name, or_nothing(drift->live), or_nothing(drift->file));
        }
    }
    return gate_report_finish(&report, "no_drift");
}

/* A primary that comes back empty makes its replicas empty too. With args.node: that node, because
 * it is to become a primary. */
struct gate_answer gate_persistent_primary(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    const bool is_named = js_get_text(input->args, "node") != NULL;
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        if ((is_named || node->role == FACT_ROLE_PRIMARY) && !node->is_persistent) {
            gate_report_add(&report, GATE_NEVER,
                "switch on appendonly or save points, in the configuration file and live",
                "%s keeps nothing on disk: a restart as primary would empty its shard", node->name);
        }
    }
    return gate_report_finish(&report, "persistent_primary");
}
