#include "cli/ask.h"

#include <stdio.h>

#include "base/str.h"

/* `wanted` NULL: a yes in any form. */
static bool read_consent(const char *wanted)
{
    char answer[256] = "";
    if (fgets(answer, sizeof(answer), stdin) == NULL) {
        return false;
    }
    const struct str word = str_trim(str_of(answer));
    return wanted != NULL ? str_is(word, wanted)
                          : str_is(word, "y") || str_is(word, "Y") || str_is(word, "yes");
}

bool session_confirm_word(
    struct session *session, const char *question, const char *word, int *ret_exit)
{
    if (arguments_has(&session->arguments, "yes")) {
        return true;
    }
    if (!session->can_ask || session->is_json) {
        struct err *err = err_new(ERR_INVALID, NULL, "%s: nobody can be asked here", question);
        *ret_exit = session_fail(session,
            err_hint(err_code(err, "confirmation_missing"), "add --yes if that is what you want"));
        return false;
    }
    (void)fflush(stdout);
    (void)fprintf(stderr, "%s? [%s] ", question, word == NULL ? "y/N" : word);
    if (read_consent(word)) {
        return true;
    }
    (void)fprintf(stderr, "Nothing was changed.\n");
    *ret_exit = EXIT_REFUSED;
    return false;
}

bool session_confirm(struct session *session, const char *question, int *ret_exit)
{
    return session_confirm_word(session, question, NULL, ret_exit);
}
