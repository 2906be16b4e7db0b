/*
 * store/sqlite/lock.c - an open-file-description lock on a file that tells people who holds it.
 *
 * The kernel's lock decides, the text is only for people: a stale text without a lock means
 * nothing. The file is never removed, because two processes could then lock two files of one name.
 */
#include "store/sqlite/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

enum { LOCK_TEXT_SIZE_MAX = 4096 };

struct store_lock {
    int fd;
};

static struct flock whole_file(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

static void write_holder(int fd)
{
    char host[256] = "unknown";
    (void)gethostname(host, sizeof(host) - 1);
    char names[1024];
    struct passwd entry;
    struct passwd *found = NULL;
    (void)getpwuid_r(geteuid(), &entry, names, sizeof(names), &found);
    char since[CLOCK_TEXT_SIZE];
    AUTO_BUF text = {0};
    buf_printf(&text, "host %s, pid %ld, user %s, since %s\n", host, (long)getpid(),
        found == NULL ? "unknown" : found->pw_name,
        clock_format_wall(clock_wall_ms(clock_system()), since));
    if (ftruncate(fd, 0) == 0) {
        (void)!pwrite(fd, text.data, text.size, 0); /* for people only: the lock is held anyway */
    }
}

static struct err *refuse_busy(const char *path)
{
    AUTO_BUF content = {0};
    AUTO_ERR unread = fs_read(path, LOCK_TEXT_SIZE_MAX, &content);
    const struct str holder = str_trim(str_of(buf_text(&content)));
    struct err *err = holder.size == 0 || unread != NULL
                          ? err_new(ERR_REFUSED, path, "another controller holds this cluster")
                          : err_new(ERR_REFUSED, path,
                                "another controller holds this cluster: " STR_FMT, STR_ARG(holder));
    err = err_hint(err, "follow it with `upshift watch`, or try again when it has ended");
    return err_code(err, "locked");
}

static struct err *refuse_unsupported(const char *path)
{
    struct err *err = err_new(
        ERR_REFUSED, path, "this file system has no locks that can keep a second controller out");
    err = err_hint(err, "put the state on a local disk with --state-dir");
    return err_code(err, "lock_unsupported");
}

/* Some network and user-space file systems say yes to every lock; ask through a second
 * description whether ours is really seen. */
static bool is_lock_real(const char *path)
{
    AUTO_CLOSE other = open(path, O_RDWR | O_CLOEXEC);
    struct flock seen = whole_file(F_WRLCK);
    return other >= 0 && fcntl(other, F_OFD_GETLK, &seen) == 0 && seen.l_type != F_UNLCK;
}

struct err *store_lock(const char *directory, struct store_lock **ret_lock)
{
    struct err *err = fs_make_dirs(directory, 0700);
    if (err != NULL) {
        return err_code(err_wrap(err, directory, "cannot make the state folder"), "lock_denied");
    }
    AUTO_FREE char *path = mem_format("%s/lock", directory);
    AUTO_CLOSE fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        err = err_errno(ERR_REFUSED, path, "cannot open the cluster's lock");
        err = err_hint(err, "run as the user who owns the folder, or name another --state-dir");
        return err_code(err, "lock_denied");
    }
    struct flock wanted = whole_file(F_WRLCK);
    if (fcntl(fd, F_OFD_SETLK, &wanted) != 0) {
        return errno == EAGAIN || errno == EACCES ? refuse_busy(path) : refuse_unsupported(path);
    }
    if (!is_lock_real(path)) {
        return refuse_unsupported(path);
    }
    write_holder(fd);
    *ret_lock = mem_alloc(sizeof(**ret_lock));
    (*ret_lock)->fd = fd;
    fd = -1;
    return NULL;
}

void store_unlock(struct store_lock *lock)
{
    if (lock == NULL) {
        return;
    }
    (void)!ftruncate(lock->fd, 0);
    fs_close_slot(&lock->fd);
    free(lock);
}
