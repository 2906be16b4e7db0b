#include "drivers/process/process_table.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"

enum {
    STAT_SIZE_MAX = 4096,
    FIELD_STATE = 3,
    FIELD_START_TIME = 22,
};

static const char run_as_hint[] = "run upshift as root or as the user of the servers";

bool process_parse_stat(struct str stat, struct process_entry *ret_entry)
{
    const char *name_end = stat.size == 0 ? NULL : memrchr(stat.data, ')', stat.size);
    if (name_end == NULL) {
        return false;
    }
    const size_t used = (size_t)(name_end - stat.data) + 1;
    struct str rest = str_trim((struct str){stat.data + used, stat.size - used});
    struct process_entry entry = {0};
    struct str field;
    for (int i = FIELD_STATE; i <= FIELD_START_TIME; i++) {
        if (!str_cut(&rest, ' ', &field)) {
            return false;
        }
        if (i == FIELD_STATE && field.size == 1) {
            entry.state = field.data[0];
        }
    }
    if (entry.state == '\0' || !str_to_int64(field, &entry.start_time)) {
        return false;
    }
    *ret_entry = entry;
    return true;
}

struct err *process_look(pid_t pid, bool *ret_is_alive, struct process_entry *ret_entry)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    AUTO_BUF stat = {0};
    struct err *err = fs_read(path, STAT_SIZE_MAX, &stat);
    if (err != NULL && (kill(pid, 0) == 0 || errno == EPERM)) { /* there, but hidden from us */
        return err_hint(err_code(err, "not_permitted"), "%s", run_as_hint);
    }
    if (err != NULL) { /* ended before or while we read */
        err_free(err);
        *ret_is_alive = false;
        return NULL;
    }
    struct process_entry entry;
    if (!process_parse_stat((struct str){stat.data, stat.size}, &entry)) {
        return err_new(ERR_INTERNAL, path, "the kernel's process entry is not in its format");
    }
    *ret_is_alive = entry.state != 'Z' && entry.state != 'X';
    *ret_entry = entry;
    return NULL;
}

struct err *process_works_in(pid_t pid, const char *directory, bool *ret_yes)
{
    struct stat wanted;
    if (stat(directory, &wanted) != 0) {
        return err_code(err_errno(ERR_INVALID, directory, "cannot look at the node's directory"),
            "directory_missing");
    }
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
    struct stat found;
    if (stat(path, &found) == 0) {
        *ret_yes = found.st_dev == wanted.st_dev && found.st_ino == wanted.st_ino;
        return NULL;
    }
    if (errno == ENOENT || errno == ESRCH) {
        *ret_yes = false;
        return NULL;
    }
    struct err *err =
        err_errno(ERR_REFUSED, path, "cannot see which directory process %d works in", (int)pid);
    return err_hint(err_code(err, "not_permitted"), "%s", run_as_hint);
}

void process_identify(pid_t pid, const struct process_entry *entry, char *ret_identity, size_t size)
{
    (void)snprintf(
        ret_identity, size, "%s/%d/%lld", clock_boot_id(), (int)pid, (long long)entry->start_time);
}

bool process_parse_identity(const char *identity, pid_t *ret_pid)
{
    struct str rest = str_of(identity);
    struct str boot, number;
    int64_t pid = 0;
    if (!str_cut(&rest, '/', &boot) || !str_is(boot, clock_boot_id()) ||
        !str_cut(&rest, '/', &number) || !str_to_int64(number, &pid) || pid <= 0 || pid > INT_MAX) {
        return false;
    }
    *ret_pid = (pid_t)pid;
    return true;
}
