#include "fixture.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/fs.h"

static void *serve_one(void *data)
{
    const struct server *server = data;
    AUTO_CLOSE fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        server->serve(fd, server->data);
    }
    return NULL;
}

void server_start(struct server *server, void (*serve)(int fd, void *data), void *data)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    *server = (struct server){.serve = serve, .data = data};
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listener >= 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, serve_one, server), 0);
}

void server_join(struct server *server)
{
    (void)shutdown(server->listener, SHUT_RDWR); /* wakes an accept that nobody came to */
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    fs_close_slot(&server->listener);
}

void serve_echo(int fd, void *UNUSED(data))
{
    char bytes[4096];
    ssize_t count;
    while ((count = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
        if (send(fd, bytes, (size_t)count, MSG_NOSIGNAL) != count) {
            return;
        }
    }
}

struct call call_for_ms(int64_t duration_ms)
{
    struct clock *clock = clock_system();
    return (struct call){.clock = clock, .deadline_ms = clock_now_ms(clock) + duration_ms};
}

struct stream *connected(const char *host, int64_t port, struct tls *tls)
{
    const struct call call = call_for_ms(10000);
    struct stream *stream = NULL;
    AUTO_ERR err =
        stream_connect(&call, &(struct endpoint){.host = host, .port = port, .tls = tls}, &stream);
    if (err != NULL) {
        fail_msg("%s", err->what);
    }
    return stream;
}
