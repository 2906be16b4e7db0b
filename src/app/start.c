/*
 * app/start.c - the starter's side of a controller: hand over the request, wait for one line.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/child.h"
#include "app/controller.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/control.h"

static struct err *read_answer(int fd, struct json **ret_answer)
{
    AUTO_BUF line = {0};
    for (;;) {
        const ssize_t count = read(fd, buf_reserve(&line, 4096), 4096);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            break;
        }
        buf_grow_used(&line, (size_t)count);
        if (line.data[line.size - 1] == '\n') {
            break;
        }
    }
    if (line.size == 0) {
        return err_new(ERR_INTERNAL, NULL, "the controller ended before it was ready");
    }
    return js_parse(line.data, line.size, "the controller's answer", ret_answer);
}

struct err *controller_start(const struct json *request, char **ret_run)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return err_errno(ERR_INTERNAL, NULL, "cannot make a pipe");
    }
    AUTO_FREE char *text = js_write(request);
    const struct child child = {
        .word = "internal-controller", .input = text, .error_file = NULL, .output_fd = ends[1]};
    struct err *err = child_start(&child);
    (void)close(ends[1]);
    AUTO_JSON answer = NULL;
    if (err == NULL) {
        err = read_answer(ends[0], &answer);
    }
    (void)close(ends[0]);
    if (err != NULL) {
        return err;
    }
    if (!js_get_bool(answer, "ok", false)) {
        return control_err_of(js_get(answer, "error"));
    }
    const char *run = js_get_text(answer, "run");
    *ret_run = mem_strdup(run == NULL ? "" : run);
    return NULL;
}
