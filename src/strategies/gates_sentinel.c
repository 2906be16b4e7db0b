/* Where there is one primary: is there exactly one, does everybody follow it, and do all Sentinels
 * see it so? */
#include <inttypes.h>

#include "base/str.h"
#include "strategies/gate_report.h"

enum {
    /* Sentinels read INFO every 10 s; older than this they have lost sight of a replica. */
    INFO_AGE_MS_MAX = 15000,
};

/* What only the operator can end. Right after a cut-over the same may be seen for a moment. */
static enum gate_state question_or_wait(const struct gate_input *input)
{
    return js_get_bool(input->args, "preflight", false) ? GATE_NEEDS_YOU : GATE_NOT_YET;
}

static const struct fact_node *find_primary(const struct facts *facts, size_t *ret_count)
{
    const struct fact_node *found = NULL;
    *ret_count = 0;
    for (size_t i = 0; i < facts->node_count; i++) {
        const struct fact_node *node = &facts->nodes[i];
        if (node->is_reachable && node->role == FACT_ROLE_PRIMARY) {
            found = node;
            (*ret_count)++;
        }
    }
    return found;
}

static const char *name_of_id(const struct facts *facts, const char *id)
{
    const struct fact_node *node = facts_find_id(facts, id);
    return node != NULL ? node->name : id == NULL ? "nobody" : id;
}

/* Two primaries take writes that the other never gets: which to keep, only the operator knows. */
struct gate_answer gate_one_primary(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    size_t count = 0;
    const struct fact_node *primary = find_primary(input->facts, &count);
    for (size_t i = 0; count > 1 && i < input->facts->node_count; i++) {
        const struct fact_node *node = &input->facts->nodes[i];
        if (node->is_reachable && node->role == FACT_ROLE_PRIMARY) {
            gate_report_add_node(&report,
                &(struct gate_problem){
                    .state = question_or_wait(input),
                    .remedy = "find out which one has the newer data, and make the others its "
                              "replicas (REPLICAOF)",
                    .before = "more than one node is primary and takes writes: ",
                    .node = node->name,
                },
                "%s", "");
        }
    }
    if (count == 0) {
        gate_report_add(&report, GATE_NOT_YET, NULL, "no node calls itself primary");
    }
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        if (count == 1 && node->role == FACT_ROLE_REPLICA &&
            !text_equal(node->primary_id, primary->id)) {
            gate_report_add(&report, question_or_wait(input),
                "make it a replica of the primary itself (REPLICAOF)",
                "%s copies from %s, which is not the primary %s", node->name,
                name_of_id(input->facts, node->primary_id), primary->name);
        }
    }
    return gate_report_finish(&report, "one_primary");
}

/* A node that restarts becomes what its file says, whatever it is now. */
struct gate_answer gate_files_follow(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    size_t cursor = 0;
    for (const struct fact_node *node; (node = gate_next_node(&report, &cursor)) != NULL;) {
        const char *live = node->role == FACT_ROLE_REPLICA ? node->primary_id : NULL;
        if (node->role == FACT_ROLE_UNKNOWN || text_equal(live, node->file_primary_id)) {
            continue;
        }
        const char *remedy =
            "make the file say what is so: CONFIG REWRITE on that node, or correct "
            "replicaof in it";
        if (live == NULL) {
            gate_report_add(&report, question_or_wait(input), remedy,
                "%s is primary, but its file makes it a replica of %s", node->name,
                name_of_id(input->facts, node->file_primary_id));
        } else {
            gate_report_add(&report, question_or_wait(input), remedy,
                "%s is a replica of %s, but its file makes it %s%s: a restart would", node->name,
                name_of_id(input->facts, live),
                node->file_primary_id == NULL ? "a second primary" : "a replica of ",
                node->file_primary_id == NULL ? ""
                                              : name_of_id(input->facts, node->file_primary_id));
        }
    }
    return gate_report_finish(&report, "files_follow");
}

static const struct fact_watched *find_watched(const struct fact_sentinel *sentinel, const char *id)
{
    for (size_t i = 0; i < sentinel->watched_count; i++) {
        if (text_equal(sentinel->watched[i].id, id)) {
            return &sentinel->watched[i];
        }
    }
    return NULL;
}

static void report_unread_sentinel(struct gate_report *report, const struct fact_sentinel *sentinel)
{
    gate_report_add_node(report,
        &(struct gate_problem){
            .state = GATE_NOT_YET,
            .remedy = "start the Sentinel or repair the way to it; take one that is gone out of "
                      "the inventory and SENTINEL RESET the others",
            .node = sentinel->name,
        },
        " cannot be read: %s", sentinel->trouble == NULL ? "no answer" : sentinel->trouble);
}

static void check_members_known(struct gate_report *report, const struct fact_sentinel *sentinel)
{
    const int64_t expected = (int64_t)report->input->facts->sentinel_count;
    if (sentinel->sentinel_count > expected) {
        gate_report_add_node(report,
            &(struct gate_problem){
                .state = GATE_NEEDS_YOU,
                .remedy = "add the missing Sentinels to the inventory, or SENTINEL RESET the "
                          "others one after the other when they are gone",
                .before = "more Sentinels than the inventory names are known to ",
                .node = sentinel->name,
            },
            ": %" PRId64 " instead of %" PRId64, sentinel->sentinel_count, expected);
    } else if (sentinel->sentinel_count < expected) {
        gate_report_add_node(report,
            &(struct gate_problem){.state = GATE_NOT_YET,
                .before = "not all Sentinels of the inventory are known to ",
                .node = sentinel->name},
            ": %" PRId64 " of %" PRId64, sentinel->sentinel_count, expected);
    }
}

static void check_published(struct gate_report *report, const struct fact_sentinel *sentinel,
    const struct fact_node *primary)
{
    if (primary != NULL && !text_equal(sentinel->primary_id, primary->id)) {
        gate_report_add(report, GATE_NOT_YET,
            "compare SENTINEL GET-MASTER-ADDR-BY-NAME with master_name in the inventory",
            "%s names %s to clients, but %s is the primary", sentinel->name,
            name_of_id(report->input->facts, sentinel->primary_id), primary->name);
    }
    if (sentinel->is_primary_down) {
        gate_report_add(
            report, GATE_NOT_YET, NULL, "%s takes the primary for down", sentinel->name);
    }
    if (sentinel->is_failing_over) {
        gate_report_add(report, GATE_NOT_YET, NULL, "%s is failing over", sentinel->name);
    }
    for (size_t i = 0; i < sentinel->watched_count; i++) {
        const char *id = sentinel->watched[i].id;
        if (facts_find_id(report->input->facts, id) == NULL) {
            gate_report_add(report, GATE_NEEDS_YOU,
                "add it to the inventory, or SENTINEL RESET when it is gone",
                "%s knows a replica %s that is not in the inventory", sentinel->name, id);
        }
    }
    if (sentinel->is_process_lost) {
        gate_report_add(report, GATE_NEEDS_YOU,
            "write the number of its process into its pid_file, or correct the inventory",
            "%s answers, but its pid file names no process in its directory", sentinel->name);
    }
}

struct gate_answer gate_sentinels_agree(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    size_t count = 0;
    const struct fact_node *primary = find_primary(input->facts, &count);
    for (size_t i = 0; i < input->facts->sentinel_count; i++) {
        const struct fact_sentinel *sentinel = &input->facts->sentinels[i];
        if (!sentinel->is_reachable) {
            report_unread_sentinel(&report, sentinel);
            continue;
        }
        check_members_known(&report, sentinel);
        check_published(&report, sentinel, count == 1 ? primary : NULL);
    }
    return gate_report_finish(&report, "sentinels_agree");
}

/* Before a run sentinels_agree names it once; each gate of a step stands by itself. */
static void report_unread_again(struct gate_report *report, const struct fact_sentinel *sentinel)
{
    if (!js_get_bool(report->input->args, "preflight", false)) {
        report_unread_sentinel(report, sentinel);
    }
}

struct gate_answer gate_sentinel_quorum(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    for (size_t i = 0; i < input->facts->sentinel_count; i++) {
        const struct fact_sentinel *sentinel = &input->facts->sentinels[i];
        if (!sentinel->is_reachable) {
            report_unread_again(&report, sentinel);
        } else if (!sentinel->is_quorum_reached) {
            gate_report_add(&report, GATE_NOT_YET,
                "bring the other Sentinels back: without a majority nothing fails over",
                "%s cannot reach a quorum: %s", sentinel->name,
                sentinel->quorum_message == NULL ? "?" : sentinel->quorum_message);
        }
    }
    return gate_report_finish(&report, "sentinel_quorum");
}

/* One Sentinel at a time is restarted; the others must be enough to agree and to elect. */
struct gate_answer gate_sentinel_spare(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    const int64_t count = (int64_t)input->facts->sentinel_count;
    for (size_t i = 0; i < input->facts->sentinel_count; i++) {
        const struct fact_sentinel *sentinel = &input->facts->sentinels[i];
        const int64_t majority = count / 2 + 1;
        const int64_t needed = sentinel->quorum > majority ? sentinel->quorum : majority;
        if (!sentinel->is_reachable) {
            report_unread_again(&report, sentinel);
        } else if (count - 1 < needed) {
            gate_report_add(&report, gate_lasting(input),
                "add Sentinels, or lower the quorum (SENTINEL SET ... quorum)",
                "%s needs %" PRId64 " of %" PRId64
                " Sentinels to fail over: none can be restarted meanwhile",
                sentinel->name, needed, count);
        }
    }
    return gate_report_finish(&report, "sentinel_spare");
}

/* The lowest priority that is not 0 wins an election among replicas. */
static void check_choice(
    struct gate_report *report, const struct fact_sentinel *sentinel, const struct fact_node *heir)
{
    const struct fact_watched *own = find_watched(sentinel, heir->id);
    for (size_t i = 0; i < sentinel->watched_count; i++) {
        const struct fact_watched *other = &sentinel->watched[i];
        if (other != own && other->priority != 0 && other->priority <= own->priority) {
            gate_report_add(report, GATE_NOT_YET, NULL,
                "%s would not choose %s: %s has priority %" PRId64 ", it has %" PRId64,
                sentinel->name, heir->name, name_of_id(report->input->facts, other->id),
                other->priority, own->priority);
        }
    }
}

static void check_heir_seen(
    struct gate_report *report, const struct fact_sentinel *sentinel, const struct fact_node *heir)
{
    const struct fact_watched *seen = find_watched(sentinel, heir->id);
    if (seen == NULL) {
        gate_report_add(
            report, GATE_NOT_YET, NULL, "%s does not know %s", sentinel->name, heir->name);
        return;
    }
    if (seen->is_down || !seen->is_link_up) {
        gate_report_add(report, GATE_NOT_YET, NULL, "%s in the view of %s is %s", heir->name,
            sentinel->name, seen->is_down ? "down" : "without a link to its primary");
    }
    if (seen->info_age_ms > INFO_AGE_MS_MAX) {
        gate_report_add(report, GATE_NOT_YET, NULL,
            "%s has not looked at %s for %" PRId64 " ms (at most %d)", sentinel->name, heir->name,
            seen->info_age_ms, INFO_AGE_MS_MAX);
    }
    check_choice(report, sentinel, heir);
}

/* Before a run: may it ever be chosen? The run makes it the first choice by itself, so an equal
 * priority is no obstacle unless there is none below it. */
static void check_electable(struct gate_report *report, const struct fact_node *heir)
{
    if (heir->replica_priority == 0) {
        gate_report_add(report, GATE_NEVER,
            "set replica-priority above 0 on a replica, in its file and live",
            "Sentinels never choose %s: its replica-priority is 0", heir->name);
    }
    for (size_t i = 0; i < report->input->facts->node_count; i++) {
        const struct fact_node *other = &report->input->facts->nodes[i];
        if (other != heir && other->role == FACT_ROLE_REPLICA && other->replica_priority == 1) {
            gate_report_add(report, GATE_NEVER,
                "raise its replica-priority above 1, in its file and live",
                "Sentinels may choose %s instead of %s: its replica-priority is 1", other->name,
                heir->name);
        }
    }
}

struct gate_answer gate_heir_electable(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    const struct fact_node *heir = gate_named_node(&report);
    if (heir == NULL) {
        return gate_report_finish(&report, "heir_electable");
    }
    if (js_get_bool(input->args, "preflight", false)) {
        check_electable(&report, heir);
        return gate_report_finish(&report, "heir_electable");
    }
    for (size_t i = 0; i < input->facts->sentinel_count; i++) {
        const struct fact_sentinel *sentinel = &input->facts->sentinels[i];
        if (sentinel->is_reachable) {
            check_heir_seen(&report, sentinel, heir);
        } else {
            report_unread_again(&report, sentinel);
        }
    }
    return gate_report_finish(&report, "heir_electable");
}
