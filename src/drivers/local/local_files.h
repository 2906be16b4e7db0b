/*
 * drivers/local/local_files.h - changes files in the directory of a node on this machine.
 *
 * The changing slots of struct host_ops (drivers/host.h), which says what they promise.
 */
#ifndef UPSHIFT_DRIVERS_LOCAL_LOCAL_FILES_H
#define UPSHIFT_DRIVERS_LOCAL_LOCAL_FILES_H

#include "drivers/host.h"

MUST_USE struct err *local_make_folder(
    const struct call *call, struct host *host, const struct inv_node *node, const char *path);
MUST_USE struct err *local_move(const struct call *call, struct host *host,
    const struct inv_node *node, const char *from, const char *to);
MUST_USE struct err *local_copy_out(const struct call *call, struct host *host,
    const struct inv_node *node, const char *from, const char *to);
MUST_USE struct err *local_write_file(const struct call *call, struct host *host,
    const struct inv_node *node, const char *path, const struct buf *content);
MUST_USE struct err *local_remove_aside(
    const struct call *call, struct host *host, const struct inv_node *node, const char *name);

#endif
