/*
 * transport/spawn.h - child processes: argument vectors only, never a shell; always a deadline.
 */
#ifndef UPSHIFT_TRANSPORT_SPAWN_H
#define UPSHIFT_TRANSPORT_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/call.h"
#include "base/err.h"

struct spawn_request {
    const char *const *argv;        /* NULL-terminated; argv[0] is looked up on the PATH */
    const char *const *environment; /* "NAME=value" added to ours, NULL-terminated; may be NULL */
    const char *directory;          /* working directory, or NULL */
    const char *input;              /* standard input text; NULL: /dev/null */
    size_t output_size_max;         /* per stream, more is dropped; 0: 1 MiB */
};

struct spawn_result {
    int exit_status;   /* 0..255, or -1 when ended by a signal */
    int signal;        /* 0 when it exited */
    bool is_timeout;   /* we ended it at the deadline */
    struct buf output; /* standard output; owned */
    struct buf errors; /* standard error; owned */
};

void spawn_result_release(struct spawn_result *result);

/* Runs a command to its end, in its own process group, which is killed at the deadline.
 * What the command left running in its group is killed when it ends.
 * Errors: ERR_INVALID cannot be started; ERR_UNREACHABLE this host is short of processes or
 * descriptors. An exit status other than 0 is a result, not an error. */
MUST_USE struct err *spawn_run(
    const struct call *call, const struct spawn_request *request, struct spawn_result *ret_result);

struct spawn_daemon {
    const char *const *argv; /* argv[0] is a path; not looked up */
    const char *directory;   /* working directory */
    const char *log_file;    /* appended to by standard output and error */
    const char *user;        /* switch to this user and its groups first; NULL: stay */
};

/* Starts a process that outlives us: new session, no inherited descriptors, standard input from
 * /dev/null, default signal dispositions, not our child (a middle process is reaped).
 * Errors: ERR_INVALID with exec's own reason: returning NULL means the program was executed;
 * ERR_UNREACHABLE this host is short of processes or descriptors. */
MUST_USE struct err *spawn_daemon(const struct spawn_daemon *daemon, pid_t *ret_pid);

#endif
