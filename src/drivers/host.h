/*
 * drivers/host.h - files on the host of a node.
 *
 * Implemented by drivers/local/ (this machine) and drivers/sim/. Paths are absolute. Every call
 * blocks at most to the call's deadline and may be repeated.
 */
#ifndef UPSHIFT_DRIVERS_HOST_H
#define UPSHIFT_DRIVERS_HOST_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/call.h"
#include "base/err.h"
#include "model/inventory.h"

struct host;

/* The mark of a run on a node (engine/claim.h): one small file in the node's own directory, changed
 * under a lock on the file beside it. Both names are the same for every driver of hosts. */
#define HOST_CLAIM_FILE "upshift-claim.json"
#define HOST_CLAIM_LOCK "upshift-claim.lock"

/* What a run moves out of a server's way, in the node's own directory: HOST_ASIDE_PREFIX and the
 * run's name. Only folders of such a name are ever removed. */
#define HOST_ASIDE_PREFIX "upshift-aside-"

enum { HOST_CLAIM_SIZE_MAX = 256 * 1024 }; /* with the open temporary changes of some 1,000 nodes */

/* What was read, and what shall be there instead. */
struct host_claim_swap {
    const char *expected; /* the text as read; NULL: there was none */
    const char *text;
};

/* What the host of a node has, and has left. */
struct host_room {
    int64_t memory_bytes;
    int64_t memory_free_bytes; /* that it would hand out now */
    int64_t overcommit;        /* vm.overcommit_memory: 0 as it guesses, 1 always, 2 never more */
    int64_t disk_bytes;        /* of the file system of the node's directory */
    int64_t disk_free_bytes;
};

struct host_ops {
    const char *name; /* as written in the inventory: "local" */

    /* Appends up to `size_max` bytes from the start of a file. `ret_exists` false: no such file,
     * which is not an error. */
    struct err *(*read_file)(const struct call *call, struct host *host,
        const struct inv_node *node, const char *path, size_t size_max, bool *ret_exists,
        struct buf *ret_content);

    /* Does a file or folder exist? */
    struct err *(*exists)(const struct call *call, struct host *host, const struct inv_node *node,
        const char *path, bool *ret_exists);

    /* Reads a symbolic link. Owns: `*ret_target` is the caller's. */
    struct err *(*read_link)(const struct call *call, struct host *host,
        const struct inv_node *node, const char *path, char **ret_target);

    /* Asks for free memory and disk space. Errors: ERR_INVALID, code "room_unreadable". */
    struct err *(*get_room)(const struct call *call, struct host *host, const struct inv_node *node,
        struct host_room *ret_room);

    /* Copies a file of the node's directory to a place outside of it, durably; what is there then
     * is whole. The copy belongs to the owner of the directory, who alone may read it. Errors:
     * ERR_REFUSED, code "file_in_the_way", when something is at `to`: nothing is ever replaced;
     * "file_unwritable", the host says no; "path_outside", `from` is. */
    struct err *(*copy_out)(const struct call *call, struct host *host, const struct inv_node *node,
        const char *from, const char *to);

    /* Points a symbolic link at `target` by rename: it is never missing. */
    struct err *(*replace_link)(const struct call *call, struct host *host,
        const struct inv_node *node, const char *path, const char *target);

    /* Appends the node's claim; `ret_exists` false: there is none, which is not an error.
     * Errors: ERR_INVALID, code "claim_unusable", for what is no readable file of that name (a
     * link, a folder, somebody else's); ERR_UNREACHABLE. */
    struct err *(*claim_read)(const struct call *call, struct host *host,
        const struct inv_node *node, bool *ret_exists, struct buf *ret_text);

    /* Replaces the claim, durably and as a whole, if it still is what was expected; else
     * `ret_is_done` is false and nothing has changed. The file belongs to the owner of the node's
     * directory, who alone may read it. Errors: as above; ERR_REFUSED, code "claim_unwritable", the
     * host says no (disk full, no right); code "claim_busy", somebody held the lock to the end. */
    struct err *(*claim_swap)(const struct call *call, struct host *host,
        const struct inv_node *node, const struct host_claim_swap *swap, bool *ret_is_done);

    /* The next four change files, all inside of the node's own directory; a path that leads out of
     * it, by `..` or by a link, is ERR_REFUSED, code "path_outside". The node's configuration file
     * may be elsewhere. What is new belongs to the
     * owner of the directory. Errors: ERR_REFUSED, code "file_unwritable", the host says no. */

    /* Makes a folder and those above it; an existing one is fine. */
    struct err *(*make_folder)(
        const struct call *call, struct host *host, const struct inv_node *node, const char *path);

    /* Renames a file or folder. Errors: ERR_REFUSED, code "file_in_the_way", when something is at
     * `to`: nothing is ever replaced. */
    struct err *(*move)(const struct call *call, struct host *host, const struct inv_node *node,
        const char *from, const char *to);

    /* Makes a file, or replaces it as a whole, durably; owner and mode of the old one stay. */
    struct err *(*write_file)(const struct call *call, struct host *host,
        const struct inv_node *node, const char *path, const struct buf *content);

    /* Removes a folder of the directory whose name begins with HOST_ASIDE_PREFIX, with the plain
     * files and folders in it; none there is fine. Errors: ERR_REFUSED, code "not_ours": another
     * name, or something else in it (a link, say); then nothing was removed. */
    struct err *(*remove_aside)(
        const struct call *call, struct host *host, const struct inv_node *node, const char *name);

    void (*close)(struct host *host);
};

struct host {
    const struct host_ops *ops; /* first member of every driver's own struct */
};

MUST_USE static inline struct err *host_read_file(const struct call *call, struct host *host,
    const struct inv_node *node, const char *path, size_t size_max, bool *ret_exists,
    struct buf *ret_content)
{
    return host->ops->read_file(call, host, node, path, size_max, ret_exists, ret_content);
}

MUST_USE static inline struct err *host_exists(const struct call *call, struct host *host,
    const struct inv_node *node, const char *path, bool *ret_exists)
{
    return host->ops->exists(call, host, node, path, ret_exists);
}

MUST_USE static inline struct err *host_read_link(const struct call *call, struct host *host,
    const struct inv_node *node, const char *path, char **ret_target)
{
    return host->ops->read_link(call, host, node, path, ret_target);
}

MUST_USE static inline struct err *host_get_room(const struct call *call, struct host *host,
    const struct inv_node *node, struct host_room *ret_room)
{
    return host->ops->get_room(call, host, node, ret_room);
}

MUST_USE static inline struct err *host_copy_out(const struct call *call, struct host *host,
    const struct inv_node *node, const char *from, const char *to)
{
    return host->ops->copy_out(call, host, node, from, to);
}

MUST_USE static inline struct err *host_replace_link(const struct call *call, struct host *host,
    const struct inv_node *node, const char *path, const char *target)
{
    return host->ops->replace_link(call, host, node, path, target);
}

MUST_USE static inline struct err *host_claim_read(const struct call *call, struct host *host,
    const struct inv_node *node, bool *ret_exists, struct buf *ret_text)
{
    return host->ops->claim_read(call, host, node, ret_exists, ret_text);
}

MUST_USE static inline struct err *host_claim_swap(const struct call *call, struct host *host,
    const struct inv_node *node, const struct host_claim_swap *swap, bool *ret_is_done)
{
    return host->ops->claim_swap(call, host, node, swap, ret_is_done);
}

MUST_USE static inline struct err *host_make_folder(
    const struct call *call, struct host *host, const struct inv_node *node, const char *path)
{
    return host->ops->make_folder(call, host, node, path);
}

MUST_USE static inline struct err *host_move(const struct call *call, struct host *host,
    const struct inv_node *node, const char *from, const char *to)
{
    return host->ops->move(call, host, node, from, to);
}

MUST_USE static inline struct err *host_write_file(const struct call *call, struct host *host,
    const struct inv_node *node, const char *path, const struct buf *content)
{
    return host->ops->write_file(call, host, node, path, content);
}

MUST_USE static inline struct err *host_remove_aside(
    const struct call *call, struct host *host, const struct inv_node *node, const char *name)
{
    return host->ops->remove_aside(call, host, node, name);
}

static inline void host_close(struct host *host)
{
    if (host != NULL) {
        host->ops->close(host);
    }
}

#endif
