/*
 * transport/stream.h - one TCP connection, plain or TLS, with a deadline on everything.
 *
 * Two faces of one object. Blocking: stream_connect, stream_send, stream_receive, for workers.
 * Event-driven: stream_open, stream_step, stream_read, stream_write with stream_fd in somebody's
 * poller. TLS verifies the server by default and cannot be told not to.
 */
#ifndef UPSHIFT_TRANSPORT_STREAM_H
#define UPSHIFT_TRANSPORT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/call.h"
#include "base/err.h"

/* Settings and trust for TLS, shared by many connections; needs no lock. */
struct tls;

struct tls_config {
    const char *ca_file;     /* PEM; NULL: the system's store */
    const char *cert_file;   /* PEM client certificate, or NULL */
    const char *key_file;    /* PEM, or NULL */
    const char *server_name; /* expected name; NULL: the endpoint's host */
};

/* Errors: ERR_INVALID naming the file. */
MUST_USE struct err *tls_open(const struct tls_config *config, struct tls **ret_tls);
void tls_close(struct tls *tls); /* NULL is allowed */

struct endpoint {
    const char *host; /* name or address; borrowed during the call */
    int64_t port;
    struct tls *tls; /* NULL: plain; borrowed for the life of the stream */
};

enum stream_want {
    STREAM_READY,      /* done as asked */
    STREAM_WANT_READ,  /* call again when readable */
    STREAM_WANT_WRITE, /* call again when writable */
    STREAM_END,        /* the peer closed its side */
};

struct stream;

/* Connects. Errors: ERR_UNREACHABLE (refused, no route, timed out, cancelled, name unknown),
 * ERR_REFUSED (TLS verification failed). Blocks: to the call's deadline, beyond it only while the
 * system's resolver looks up a name. */
MUST_USE struct err *stream_connect(
    const struct call *call, const struct endpoint *endpoint, struct stream **ret_stream);

/* Sends all. Errors: ERR_UNKNOWN once anything may have left this host, ERR_UNREACHABLE (code
 * not_sent) before. Blocks: to the deadline. */
MUST_USE struct err *stream_send(
    const struct call *call, struct stream *stream, const void *data, size_t size);

/* Waits for at least one byte and appends what is there. Errors: ERR_UNKNOWN on end, reset or
 * timeout: whoever sent something does not know whether it arrived. */
MUST_USE struct err *stream_receive(
    const struct call *call, struct stream *stream, struct buf *ret_bytes);

/* The event-driven face. stream_open begins to connect and does not wait (but resolves names).
 * stream_step goes on connecting until STREAM_READY; a name with several addresses may change
 * stream_fd on the way. stream_read gives STREAM_READY when it appended something: at most
 * `size_max` bytes, with TLS the rest of the record too, so that no poller waits for bytes that
 * have left the socket. stream_write gives STREAM_READY when all is written; otherwise call it
 * again with what is left. Errors: as of the blocking face, ERR_UNKNOWN once connected. */
MUST_USE struct err *stream_open(const struct endpoint *endpoint, struct stream **ret_stream);
MUST_USE struct err *stream_step(struct stream *stream, enum stream_want *ret_want);
MUST_USE struct err *stream_read(
    struct stream *stream, size_t size_max, struct buf *ret_bytes, enum stream_want *ret_want);
MUST_USE struct err *stream_write(struct stream *stream, const void *data, size_t size,
    size_t *ret_written, enum stream_want *ret_want);
int stream_fd(const struct stream *stream);
const char *stream_where(const struct stream *stream); /* "127.0.0.1:7001"; borrowed */

void stream_close(struct stream *stream); /* NULL is allowed */

#endif
