#include "guard/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/codec.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

enum {
    ATTEMPTS_MAX = 1000,
    LOG_SIZE_MAX = 1024 * 1024,
    LOOK_MS = 5,
    KILL_MS = 1000, /* an ended process gives its lock back at once */
};

/* A step's id is path-like; a file's name is not. */
static char *file_prefix(const char *run, const char *step)
{
    char *prefix = mem_format("%s.%s.", run, step);
    for (char *c = prefix; *c != '\0'; c++) {
        *c = *c == '/' ? '-' : *c;
    }
    return prefix;
}

static struct flock whole_lock(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

static struct err *lock_whole(int fd, const char *path)
{
    struct flock wanted = whole_lock(F_WRLCK);
    return fcntl(fd, F_OFD_SETLK, &wanted) == 0
               ? NULL
               : err_errno(ERR_INTERNAL, path, "cannot lock the file");
}

struct err *guard_files_begin(
    const char *directory, const char *run, const char *step, char **ret_base, int *ret_log_fd)
{
    struct err *err = fs_make_dirs(directory, 0700);
    if (err != NULL) {
        return err;
    }
    AUTO_FREE char *prefix = file_prefix(run, step);
    for (int attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
        AUTO_FREE char *path = mem_format("%s/%s%d.log", directory, prefix, attempt);
        AUTO_CLOSE fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0 && errno == EEXIST) {
            continue;
        }
        if (fd < 0) {
            return err_errno(ERR_INTERNAL, path, "cannot make the guard's log");
        }
        err = lock_whole(fd, path);
        if (err == NULL) {
            *ret_base = mem_format("%s/%s%d", directory, prefix, attempt);
            *ret_log_fd = fd;
            fd = -1;
        }
        return err;
    }
    return err_new(ERR_INTERNAL, directory, "%d guards of one step are enough", ATTEMPTS_MAX);
}

void guard_trace_read(struct guard_trace *trace, struct arena *arena)
{
    AUTO_FREE char *path = mem_format("%s.log", trace->base);
    AUTO_BUF content = {0};
    AUTO_ERR unread = fs_read(path, LOG_SIZE_MAX, &content);
    (void)unread; /* then there is no evidence, and the world decides */
    struct str rest = {content.data, content.size};
    struct str line;
    while (str_cut(&rest, '\n', &line)) {
        AUTO_JSON value = NULL;
        AUTO_ERR torn = js_parse(line.data, line.size, path, &value);
        int state = 0;
        if (torn != NULL ||
            !codec_enum_value(guard_state_names, js_get_text(value, "state"), &state)) {
            continue;
        }
        const char *why = js_get_text(value, "why");
        const char *hook = js_get_text(value, "hook");
        trace->state = (enum guard_state)state;
        trace->is_committed |= state == GUARD_COMMITTED;
        if (trace->started_ms == 0) {
            trace->started_ms = js_get_number(value, "at_ms", 0);
        }
        trace->why = why == NULL ? trace->why : arena_strdup(arena, why);
        trace->hook = hook == NULL ? trace->hook : arena_strdup(arena, hook);
    }
}

/* The attempt's number of "<prefix><number>.log"; 0: another file. */
static int64_t attempt_of(const char *name, const char *prefix)
{
    const size_t size = strlen(name);
    const size_t prefix_size = strlen(prefix);
    int64_t number = 0;
    if (size <= prefix_size + 4 || strncmp(name, prefix, prefix_size) != 0 ||
        strcmp(name + size - 4, ".log") != 0) {
        return 0;
    }
    const struct str digits = {name + prefix_size, size - prefix_size - 4};
    return str_to_int64(digits, &number) ? number : 0;
}

struct err *guard_files_read(const char *directory, const char *run, const char *step,
    struct arena *arena, struct guard_trace **ret_traces, size_t *ret_count)
{
    AUTO_FREE char *prefix = file_prefix(run, step);
    struct guard_trace *traces = NULL;
    size_t count = 0;
    int64_t last = 0;
    DIR *folder = opendir(directory);
    if (folder == NULL && errno != ENOENT) {
        return err_errno(ERR_INTERNAL, directory, "cannot read the guards' logs");
    }
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        const int64_t number = attempt_of(entry->d_name, prefix);
        last = number > last ? number : last;
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    for (int64_t number = 1; number <= last; number++) {
        struct guard_trace *trace = arena_push(arena, &traces, &count, sizeof(*trace));
        trace->base = arena_format(arena, "%s/%s%lld", directory, prefix, (long long)number);
        guard_trace_read(trace, arena);
    }
    *ret_traces = traces;
    *ret_count = count;
    return NULL;
}

bool guard_is_alive(const char *base, const char *suffix)
{
    AUTO_FREE char *path = mem_format("%s%s", base, suffix);
    AUTO_CLOSE fd = open(path, O_RDWR | O_CLOEXEC);
    struct flock seen = whole_lock(F_WRLCK);
    return fd >= 0 && fcntl(fd, F_OFD_GETLK, &seen) == 0 && seen.l_type != F_UNLCK;
}

/* Ends the processes that have the file as their standard output: those that hold its lock. */
static void kill_holders(const char *path)
{
    DIR *processes = opendir("/proc");
    const struct dirent *entry;
    while (processes != NULL && (entry = readdir(processes)) != NULL) {
        int64_t pid = 0;
        if (!str_to_int64(str_of(entry->d_name), &pid) || pid == getpid()) {
            continue;
        }
        AUTO_FREE char *link = mem_format("/proc/%lld/fd/1", (long long)pid);
        AUTO_FREE char *target = NULL;
        AUTO_ERR unseen = fs_read_link(link, &target);
        if (unseen == NULL && text_equal(target, path)) {
            (void)kill((pid_t)pid, SIGKILL);
        }
    }
    if (processes != NULL) {
        (void)closedir(processes);
    }
}

static bool await_unlocked(
    const struct call *call, const char *base, const char *suffix, int64_t until_ms)
{
    while (guard_is_alive(base, suffix)) {
        if (clock_now_ms(call->clock) >= until_ms) {
            return false;
        }
        clock_wait_ms(call->clock, LOOK_MS);
    }
    return true;
}

struct err *guard_await_end(const struct call *call, const char *base, const char *suffix)
{
    if (await_unlocked(call, base, suffix, call->deadline_ms)) {
        return NULL;
    }
    AUTO_FREE char *path = mem_format("%s%s", base, suffix);
    AUTO_FREE char *real = realpath(path, NULL);
    kill_holders(real == NULL ? path : real);
    if (await_unlocked(call, base, suffix, clock_now_ms(call->clock) + KILL_MS)) {
        return NULL;
    }
    struct err *err = err_new(ERR_UNKNOWN, path, "a guard of this step does not end");
    return err_hint(err_code(err, "cutover_unclear"),
        "find the process that holds the file (fuser), end it, then `upshift resume`");
}

/* Is anybody at work there? */
static bool is_busy(const char *directory)
{
    DIR *folder = opendir(directory);
    const struct dirent *entry;
    bool is_alive = false;
    while (!is_alive && folder != NULL && (entry = readdir(folder)) != NULL) {
        const size_t size = strlen(entry->d_name);
        if (size > 4 && strcmp(entry->d_name + size - 4, ".log") == 0) {
            AUTO_FREE char *base = mem_format("%s/%.*s", directory, (int)size - 4, entry->d_name);
            is_alive = guard_is_alive(base, ".log") || guard_is_alive(base, ".timer.lock");
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return is_alive;
}

struct err *guard_await_quiet(const struct call *call, const char *directory)
{
    while (is_busy(directory)) {
        if (call_left_ms(call) == 0) {
            return err_code(err_new(ERR_UNREACHABLE, directory,
                                "an earlier cut-over is still under way: nothing was begun"),
                "cutover_busy");
        }
        clock_wait_ms(call->clock, LOOK_MS);
    }
    return NULL;
}

struct err *guard_timer_arm(const char *base)
{
    AUTO_FREE char *path = mem_format("%s.timer", base);
    AUTO_CLOSE fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd >= 0 ? NULL : err_errno(ERR_INTERNAL, path, "cannot arm the timer");
}

bool guard_timer_is_armed(const char *base)
{
    AUTO_FREE char *path = mem_format("%s.timer", base);
    return fs_exists(path);
}

bool guard_timer_disarm(const char *base)
{
    AUTO_FREE char *path = mem_format("%s.timer", base);
    return unlink(path) == 0;
}

struct err *guard_timer_lock(const char *base)
{
    AUTO_FREE char *path = mem_format("%s.timer.lock", base);
    AUTO_CLOSE fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_errno(ERR_INTERNAL, path, "cannot open the timer's lock");
    }
    struct err *err = lock_whole(fd, path);
    if (err == NULL && dup2(fd, STDOUT_FILENO) < 0) {
        err = err_errno(ERR_INTERNAL, path, "cannot keep the timer's lock");
    }
    return err;
}
