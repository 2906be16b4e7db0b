/*
 * model/plan_text.h - plans and gate answers as plain text of 80 columns.
 *
 * What `upshift plan` and `upshift check` print, and what golden tests compare. Only a command line
 * is ever longer than 80 columns: it must stay whole to be typed.
 */
#ifndef UPSHIFT_MODEL_PLAN_TEXT_H
#define UPSHIFT_MODEL_PLAN_TEXT_H

#include <stddef.h>

#include "base/buf.h"
#include "model/gate.h"
#include "model/plan.h"

/* Appends what a run is called in a line: "redis 6.0.16 -> redis 7.0.15", "restart with ...". */
void plan_title(const struct plan_request *request, struct buf *ret_text);

/* Appends the whole plan: phases, steps, pause point, notes, way back. */
void plan_text(const struct plan *plan, struct buf *ret_text);

/* Appends answers, one paragraph each: state, gate, reason, remedy. */
void plan_answers_text(const struct gate_answer *answers, size_t count, struct buf *ret_text);

/* Appends a headline and all reasons; `to` as in plan_request ("redis 7.0.15"). */
void plan_refusal_text(
    const struct plan_refusal *refusal, const char *cluster, const char *to, struct buf *ret_text);

#endif
