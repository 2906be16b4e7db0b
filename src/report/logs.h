/*
 * report/logs.h - reading the probe's logs: every line checked against the chain, line by line.
 */
#ifndef UPSHIFT_REPORT_LOGS_H
#define UPSHIFT_REPORT_LOGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/sha256.h"
#include "model/probe_log.h"

/* One incarnation's log. */
struct log_file {
    const char *path;
    const char *name; /* without the folder */
    struct probe_start start;
    int64_t line_count; /* sound lines */
    char head[SHA256_HEX_SIZE];
    bool is_final;        /* ended in order */
    const char *damage;   /* what is wrong with the line after the sound ones, or NULL */
    int64_t error_count;  /* error lines */
    int64_t last_wall_ms; /* of the last block's end */
};

/* What a reader hears of one file, in the order of its lines; the records live until the call
 * returns. */
struct log_visitor {
    void *context;
    void (*on_block)(void *context, const struct log_file *file, const struct probe_block *block);
    void (*on_error)(void *context, const struct log_file *file, const struct probe_error *error);
    void (*on_mark)(void *context, const struct log_file *file, const struct probe_mark *mark);
    void (*on_readback)(
        void *context, const struct log_file *file, const struct probe_readback *readback);
    void (*on_final)(void *context, const struct log_file *file, const struct probe_final *final);
};

/* Finds the logs of a run in a folder, oldest incarnation first. A missing folder has none.
 * Owns: `arena`. */
void logs_find(const char *directory, const char *run, struct arena *arena,
    struct log_file **ret_files, size_t *ret_count);

/* Reads a file up to its end, the first line that does not fit the chain, or `line_max` lines, and
 * fills in what logs_find() left open. Owns: `arena`. */
void logs_read(struct log_file *file, int64_t line_max, const struct log_visitor *visitor,
    struct arena *arena);

#endif
