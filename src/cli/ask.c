#include "cli/ask.h"

#include <stdio.h>

#include "base/str.h"

static bool read_yes(void)
{
    char answer[16] = "";
    if (fgets(answer, sizeof(answer), stdin) == NULL) {
        return false;
    }
    const struct str word = str_trim(str_of(answer));
    return str_is(word, "y") || str_is(word, "Y") || str_is(word, "yes");
}

bool session_confirm(struct session *session, const char *question, int *ret_exit)
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
    (void)fprintf(stderr, "%s? [y/N] ", question);
    if (read_yes()) {
        return true;
    }
    (void)fprintf(stderr, "Nothing was changed.\n");
    *ret_exit = EXIT_REFUSED;
    return false;
}
