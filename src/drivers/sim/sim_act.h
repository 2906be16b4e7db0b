/*
 * drivers/sim/sim_act.h - entering and leaving a call of a capability (sim_fault.c).
 */
#ifndef UPSHIFT_DRIVERS_SIM_SIM_ACT_H
#define UPSHIFT_DRIVERS_SIM_SIM_ACT_H

#include "drivers/sim/sim_internal.h"

struct sim_act {
    struct sim *sim;
    const struct call *call;
    const char *op;
    bool is_change;        /* changes the world: dropped replies come after the effect */
    struct sim_node *node; /* NULL where none is concerned */
    bool is_reply_lost;
};
MUST_USE struct err *sim_enter(struct sim_act *act, const struct inv_node *node);
MUST_USE struct err *sim_leave(struct sim_act *act, struct err *err);
/* Errors: ERR_UNREACHABLE, code "unreachable", while the node's port does not answer. */
MUST_USE struct err *sim_check_answers(const struct sim_act *act);

#endif
