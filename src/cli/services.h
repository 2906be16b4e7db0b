/*
 * cli/services.h - what the command line asks the rest of the program to do.
 *
 * The command line knows no driver, no step and no store (style 3.2); app/services.c implements
 * this table with them. All functions block.
 */
#ifndef UPSHIFT_CLI_SERVICES_H
#define UPSHIFT_CLI_SERVICES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "cli/claims.h"
#include "engine/journal.h"
#include "model/facts.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "model/version.h"

/* A line of progress while something takes long ("fetching redis-server from bookworm"). */
typedef void cli_progress(void *context, const char *text);

struct cli_request {
    const struct inventory *inventory;
    const struct inv_cluster *cluster;
    const struct rules *rules;
    const char *action; /* of a plan: "upgrade", "restart", "switchover" */
    const char *target; /* "7.0.15", "8.1", "valkey/8.1"; NULL: none (check, show, restart) */
    const char *shard;  /* switchover: only this one; NULL: all */
    const char *node;   /* switchover: to this one; NULL: the planner chooses */
    cli_progress *progress;
    void *progress_context;
};

struct cli_probe_options {
    long rate;
    long seconds;
    bool is_read_only;
};

struct services {
    void *context;

    /* <state> of engine.md section 9; borrowed. `--state-dir` sets it before anything else. */
    const char *state_directory;

    /* Reads the cluster as it is now. */
    struct err *(*read_facts)(
        struct services *services, const struct cli_request *request, struct facts *ret_facts);

    /* Resolves the target, makes its programs ready, dry-starts, reads facts, plans. Either
     * `ret_plan` is filled or `ret_refusal` has answers (in `arena`); "already there" is a plan
     * with no phases. */
    struct err *(*make_plan)(struct services *services, const struct cli_request *request,
        struct arena *arena, struct plan *ret_plan, struct plan_refusal *ret_refusal);

    /* Evaluates every gate that applies now (with a target: also those of the upgrade); all
     * answers, good ones included, in a defined order. */
    struct err *(*check)(struct services *services, const struct cli_request *request,
        struct arena *arena, struct gate_answer **ret_answers, size_t *ret_count);

    /* Makes the programs of `request->target` of a datastore ready on this machine, ahead of a run;
     * `request->cluster` is not used. Owns: `arena`. */
    struct err *(*fetch_version)(struct services *services, const struct cli_request *request,
        const char *datastore, struct arena *arena, struct fact_artefact *ret_artefact);

    /* Compares a reviewed plan with the world: names each difference ("n4 role: replica, now
     * primary"). No differences: the plan may start. */
    struct err *(*compare_plan)(struct services *services, const struct cli_request *request,
        const struct plan *plan, struct arena *arena, const char ***ret_differences,
        size_t *ret_count);

    /* Starts a controller in its own session with a new run of this plan; returns when it listens.
     * Errors: code "locked" another controller has the cluster; "journal_..." */
    struct err *(*start_run)(struct services *services, const struct cli_request *request,
        const struct plan *plan, struct arena *arena, const char **ret_run);

    /* Starts a controller for the cluster's unfinished run when none listens; returns when it
     * does, and then `command` can be asked of it. A run that has ended answers here, as a
     * controller would (engine/control.h): then `*ret_answer` is set, and a controller is started
     * only for a command that goes on from there (rollback of an aborted run). */
    struct err *(*continue_run)(struct services *services, const char *cluster, const char *command,
        struct json **ret_answer);

    /* What `rollback` of the newest run would do, from its journal and the cluster as it is now;
     * changes nothing. As make_plan(). Errors: code "run_ended" what cannot be gone back. */
    struct err *(*plan_back)(struct services *services, const char *cluster, struct arena *arena,
        struct plan *ret_plan, struct plan_refusal *ret_refusal);

    /* Looks at the claims on the nodes of `request->cluster`, clears or adopts them. Owns: `arena`.
     * Errors: code "locked" a controller of this state directory lives; "claim_alive" the claim is
     * being renewed by a controller elsewhere; "claim_unusable" adopt: a claim that is none. */
    struct err *(*reconcile_claims)(struct services *services, const struct cli_request *request,
        enum cli_claims_act act, struct arena *arena, struct cli_claims *ret_claims);

    /* Opens the journal of a cluster for reading. Owns: the caller closes it.
     * Errors: ERR_INVALID no run of that cluster here. */
    struct err *(*open_journal)(
        struct services *services, const char *cluster, struct journal **ret_journal);

    /* The state of a run (NULL: the newest) out of its journal, as a snapshot of
     * engine/control.h without what only a living controller knows. Owns: the caller frees. */
    struct err *(*read_run)(struct services *services, const char *cluster, const char *run,
        struct json **ret_snapshot);

    /* Names of all clusters with a journal below the state directory. */
    struct err *(*list_journals)(struct services *services, struct arena *arena,
        const char ***ret_clusters, size_t *ret_count);

    /* Runs a probe in the foreground; prints a line a second through progress; the result is the
     * probe's final record as JSON. */
    struct err *(*probe)(struct services *services, const struct cli_request *request,
        const struct cli_probe_options *options, struct json **ret_final);
};

#endif
