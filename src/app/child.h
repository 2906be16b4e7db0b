/*
 * app/child.h - this program again, as a process of its own that outlives its starter.
 */
#ifndef UPSHIFT_APP_CHILD_H
#define UPSHIFT_APP_CHILD_H

#include "base/attr.h"
#include "base/err.h"

struct child {
    const char *word;       /* the internal command: "internal-controller" */
    const char *input;      /* its standard input; never on the command line */
    const char *error_file; /* its standard error is appended there; NULL: /dev/null */
    int output_fd;          /* its standard output; -1: /dev/null */
};

/* Starts it in a new session, as nobody's child. Errors: ERR_INTERNAL no process to be had; that
 * the program itself fails is seen from what it writes. */
MUST_USE struct err *child_start(const struct child *child);

#endif
