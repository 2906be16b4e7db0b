/*
 * engine/decide_health.c - opens and closes phases, reaches the pause point, watches, ends.
 *
 * One health task is in flight at a time; its purpose says which gates it evaluates and what its
 * answer decides.
 */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/turn.h"

void health_fill_during(const struct run_state *state, struct run_task *task)
{
    const struct plan *plan = state->plan;
    if (state->direction == RUN_FORWARD && !state->is_finalizing) {
        task->during = plan->during;
        task->during_count = plan->during_count;
    }
}

static void fill_gates(const struct run_state *state, struct run_task *task)
{
    const struct plan *plan = state->plan;
    const bool is_before = task->purpose == RUN_HEALTH_PHASE_BEFORE;
    task->gates = plan->health;
    task->gate_count = plan->health_count;
    if (is_before || task->purpose == RUN_HEALTH_PHASE_AFTER) {
        const struct plan_phase *phase = &plan->phases[run_open_phase(state)];
        task->gates = is_before ? phase->before : phase->after;
        task->gate_count = is_before ? phase->before_count : phase->after_count;
    }
    health_fill_during(state, task);
}

static void submit_health(struct turn *turn, enum run_health_purpose purpose)
{
    struct run_health *health = &turn->state->health;
    if (health->is_in_flight) {
        return;
    }
    if (health->purpose != purpose) { /* another question: a wait of its own */
        health->purpose = purpose;
        run_wait_reset(&health->wait);
    }
    if (health->wait.next_ms > turn->event->now_ms) {
        turn_wake(turn, health->wait.next_ms);
        return;
    }
    struct run_task task = {
        .kind = RUN_TASK_HEALTH,
        .purpose = purpose,
        .revision = (int64_t)turn->state->revision_count,
        .epoch = turn->state->epoch,
        .deadline_ms = turn->event->now_ms + TURN_LOOK_MS,
    };
    fill_gates(turn->state, &task);
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

/* Waits for green until the window closes, then asks or does what the policy says; before the start
 * it refuses. */
static void wait_for_green(struct turn *turn, const struct run_result *result)
{
    const struct gate_answer *worst = &result->answers[0];
    if (turn_wait(turn, &turn->state->health.wait, worst)) {
        return;
    }
    AUTO_JSON reasons = turn_reasons(result);
    if (turn->state->status == RUN_PLANNED) {
        turn_stay(turn, js_ref(reasons), worst->remedy); /* told until the probe has ended */
        turn_finish(turn, RUN_EVENT_PREFLIGHT_RED);
    } else if (worst->state != GATE_NOT_YET || !replan_back_by_policy(turn, reasons)) {
        turn_ask(turn, js_ref(reasons), worst->remedy);
    }
}

/* Versions and roles as the servers gave them just now: for the report, never for a decision. */
static void mark(struct turn *turn, const char *what, int64_t unseen_ms)
{
    struct run_state *state = turn->state;
    struct json *body = js_object();
    js_put_text(body, "what", what);
    js_put(body, "nodes", state->nodes == NULL ? js_array() : js_ref(state->nodes));
    if (unseen_ms >= 0) { /* for so long at most it has been so */
        js_put_number(body, "unseen_ms", unseen_ms);
    }
    turn_emit(turn, JOURNAL_MARK, NULL, body);
    js_free(state->roles.nodes);
    state->roles = (struct run_roles){.nodes = js_ref(state->nodes), turn->event->now_ms};
}

static void mark_versions(struct turn *turn)
{
    mark(turn, "versions", -1);
}

static const char *role_of(const struct json *nodes, const char *name)
{
    for (size_t i = 0; name != NULL && i < js_count(nodes); i++) {
        if (text_equal(js_get_text(js_at(nodes, i), "name"), name)) {
            return js_get_text(js_at(nodes, i), "role");
        }
    }
    return NULL;
}

static bool has_same_primaries(const struct json *before, const struct json *now)
{
    for (size_t i = 0; i < js_count(now); i++) {
        const struct json *node = js_at(now, i);
        const bool is_primary = text_equal(js_get_text(node, "role"), "primary");
        const char *name = js_get_text(node, "name");
        if (is_primary && !text_equal(role_of(before, name), "primary")) {
            return false;
        }
    }
    return true;
}

void health_watch_roles(struct turn *turn, const struct run_result *result)
{
    struct run_state *state = turn->state;
    struct run_roles *roles = &state->roles;
    if (state->status == RUN_PLANNED || run_status_is_final(state->status)) {
        return;
    }
    if (roles->nodes == NULL) {
        mark(turn, "roles", -1);
    } else if (has_same_primaries(roles->nodes, result->nodes)) {
        roles->seen_ms = turn->event->now_ms;
        roles->has_news = false;
    } else if (!roles->has_news) {
        roles->has_news = true;
    } else {
        mark(turn, "roles", turn->event->now_ms - roles->seen_ms);
    }
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
    const bool is_back = turn->state->direction == RUN_BACK;
    turn_finish(turn, is_back ? RUN_EVENT_ROLLED_BACK : RUN_EVENT_FINISHED);
}

void health_watch_way_back(struct turn *turn, const struct run_result *result)
{
    static const enum run_way_back states[] = {
        [GATE_YES] = RUN_WAY_BACK_OPEN,
        [GATE_NOT_YET] = RUN_WAY_BACK_CLOSING,
        [GATE_NEEDS_YOU] = RUN_WAY_BACK_CLOSING,
        [GATE_NEVER] = RUN_WAY_BACK_CLOSED,
    };
    struct run_state *state = turn->state;
    const bool is_watched = result->has_during && state->direction == RUN_FORWARD &&
                            !state->is_finalizing && !run_status_is_final(state->status);
    const enum run_way_back to = states[result->during.state];
    if (!is_watched) {
        return;
    }
    /* A switchover of ours leaves the old primary without a link for some milliseconds. */
    if (to != RUN_WAY_BACK_CLOSING) {
        state->closing_since_ms = 0;
    } else if (state->closing_since_ms == 0) {
        state->closing_since_ms = turn->event->now_ms;
    }
    const bool is_passing = to == RUN_WAY_BACK_CLOSING &&
                            turn->event->now_ms - state->closing_since_ms < TURN_CLOSING_MS;
    /* Once closed it stays closed: a node that was restarted cannot be fed again. */
    if (is_passing || to == state->way_back || state->way_back == RUN_WAY_BACK_CLOSED) {
        return;
    }
    struct json *body = js_object();
    js_put_text(body, "from", run_way_back_names[state->way_back]);
    js_put_text(body, "to", run_way_back_names[to]);
    js_put_text(body, "reason", result->during.reason);
    turn_emit(turn, JOURNAL_WAY_BACK, NULL, body);
}

/* What may be waited for and what not is the same here: nothing is taken out of service meanwhile,
 * so any trouble gets the whole window to pass by. */
static void wait_for_soak(struct turn *turn, const struct run_result *result)
{
    struct run_wait *wait = &turn->state->health.wait;
    const struct gate_answer *worst = &result->answers[0];
    const struct gate_answer passing = {GATE_NOT_YET, worst->gate, worst->reason, worst->remedy};
    if (turn_wait(turn, wait, &passing)) {
        return;
    }
    run_wait_reset(wait); /* who goes on soaking after the question waits anew */
    AUTO_JSON reasons = turn_reasons(result);
    /* Who saw nothing at all may be cut off itself: no reason to turn a cluster that may be well.
     */
    const bool is_blind = text_equal(worst->gate, "can_see");
    if (is_blind || !replan_back_by_policy(turn, reasons)) {
        turn_ask(turn, js_ref(reasons), worst->remedy);
    }
}

/* Soak counts observed healthy time only (engine.md 2.6). */
static void on_soak(struct turn *turn, const struct run_result *result)
{
    struct run_state *state = turn->state;
    const int64_t now_ms = turn->event->now_ms;
    const bool is_green = result->answer_count == 0;
    if (is_green && state->is_soak_green) {
        state->soak_unsaved_ms += now_ms - state->soak_seen_ms;
    }
    state->is_soak_green = is_green;
    state->soak_seen_ms = now_ms;
    if (is_green) {
        run_wait_reset(&state->health.wait);
    } else {
        wait_for_soak(turn, result);
    }
    state->health.wait.next_ms = now_ms + TURN_SOAK_LOOK_MS;
    if (state->soak_unsaved_ms >= TURN_SOAK_TICK_MS) {
        struct json *body = js_object();
        js_put_number(body, "healthy_ms", state->soak_healthy_ms + state->soak_unsaved_ms);
        turn_emit(turn, JOURNAL_SOAK_TICK, NULL, body);
        state->soak_unsaved_ms = 0;
    }
}

/* The states in which an answer for this purpose still decides something. */
static bool is_awaited(const struct run_state *state, const struct run_result *result)
{
    if (result->revision != (int64_t)state->revision_count || state->is_finishing) {
        return false;
    }
    switch (result->purpose) {
    case RUN_HEALTH_PREFLIGHT:
        return state->status == RUN_PLANNED;
    case RUN_HEALTH_SOAK:
        return state->status == RUN_SOAKING;
    case RUN_HEALTH_PHASE_BEFORE:
    case RUN_HEALTH_PHASE_AFTER:
    case RUN_HEALTH_END:
        break;
    }
    return state->status == RUN_RUNNING && state->replan == RUN_REPLAN_NONE;
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
    if (!is_awaited(turn->state, result)) {
        return;
    }
    if (result->purpose == RUN_HEALTH_SOAK) {
        on_soak(turn, result);
    } else if (result->answer_count > 0) {
        wait_for_green(turn, result);
    } else {
        run_wait_reset(&health->wait);
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
        if (run_step_is_current(state, &state->steps[i]) && state->steps[i].phase == phase &&
            !run_step_is_final(&state->steps[i])) {
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
        if (scopes_close(turn, PLAN_SCOPE_FINALIZE)) {
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
        if (scopes_close(turn, PLAN_SCOPE_RUN)) {
            mark_versions(turn);
            turn_move(turn, RUN_EVENT_SOAK);
        }
        return;
    }
    submit_health(turn, RUN_HEALTH_PHASE_BEFORE);
}
