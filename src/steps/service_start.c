/*
 * steps/service_start.c - starts the server of a node and sees it serve in the expected series.
 *
 * A process that was executed is not a server yet: until it has loaded and answers, the answer is
 * MOVING. One that serves another series was started by somebody else, or through another link.
 * A program is never started on files that are newer than what it reads: it would start empty.
 */
#include "base/str.h"
#include "drivers/replication.h"
#include "drivers/service.h"
#include "drivers/topology.h"
#include "drivers/world.h"
#include "steps/step_args.h"
#include "steps/steps.h"

static struct err *service_start_bind(struct call *call, const struct facts *UNUSED(facts),
    const struct json *args, struct json **ret_args)
{
    static const char *const keys[] = {"node", "series", "reads_rdb", "reads_aof_folder", NULL};
    return step_bind_args(call, service_start_ops.name, keys, args, ret_args);
}

static struct err *service_start_capture(
    struct call *UNUSED(call), const struct bound *UNUSED(bound), struct json **ret_values)
{
    *ret_values = js_object(); /* ended again by service.stop, not by an undo */
    return NULL;
}

/* What a running process says. Only "no answer" may become better by waiting. */
static struct err *service_start_verify_running(struct call *call, const struct bound *bound,
    const struct inv_node *node, enum step_state *ret_state)
{
    struct replication_state state = {0};
    struct err *err = replication_get_state(call, call->world->replication, node, &state);
    if (err != NULL && err->kind != ERR_UNREACHABLE && err->kind != ERR_UNKNOWN) {
        return err_wrap(err, node->name, "cannot tell whether its server serves");
    }
    if (err != NULL || state.is_loading) {
        *ret_state = STEP_MOVING;
    } else if (text_equal(state.series, js_get_text(bound->args, "series"))) {
        *ret_state = STEP_DONE;
    } else {
        *ret_state = STEP_ELSEWHERE;
    }
    err_free(err);
    return NULL;
}

static struct err *service_start_verify(struct call *call, const struct bound *bound,
    const struct before *UNUSED(before), enum step_state *ret_state)
{
    const struct inv_node *node;
    struct err *err = step_find_node(call, bound->args, "node", &node);
    if (err != NULL) {
        return err;
    }
    struct service_status status;
    err = service_get_status(call, call->world->service, node, &status);
    if (err != NULL) {
        return err_wrap(err, node->name, "cannot tell whether its server runs");
    }
    if (!status.is_running) {
        *ret_state = STEP_ABSENT;
        return NULL;
    }
    return service_start_verify_running(call, bound, node, ret_state);
}

static struct err *service_start_judge(
    const struct bound *bound, const struct inv_node *node, const struct fact_node *fact)
{
    int64_t reads_rdb = 0;
    (void)str_to_int64(str_of(js_get_text(bound->args, "reads_rdb")), &reads_rdb);
    const bool reads_folder = text_equal(js_get_text(bound->args, "reads_aof_folder"), "yes");
    if (fact->config_digest == NULL) { /* read together with the directory */
        struct err *err = err_new(ERR_UNREACHABLE, node->name, "its directory was not read");
        return err_code(err, "file_unreadable");
    }
    if (fact->rdb_version <= reads_rdb && (reads_folder || !fact->has_appendonly_dir)) {
        return NULL;
    }
    struct err *err = err_new(ERR_REFUSED, node->name,
        "%s would start empty or not at all: the files in %s are of a newer version",
        js_get_text(bound->args, "series"), node->directory);
    return err_hint(err_code(err, "directory_too_new"),
        "start the version that wrote them, or move dump and log away and let the node copy "
        "everything from its primary");
}

static struct err *service_start_check_directory(
    struct call *call, const struct bound *bound, const struct inv_node *node)
{
    AUTO_FACTS facts = {0};
    struct err *err = topology_read(call, call->world->topology, &facts);
    if (err != NULL) {
        return err_wrap(err, node->name, "cannot tell what its directory holds");
    }
    const struct fact_node *fact = facts_find(&facts, node->name);
    return fact == NULL ? NULL : service_start_judge(bound, node, fact); /* a Sentinel has none */
}

static struct err *service_start_apply(
    struct call *call, const struct bound *bound, const struct before *UNUSED(before))
{
    const struct inv_node *node;
    struct err *err = step_begin_act(call, bound, &node);
    if (err == NULL) {
        err = service_start_check_directory(call, bound, node);
    }
    if (err != NULL) {
        return err;
    }
    err = service_start(call, call->world->service, node);
    return err == NULL ? NULL : err_wrap(err, node->name, "cannot start its server");
}

const struct step_ops service_start_ops = {
    .name = "service.start",
    .def = 1,
    .def_min = 1,
    .observe = STEP_BY_STATE,
    .bind = service_start_bind,
    .capture = service_start_capture,
    .verify = service_start_verify,
    .apply = service_start_apply,
};
