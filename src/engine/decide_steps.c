/*
 * engine/decide_steps.c - moves steps: look, intend, apply, verify.
 *
 * Only steps of the present plan move; those of earlier plans are history and never pending.
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
bool steps_is_chain_begun(const struct run_state *state, size_t index)
{
    const struct run_step *step = &state->steps[index];
    for (size_t i = 0; i < index; i++) {
        const struct run_step *earlier = &state->steps[i];
        if (earlier->revision == step->revision && earlier->phase == step->phase &&
            earlier->plan->takes_out && text_equal(earlier->plan->node, step->plan->node) &&
            (run_step_is_final(earlier) || earlier->status == RUN_STEP_INTENDED)) {
            return true;
        }
    }
    return false;
}

static bool are_earlier_done(const struct run_state *state, const struct run_step *step)
{
    for (size_t i = 0; i < step->plan->after_count; i++) {
        const long index = run_find_step_of(state, step->plan->after[i], step->revision);
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
        if (step->status == RUN_STEP_PENDING && steps_is_chain_begun(state, i) &&
            are_earlier_done(state, step)) {
            return true;
        }
    }
    return false;
}

bool steps_are_quiet(const struct run_state *state)
{
    for (size_t i = 0; i < state->step_count; i++) {
        const struct run_activity *live = &state->steps[i].live;
        if (live->in_flight != RUN_TASK_NONE || live->is_verifying) {
            return false;
        }
    }
    return true;
}

bool steps_are_idle(const struct run_state *state)
{
    return steps_are_quiet(state) && !has_open_chain(state);
}

/* Nothing new starts, what is begun ends, and whatever comes to nothing meanwhile is given up:
 * there is nobody to ask. */
static bool is_winding_up(const struct run_state *state)
{
    return state->status == RUN_ABORTING ||
           (state->status == RUN_RUNNING && state->replan != RUN_REPLAN_NONE);
}

/* Of a step that is pending; those of earlier plans never are. */
static bool may_start(const struct run_state *state, size_t index)
{
    const struct run_step *step = &state->steps[index];
    if (state->phases[step->phase] != RUN_PHASE_OPEN || !are_earlier_done(state, step)) {
        return false;
    }
    if (is_winding_up(state) || state->status == RUN_PAUSING) {
        return steps_is_chain_begun(state, index);
    }
    return state->status == RUN_RUNNING;
}

struct command *steps_submit(
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
        .must_stop = kind == RUN_TASK_VERIFY && step->live.must_stop,
    };
    if (kind == RUN_TASK_LOOK) {
        health_fill_during(turn->state, &command->task);
    }
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

enum trouble {
    TROUBLE_FAILED, /* it had no effect, or its time is up: policy on_failure decides */
    TROUBLE_HUMAN,  /* somebody else's doing, or a gate that cannot be waited for */
};

/* A step cannot go on. On the way back the others go on first: each node that is back is one less
 * between the versions. */
static void stop_for(struct turn *turn, struct run_step *step, enum trouble trouble,
    const char *reason, const char *remedy)
{
    const struct run_state *state = turn->state;
    const bool is_continuing =
        trouble == TROUBLE_FAILED && text_equal(state->first->policy.on_failure, "continue");
    const bool is_going_on =
        state->status == RUN_RUNNING && (is_continuing || state->direction == RUN_BACK);
    if (is_winding_up(state) || is_going_on) {
        if (step->status == RUN_STEP_PENDING) {
            emit_outcome(turn, step, "failed", reason);
        }
        return;
    }
    AUTO_JSON reasons = reason_with_subject(step, reason);
    if (trouble != TROUBLE_FAILED || !replan_back_by_policy(turn, reasons)) {
        turn_ask(turn, js_ref(reasons), remedy);
    }
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
        live->deadline_ms = now_ms + turn->state->first->policy.gate_timeout_ms;
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
    stop_for(turn, step, answer->state == GATE_NOT_YET ? TROUBLE_FAILED : TROUBLE_HUMAN,
        answer->reason, answer->remedy);
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
    (void)steps_submit(turn, RUN_TASK_APPLY, step, live->deadline_ms);
}

static const char *const foreign_remedy =
    "put it right by hand, then resume, or say `upshift reconcile`; or abort and plan anew";

/* A false assumption means that the plan is not of this world. */
static bool is_to_be_planned_anew(const struct run_state *state, const struct run_result *result)
{
    return result->is_assumption && state->status == RUN_RUNNING &&
           state->replan == RUN_REPLAN_NONE;
}

static void plan_anew(
    struct turn *turn, const struct run_step *step, const struct run_result *result)
{
    AUTO_FREE char *cause = mem_format("%s: %s", step->plan->summary, result->answers[0].reason);
    replan_for_assumption(turn, cause, result->answers[0].remedy);
}

/* It is to be done. May it be? */
static void on_absent(struct turn *turn, struct run_step *step, const struct run_result *result)
{
    const char *budget = budget_find_reason(turn, step, result);
    struct gate_answer unclaimed;
    if (is_to_be_planned_anew(turn->state, result)) {
        plan_anew(turn, step, result);
    } else if (result->answer_count > 0) {
        wait_for_gate(turn, step, &result->answers[0]);
    } else if (budget != NULL) {
        const struct gate_answer answer = {
            GATE_NOT_YET, "budget", budget, "wait until it serves again, or bring it back by hand"};
        wait_for_gate(turn, step, &answer);
    } else if (!claim_is_fresh(turn, &unclaimed)) {
        wait_for_gate(turn, step, &unclaimed);
    } else {
        intend(turn, step, result);
    }
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
        stop_for(turn, step, TROUBLE_HUMAN, step->reason, foreign_remedy);
        return;
    }
    case STEP_ABSENT:
        break;
    }
    on_absent(turn, step, result);
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
        if (is_to_be_planned_anew(turn->state, result)) {
            plan_anew(turn, step, result);
        } else {
            wait_for_gate(turn, step, answer);
        }
        return;
    }
    struct json *body = js_object();
    js_put(body, "err", js_of_err(result->err));
    turn_emit(turn, JOURNAL_APPLIED, step, body);
    if (result->err != NULL) {
        live->apply_text = err_text(result->err);
        live->must_stop = true; /* nobody saw it end */
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
    stop_for(turn, step, TROUBLE_FAILED, reason,
        "look at the node and its log; resume to try again, or abort");
}

void steps_look_again(struct turn *turn, struct run_step *step)
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
        steps_look_again(turn, step);
        return;
    }
    emit_outcome(turn, step, "unknown", text);
    stop_for(turn, step, TROUBLE_FAILED, text,
        "make the node reachable and resume: the run looks before it acts");
}

static void on_verify(struct turn *turn, struct run_step *step, const struct run_result *result)
{
    struct run_activity *live = &step->live;
    if (!live->is_verifying) {
        return; /* given away meanwhile */
    }
    if (result->err != NULL) {
        on_blind(turn, step, result->err);
        return;
    }
    live->must_stop = false;
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
        stop_for(turn, step, TROUBLE_HUMAN, step->reason, foreign_remedy);
    } else if (is_late) {
        emit_outcome(turn, step, "failed", "it did not finish within its deadline");
        stop_for(turn, step, TROUBLE_FAILED, step->reason,
            "look at the node and its log; resume to wait again, or abort");
    } else {
        steps_look_again(turn, step);
    }
}

void steps_on_result(struct turn *turn, const struct run_result *result)
{
    static void (*const on[])(struct turn *, struct run_step *, const struct run_result *) = {
        [RUN_TASK_LOOK] = on_look,
        [RUN_TASK_APPLY] = on_apply,
        [RUN_TASK_VERIFY] = on_verify,
        [RUN_TASK_UNDO] = scopes_on_undo,
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
            step->live.must_stop = true;
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
    state->health.wait.deadline_ms = 0;
    state->health.wait.next_ms = 0;
}

void steps_give_away(struct turn *turn)
{
    for (size_t i = 0; i < turn->state->step_count; i++) {
        struct run_step *step = &turn->state->steps[i];
        const bool is_open =
            step->status == RUN_STEP_INTENDED && step->live.in_flight != RUN_TASK_APPLY;
        const bool is_lost = run_step_is_stuck(step) && step->status != RUN_STEP_FOREIGN;
        if (run_step_is_current(turn->state, step) && (is_open || is_lost)) {
            struct json *body = js_object();
            js_put_text(body, "reason", "repaired by hand");
            turn_emit(turn, JOURNAL_FOREIGN, step, body);
            step->live.is_verifying = false;
        }
    }
}

/* Can the step go on without a human? */
static bool is_under_way(const struct run_state *state, size_t index)
{
    const struct run_step *step = &state->steps[index];
    return step->live.in_flight != RUN_TASK_NONE || step->status == RUN_STEP_INTENDED ||
           (step->status == RUN_STEP_PENDING && may_start(state, index));
}

void steps_ask_when_stuck(struct turn *turn)
{
    const struct run_state *state = turn->state;
    AUTO_JSON reasons = js_array();
    for (size_t i = 0; i < state->step_count; i++) {
        const struct run_step *step = &state->steps[i];
        if (!run_step_is_current(state, step)) {
            continue;
        }
        if (is_under_way(state, i)) {
            return;
        }
        if (run_step_is_stuck(step)) {
            AUTO_JSON subject = reason_with_subject(step, step->reason);
            js_push(reasons, js_copy(js_at(subject, 0)));
        }
    }
    if (js_count(reasons) > 0) {
        turn_ask(turn, js_ref(reasons),
            "look at these nodes and their logs; resume to try again, or reconcile after a repair");
    }
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
        live->must_stop = true;
        live->has_seen = false;
        live->since_ms = turn->event->now_ms;
        live->since_wall_ms = turn->event->wall_ms;
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
    struct gate_answer unclaimed;
    if (live->is_verifying && live->must_stop && !claim_is_fresh(turn, &unclaimed)) {
        run_answer_set(&live->blocked, &unclaimed); /* stopping acts on the node */
        return;
    }
    (void)steps_submit(turn, live->is_verifying ? RUN_TASK_VERIFY : RUN_TASK_LOOK, step,
        turn->event->now_ms + TURN_LOOK_MS);
}

void steps_advance(struct turn *turn)
{
    for (size_t i = 0; i < turn->state->step_count; i++) {
        advance_one(turn, i);
    }
}
