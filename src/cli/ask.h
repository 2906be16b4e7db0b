/*
 * cli/ask.h - questions before something that cannot be undone.
 */
#ifndef UPSHIFT_CLI_ASK_H
#define UPSHIFT_CLI_ASK_H

#include <stdbool.h>

#include "cli/session.h"

/* Asks on the terminal, unless --yes. False: the answer was no, or could not be asked for; it has
 * been said and `*ret_exit` set. Blocks: until the answer. */
bool session_confirm(struct session *session, const char *question, int *ret_exit);

/* The same for what nobody may do by oversight: not y but `word` must be typed. */
bool session_confirm_word(
    struct session *session, const char *question, const char *word, int *ret_exit);

#endif
