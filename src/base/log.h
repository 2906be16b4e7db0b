/*
 * base/log.h - one event, one line, logfmt, on a file descriptor.
 *
 * Only those who decide log: the controller, app, the command line. Everybody else returns errors.
 *     log_event(log, LOG_NOTICE, "step_verified", "run", run, "step", id, NULL);
 */
#ifndef UPSHIFT_BASE_LOG_H
#define UPSHIFT_BASE_LOG_H

#include "base/clock.h"

enum log_level {
    LOG_DEBUG,   /* for us */
    LOG_INFO,    /* progress */
    LOG_NOTICE,  /* a cluster changed */
    LOG_WARNING, /* we go on, and the line says how */
    LOG_ERROR,   /* someone must act */
};

struct log {
    int fd; /* borrowed */
    enum log_level level_min;
    struct clock *clock;
};

/* Writes one line; key/value text pairs follow, ended by NULL. A NULL value is left out.
 * Thread: any (one write per line). */
void log_event(const struct log *log, enum log_level level, const char *event, ...)
    __attribute__((sentinel));

#endif
