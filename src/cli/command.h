/*
 * cli/command.h - the command tree as data: options, help and suggestions derived from it.
 *
 * A command is a constant struct; its options are a table of where to put their values. Parsing
 * fills a `struct arguments` and never looks at the world. Unknown words name the nearest known
 * one.
 */
#ifndef UPSHIFT_CLI_COMMAND_H
#define UPSHIFT_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

struct session; /* cli/session.h */

enum { COMMAND_ARGUMENTS_MAX = 4, COMMAND_OPTIONS_MAX = 24 };

enum option_type {
    OPTION_FLAG,   /* no value */
    OPTION_TEXT,   /* any text */
    OPTION_NUMBER, /* a whole number >= 1 */
};

struct option_spec {
    const char *name; /* "state-dir": --state-dir */
    char letter;      /* 'o': -o; 0: none */
    enum option_type type;
    const char *value; /* "DIR", for help; NULL for flags */
    const char *summary;
};

/* What several commands take, and how every table of options ends. */
#define OPTION_YES                                                                                 \
    {                                                                                              \
        "yes", 'y', OPTION_FLAG, NULL, "do not ask"                                                \
    }
#define OPTION_DETACH                                                                              \
    {                                                                                              \
        "detach", 0, OPTION_FLAG, NULL, "let it go on by itself and leave; exit 18"                \
    }
#define OPTION_NONE                                                                                \
    {                                                                                              \
        NULL, 0, OPTION_FLAG, NULL, NULL                                                           \
    }

struct command {
    const char *name;
    const char *words;                 /* "CLUSTER VERSION", for help; NULL: none */
    const char *summary;               /* one line */
    const char *details;               /* a paragraph for its own help; may be NULL */
    const struct option_spec *options; /* ended by a NULL name; may be NULL */
    size_t min_args, max_args;
    int (*run)(struct session *session);
    const struct command *const
        *children; /* ended by NULL; a command with children does nothing itself */
    bool is_hidden;
};

struct option_value {
    const struct option_spec *spec;
    const char *text; /* NULL for flags */
    long number;
};

struct arguments {
    const struct command *command;
    const char *words[COMMAND_ARGUMENTS_MAX];
    size_t word_count;
    struct option_value options[COMMAND_OPTIONS_MAX];
    size_t option_count;
    bool wants_help, wants_version;
};

/* Options that every command takes. */
extern const struct option_spec command_global_options[];

/* The whole tree. */
extern const struct command command_root;

/* Parses; errors are ERR_INVALID with code "usage". Borrows from `argv`. */
MUST_USE struct err *command_parse(int argc, char **argv, struct arguments *ret_arguments);

bool arguments_has(const struct arguments *arguments, const char *option);
const char *arguments_text(const struct arguments *arguments, const char *option); /* or NULL */
long arguments_number(const struct arguments *arguments, const char *option, long fallback);

/* Help of one command (or of the whole tree, for the root) in at most 80 columns. */
void command_help(const struct command *command, struct buf *ret_text);

#endif
