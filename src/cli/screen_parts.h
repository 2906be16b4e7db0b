/*
 * cli/screen_parts.h - the parts of a screen, each a list of lines; screen.c shares out the height.
 */
#ifndef UPSHIFT_CLI_SCREEN_PARTS_H
#define UPSHIFT_CLI_SCREEN_PARTS_H

#include "base/arena.h"
#include "base/json.h"

enum screen_style {
    SCREEN_PLAIN,
    SCREEN_DIM,
    SCREEN_BOLD,
    SCREEN_GOOD,
    SCREEN_BUSY,
    SCREEN_BAD,
};

struct screen_line {
    const char *text;
    enum screen_style style;
};

struct screen_part {
    struct screen_line *lines;
    size_t count;
};

/* What the parts are made of. */
struct screen_input {
    struct arena *arena;
    const struct json *snapshot;
    size_t width;
};

struct screen_part screen_head(const struct screen_input *input);
struct screen_part screen_phases(const struct screen_input *input);

/* All nodes when `rows` allows; else a count by version and those that need attention. */
struct screen_part screen_nodes(const struct screen_input *input, size_t rows);

/* At most `rows` of the steps in work. */
struct screen_part screen_steps(const struct screen_input *input, size_t rows);

/* The waiting sentence, the question, the soak. */
struct screen_part screen_sentences(const struct screen_input *input);

struct screen_part screen_probe(const struct screen_input *input);

/* The last `rows` events. */
struct screen_part screen_events(const struct screen_input *input, size_t rows);

#endif
