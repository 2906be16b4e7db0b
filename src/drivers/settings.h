/*
 * drivers/settings.h - settings of a server: live (CONFIG GET, CONFIG SET), and in its file.
 *
 * Implemented by drivers/redis/ and drivers/sim/. Only what says so touches a configuration file.
 */
#ifndef UPSHIFT_DRIVERS_SETTINGS_H
#define UPSHIFT_DRIVERS_SETTINGS_H

#include <stdbool.h>

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

    /* Lets the server write what is live into its file (CONFIG REWRITE). Errors: as set. */
    struct err *(*rewrite)(
        const struct call *call, struct settings *settings, const struct inv_node *node);

    /* Lets the server write its data into its dump file (BGSAVE), and waits until that is done.
     * Errors: as set; ERR_REFUSED, code "save_failed", the save failed. Blocks: to the deadline. */
    struct err *(*save)(
        const struct call *call, struct settings *settings, const struct inv_node *node);

    /* Where there is one primary: whose replica the file makes the node, "host:port"; NULL: none's.
     * Owns: `*ret_primary` is the caller's to free. */
    struct err *(*get_file_primary)(const struct call *call, struct settings *settings,
        const struct inv_node *node, char **ret_primary);

    /* Changes that one line of the file; `primary` NULL: removes it. Errors: ERR_REFUSED. */
    struct err *(*set_file_primary)(const struct call *call, struct settings *settings,
        const struct inv_node *node, const struct inv_node *primary);

    /* Can a program of `series` read the file, as far as another program has written it? */
    struct err *(*file_fits)(const struct call *call, struct settings *settings,
        const struct inv_node *node, const char *series, bool *ret_fits);

    /* Takes out the lines that it cannot read. Errors: ERR_REFUSED. */
    struct err *(*fit_file)(const struct call *call, struct settings *settings,
        const struct inv_node *node, const char *series);

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

MUST_USE static inline struct err *settings_rewrite(
    const struct call *call, struct settings *settings, const struct inv_node *node)
{
    return settings->ops->rewrite(call, settings, node);
}

MUST_USE static inline struct err *settings_get_file_primary(const struct call *call,
    struct settings *settings, const struct inv_node *node, char **ret_primary)
{
    return settings->ops->get_file_primary(call, settings, node, ret_primary);
}

MUST_USE static inline struct err *settings_set_file_primary(const struct call *call,
    struct settings *settings, const struct inv_node *node, const struct inv_node *primary)
{
    return settings->ops->set_file_primary(call, settings, node, primary);
}

MUST_USE static inline struct err *settings_file_fits(const struct call *call,
    struct settings *settings, const struct inv_node *node, const char *series, bool *ret_fits)
{
    return settings->ops->file_fits(call, settings, node, series, ret_fits);
}

MUST_USE static inline struct err *settings_fit_file(const struct call *call,
    struct settings *settings, const struct inv_node *node, const char *series)
{
    return settings->ops->fit_file(call, settings, node, series);
}

MUST_USE static inline struct err *settings_save(
    const struct call *call, struct settings *settings, const struct inv_node *node)
{
    return settings->ops->save(call, settings, node);
}

static inline void settings_close(struct settings *settings)
{
    if (settings != NULL) {
        settings->ops->close(settings);
    }
}

#endif
