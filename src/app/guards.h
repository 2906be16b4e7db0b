/*
 * app/guards.h - guards as processes: this program again, in a session of its own.
 */
#ifndef UPSHIFT_APP_GUARDS_H
#define UPSHIFT_APP_GUARDS_H

#include "base/attr.h"
#include "drivers/guard.h"
#include "guard/guard.h"
#include "model/inventory.h"

/* The capability that the step repl.cutover uses. `directory` is where the guards' logs are
 * (copied); the others are borrowed. Owns: release with guard_close(). */
MUST_USE RETURNS_NONNULL struct guard *guards_open(
    const struct inv_cluster *cluster, struct cutover *cutover, const char *directory);

/* The processes "internal-guard" and "internal-timer"; what to do comes on standard input.
 * `on_state` is for tests, or NULL. Returns the exit status. */
int guards_guard_main(void (*on_state)(void *context, enum guard_state state));
int guards_timer_main(void);

#endif
