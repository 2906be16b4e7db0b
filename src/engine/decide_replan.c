/*
 * engine/decide_replan.c - changes of course: rollback, a changed world, forward again.
 *
 *   replan (journal) -> what is begun ends -> a worker plans from fresh facts and the progress
 *      |                                                   |
 *      |     plan_revised: taken  <-- as agreed, or back --+-- more than agreed: plan_proposed
 *      |                                                   |                      + question
 *      '------------ replan "none" + question <-- refused -'
 *
 * There is no other way to change a plan, and no undo of steps (docs/decisions/0010).
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/turn.h"

enum { HASH_SHOWN = 12 }; /* hex digits: enough to tell plans of one run apart */

static void emit_replan(struct turn *turn, enum run_replan why, bool is_automatic,
    const char *cause, const char *remedy)
{
    struct json *body = js_object();
    js_put_text(body, "replan", run_replan_names[why]);
    js_put_bool(body, "automatic", is_automatic);
    js_put_text(body, "cause", cause);
    js_put_text(body, "remedy", remedy);
    turn_emit(turn, JOURNAL_REPLAN, NULL, body);
    run_wait_reset(&turn->state->replan_wait);
}

void replan_begin(struct turn *turn, enum run_replan why, const char *cause, const char *remedy)
{
    emit_replan(turn, why, /* is_automatic= */ false, cause, remedy);
}

void replan_for_assumption(struct turn *turn, const char *cause, const char *remedy)
{
    const bool is_back = turn->state->direction == RUN_BACK;
    emit_replan(turn, is_back ? RUN_REPLAN_BACK : RUN_REPLAN_WORLD, /* is_automatic= */ true, cause,
        remedy);
}

bool replan_back_by_policy(struct turn *turn, const struct json *reasons)
{
    const struct run_state *state = turn->state;
    const bool is_wanted = text_equal(state->first->policy.on_failure, "rollback");
    const bool is_under_way = state->status == RUN_RUNNING || state->status == RUN_SOAKING;
    const bool is_possible = is_under_way && state->direction == RUN_FORWARD &&
                             state->way_back != RUN_WAY_BACK_CLOSED && !state->is_finalizing;
    if (!is_wanted || !is_possible) {
        return false;
    }
    const char *first = js_as_text(js_at(reasons, 0));
    AUTO_FREE char *cause =
        mem_format("rollback by policy (on_failure): %s", first == NULL ? "a step failed" : first);
    turn_move_because(turn, RUN_EVENT_ROLLBACK, js_copy(reasons), NULL);
    replan_begin(turn, RUN_REPLAN_BACK, cause, NULL);
    return true;
}

void replan_advance(struct turn *turn)
{
    struct run_state *state = turn->state;
    const bool is_leaving = state->is_ending && state->status == RUN_PAUSED;
    if (state->is_replanning || is_leaving) {
        return;
    }
    if (state->replan_wait.next_ms > turn->event->now_ms) {
        turn_wake(turn, state->replan_wait.next_ms);
        return;
    }
    turn_command(turn, COMMAND_TASK)->task = (struct run_task){
        .kind = RUN_TASK_REPLAN,
        .replan = state->replan,
        .from = state->plan,
        .progress = run_progress_to_json(state),
        .epoch = state->epoch,
        .deadline_ms = turn->event->now_ms + TURN_REPLAN_MS,
    };
    state->is_replanning = true;
}

/* --- the answer --- */

/* A question also when the run rests already: it takes the place of the old one. */
static void ask_anew(struct turn *turn, struct json *reasons, const char *remedy)
{
    turn_move_because(turn, RUN_EVENT_QUESTION, reasons, remedy);
}

/* Nothing comes of it: the run goes on with the plan it has, when a human says so. Owns: takes
 * `reasons`; the cause goes in front of them. */
static void let_it_be(struct turn *turn, const struct json *reasons, const char *remedy)
{
    struct run_state *state = turn->state;
    struct json *all = js_array();
    js_push(all, js_text(state->replan_cause));
    for (size_t i = 0; i < js_count(reasons); i++) {
        js_push(all, js_copy(js_at(reasons, i)));
    }
    AUTO_FREE char *text = remedy != NULL                 ? mem_strdup(remedy)
                           : state->replan_remedy != NULL ? mem_strdup(state->replan_remedy)
                                                          : NULL;
    emit_replan(turn, RUN_REPLAN_NONE, /* is_automatic= */ false, NULL, NULL);
    ask_anew(turn, all, text);
}

static struct json *describe_plan(
    const struct turn *turn, const struct run_result *result, const char *digest)
{
    struct json *body = js_object();
    js_put(body, "plan", js_ref(result->plan));
    js_put_text(body, "digest", digest);
    struct json *diff = js_array();
    for (size_t i = 0; i < result->diff_count; i++) {
        js_push(diff, js_text(result->diff[i]));
    }
    js_put(body, "diff", diff);
    js_put_text(body, "cause", turn->state->replan_cause);
    return body;
}

/* Owns: takes `body`, which describe_plan() or a proposal has filled. */
static void put_in_force(struct turn *turn, struct json *body, const char *accepted_by)
{
    struct run_state *state = turn->state;
    const char *direction = js_get_text(js_get(body, "plan"), "direction");
    js_put_number(body, "revision", (int64_t)state->revision_count + 1);
    js_put_text(
        body, "direction", direction == NULL ? run_direction_names[RUN_FORWARD] : direction);
    js_put_text(body, "accepted_by", accepted_by);
    turn_emit(turn, JOURNAL_PLAN_REVISED, NULL, body);
    run_wait_reset(&state->replan_wait);
    steps_forget_waits(state);
}

static void propose(struct turn *turn, struct json *body, const char *why)
{
    AUTO_FREE char *digest = mem_strdup(js_get_text(body, "digest"));
    struct json *reasons = js_array();
    js_push(reasons, js_text(why));
    js_push(reasons, js_text(turn->state->replan_cause));
    const struct json *diff = js_get(body, "diff");
    for (size_t i = 0; i < js_count(diff); i++) {
        js_push(reasons, js_copy(js_at(diff, i)));
    }
    AUTO_FREE char *remedy = mem_format("`upshift resume --accept %.*s` takes the changed plan; "
                                        "`upshift resume` looks again with the old one",
        HASH_SHOWN, digest);
    turn_emit(turn, JOURNAL_PLAN_PROPOSED, NULL, body);
    ask_anew(turn, reasons, remedy);
}

static bool is_same_step(const struct plan_step *a, const struct plan_step *b)
{
    if (!text_equal(a->id, b->id) || !text_equal(a->kind, b->kind) ||
        a->assumption_count != b->assumption_count || !js_equal(a->args, b->args)) {
        return false;
    }
    for (size_t i = 0; i < a->assumption_count; i++) {
        if (!text_equal(a->assumptions[i].name, b->assumptions[i].name) ||
            !js_equal(a->assumptions[i].args, b->assumptions[i].args)) {
            return false;
        }
    }
    return true;
}

/* Would the new plan do just what the old one was about to do? Then it would fail again, too. */
static bool is_same_remainder(const struct run_state *state, const struct plan *plan)
{
    size_t index = state->step_count - plan_step_count(state->plan);
    for (size_t p = 0; p < plan->phase_count; p++) {
        for (size_t s = 0; s < plan->phases[p].step_count; s++) {
            while (index < state->step_count && run_step_is_final(&state->steps[index])) {
                index++;
            }
            if (index == state->step_count ||
                !is_same_step(state->steps[index++].plan, &plan->phases[p].steps[s])) {
                return false;
            }
        }
    }
    while (index < state->step_count && run_step_is_final(&state->steps[index])) {
        index++;
    }
    return index == state->step_count;
}

static void on_plan(struct turn *turn, const struct run_result *result)
{
    struct run_state *state = turn->state;
    AUTO_PLAN plan = {0};
    AUTO_JSON own = js_copy(result->plan);
    AUTO_ERR err = plan_from_json(own, "the new plan", &plan);
    if (err != NULL) {
        AUTO_JSON reasons = js_array();
        AUTO_FREE char *text = err_text(err);
        js_push(reasons, js_text(text));
        let_it_be(turn, reasons, NULL);
        return;
    }
    const bool is_automatic = state->is_replan_automatic;
    if (is_automatic && is_same_remainder(state, &plan)) {
        let_it_be(turn, NULL, NULL);
        return;
    }
    char digest[SHA256_HEX_SIZE];
    plan_digest(&plan, digest);
    struct json *body = describe_plan(turn, result, digest);
    const bool is_asking = is_automatic && text_equal(state->first->policy.revise, "ask");
    if (is_automatic && state->automatic_count >= RUN_REVISIONS_MAX) {
        AUTO_FREE char *why = mem_format("the cluster is not stable: the plan was changed %d times "
                                         "already",
            RUN_REVISIONS_MAX);
        propose(turn, body, why);
    } else if (state->replan == RUN_REPLAN_WORLD && (result->is_wider || is_asking)) {
        propose(turn, body,
            result->is_wider ? "the changed plan does more than was agreed"
                             : "the plan must be changed");
    } else {
        js_put_bool(body, "automatic", is_automatic);
        put_in_force(turn, body, NULL);
    }
}

static const struct gate_answer *worst_answer(const struct run_result *result)
{
    const struct gate_answer *worst = NULL;
    for (size_t i = 0; i < result->answer_count; i++) {
        if (worst == NULL || result->answers[i].state > worst->state) {
            worst = &result->answers[i];
        }
    }
    return worst;
}

void replan_on_result(struct turn *turn, const struct run_result *result)
{
    struct run_state *state = turn->state;
    state->is_replanning = false;
    const bool is_wanted = state->replan == result->replan && state->replan != RUN_REPLAN_NONE;
    if (!is_wanted || (state->status != RUN_RUNNING && state->status != RUN_PAUSED)) {
        return; /* the run moved on meanwhile; planning changed nothing */
    }
    if (result->err != NULL) {
        AUTO_FREE char *text = err_text(result->err);
        const struct gate_answer answer = {GATE_NOT_YET, "can_see", text, NULL};
        if (!turn_wait(turn, &state->replan_wait, &answer)) {
            AUTO_JSON reasons = js_array();
            js_push(reasons, js_text(text));
            let_it_be(turn, reasons, "make the nodes reachable, then say it again");
        }
        return;
    }
    if (result->plan == NULL) {
        const struct gate_answer *worst = worst_answer(result);
        if (worst != NULL && turn_wait(turn, &state->replan_wait, worst)) {
            return; /* a replica attaches anew right after a switchover: no reason to give up */
        }
        AUTO_JSON reasons = turn_reasons(result);
        let_it_be(turn, reasons, result->answer_count > 0 ? result->answers[0].remedy : NULL);
        return;
    }
    const size_t count = state->revision_count;
    on_plan(turn, result);
    if (state->status == RUN_PAUSED && state->revision_count != count) {
        turn_stay(turn, NULL, "`upshift resume` goes on with the changed plan");
    }
}

void replan_accept(struct turn *turn, const char *who)
{
    struct json *body = js_object();
    static const char *const kept[] = {"plan", "digest", "diff", "cause"};
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        js_put(body, kept[i], js_ref(js_get(turn->state->proposal, kept[i])));
    }
    put_in_force(turn, body, who);
}
