/*
 * engine/snapshot.h - the state of a run for people: what viewers show (engine/control.h).
 */
#ifndef UPSHIFT_ENGINE_SNAPSHOT_H
#define UPSHIFT_ENGINE_SNAPSHOT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/json.h"
#include "engine/run.h"

/* The snapshot without `probe`, `events` and `controller_pid`, which the controller adds. It shares
 * nothing with the state, so another thread may have it. Owns: caller frees. */
MUST_USE RETURNS_NONNULL struct json *run_snapshot(
    const struct run_state *state, int64_t now_ms, int64_t wall_ms);

/* One line for people about a record ("n4: stop n4 done in 0.2 s"); false when it tells nothing
 * that a viewer needs. */
bool record_describe(
    const struct run_state *state, const struct journal_record *record, struct buf *ret_line);

#endif
