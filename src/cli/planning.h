/*
 * cli/planning.h - what every command that plans shares: make a plan, or say why there is none.
 */
#ifndef UPSHIFT_CLI_PLANNING_H
#define UPSHIFT_CLI_PLANNING_H

#include "cli/session.h"
#include "model/plan.h"

/* What is planned for. */
struct planning {
    const char *action; /* "upgrade", "restart", "switchover" */
    const char *target; /* upgrade: the version; else NULL */
};

/* Plans for the cluster that the first word names; of a switchover the options --shard and --to are
 * looked at. False: it was refused, there is nothing to do, or it failed; that has been printed and
 * `*ret_exit` set. Owns: the caller releases `ret_plan` in either case. */
bool planning_make(
    struct session *session, const struct planning *planning, struct plan *ret_plan, int *ret_exit);

/* Prints a refusal under its headline ("orders cannot go back") and ends; returns the exit status.
 */
int planning_refuse(
    struct session *session, const char *headline, const struct plan_refusal *refusal);

/* Options of a switchover, wherever one can be planned. */
#define OPTION_SHARD                                                                               \
    {                                                                                              \
        "shard", 0, OPTION_TEXT, "S", "only this shard"                                            \
    }
#define OPTION_TO                                                                                  \
    {                                                                                              \
        "to", 0, OPTION_TEXT, "NODE", "this replica becomes primary of its shard"                  \
    }

#endif
