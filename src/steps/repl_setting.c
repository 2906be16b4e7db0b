/*
 * steps/repl_setting.c - changes one live setting of a server for a while, and puts it back.
 *
 * The change lives in memory only (CONFIG SET): a restart loses it, which undo takes for somebody's
 * restoring. A value that is neither ours nor the one found before is somebody else's and stays;
 * but behind a restart it is what the file or the new version says, and nothing of ours is left.
 */
#include "base/mem.h"
#include "base/str.h"
#include "drivers/service.h"
#include "drivers/settings.h"
#include "drivers/world.h"
#include "steps/step_args.h"
#include "steps/steps.h"

static struct err *repl_setting_bind(struct call *call, const struct facts *UNUSED(facts),
    const struct json *args, struct json **ret_args)
{
    static const char *const keys[] = {"node", "name", "value", NULL};
    return step_bind_args(call, repl_setting_ops.name, keys, args, ret_args);
}

/* We write "64mb", the server answers "67108864": the same value. */
static bool is_same_value(const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        return false;
    }
    int64_t a_number;
    int64_t b_number;
    if (str_to_size(a, &a_number) && str_to_size(b, &b_number)) {
        return a_number == b_number;
    }
    return strcmp(a, b) == 0;
}

static struct err *repl_setting_read(struct call *call, const struct bound *bound,
    const struct inv_node **ret_node, char **ret_value)
{
    struct err *err = step_find_node(call, bound->args, "node", ret_node);
    if (err != NULL) {
        return err;
    }
    const char *where = (*ret_node)->name;
    const char *name = js_get_text(bound->args, "name");
    err = settings_get(call, call->world->settings, *ret_node, name, ret_value);
    if (err != NULL) {
        return err_wrap(err, where, "cannot read the setting %s", name);
    }
    if (*ret_value == NULL) {
        err = err_new(ERR_REFUSED, where, "its server does not know the setting %s", name);
        return err_code(err, "setting_unknown");
    }
    return NULL;
}

static struct err *repl_setting_capture(
    struct call *call, const struct bound *bound, struct json **ret_values)
{
    const struct inv_node *node;
    AUTO_FREE char *value = NULL;
    struct err *err = repl_setting_read(call, bound, &node, &value);
    if (err != NULL) {
        return err;
    }
    struct service_status status = {0};
    AUTO_ERR unknown = service_get_status(call, call->world->service, node, &status);
    *ret_values = js_object();
    js_put_text(*ret_values, "value", value);
    if (unknown == NULL && status.is_running) { /* else nobody can say later that it is another */
        js_put_text(*ret_values, "process", status.identity);
    }
    return NULL;
}

static struct err *repl_setting_verify(struct call *call, const struct bound *bound,
    const struct before *before, enum step_state *ret_state)
{
    const struct inv_node *node;
    AUTO_FREE char *value = NULL;
    struct err *err = repl_setting_read(call, bound, &node, &value);
    if (err != NULL) {
        return err;
    }
    const char *captured = js_get_text(before->values, "value");
    if (is_same_value(value, js_get_text(bound->args, "value"))) {
        *ret_state = STEP_DONE;
    } else if (captured == NULL || is_same_value(value, captured)) {
        *ret_state = STEP_ABSENT;
    } else {
        *ret_state = STEP_ELSEWHERE;
    }
    return NULL;
}

static struct err *repl_setting_write(
    struct call *call, const struct bound *bound, const struct inv_node *node, const char *value)
{
    struct err *err = step_check_send(call, node);
    if (err != NULL) {
        return err;
    }
    const char *name = js_get_text(bound->args, "name");
    err = settings_set(call, call->world->settings, node, name, value);
    return err == NULL ? NULL : err_wrap(err, node->name, "cannot set %s to %s", name, value);
}

static struct err *repl_setting_apply(
    struct call *call, const struct bound *bound, const struct before *UNUSED(before))
{
    const struct inv_node *node;
    struct err *err = step_find_node(call, bound->args, "node", &node);
    if (err != NULL) {
        return err;
    }
    return repl_setting_write(call, bound, node, js_get_text(bound->args, "value"));
}

/* At a change of roles Sentinels let the servers write their files (CONFIG REWRITE), and with the
 * rest what was meant for a while. Once it is restored it has to go from the file as well. */
static struct err *repl_setting_forget(struct call *call, const struct inv_node *node)
{
    const bool is_rewritten = call->world->cluster->sentinel_count > 0 && !node->is_sentinel;
    return is_rewritten ? settings_rewrite(call, call->world->settings, node) : NULL;
}

/* Is there another process than the one whose value was captured? Not where nobody can tell. */
static struct err *repl_setting_see_restart(struct call *call, const struct inv_node *node,
    const struct before *before, bool *ret_is_restarted)
{
    const char *captured = js_get_text(before->values, "process");
    *ret_is_restarted = false;
    if (captured == NULL) {
        return NULL;
    }
    struct service_status status = {0};
    struct err *err = service_get_status(call, call->world->service, node, &status);
    if (err != NULL) {
        return err_wrap(err, node->name, "cannot tell whether its server was restarted");
    }
    *ret_is_restarted = status.is_running && !text_equal(status.identity, captured);
    return NULL;
}

static struct err *repl_setting_undo(struct call *call, const struct bound *bound,
    const struct before *before, enum step_state *ret_left)
{
    const struct inv_node *node;
    AUTO_FREE char *value = NULL;
    struct err *err = repl_setting_read(call, bound, &node, &value);
    if (err != NULL) {
        return err;
    }
    const char *captured = js_get_text(before->values, "value");
    if (captured == NULL) {
        return err_new(ERR_INTERNAL, node->name, "nobody captured the value to restore");
    }
    if (is_same_value(value, captured)) {
        *ret_left = STEP_ABSENT;
        return NULL;
    }
    if (!is_same_value(value, js_get_text(bound->args, "value"))) {
        bool is_restarted = false;
        err = repl_setting_see_restart(call, node, before, &is_restarted);
        if (err == NULL) {
            *ret_left = is_restarted ? STEP_ABSENT : STEP_ELSEWHERE;
        }
        return err;
    }
    err = repl_setting_write(call, bound, node, captured);
    if (err == NULL) {
        err = repl_setting_forget(call, node);
    }
    if (err == NULL) {
        *ret_left = STEP_ABSENT;
    }
    return err;
}

const struct step_ops repl_setting_ops = {
    .name = "repl.setting",
    .def = 1,
    .def_min = 1,
    .observe = STEP_BY_STATE,
    .bind = repl_setting_bind,
    .capture = repl_setting_capture,
    .verify = repl_setting_verify,
    .apply = repl_setting_apply,
    .undo = repl_setting_undo,
};
