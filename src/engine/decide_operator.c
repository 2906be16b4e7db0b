/*
 * engine/decide_operator.c - what a human says: commands, their answers, and what they change.
 *
 * The tables (engine/run_tables.c) know what a command means in a state. Three things they do not
 * know are looked at here: a run that is on its way back, one that has no way back any more, and
 * what a `resume` answers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/turn.h"

enum { HASH_SIZE_MIN = 8 }; /* hex digits that a human must type */

static void reply(
    struct turn *turn, const struct run_pending *command, int exit_code, const char *text)
{
    if (command->reply_id == 0) {
        return;
    }
    struct command *answer = turn_command(turn, COMMAND_REPLY);
    answer->reply_id = command->reply_id;
    answer->is_ok = exit_code == 0;
    answer->exit = exit_code;
    answer->text = arena_strdup(&turn->out->arena, text);
}

static void note(struct turn *turn, const struct run_pending *command)
{
    struct json *body = js_object();
    js_put_text(body, "command", run_command_names[command->command]);
    js_put_text(body, "who", command->who);
    js_put_text(body, "answer", command->answer);
    turn_emit(turn, JOURNAL_OPERATOR, NULL, body);
}

/* --- why not, beyond the tables; NULL: nothing is in the way --- */

static const char *refuse_accept(struct turn *turn, const char *hash)
{
    const char *digest = js_get_text(turn->state->proposal, "digest");
    if (digest == NULL) {
        return "there is no changed plan to accept; `upshift resume` goes on";
    }
    if (strlen(hash) >= HASH_SIZE_MIN && str_starts_with(str_of(digest), hash)) {
        return NULL;
    }
    return arena_format(&turn->out->arena,
        "the changed plan is %.*s, not %s; look at it, then `upshift resume --accept %.*s`",
        HASH_SIZE_MIN, digest, hash, HASH_SIZE_MIN, digest);
}

static const char *const accept_word = "accept ";

/* The hash of "accept HASH", or NULL. */
static const char *hash_of(const char *answer)
{
    const size_t size = strlen(accept_word);
    return answer != NULL && strncmp(answer, accept_word, size) == 0 ? answer + size : NULL;
}

static const char *refuse_resume(struct turn *turn, const char *answer)
{
    if (answer == NULL) {
        return NULL;
    }
    if (turn->state->status != RUN_PAUSED) {
        return "the run is not PAUSED; wait until it is";
    }
    if (hash_of(answer) != NULL) {
        return refuse_accept(turn, hash_of(answer));
    }
    if (!text_equal(answer, "forward")) {
        return "that is no answer to a run; `upshift resume` takes --accept HASH or --forward";
    }
    const bool is_back =
        turn->state->direction == RUN_BACK || turn->state->replan == RUN_REPLAN_BACK;
    return is_back ? NULL : "the run is not on its way back; `upshift resume` goes forward";
}

static const char *find_refusal(struct turn *turn, const struct run_pending *command)
{
    if (command->command == RUN_COMMAND_ROLLBACK) {
        return run_closed_way_back(turn->state, &turn->out->arena);
    }
    return command->command == RUN_COMMAND_RESUME ? refuse_resume(turn, command->answer) : NULL;
}

/* --- carrying out --- */

static void turn_back(struct turn *turn, const struct run_pending *command)
{
    AUTO_FREE char *cause =
        mem_format("rollback, asked for by %s", command->who == NULL ? "somebody" : command->who);
    turn_move(turn, RUN_EVENT_ROLLBACK);
    replan_begin(turn, RUN_REPLAN_BACK, cause, NULL);
}

static void resume(struct turn *turn, const struct run_pending *command)
{
    if (hash_of(command->answer) != NULL) {
        replan_accept(turn, command->who);
    }
    turn_move(turn, RUN_EVENT_RESUME);
    if (!text_equal(command->answer, "forward")) {
        return;
    }
    if (turn->state->direction == RUN_BACK) {
        replan_begin(turn, RUN_REPLAN_FORWARD, "the rollback is turned again", NULL);
    } else { /* it had not begun: the plan is as it was */
        replan_begin(turn, RUN_REPLAN_NONE, NULL, NULL);
    }
}

static void reconcile(struct turn *turn)
{
    steps_give_away(turn);
    turn_move(turn, RUN_EVENT_RECONCILE);
    replan_begin(turn, RUN_REPLAN_WORLD, "repaired by hand: what is left is planned anew", NULL);
}

static void carry_out(struct turn *turn, const struct run_pending *command, enum run_event event)
{
    struct run_state *state = turn->state;
    note(turn, command);
    claim_forget_loss(state);
    if (state->status == RUN_PLANNED || state->status == RUN_CLAIMING) {
        turn_finish(turn, event); /* nothing has begun: ends as REFUSED, which is final */
        return;
    }
    if (event == RUN_EVENT_ROLLBACK) {
        turn_back(turn, command);
    } else if (event == RUN_EVENT_RESUME) {
        resume(turn, command);
    } else if (event == RUN_EVENT_RECONCILE) {
        reconcile(turn);
    } else if (event == RUN_EVENT_ABANDON) {
        scopes_leave(turn);
        turn_finish(turn, event);
    } else {
        turn_move(turn, event);
    }
    if (event != RUN_EVENT_PAUSE && event != RUN_EVENT_ABORT) {
        steps_forget_waits(state);
    }
}

/* A rollback of what goes back already; NULL: it does not. */
static const char *find_already(const struct run_state *state, enum run_command command)
{
    if (command != RUN_COMMAND_ROLLBACK || run_status_is_final(state->status)) {
        return NULL;
    }
    const bool is_turning = state->replan == RUN_REPLAN_BACK;
    const bool is_back = state->direction == RUN_BACK && state->replan == RUN_REPLAN_NONE;
    if (!is_turning && !is_back) {
        return NULL;
    }
    return state->status == RUN_RUNNING ? "the run is on its way back already"
                                        : "the run is on its way back already; resume it";
}

const char *operator_find_refusal(struct turn *turn, const struct run_pending *command)
{
    const struct run_rule *rule = run_find_rule(turn->state->status, command->command);
    return rule->verdict == RUN_DO ? find_refusal(turn, command) : rule->text;
}

void operator_on_command(struct turn *turn, const struct run_pending *command)
{
    struct run_state *state = turn->state;
    state->is_ending = state->is_ending || command->is_ending;
    const struct run_rule *rule = run_find_rule(state->status, command->command);
    const char *already = find_already(state, command->command);
    if (rule->verdict == RUN_REFUSE) {
        reply(turn, command, 4, rule->text);
    } else if (rule->verdict == RUN_NOTHING || already != NULL) {
        reply(turn, command, 0, already != NULL ? already : rule->text);
    } else if (state->is_finishing) {
        reply(turn, command, 4, "the run is ending; wait for its last line");
    } else {
        const char *refusal = find_refusal(turn, command);
        if (refusal == NULL) {
            carry_out(turn, command, rule->event);
        }
        reply(turn, command, refusal == NULL ? 0 : 4,
            refusal == NULL ? run_event_names[rule->event] : refusal);
    }
}

/* --- before the claim is settled --- */

static char *own_text(const char *text)
{
    return text == NULL ? NULL : mem_strdup(text);
}

void operator_defer(struct turn *turn)
{
    struct run_state *state = turn->state;
    const struct event *event = turn->event;
    state->pending =
        mem_resize(state->pending, (state->pending_count + 1) * sizeof(*state->pending));
    state->pending[state->pending_count++] = (struct run_pending){
        .command = event->command,
        .who = own_text(event->who),
        .answer = own_text(event->answer),
        .reply_id = event->reply_id,
        .is_ending = event->is_ending,
    };
}

void operator_go_on(struct turn *turn, int exit_code, const char *refusal)
{
    struct run_state *state = turn->state;
    for (size_t i = 0; i < state->pending_count; i++) {
        if (refusal == NULL) {
            operator_on_command(turn, &state->pending[i]);
        } else {
            reply(turn, &state->pending[i], exit_code, refusal);
        }
        free(state->pending[i].who);
        free(state->pending[i].answer);
    }
    state->pending_count = 0;
}
