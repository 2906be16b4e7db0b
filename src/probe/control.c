#include "probe/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

enum { MESSAGE_SIZE_MAX = 8192 };

/* A socket's path is limited to 107 bytes, a folder's is not: name the folder by descriptor. */
static struct sockaddr_un address_in(int folder_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/sock", folder_fd);
    return address;
}

struct err *probe_control_send(const char *directory, const struct json *message)
{
    AUTO_FREE char *text = js_write(message);
    AUTO_CLOSE folder_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    AUTO_CLOSE fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_un address = address_in(folder_fd);
    if (folder_fd < 0 || fd < 0 ||
        sendto(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
            (const struct sockaddr *)&address, sizeof(address)) < 0) {
        struct err *err =
            err_errno(ERR_UNREACHABLE, directory, "no probe takes messages in this folder");
        return err_code(err, "probe_unreachable");
    }
    return NULL;
}

struct err *probe_control_open(const char *directory, int *ret_fd)
{
    AUTO_CLOSE folder_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    AUTO_CLOSE fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (folder_fd >= 0) {
        (void)unlinkat(folder_fd, "sock", 0); /* of a probe that died */
    }
    const struct sockaddr_un address = address_in(folder_fd);
    if (folder_fd < 0 || fd < 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        struct err *err = err_errno(ERR_REFUSED, directory, "the probe cannot listen for messages");
        return err_code(err, "probe_control_bind");
    }
    *ret_fd = fd;
    fd = -1;
    return NULL;
}

struct json *probe_control_next(int fd)
{
    char text[MESSAGE_SIZE_MAX];
    for (;;) {
        const ssize_t size = recv(fd, text, sizeof(text), MSG_DONTWAIT | MSG_TRUNC);
        if (size < 0) {
            return NULL;
        }
        struct json *message = NULL;
        AUTO_ERR err = size > MESSAGE_SIZE_MAX
                           ? err_new(ERR_INVALID, NULL, "a message of %zd bytes", size)
                           : js_parse(text, (size_t)size, "probe message", &message);
        if (err == NULL && js_is(message, JS_OBJECT)) {
            return message;
        }
        js_free(message);
    }
}
