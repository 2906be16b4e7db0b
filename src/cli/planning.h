/*
 * cli/planning.h - what `plan` and `upgrade` share: make a plan, or say why there is none.
 */
#ifndef UPSHIFT_CLI_PLANNING_H
#define UPSHIFT_CLI_PLANNING_H

#include "cli/session.h"
#include "model/plan.h"

/* Plans for words CLUSTER VERSION. False: it was refused, there is nothing to do, or it failed;
 * that has been printed and `*ret_exit` set. Owns: the caller releases `ret_plan` in either case.
 */
bool planning_make(struct session *session, struct plan *ret_plan, int *ret_exit);

/* Exit status of a refusal, and what --json prints of it. Owns: caller frees. */
int planning_exit(const struct plan_refusal *refusal);
MUST_USE RETURNS_NONNULL struct json *planning_describe(const struct plan_refusal *refusal);

#endif
