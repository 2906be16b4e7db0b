/*
 * tests/unit/probe/probe_case.h - one run of the probe against a fake server, and its record.
 */
#ifndef UPSHIFT_TESTS_PROBE_CASE_H
#define UPSHIFT_TESTS_PROBE_CASE_H

#include <sys/types.h>

#include "base/arena.h"
#include "fake_redis.h"
#include "probe/probe.h"

enum { PROBE_CASE_ERROR_COUNT_MAX = 64 };

/* A record, added up. */
struct probe_sums {
    struct probe_block all; /* sums of the blocks, without lists */
    int64_t block_count;
    int64_t acked;
    struct probe_error errors[PROBE_CASE_ERROR_COUNT_MAX]; /* in the case's arena */
    size_t error_count;
    struct probe_mark last_mark;
    size_t mark_count;
    struct probe_readback last_readback;
    size_t readback_count;
    struct probe_final final;
    bool has_final;
    bool is_whole; /* the chain holds to the end */
};

/* The servers here answer at once or never. */
extern const struct probe_limits probe_case_limits;

struct probe_case {
    struct arena arena;
    char directory[64];
    char node[32];
    const char *nodes[1];
    struct fake_redis *fake;
    struct probe_config config; /* 200 operations a second for one second; change at will */
};

void probe_case_init(struct probe_case *test, const char *password);
void probe_case_release(struct probe_case *test);

/* Runs the probe to its end, which must be without an error, and adds its record up. */
void probe_case_run(struct probe_case *test, struct probe_sums *ret_sums);

/* The same in a process of its own, to be told, killed or waited for; it must end well. */
pid_t probe_case_start(const struct probe_case *test);

/* The same, where files may not grow: as on a full disk. It ends with 0 when it said so. */
pid_t probe_case_start_without_room(const struct probe_case *test);
void probe_case_wait(pid_t pid);

/* Sends it a message (control.h), as JSON. */
void probe_case_tell(const struct probe_case *test, const char *text);

void probe_case_pause_ms(int64_t duration_ms);

/* Adds up the record of one incarnation. */
void probe_case_read(struct probe_case *test, const char *incarnation, struct probe_sums *ret_sums);

#endif
