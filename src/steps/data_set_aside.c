/*
 * steps/data_set_aside.c - takes the data of a stopped node out of an older program's way.
 *
 * An old server on newer files starts empty without a word, or not at all. It shall copy everything
 * from its primary instead, so dump and log go into a folder of the run beside them, and stay there
 * until the rollback has succeeded. nodes.conf stays, because with it the node stays who it is.
 */
#include "base/mem.h"
#include "base/str.h"
#include "drivers/host.h"
#include "drivers/service.h"
#include "drivers/world.h"
#include "steps/cluster_file.h"
#include "steps/step_args.h"
#include "steps/steps.h"

enum { CLUSTER_FILE_SIZE_MAX = 4 << 20 }; /* some 20,000 nodes */

static const char *const data_names[] = {"rdb_file", "aof_file", "aof_folder"};

static struct err *data_set_aside_bind(struct call *call, const struct facts *UNUSED(facts),
    const struct json *args, struct json **ret_args)
{
    static const char *const keys[] = {
        "node", "series", "to", "rdb_file", "aof_file", "aof_folder", "cluster_file", NULL};
    return step_bind_aside(call, data_set_aside_ops.name, keys, args, ret_args);
}

static struct err *data_set_aside_capture(
    struct call *UNUSED(call), const struct bound *UNUSED(bound), struct json **ret_values)
{
    *ret_values = js_object(); /* what was moved lies in the folder */
    return NULL;
}

static char *path_of(const struct inv_node *node, const struct bound *bound, const char *key)
{
    return mem_format("%s/%s", node->directory, js_get_text(bound->args, key));
}

/* A place in the folder for what the argument `key` names. */
static char *aside_place_of(const struct inv_node *node, const struct bound *bound, const char *key)
{
    const struct json *args = bound->args;
    return mem_format("%s/%s/%s/%s", node->directory, js_get_text(args, "folder"),
        js_get_text(args, "to"), js_get_text(args, key));
}

static struct err *is_data_there(struct call *call, const struct bound *bound,
    const struct inv_node *node, const char *key, bool *ret_is_there)
{
    AUTO_FREE char *path = path_of(node, bound, key);
    return host_exists(call, call->world->host, node, path, ret_is_there);
}

/* Both texts are empty when the file is not there. */
static struct err *read_cluster_file(struct call *call, const struct bound *bound,
    const struct inv_node *node, struct buf *ret_text, struct buf *ret_cut)
{
    bool exists = false;
    AUTO_FREE char *path = path_of(node, bound, "cluster_file");
    struct err *err = host_read_file(
        call, call->world->host, node, path, CLUSTER_FILE_SIZE_MAX, &exists, ret_text);
    if (err == NULL && exists) {
        const struct str text = {buf_text(ret_text), ret_text->size};
        cluster_file_cut(text, js_get_text(bound->args, "series"), ret_cut);
    }
    return err;
}

static struct err *data_set_aside_verify(struct call *call, const struct bound *bound,
    const struct before *UNUSED(before), enum step_state *ret_state)
{
    const struct inv_node *node;
    struct err *err = step_find_node(call, bound->args, "node", &node);
    bool is_there = false;
    for (size_t i = 0; err == NULL && !is_there && i < ARRAY_COUNT(data_names); i++) {
        err = is_data_there(call, bound, node, data_names[i], &is_there);
    }
    AUTO_BUF text = {0};
    AUTO_BUF cut = {0};
    if (err == NULL) {
        err = read_cluster_file(call, bound, node, &text, &cut);
    }
    if (err != NULL) {
        return err_wrap(err, node == NULL ? NULL : node->name, "cannot tell what its data are");
    }
    const bool is_cut = text_equal(buf_text(&text), buf_text(&cut));
    *ret_state = is_there || !is_cut ? STEP_ABSENT : STEP_DONE;
    return NULL;
}

/* Moving files away under a server would lose what it writes. */
static struct err *require_stopped(struct call *call, const struct inv_node *node)
{
    struct service_status status;
    struct err *err = service_get_status(call, call->world->service, node, &status);
    if (err != NULL || !status.is_running) {
        return err;
    }
    err = err_new(ERR_REFUSED, node->name, "its server runs: its data stay where they are");
    return err_hint(err_code(err, "node_running"), "stop the server first");
}

static struct err *move_data(
    struct call *call, const struct bound *bound, const struct inv_node *node, const char *key)
{
    bool is_there = false;
    struct err *err = is_data_there(call, bound, node, key, &is_there);
    if (err != NULL || !is_there) {
        return err;
    }
    AUTO_FREE char *from = path_of(node, bound, key);
    AUTO_FREE char *to = aside_place_of(node, bound, key);
    return host_move(call, call->world->host, node, from, to);
}

/* The original is kept beside the data; written again after a crash, it is the same. */
static struct err *cut_cluster_file(
    struct call *call, const struct bound *bound, const struct inv_node *node)
{
    AUTO_BUF text = {0};
    AUTO_BUF cut = {0};
    struct err *err = read_cluster_file(call, bound, node, &text, &cut);
    if (err != NULL || text_equal(buf_text(&text), buf_text(&cut))) {
        return err;
    }
    AUTO_FREE char *path = path_of(node, bound, "cluster_file");
    AUTO_FREE char *kept = aside_place_of(node, bound, "cluster_file");
    err = host_write_file(call, call->world->host, node, kept, &text);
    return err != NULL ? err : host_write_file(call, call->world->host, node, path, &cut);
}

static struct err *data_set_aside_apply(
    struct call *call, const struct bound *bound, const struct before *UNUSED(before))
{
    const struct inv_node *node;
    struct err *err = step_begin_act(call, bound, &node);
    if (err == NULL) {
        err = require_stopped(call, node);
    }
    if (err != NULL) {
        return err;
    }
    AUTO_FREE char *folder = mem_format("%s/%s/%s", node->directory,
        js_get_text(bound->args, "folder"), js_get_text(bound->args, "to"));
    err = host_make_folder(call, call->world->host, node, folder);
    for (size_t i = 0; err == NULL && i < ARRAY_COUNT(data_names); i++) {
        err = move_data(call, bound, node, data_names[i]);
    }
    if (err == NULL) {
        err = cut_cluster_file(call, bound, node);
    }
    return err == NULL ? NULL : err_wrap(err, node->name, "cannot set its data aside");
}

const struct step_ops data_set_aside_ops = {
    .name = "data.set_aside",
    .def = 1,
    .def_min = 1,
    .observe = STEP_BY_STATE,
    .bind = data_set_aside_bind,
    .capture = data_set_aside_capture,
    .verify = data_set_aside_verify,
    .apply = data_set_aside_apply,
};
