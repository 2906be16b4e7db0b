/*
 * config/complaints.h - everything that is wrong with a file, each with its place and remedy.
 *
 * Readers note a mistake and go on, so that the operator sees all of them at once. A line that may
 * hold a secret is never shown again.
 */
#ifndef UPSHIFT_CONFIG_COMPLAINTS_H
#define UPSHIFT_CONFIG_COMPLAINTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/codec.h"
#include "base/str.h"

enum { CONFIG_COMPLAINTS_MAX = 100 }; /* the rest is only counted */

/* A stretch of one line, counted from 1 in characters. */
struct config_place {
    int64_t line, column, width;
};

struct config_complaint {
    struct config_place place;
    const char *what;   /* "unknown key \"datastor\"" */
    const char *remedy; /* "did you mean \"datastore\"?" */
};

struct config_line_range {
    int64_t first, last;
};

struct config_complaints {
    struct arena arena;
    const char *file; /* as shown; owned by the arena */
    struct str text;  /* the whole file, for source lines; owned by the arena */
    struct config_complaint *items;
    size_t count;
    size_t hidden_count; /* past CONFIG_COMPLAINTS_MAX */
    struct config_line_range *secrets;
    size_t secret_count;
};

/* {"file", "mistakes": [{"line", "column", "what", "remedy"}], "hidden_count"} */
extern const struct codec config_complaints_codec;

/* Starts a list about `text`, which is copied. */
void config_complaints_init(
    struct config_complaints *complaints, const char *file, struct str text);
void config_complaints_release(struct config_complaints *complaints);
#define AUTO_COMPLAINTS CLEANUP(config_complaints_release) struct config_complaints

/* Notes a mistake: a fact in one line, without a full stop. */
void config_complain(struct config_complaints *complaints, struct config_place place,
    const char *format, ...) PRINTF_LIKE(3, 4);

/* Says what to do about the mistake noted last. */
void config_add_remedy(struct config_complaints *complaints, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* Keeps lines `first` to `last` from being shown. */
void config_hide_lines(struct config_complaints *complaints, int64_t first, int64_t last);

/* Orders the list by place. */
void config_complaints_sort(struct config_complaints *complaints);

/* All of them for people, with source line and caret. Owns: caller frees. */
MUST_USE RETURNS_NONNULL char *config_complaints_text(const struct config_complaints *complaints);

#endif
