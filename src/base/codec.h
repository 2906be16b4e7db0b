/*
 * base/codec.h - structs to JSON and back by table.
 *
 * A `struct codec` lists the members of one struct with their JSON keys. The same table writes,
 * reads, and so guarantees that a round trip is exact. Used for facts, plans and journal records.
 *
 *     static const struct codec_field point_fields[] = {
 *         CODEC_INT(struct point, x), CODEC_TEXT(struct point, label), CODEC_END};
 *     static const struct codec point_codec = {sizeof(struct point), point_fields};
 */
#ifndef UPSHIFT_BASE_CODEC_H
#define UPSHIFT_BASE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/json.h"

enum codec_type {
    CODEC_TYPE_TEXT,   /* const char *; NULL is left out */
    CODEC_TYPE_INT,    /* int64_t */
    CODEC_TYPE_BOOL,   /* bool */
    CODEC_TYPE_ENUM,   /* an enum of int size; `names` gives its words */
    CODEC_TYPE_OBJECT, /* an embedded struct */
    CODEC_TYPE_LIST,   /* pointer to structs, count in the size_t member at `count_offset` */
    CODEC_TYPE_TEXTS,  /* const char **, count likewise */
    CODEC_TYPE_JSON,   /* struct json *, copied on writing; on reading a new reference, which
                          codec_release() frees */
};

struct codec;

struct codec_field {
    const char *key; /* NULL ends the table */
    enum codec_type type;
    size_t offset;
    size_t count_offset;       /* lists only */
    const struct codec *codec; /* objects and lists of structs */
    const char *const *names;  /* enums: NULL-terminated words, index = value */
};

struct codec {
    size_t size; /* of the struct */
    const struct codec_field *fields;
};

#define CODEC_TEXT(type, member)                                                                   \
    {                                                                                              \
#member, CODEC_TYPE_TEXT, offsetof(type, member), 0, NULL, NULL                            \
    }
#define CODEC_INT(type, member)                                                                    \
    {                                                                                              \
#member, CODEC_TYPE_INT, offsetof(type, member), 0, NULL, NULL                             \
    }
#define CODEC_BOOL(type, member)                                                                   \
    {                                                                                              \
#member, CODEC_TYPE_BOOL, offsetof(type, member), 0, NULL, NULL                            \
    }
#define CODEC_JSON(type, member)                                                                   \
    {                                                                                              \
#member, CODEC_TYPE_JSON, offsetof(type, member), 0, NULL, NULL                            \
    }
#define CODEC_ENUM(type, member, words)                                                            \
    {                                                                                              \
#member, CODEC_TYPE_ENUM, offsetof(type, member), 0, NULL, words                           \
    }
#define CODEC_OBJECT(type, member, table)                                                          \
    {                                                                                              \
#member, CODEC_TYPE_OBJECT, offsetof(type, member), 0, table, NULL                         \
    }
#define CODEC_LIST(type, member, count_member, table)                                              \
    {                                                                                              \
#member, CODEC_TYPE_LIST, offsetof(type, member), offsetof(type, count_member), table,     \
            NULL                                                                                   \
    }
#define CODEC_TEXTS(type, member, count_member)                                                    \
    {                                                                                              \
#member, CODEC_TYPE_TEXTS, offsetof(type, member), offsetof(type, count_member), NULL,     \
            NULL                                                                                   \
    }
#define CODEC_END                                                                                  \
    {                                                                                              \
        NULL, CODEC_TYPE_TEXT, 0, 0, NULL, NULL                                                    \
    }

/* Writes `object` as JSON. Owns: caller frees. */
MUST_USE RETURNS_NONNULL struct json *codec_write(const struct codec *codec, const void *object);

/* Reads JSON into zeroed `object`; strings and lists go to `arena`. Missing keys stay zero.
 * Errors: ERR_INVALID for an unknown key, a wrong type or an unknown enum word, naming the path. */
MUST_USE struct err *codec_read(const struct codec *codec, const struct json *value,
    struct arena *arena, const char *where, void *object);

/* Frees the JSON members of `object` and of all that is in it, also of a half-read one. Strings and
 * lists stay: the arena has them. */
void codec_release(const struct codec *codec, void *object);

/* The word of an enum value, "?" outside the list. */
const char *codec_enum_name(const char *const *names, int value);

/* The value of a word; false when unknown. */
bool codec_enum_value(const char *const *names, const char *word, int *ret_value);

#endif
