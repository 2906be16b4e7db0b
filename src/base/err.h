/*
 * base/err.h - the one error type: what failed, where, what now.
 *
 * Functions that can fail return `struct err *`: NULL is success, and ignoring the result does not
 * compile. The caller owns the error: free it, wrap it or pass it on. Errors form a chain through
 * `cause`, the outermost first. `code` is a stable word for scripts; docs/errors.md lists them all.
 */
#ifndef UPSHIFT_BASE_ERR_H
#define UPSHIFT_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

enum err_kind {
    ERR_INVALID,     /* the input is wrong; retrying cannot help */
    ERR_UNREACHABLE, /* nothing was sent; safe to retry */
    ERR_REFUSED,     /* the target understood and said no */
    ERR_UNKNOWN,     /* sent, no answer: verify before doing anything else */
    ERR_GATE,        /* a gate stayed red for its whole window */
    ERR_CANCELLED,   /* an operator or a shutdown asked us to stop */
    ERR_INTERNAL,    /* our bug */
};

struct err {
    enum err_kind kind;
    const char *code;  /* stable word, static storage; the kind's own word unless set */
    char *what;        /* "cannot drain web3": one line, no newline, no full stop */
    char *where;       /* "lb1 (haproxy 2.6.12)": host and component, or NULL */
    char *hint;        /* what to do next, as an instruction, or NULL */
    struct err *cause; /* the error underneath, or NULL; owned */
};

/* Makes an error; `where` may be NULL and is copied. */
MUST_USE RETURNS_NONNULL struct err *err_new(
    enum err_kind kind, const char *where, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts a new line above `cause`, keeping its kind and code. Owns: takes `cause`. */
MUST_USE RETURNS_NONNULL struct err *err_wrap(
    struct err *cause, const char *where, const char *format, ...) PRINTF_LIKE(3, 4);

/* Sets the remedy (replacing an earlier one) and returns `err`. */
MUST_USE RETURNS_NONNULL struct err *err_hint(struct err *err, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* Sets the stable code (a string literal of the table in cli/errors.c) and returns `err`. */
MUST_USE RETURNS_NONNULL struct err *err_code(struct err *err, const char *code);

/* Makes an error out of errno: "<what>: <strerror>". Call it right after the failed call. */
MUST_USE RETURNS_NONNULL struct err *err_errno(
    enum err_kind kind, const char *where, const char *format, ...) PRINTF_LIKE(3, 4);

/* Frees the whole chain; NULL is allowed. */
void err_free(struct err *err);

/* For CLEANUP. */
void err_free_slot(struct err **slot);
#define AUTO_ERR CLEANUP(err_free_slot) struct err *

/* The stable word of a kind: "invalid", "unreachable", ... */
const char *err_kind_name(enum err_kind kind);

/* Writes the chain as "what (where): what (where)" into a new string. Owns: caller frees. */
MUST_USE RETURNS_NONNULL char *err_text(const struct err *err);

/* Finds the first remedy in the chain, outermost first, or NULL. Borrowed. */
const char *err_first_hint(const struct err *err);

#endif
