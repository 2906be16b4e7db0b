/*
 * config/schema.h - mappings to structs by table.
 *
 * One `struct schema` lists the keys that a mapping may have, what their values are and where they
 * go. schema_read() fills a struct from a mapping and complains about everything that does not fit:
 * unknown and missing keys, wrong types, numbers out of range, words that do not exist or are not
 * built yet. Defaults are put into the struct before. To see what a file may say, read the tables.
 */
#ifndef UPSHIFT_CONFIG_SCHEMA_H
#define UPSHIFT_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/complaints.h"
#include "config/yaml.h"

struct schema_reader {
    struct arena *arena; /* of what is read */
    struct config_complaints *complaints;
    const char *folder; /* absolute; relative paths begin here */
};

struct schema_key;
struct schema;

/* Puts the value of a key into `object`, or complains. */
typedef void schema_reading(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, void *object);

/* How a free text must look. */
struct schema_form {
    bool (*is_good)(const char *text);
    const char *what; /* "a cluster name" */
    const char *rule; /* "use letters, ...", the remedy */
};

struct schema_key {
    const char *name;
    const char *example; /* a good value, for the remedy */
    schema_reading *read;
    size_t offset;
    size_t count_offset;            /* schema_texts */
    int64_t min, max;               /* schema_number and schema_bytes, both included */
    const char *const *words;       /* schema_word and schema_choice: NULL-terminated */
    const char *const *planned;     /* words that will exist: refused as not built yet, or NULL */
    const struct schema_form *form; /* schema_text; NULL: any */
    const struct schema *mapping;   /* schema_mapping */
    bool is_required;
};

struct schema {
    const char *what;              /* "a node" */
    const struct schema_key *keys; /* ended by a NULL name */
};

/* The kinds of values, for the `read` column. */
schema_reading schema_text;    /* const char * */
schema_reading schema_path;    /* const char *, absolute */
schema_reading schema_texts;   /* const char *const *, size_t */
schema_reading schema_number;  /* int64_t */
schema_reading schema_bytes;   /* int64_t: "64MiB" */
schema_reading schema_bool;    /* bool */
schema_reading schema_word;    /* an enum of int size: index in `words` */
schema_reading schema_choice;  /* const char *, one of `words` */
schema_reading schema_mapping; /* a struct at `offset`, read by `mapping` */

/* Rows of a table, by the kind of value. */
#define SCHEMA_NUMBER(type, member, key, sample, least, most, required)                            \
    {                                                                                              \
        .name = (key), .example = (sample), .read = schema_number,                                 \
        .offset = offsetof(type, member), .min = (least), .max = (most), .is_required = (required) \
    }
#define SCHEMA_BYTES(type, member, key, sample, least, most)                                       \
    {                                                                                              \
        .name = (key), .example = (sample), .read = schema_bytes,                                  \
        .offset = offsetof(type, member), .min = (least), .max = (most)                            \
    }
#define SCHEMA_PATH(type, member, key, sample, required)                                           \
    {                                                                                              \
        .name = (key), .example = (sample), .read = schema_path, .offset = offsetof(type, member), \
        .is_required = (required)                                                                  \
    }
#define SCHEMA_CHOICE(type, member, key, sample, known, later, required)                           \
    {                                                                                              \
        .name = (key), .example = (sample), .read = schema_choice,                                 \
        .offset = offsetof(type, member), .words = (known), .planned = (later),                    \
        .is_required = (required)                                                                  \
    }
#define SCHEMA_WORD(type, member, key, sample, known, later)                                       \
    {                                                                                              \
        .name = (key), .example = (sample), .read = schema_word, .offset = offsetof(type, member), \
        .words = (known), .planned = (later)                                                       \
    }
#define SCHEMA_TEXT(type, member, key, sample, how, required)                                      \
    {                                                                                              \
        .name = (key), .example = (sample), .read = schema_text, .offset = offsetof(type, member), \
        .form = (how), .is_required = (required)                                                   \
    }
#define SCHEMA_MAPPING(type, member, key, sample, table)                                           \
    {                                                                                              \
        .name = (key), .example = (sample), .read = schema_mapping,                                \
        .offset = offsetof(type, member), .mapping = (table)                                       \
    }
/* A mapping whose members go into the same struct. */
#define SCHEMA_INLINED(key, sample, table)                                                         \
    {                                                                                              \
        .name = (key), .example = (sample), .read = schema_mapping, .mapping = (table)             \
    }
/* A reading of the reader's own, which gets the whole struct. */
#define SCHEMA_OWN(key, sample, reading, required)                                                 \
    {                                                                                              \
        .name = (key), .example = (sample), .read = (reading), .is_required = (required)           \
    }
#define SCHEMA_BOOL(type, member, key, sample, required)                                           \
    {                                                                                              \
        .name = (key), .example = (sample), .read = schema_bool, .offset = offsetof(type, member), \
        .is_required = (required)                                                                  \
    }
#define SCHEMA_TEXTS(type, member, count_member, key, sample, required)                            \
    {                                                                                              \
        .name = (key), .example = (sample), .read = schema_texts,                                  \
        .offset = offsetof(type, member), .count_offset = offsetof(type, count_member),            \
        .is_required = (required)                                                                  \
    }
#define SCHEMA_END                                                                                 \
    {                                                                                              \
        .name = NULL                                                                               \
    }

/* Reads all members of `mapping` into `object`. */
void schema_read(struct schema_reader *reader, const struct yaml_node *mapping,
    const struct schema *schema, void *object);

/* Says that a value is of another kind than wanted: "\"rate\" must be a whole number". */
void schema_refuse_kind(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, const char *wanted);

/* Which of the key's words is `value`? Complains and returns false when it is none. */
bool schema_find_word(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, size_t *ret_index);

/* Is `node` a text of that form? Complains if not. */
bool schema_check_form(
    struct schema_reader *reader, const struct yaml_node *node, const struct schema_form *form);

/* An absolute path without "." and "..", relative ones beginning at the reader's folder. */
const char *schema_resolve_path(struct schema_reader *reader, const char *path);

#endif
