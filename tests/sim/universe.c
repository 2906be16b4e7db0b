#include "universe_parts.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/replan.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/topology.h"
#include "drivers/world.h"
#include "engine/loop.h"
#include "engine/snapshot.h"
#include "steps/steps.h"
#include "strategies/gates.h"

enum {
    WORKERS_MAX = 4,
    TASK_MS_MAX = 20, /* from the queue to the world, and back */
    RESTART_MS_MAX = 5000,
    FREEZE_MS_MAX = 60000,
    LIMIT_MS = 3 * 3600000, /* a run that is not over by then will never be */
};

/* --- doing tasks --- */

static struct run_result *do_task(struct universe *universe, size_t index);

/* Other workers act between a worker's reading and its act: here they do it within its reading. */
static void let_others_work(struct universe *universe)
{
    while (universe->worker_count < WORKERS_MAX && universe->task_count > 0 &&
           universe_draw(universe, 3) == 0) {
        const size_t index = (size_t)universe_draw(universe, (int64_t)universe->task_count);
        struct run_result *result = do_task(universe, index);
        universe->answers[universe->answer_count++] = result;
    }
}

static void miss_a_node(struct universe *universe, struct facts *facts)
{
    struct fact_node *node = &facts->nodes[universe_draw(universe, (int64_t)facts->node_count)];
    *node = (struct fact_node){.name = node->name,
        .address = node->address,
        .trouble = "no answer in time",
        .trouble_code = "unreachable"};
    facts_assign_shards(facts);
}

/* Some nodes answered before the others acted, and some after. */
static struct err *read_the_rest(
    const struct call *call, struct universe *universe, struct facts *facts)
{
    AUTO_FACTS late = {0};
    struct err *err = topology_read(call, call->world->topology, &late);
    if (err != NULL) {
        return err;
    }
    AUTO_JSON early_json = facts_to_json(facts);
    AUTO_JSON late_json = facts_to_json(&late);
    struct json *nodes = js_array();
    for (size_t i = 0; i < facts->node_count; i++) {
        const bool is_late = universe_draw(universe, 2) == 0;
        const struct json *from = js_get(is_late ? late_json : early_json, "nodes");
        js_push(nodes, js_copy(js_at(from, i)));
    }
    js_put(early_json, "nodes", nodes);
    facts_release(facts);
    *facts = (struct facts){0};
    return facts_from_json(early_json, "facts", facts);
}

static struct err *read_facts(const struct call *call, void *context, struct facts *ret_facts)
{
    struct universe *universe = context;
    struct err *err = topology_read(call, call->world->topology, ret_facts);
    let_others_work(universe);
    if (err == NULL && universe_happens(universe, 10 * universe->options->trouble.torn_pct)) {
        err = read_the_rest(call, universe, ret_facts);
    }
    if (err == NULL && universe_happens(universe, 10 * universe->options->trouble.blind_pct)) {
        miss_a_node(universe, ret_facts);
    }
    return err;
}

static void forget_task(const struct run_task *task)
{
    struct run_task lost = *task;
    run_task_release(&lost);
}

/* What is handed over may reach the servers even though the controller dies of it. */
static void strike_send(
    struct universe *universe, enum universe_blow blow, const struct run_task *task)
{
    if (blow == BLOW_DIES_BEFORE) {
        universe_die(universe, "before a send");
        forget_task(task);
        return;
    }
    universe->tasks[universe->task_count++] = *task;
    run_result_free(do_task(universe, universe->task_count - 1));
    universe_die(universe, "after a send");
}

static bool is_act(const struct run_task *task)
{
    return task->kind == RUN_TASK_APPLY || task->kind == RUN_TASK_UNDO;
}

static void hand_over(struct universe *universe, const struct run_task *task)
{
    enum universe_blow blow;
    if (!universe->is_dead && is_act(task) &&
        universe_happens(universe, universe->options->trouble.death_permille)) {
        universe_die(universe, "before a send");
    }
    if (universe->is_dead) {
        forget_task(task);
        return;
    }
    if (universe->task_count + universe->answer_count >= UNIVERSE_TASKS_MAX) {
        stage_die("too many tasks in flight", NULL);
    }
    if (universe_is_struck(universe, PLACE_SEND, &blow)) {
        strike_send(universe, blow, task);
        return;
    }
    universe->tasks[universe->task_count++] = *task;
}

static struct err *replan(
    struct call *call, void *context, const struct run_task *task, struct run_result *result)
{
    struct universe *universe = context;
    const struct stage *stage = universe->options->stage;
    const struct replan rest = {.inventory = &stage->inventory,
        .cluster = &stage->cluster,
        .rules = &stage->rules,
        .world = sim_world(universe->sim),
        .first = universe->options->plan,
        .present = task->from,
        .progress = task->progress,
        .why = task->replan};
    return replan_for_engine(call, &rest, &universe->executor, result);
}

static void submit(void *context, const struct run_task *task)
{
    struct universe *universe = context;
    universe->is_thinking = false;
    hand_over(universe, task);
    universe->is_thinking = !universe->is_dead;
}

static const struct exec_ops exec_ops = {submit};

static struct run_result *do_task(struct universe *universe, size_t index)
{
    struct run_task task = universe->tasks[index];
    universe->tasks[index] = universe->tasks[--universe->task_count];
    clock_wait_ms(sim_clock(universe->sim), 1 + universe_draw(universe, TASK_MS_MAX));
    invariants_before_task(&universe->invariants, &task);
    universe->worker_count++;
    const bool was_thinking = universe->is_thinking;
    universe->is_thinking = !universe->is_dead;
    struct run_result *result = executor_do(&universe->executor, &task);
    if (is_act(&task) && universe_happens(universe, universe->options->trouble.twice_permille)) {
        universe_trace(universe, "again", task.plan->id);
        run_result_free(result);
        result = executor_do(&universe->executor, &task);
    }
    universe->is_thinking = was_thinking;
    universe->worker_count--;
    invariants_after_task(&universe->invariants, &task, result);
    forget_task(&task);
    return result;
}

/* What was under way when the controller died may still have reached the servers, or not. */
static void bury(struct universe *universe)
{
    while (universe->task_count > 0) {
        const size_t last = universe->task_count - 1;
        if (universe->is_dead && universe_draw(universe, 2) == 0) {
            run_result_free(do_task(universe, last));
        } else if (universe->is_dead && universe_keep_ghost(universe, &universe->tasks[last])) {
            universe->task_count--;
        } else {
            forget_task(&universe->tasks[last]);
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
        universe_die(universe, "stands still");
        return end_life(ret_event);
    }
    const int64_t left_ms = next_ms - universe_now(universe);
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
    const size_t index = (size_t)universe_draw(universe, (int64_t)count);
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
        universe_trace(universe, "world", "acts");
        event->act(universe->options->stage);
    }
}

/* The whole process stands still, and nobody told it. */
static void freeze(struct universe *universe)
{
    if (universe_happens(universe, universe->options->trouble.freeze_permille)) {
        universe_trace(universe, "FREEZE", "the controller stands still");
        clock_wait_ms(sim_clock(universe->sim), universe_draw(universe, FREEZE_MS_MAX));
    }
}

/* Dies instead of hearing what became of a task? */
static bool dies_of_answer(struct universe *universe)
{
    enum universe_blow blow;
    if (!universe_is_struck(universe, PLACE_ANSWER, &blow) &&
        !universe_happens(universe, universe->options->trouble.death_permille)) {
        return false;
    }
    universe_die(universe, "before an answer");
    return true;
}

static bool find_event(struct universe *universe, int64_t until_ms, struct event *ret_event)
{
    js_free(universe->body);
    universe->body = NULL;
    if (!universe_is_troubled(universe)) {
        sim_set_faults(universe->sim, (struct sim_faults){0});
    }
    if (universe_now(universe) - universe->started_ms > LIMIT_MS) {
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
    freeze(universe);
    let_world_act(universe);
    universe_let_rivals_act(universe);
    if (universe_operate(universe, ret_event) || answer_as_probe(universe, ret_event)) {
        return true;
    }
    struct run_result *result = next_answer(universe);
    if (result == NULL) {
        return wait_for_time(universe, until_ms, ret_event);
    }
    if (dies_of_answer(universe)) {
        run_result_free(result);
        return end_life(ret_event);
    }
    *ret_event = (struct event){.kind = EVENT_RESULT, .result = result};
    return true;
}

static bool next_event(void *context, int64_t until_ms, struct event *ret_event)
{
    struct universe *universe = context;
    universe->is_thinking = false;
    const bool is_found = find_event(universe, until_ms, ret_event);
    universe->is_thinking = !universe->is_dead;
    return is_found;
}

/* --- what the engine tells --- */

static void on_records(void *context, const struct run_state *state,
    const struct journal_record *records, size_t record_count)
{
    struct universe *universe = context;
    universe->is_thinking = false;
    invariants_after_commit(&universe->invariants, state);
    for (size_t i = 0; universe->options->is_traced && i < record_count; i++) {
        AUTO_FREE char *body = js_write(records[i].body);
        AUTO_FREE char *line =
            mem_format("%s %.160s", records[i].step == NULL ? "-" : records[i].step, body);
        universe_trace(universe, journal_type_names[records[i].type], line);
    }
    universe->is_thinking = true;
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
    universe_act_as((int64_t)universe->life_count);
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
    if (setjmp(universe->death) == 0) {
        int exit_code = 0;
        universe->is_thinking = true;
        AUTO_ERR err = engine_run(&universe->state, &io, &first, &exit_code);
        universe->is_thinking = false;
        if (err == NULL && run_status_is_final(universe->state.status)) {
            universe->is_over = true;
        }
    } else { /* died of an allocation: what it held is gone, and a process would give it back */
        universe->worker_count = 0;
        universe->state = (struct run_state){0};
    }
    bury(universe);
    clock_wait_ms(sim_clock(universe->sim), 1 + universe_draw(universe, RESTART_MS_MAX));
}

static void tell_end(struct universe *universe, struct universe_end *ret_end)
{
    *ret_end = (struct universe_end){
        .status = universe->invariants.folded.status,
        .lived_ms = universe_now(universe) - universe->started_ms,
        .life_count = universe->life_count,
        .question_count = universe->question_count,
        .record_count = universe->journal.record_count,
        .revision_count = universe->invariants.folded.revision_count,
    };
    for (size_t i = 0; i < universe->journal.record_count; i++) {
        ret_end->counts[universe->journal.records[i].type]++;
    }
    memcpy(ret_end->places, universe->places, sizeof(ret_end->places));
    ret_end->strikes_left = universe->options->strike_count - universe->strike_count;
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
    universe_wind_clock(universe);
    universe_watch_allocations(universe);
    universe->random.state = options->seed;
    universe->wall_random.state = options->seed;
    universe->started_ms = universe_now(universe);
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
        .replan = replan,
        .replan_context = universe,
    };
    universe_open_claims(universe);
    memory_journal_init(&universe->journal);
    universe->journal.draw_fate = universe_append_fate;
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
    universe_watch_allocations(NULL);
    universe_forget_ghost(universe);
    free(universe);
}
