/*
 * drivers/settings.h - live settings of a running server (CONFIG GET, CONFIG SET).
 *
 * Implemented by drivers/redis/ and drivers/sim/. Nothing here touches a configuration file.
 */
#ifndef UPSHIFT_DRIVERS_SETTINGS_H
#define UPSHIFT_DRIVERS_SETTINGS_H

#include "base/attr.h"
#include "base/call.h"
#include "base/err.h"
#include "model/inventory.h"

struct settings;

struct settings_ops {
    const char *name;

    /* Reads one setting; NULL when the server does not know it. Owns: `*ret_value` is the caller's
     * to free. Errors: ERR_UNREACHABLE, ERR_UNKNOWN. */
    struct err *(*get)(const struct call *call, struct settings *settings,
        const struct inv_node *node, const char *name, char **ret_value);

    /* Errors: ERR_REFUSED the server said no; ERR_UNKNOWN sent, no answer. */
    struct err *(*set)(const struct call *call, struct settings *settings,
        const struct inv_node *node, const char *name, const char *value);

    void (*close)(struct settings *settings);
};

struct settings {
    const struct settings_ops *ops;
};

MUST_USE static inline struct err *settings_get(const struct call *call, struct settings *settings,
    const struct inv_node *node, const char *name, char **ret_value)
{
    return settings->ops->get(call, settings, node, name, ret_value);
}

MUST_USE static inline struct err *settings_set(const struct call *call, struct settings *settings,
    const struct inv_node *node, const char *name, const char *value)
{
    return settings->ops->set(call, settings, node, name, value);
}

static inline void settings_close(struct settings *settings)
{
    if (settings != NULL) {
        settings->ops->close(settings);
    }
}

#endif
