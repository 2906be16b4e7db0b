/*
 * cli/errors.h - the stable error codes: what each means, what to do, which exit status follows.
 *
 * The table is the source of docs/errors.md.
 */
#ifndef UPSHIFT_CLI_ERRORS_H
#define UPSHIFT_CLI_ERRORS_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct error_row {
    const char *code;
    int exit;
    const char *meaning;
    const char *remedy;
};

extern const struct error_row error_rows[];
extern const size_t error_row_count;

/* NULL when unknown. */
const struct error_row *error_find(const char *code);

/* Exit status of an error, by its code. */
int error_exit(const struct err *err);

/* The chain for people: what, causes, remedy. */
void error_text(const struct err *err, struct buf *ret_text);

/* docs/errors.md, whole. */
void error_document(struct buf *ret_text);

#endif
