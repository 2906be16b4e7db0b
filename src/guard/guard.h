/*
 * guard/guard.h - one cut-over, carried out or given back by a process that nothing else can stop.
 *
 * guard_run() is the guard: a loop over guard/table.h, one act per state. timer_run() is the
 * dead-man of its fence. guard_settle_left() is for whoever comes after a guard that did not end by
 * itself. All block, and act through drivers/cutover.h only.
 */
#ifndef UPSHIFT_GUARD_GUARD_H
#define UPSHIFT_GUARD_GUARD_H

#include "base/clock.h"
#include "drivers/cutover.h"
#include "guard/config.h"
#include "guard/files.h"
#include "guard/table.h"

struct guard_env {
    struct clock *clock;
    struct cutover *cutover;
    const struct inv_cluster *cluster; /* whose nodes the config names */
    int log_fd;                        /* the guard's */
    /* Starts a process that calls timer_run() with this config. */
    struct err *(*start_timer)(void *context, const struct guard_config *config);
    void (*on_state)(void *context, enum guard_state state); /* after its line; NULL: nobody asks */
    void *context;
};

enum {
    GUARD_PREPARE_MS = 5000,      /* nothing is held yet */
    GUARD_TIMER_EARLY_MS = 250,   /* the fence falls before the hold ends: who waited can write */
    GUARD_FINISH_MS = 15000,      /* to promote, and for Sentinels to tell; or to give back */
    GUARD_HOOK_MS = 10000,        /* the operator's program that tells clients */
    GUARD_TIMER_RETRY_MS = 60000, /* a primary that cannot be reached */
};

/* How long a guard may take, from its start. */
int64_t guard_time_max_ms(int64_t hold_limit_ms);

/* Carries out one cut-over. Returns the final state; its log has the reasons. */
enum guard_state guard_run(const struct guard_config *config, const struct guard_env *env);

/* Waits for its time, then lifts the fence unless it was disarmed. */
MUST_USE struct err *timer_run(const struct guard_config *config, const struct guard_env *env);

/* Waits for all guards of the step, ends those that do not move, and decides by the world.
 * `config` names run, step, parties and fence_before; its base is not used.
 * Errors: ERR_UNKNOWN, code "cutover_unclear". Blocks: to the call's deadline. */
MUST_USE struct err *guard_settle_left(const struct call *call, const char *directory,
    const struct guard_config *config, const struct guard_env *env);

#endif
