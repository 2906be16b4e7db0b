/* Plain connections: what arrives, what fails, and what each failure lets the caller believe. */
#include "transport/stream.h"

#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "fixture.h"

static struct err *connect_to(const struct call *call, const char *host, int64_t port)
{
    struct stream *stream = NULL;
    struct err *err = stream_connect(call, &(struct endpoint){.host = host, .port = port}, &stream);
    assert_true((err == NULL) == (stream != NULL));
    stream_close(stream);
    return err;
}

static void assert_err(const struct err *err, enum err_kind kind, const char *code)
{
    assert_non_null(err);
    assert_int_equal(err->kind, kind);
    assert_string_equal(err->code, code);
}

/* Binds a socket to a free port without listening: connecting there is refused. */
static int closed_port(int64_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void what_is_sent_comes_back(void **UNUSED(state))
{
    struct server server;
    server_start(&server, serve_echo, NULL);
    struct stream *stream = connected("127.0.0.1", server.port, NULL);
    const struct call call = call_for_ms(10000);
    AUTO_BUF bytes = {0};
    AUTO_ERR err = stream_send(&call, stream, "hello", 5);
    assert_null(err);
    while (bytes.size < 5) {
        err = stream_receive(&call, stream, &bytes);
        assert_null(err);
    }
    assert_string_equal(buf_text(&bytes), "hello");
    AUTO_FREE char *where = mem_format("127.0.0.1:%d", (int)server.port);
    assert_string_equal(stream_where(stream), where);
    stream_close(stream);
    server_join(&server);
}

static void a_name_is_tried_at_all_its_addresses(void **UNUSED(state))
{
    /* localhost may be ::1 first, where nobody listens. */
    struct server server;
    server_start(&server, serve_echo, NULL);
    stream_close(connected("localhost", server.port, NULL));
    server_join(&server);
}

static void a_refused_connection_is_unreachable(void **UNUSED(state))
{
    int64_t port;
    AUTO_CLOSE fd = closed_port(&port);
    assert_true(fd >= 0);
    const struct call call = call_for_ms(10000);
    AUTO_ERR err = connect_to(&call, "127.0.0.1", port);
    assert_err(err, ERR_UNREACHABLE, "connect_failed");
    assert_string_equal(err->what, "cannot connect: Connection refused");
}

static void bad_ports_and_names_are_told_apart(void **UNUSED(state))
{
    const struct call call = call_for_ms(10000);
    static const int64_t ports[] = {0, -1, 65536};
    for (size_t i = 0; i < ARRAY_COUNT(ports); i++) {
        AUTO_ERR err = connect_to(&call, "::1", ports[i]);
        assert_err(err, ERR_INVALID, "invalid");
        assert_true(str_starts_with(str_of(err->where), "[::1]:"));
    }
    char name[300] = {0}; /* longer than any name may be: no server needs to be asked */
    memset(name, 'a', sizeof(name) - 1);
    AUTO_ERR err = connect_to(&call, name, 1);
    assert_err(err, ERR_UNREACHABLE, "host_unknown");
}

static void connecting_ends_at_the_deadline(void **UNUSED(state))
{
    /* A listener whose queue is full drops what else comes, as a silent host would. */
    int64_t port;
    AUTO_CLOSE listener = closed_port(&port);
    assert_int_equal(listen(listener, 0), 0);
    struct stream *waiting[4];
    for (size_t i = 0; i < ARRAY_COUNT(waiting); i++) {
        AUTO_ERR err =
            stream_open(&(struct endpoint){.host = "127.0.0.1", .port = port}, &waiting[i]);
        assert_null(err);
    }
    const struct call call = call_for_ms(200);
    AUTO_ERR err = connect_to(&call, "127.0.0.1", port);
    assert_err(err, ERR_UNREACHABLE, "connect_failed");
    assert_string_equal(err->what, "connecting timed out");
    for (size_t i = 0; i < ARRAY_COUNT(waiting); i++) {
        stream_close(waiting[i]);
    }
}

static void serve_nothing(int UNUSED(fd), void *UNUSED(data))
{
}

static void serve_reset(int fd, void *UNUSED(data))
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    char byte;
    (void)recv(fd, &byte, 1, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

/* Reads nothing; stays until the peer ends. */
static void serve_silence(int fd, void *UNUSED(data))
{
    struct pollfd ended = {.fd = fd, .events = POLLRDHUP};
    (void)poll(&ended, 1, 10000);
}

static void an_end_a_reset_and_silence_leave_the_outcome_unknown(void **UNUSED(state))
{
    static const struct {
        void (*serve)(int fd, void *data);
        const char *what, *code;
    } cases[] = {
        {serve_nothing, "the peer closed the connection", "peer_closed"},
        {serve_reset, "the connection broke: Connection reset by peer", "peer_closed"},
        {serve_silence, "waiting for an answer timed out", "unknown_outcome"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct server server;
        server_start(&server, cases[i].serve, NULL);
        struct stream *stream = connected("127.0.0.1", server.port, NULL);
        const struct call call = call_for_ms(300);
        AUTO_BUF bytes = {0};
        AUTO_ERR err = cases[i].serve == serve_nothing ? NULL : stream_send(&call, stream, "x", 1);
        assert_null(err);
        err = stream_receive(&call, stream, &bytes);
        assert_err(err, ERR_UNKNOWN, cases[i].code);
        assert_string_equal(err->what, cases[i].what);
        assert_string_equal(err->where, stream_where(stream));
        stream_close(stream);
        server_join(&server);
    }
}

/* Closes with a reset: an end would wait behind what the peer does not read. */
static void close_at_once(struct stream *stream)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(
        setsockopt(stream_fd(stream), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    stream_close(stream);
}

static void a_peer_that_does_not_read_ends_the_sending_at_the_deadline(void **UNUSED(state))
{
    enum { SIZE = 32 * 1024 * 1024 }; /* more than the buffers of both sockets */
    struct server server;
    server_start(&server, serve_silence, NULL);
    struct stream *stream = connected("127.0.0.1", server.port, NULL);
    const struct call call = call_for_ms(300);
    AUTO_FREE char *data = mem_alloc(SIZE);
    AUTO_ERR err = stream_send(&call, stream, data, SIZE);
    assert_err(err, ERR_UNKNOWN, "unknown_outcome");
    assert_string_equal(err->what, "sending timed out");
    close_at_once(stream);
    server_join(&server);
}

static void sending_to_a_dead_connection_says_that_nothing_left(void **UNUSED(state))
{
    struct server server;
    server_start(&server, serve_reset, NULL);
    struct stream *stream = connected("127.0.0.1", server.port, NULL);
    const struct call call = call_for_ms(10000);
    AUTO_ERR err = stream_send(&call, stream, "x", 1);
    assert_null(err);
    server_join(&server); /* by now the reset is here, or about to be */
    struct pollfd reset = {.fd = stream_fd(stream), .events = POLLIN};
    assert_int_equal(poll(&reset, 1, 10000), 1);
    for (int i = 0; i < 2; i++) { /* ECONNRESET, then EPIPE, which must not raise SIGPIPE */
        err_free_slot(&err);
        err = stream_send(&call, stream, "x", 1);
        assert_err(err, ERR_UNREACHABLE, "not_sent");
    }
    stream_close(stream);
}

static void *cancel_soon(void *data)
{
    clock_wait_ms(clock_system(), 50);
    atomic_store((atomic_bool *)data, true);
    return NULL;
}

static void a_cancelled_call_stops_waiting(void **UNUSED(state))
{
    struct server server;
    server_start(&server, serve_silence, NULL);
    struct stream *stream = connected("127.0.0.1", server.port, NULL);
    atomic_bool cancelled = false;
    struct call call = call_for_ms(60000);
    call.cancelled = &cancelled;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &cancelled), 0);
    AUTO_BUF bytes = {0};
    AUTO_ERR err = stream_receive(&call, stream, &bytes);
    assert_err(err, ERR_UNKNOWN, "unknown_outcome");
    assert_string_equal(err->what, "waiting for an answer was cancelled");
    assert_int_equal(pthread_join(thread, NULL), 0);
    err_free_slot(&err);
    err = connect_to(&call, "127.0.0.1", server.port);
    assert_err(err, ERR_UNREACHABLE, "connect_failed");
    err_free_slot(&err);
    err = stream_send(&call, stream, "x", 1);
    assert_err(err, ERR_UNREACHABLE, "not_sent");
    stream_close(stream);
    server_join(&server);
}

static void poll_for(const struct stream *stream, enum stream_want want)
{
    struct pollfd waited = {
        .fd = stream_fd(stream), .events = want == STREAM_WANT_WRITE ? POLLOUT : POLLIN};
    assert_int_equal(poll(&waited, 1, 10000), 1);
}

static void the_event_driven_face_never_waits(void **UNUSED(state))
{
    struct server server;
    server_start(&server, serve_echo, NULL);
    struct stream *stream = NULL;
    AUTO_ERR err =
        stream_open(&(struct endpoint){.host = "127.0.0.1", .port = server.port}, &stream);
    assert_null(err);
    enum stream_want want;
    while ((err = stream_step(stream, &want)) == NULL && want != STREAM_READY) {
        poll_for(stream, want);
    }
    assert_null(err);
    AUTO_BUF bytes = {0};
    err = stream_read(stream, 3, &bytes, &want);
    assert_null(err);
    assert_int_equal(want, STREAM_WANT_READ);
    size_t written = 0;
    err = stream_write(stream, "hello", 5, &written, &want);
    assert_null(err);
    assert_int_equal(written, 5);
    assert_int_equal(want, STREAM_READY);
    poll_for(stream, STREAM_WANT_READ);
    err = stream_read(stream, 3, &bytes, &want);
    assert_null(err);
    assert_int_equal(want, STREAM_READY);
    assert_string_equal(buf_text(&bytes), "hel");
    err = stream_read(stream, 30, &bytes, &want);
    assert_null(err);
    assert_string_equal(buf_text(&bytes), "hello");
    assert_int_equal(shutdown(stream_fd(stream), SHUT_WR), 0);
    poll_for(stream, STREAM_WANT_READ);
    err = stream_read(stream, 30, &bytes, &want);
    assert_null(err);
    assert_int_equal(want, STREAM_END);
    stream_close(stream);
    server_join(&server);
}

static void a_full_connection_takes_a_part_and_says_so(void **UNUSED(state))
{
    enum { SIZE = 32 * 1024 * 1024 };
    struct server server;
    server_start(&server, serve_silence, NULL);
    struct stream *stream = connected("127.0.0.1", server.port, NULL);
    AUTO_FREE char *data = mem_alloc(SIZE);
    size_t written = 0;
    enum stream_want want;
    AUTO_ERR err = stream_write(stream, data, SIZE, &written, &want);
    assert_null(err);
    assert_int_equal(want, STREAM_WANT_WRITE);
    assert_in_range(written, 1, SIZE - 1);
    close_at_once(stream);
    server_join(&server);
}

static void closing_nothing_is_allowed(void **UNUSED(state))
{
    stream_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_comes_back),
        cmocka_unit_test(a_name_is_tried_at_all_its_addresses),
        cmocka_unit_test(a_refused_connection_is_unreachable),
        cmocka_unit_test(bad_ports_and_names_are_told_apart),
        cmocka_unit_test(connecting_ends_at_the_deadline),
        cmocka_unit_test(an_end_a_reset_and_silence_leave_the_outcome_unknown),
        cmocka_unit_test(a_peer_that_does_not_read_ends_the_sending_at_the_deadline),
        cmocka_unit_test(sending_to_a_dead_connection_says_that_nothing_left),
        cmocka_unit_test(a_cancelled_call_stops_waiting),
        cmocka_unit_test(the_event_driven_face_never_waits),
        cmocka_unit_test(a_full_connection_takes_a_part_and_says_so),
        cmocka_unit_test(closing_nothing_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
