/*
 * cli/viewer.h - shows a run until it ends, pauses, or the operator leaves.
 *
 * Ctrl-C asks the controller to pause, a second one to abort; closing the terminal only leaves. The
 * loop here is thin: what is shown are pure functions in view_text.h and screen.h.
 */
#ifndef UPSHIFT_CLI_VIEWER_H
#define UPSHIFT_CLI_VIEWER_H

#include "cli/session.h"

/* What a controller is asked for. */
struct viewer_order {
    const char *command; /* "pause" */
    const char *with;    /* what goes with it ("accept 3f9a..."), or NULL */
};

/* Connects to the cluster's controller and gives the order; `*ret_answer` is its answer, also when
 * that is a refusal. Owns: the caller frees. Errors: code "no_controller". */
MUST_USE struct err *viewer_ask(struct session *session, const char *cluster,
    const struct viewer_order *order, struct json **ret_answer);

/* Watches until the end. `left_state`, when not NULL, is the state that the run was told to leave:
 * a last snapshot of it does not end the viewer at once. Returns the exit status. */
int viewer_watch(struct session *session, const char *cluster, const char *left_state);

#endif
