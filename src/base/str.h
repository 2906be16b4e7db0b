/*
 * base/str.h - a borrowed stretch of text: pointer and length, not terminated.
 *
 * Parsers hand out these instead of copies. Small helpers for the terminated kind are here too.
 */
#ifndef UPSHIFT_BASE_STR_H
#define UPSHIFT_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"

struct str {
    const char *data; /* borrowed */
    size_t size;      /* bytes */
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).size, (s).data

static inline struct str str_of(const char *text)
{
    return (struct str){text, text == NULL ? 0 : strlen(text)};
}

static inline bool str_equal(struct str a, struct str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool str_is(struct str a, const char *text)
{
    return str_equal(a, str_of(text));
}

/* Equality of terminated strings; NULL equals only NULL. */
static inline bool text_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Cuts the part before the first `separator` off `rest`; without one, everything.
 * Returns false when `rest` was already used up (data NULL). */
bool str_cut(struct str *rest, char separator, struct str *ret_part);

struct str str_trim(struct str text);
bool str_starts_with(struct str text, const char *prefix);

/* Reads a whole decimal number; false on anything else, overflow included. */
bool str_to_int64(struct str text, int64_t *ret_value);

/* Reads a size as servers write it: "67108864", "64mb", "64k"; kb, mb, gb count in 1024, k, m, g
 * in 1000. False on anything else, overflow included; `*ret_bytes` is then undefined. */
bool str_to_size(const char *text, int64_t *ret_bytes);

/* Damerau-Levenshtein distance, for "did you mean"; texts over 64 bytes answer 64. */
unsigned str_distance(const char *a, const char *b);

/* The nearest of `count` names to `wrong` within a third of its length
 * (rounded up), or NULL. Borrowed. */
const char *str_nearest(const char *wrong, const char *const *names, size_t count);

#endif
