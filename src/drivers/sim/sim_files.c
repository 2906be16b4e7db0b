/*
 * drivers/sim/sim_files.c - what is in a node's directory, and changing it.
 *
 * The data that a server would find are members of the node; everything else is a short list of
 * files. Moving data out of their place, or back, turns the one into the other.
 */
#include "drivers/sim/sim_files.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "drivers/sim/sim_act.h"

static const char *const sim_log_folder = "appendonlydir";
static const char *const sim_old_log = "appendonly.aof";
static const char *const sim_dump = "dump.rdb";

const char *sim_path_below(const struct sim_node *node, const char *path)
{
    const size_t size = strlen(node->inv->directory);
    const bool is_below = strncmp(path, node->inv->directory, size) == 0 && path[size] == '/' &&
                          strstr(path + size, "/..") == NULL;
    return is_below ? path + size + 1 : NULL;
}

void sim_free_files(struct sim_node *node)
{
    for (size_t i = 0; i < node->file_count; i++) {
        free(node->files[i].path);
        free(node->files[i].text);
    }
    free(node->files);
    node->files = NULL;
    node->file_count = 0;
}

static struct sim_file *sim_seek_file(const struct sim_node *node, const char *path)
{
    for (size_t i = 0; path != NULL && i < node->file_count; i++) {
        if (text_equal(node->files[i].path, path)) {
            return &node->files[i];
        }
    }
    return NULL;
}

const struct sim_file *sim_find_file(const struct sim_node *node, const char *path)
{
    return sim_seek_file(node, path);
}

/* The data in their place, as a file. False: there is none of that name. */
static bool sim_find_data(const struct sim_node *node, const char *path, struct sim_file *ret_file)
{
    *ret_file = (struct sim_file){
        .is_log_folder = node->has_appendonly_dir && text_equal(path, sim_log_folder),
        .is_old_log = node->has_old_log && text_equal(path, sim_old_log),
        .rdb_version = text_equal(path, sim_dump) ? node->rdb_version : 0,
    };
    return ret_file->is_log_folder || ret_file->is_old_log || ret_file->rdb_version > 0;
}

/* A folder is there also when only something in it was named. */
static bool is_above(const char *path, const struct sim_file *file)
{
    const size_t size = strlen(path);
    return strncmp(file->path, path, size) == 0 &&
           (file->path[size] == '/' || file->path[size] == '\0');
}

bool sim_has_file(const struct sim_node *node, const char *path)
{
    struct sim_file ignored;
    for (size_t i = 0; path != NULL && i < node->file_count; i++) {
        if (is_above(path, &node->files[i])) {
            return true;
        }
    }
    return path != NULL && sim_find_data(node, path, &ignored);
}

static struct sim_file *add_file(struct sim_node *node, const char *path)
{
    node->files = mem_resize(node->files, (node->file_count + 1) * sizeof(*node->files));
    struct sim_file *file = &node->files[node->file_count++];
    *file = (struct sim_file){.path = mem_strdup(path)};
    return file;
}

static void drop_file(struct sim_node *node, struct sim_file *file)
{
    free(file->path);
    free(file->text);
    *file = node->files[--node->file_count];
}

static struct err *refuse_path(const struct inv_node *node, const char *code, const char *path)
{
    return err_code(err_new(ERR_REFUSED, node->name, "%s: %s", path, code), code);
}

struct err *sim_make_folder(
    const struct call *call, struct host *host, const struct inv_node *node, const char *path)
{
    struct sim_act act = {.sim = ((struct sim_host *)host)->sim,
        .call = call,
        .op = "host.make_folder",
        .is_change = true};
    struct err *err = sim_enter(&act, node);
    if (err == NULL) {
        const char *below = sim_path_below(act.node, path);
        if (below == NULL) {
            err = refuse_path(node, "path_outside", path);
        } else if (!sim_has_file(act.node, below)) {
            (void)add_file(act.node, below);
        }
    }
    return sim_leave(&act, err);
}

/* Takes what is at `path` out of its place. False: nothing is there. */
static bool take_file(struct sim_node *node, const char *path, struct sim_file *ret_file)
{
    struct sim_file *file = sim_seek_file(node, path);
    if (file != NULL) {
        *ret_file = *file;
        *file = node->files[--node->file_count];
        free(ret_file->path);
        return true;
    }
    if (!sim_find_data(node, path, ret_file)) {
        return false;
    }
    node->has_appendonly_dir &= !ret_file->is_log_folder;
    node->has_old_log &= !ret_file->is_old_log;
    node->rdb_version = ret_file->rdb_version > 0 ? 0 : node->rdb_version;
    return true;
}

static void put_file(struct sim_node *node, const char *path, const struct sim_file *taken)
{
    if (text_equal(path, sim_log_folder) || text_equal(path, sim_old_log) ||
        text_equal(path, sim_dump)) {
        node->has_appendonly_dir |= taken->is_log_folder;
        node->has_old_log |= taken->is_old_log;
        node->rdb_version = taken->rdb_version > 0 ? taken->rdb_version : node->rdb_version;
        return;
    }
    struct sim_file *file = add_file(node, path);
    char *own = file->path;
    *file = *taken;
    file->path = own;
}

static struct err *move_below(struct sim_node *node, const char *from, const char *to)
{
    struct sim_file taken;
    if (from == NULL || to == NULL) {
        return refuse_path(node->inv, "path_outside", from == NULL ? to : from);
    }
    if (sim_has_file(node, to)) {
        return refuse_path(node->inv, "file_in_the_way", to);
    }
    if (!take_file(node, from, &taken)) {
        return refuse_path(node->inv, "file_unwritable", from);
    }
    put_file(node, to, &taken);
    return NULL;
}

struct err *sim_move(const struct call *call, struct host *host, const struct inv_node *node,
    const char *from, const char *to)
{
    struct sim_act act = {
        .sim = ((struct sim_host *)host)->sim, .call = call, .op = "host.move", .is_change = true};
    struct err *err = sim_enter(&act, node);
    if (err == NULL) {
        err = move_below(act.node, sim_path_below(act.node, from), sim_path_below(act.node, to));
    }
    return sim_leave(&act, err);
}

struct err *sim_write_file(const struct call *call, struct host *host, const struct inv_node *node,
    const char *path, const struct buf *content)
{
    struct sim_act act = {.sim = ((struct sim_host *)host)->sim,
        .call = call,
        .op = "host.write_file",
        .is_change = true};
    struct err *err = sim_enter(&act, node);
    if (err == NULL) {
        const char *below = sim_path_below(act.node, path);
        if (below == NULL) {
            err = refuse_path(node, "path_outside", path);
        } else {
            struct sim_file *file = sim_seek_file(act.node, below);
            file = file != NULL ? file : add_file(act.node, below);
            free(file->text);
            file->text = mem_strdup(buf_text(content));
        }
    }
    return sim_leave(&act, err);
}

static void drop_folder(struct sim_node *node, const char *name)
{
    for (size_t i = node->file_count; i > 0; i--) {
        if (is_above(name, &node->files[i - 1])) {
            drop_file(node, &node->files[i - 1]);
        }
    }
}

struct err *sim_remove_aside(
    const struct call *call, struct host *host, const struct inv_node *node, const char *name)
{
    struct sim_act act = {.sim = ((struct sim_host *)host)->sim,
        .call = call,
        .op = "host.remove_aside",
        .is_change = true};
    struct err *err = sim_enter(&act, node);
    if (err == NULL &&
        (!str_starts_with(str_of(name), HOST_ASIDE_PREFIX) || strchr(name, '/') != NULL)) {
        err = refuse_path(node, "not_ours", name);
    } else if (err == NULL) {
        drop_folder(act.node, name);
    }
    return sim_leave(&act, err);
}
