/*
 * app/services_back.c - what a rollback would do now, without doing it.
 */
#include "app/replan.h"
#include "app/run_store.h"
#include "app/services_runs.h"
#include "base/clock.h"
#include "config/rules.h"

enum { BACK_MS = 20000 }; /* as long as reading facts may take: a dead node costs 2 s */

/* Why the run as it stands cannot be rolled back, whatever the cluster says; NULL: it may be. */
static struct err *refuse_state(const struct run_state *state, struct arena *arena)
{
    const struct run_rule *rule = run_find_rule(state->status, RUN_COMMAND_ROLLBACK);
    if (rule->verdict != RUN_DO) {
        return err_code(err_new(ERR_REFUSED, state->id, "%s", rule->text), "run_ended");
    }
    const char *closed = run_closed_way_back(state, arena);
    return closed == NULL
               ? NULL
               : err_code(err_new(ERR_REFUSED, state->id, "%s", closed), "way_back_closed");
}

static struct err *plan_from_here(const struct stored_run *run, const struct rules *rules,
    struct arena *arena, struct replan_answer *ret_answer)
{
    struct world world;
    struct err *err = world_open(run->cluster, &world);
    if (err != NULL) {
        return err;
    }
    AUTO_JSON progress = run_progress_to_json(&run->state);
    const struct replan replan = {
        .inventory = &run->inventory,
        .cluster = run->cluster,
        .rules = rules,
        .world = &world,
        .first = run->state.first,
        .present = run->state.plan,
        .progress = progress,
        .why = RUN_REPLAN_BACK,
    };
    struct clock *clock = clock_system();
    const struct call call = {.clock = clock, .deadline_ms = clock_now_ms(clock) + BACK_MS};
    err = replan_make(&call, &replan, arena, ret_answer);
    world_close(&world);
    return err;
}

static struct err *plan_stored(const struct stored_run *run, struct arena *arena,
    struct plan *ret_plan, struct plan_refusal *ret_refusal)
{
    struct rules rules = {0};
    struct replan_answer answer = {0};
    struct err *err = refuse_state(&run->state, arena);
    if (err == NULL) {
        err = rules_load(&rules);
    }
    if (err == NULL) {
        err = plan_from_here(run, &rules, arena, &answer);
    }
    if (err == NULL) {
        *ret_refusal = answer.refusal;
        *ret_plan = answer.plan;
    }
    rules_release(&rules);
    return err;
}

struct err *services_plan_back(struct services *services, const char *cluster, struct arena *arena,
    struct plan *ret_plan, struct plan_refusal *ret_refusal)
{
    struct stored_run run = {0};
    struct err *err = services_load_run(services, cluster, NULL, &run);
    if (err == NULL) {
        err = plan_stored(&run, arena, ret_plan, ret_refusal);
        stored_run_release(&run);
    }
    return err;
}
