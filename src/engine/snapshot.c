#include "engine/snapshot.h"

#include <string.h>

#include "base/attr.h"
#include "base/mem.h"
#include "base/str.h"

static struct json *describe_phases(const struct run_state *state)
{
    struct json *phases = js_array();
    for (size_t p = 0; p < state->plan->phase_count; p++) {
        struct json *entry = js_object();
        js_put_text(entry, "name", state->plan->phases[p].name);
        js_put_text(entry, "title", state->plan->phases[p].title);
        js_put_text(entry, "state", run_phase_status_names[state->phases[p]]);
        js_push(phases, entry);
    }
    return phases;
}

static struct json *describe_step(
    const struct run_state *state, const struct run_step *step, int64_t wall_ms)
{
    const bool is_over = step->ended_wall_ms >= step->started_wall_ms && step->ended_wall_ms > 0;
    const int64_t end_ms = is_over ? step->ended_wall_ms : wall_ms;
    struct json *entry = js_object();
    js_put_text(entry, "id", step->plan->id);
    js_put_text(entry, "summary", step->plan->summary);
    js_put_text(entry, "phase", state->plan->phases[step->phase].name);
    js_put_text(entry, "node", step->plan->node);
    js_put_text(entry, "shard", step->plan->shard);
    js_put_text(entry, "state", run_step_status_names[step->status]);
    js_put_text(entry, "reason", step->reason);
    js_put_number(entry, "attempt", step->attempt);
    js_put_number(
        entry, "elapsed_ms", step->started_wall_ms == 0 ? 0 : end_ms - step->started_wall_ms);
    return entry;
}

static struct json *describe_scopes(const struct run_state *state)
{
    struct json *scopes = js_array();
    for (size_t i = 0; i < state->step_count; i++) {
        const struct run_step *step = &state->steps[i];
        if (step->is_scope_open) {
            struct json *entry = js_object();
            js_put_text(entry, "what", step->plan->summary);
            js_put_text(entry, "where", step->plan->node);
            js_put(entry, "before", step->before == NULL ? js_none() : js_copy(step->before));
            js_push(scopes, entry);
        }
    }
    return scopes;
}

/* Local deadlines as wall time; 0: none. */
static int64_t until_wall(int64_t deadline_ms, int64_t now_ms, int64_t wall_ms)
{
    return deadline_ms == 0 ? 0 : wall_ms + (deadline_ms - now_ms);
}

static struct json *describe_wait(
    const char *what, const struct run_answer *answer, int64_t since_wall_ms, int64_t until_wall_ms)
{
    struct json *wait = js_object();
    js_put_text(wait, "what", what);
    js_put_text(wait, "because", answer->reason);
    js_put_number(wait, "since_wall_ms", since_wall_ms);
    js_put_number(wait, "until_wall_ms", until_wall_ms);
    js_put_text(wait, "remedy", answer->remedy);
    return wait;
}

/* The sentence: the first step that waits for a gate, then one that is being verified, then the
 * health of the whole. */
static struct json *describe_waiting(const struct run_state *state, int64_t now_ms, int64_t wall_ms)
{
    if (state->status == RUN_PAUSED || run_status_is_final(state->status)) {
        return js_none(); /* it waits for the operator, and the question says so */
    }
    for (size_t i = 0; i < state->step_count; i++) {
        const struct run_activity *live = &state->steps[i].live;
        if (live->blocked.state != GATE_YES && live->blocked.reason != NULL) {
            return describe_wait(state->steps[i].plan->summary, &live->blocked, live->since_wall_ms,
                until_wall(live->deadline_ms, now_ms, wall_ms));
        }
    }
    for (size_t i = 0; i < state->step_count; i++) {
        const struct run_activity *live = &state->steps[i].live;
        if (live->is_verifying) {
            struct run_answer answer = {
                .reason = (char *)(uintptr_t) "it has not taken effect yet"};
            return describe_wait(state->steps[i].plan->summary, &answer, live->since_wall_ms,
                until_wall(live->deadline_ms, now_ms, wall_ms));
        }
    }
    const struct run_health *health = &state->health;
    if (health->blocked.state != GATE_YES && health->blocked.reason != NULL) {
        return describe_wait("the cluster to be healthy", &health->blocked, health->since_wall_ms,
            until_wall(health->deadline_ms, now_ms, wall_ms));
    }
    return js_none();
}

/* Steps that failed after the run had asked already: they wait for the same answer. */
static void add_other_reasons(const struct run_state *state, struct json *reasons)
{
    for (size_t i = 0; i < state->step_count; i++) {
        const struct run_step *step = &state->steps[i];
        const bool is_stuck = step->status == RUN_STEP_FAILED || step->status == RUN_STEP_FOREIGN ||
                              step->status == RUN_STEP_UNKNOWN;
        if (!is_stuck) {
            continue;
        }
        AUTO_FREE char *text = mem_format("%s: %s", step->plan->summary,
            step->reason == NULL ? run_step_status_names[step->status] : step->reason);
        bool is_told = false;
        for (size_t r = 0; r < state->reason_count; r++) {
            is_told = is_told || strcmp(state->reasons[r], text) == 0;
        }
        if (!is_told) {
            js_push(reasons, js_text(text));
        }
    }
}

static struct json *describe_question(const struct run_state *state)
{
    if (!state->has_question && state->status != RUN_REFUSED) {
        return js_none();
    }
    struct json *question = js_object();
    struct json *reasons = js_array();
    for (size_t i = 0; i < state->reason_count; i++) {
        js_push(reasons, js_text(state->reasons[i]));
    }
    struct json *answers = js_array();
    if (state->has_question) {
        add_other_reasons(state, reasons);
        js_push(answers, js_text("resume"));
        js_push(answers, js_text("abort"));
    }
    js_put_text(question, "text", state->reason_count > 0 ? state->reasons[0] : "");
    js_put(question, "reasons", reasons);
    js_put(question, "answers", answers);
    js_put_text(question, "remedy", state->remedy);
    return question;
}

static struct json *describe_soak(const struct run_state *state)
{
    if (state->status != RUN_SOAKING) {
        return js_none();
    }
    struct json *soak = js_object();
    js_put_number(soak, "healthy_s", (state->soak_healthy_ms + state->soak_unsaved_ms) / 1000);
    js_put_number(soak, "wanted_s", state->plan->policy.soak_s);
    return soak;
}

static struct json *texts(const char *const *items, size_t count)
{
    struct json *array = js_array();
    for (size_t i = 0; i < count; i++) {
        js_push(array, js_text(items[i]));
    }
    return array;
}

static void put_progress(struct json *snapshot, const struct run_state *state, int64_t wall_ms)
{
    size_t done = 0;
    struct json *steps = js_array();
    for (size_t i = 0; i < state->step_count; i++) {
        done += run_step_is_final(&state->steps[i]) ? 1 : 0;
        js_push(steps, describe_step(state, &state->steps[i], wall_ms));
    }
    const size_t left = state->step_count - done;
    js_put_number(snapshot, "steps_done", (int64_t)done);
    js_put_number(snapshot, "steps_total", (int64_t)state->step_count);
    js_put_number(snapshot, "left_ms",
        state->step_count == 0
            ? 0
            : state->plan->estimate_s * 1000 * (int64_t)left / (int64_t)state->step_count);
    js_put(snapshot, "steps", steps);
}

struct json *run_snapshot(const struct run_state *state, int64_t now_ms, int64_t wall_ms)
{
    const struct plan *plan = state->plan;
    const size_t open = run_open_phase(state);
    AUTO_FREE char *title = mem_format("%s -> %s", plan->request.from, plan->request.to);
    struct json *snapshot = js_object();
    js_put_text(snapshot, "run", state->id);
    js_put_text(snapshot, "cluster", plan->request.cluster);
    js_put_text(snapshot, "title", title);
    js_put_text(snapshot, "state", run_status_names[state->status]);
    js_put_text(snapshot, "direction", "forward");
    js_put_text(snapshot, "phase", open < plan->phase_count ? plan->phases[open].name : NULL);
    js_put_text(snapshot, "way_back", run_way_back_names[state->way_back]);
    js_put_text(snapshot, "way_back_reason", state->way_back_reason);
    js_put_number(snapshot, "epoch", state->epoch);
    js_put_number(snapshot, "started_wall_ms", state->started_wall_ms);
    js_put_number(snapshot, "now_wall_ms", wall_ms);
    js_put_number(snapshot, "elapsed_ms", wall_ms - state->started_wall_ms);
    put_progress(snapshot, state, wall_ms);
    js_put(snapshot, "phases", describe_phases(state));
    js_put(snapshot, "nodes", state->nodes == NULL ? js_array() : js_copy(state->nodes));
    js_put(snapshot, "waiting", describe_waiting(state, now_ms, wall_ms));
    js_put(snapshot, "question", describe_question(state));
    js_put(snapshot, "soak", describe_soak(state));
    js_put(snapshot, "scopes", describe_scopes(state));
    js_put(snapshot, "way_back_by_hand",
        texts((const char *const *)plan->way_back, plan->way_back_count));
    const int exit_code = run_exit_code(state);
    js_put(snapshot, "exit", exit_code < 0 ? js_none() : js_number(exit_code));
    return snapshot;
}

/* --- one line per record --- */

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

/* {"value": "1mb"} as 1mb; what has more members as JSON. */
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

struct description {
    enum journal_type type;
    const char *format; /* with the step's summary, or with the member below */
    const char *member; /* of the body; NULL: the step's summary */
};

static const struct description descriptions[] = {
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
    const long index = run_find_step(state, record->step);
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
    } else {
        return describe_by_table(record, what, ret_line);
    }
    return true;
}
