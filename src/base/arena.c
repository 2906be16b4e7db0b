#include "base/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    CHUNK_SIZE_MIN = 4096, /* one page less overhead: small arenas stay small */
    ALIGNMENT = 16,
};

struct arena_chunk {
    struct arena_chunk *older;
    size_t size;
    size_t used;
    size_t padding; /* keeps data[] aligned */
    unsigned char data[];
};

void arena_release(struct arena *arena)
{
    struct arena_chunk *chunk = arena->head;
    while (chunk != NULL) {
        struct arena_chunk *older = chunk->older;
        free(chunk);
        chunk = older;
    }
    arena->head = NULL;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    assert(size < SIZE_MAX / 2);
    const size_t wanted = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct arena_chunk *chunk = arena->head;
    if (chunk == NULL || chunk->size - chunk->used < wanted) {
        const size_t doubled = chunk == NULL ? CHUNK_SIZE_MIN : chunk->size * 2;
        const size_t chunk_size = wanted > doubled ? wanted : doubled;
        chunk = mem_alloc(sizeof(*chunk) + chunk_size);
        chunk->older = arena->head;
        chunk->size = chunk_size;
        arena->head = chunk;
    }
    void *memory = chunk->data + chunk->used;
    chunk->used += wanted;
    return memory;
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t size)
{
    assert(size == 0 || count < SIZE_MAX / 2 / size);
    return arena_alloc(arena, count * size);
}

void *arena_push(struct arena *arena, void *items_slot, size_t *count, size_t item_size)
{
    void **items = items_slot;
    const size_t used = *count;
    const bool is_full = used == 0 || (used >= 4 && (used & (used - 1)) == 0);
    if (is_full) {
        const size_t capacity = used == 0 ? 4 : used * 2;
        void *grown = arena_alloc_array(arena, capacity, item_size);
        if (used > 0) {
            memcpy(grown, *items, used * item_size);
        }
        *items = grown;
    }
    *count = used + 1;
    return (unsigned char *)*items + used * item_size;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

char *arena_strndup(struct arena *arena, const char *text, size_t size)
{
    char *copy = arena_alloc(arena, size + 1);
    if (size > 0) { /* an empty struct str may have no data */
        memcpy(copy, text, size);
    }
    return copy;
}

char *arena_format(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    const int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(size >= 0);
    char *text = arena_alloc(arena, (size_t)size + 1);
    (void)vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    return text;
}
