/*
 * base/secret.h - secrets as references, and their values for as short as possible.
 *
 * The inventory names where a secret is (environment variable, file, command), never its value.
 * A reference is resolved afresh at each use, so a rotated password works. `struct secret` has no
 * writer: nothing formats, logs or journals it, and its memory is wiped on release.
 */
#ifndef UPSHIFT_BASE_SECRET_H
#define UPSHIFT_BASE_SECRET_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

enum secret_source {
    SECRET_NONE,    /* no secret is set */
    SECRET_ENV,     /* name of an environment variable */
    SECRET_FILE,    /* path of a file; one trailing newline is dropped */
    SECRET_COMMAND, /* argument vector; its standard output, one trailing newline dropped */
};

struct secret_ref {
    enum secret_source source;
    const char *name;        /* variable or path; borrowed */
    const char *const *argv; /* command, NULL-terminated; borrowed */
};

struct secret {
    char *bytes; /* terminated; NULL for none; owned */
    size_t size;
};

/* Reads the secret; SECRET_NONE gives an empty one.
 * Errors: ERR_INVALID naming the reference (never the value). Blocks: a command, at most 10 s. */
MUST_USE struct err *secret_resolve(const struct secret_ref *ref, struct secret *ret_secret);

/* Wipes and frees. */
void secret_release(struct secret *secret);
#define AUTO_SECRET CLEANUP(secret_release) struct secret

#endif
