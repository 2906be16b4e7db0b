/*
 * engine/decide_scopes.c - temporary changes and their end: last first, of whichever plan.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/turn.h"

bool scopes_close(struct turn *turn, enum plan_scope scope)
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
        struct gate_answer unclaimed;
        if (step->live.next_ms > turn->event->now_ms) {
            turn_wake(turn, step->live.next_ms);
        } else if (claim_is_fresh(turn, &unclaimed)) {
            (void)steps_submit(turn, RUN_TASK_UNDO, step, turn->event->now_ms + TURN_LOOK_MS);
        }
        return false;
    }
    return true;
}

void scopes_on_undo(struct turn *turn, struct run_step *step, const struct run_result *result)
{
    struct run_activity *live = &step->live;
    live->undo_count++;
    if (result->err != NULL && live->undo_count < TURN_UNDO_TRIES_MAX) {
        steps_look_again(turn, step);
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

void scopes_leave(struct turn *turn)
{
    struct run_state *state = turn->state;
    for (size_t i = state->step_count; i-- > 0;) {
        struct run_step *step = &state->steps[i];
        if (step->is_scope_open) {
            struct json *body = js_object();
            js_put_text(body, "left", "left");
            js_put_text(body, "reason", "the run was abandoned");
            js_put(body, "before", js_ref(step->before));
            js_put(body, "found", js_none());
            turn_emit(turn, JOURNAL_SCOPE_CLOSED, step, body);
        }
    }
}
