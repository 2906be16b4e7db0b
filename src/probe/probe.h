/*
 * probe/probe.h - the independent probe: writes, reads and measures through the clients' path.
 *
 * It is the witness of a run, so it shares no code with what it judges: its own process, its own
 * cluster client, its own record (model/probe_log.h). The controller starts it as a process that
 * reads its configuration as JSON from standard input, sends it one-way messages (control.h) and
 * reads its log (tail.h); it outlives the controller by linger_s. `upshift probe` runs the same
 * code in the foreground with an observer.
 *
 * One thread and one loop; a second thread writes the log.
 */
#ifndef UPSHIFT_PROBE_PROBE_H
#define UPSHIFT_PROBE_PROBE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/codec.h"
#include "base/secret.h"
#include "model/probe_log.h"

enum { PROBE_RATE_MAX = 100000, PROBE_TTL_S_MIN = 10 };

/* A reference to a secret (base/secret.h); the probe resolves it itself, at its start and again
 * when a server refuses it. */
struct probe_secret {
    enum secret_source source; /* "none", "env", "file", "command" */
    const char *name;
    const char **argv; /* not terminated */
    size_t argv_count;
};

struct probe_tls {
    bool is_enabled;
    const char *ca_file, *cert_file, *key_file, *server_name; /* each may be NULL */
};

/* How patient the probe is. Unit tests shorten it; nobody else has a reason to. */
struct probe_limits {
    int64_t no_progress_ms;  /* a read-back without a single answer for so long is given up */
    int64_t secret_every_ms; /* a password that is refused is resolved again at most so often */
};
extern const struct probe_limits probe_limits_default;

struct probe_config {
    const char *run; /* run id, or "none" */
    const char *cluster;
    const char **nodes; /* "host:port"; the first that answers tells of the others */
    size_t node_count;
    const char *topology;   /* NULL or "cluster", "replication", "sentinel" */
    const char **sentinels; /* "host:port"; "sentinel": who tells the primary */
    size_t sentinel_count;
    const char *master_name; /* what they call it */
    const char *user;        /* NULL: the default user */
    struct probe_secret password;
    struct probe_tls tls;
    const char *mode; /* "write", "read-only" */
    int64_t rate;     /* operations per second */
    int64_t keys_max;
    int64_t ttl_s;
    int64_t linger_s;
    int64_t seconds;                   /* 0: until told or lingered */
    const char *directory;             /* for <incarnation>.log and sock; made when missing */
    const char *incarnation;           /* NULL or empty: a random one */
    const struct probe_limits *limits; /* not part of the JSON; NULL: the default */
};

extern const struct codec probe_config_codec;

const struct probe_limits *probe_limits_of(const struct probe_config *config);

/* Reads a configuration from `fd` to its end and checks it.
 * Errors: ERR_INVALID "probe_config_invalid". */
MUST_USE struct err *probe_read_config(
    int fd, struct arena *arena, struct probe_config *ret_config);

/* Fills `ref`, which borrows from `secret` and `arena`. */
void probe_secret_refer(
    const struct probe_secret *secret, struct arena *arena, struct secret_ref *ret_ref);

/* What an observer sees once a second; `_us` values of the last second. */
struct probe_progress {
    int64_t elapsed_s;
    int64_t intended, ok, raw_failed, failed, wrong, acked; /* since the start */
    int64_t second_ok;
    int64_t latency_p99_us, latency_max_us;
    bool is_reading_back; /* the load has ended */
};

struct probe_observer {
    void (*progress)(void *context, const struct probe_progress *progress); /* may be NULL */
    void *context;
    const atomic_bool *stop; /* set by a signal handler or another thread; may be NULL */
};

/* Runs until it is told to stop, its time is up or nobody cares any more, reads everything back,
 * and removes its keys.
 *
 * Errors: ERR_INVALID "probe_config_invalid", "secret_missing", those of tls_open();
 * ERR_REFUSED "probe_log_write", "probe_control_bind". A cluster that does not answer is a result.
 * Blocks: for the whole run. */
MUST_USE struct err *probe_run(const struct probe_config *config,
    const struct probe_observer *observer, struct probe_final *ret_final);

/* The whole life of the process: configuration from standard input, signals, errors to standard
 * error. Returns the exit status. */
int probe_main(void);

#endif
