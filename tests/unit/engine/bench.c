#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/loop.h"

struct row {
    const char *phase, *id, *kind, *node, *shard, *after;
    bool takes_out;
    enum plan_scope scope;
};

static const struct row rows[] = {
    {"prepare", "s1/n1/backlog", "fake", "n1", "s1", NULL, false, PLAN_SCOPE_RUN},
    {"prepare", "s1/n4/delay", "fake", "n4", "s1", NULL, false, PLAN_SCOPE_FINALIZE},
    {"replicas", "s1/n4/stop", "fake", "n4", "s1", NULL, true, PLAN_SCOPE_NONE},
    {"replicas", "s1/n4/switch", "fake", "n4", "s1", "s1/n4/stop", false, PLAN_SCOPE_NONE},
    {"replicas", "s1/n4/start", "fake", "n4", "s1", "s1/n4/switch", false, PLAN_SCOPE_NONE},
    {"replicas", "s2/n5/stop", "fake", "n5", "s2", NULL, true, PLAN_SCOPE_NONE},
    {"replicas", "s2/n5/switch", "fake", "n5", "s2", "s2/n5/stop", false, PLAN_SCOPE_NONE},
    {"replicas", "s2/n5/start", "fake", "n5", "s2", "s2/n5/switch", false, PLAN_SCOPE_NONE},
    {"switchover", "s1/switchover", "fake", "n4", "s1", NULL, false, PLAN_SCOPE_NONE},
    {"switchover", "s2/switchover", "fake", "n5", "s2", NULL, false, PLAN_SCOPE_NONE},
    {"finalize", "s1/n1/stop", "fake", "n1", "s1", NULL, true, PLAN_SCOPE_NONE},
    {"finalize", "s1/n1/switch", "fake", "n1", "s1", "s1/n1/stop", false, PLAN_SCOPE_NONE},
    {"finalize", "s1/n1/start", "fake", "n1", "s1", "s1/n1/switch", false, PLAN_SCOPE_NONE},
};

static void fill_step(struct arena *arena, struct plan_step *step, const struct row *row)
{
    *step = (struct plan_step){
        .id = row->id,
        .kind = row->kind,
        .def = 1,
        .summary = row->id,
        .node = row->node,
        .shard = row->shard,
        .args = js_object(),
        .scope = row->scope,
        .takes_out = row->takes_out,
        .deadline_ms = 10000,
        .settle_ms = 500,
    };
    if (row->after != NULL) {
        const char **after = arena_push(arena, &step->after, &step->after_count, sizeof(*after));
        *after = row->after;
    }
    if (row->takes_out) {
        const char **takes = arena_alloc_array(arena, 2, sizeof(*takes));
        takes[0] = row->shard;
        takes[1] = "cluster";
        step->takes = takes;
        step->takes_count = 2;
    }
}

static void fill_plan(struct plan *plan)
{
    static const char *const nodes[] = {"n1", "n2", "n4", "n5"};
    struct arena *arena = &plan->arena;
    plan->request = (struct plan_request){"toy", "upgrade", "a 1", "a 2", "a/2", "2", "a"};
    plan->format = PLAN_FORMAT;
    plan->direction = "forward";
    struct plan_gate *during =
        arena_push(arena, &plan->during, &plan->during_count, sizeof(*plan->during));
    during->name = "way_back_fed";
    plan->policy = (struct plan_policy){.max_unavailable = 1,
        .gate_timeout_ms = 60000,
        .on_failure = "pause",
        .probe_mode = "write",
        .probe_required = true};
    struct plan_group *group =
        arena_push(arena, &plan->groups, &plan->group_count, sizeof(*plan->groups));
    *group = (struct plan_group){.name = "cluster", .max_unavailable = 1};
    group->nodes = arena_alloc_array(arena, ARRAY_COUNT(nodes), sizeof(char *));
    memcpy(group->nodes, nodes, sizeof(nodes));
    group->node_count = ARRAY_COUNT(nodes);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct plan_phase *phase =
            plan->phase_count == 0 ? NULL : &plan->phases[plan->phase_count - 1];
        if (phase == NULL || strcmp(phase->name, rows[i].phase) != 0) {
            phase = arena_push(arena, &plan->phases, &plan->phase_count, sizeof(*plan->phases));
            phase->name = rows[i].phase;
            phase->title = rows[i].phase;
        }
        struct plan_step *step =
            arena_push(arena, &phase->steps, &phase->step_count, sizeof(*phase->steps));
        fill_step(arena, step, &rows[i]);
    }
}

void bench_init(struct bench *bench)
{
    memset(bench, 0, sizeof(*bench));
    bench->now_ms = 1000;
    fill_plan(&bench->plan);
    run_init(&bench->state, &bench->plan, "toy-1");
}

static void drop_tasks(struct bench *bench)
{
    for (size_t i = 0; i < bench->task_count; i++) {
        run_task_release(&bench->tasks[i]);
    }
    bench->task_count = 0;
}

void bench_release(struct bench *bench)
{
    drop_tasks(bench);
    for (size_t i = 0; i < bench->record_count; i++) {
        js_free(bench->records[i].body);
    }
    run_release(&bench->state);
    plan_release(&bench->plan);
    arena_release(&bench->arena);
}

static void take_command(struct bench *bench, const struct command *command)
{
    switch (command->kind) {
    case COMMAND_TASK: {
        struct run_task task = command->task;
        task.args = js_ref(task.args);
        task.before = js_ref(task.before);
        task.progress = js_ref(task.progress);
        task.scopes = js_ref(task.scopes);
        if (bench->task_count == BENCH_TASKS_MAX) {
            abort();
        }
        bench->tasks[bench->task_count++] = task;
        break;
    }
    case COMMAND_REPLY:
        bench->reply_ok = command->is_ok;
        bench->reply_exit = command->exit;
        bench->reply_count++;
        (void)snprintf(bench->reply_text, sizeof(bench->reply_text), "%s", command->text);
        break;
    case COMMAND_PROBE_STOP:
        bench->is_probe_asked = true;
        break;
    case COMMAND_END:
        bench->has_ended = true;
        bench->exit_code = command->exit;
        break;
    }
}

static void send_event(struct bench *bench, struct event *event)
{
    event->now_ms = bench->now_ms;
    event->wall_ms = 1700000000000 + bench->now_ms;
    struct commands commands = {0};
    engine_decide(&bench->state, event, &commands);
    for (size_t i = 0; i < commands.record_count; i++) {
        if (bench->record_count == BENCH_RECORDS_MAX) {
            abort();
        }
        struct journal_record record = commands.records[i];
        record.body = js_ref(record.body);
        if (record.step != NULL) { /* a revised plan goes with the state */
            record.step = arena_strdup(&bench->arena, record.step);
        }
        record.seq = (int64_t)bench->record_count + 1;
        bench->records[bench->record_count++] = record;
    }
    for (size_t i = 0; i < commands.count; i++) {
        take_command(bench, &commands.list[i]);
    }
    bench->wake_ms = commands.wake_ms;
    commands_release(&commands);
}

void bench_begin(struct bench *bench, bool is_resumed)
{
    struct event event = {.kind = EVENT_BEGIN, .is_resumed = is_resumed};
    send_event(bench, &event);
}

void bench_begin_with(struct bench *bench, enum run_command command)
{
    struct event event = {.kind = EVENT_BEGIN,
        .is_resumed = true,
        .has_command = true,
        .command = command,
        .who = "ada"};
    send_event(bench, &event);
}

void bench_answer(struct bench *bench, enum run_command command, const char *answer)
{
    struct event event = {
        .kind = EVENT_OPERATOR, .command = command, .answer = answer, .who = "ada", .reply_id = 7};
    send_event(bench, &event);
}

void bench_operator(struct bench *bench, enum run_command command)
{
    bench_answer(bench, command, NULL);
}

void bench_tick(struct bench *bench)
{
    struct event event = {.kind = EVENT_TICK};
    send_event(bench, &event);
}

void bench_probe(struct bench *bench, int64_t failed)
{
    AUTO_JSON final = js_object();
    js_put_number(final, "failed", failed);
    struct event event = {.kind = EVENT_PROBE, .body = final};
    send_event(bench, &event);
}

static void add_answer(struct run_result *result, enum gate_state state, const char *reason)
{
    struct gate_answer *answer = arena_push(
        &result->arena, &result->answers, &result->answer_count, sizeof(*result->answers));
    *answer = (struct gate_answer){state, "toy_gate", reason == NULL ? "not so" : reason, "wait"};
}

static enum step_state see(const struct bench_step *step)
{
    return step->is_elsewhere ? STEP_ELSEWHERE : step->is_done ? STEP_DONE : STEP_ABSENT;
}

static void add_out(struct run_result *result, const char *node)
{
    const char **slot =
        arena_push(&result->arena, &result->out, &result->out_count, sizeof(*result->out));
    *slot = node;
}

/* Nodes whose stop took effect and whose start did not: out, as facts would show. */
static void fill_out(const struct bench *bench, struct run_result *result)
{
    for (size_t i = 0; i < ARRAY_COUNT(bench->broken) && bench->broken[i] != NULL; i++) {
        add_out(result, bench->broken[i]);
    }
    for (size_t i = 0; i + 2 < bench->state.step_count; i++) {
        const struct plan_step *plan = bench->state.steps[i].plan;
        if (plan->takes_out && bench->steps[i].is_done && !bench->steps[i + 2].is_done) {
            add_out(result, plan->node);
        }
    }
}

static void fill_during(
    const struct bench *bench, const struct run_task *task, struct run_result *result)
{
    result->has_during = task->during_count > 0;
    result->during = (struct gate_answer){bench->during, "way_back_fed", "toy", NULL};
}

static void look(const struct bench *bench, const struct run_task *task, struct run_result *result)
{
    const struct bench_step *step = &bench->steps[task->step];
    fill_out(bench, result);
    if (step->is_blind) {
        result->err = err_new(ERR_UNREACHABLE, "toy", "cannot see");
        return;
    }
    fill_during(bench, task, result);
    result->seen = step->is_moving ? STEP_MOVING : see(step);
    if (result->seen == STEP_ABSENT && step->gate != GATE_YES) {
        add_answer(result, step->gate, step->reason);
        result->is_assumption = step->is_assumption && step->gate >= GATE_NEEDS_YOU;
    } else if (result->seen == STEP_ABSENT) {
        result->args = js_object();
        js_put_text(result->args, "node", task->plan->node);
        result->before = js_object();
        js_put_text(result->before, "value", "old");
    }
}

static void check_out(struct bench *bench)
{
    struct run_result result = {0};
    fill_out(bench, &result);
    bench->out_max =
        (int)result.out_count > bench->out_max ? (int)result.out_count : bench->out_max;
    arena_release(&result.arena);
}

static void apply(struct bench *bench, const struct run_task *task, struct run_result *result)
{
    struct bench_step *step = &bench->steps[task->step];
    if (step->turns_red) {
        step->turns_red = false;
        add_answer(result, GATE_NOT_YET, "turned red");
        return;
    }
    result->is_sent = true;
    const int intents = bench_count(bench, JOURNAL_INTENT, task->plan->id);
    step->apply_count++; /* ids come again in later plans: then this is weaker */
    bench->act_without_intent = bench->act_without_intent || step->apply_count > intents;
    if (step->has_no_effect) {
        result->err = err_new(ERR_REFUSED, "toy", "no");
        return;
    }
    step->is_done = true;
    check_out(bench);
    if (step->loses_reply) {
        result->err = err_new(ERR_UNKNOWN, "toy", "no answer");
    }
}

static void verify(struct bench *bench, const struct run_task *task, struct run_result *result)
{
    struct bench_step *step = &bench->steps[task->step];
    bench->stop_count += task->must_stop ? 1 : 0;
    if (step->is_blind) {
        result->err = err_new(ERR_UNREACHABLE, "toy", "cannot see");
    } else if (step->moving_looks > 0) {
        step->moving_looks--;
        result->seen = STEP_MOVING;
    } else {
        result->seen = see(step);
    }
}

static void undo(struct bench *bench, const struct run_task *task, struct run_result *result)
{
    struct bench_step *step = &bench->steps[task->step];
    step->undo_count++;
    if (step->undo_fails) {
        result->err = err_new(ERR_UNREACHABLE, "toy", "gone");
        return;
    }
    result->seen = step->undo_leaves;
    step->is_done = step->undo_leaves != STEP_ABSENT;
    if (step->undo_leaves == STEP_ELSEWHERE) {
        result->before = js_object();
        js_put_text(result->before, "value", "theirs");
    }
}

static struct json *see_nodes(const struct bench *bench)
{
    static const char *const names[] = {"n1", "n4"};
    struct json *nodes = js_array();
    for (size_t i = 0; bench->primary != NULL && i < ARRAY_COUNT(names); i++) {
        struct json *node = js_object();
        js_put_text(node, "name", names[i]);
        js_put_text(node, "shard", "s1");
        js_put_text(node, "role", strcmp(names[i], bench->primary) == 0 ? "primary" : "replica");
        js_push(nodes, node);
    }
    return nodes;
}

static void health(struct bench *bench, const struct run_task *task, struct run_result *result)
{
    if (bench->health != GATE_YES) {
        add_answer(result, bench->health, "not healthy");
        if (bench->is_blind) {
            result->answers[0].gate = "can_see";
        }
    }
    fill_during(bench, task, result);
    result->nodes = see_nodes(bench);
}

static bool is_over(const struct json *progress, const char *id, int64_t revision)
{
    const struct json *steps = js_get(progress, "steps");
    for (size_t i = 0; i < js_count(steps); i++) {
        const struct json *step = js_at(steps, i);
        const char *state = js_get_text(step, "state");
        if (text_equal(js_get_text(step, "id"), id) &&
            js_get_number(step, "revision", 0) == revision) {
            return text_equal(state, "done") || text_equal(state, "found");
        }
    }
    return false;
}

/* What is left of `from`, with arguments of its own. */
static struct json *plan_rest(const struct bench *bench, const struct run_task *task)
{
    struct json *plan = plan_to_json(task->from);
    const int64_t revision = (int64_t)bench->state.revision_count;
    for (size_t p = 0; p < js_count(js_get(plan, "phases")); p++) {
        struct json *phase = js_at(js_get(plan, "phases"), p);
        struct json *left = js_array();
        for (size_t s = 0; s < js_count(js_get(phase, "steps")); s++) {
            struct json *step = js_at(js_get(phase, "steps"), s);
            if (is_over(task->progress, js_get_text(step, "id"), revision)) {
                continue;
            }
            if (!bench->replan.is_same) {
                js_put_number(js_get(step, "args"), "revision", revision + 1);
            }
            js_push(left, js_ref(step));
        }
        js_put(phase, "steps", left);
    }
    return plan;
}

/* Each node that was stopped goes back. */
static struct json *plan_back(const struct bench *bench)
{
    struct plan plan = {.direction = "back"};
    plan.request = bench->plan.request;
    plan.policy = bench->plan.policy;
    plan.format = PLAN_FORMAT;
    plan.groups = bench->plan.groups;
    plan.group_count = bench->plan.group_count;
    struct plan_phase *phase =
        arena_push(&plan.arena, &plan.phases, &plan.phase_count, sizeof(*plan.phases));
    *phase = (struct plan_phase){.name = "back", .title = "back"};
    static const struct row backs[] = {
        {"back", "back/n4/stop", "fake", "n4", "s1", NULL, true, PLAN_SCOPE_NONE},
        {"back", "back/n4/switch", "fake", "n4", "s1", "back/n4/stop", false, PLAN_SCOPE_NONE},
        {"back", "back/n4/start", "fake", "n4", "s1", "back/n4/switch", false, PLAN_SCOPE_NONE},
        {"back", "back/n5/stop", "fake", "n5", "s2", NULL, true, PLAN_SCOPE_NONE},
        {"back", "back/n5/switch", "fake", "n5", "s2", "back/n5/stop", false, PLAN_SCOPE_NONE},
        {"back", "back/n5/start", "fake", "n5", "s2", "back/n5/switch", false, PLAN_SCOPE_NONE},
    };
    static const size_t stops[] = {2, 5}; /* of the first plan */
    for (size_t i = 0; i < ARRAY_COUNT(backs); i++) {
        if (bench->state.steps[stops[i / 3]].attempt > 0) {
            struct plan_step *step =
                arena_push(&plan.arena, &phase->steps, &phase->step_count, sizeof(*phase->steps));
            fill_step(&plan.arena, step, &backs[i]);
        }
    }
    struct json *json = plan_to_json(&plan);
    for (size_t i = 0; i < phase->step_count; i++) {
        js_free(phase->steps[i].args);
    }
    arena_release(&plan.arena);
    return json;
}

static void replan(struct bench *bench, const struct run_task *task, struct run_result *result)
{
    result->replan = task->replan;
    bench->replan.count++;
    if (bench->replan.is_unable) {
        return;
    }
    if (bench->replan.is_blind) {
        result->err = err_new(ERR_UNREACHABLE, "toy", "cannot see");
    } else if (bench->replan.refusal != GATE_YES) {
        add_answer(result, bench->replan.refusal, "no plan leads there");
    } else if (task->replan == RUN_REPLAN_BACK) {
        result->plan = plan_back(bench);
    } else if (task->replan == RUN_REPLAN_FORWARD) {
        result->plan = plan_to_json(&bench->plan);
    } else {
        result->plan = plan_rest(bench, task);
        result->is_wider = bench->replan.is_wider;
        const char **line =
            arena_push(&result->arena, &result->diff, &result->diff_count, sizeof(*result->diff));
        *line = "other arguments";
    }
}

static void claim(struct bench *bench, const struct run_task *task, struct run_result *result)
{
    struct bench_claim *nodes = &bench->claim;
    nodes->counts[task->claim]++;
    nodes->is_parked = task->is_parked;
    nodes->scope_count = js_count(task->scopes);
    nodes->epoch = task->epoch;
    result->act = task->claim;
    if (nodes->is_blind) {
        result->err = err_new(ERR_UNREACHABLE, "toy", "too few hosts answer");
        return;
    }
    const bool is_ours = !nodes->is_foreign && !nodes->is_ahead;
    const bool is_release = task->claim == CLAIM_RELEASE;
    result->claim = (struct claim_answer){
        .held_count = is_release ? nodes->left
                      : is_ours  ? nodes->nodes
                                 : 0,
        .node_count = nodes->nodes,
        .epoch_max = nodes->epoch_max,
        .is_foreign = nodes->is_foreign,
        .is_ahead = nodes->is_ahead,
        .reason = is_ours ? NULL : "run other-1 of bob has n1",
        .remedy = is_ours ? NULL : "wait for it",
    };
}

static struct run_result *answer(struct bench *bench, const struct run_task *task)
{
    struct run_result *result = mem_alloc(sizeof(*result));
    result->kind = task->kind;
    result->step = task->step;
    result->attempt = task->attempt;
    result->purpose = task->purpose;
    result->revision = task->revision;
    switch (task->kind) {
    case RUN_TASK_LOOK:
        look(bench, task, result);
        break;
    case RUN_TASK_APPLY:
        apply(bench, task, result);
        break;
    case RUN_TASK_VERIFY:
        verify(bench, task, result);
        break;
    case RUN_TASK_UNDO:
        undo(bench, task, result);
        break;
    case RUN_TASK_HEALTH:
        health(bench, task, result);
        break;
    case RUN_TASK_REPLAN:
        replan(bench, task, result);
        break;
    case RUN_TASK_CLAIM:
        claim(bench, task, result);
        break;
    case RUN_TASK_NONE:
        abort();
    }
    return result;
}

bool bench_step(struct bench *bench)
{
    if (bench->has_ended) {
        return false;
    }
    if (bench->task_count > 0) {
        struct run_task task = bench->tasks[0];
        memmove(bench->tasks, bench->tasks + 1, --bench->task_count * sizeof(task));
        bench->now_ms += 5;
        struct event event = {.kind = EVENT_RESULT, .result = answer(bench, &task)};
        run_task_release(&task);
        send_event(bench, &event);
        run_result_free(event.result);
        return true;
    }
    if (bench->is_probe_asked) {
        bench->is_probe_asked = false;
        bench_probe(bench, 0);
        return true;
    }
    if (bench->wake_ms == 0) {
        return false;
    }
    bench->now_ms = bench->wake_ms > bench->now_ms ? bench->wake_ms : bench->now_ms + 1;
    bench_tick(bench);
    return true;
}

void bench_run(struct bench *bench, int64_t quiet_ms)
{
    int64_t last_ms = bench->now_ms;
    size_t records = bench->record_count;
    while (bench_step(bench) && bench->now_ms - last_ms < quiet_ms) {
        const bool is_news = bench->record_count != records &&
                             bench->records[bench->record_count - 1].type != JOURNAL_SOAK_TICK;
        records = bench->record_count;
        if (is_news) {
            last_ms = bench->now_ms;
        }
    }
}

void bench_crash(struct bench *bench, size_t keep_records)
{
    drop_tasks(bench);
    for (size_t i = keep_records; i < bench->record_count; i++) {
        js_free(bench->records[i].body);
    }
    bench->record_count = keep_records;
    bench->is_probe_asked = false;
    bench->has_ended = false;
    bench->wake_ms = 0;
    run_release(&bench->state);
    run_init(&bench->state, &bench->plan, "toy-1");
    engine_fold_all(&bench->state, bench->records, bench->record_count);
    bench->state.epoch++;
}

int bench_count(const struct bench *bench, enum journal_type type, const char *step)
{
    int count = 0;
    for (size_t i = 0; i < bench->record_count; i++) {
        const bool is_step = step == NULL || text_equal(bench->records[i].step, step);
        count += bench->records[i].type == type && is_step ? 1 : 0;
    }
    return count;
}

bool bench_fold_equals_state(const struct bench *bench)
{
    struct run_state folded;
    run_init(&folded, &bench->plan, "toy-1");
    engine_fold_all(&folded, bench->records, bench->record_count);
    if (folded.epoch < bench->state.epoch) {
        folded.epoch = bench->state.epoch; /* a new controller's number before its first record */
    }
    AUTO_JSON a = run_to_json(&folded);
    AUTO_JSON b = run_to_json(&bench->state);
    const bool is_equal = js_equal(a, b);
    run_release(&folded);
    return is_equal;
}
