/*
 * base/arena.h - memory for what is built together and dies together.
 *
 * Parsed configuration, facts, a plan, one step attempt: each owns an arena, nothing in it is freed
 * alone, and nothing outside points into it beyond its life. Memory is zeroed and aligned for any
 * type. Not for several threads at once. Running out of memory ends the process (base/mem.h).
 */
#ifndef UPSHIFT_BASE_ARENA_H
#define UPSHIFT_BASE_ARENA_H

#include <stddef.h>

#include "base/attr.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *head; /* the chunk in use; older ones behind it */
};

/* Releases everything; the arena is empty and usable again afterwards. */
void arena_release(struct arena *arena);
#define AUTO_ARENA CLEANUP(arena_release) struct arena

/* Allocates zeroed memory. Owns: the arena. */
MUST_USE RETURNS_NONNULL void *arena_alloc(struct arena *arena, size_t size);

/* Allocates a zeroed array. */
MUST_USE RETURNS_NONNULL void *arena_alloc_array(struct arena *arena, size_t count, size_t size);

/* Appends one zeroed element to an array that lives in the arena and returns it; the array grows
 * by doubling, so `*items` may move. `*count` is the number of elements in use. */
MUST_USE RETURNS_NONNULL void *arena_push(
    struct arena *arena, void *items_slot, size_t *count, size_t item_size);

/* Copies a string, or `size` bytes of one with a terminator. */
MUST_USE RETURNS_NONNULL char *arena_strdup(struct arena *arena, const char *text);
MUST_USE RETURNS_NONNULL char *arena_strndup(struct arena *arena, const char *text, size_t size);

/* Formats a string. */
MUST_USE RETURNS_NONNULL char *arena_format(struct arena *arena, const char *format, ...)
    PRINTF_LIKE(2, 3);

#endif
