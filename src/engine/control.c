#include "engine/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"

enum { LINE_SIZE_MAX = 16 << 20 }; /* a snapshot of 10,000 steps is about 3 MB */

struct control {
    int fd;
    struct buf input;
};

/* Socket addresses are limited to 108 bytes: name it relative to its open folder. */
static struct err *connect_in(const char *directory, int fd)
{
    AUTO_CLOSE folder = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return err_errno(ERR_UNREACHABLE, directory, "no run of that cluster is known here");
    }
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    AUTO_FREE char *path = mem_format("/proc/self/fd/%d/sock", folder);
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        return err_errno(ERR_UNREACHABLE, directory, "no controller listens");
    }
    return NULL;
}

struct err *control_connect(
    const struct call *call, const char *directory, struct control **ret_control)
{
    (void)call; /* a local socket answers at once, or after the moment its queue is full */
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return err_errno(ERR_INTERNAL, directory, "cannot make a socket");
    }
    struct err *err = connect_in(directory, fd);
    if (err != NULL) {
        (void)close(fd);
        return err_code(err, "no_controller");
    }
    struct control *control = mem_alloc(sizeof(*control));
    control->fd = fd;
    *ret_control = control;
    return NULL;
}

static struct err *wait_for_answer(const struct call *call, int fd)
{
    struct pollfd waited = {.fd = fd, .events = POLLIN};
    const int64_t left_ms = call_left_ms(call);
    const int count = poll(&waited, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
    if (count < 0 && errno != EINTR) {
        return err_errno(ERR_INTERNAL, NULL, "cannot wait for the controller");
    }
    if (count <= 0 && call_left_ms(call) == 0) {
        return err_new(ERR_UNKNOWN, NULL, "the controller did not answer in time");
    }
    return NULL;
}

/* Reads one line; `*ret_line` NULL at the end of the connection. Owns: caller frees. */
static struct err *read_line(const struct call *call, struct control *control, char **ret_line)
{
    for (;;) {
        char *end = control->input.size == 0
                        ? NULL
                        : memchr(control->input.data, '\n', control->input.size);
        if (end != NULL) {
            const size_t size = (size_t)(end - control->input.data);
            *ret_line = mem_alloc(size + 1);
            memcpy(*ret_line, control->input.data, size);
            buf_consume(&control->input, size + 1);
            return NULL;
        }
        if (control->input.size > LINE_SIZE_MAX) {
            return err_new(ERR_INVALID, NULL, "the controller sent a line without end");
        }
        struct err *err = wait_for_answer(call, control->fd);
        if (err != NULL) {
            return err;
        }
        const ssize_t count =
            recv(control->fd, buf_reserve(&control->input, 65536), 65536, MSG_DONTWAIT);
        if (count == 0 || (count < 0 && errno == ECONNRESET)) {
            *ret_line = NULL;
            return NULL;
        }
        if (count > 0) {
            buf_grow_used(&control->input, (size_t)count);
        } else if (errno != EINTR && errno != EAGAIN) {
            return err_errno(ERR_UNKNOWN, NULL, "the connection to the controller broke");
        }
    }
}

static struct err *send_line(struct control *control, const struct json *request)
{
    AUTO_BUF line = {0};
    AUTO_FREE char *text = js_write(request);
    buf_printf(&line, "%s\n", text);
    size_t sent = 0;
    while (sent < line.size) {
        const ssize_t count = send(control->fd, line.data + sent, line.size - sent, MSG_NOSIGNAL);
        if (count < 0 && errno != EINTR) {
            return err_errno(ERR_UNREACHABLE, NULL, "the controller has gone");
        }
        sent += count > 0 ? (size_t)count : 0;
    }
    return NULL;
}

struct err *control_err_of(const struct json *error)
{
    static const char *const codes[] = {"locked", "run_unfinished", "run_ended", "journal_newer",
        "journal_locked", "journal_full", "journal_damaged", "journal_io", "journal_copied",
        "claimed", "plan_from_another_release", "secret_missing"};
    struct err *err = NULL;
    const struct json *levels[16];
    size_t count = 0;
    for (; js_is(error, JS_OBJECT) && count < ARRAY_COUNT(levels); error = js_get(error, "cause")) {
        levels[count++] = error;
    }
    while (count > 0) {
        const struct json *level = levels[--count];
        const char *what = js_get_text(level, "what");
        const char *where = js_get_text(level, "where");
        const char *hint = js_get_text(level, "hint");
        what = what == NULL ? "the controller failed" : what;
        err = err == NULL ? err_new(ERR_REFUSED, where, "%s", what)
                          : err_wrap(err, where, "%s", what);
        for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
            if (text_equal(codes[i], js_get_text(level, "code"))) {
                err = err_code(err, codes[i]);
            }
        }
        if (hint != NULL) {
            err = err_hint(err, "%s", hint);
        }
    }
    return err != NULL ? err : err_new(ERR_INTERNAL, NULL, "the controller failed");
}

/* The controller says why it ends; to everybody, whatever they asked. */
static struct err *err_of_failure(const struct json *answer)
{
    return js_get_bool(answer, "failed", false) ? control_err_of(js_get(answer, "error")) : NULL;
}

struct err *control_request(const struct call *call, struct control *control,
    const struct json *request, struct json **ret_answer)
{
    struct err *err = send_line(control, request);
    AUTO_FREE char *line = NULL;
    if (err == NULL) {
        err = read_line(call, control, &line);
    }
    if (err == NULL && line == NULL) {
        err = err_new(ERR_UNKNOWN, NULL, "the controller ended without an answer");
    }
    if (err != NULL) {
        return err_code(err, "no_controller");
    }
    AUTO_JSON answer = NULL;
    err = js_parse(line, strlen(line), "the controller's answer", &answer);
    if (err == NULL) {
        err = err_of_failure(answer);
    }
    if (err == NULL) {
        *ret_answer = js_ref(answer);
    }
    return err;
}

struct err *control_next(
    const struct call *call, struct control *control, struct json **ret_snapshot)
{
    AUTO_FREE char *line = NULL;
    struct err *err = read_line(call, control, &line);
    if (err != NULL || line == NULL) {
        *ret_snapshot = NULL;
        return err;
    }
    AUTO_JSON answer = NULL;
    err = js_parse(line, strlen(line), "the controller's snapshot", &answer);
    if (err == NULL) {
        err = err_of_failure(answer);
    }
    if (err == NULL) {
        *ret_snapshot = js_ref(js_get(answer, "snapshot"));
    }
    return err;
}

bool control_has_next(const struct control *control)
{
    return control->input.size > 0 &&
           memchr(control->input.data, '\n', control->input.size) != NULL;
}

int control_fd(const struct control *control)
{
    return control->fd;
}

void control_close(struct control *control)
{
    if (control != NULL) {
        (void)close(control->fd);
        buf_release(&control->input);
        free(control);
    }
}
