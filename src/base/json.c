#include "base/json.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"

enum { JS_DEPTH_MAX = 64 };

static json_t *inner(const struct json *value)
{
    return (json_t *)(uintptr_t)value;
}

/* jansson answers NULL only when memory is out, and then we end (base/mem.h). */
static struct json *outer(json_t *value)
{
    if (value == NULL) {
        abort();
    }
    return (struct json *)value;
}

struct json *js_object(void)
{
    return outer(json_object());
}

struct json *js_array(void)
{
    return outer(json_array());
}

struct json *js_text(const char *text)
{
    if (text == NULL) {
        return js_none();
    }
    json_t *value = json_string(text);
    if (value != NULL) {
        return outer(value);
    }
    AUTO_FREE char *ascii = mem_strdup(text); /* not UTF-8: a peer sent it */
    for (unsigned char *c = (unsigned char *)ascii; *c != '\0'; c++) {
        if (*c >= 0x80) {
            *c = '?';
        }
    }
    return outer(json_string(ascii));
}

struct json *js_number(int64_t value)
{
    return outer(json_integer(value));
}

struct json *js_bool(bool value)
{
    return outer(json_boolean(value));
}

struct json *js_none(void)
{
    return outer(json_null());
}

struct json *js_ref(const struct json *value)
{
    return (struct json *)json_incref(inner(value));
}

void js_free(struct json *value)
{
    json_decref(inner(value));
}

void js_free_slot(struct json **slot)
{
    js_free(*slot);
    *slot = NULL;
}

struct json *js_copy(const struct json *value)
{
    return outer(json_deep_copy(inner(value)));
}

void js_put(struct json *object, const char *key, struct json *value)
{
    if (json_object_set_new(inner(object), key, inner(value)) != 0) {
        abort(); /* not an object, a key that is not UTF-8, or no memory: all our bugs or fatal */
    }
}

void js_push(struct json *array, struct json *value)
{
    if (json_array_append_new(inner(array), inner(value)) != 0) {
        abort();
    }
}

void js_put_text(struct json *object, const char *key, const char *text)
{
    js_put(object, key, js_text(text));
}

void js_put_number(struct json *object, const char *key, int64_t value)
{
    js_put(object, key, js_number(value));
}

void js_put_bool(struct json *object, const char *key, bool value)
{
    js_put(object, key, js_bool(value));
}

void js_remove(struct json *object, const char *key)
{
    (void)json_object_del(inner(object), key);
}

void js_drop_first(struct json *array)
{
    (void)json_array_remove(inner(array), 0);
}

enum js_type js_type(const struct json *value)
{
    switch (json_typeof(inner(value))) {
    case JSON_OBJECT:
        return JS_OBJECT;
    case JSON_ARRAY:
        return JS_ARRAY;
    case JSON_STRING:
        return JS_STRING;
    case JSON_INTEGER:
        return JS_INT;
    case JSON_TRUE:
    case JSON_FALSE:
        return JS_BOOL;
    case JSON_REAL: /* refused by js_parse() */
    case JSON_NULL:
        break;
    }
    return JS_NULL;
}

bool js_is(const struct json *value, enum js_type type)
{
    return value != NULL && js_type(value) == type;
}

struct json *js_get(const struct json *object, const char *key)
{
    return (struct json *)json_object_get(inner(object), key);
}

struct json *js_at(const struct json *array, size_t index)
{
    return (struct json *)json_array_get(inner(array), index);
}

size_t js_count(const struct json *container)
{
    if (js_is(container, JS_ARRAY)) {
        return json_array_size(inner(container));
    }
    return json_object_size(inner(container));
}

const char *js_as_text(const struct json *value)
{
    return json_string_value(inner(value));
}

const char *js_get_text(const struct json *object, const char *key)
{
    return js_as_text(js_get(object, key));
}

int64_t js_as_number(const struct json *value, int64_t fallback)
{
    return js_is(value, JS_INT) ? json_integer_value(inner(value)) : fallback;
}

int64_t js_get_number(const struct json *object, const char *key, int64_t fallback)
{
    return js_as_number(js_get(object, key), fallback);
}

bool js_as_bool(const struct json *value, bool fallback)
{
    return js_is(value, JS_BOOL) ? json_is_true(inner(value)) : fallback;
}

bool js_get_bool(const struct json *object, const char *key, bool fallback)
{
    return js_as_bool(js_get(object, key), fallback);
}

bool js_next(
    const struct json *object, size_t *cursor, const char **ret_key, struct json **ret_value)
{
    /* Small objects and rare walks: find the cursor-th key in sorted order by counting. */
    json_t *self = inner(object);
    const size_t count = json_object_size(self);
    if (*cursor >= count) {
        return false;
    }
    const char *last = NULL;
    for (size_t round = 0; round <= *cursor; round++) {
        const char *lowest = NULL;
        const char *key;
        json_t *value;
        json_object_foreach(self, key, value)
        {
            if ((last == NULL || strcmp(key, last) > 0) &&
                (lowest == NULL || strcmp(key, lowest) < 0)) {
                lowest = key;
            }
        }
        last = lowest;
    }
    (*cursor)++;
    *ret_key = last;
    *ret_value = (struct json *)json_object_get(self, last);
    return true;
}

bool js_equal(const struct json *a, const struct json *b)
{
    return a == b || (a != NULL && b != NULL && json_equal(inner(a), inner(b)));
}

static bool has_real(json_t *value, unsigned depth)
{
    if (json_is_real(value) || depth > JS_DEPTH_MAX) {
        return true;
    }
    size_t i;
    const char *key;
    json_t *child;
    json_array_foreach(value, i, child)
    {
        if (has_real(child, depth + 1)) {
            return true;
        }
    }
    json_object_foreach(value, key, child)
    {
        if (has_real(child, depth + 1)) {
            return true;
        }
    }
    return false;
}

struct err *js_parse(const char *text, size_t size, const char *where, struct json **ret_value)
{
    json_error_t error;
    json_t *value = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value == NULL) {
        return err_new(ERR_INVALID, where, "not valid JSON at line %d, column %d: %s", error.line,
            error.column, error.text);
    }
    if (has_real(value, 0)) {
        json_decref(value);
        return err_new(ERR_INVALID, where,
            "JSON with a fractional number or more than %d levels is not accepted", JS_DEPTH_MAX);
    }
    *ret_value = outer(value);
    return NULL;
}

static char *dump(const struct json *value, size_t flags)
{
    char *text = json_dumps(inner(value), flags | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    if (text == NULL) {
        abort();
    }
    return text;
}

char *js_write(const struct json *value)
{
    return dump(value, JSON_COMPACT);
}

char *js_write_pretty(const struct json *value)
{
    return dump(value, JSON_INDENT(2));
}

struct json *js_of_err(const struct err *err)
{
    if (err == NULL) {
        return js_none();
    }
    struct json *object = js_object();
    js_put_text(object, "code", err->code);
    js_put_text(object, "kind", err_kind_name(err->kind));
    js_put_text(object, "what", err->what);
    js_put_text(object, "where", err->where);
    js_put_text(object, "hint", err->hint);
    js_put(object, "cause", js_of_err(err->cause));
    return object;
}
