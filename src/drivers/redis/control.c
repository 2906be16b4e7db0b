/*
 * drivers/redis/control.c - one node's role, the planned change of primary, live settings.
 */
#include "base/mem.h"

#include "drivers/redis/conn.h"
#include "drivers/redis/facts.h"
#include "drivers/redis/peers.h"
#include "wire/redis_text.h"

enum { SAVE_LOOK_MS = 50 };

/* Opens a connection for one call, named and with a fresh password. */
static struct err *open_for(const struct call *call, const struct redis_driver *driver,
    const struct inv_node *node, struct redis_conn **ret_conn)
{
    AUTO_SECRET password = {0};
    struct err *err = redis_conn_password(driver, &password);
    return err == NULL ? redis_conn_open(call, driver, node, &password, ret_conn) : err;
}

static struct err *read_state(const struct call *call, const struct inv_cluster *cluster,
    struct redis_conn *conn, struct arena *arena, struct fact_node *node)
{
    struct str text;
    struct err *err = redis_conn_ask_text(call, conn, REDIS_COMMAND("INFO"), &text);
    if (err == NULL) {
        err = redis_facts_server(arena, text, node);
    }
    if (err != NULL) {
        return err;
    }
    redis_facts_replication(arena, text, node);
    if (inv_cluster_has_one_primary(cluster)) {
        redis_peers_of_info(arena, cluster, text, inv_cluster_find_node(cluster, node->name), node);
        return NULL;
    }
    if (node->is_loading) {
        return NULL; /* answers nothing about its cluster yet */
    }
    err = redis_conn_ask_text(call, conn, REDIS_COMMAND("CLUSTER", "NODES"), &text);
    return err == NULL ? redis_facts_views(arena, text, node) : err;
}

static void fill_text(char *ret_text, size_t size, const char *text)
{
    (void)snprintf(ret_text, size, "%s", text == NULL ? "" : text);
}

static struct err *redis_get_state(const struct call *call, struct replication *replication,
    const struct inv_node *node, struct replication_state *ret_state)
{
    const struct redis_driver *driver = REDIS_DRIVER_OF(replication, replication);
    AUTO_REDIS_CONN conn = NULL;
    AUTO_ARENA arena = {0};
    struct fact_node fact = {.name = node->name, .address = node->name};
    struct err *err = open_for(call, driver, node, &conn);
    if (err == NULL) {
        err = read_state(call, driver->cluster, conn, &arena, &fact);
    }
    if (err != NULL) {
        return err_wrap(err, node->name, "cannot read the node's role");
    }
    *ret_state = (struct replication_state){
        .role = fact.role, .is_link_up = fact.is_link_up, .is_loading = fact.is_loading};
    fill_text(ret_state->id, sizeof(ret_state->id), fact.id);
    fill_text(ret_state->primary_id, sizeof(ret_state->primary_id), fact.primary_id);
    fill_text(ret_state->series, sizeof(ret_state->series), fact.series);
    return NULL;
}

/* Asked on an open connection, right before an act: the claim first, because who takes it cuts this
 * connection next; then the time, because after its time somebody else may steer. */
static struct err *refuse_stale_act(const struct call *call, const struct inv_node *node)
{
    struct err *err = call_check_claim(call, node->name);
    if (err != NULL || call_may_begin(call)) {
        return err;
    }
    return err_code(err_new(ERR_UNREACHABLE, node->name, "no time left to act: nothing was sent"),
        "out_of_time");
}

/* Plain, never FORCE or TAKEOVER: the primary holds its clients until the replica has everything,
 * or goes on as primary after five seconds. */
static struct err *fail_over(
    const struct call *call, struct redis_conn *conn, const struct inv_node *target)
{
    struct resp reply;
    struct err *err = refuse_stale_act(call, target);
    return err == NULL ? redis_conn_ask(call, conn, REDIS_COMMAND("CLUSTER", "FAILOVER"), &reply)
                       : err;
}

static struct err *redis_switchover(
    const struct call *call, struct replication *replication, const struct inv_node *target)
{
    const struct redis_driver *driver = REDIS_DRIVER_OF(replication, replication);
    AUTO_REDIS_CONN conn = NULL;
    struct err *err = open_for(call, driver, target, &conn);
    if (err == NULL) {
        err = fail_over(call, conn, target);
    }
    if (err != NULL) {
        return err_wrap(err, target->name, "cannot make the replica primary");
    }
    return NULL;
}

static void replication_close_driver(struct replication *replication)
{
    redis_driver_unref(REDIS_DRIVER_OF(replication, replication));
}

static struct err *odd_setting(const struct inv_node *node, const char *name)
{
    struct err *err = err_new(ERR_INVALID, node->name, "CONFIG GET %s has an odd answer", name);
    return err_code(err, "odd_reply");
}

static struct err *redis_get_setting(const struct call *call, struct settings *settings,
    const struct inv_node *node, const char *name, char **ret_value)
{
    const struct redis_driver *driver = REDIS_DRIVER_OF(settings, settings);
    AUTO_REDIS_CONN conn = NULL;
    struct resp reply;
    struct err *err = open_for(call, driver, node, &conn);
    if (err == NULL && node->is_sentinel) {
        return redis_sentinel_get(call, conn, driver->cluster->master_name, name, ret_value);
    }
    if (err == NULL) {
        err = redis_conn_ask(call, conn, REDIS_COMMAND("CONFIG", "GET", name), &reply);
    }
    if (err != NULL) {
        return err_wrap(err, node->name, "cannot read the setting %s", name);
    }
    if (reply.type != RESP_ARRAY && reply.type != RESP_MAP) {
        return odd_setting(node, name);
    }
    const struct resp *value = resp_find(&reply, name);
    if (value != NULL && value->type != RESP_STRING) {
        return odd_setting(node, name);
    }
    *ret_value = value == NULL ? NULL : mem_format(STR_FMT, STR_ARG(value->text));
    return NULL;
}

static struct err *redis_set_setting(const struct call *call, struct settings *settings,
    const struct inv_node *node, const char *name, const char *value)
{
    const struct redis_driver *driver = REDIS_DRIVER_OF(settings, settings);
    AUTO_REDIS_CONN conn = NULL;
    struct resp reply;
    struct err *err = open_for(call, driver, node, &conn);
    if (err == NULL) {
        err = refuse_stale_act(call, node);
    }
    if (err == NULL && node->is_sentinel) {
        const char *master = driver->cluster->master_name;
        err = redis_conn_ask(
            call, conn, REDIS_COMMAND("SENTINEL", "SET", master, name, value), &reply);
    } else if (err == NULL) {
        err = redis_conn_ask(call, conn, REDIS_COMMAND("CONFIG", "SET", name, value), &reply);
    }
    if (err != NULL) {
        return err_wrap(err, node->name, "cannot set %s", name);
    }
    return NULL;
}

static struct err *redis_rewrite_settings(
    const struct call *call, struct settings *settings, const struct inv_node *node)
{
    const struct redis_driver *driver = REDIS_DRIVER_OF(settings, settings);
    AUTO_REDIS_CONN conn = NULL;
    struct resp reply;
    struct err *err = open_for(call, driver, node, &conn);
    if (err == NULL) {
        err = refuse_stale_act(call, node);
    }
    if (err == NULL) {
        err = redis_conn_ask(call, conn, REDIS_COMMAND("CONFIG", "REWRITE"), &reply);
    }
    return err == NULL ? NULL : err_wrap(err, node->name, "cannot rewrite its configuration file");
}

static bool is_saving_already(const struct err *err)
{
    return strstr(err->what, "in progress") != NULL || strstr(err->what, "Another child") != NULL;
}

/* What somebody else has begun may hold less than ours would: it is waited for, then ours is made.
 */
static struct err *begin_save(const struct call *call, struct redis_conn *conn)
{
    struct resp reply;
    for (;;) {
        struct err *err = redis_conn_ask(call, conn, REDIS_COMMAND("BGSAVE"), &reply);
        if (err == NULL || !is_saving_already(err)) {
            return err;
        }
        clock_wait_ms(call->clock, SAVE_LOOK_MS);
        if (call_left_ms(call) == 0) {
            return err;
        }
        err_free(err);
    }
}

static struct err *wait_for_save(
    const struct call *call, struct redis_conn *conn, const struct inv_node *node)
{
    for (;;) {
        struct str info;
        struct str status;
        struct err *err =
            redis_conn_ask_text(call, conn, REDIS_COMMAND("INFO", "persistence"), &info);
        if (err != NULL) {
            return err;
        }
        const bool is_done = redis_info_number(info, "rdb_bgsave_in_progress", 1) == 0;
        if (is_done && redis_info_get(info, "rdb_last_bgsave_status", &status) &&
            str_is(status, "ok")) {
            return NULL;
        }
        if (is_done) {
            err = err_new(ERR_REFUSED, node->name, "its server could not save its data");
            return err_hint(err_code(err, "save_failed"), "read the log of %s", node->name);
        }
        clock_wait_ms(call->clock, SAVE_LOOK_MS);
    }
}

static struct err *redis_save(
    const struct call *call, struct settings *settings, const struct inv_node *node)
{
    const struct redis_driver *driver = REDIS_DRIVER_OF(settings, settings);
    AUTO_REDIS_CONN conn = NULL;
    struct err *err = open_for(call, driver, node, &conn);
    if (err == NULL) {
        err = refuse_stale_act(call, node);
    }
    if (err == NULL) {
        err = begin_save(call, conn);
    }
    if (err == NULL) {
        err = wait_for_save(call, conn, node);
    }
    return err == NULL ? NULL : err_wrap(err, node->name, "cannot save its data");
}

static void settings_close_driver(struct settings *settings)
{
    redis_driver_unref(REDIS_DRIVER_OF(settings, settings));
}

const struct replication_ops redis_replication_ops = {
    .name = "redis",
    .get_state = redis_get_state,
    .switchover = redis_switchover,
    .close = replication_close_driver,
};

const struct settings_ops redis_settings_ops = {
    .name = "redis",
    .get = redis_get_setting,
    .set = redis_set_setting,
    .rewrite = redis_rewrite_settings,
    .save = redis_save,
    .get_file_primary = redis_get_file_primary,
    .set_file_primary = redis_set_file_primary,
    .file_fits = redis_file_fits,
    .fit_file = redis_fit_file,
    .close = settings_close_driver,
};
