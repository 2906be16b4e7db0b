/*
 * app/run_store.h - a run on disk: created from a plan, or loaded and folded again.
 *
 * A run carries its own copy of plan and inventory (blobs named in its first records), so editing
 * the files changes nothing in a run under way; secrets are references and are resolved afresh.
 */
#ifndef UPSHIFT_APP_RUN_STORE_H
#define UPSHIFT_APP_RUN_STORE_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "engine/journal.h"
#include "engine/run.h"
#include "model/inventory.h"
#include "model/plan.h"

struct stored_run {
    struct arena arena;
    struct plan plan;
    struct inventory inventory;
    const struct inv_cluster *cluster;
    const char *origin;     /* hash of its first record: no other run anywhere has it */
    struct run_state state; /* folded; borrows `plan` */
};
void stored_run_release(struct stored_run *run);

/* Writes a new run: plan and inventory as blobs, then run_created and plan_body in one commit.
 * `inventory_text` is the file as it was when the plan was made. Fills `ret_run`. */
MUST_USE struct err *stored_run_create(struct journal *journal, const struct json *plan,
    const char *inventory_text, const char *who, struct stored_run *ret_run);

/* Loads the run `id`, or with NULL the newest. Errors: ERR_INVALID there is none. */
MUST_USE struct err *stored_run_load(
    struct journal *journal, const char *id, struct stored_run *ret_run);

/* Errors: ERR_REFUSED (code "run_unfinished") when the newest run has not ended. */
MUST_USE struct err *stored_run_refuse_unfinished(struct journal *journal);

#endif
