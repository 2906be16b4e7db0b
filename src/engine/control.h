/*
 * engine/control.h - talking to the controller of a cluster, from another terminal.
 *
 * The controller listens on a Unix socket beside its journal, <state>/<cluster>/sock. Requests and
 * answers are one JSON object a line. Request: {"command": "status" | "watch" | one of
 * run_command_names, "answer": ...}; the answer goes with `resume`: "accept HASH" (of a proposed
 * plan) or "forward" (a rollback is turned again). Answer: {"ok": true, "text": ..., "snapshot":
 * {...}} or {"ok": false, "exit": N, "error": {err chain}}. `watch` goes on with one {"snapshot":
 * ...} line whenever something changed, at least every second, and ends when the controller ends.
 * A controller that cannot go on, because its journal fails, sends everybody {"ok": false,
 * "failed": true, "exit": 7, "error": {err chain}} before it ends.
 *
 * Snapshot, an object (all keys always there; null where nothing applies):
 *   run, cluster, title, state, phase, way_back, way_back_reason, epoch, controller_pid
 *   direction: "forward" | "back"; revision: how often the rest was planned anew
 *   replan: null | {why: "world|back|forward", cause}       (wanted, not there yet)
 *   proposal: null | {digest, cause, diff: [text]}          (waits for `resume --accept DIGEST`)
 *   claim: null | {is_ours, is_parked, nodes, age_ms, reason}   (the marks on the nodes)
 *   started_wall_ms, now_wall_ms, elapsed_ms, left_ms (estimate)
 *   steps_done, steps_total
 *   phases: [{name, title, state: "pending|open|done"}]
 *   steps:  [{id, summary, phase, node, shard, state: "pending|intended|done|found|failed|foreign|
 *             unknown|dropped", attempt, elapsed_ms, reason, revision}]    (those of earlier plans
 *             only when they were begun)
 *   nodes:  [{name, address, shard, role, version, product, is_reachable, is_link_up}]
 *   waiting: null | {what, because, since_wall_ms, until_wall_ms, remedy}   (the waiting sentence)
 *   question: null | {text, reasons: [..], answers: [..], remedy}
 *   probe:  null | {is_alive, intended, ok, raw_failed, failed, wrong, acked, latency_max_us,
 *             latency_p99_us, rate, last_block_age_ms}
 *   soak:   null | {healthy_s, wanted_s}
 *   scopes: [{what, where, before}]             (temporary changes still open)
 *   way_back_by_hand: [text]
 *   events: [{wall_ms, text}]                   (the last 50)
 *   exit:   exit code a viewer should end with now, or null while it should go on
 */
#ifndef UPSHIFT_ENGINE_CONTROL_H
#define UPSHIFT_ENGINE_CONTROL_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/call.h"
#include "base/err.h"
#include "base/json.h"

struct control;

/* Connects to the controller in `directory` (<state>/<cluster>).
 * Errors: ERR_UNREACHABLE nobody listens. */
MUST_USE struct err *control_connect(
    const struct call *call, const char *directory, struct control **ret_control);

/* The error as a controller told it in JSON; codes that callers know are kept. */
MUST_USE RETURNS_NONNULL struct err *control_err_of(const struct json *error);

/* Sends one request and waits for its answer. Owns: `*ret_answer` is a new reference.
 * Errors: ERR_UNKNOWN no answer came; the controller's own error when it cannot go on. */
MUST_USE struct err *control_request(const struct call *call, struct control *control,
    const struct json *request, struct json **ret_answer);

/* After a `watch` request: waits for the next snapshot; NULL when the controller has ended.
 * Errors: as control_request(). */
MUST_USE struct err *control_next(
    const struct call *call, struct control *control, struct json **ret_snapshot);

/* Is a whole snapshot here already? Then the socket need not become readable for it. */
bool control_has_next(const struct control *control);

/* The socket, for a viewer that polls it together with its terminal. */
int control_fd(const struct control *control);

void control_close(struct control *control); /* NULL is allowed */

#endif
