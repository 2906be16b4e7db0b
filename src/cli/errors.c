#include "cli/errors.h"

#include <string.h>

#include "base/str.h"
#include "cli/exit.h"

const struct error_row *error_find(const char *code)
{
    for (size_t i = 0; i < error_row_count; i++) {
        if (strcmp(error_rows[i].code, code) == 0) {
            return &error_rows[i];
        }
    }
    return NULL;
}

int error_exit(const struct err *err)
{
    const struct error_row *row = error_find(err->code);
    return row == NULL ? EXIT_INTERNAL : row->exit;
}

static void append_line(const struct err *err, const char *prefix, struct buf *text)
{
    buf_printf(text, "%s%s", prefix, err->what);
    if (err->where != NULL) {
        buf_printf(text, " (%s)", err->where);
    }
    buf_append_char(text, '\n');
}

void error_text(const struct err *err, struct buf *ret_text)
{
    append_line(err, "upshift: ", ret_text);
    for (const struct err *cause = err->cause; cause != NULL; cause = cause->cause) {
        append_line(cause, "  because ", ret_text);
    }
    const char *remedy = err_first_hint(err);
    if (remedy == NULL) {
        const struct error_row *row = error_find(err->code);
        remedy = row == NULL ? NULL : row->remedy;
    }
    if (remedy != NULL) {
        buf_printf(ret_text, "  remedy: %s\n", remedy);
    }
}

void error_document(struct buf *ret_text)
{
    buf_append_text(ret_text,
        "# Errors and exit codes\n\n"
        "This file is generated: `upshift internal-docs errors`.\n\n"
        "Errors are printed as a chain, the outermost first, with a remedy; with `--json` as one\n"
        "object on standard output: `{\"exit\": N, \"word\": \"...\", \"error\": {...}}`. Words "
        "and codes are\nstable. Exit codes 1 to 9 mean that the call changed nothing in the "
        "cluster.\n\n"
        "## Exit codes\n\n| Exit | Word | Meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < exit_row_count; i++) {
        buf_printf(ret_text, "| %d | `%s` | %s |\n", exit_rows[i].code, exit_rows[i].word,
            exit_rows[i].meaning);
    }
    buf_append_text(ret_text, "\n## Error codes\n\n| Code | Exit | Meaning | What to do |\n"
                              "|---|---|---|---|\n");
    for (size_t i = 0; i < error_row_count; i++) {
        const struct error_row *row = &error_rows[i];
        buf_printf(
            ret_text, "| `%s` | %d | %s | %s |\n", row->code, row->exit, row->meaning, row->remedy);
    }
}
