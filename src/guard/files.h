/*
 * guard/files.h - what a cut-over leaves on disk, so that its successor knows what happened.
 *
 *   <base>.log         one JSON line per state, durable; locked while the guard lives
 *   <base>.timer       armed; whoever removes it decides: the guard commits, or the timer fires
 *   <base>.timer.lock  locked while the timer lives
 *
 * with <base> = <directory>/<run>.<step>.<attempt>. A lock is the kernel's, so it ends with the
 * process. The one on the log is taken by the starter and inherited, so that there is no moment in
 * which a guard is under way and not seen.
 */
#ifndef UPSHIFT_GUARD_FILES_H
#define UPSHIFT_GUARD_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/call.h"
#include "base/err.h"
#include "guard/table.h"

/* One attempt of one step, as its files tell. */
struct guard_trace {
    const char *base;
    int64_t started_ms; /* clock time of this boot; 0: it has not said so */
    bool is_committed;
    enum guard_state state; /* the last one written */
    const char *why;        /* of going back, or stuck; or NULL */
    const char *hook;       /* what the hook said, when it failed; or NULL */
};

/* Makes the log of the next attempt, empty and locked. Owns: `*ret_base` the caller's to free, the
 * descriptor the caller's to close; the lock lives on in who inherits it. */
MUST_USE struct err *guard_files_begin(
    const char *directory, const char *run, const char *step, char **ret_base, int *ret_log_fd);

/* Reads all attempts of a step, oldest first. Owns: `arena`. */
MUST_USE struct err *guard_files_read(const char *directory, const char *run, const char *step,
    struct arena *arena, struct guard_trace **ret_traces, size_t *ret_count);

/* Reads one log. */
void guard_trace_read(struct guard_trace *trace, struct arena *arena);

/* Is somebody holding that lock? `suffix`: ".log" or ".timer.lock". */
bool guard_is_alive(const char *base, const char *suffix);

/* Waits until nobody does; at `call`'s deadline ends who does (SIGKILL: a frozen process must not
 * wake up later and act). Errors: ERR_UNKNOWN, code "cutover_unclear" it cannot be ended. */
MUST_USE struct err *guard_await_end(const struct call *call, const char *base, const char *suffix);

/* Waits until no guard and no timer of any step or run lives in that folder; ends none of them.
 * Errors: ERR_UNREACHABLE, code "cutover_busy", at the deadline. */
MUST_USE struct err *guard_await_quiet(const struct call *call, const char *directory);

/* The timer's file. Arming fails when it is there. Disarming is true for exactly one who tries. */
MUST_USE struct err *guard_timer_arm(const char *base);
bool guard_timer_is_armed(const char *base);
bool guard_timer_disarm(const char *base);

/* Takes the timer's lock for the life of this process and leaves it on standard output, where it
 * is found. Errors: ERR_INTERNAL. */
MUST_USE struct err *guard_timer_lock(const char *base);

#endif
