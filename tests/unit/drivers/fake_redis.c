#include "fake_redis.h"

#include <assert.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/resp.h"

enum { POOL_COUNT = 64, READ_STEP = 4096 };

static const struct fake_reply ok_row = {.reply = "+OK\r\n"};

static const struct fake_reply *find_row(const struct fake_redis *fake, const char *command)
{
    for (const struct fake_reply *row = fake->replies; row->command != NULL; row++) {
        if (strncmp(command, row->command, strlen(row->command)) == 0) {
            return row;
        }
    }
    return &ok_row;
}

/* Answers one command; false: hang up. */
static bool answer_command(struct fake_redis *fake, int fd, const struct resp *command)
{
    AUTO_BUF words = {0};
    for (size_t i = 0; i < command->count; i++) {
        buf_printf(&words, "%s" STR_FMT, i == 0 ? "" : " ", STR_ARG(command->items[i].text));
    }
    buf_printf(&fake->asked, "%s\n", buf_text(&words));
    const struct fake_reply *row = find_row(fake, buf_text(&words));
    AUTO_BUF reply = {0};
    if (row->text != NULL) {
        buf_printf(&reply, "$%zu\r\n%s\r\n", strlen(row->text), row->text);
    } else if (row->reply != NULL) {
        buf_append_text(&reply, row->reply);
    } else {
        return true;
    }
    return reply.size > 0 && send(fd, reply.data, reply.size, MSG_NOSIGNAL) > 0;
}

static void serve_connection(struct fake_redis *fake, int fd)
{
    AUTO_BUF input = {0};
    ssize_t count;
    while ((count = recv(fd, buf_reserve(&input, READ_STEP), READ_STEP, 0)) > 0) {
        buf_grow_used(&input, (size_t)count);
        struct resp pool[POOL_COUNT];
        struct resp command;
        size_t used = 0;
        while (resp_parse((struct str){input.data, input.size}, pool, POOL_COUNT, &command,
                   &used) == RESP_DONE) {
            if (!answer_command(fake, fd, &command)) {
                return;
            }
            buf_consume(&input, used);
        }
    }
}

static void *serve(void *context)
{
    struct fake_redis *fake = context;
    int fd;
    while ((fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        serve_connection(fake, fd);
        (void)close(fd);
    }
    return NULL;
}

void fake_redis_start(struct fake_redis *fake, const struct fake_reply *replies)
{
    *fake = (struct fake_redis){.replies = replies};
    fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    const bool is_open = fake->listener >= 0 &&
                         bind(fake->listener, (struct sockaddr *)&address, size) == 0 &&
                         listen(fake->listener, 8) == 0 &&
                         getsockname(fake->listener, (struct sockaddr *)&address, &size) == 0;
    assert(is_open);
    fake->port = ntohs(address.sin_port);
    const int failed = pthread_create(&fake->thread, NULL, serve, fake);
    assert(failed == 0);
}

void fake_redis_stop(struct fake_redis *fake)
{
    if (fake->listener < 0) {
        return;
    }
    (void)shutdown(fake->listener, SHUT_RDWR); /* wakes accept4 */
    (void)pthread_join(fake->thread, NULL);
    (void)close(fake->listener);
    fake->listener = -1;
}

void fake_redis_release(struct fake_redis *fake)
{
    buf_release(&fake->asked);
}
