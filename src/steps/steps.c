#include "steps/steps.h"

#include "base/str.h"

const struct step_ops *const step_table[] = {
    &data_drop_aside_ops,
    &data_set_aside_ops,
    &backup_take_ops,
    &config_fit_ops,
    &config_replicaof_ops,
    &config_rewrite_ops,
    &package_switch_ops,
    &repl_cutover_ops,
    &repl_setting_ops,
    &repl_switchover_ops,
    &service_start_ops,
    &service_stop_ops,
    NULL,
};

const struct step_ops *steps_find(const char *name)
{
    for (const struct step_ops *const *kind = step_table; *kind != NULL; kind++) {
        if (text_equal((*kind)->name, name)) {
            return *kind;
        }
    }
    return NULL;
}
