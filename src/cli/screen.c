#include "cli/screen.h"

#include <string.h>

#include "base/attr.h"
#include "base/str.h"
#include "cli/screen_parts.h"

/*
 *   head        always         run, title, state; bar, steps, time left, way back
 *   phases      when they fit  one line each
 *   nodes       all, or a summary and those that need attention
 *   now         steps in work
 *   sentences   always         why it waits, what it asks
 *   probe       always
 *   events      what is left
 *   keys        always
 */
enum { STEP_ROWS_MAX = 6, EVENT_ROWS_MIN = 2 };

static const char *const style_begin[] = {
    [SCREEN_PLAIN] = "",
    [SCREEN_DIM] = "\x1b[2m",
    [SCREEN_BOLD] = "\x1b[1m",
    [SCREEN_GOOD] = "\x1b[32m",
    [SCREEN_BUSY] = "\x1b[36m",
    [SCREEN_BAD] = "\x1b[1;31m",
};

/* Length in bytes of the character at `text`; 1 for what is not UTF-8. */
static size_t measure_character(const char *text)
{
    const unsigned char lead = (unsigned char)text[0];
    const size_t size = lead < 0xc2 ? 1 : (lead < 0xe0 ? 2 : (lead < 0xf0 ? 3 : 4));
    for (size_t i = 1; i < size; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80) {
            return 1;
        }
    }
    return size;
}

static bool is_steering(const char *character, size_t size)
{
    const unsigned char lead = (unsigned char)character[0];
    if (size == 1) {
        return lead < 0x20 || lead >= 0x7f;
    }
    return size == 2 && lead == 0xc2 && (unsigned char)character[1] < 0xa0; /* C1 */
}

void screen_append_safe(struct buf *buf, const char *text, size_t width)
{
    size_t column = 0;
    while (*text != '\0') {
        const size_t size = measure_character(text);
        if (*text == '\n') {
            buf_append_char(buf, '\n');
            column = 0;
        } else if (column < width) {
            const bool is_bad = is_steering(text, size);
            buf_append(buf, is_bad ? "?" : text, is_bad ? 1 : size);
            column++;
        }
        text += size;
    }
}

struct sheet {
    const struct screen *screen;
    struct buf *text;
    size_t left; /* lines that may still be used */
};

static void put_line(struct sheet *sheet, struct screen_line line)
{
    if (sheet->left == 0) {
        return;
    }
    sheet->left--;
    const bool is_styled = sheet->screen->has_color && line.style != SCREEN_PLAIN;
    if (is_styled) {
        buf_append_text(sheet->text, style_begin[line.style]);
    }
    screen_append_safe(sheet->text, line.text, sheet->screen->width);
    buf_append_text(sheet->text, is_styled ? "\x1b[0m\n" : "\n");
}

/* A part and the empty line before it, which goes first when lines are few. */
static void put_part(struct sheet *sheet, const struct screen_part *part, bool has_gap)
{
    if (part->count > 0 && has_gap) {
        put_line(sheet, (struct screen_line){"", SCREEN_PLAIN});
    }
    for (size_t i = 0; i < part->count; i++) {
        put_line(sheet, part->lines[i]);
    }
}

struct layout {
    struct screen_part head, phases, nodes, steps, sentences, probe, events;
    bool has_gaps;
};

static size_t take_rows(size_t *left, size_t wanted)
{
    const size_t taken = wanted < *left ? wanted : *left;
    *left -= taken;
    return taken;
}

static void lay_out(
    const struct screen *screen, const struct screen_input *input, struct layout *layout)
{
    layout->head = screen_head(input);
    layout->sentences = screen_sentences(input);
    layout->probe = screen_probe(input);
    layout->phases = screen_phases(input);
    layout->steps = screen_steps(input, STEP_ROWS_MAX);
    layout->has_gaps = screen->height >= 24;
    size_t left = screen->height > 1 ? screen->height - 1 : 0; /* the keys */
    const size_t gaps = layout->has_gaps ? 3 : 0;
    (void)take_rows(
        &left, layout->head.count + layout->sentences.count + layout->probe.count + gaps);
    (void)take_rows(&left, layout->steps.count);
    if (layout->phases.count + EVENT_ROWS_MIN > left / 2) {
        layout->phases.count = 0; /* the bar of the head says it in short */
    }
    (void)take_rows(&left, layout->phases.count);
    const size_t node_rows = js_count(js_get(input->snapshot, "nodes")) + 1;
    const bool has_all = node_rows <= left; /* then events may go without their rows */
    layout->nodes =
        screen_nodes(input, has_all || left < EVENT_ROWS_MIN ? left : left - EVENT_ROWS_MIN);
    (void)take_rows(&left, layout->nodes.count);
    layout->events = screen_events(input, left);
}

static void render_last(
    const struct screen *screen, const struct screen_input *input, struct buf *text)
{
    struct sheet sheet = {screen, text, screen->height};
    const struct screen_part phases = screen_phases(input);
    put_part(&sheet, &phases, false);
    const struct screen_part nodes = screen_nodes(input, sheet.left > 1 ? sheet.left - 1 : 0);
    put_part(&sheet, &nodes, true);
}

void screen_render(const struct screen *screen, const struct json *snapshot, struct buf *ret_text)
{
    AUTO_ARENA arena = {0};
    const struct screen_input input = {&arena, snapshot, screen->width};
    if (screen->is_last) {
        render_last(screen, &input, ret_text);
        return;
    }
    struct layout layout = {0};
    lay_out(screen, &input, &layout);
    struct sheet sheet = {
        screen, ret_text, screen->height > 1 ? screen->height - 1 : screen->height};
    put_part(&sheet, &layout.head, false);
    put_part(&sheet, &layout.phases, layout.has_gaps);
    put_part(&sheet, &layout.nodes, layout.has_gaps);
    put_part(&sheet, &layout.steps, layout.has_gaps);
    put_part(&sheet, &layout.sentences, false);
    put_part(&sheet, &layout.probe, false);
    put_part(&sheet, &layout.events, false);
    if (screen->height > 1) {
        sheet.left = 1;
        const char *keys = "Ctrl-C pauses (twice: aborts)   q leaves, the run goes on";
        put_line(&sheet, screen->notice == NULL
                             ? (struct screen_line){keys, SCREEN_DIM}
                             : (struct screen_line){screen->notice, SCREEN_BOLD});
    }
}
