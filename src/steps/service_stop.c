/*
 * steps/service_stop.c - ends the server process of a node, the one that ran when we looked first.
 *
 * The identity keeps a repeated stop from ending the successor: after a crash between stop and
 * start the engine may come here again when the new process already serves.
 */
#include "base/str.h"
#include "drivers/replication.h"
#include "drivers/service.h"
#include "drivers/world.h"
#include "steps/step_args.h"
#include "steps/steps.h"

static struct err *service_stop_bind(struct call *call, const struct facts *UNUSED(facts),
    const struct json *args, struct json **ret_args)
{
    static const char *const keys[] = {"node", NULL};
    return step_bind_args(call, service_stop_ops.name, keys, args, ret_args);
}

static struct err *service_stop_read(struct call *call, const struct bound *bound,
    const struct inv_node **ret_node, struct service_status *ret_status)
{
    struct err *err = step_find_node(call, bound->args, "node", ret_node);
    if (err != NULL) {
        return err;
    }
    err = service_get_status(call, call->world->service, *ret_node, ret_status);
    if (err != NULL) {
        return err_wrap(err, (*ret_node)->name, "cannot tell whether its server runs");
    }
    return NULL;
}

static struct err *service_stop_capture(
    struct call *call, const struct bound *bound, struct json **ret_values)
{
    const struct inv_node *node;
    struct service_status status;
    struct err *err = service_stop_read(call, bound, &node, &status);
    if (err != NULL) {
        return err;
    }
    *ret_values = js_object();
    js_put_text(*ret_values, "identity", status.is_running ? status.identity : "");
    return NULL;
}

/* A server whose process the service manager does not know looks stopped and is not: taking that
 * for done would start a second server beside it. Where a proxy stands before the node, a stopped
 * server looks like a connection that is taken and closed; a server that is there says something.
 */
static struct err *service_stop_check_silence(struct call *call, const struct inv_node *node)
{
    struct replication_state state;
    struct err *err = replication_get_state(call, call->world->replication, node, &state);
    if (err != NULL && (err->kind == ERR_UNREACHABLE || text_equal(err->code, "peer_closed"))) {
        err_free(err);
        return NULL; /* nobody is there: stopped */
    }
    if (err != NULL) { /* somebody does, or may: silence is no answer */
        return err_wrap(err, node->name, "cannot tell whether its server has stopped");
    }
    return err_hint(err_code(err_new(ERR_REFUSED, node->name,
                                 "the server answers, but its pid file names no process of it"),
                        "process_lost"),
        "write the number of the server's process into %s", node->pid_file);
}

static struct err *service_stop_verify(struct call *call, const struct bound *bound,
    const struct before *before, enum step_state *ret_state)
{
    const struct inv_node *node;
    struct service_status status;
    struct err *err = service_stop_read(call, bound, &node, &status);
    if (err != NULL) {
        return err;
    }
    const char *identity = js_get_text(before->values, "identity");
    if (!status.is_running) {
        err = service_stop_check_silence(call, node);
        if (err != NULL) {
            return err;
        }
        *ret_state = STEP_DONE;
    } else if (identity == NULL || text_equal(identity, status.identity)) {
        *ret_state = STEP_ABSENT;
    } else {
        *ret_state = STEP_ELSEWHERE;
    }
    return NULL;
}

static struct err *service_stop_apply(
    struct call *call, const struct bound *bound, const struct before *before)
{
    const struct inv_node *node;
    struct err *err = step_begin_act(call, bound, &node);
    if (err != NULL) {
        return err;
    }
    const char *identity = js_get_text(before->values, "identity");
    if (identity == NULL) {
        return err_new(ERR_INTERNAL, node->name, "nobody captured which process to stop");
    }
    err = service_stop(call, call->world->service, node, identity);
    return err == NULL ? NULL : err_wrap(err, node->name, "cannot stop its server");
}

const struct step_ops service_stop_ops = {
    .name = "service.stop",
    .def = 1,
    .def_min = 1,
    .observe = STEP_BY_STATE,
    .flags = STEP_TAKES_OUT,
    .bind = service_stop_bind,
    .capture = service_stop_capture,
    .verify = service_stop_verify,
    .apply = service_stop_apply,
};
