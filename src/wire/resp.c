#include "wire/resp.h"

#include <stdarg.h>

enum {
    DEPTH_MAX = 16,
    BULK_SIZE_MAX = 512 * 1024 * 1024, /* the servers' own proto-max-bulk-len */
    LINE_SIZE_MAX = 64 * 1024,         /* the servers' own limit of an inline line */
    VERBATIM_PREFIX_SIZE = 4,          /* "txt:" */
};

/*
 * The parser walks the input once; an array of N elements takes N neighbouring places of the pool
 * before its elements are parsed, and the elements' own children take the places behind them:
 *
 *     *2 [ :1, *2 [ :2, :3 ] ]      pool:  [ :1 ][ *2 ][ :2 ][ :3 ]
 *                                                  `----^ items
 */
struct parser {
    struct str input; /* what is left */
    struct resp *pool;
    size_t pool_left;
    unsigned depth;
};

static enum resp_result parse_value(struct parser *parser, struct resp *ret_value);

/* Cuts one line, without its CR LF. */
static enum resp_result parse_line(struct parser *parser, struct str *ret_line)
{
    const char *start = parser->input.data;
    const size_t size = parser->input.size;
    size_t end = 0;
    while (end < size && start[end] != '\r' && start[end] != '\n') {
        end++;
    }
    if (end > LINE_SIZE_MAX || (end < size && start[end] == '\n') ||
        (end + 1 < size && start[end + 1] != '\n')) {
        return RESP_BAD;
    }
    if (end + 1 >= size) {
        return RESP_MORE;
    }
    *ret_line = (struct str){start, end};
    parser->input = (struct str){start + end + 2, size - end - 2};
    return RESP_DONE;
}

/* A line that is one decimal number; RESP3 allows a plus sign. */
static enum resp_result parse_number(struct parser *parser, int64_t *ret_number)
{
    struct str line;
    const enum resp_result result = parse_line(parser, &line);
    if (result != RESP_DONE) {
        return result;
    }
    if (line.size > 1 && line.data[0] == '+' && line.data[1] != '-') {
        line = (struct str){line.data + 1, line.size - 1};
    }
    return str_to_int64(line, ret_number) ? RESP_DONE : RESP_BAD;
}

static enum resp_result parse_bulk(struct parser *parser, char mark, struct resp *ret_value)
{
    int64_t number;
    const enum resp_result result = parse_number(parser, &number);
    if (result != RESP_DONE) {
        return result;
    }
    if (number == -1 && mark == '$') {
        ret_value->type = RESP_NULL;
        return RESP_DONE;
    }
    if (number < (mark == '=' ? VERBATIM_PREFIX_SIZE : 0) || number > BULK_SIZE_MAX) {
        return RESP_BAD;
    }
    const size_t size = (size_t)number;
    const struct str input = parser->input;
    if ((input.size > size && input.data[size] != '\r') ||
        (input.size > size + 1 && input.data[size + 1] != '\n') ||
        (mark == '=' && input.size >= VERBATIM_PREFIX_SIZE &&
            input.data[VERBATIM_PREFIX_SIZE - 1] != ':')) {
        return RESP_BAD;
    }
    if (input.size < size + 2) {
        return RESP_MORE;
    }
    const size_t skipped = mark == '=' ? VERBATIM_PREFIX_SIZE : 0;
    ret_value->text = (struct str){input.data + skipped, size - skipped};
    parser->input = (struct str){input.data + size + 2, input.size - size - 2};
    return RESP_DONE;
}

static enum resp_result parse_items(
    struct parser *parser, size_t items_per_count, struct resp *ret_value)
{
    int64_t count;
    enum resp_result result = parse_number(parser, &count);
    if (result != RESP_DONE) {
        return result;
    }
    if (count == -1 && ret_value->type == RESP_ARRAY && !ret_value->is_push) {
        ret_value->type = RESP_NULL;
        return RESP_DONE;
    }
    if (count < 0 || (uint64_t)count > parser->pool_left / items_per_count ||
        parser->depth == DEPTH_MAX) {
        return RESP_BAD;
    }
    struct resp *items = parser->pool;
    const size_t item_count = (size_t)count * items_per_count;
    parser->pool = item_count == 0 ? items : items + item_count; /* the pool may be NULL */
    parser->pool_left -= item_count;
    parser->depth++;
    for (size_t i = 0; i < item_count && result == RESP_DONE; i++) {
        result = parse_value(parser, &items[i]);
    }
    parser->depth--;
    ret_value->items = items;
    ret_value->count = (size_t)count;
    return result;
}

/* Attributes are remarks of a RESP3 server about the value that follows; nobody here uses them. */
static enum resp_result skip_attributes(struct parser *parser)
{
    while (parser->input.size > 0 && parser->input.data[0] == '|') {
        const struct parser before = *parser;
        struct resp ignored = {.type = RESP_MAP};
        parser->input = (struct str){before.input.data + 1, before.input.size - 1};
        const enum resp_result result = parse_items(parser, 2, &ignored);
        if (result != RESP_DONE) {
            return result;
        }
        parser->pool = before.pool;
        parser->pool_left = before.pool_left;
    }
    return RESP_DONE;
}

static enum resp_result parse_bool(struct parser *parser, struct resp *ret_value)
{
    struct str line = {NULL, 0};
    const enum resp_result result = parse_line(parser, &line);
    if (result == RESP_DONE && !str_is(line, "t") && !str_is(line, "f")) {
        return RESP_BAD;
    }
    ret_value->number = str_is(line, "t") ? 1 : 0;
    return result;
}

/* Null and the numbers that stay text; only null's line is empty. */
static enum resp_result parse_text(struct parser *parser, struct resp *ret_value)
{
    const enum resp_result result = parse_line(parser, &ret_value->text);
    if (result == RESP_DONE && (ret_value->type == RESP_NULL) != (ret_value->text.size == 0)) {
        return RESP_BAD;
    }
    return result;
}

static enum resp_result parse_marked(struct parser *parser, char mark, struct resp *ret_value)
{
    *ret_value = (struct resp){.type = RESP_STRING};
    switch (mark) {
    case '-':
        ret_value->type = RESP_ERROR;
        return parse_line(parser, &ret_value->text);
    case '+':
        return parse_line(parser, &ret_value->text);
    case '!':
        ret_value->type = RESP_ERROR;
        return parse_bulk(parser, mark, ret_value);
    case '$':
    case '=':
        return parse_bulk(parser, mark, ret_value);
    case ':':
        ret_value->type = RESP_INTEGER;
        return parse_number(parser, &ret_value->number);
    case '#':
        ret_value->type = RESP_BOOL;
        return parse_bool(parser, ret_value);
    case '_':
        ret_value->type = RESP_NULL;
        return parse_text(parser, ret_value);
    case ',':
    case '(':
        ret_value->type = RESP_DOUBLE;
        return parse_text(parser, ret_value);
    case '*':
    case '~':
    case '>':
        ret_value->type = RESP_ARRAY;
        ret_value->is_push = mark == '>';
        return parse_items(parser, 1, ret_value);
    case '%':
        ret_value->type = RESP_MAP;
        return parse_items(parser, 2, ret_value);
    default:
        return RESP_BAD;
    }
}

static enum resp_result parse_value(struct parser *parser, struct resp *ret_value)
{
    const enum resp_result result = skip_attributes(parser);
    if (result != RESP_DONE) {
        return result;
    }
    if (parser->input.size == 0) {
        return RESP_MORE;
    }
    const char mark = parser->input.data[0];
    parser->input = (struct str){parser->input.data + 1, parser->input.size - 1};
    return parse_marked(parser, mark, ret_value);
}

enum resp_result resp_parse(struct str input, struct resp *pool, size_t pool_count,
    struct resp *ret_value, size_t *ret_used)
{
    struct parser parser = {.input = input, .pool = pool, .pool_left = pool_count};
    struct resp value;
    const enum resp_result result = parse_value(&parser, &value);
    if (result == RESP_DONE) {
        *ret_value = value;
        *ret_used = input.size - parser.input.size;
    }
    return result;
}

void resp_append_command(struct buf *output, const struct str *args, size_t arg_count)
{
    buf_printf(output, "*%zu\r\n", arg_count);
    for (size_t i = 0; i < arg_count; i++) {
        buf_printf(output, "$%zu\r\n", args[i].size);
        buf_append_str(output, args[i]);
        buf_append_text(output, "\r\n");
    }
}

void resp_append(struct buf *output, ...)
{
    va_list args;
    va_start(args, output);
    size_t count = 0;
    while (va_arg(args, const char *) != NULL) {
        count++;
    }
    va_end(args);
    buf_printf(output, "*%zu\r\n", count);
    va_start(args, output);
    for (size_t i = 0; i < count; i++) {
        const char *text = va_arg(args, const char *);
        buf_printf(output, "$%zu\r\n%s\r\n", strlen(text), text);
    }
    va_end(args);
}

const struct resp *resp_find(const struct resp *map, const char *key)
{
    if (map == NULL || (map->type != RESP_MAP && map->type != RESP_ARRAY)) {
        return NULL;
    }
    const size_t item_count = map->type == RESP_MAP ? map->count * 2 : map->count;
    for (size_t i = 0; i + 1 < item_count; i += 2) {
        if (map->items[i].type == RESP_STRING && str_is(map->items[i].text, key)) {
            return &map->items[i + 1];
        }
    }
    return NULL;
}
