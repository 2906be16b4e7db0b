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
    arena_release(&result->arena);
    free(result);
}

void commands_release(struct commands *commands)
{
    for (size_t i = 0; i < commands->record_count; i++) {
        js_free(commands->records[i].body);
    }
    for (size_t i = 0; i < commands->count; i++) {
        js_free(commands->list[i].task.args);
        js_free(commands->list[i].task.before);
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
    run_fold(turn->state, record);
}

void turn_move_because(
    struct turn *turn, enum run_event event, struct json *reasons, const char *remedy)
{
    enum run_status to = RUN_PLANNED;
    const bool is_legal = run_next_status(turn->state->status, event, &to);
    assert(is_legal);
    struct json *body = js_object();
    js_put_text(body, "from", run_status_names[turn->state->status]);
    js_put_text(body, "to", run_status_names[to]);
    js_put_text(body, "event", run_event_names[event]);
    js_put_bool(body, "question", event == RUN_EVENT_QUESTION);
    js_put(body, "reasons", reasons == NULL ? js_array() : reasons);
    js_put_text(body, "remedy", remedy);
    turn_emit(turn, JOURNAL_STATE, NULL, body);
}

void turn_move(struct turn *turn, enum run_event event)
{
    turn_move_because(turn, event, NULL, NULL);
}

void turn_ask(struct turn *turn, struct json *reasons, const char *remedy)
{
    enum run_status to;
    if (run_next_status(turn->state->status, RUN_EVENT_QUESTION, &to)) {
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
    return is_clean && (is_whole || !state->plan->policy.probe_required);
}

/* The probe's last word is the run's last record but one; the state follows in the same commit. */
static void on_probe_ended(struct turn *turn)
{
    struct run_state *state = turn->state;
    if (!state->is_finishing) {
        return;
    }
    enum run_status to = state->status;
    (void)run_next_status(state->status, state->finishing, &to);
    struct json *body = js_object();
    js_put_text(body, "state", run_status_names[to]);
    js_put_bool(body, "proved", is_proved(state, turn->event->body));
    js_put(body, "probe", turn->event->body == NULL ? js_none() : js_ref(turn->event->body));
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

static void reply(struct turn *turn, bool is_ok, int exit_code, const char *text)
{
    if (turn->event->reply_id == 0) {
        return;
    }
    struct command *command = turn_command(turn, COMMAND_REPLY);
    command->reply_id = turn->event->reply_id;
    command->is_ok = is_ok;
    command->exit = exit_code;
    command->text = arena_strdup(&turn->out->arena, text);
}

static void carry_out(struct turn *turn, enum run_event event)
{
    struct run_state *state = turn->state;
    struct json *body = js_object();
    js_put_text(body, "command", run_command_names[turn->event->command]);
    js_put_text(body, "who", turn->event->who);
    turn_emit(turn, JOURNAL_OPERATOR, NULL, body);
    if (state->status == RUN_PLANNED) { /* nothing has begun: ends as REFUSED, which is final */
        turn_finish(turn, event);
        return;
    }
    turn_move(turn, event);
    if (event == RUN_EVENT_RESUME || event == RUN_EVENT_FINALIZE) {
        steps_forget_waits(state);
    }
}

static void on_operator(struct turn *turn)
{
    struct run_state *state = turn->state;
    state->is_ending = state->is_ending || turn->event->is_ending;
    const struct run_rule *rule = run_find_rule(state->status, turn->event->command);
    if (state->is_finishing && rule->verdict == RUN_DO) {
        reply(turn, false, 4, "the run is ending; wait for its last line");
        return;
    }
    switch (rule->verdict) {
    case RUN_DO:
        carry_out(turn, rule->event);
        reply(turn, true, 0, run_event_names[rule->event]);
        break;
    case RUN_NOTHING:
        reply(turn, true, 0, rule->text);
        break;
    case RUN_REFUSE:
        reply(turn, false, 4, rule->text);
        break;
    }
}

static void on_begin(struct turn *turn)
{
    if (!turn->event->is_resumed) {
        return;
    }
    turn->state->is_resumed = true;
    turn_emit(turn, JOURNAL_RESUMED, NULL,
        turn->event->body == NULL ? js_object() : js_ref(turn->event->body));
    steps_begin_again(turn);
}

static void on_result(struct turn *turn)
{
    const struct run_result *result = turn->event->result;
    if (result->nodes != NULL) {
        js_free(turn->state->nodes);
        turn->state->nodes = js_ref(result->nodes);
    }
    if (result->kind == RUN_TASK_HEALTH) {
        health_on_result(turn, result);
    } else {
        steps_on_result(turn, result);
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

static void advance_aborting(struct turn *turn)
{
    steps_advance(turn);
    if (steps_are_idle(turn->state) && steps_close_scopes(turn, PLAN_SCOPE_FINALIZE)) {
        turn_finish(turn, RUN_EVENT_ABORTED);
    }
}

/* What each state does by itself. Final states do nothing: the process is ending. */
static void (*const advances[])(struct turn *) = {
    [RUN_PLANNED] = health_preflight,
    [RUN_RUNNING] = advance_running,
    [RUN_PAUSING] = advance_pausing,
    [RUN_PAUSED] = steps_advance,
    [RUN_ABORTING] = advance_aborting,
    [RUN_ABORTED] = NULL,
    [RUN_SOAKING] = health_soak,
    [RUN_REFUSED] = NULL,
    [RUN_COMPLETE] = NULL,
};

/* SIGTERM: a run at rest needs no process; the journal has all of it. */
static void end_if_asked(struct turn *turn)
{
    const struct run_state *state = turn->state;
    const bool is_at_rest = state->status == RUN_PAUSED || state->status == RUN_SOAKING;
    if (state->is_ending && is_at_rest && steps_are_idle(state)) {
        turn_command(turn, COMMAND_END)->exit = run_exit_code(state);
    }
}

void engine_decide(
    struct run_state *state, const struct event *event, struct commands *ret_commands)
{
    struct turn turn = {state, event, ret_commands};
    const bool was_final = run_status_is_final(state->status);
    handlers[event->kind](&turn);
    /* A move may make another one possible at once: go on until the status stands still. */
    for (;;) {
        const enum run_status before = state->status;
        if (advances[before] == NULL || state->is_finishing) {
            break;
        }
        advances[before](&turn);
        if (state->status == before) {
            break;
        }
    }
    if (was_final && event->kind == EVENT_BEGIN) {
        turn_command(&turn, COMMAND_END)->exit = run_exit_code(state);
    }
    end_if_asked(&turn);
}
