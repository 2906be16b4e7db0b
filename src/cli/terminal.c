#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "cli/screen.h"

static const char enter_text[] =
    "\x1b[?1049h\x1b[?25l\x1b[?7l"; /* other screen, no cursor, no wrap */
static const char leave_text[] = "\x1b[?7h\x1b[?25h\x1b[?1049l";

void terminal_measure(size_t *ret_width, size_t *ret_height)
{
    struct winsize size = {0};
    const bool is_known =
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
    *ret_width = is_known ? size.ws_col : 80;
    *ret_height = is_known ? size.ws_row : 24;
}

bool terminal_can_draw(void)
{
    const char *name = getenv("TERM");
    if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0 || name == NULL ||
        strcmp(name, "dumb") == 0 || tcgetpgrp(STDIN_FILENO) != getpgrp()) {
        return false;
    }
    size_t width, height;
    terminal_measure(&width, &height);
    return width >= SCREEN_WIDTH_MIN && height >= SCREEN_HEIGHT_MIN;
}

static bool write_terminal(const char *text, size_t size)
{
    AUTO_ERR err = fs_write_fd(STDOUT_FILENO, "the terminal", text, size);
    return err == NULL;
}

void terminal_open(struct terminal *terminal)
{
    if (tcgetattr(STDIN_FILENO, &terminal->before) != 0) {
        return;
    }
    struct termios raw = terminal->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    terminal->is_open = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0 &&
                        write_terminal(enter_text, sizeof(enter_text) - 1);
}

void terminal_close(struct terminal *terminal)
{
    if (terminal->is_open) {
        terminal->is_open = false;
        const bool is_there = write_terminal(leave_text, sizeof(leave_text) - 1);
        (void)is_there; /* a lost terminal needs no cursor */
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &terminal->before);
    }
}

bool terminal_draw(const char *text)
{
    AUTO_BUF frame = {0};
    buf_append_text(&frame, "\x1b[H");
    struct str rest = str_of(text), line;
    bool is_first = true;
    while (rest.size > 0 && str_cut(&rest, '\n', &line)) {
        /* Erased first: behind a full line the cursor still stands on its last column. */
        buf_append_text(&frame, is_first ? "\x1b[K" : "\r\n\x1b[K");
        buf_append_str(&frame, line);
        is_first = false;
    }
    buf_append_text(&frame, "\x1b[J");
    return write_terminal(frame.data, frame.size);
}
