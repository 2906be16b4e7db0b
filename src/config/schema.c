#include "config/schema.h"

#include <string.h>

#include "base/buf.h"

static void *slot_of(void *object, const struct schema_key *key)
{
    return (unsigned char *)object + key->offset;
}

static size_t key_count(const struct schema *schema)
{
    size_t count = 0;
    while (schema->keys[count].name != NULL) {
        count++;
    }
    return count;
}

static const struct schema_key *find_key(const struct schema *schema, const char *name)
{
    for (const struct schema_key *key = schema->keys; key->name != NULL; key++) {
        if (text_equal(key->name, name)) {
            return key;
        }
    }
    return NULL;
}

static const char *join_words(struct arena *arena, const char *const *words, size_t count)
{
    AUTO_BUF text = {0};
    for (size_t i = 0; i < count; i++) {
        buf_printf(&text, "%s%s", i == 0 ? "" : ", ", words[i]);
    }
    return arena_strdup(arena, buf_text(&text));
}

/* The remedy for a word that is none of the known ones. */
static void suggest(
    struct schema_reader *reader, const char *wrong, const char *const *words, size_t count)
{
    const char *nearest = str_nearest(wrong, words, count);
    if (nearest != NULL) {
        config_add_remedy(reader->complaints, "did you mean \"%s\"?", nearest);
    } else {
        config_add_remedy(
            reader->complaints, "use one of: %s", join_words(reader->arena, words, count));
    }
}

static void refuse_unknown_key(
    struct schema_reader *reader, const struct yaml_node *key, const struct schema *schema)
{
    const size_t count = key_count(schema);
    const char **names = arena_alloc_array(reader->arena, count, sizeof(*names));
    for (size_t i = 0; i < count; i++) {
        names[i] = schema->keys[i].name;
    }
    config_complain(reader->complaints, key->place, "unknown key \"%s\"", key->text);
    suggest(reader, key->text, names, count);
}

static void add_example(struct schema_reader *reader, const struct schema_key *key)
{
    config_add_remedy(reader->complaints, "write it like \"%s: %s\"", key->name, key->example);
}

void schema_read(struct schema_reader *reader, const struct yaml_node *mapping,
    const struct schema *schema, void *object)
{
    if (mapping->kind != YAML_MAPPING) {
        config_complain(
            reader->complaints, yaml_name_place(mapping), "%s must be a mapping", schema->what);
        config_add_remedy(
            reader->complaints, "write its keys below it, indented, or as {key: value}");
        return;
    }
    for (size_t i = 0; i < mapping->child_count; i++) {
        const struct yaml_node *child = &mapping->children[i];
        const struct schema_key *key = find_key(schema, child->key->text);
        if (key == NULL) {
            refuse_unknown_key(reader, child->key, schema);
        } else {
            key->read(reader, key, child, object);
        }
    }
    for (const struct schema_key *key = schema->keys; key->name != NULL; key++) {
        if (key->is_required && yaml_get(mapping, key->name) == NULL) {
            config_complain(reader->complaints, yaml_name_place(mapping), "%s needs the key \"%s\"",
                schema->what, key->name);
            config_add_remedy(reader->complaints, "add \"%s: %s\"", key->name, key->example);
        }
    }
}

void schema_refuse_kind(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, const char *wanted)
{
    config_complain(reader->complaints, value->place, "\"%s\" must be %s", key->name, wanted);
    add_example(reader, key);
}

bool schema_check_form(
    struct schema_reader *reader, const struct yaml_node *node, const struct schema_form *form)
{
    if (form->is_good(node->text)) {
        return true;
    }
    config_complain(reader->complaints, node->place, "this is not %s", form->what);
    config_add_remedy(reader->complaints, "%s", form->rule);
    return false;
}

static bool is_text(const struct yaml_node *value)
{
    return value->kind == YAML_SCALAR && value->text[0] != '\0' && !yaml_is_empty(value);
}

void schema_text(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, void *object)
{
    if (!is_text(value)) {
        schema_refuse_kind(reader, key, value, "a text");
    } else if (key->form == NULL || schema_check_form(reader, value, key->form)) {
        *(const char **)slot_of(object, key) = arena_strdup(reader->arena, value->text);
    }
}

static void cut_last_folder(struct buf *path)
{
    while (path->size > 0) {
        path->size--;
        if (path->data[path->size] == '/') {
            break;
        }
    }
}

const char *schema_resolve_path(struct schema_reader *reader, const char *path)
{
    AUTO_BUF whole = {0};
    AUTO_BUF clean = {0};
    buf_printf(&whole, "%s/%s", path[0] == '/' ? "" : reader->folder, path);
    struct str rest = str_of(buf_text(&whole));
    struct str part;
    while (str_cut(&rest, '/', &part)) {
        if (part.size == 0 || str_is(part, ".")) {
            continue;
        }
        if (str_is(part, "..")) {
            cut_last_folder(&clean);
            continue;
        }
        buf_append_char(&clean, '/');
        buf_append_str(&clean, part);
    }
    return clean.size == 0 ? "/" : arena_strndup(reader->arena, clean.data, clean.size);
}

void schema_path(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, void *object)
{
    enum { PATH_SIZE_MAX = 1024 }; /* leaves room for file names below it */
    if (!is_text(value) || strlen(value->text) > PATH_SIZE_MAX) {
        schema_refuse_kind(reader, key, value, "a path");
        return;
    }
    *(const char **)slot_of(object, key) = schema_resolve_path(reader, value->text);
}

void schema_texts(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, void *object)
{
    bool is_good = value->kind == YAML_LIST;
    for (size_t i = 0; is_good && i < value->child_count; i++) {
        is_good = is_text(&value->children[i]);
    }
    if (!is_good) {
        schema_refuse_kind(reader, key, value, "a list of texts");
        return;
    }
    const char **texts = arena_alloc_array(reader->arena, value->child_count + 1, sizeof(*texts));
    for (size_t i = 0; i < value->child_count; i++) {
        texts[i] = arena_strdup(reader->arena, value->children[i].text);
    }
    *(const char *const **)slot_of(object, key) = texts;
    *(size_t *)(void *)((unsigned char *)object + key->count_offset) = value->child_count;
}

static bool check_range(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, int64_t number)
{
    if (number >= key->min && number <= key->max) {
        return true;
    }
    config_complain(reader->complaints, value->place, "\"%s\" must be between %lld and %lld",
        key->name, (long long)key->min, (long long)key->max);
    add_example(reader, key);
    return false;
}

void schema_number(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, void *object)
{
    int64_t number;
    if (value->kind != YAML_SCALAR || !value->is_plain ||
        !str_to_int64(str_of(value->text), &number)) {
        schema_refuse_kind(reader, key, value, "a whole number");
    } else if (check_range(reader, key, value, number)) {
        *(int64_t *)slot_of(object, key) = number;
    }
}

/* Reads "64MiB", "1024" (bytes); false when it is neither or too large. */
static bool read_bytes(const char *text, int64_t *ret_bytes)
{
    static const struct {
        const char *name;
        int64_t factor;
    } units[] = {
        {"", 1}, {"B", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}};
    const size_t digits = strspn(text, "0123456789");
    int64_t number;
    if (!str_to_int64((struct str){text, digits}, &number)) {
        return false;
    }
    const struct str unit = str_trim(str_of(text + digits));
    for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
        if (str_is(unit, units[i].name)) {
            return !__builtin_mul_overflow(number, units[i].factor, ret_bytes);
        }
    }
    return false;
}

void schema_bytes(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, void *object)
{
    int64_t bytes;
    if (value->kind != YAML_SCALAR || !read_bytes(value->text, &bytes)) {
        schema_refuse_kind(reader, key, value, "a size in bytes, KiB, MiB or GiB");
    } else if (check_range(reader, key, value, bytes)) {
        *(int64_t *)slot_of(object, key) = bytes;
    }
}

void schema_bool(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, void *object)
{
    const bool is_word = value->kind == YAML_SCALAR && value->is_plain;
    if (is_word && (text_equal(value->text, "true") || text_equal(value->text, "false"))) {
        *(bool *)slot_of(object, key) = text_equal(value->text, "true");
    } else {
        schema_refuse_kind(reader, key, value, "true or false");
    }
}

static size_t count_words(const char *const *words)
{
    size_t count = 0;
    while (words != NULL && words[count] != NULL) {
        count++;
    }
    return count;
}

static bool has_word(const char *const *words, const char *word, size_t *ret_index)
{
    for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
        if (text_equal(words[i], word)) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

bool schema_find_word(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, size_t *ret_index)
{
    if (!is_text(value)) {
        schema_refuse_kind(reader, key, value, "a word");
        return false;
    }
    if (has_word(key->words, value->text, ret_index)) {
        return true;
    }
    size_t planned;
    if (has_word(key->planned, value->text, &planned)) {
        config_complain(reader->complaints, value->place, "\"%s: %s\" is planned, not built yet",
            key->name, value->text);
        config_add_remedy(reader->complaints, "use one of: %s",
            join_words(reader->arena, key->words, count_words(key->words)));
        return false;
    }
    config_complain(
        reader->complaints, value->place, "\"%s\" cannot be \"%s\"", key->name, value->text);
    suggest(reader, value->text, key->words, count_words(key->words));
    return false;
}

void schema_word(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, void *object)
{
    size_t index;
    if (schema_find_word(reader, key, value, &index)) {
        *(int *)slot_of(object, key) = (int)index;
    }
}

void schema_choice(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, void *object)
{
    size_t index;
    if (schema_find_word(reader, key, value, &index)) {
        *(const char **)slot_of(object, key) = key->words[index];
    }
}

void schema_mapping(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, void *object)
{
    schema_read(reader, value, key->mapping, slot_of(object, key));
}
