/*
 * engine/run.c - folds journal records into the state of a run.
 */
#include "engine/run.h"

#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/str.h"

void run_answer_release(struct run_answer *answer)
{
    free(answer->gate);
    free(answer->reason);
    free(answer->remedy);
    *answer = (struct run_answer){.state = GATE_YES};
}

static char *copy_or_null(const char *text)
{
    return text == NULL ? NULL : mem_strdup(text);
}

void run_answer_set(struct run_answer *answer, const struct gate_answer *from)
{
    run_answer_release(answer);
    answer->state = from->state;
    answer->gate = copy_or_null(from->gate);
    answer->reason = copy_or_null(from->reason);
    answer->remedy = copy_or_null(from->remedy);
}

void run_init(struct run_state *state, const struct plan *plan, const char *id)
{
    *state = (struct run_state){.plan = plan, .epoch = 1};
    state->id = arena_strdup(&state->arena, id);
    state->phases = arena_alloc_array(&state->arena, plan->phase_count, sizeof(*state->phases));
    state->step_count = plan_step_count(plan);
    state->steps = arena_alloc_array(&state->arena, state->step_count, sizeof(*state->steps));
    size_t index = 0;
    for (size_t p = 0; p < plan->phase_count; p++) {
        for (size_t s = 0; s < plan->phases[p].step_count; s++) {
            state->steps[index].plan = &plan->phases[p].steps[s];
            state->steps[index].phase = p;
            index++;
        }
    }
}

static void forget_reasons(struct run_state *state)
{
    for (size_t i = 0; i < state->reason_count; i++) {
        free(state->reasons[i]);
    }
    free(state->reasons);
    state->reasons = NULL;
    state->reason_count = 0;
    free(state->remedy);
    state->remedy = NULL;
    state->has_question = false;
}

void run_release(struct run_state *state)
{
    for (size_t i = 0; i < state->step_count; i++) {
        struct run_step *step = &state->steps[i];
        js_free(step->args);
        js_free(step->before);
        free(step->reason);
        free(step->live.apply_text);
        run_answer_release(&step->live.blocked);
    }
    js_free(state->nodes);
    free(state->way_back_reason);
    forget_reasons(state);
    run_answer_release(&state->health.blocked);
    arena_release(&state->arena);
}

long run_find_step(const struct run_state *state, const char *id)
{
    for (size_t i = 0; id != NULL && i < state->step_count; i++) {
        if (strcmp(state->steps[i].plan->id, id) == 0) {
            return (long)i;
        }
    }
    return -1;
}

bool run_step_is_final(const struct run_step *step)
{
    return step->status == RUN_STEP_DONE || step->status == RUN_STEP_FOUND;
}

size_t run_open_phase(const struct run_state *state)
{
    size_t phase = 0;
    while (phase < state->plan->phase_count && state->phases[phase] == RUN_PHASE_DONE) {
        phase++;
    }
    return phase;
}

bool run_phase_is_finalize(const struct run_state *state, size_t phase)
{
    return phase < state->plan->phase_count &&
           strcmp(state->plan->phases[phase].name, "finalize") == 0;
}

static void fold_state(struct run_state *state, const struct journal_record *record)
{
    int status = 0;
    const char *to = js_get_text(record->body, "to");
    if (to == NULL || !codec_enum_value(run_status_names, to, &status)) {
        return;
    }
    state->status = (enum run_status)status;
    forget_reasons(state);
    const struct json *reasons = js_get(record->body, "reasons");
    state->reason_count = js_count(reasons);
    state->reasons = mem_alloc_array(state->reason_count, sizeof(*state->reasons));
    for (size_t i = 0; i < state->reason_count; i++) {
        const char *reason = js_as_text(js_at(reasons, i));
        state->reasons[i] = mem_strdup(reason == NULL ? "" : reason);
    }
    state->remedy = copy_or_null(js_get_text(record->body, "remedy"));
    state->has_question = js_get_bool(record->body, "question", false);
}

static void fold_phase(struct run_state *state, const struct journal_record *record)
{
    const char *name = js_get_text(record->body, "phase");
    const char *to = js_get_text(record->body, "to");
    for (size_t p = 0; name != NULL && to != NULL && p < state->plan->phase_count; p++) {
        int status = 0;
        if (strcmp(state->plan->phases[p].name, name) == 0 &&
            codec_enum_value(run_phase_status_names, to, &status)) {
            state->phases[p] = (enum run_phase_status)status;
        }
    }
}

/* The operator's word: resuming gives failed steps another try, finalizing ends the way back. */
static void fold_operator(struct run_state *state, const struct journal_record *record)
{
    const char *command = js_get_text(record->body, "command");
    if (text_equal(command, "finalize")) {
        state->is_finalizing = true;
        state->way_back = RUN_WAY_BACK_CLOSED;
    }
    for (size_t i = 0; text_equal(command, "resume") && i < state->step_count; i++) {
        struct run_step *step = &state->steps[i];
        if (step->status == RUN_STEP_FAILED || step->status == RUN_STEP_FOREIGN) {
            step->status = RUN_STEP_PENDING;
        } else if (step->status == RUN_STEP_UNKNOWN) {
            step->status = RUN_STEP_INTENDED;
        }
    }
}

static void fold_intent(struct run_step *step, const struct journal_record *record)
{
    step->status = RUN_STEP_INTENDED;
    step->attempt = record->attempt;
    if (step->args == NULL) {
        step->args = js_ref(js_get(record->body, "args"));
        step->before = js_ref(js_get(record->body, "before"));
        step->started_wall_ms = record->wall_ms;
    }
}

static void set_reason(struct run_step *step, const struct journal_record *record)
{
    free(step->reason);
    step->reason = copy_or_null(js_get_text(record->body, "reason"));
    step->ended_wall_ms = record->wall_ms;
}

static void fold_outcome(struct run_step *step, const struct journal_record *record)
{
    static const struct {
        const char *word;
        enum run_step_status status;
    } outcomes[] = {
        {"done", RUN_STEP_DONE},
        {"absent", RUN_STEP_PENDING},
        {"failed", RUN_STEP_FAILED},
        {"unknown", RUN_STEP_UNKNOWN},
    };
    const char *word = js_get_text(record->body, "state");
    for (size_t i = 0; i < ARRAY_COUNT(outcomes); i++) {
        if (text_equal(word, outcomes[i].word)) {
            step->status = outcomes[i].status;
        }
    }
    set_reason(step, record);
}

static void fold_found(struct run_step *step, const struct journal_record *record)
{
    step->status = RUN_STEP_FOUND;
    step->started_wall_ms = record->wall_ms;
    step->ended_wall_ms = record->wall_ms;
}

static void fold_foreign(struct run_step *step, const struct journal_record *record)
{
    step->status = RUN_STEP_FOREIGN;
    set_reason(step, record);
}

static void fold_scope_open(struct run_step *step, const struct journal_record *UNUSED(record))
{
    step->is_scope_open = true;
}

static void fold_scope_closed(struct run_step *step, const struct journal_record *UNUSED(record))
{
    step->is_scope_open = false;
}

static void fold_created(struct run_state *state, const struct journal_record *record)
{
    state->started_wall_ms = record->wall_ms;
}

static void fold_soak_tick(struct run_state *state, const struct journal_record *record)
{
    state->soak_healthy_ms = js_get_number(record->body, "healthy_ms", 0);
}

static void fold_way_back(struct run_state *state, const struct journal_record *record)
{
    int way_back = 0;
    const char *to = js_get_text(record->body, "to");
    if (to != NULL && codec_enum_value(run_way_back_names, to, &way_back)) {
        state->way_back = (enum run_way_back)way_back;
        free(state->way_back_reason);
        state->way_back_reason = copy_or_null(js_get_text(record->body, "reason"));
    }
}

static void fold_probe_gap(struct run_state *state, const struct journal_record *UNUSED(record))
{
    state->has_probe_gap = true;
}

static void fold_finish(struct run_state *state, const struct journal_record *record)
{
    state->is_finished = true;
    state->is_proved = js_get_bool(record->body, "proved", false);
}

/* What each type changes: of the step it names, or of the run. The others only tell. */
static const struct {
    enum journal_type type;
    void (*fold_step)(struct run_step *, const struct journal_record *);
    void (*fold_run)(struct run_state *, const struct journal_record *);
} folds[] = {
    {JOURNAL_RUN_CREATED, NULL, fold_created},
    {JOURNAL_STATE, NULL, fold_state},
    {JOURNAL_PHASE, NULL, fold_phase},
    {JOURNAL_OPERATOR, NULL, fold_operator},
    {JOURNAL_SOAK_TICK, NULL, fold_soak_tick},
    {JOURNAL_WAY_BACK, NULL, fold_way_back},
    {JOURNAL_PROBE_GAP, NULL, fold_probe_gap},
    {JOURNAL_FINISH, NULL, fold_finish},
    {JOURNAL_INTENT, fold_intent, NULL},
    {JOURNAL_OUTCOME, fold_outcome, NULL},
    {JOURNAL_FOUND, fold_found, NULL},
    {JOURNAL_FOREIGN, fold_foreign, NULL},
    {JOURNAL_SCOPE_OPEN, fold_scope_open, NULL},
    {JOURNAL_SCOPE_CLOSED, fold_scope_closed, NULL},
};

void run_fold(struct run_state *state, const struct journal_record *record)
{
    state->last_seq++;
    if (record->epoch > state->epoch) {
        state->epoch = record->epoch;
    }
    const long index = run_find_step(state, record->step);
    for (size_t i = 0; i < ARRAY_COUNT(folds); i++) {
        if (folds[i].type != record->type) {
            continue;
        }
        if (folds[i].fold_run != NULL) {
            folds[i].fold_run(state, record);
        } else if (index >= 0) {
            folds[i].fold_step(&state->steps[index], record);
        }
    }
}

int run_exit_code(const struct run_state *state)
{
    switch (state->status) {
    case RUN_PAUSED:
        return state->has_question ? 11 : 10;
    case RUN_ABORTED:
        return 14;
    case RUN_SOAKING:
        return 12;
    case RUN_REFUSED:
        return 4;
    case RUN_COMPLETE:
        return state->is_proved || strcmp(state->plan->policy.probe_mode, "off") == 0 ? 0 : 16;
    case RUN_ROLLED_BACK:
        return 13;
    case RUN_ABANDONED:
        return 14;
    case RUN_PLANNED:
    case RUN_CLAIMING:
    case RUN_RUNNING:
    case RUN_PAUSING:
    case RUN_ABORTING:
        break;
    }
    return -1;
}

struct json *run_to_json(const struct run_state *state)
{
    struct json *object = js_object();
    js_put_text(object, "status", run_status_names[state->status]);
    js_put_text(object, "way_back", run_way_back_names[state->way_back]);
    js_put_number(object, "epoch", state->epoch);
    js_put_number(object, "seq", state->last_seq);
    js_put_bool(object, "question", state->has_question);
    js_put_bool(object, "finalizing", state->is_finalizing);
    js_put_bool(object, "finished", state->is_finished);
    js_put_number(object, "soak_healthy_ms", state->soak_healthy_ms);
    struct json *phases = js_array();
    for (size_t p = 0; p < state->plan->phase_count; p++) {
        js_push(phases, js_text(run_phase_status_names[state->phases[p]]));
    }
    js_put(object, "phases", phases);
    struct json *steps = js_object();
    for (size_t i = 0; i < state->step_count; i++) {
        const struct run_step *step = &state->steps[i];
        struct json *entry = js_object();
        js_put_text(entry, "status", run_step_status_names[step->status]);
        js_put_number(entry, "attempt", step->attempt);
        js_put_bool(entry, "scope_open", step->is_scope_open);
        js_put(entry, "before", step->before == NULL ? js_none() : js_ref(step->before));
        js_put(steps, step->plan->id, entry);
    }
    js_put(object, "steps", steps);
    return object;
}
