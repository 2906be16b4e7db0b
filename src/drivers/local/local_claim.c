/*
 * drivers/local/local_claim.c - reads and changes the claim file of a node on this machine.
 *
 * The folder belongs to the datastore's user, who is not ours when we run as root: no link is
 * followed in it, and only what we have made ourselves is given to its owner.
 */
#include "drivers/local/local_claim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/random.h"

enum { CLAIM_LOCK_LOOK_MS = 5, CLAIM_MODE = 0600, CLAIM_SUFFIX_SIZE = 9 };

static struct err *claim_unusable(struct err *err, const char *path)
{
    return err_hint(err_code(err, "claim_unusable"),
        "look at %s: it must be a plain file that the user of upshift may read", path);
}

static struct err *claim_unwritable(const char *path, const char *what)
{
    struct err *err = err_code(err_errno(ERR_REFUSED, path, "%s", what), "claim_unwritable");
    return err_hint(err,
        "the user of upshift must be able to write in the node's directory, on a disk with room");
}

/* Where the node's directory is missing there is no node: nobody can have marked it. */
static struct err *open_folder(const struct inv_node *node, int *ret_fd)
{
    const int fd = open(node->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return claim_unwritable(node->directory, "cannot open the node's directory");
    }
    *ret_fd = fd;
    return NULL;
}

static struct err *read_claim(int fd, const char *path, struct buf *ret_text)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size > HOST_CLAIM_SIZE_MAX) {
        return claim_unusable(
            err_new(ERR_INVALID, path, "the claim is no plain file of a claim's size"), path);
    }
    size_t left = HOST_CLAIM_SIZE_MAX;
    while (left > 0) {
        const ssize_t count = read(fd, buf_reserve(ret_text, left), left);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return claim_unusable(err_errno(ERR_INVALID, path, "cannot read the claim"), path);
        }
        if (count == 0) {
            break;
        }
        buf_grow_used(ret_text, (size_t)count);
        left -= (size_t)count;
    }
    return NULL;
}

static struct err *read_in_folder(
    int folder, const struct inv_node *node, bool *ret_exists, struct buf *ret_text)
{
    AUTO_FREE char *path = mem_format("%s/%s", node->directory, HOST_CLAIM_FILE);
    /* O_NONBLOCK: a named pipe in the place of a file must not hold us up. */
    AUTO_CLOSE fd = openat(folder, HOST_CLAIM_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        *ret_exists = false;
        return NULL;
    }
    if (fd < 0) {
        return claim_unusable(err_errno(ERR_INVALID, path, "cannot open the claim"), path);
    }
    struct err *err = read_claim(fd, path, ret_text);
    if (err == NULL) {
        *ret_exists = true;
    }
    return err;
}

struct err *local_claim_read(const struct call *UNUSED(call), struct host *UNUSED(host),
    const struct inv_node *node, bool *ret_exists, struct buf *ret_text)
{
    AUTO_CLOSE folder = -1;
    struct err *err = open_folder(node, &folder);
    return err == NULL ? read_in_folder(folder, node, ret_exists, ret_text) : err;
}

/* Root's file in the folder of another is made that other's: upshift may run as him next time. */
static bool give_to_owner(int folder, int fd)
{
    struct stat status;
    return geteuid() != 0 ||
           (fstat(folder, &status) == 0 && fchown(fd, status.st_uid, status.st_gid) == 0);
}

static int open_lock(int folder)
{
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
    const int fresh = openat(folder, HOST_CLAIM_LOCK, flags | O_CREAT | O_EXCL, CLAIM_MODE);
    if (fresh < 0) {
        return errno == EEXIST ? openat(folder, HOST_CLAIM_LOCK, flags | O_NONBLOCK) : -1;
    }
    if (!give_to_owner(folder, fresh)) {
        (void)close(fresh);
        return -1;
    }
    return fresh;
}

static struct err *take_lock(
    const struct call *call, int folder, const struct inv_node *node, int *ret_lock)
{
    AUTO_FREE char *path = mem_format("%s/%s", node->directory, HOST_CLAIM_LOCK);
    const int fd = open_lock(folder);
    if (fd < 0) {
        return claim_unwritable(path, "cannot open the claim's lock");
    }
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const int error = errno;
        if ((error == EWOULDBLOCK || error == EINTR) && call_left_ms(call) > 0) {
            clock_wait_ms(call->clock, CLAIM_LOCK_LOOK_MS);
            continue;
        }
        (void)close(fd);
        errno = error;
        struct err *err = err_errno(ERR_REFUSED, path, "cannot lock the claim");
        return err_hint(err_code(err, "claim_busy"),
            "another upshift is changing it, or hangs in doing so: `fuser %s` names it", path);
    }
    *ret_lock = fd;
    return NULL;
}

static struct err *write_fresh(int folder, const char *path, const char *name, const char *text)
{
    AUTO_CLOSE fd =
        openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, CLAIM_MODE);
    if (fd < 0 || !give_to_owner(folder, fd)) {
        return claim_unwritable(path, "cannot write the claim");
    }
    struct err *err = fs_write_fd(fd, path, text, strlen(text));
    if (err != NULL) {
        return err_code(err, "claim_unwritable");
    }
    return fsync(fd) == 0 ? NULL : claim_unwritable(path, "cannot make the claim durable");
}

static struct err *replace_claim(int folder, const struct inv_node *node, const char *text)
{
    AUTO_FREE char *path = mem_format("%s/%s", node->directory, HOST_CLAIM_FILE);
    char suffix[CLAIM_SUFFIX_SIZE];
    random_name(suffix, sizeof(suffix));
    AUTO_FREE char *name = mem_format("%s.%s", HOST_CLAIM_FILE, suffix);
    struct err *err = write_fresh(folder, path, name, text);
    if (err == NULL && renameat(folder, name, folder, HOST_CLAIM_FILE) != 0) {
        err = claim_unwritable(path, "cannot replace the claim");
    }
    if (err != NULL) {
        (void)unlinkat(folder, name, 0);
        return err;
    }
    return fsync(folder) == 0 ? NULL : claim_unwritable(path, "cannot make the claim durable");
}

static struct err *swap_locked(
    int folder, const struct inv_node *node, const struct host_claim_swap *swap, bool *ret_is_done)
{
    bool exists = false;
    AUTO_BUF text = {0};
    struct err *err = read_in_folder(folder, node, &exists, &text);
    if (err != NULL) {
        return err;
    }
    if (!text_equal(exists ? buf_text(&text) : NULL, swap->expected)) {
        *ret_is_done = false;
        return NULL;
    }
    err = replace_claim(folder, node, swap->text);
    if (err == NULL) {
        *ret_is_done = true;
    }
    return err;
}

struct err *local_claim_swap(const struct call *call, struct host *UNUSED(host),
    const struct inv_node *node, const struct host_claim_swap *swap, bool *ret_is_done)
{
    AUTO_CLOSE folder = -1;
    AUTO_CLOSE lock = -1; /* closing it gives it back */
    struct err *err = open_folder(node, &folder);
    if (err == NULL) {
        err = take_lock(call, folder, node, &lock);
    }
    return err == NULL ? swap_locked(folder, node, swap, ret_is_done) : err;
}
