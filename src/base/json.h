/*
 * base/json.h - JSON values: read, built, compared, written in one canonical form.
 *
 * A thin face of jansson (whose own names begin with json_, hence js_ here), the only one that the
 * rest of the tree sees. Canonical form: keys sorted,
 * no white space, UTF-8 as it is, integers only; equal values give equal bytes, so a digest of the
 * text identifies the value. Values are reference counted; a container owns what is put into it.
 * One thread at a time: what goes to another thread is handed over whole or copied, because even
 * counting an owner is not atomic throughout (jansson reads the count before it changes it).
 */
#ifndef UPSHIFT_BASE_JSON_H
#define UPSHIFT_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct json; /* one value; opaque */

enum js_type {
    JS_NULL,
    JS_BOOL,
    JS_INT,
    JS_STRING,
    JS_ARRAY,
    JS_OBJECT,
};

/* Builds values. Owns: the caller, until put into a container. Text must be UTF-8; what is not
 * is replaced byte by byte with '?', because it may come from a peer. */
MUST_USE RETURNS_NONNULL struct json *js_object(void);
MUST_USE RETURNS_NONNULL struct json *js_array(void);
MUST_USE RETURNS_NONNULL struct json *js_text(const char *text); /* NULL gives JSON null */
MUST_USE RETURNS_NONNULL struct json *js_number(int64_t value);
MUST_USE RETURNS_NONNULL struct json *js_bool(bool value);
MUST_USE RETURNS_NONNULL struct json *js_none(void);

/* Counts a further owner and returns `value`; NULL is passed through. */
MUST_USE struct json *js_ref(const struct json *value);
void js_free(struct json *value);
void js_free_slot(struct json **slot);
#define AUTO_JSON CLEANUP(js_free_slot) struct json *

/* Deep copy. */
MUST_USE RETURNS_NONNULL struct json *js_copy(const struct json *value);

/* Puts `value` under `key` (replacing), or at the end of an array. Owns: takes `value`. */
void js_put(struct json *object, const char *key, struct json *value);
void js_push(struct json *array, struct json *value);
void js_put_text(struct json *object, const char *key, const char *text);
void js_put_number(struct json *object, const char *key, int64_t value);
void js_put_bool(struct json *object, const char *key, bool value);
void js_remove(struct json *object, const char *key);
void js_drop_first(struct json *array);

enum js_type js_type(const struct json *value);
bool js_is(const struct json *value, enum js_type type); /* false for NULL */

/* Reads. A missing key, a NULL value or another type gives NULL or `fallback`. Borrowed. */
struct json *js_get(const struct json *object, const char *key);
struct json *js_at(const struct json *array, size_t index);
size_t js_count(const struct json *container); /* elements or members; 0 otherwise */
const char *js_get_text(const struct json *object, const char *key);
const char *js_as_text(const struct json *value);
int64_t js_as_number(const struct json *value, int64_t fallback);
bool js_as_bool(const struct json *value, bool fallback);
int64_t js_get_number(const struct json *object, const char *key, int64_t fallback);
bool js_get_bool(const struct json *object, const char *key, bool fallback);

/* Walks an object in key order: start with *cursor == 0; false at the end. Borrowed. */
bool js_next(
    const struct json *object, size_t *cursor, const char **ret_key, struct json **ret_value);

bool js_equal(const struct json *a, const struct json *b);

/* Parses one JSON text of `size` bytes. Errors: ERR_INVALID with line and column; floats, duplicate
 * keys and anything deeper than 64 levels are refused. `where` names the source for the error. */
MUST_USE struct err *js_parse(
    const char *text, size_t size, const char *where, struct json **ret_value);

/* Writes canonical form (one line), or indented for people. Owns: caller frees. */
MUST_USE RETURNS_NONNULL char *js_write(const struct json *value);
MUST_USE RETURNS_NONNULL char *js_write_pretty(const struct json *value);

/* The error chain as {"code","kind","what","where","hint","cause"}. */
MUST_USE RETURNS_NONNULL struct json *js_of_err(const struct err *err);

#endif
