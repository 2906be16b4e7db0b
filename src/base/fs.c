#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"

enum { FS_READ_STEP = 65536 };

void fs_close_slot(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

struct err *fs_read(const char *path, size_t size_max, struct buf *ret_content)
{
    AUTO_CLOSE fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_errno(ERR_INVALID, path, "cannot open the file");
    }
    const size_t before = ret_content->size;
    for (;;) {
        char *end = buf_reserve(ret_content, FS_READ_STEP);
        const ssize_t count = read(fd, end, FS_READ_STEP);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return err_errno(ERR_INVALID, path, "cannot read the file");
        }
        if (count == 0) {
            return NULL;
        }
        buf_grow_used(ret_content, (size_t)count);
        if (ret_content->size - before > size_max) {
            return err_new(ERR_INVALID, path, "the file is larger than %zu bytes", size_max);
        }
    }
}

struct err *fs_write_fd(int fd, const char *where, const void *data, size_t size)
{
    const char *rest = data;
    while (size > 0) {
        const ssize_t count = write(fd, rest, size);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return err_errno(ERR_REFUSED, where, "cannot write");
        }
        rest += count;
        size -= (size_t)count;
    }
    return NULL;
}

static struct err *sync_folder_of(const char *path)
{
    AUTO_FREE char *folder = mem_strdup(path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL) {
        free(folder);
        folder = mem_strdup(".");
    } else {
        slash[slash == folder ? 1 : 0] = '\0';
    }
    AUTO_CLOSE fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        return err_errno(ERR_REFUSED, folder, "cannot make the folder durable");
    }
    return NULL;
}

static char *name_beside(const char *path)
{
    char suffix[9];
    random_name(suffix, sizeof(suffix));
    return mem_format("%s.%s", path, suffix);
}

struct err *fs_write(const char *path, const void *data, size_t size, mode_t mode)
{
    AUTO_FREE char *fresh = name_beside(path);
    AUTO_CLOSE fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        return err_errno(ERR_REFUSED, path, "cannot write the file");
    }
    struct err *err = fs_write_fd(fd, path, data, size);
    if (err == NULL && fsync(fd) != 0) {
        err = err_errno(ERR_REFUSED, path, "cannot make the file durable");
    }
    if (err == NULL && rename(fresh, path) != 0) {
        err = err_errno(ERR_REFUSED, path, "cannot replace the file");
    }
    if (err != NULL) {
        (void)unlink(fresh);
        return err;
    }
    return sync_folder_of(path);
}

struct err *fs_make_dirs(const char *path, mode_t mode)
{
    if (path[0] == '\0') {
        return err_new(ERR_REFUSED, NULL, "cannot make a folder without a name");
    }
    AUTO_FREE char *partial = mem_strdup(path);
    for (char *c = partial + 1;; c++) {
        if (*c != '/' && *c != '\0') {
            continue;
        }
        const char kept = *c;
        *c = '\0';
        if (mkdir(partial, mode) != 0 && errno != EEXIST) {
            return err_errno(ERR_REFUSED, partial, "cannot make the folder");
        }
        *c = kept;
        if (kept == '\0') {
            break;
        }
    }
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        return err_new(ERR_REFUSED, path, "is in the way: not a folder");
    }
    return NULL;
}

struct err *fs_replace_link(const char *path, const char *target)
{
    AUTO_FREE char *fresh = name_beside(path);
    if (symlink(target, fresh) != 0) {
        return err_errno(ERR_REFUSED, path, "cannot make the symbolic link");
    }
    if (rename(fresh, path) != 0) {
        struct err *err = err_errno(ERR_REFUSED, path, "cannot replace the symbolic link");
        (void)unlink(fresh);
        return err;
    }
    return sync_folder_of(path);
}

struct err *fs_read_link(const char *path, char **ret_target)
{
    char target[PATH_MAX];
    const ssize_t size = readlink(path, target, sizeof(target) - 1);
    if (size < 0) {
        return err_errno(ERR_INVALID, path, "cannot read the symbolic link");
    }
    target[size] = '\0';
    *ret_target = mem_strdup(target);
    return NULL;
}

bool fs_exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static struct err *remove_entries(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return err_errno(ERR_REFUSED, path, "cannot open the folder");
    }
    struct err *err = NULL;
    const struct dirent *entry;
    while (err == NULL && (entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        AUTO_FREE char *child = mem_format("%s/%s", path, entry->d_name);
        err = fs_remove_tree(child);
    }
    (void)closedir(folder);
    return err;
}

struct err *fs_remove_tree(const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0) {
        return errno == ENOENT ? NULL : err_errno(ERR_REFUSED, path, "cannot look at it");
    }
    if (S_ISDIR(status.st_mode)) {
        struct err *err = remove_entries(path);
        if (err != NULL) {
            return err;
        }
    }
    if ((S_ISDIR(status.st_mode) ? rmdir(path) : unlink(path)) != 0) {
        return err_errno(ERR_REFUSED, path, "cannot remove it");
    }
    return NULL;
}
