#include "model/plan_text.h"

#include <inttypes.h>
#include <string.h>

#include "base/str.h"

enum {
    TEXT_WIDTH = 80,
    ID_WIDTH_MAX = 30, /* longer step ids push their sentence to the next line */
    STATE_WIDTH = 10,  /* "needs you " */
};

/* Appends words, breaking lines at TEXT_WIDTH. The text stands at `column` of its first line;
 * further lines are indented by `indent`. Ends the line. */
static void append_wrapped(struct buf *text, size_t column, size_t indent, const char *words)
{
    bool is_first = true;
    while (*words != '\0') {
        const size_t size = strcspn(words, " ");
        if (!is_first && column + 1 + size > TEXT_WIDTH) {
            buf_printf(text, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!is_first) {
            buf_append_char(text, ' ');
            column++;
        }
        buf_append(text, words, size);
        column += size;
        words += size + strspn(words + size, " ");
        is_first = false;
    }
    buf_append_char(text, '\n');
}

static size_t find_id_width(const struct plan *plan)
{
    size_t width = 0;
    for (size_t i = 0; i < plan->phase_count; i++) {
        for (size_t j = 0; j < plan->phases[i].step_count; j++) {
            const size_t size = strlen(plan->phases[i].steps[j].id);
            width = size > width ? size : width;
        }
    }
    return width < ID_WIDTH_MAX ? width : ID_WIDTH_MAX;
}

/* Does the run stop once, before the way back closes? */
static bool has_pause_point(const struct plan *plan)
{
    return plan->phase_count > 0 &&
           text_equal(plan->phases[plan->phase_count - 1].name, "finalize");
}

static const char *tell_until(const struct plan *plan, enum plan_scope scope)
{
    static const char *const scopes[] = {[PLAN_SCOPE_NONE] = "",
        [PLAN_SCOPE_RUN] = ", until the pause point",
        [PLAN_SCOPE_FINALIZE] = ", until finalize is done"};
    return scope == PLAN_SCOPE_NONE || has_pause_point(plan) ? scopes[scope] : ", until the end";
}

static void append_step(
    struct buf *text, const struct plan *plan, const struct plan_step *step, size_t id_width)
{
    AUTO_BUF words = {0};
    buf_printf(&words, "%s%s", step->summary, tell_until(plan, step->scope));
    if (step->hold_ms > 0) {
        buf_printf(&words, "; requests wait about %" PRId64 " ms", step->hold_ms);
    }
    if (step->ends_way_back) {
        buf_append_text(&words, "; ends its way back");
    }
    const size_t indent = 3 + id_width + 2;
    buf_printf(text, "   %-*s", (int)id_width, step->id);
    if (strlen(step->id) > id_width) {
        buf_printf(text, "\n%*s", (int)indent, "");
    } else {
        buf_append_text(text, "  ");
    }
    append_wrapped(text, indent, indent, buf_text(&words));
}

static void append_phase(struct buf *text, const struct plan *plan, size_t index, size_t id_width)
{
    const struct plan_phase *phase = &plan->phases[index];
    if (text_equal(phase->name, "finalize")) {
        buf_printf(text, "\n   pause point: the way back stays open until `upshift finalize %s`\n",
            plan->request.cluster);
    }
    buf_printf(text, "\n%zu. %s: %s\n", index + 1, phase->name, phase->title);
    for (size_t i = 0; i < phase->step_count; i++) {
        append_step(text, plan, &phase->steps[i], id_width);
    }
}

/* Its first line, and nothing more when there is nothing to do. */
static void append_heading(struct buf *text, const struct plan *plan)
{
    const struct plan_request *request = &plan->request;
    const bool is_empty = plan->phase_count == 0;
    if (text_equal(request->action, "rollback")) {
        buf_printf(text,
            is_empty ? "%s: nothing of this run is left to go back from; it has %s\n"
                     : "Way back for %s: to %s\n",
            request->cluster, request->to);
    } else if (text_equal(request->action, "restart")) {
        buf_printf(text, "Plan for %s: restart with %s\n", request->cluster, request->to);
    } else if (text_equal(request->action, "switchover")) {
        buf_printf(text, "Plan for %s: switchover, with %s\n", request->cluster, request->to);
    } else if (is_empty) {
        buf_printf(text, "%s is at %s already: nothing to do\n", request->cluster, request->to);
    } else {
        buf_printf(text, "Plan for %s: %s -> %s\n", request->cluster, request->from, request->to);
    }
}

void plan_title(const struct plan_request *request, struct buf *ret_text)
{
    const bool is_same =
        text_equal(request->action, "restart") || text_equal(request->action, "switchover");
    if (is_same) {
        buf_printf(ret_text, "%s with %s", request->action, request->to);
    } else {
        buf_printf(ret_text, "%s -> %s", request->from, request->to);
    }
}

void plan_text(const struct plan *plan, struct buf *ret_text)
{
    append_heading(ret_text, plan);
    if (plan->phase_count == 0) {
        return;
    }
    buf_printf(ret_text, "%s, %zu step%s, about %" PRId64 " s", plan->strategy,
        plan_step_count(plan), plan_step_count(plan) == 1 ? "" : "s", plan->estimate_s);
    if (has_pause_point(plan)) {
        buf_printf(ret_text, ", and %" PRId64 " s of soak", plan->policy.soak_s);
    }
    buf_append_char(ret_text, '\n');
    const size_t id_width = find_id_width(plan);
    for (size_t i = 0; i < plan->phase_count; i++) {
        append_phase(ret_text, plan, i, id_width);
    }
    buf_append_text(ret_text, "\nNotes\n");
    for (size_t i = 0; i < plan->note_count; i++) {
        buf_append_text(ret_text, " - ");
        append_wrapped(ret_text, 3, 3, plan->notes[i]);
    }
    if (plan->way_back_count > 0) {
        buf_append_text(ret_text,
            "\nThe way back by hand, until finalize; go on when the node says role:master\n");
    }
    for (size_t i = 0; i < plan->way_back_count; i++) {
        buf_printf(ret_text, "   %s\n", plan->way_back[i]);
    }
}

void plan_answers_text(const struct gate_answer *answers, size_t count, struct buf *ret_text)
{
    for (size_t i = 0; i < count; i++) {
        const struct gate_answer *answer = &answers[i];
        AUTO_BUF words = {0};
        buf_printf(&words, "%s: %s", answer->gate, answer->reason);
        buf_printf(ret_text, "%-*s", STATE_WIDTH, gate_state_names[answer->state]);
        append_wrapped(ret_text, STATE_WIDTH, STATE_WIDTH, buf_text(&words));
        if (answer->remedy != NULL) {
            buf_printf(ret_text, "%*s-> ", STATE_WIDTH, "");
            append_wrapped(ret_text, STATE_WIDTH + 3, STATE_WIDTH + 3, answer->remedy);
        }
    }
}

void plan_refusal_text(
    const struct plan_refusal *refusal, const char *cluster, const char *to, struct buf *ret_text)
{
    buf_printf(ret_text, "%s cannot be upgraded to %s: %zu reason%s\n", cluster, to,
        refusal->answer_count, refusal->answer_count == 1 ? "" : "s");
    plan_answers_text(refusal->answers, refusal->answer_count, ret_text);
}
