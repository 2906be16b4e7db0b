#include "drivers/local/local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "drivers/local/local_claim.h"
#include "drivers/local/local_files.h"
#include "drivers/local/local_room.h"

enum { READ_STEP = 65536 };

static bool is_absent(int error)
{
    return error == ENOENT || error == ENOTDIR;
}

static struct err *not_readable(const char *path, const char *what)
{
    struct err *err = err_code(err_errno(ERR_INVALID, path, "%s", what), "file_unreadable");
    return err_hint(err, "run upshift as a user that may read %s", path);
}

static struct err *read_up_to(int fd, const char *path, size_t size_max, struct buf *ret_content)
{
    size_t left = size_max;
    while (left > 0) {
        const size_t step = left < READ_STEP ? left : READ_STEP;
        const ssize_t count = read(fd, buf_reserve(ret_content, step), step);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return not_readable(path, "cannot read the file");
        }
        if (count == 0) {
            break;
        }
        buf_grow_used(ret_content, (size_t)count);
        left -= (size_t)count;
    }
    return NULL;
}

static struct err *local_read_file(const struct call *UNUSED(call), struct host *UNUSED(host),
    const struct inv_node *UNUSED(node), const char *path, size_t size_max, bool *ret_exists,
    struct buf *ret_content)
{
    /* O_NONBLOCK: a named pipe in the place of a file must not hold us up. */
    AUTO_CLOSE fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && is_absent(errno)) {
        *ret_exists = false;
        return NULL;
    }
    if (fd < 0) {
        return not_readable(path, "cannot open the file");
    }
    struct err *err = read_up_to(fd, path, size_max, ret_content);
    if (err == NULL) {
        *ret_exists = true;
    }
    return err;
}

static struct err *local_exists(const struct call *UNUSED(call), struct host *UNUSED(host),
    const struct inv_node *UNUSED(node), const char *path, bool *ret_exists)
{
    struct stat status;
    const bool exists = lstat(path, &status) == 0;
    if (!exists && !is_absent(errno)) {
        return not_readable(path, "cannot look for it");
    }
    *ret_exists = exists;
    return NULL;
}

static struct err *local_read_link(const struct call *UNUSED(call), struct host *UNUSED(host),
    const struct inv_node *UNUSED(node), const char *path, char **ret_target)
{
    struct err *err = fs_read_link(path, ret_target);
    return err == NULL ? NULL : err_code(err, "link_unreadable");
}

static struct err *local_replace_link(const struct call *UNUSED(call), struct host *UNUSED(host),
    const struct inv_node *UNUSED(node), const char *path, const char *target)
{
    struct err *err = fs_replace_link(path, target);
    return err == NULL ? NULL : err_code(err, "link_unwritable");
}

static void local_close(struct host *host)
{
    free(host);
}

static const struct host_ops local_ops = {
    .name = "local",
    .read_file = local_read_file,
    .exists = local_exists,
    .read_link = local_read_link,
    .get_room = local_get_room,
    .copy_out = local_copy_out,
    .replace_link = local_replace_link,
    .claim_read = local_claim_read,
    .claim_swap = local_claim_swap,
    .make_folder = local_make_folder,
    .move = local_move,
    .write_file = local_write_file,
    .remove_aside = local_remove_aside,
    .close = local_close,
};

struct host *local_open(void)
{
    struct host *host = mem_alloc(sizeof(*host));
    host->ops = &local_ops;
    return host;
}
