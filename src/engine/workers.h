/*
 * engine/workers.h - the engine's queue of events and the threads that do its tasks.
 *
 * Workers block, the engine does not. Each task ends in one EVENT_RESULT on the queue. The queue is
 * bounded by what the engine itself has in flight, so it needs no other limit; operators' commands
 * come through workers_post() from the control socket, one per connection.
 */
#ifndef UPSHIFT_ENGINE_WORKERS_H
#define UPSHIFT_ENGINE_WORKERS_H

#include <stddef.h>

#include "base/attr.h"
#include "engine/executor.h"
#include "engine/loop.h"

struct workers;

/* Starts `count` threads. `executor` is borrowed. Errors: ERR_INTERNAL no threads to be had. */
MUST_USE struct err *workers_open(
    const struct executor *executor, size_t count, struct workers **ret_workers);

/* Waits for the tasks in work to end (each has a deadline), then frees. NULL is allowed. */
void workers_close(struct workers *workers);

/* Posts an event; `who` and `body` are copied. Thread: any. */
void workers_post(struct workers *workers, const struct event *event);

extern const struct exec_ops workers_exec_ops; /* context: struct workers * */

/* For engine_io.next_event; frees what the last event held. Thread: the engine's. */
bool workers_next_event(void *context, int64_t until_ms, struct event *ret_event);

#endif
