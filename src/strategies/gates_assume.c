/* Is the world still the one that the plan was made for? A difference is a question to a human. */
#include "base/str.h"
#include "strategies/gate_report.h"

static const char *const remedy_replan =
    "put it back as planned and resume, or abort and plan again";

static const char *const role_texts[] = {"of unknown role", "a primary", "a replica"};

static bool is_role(const char *word, enum fact_role role)
{
    return (text_equal(word, "primary") && role == FACT_ROLE_PRIMARY) ||
           (text_equal(word, "replica") && role == FACT_ROLE_REPLICA);
}

struct gate_answer gate_assume_role(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    const char *role = js_get_text(input->args, "role");
    const char *shard = js_get_text(input->args, "shard");
    size_t cursor = 0;
    const struct fact_node *node = gate_next_node(&report, &cursor);
    if (node != NULL && node->role == FACT_ROLE_UNKNOWN) {
        gate_report_add(&report, GATE_NOT_YET, NULL, "%s does not say its role", node->name);
    } else if (node != NULL && !is_role(role, node->role)) {
        gate_report_add(&report, GATE_NEEDS_YOU, remedy_replan, "%s is %s, planned as %s",
            node->name, role_texts[node->role], role);
    } else if (node != NULL && shard != NULL && node->shard == NULL) {
        gate_report_add(&report, GATE_NOT_YET, NULL, "%s belongs to no shard yet", node->name);
    } else if (node != NULL && shard != NULL && !text_equal(node->shard, shard)) {
        gate_report_add(&report, GATE_NEEDS_YOU, remedy_replan, "%s belongs to %s, planned in %s",
            node->name, node->shard, shard);
    }
    return gate_report_finish(&report, "assume_role");
}

struct gate_answer gate_assume_id(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    const char *id = js_get_text(input->args, "id");
    size_t cursor = 0;
    const struct fact_node *node = gate_next_node(&report, &cursor);
    if (node != NULL && !text_equal(node->id, id)) {
        gate_report_add(&report, node->id == NULL ? GATE_NOT_YET : GATE_NEEDS_YOU, remedy_replan,
            "%s is another node (%s) than planned (%s)", node->name,
            node->id == NULL ? "without id" : node->id, id);
    }
    return gate_report_finish(&report, "assume_id");
}

struct gate_answer gate_assume_series(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    const char *series = js_get_text(input->args, "series");
    size_t cursor = 0;
    const struct fact_node *node = gate_next_node(&report, &cursor);
    if (node != NULL && !text_equal(node->series, series)) {
        gate_report_add(&report, node->series == NULL ? GATE_NOT_YET : GATE_NEEDS_YOU,
            remedy_replan, "%s runs %s, planned with %s", node->name,
            node->series == NULL ? "an unknown version" : node->series, series);
    }
    return gate_report_finish(&report, "assume_series");
}

/* Of a shard, whoever is its primary. */
struct gate_answer gate_assume_slots(const struct gate_input *input)
{
    struct gate_report report = {.input = input};
    const char *shard = js_get_text(input->args, "shard");
    const char *slots = js_get_text(input->args, "slots");
    const struct fact_node *primary = facts_primary_of(input->facts, shard);
    if (primary == NULL) {
        gate_report_add(&report, GATE_NOT_YET, NULL, "%s has no primary in sight", shard);
    } else if (!text_equal(primary->slots, slots)) {
        gate_report_add(&report, GATE_NEEDS_YOU,
            "look who has moved slots, then reconcile or abort and plan again",
            "%s of %s has the slots %s, it had %s", primary->name, shard, primary->slots, slots);
    }
    return gate_report_finish(&report, "assume_slots");
}
