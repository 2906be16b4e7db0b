#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"

enum {
    SECRET_SIZE_MAX = 4096,
    CONTENT_CAPACITY = 256 * 1024, /* more than fs_read() takes before it refuses the size */
    SECRET_COMMAND_MS = 10000,     /* a password manager may ask a remote service */
};

void secret_release(struct secret *secret)
{
    if (secret->bytes != NULL) {
        explicit_bzero(secret->bytes, secret->size);
        free(secret->bytes);
    }
    *secret = (struct secret){0};
}

static void take(struct buf *content, struct secret *ret_secret)
{
    size_t size = content->size;
    if (size > 0 && content->data[size - 1] == '\n') {
        size--;
    }
    ret_secret->bytes = mem_alloc(size + 1);
    ret_secret->size = size;
    if (size > 0) {
        memcpy(ret_secret->bytes, content->data, size);
    }
    explicit_bzero(content->data, content->capacity);
}

/* Waits until there is something to read; false at the deadline. */
static bool wait_readable(int fd, int64_t deadline_ms)
{
    int ready = -1;
    while (ready < 0) { /* interrupted */
        const int64_t left_ms = deadline_ms - clock_now_us() / 1000;
        struct pollfd waited = {.fd = fd, .events = POLLIN};
        ready = left_ms <= 0 ? 0 : poll(&waited, 1, (int)left_ms);
    }
    return ready > 0;
}

/* Reads the child's output until it closes; false when the time or the size is exceeded. */
static bool read_output(int fd, int64_t deadline_ms, struct buf *content)
{
    for (;;) {
        if (content->size > SECRET_SIZE_MAX || !wait_readable(fd, deadline_ms)) {
            return false;
        }
        const ssize_t count = read(fd, buf_reserve(content, 512), 512);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return count == 0;
        }
        buf_grow_used(content, (size_t)count);
    }
}

/* Starts the command in its own process group, with signals as a shell would give them. Returns an
 * errno. */
static int start_command(const char *const *argv, int output, pid_t *ret_pid)
{
    extern char **environ;
    sigset_t set;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    (void)sigemptyset(&set);
    (void)posix_spawnattr_setsigmask(&attributes, &set);
    (void)sigfillset(&set);
    (void)posix_spawnattr_setsigdefault(&attributes, &set);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    const int failed = posix_spawnp(
        ret_pid, argv[0], &actions, &attributes, (char *const *)(uintptr_t)argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return failed;
}

static struct err *run_command(const char *const *argv, struct buf *content)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return err_errno(ERR_INTERNAL, argv[0], "cannot make a pipe");
    }
    AUTO_CLOSE reader = ends[0];
    AUTO_CLOSE writer = ends[1];
    pid_t pid;
    const int failed = start_command(argv, writer, &pid);
    if (failed != 0) {
        return err_new(ERR_INVALID, argv[0], "cannot run the command that gives the secret: %s",
            strerror(failed));
    }
    fs_close_slot(&writer);
    AUTO_CLOSE exited = (int)syscall(SYS_pidfd_open, pid, 0);
    const int64_t deadline_ms = clock_now_us() / 1000 + SECRET_COMMAND_MS;
    const bool is_whole = read_output(reader, deadline_ms, content) && exited >= 0 &&
                          wait_readable(exited, deadline_ms);
    (void)kill(-pid, SIGKILL); /* whatever is left of its group; not yet reaped, so still its own */
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!is_whole || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        struct err *err = err_new(ERR_INVALID, argv[0], "the command that gives the secret failed");
        return err_hint(err, "run it by hand: it must print the secret within %d s and exit with 0",
            SECRET_COMMAND_MS / 1000);
    }
    return NULL;
}

struct err *secret_resolve(const struct secret_ref *ref, struct secret *ret_secret)
{
    AUTO_BUF content = {0};
    buf_reserve(&content, CONTENT_CAPACITY)[0] = '\0'; /* growing would leave unwiped copies */
    struct err *err = NULL;
    switch (ref->source) {
    case SECRET_NONE:
        *ret_secret = (struct secret){0};
        return NULL;
    case SECRET_ENV: {
        const char *value = getenv(ref->name);
        if (value == NULL) {
            return err_hint(err_code(err_new(ERR_INVALID, ref->name,
                                         "the environment variable of a secret is not set"),
                                "secret_missing"),
                "set %s, or name a file or a command in the inventory", ref->name);
        }
        buf_append_text(&content, value);
        break;
    }
    case SECRET_FILE:
        err = fs_read(ref->name, SECRET_SIZE_MAX, &content);
        break;
    case SECRET_COMMAND:
        err = run_command(ref->argv, &content);
        break;
    }
    if (err != NULL) {
        explicit_bzero(content.data, content.capacity);
        return err_code(err, "secret_missing");
    }
    take(&content, ret_secret);
    return NULL;
}
