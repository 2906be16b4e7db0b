#include "config/yaml.h"

#include <string.h>

#include <libfyaml.h>

struct yaml_reader {
    struct fy_parser *parser;
    struct config_complaints *complaints;
    struct arena *arena;
};

static bool read_value(
    struct yaml_reader *reader, struct fy_event *event, int depth, struct yaml_node *ret_node);

static struct config_place place_of(struct fy_token *token)
{
    const struct fy_mark *start = token == NULL ? NULL : fy_token_start_mark(token);
    if (start == NULL) {
        return (struct config_place){0};
    }
    const struct fy_mark *end = fy_token_end_mark(token);
    struct config_place place = {.line = start->line + 1, .column = start->column + 1, .width = 1};
    if (end != NULL && end->line == start->line && end->column > start->column) {
        place.width = end->column - start->column;
    }
    return place;
}

/* libfyaml's marks leave the quotes out. */
static struct config_place place_of_scalar(struct fy_token *token)
{
    struct config_place place = place_of(token);
    const enum fy_scalar_style style = fy_token_scalar_style(token);
    if (place.line != 0 && (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED)) {
        place.column -= 1;
        place.width += 2;
    }
    return place;
}

static int64_t last_line_of(struct fy_token *token)
{
    const struct fy_mark *end = token == NULL ? NULL : fy_token_end_mark(token);
    return end == NULL ? 0 : end->line + 1;
}

static void refuse_decoration(
    struct yaml_reader *reader, struct fy_token *anchor, struct fy_token *tag)
{
    if (anchor != NULL) {
        config_complain(reader->complaints, place_of(anchor), "anchors (&) are not accepted");
        config_add_remedy(reader->complaints, "write the value out at each place");
    }
    if (tag != NULL) {
        config_complain(reader->complaints, place_of(tag), "tags (!) are not accepted");
        config_add_remedy(reader->complaints, "remove the tag; put quotes around a text");
    }
}

/* Makes a text safe to show on a terminal; true when it was not. */
static bool clean_controls(char *text, size_t size)
{
    bool is_changed = false;
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
            text[i] = '?';
            is_changed = true;
        }
    }
    return is_changed;
}

static void take_scalar(
    struct yaml_reader *reader, struct fy_event *event, struct yaml_node *ret_node)
{
    struct fy_token *token = event->scalar.value;
    size_t size = 0;
    const char *text = fy_token_get_text(token, &size);
    char *copy = arena_strndup(reader->arena, text == NULL ? "" : text, size);
    refuse_decoration(reader, event->scalar.anchor, event->scalar.tag);
    *ret_node = (struct yaml_node){.kind = YAML_SCALAR,
        .is_plain = fy_token_scalar_style(token) == FYSS_PLAIN,
        .text = copy,
        .place = place_of_scalar(token),
        .line_last = last_line_of(token)};
    if (clean_controls(copy, size)) {
        config_complain(
            reader->complaints, ret_node->place, "control characters are not accepted here");
        config_add_remedy(reader->complaints, "write the value in one line");
    }
}

/* Members that are already there with the same key: two answers to one question. */
static bool is_duplicate(
    struct yaml_reader *reader, const struct yaml_node *mapping, const struct yaml_node *key)
{
    const struct yaml_node *first = yaml_get(mapping, key->text);
    if (first == NULL) {
        return false;
    }
    config_complain(reader->complaints, key->place, "key \"%s\" is written twice", key->text);
    config_add_remedy(reader->complaints, "keep one of them; the first is in line %lld",
        (long long)first->key->place.line);
    return true;
}

static bool read_key(struct yaml_reader *reader, struct fy_event *event,
    const struct yaml_node *mapping, struct yaml_node *ret_key)
{
    if (event->type != FYET_SCALAR) {
        config_complain(reader->complaints, mapping->place, "a key in here is not a word");
        config_add_remedy(reader->complaints, "write each member like \"name: value\"");
        return false;
    }
    take_scalar(reader, event, ret_key);
    if (ret_key->place.line == 0) {
        ret_key->place = mapping->place;
    }
    return true;
}

/* Reads a mapping's value after its key, and keeps it unless the key was there before. */
static bool read_member(
    struct yaml_reader *reader, struct fy_event *event, int depth, struct yaml_node *mapping)
{
    struct yaml_node *key = arena_alloc(reader->arena, sizeof(*key));
    if (!read_key(reader, event, mapping, key)) {
        return false;
    }
    struct fy_event *value_event = fy_parser_parse(reader->parser);
    struct yaml_node value;
    const bool is_read = value_event != NULL && read_value(reader, value_event, depth, &value);
    fy_parser_event_free(reader->parser, value_event);
    if (!is_read) {
        return false;
    }
    if (value.place.line == 0) {
        value.place = key->place;
        value.line_last = key->place.line;
    }
    value.key = key;
    if (!is_duplicate(reader, mapping, key)) {
        struct yaml_node *child =
            arena_push(reader->arena, &mapping->children, &mapping->child_count, sizeof(*child));
        *child = value;
    }
    return true;
}

static bool read_element(
    struct yaml_reader *reader, struct fy_event *event, int depth, struct yaml_node *list)
{
    struct yaml_node value;
    if (!read_value(reader, event, depth, &value)) {
        return false;
    }
    if (value.place.line == 0) {
        value.place = list->place;
    }
    struct yaml_node *child =
        arena_push(reader->arena, &list->children, &list->child_count, sizeof(*child));
    *child = value;
    return true;
}

static bool read_children(struct yaml_reader *reader, int depth, struct yaml_node *node)
{
    for (;;) {
        struct fy_event *event = fy_parser_parse(reader->parser);
        if (event == NULL) {
            return false;
        }
        const enum fy_event_type type = event->type;
        bool is_read = false;
        if (type == FYET_MAPPING_END) {
            node->line_last = last_line_of(event->mapping_end.mapping_end);
        } else if (type == FYET_SEQUENCE_END) {
            node->line_last = last_line_of(event->sequence_end.sequence_end);
        } else if (node->child_count == YAML_CHILDREN_MAX) {
            config_complain(reader->complaints, node->place,
                "more than %d members are not accepted", YAML_CHILDREN_MAX);
            config_add_remedy(reader->complaints, "split the inventory into several files");
        } else {
            is_read = node->kind == YAML_MAPPING ? read_member(reader, event, depth, node)
                                                 : read_element(reader, event, depth, node);
        }
        fy_parser_event_free(reader->parser, event);
        if (type == FYET_MAPPING_END || type == FYET_SEQUENCE_END) {
            return true;
        }
        if (!is_read) {
            return false;
        }
    }
}

static bool read_container(
    struct yaml_reader *reader, struct fy_event *event, int depth, struct yaml_node *ret_node)
{
    const bool is_mapping = event->type == FYET_MAPPING_START;
    struct fy_token *token =
        is_mapping ? event->mapping_start.mapping_start : event->sequence_start.sequence_start;
    *ret_node =
        (struct yaml_node){.kind = is_mapping ? YAML_MAPPING : YAML_LIST, .place = place_of(token)};
    if (is_mapping) {
        refuse_decoration(reader, event->mapping_start.anchor, event->mapping_start.tag);
    } else {
        refuse_decoration(reader, event->sequence_start.anchor, event->sequence_start.tag);
    }
    if (depth >= YAML_DEPTH_MAX) {
        config_complain(reader->complaints, ret_node->place, "this is nested too deeply");
        config_add_remedy(reader->complaints, "no key needs more than %d levels", YAML_DEPTH_MAX);
        return false;
    }
    if (!read_children(reader, depth + 1, ret_node)) {
        return false;
    }
    for (size_t i = 0; i < ret_node->child_count; i++) {
        if (ret_node->children[i].line_last > ret_node->line_last) {
            ret_node->line_last = ret_node->children[i].line_last;
        }
    }
    return true;
}

/* Reads the value that `event` begins; false stops the reading, with a complaint made. */
static bool read_value(
    struct yaml_reader *reader, struct fy_event *event, int depth, struct yaml_node *ret_node)
{
    if (event->type == FYET_SCALAR) {
        take_scalar(reader, event, ret_node);
        return true;
    }
    if (event->type == FYET_MAPPING_START || event->type == FYET_SEQUENCE_START) {
        return read_container(reader, event, depth, ret_node);
    }
    struct fy_token *alias = event->type == FYET_ALIAS ? event->alias.anchor : NULL;
    config_complain(reader->complaints, place_of(alias), "aliases (*) are not accepted");
    config_add_remedy(reader->complaints, "write the value out; put quotes around a text");
    return false;
}

/* Reads the one document of the stream; its root stays an empty scalar when there is none. */
static bool read_stream(struct yaml_reader *reader, struct yaml_node *root)
{
    size_t document_count = 0;
    struct fy_event *event;
    bool goes_on = true;
    while (goes_on && (event = fy_parser_parse(reader->parser)) != NULL) {
        if (event->type == FYET_DOCUMENT_START) {
            document_count++;
            if (document_count > 1) {
                config_complain(reader->complaints, place_of(event->document_start.document_start),
                    "a second document begins here");
                config_add_remedy(reader->complaints, "remove the line \"---\" and what follows");
                goes_on = false;
            }
        } else if (event->type != FYET_STREAM_START && event->type != FYET_STREAM_END &&
                   event->type != FYET_DOCUMENT_END) {
            goes_on = read_value(reader, event, 0, root);
        }
        fy_parser_event_free(reader->parser, event);
    }
    return goes_on && !fy_parser_get_stream_error(reader->parser);
}

/* The length of the UTF-8 character at `text`, or 0 when it is none or a control character. */
static size_t character_size(struct str text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    if (bytes[0] < 0x80) {
        const bool is_text = bytes[0] >= ' ' && bytes[0] != 0x7f;
        return is_text || bytes[0] == '\t' || bytes[0] == '\n' ||
               (bytes[0] == '\r' && text.size > 1 && bytes[1] == '\n');
    }
    const size_t size = bytes[0] >= 0xF0 ? 4 : bytes[0] >= 0xE0 ? 3 : 2;
    if (bytes[0] < 0xC2 || bytes[0] > 0xF4 || size > text.size) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xC0U) != 0x80) {
            return 0;
        }
    }
    return size;
}

/* What libfyaml is not to see: it ends at a zero byte, passes broken UTF-8 on, and version 0.7.12
 * never comes back from a line that is only "%", which begins a directive. */
static bool is_clean_text(struct config_complaints *complaints)
{
    struct config_place place = {.line = 1, .column = 1, .width = 1};
    struct str rest = complaints->text;
    if (str_starts_with(rest, "\xef\xbb\xbf")) { /* a byte order mark: no character */
        rest = (struct str){rest.data + 3, rest.size - 3};
    }
    while (rest.size > 0) {
        const size_t size = character_size(rest);
        if (size == 0) {
            config_complain(
                complaints, place, "byte 0x%02x is not text", (unsigned char)*rest.data);
            config_add_remedy(complaints, "save the file as UTF-8 without control characters");
            return false;
        }
        if (*rest.data == '%' && place.column == 1) {
            config_complain(complaints, place, "directives (%%) are not accepted");
            config_add_remedy(complaints, "remove the line; put quotes around a text");
            return false;
        }
        const bool is_end = *rest.data == '\n';
        place.column = is_end ? 1 : place.column + 1;
        place.line += is_end;
        rest = (struct str){rest.data + size, rest.size - size};
    }
    return true;
}

/* What libfyaml itself found wrong: the syntax. It stops at the first mistake. */
static void take_syntax_errors(struct config_complaints *complaints, struct fy_diag *diag)
{
    void *cursor = NULL;
    struct fy_diag_error *error;
    while ((error = fy_diag_errors_iterate(diag, &cursor)) != NULL) {
        const struct config_place place = {
            .line = error->line, .column = error->column, .width = 1};
        config_complain(complaints, place, "this is not YAML: %s", error->msg);
        config_add_remedy(complaints,
            "check indentation (blanks, never tabs), brackets and quotes at and above this line");
    }
}

const struct yaml_node *yaml_parse(struct config_complaints *complaints, struct arena *arena)
{
    if (!is_clean_text(complaints)) {
        return NULL;
    }
    struct yaml_node *root = arena_alloc(arena, sizeof(*root));
    *root = (struct yaml_node){
        .is_plain = true, .text = "", .place = {.line = 1, .column = 1, .width = 1}};
    if (complaints->text.size == 0) {
        return root;
    }
    struct fy_diag_cfg diag_config;
    fy_diag_cfg_default(&diag_config);
    diag_config.fp = NULL; /* collected instead of printed */
    struct fy_diag *diag = fy_diag_create(&diag_config);
    fy_diag_set_collect_errors(diag, true);
    const struct fy_parse_cfg parse_config = {
        .flags = FYPCF_QUIET | FYPCF_JSON_NONE | FYPCF_COLLECT_DIAG, .diag = diag};
    struct yaml_reader reader = {
        .parser = fy_parser_create(&parse_config), .complaints = complaints, .arena = arena};
    const size_t complaints_before = complaints->count + complaints->hidden_count;
    bool is_good = reader.parser != NULL && fy_parser_set_string(reader.parser,
                                                complaints->text.data, complaints->text.size) == 0;
    if (is_good) {
        is_good = read_stream(&reader, root);
        take_syntax_errors(complaints, diag);
    }
    if (!is_good && complaints->count + complaints->hidden_count == complaints_before) {
        config_complain(complaints, root->place, "the YAML parser gave up without a reason");
    }
    if (reader.parser != NULL) {
        fy_parser_destroy(reader.parser);
    }
    fy_diag_destroy(diag);
    return is_good ? root : NULL;
}

const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *name)
{
    for (size_t i = 0; i < mapping->child_count; i++) {
        if (strcmp(mapping->children[i].key->text, name) == 0) {
            return &mapping->children[i];
        }
    }
    return NULL;
}

bool yaml_is_empty(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR && node->is_plain &&
           (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
               strcmp(node->text, "null") == 0);
}

struct config_place yaml_name_place(const struct yaml_node *node)
{
    return node->key == NULL ? node->place : node->key->place;
}
