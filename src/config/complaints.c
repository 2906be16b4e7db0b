#include "config/complaints.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <strings.h>

#include "base/buf.h"

enum { SHOWN_COLUMNS_MAX = 160 }; /* of a source line; what is longer was not written by hand */

static const struct codec_field place_fields[] = {
    CODEC_INT(struct config_place, line),
    CODEC_INT(struct config_place, column),
    CODEC_INT(struct config_place, width),
    CODEC_END,
};
static const struct codec place_codec = {sizeof(struct config_place), place_fields};

static const struct codec_field complaint_fields[] = {
    CODEC_OBJECT(struct config_complaint, place, &place_codec),
    CODEC_TEXT(struct config_complaint, what),
    CODEC_TEXT(struct config_complaint, remedy),
    CODEC_END,
};
static const struct codec complaint_codec = {sizeof(struct config_complaint), complaint_fields};

static const struct codec_field complaints_fields[] = {
    CODEC_TEXT(struct config_complaints, file),
    {"mistakes", CODEC_TYPE_LIST, offsetof(struct config_complaints, items),
        offsetof(struct config_complaints, count), &complaint_codec, NULL},
    {"hidden_count", CODEC_TYPE_INT, offsetof(struct config_complaints, hidden_count), 0, NULL,
        NULL},
    CODEC_END,
};
const struct codec config_complaints_codec = {sizeof(struct config_complaints), complaints_fields};

void config_complaints_init(struct config_complaints *complaints, const char *file, struct str text)
{
    *complaints = (struct config_complaints){0};
    complaints->file = arena_strdup(&complaints->arena, file);
    if (text.size > 0) {
        const char *copy = arena_strndup(&complaints->arena, text.data, text.size);
        complaints->text = (struct str){copy, text.size};
    }
}

void config_complaints_release(struct config_complaints *complaints)
{
    arena_release(&complaints->arena);
    *complaints = (struct config_complaints){0};
}

PRINTF_LIKE(2, 0)
static char *format_text(struct arena *arena, const char *format, va_list args)
{
    AUTO_BUF text = {0};
    va_list again;
    va_copy(again, args);
    const int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    (void)vsnprintf(buf_reserve(&text, (size_t)size + 1), (size_t)size + 1, format, args);
    buf_grow_used(&text, (size_t)size);
    return arena_strdup(arena, buf_text(&text));
}

void config_complain(
    struct config_complaints *complaints, struct config_place place, const char *format, ...)
{
    if (complaints->count == CONFIG_COMPLAINTS_MAX) {
        complaints->hidden_count++;
        return;
    }
    struct config_complaint *complaint =
        arena_push(&complaints->arena, &complaints->items, &complaints->count, sizeof(*complaint));
    complaint->place = place;
    va_list args;
    va_start(args, format);
    complaint->what = format_text(&complaints->arena, format, args);
    va_end(args);
}

void config_add_remedy(struct config_complaints *complaints, const char *format, ...)
{
    if (complaints->count == 0 || complaints->hidden_count > 0) {
        return; /* the mistake noted last is only counted */
    }
    va_list args;
    va_start(args, format);
    complaints->items[complaints->count - 1].remedy = format_text(&complaints->arena, format, args);
    va_end(args);
}

void config_hide_lines(struct config_complaints *complaints, int64_t first, int64_t last)
{
    struct config_line_range *range = arena_push(
        &complaints->arena, &complaints->secrets, &complaints->secret_count, sizeof(*range));
    *range = (struct config_line_range){first, last};
}

static bool is_before(const struct config_place *a, const struct config_place *b)
{
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

void config_complaints_sort(struct config_complaints *complaints)
{
    for (size_t i = 1; i < complaints->count; i++) { /* few, and equal places stay in order */
        const struct config_complaint moved = complaints->items[i];
        size_t k = i;
        for (; k > 0 && is_before(&moved.place, &complaints->items[k - 1].place); k--) {
            complaints->items[k] = complaints->items[k - 1];
        }
        complaints->items[k] = moved;
    }
}

static struct str source_line(const struct config_complaints *complaints, int64_t number)
{
    struct str rest = complaints->text;
    struct str line = {NULL, 0};
    for (int64_t i = 0; i < number; i++) {
        if (!str_cut(&rest, '\n', &line)) {
            return (struct str){NULL, 0};
        }
    }
    if (line.size > 0 && line.data[line.size - 1] == '\r') {
        line.size--;
    }
    return line;
}

/* Besides the known places of secrets, a misspelt key or broken syntax may have one after it. */
static bool may_hold_secret(
    const struct config_complaints *complaints, int64_t number, struct str line)
{
    for (size_t i = 0; i < complaints->secret_count; i++) {
        if (number >= complaints->secrets[i].first && number <= complaints->secrets[i].last) {
            return true;
        }
    }
    for (size_t i = 0; i + 4 <= line.size; i++) {
        if (strncasecmp(line.data + i, "pass", 4) == 0) {
            return true;
        }
    }
    return false;
}

/* Blanks up to `column`, tabs kept, so that the caret stands below its character. */
static void append_indent(struct buf *text, struct str line, int64_t column)
{
    int64_t at = 1;
    for (size_t i = 0; i < line.size && at < column; i++) {
        const bool is_continued = ((unsigned char)line.data[i] & 0xC0U) == 0x80U; /* UTF-8 */
        if (!is_continued) {
            buf_append_char(text, line.data[i] == '\t' ? '\t' : ' ');
            at++;
        }
    }
}

static void append_source(struct buf *text, const struct config_complaints *complaints,
    const struct config_complaint *complaint)
{
    const struct config_place *place = &complaint->place;
    const struct str line = source_line(complaints, place->line);
    if (line.size == 0 || line.size > SHOWN_COLUMNS_MAX) {
        return;
    }
    if (may_hold_secret(complaints, place->line, line)) {
        buf_printf(text, "  %lld | (not shown: it may hold a secret)\n", (long long)place->line);
        return;
    }
    buf_printf(text, "  %lld | " STR_FMT "\n", (long long)place->line, STR_ARG(line));
    const int digits = snprintf(NULL, 0, "%lld", (long long)place->line);
    buf_printf(text, "  %*s | ", digits, "");
    append_indent(text, line, place->column);
    buf_append_char(text, '^');
    for (int64_t i = 1; i < place->width && i < SHOWN_COLUMNS_MAX; i++) {
        buf_append_char(text, '~');
    }
    buf_append_char(text, '\n');
}

char *config_complaints_text(const struct config_complaints *complaints)
{
    AUTO_BUF text = {0};
    for (size_t i = 0; i < complaints->count; i++) {
        const struct config_complaint *complaint = &complaints->items[i];
        buf_printf(&text, "%s:%lld:%lld: %s\n", complaints->file, (long long)complaint->place.line,
            (long long)complaint->place.column, complaint->what);
        append_source(&text, complaints, complaint);
        if (complaint->remedy != NULL) {
            buf_printf(&text, "  remedy: %s\n", complaint->remedy);
        }
    }
    if (complaints->hidden_count > 0) {
        buf_printf(&text, "%s: %zu more mistakes are not shown\n", complaints->file,
            complaints->hidden_count);
    }
    return buf_detach(&text);
}
