/*
 * app/controller.h - the process that runs the engine for one cluster.
 *
 * Started by the command line in a session of its own (`upshift internal-controller`), it takes
 * the lock, opens the journal, listens, says on its standard output whether it is ready, and stays
 * until the run needs no process any more.
 */
#ifndef UPSHIFT_APP_CONTROLLER_H
#define UPSHIFT_APP_CONTROLLER_H

#include "base/attr.h"
#include "base/err.h"
#include "base/json.h"
#include "engine/journal.h"
#include "engine/step.h"

/* What a test build replaces (tests/e2e/faults.c): decorators around journal and steps. */
struct controller_tables {
    const struct step_ops *const *steps;                          /* NULL-terminated */
    struct journal *(*decorate_journal)(struct journal *journal); /* NULL: as it is */
};

/*
 * Starts a controller in its own session and waits until it is ready or has failed.
 *
 * `request` is {"state_directory", "cluster", "who"} to go on with the newest run, with "command"
 * when a command must come first because the run has ended ("rollback"); it has "plan" and
 * "inventory_text" for a new one. `ret_run` (an id) is the caller's.
 * Errors: as the controller reports them (code "locked", "journal_...").
 */
MUST_USE struct err *controller_start(const struct json *request, char **ret_run);

/* The process's main function: reads the request from standard input, answers one line on standard
 * output, closes both, runs. Returns the exit status. */
int controller_main(const struct controller_tables *tables);

#endif
