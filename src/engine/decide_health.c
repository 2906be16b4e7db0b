/*
 * engine/decide_health.c - opens and closes phases, reaches the pause point, watches, ends.
 *
 * One health task is in flight at a time; its purpose says which gates it evaluates and what its
 * answer decides.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/turn.h"

static void submit_health(struct turn *turn, enum run_health_purpose purpose)
{
    struct run_health *health = &turn->state->health;
    const struct plan *plan = turn->state->plan;
    if (health->is_in_flight) {
        return;
    }
    if (health->purpose != purpose) { /* another question: a wait of its own */
        health->purpose = purpose;
        health->deadline_ms = 0;
        health->next_ms = 0;
        health->delay_ms = 0;
        run_answer_release(&health->blocked);
    }
    if (health->next_ms > turn->event->now_ms) {
        turn_wake(turn, health->next_ms);
        return;
    }
    struct run_task task = {
        .kind = RUN_TASK_HEALTH,
        .purpose = purpose,
        .epoch = turn->state->epoch,
        .deadline_ms = turn->event->now_ms + TURN_LOOK_MS,
        .gates = plan->health,
        .gate_count = plan->health_count,
    };
    const size_t open = run_open_phase(turn->state);
    if (purpose == RUN_HEALTH_PHASE_BEFORE || purpose == RUN_HEALTH_PHASE_AFTER) {
        const struct plan_phase *phase = &plan->phases[open];
        const bool is_before = purpose == RUN_HEALTH_PHASE_BEFORE;
        task.gates = is_before ? phase->before : phase->after;
        task.gate_count = is_before ? phase->before_count : phase->after_count;
    } else if (purpose == RUN_HEALTH_SOAK) {
        task.during = plan->during;
        task.during_count = plan->during_count;
    }
    turn_command(turn, COMMAND_TASK)->task = task;
    health->is_in_flight = true;
}

static void move_phase(struct turn *turn, size_t phase, enum run_phase_status to)
{
    struct json *body = js_object();
    js_put_text(body, "phase", turn->state->plan->phases[phase].name);
    js_put_text(body, "from", run_phase_status_names[turn->state->phases[phase]]);
    js_put_text(body, "to", run_phase_status_names[to]);
    turn_emit(turn, JOURNAL_PHASE, NULL, body);
}

static struct json *all_reasons(const struct run_result *result)
{
    struct json *reasons = js_array();
    for (size_t i = 0; i < result->answer_count; i++) {
        js_push(reasons, js_text(result->answers[i].reason));
    }
    return reasons;
}

static void refuse_start(struct turn *turn, const struct run_result *result, const char *remedy)
{
    /* The reasons travel in the state until the probe has ended. */
    struct json *body = js_object();
    js_put_text(body, "from", run_status_names[RUN_PLANNED]);
    js_put_text(body, "to", run_status_names[RUN_PLANNED]);
    js_put(body, "reasons", all_reasons(result));
    js_put_text(body, "remedy", remedy);
    turn_emit(turn, JOURNAL_STATE, NULL, body);
    turn_finish(turn, RUN_EVENT_PREFLIGHT_RED);
}

/* Waits for green until the window closes, then asks (or, before the start, refuses). */
static void wait_for_green(struct turn *turn, const struct run_result *result)
{
    struct run_health *health = &turn->state->health;
    const struct gate_answer *worst = &result->answers[0];
    const int64_t now_ms = turn->event->now_ms;
    if (health->deadline_ms == 0) {
        health->since_ms = now_ms;
        health->since_wall_ms = turn->event->wall_ms;
        health->deadline_ms = now_ms + turn->state->plan->policy.gate_timeout_ms;
    }
    run_answer_set(&health->blocked, worst);
    health->delay_ms = turn_next_delay(health->delay_ms);
    health->next_ms = now_ms + health->delay_ms;
    if (worst->state == GATE_NOT_YET && now_ms < health->deadline_ms) {
        return;
    }
    health->deadline_ms = 0;
    if (turn->state->status == RUN_PLANNED) {
        refuse_start(turn, result, worst->remedy);
    } else {
        turn_ask(turn, all_reasons(result), worst->remedy);
    }
}

/* Versions and roles as the servers gave them just now: for the report, never for a decision. */
static void mark_versions(struct turn *turn)
{
    struct json *body = js_object();
    js_put_text(body, "what", "versions");
    js_put(body, "nodes", turn->state->nodes == NULL ? js_array() : js_ref(turn->state->nodes));
    turn_emit(turn, JOURNAL_MARK, NULL, body);
}

static void on_preflight(struct turn *turn)
{
    mark_versions(turn);
    turn_move(turn, RUN_EVENT_PREFLIGHT_GREEN);
}

static void on_phase_before(struct turn *turn)
{
    move_phase(turn, run_open_phase(turn->state), RUN_PHASE_OPEN);
}

static void on_phase_after(struct turn *turn)
{
    move_phase(turn, run_open_phase(turn->state), RUN_PHASE_DONE);
}

static void on_end(struct turn *turn)
{
    turn_finish(turn, RUN_EVENT_FINISHED);
}

static void watch_way_back(struct turn *turn, const struct gate_answer *during)
{
    static const enum run_way_back states[] = {
        [GATE_YES] = RUN_WAY_BACK_OPEN,
        [GATE_NOT_YET] = RUN_WAY_BACK_CLOSING,
        [GATE_NEEDS_YOU] = RUN_WAY_BACK_CLOSING,
        [GATE_NEVER] = RUN_WAY_BACK_CLOSED,
    };
    const enum run_way_back to = states[during->state];
    /* Once closed it stays closed: a node that was restarted cannot be fed again. */
    if (to == turn->state->way_back || turn->state->way_back == RUN_WAY_BACK_CLOSED) {
        return;
    }
    struct json *body = js_object();
    js_put_text(body, "from", run_way_back_names[turn->state->way_back]);
    js_put_text(body, "to", run_way_back_names[to]);
    js_put_text(body, "reason", during->reason);
    turn_emit(turn, JOURNAL_WAY_BACK, NULL, body);
}

/* Soak counts observed healthy time only (engine.md 2.6). */
static void on_soak(struct turn *turn, const struct run_result *result)
{
    struct run_state *state = turn->state;
    const int64_t now_ms = turn->event->now_ms;
    watch_way_back(turn, &result->during);
    const bool is_green = result->answer_count == 0;
    if (is_green && state->is_soak_green) {
        state->soak_unsaved_ms += now_ms - state->soak_seen_ms;
    }
    state->is_soak_green = is_green;
    state->soak_seen_ms = now_ms;
    state->health.next_ms = now_ms + TURN_SOAK_LOOK_MS;
    if (is_green) {
        run_answer_release(&state->health.blocked);
    } else {
        run_answer_set(&state->health.blocked, &result->answers[0]);
    }
    if (state->soak_unsaved_ms >= TURN_SOAK_TICK_MS) {
        struct json *body = js_object();
        js_put_number(body, "healthy_ms", state->soak_healthy_ms + state->soak_unsaved_ms);
        turn_emit(turn, JOURNAL_SOAK_TICK, NULL, body);
        state->soak_unsaved_ms = 0;
    }
}

/* The states in which an answer for this purpose still decides something. */
static bool is_wanted(const struct run_state *state, enum run_health_purpose purpose)
{
    switch (purpose) {
    case RUN_HEALTH_PREFLIGHT:
        return state->status == RUN_PLANNED && !state->is_finishing;
    case RUN_HEALTH_SOAK:
        return state->status == RUN_SOAKING;
    case RUN_HEALTH_PHASE_BEFORE:
    case RUN_HEALTH_PHASE_AFTER:
    case RUN_HEALTH_END:
        break;
    }
    return state->status == RUN_RUNNING;
}

void health_on_result(struct turn *turn, const struct run_result *result)
{
    static void (*const on_green[])(struct turn *) = {
        [RUN_HEALTH_PREFLIGHT] = on_preflight,
        [RUN_HEALTH_PHASE_BEFORE] = on_phase_before,
        [RUN_HEALTH_PHASE_AFTER] = on_phase_after,
        [RUN_HEALTH_SOAK] = NULL,
        [RUN_HEALTH_END] = on_end,
    };
    struct run_health *health = &turn->state->health;
    health->is_in_flight = false;
    if (!is_wanted(turn->state, result->purpose)) {
        return;
    }
    if (result->purpose == RUN_HEALTH_SOAK) {
        on_soak(turn, result);
    } else if (result->answer_count > 0) {
        wait_for_green(turn, result);
    } else {
        run_answer_release(&health->blocked);
        health->deadline_ms = 0;
        health->next_ms = 0;
        health->delay_ms = 0;
        on_green[result->purpose](turn);
    }
}

void health_preflight(struct turn *turn)
{
    submit_health(turn, RUN_HEALTH_PREFLIGHT);
}

void health_soak(struct turn *turn)
{
    submit_health(turn, RUN_HEALTH_SOAK);
}

static bool are_steps_final(const struct run_state *state, size_t phase)
{
    for (size_t i = 0; i < state->step_count; i++) {
        if (state->steps[i].phase == phase && !run_step_is_final(&state->steps[i])) {
            return false;
        }
    }
    return true;
}

void health_advance_phases(struct turn *turn)
{
    struct run_state *state = turn->state;
    const size_t phase = run_open_phase(state);
    if (phase == state->plan->phase_count) {
        if (steps_close_scopes(turn, PLAN_SCOPE_FINALIZE)) {
            submit_health(turn, RUN_HEALTH_END);
        }
        return;
    }
    if (state->phases[phase] == RUN_PHASE_OPEN) {
        if (are_steps_final(state, phase)) {
            submit_health(turn, RUN_HEALTH_PHASE_AFTER);
        }
        return;
    }
    if (run_phase_is_finalize(state, phase) && !state->is_finalizing) {
        if (steps_close_scopes(turn, PLAN_SCOPE_RUN)) {
            mark_versions(turn);
            turn_move(turn, RUN_EVENT_SOAK);
        }
        return;
    }
    submit_health(turn, RUN_HEALTH_PHASE_BEFORE);
}
