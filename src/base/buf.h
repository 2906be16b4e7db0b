/*
 * base/buf.h - a growing byte buffer, always terminated, so that it can be read as text.
 */
#ifndef UPSHIFT_BASE_BUF_H
#define UPSHIFT_BASE_BUF_H

#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

struct buf {
    char *data; /* owned; NULL while empty, else terminated at data[size] */
    size_t size;
    size_t capacity;
};

void buf_release(struct buf *buf);
#define AUTO_BUF CLEANUP(buf_release) struct buf

/* Empties the buffer but keeps its memory. */
void buf_clear(struct buf *buf);

/* Makes room for `size` more bytes and returns where they go; follow with buf_grow_used(). */
MUST_USE RETURNS_NONNULL char *buf_reserve(struct buf *buf, size_t size);
void buf_grow_used(struct buf *buf, size_t size);

void buf_append(struct buf *buf, const void *data, size_t size);
void buf_append_text(struct buf *buf, const char *text);
void buf_append_str(struct buf *buf, struct str text);
void buf_append_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

/* Drops `size` bytes at the front. */
void buf_consume(struct buf *buf, size_t size);

/* The content as text, "" when empty. Borrowed until the next change. */
RETURNS_NONNULL const char *buf_text(const struct buf *buf);

/* Hands the content over and leaves the buffer empty. Owns: caller frees. */
MUST_USE RETURNS_NONNULL char *buf_detach(struct buf *buf);

#endif
