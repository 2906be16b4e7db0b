/*
 * cli/screen.h - a snapshot of a run (engine/control.h) as a screen of text.
 *
 * A pure function of the snapshot and the size, so that screens are golden-tested. Whatever the
 * size, no line is longer than `width` and there are at most `height` of them; what does not fit is
 * summarised. Texts of servers are shown without their control characters.
 */
#ifndef UPSHIFT_CLI_SCREEN_H
#define UPSHIFT_CLI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/json.h"

enum { SCREEN_WIDTH_MIN = 80, SCREEN_HEIGHT_MIN = 16 }; /* below, plain lines are better */

struct screen {
    size_t width, height;
    bool has_color;
    bool is_last;       /* what stays when the viewer ends: no events, no keys */
    const char *notice; /* a line of the viewer's own; NULL: which keys there are */
};

/* Appends the screen, each line ended by '\n'. */
void screen_render(const struct screen *screen, const struct json *snapshot, struct buf *ret_text);

/* Appends `text` with control characters (but '\n') as '?', cut after `width` characters a line. */
void screen_append_safe(struct buf *buf, const char *text, size_t width);

#endif
