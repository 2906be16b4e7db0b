/*
 * probe/lines.h - reads a probe's log line by line, as it grows, and checks its chain.
 */
#ifndef UPSHIFT_PROBE_LINES_H
#define UPSHIFT_PROBE_LINES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/sha256.h"

struct lines {
    int fd;
    struct buf bytes; /* read and not yet handed out */
    size_t used;      /* of them, handed out */
    char hash[SHA256_HEX_SIZE];
    bool is_broken; /* a line did not continue the chain: nothing after it is read */
};

/* Errors: ERR_INVALID when the file cannot be opened. */
MUST_USE struct err *lines_open(const char *path, struct lines *ret_lines);
void lines_close(struct lines *lines);

/* The next whole line, without "hash" and "kind"; false when there is none (yet). `ret_kind` is
 * borrowed from the line. Owns: the caller frees the line. */
bool lines_next(struct lines *lines, const char **ret_kind, struct json **ret_line);

/* True while a probe holds the lock of this log. */
bool lines_are_growing(const struct lines *lines);

#endif
