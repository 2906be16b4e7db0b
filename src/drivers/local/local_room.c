/* drivers/local/local_room.c - free memory as the kernel tells it, free space of a directory. */
#include "drivers/local/local_room.h"

#include <sys/statvfs.h>

#include "base/fs.h"
#include "base/str.h"

enum { PROC_FILE_SIZE_MAX = 64 * 1024, KIB = 1024 };

static struct err *room_unreadable(struct err *err)
{
    return err_hint(err_code(err, "room_unreadable"),
        "upshift must be able to read /proc, and to look at the node's directory");
}

/* "MemAvailable:   12345 kB" as bytes; -1 when it is not there. */
static int64_t read_meminfo(struct str meminfo, const char *name)
{
    struct str line;
    while (str_cut(&meminfo, '\n', &line)) {
        struct str key;
        struct str number;
        int64_t kib = 0;
        if (!str_cut(&line, ':', &key) || !str_is(key, name)) {
            continue;
        }
        line = str_trim(line);
        return str_cut(&line, ' ', &number) && str_to_int64(number, &kib) ? kib * KIB : -1;
    }
    return -1;
}

/* With vm.overcommit_memory=2 a process is copied only while the sum of all that was promised stays
 * below the limit, whatever is free. */
bool local_room_of_memory(struct str meminfo, struct str overcommit, struct host_room *room)
{
    room->memory_bytes = read_meminfo(meminfo, "MemTotal");
    room->memory_free_bytes = read_meminfo(meminfo, "MemAvailable");
    if (!str_to_int64(str_trim(overcommit), &room->overcommit)) {
        return false;
    }
    if (room->overcommit == 2) {
        const int64_t promised =
            read_meminfo(meminfo, "CommitLimit") - read_meminfo(meminfo, "Committed_AS");
        const int64_t left = promised > 0 ? promised : 0;
        room->memory_free_bytes = left < room->memory_free_bytes ? left : room->memory_free_bytes;
    }
    return room->memory_bytes > 0 && room->memory_free_bytes >= 0;
}

struct err *local_get_room(const struct call *UNUSED(call), struct host *UNUSED(host),
    const struct inv_node *node, struct host_room *ret_room)
{
    AUTO_BUF meminfo = {0};
    AUTO_BUF overcommit = {0};
    struct host_room room = {0};
    struct err *err = fs_read("/proc/meminfo", PROC_FILE_SIZE_MAX, &meminfo);
    if (err == NULL) {
        err = fs_read("/proc/sys/vm/overcommit_memory", PROC_FILE_SIZE_MAX, &overcommit);
    }
    if (err == NULL && !local_room_of_memory((struct str){meminfo.data, meminfo.size},
                           (struct str){overcommit.data, overcommit.size}, &room)) {
        err = err_new(ERR_INVALID, "/proc/meminfo", "it is not in the known format");
    }
    struct statvfs disk;
    if (err == NULL && statvfs(node->directory, &disk) != 0) {
        err = err_errno(ERR_INVALID, node->directory, "cannot tell how much space is left");
    }
    if (err != NULL) {
        return room_unreadable(err);
    }
    room.disk_bytes = (int64_t)disk.f_blocks * (int64_t)disk.f_frsize;
    room.disk_free_bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    *ret_room = room;
    return NULL;
}
