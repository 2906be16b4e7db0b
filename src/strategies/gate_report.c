#include "strategies/gate_report.h"

#include <assert.h>
#include <stdarg.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "strategies/gates.h"

enum {
    SENTENCE_SIZE_MAX = 512, /* a server's own words may be longer: cut */
    NAMES_MAX = 12,          /* more are counted */
};

PRINTF_LIKE(3, 0)
static void push_problem(struct gate_report *report, const struct gate_problem *problem,
    const char *format, va_list values)
{
    char sentence[SENTENCE_SIZE_MAX];
    (void)vsnprintf(sentence, sizeof(sentence), format, values);
    struct arena *arena = report->input->arena;
    struct gate_problem *slot =
        arena_push(arena, &report->problems, &report->problem_count, sizeof(*slot));
    *slot = *problem;
    slot->after = arena_strdup(arena, sentence);
}

void gate_report_add(
    struct gate_report *report, enum gate_state state, const char *remedy, const char *format, ...)
{
    const struct gate_problem problem = {.state = state, .remedy = remedy};
    va_list values;
    va_start(values, format);
    push_problem(report, &problem, format, values);
    va_end(values);
}

void gate_report_add_node(
    struct gate_report *report, const struct gate_problem *problem, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    push_problem(report, problem, format, values);
    va_end(values);
}

static bool is_same_problem(const struct gate_problem *a, const struct gate_problem *b)
{
    return a->state == b->state && (a->node != NULL) == (b->node != NULL) &&
           text_equal(a->before, b->before) && text_equal(a->after, b->after);
}

/* Is there an equal problem before this one? Then its sentence names this node already. */
static bool is_told(const struct gate_report *report, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (is_same_problem(&report->problems[i], &report->problems[index])) {
            return true;
        }
    }
    return false;
}

static void append_names(struct buf *text, const struct gate_report *report, size_t first)
{
    size_t count = 0;
    for (size_t i = first; i < report->problem_count; i++) {
        if (!is_same_problem(&report->problems[i], &report->problems[first])) {
            continue;
        }
        count++;
        if (count <= NAMES_MAX) {
            buf_printf(text, "%s%s", count == 1 ? "" : ", ", report->problems[i].node);
        }
    }
    if (count > NAMES_MAX) {
        buf_printf(text, " and %zu more", count - NAMES_MAX);
    }
}

static void append_problem(struct buf *text, const struct gate_report *report, size_t index)
{
    const struct gate_problem *problem = &report->problems[index];
    buf_append_text(text, text->size == 0 ? "" : "; ");
    if (problem->node != NULL) {
        buf_append_text(text, problem->before == NULL ? "" : problem->before);
        append_names(text, report, index);
    }
    buf_append_text(text, problem->after);
}

/* Several nodes with one fault need one remedy. */
static bool is_remedy_told(const struct gate_report *report, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (text_equal(report->problems[i].remedy, report->problems[index].remedy)) {
            return true;
        }
    }
    return false;
}

struct gate_answer gate_report_finish(const struct gate_report *report, const char *name)
{
    struct arena *arena = report->input->arena;
    struct gate_answer answer = {.state = GATE_YES, .gate = name};
    AUTO_BUF reasons = {0};
    AUTO_BUF remedies = {0};
    for (int state = GATE_NEVER; state > GATE_YES; state--) {
        for (size_t i = 0; i < report->problem_count; i++) {
            const struct gate_problem *problem = &report->problems[i];
            if ((int)problem->state != state || is_told(report, i)) {
                continue;
            }
            answer.state = problem->state > answer.state ? problem->state : answer.state;
            append_problem(&reasons, report, i);
            if (problem->remedy != NULL && !is_remedy_told(report, i)) {
                buf_printf(&remedies, "%s%s", remedies.size == 0 ? "" : "; ", problem->remedy);
            }
        }
    }
    if (answer.state == GATE_YES) {
        answer.reason = gate_find(name)->summary;
        return answer;
    }
    answer.reason = arena_strdup(arena, buf_text(&reasons));
    answer.remedy = remedies.size == 0 ? NULL : arena_strdup(arena, buf_text(&remedies));
    return answer;
}

void gate_report_unread(struct gate_report *report, const struct fact_node *node)
{
    gate_report_add_node(report, &(struct gate_problem){.state = GATE_NOT_YET, .node = node->name},
        " cannot be read: %s", node->trouble == NULL ? "no answer" : node->trouble);
}

static bool is_old_and_serving(const struct gate_input *input, const char *name)
{
    const struct fact_node *node = facts_find(input->facts, name);
    return node != NULL && node->is_reachable && !gate_is_at_target(input, node);
}

static bool is_on_list(const struct gate_input *input, const char *list, const char *name)
{
    const struct json *names = js_get(input->args, list);
    for (size_t i = 0; i < js_count(names); i++) {
        if (text_equal(js_as_text(js_at(names, i)), name)) {
            return true;
        }
    }
    return false;
}

bool gate_is_excepted(const struct gate_input *input, const char *name)
{
    return is_on_list(input, "except", name) || is_on_list(input, "gone", name) ||
           (js_get_bool(input->args, "except_old", false) && is_old_and_serving(input, name));
}

enum gate_state gate_lasting(const struct gate_input *input)
{
    return js_get_bool(input->args, "preflight", false) ? GATE_NEVER : GATE_NOT_YET;
}

const struct fact_node *gate_named_node(struct gate_report *report)
{
    const char *name = js_get_text(report->input->args, "node");
    assert(name != NULL);
    const struct fact_node *node = facts_find(report->input->facts, name);
    if (node == NULL) {
        gate_report_add(report, GATE_NOT_YET, NULL, "%s was not looked at", name);
    }
    return node;
}

const struct fact_node *gate_next_node(struct gate_report *report, size_t *cursor)
{
    const struct facts *facts = report->input->facts;
    const char *only = js_get_text(report->input->args, "node");
    if (only != NULL && *cursor == 0 && gate_named_node(report) == NULL) {
        *cursor = facts->node_count;
    }
    while (*cursor < facts->node_count) {
        const struct fact_node *node = &facts->nodes[(*cursor)++];
        const bool is_ours = only == NULL ? !gate_is_excepted(report->input, node->name)
                                          : text_equal(only, node->name);
        if (is_ours && node->is_reachable) {
            return node;
        }
        if (is_ours) {
            gate_report_unread(report, node);
        }
    }
    return NULL;
}

const struct fact_node *gate_node_of_view(const struct facts *facts, const struct fact_view *view)
{
    const struct fact_node *node = facts_find_id(facts, view->id);
    for (size_t i = 0; node == NULL && i < facts->node_count; i++) {
        const struct fact_node *candidate = &facts->nodes[i];
        if (candidate->id == NULL && candidate->address != NULL &&
            text_equal(candidate->address, view->address)) {
            node = candidate;
        }
    }
    return node;
}

bool gate_is_primary_excepted(const struct gate_input *input, const struct fact_node *replica)
{
    const struct fact_node *primary = facts_find_id(input->facts, replica->primary_id);
    if (primary != NULL && primary->is_reachable) {
        return false;
    }
    return js_get_text(input->args, "node") == NULL && js_count(js_get(input->args, "except")) > 0;
}

const char *gate_view_name(const struct facts *facts, const struct fact_view *view)
{
    const struct fact_node *node = gate_node_of_view(facts, view);
    if (node != NULL) {
        return node->name;
    }
    return view->address != NULL ? view->address : view->id;
}

const struct fact_view *gate_view_of(const struct fact_node *viewer, const char *id)
{
    for (size_t i = 0; i < viewer->view_count; i++) {
        if (text_equal(viewer->views[i].id, id)) {
            return &viewer->views[i];
        }
    }
    return NULL;
}

int64_t gate_replica_count(const struct fact_node *primary)
{
    int64_t count = 0;
    for (size_t i = 0; i < primary->view_count; i++) {
        const struct fact_view *view = &primary->views[i];
        count += view->role == FACT_ROLE_REPLICA && text_equal(view->primary_id, primary->id);
    }
    return count;
}

bool gate_is_at_target(const struct gate_input *input, const struct fact_node *node)
{
    const char *product = js_get_text(input->args, "product");
    const char *version = js_get_text(input->args, "version");
    return product != NULL && version != NULL && text_equal(node->product, product) &&
           text_equal(node->version, version);
}

bool gate_is_healthy_replica(const struct fact_node *node)
{
    return node->is_reachable && node->role == FACT_ROLE_REPLICA && node->is_link_up &&
           !node->is_syncing && !node->is_loading;
}
