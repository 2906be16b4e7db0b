#include "engine/snapshot.h"

#include <string.h>

#include "base/attr.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/plan_text.h"

static struct json *describe_phases(const struct run_state *state)
{
    struct json *phases = js_array();
    for (size_t p = 0; p < state->plan->phase_count; p++) {
        struct json *entry = js_object();
        js_put_text(entry, "name", state->plan->phases[p].name);
        js_put_text(entry, "title", state->plan->phases[p].title);
        js_put_text(entry, "state", run_phase_status_names[state->phases[p]]);
        js_push(phases, entry);
    }
    return phases;
}

static struct json *describe_step(
    const struct run_state *state, const struct run_step *step, int64_t wall_ms)
{
    const bool is_over = step->ended_wall_ms >= step->started_wall_ms && step->ended_wall_ms > 0;
    const int64_t end_ms = is_over ? step->ended_wall_ms : wall_ms;
    struct json *entry = js_object();
    js_put_text(entry, "id", step->plan->id);
    js_put_text(entry, "summary", step->plan->summary);
    js_put_text(entry, "phase", run_plan_of(state, step->revision)->phases[step->phase].name);
    js_put_text(entry, "node", step->plan->node);
    js_put_text(entry, "shard", step->plan->shard);
    js_put_text(entry, "state", run_step_status_names[step->status]);
    js_put_text(entry, "reason", step->reason);
    js_put_number(entry, "attempt", step->attempt);
    js_put_number(entry, "revision", step->revision);
    js_put_number(
        entry, "elapsed_ms", step->started_wall_ms == 0 ? 0 : end_ms - step->started_wall_ms);
    return entry;
}

/* Local deadlines as wall time; 0: none. */
static int64_t until_wall(int64_t deadline_ms, int64_t now_ms, int64_t wall_ms)
{
    return deadline_ms == 0 ? 0 : wall_ms + (deadline_ms - now_ms);
}

static struct json *describe_wait(
    const char *what, const struct run_answer *answer, int64_t since_wall_ms, int64_t until_wall_ms)
{
    struct json *wait = js_object();
    js_put_text(wait, "what", what);
    js_put_text(wait, "because", answer->reason);
    js_put_number(wait, "since_wall_ms", since_wall_ms);
    js_put_number(wait, "until_wall_ms", until_wall_ms);
    js_put_text(wait, "remedy", answer->remedy);
    return wait;
}

/* The sentence: the first step that waits for a gate, then one that is being verified, then the
 * health of the whole. */
static struct json *describe_waiting(const struct run_state *state, int64_t now_ms, int64_t wall_ms)
{
    if (state->status == RUN_PAUSED || run_status_is_final(state->status)) {
        return js_none(); /* it waits for the operator, and the question says so */
    }
    for (size_t i = 0; i < state->step_count; i++) {
        const struct run_activity *live = &state->steps[i].live;
        if (live->blocked.state != GATE_YES && live->blocked.reason != NULL) {
            return describe_wait(state->steps[i].plan->summary, &live->blocked, live->since_wall_ms,
                until_wall(live->deadline_ms, now_ms, wall_ms));
        }
    }
    for (size_t i = 0; i < state->step_count; i++) {
        const struct run_activity *live = &state->steps[i].live;
        if (live->is_verifying) {
            struct run_answer answer = {
                .reason = (char *)(uintptr_t) "it has not taken effect yet"};
            return describe_wait(state->steps[i].plan->summary, &answer, live->since_wall_ms,
                until_wall(live->deadline_ms, now_ms, wall_ms));
        }
    }
    const struct {
        const char *what;
        const struct run_wait *wait;
    } waits[] = {
        {"the claim on the nodes", &state->claim.wait},
        {"the new plan", &state->replan_wait},
        {"the cluster to be healthy", &state->health.wait},
    };
    for (size_t i = 0; i < ARRAY_COUNT(waits); i++) {
        const struct run_wait *wait = waits[i].wait;
        if (wait->blocked.state != GATE_YES && wait->blocked.reason != NULL) {
            return describe_wait(waits[i].what, &wait->blocked, wait->since_wall_ms,
                until_wall(wait->deadline_ms, now_ms, wall_ms));
        }
    }
    return js_none();
}

/* Steps that failed after the run had asked already: they wait for the same answer. */
static void add_other_reasons(const struct run_state *state, struct json *reasons)
{
    for (size_t i = 0; i < state->step_count; i++) {
        const struct run_step *step = &state->steps[i];
        if (!run_step_is_current(state, step) || !run_step_is_stuck(step)) {
            continue;
        }
        AUTO_FREE char *text = mem_format("%s: %s", step->plan->summary,
            step->reason == NULL ? run_step_status_names[step->status] : step->reason);
        bool is_told = false;
        for (size_t r = 0; r < state->reason_count; r++) {
            is_told = is_told || strcmp(state->reasons[r], text) == 0;
        }
        if (!is_told) {
            js_push(reasons, js_text(text));
        }
    }
}

static const char *digest_of(const struct run_state *state)
{
    return js_get_text(state->proposal, "digest");
}

/* What may be typed behind `upshift`. */
static struct json *offer_answers(const struct run_state *state)
{
    struct json *answers = js_array();
    if (digest_of(state) != NULL) {
        AUTO_FREE char *accept = mem_format("resume --accept %.12s", digest_of(state));
        js_push(answers, js_text(accept));
    }
    js_push(answers, js_text("resume"));
    const bool is_open = state->way_back != RUN_WAY_BACK_CLOSED && !state->is_finalizing;
    if (state->direction == RUN_BACK || state->replan == RUN_REPLAN_BACK) {
        js_push(answers, js_text("resume --forward"));
    } else if (is_open) {
        js_push(answers, js_text("rollback"));
    }
    bool is_stuck = false;
    for (size_t i = 0; i < state->step_count; i++) {
        const struct run_step *step = &state->steps[i];
        is_stuck = is_stuck || (run_step_is_current(state, step) && run_step_is_stuck(step));
    }
    if (is_stuck) {
        js_push(answers, js_text("reconcile"));
    }
    js_push(answers, js_text("abort"));
    return answers;
}

/* A controller that may not begin: another run has the nodes. */
static struct json *describe_stranger(const struct run_claim *claim)
{
    struct json *reasons = js_array();
    js_push(reasons, js_text(claim->wait.blocked.reason));
    struct json *question = js_object();
    js_put_text(question, "text", claim->wait.blocked.reason);
    js_put(question, "reasons", reasons);
    js_put(question, "answers", js_array());
    js_put_text(question, "remedy", claim->wait.blocked.remedy);
    return question;
}

static struct json *describe_question(const struct run_state *state)
{
    if (state->claim.exit_code != 0) {
        return describe_stranger(&state->claim);
    }
    if (!state->has_question && state->status != RUN_REFUSED) {
        return js_none();
    }
    struct json *question = js_object();
    struct json *reasons = js_array();
    for (size_t i = 0; i < state->reason_count; i++) {
        js_push(reasons, js_text(state->reasons[i]));
    }
    struct json *answers = state->has_question ? offer_answers(state) : js_array();
    if (state->has_question) {
        add_other_reasons(state, reasons);
    }
    js_put_text(question, "text", state->reason_count > 0 ? state->reasons[0] : "");
    js_put(question, "reasons", reasons);
    js_put(question, "answers", answers);
    js_put_text(question, "remedy", state->remedy);
    return question;
}

static struct json *describe_replan(const struct run_state *state)
{
    if (state->replan == RUN_REPLAN_NONE) {
        return js_none();
    }
    struct json *replan = js_object();
    js_put_text(replan, "why", run_replan_names[state->replan]);
    js_put_text(replan, "cause", state->replan_cause);
    return replan;
}

static struct json *describe_proposal(const struct run_state *state)
{
    if (state->proposal == NULL) {
        return js_none();
    }
    struct json *proposal = js_object();
    js_put_text(proposal, "digest", digest_of(state));
    js_put_text(proposal, "cause", js_get_text(state->proposal, "cause"));
    js_put(proposal, "diff", js_copy(js_get(state->proposal, "diff")));
    return proposal;
}

static struct json *describe_claim(const struct run_claim *claim, int64_t now_ms)
{
    if (claim->nodes == 0 && !claim->is_lost) {
        return js_none();
    }
    struct json *object = js_object();
    js_put_bool(object, "is_ours", claim->is_ours);
    js_put_bool(object, "is_parked", claim->is_parked);
    js_put_number(object, "nodes", claim->nodes);
    js_put_number(object, "age_ms", now_ms - claim->seen_ms);
    js_put_text(object, "reason", claim->wait.blocked.reason);
    return object;
}

static struct json *describe_soak(const struct run_state *state)
{
    if (state->status != RUN_SOAKING) {
        return js_none();
    }
    struct json *soak = js_object();
    js_put_number(soak, "healthy_s", (state->soak_healthy_ms + state->soak_unsaved_ms) / 1000);
    js_put_number(soak, "wanted_s", state->first->policy.soak_s);
    return soak;
}

static struct json *texts(const char *const *items, size_t count)
{
    struct json *array = js_array();
    for (size_t i = 0; i < count; i++) {
        js_push(array, js_text(items[i]));
    }
    return array;
}

/* Of earlier plans only what was begun is of interest still. */
static void put_progress(struct json *snapshot, const struct run_state *state, int64_t wall_ms)
{
    size_t done = 0, total = 0;
    struct json *steps = js_array();
    for (size_t i = 0; i < state->step_count; i++) {
        const struct run_step *step = &state->steps[i];
        const bool is_current = run_step_is_current(state, step);
        done += is_current && run_step_is_final(step) ? 1 : 0;
        total += is_current ? 1 : 0;
        if (is_current || step->attempt > 0) {
            js_push(steps, describe_step(state, step, wall_ms));
        }
    }
    const int64_t whole_ms = state->plan->estimate_s * 1000;
    js_put_number(snapshot, "steps_done", (int64_t)done);
    js_put_number(snapshot, "steps_total", (int64_t)total);
    js_put_number(
        snapshot, "left_ms", total == 0 ? 0 : whole_ms * (int64_t)(total - done) / (int64_t)total);
    js_put(snapshot, "steps", steps);
}

struct json *run_snapshot(const struct run_state *state, int64_t now_ms, int64_t wall_ms)
{
    const struct plan *plan = state->plan;
    const size_t open = run_open_phase(state);
    const struct plan_request *asked = &state->first->request;
    AUTO_BUF title = {0};
    plan_title(asked, &title);
    struct json *snapshot = js_object();
    js_put_text(snapshot, "run", state->id);
    js_put_text(snapshot, "cluster", asked->cluster);
    js_put_text(snapshot, "title", buf_text(&title));
    js_put_text(snapshot, "state", run_status_names[state->status]);
    js_put_text(snapshot, "direction", run_direction_names[state->direction]);
    js_put_number(snapshot, "revision", (int64_t)state->revision_count);
    js_put(snapshot, "replan", describe_replan(state));
    js_put(snapshot, "proposal", describe_proposal(state));
    js_put(snapshot, "claim", describe_claim(&state->claim, now_ms));
    js_put_text(snapshot, "phase", open < plan->phase_count ? plan->phases[open].name : NULL);
    js_put_text(snapshot, "way_back", run_way_back_names[state->way_back]);
    js_put_text(snapshot, "way_back_reason", state->way_back_reason);
    js_put_number(snapshot, "epoch", state->epoch);
    js_put_number(snapshot, "started_wall_ms", state->started_wall_ms);
    js_put_number(snapshot, "now_wall_ms", wall_ms);
    js_put_number(snapshot, "elapsed_ms", wall_ms - state->started_wall_ms);
    put_progress(snapshot, state, wall_ms);
    js_put(snapshot, "phases", describe_phases(state));
    js_put(snapshot, "nodes", state->nodes == NULL ? js_array() : js_copy(state->nodes));
    js_put(snapshot, "waiting", describe_waiting(state, now_ms, wall_ms));
    js_put(snapshot, "question", describe_question(state));
    js_put(snapshot, "soak", describe_soak(state));
    js_put(snapshot, "scopes", run_scopes_to_json(state));
    js_put(snapshot, "way_back_by_hand",
        texts((const char *const *)plan->way_back, plan->way_back_count));
    const int exit_code =
        state->claim.exit_code != 0 ? state->claim.exit_code : run_exit_code(state);
    js_put(snapshot, "exit", exit_code < 0 ? js_none() : js_number(exit_code));
    return snapshot;
}
