#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"

enum {
    SECRET_SIZE_MAX = 4096,
    SECRET_COMMAND_MS = 10000, /* a password manager may ask a remote service */
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
    if (content->data != NULL) {
        explicit_bzero(content->data, content->capacity);
    }
}

/* Reads the child's output until it closes; false when the time or the size is exceeded. */
static bool read_output(int fd, struct buf *content)
{
    const int64_t deadline_ms = clock_now_us() / 1000 + SECRET_COMMAND_MS;
    for (;;) {
        const int64_t left_ms = deadline_ms - clock_now_us() / 1000;
        struct pollfd waited = {.fd = fd, .events = POLLIN};
        if (left_ms <= 0 || content->size > SECRET_SIZE_MAX ||
            poll(&waited, 1, (int)left_ms) == 0) {
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

static struct err *run_command(const char *const *argv, struct buf *content)
{
    extern char **environ;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return err_errno(ERR_INTERNAL, argv[0], "cannot make a pipe");
    }
    posix_spawn_file_actions_t actions;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    pid_t pid;
    const int failed =
        posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    if (failed != 0) {
        (void)close(ends[0]);
        return err_new(ERR_INVALID, argv[0], "cannot run the command that gives the secret: %s",
            strerror(failed));
    }
    const bool is_whole = read_output(ends[0], content);
    (void)close(ends[0]);
    if (!is_whole) {
        (void)kill(pid, SIGKILL);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!is_whole || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return err_new(ERR_INVALID, argv[0], "the command that gives the secret failed");
    }
    return NULL;
}

struct err *secret_resolve(const struct secret_ref *ref, struct secret *ret_secret)
{
    AUTO_BUF content = {0};
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
        if (content.data != NULL) {
            explicit_bzero(content.data, content.capacity);
        }
        return err_code(err, "secret_missing");
    }
    take(&content, ret_secret);
    return NULL;
}
