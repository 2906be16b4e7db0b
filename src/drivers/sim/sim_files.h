/*
 * drivers/sim/sim_files.h - what is in the directories of simulated nodes.
 *
 * Part of the model behind sim.h; the mutex is held, but for the slots of struct host_ops.
 */
#ifndef UPSHIFT_DRIVERS_SIM_SIM_FILES_H
#define UPSHIFT_DRIVERS_SIM_SIM_FILES_H

#include "drivers/sim/sim_internal.h"

/* What else is in a node's directory: nodes.conf, and what was moved aside. */
struct sim_file {
    char *path; /* below the directory; owned */
    char *text; /* of a file that was written; NULL of a folder, or of data; owned */
    bool is_log_folder;
    bool is_old_log;
    int64_t rdb_version; /* of a dump */
};

/* The part of a path below the node's directory; NULL: it is not in there. */
const char *sim_path_below(const struct sim_node *node, const char *path);
void sim_free_files(struct sim_node *node);
/* `path` is below the node's directory, or NULL. NULL: there is none. */
const struct sim_file *sim_find_file(const struct sim_node *node, const char *path);
bool sim_has_file(const struct sim_node *node, const char *path);
/* The changing slots of struct host_ops. */
struct err *sim_make_folder(
    const struct call *call, struct host *host, const struct inv_node *node, const char *path);
struct err *sim_move(const struct call *call, struct host *host, const struct inv_node *node,
    const char *from, const char *to);
struct err *sim_write_file(const struct call *call, struct host *host, const struct inv_node *node,
    const char *path, const struct buf *content);
struct err *sim_remove_aside(
    const struct call *call, struct host *host, const struct inv_node *node, const char *name);

#endif
