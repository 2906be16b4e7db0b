/*
 * drivers/sim/sim_host.c - the files of simulated hosts, and the programs one can fetch to them.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"
#include "drivers/sim/sim_act.h"
#include "drivers/sim/sim_files.h"

void sim_write_config(const struct sim_node *node, struct buf *ret_content)
{
    buf_printf(ret_content, "port %lld\n", (long long)node->inv->port);
    for (size_t i = 0; sim_setting_name(i) != NULL; i++) {
        const char *value = node->settings[i].file;
        buf_printf(ret_content, "%s %s\n", sim_setting_name(i), *value == '\0' ? "\"\"" : value);
    }
}

/* Writes what the file holds; false: no such file. */
static bool write_file(const struct sim_node *node, const char *path, struct buf *ret_content)
{
    if (text_equal(path, node->inv->config_file)) {
        sim_write_config(node, ret_content);
        return true;
    }
    const struct sim_file *file = sim_find_file(node, sim_path_below(node, path));
    if (file != NULL && file->text != NULL) {
        buf_append_text(ret_content, file->text);
        return true;
    }
    if (text_equal(path, node->inv->pid_file) && node->phase != SIM_DOWN) {
        buf_printf(ret_content, "%lld\n", (long long)node->pid);
        return true;
    }
    return false;
}

static struct err *host_read(const struct call *call, struct host *host,
    const struct inv_node *node, const char *path, size_t size_max, bool *ret_exists,
    struct buf *ret_content)
{
    struct sim_act act = {
        .sim = ((struct sim_host *)host)->sim, .call = call, .op = "host.read_file"};
    struct err *err = sim_enter(&act, node);
    if (err == NULL) {
        AUTO_BUF content = {0};
        *ret_exists = write_file(act.node, path, &content);
        buf_append(
            ret_content, buf_text(&content), content.size < size_max ? content.size : size_max);
    }
    return sim_leave(&act, err);
}

static bool has_path(const struct sim_node *node, const char *path)
{
    AUTO_BUF ignored = {0};
    return write_file(node, path, &ignored) || text_equal(path, node->inv->directory) ||
           text_equal(path, node->inv->server_link) ||
           sim_has_file(node, sim_path_below(node, path));
}

static struct err *host_look(const struct call *call, struct host *host,
    const struct inv_node *node, const char *path, bool *ret_exists)
{
    struct sim_act act = {.sim = ((struct sim_host *)host)->sim, .call = call, .op = "host.exists"};
    struct err *err = sim_enter(&act, node);
    if (err == NULL) {
        *ret_exists = has_path(act.node, path) || sim_find_program(act.sim, path) != NULL;
    }
    return sim_leave(&act, err);
}

static struct err *check_link(const struct inv_node *node, const char *path)
{
    if (text_equal(path, node->server_link)) {
        return NULL;
    }
    struct err *err = err_new(ERR_INVALID, node->name, "%s is not a symbolic link", path);
    return err_code(err, "not_a_link");
}

static struct err *host_follow(const struct call *call, struct host *host,
    const struct inv_node *node, const char *path, char **ret_target)
{
    struct sim_act act = {
        .sim = ((struct sim_host *)host)->sim, .call = call, .op = "host.read_link"};
    struct err *err = sim_enter(&act, node);
    if (err == NULL) {
        err = check_link(node, path);
    }
    if (err == NULL) {
        *ret_target = mem_strdup(act.node->link);
    }
    return sim_leave(&act, err);
}

/* Enough of everything: running out of room is told by faults, where it hurts. */
static struct err *host_count_room(const struct call *call, struct host *host,
    const struct inv_node *node, struct host_room *ret_room)
{
    struct sim_act act = {
        .sim = ((struct sim_host *)host)->sim, .call = call, .op = "host.get_room"};
    struct err *err = sim_enter(&act, node);
    if (err == NULL) {
        *ret_room = (struct host_room){.memory_bytes = SIM_ROOM_BYTES,
            .memory_free_bytes = SIM_ROOM_BYTES,
            .overcommit = 1,
            .disk_bytes = SIM_ROOM_BYTES,
            .disk_free_bytes = SIM_ROOM_BYTES};
    }
    return sim_leave(&act, err);
}

/* Where copies go is no part of the simulation. */
static struct err *host_take_copy(const struct call *call, struct host *host,
    const struct inv_node *node, const char *from, const char *UNUSED(to))
{
    struct sim_act act = {
        .sim = ((struct sim_host *)host)->sim, .call = call, .op = "host.copy_out"};
    struct err *err = sim_enter(&act, node);
    if (err == NULL && sim_path_below(act.node, from) == NULL) {
        err = err_code(err_new(ERR_REFUSED, from, "leads out of the directory"), "path_outside");
    }
    return sim_leave(&act, err);
}

static struct err *host_point(const struct call *call, struct host *host,
    const struct inv_node *node, const char *path, const char *target)
{
    struct sim_act act = {.sim = ((struct sim_host *)host)->sim,
        .call = call,
        .op = "host.replace_link",
        .is_change = true};
    struct err *err = sim_enter(&act, node);
    if (err == NULL) {
        err = check_link(node, path);
    }
    if (err == NULL) {
        char *copy = mem_strdup(target);
        free(act.node->link);
        act.node->link = copy;
    }
    return sim_leave(&act, err);
}

/* A claim is on the host: it is there also while the node's process is not. */
static struct err *host_look_at_claim(const struct call *call, struct host *host,
    const struct inv_node *node, bool *ret_exists, struct buf *ret_text)
{
    struct sim_act act = {
        .sim = ((struct sim_host *)host)->sim, .call = call, .op = "host.claim_read"};
    struct err *err = sim_enter(&act, node);
    if (err == NULL) {
        *ret_exists = act.node->claim != NULL;
        buf_append_text(ret_text, act.node->claim == NULL ? "" : act.node->claim);
    }
    return sim_leave(&act, err);
}

static struct err *host_swap_claim(const struct call *call, struct host *host,
    const struct inv_node *node, const struct host_claim_swap *swap, bool *ret_is_done)
{
    struct sim_act act = {.sim = ((struct sim_host *)host)->sim,
        .call = call,
        .op = "host.claim_swap",
        .is_change = true};
    struct err *err = sim_enter(&act, node);
    if (err == NULL) {
        *ret_is_done = text_equal(act.node->claim, swap->expected);
        if (*ret_is_done) {
            char *copy = mem_strdup(swap->text);
            free(act.node->claim);
            act.node->claim = copy;
        }
    }
    return sim_leave(&act, err);
}

static void host_leave_open(struct host *UNUSED(host))
{
    /* part of the simulation, which sim_close() ends */
}

const struct host_ops sim_host_ops = {
    .name = "sim",
    .read_file = host_read,
    .exists = host_look,
    .read_link = host_follow,
    .get_room = host_count_room,
    .copy_out = host_take_copy,
    .replace_link = host_point,
    .make_folder = sim_make_folder,
    .move = sim_move,
    .write_file = sim_write_file,
    .remove_aside = sim_remove_aside,
    .claim_read = host_look_at_claim,
    .claim_swap = host_swap_claim,
    .close = host_leave_open,
};

/* "7.0" and "7.0.15" both mean 7.0.15. */
static bool is_version_meant(const struct sim_program *program, const struct inv_version *version)
{
    const size_t size = strlen(version->name);
    const char end =
        strncmp(program->version, version->name, size) == 0 ? program->version[size] : 'x';
    return text_equal(program->product, version->product) && (end == '\0' || end == '.');
}

static struct err *package_make_ready(const struct call *UNUSED(call), struct package *package,
    const struct inv_version *version, const struct rules *rules, package_progress *progress,
    void *progress_context, struct arena *arena, struct fact_artefact *ret_artefact)
{
    const struct sim *sim = ((struct sim_package *)package)->sim;
    const struct sim_program *program = NULL;
    for (size_t i = 0; i < sim->options.program_count && program == NULL; i++) {
        if (is_version_meant(&sim->options.programs[i], version)) {
            program = &sim->options.programs[i];
        }
    }
    struct version exact;
    if (program == NULL) {
        struct err *err = err_new(ERR_INVALID, version->suite, "%s %s is not in the suite",
            version->product, version->name);
        return err_code(err, "version_not_in_suite");
    }
    struct err *err = version_parse(arena, program->product, program->version, &exact);
    if (err != NULL) {
        return err;
    }
    const char *series = version_series(arena, &exact);
    if (rules_find(rules, series) == NULL) {
        err = err_new(ERR_INVALID, version->suite, "nothing is known of %s", series);
        return err_code(err, "series_unknown");
    }
    if (progress != NULL) {
        progress(progress_context, "everything is there already");
    }
    char digest[SHA256_HEX_SIZE];
    sha256_hex(program->path, strlen(program->path), digest);
    *ret_artefact = (struct fact_artefact){
        .product = program->product,
        .version = program->version,
        .series = series,
        .package_version = arena_format(arena, "%s-1", program->version),
        .digest = arena_strdup(arena, digest),
        .server = program->path,
    };
    return NULL;
}

static void package_leave_open(struct package *UNUSED(package))
{
    /* part of the simulation, which sim_close() ends */
}

const struct package_ops sim_package_ops = {
    .name = "sim",
    .prepare = package_make_ready,
    .close = package_leave_open,
};
