/*
 * tests/unit/probe/fake_redis.h - a server that misbehaves once, on demand.
 *
 * Two nodes of a cluster with one store, served by one thread: node 0 owns every slot. It knows
 * AUTH, ASKING, CLUSTER SLOTS, SET without options, EXPIRE, GET and DEL.
 */
#ifndef UPSHIFT_TESTS_FAKE_REDIS_H
#define UPSHIFT_TESTS_FAKE_REDIS_H

#include <stdbool.h>
#include <stdint.h>

enum fake_fault {
    FAKE_FAULT_NONE,
    FAKE_ERROR,  /* `at`-th SET: its key is answered by an error, `times` times */
    FAKE_MOVED,  /* `at`-th SET: -MOVED to node 1 */
    FAKE_ASK,    /* `at`-th SET: -ASK to node 1, which refuses it without ASKING */
    FAKE_CLOSE,  /* `at`-th SET: the connection is closed instead of an answer */
    FAKE_STALL,  /* `at`-th SET: everything stands still for 300 ms */
    FAKE_ODD,    /* `at`-th SET: an answer that is neither OK nor an error */
    FAKE_DELETE, /* after the `at`-th SET its key is deleted */
    FAKE_CHANGE, /* after the `at`-th SET its value is another one */
    FAKE_WRONG,  /* `at`-th GET of a key that exists: another value, once */
    FAKE_MUTE,   /* `at`-th connection: never answered */
    FAKE_RESET,  /* `at`-th connection: reset as soon as accepted */
    FAKE_DOWN,   /* from the `at`-th SET on, every SET, GET and DEL is an error */
    FAKE_GARBAGE /* `at`-th SET: bytes that are not RESP */
};

struct fake_redis;

struct fake_redis *fake_redis_start(const char *password); /* NULL: none */

/* The probe opens one connection for the layout first, then others; connections count from 1. */
void fake_redis_set_fault(struct fake_redis *fake, enum fake_fault fault, int at, int times);

int fake_redis_port(const struct fake_redis *fake, int node);
int fake_redis_key_count(struct fake_redis *fake);
int fake_redis_endless_key_count(struct fake_redis *fake); /* of them, without a time to live */
const char *fake_redis_fault_key(const struct fake_redis *fake); /* whose SET met the fault */

/* What AUTH must say from now on; connections that are known stay so. Borrowed. */
void fake_redis_set_password(struct fake_redis *fake, const char *password);

/* Answers errors from now on, or works again. */
void fake_redis_set_down(struct fake_redis *fake, bool is_down);

void fake_redis_stop(struct fake_redis *fake);

#endif
