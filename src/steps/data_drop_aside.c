/*
 * steps/data_drop_aside.c - deletes what the run has set aside on a node, once nobody needs it.
 *
 * One folder of the run's own name; whether it is there says whether the step is done.
 */
#include "base/mem.h"
#include "drivers/host.h"
#include "drivers/world.h"
#include "steps/step_args.h"
#include "steps/steps.h"

static struct err *data_drop_aside_bind(struct call *call, const struct facts *UNUSED(facts),
    const struct json *args, struct json **ret_args)
{
    static const char *const keys[] = {"node", NULL};
    return step_bind_aside(call, data_drop_aside_ops.name, keys, args, ret_args);
}

static struct err *data_drop_aside_capture(
    struct call *UNUSED(call), const struct bound *UNUSED(bound), struct json **ret_values)
{
    *ret_values = js_object();
    return NULL;
}

static struct err *data_drop_aside_verify(struct call *call, const struct bound *bound,
    const struct before *UNUSED(before), enum step_state *ret_state)
{
    const struct inv_node *node;
    struct err *err = step_find_node(call, bound->args, "node", &node);
    if (err != NULL) {
        return err;
    }
    AUTO_FREE char *path = mem_format("%s/%s", node->directory, js_get_text(bound->args, "folder"));
    bool is_there = false;
    err = host_exists(call, call->world->host, node, path, &is_there);
    if (err != NULL) {
        return err_wrap(err, node->name, "cannot tell whether data lie aside");
    }
    *ret_state = is_there ? STEP_ABSENT : STEP_DONE;
    return NULL;
}

static struct err *data_drop_aside_apply(
    struct call *call, const struct bound *bound, const struct before *UNUSED(before))
{
    const struct inv_node *node;
    struct err *err = step_begin_act(call, bound, &node);
    if (err != NULL) {
        return err;
    }
    err = host_remove_aside(call, call->world->host, node, js_get_text(bound->args, "folder"));
    return err == NULL ? NULL : err_wrap(err, node->name, "cannot delete what was set aside");
}

const struct step_ops data_drop_aside_ops = {
    .name = "data.drop_aside",
    .def = 1,
    .def_min = 1,
    .observe = STEP_BY_STATE,
    .bind = data_drop_aside_bind,
    .capture = data_drop_aside_capture,
    .verify = data_drop_aside_verify,
    .apply = data_drop_aside_apply,
};
