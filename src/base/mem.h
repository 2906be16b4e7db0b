/*
 * base/mem.h - heap memory that is there or ends the process.
 *
 * An upshift process may die at any instant and be continued (engine.md section 10), so running
 * out of memory is handled by dying, at one place, instead of by a branch after every call
 * (docs/decisions/0002). Every function here returns usable memory or does not return.
 */
#ifndef UPSHIFT_BASE_MEM_H
#define UPSHIFT_BASE_MEM_H

#include <stddef.h>

#include "base/attr.h"

/* Allocates `size` zeroed bytes. Owns: the caller frees with free(). */
MUST_USE RETURNS_NONNULL void *mem_alloc(size_t size);

/* Allocates an array of `count` zeroed elements of `size` bytes; overflow ends the process. */
MUST_USE RETURNS_NONNULL void *mem_alloc_array(size_t count, size_t size);

/* Grows or shrinks `old` to `size` bytes; new bytes are not zeroed. */
MUST_USE RETURNS_NONNULL void *mem_resize(void *old, size_t size);

/* Copies a string. Owns: the caller frees with free(). */
MUST_USE RETURNS_NONNULL char *mem_strdup(const char *text);

/* Formats into a new string. Owns: the caller frees with free(). */
MUST_USE RETURNS_NONNULL char *mem_format(const char *format, ...) PRINTF_LIKE(1, 2);

/* For CLEANUP: frees the pointer that `slot` points to. */
void mem_free_slot(void *slot);
#define AUTO_FREE CLEANUP(mem_free_slot)

#endif
