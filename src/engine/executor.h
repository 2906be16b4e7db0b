/*
 * engine/executor.h - does one task against the world: reads facts, evaluates gates, calls steps.
 *
 * Stateless and blocking; engine/workers.h runs it on threads, a simulation calls it directly. The
 * engine knows no driver: facts come through a function pointer, steps and gates through tables.
 */
#ifndef UPSHIFT_ENGINE_EXECUTOR_H
#define UPSHIFT_ENGINE_EXECUTOR_H

#include "base/attr.h"
#include "base/call.h"
#include "engine/decide.h"
#include "engine/step.h"
#include "model/facts.h"
#include "model/gate.h"

struct executor {
    const struct step_ops *const *steps; /* NULL-terminated */
    const struct gate_ops *gates;
    size_t gate_count;
    const struct rules *rules;
    struct clock *clock;
    struct world *world;
    const char *run; /* names for connections and logs */
    /* Reads the cluster; `ret_facts` is zeroed before and released after by the caller. */
    struct err *(*read_facts)(const struct call *call, void *context, struct facts *ret_facts);
    void *facts_context;
    /* Plans the rest anew: fills plan (or answers), is_wider and diff of the result from the task's
     * replan, from and progress. NULL: this executor cannot (then nothing is ever re-planned). */
    struct err *(*replan)(
        struct call *call, void *context, const struct run_task *task, struct run_result *result);
    void *replan_context;
    const struct claim_ops *claims; /* NULL: there is nobody to share with (unit tests) */
    void *claims_context;
};

/* NULL when this program does not know the kind. */
const struct step_ops *executor_find_step(const struct executor *executor, const char *kind);

/* Does the task and returns its result. Owns: the result is the caller's (run_result_free); the
 * references in `task` stay the caller's. Blocks: to the task's deadline. Thread: any. */
MUST_USE RETURNS_NONNULL struct run_result *executor_do(
    const struct executor *executor, const struct run_task *task);

/* Errors: ERR_REFUSED naming each step kind, definition or gate of the plan that this program
 * cannot carry out, and the release that can. */
MUST_USE struct err *executor_check_plan(const struct executor *executor, const struct plan *plan);

#endif
