/*
 * engine/decide_claim.c - when the marks on the nodes are taken, renewed, parked and released.
 *
 * A new run takes them when preflight is green; every controller that takes a run over does so
 * before anything else. One request is in flight at a time. Whoever sees a stranger's mark stops: a
 * new run ends as REFUSED, a new controller ends and leaves the run as it was, a controller at work
 * asks. Nothing that changes the world is begun while the last good answer is older than
 * CLAIM_SEND_MS.
 */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/turn.h"

enum {
    FOREIGN_EXIT = 5, /* engine.md 13: another controller has the nodes */
    AHEAD_EXIT = 7,   /* the journal is older than the nodes know */
    RELEASE_AGAIN_MS = 500,
    RELEASE_WINDOW_MS = 3000, /* behind the first release that failed */
};

static void submit_claim(struct turn *turn, enum claim_act act)
{
    struct run_state *state = turn->state;
    const bool is_at_rest = state->status == RUN_PAUSED || state->status == RUN_SOAKING;
    turn_command(turn, COMMAND_TASK)->task = (struct run_task){
        .kind = RUN_TASK_CLAIM,
        .claim = act,
        .epoch = state->epoch,
        .deadline_ms = turn->event->now_ms + TURN_LOOK_MS,
        .status = state->status,
        .is_parked = is_at_rest,
        .seq = state->last_seq,
        .scopes = run_claim_scopes_to_json(state),
    };
    state->claim.is_in_flight = true;
    state->claim.has_news = false;
    state->claim.is_parking = is_at_rest;
    state->claim.sent_ms = turn->event->now_ms;
}

static bool is_wanted(const struct run_state *state)
{
    return state->status != RUN_PLANNED &&
           (!run_status_is_final(state->status) || state->pending_count > 0);
}

/* When the nodes are to be asked next. Whoever came to rest says so at once, because a parked claim
 * does not expire; so does whoever has changed something for a while, because the claim tells what
 * to take back when the journal is lost; but what has just failed is spaced. */
static int64_t next_ms(const struct run_state *state)
{
    const struct run_claim *claim = &state->claim;
    const bool is_at_rest = state->status == RUN_PAUSED || state->status == RUN_SOAKING;
    const bool is_well = claim->wait.blocked.state == GATE_YES;
    const bool has_news = claim->has_news || is_at_rest != claim->is_parked;
    return is_well && has_news ? 0 : claim->wait.next_ms;
}

bool claim_advance(struct turn *turn)
{
    struct run_state *state = turn->state;
    struct run_claim *claim = &state->claim;
    if (!is_wanted(state)) {
        return true;
    }
    const bool is_settled = claim->is_ours && claim->nodes == 0;
    if (is_settled || claim->is_lost || claim->is_in_flight) {
        return claim->is_tried || !state->is_resumed;
    }
    if (next_ms(state) > turn->event->now_ms) {
        turn_wake(turn, next_ms(state));
    } else {
        submit_claim(turn, claim->is_ours ? CLAIM_RENEW : CLAIM_TAKE);
    }
    return claim->is_tried || !state->is_resumed;
}

bool claim_may_rest(const struct run_state *state)
{
    const struct run_claim *claim = &state->claim;
    return !claim->is_in_flight && (claim->is_parked || !claim->is_ours || claim->nodes == 0 ||
                                       claim->wait.blocked.state != GATE_YES);
}

bool claim_is_fresh(const struct turn *turn, struct gate_answer *ret_answer)
{
    const struct run_claim *claim = &turn->state->claim;
    const bool is_young = claim->nodes == 0 || turn->event->now_ms - claim->seen_ms < CLAIM_SEND_MS;
    if (claim->is_ours && is_young) {
        return true;
    }
    const char *reason = claim->wait.blocked.reason;
    *ret_answer = (struct gate_answer){GATE_NOT_YET, "claim_ours",
        reason != NULL ? reason : "the claim on the nodes could not be renewed in time",
        claim->wait.blocked.remedy};
    return false;
}

void claim_forget_loss(struct run_state *state)
{
    state->claim.is_lost = false;
    state->claim.wait.next_ms = 0;
}

bool claim_release(struct turn *turn)
{
    struct run_claim *claim = &turn->state->claim;
    if (claim->is_in_flight) {
        return false;
    }
    if (!claim->is_ours || claim->nodes == 0) {
        return true;
    }
    if (claim->release_until_ms > 0 && claim->wait.next_ms > turn->event->now_ms) {
        turn_wake(turn, claim->wait.next_ms);
        return false;
    }
    submit_claim(turn, CLAIM_RELEASE);
    return false;
}

/* --- answers --- */

static void note_gate(struct turn *turn, const struct gate_answer *answer)
{
    struct json *body = js_object();
    js_put_text(body, "gate", answer->gate);
    js_put_text(body, "answer", gate_state_names[answer->state]);
    js_put_text(body, "reason", answer->reason);
    js_put_text(body, "remedy", answer->remedy);
    turn_emit(turn, JOURNAL_GATE, NULL, body);
}

/* The run stays as it was; this controller ends and says why. */
static void leave_run(struct turn *turn, int exit_code, const struct gate_answer *answer)
{
    note_gate(turn, answer);
    turn->state->claim.exit_code = exit_code;
    operator_go_on(turn, exit_code, answer->reason);
    turn_command(turn, COMMAND_END)->exit = exit_code;
}

static struct json *only_reason(const char *reason)
{
    struct json *reasons = js_array();
    js_push(reasons, js_text(reason));
    return reasons;
}

/* The nodes are not ours: `answer` is never. */
static void on_stranger(struct turn *turn, const struct gate_answer *answer, int exit_code)
{
    struct run_state *state = turn->state;
    struct run_claim *claim = &state->claim;
    claim->is_ours = false;
    claim->is_lost = true;
    run_answer_set(&claim->wait.blocked, answer);
    if (state->is_finishing) {
        return;
    }
    if (state->status == RUN_CLAIMING) {
        turn_stay(turn, only_reason(answer->reason), answer->remedy);
        turn_finish(turn, RUN_EVENT_CLAIM_REFUSED);
        return;
    }
    enum run_status to;
    if (!claim->was_held || !run_next_status(state->status, RUN_EVENT_QUESTION, &to)) {
        leave_run(turn, exit_code, answer);
        return;
    }
    note_gate(turn, answer);
    turn_move_because(turn, RUN_EVENT_QUESTION, only_reason(answer->reason), answer->remedy);
}

/* Too few nodes could be asked: nobody's fault, so it is waited for. */
static void on_unseen(struct turn *turn, const struct err *err)
{
    struct run_state *state = turn->state;
    struct run_wait *wait = &state->claim.wait;
    AUTO_FREE char *text = err_text(err);
    const struct gate_answer answer = {
        GATE_NOT_YET, "claim_ours", text, "make the hosts of the nodes reachable"};
    if (wait->blocked.state == GATE_YES) {
        note_gate(turn, &answer);
    }
    if (turn_wait(turn, wait, &answer) || state->is_finishing) {
        return;
    }
    if (state->status == RUN_CLAIMING) {
        turn_stay(turn, only_reason(text), answer.remedy);
        turn_finish(turn, RUN_EVENT_PREFLIGHT_RED);
    } else {
        turn_ask(turn, only_reason(text), answer.remedy);
    }
}

static struct json *count_nodes(const struct run_state *state, const struct claim_answer *claim)
{
    struct json *body = js_object();
    js_put_number(body, "epoch", state->epoch);
    js_put_number(body, "held", claim->held_count);
    js_put_number(body, "nodes", claim->node_count);
    js_put_text(body, "reason", claim->reason);
    return body;
}

static void on_ours(struct turn *turn, const struct claim_answer *answer)
{
    struct run_state *state = turn->state;
    struct run_claim *claim = &state->claim;
    const bool was_ours = claim->is_ours;
    claim->is_ours = true;
    claim->was_held = true;
    claim->nodes = answer->node_count;
    claim->seen_ms = claim->sent_ms;
    claim->is_parked = claim->is_parking;
    run_wait_reset(&claim->wait);
    claim->wait.next_ms = claim->sent_ms + CLAIM_RENEW_MS;
    if (was_ours) {
        return;
    }
    if (answer->epoch_max > state->epoch) {
        state->epoch = answer->epoch_max; /* somebody's tombstone was as high as ours */
    }
    if (answer->node_count > 0) {
        turn_emit(turn, JOURNAL_CLAIMED, NULL, count_nodes(state, answer));
    }
    if (state->status == RUN_CLAIMING && !state->is_finishing) {
        turn_move(turn, RUN_EVENT_CLAIMED);
    }
}

/* A claim that stays behind keeps others from the cluster until a human clears it: worth some
 * seconds, but the run has to end. */
static bool is_released_again(struct turn *turn, const struct run_result *result)
{
    struct run_claim *claim = &turn->state->claim;
    const int64_t now_ms = turn->event->now_ms;
    if (result->err == NULL && result->claim.held_count == 0) {
        return false;
    }
    if (claim->release_until_ms == 0) {
        claim->release_until_ms = now_ms + RELEASE_WINDOW_MS;
    }
    claim->wait.next_ms = now_ms + RELEASE_AGAIN_MS;
    return claim->wait.next_ms < claim->release_until_ms;
}

static void on_released(struct turn *turn, const struct run_result *result)
{
    if (is_released_again(turn, result)) {
        return;
    }
    turn->state->claim.is_ours = false;
    struct json *body = count_nodes(turn->state, &result->claim);
    if (result->err != NULL) {
        AUTO_FREE char *text = err_text(result->err);
        js_put_text(body, "reason", text);
    }
    turn_emit(turn, JOURNAL_RELEASED, NULL, body);
}

void claim_on_result(struct turn *turn, const struct run_result *result)
{
    struct run_state *state = turn->state;
    const struct claim_answer *claim = &result->claim;
    state->claim.is_in_flight = false;
    if (result->act == CLAIM_RELEASE) {
        on_released(turn, result);
        return;
    }
    if (result->err == NULL && (claim->is_foreign || claim->is_ahead)) {
        const struct gate_answer answer = {GATE_NEVER, "claim_ours",
            claim->reason != NULL ? claim->reason : "another run has the nodes", claim->remedy};
        on_stranger(turn, &answer, claim->is_foreign ? FOREIGN_EXIT : AHEAD_EXIT);
    } else if (result->err != NULL) {
        on_unseen(turn, result->err);
    } else {
        on_ours(turn, claim);
    }
    state->claim.is_tried = true;
    operator_go_on(turn, 0, NULL);
}
