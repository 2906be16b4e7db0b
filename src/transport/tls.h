/*
 * transport/tls.h - the TLS half of a stream; only transport/stream.c uses it.
 *
 * A session sits on a connected, non-blocking socket that the stream owns. No call waits: each says
 * which direction it is waiting for.
 */
#ifndef UPSHIFT_TRANSPORT_TLS_H
#define UPSHIFT_TRANSPORT_TLS_H

#include "transport/stream.h"

struct tls_session;

/* Begins a client session with the peer that the endpoint names. */
MUST_USE struct err *tls_session_new(
    const struct tls *tls, const char *host, int fd, struct tls_session **ret_session);
void tls_session_free(struct tls_session *session); /* says goodbye first; NULL is allowed */

/* Errors: ERR_REFUSED when the peer cannot be verified or speaks no TLS that we accept,
 * ERR_UNREACHABLE when the connection ends before that is known. */
MUST_USE struct err *tls_session_step(
    struct tls_session *session, const char *where, enum stream_want *ret_want);

/* As stream_read() and stream_write(). */
MUST_USE struct err *tls_session_read(struct tls_session *session, const char *where,
    size_t size_max, struct buf *ret_bytes, enum stream_want *ret_want);
MUST_USE struct err *tls_session_write(struct tls_session *session, const char *where,
    struct str data, size_t *ret_written, enum stream_want *ret_want);

#endif
