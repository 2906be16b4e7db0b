/* The operator of a universe: answers what the run asks, and types what nobody asked for. */
#include "base/mem.h"
#include "base/str.h"
#include "universe_parts.h"

enum {
    ANSWER_MS_MAX = 3000, /* an operator reads and types */
    SOAK_MS_MAX = 20000,
    QUESTIONS_MAX = 100,
};

static void fill_command(
    struct universe *universe, enum run_command command, struct event *ret_event)
{
    universe_trace(universe, "operator", run_command_names[command]);
    *ret_event =
        (struct event){.kind = EVENT_OPERATOR, .command = command, .who = "ada", .reply_id = 1};
}

/* Has the run stopped the node, to start it again later? */
static bool is_the_runs(const struct run_state *state, const char *node)
{
    bool is_stopped = false;
    for (size_t i = 0; i < state->step_count; i++) {
        const struct run_step *step = &state->steps[i];
        if (!text_equal(step->plan->node, node)) {
            continue;
        }
        if (step->plan->takes_out) {
            is_stopped = step->status != RUN_STEP_PENDING;
        } else if (text_equal(step->plan->kind, "service.start") && run_step_is_final(step)) {
            is_stopped = false;
        }
    }
    return is_stopped;
}

/* Servers that died and that the run is not about to start itself. */
static void start_dead_nodes(struct universe *universe)
{
    AUTO_FACTS facts = {0};
    stage_read(universe->options->stage, &facts);
    for (size_t i = 0; i < facts.node_count; i++) {
        if (!facts.nodes[i].is_reachable && !is_the_runs(&universe->state, facts.nodes[i].name)) {
            universe_trace(universe, "operator", "starts a server that died");
            stage_start_by_hand(universe->options->stage, facts.nodes[i].name);
        }
    }
}

static void answer_question(struct universe *universe, struct event *ret_event)
{
    const int64_t limit = universe->options->questions_max;
    universe->question_count++;
    if (universe->state.reason_count > 0) {
        universe_trace(universe, "question", universe->state.reasons[0]);
    }
    if (limit > 0 && (int64_t)universe->question_count > limit) {
        fill_command(universe, RUN_COMMAND_ABORT, ret_event);
        return;
    }
    if (universe->question_count > QUESTIONS_MAX) {
        invariants_complain(&universe->invariants, "asked again and again: %s",
            universe->state.reason_count > 0 ? universe->state.reasons[0] : "for no reason");
        universe->is_over = true;
    }
    if (universe->options->trouble.calls.crash_pct > 0) {
        start_dead_nodes(universe);
    }
    fill_command(universe, RUN_COMMAND_RESUME, ret_event);
    const char *digest = js_get_text(universe->state.proposal, "digest");
    if (digest != NULL) { /* a wider plan: as good as any */
        universe->body = js_object();
        AUTO_FREE char *answer = mem_format("accept %s", digest);
        js_put_text(universe->body, "answer", answer);
        ret_event->answer = js_get_text(universe->body, "answer");
    }
}

/* What a run at rest waits for. */
static bool answer_run(struct universe *universe, struct event *ret_event)
{
    const enum run_status status = universe->state.status;
    if (status != RUN_PAUSED && status != RUN_SOAKING) {
        universe->answer_at_ms = 0;
        return false;
    }
    const int64_t now_ms = universe_now(universe);
    if (universe->answer_at_ms == 0) {
        const int64_t limit_ms = status == RUN_PAUSED ? ANSWER_MS_MAX : SOAK_MS_MAX;
        universe->answer_at_ms = now_ms + 1 + universe_draw(universe, limit_ms);
    }
    if (now_ms < universe->answer_at_ms) {
        return false;
    }
    universe->answer_at_ms = 0;
    if (status == RUN_SOAKING) {
        fill_command(universe, RUN_COMMAND_FINALIZE, ret_event);
    } else {
        answer_question(universe, ret_event);
    }
    return true;
}

/* Somebody types what nobody asked for. */
static bool meddle(struct universe *universe, struct event *ret_event)
{
    if (universe->state.status == RUN_PLANNED || universe->state.status == RUN_CLAIMING ||
        !universe_happens(universe, universe->options->trouble.meddle_permille)) {
        return false;
    }
    static const enum run_command commands[] = {
        RUN_COMMAND_PAUSE, RUN_COMMAND_RESUME, RUN_COMMAND_FINALIZE, RUN_COMMAND_PAUSE};
    const size_t index = (size_t)universe_draw(universe, ARRAY_COUNT(commands));
    fill_command(universe, commands[index], ret_event);
    ret_event->is_ending = index + 1 == ARRAY_COUNT(commands); /* SIGTERM */
    return true;
}

/* Commands that are typed once, at their time. */
static bool order_when_told(struct universe *universe, struct event *ret_event)
{
    const struct universe_options *options = universe->options;
    const struct {
        int64_t at_ms;
        enum run_command command;
        const char *answer;
    } orders[] = {
        {options->abort_at_ms, RUN_COMMAND_ABORT, NULL},
        {options->rollback_at_ms, RUN_COMMAND_ROLLBACK, NULL},
        {options->forward_at_ms, RUN_COMMAND_RESUME, "forward"},
    };
    const int64_t lived_ms = universe_now(universe) - universe->started_ms;
    for (size_t i = 0; i < ARRAY_COUNT(orders); i++) {
        const size_t bit = (size_t)1 << i;
        const bool is_due = orders[i].at_ms > 0 && lived_ms >= orders[i].at_ms;
        if (!is_due || (universe->orders_done & bit) != 0 ||
            universe->state.status == RUN_PLANNED || universe->state.status == RUN_CLAIMING) {
            continue;
        }
        universe->orders_done |= bit;
        fill_command(universe, orders[i].command, ret_event);
        ret_event->answer = orders[i].answer;
        return true;
    }
    return false;
}

bool universe_operate(struct universe *universe, struct event *ret_event)
{
    return order_when_told(universe, ret_event) || answer_run(universe, ret_event) ||
           meddle(universe, ret_event);
}
