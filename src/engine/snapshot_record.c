/*
 * engine/snapshot_record.c - one line for people about each journal record.
 */
#include <string.h>

#include "base/attr.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/snapshot.h"

static void append_elapsed(struct buf *line, int64_t elapsed_ms)
{
    buf_printf(line, " in %lld.%lld s", (long long)(elapsed_ms / 1000),
        (long long)(elapsed_ms % 1000 / 100));
}

static void describe_outcome(const struct json *body, const char *what, struct buf *line)
{
    const char *outcome = js_get_text(body, "state");
    buf_printf(line, "%s: %s", what, outcome == NULL ? "?" : outcome);
    if (text_equal(outcome, "done")) {
        append_elapsed(line, js_get_number(body, "elapsed_ms", 0));
    }
}

static void describe_state(const struct json *body, struct buf *line)
{
    const char *to = js_get_text(body, "to");
    buf_printf(line, "the run is %s", to == NULL ? "?" : to);
}

/* {"value": "1mb", ...} as 1mb; what has no value as JSON. */
static void append_values(const struct json *values, struct buf *line)
{
    const char *value = js_get_text(values, "value");
    AUTO_FREE char *text = value != NULL || values == NULL ? NULL : js_write(values);
    buf_append_text(line, value != NULL ? value : text != NULL ? text : "?");
}

static void describe_scope_closed(const struct json *body, const char *what, struct buf *line)
{
    const char *left = js_get_text(body, "left");
    const char *reason = js_get_text(body, "reason");
    buf_append_text(line, what);
    if (text_equal(left, "foreign")) {
        buf_append_text(line, ": somebody else changed it to ");
        append_values(js_get(body, "found"), line);
        buf_append_text(line, ", which stays; before the run it was ");
        append_values(js_get(body, "before"), line);
    } else if (text_equal(left, "left")) {
        buf_printf(line, ": could not be taken back: %s", reason == NULL ? "?" : reason);
    } else {
        buf_append_text(line, ": taken back");
    }
}

static void tell_replan(const struct json *body, struct buf *line)
{
    const char *cause = js_get_text(body, "cause");
    if (cause == NULL) {
        buf_append_text(line, "the plan stays as it is");
    } else {
        buf_printf(line, "the rest is planned anew: %s", cause);
    }
}

static void tell_plan_in_force(const struct json *body, struct buf *line)
{
    const bool is_back = text_equal(js_get_text(body, "direction"), run_direction_names[RUN_BACK]);
    buf_printf(line, "plan %lld is in force%s", (long long)js_get_number(body, "revision", 0),
        is_back ? ": the run goes back" : "");
    const struct json *diff = js_get(body, "diff");
    for (size_t i = 0; i < js_count(diff); i++) {
        const char *text = js_as_text(js_at(diff, i));
        buf_printf(line, "; %s", text == NULL ? "?" : text);
    }
}

/* How many nodes carry the run's mark; releasing tells how many could not be told. */
static void tell_claim(const struct journal_record *record, struct buf *line)
{
    const char *reason = js_get_text(record->body, "reason");
    buf_printf(
        line, "the nodes are %s", record->type == JOURNAL_CLAIMED ? "this run's" : "given back");
    if (reason != NULL) {
        buf_printf(line, ": %s", reason);
    }
}

/* Gates of steps are in the waiting sentence; what stops a whole run is told here. */
static bool tell_gate(const struct journal_record *record, struct buf *line)
{
    const char *reason = js_get_text(record->body, "reason");
    if (record->step != NULL || reason == NULL) {
        return false;
    }
    buf_append_text(line, reason);
    return true;
}

struct description {
    enum journal_type type;
    const char *format; /* with the step's summary, or with the member below */
    const char *member; /* of the body; NULL: the step's summary */
};

static const struct description descriptions[] = {
    {JOURNAL_PLAN_PROPOSED, "a changed plan waits for consent: %s", "cause"},
    {JOURNAL_INTENT, "%s: begins", NULL},
    {JOURNAL_FOUND, "%s: was so already", NULL},
    {JOURNAL_FOREIGN, "%s: somebody else changed it", NULL},
    {JOURNAL_OPERATOR, "the operator said %s", "command"},
    {JOURNAL_WAY_BACK, "the way back is %s", "to"},
    {JOURNAL_RESUMED, "a new controller took over (%s)", "host"},
    {JOURNAL_PROBE_GAP, "the probe was restarted: %s", "reason"},
    {JOURNAL_RUN_CREATED, "run created: %s", "title"},
};

static bool describe_by_table(
    const struct journal_record *record, const char *what, struct buf *line)
{
    for (size_t i = 0; i < ARRAY_COUNT(descriptions); i++) {
        const struct description *row = &descriptions[i];
        if (row->type != record->type) {
            continue;
        }
        const char *value = row->member == NULL ? what : js_get_text(record->body, row->member);
        const char *marker = strstr(row->format, "%s");
        buf_append(line, row->format, (size_t)(marker - row->format));
        buf_append_text(line, value == NULL ? "?" : value);
        buf_append_text(line, marker + 2);
        return true;
    }
    return false;
}

bool record_describe(
    const struct run_state *state, const struct journal_record *record, struct buf *ret_line)
{
    const long index = run_find_recorded(state, record);
    const char *what = index < 0 ? "" : state->steps[index].plan->summary;
    if (record->type == JOURNAL_OUTCOME) {
        describe_outcome(record->body, what, ret_line);
    } else if (record->type == JOURNAL_SCOPE_CLOSED) {
        describe_scope_closed(record->body, what, ret_line);
    } else if (record->type == JOURNAL_STATE) {
        describe_state(record->body, ret_line);
    } else if (record->type == JOURNAL_PHASE) {
        const char *phase = js_get_text(record->body, "phase");
        const char *to = js_get_text(record->body, "to");
        buf_printf(ret_line, "phase %s: %s", phase == NULL ? "?" : phase, to == NULL ? "?" : to);
    } else if (record->type == JOURNAL_REPLAN) {
        tell_replan(record->body, ret_line);
    } else if (record->type == JOURNAL_PLAN_REVISED) {
        tell_plan_in_force(record->body, ret_line);
    } else if (record->type == JOURNAL_CLAIMED || record->type == JOURNAL_RELEASED) {
        tell_claim(record, ret_line);
    } else if (record->type == JOURNAL_GATE) {
        return tell_gate(record, ret_line);
    } else {
        return describe_by_table(record, what, ret_line);
    }
    return true;
}
