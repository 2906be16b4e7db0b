#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { BUF_CAPACITY_MIN = 256 };

void buf_release(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

void buf_clear(struct buf *buf)
{
    buf->size = 0;
    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}

char *buf_reserve(struct buf *buf, size_t size)
{
    const size_t wanted = buf->size + size + 1;
    assert(wanted > size);
    if (wanted > buf->capacity) {
        size_t capacity = buf->capacity < BUF_CAPACITY_MIN ? BUF_CAPACITY_MIN : buf->capacity;
        while (capacity < wanted) {
            capacity *= 2;
        }
        buf->data = mem_resize(buf->data, capacity);
        buf->capacity = capacity;
        buf->data[buf->size] = '\0'; /* nothing may come to be put there */
    }
    return buf->data + buf->size;
}

void buf_grow_used(struct buf *buf, size_t size)
{
    assert(buf->size + size < buf->capacity);
    buf->size += size;
    buf->data[buf->size] = '\0';
}

void buf_append(struct buf *buf, const void *data, size_t size)
{
    char *end = buf_reserve(buf, size);
    if (size > 0) {
        memcpy(end, data, size);
    }
    buf_grow_used(buf, size);
}

void buf_append_text(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_append_str(struct buf *buf, struct str text)
{
    buf_append(buf, text.data, text.size);
}

void buf_append_char(struct buf *buf, char c)
{
    buf_append(buf, &c, 1);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    const int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(size >= 0);
    char *end = buf_reserve(buf, (size_t)size);
    (void)vsnprintf(end, (size_t)size + 1, format, again);
    va_end(again);
    buf_grow_used(buf, (size_t)size);
}

void buf_consume(struct buf *buf, size_t size)
{
    assert(size <= buf->size);
    if (size == 0) {
        return;
    }
    memmove(buf->data, buf->data + size, buf->size - size);
    buf->size -= size;
    buf->data[buf->size] = '\0';
}

const char *buf_text(const struct buf *buf)
{
    return buf->data == NULL ? "" : buf->data;
}

char *buf_detach(struct buf *buf)
{
    char *data = buf->data == NULL ? mem_strdup("") : buf->data;
    *buf = (struct buf){0};
    return data;
}
