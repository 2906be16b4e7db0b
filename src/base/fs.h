/*
 * base/fs.h - files and folders: whole reads, atomic and durable writes.
 */
#ifndef UPSHIFT_BASE_FS_H
#define UPSHIFT_BASE_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

void fs_close_slot(int *fd);
#define AUTO_CLOSE CLEANUP(fs_close_slot) int

/* Appends a whole file to `ret_content`. Errors: ERR_INVALID, also when it exceeds `size_max`. */
MUST_USE struct err *fs_read(const char *path, size_t size_max, struct buf *ret_content);

/* Replaces a file so that after a crash either the old or the new content is there whole: written
 * beside it, synced, renamed. `mode` as in open(2). */
MUST_USE struct err *fs_write(const char *path, const void *data, size_t size, mode_t mode);

/* Writes all of `data` to `fd`, going on after short writes and signals. */
MUST_USE struct err *fs_write_fd(int fd, const char *where, const void *data, size_t size);

/* Makes a folder and those above it; an existing one is fine. */
MUST_USE struct err *fs_make_dirs(const char *path, mode_t mode);

/* Points the symbolic link `path` at `target` by rename, so that it is never missing. */
MUST_USE struct err *fs_replace_link(const char *path, const char *target);

/* Reads a symbolic link. Owns: caller frees. */
MUST_USE struct err *fs_read_link(const char *path, char **ret_target);

bool fs_exists(const char *path);

/* Removes a folder with all in it; nothing there is fine. Does not follow links. */
MUST_USE struct err *fs_remove_tree(const char *path);

#endif
