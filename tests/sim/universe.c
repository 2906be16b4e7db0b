#include "universe.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "drivers/topology.h"
#include "drivers/world.h"
#include "engine/executor.h"
#include "engine/loop.h"
#include "engine/snapshot.h"
#include "invariants.h"
#include "memory_journal.h"
#include "steps/steps.h"
#include "strategies/gates.h"

enum {
    TASKS_MAX = 256,
    WORKERS_MAX = 4,
    TASK_MS_MAX = 20, /* from the queue to the world, and back */
    RESTART_MS_MAX = 5000,
    ANSWER_MS_MAX = 3000, /* an operator reads and types */
    SOAK_MS_MAX = 20000,
    DAY_MS = 86400000,
    LIMIT_MS = 3 * 3600000, /* a run that is not over by then will never be */
    QUESTIONS_MAX = 100,
};

struct timepiece {
    struct clock base;
    struct universe *universe;
};

struct universe {
    const struct universe_options *options;
    struct sim *sim;
    struct timepiece clock;
    struct random random;
    struct random wall_random;
    struct memory_journal journal;
    struct invariants invariants;
    struct executor executor;
    int64_t started_ms;
    int64_t wall_offset_ms;
    int64_t answer_at_ms; /* the operator acts; 0: has nothing to do */
    size_t life_count, question_count;
    bool has_aborted;
    bool has_event_happened;
    bool is_over; /* nothing more can come of it */

    /* of the present controller */
    struct run_state state;
    struct run_task tasks[TASKS_MAX];
    size_t task_count;
    struct run_result *answers[TASKS_MAX]; /* done, but not heard of yet */
    size_t answer_count;
    size_t worker_count; /* tasks in work, one within the other */
    bool is_dead;
    bool is_probe_asked;
    struct json *body; /* of the event handed out last */
};

/* --- chance and time --- */

static int64_t sim_now(const struct universe *universe)
{
    return clock_now_ms(sim_clock(universe->sim));
}

static bool is_troubled(const struct universe *universe)
{
    return sim_now(universe) - universe->started_ms < universe->options->trouble_ms;
}

static int64_t draw_below(struct universe *universe, int64_t limit)
{
    return (int64_t)random_below(&universe->random, (uint64_t)limit);
}

static bool happens(struct universe *universe, unsigned permille)
{
    return is_troubled(universe) && permille > 0 && draw_below(universe, 1000) < permille;
}

static void trace(const struct universe *universe, const char *what, const char *detail)
{
    if (universe->options->is_traced) {
        fprintf(stderr, "%8lld  %-9s %s\n", (long long)(sim_now(universe) - universe->started_ms),
            what, detail);
    }
}

static int64_t timepiece_now_ms(struct clock *clock)
{
    return sim_now(((struct timepiece *)clock)->universe);
}

static int64_t timepiece_wall_ms(struct clock *clock)
{
    struct universe *universe = ((struct timepiece *)clock)->universe;
    const unsigned permille = universe->options->trouble.wall_permille;
    if (permille > 0 && random_below(&universe->wall_random, 1000) < permille) {
        universe->wall_offset_ms =
            (int64_t)random_below(&universe->wall_random, 2 * DAY_MS) - DAY_MS;
    }
    return clock_wall_ms(sim_clock(universe->sim)) + universe->wall_offset_ms;
}

static void timepiece_wait_ms(struct clock *clock, int64_t duration_ms)
{
    clock_wait_ms(sim_clock(((struct timepiece *)clock)->universe->sim), duration_ms);
}

static const struct clock_ops timepiece_ops = {
    timepiece_now_ms, timepiece_wall_ms, timepiece_wait_ms};

/* --- the controller's death --- */

static void die(struct universe *universe, const char *where)
{
    trace(universe, "DEATH", where);
    universe->is_dead = true;
}

static enum append_fate draw_fate(void *context)
{
    struct universe *universe = context;
    if (universe->is_dead) {
        return APPEND_DIES_BEFORE;
    }
    const struct universe_trouble *trouble = &universe->options->trouble;
    if (happens(universe, trouble->full_permille)) {
        die(universe, "the journal's disk is full");
        return APPEND_FAILS;
    }
    if (happens(universe, trouble->death_permille)) {
        const bool is_before = draw_below(universe, 2) == 0;
        die(universe, is_before ? "before a commit" : "after a commit");
        return is_before ? APPEND_DIES_BEFORE : APPEND_DIES_AFTER;
    }
    return APPEND_WELL;
}

/* --- doing tasks --- */

static struct run_result *do_task(struct universe *universe, size_t index);

/* Other workers act between a worker's reading and its act: here they do it within its reading. */
static void let_others_work(struct universe *universe)
{
    while (universe->worker_count < WORKERS_MAX && universe->task_count > 0 &&
           draw_below(universe, 3) == 0) {
        const size_t index = (size_t)draw_below(universe, (int64_t)universe->task_count);
        struct run_result *result = do_task(universe, index);
        universe->answers[universe->answer_count++] = result;
    }
}

static struct err *read_facts(const struct call *call, void *context, struct facts *ret_facts)
{
    struct universe *universe = context;
    struct err *err = topology_read(call, call->world->topology, ret_facts);
    let_others_work(universe);
    if (err == NULL && happens(universe, 10 * universe->options->trouble.blind_pct)) {
        const size_t missed = (size_t)draw_below(universe, (int64_t)ret_facts->node_count);
        struct fact_node *node = &ret_facts->nodes[missed];
        *node = (struct fact_node){.name = node->name,
            .address = node->address,
            .trouble = "no answer in time",
            .trouble_code = "unreachable"};
        facts_assign_shards(ret_facts);
    }
    return err;
}

static void submit(void *context, const struct run_task *task)
{
    struct universe *universe = context;
    const bool is_act = task->kind == RUN_TASK_APPLY || task->kind == RUN_TASK_UNDO;
    if (!universe->is_dead && is_act &&
        happens(universe, universe->options->trouble.death_permille)) {
        die(universe, "before a send");
    }
    if (universe->is_dead) {
        struct run_task lost = *task;
        run_task_release(&lost);
        return;
    }
    if (universe->task_count + universe->answer_count >= TASKS_MAX) {
        stage_die("too many tasks in flight", NULL);
    }
    universe->tasks[universe->task_count++] = *task;
}

static const struct exec_ops exec_ops = {submit};

static struct run_result *do_task(struct universe *universe, size_t index)
{
    struct run_task task = universe->tasks[index];
    universe->tasks[index] = universe->tasks[--universe->task_count];
    clock_wait_ms(sim_clock(universe->sim), 1 + draw_below(universe, TASK_MS_MAX));
    invariants_before_task(&universe->invariants, &task);
    universe->worker_count++;
    struct run_result *result = executor_do(&universe->executor, &task);
    universe->worker_count--;
    invariants_after_task(&universe->invariants, &task, result);
    run_task_release(&task);
    return result;
}

/* What was under way when the controller died may still have reached the servers, or not. */
static void bury(struct universe *universe)
{
    while (universe->task_count > 0) {
        const size_t last = universe->task_count - 1;
        if (universe->is_dead && draw_below(universe, 2) == 0) {
            run_result_free(do_task(universe, last));
        } else {
            run_task_release(&universe->tasks[last]);
            universe->task_count--;
        }
    }
    while (universe->answer_count > 0) {
        run_result_free(universe->answers[--universe->answer_count]);
    }
    run_release(&universe->state);
    js_free(universe->body);
    universe->body = NULL;
    universe->is_probe_asked = false;
    universe->answer_at_ms = 0;
}

/* --- the operator --- */

static void fill_command(
    struct universe *universe, enum run_command command, struct event *ret_event)
{
    trace(universe, "operator", run_command_names[command]);
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
            trace(universe, "operator", "starts a server that died");
            stage_start_by_hand(universe->options->stage, facts.nodes[i].name);
        }
    }
}

static void answer_question(struct universe *universe, struct event *ret_event)
{
    const int64_t limit = universe->options->questions_max;
    universe->question_count++;
    if (universe->state.reason_count > 0) {
        trace(universe, "question", universe->state.reasons[0]);
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
}

/* What a run at rest waits for. */
static bool answer_run(struct universe *universe, struct event *ret_event)
{
    const enum run_status status = universe->state.status;
    if (status != RUN_PAUSED && status != RUN_SOAKING) {
        universe->answer_at_ms = 0;
        return false;
    }
    const int64_t now_ms = sim_now(universe);
    if (universe->answer_at_ms == 0) {
        const int64_t limit_ms = status == RUN_PAUSED ? ANSWER_MS_MAX : SOAK_MS_MAX;
        universe->answer_at_ms = now_ms + 1 + draw_below(universe, limit_ms);
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
    if (universe->state.status == RUN_PLANNED ||
        !happens(universe, universe->options->trouble.meddle_permille)) {
        return false;
    }
    static const enum run_command commands[] = {
        RUN_COMMAND_PAUSE, RUN_COMMAND_RESUME, RUN_COMMAND_FINALIZE, RUN_COMMAND_PAUSE};
    const size_t index = (size_t)draw_below(universe, ARRAY_COUNT(commands));
    fill_command(universe, commands[index], ret_event);
    ret_event->is_ending = index + 1 == ARRAY_COUNT(commands); /* SIGTERM */
    return true;
}

static bool abort_when_told(struct universe *universe, struct event *ret_event)
{
    const int64_t at_ms = universe->options->abort_at_ms;
    if (universe->has_aborted || at_ms == 0 || universe->state.status == RUN_PLANNED ||
        sim_now(universe) - universe->started_ms < at_ms) {
        return false;
    }
    universe->has_aborted = true;
    fill_command(universe, RUN_COMMAND_ABORT, ret_event);
    return true;
}

static bool operate(struct universe *universe, struct event *ret_event)
{
    return abort_when_told(universe, ret_event) || answer_run(universe, ret_event) ||
           meddle(universe, ret_event);
}

/* --- events --- */

/* A controller that is dead, or stands still for ever: its next record cannot be appended. */
static bool end_life(struct event *ret_event)
{
    *ret_event = (struct event){.kind = EVENT_PROBE_GAP};
    return true;
}

static bool answer_as_probe(struct universe *universe, struct event *ret_event)
{
    if (!universe->is_probe_asked) {
        return false;
    }
    universe->is_probe_asked = false;
    universe->body = js_object();
    js_put_number(universe->body, "failed", 0);
    *ret_event = (struct event){.kind = EVENT_PROBE, .body = universe->body};
    return true;
}

static bool wait_for_time(struct universe *universe, int64_t until_ms, struct event *ret_event)
{
    int64_t next_ms = until_ms == 0 ? INT64_MAX : until_ms;
    if (universe->answer_at_ms != 0 && universe->answer_at_ms < next_ms) {
        next_ms = universe->answer_at_ms;
    }
    if (next_ms == INT64_MAX) {
        invariants_complain(&universe->invariants, "the run is %s and waits for nothing",
            run_status_names[universe->state.status]);
        universe->is_over = true;
        die(universe, "stands still");
        return end_life(ret_event);
    }
    const int64_t left_ms = next_ms - sim_now(universe);
    clock_wait_ms(sim_clock(universe->sim), left_ms > 0 ? left_ms : 1);
    return false;
}

/* What a worker posts next, or NULL when there is nothing in flight. */
static struct run_result *next_answer(struct universe *universe)
{
    const size_t count = universe->task_count + universe->answer_count;
    if (count == 0) {
        return NULL;
    }
    const size_t index = (size_t)draw_below(universe, (int64_t)count);
    if (index < universe->task_count) {
        return do_task(universe, index);
    }
    struct run_result *result = universe->answers[index - universe->task_count];
    universe->answers[index - universe->task_count] = universe->answers[--universe->answer_count];
    return result;
}

static void let_world_act(struct universe *universe)
{
    const struct universe_event *event = &universe->options->event;
    if (event->act != NULL && !universe->has_event_happened &&
        universe->state.status == event->when) {
        universe->has_event_happened = true;
        trace(universe, "world", "acts");
        event->act(universe->options->stage);
    }
}

static bool next_event(void *context, int64_t until_ms, struct event *ret_event)
{
    struct universe *universe = context;
    js_free(universe->body);
    universe->body = NULL;
    if (!is_troubled(universe)) {
        sim_set_faults(universe->sim, (struct sim_faults){0});
    }
    if (sim_now(universe) - universe->started_ms > LIMIT_MS) {
        invariants_complain(&universe->invariants, "the run does not end");
        universe->is_over = true;
    }
    if (universe->invariants.complaint != NULL || universe->is_over) {
        universe->is_over = true;
        universe->is_dead = true;
    }
    if (universe->is_dead) {
        return end_life(ret_event);
    }
    let_world_act(universe);
    if (operate(universe, ret_event) || answer_as_probe(universe, ret_event)) {
        return true;
    }
    struct run_result *result = next_answer(universe);
    if (result == NULL) {
        return wait_for_time(universe, until_ms, ret_event);
    }
    if (happens(universe, universe->options->trouble.death_permille)) {
        die(universe, "before an answer");
        run_result_free(result);
        return end_life(ret_event);
    }
    *ret_event = (struct event){.kind = EVENT_RESULT, .result = result};
    return true;
}

/* --- what the engine tells --- */

static void on_records(void *context, const struct run_state *state,
    const struct journal_record *records, size_t record_count)
{
    struct universe *universe = context;
    invariants_after_commit(&universe->invariants, state);
    for (size_t i = 0; universe->options->is_traced && i < record_count; i++) {
        AUTO_FREE char *body = js_write(records[i].body);
        AUTO_FREE char *line =
            mem_format("%s %.160s", records[i].step == NULL ? "-" : records[i].step, body);
        trace(universe, journal_type_names[records[i].type], line);
    }
}

static void on_reply(void *UNUSED(context), int64_t UNUSED(reply_id), bool UNUSED(is_ok),
    int UNUSED(exit_code), const char *UNUSED(text))
{
    /* what a command means in a state is tested pair by pair elsewhere */
}

static void on_probe_stop(void *context)
{
    struct universe *universe = context;
    universe->is_probe_asked = true;
}

static void on_change(void *UNUSED(context), const struct run_state *UNUSED(state))
{
    /* nobody watches */
}

static const struct observer_ops observer = {on_records, on_reply, on_probe_stop, on_change};

/* --- lives --- */

static void live(struct universe *universe)
{
    const bool is_resumed = universe->life_count++ > 0;
    universe->is_dead = false;
    run_init(&universe->state, universe->options->plan, "sim-1");
    engine_fold_all(&universe->state, universe->journal.records, universe->journal.record_count);
    universe->state.epoch += is_resumed ? 1 : 0;
    const struct engine_io io = {
        .clock = &universe->clock.base,
        .journal = &universe->journal.base,
        .exec = &exec_ops,
        .exec_context = universe,
        .observer = &observer,
        .observer_context = universe,
        .next_event = next_event,
        .queue_context = universe,
    };
    struct event first = {.kind = EVENT_BEGIN, .is_resumed = is_resumed};
    int exit_code = 0;
    AUTO_ERR err = engine_run(&universe->state, &io, &first, &exit_code);
    if (err == NULL && run_status_is_final(universe->state.status)) {
        universe->is_over = true;
    }
    bury(universe);
    clock_wait_ms(sim_clock(universe->sim), 1 + draw_below(universe, RESTART_MS_MAX));
}

static void tell_end(struct universe *universe, struct universe_end *ret_end)
{
    *ret_end = (struct universe_end){
        .status = universe->invariants.folded.status,
        .lived_ms = sim_now(universe) - universe->started_ms,
        .life_count = universe->life_count,
        .question_count = universe->question_count,
        .record_count = universe->journal.record_count,
    };
    for (size_t i = 0; i < universe->journal.record_count; i++) {
        ret_end->counts[universe->journal.records[i].type]++;
    }
    memory_journal_digest(&universe->journal, true, ret_end->digest);
    memory_journal_digest(&universe->journal, false, ret_end->digest_without_wall);
    if (universe->invariants.complaint != NULL) {
        (void)snprintf(
            ret_end->complaint, sizeof(ret_end->complaint), "%s", universe->invariants.complaint);
    }
}

void universe_run(const struct universe_options *options, struct universe_end *ret_end)
{
    struct universe *universe = mem_alloc(sizeof(*universe));
    universe->options = options;
    universe->sim = options->stage->sim;
    universe->clock = (struct timepiece){{&timepiece_ops}, universe};
    universe->random.state = options->seed;
    universe->wall_random.state = options->seed;
    universe->started_ms = sim_now(universe);
    universe->executor = (struct executor){
        .steps = step_table,
        .gates = strategy_gates,
        .gate_count = strategy_gate_count,
        .rules = &options->stage->rules,
        .clock = &universe->clock.base,
        .world = sim_world(universe->sim),
        .run = "sim-1",
        .read_facts = read_facts,
        .facts_context = universe,
    };
    memory_journal_init(&universe->journal);
    universe->journal.draw_fate = draw_fate;
    universe->journal.context = universe;
    invariants_init(&universe->invariants, options->stage, options->plan, &universe->journal);
    universe->invariants.may_lose = options->trouble.calls.crash_pct > 0;
    sim_set_faults(universe->sim, options->trouble.calls);
    while (!universe->is_over) {
        live(universe);
    }
    sim_set_faults(universe->sim, (struct sim_faults){0});
    if (universe->invariants.complaint == NULL) {
        invariants_at_end(&universe->invariants);
    }
    tell_end(universe, ret_end);
    invariants_release(&universe->invariants);
    memory_journal_release(&universe->journal);
    free(universe);
}
