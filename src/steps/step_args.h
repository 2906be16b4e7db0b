/*
 * steps/step_args.h - what all kinds of steps do with their arguments.
 *
 * Arguments come from a plan file that somebody may have edited, so they are checked once, in bind;
 * afterwards every key is known to be there and to be text.
 */
#ifndef UPSHIFT_STEPS_STEP_ARGS_H
#define UPSHIFT_STEPS_STEP_ARGS_H

#include "base/attr.h"
#include "base/call.h"
#include "base/json.h"
#include "engine/step.h"
#include "model/inventory.h"

/* Checks that `args` holds exactly the text keys `keys` (ended by NULL) and that the node it names
 * exists. `kind` is for the error. Owns: `*ret_args` is a new reference.
 * Errors: ERR_INVALID, code "step_args". */
MUST_USE struct err *step_bind_args(const struct call *call, const char *kind,
    const char *const *keys, const struct json *args, struct json **ret_args);

/* As step_bind_args(), and adds the argument "folder": the one in the node's directory that holds
 * what this run sets aside. */
MUST_USE struct err *step_bind_aside(const struct call *call, const char *kind,
    const char *const *keys, const struct json *args, struct json **ret_args);

/* Finds the node that the argument `key` names. Errors: ERR_INVALID, code "step_args". */
MUST_USE struct err *step_find_node(const struct call *call, const struct json *args,
    const char *key, const struct inv_node **ret_node);

/* Errors: ERR_CANCELLED, code "send_window_closed", when nothing may be sent any more. */
MUST_USE struct err *step_check_send(const struct call *call, const struct inv_node *node);

/* Finds the node that a step is about to act on, while something may still be sent.
 * Errors: as the two above. */
MUST_USE struct err *step_begin_act(
    const struct call *call, const struct bound *bound, const struct inv_node **ret_node);

#endif
