#include "engine/decide.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/turn.h"

void run_result_free(struct run_result *result)
{
    if (result == NULL) {
        return;
    }
    err_free(result->err);
    js_free(result->args);
    js_free(result->before);
    js_free(result->nodes);
    js_free(result->plan);
    arena_release(&result->arena);
    free(result);
}

void run_task_release(struct run_task *task)
{
    js_free(task->args);
    js_free(task->before);
    js_free(task->progress);
    js_free(task->scopes);
    task->args = task->before = task->progress = task->scopes = NULL;
}

void commands_release(struct commands *commands)
{
    for (size_t i = 0; i < commands->record_count; i++) {
        js_free(commands->records[i].body);
    }
    for (size_t i = 0; i < commands->count; i++) {
        run_task_release(&commands->list[i].task);
    }
    arena_release(&commands->arena);
    *commands = (struct commands){0};
}

void turn_emit(struct turn *turn, enum journal_type type, struct run_step *step, struct json *body)
{
    struct commands *out = turn->out;
    struct journal_record *record =
        arena_push(&out->arena, &out->records, &out->record_count, sizeof(*out->records));
    *record = (struct journal_record){
        .epoch = turn->state->epoch,
        .def = step == NULL ? 1 : step->plan->def,
        .type = type,
        .step = step == NULL ? NULL : step->plan->id,
        .attempt = step == NULL ? 0 : step->attempt,
        .boottime_ms = turn->event->now_ms,
        .wall_ms = turn->event->wall_ms,
        .body = body,
    };
    if (type == JOURNAL_INTENT) {
        record->attempt++;
    }
    if (step != NULL && turn->state->revision_count > 0) { /* ids come again in later plans */
        js_put_number(body, "revision", step->revision);
    }
    if (type == JOURNAL_SCOPE_OPEN || type == JOURNAL_SCOPE_CLOSED) {
        turn->state->claim.has_news = true;
    }
    run_fold(turn->state, record);
}

static void emit_state(struct turn *turn, enum run_status to, const char *event,
    struct json *reasons, const char *remedy)
{
    struct json *body = js_object();
    js_put_text(body, "from", run_status_names[turn->state->status]);
    js_put_text(body, "to", run_status_names[to]);
    js_put_text(body, "event", event);
    js_put_bool(body, "question", text_equal(event, run_event_names[RUN_EVENT_QUESTION]));
    js_put(body, "reasons", reasons == NULL ? js_array() : reasons);
    js_put_text(body, "remedy", remedy);
    turn_emit(turn, JOURNAL_STATE, NULL, body);
}

void turn_move_because(
    struct turn *turn, enum run_event event, struct json *reasons, const char *remedy)
{
    enum run_status to = RUN_PLANNED;
    const bool is_legal = run_next_status(turn->state->status, event, &to);
    assert(is_legal);
    emit_state(turn, to, run_event_names[event], reasons, remedy);
}

void turn_move(struct turn *turn, enum run_event event)
{
    turn_move_because(turn, event, NULL, NULL);
}

void turn_stay(struct turn *turn, struct json *reasons, const char *remedy)
{
    emit_state(turn, turn->state->status, NULL, reasons, remedy);
}

void turn_ask(struct turn *turn, struct json *reasons, const char *remedy)
{
    enum run_status to;
    const struct run_state *state = turn->state;
    if (state->status != RUN_PAUSED && run_next_status(state->status, RUN_EVENT_QUESTION, &to)) {
        turn_move_because(turn, RUN_EVENT_QUESTION, reasons, remedy);
    } else {
        js_free(reasons);
    }
}

void turn_wake(struct turn *turn, int64_t at_ms)
{
    if (turn->out->wake_ms == 0 || at_ms < turn->out->wake_ms) {
        turn->out->wake_ms = at_ms;
    }
}

struct command *turn_command(struct turn *turn, enum command_kind kind)
{
    struct commands *out = turn->out;
    struct command *command = arena_push(&out->arena, &out->list, &out->count, sizeof(*out->list));
    command->kind = kind;
    return command;
}

int64_t turn_next_delay(int64_t delay_ms)
{
    if (delay_ms == 0) {
        return TURN_DELAY_FIRST_MS;
    }
    const int64_t longer_ms = delay_ms * 3 / 2;
    return longer_ms > TURN_DELAY_MAX_MS ? TURN_DELAY_MAX_MS : longer_ms;
}

bool turn_wait(struct turn *turn, struct run_wait *wait, const struct gate_answer *answer)
{
    const int64_t now_ms = turn->event->now_ms;
    if (wait->deadline_ms == 0) {
        wait->since_ms = now_ms;
        wait->since_wall_ms = turn->event->wall_ms;
        wait->deadline_ms = now_ms + turn->state->first->policy.gate_timeout_ms;
    }
    run_answer_set(&wait->blocked, answer);
    wait->delay_ms = turn_next_delay(wait->delay_ms);
    wait->next_ms = now_ms + wait->delay_ms;
    if (answer->state == GATE_NOT_YET && now_ms < wait->deadline_ms) {
        return true;
    }
    wait->deadline_ms = 0;
    return false;
}

struct json *turn_reasons(const struct run_result *result)
{
    struct json *reasons = js_array();
    for (size_t i = 0; i < result->answer_count; i++) {
        js_push(reasons, js_text(result->answers[i].reason));
    }
    return reasons;
}

void turn_finish(struct turn *turn, enum run_event event)
{
    if (!turn->state->is_finishing) {
        turn->state->is_finishing = true;
        turn->state->finishing = event;
        (void)turn_command(turn, COMMAND_PROBE_STOP);
    }
}

static int64_t probe_number(const struct json *probe, const char *key)
{
    return js_get_number(probe, key, 0);
}

/* Did an independent witness see everything and find nothing wrong? */
static bool is_proved(const struct run_state *state, const struct json *probe)
{
    const bool is_clean = probe_number(probe, "failed") == 0 && probe_number(probe, "wrong") == 0 &&
                          probe_number(probe, "missing") == 0 &&
                          probe_number(probe, "different") == 0;
    const bool is_whole =
        probe != NULL && !state->has_probe_gap && probe_number(probe, "not_checked") == 0;
    return is_clean && (is_whole || !state->first->policy.probe_required);
}

static void on_probe_ended(struct turn *turn)
{
    struct run_state *state = turn->state;
    if (!state->is_finishing || state->is_releasing) {
        return;
    }
    state->is_releasing = true;
    state->probe_final = turn->event->body == NULL ? NULL : js_ref(turn->event->body);
}

/* The probe's last word is the run's last record but one; the state follows in the same commit. */
static void write_end(struct turn *turn)
{
    struct run_state *state = turn->state;
    enum run_status to = state->status;
    (void)run_next_status(state->status, state->finishing, &to);
    struct json *body = js_object();
    js_put_text(body, "state", run_status_names[to]);
    js_put_bool(body, "proved", is_proved(state, state->probe_final));
    js_put(body, "probe", state->probe_final == NULL ? js_none() : js_ref(state->probe_final));
    js_put(body, "nodes", state->nodes == NULL ? js_array() : js_ref(state->nodes));
    turn_emit(turn, JOURNAL_FINISH, NULL, body);
    struct json *reasons = js_array();
    for (size_t i = 0; i < state->reason_count; i++) {
        js_push(reasons, js_text(state->reasons[i]));
    }
    if (to == RUN_REFUSED && state->reason_count == 0) {
        js_push(reasons, js_text("stopped by the operator before anything began"));
    }
    AUTO_FREE char *remedy = state->remedy == NULL ? NULL : mem_strdup(state->remedy);
    turn_move_because(turn, state->finishing, reasons, remedy);
    turn_command(turn, COMMAND_END)->exit = run_exit_code(state);
}

/* Borrows what the event has. */
static struct run_pending command_of(const struct event *event)
{
    return (struct run_pending){.command = event->command,
        .who = (char *)(uintptr_t)event->who,
        .answer = (char *)(uintptr_t)event->answer,
        .reply_id = event->reply_id,
        .is_ending = event->is_ending};
}

static void on_operator(struct turn *turn)
{
    const struct run_state *state = turn->state;
    if (state->is_resumed && state->status != RUN_PLANNED && !state->claim.is_tried) {
        operator_defer(turn);
        return;
    }
    const struct run_pending command = command_of(turn->event);
    operator_on_command(turn, &command);
}

/* The last plan of the run is of another release: nothing is done by the one before it. */
static void refuse_plan(struct turn *turn)
{
    struct json *body = js_object();
    js_put_text(body, "gate", "plan_known");
    js_put_text(body, "answer", gate_state_names[GATE_NEVER]);
    js_put_text(body, "reason", turn->state->plan_trouble);
    turn_emit(turn, JOURNAL_GATE, NULL, body);
    turn_command(turn, COMMAND_END)->exit = 7;
}

static void on_begin(struct turn *turn)
{
    struct run_state *state = turn->state;
    if (!turn->event->is_resumed) {
        return;
    }
    turn_emit(turn, JOURNAL_RESUMED, NULL,
        turn->event->body == NULL ? js_object() : js_ref(turn->event->body));
    if (state->plan_trouble != NULL) {
        refuse_plan(turn);
        return;
    }
    if (run_status_is_final(state->status)) {
        const struct run_pending command = command_of(turn->event);
        const bool is_wanted = turn->event->has_command;
        if (!is_wanted || operator_find_refusal(turn, &command) != NULL) {
            turn_command(turn, COMMAND_END)->exit = is_wanted ? 4 : run_exit_code(state);
            return;
        }
    }
    state->is_resumed = true;
    steps_begin_again(turn);
    if (turn->event->has_command) {
        operator_defer(turn);
    }
}

static void on_result(struct turn *turn)
{
    const struct run_result *result = turn->event->result;
    if (result->nodes != NULL) {
        js_free(turn->state->nodes);
        turn->state->nodes = js_ref(result->nodes);
        health_watch_roles(turn, result);
    }
    health_watch_way_back(turn, result);
    switch (result->kind) {
    case RUN_TASK_HEALTH:
        health_on_result(turn, result);
        break;
    case RUN_TASK_REPLAN:
        replan_on_result(turn, result);
        break;
    case RUN_TASK_CLAIM:
        claim_on_result(turn, result);
        break;
    case RUN_TASK_NONE:
    case RUN_TASK_LOOK:
    case RUN_TASK_APPLY:
    case RUN_TASK_VERIFY:
    case RUN_TASK_UNDO:
        steps_on_result(turn, result);
        break;
    }
}

static void on_gap_seen(struct turn *turn)
{
    turn_emit(turn, JOURNAL_PROBE_GAP, NULL,
        turn->event->body == NULL ? js_object() : js_ref(turn->event->body));
}

static void on_tick(struct turn *UNUSED(turn))
{
}

static void (*const handlers[])(struct turn *) = {
    [EVENT_BEGIN] = on_begin,
    [EVENT_TICK] = on_tick,
    [EVENT_RESULT] = on_result,
    [EVENT_OPERATOR] = on_operator,
    [EVENT_PROBE] = on_probe_ended,
    [EVENT_PROBE_GAP] = on_gap_seen,
};

static void advance_running(struct turn *turn)
{
    steps_advance(turn);
    if (turn->state->replan != RUN_REPLAN_NONE) {
        if (steps_are_idle(turn->state)) {
            replan_advance(turn);
        }
        return;
    }
    steps_ask_when_stuck(turn);
    if (turn->state->status == RUN_RUNNING) {
        health_advance_phases(turn);
    }
}

static void advance_pausing(struct turn *turn)
{
    steps_advance(turn);
    if (turn->state->status == RUN_PAUSING && steps_are_idle(turn->state)) {
        turn_move(turn, RUN_EVENT_IDLE);
    }
}

static void advance_paused(struct turn *turn)
{
    steps_advance(turn);
    if (turn->state->replan != RUN_REPLAN_NONE && steps_are_quiet(turn->state)) {
        replan_advance(turn);
    }
}

static void advance_aborting(struct turn *turn)
{
    steps_advance(turn);
    if (steps_are_idle(turn->state) && scopes_close(turn, PLAN_SCOPE_FINALIZE)) {
        turn_finish(turn, RUN_EVENT_ABORTED);
    }
}

/* What each state does by itself. Final states do nothing: the process is ending. While CLAIMING
 * the claim is all there is to do. */
static void (*const advances[RUN_STATUS_COUNT])(struct turn *) = {
    [RUN_PLANNED] = health_preflight,
    [RUN_RUNNING] = advance_running,
    [RUN_PAUSING] = advance_pausing,
    [RUN_PAUSED] = advance_paused,
    [RUN_ABORTING] = advance_aborting,
    [RUN_SOAKING] = health_soak,
};

/* A move may make another one possible at once: goes on until the status stands still. */
static void advance(struct turn *turn)
{
    struct run_state *state = turn->state;
    enum run_status before;
    do {
        before = state->status;
        if (state->is_finishing || !claim_advance(turn) || advances[before] == NULL) {
            return;
        }
        advances[before](turn);
    } while (state->status != before);
}

/* SIGTERM: a run at rest needs no process; the journal has all of it. */
static void end_if_asked(struct turn *turn)
{
    const struct run_state *state = turn->state;
    const bool is_at_rest = state->status == RUN_PAUSED || state->status == RUN_SOAKING;
    if (state->is_ending && is_at_rest && !state->is_replanning && claim_may_rest(state) &&
        steps_are_quiet(state)) {
        turn_command(turn, COMMAND_END)->exit = run_exit_code(state);
    }
}

static bool has_end(const struct commands *commands)
{
    for (size_t i = 0; i < commands->count; i++) {
        if (commands->list[i].kind == COMMAND_END) {
            return true;
        }
    }
    return false;
}

void engine_decide(
    struct run_state *state, const struct event *event, struct commands *ret_commands)
{
    struct turn turn = {state, event, ret_commands};
    handlers[event->kind](&turn);
    if (has_end(ret_commands)) {
        return;
    }
    advance(&turn);
    const bool is_last = state->is_releasing && !run_status_is_final(state->status);
    if (is_last && claim_release(&turn)) {
        write_end(&turn);
    } else {
        end_if_asked(&turn);
    }
}
