/*
 * base/clock.h - the only source of time.
 *
 * Everything that decides or waits takes a `struct clock *`, so that a test can own time.
 * Milliseconds are CLOCK_BOOTTIME (they count suspend); wall time is for people only.
 */
#ifndef UPSHIFT_BASE_CLOCK_H
#define UPSHIFT_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/attr.h"

struct clock;

struct clock_ops {
    int64_t (*now_ms)(struct clock *clock);
    int64_t (*wall_ms)(struct clock *clock); /* since 1970, UTC */
    void (*wait_ms)(struct clock *clock, int64_t duration_ms);
};

struct clock {
    const struct clock_ops *ops;
};

/* The machine's own clock; static, never released. Thread: any. */
RETURNS_NONNULL struct clock *clock_system(void);

static inline int64_t clock_now_ms(struct clock *clock)
{
    return clock->ops->now_ms(clock);
}

static inline int64_t clock_wall_ms(struct clock *clock)
{
    return clock->ops->wall_ms(clock);
}

/* Waits; may return early. Blocks: up to `duration_ms`. */
static inline void clock_wait_ms(struct clock *clock, int64_t duration_ms)
{
    clock->ops->wait_ms(clock, duration_ms);
}

/* CLOCK_BOOTTIME in microseconds, for measuring. */
int64_t clock_now_us(void);

/* CLOCK_REALTIME in microseconds. */
int64_t clock_wall_us(void);

/* The time `after_ms` from now for pthread_cond_timedwait() on CLOCK_MONOTONIC. */
struct timespec clock_deadline(int64_t after_ms);

enum { CLOCK_TEXT_SIZE = 32 };

/* Writes "2026-11-21T02:15:04.123Z" and returns `ret_text`. */
const char *clock_format_wall(int64_t wall_ms, char ret_text[CLOCK_TEXT_SIZE]);

/* Identifies this boot of this host; static, "unknown" where the kernel does not tell. */
RETURNS_NONNULL const char *clock_boot_id(void);

#endif
