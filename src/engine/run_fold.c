/*
 * engine/run_fold.c - folds journal records into the state of a run.
 */
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/run.h"

static void set_text(char **slot, const char *text)
{
    char *kept = text == NULL ? NULL : mem_strdup(text);
    free(*slot);
    *slot = kept;
}

/* --- the run --- */

static void want_replan(struct run_state *state, enum run_replan replan)
{
    state->replan = replan;
    state->is_replan_automatic = false;
    set_text(&state->replan_cause, NULL);
    set_text(&state->replan_remedy, NULL);
    js_free(state->proposal);
    state->proposal = NULL;
}

static void fold_state(struct run_state *state, const struct journal_record *record)
{
    int status = 0;
    const char *to = js_get_text(record->body, "to");
    if (to == NULL || !codec_enum_value(run_status_names, to, &status)) {
        return;
    }
    state->status = (enum run_status)status;
    run_forget_reasons(state);
    const struct json *reasons = js_get(record->body, "reasons");
    state->reason_count = js_count(reasons);
    state->reasons = mem_alloc_array(state->reason_count, sizeof(*state->reasons));
    for (size_t i = 0; i < state->reason_count; i++) {
        const char *reason = js_as_text(js_at(reasons, i));
        state->reasons[i] = mem_strdup(reason == NULL ? "" : reason);
    }
    set_text(&state->remedy, js_get_text(record->body, "remedy"));
    state->has_question = js_get_bool(record->body, "question", false);
    const char *event = js_get_text(record->body, "event");
    state->is_claim_refused =
        state->is_claim_refused || text_equal(event, run_event_names[RUN_EVENT_CLAIM_REFUSED]);
    if (state->status == RUN_ABORTING) {
        want_replan(state, RUN_REPLAN_NONE); /* an abort ends what was to be planned */
    }
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

/* A plain `resume` gives failed steps another try, unless they are to be planned anew, and forgets
 * a proposal: what it was made for is looked at again. */
static void fold_resume(struct run_state *state)
{
    js_free(state->proposal);
    state->proposal = NULL;
    for (size_t i = 0; state->replan == RUN_REPLAN_NONE && i < state->step_count; i++) {
        struct run_step *step = &state->steps[i];
        if (!run_step_is_current(state, step)) {
            continue;
        }
        if (step->status == RUN_STEP_FAILED || step->status == RUN_STEP_FOREIGN) {
            step->status = RUN_STEP_PENDING;
        } else if (step->status == RUN_STEP_UNKNOWN) {
            step->status = RUN_STEP_INTENDED;
        }
    }
}

static void fold_operator(struct run_state *state, const struct journal_record *record)
{
    const char *command = js_get_text(record->body, "command");
    if (text_equal(command, "finalize")) {
        state->is_finalizing = true;
        state->way_back = RUN_WAY_BACK_CLOSED;
    } else if (text_equal(command, "rollback")) {
        state->is_finished = false; /* of an aborted run */
    } else if (text_equal(command, "resume") && js_get_text(record->body, "answer") == NULL) {
        fold_resume(state);
    }
}

static void fold_replan(struct run_state *state, const struct journal_record *record)
{
    int replan = 0;
    const char *word = js_get_text(record->body, "replan");
    if (word == NULL || !codec_enum_value(run_replan_names, word, &replan)) {
        return;
    }
    want_replan(state, (enum run_replan)replan);
    state->is_replan_automatic = js_get_bool(record->body, "automatic", false);
    set_text(&state->replan_cause, js_get_text(record->body, "cause"));
    set_text(&state->replan_remedy, js_get_text(record->body, "remedy"));
}

static void fold_proposed(struct run_state *state, const struct journal_record *record)
{
    want_replan(state, RUN_REPLAN_NONE);
    state->proposal = js_ref(record->body);
}

/* What was left of the present plan gives way to the new one; what was begun stays as history. */
static void fold_revised(struct run_state *state, const struct journal_record *record)
{
    struct plan *plan = mem_alloc(sizeof(*plan));
    AUTO_JSON own = js_copy(js_get(record->body, "plan")); /* workers read the plan's */
    AUTO_ERR err = plan_from_json(own, "the journal", plan);
    if (err != NULL) {
        free(plan);
        free(state->plan_trouble);
        state->plan_trouble = err_text(err);
        return;
    }
    for (size_t i = 0; i < state->step_count; i++) {
        struct run_step *step = &state->steps[i];
        if (step->status == RUN_STEP_PENDING) {
            step->status = RUN_STEP_DROPPED;
            run_answer_release(&step->live.blocked);
        }
    }
    struct plan **slot = arena_push(
        &state->arena, &state->revisions, &state->revision_count, sizeof(*state->revisions));
    *slot = plan;
    run_add_plan(state, plan);
    state->direction =
        text_equal(plan->direction, run_direction_names[RUN_BACK]) ? RUN_BACK : RUN_FORWARD;
    state->automatic_count += js_get_bool(record->body, "automatic", false) ? 1 : 0;
    want_replan(state, RUN_REPLAN_NONE);
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
        set_text(&state->way_back_reason, js_get_text(record->body, "reason"));
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

/* --- a step --- */

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
    set_text(&step->reason, js_get_text(record->body, "reason"));
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

/* What each type changes: of the step it names, or of the run. The others only tell. */
static const struct {
    enum journal_type type;
    void (*fold_step)(struct run_step *, const struct journal_record *);
    void (*fold_run)(struct run_state *, const struct journal_record *);
} folds[] = {
    {JOURNAL_RUN_CREATED, NULL, fold_created},
    {JOURNAL_REPLAN, NULL, fold_replan},
    {JOURNAL_PLAN_PROPOSED, NULL, fold_proposed},
    {JOURNAL_PLAN_REVISED, NULL, fold_revised},
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
    const long index = run_find_recorded(state, record);
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
    if (record->type == JOURNAL_INTENT && index >= 0 && state->steps[index].intent_seq == 0) {
        state->steps[index].intent_seq = state->last_seq;
    }
}
