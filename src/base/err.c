#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const char *const kind_names[] = {
    [ERR_INVALID] = "invalid",
    [ERR_UNREACHABLE] = "unreachable",
    [ERR_REFUSED] = "refused",
    [ERR_UNKNOWN] = "unknown_outcome",
    [ERR_GATE] = "gate",
    [ERR_CANCELLED] = "cancelled",
    [ERR_INTERNAL] = "internal",
};

const char *err_kind_name(enum err_kind kind)
{
    return kind_names[kind];
}

/* One line, whatever a peer put into it: control characters would break the log and the screen. */
static void flatten(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++) {
        if (*c < ' ' || *c == 0x7f) {
            *c = ' ';
        }
    }
}

PRINTF_LIKE(1, 0) static char *format_line(const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0) {
        return mem_strdup("out of memory");
    }
    flatten(text);
    return text;
}

static struct err *err_make(enum err_kind kind, const char *where, char *what)
{
    struct err *err = mem_alloc(sizeof(*err));
    err->kind = kind;
    err->code = kind_names[kind];
    err->what = what;
    if (where != NULL) {
        err->where = mem_strdup(where);
        flatten(err->where);
    }
    return err;
}

struct err *err_new(enum err_kind kind, const char *where, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *what = format_line(format, args);
    va_end(args);
    return err_make(kind, where, what);
}

struct err *err_wrap(struct err *cause, const char *where, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *what = format_line(format, args);
    va_end(args);
    struct err *err = err_make(cause->kind, where, what);
    err->code = cause->code;
    err->cause = cause;
    return err;
}

struct err *err_hint(struct err *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *hint = format_line(format, args);
    va_end(args);
    free(err->hint);
    err->hint = hint;
    return err;
}

struct err *err_code(struct err *err, const char *code)
{
    err->code = code;
    return err;
}

struct err *err_errno(enum err_kind kind, const char *where, const char *format, ...)
{
    const int number = errno;
    va_list args;
    va_start(args, format);
    AUTO_FREE char *what = format_line(format, args);
    va_end(args);
    return err_make(kind, where, mem_format("%s: %s", what, strerror(number)));
}

void err_free(struct err *err)
{
    while (err != NULL) {
        struct err *cause = err->cause;
        free(err->what);
        free(err->where);
        free(err->hint);
        free(err);
        err = cause;
    }
}

void err_free_slot(struct err **slot)
{
    err_free(*slot);
    *slot = NULL;
}

char *err_text(const struct err *err)
{
    char *text = mem_strdup("");
    for (; err != NULL; err = err->cause) {
        const char *separator = text[0] == '\0' ? "" : ": ";
        char *longer = err->where == NULL
                           ? mem_format("%s%s%s", text, separator, err->what)
                           : mem_format("%s%s%s (%s)", text, separator, err->what, err->where);
        free(text);
        text = longer;
    }
    return text;
}

const char *err_first_hint(const struct err *err)
{
    for (; err != NULL; err = err->cause) {
        if (err->hint != NULL) {
            return err->hint;
        }
    }
    return NULL;
}
