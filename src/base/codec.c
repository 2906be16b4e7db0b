#include "base/codec.h"

#include <string.h>

static const void *member_of(const void *object, size_t offset)
{
    return (const unsigned char *)object + offset;
}

const char *codec_enum_name(const char *const *names, int value)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (i == value) {
            return names[i];
        }
    }
    return "?";
}

bool codec_enum_value(const char *const *names, const char *word, int *ret_value)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], word) == 0) {
            *ret_value = i;
            return true;
        }
    }
    return false;
}

static struct json *write_list(const struct codec_field *field, const void *object)
{
    struct json *array = js_array();
    const void *const items = *(const void *const *)member_of(object, field->offset);
    const size_t count = *(const size_t *)member_of(object, field->count_offset);
    for (size_t i = 0; i < count; i++) {
        if (field->type == CODEC_TYPE_TEXTS) {
            js_push(array, js_text(((const char *const *)items)[i]));
        } else {
            js_push(array, codec_write(field->codec, member_of(items, i * field->codec->size)));
        }
    }
    return array;
}

/* NULL when the member is left out. */
static struct json *write_field(const struct codec_field *field, const void *object)
{
    const void *member = member_of(object, field->offset);
    switch (field->type) {
    case CODEC_TYPE_TEXT: {
        const char *text = *(const char *const *)member;
        return text == NULL ? NULL : js_text(text);
    }
    case CODEC_TYPE_INT:
        return js_number(*(const int64_t *)member);
    case CODEC_TYPE_BOOL:
        return js_bool(*(const bool *)member);
    case CODEC_TYPE_ENUM:
        return js_text(codec_enum_name(field->names, *(const int *)member));
    case CODEC_TYPE_OBJECT:
        return codec_write(field->codec, member);
    case CODEC_TYPE_LIST:
    case CODEC_TYPE_TEXTS:
        return write_list(field, object);
    case CODEC_TYPE_JSON: {
        const struct json *value = *(struct json *const *)member;
        return value == NULL ? NULL : js_copy(value); /* another thread may count its owners */
    }
    }
    return NULL;
}

struct json *codec_write(const struct codec *codec, const void *object)
{
    struct json *result = js_object();
    for (const struct codec_field *field = codec->fields; field->key != NULL; field++) {
        struct json *value = write_field(field, object);
        if (value != NULL) {
            js_put(result, field->key, value);
        }
    }
    return result;
}

static struct err *wrong_type(const char *where, const char *key, const char *wanted)
{
    return err_new(ERR_INVALID, where, "\"%s\" must be %s", key, wanted);
}

static struct err *read_list(const struct codec_field *field, const struct json *value,
    struct arena *arena, const char *where, void *member, void *count_member)
{
    if (!js_is(value, JS_ARRAY)) {
        return wrong_type(where, field->key, "a list");
    }
    const size_t count = js_count(value);
    const size_t size = field->type == CODEC_TYPE_TEXTS ? sizeof(char *) : field->codec->size;
    unsigned char *items = arena_alloc_array(arena, count, size);
    *(void **)member = items; /* at once, so that codec_release() finds a half-read list */
    *(size_t *)count_member = count;
    for (size_t i = 0; i < count; i++) {
        const struct json *item = js_at(value, i);
        if (field->type == CODEC_TYPE_LIST) {
            struct err *err = codec_read(field->codec, item, arena, where, items + i * size);
            if (err != NULL) {
                return err_wrap(err, NULL, "in \"%s\", element %zu", field->key, i);
            }
        } else if (js_is(item, JS_STRING)) {
            const char *text = arena_strdup(arena, js_as_text(item));
            memcpy(items + i * size, &text, sizeof(text));
        } else {
            return wrong_type(where, field->key, "a list of texts");
        }
    }
    return NULL;
}

static struct err *read_field(const struct codec_field *field, const struct json *value,
    struct arena *arena, const char *where, void *object)
{
    unsigned char *member = (unsigned char *)object + field->offset;
    switch (field->type) {
    case CODEC_TYPE_TEXT:
        if (!js_is(value, JS_STRING)) {
            return wrong_type(where, field->key, "a text");
        }
        *(const char **)(void *)member = arena_strdup(arena, js_as_text(value));
        return NULL;
    case CODEC_TYPE_INT:
        if (!js_is(value, JS_INT)) {
            return wrong_type(where, field->key, "a whole number");
        }
        *(int64_t *)(void *)member = js_as_number(value, 0);
        return NULL;
    case CODEC_TYPE_BOOL:
        if (!js_is(value, JS_BOOL)) {
            return wrong_type(where, field->key, "true or false");
        }
        *(bool *)(void *)member = js_as_bool(value, false);
        return NULL;
    case CODEC_TYPE_ENUM:
        if (!js_is(value, JS_STRING) ||
            !codec_enum_value(field->names, js_as_text(value), (int *)(void *)member)) {
            return wrong_type(where, field->key, "one of the known words");
        }
        return NULL;
    case CODEC_TYPE_OBJECT: {
        struct err *err = codec_read(field->codec, value, arena, where, member);
        return err == NULL ? NULL : err_wrap(err, NULL, "in \"%s\"", field->key);
    }
    case CODEC_TYPE_LIST:
    case CODEC_TYPE_TEXTS:
        return read_list(
            field, value, arena, where, member, (unsigned char *)object + field->count_offset);
    case CODEC_TYPE_JSON:
        *(struct json **)(void *)member = js_ref(value);
        return NULL;
    }
    return NULL;
}

struct err *codec_read(const struct codec *codec, const struct json *value, struct arena *arena,
    const char *where, void *object)
{
    if (!js_is(value, JS_OBJECT)) {
        return err_new(ERR_INVALID, where, "a JSON object is expected here");
    }
    size_t known = 0;
    for (const struct codec_field *field = codec->fields; field->key != NULL; field++) {
        const struct json *member = js_get(value, field->key);
        if (member == NULL) {
            continue;
        }
        known++;
        struct err *err = read_field(field, member, arena, where, object);
        if (err != NULL) {
            return err;
        }
    }
    if (known == js_count(value)) {
        return NULL;
    }
    size_t cursor = 0;
    const char *key;
    struct json *member;
    while (js_next(value, &cursor, &key, &member)) {
        bool is_known = false;
        for (const struct codec_field *field = codec->fields; field->key != NULL; field++) {
            is_known = is_known || strcmp(field->key, key) == 0;
        }
        if (!is_known) {
            return err_new(ERR_INVALID, where, "unknown key \"%s\"", key);
        }
    }
    return NULL;
}

static void release_list(const struct codec_field *field, unsigned char *object)
{
    unsigned char *items = *(unsigned char **)(void *)(object + field->offset);
    const size_t count = *(const size_t *)member_of(object, field->count_offset);
    for (size_t i = 0; i < count; i++) {
        codec_release(field->codec, items + i * field->codec->size);
    }
}

void codec_release(const struct codec *codec, void *object)
{
    for (const struct codec_field *field = codec->fields; field->key != NULL; field++) {
        unsigned char *member = (unsigned char *)object + field->offset;
        if (field->type == CODEC_TYPE_JSON) {
            js_free_slot((struct json **)(void *)member);
        } else if (field->type == CODEC_TYPE_OBJECT) {
            codec_release(field->codec, member);
        } else if (field->type == CODEC_TYPE_LIST) {
            release_list(field, object);
        }
    }
}
