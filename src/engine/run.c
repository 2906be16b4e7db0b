/*
 * engine/run.c - the state of a run: made, searched, told; engine/run_fold.c changes it.
 */
#include "engine/run.h"

#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/progress.h"

void run_answer_release(struct run_answer *answer)
{
    free(answer->gate);
    free(answer->reason);
    free(answer->remedy);
    *answer = (struct run_answer){.state = GATE_YES};
}

static char *answer_text(const char *text)
{
    return text == NULL ? NULL : mem_strdup(text);
}

void run_answer_set(struct run_answer *answer, const struct gate_answer *from)
{
    struct run_answer kept = {
        from->state, answer_text(from->gate), answer_text(from->reason), answer_text(from->remedy)};
    run_answer_release(answer);
    *answer = kept;
}

void run_wait_reset(struct run_wait *wait)
{
    run_answer_release(&wait->blocked);
    *wait = (struct run_wait){0};
}

void run_init(struct run_state *state, const struct plan *plan, const char *id)
{
    *state = (struct run_state){.plan = plan, .first = plan, .epoch = 1};
    state->id = arena_strdup(&state->arena, id);
    run_add_plan(state, plan);
}

void run_add_plan(struct run_state *state, const struct plan *plan)
{
    const size_t count = plan_step_count(plan);
    struct run_step *steps =
        arena_alloc_array(&state->arena, state->step_count + count, sizeof(*steps));
    for (size_t i = 0; i < state->step_count; i++) {
        steps[i] = state->steps[i];
    }
    state->steps = steps;
    state->plan = plan;
    state->phases = arena_alloc_array(&state->arena, plan->phase_count, sizeof(*state->phases));
    for (size_t p = 0; p < plan->phase_count; p++) {
        for (size_t s = 0; s < plan->phases[p].step_count; s++) {
            steps[state->step_count++] = (struct run_step){
                .plan = &plan->phases[p].steps[s],
                .revision = (int64_t)state->revision_count,
                .phase = p,
            };
        }
    }
}

static void release_pending(struct run_state *state)
{
    for (size_t i = 0; i < state->pending_count; i++) {
        free(state->pending[i].who);
        free(state->pending[i].answer);
    }
    free(state->pending);
}

static void release_plans(struct run_state *state)
{
    for (size_t i = 0; i < state->revision_count; i++) {
        plan_release(state->revisions[i]);
        free(state->revisions[i]);
    }
    js_free(state->proposal);
    free(state->replan_cause);
    free(state->replan_remedy);
    free(state->plan_trouble);
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
    run_forget_reasons(state);
    release_plans(state);
    release_pending(state);
    js_free(state->nodes);
    js_free(state->roles.nodes);
    js_free(state->probe_final);
    free(state->way_back_reason);
    run_answer_release(&state->health.wait.blocked);
    run_answer_release(&state->replan_wait.blocked);
    run_answer_release(&state->claim.wait.blocked);
    arena_release(&state->arena);
}

void run_forget_reasons(struct run_state *state)
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

/* --- searching --- */

long run_find_step(const struct run_state *state, const char *id)
{
    for (size_t i = state->step_count; id != NULL && i-- > 0;) {
        if (strcmp(state->steps[i].plan->id, id) == 0) {
            return (long)i;
        }
    }
    return -1;
}

long run_find_step_of(const struct run_state *state, const char *id, int64_t revision)
{
    for (size_t i = 0; id != NULL && i < state->step_count; i++) {
        const struct run_step *step = &state->steps[i];
        if (step->revision == revision && strcmp(step->plan->id, id) == 0) {
            return (long)i;
        }
    }
    return -1;
}

long run_find_recorded(const struct run_state *state, const struct journal_record *record)
{
    return run_find_step_of(state, record->step, js_get_number(record->body, "revision", 0));
}

const struct plan *run_plan_of(const struct run_state *state, int64_t revision)
{
    return revision == 0 ? state->first : state->revisions[revision - 1];
}

bool run_step_is_current(const struct run_state *state, const struct run_step *step)
{
    return step->revision == (int64_t)state->revision_count;
}

bool run_step_is_final(const struct run_step *step)
{
    return step->status == RUN_STEP_DONE || step->status == RUN_STEP_FOUND;
}

bool run_step_is_stuck(const struct run_step *step)
{
    return step->status == RUN_STEP_FAILED || step->status == RUN_STEP_FOREIGN ||
           step->status == RUN_STEP_UNKNOWN;
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

const char *run_closed_way_back(const struct run_state *state, struct arena *arena)
{
    const char *possible = run_status_is_final(state->status)
                               ? "what is possible: plan anew and go on forward, or load a backup"
                               : "what is possible: go on with `upshift resume` or `upshift "
                                 "finalize`, or load a backup";
    if (state->is_finalizing) {
        return arena_format(arena, "the way back is closed: finalize has begun; %s", possible);
    }
    if (state->way_back != RUN_WAY_BACK_CLOSED) {
        return NULL;
    }
    return arena_format(arena, "%s; %s",
        state->way_back_reason == NULL ? "the way back is closed" : state->way_back_reason,
        possible);
}

/* --- telling --- */

int run_exit_code(const struct run_state *state)
{
    const bool is_back = state->direction == RUN_BACK;
    switch (state->status) {
    case RUN_PAUSED:
        return is_back ? 15 : state->has_question ? 11 : 10;
    case RUN_ABORTED:
        return is_back ? 15 : 14;
    case RUN_SOAKING:
        return 12;
    case RUN_REFUSED:
        return state->is_claim_refused ? 5 : 4;
    case RUN_COMPLETE:
        return state->is_proved || strcmp(state->first->policy.probe_mode, "off") == 0 ? 0 : 16;
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

struct json *run_scopes_to_json(const struct run_state *state)
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

struct json *run_claim_scopes_to_json(const struct run_state *state)
{
    struct json *scopes = js_array();
    for (size_t i = 0; i < state->step_count; i++) {
        const struct run_step *step = &state->steps[i];
        if (step->is_scope_open) {
            struct json *entry = js_object();
            js_put_text(entry, "step", step->plan->id);
            js_put_text(entry, "kind", step->plan->kind);
            js_put(entry, "args", step->args == NULL ? js_object() : js_copy(step->args));
            js_put(entry, "before", step->before == NULL ? js_object() : js_copy(step->before));
            js_push(scopes, entry);
        }
    }
    return scopes;
}

/* Steps in the order of their intents; those without one behind, in the order of their plans. */
static int compare_intents(const void *a, const void *b)
{
    const struct run_step *left = *(const struct run_step *const *)a;
    const struct run_step *right = *(const struct run_step *const *)b;
    const int64_t left_seq = left->intent_seq == 0 ? INT64_MAX : left->intent_seq;
    const int64_t right_seq = right->intent_seq == 0 ? INT64_MAX : right->intent_seq;
    if (left_seq != right_seq) {
        return left_seq < right_seq ? -1 : 1;
    }
    return left < right ? -1 : left > right;
}

struct json *run_progress_to_json(const struct run_state *state)
{
    AUTO_ARENA arena = {0};
    const size_t count = state->step_count;
    const struct run_step **ordered = arena_alloc_array(&arena, count + 1, sizeof(*ordered));
    for (size_t i = 0; i < count; i++) {
        ordered[i] = &state->steps[i];
    }
    qsort(ordered, count, sizeof(*ordered), compare_intents);
    struct progress progress = {.revision = (int64_t)state->revision_count, .step_count = count};
    progress.steps = arena_alloc_array(&arena, count + 1, sizeof(*progress.steps));
    for (size_t i = 0; i < count; i++) {
        const struct run_step *step = ordered[i];
        progress.steps[i] = (struct progress_step){
            .id = step->plan->id,
            .kind = step->plan->kind,
            .node = step->plan->node,
            .state = run_step_status_names[step->status],
            .revision = step->revision,
            .attempt = step->attempt,
            .args = step->args != NULL ? step->args : step->plan->args,
            .before = step->before,
        };
    }
    return progress_to_json(&progress); /* copies args and before */
}

static struct json *step_to_json(const struct run_step *step)
{
    struct json *entry = js_object();
    js_put_text(entry, "id", step->plan->id);
    js_put_number(entry, "revision", step->revision);
    js_put_text(entry, "status", run_step_status_names[step->status]);
    js_put_number(entry, "attempt", step->attempt);
    js_put_number(entry, "intent_seq", step->intent_seq);
    js_put_bool(entry, "scope_open", step->is_scope_open);
    js_put(entry, "before", step->before == NULL ? js_none() : js_ref(step->before));
    return entry;
}

struct json *run_to_json(const struct run_state *state)
{
    struct json *object = js_object();
    js_put_text(object, "status", run_status_names[state->status]);
    js_put_text(object, "direction", run_direction_names[state->direction]);
    js_put_number(object, "revision", (int64_t)state->revision_count);
    js_put_text(object, "replan", run_replan_names[state->replan]);
    js_put_bool(object, "replan_automatic", state->is_replan_automatic);
    js_put_number(object, "automatic_count", state->automatic_count);
    js_put_text(object, "proposal", js_get_text(state->proposal, "digest"));
    js_put_text(object, "way_back", run_way_back_names[state->way_back]);
    js_put_number(object, "epoch", state->epoch);
    js_put_number(object, "seq", state->last_seq);
    js_put_bool(object, "question", state->has_question);
    js_put_bool(object, "claim_refused", state->is_claim_refused);
    js_put_bool(object, "finalizing", state->is_finalizing);
    js_put_bool(object, "finished", state->is_finished);
    js_put_number(object, "soak_healthy_ms", state->soak_healthy_ms);
    struct json *phases = js_array();
    for (size_t p = 0; p < state->plan->phase_count; p++) {
        js_push(phases, js_text(run_phase_status_names[state->phases[p]]));
    }
    js_put(object, "phases", phases);
    struct json *steps = js_array();
    for (size_t i = 0; i < state->step_count; i++) {
        js_push(steps, step_to_json(&state->steps[i]));
    }
    js_put(object, "steps", steps);
    return object;
}
