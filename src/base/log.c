#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

static const char *const level_names[] = {"debug", "info", "notice", "warning", "error"};

static bool is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f;
}

static bool is_plain(const char *value)
{
    for (const char *c = value; *c != '\0'; c++) {
        if (is_control(*c) || strchr(" \"=\\", *c) != NULL) {
            return false;
        }
    }
    return value[0] != '\0';
}

static void append_value(struct buf *line, const char *value)
{
    if (is_plain(value)) {
        buf_append_text(line, value);
        return;
    }
    buf_append_char(line, '"');
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            buf_append_char(line, '\\');
        }
        buf_append_char(line, is_control(*c) ? ' ' : *c);
    }
    buf_append_char(line, '"');
}

void log_event(const struct log *log, enum log_level level, const char *event, ...)
{
    if (level < log->level_min) {
        return;
    }
    AUTO_BUF line = {0};
    char time[CLOCK_TEXT_SIZE];
    buf_printf(&line, "time=%s level=%s event=%s",
        clock_format_wall(clock_wall_ms(log->clock), time), level_names[level], event);
    va_list args;
    va_start(args, event);
    for (const char *key = va_arg(args, const char *); key != NULL;
         key = va_arg(args, const char *)) {
        const char *value = va_arg(args, const char *);
        if (value != NULL) {
            buf_printf(&line, " %s=", key);
            append_value(&line, value);
        }
    }
    va_end(args);
    buf_append_char(&line, '\n');
    const ssize_t ignored = write(log->fd, line.data, line.size); /* nobody left to tell */
    (void)ignored;
}
