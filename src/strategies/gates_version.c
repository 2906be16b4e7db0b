/* May these nodes go to that version, and can they live with what they will find there? */
#include <inttypes.h>

#include "base/str.h"
#include "strategies/gate_report.h"

/* The nodes that are not at the target already; nodes that do not tell their version are reported.
 */
static const struct fact_node *next_old_node(struct gate_report *report, size_t *cursor)
{
    for (const struct fact_node *node; (node = gate_next_node(report, cursor)) != NULL;) {
        if (node->product == NULL || node->version == NULL || node->series == NULL) {
            gate_report_add(report, GATE_NOT_YET, NULL, "%s does not tell its version", node->name);
        } else if (!gate_is_at_target(report->input, node)) {
            return node;
        }
    }
    return NULL;
}

/* One run changes from one product to one. */
struct gate_answer gate_one_product(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    const struct fact_node *first = NULL;
    size_t cursor = 0;
    for (const struct fact_node *node; (node = next_old_node(&report, &cursor)) != NULL;) {
        first = first == NULL ? node : first;
        if (!text_equal(node->product, first->product)) {
            gate_report_add_node(&report,
                &(struct gate_problem){
                    .state = GATE_NEVER,
                    .remedy = "finish the earlier change of product first: bring all nodes to one "
                              "of the two",
                    .before = "a second product is on ",
                    .node = node->name,
                },
                ": %s, while %s runs %s", node->product, first->name, first->product);
        }
    }
    return gate_report_finish(&report, "one_product");
}

/* Names no error for a version that cannot be read as one: then it is not known to be newer, and
 * the rules do not know its series either. */
static bool is_newer_than_target(const struct gate_input *input, const struct fact_node *node)
{
    const char *product = js_get_text(input->args, "product");
    struct version old;
    struct version target;
    AUTO_ERR old_err = version_parse(input->arena, node->product, node->version, &old);
    AUTO_ERR target_err =
        version_parse(input->arena, product, js_get_text(input->args, "version"), &target);
    return old_err == NULL && target_err == NULL && text_equal(node->product, product) &&
           version_compare(&old, &target) > 0;
}

struct gate_answer gate_no_downgrade(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    size_t cursor = 0;
    for (const struct fact_node *node; (node = next_old_node(&report, &cursor)) != NULL;) {
        if (is_newer_than_target(input, node)) {
            gate_report_add_node(&report,
                &(struct gate_problem){
                    .state = GATE_NEVER,
                    .remedy = "choose a version that is not older; an older one is reached only by "
                              "copying the data into a new cluster",
                    .node = node->name,
                },
                " cannot go back from %s %s to %s", node->product, node->version,
                js_get_text(input->args, "version"));
        }
    }
    return gate_report_finish(&report, "no_downgrade");
}

/* A series on the way from one to another, a tested one if there is any, or NULL. */
static const char *find_stopover(const struct rules *rules, const char *from, const char *to)
{
    const struct series_rule *rule = rules_find(rules, from);
    const char *found = NULL;
    for (size_t i = 0; rule != NULL && i < rule->hop_count; i++) {
        const struct series_rule *stopover = rules_find(rules, rule->hops[i]);
        if (stopover != NULL && rules_allow_hop(rules, rule->hops[i], to) &&
            (found == NULL || stopover->is_tested)) {
            found = rule->hops[i];
        }
    }
    return found;
}

/* How else to get there, as a remedy. */
static const char *write_detour(const struct gate_input *input, const char *from, const char *to)
{
    const char *stopover = find_stopover(input->rules, from, to);
    return stopover == NULL ? arena_format(input->arena,
                                  "upshift knows no way from %s to %s: copy the data into a new "
                                  "cluster",
                                  from, to)
                            : arena_format(input->arena,
                                  "go to %s first: from there one run leads to %s", stopover, to);
}

static const struct series_rule *require_rule(struct gate_report *report)
{
    const char *series = js_get_text(report->input->args, "series");
    const struct series_rule *rule = rules_find(report->input->rules, series);
    if (rule == NULL) {
        gate_report_add(report, GATE_NEVER,
            "choose a version that `upshift datastore version list` shows",
            "upshift has no rules for %s", series);
    }
    return rule;
}

struct gate_answer gate_hop_allowed(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    const char *target = js_get_text(input->args, "series");
    if (require_rule(&report) == NULL) {
        return gate_report_finish(&report, "hop_allowed");
    }
    size_t cursor = 0;
    for (const struct fact_node *node; (node = next_old_node(&report, &cursor)) != NULL;) {
        if (is_newer_than_target(input, node)) {
            continue; /* no_downgrade tells it better */
        }
        if (!rules_allow_hop(input->rules, node->series, target)) {
            gate_report_add_node(&report,
                &(struct gate_problem){.state = GATE_NEVER,
                    .remedy = write_detour(input, node->series, target),
                    .node = node->name},
                " cannot go from %s to %s in one run", node->series, target);
        }
    }
    return gate_report_finish(&report, "hop_allowed");
}

/* What all who can be asked say about the primary of a node that cannot be: `*ret_primary_id` is
 * NULL when they call it a primary itself. False when nobody knows, or they differ. */
static bool ask_others(const struct facts *facts, const char *id, const char **ret_primary_id)
{
    const struct fact_view *first = NULL;
    for (size_t i = 0; i < facts->node_count; i++) {
        const struct fact_view *view =
            facts->nodes[i].is_reachable ? gate_view_of(&facts->nodes[i], id) : NULL;
        if (view == NULL) {
            continue;
        }
        if (first != NULL &&
            (first->role != view->role || !text_equal(first->primary_id, view->primary_id))) {
            return false;
        }
        first = view;
    }
    if (first == NULL || first->role == FACT_ROLE_UNKNOWN) {
        return false;
    }
    *ret_primary_id = first->role == FACT_ROLE_REPLICA ? first->primary_id : NULL;
    return true;
}

static void check_full_sync(
    struct gate_report *report, const struct fact_node *node, const char *primary_id)
{
    const char *series = js_get_text(report->input->args, "series");
    const struct fact_node *primary = facts_find_id(report->input->facts, primary_id);
    if (primary == NULL || !primary->is_reachable || primary->series == NULL) {
        gate_report_add(report, GATE_NOT_YET, NULL, "the primary of %s cannot be read", node->name);
    } else if (!rules_allow_full_sync(report->input->rules, primary->series, series)) {
        gate_report_add(report, GATE_NEVER,
            "choose a target that can load a full copy made by the primaries' version",
            "%s on %s could not copy from %s on %s", node->name, series, primary->name,
            primary->series);
    }
}

/* Where there is one primary, its file tells what a start makes of a node. */
static void check_stopped_file(struct gate_report *report, const struct fact_node *node)
{
    if (node->file_primary_id != NULL) {
        check_full_sync(report, node, node->file_primary_id);
        return;
    }
    gate_report_add(report, GATE_NEEDS_YOU, "write replicaof with the primary's address into it",
        "%s would start as a primary: its file makes it nobody's replica", node->name);
}

/* A node just stopped by the run (args.node with args.id) is known by what the others say of it. */
static void check_stopped_node(struct gate_report *report, const struct fact_node *node)
{
    if (facts_have_one_primary(report->input->facts)) {
        check_stopped_file(report, node);
        return;
    }
    const char *id = js_get_text(report->input->args, "id");
    const char *primary_id = NULL;
    if (id == NULL || !ask_others(report->input->facts, id, &primary_id)) {
        gate_report_add(report, GATE_NOT_YET, NULL,
            "%s cannot be read and the others do not agree who its primary is", node->name);
    } else if (primary_id != NULL) {
        check_full_sync(report, node, primary_id);
    }
}

struct gate_answer gate_full_sync_allowed(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    if (require_rule(&report) == NULL) {
        return gate_report_finish(&report, "full_sync_allowed");
    }
    const bool is_named = js_get_text(input->args, "node") != NULL;
    const struct fact_node *named = is_named ? gate_named_node(&report) : NULL;
    if (named != NULL && !named->is_reachable) {
        check_stopped_node(&report, named);
    }
    if (is_named && (named == NULL || !named->is_reachable)) {
        return gate_report_finish(&report, "full_sync_allowed");
    }
    size_t cursor = 0;
    for (const struct fact_node *node; (node = next_old_node(&report, &cursor)) != NULL;) {
        if (node->role == FACT_ROLE_REPLICA && !gate_is_primary_excepted(input, node)) {
            check_full_sync(&report, node, node->primary_id);
        }
    }
    return gate_report_finish(&report, "full_sync_allowed");
}

static void check_directory(
    struct gate_report *report, const struct fact_node *node, const struct series_rule *rule)
{
    if (node->config_digest == NULL) { /* read together with the directory, on its host */
        gate_report_add(report, GATE_NOT_YET, NULL, "the directory of %s was not read", node->name);
        return;
    }
    if (node->rdb_version > rule->rdb_version) {
        gate_report_add_node(report,
            &(struct gate_problem){.state = GATE_NEVER,
                .remedy = "choose a target that reads this format",
                .before = "too new a dump is in the directory of ",
                .node = node->name},
            ": format %" PRId64 ", %s reads up to %" PRId64, node->rdb_version, rule->series,
            rule->rdb_version);
    }
    if (node->has_appendonly_dir && !rule->is_multi_part_aof) {
        gate_report_add_node(report,
            &(struct gate_problem){.state = GATE_NEVER,
                .remedy = "choose a target that keeps its append-only file in appendonlydir/",
                .before = "an appendonlydir/ is in the directory of ",
                .node = node->name},
            ": %s does not read it and would start empty", rule->series);
    }
}

/* Needs only the host: it holds for a node that is stopped, too. */
struct gate_answer gate_directory_safe(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    const char *only = js_get_text(input->args, "node");
    const struct series_rule *rule = require_rule(&report);
    if (only != NULL && facts_find(input->facts, only) == NULL) {
        gate_report_add(&report, GATE_NOT_YET, NULL, "%s was not looked at", only);
    }
    for (size_t i = 0; rule != NULL && i < input->facts->node_count; i++) {
        const struct fact_node *node = &input->facts->nodes[i];
        const bool is_ours =
            only == NULL ? !gate_is_excepted(input, node->name) : text_equal(only, node->name);
        if (is_ours && !gate_is_at_target(input, node)) {
            check_directory(&report, node, rule);
        }
    }
    return gate_report_finish(&report, "directory_safe");
}

static const struct fact_dry_start *find_dry_start(const struct facts *facts, const char *node)
{
    for (size_t i = 0; i < facts->dry_start_count; i++) {
        if (text_equal(facts->dry_starts[i].node, node)) {
            return &facts->dry_starts[i];
        }
    }
    return NULL;
}

struct gate_answer gate_config_accepted(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    size_t cursor = 0;
    for (const struct fact_node *node; (node = next_old_node(&report, &cursor)) != NULL;) {
        const struct fact_dry_start *dry_start = find_dry_start(input->facts, node->name);
        if (dry_start == NULL) {
            gate_report_add(&report, GATE_NOT_YET, NULL,
                "the configuration file of %s was not tried with the target yet", node->name);
        } else if (!dry_start->is_good) {
            gate_report_add(&report, GATE_NEVER,
                "remove or change the directive in the node's configuration file",
                "the target refuses the configuration file of %s: %s", node->name,
                dry_start->message == NULL ? "it gave no reason" : dry_start->message);
        }
    }
    return gate_report_finish(&report, "config_accepted");
}
