/*
 * cli/terminal.h - a terminal that is redrawn in place, by plain ANSI sequences.
 *
 * While open, the other screen is shown and keys come without Enter; closing gives the terminal
 * back as it was. Ctrl-C stays a signal.
 */
#ifndef UPSHIFT_CLI_TERMINAL_H
#define UPSHIFT_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

struct terminal {
    struct termios before;
    bool is_open;
};

/* Is there a terminal that we may draw on, and large enough? */
bool terminal_can_draw(void);

/* Columns and lines now; 80 and 24 when unknown. */
void terminal_measure(size_t *ret_width, size_t *ret_height);

void terminal_open(struct terminal *terminal);
void terminal_close(struct terminal *terminal);

/* Replaces what is shown by `text`, whose lines end in '\n', in one write so that it does not
 * flicker. False: the terminal is gone. */
bool terminal_draw(const char *text);

#endif
