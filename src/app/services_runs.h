/*
 * app/services_runs.h - the services of the command line that are about runs: starting a
 * controller, going on with a run, reading journals. See cli/services.h for what each promises.
 */
#ifndef UPSHIFT_APP_SERVICES_RUNS_H
#define UPSHIFT_APP_SERVICES_RUNS_H

#include "app/run_store.h"
#include "cli/services.h"

MUST_USE struct err *services_start_run(struct services *services,
    const struct cli_request *request, const struct plan *plan, struct arena *arena,
    const char **ret_run);
MUST_USE struct err *services_continue_run(
    struct services *services, const char *cluster, const char *command, struct json **ret_answer);
MUST_USE struct err *services_open_journal(
    struct services *services, const char *cluster, struct journal **ret_journal);
/* A run out of its journal; `id` NULL: the newest. Owns: release with stored_run_release(). */
MUST_USE struct err *services_load_run(
    struct services *services, const char *cluster, const char *id, struct stored_run *ret_run);

MUST_USE struct err *services_read_run(
    struct services *services, const char *cluster, const char *run, struct json **ret_snapshot);
MUST_USE struct err *services_list_journals(
    struct services *services, struct arena *arena, const char ***ret_clusters, size_t *ret_count);

MUST_USE struct err *services_plan_back(struct services *services, const char *cluster,
    struct arena *arena, struct plan *ret_plan, struct plan_refusal *ret_refusal);

/* While a run is open its temporary settings are live: a plan would take them for drift. */
MUST_USE struct err *services_refuse_unfinished(struct services *services, const char *cluster);

#endif
