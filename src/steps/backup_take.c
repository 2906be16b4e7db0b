/*
 * steps/backup_take.c - a dump of a node, copied to the backup directory and loaded once to see.
 *
 * The record in the node's own directory is written last, so it says that there is a copy and that
 * the new version has loaded it with as many keys as the node had. A copy of an attempt that was
 * cut short is looked at again and never written over.
 */
#include <inttypes.h>

#include "base/mem.h"
#include "base/str.h"
#include "drivers/host.h"
#include "drivers/settings.h"
#include "drivers/topology.h"
#include "drivers/world.h"
#include "steps/step_args.h"
#include "steps/steps.h"

enum {
    /* Keys come and go between the two counts, as in the gate key_counts_match. */
    BACKUP_KEYS_APART_MAX = 1000,
    BACKUP_KEYS_APART_PCT_MAX = 5,
};

static struct err *backup_take_bind(struct call *call, const struct facts *UNUSED(facts),
    const struct json *args, struct json **ret_args)
{
    static const char *const keys[] = {"node", "dir", "dump", "server", NULL};
    return step_bind_args(call, backup_take_ops.name, keys, args, ret_args);
}

static struct err *backup_take_capture(
    struct call *UNUSED(call), const struct bound *UNUSED(bound), struct json **ret_values)
{
    *ret_values = js_object(); /* nothing is changed that could be restored */
    return NULL;
}

static const char *run_name(const struct call *call)
{
    return call->run == NULL ? "-" : call->run;
}

static char *write_record_path(const struct call *call, const struct inv_node *node)
{
    return mem_format("%s/upshift-backup-%s.json", node->directory, run_name(call));
}

static char *write_copy_path(
    const struct call *call, const struct bound *bound, const struct inv_node *node)
{
    return mem_format("%s/%s-%s-%s.rdb", js_get_text(bound->args, "dir"),
        call->world->cluster->name, node->name, run_name(call));
}

static struct err *backup_take_verify(struct call *call, const struct bound *bound,
    const struct before *UNUSED(before), enum step_state *ret_state)
{
    const struct inv_node *node;
    struct err *err = step_find_node(call, bound->args, "node", &node);
    if (err != NULL) {
        return err;
    }
    AUTO_FREE char *record = write_record_path(call, node);
    bool exists = false;
    err = host_exists(call, call->world->host, node, record, &exists);
    if (err == NULL) {
        *ret_state = exists ? STEP_DONE : STEP_ABSENT;
    }
    return err;
}

static struct err *copy_dump(
    struct call *call, const struct inv_node *node, const char *name, const char *copy)
{
    AUTO_FREE char *dump = mem_format("%s/%s", node->directory, name);
    struct err *err = settings_save(call, call->world->settings, node);
    if (err == NULL) {
        err = host_copy_out(call, call->world->host, node, dump, copy);
    }
    if (err != NULL && text_equal(err->code, "file_in_the_way")) {
        err_free(err); /* of this run, by its name: an earlier attempt was cut short after it */
        return NULL;
    }
    return err;
}

static struct err *count_keys_now(
    struct call *call, const struct inv_node *node, int64_t *ret_key_count)
{
    AUTO_FACTS facts = {0};
    struct err *err = topology_read(call, call->world->topology, &facts);
    const struct fact_node *fact = err == NULL ? facts_find(&facts, node->name) : NULL;
    if (err == NULL && (fact == NULL || !fact->is_reachable)) {
        err = err_new(ERR_UNREACHABLE, node->name, "cannot count its keys");
    }
    if (err == NULL) {
        *ret_key_count = fact->key_count;
    }
    return err;
}

static bool is_too_little(int64_t loaded, int64_t live)
{
    const int64_t share = live / 100 * BACKUP_KEYS_APART_PCT_MAX;
    const int64_t apart_max = share > BACKUP_KEYS_APART_MAX ? share : BACKUP_KEYS_APART_MAX;
    return loaded >= 0 && (live - loaded > apart_max || (loaded == 0 && live > 0));
}

static struct err *check_copy(struct call *call, const struct bound *bound,
    const struct inv_node *node, const char *copy, int64_t *ret_loaded)
{
    int64_t live = 0;
    struct err *err = count_keys_now(call, node, &live);
    if (err == NULL) {
        err = topology_try_dump(call, call->world->topology, node,
            js_get_text(bound->args, "server"), copy, ret_loaded);
    }
    if (err == NULL && is_too_little(*ret_loaded, live)) {
        err = err_new(ERR_REFUSED, copy, "it holds %" PRId64 " keys, %s has %" PRId64, *ret_loaded,
            node->name, live);
        err = err_hint(err_code(err, "dump_unusable"), "look at the dump with redis-check-rdb");
    }
    return err;
}

static struct err *write_backup_record(
    struct call *call, const struct inv_node *node, const char *copy, int64_t loaded)
{
    AUTO_JSON record = js_object();
    js_put_text(record, "file", copy);
    js_put_number(record, "keys", loaded);
    AUTO_FREE char *text = js_write(record);
    AUTO_FREE char *path = write_record_path(call, node);
    AUTO_BUF content = {0};
    buf_printf(&content, "%s\n", text);
    return host_write_file(call, call->world->host, node, path, &content);
}

static struct err *backup_take_apply(
    struct call *call, const struct bound *bound, const struct before *UNUSED(before))
{
    const struct inv_node *node;
    struct err *err = step_begin_act(call, bound, &node);
    if (err != NULL) {
        return err;
    }
    int64_t loaded = 0;
    AUTO_FREE char *copy = write_copy_path(call, bound, node);
    err = copy_dump(call, node, js_get_text(bound->args, "dump"), copy);
    if (err == NULL) {
        err = check_copy(call, bound, node, copy, &loaded);
    }
    if (err == NULL) {
        err = write_backup_record(call, node, copy, loaded);
    }
    return err == NULL ? NULL : err_wrap(err, node->name, "cannot take a backup");
}

const struct step_ops backup_take_ops = {
    .name = "backup.take",
    .def = 1,
    .def_min = 1,
    .observe = STEP_BY_RECORD,
    .bind = backup_take_bind,
    .capture = backup_take_capture,
    .verify = backup_take_verify,
    .apply = backup_take_apply,
};
