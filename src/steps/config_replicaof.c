/*
 * steps/config_replicaof.c - lets the configuration file of a node name the primary of now.
 *
 * Without Sentinels nobody else does: at its next restart an old primary would be one again, beside
 * the new one, and take writes that are lost later.
 */
#include "base/mem.h"
#include "base/str.h"
#include "drivers/settings.h"
#include "drivers/world.h"
#include "steps/step_args.h"
#include "steps/steps.h"

static const char *const no_primary = "none";

static struct err *config_replicaof_bind(struct call *call, const struct facts *UNUSED(facts),
    const struct json *args, struct json **ret_args)
{
    static const char *const keys[] = {"node", "primary", NULL};
    return step_bind_args(call, config_replicaof_ops.name, keys, args, ret_args);
}

/* The primary that the file shall name; NULL: none. */
static struct err *find_wanted(
    struct call *call, const struct bound *bound, const struct inv_node **ret_primary)
{
    *ret_primary = NULL;
    return text_equal(js_get_text(bound->args, "primary"), no_primary)
               ? NULL
               : step_find_node(call, bound->args, "primary", ret_primary);
}

static struct err *read_named(struct call *call, const struct bound *bound, char **ret_named)
{
    const struct inv_node *node;
    struct err *err = step_find_node(call, bound->args, "node", &node);
    return err != NULL ? err
                       : settings_get_file_primary(call, call->world->settings, node, ret_named);
}

static struct err *config_replicaof_capture(
    struct call *call, const struct bound *bound, struct json **ret_values)
{
    AUTO_FREE char *named = NULL;
    struct err *err = read_named(call, bound, &named);
    if (err == NULL) {
        *ret_values = js_object();
        js_put_text(*ret_values, "primary", named == NULL ? no_primary : named);
    }
    return err;
}

static struct err *config_replicaof_verify(struct call *call, const struct bound *bound,
    const struct before *before, enum step_state *ret_state)
{
    AUTO_FREE char *named = NULL;
    const struct inv_node *primary;
    struct err *err = find_wanted(call, bound, &primary);
    if (err == NULL) {
        err = read_named(call, bound, &named);
    }
    if (err != NULL) {
        return err;
    }
    AUTO_FREE char *wanted =
        primary == NULL ? NULL : mem_format("%s:%lld", primary->host, (long long)primary->port);
    const char *captured = js_get_text(before->values, "primary");
    if (text_equal(named, wanted)) {
        *ret_state = STEP_DONE;
    } else if (captured == NULL || text_equal(named == NULL ? no_primary : named, captured)) {
        *ret_state = STEP_ABSENT;
    } else {
        *ret_state = STEP_ELSEWHERE;
    }
    return NULL;
}

static struct err *config_replicaof_apply(
    struct call *call, const struct bound *bound, const struct before *UNUSED(before))
{
    const struct inv_node *node;
    const struct inv_node *primary;
    struct err *err = step_begin_act(call, bound, &node);
    if (err == NULL) {
        err = find_wanted(call, bound, &primary);
    }
    return err != NULL ? err
                       : settings_set_file_primary(call, call->world->settings, node, primary);
}

const struct step_ops config_replicaof_ops = {
    .name = "config.replicaof",
    .def = 1,
    .def_min = 1,
    .observe = STEP_BY_STATE,
    .bind = config_replicaof_bind,
    .capture = config_replicaof_capture,
    .verify = config_replicaof_verify,
    .apply = config_replicaof_apply,
};
