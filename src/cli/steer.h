/*
 * cli/steer.h - telling a run what to do, and watching what follows.
 */
#ifndef UPSHIFT_CLI_STEER_H
#define UPSHIFT_CLI_STEER_H

#include "cli/session.h"
#include "cli/viewer.h"

/* Gives an order to the cluster's controller, starting one when none listens, and watches the run
 * unless the order changed nothing or --detach is given. Prints; returns the exit status. */
int steer(struct session *session, const char *cluster, const struct viewer_order *order);

#endif
