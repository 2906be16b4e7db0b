/*
 * app/replan.h - the rest of a run planned anew: facts read now, progress out of the run.
 *
 * The controller's workers call it when the engine wants another plan; `rollback --dry-run` calls
 * it for the same run out of its journal, and both get the same answer from the same world. Nothing
 * is fetched and nothing is changed. Blocks while the cluster is read.
 */
#ifndef UPSHIFT_APP_REPLAN_H
#define UPSHIFT_APP_REPLAN_H

#include <stdbool.h>

#include "app/world.h"
#include "base/arena.h"
#include "base/attr.h"
#include "base/call.h"
#include "base/err.h"
#include "engine/decide.h"
#include "engine/executor.h"
#include "engine/run.h"
#include "strategies/revise.h"

struct replan {
    const struct inventory *inventory; /* the run's own copy */
    const struct inv_cluster *cluster;
    const struct rules *rules;
    const struct world *world;
    const struct plan *first;    /* the plan the run was started with: its artefact is the target */
    const struct plan *present;  /* the plan in force */
    const struct json *progress; /* struct progress */
    enum run_replan why;
};

/* `plan`, or `refusal`; `result` and `refusal` live in the caller's arena. */
struct replan_answer {
    bool is_planned;
    struct plan plan;
    struct revise_result result;
    struct plan_refusal refusal;
};
void replan_answer_release(struct replan_answer *answer);
#define AUTO_REPLAN CLEANUP(replan_answer_release) struct replan_answer

/* Errors: those of reading the cluster. */
MUST_USE struct err *replan_make(const struct call *call, const struct replan *replan,
    struct arena *arena, struct replan_answer *ret_answer);

/* The same for the engine: fills plan, is_wider and diff of the result, or its answers. The plan
 * has been checked against what `executor` can carry out. */
MUST_USE struct err *replan_for_engine(const struct call *call, const struct replan *replan,
    const struct executor *executor, struct run_result *result);

#endif
