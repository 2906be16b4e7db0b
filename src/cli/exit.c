#include "cli/exit.h"

#include "base/attr.h"

const struct exit_row exit_rows[] = {
    {EXIT_DONE, "done", "done, or nothing to do"},
    {EXIT_INTERNAL, "internal", "internal error before anything was changed"},
    {EXIT_USAGE, "usage", "the command line is wrong"},
    {EXIT_FILE_INVALID, "file_invalid", "the inventory or the plan file is invalid"},
    {EXIT_REFUSED, "refused", "refused: a condition does not hold, or a plan no longer fits"},
    {EXIT_LOCKED, "locked", "another controller has the cluster"},
    {EXIT_CANNOT_SEE, "cannot_see", "something could not be reached or read"},
    {EXIT_JOURNAL, "journal", "the journal cannot be used"},
    {EXIT_SOMETHING_TO_DO, "something_to_do", "there is something to do (plan --exit-code)"},
    {EXIT_PAUSED, "paused", "paused; the run can be resumed"},
    {EXIT_NEEDS_YOU, "needs_you", "the run needs an answer"},
    {EXIT_SOAKING, "soaking", "upgraded and soaking; finalize is pending"},
    {EXIT_ROLLED_BACK, "rolled_back", "rolled back: every node has the version it had before"},
    {EXIT_ABORTED, "aborted", "aborted between versions"},
    {EXIT_BACK_INCOMPLETE, "rollback_incomplete",
        "a rollback was stopped halfway; it can be gone on with"},
    {EXIT_NOT_PROVED, "not_proved", "finished but not proved: failed or unverified requests"},
    {EXIT_DETACHED, "detached", "detached; the run goes on"},
};
const size_t exit_row_count = ARRAY_COUNT(exit_rows);

const char *exit_word(int code)
{
    for (size_t i = 0; i < exit_row_count; i++) {
        if (exit_rows[i].code == code) {
            return exit_rows[i].word;
        }
    }
    return "?";
}
