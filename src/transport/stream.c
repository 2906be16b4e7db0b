#include "transport/stream.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/fs.h"
#include "base/mem.h"
#include "transport/tls.h"

enum {
    RECEIVE_SIZE = 64 * 1024,
    CANCEL_LOOK_MS = 100, /* how late a waiting call may notice that it was cancelled */
};

/*
 *  CONNECTING --connected--> SHAKING (TLS only) --> OPEN
 *      |  ^
 *      '--' refused: the name's next address
 */
enum stream_state { STREAM_CONNECTING, STREAM_SHAKING, STREAM_OPEN };

struct stream {
    enum stream_state state;
    int fd;
    char *where;
    char *host;                  /* the certificate must be for it */
    struct tls *tls;             /* borrowed; NULL: plain */
    struct tls_session *session; /* NULL until connected */
    struct addrinfo *addresses;  /* of the name; freed once connected */
    const struct addrinfo *next_address;
};

static struct err *cannot_connect(const struct stream *stream, int number)
{
    struct err *err =
        err_new(ERR_UNREACHABLE, stream->where, "cannot connect: %s", strerror(number));
    return err_code(err, "connect_failed");
}

/* Begins to connect to the next address that lets itself be begun with. */
static struct err *connect_next(struct stream *stream)
{
    int number = EADDRNOTAVAIL;
    while (stream->next_address != NULL) {
        const struct addrinfo *address = stream->next_address;
        stream->next_address = address->ai_next;
        fs_close_slot(&stream->fd);
        stream->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (stream->fd < 0) {
            number = errno;
            continue;
        }
        const int on = 1; /* commands are small and waited for */
        (void)setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (connect(stream->fd, address->ai_addr, address->ai_addrlen) == 0 ||
            errno == EINPROGRESS) {
            return NULL;
        }
        number = errno;
    }
    return cannot_connect(stream, number);
}

struct err *stream_open(const struct endpoint *endpoint, struct stream **ret_stream)
{
    AUTO_FREE char *where =
        strchr(endpoint->host, ':') == NULL
            ? mem_format("%s:%lld", endpoint->host, (long long)endpoint->port)
            : mem_format("[%s]:%lld", endpoint->host, (long long)endpoint->port);
    if (endpoint->port < 1 || endpoint->port > UINT16_MAX) {
        return err_new(ERR_INVALID, where, "a port is a number from 1 to 65535");
    }
    char port[8];
    (void)snprintf(port, sizeof(port), "%u", (unsigned)endpoint->port);
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *addresses = NULL;
    const int failed = getaddrinfo(endpoint->host, port, &wanted, &addresses);
    if (failed != 0) {
        struct err *err = err_new(ERR_UNREACHABLE, where, "no address for the name %s: %s",
            endpoint->host, gai_strerror(failed));
        return err_code(err, "host_unknown");
    }
    struct stream *stream = mem_alloc(sizeof(*stream));
    stream->fd = -1;
    stream->where = where;
    where = NULL;
    stream->host = mem_strdup(endpoint->host);
    stream->tls = endpoint->tls;
    stream->addresses = addresses;
    stream->next_address = addresses;
    struct err *err = connect_next(stream);
    if (err != NULL) {
        stream_close(stream);
        return err;
    }
    *ret_stream = stream;
    return NULL;
}

/* One look at a connection in progress. */
static struct err *step_connecting(struct stream *stream)
{
    struct pollfd look = {.fd = stream->fd, .events = POLLOUT};
    if (poll(&look, 1, 0) <= 0) {
        return NULL;
    }
    int number = 0;
    socklen_t size = sizeof(number);
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0) {
        number = errno;
    }
    if (number != 0) {
        return stream->next_address == NULL ? cannot_connect(stream, number) : connect_next(stream);
    }
    freeaddrinfo(stream->addresses);
    stream->addresses = NULL;
    stream->next_address = NULL;
    if (stream->tls == NULL) {
        stream->state = STREAM_OPEN;
        return NULL;
    }
    stream->state = STREAM_SHAKING;
    return tls_session_new(stream->tls, stream->host, stream->fd, &stream->session);
}

struct err *stream_step(struct stream *stream, enum stream_want *ret_want)
{
    struct err *err = NULL;
    *ret_want = STREAM_WANT_WRITE;
    if (stream->state == STREAM_CONNECTING) {
        err = step_connecting(stream);
    }
    if (err == NULL && stream->state == STREAM_SHAKING) {
        err = tls_session_step(stream->session, stream->where, ret_want);
        if (err == NULL && *ret_want == STREAM_READY) {
            stream->state = STREAM_OPEN;
        }
    }
    if (err == NULL && stream->state == STREAM_OPEN) {
        *ret_want = STREAM_READY;
    }
    return err;
}

struct err *stream_read(
    struct stream *stream, size_t size_max, struct buf *ret_bytes, enum stream_want *ret_want)
{
    if (stream->state != STREAM_OPEN) {
        struct err *err = stream_step(stream, ret_want);
        if (err != NULL || *ret_want != STREAM_READY) {
            return err;
        }
    }
    if (stream->session != NULL) {
        return tls_session_read(stream->session, stream->where, size_max, ret_bytes, ret_want);
    }
    const ssize_t count = recv(stream->fd, buf_reserve(ret_bytes, size_max), size_max, 0);
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
        return err_code(
            err_errno(ERR_UNKNOWN, stream->where, "the connection broke"), "peer_closed");
    }
    if (count > 0) {
        buf_grow_used(ret_bytes, (size_t)count);
    }
    *ret_want = count > 0 ? STREAM_READY : count == 0 ? STREAM_END : STREAM_WANT_READ;
    return NULL;
}

struct err *stream_write(struct stream *stream, const void *data, size_t size, size_t *ret_written,
    enum stream_want *ret_want)
{
    *ret_written = 0;
    if (stream->state != STREAM_OPEN) {
        struct err *err = stream_step(stream, ret_want);
        if (err != NULL || *ret_want != STREAM_READY) {
            return err;
        }
    }
    if (stream->session != NULL) {
        return tls_session_write(
            stream->session, stream->where, (struct str){data, size}, ret_written, ret_want);
    }
    const ssize_t count = send(stream->fd, data, size, MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
        return err_errno(ERR_UNKNOWN, stream->where, "the connection broke");
    }
    *ret_written = count < 0 ? 0 : (size_t)count;
    *ret_want = *ret_written == size ? STREAM_READY : STREAM_WANT_WRITE;
    return NULL;
}

static bool is_cancelled(const struct call *call)
{
    return call->cancelled != NULL && atomic_load(call->cancelled);
}

/* Waits until the stream can go on; false when the call's time is over. */
static bool wait_for(const struct call *call, const struct stream *stream, enum stream_want want)
{
    for (;;) {
        const int64_t left_ms = call_left_ms(call);
        if (left_ms == 0) {
            return false;
        }
        struct pollfd waited = {
            .fd = stream->fd, .events = want == STREAM_WANT_READ ? POLLIN : POLLOUT};
        if (poll(&waited, 1, (int)(left_ms < CANCEL_LOOK_MS ? left_ms : CANCEL_LOOK_MS)) > 0) {
            return true;
        }
    }
}

static struct err *out_of_time(
    const struct call *call, const struct stream *stream, enum err_kind kind, const char *what)
{
    return err_new(
        kind, stream->where, "%s %s", what, is_cancelled(call) ? "was cancelled" : "timed out");
}

struct err *stream_connect(
    const struct call *call, const struct endpoint *endpoint, struct stream **ret_stream)
{
    struct stream *stream;
    struct err *err = stream_open(endpoint, &stream);
    if (err != NULL) {
        return err;
    }
    enum stream_want want = STREAM_WANT_WRITE;
    while (err == NULL && want != STREAM_READY) {
        if (wait_for(call, stream, want)) {
            err = stream_step(stream, &want);
        } else {
            err = out_of_time(call, stream, ERR_UNREACHABLE, "connecting");
            err = err_code(err, "connect_failed");
        }
    }
    if (err != NULL) {
        stream_close(stream);
        return err;
    }
    *ret_stream = stream;
    return NULL;
}

/* Nothing of the message left this host: whoever wanted to send it may try again. */
static struct err *not_sent(struct err *err)
{
    err->kind = ERR_UNREACHABLE;
    return err_code(err, "not_sent");
}

struct err *stream_send(
    const struct call *call, struct stream *stream, const void *data, size_t size)
{
    if (call_left_ms(call) == 0) { /* what is late or cancelled must not begin */
        return not_sent(out_of_time(call, stream, ERR_UNREACHABLE, "sending"));
    }
    const unsigned char *rest = data;
    size_t left = size;
    bool may_have_left = false; /* this host */
    for (;;) {
        size_t written = 0;
        enum stream_want want = STREAM_WANT_READ;
        struct err *err = stream_write(stream, rest, left, &written, &want);
        rest += written;
        left -= written;
        /* TLS may have sent a part of a record that it does not count as written. */
        may_have_left = may_have_left || written > 0 || stream->session != NULL;
        if (err == NULL && want == STREAM_END) {
            err = err_new(ERR_UNKNOWN, stream->where, "the peer closed the connection");
        }
        if (err == NULL && want != STREAM_READY && !wait_for(call, stream, want)) {
            err = out_of_time(call, stream, ERR_UNKNOWN, "sending");
        }
        if (err != NULL) {
            return may_have_left ? err : not_sent(err);
        }
        if (want == STREAM_READY) {
            return NULL;
        }
    }
}

struct err *stream_receive(const struct call *call, struct stream *stream, struct buf *ret_bytes)
{
    for (;;) {
        enum stream_want want = STREAM_WANT_READ;
        struct err *err = stream_read(stream, RECEIVE_SIZE, ret_bytes, &want);
        if (err != NULL || want == STREAM_READY) {
            return err;
        }
        if (want == STREAM_END) {
            return err_code(err_new(ERR_UNKNOWN, stream->where, "the peer closed the connection"),
                "peer_closed");
        }
        if (!wait_for(call, stream, want)) {
            return out_of_time(call, stream, ERR_UNKNOWN, "waiting for an answer");
        }
    }
}

int stream_fd(const struct stream *stream)
{
    return stream->fd;
}

const char *stream_where(const struct stream *stream)
{
    return stream->where;
}

void stream_close(struct stream *stream)
{
    if (stream == NULL) {
        return;
    }
    tls_session_free(stream->session);
    fs_close_slot(&stream->fd);
    if (stream->addresses != NULL) {
        freeaddrinfo(stream->addresses);
    }
    free(stream->host);
    free(stream->where);
    free(stream);
}
