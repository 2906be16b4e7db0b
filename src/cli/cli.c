#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/errors.h"
#include "cli/session.h"

static int print_error_document(struct session *session)
{
    (void)session;
    AUTO_BUF text = {0};
    error_document(&text);
    (void)fputs(buf_text(&text), stdout);
    return EXIT_DONE;
}

static const struct command command_docs_errors = {
    .name = "errors",
    .summary = "docs/errors.md",
    .run = print_error_document,
};
static const struct command *const docs_children[] = {&command_docs_errors, NULL};
static const struct command command_docs = {
    .name = "internal-docs",
    .summary = "documents made from the program's tables",
    .children = docs_children,
    .is_hidden = true,
};

static const struct command *const root_children[] = {&cli_check, &cli_plan, &cli_upgrade,
    &cli_restart, &cli_switchover, &cli_watch, &cli_status, &cli_pause, &cli_resume, &cli_abort,
    &cli_finalize, &cli_rollback, &cli_reconcile, &cli_report, &cli_probe, &cli_cluster,
    &cli_datastore, &cli_run, &command_docs, NULL};

const struct command command_root = {
    .name = "upshift",
    .summary = "upshift takes live clusters to another version and proves that nothing was lost.",
    .details = "`upshift help COMMAND` tells more. Exit codes and errors: docs/errors.md.",
    .children = root_children,
};

/* <state> of engine.md section 9. */
static const char *find_state_directory(struct session *session)
{
    const char *named = arguments_text(&session->arguments, "state-dir");
    if (named == NULL) {
        named = getenv("UPSHIFT_STATE_DIR");
    }
    if (named != NULL) {
        return named;
    }
    if (geteuid() == 0) {
        return "/var/lib/upshift";
    }
    const char *state_home = getenv("XDG_STATE_HOME");
    if (state_home != NULL && state_home[0] == '/') {
        return arena_format(&session->arena, "%s/upshift", state_home);
    }
    const char *home = getenv("HOME");
    return arena_format(&session->arena, "%s/.local/state/upshift", home == NULL ? "" : home);
}

/* Paths in requests go to a controller with another working directory. */
static const char *make_absolute(struct session *session, const char *path)
{
    if (path[0] == '/') {
        return path;
    }
    char *folder = getcwd(NULL, 0);
    const char *whole = arena_format(&session->arena, "%s/%s", folder == NULL ? "" : folder, path);
    free(folder);
    return whole;
}

static int run_session(struct session *session)
{
    const struct arguments *arguments = &session->arguments;
    if (arguments->wants_version) {
        (void)printf("upshift %s\n", UPSHIFT_VERSION);
        return EXIT_DONE;
    }
    if (arguments->wants_help) {
        AUTO_BUF text = {0};
        command_help(arguments->command, &text);
        (void)fputs(buf_text(&text), stdout);
        return EXIT_DONE;
    }
    session->services->state_directory = make_absolute(session, find_state_directory(session));
    return arguments->command->run(session);
}

static bool is_among(int argc, char **argv, const char *word)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], word) == 0) {
            return true;
        }
    }
    return false;
}

int cli_main(int argc, char **argv, struct services *services)
{
    struct session session = {.services = services};
    struct err *err = command_parse(argc, argv, &session.arguments);
    session.is_json = is_among(argc, argv, "--json"); /* also when parsing ended before it */
    session.is_quiet = arguments_has(&session.arguments, "quiet");
    session.has_color = !arguments_has(&session.arguments, "no-color") &&
                        (getenv("NO_COLOR") == NULL || getenv("NO_COLOR")[0] == '\0');
    session.can_ask = isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
    int code = EXIT_DONE;
    if (argc == 1) {
        err_free(err);
        err = NULL;
        session.arguments.wants_help = true;
    }
    code = err != NULL ? session_fail(&session, err) : run_session(&session);
    if (fflush(stdout) != 0 && code == EXIT_DONE) {
        code = EXIT_INTERNAL; /* a full disk must not look like success */
    }
    inventory_release(&session.inventory);
    rules_release(&session.rules);
    arena_release(&session.arena);
    return code;
}
