/*
 * tests/unit/drivers/fake_redis.h - a server that says what a test tells it to.
 *
 * A thread behind a loopback port answers each command by the first row whose words it begins with;
 * without a row by "+OK". What was asked is kept for the test to look at.
 */
#ifndef UPSHIFT_TESTS_UNIT_DRIVERS_FAKE_REDIS_H
#define UPSHIFT_TESTS_UNIT_DRIVERS_FAKE_REDIS_H

#include <pthread.h>
#include <stdint.h>

#include "base/buf.h"

struct fake_reply {
    const char *command; /* "CONFIG GET"; NULL ends the table */
    const char *reply;   /* bytes of RESP; "" hangs up instead, NULL stays silent */
    const char *text;    /* sent as a bulk string instead of `reply`, unless NULL */
};

struct fake_redis {
    const struct fake_reply *replies;
    int listener;
    int64_t port;
    pthread_t thread;
    struct buf asked; /* one line per command; read it after fake_redis_stop() */
};

void fake_redis_start(struct fake_redis *fake, const struct fake_reply *replies);

/* Ends the thread and closes the port; once more does nothing. */
void fake_redis_stop(struct fake_redis *fake);

/* Frees what was asked. */
void fake_redis_release(struct fake_redis *fake);

#endif
