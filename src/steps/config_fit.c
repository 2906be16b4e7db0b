/*
 * steps/config_fit.c - lets an older program read the configuration file again.
 *
 * Where servers write their own files, a newer one leaves lines that an older one refuses at its
 * start. They are taken out while the node is stopped, right before it gets its old program.
 */
#include "base/str.h"
#include "drivers/settings.h"
#include "drivers/world.h"
#include "steps/step_args.h"
#include "steps/steps.h"

static struct err *config_fit_bind(struct call *call, const struct facts *UNUSED(facts),
    const struct json *args, struct json **ret_args)
{
    static const char *const keys[] = {"node", "series", NULL};
    return step_bind_args(call, config_fit_ops.name, keys, args, ret_args);
}

static struct err *config_fit_capture(
    struct call *UNUSED(call), const struct bound *UNUSED(bound), struct json **ret_values)
{
    *ret_values = js_object(); /* nothing that anybody wants back */
    return NULL;
}

static struct err *config_fit_verify(struct call *call, const struct bound *bound,
    const struct before *UNUSED(before), enum step_state *ret_state)
{
    const struct inv_node *node;
    bool fits = false;
    struct err *err = step_find_node(call, bound->args, "node", &node);
    if (err == NULL) {
        const char *series = js_get_text(bound->args, "series");
        err = settings_file_fits(call, call->world->settings, node, series, &fits);
    }
    if (err == NULL) {
        *ret_state = fits ? STEP_DONE : STEP_ABSENT;
    }
    return err;
}

static struct err *config_fit_apply(
    struct call *call, const struct bound *bound, const struct before *UNUSED(before))
{
    const struct inv_node *node;
    struct err *err = step_begin_act(call, bound, &node);
    return err != NULL ? err
                       : settings_fit_file(
                             call, call->world->settings, node, js_get_text(bound->args, "series"));
}

const struct step_ops config_fit_ops = {
    .name = "config.fit",
    .def = 1,
    .def_min = 1,
    .observe = STEP_BY_STATE,
    .bind = config_fit_bind,
    .capture = config_fit_capture,
    .verify = config_fit_verify,
    .apply = config_fit_apply,
};
