/*
 * steps/package_switch.c - points the server link of a node at the program of another version.
 *
 * The link is the whole step: replaced by rename it is never missing, and where it points says
 * whether the step is done. The running process does not notice.
 */
#include "base/mem.h"
#include "base/str.h"
#include "drivers/host.h"
#include "drivers/world.h"
#include "steps/step_args.h"
#include "steps/steps.h"

static struct err *package_switch_bind(struct call *call, const struct facts *UNUSED(facts),
    const struct json *args, struct json **ret_args)
{
    static const char *const keys[] = {"node", "server", "version", "series", NULL};
    return step_bind_args(call, package_switch_ops.name, keys, args, ret_args);
}

static struct err *package_switch_read(
    struct call *call, const struct bound *bound, char **ret_target)
{
    const struct inv_node *node;
    struct err *err = step_find_node(call, bound->args, "node", &node);
    if (err != NULL) {
        return err;
    }
    err = host_read_link(call, call->world->host, node, node->server_link, ret_target);
    if (err != NULL) {
        return err_wrap(err, node->name, "cannot tell which program its server link names");
    }
    return NULL;
}

static struct err *package_switch_capture(
    struct call *call, const struct bound *bound, struct json **ret_values)
{
    AUTO_FREE char *target = NULL;
    struct err *err = package_switch_read(call, bound, &target);
    if (err != NULL) {
        return err;
    }
    *ret_values = js_object();
    js_put_text(*ret_values, "server", target);
    return NULL;
}

static struct err *package_switch_verify(struct call *call, const struct bound *bound,
    const struct before *before, enum step_state *ret_state)
{
    AUTO_FREE char *target = NULL;
    struct err *err = package_switch_read(call, bound, &target);
    if (err != NULL) {
        return err;
    }
    const char *captured = js_get_text(before->values, "server");
    if (text_equal(target, js_get_text(bound->args, "server"))) {
        *ret_state = STEP_DONE;
    } else if (captured == NULL || text_equal(target, captured)) {
        *ret_state = STEP_ABSENT;
    } else {
        *ret_state = STEP_ELSEWHERE;
    }
    return NULL;
}

static struct err *package_switch_apply(
    struct call *call, const struct bound *bound, const struct before *UNUSED(before))
{
    const struct inv_node *node;
    struct err *err = step_begin_act(call, bound, &node);
    if (err != NULL) {
        return err;
    }
    const char *server = js_get_text(bound->args, "server");
    err = host_replace_link(call, call->world->host, node, node->server_link, server);
    if (err != NULL) {
        return err_wrap(err, node->name, "cannot point %s at %s", node->server_link, server);
    }
    return NULL;
}

const struct step_ops package_switch_ops = {
    .name = "package.switch",
    .def = 1,
    .def_min = 1,
    .observe = STEP_BY_STATE,
    .bind = package_switch_bind,
    .capture = package_switch_capture,
    .verify = package_switch_verify,
    .apply = package_switch_apply,
};
