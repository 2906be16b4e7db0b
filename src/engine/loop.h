/*
 * engine/loop.h - the thin loop around engine_decide(): events in, journal first, then commands.
 *
 * One thread owns the run state and the journal. Others post events. Everything the loop needs from
 * outside is in `struct engine_io`, so a simulation replaces it whole.
 */
#ifndef UPSHIFT_ENGINE_LOOP_H
#define UPSHIFT_ENGINE_LOOP_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"
#include "engine/decide.h"
#include "engine/journal.h"

/* Does the work of tasks; each posts one EVENT_RESULT in the end, whatever happens. */
struct exec_ops {
    /* Takes over the references in `task`. Does not block. Thread: the engine's. */
    void (*submit)(void *context, const struct run_task *task);
};

/* Told about everything after it is durable. Thread: the engine's; must not block. */
struct observer_ops {
    void (*on_records)(void *context, const struct run_state *state,
        const struct journal_record *records, size_t record_count);
    void (*on_reply)(void *context, int64_t reply_id, bool is_ok, int exit_code, const char *text);
    void (*on_probe_stop)(void *context); /* answer with EVENT_PROBE */
    void (*on_change)(
        void *context, const struct run_state *state); /* after every decision, before replies */
};

struct engine_io {
    struct clock *clock;
    struct journal *journal;
    const struct exec_ops *exec;
    void *exec_context;
    const struct observer_ops *observer;
    void *observer_context;
    /* Waits until `until_ms` (0: without limit) or until an event is posted; fills it and returns
     * true, or returns false when the time came. */
    bool (*next_event)(void *context, int64_t until_ms, struct event *ret_event);
    void *queue_context;
};

/* Runs until the run needs no process any more. `ret_exit_code` as engine.md 13.
 * Errors: an append failed; what it held was not carried out, and the caller must end the process:
 * the disk decides what happened. */
MUST_USE struct err *engine_run(
    struct run_state *state, const struct engine_io *io, struct event *first, int *ret_exit_code);

/* Folds `records` into a fresh state. */
void engine_fold_all(
    struct run_state *state, const struct journal_record *records, size_t record_count);

#endif
