/*
 * app/keeper.h - keeps a probe running beside the run: starts it, tells it, watches it, ends it.
 *
 * The probe is its own process and outlives a dead controller; the next controller finds it in the
 * same folder. A probe that died is followed by a new incarnation, and the time between is a gap.
 */
#ifndef UPSHIFT_APP_KEEPER_H
#define UPSHIFT_APP_KEEPER_H

#include "base/attr.h"
#include "base/err.h"
#include "base/json.h"
#include "model/inventory.h"
#include "model/plan.h"

struct keeper;

struct keeper_hooks {
    /* The probe has ended for good: its final record, or NULL when it left none or is off.
     * Thread: the keeper's. */
    void (*on_end)(void *context, const struct json *final);
    /* Nobody watched for a while: {"from_wall_ms", "to_wall_ms", "reason"}. */
    void (*on_gap)(void *context, const struct json *gap);
    void *context;
};

struct keeper_config {
    const char *directory; /* <state>/<cluster>/probe/<run> */
    const char *run;
    const struct inv_cluster *cluster;
    const struct plan_policy *policy;
};

/* Starts (or, after a crash, finds) the probe; with mode "off" nothing, and on_end is called when
 * asked to stop. Errors: ERR_INVALID the probe cannot be started. */
MUST_USE struct err *keeper_open(const struct keeper_config *config,
    const struct keeper_hooks *hooks, struct keeper **ret_keeper);

/* Tells the probe what the controller has done. Thread: any; does not block. */
void keeper_mark(struct keeper *keeper, const char *step, const char *boundary);

/* Asks for the read-back and the end; on_end follows. Thread: any. */
void keeper_stop(struct keeper *keeper);

/* Adds the member `probe` of the snapshot (engine/control.h). Thread: any. */
void keeper_decorate(struct keeper *keeper, struct json *snapshot);

/* Lets go; a probe that was not stopped goes on by itself (it lingers). NULL is allowed. */
void keeper_close(struct keeper *keeper);

#endif
