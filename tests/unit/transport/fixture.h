/*
 * A server on the loopback address that serves one connection in a thread, and calls with a
 * deadline.
 */
#ifndef UPSHIFT_TESTS_TRANSPORT_FIXTURE_H
#define UPSHIFT_TESTS_TRANSPORT_FIXTURE_H

#include <pthread.h>
#include <stdint.h>

#include "base/call.h"
#include "transport/stream.h"

struct server {
    int64_t port;
    int listener;
    void (*serve)(int fd, void *data); /* in the thread; the socket is closed afterwards */
    void *data;
    pthread_t thread;
};

/* Listens and serves the first connection. */
void server_start(struct server *server, void (*serve)(int fd, void *data), void *data);
void server_join(struct server *server);

/* Sends back what comes until the peer ends. */
void serve_echo(int fd, void *data);

struct call call_for_ms(int64_t duration_ms);

/* Connects or fails the test. */
struct stream *connected(const char *host, int64_t port, struct tls *tls);

#endif
