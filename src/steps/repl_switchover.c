/*
 * steps/repl_switchover.c - makes a replica the primary of its shard, without losing a write.
 *
 * The server does the work and bounds its own hold. Done means that both sides say so: while the
 * old primary has not agreed yet, it may still look like a second primary of the same slots.
 */
#include "base/str.h"
#include "drivers/replication.h"
#include "drivers/world.h"
#include "steps/step_args.h"
#include "steps/steps.h"

static struct err *repl_switchover_bind(struct call *call, const struct facts *UNUSED(facts),
    const struct json *args, struct json **ret_args)
{
    static const char *const keys[] = {"node", "primary", "shard", "id", "primary_id", NULL};
    AUTO_JSON bound = NULL;
    struct err *err = step_bind_args(call, repl_switchover_ops.name, keys, args, &bound);
    const struct inv_node *primary;
    if (err == NULL) {
        err = step_find_node(call, args, "primary", &primary);
    }
    if (err == NULL) {
        *ret_args = js_ref(bound);
    }
    return err;
}

static struct err *repl_switchover_capture(
    struct call *UNUSED(call), const struct bound *UNUSED(bound), struct json **ret_values)
{
    *ret_values = js_object(); /* the arguments already say who was primary */
    return NULL;
}

/* The node is primary: does the old one agree? Not reading it says nothing, so it is asked again
 * until the deadline. */
static struct err *repl_switchover_verify_old(
    struct call *call, const struct json *args, enum step_state *ret_state)
{
    const struct inv_node *old;
    struct err *err = step_find_node(call, args, "primary", &old);
    if (err != NULL) {
        return err;
    }
    struct replication_state state = {0};
    AUTO_ERR unseen = replication_get_state(call, call->world->replication, old, &state);
    const bool agrees = unseen == NULL && state.role == FACT_ROLE_REPLICA &&
                        text_equal(state.primary_id, js_get_text(args, "id"));
    *ret_state = agrees ? STEP_DONE : STEP_MOVING;
    return NULL;
}

static struct err *repl_switchover_verify(struct call *call, const struct bound *bound,
    const struct before *UNUSED(before), enum step_state *ret_state)
{
    const struct inv_node *node;
    struct err *err = step_find_node(call, bound->args, "node", &node);
    if (err != NULL) {
        return err;
    }
    struct replication_state state = {0};
    err = replication_get_state(call, call->world->replication, node, &state);
    if (err != NULL) {
        return err_wrap(err, node->name, "cannot tell its role");
    }
    if (state.role == FACT_ROLE_UNKNOWN || state.is_loading) {
        return err_new(ERR_UNKNOWN, node->name, "does not say its role yet");
    }
    if (!text_equal(state.id, js_get_text(bound->args, "id"))) {
        *ret_state = STEP_ELSEWHERE; /* another node under the same address is never trusted */
        return NULL;
    }
    if (state.role == FACT_ROLE_PRIMARY) {
        return repl_switchover_verify_old(call, bound->args, ret_state);
    }
    const bool is_before = text_equal(state.primary_id, js_get_text(bound->args, "primary_id"));
    *ret_state = is_before ? STEP_ABSENT : STEP_ELSEWHERE;
    return NULL;
}

static struct err *repl_switchover_apply(
    struct call *call, const struct bound *bound, const struct before *UNUSED(before))
{
    const struct inv_node *node;
    struct err *err = step_begin_act(call, bound, &node);
    if (err != NULL) {
        return err;
    }
    err = replication_switchover(call, call->world->replication, node);
    return err == NULL ? NULL : err_wrap(err, node->name, "cannot make it primary");
}

const struct step_ops repl_switchover_ops = {
    .name = "repl.switchover",
    .def = 1,
    .def_min = 1,
    .observe = STEP_BY_STATE,
    .bind = repl_switchover_bind,
    .capture = repl_switchover_capture,
    .verify = repl_switchover_verify,
    .apply = repl_switchover_apply,
};
