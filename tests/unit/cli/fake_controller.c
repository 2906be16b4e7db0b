#include "fake_controller.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

static void send_line(int fd, const char *text)
{
    AUTO_FREE char *line = mem_format("%s\n", text);
    const ssize_t count = send(fd, line, strlen(line), MSG_NOSIGNAL);
    (void)count;
}

static void *play(void *context)
{
    struct fake_controller *controller = context;
    int watcher = -1;
    for (size_t i = 0; i < controller->turn_count; i++) {
        const struct fake_turn *turn = &controller->turns[i];
        const int fd = accept4(controller->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        char *request = controller->requests[controller->request_count++];
        const ssize_t count = recv(fd, request, sizeof(controller->requests[0]) - 1, 0);
        request[count > 0 ? count : 0] = '\0';
        if (turn->answer != NULL) {
            send_line(fd, turn->answer);
        }
        const bool is_watcher = strstr(request, "\"watch\"") != NULL && watcher < 0;
        watcher = is_watcher ? fd : watcher;
        for (size_t k = 0; k < 4 && turn->pushes[k] != NULL; k++) {
            send_line(watcher, turn->pushes[k]);
        }
        if (!is_watcher) {
            (void)close(fd);
        }
    }
    if (watcher >= 0) {
        (void)close(watcher);
    }
    return NULL;
}

void fake_controller_open(
    struct fake_controller *controller, const char *directory, const char *cluster)
{
    AUTO_FREE char *folder = mem_format("%s/%s", directory, cluster);
    AUTO_ERR err = fs_make_dirs(folder, 0700);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    AUTO_FREE char *path = mem_format("%s/sock", folder);
    memcpy(address.sun_path, path, strlen(path) + 1);
    controller->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(controller->listen_fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(controller->listen_fd, 8) != 0 ||
        pthread_create(&controller->thread, NULL, play, controller) != 0) {
        abort();
    }
}

void fake_controller_close(struct fake_controller *controller)
{
    (void)shutdown(controller->listen_fd, SHUT_RDWR); /* ends a turn that nobody took */
    (void)pthread_join(controller->thread, NULL);
    (void)close(controller->listen_fd);
}
