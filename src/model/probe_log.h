/*
 * model/probe_log.h - the probe's record: what probe/ writes, report/ and the controller read.
 *
 * One file per incarnation, JSON lines, each line {"hash", "kind", ...}: `hash` is
 * SHA-256(previous hash + canonical JSON of the line without "hash"), in hex; the first line's
 * previous hash is 64 zeros. The file is synced every 100 ms. Kinds, in order of appearance:
 *
 *   "start"    struct probe_start: once, first
 *   "block"    struct probe_block: every 100 ms
 *   "error"    struct probe_error: one raw failure; the first 1,000 of an incarnation
 *   "mark"     struct probe_mark: something the controller did, after the fact
 *   "readback" struct probe_readback: acknowledged writes read again, also during a long run
 *   "final"    struct probe_final: once, last; absent when the probe was killed
 *
 * Times: `_us` of CLOCK_BOOTTIME for measuring, `wall_ms` for people. An operation is *raw failed*
 * when a client without retry would have seen an error; every such operation is retried once, 50 ms
 * later, on a fresh connection, and is *failed* when that fails too or 1 s has passed since its
 * intended time. Latency counts from the intended time. An operation belongs to the block in which
 * it was intended.
 */
#ifndef UPSHIFT_MODEL_PROBE_LOG_H
#define UPSHIFT_MODEL_PROBE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/codec.h"

enum { PROBE_BLOCK_MS = 100, PROBE_RETRY_MS = 50, PROBE_FAILED_AFTER_MS = 1000 };

struct probe_start {
    const char *run; /* run id, or "none" for `upshift probe` */
    const char *cluster;
    const char *incarnation; /* random; part of every key: upshift:p:<incarnation>:<n> */
    const char *mode;        /* "read-only", "write" */
    const char *boot_id;
    int64_t pid;
    int64_t rate; /* operations per second */
    int64_t ttl_s;
    int64_t keys_max;
    int64_t started_us;
    int64_t started_wall_ms;
};

/* Latencies in microseconds: bucket i counts values in [probe_bucket_low(i),
 * probe_bucket_low(i+1)); 16 buckets per power of two, so a value is known to 6 %. */
enum { PROBE_BUCKET_COUNT = 448 };
int64_t probe_bucket_low(size_t bucket);
size_t probe_bucket_of(int64_t latency_us);

struct probe_bucket {
    int64_t bucket;
    int64_t count;
};

/* Numbers n from..to, both included. */
struct probe_range {
    int64_t from, to;
};

struct probe_block {
    int64_t index; /* 0, 1, ...: the block of intended times [started + index * 100 ms, + 100 ms) */
    int64_t wall_ms;       /* of its begin */
    int64_t intended;      /* operations that were due */
    int64_t reads, writes; /* of them, by kind */
    int64_t ok;            /* answered in the end, first try or retry */
    int64_t raw_failed;
    int64_t failed;
    int64_t fresh;      /* sent on a connection of their own */
    int64_t redirected; /* MOVED or ASK followed; not a failure */
    int64_t wrong;      /* reads whose value was not the one written */
    int64_t latency_max_us;
    int64_t
        stalled_us; /* time the probe itself was not scheduled: its own fault, not the cluster's */
    int64_t cpu_us; /* processor time it used */
    struct probe_bucket *latencies; /* of operations that succeeded; sparse */
    size_t latency_count;
    struct probe_range *acked; /* writes acknowledged since the last block, by number */
    size_t acked_count;
};

struct probe_error {
    int64_t us;
    int64_t wall_ms;
    const char *node;      /* "127.0.0.1:7001" */
    const char *operation; /* "SET", "GET", "connect" */
    const char *text;      /* the server's or the system's own words */
    bool is_fresh;
    bool is_retry; /* the retry failed too */
};

struct probe_mark {
    int64_t us;
    int64_t wall_ms;
    const char *step;     /* step id, or "run" */
    const char *boundary; /* "applied", "done", "state RUNNING", ... */
};

/* Acknowledged writes that were not found as they were written: some of from..to, both included. */
struct probe_lost {
    int64_t from, to;
    int64_t count;
};

/* One incarnation may read back the keys of earlier ones, which died; each record is about one.
 * Keys are removed only after the record that lists them is durable, so a later incarnation knows
 * which absences mean nothing. */
struct probe_readback {
    int64_t wall_ms;
    const char *incarnation;   /* whose keys */
    int64_t acked;             /* acknowledged writes known to this read-back */
    int64_t checked;           /* read again */
    int64_t missing;           /* acknowledged and not there: lost */
    int64_t different;         /* there with another value: lost as well */
    int64_t not_checked;       /* could not be asked, or expired by its time to live */
    const char **missing_keys; /* the first 20 */
    size_t missing_key_count;
    struct probe_lost *lost; /* all that are missing or different, nearby ones together */
    size_t lost_count;
    struct probe_range *deleted; /* handed to deletion, by number; unacknowledged ones among them */
    size_t deleted_count;
};

struct probe_final {
    int64_t ended_us;
    int64_t ended_wall_ms;
    const char *reason; /* "stopped", "lingered", "time is up" */
    int64_t block_count;
    int64_t intended, ok, raw_failed, failed, wrong;
    int64_t acked, checked, missing, different, not_checked; /* sums over all read-backs */
    int64_t keys_removed;                                    /* its own keys deleted at the end */
    int64_t keys_left; /* could not be deleted; they expire by themselves */
    int64_t latency_max_us;
    int64_t cpu_us;
    int64_t bytes_sent, bytes_received;
};

extern const struct codec probe_start_codec, probe_block_codec, probe_error_codec, probe_mark_codec,
    probe_readback_codec, probe_final_codec;

#endif
