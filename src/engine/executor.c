#include "engine/executor.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* How long what was seen allows to begin an act (engine.md 5). A controller that was stopped in
 * between wakes up in another world. */
enum { FRESH_MS = 1000 };

/* One task while it is being done. */
struct job {
    const struct executor *executor;
    const struct run_task *task;
    const struct step_ops *ops;
    struct call call;
    struct facts facts;
    struct run_result *result;
};

const struct step_ops *executor_find_step(const struct executor *executor, const char *kind)
{
    for (size_t i = 0; executor->steps[i] != NULL; i++) {
        if (strcmp(executor->steps[i]->name, kind) == 0) {
            return executor->steps[i];
        }
    }
    return NULL;
}

static const struct gate_ops *find_gate(const struct executor *executor, const char *name)
{
    for (size_t i = 0; i < executor->gate_count; i++) {
        if (strcmp(executor->gates[i].name, name) == 0) {
            return &executor->gates[i];
        }
    }
    return NULL;
}

/* A node that does not serve as it should, for whatever reason, counts against the budget. */
static bool is_out(const struct fact_node *node)
{
    return !node->is_reachable || node->is_loading || node->role == FACT_ROLE_UNKNOWN ||
           (node->role == FACT_ROLE_REPLICA && (!node->is_link_up || node->is_syncing));
}

static struct json *describe_node(const struct fact_node *node)
{
    static const char *const roles[] = {
        [FACT_ROLE_UNKNOWN] = "unknown",
        [FACT_ROLE_PRIMARY] = "primary",
        [FACT_ROLE_REPLICA] = "replica",
    };
    struct json *object = js_object();
    js_put_text(object, "name", node->name);
    js_put_text(object, "address", node->address);
    js_put_text(object, "shard", node->shard);
    js_put_text(object, "role", roles[node->role]);
    js_put_text(object, "product", node->product);
    js_put_text(object, "version", node->version);
    js_put_text(object, "process", node->process);
    js_put_bool(object, "is_reachable", node->is_reachable);
    js_put_bool(object, "is_link_up", node->role == FACT_ROLE_PRIMARY || node->is_link_up);
    return object;
}

static struct err *see_facts(struct job *job)
{
    const struct executor *executor = job->executor;
    struct err *err = executor->read_facts(&job->call, executor->facts_context, &job->facts);
    if (err != NULL) {
        return err_wrap(err, NULL, "cannot read the cluster");
    }
    struct run_result *result = job->result;
    result->nodes = js_array();
    for (size_t i = 0; i < job->facts.node_count; i++) {
        const struct fact_node *node = &job->facts.nodes[i];
        js_push(result->nodes, describe_node(node));
        if (is_out(node)) {
            const char **slot =
                arena_push(&result->arena, &result->out, &result->out_count, sizeof(*result->out));
            *slot = arena_strdup(&result->arena, node->name);
        }
    }
    return NULL;
}

static struct gate_answer evaluate(struct job *job, const struct plan_gate *gate)
{
    const struct gate_ops *ops = find_gate(job->executor, gate->name);
    if (ops == NULL) {
        return (struct gate_answer){GATE_NEVER, gate->name, "this upshift does not know that gate",
            "use the release that made the plan"};
    }
    const struct gate_input input = {
        .facts = &job->facts,
        .rules = job->executor->rules,
        .args = gate->args,
        .arena = &job->result->arena,
    };
    struct gate_answer answer = ops->eval(&input);
    answer.gate = gate->name;
    return answer;
}

/* Texts of an answer may point into the facts, which go before the result does. */
static void keep_texts(struct arena *arena, struct gate_answer *answer)
{
    answer->gate = answer->gate == NULL ? NULL : arena_strdup(arena, answer->gate);
    answer->reason = answer->reason == NULL ? NULL : arena_strdup(arena, answer->reason);
    answer->remedy = answer->remedy == NULL ? NULL : arena_strdup(arena, answer->remedy);
}

/* Adds the answers that are not yes, the worst in front. */
static void add_answers(struct job *job, const struct plan_gate *gates, size_t count)
{
    struct run_result *result = job->result;
    for (size_t i = 0; i < count; i++) {
        struct gate_answer answer = evaluate(job, &gates[i]);
        if (answer.state == GATE_YES) {
            continue;
        }
        keep_texts(&result->arena, &answer);
        struct gate_answer *slot = arena_push(
            &result->arena, &result->answers, &result->answer_count, sizeof(*result->answers));
        while (slot > result->answers && slot[-1].state < answer.state) {
            *slot = slot[-1];
            slot--;
        }
        *slot = answer;
    }
}

/* The assumptions first, so that among equally bad answers theirs is the worst. */
static void add_step_answers(struct job *job)
{
    struct run_result *result = job->result;
    const struct plan_step *plan = job->task->plan;
    add_answers(job, plan->assumptions, plan->assumption_count);
    const enum gate_state assumed = result->answer_count == 0 ? GATE_YES : result->answers[0].state;
    add_answers(job, plan->gates, plan->gate_count);
    result->is_assumption = assumed >= GATE_NEEDS_YOU && assumed == result->answers[0].state;
}

static void watch_during(struct job *job)
{
    struct run_result *result = job->result;
    result->has_during = job->task->during_count > 0;
    for (size_t i = 0; i < job->task->during_count; i++) {
        struct gate_answer answer = evaluate(job, &job->task->during[i]);
        if (answer.state > result->during.state) {
            keep_texts(&result->arena, &answer);
            result->during = answer;
        }
    }
}

static struct err *do_look(struct job *job)
{
    struct run_result *result = job->result;
    const struct plan_step *plan = job->task->plan;
    struct err *err = see_facts(job);
    if (err != NULL) {
        return err;
    }
    watch_during(job);
    if (job->task->args != NULL) {
        result->args = js_ref(job->task->args);
    } else {
        AUTO_JSON own = js_copy(plan->args); /* other threads read the plan's */
        err = job->ops->bind(&job->call, &job->facts, own, &result->args);
    }
    if (err != NULL) {
        return err;
    }
    const struct bound bound = {result->args};
    const struct before before = {job->task->before};
    err = job->ops->verify(&job->call, &bound, &before, &result->seen);
    if (err != NULL || result->seen != STEP_ABSENT) {
        return err;
    }
    add_step_answers(job);
    if (result->answer_count > 0 || job->task->before != NULL) {
        return NULL;
    }
    return job->ops->capture(&job->call, &bound, &result->before);
}

/* The last look before something is sent: is the node still this run's? Otherwise `*ret_reason`. */
static struct err *look_at_claim(struct job *job, const char **ret_reason)
{
    const struct executor *executor = job->executor;
    *ret_reason = NULL;
    if (executor->claims == NULL) {
        return NULL;
    }
    return executor->claims->look(&job->call, executor->claims_context, job->task->plan->node,
        &job->result->arena, ret_reason);
}

static struct err *do_apply(struct job *job)
{
    struct run_result *result = job->result;
    const struct plan_step *plan = job->task->plan;
    struct err *err = NULL;
    job->call.begin_before_ms = clock_now_ms(job->call.clock) + FRESH_MS;
    if (plan->gate_count > 0 || plan->assumption_count > 0) {
        err = see_facts(job);
        job->call.begin_before_ms = clock_now_ms(job->call.clock) + FRESH_MS;
        if (err == NULL) {
            add_step_answers(job);
        }
    }
    const char *lost = NULL;
    if (err == NULL && result->answer_count == 0) {
        err = look_at_claim(job, &lost);
    }
    if (lost != NULL) {
        struct gate_answer *slot = arena_push(
            &result->arena, &result->answers, &result->answer_count, sizeof(*result->answers));
        *slot = (struct gate_answer){GATE_NEVER, "claim_ours", lost, NULL};
    }
    if (err != NULL || result->answer_count > 0 || !call_may_send(&job->call)) {
        return err;
    }
    result->is_sent = true;
    const struct bound bound = {job->task->args};
    const struct before before = {job->task->before};
    return job->ops->apply(&job->call, &bound, &before);
}

/* An earlier attempt may have left something behind that still acts; it has its own time to end. */
static struct err *stop_earlier(struct job *job)
{
    if (!job->task->must_stop || job->ops->stop == NULL) {
        return NULL;
    }
    const struct bound bound = {job->task->args};
    const struct before before = {job->task->before};
    const int64_t look_ms = call_left_ms(&job->call);
    job->call.deadline_ms += job->task->plan->deadline_ms;
    job->call.send_before_ms = job->call.deadline_ms;
    struct err *err = job->ops->stop(&job->call, &bound, &before);
    job->call.deadline_ms = clock_now_ms(job->call.clock) + look_ms;
    return err;
}

static struct err *do_verify(struct job *job)
{
    struct err *err = stop_earlier(job);
    if (err != NULL) {
        return err;
    }
    const struct bound bound = {job->task->args};
    const struct before before = {job->task->before};
    return job->ops->verify(&job->call, &bound, &before, &job->result->seen);
}

static struct err *do_undo(struct job *job)
{
    if (job->ops->undo == NULL) {
        return err_new(ERR_INTERNAL, NULL, "%s is a temporary change without a way to take it back",
            job->ops->name);
    }
    const struct bound bound = {job->task->args};
    const struct before before = {job->task->before};
    struct run_result *result = job->result;
    const char *lost = NULL;
    job->call.begin_before_ms = clock_now_ms(job->call.clock) + FRESH_MS;
    struct err *err = look_at_claim(job, &lost);
    if (err == NULL && lost != NULL) {
        err = err_code(err_new(ERR_CANCELLED, job->task->plan->node, "%s", lost), "claim_lost");
    }
    if (err == NULL) {
        err = job->ops->undo(&job->call, &bound, &before, &result->seen);
    }
    if (err == NULL && result->seen == STEP_ELSEWHERE) {
        AUTO_ERR unseen = job->ops->capture(&job->call, &bound, &result->before);
        (void)unseen; /* then nobody is told what it is now */
    }
    return err;
}

static struct err *do_health(struct job *job)
{
    struct run_result *result = job->result;
    struct err *err = see_facts(job);
    if (err != NULL) {
        AUTO_FREE char *text = err_text(err);
        struct gate_answer *slot = arena_push(
            &result->arena, &result->answers, &result->answer_count, sizeof(*result->answers));
        *slot =
            (struct gate_answer){GATE_NOT_YET, "can_see", arena_strdup(&result->arena, text), NULL};
        result->has_during = job->task->during_count > 0;
        result->during = *slot;
        err_free(err);
        return NULL;
    }
    add_answers(job, job->task->gates, job->task->gate_count);
    watch_during(job);
    return NULL;
}

/* A plan that this program could not carry out is none. */
static void check_new_plan(struct job *job)
{
    struct run_result *result = job->result;
    AUTO_PLAN plan = {0};
    AUTO_ERR err = plan_from_json(result->plan, "the new plan", &plan);
    if (err == NULL) {
        err = executor_check_plan(job->executor, &plan);
    }
    if (err == NULL) {
        return;
    }
    AUTO_FREE char *text = err_text(err);
    struct gate_answer *slot = arena_push(
        &result->arena, &result->answers, &result->answer_count, sizeof(*result->answers));
    *slot =
        (struct gate_answer){GATE_NEVER, "plan_known", arena_strdup(&result->arena, text), NULL};
    plan_release(&plan);
    js_free(result->plan);
    result->plan = NULL;
}

static struct err *do_replan(struct job *job)
{
    const struct executor *executor = job->executor;
    if (executor->replan == NULL) {
        return NULL;
    }
    struct err *err =
        executor->replan(&job->call, executor->replan_context, job->task, job->result);
    if (err == NULL && job->result->plan != NULL) {
        check_new_plan(job);
    }
    return err;
}

static struct err *do_claim(struct job *job)
{
    const struct executor *executor = job->executor;
    const struct run_task *task = job->task;
    if (executor->claims == NULL) {
        return NULL;
    }
    const struct claim_request request = {
        .act = task->claim,
        .epoch = task->epoch,
        .run = executor->run,
        .state = run_status_names[task->status],
        .is_parked = task->is_parked,
        .scopes = task->scopes,
        .seq = task->seq,
    };
    return executor->claims->act(
        &job->call, executor->claims_context, &request, &job->result->arena, &job->result->claim);
}

/* For drivers, between connecting and acting: the look at the claim that counts. */
static struct err *ask_claim(const struct call *call, const char *node)
{
    const struct executor *executor = call->claim_context;
    AUTO_ARENA arena = {0};
    const char *reason = NULL;
    struct err *err = executor->claims->look(call, executor->claims_context, node, &arena, &reason);
    if (err != NULL || reason == NULL) {
        return err;
    }
    return err_code(err_new(ERR_CANCELLED, node, "%s", reason), "claim_lost");
}

struct run_result *executor_do(const struct executor *executor, const struct run_task *task)
{
    static struct err *(*const works[])(struct job *) = {
        [RUN_TASK_LOOK] = do_look,
        [RUN_TASK_APPLY] = do_apply,
        [RUN_TASK_VERIFY] = do_verify,
        [RUN_TASK_UNDO] = do_undo,
        [RUN_TASK_HEALTH] = do_health,
        [RUN_TASK_REPLAN] = do_replan,
        [RUN_TASK_CLAIM] = do_claim,
    };
    struct job job = {
        .executor = executor,
        .task = task,
        .call =
            {
                .clock = executor->clock,
                .deadline_ms = task->deadline_ms,
                .send_before_ms = task->deadline_ms,
                .world = executor->world,
                .run = executor->run,
                .step = task->plan == NULL ? NULL : task->plan->id,
                .epoch = task->epoch,
                .check_claim = executor->claims == NULL ? NULL : ask_claim,
                .claim_context = executor,
            },
        .result = mem_alloc(sizeof(struct run_result)),
    };
    job.result->kind = task->kind;
    job.result->step = task->step;
    job.result->attempt = task->attempt;
    job.result->purpose = task->purpose;
    job.result->revision = task->revision;
    job.result->replan = task->replan;
    job.result->act = task->claim;
    if (task->plan != NULL) {
        job.ops = executor_find_step(executor, task->plan->kind);
    }
    if (task->plan != NULL && job.ops == NULL) {
        job.result->err =
            err_new(ERR_INTERNAL, NULL, "this upshift does not know the step %s", task->plan->kind);
    } else {
        job.result->err = works[task->kind](&job);
    }
    facts_release(&job.facts);
    return job.result;
}

static struct err *check_gates(
    const struct executor *executor, const struct plan_gate *gates, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (find_gate(executor, gates[i].name) == NULL) {
            return err_code(err_new(ERR_REFUSED, NULL,
                                "the plan has a gate \"%s\" that upshift %s does not know",
                                gates[i].name, UPSHIFT_VERSION),
                "plan_from_another_release");
        }
    }
    return NULL;
}

static struct err *check_step(const struct executor *executor, const struct plan_step *step)
{
    const struct step_ops *ops = executor_find_step(executor, step->kind);
    if (ops == NULL || step->def < ops->def_min || step->def > ops->def) {
        return err_code(err_new(ERR_REFUSED, NULL,
                            "the plan has a step %s of definition %lld that upshift %s cannot "
                            "carry out",
                            step->kind, (long long)step->def, UPSHIFT_VERSION),
            "plan_from_another_release");
    }
    struct err *err = check_gates(executor, step->assumptions, step->assumption_count);
    return err != NULL ? err : check_gates(executor, step->gates, step->gate_count);
}

struct err *executor_check_plan(const struct executor *executor, const struct plan *plan)
{
    struct err *err = check_gates(executor, plan->health, plan->health_count);
    if (err == NULL) {
        err = check_gates(executor, plan->during, plan->during_count);
    }
    for (size_t p = 0; err == NULL && p < plan->phase_count; p++) {
        const struct plan_phase *phase = &plan->phases[p];
        err = check_gates(executor, phase->before, phase->before_count);
        if (err == NULL) {
            err = check_gates(executor, phase->after, phase->after_count);
        }
        for (size_t s = 0; err == NULL && s < phase->step_count; s++) {
            err = check_step(executor, &phase->steps[s]);
        }
    }
    if (err != NULL) {
        err = err_hint(err, "use the release of upshift that made the plan, or plan anew");
    }
    return err;
}
