/*
 * drivers/local/local_files.c - changes files in the directory of a node on this machine.
 *
 * The directory belongs to the datastore's user, who may have put links into it: as root, following
 * one would change files elsewhere. So every part of a path is opened by itself and never a link.
 */
#include "drivers/local/local_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"

enum {
    FOLDER_MODE = 0750,
    FILE_MODE = 0600, /* it may hold passwords */
    SUFFIX_SIZE = 9,
    COPY_STEP = 16 * 1024 * 1024,
    DEPTH_MAX = 4, /* of an aside folder: revision, folder of logs, their files */
    FOLDER_FLAGS = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
};

static struct err *not_writable(const char *path, const char *what)
{
    struct err *err = err_code(err_errno(ERR_REFUSED, path, "%s", what), "file_unwritable");
    return err_hint(err,
        "the user of upshift must be able to write in the node's directory, on a disk with room");
}

static struct err *path_outside(const char *path)
{
    struct err *err = err_new(ERR_REFUSED, path, "leads out of the node's directory");
    return err_hint(err_code(err, "path_outside"), "look for a link in the node's directory");
}

static struct err *path_not_ours(const char *path, const char *what)
{
    struct err *err = err_new(ERR_REFUSED, path, "%s", what);
    return err_hint(
        err_code(err, "not_ours"), "look what it is, then remove the folder by hand: %s", path);
}

/* A path below the node's directory, on its way: `folder` is open, `name` is next. */
struct walk {
    const struct inv_node *node;
    const char *path;
    int folder;
    int owner;       /* the directory itself: what is new belongs to its owner */
    struct str rest; /* after `name` */
    char name[256];  /* at most NAME_MAX */
};

static void walk_end(struct walk *walk)
{
    fs_close_slot(&walk->folder);
    fs_close_slot(&walk->owner);
}
#define AUTO_WALK CLEANUP(walk_end) struct walk

/* Takes the next part of the path. False: it is none that may be used. */
static bool walk_next(struct walk *walk)
{
    struct str part = walk->rest;
    if (!str_cut(&walk->rest, '/', &part)) {
        part = walk->rest;
        walk->rest = (struct str){0};
    }
    if (part.size == 0 || part.size >= sizeof(walk->name) || str_is(part, ".") ||
        str_is(part, "..")) {
        return false;
    }
    memcpy(walk->name, part.data, part.size);
    walk->name[part.size] = '\0';
    return true;
}

/* As root, what we make is the directory's owner's: the server runs as him. */
static bool give_away(const struct walk *walk, int fd)
{
    struct stat status;
    return geteuid() != 0 ||
           (fstat(walk->owner, &status) == 0 && fchown(fd, status.st_uid, status.st_gid) == 0);
}

/* Enters the folder `name`; `makes`: makes it if it is missing. */
static struct err *walk_enter(struct walk *walk, bool makes)
{
    const bool is_new = makes && mkdirat(walk->folder, walk->name, FOLDER_MODE) == 0;
    if (makes && !is_new && errno != EEXIST) {
        return not_writable(walk->path, "cannot make the folder");
    }
    const int fd = openat(walk->folder, walk->name, FOLDER_FLAGS);
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR)) {
        return path_outside(walk->path);
    }
    if (fd < 0) {
        return not_writable(walk->path, "cannot open the folder above it");
    }
    (void)close(walk->folder);
    walk->folder = fd;
    return !is_new || give_away(walk, fd) ? NULL
                                          : not_writable(walk->path, "cannot give it an owner");
}

/* How much of the path is the folder that it must not leave: the node's own, or that of its
 * configuration file, which the inventory may put elsewhere. 0: it is in neither. */
static size_t find_root(const struct walk *walk)
{
    const struct inv_node *node = walk->node;
    const size_t size = strlen(node->directory);
    if (strncmp(walk->path, node->directory, size) == 0 && walk->path[size] == '/') {
        return size;
    }
    return text_equal(walk->path, node->config_file)
               ? (size_t)(strrchr(walk->path, '/') - walk->path)
               : 0;
}

/* Opens all folders above the last part of `path`, which is left in walk->name. */
static struct err *walk_to(struct walk *walk, bool makes)
{
    const size_t size = find_root(walk);
    if (size == 0) {
        return path_outside(walk->path);
    }
    AUTO_FREE char *root = mem_format("%.*s", (int)size, walk->path);
    walk->rest = str_of(walk->path + size + 1);
    walk->owner = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    walk->folder = walk->owner < 0 ? -1 : fcntl(walk->owner, F_DUPFD_CLOEXEC, 0);
    if (walk->folder < 0) {
        return not_writable(root, "cannot open the folder");
    }
    while (walk_next(walk)) {
        if (walk->rest.data == NULL) {
            return NULL;
        }
        struct err *err = walk_enter(walk, makes);
        if (err != NULL) {
            return err;
        }
    }
    return path_outside(walk->path);
}

struct err *local_make_folder(const struct call *UNUSED(call), struct host *UNUSED(host),
    const struct inv_node *node, const char *path)
{
    AUTO_WALK walk = {.node = node, .path = path, .folder = -1, .owner = -1};
    struct err *err = walk_to(&walk, true);
    return err == NULL ? walk_enter(&walk, true) : err;
}

static struct err *sync_moved(const struct walk *from, const struct walk *to)
{
    return fsync(from->folder) == 0 && fsync(to->folder) == 0
               ? NULL
               : not_writable(to->path, "cannot make the move durable");
}

struct err *local_move(const struct call *UNUSED(call), struct host *UNUSED(host),
    const struct inv_node *node, const char *from, const char *to)
{
    AUTO_WALK source = {.node = node, .path = from, .folder = -1, .owner = -1};
    AUTO_WALK place = {.node = node, .path = to, .folder = -1, .owner = -1};
    struct err *err = walk_to(&source, false);
    if (err == NULL) {
        err = walk_to(&place, false);
    }
    if (err != NULL) {
        return err;
    }
    if (renameat2(source.folder, source.name, place.folder, place.name, RENAME_NOREPLACE) == 0) {
        return sync_moved(&source, &place);
    }
    if (errno == EEXIST) {
        err = err_new(ERR_REFUSED, to, "something is there already; nothing was moved");
        return err_hint(err_code(err, "file_in_the_way"), "look what it is and move it away");
    }
    return not_writable(from, "cannot move it");
}

/* Owner and mode as those of the file that is replaced. A link in its place is replaced itself. */
static bool take_over(const struct walk *walk, int fd)
{
    struct stat old;
    if (fstatat(walk->folder, walk->name, &old, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(old.st_mode)) {
        return give_away(walk, fd);
    }
    return fchmod(fd, old.st_mode & 07777) == 0 &&
           (geteuid() != 0 || fchown(fd, old.st_uid, old.st_gid) == 0);
}

static struct err *write_beside(
    const struct walk *walk, const char *fresh, const struct buf *content)
{
    AUTO_CLOSE fd = openat(
        walk->folder, fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0 || !take_over(walk, fd)) {
        return not_writable(walk->path, "cannot write the file");
    }
    struct err *err = fs_write_fd(fd, walk->path, content->data, content->size);
    if (err != NULL) {
        return err_code(err, "file_unwritable");
    }
    return fsync(fd) == 0 ? NULL : not_writable(walk->path, "cannot make the file durable");
}

struct err *local_write_file(const struct call *UNUSED(call), struct host *UNUSED(host),
    const struct inv_node *node, const char *path, const struct buf *content)
{
    AUTO_WALK walk = {.node = node, .path = path, .folder = -1, .owner = -1};
    struct err *err = walk_to(&walk, false);
    if (err != NULL) {
        return err;
    }
    char suffix[SUFFIX_SIZE];
    random_name(suffix, sizeof(suffix));
    AUTO_FREE char *fresh = mem_format("upshift-new.%s", suffix);
    err = write_beside(&walk, fresh, content);
    if (err == NULL && renameat(walk.folder, fresh, walk.folder, walk.name) != 0) {
        err = not_writable(path, "cannot replace the file");
    }
    if (err != NULL) {
        (void)unlinkat(walk.folder, fresh, 0);
        return err;
    }
    return fsync(walk.folder) == 0 ? NULL : not_writable(path, "cannot make the file durable");
}

/* --- copying out --- */

/* Until everything is copied or the call's time is over. */
static struct err *copy_bytes(const struct call *call, int from, int to, const char *path)
{
    for (;;) {
        const ssize_t count = copy_file_range(from, NULL, to, NULL, COPY_STEP, 0);
        if (count == 0) {
            return fsync(to) == 0 ? NULL : not_writable(path, "cannot make the copy durable");
        }
        if (count < 0 && errno != EINTR) {
            return not_writable(path, "cannot write the copy");
        }
        if (call_left_ms(call) == 0) {
            return err_code(
                err_new(ERR_UNKNOWN, path, "the copy was not complete in time"), "out_of_time");
        }
    }
}

/* The name appears when the copy is whole, and only if nothing has it. */
static struct err *publish_copy(const char *part, const char *to)
{
    if (link(part, to) == 0) {
        return NULL;
    }
    if (errno == EEXIST) {
        struct err *err =
            err_new(ERR_REFUSED, to, "something is there already; nothing was copied");
        return err_hint(err_code(err, "file_in_the_way"), "look what it is and move it away");
    }
    return not_writable(to, "cannot name the copy");
}

struct err *local_copy_out(const struct call *call, struct host *UNUSED(host),
    const struct inv_node *node, const char *from, const char *to)
{
    AUTO_WALK walk = {.node = node, .path = from, .folder = -1, .owner = -1};
    struct err *err = walk_to(&walk, false);
    if (err != NULL) {
        return err;
    }
    AUTO_CLOSE source = openat(walk.folder, walk.name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (source < 0) {
        return err_code(err_errno(ERR_REFUSED, from, "cannot read it"), "file_unreadable");
    }
    char suffix[SUFFIX_SIZE];
    random_name(suffix, sizeof(suffix));
    AUTO_FREE char *part = mem_format("%s.%s", to, suffix);
    AUTO_CLOSE target = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (target < 0 || !give_away(&walk, target)) {
        err = not_writable(part, "cannot make the copy");
    }
    if (err == NULL) {
        err = copy_bytes(call, source, target, part);
    }
    if (err == NULL) {
        err = publish_copy(part, to);
    }
    if (target >= 0) {
        (void)unlink(part);
    }
    return err;
}

/* --- removing --- */

/* Goes through a folder twice: first only looks, then removes. */
struct removal {
    const char *path; /* of the aside folder */
    bool is_looking;
};

static struct err *remove_entries_at(const struct removal *removal, int fd, int depth);

static struct err *remove_entry(
    const struct removal *removal, int folder, const char *name, int depth)
{
    struct stat status;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return not_writable(removal->path, "cannot look at what is in it");
    }
    if (S_ISREG(status.st_mode)) {
        const bool is_good = removal->is_looking || unlinkat(folder, name, 0) == 0;
        return is_good ? NULL : not_writable(removal->path, "cannot remove a file in it");
    }
    if (!S_ISDIR(status.st_mode) || depth >= DEPTH_MAX) {
        return path_not_ours(removal->path, "something in it was not put there by upshift");
    }
    AUTO_CLOSE fd = openat(folder, name, FOLDER_FLAGS);
    if (fd < 0) {
        return not_writable(removal->path, "cannot open a folder in it");
    }
    struct err *err = remove_entries_at(removal, fd, depth + 1);
    if (err == NULL && !removal->is_looking && unlinkat(folder, name, AT_REMOVEDIR) != 0) {
        err = not_writable(removal->path, "cannot remove a folder in it");
    }
    return err;
}

static struct err *remove_entries_at(const struct removal *removal, int fd, int depth)
{
    const int own = openat(fd, ".", FOLDER_FLAGS); /* a place to read from, of its own */
    DIR *entries = own < 0 ? NULL : fdopendir(own);
    if (entries == NULL) {
        fs_close_slot(&(int){own});
        return not_writable(removal->path, "cannot read the folder");
    }
    struct err *err = NULL;
    const struct dirent *entry;
    while (err == NULL && (entry = readdir(entries)) != NULL) {
        if (!text_equal(entry->d_name, ".") && !text_equal(entry->d_name, "..")) {
            err = remove_entry(removal, fd, entry->d_name, depth);
        }
    }
    (void)closedir(entries);
    return err;
}

struct err *local_remove_aside(const struct call *UNUSED(call), struct host *UNUSED(host),
    const struct inv_node *node, const char *name)
{
    AUTO_FREE char *path = mem_format("%s/%s", node->directory, name);
    if (!str_starts_with(str_of(name), HOST_ASIDE_PREFIX) || strchr(name, '/') != NULL) {
        return path_not_ours(path, "no folder of that name is upshift's");
    }
    AUTO_WALK walk = {.node = node, .path = path, .folder = -1, .owner = -1};
    struct err *err = walk_to(&walk, false);
    struct stat status;
    if (err == NULL && fstatat(walk.folder, walk.name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? NULL : not_writable(path, "cannot look at it");
    }
    if (err == NULL && !S_ISDIR(status.st_mode)) {
        err = path_not_ours(path, "it is no folder");
    }
    for (int pass = 0; err == NULL && pass < 2; pass++) {
        const struct removal removal = {.path = path, .is_looking = pass == 0};
        err = remove_entry(&removal, walk.folder, walk.name, 0);
    }
    return err;
}
