/*
 * cli/exit.h - exit codes (1 to 9: this call changed nothing in the cluster).
 */
#ifndef UPSHIFT_CLI_EXIT_H
#define UPSHIFT_CLI_EXIT_H

#include <stddef.h>

enum {
    EXIT_DONE = 0,
    EXIT_INTERNAL = 1,
    EXIT_USAGE = 2,
    EXIT_FILE_INVALID = 3,
    EXIT_REFUSED = 4,
    EXIT_LOCKED = 5,
    EXIT_CANNOT_SEE = 6,
    EXIT_JOURNAL = 7,
    EXIT_SOMETHING_TO_DO = 8,
    EXIT_PAUSED = 10,
    EXIT_NEEDS_YOU = 11,
    EXIT_SOAKING = 12,
    EXIT_ROLLED_BACK = 13,
    EXIT_ABORTED = 14,
    EXIT_BACK_INCOMPLETE = 15,
    EXIT_NOT_PROVED = 16,
    EXIT_DETACHED = 18,
};

struct exit_row {
    int code;
    const char *word;    /* stable, for scripts */
    const char *meaning; /* one sentence */
};

extern const struct exit_row exit_rows[];
extern const size_t exit_row_count;

/* "refused"; "?" for a number that is not in the table. */
const char *exit_word(int code);

#endif
