#include "app/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

enum {
    CLIENT_COUNT_MAX = 64,
    REQUEST_SIZE_MAX = 65536,
    OUTPUT_SIZE_MAX = 32 << 20, /* a viewer that is so far behind misses snapshots */
    EVENTS_MAX = 50,
    SEND_SPACING_MS = 100, /* a screen need not change more often */
    SEND_AT_LEAST_MS = 1000,
    FAILED_MS = 500, /* whoever has just started this controller connects within that */
    FAILED_LOOK_MS = 10,
    CLAIMED_EXIT = 5, /* cli/exit.h */
    COPIED_EXIT = 7,
};

struct client {
    int fd;
    int64_t id;
    char who[96];
    bool is_watching;
    bool is_done; /* closed once its output is out */
    struct buf input, output;
};

struct server {
    struct server_hooks hooks;
    char *directory;
    int listen_fd;
    int wake_fd;
    pthread_t thread;
    pthread_mutex_t lock;
    struct json *snapshot;                   /* the engine's part; guarded by lock */
    struct json *events;                     /* guarded by lock */
    bool has_news;                           /* guarded by lock */
    struct json *failure;                    /* why all is over, or NULL; guarded by lock */
    bool is_failure_told;                    /* guarded by lock */
    bool is_closing;                         /* guarded by lock */
    struct client clients[CLIENT_COUNT_MAX]; /* guarded by lock */
    size_t client_count;
    int64_t next_id;
    int64_t sent_ms;
};

static void wake(struct server *server)
{
    const uint64_t one = 1;
    const ssize_t ignored = write(server->wake_fd, &one, sizeof(one)); /* full is awake enough */
    (void)ignored;
}

static void queue_line(struct client *client, const struct json *value)
{
    AUTO_FREE char *text = js_write(value);
    buf_append_text(&client->output, text);
    buf_append_char(&client->output, '\n');
}

/* Locked. The snapshot as viewers see it. */
static struct json *compose(struct server *server)
{
    struct json *whole = server->snapshot == NULL ? js_object() : js_copy(server->snapshot);
    js_put_number(whole, "controller_pid", getpid());
    js_put_number(whole, "now_wall_ms", clock_wall_us() / 1000);
    js_put(whole, "events", js_copy(server->events));
    server->hooks.decorate(server->hooks.context, whole);
    return whole;
}

static void send_snapshot(struct server *server, struct client *client)
{
    AUTO_JSON line = js_object();
    js_put(line, "snapshot", compose(server));
    if (client->output.size < OUTPUT_SIZE_MAX) {
        queue_line(client, line);
    }
}

/* The engine says it by numbers (engine.md 13), a terminal gets them from codes. */
static struct err *describe_refusal(int exit_code, const char *text)
{
    struct err *err = err_new(ERR_REFUSED, NULL, "%s", text);
    if (exit_code == CLAIMED_EXIT) {
        return err_code(err, "claimed");
    }
    return exit_code == COPIED_EXIT ? err_code(err, "journal_copied") : err;
}

static void refuse_client(struct client *client, int exit_code, const char *text)
{
    AUTO_ERR err = describe_refusal(exit_code, text);
    AUTO_JSON answer = js_object();
    js_put_bool(answer, "ok", false);
    js_put_number(answer, "exit", exit_code);
    js_put(answer, "error", js_of_err(err));
    queue_line(client, answer);
}

static void answer_with_snapshot(struct server *server, struct client *client, const char *text)
{
    AUTO_JSON answer = js_object();
    js_put_bool(answer, "ok", true);
    js_put_text(answer, "text", text);
    js_put(answer, "snapshot", compose(server));
    queue_line(client, answer);
}

static void on_request(struct server *server, struct client *client, const struct json *request)
{
    const char *word = js_get_text(request, "command");
    int command = 0;
    if (server->failure != NULL) {
        queue_line(client, server->failure);
        server->is_failure_told = true;
    } else if (text_equal(word, "status") || text_equal(word, "watch")) {
        client->is_watching = client->is_watching || text_equal(word, "watch");
        answer_with_snapshot(server, client, "");
    } else if (word != NULL && codec_enum_value(run_command_names, word, &command)) {
        const struct server_command asked = {.command = (enum run_command)command,
            .answer = js_get_text(request, "answer"),
            .who = client->who,
            .reply_id = client->id};
        server->hooks.on_command(server->hooks.context, &asked);
    } else {
        refuse_client(client, 2, "the controller does not know that command");
    }
}

static void on_line(struct server *server, struct client *client, const char *line, size_t size)
{
    AUTO_JSON request = NULL;
    AUTO_ERR err = js_parse(line, size, "the request", &request);
    if (err != NULL || !js_is(request, JS_OBJECT)) {
        refuse_client(client, 2, "the request is not a JSON object on one line");
        client->is_done = true;
        return;
    }
    on_request(server, client, request);
}

static void read_client(struct server *server, struct client *client)
{
    const ssize_t count = recv(client->fd, buf_reserve(&client->input, 4096), 4096, MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
        client->is_done = true;
        buf_clear(&client->output);
        return;
    }
    if (count > 0) {
        buf_grow_used(&client->input, (size_t)count);
    }
    char *end;
    while (client->input.size > 0 &&
           (end = memchr(client->input.data, '\n', client->input.size)) != NULL) {
        const size_t size = (size_t)(end - client->input.data);
        on_line(server, client, client->input.data, size);
        buf_consume(&client->input, size + 1);
    }
    if (client->input.size > REQUEST_SIZE_MAX) {
        client->is_done = true;
    }
}

static void write_client(struct client *client)
{
    if (client->output.size == 0) {
        return;
    }
    const ssize_t count =
        send(client->fd, client->output.data, client->output.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) {
        buf_consume(&client->output, (size_t)count);
    } else if (count < 0 && errno != EAGAIN && errno != EINTR) {
        client->is_done = true;
        buf_clear(&client->output);
    }
}

static void name_peer(struct client *client, const struct ucred *peer)
{
    struct passwd entry, *found = NULL;
    char space[1024];
    (void)getpwuid_r(peer->uid, &entry, space, sizeof(space), &found);
    (void)snprintf(client->who, sizeof(client->who), "%.40s (uid %u, pid %d)",
        found == NULL ? "?" : found->pw_name, peer->uid, peer->pid);
}

static void accept_client(struct server *server)
{
    const int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    const bool is_known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
                          (peer.uid == 0 || peer.uid == geteuid());
    if (!is_known || server->client_count == CLIENT_COUNT_MAX) {
        (void)close(fd);
        return;
    }
    struct client *client = &server->clients[server->client_count++];
    *client = (struct client){.fd = fd, .id = ++server->next_id};
    name_peer(client, &peer);
}

static void drop_done_clients(struct server *server)
{
    for (size_t i = server->client_count; i-- > 0;) {
        struct client *client = &server->clients[i];
        if (client->is_done && client->output.size == 0) {
            (void)close(client->fd);
            buf_release(&client->input);
            buf_release(&client->output);
            *client = server->clients[--server->client_count];
        }
    }
}

static void send_news(struct server *server)
{
    const int64_t now_ms = clock_now_us() / 1000;
    const int64_t age_ms = now_ms - server->sent_ms;
    const bool is_due = (server->has_news && age_ms >= SEND_SPACING_MS) ||
                        age_ms >= SEND_AT_LEAST_MS || server->is_closing;
    if (!is_due) {
        return;
    }
    server->has_news = false;
    server->sent_ms = now_ms;
    for (size_t i = 0; i < server->client_count; i++) {
        if (server->clients[i].is_watching) {
            send_snapshot(server, &server->clients[i]);
        }
    }
}

static size_t fill_polled(struct server *server, struct pollfd *polled)
{
    polled[0] = (struct pollfd){.fd = server->listen_fd, .events = POLLIN};
    polled[1] = (struct pollfd){.fd = server->wake_fd, .events = POLLIN};
    for (size_t i = 0; i < server->client_count; i++) {
        const struct client *client = &server->clients[i];
        polled[i + 2] = (struct pollfd){
            .fd = client->fd, .events = (short)(POLLIN | (client->output.size > 0 ? POLLOUT : 0))};
    }
    return server->client_count + 2;
}

static void serve_once(struct server *server, const struct pollfd *polled, size_t count)
{
    for (size_t i = 2; i < count; i++) { /* clients first: accepting adds behind them */
        struct client *client = &server->clients[i - 2];
        if ((polled[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
            read_client(server, client);
        }
    }
    if ((polled[1].revents & POLLIN) != 0) {
        uint64_t ignored;
        const ssize_t drained = read(server->wake_fd, &ignored, sizeof(ignored));
        (void)drained;
    }
    if ((polled[0].revents & POLLIN) != 0) {
        accept_client(server);
    }
    send_news(server);
    for (size_t i = 0; i < server->client_count; i++) {
        write_client(&server->clients[i]);
    }
    drop_done_clients(server);
}

static void *serve_clients(void *context)
{
    struct server *server = context;
    (void)pthread_mutex_lock(&server->lock);
    while (!server->is_closing) {
        struct pollfd polled[CLIENT_COUNT_MAX + 2];
        const size_t count = fill_polled(server, polled);
        const int timeout_ms = server->has_news ? SEND_SPACING_MS : SEND_AT_LEAST_MS;
        (void)pthread_mutex_unlock(&server->lock);
        const int ready = poll(polled, count, timeout_ms);
        (void)pthread_mutex_lock(&server->lock);
        if (ready <= 0) {
            memset(polled, 0, sizeof(polled));
        }
        serve_once(server, polled, count);
    }
    (void)pthread_mutex_unlock(&server->lock);
    return NULL;
}

static struct err *listen_in(struct server *server)
{
    AUTO_CLOSE folder = open(server->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return err_errno(ERR_REFUSED, server->directory, "cannot open the state folder");
    }
    (void)unlinkat(folder, "sock", 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    AUTO_FREE char *path = mem_format("/proc/self/fd/%d/sock", folder);
    memcpy(address.sun_path, path, strlen(path) + 1);
    server->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->listen_fd < 0 ||
        bind(server->listen_fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(server->listen_fd, CLIENT_COUNT_MAX) != 0) {
        return err_errno(ERR_REFUSED, server->directory, "cannot listen for commands");
    }
    return NULL;
}

static struct err *start_serving(struct server *server)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&server->thread, NULL, serve_clients, server);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0 ? NULL : err_new(ERR_INTERNAL, server->directory, "cannot start a thread");
}

static void free_server(struct server *server)
{
    for (size_t i = 0; i < server->client_count; i++) {
        (void)close(server->clients[i].fd);
        buf_release(&server->clients[i].input);
        buf_release(&server->clients[i].output);
    }
    fs_close_slot(&server->listen_fd);
    fs_close_slot(&server->wake_fd);
    js_free(server->snapshot);
    js_free(server->events);
    js_free(server->failure);
    (void)pthread_mutex_destroy(&server->lock);
    free(server->directory);
    free(server);
}

struct err *server_open(
    const char *directory, const struct server_hooks *hooks, struct server **ret_server)
{
    struct server *server = mem_alloc(sizeof(*server));
    server->hooks = *hooks;
    server->directory = mem_strdup(directory);
    server->events = js_array();
    server->listen_fd = -1;
    server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)pthread_mutex_init(&server->lock, NULL);
    struct err *err = listen_in(server);
    if (err == NULL) {
        err = start_serving(server);
    }
    if (err != NULL) {
        free_server(server);
        return err;
    }
    *ret_server = server;
    return NULL;
}

/* The last snapshot must arrive: viewers take their exit code from it. */
static void flush_clients(struct server *server)
{
    const int64_t deadline_ms = clock_now_us() / 1000 + 2000;
    send_news(server);
    for (size_t i = 0; i < server->client_count; i++) {
        struct client *client = &server->clients[i];
        while (client->output.size > 0 && clock_now_us() / 1000 < deadline_ms) {
            struct pollfd polled = {.fd = client->fd, .events = POLLOUT};
            (void)poll(&polled, 1, 100);
            write_client(client);
        }
    }
}

void server_close(struct server *server)
{
    if (server == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&server->lock);
    server->is_closing = true;
    (void)pthread_mutex_unlock(&server->lock);
    wake(server);
    (void)pthread_join(server->thread, NULL);
    flush_clients(server);
    AUTO_FREE char *path = mem_format("%s/sock", server->directory);
    (void)unlink(path);
    free_server(server);
}

void server_publish(struct server *server, struct json *snapshot)
{
    (void)pthread_mutex_lock(&server->lock);
    js_free(server->snapshot);
    server->snapshot = snapshot;
    const bool was_news = server->has_news;
    server->has_news = true;
    (void)pthread_mutex_unlock(&server->lock);
    if (!was_news) {
        wake(server);
    }
}

void server_tell(struct server *server, int64_t wall_ms, const char *text)
{
    struct json *event = js_object();
    js_put_number(event, "wall_ms", wall_ms);
    js_put_text(event, "text", text);
    (void)pthread_mutex_lock(&server->lock);
    js_push(server->events, event);
    if (js_count(server->events) > EVENTS_MAX) {
        js_drop_first(server->events);
    }
    (void)pthread_mutex_unlock(&server->lock);
}

void server_reply(
    struct server *server, int64_t reply_id, bool is_ok, int exit_code, const char *text)
{
    (void)pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < server->client_count; i++) {
        struct client *client = &server->clients[i];
        if (client->id == reply_id && is_ok) {
            answer_with_snapshot(server, client, text);
        } else if (client->id == reply_id) {
            refuse_client(client, exit_code, text);
        }
    }
    (void)pthread_mutex_unlock(&server->lock);
    wake(server);
}

/* Has anybody been told, and everybody who was heard it? */
static bool is_failure_told(struct server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    bool is_told = server->is_failure_told;
    for (size_t i = 0; i < server->client_count; i++) {
        is_told = is_told && server->clients[i].output.size == 0;
    }
    (void)pthread_mutex_unlock(&server->lock);
    return is_told;
}

void server_fail(struct server *server, int exit_code, const struct err *err)
{
    struct json *failure = js_object();
    js_put_bool(failure, "ok", false);
    js_put_bool(failure, "failed", true);
    js_put_number(failure, "exit", exit_code);
    js_put(failure, "error", js_of_err(err));
    (void)pthread_mutex_lock(&server->lock);
    server->failure = failure;
    for (size_t i = 0; i < server->client_count; i++) {
        queue_line(&server->clients[i], failure);
        server->clients[i].is_watching = false;
        server->is_failure_told = true;
    }
    (void)pthread_mutex_unlock(&server->lock);
    wake(server);
    const int64_t deadline_ms = clock_now_us() / 1000 + FAILED_MS;
    while (!is_failure_told(server) && clock_now_us() / 1000 < deadline_ms) {
        clock_wait_ms(clock_system(), FAILED_LOOK_MS);
    }
}
