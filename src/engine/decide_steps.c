/*
 * engine/decide_steps.c - moves steps: look, intend, apply, verify, and close scopes.
 *
 *   PENDING --look: done--> FOUND
 *      |  ^                                   (journal: found)
 *      |  '------ absent, retried -----.
 *    look: absent, gates yes, budget   |
 *      v                               |
 *   INTENDED -> apply -> verify -> DONE | FAILED | FOREIGN | UNKNOWN
 *   (journal: intent, durable first)   (journal: outcome)
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/turn.h"

/* A node that this run took out comes back by the later steps of the same phase on it: its chain.
 * Pausing or aborting in the middle of one would leave the node down, so a chain is finished. */
static bool is_chain_begun(const struct run_state *state, size_t index)
{
    const struct run_step *step = &state->steps[index];
    for (size_t i = 0; i < index; i++) {
        const struct run_step *earlier = &state->steps[i];
        if (earlier->phase == step->phase && earlier->plan->takes_out &&
            text_equal(earlier->plan->node, step->plan->node) &&
            (run_step_is_final(earlier) || earlier->status == RUN_STEP_INTENDED)) {
            return true;
        }
    }
    return false;
}

static bool are_earlier_done(const struct run_state *state, const struct run_step *step)
{
    for (size_t i = 0; i < step->plan->after_count; i++) {
        const long index = run_find_step(state, step->plan->after[i]);
        if (index >= 0 && !run_step_is_final(&state->steps[index])) {
            return false;
        }
    }
    return true;
}

/* A chain that nothing stops from going on by itself. */
static bool has_open_chain(const struct run_state *state)
{
    for (size_t i = 0; i < state->step_count; i++) {
        const struct run_step *step = &state->steps[i];
        if (step->status == RUN_STEP_PENDING && is_chain_begun(state, i) &&
            are_earlier_done(state, step)) {
            return true;
        }
    }
    return false;
}

bool steps_are_idle(const struct run_state *state)
{
    for (size_t i = 0; i < state->step_count; i++) {
        const struct run_activity *live = &state->steps[i].live;
        if (live->in_flight != RUN_TASK_NONE || live->is_verifying) {
            return false;
        }
    }
    return !has_open_chain(state);
}

static bool may_start(const struct run_state *state, size_t index)
{
    const struct run_step *step = &state->steps[index];
    if (state->phases[step->phase] != RUN_PHASE_OPEN || !are_earlier_done(state, step)) {
        return false;
    }
    if (state->status == RUN_RUNNING) {
        return true;
    }
    return (state->status == RUN_PAUSING || state->status == RUN_ABORTING) &&
           is_chain_begun(state, index);
}

static struct command *submit(
    struct turn *turn, enum run_task_kind kind, struct run_step *step, int64_t deadline_ms)
{
    struct command *command = turn_command(turn, COMMAND_TASK);
    command->task = (struct run_task){
        .kind = kind,
        .step = (size_t)(step - turn->state->steps),
        .plan = step->plan,
        .attempt = step->attempt,
        .epoch = turn->state->epoch,
        .deadline_ms = deadline_ms,
        .args = js_ref(step->args),
        .before = js_ref(step->before),
    };
    step->live.in_flight = kind;
    return command;
}

/* --- waiting before the act --- */

static struct json *reason_with_subject(const struct run_step *step, const char *reason)
{
    struct json *reasons = js_array();
    AUTO_FREE char *text =
        mem_format("%s: %s", step->plan->summary, reason == NULL ? "no reason given" : reason);
    js_push(reasons, js_text(text));
    return reasons;
}

static void emit_outcome(
    struct turn *turn, struct run_step *step, const char *outcome, const char *reason)
{
    struct json *body = js_object();
    js_put_text(body, "state", outcome);
    js_put_text(body, "reason", reason);
    js_put_number(body, "elapsed_ms", turn->event->now_ms - step->live.since_ms);
    turn_emit(turn, JOURNAL_OUTCOME, step, body);
    step->live.is_verifying = false;
    step->live.deadline_ms = 0;
    step->live.delay_ms = 0;
}

/* Keeps a step waiting for a gate, journals when the answer changes, asks when time is up. */
static void wait_for_gate(
    struct turn *turn, struct run_step *step, const struct gate_answer *answer)
{
    struct run_activity *live = &step->live;
    const int64_t now_ms = turn->event->now_ms;
    if (live->deadline_ms == 0) {
        live->since_ms = now_ms;
        live->since_wall_ms = turn->event->wall_ms;
        live->deadline_ms = now_ms + turn->state->plan->policy.gate_timeout_ms;
    }
    if (live->blocked.state != answer->state || !text_equal(live->blocked.gate, answer->gate)) {
        struct json *body = js_object();
        js_put_text(body, "gate", answer->gate);
        js_put_text(body, "answer", gate_state_names[answer->state]);
        js_put_text(body, "reason", answer->reason);
        turn_emit(turn, JOURNAL_GATE, step, body);
    }
    run_answer_set(&live->blocked, answer);
    live->delay_ms = turn_next_delay(live->delay_ms);
    live->next_ms = now_ms + live->delay_ms;
    if (answer->state == GATE_NOT_YET && now_ms < live->deadline_ms) {
        return;
    }
    live->deadline_ms = 0;
    if (turn->state->status == RUN_ABORTING) { /* nobody to ask: the abort goes on without it */
        emit_outcome(turn, step, "failed", answer->reason);
    } else {
        turn_ask(turn, reason_with_subject(step, answer->reason), answer->remedy);
    }
}

static bool contains(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (text_equal(names[i], name)) {
            return true;
        }
    }
    return false;
}

/* Is the node out by an act of ours that is not finished? */
static bool is_reserved(const struct run_state *state, const char *node)
{
    for (size_t i = 0; i < state->step_count; i++) {
        const struct run_step *step = &state->steps[i];
        if (!text_equal(step->plan->node, node)) {
            continue;
        }
        const bool is_taking = step->plan->takes_out && step->status == RUN_STEP_INTENDED;
        if (is_taking || (!run_step_is_final(step) && is_chain_begun(state, i))) {
            return true;
        }
    }
    return false;
}

static const struct plan_group *find_group(const struct plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->group_count; i++) {
        if (text_equal(plan->groups[i].name, name)) {
            return &plan->groups[i];
        }
    }
    return NULL;
}

/* engine.md 6: for every group, what is out together with the step's node must fit its limit; a
 * node that is out already costs nothing more. Returns a reason, or NULL when the act may start. */
static const char *find_budget_reason(
    struct turn *turn, const struct run_step *step, const struct run_result *result)
{
    const struct run_state *state = turn->state;
    const char *const *out = (const char *const *)result->out;
    if (!step->plan->takes_out || contains(out, result->out_count, step->plan->node)) {
        return NULL;
    }
    for (size_t t = 0; t < step->plan->takes_count; t++) {
        const struct plan_group *group = find_group(state->plan, step->plan->takes[t]);
        int64_t count = 1;
        const char *other = NULL;
        for (size_t n = 0; group != NULL && n < group->node_count; n++) {
            const char *node = group->nodes[n];
            if (!text_equal(node, step->plan->node) &&
                (contains(out, result->out_count, node) || is_reserved(state, node))) {
                count++;
                other = node;
            }
        }
        if (group != NULL && count > group->max_unavailable) {
            return arena_format(&turn->out->arena,
                "%s is out of service and %s allows %lld at a time",
                other == NULL ? "a node" : other, group->name, (long long)group->max_unavailable);
        }
    }
    return NULL;
}

/* --- the act --- */

static void intend(struct turn *turn, struct run_step *step, const struct run_result *result)
{
    struct json *body = js_object();
    js_put(body, "args", js_ref(step->args != NULL ? step->args : result->args));
    const struct json *before = step->before != NULL ? step->before : result->before;
    js_put(body, "before", before == NULL ? js_object() : js_ref(before));
    js_put_number(body, "deadline_ms", step->plan->deadline_ms);
    turn_emit(turn, JOURNAL_INTENT, step, body);
    if (step->plan->scope != PLAN_SCOPE_NONE && !step->is_scope_open) {
        struct json *scope = js_copy(step->args);
        js_put(scope, "before", js_ref(step->before));
        turn_emit(turn, JOURNAL_SCOPE_OPEN, step, scope);
    }
    struct run_activity *live = &step->live;
    run_answer_release(&live->blocked);
    const int64_t now_ms = turn->event->now_ms;
    live->since_ms = now_ms;
    live->since_wall_ms = turn->event->wall_ms;
    live->deadline_ms = now_ms + step->plan->deadline_ms;
    live->is_verifying = true;
    live->has_seen = false;
    live->delay_ms = 0;
    free(live->apply_text);
    live->apply_text = NULL;
    (void)submit(turn, RUN_TASK_APPLY, step, live->deadline_ms);
}

static void on_look(struct turn *turn, struct run_step *step, const struct run_result *result)
{
    if (step->status != RUN_STEP_PENDING || !may_start(turn->state, result->step)) {
        return; /* the run moved on meanwhile; looking changed nothing */
    }
    if (result->err != NULL) {
        AUTO_FREE char *text = err_text(result->err);
        const struct gate_answer answer = {GATE_NOT_YET, "can_see", text, NULL};
        wait_for_gate(turn, step, &answer);
        return;
    }
    switch (result->seen) {
    case STEP_DONE:
        if (step->attempt == 0) {
            turn_emit(turn, JOURNAL_FOUND, step, js_object());
        } else {
            step->live.since_ms = turn->event->now_ms;
            emit_outcome(turn, step, "done", "an earlier attempt took effect");
        }
        run_answer_release(&step->live.blocked);
        return;
    case STEP_MOVING: {
        const struct gate_answer answer = {
            GATE_NOT_YET, "settled", "it is on its way already", NULL};
        wait_for_gate(turn, step, &answer);
        return;
    }
    case STEP_ELSEWHERE: {
        struct json *body = js_object();
        js_put_text(body, "reason", "somebody else changed it: it is neither as before nor done");
        turn_emit(turn, JOURNAL_FOREIGN, step, body);
        turn_ask(turn, reason_with_subject(step, step->reason),
            "put it right by hand and resume, or abort and plan anew");
        return;
    }
    case STEP_ABSENT:
        break;
    }
    const char *budget = find_budget_reason(turn, step, result);
    if (result->answer_count > 0) {
        wait_for_gate(turn, step, &result->answers[0]);
    } else if (budget != NULL) {
        const struct gate_answer answer = {
            GATE_NOT_YET, "budget", budget, "wait until it serves again, or bring it back by hand"};
        wait_for_gate(turn, step, &answer);
    } else {
        intend(turn, step, result);
    }
}

static void on_apply(struct turn *turn, struct run_step *step, const struct run_result *result)
{
    struct run_activity *live = &step->live;
    if (!result->is_sent) { /* a gate turned red after the intent: absent by construction */
        const struct gate_answer none = {GATE_NOT_YET, "deadline", "too late to send", NULL};
        AUTO_FREE char *text = result->err == NULL ? NULL : err_text(result->err);
        const struct gate_answer unseen = {GATE_NOT_YET, "can_see", text, NULL};
        const struct gate_answer *answer = result->answer_count > 0 ? &result->answers[0]
                                           : text != NULL           ? &unseen
                                                                    : &none;
        emit_outcome(turn, step, "absent", answer->reason);
        wait_for_gate(turn, step, answer);
        return;
    }
    struct json *body = js_object();
    js_put(body, "err", js_of_err(result->err));
    turn_emit(turn, JOURNAL_APPLIED, step, body);
    if (result->err != NULL) {
        live->apply_text = err_text(result->err);
    }
    live->next_ms = turn->event->now_ms;
}

static void try_again_or_ask(struct turn *turn, struct run_step *step)
{
    struct run_activity *live = &step->live;
    const char *why = live->apply_text != NULL ? live->apply_text : "it had no effect";
    live->failure_count++;
    if (live->failure_count < TURN_ATTEMPTS_MAX) {
        emit_outcome(turn, step, "absent", why);
        live->next_ms = turn->event->now_ms + TURN_RETRY_MS * live->failure_count;
        return;
    }
    AUTO_FREE char *reason = mem_format("%s (%lld attempts)", why, (long long)live->failure_count);
    emit_outcome(turn, step, "failed", reason);
    turn_ask(turn, reason_with_subject(step, reason),
        "look at the node and its log; resume to try again, or abort");
}

static void look_again(struct turn *turn, struct run_step *step)
{
    step->live.delay_ms = turn_next_delay(step->live.delay_ms);
    step->live.next_ms = turn->event->now_ms + step->live.delay_ms;
}

static void on_blind(struct turn *turn, struct run_step *step, const struct err *err)
{
    AUTO_FREE char *text = err_text(err);
    if (turn->event->now_ms < step->live.deadline_ms) {
        const struct gate_answer answer = {GATE_NOT_YET, "can_see", text, NULL};
        run_answer_set(&step->live.blocked, &answer);
        look_again(turn, step);
        return;
    }
    emit_outcome(turn, step, "unknown", text);
    turn_ask(turn, reason_with_subject(step, text),
        "make the node reachable and resume: the run looks before it acts");
}

static void on_verify(struct turn *turn, struct run_step *step, const struct run_result *result)
{
    struct run_activity *live = &step->live;
    if (result->err != NULL) {
        on_blind(turn, step, result->err);
        return;
    }
    run_answer_release(&live->blocked);
    const int64_t now_ms = turn->event->now_ms;
    if (!live->has_seen || live->seen != result->seen) {
        live->has_seen = true;
        live->seen = result->seen;
        live->seen_since_ms = now_ms;
    }
    const bool is_settled = now_ms - live->seen_since_ms >= step->plan->settle_ms;
    const bool is_late = now_ms >= live->deadline_ms;
    if (result->seen == STEP_DONE) {
        emit_outcome(turn, step, "done", NULL);
        live->failure_count = 0;
    } else if (result->seen == STEP_ABSENT && (is_settled || is_late)) {
        try_again_or_ask(turn, step);
    } else if (result->seen == STEP_ELSEWHERE && (is_settled || is_late)) {
        struct json *body = js_object();
        js_put_text(body, "reason", "somebody else changed it while it was being done");
        turn_emit(turn, JOURNAL_FOREIGN, step, body);
        live->is_verifying = false;
        turn_ask(turn, reason_with_subject(step, step->reason),
            "put it right by hand and resume, or abort and plan anew");
    } else if (is_late) {
        emit_outcome(turn, step, "failed", "it did not finish within its deadline");
        turn_ask(turn, reason_with_subject(step, step->reason),
            "look at the node and its log; resume to wait again, or abort");
    } else {
        look_again(turn, step);
    }
}

static void on_undo(struct turn *turn, struct run_step *step, const struct run_result *result)
{
    struct run_activity *live = &step->live;
    live->undo_count++;
    if (result->err != NULL && live->undo_count < TURN_UNDO_TRIES_MAX) {
        look_again(turn, step);
        return;
    }
    AUTO_FREE char *text = result->err == NULL ? NULL : err_text(result->err);
    struct json *body = js_object();
    js_put_text(body, "left",
        result->err != NULL              ? "left"
        : result->seen == STEP_ELSEWHERE ? "foreign"
                                         : "restored");
    js_put_text(body, "reason", text);
    js_put(body, "before", js_ref(step->before));
    js_put(body, "found", result->before == NULL ? js_none() : js_ref(result->before));
    turn_emit(turn, JOURNAL_SCOPE_CLOSED, step, body);
}

void steps_on_result(struct turn *turn, const struct run_result *result)
{
    static void (*const on[])(struct turn *, struct run_step *, const struct run_result *) = {
        [RUN_TASK_LOOK] = on_look,
        [RUN_TASK_APPLY] = on_apply,
        [RUN_TASK_VERIFY] = on_verify,
        [RUN_TASK_UNDO] = on_undo,
    };
    struct run_step *step = &turn->state->steps[result->step];
    step->live.in_flight = RUN_TASK_NONE;
    on[result->kind](turn, step, result);
}

void steps_begin_again(struct turn *turn)
{
    for (size_t i = 0; i < turn->state->step_count; i++) {
        struct run_step *step = &turn->state->steps[i];
        if (step->status == RUN_STEP_INTENDED) {
            step->live.is_verifying = true;
            step->live.since_ms = turn->event->now_ms;
            step->live.since_wall_ms = turn->event->wall_ms;
            step->live.deadline_ms = turn->event->now_ms + step->plan->deadline_ms;
        }
    }
}

void steps_forget_waits(struct run_state *state)
{
    for (size_t i = 0; i < state->step_count; i++) {
        struct run_activity *live = &state->steps[i].live;
        live->failure_count = 0;
        live->undo_count = 0;
        if (!live->is_verifying) {
            live->deadline_ms = 0;
            live->next_ms = 0;
            live->delay_ms = 0;
            run_answer_release(&live->blocked);
        }
    }
    state->health.deadline_ms = 0;
    state->health.next_ms = 0;
}

static void advance_one(struct turn *turn, size_t index)
{
    struct run_state *state = turn->state;
    struct run_step *step = &state->steps[index];
    struct run_activity *live = &step->live;
    if (live->in_flight != RUN_TASK_NONE) {
        return;
    }
    if (step->status == RUN_STEP_INTENDED && !live->is_verifying) { /* resumed by the operator */
        live->is_verifying = true;
        live->has_seen = false;
        live->since_ms = turn->event->now_ms;
        live->deadline_ms = turn->event->now_ms + step->plan->deadline_ms;
    }
    const bool may_look = step->status == RUN_STEP_PENDING && may_start(state, index);
    if (!live->is_verifying && !may_look) {
        return;
    }
    if (live->next_ms > turn->event->now_ms) {
        turn_wake(turn, live->next_ms);
        return;
    }
    (void)submit(turn, live->is_verifying ? RUN_TASK_VERIFY : RUN_TASK_LOOK, step,
        turn->event->now_ms + TURN_LOOK_MS);
}

void steps_advance(struct turn *turn)
{
    for (size_t i = 0; i < turn->state->step_count; i++) {
        advance_one(turn, i);
    }
}

bool steps_close_scopes(struct turn *turn, enum plan_scope scope)
{
    struct run_state *state = turn->state;
    for (size_t i = state->step_count; i-- > 0;) {
        struct run_step *step = &state->steps[i];
        if (!step->is_scope_open || step->plan->scope > scope) {
            continue;
        }
        if (step->live.in_flight != RUN_TASK_NONE) {
            return false;
        }
        if (step->live.next_ms > turn->event->now_ms) {
            turn_wake(turn, step->live.next_ms);
        } else {
            (void)submit(turn, RUN_TASK_UNDO, step, turn->event->now_ms + TURN_LOOK_MS);
        }
        return false;
    }
    return true;
}
