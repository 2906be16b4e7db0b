#include "app/replan.h"

static const enum revise_why reasons[] = {
    [RUN_REPLAN_NONE] = REVISE_WORLD,
    [RUN_REPLAN_WORLD] = REVISE_WORLD,
    [RUN_REPLAN_BACK] = REVISE_BACK,
    [RUN_REPLAN_FORWARD] = REVISE_FORWARD,
};

void replan_answer_release(struct replan_answer *answer)
{
    plan_release(&answer->plan);
    *answer = (struct replan_answer){0};
}

/* Strategies read and count the plan's JSON; the engine's thread does so meanwhile. */
static struct err *copy_plan(const struct plan *plan, struct plan *ret_copy)
{
    AUTO_JSON own = plan_to_json(plan);
    return plan_from_json(own, "the run's plan", ret_copy);
}

static struct err *revise(const struct replan *replan, const struct facts *facts,
    struct arena *arena, struct replan_answer *answer)
{
    AUTO_PLAN present = {0};
    AUTO_PROGRESS progress = {0};
    struct err *err = copy_plan(replan->present, &present);
    if (err == NULL) {
        err = progress_from_json(replan->progress, "the run's progress", &progress);
    }
    if (err != NULL) {
        return err;
    }
    const struct revise_request request = {
        .rolling = {.inventory = replan->inventory,
            .cluster = replan->cluster,
            .rules = replan->rules,
            .facts = facts},
        .why = reasons[replan->why],
        .plan = &present,
        .progress = &progress,
    };
    answer->is_planned =
        revise_plan(&request, arena, &answer->plan, &answer->result, &answer->refusal);
    return NULL;
}

struct err *replan_make(const struct call *call, const struct replan *replan, struct arena *arena,
    struct replan_answer *ret_answer)
{
    AUTO_FACTS facts = {0};
    struct err *err = world_read_facts(replan->world, call, &facts);
    if (err != NULL) {
        return err_wrap(err, replan->cluster->name, "cannot read the cluster to plan anew");
    }
    struct fact_artefact *target =
        arena_push(&facts.arena, &facts.artefacts, &facts.artefact_count, sizeof(*facts.artefacts));
    *target = replan->first->artefact; /* was fetched and checked before the run began */
    *ret_answer = (struct replan_answer){0};
    err = revise(replan, &facts, arena, ret_answer);
    if (err != NULL) {
        replan_answer_release(ret_answer);
    }
    return err;
}

static void keep_answers(const struct plan_refusal *refusal, struct run_result *result)
{
    for (size_t i = 0; i < refusal->answer_count; i++) {
        struct gate_answer *slot = arena_push(
            &result->arena, &result->answers, &result->answer_count, sizeof(*result->answers));
        *slot = refusal->answers[i];
    }
}

static void keep_plan(const struct replan_answer *answer, struct run_result *result)
{
    result->plan = plan_to_json(&answer->plan);
    result->is_wider = answer->result.is_wider;
    for (size_t i = 0; i < answer->result.diff_count; i++) {
        const char **slot =
            arena_push(&result->arena, &result->diff, &result->diff_count, sizeof(*result->diff));
        *slot = answer->result.diff[i];
    }
}

struct err *replan_for_engine(const struct call *call, const struct replan *replan,
    const struct executor *executor, struct run_result *result)
{
    AUTO_REPLAN answer = {0};
    struct err *err = replan_make(call, replan, &result->arena, &answer);
    if (err == NULL && answer.is_planned) {
        err = executor_check_plan(executor, &answer.plan);
    }
    if (err == NULL && answer.is_planned) {
        keep_plan(&answer, result);
    } else if (err == NULL) {
        keep_answers(&answer.refusal, result);
    }
    return err;
}
