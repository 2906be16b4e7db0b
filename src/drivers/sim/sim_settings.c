/*
 * drivers/sim/sim_settings.c - the live settings of the simulated servers.
 *
 * CONFIG SET changes memory only, so a restart brings the file's values back: a temporary setting
 * must not be relied on behind one.
 */
#include <assert.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "drivers/sim/sim_act.h"

enum setting_type { SETTING_TEXT, SETTING_NUMBER, SETTING_SIZE, SETTING_FIXED };

static const struct {
    const char *name;
    enum setting_type type;
    const char *value; /* what configuration files say */
} setting_table[] = {
    {"appendonly", SETTING_TEXT, "yes"},
    {"cluster-enabled", SETTING_FIXED, "yes"},
    {"cluster-node-timeout", SETTING_NUMBER, "15000"},
    {"maxmemory", SETTING_SIZE, "0"},
    {"min-replicas-to-write", SETTING_NUMBER, "0"},
    {"repl-backlog-size", SETTING_SIZE, "1048576"},
    {"repl-diskless-sync-delay", SETTING_NUMBER, "5"},
    {"save", SETTING_TEXT, ""},
};

_Static_assert(ARRAY_COUNT(setting_table) <= SIM_SETTINGS_MAX, "SIM_SETTINGS_MAX is too small");

const char *sim_setting_name(size_t index)
{
    return index < ARRAY_COUNT(setting_table) ? setting_table[index].name : NULL;
}

static bool find_setting(const char *name, size_t *ret_index)
{
    for (size_t i = 0; i < ARRAY_COUNT(setting_table); i++) {
        if (text_equal(setting_table[i].name, name)) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

static void store_text(char slot[SIM_SETTING_SIZE], const char *value)
{
    snprintf(slot, SIM_SETTING_SIZE, "%s", value);
}

void sim_settings_init(struct sim *sim, struct sim_node *node)
{
    for (size_t i = 0; i < ARRAY_COUNT(setting_table); i++) {
        store_text(node->settings[i].file, setting_table[i].value);
        if (text_equal(setting_table[i].name, "cluster-node-timeout")) {
            snprintf(node->settings[i].file, SIM_SETTING_SIZE, "%lld",
                (long long)sim->options.node_timeout_ms);
        }
    }
    sim_settings_reload(node);
}

void sim_settings_reload(struct sim_node *node)
{
    for (size_t i = 0; i < ARRAY_COUNT(setting_table); i++) {
        store_text(node->settings[i].live, node->settings[i].file);
    }
}

const char *sim_setting_text(const struct sim_node *node, const char *name)
{
    size_t index;
    return find_setting(name, &index) ? node->settings[index].live : "";
}

void sim_setting_put(struct sim_node *node, const char *name, const char *value)
{
    size_t index;
    const bool is_known = find_setting(name, &index);
    assert(is_known);
    store_text(node->settings[index].live, value);
}

int64_t sim_setting_number(const struct sim_node *node, const char *name)
{
    int64_t number;
    return str_to_int64(str_of(sim_setting_text(node, name)), &number) ? number : 0;
}

static struct err *settings_get_one(const struct call *call, struct settings *settings,
    const struct inv_node *node, const char *name, char **ret_value)
{
    struct sim_act act = {
        .sim = ((struct sim_settings *)settings)->sim, .call = call, .op = "settings.get"};
    struct err *err = sim_enter(&act, node);
    if (err == NULL) {
        err = sim_check_answers(&act);
    }
    size_t index;
    if (err == NULL) {
        *ret_value = find_setting(name, &index) ? mem_strdup(act.node->settings[index].live) : NULL;
    }
    return sim_leave(&act, err);
}

static struct err *refuse_setting(const struct sim_node *node, const char *name, const char *why)
{
    struct err *err =
        err_new(ERR_REFUSED, node->inv->name, "ERR CONFIG SET failed - %s: %s", name, why);
    return err_code(err, "setting_refused");
}

static struct err *change_setting(struct sim_node *node, const char *name, const char *value)
{
    size_t index;
    if (!find_setting(name, &index)) {
        return refuse_setting(node, name, "unknown option");
    }
    char *slot = node->settings[index].live;
    int64_t number = 0;
    switch (setting_table[index].type) {
    case SETTING_FIXED:
        return refuse_setting(node, name, "can't set immutable config");
    case SETTING_NUMBER:
        if (!str_to_int64(str_of(value), &number)) {
            return refuse_setting(node, name, "argument couldn't be parsed into an integer");
        }
        break;
    case SETTING_SIZE:
        if (!str_to_size(value, &number)) {
            return refuse_setting(node, name, "argument must be a memory value");
        }
        break;
    case SETTING_TEXT:
    default:
        if (strlen(value) >= SIM_SETTING_SIZE) {
            return refuse_setting(node, name, "argument too long");
        }
        store_text(slot, value);
        return NULL;
    }
    snprintf(slot, SIM_SETTING_SIZE, "%lld", (long long)number);
    return NULL;
}

static struct err *settings_set_one(const struct call *call, struct settings *settings,
    const struct inv_node *node, const char *name, const char *value)
{
    struct sim_act act = {.sim = ((struct sim_settings *)settings)->sim,
        .call = call,
        .op = "settings.set",
        .is_change = true};
    struct err *err = sim_enter(&act, node);
    if (err == NULL) {
        err = sim_check_answers(&act);
    }
    if (err == NULL) {
        err = change_setting(act.node, name, value);
    }
    return sim_leave(&act, err);
}

static struct err *settings_rewrite_all(
    const struct call *call, struct settings *settings, const struct inv_node *node)
{
    struct sim_act act = {
        .sim = ((struct sim_settings *)settings)->sim, .call = call, .op = "settings.rewrite"};
    struct err *err = sim_enter(&act, node);
    if (err == NULL) {
        err = sim_check_answers(&act);
    }
    for (size_t i = 0; err == NULL && i < ARRAY_COUNT(setting_table); i++) {
        memcpy(act.node->settings[i].file, act.node->settings[i].live, SIM_SETTING_SIZE);
    }
    return sim_leave(&act, err);
}

static struct err *settings_save_all(
    const struct call *call, struct settings *settings, const struct inv_node *node)
{
    struct sim_act act = {
        .sim = ((struct sim_settings *)settings)->sim, .call = call, .op = "settings.save"};
    struct err *err = sim_enter(&act, node);
    if (err == NULL) {
        err = sim_check_answers(&act);
    }
    if (err == NULL) {
        act.node->rdb_version = act.node->rule->rdb_version;
    }
    return sim_leave(&act, err);
}

static void settings_leave_open(struct settings *UNUSED(settings))
{
    /* part of the simulation, which sim_close() ends */
}

const struct settings_ops sim_settings_ops = {
    .name = "sim",
    .get = settings_get_one,
    .set = settings_set_one,
    .rewrite = settings_rewrite_all,
    .save = settings_save_all,
    .close = settings_leave_open,
};
