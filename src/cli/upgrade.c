/*
 * cli/upgrade.c - upgrade, restart, switchover: plan or take a reviewed plan, ask, start the
 * controller, watch it.
 */
#include <string.h>

#include "base/fs.h"
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/planning.h"
#include "cli/session.h"
#include "cli/viewer.h"
#include "model/plan_text.h"

enum { PLAN_SIZE_MAX = 64 << 20 };

static struct err *read_plan(const char *path, struct plan *ret_plan)
{
    AUTO_BUF text = {0};
    struct err *err = fs_read(path, PLAN_SIZE_MAX, &text);
    if (err != NULL) {
        return err_code(err, "plan_unreadable");
    }
    AUTO_JSON value = NULL;
    err = js_parse(buf_text(&text), text.size, path, &value);
    if (err == NULL) {
        err = plan_from_json(value, path, ret_plan);
    }
    return err == NULL ? NULL : err_code(err, "plan_invalid");
}

static int refuse_differences(
    struct session *session, const struct plan *plan, const char **differences, size_t count)
{
    AUTO_BUF text = {0};
    buf_printf(&text, "The plan for %s no longer fits; what has changed since it was made:\n",
        plan->request.cluster);
    struct json *list = js_array();
    for (size_t i = 0; i < count; i++) {
        buf_printf(&text, "  - %s\n", differences[i]);
        js_push(list, js_text(differences[i]));
    }
    buf_append_text(&text, "Make the plan again with `upshift plan` and review it.\n");
    session_print(session, buf_text(&text));
    struct json *result = js_object();
    js_put_text(result, "code", "plan_stale");
    js_put(result, "differences", list);
    return session_end(session, EXIT_REFUSED, result);
}

static const struct inv_cluster *find_cluster_of(
    struct session *session, const struct plan *plan, int *ret_exit)
{
    session->arguments.words[0] = plan->request.cluster;
    session->arguments.word_count = 1;
    return session_cluster(session, 0, ret_exit);
}

/* A reviewed plan: it runs as it is, or not at all. */
static bool load_reviewed(
    struct session *session, const char *path, struct plan *ret_plan, int *ret_exit)
{
    struct err *err = read_plan(path, ret_plan);
    if (err != NULL) {
        *ret_exit = session_fail(session, err);
        return false;
    }
    const struct inv_cluster *cluster = find_cluster_of(session, ret_plan, ret_exit);
    if (cluster == NULL) {
        return false;
    }
    const struct cli_request request = session_request(session, cluster, NULL);
    const char **differences = NULL;
    size_t count = 0;
    err = session->services->compare_plan(
        session->services, &request, ret_plan, &session->arena, &differences, &count);
    if (err != NULL) {
        *ret_exit = session_fail(session, err);
        return false;
    }
    if (count > 0) {
        *ret_exit = refuse_differences(session, ret_plan, differences, count);
        return false;
    }
    return true;
}

static int start(struct session *session, const struct plan *plan)
{
    int code = EXIT_DONE;
    const struct inv_cluster *cluster = find_cluster_of(session, plan, &code);
    if (cluster == NULL) {
        return code;
    }
    const struct cli_request request = session_request(session, cluster, NULL);
    const char *run = NULL;
    struct err *err =
        session->services->start_run(session->services, &request, plan, &session->arena, &run);
    if (err != NULL) {
        return session_fail(session, err);
    }
    if (!arguments_has(&session->arguments, "detach")) {
        return viewer_watch(session, cluster->name, NULL);
    }
    AUTO_BUF text = {0};
    buf_printf(
        &text, "run %s goes on by itself; `upshift watch %s` shows it\n", run, cluster->name);
    session_print(session, buf_text(&text));
    struct json *result = js_object();
    js_put_text(result, "run", run);
    return session_end(session, EXIT_DETACHED, result);
}

/* The three are one: they differ in what is planned and in what is asked. */
static struct err *check_words(const struct arguments *arguments)
{
    const struct command *command = arguments->command;
    const bool has_plan = arguments_has(arguments, "plan");
    const size_t wanted = has_plan ? 0 : command->max_args;
    if (arguments->word_count == wanted) {
        return NULL;
    }
    struct err *err = err_new(ERR_INVALID, NULL, "%s",
        has_plan      ? "a plan file says itself which cluster and version it is for"
        : wanted == 1 ? "which cluster?"
                      : "which cluster to which version?");
    return err_hint(err_code(err, "usage"),
        "usage: upshift %s CLUSTER%s, or: upshift %s --plan FILE", command->name,
        wanted == 1 ? "" : " VERSION", command->name);
}

/* A plan for something else must not run because nobody looked. */
static bool is_for(struct session *session, const struct plan *plan, int *ret_exit)
{
    const char *name = session->arguments.command->name;
    const char *action = plan->request.action;
    if (text_equal(action, name)) {
        return true;
    }
    struct err *err = err_new(ERR_INVALID, arguments_text(&session->arguments, "plan"),
        "the plan is for another command: %s", action == NULL ? "none" : action);
    *ret_exit = session_fail(
        session, err_hint(err_code(err, "usage"), "run it with `upshift %s --plan FILE`",
                     action == NULL ? "upgrade" : action));
    return false;
}

static const char *ask_what(struct session *session, const struct plan_request *request)
{
    struct arena *arena = &session->arena;
    if (text_equal(request->action, "restart")) {
        return arena_format(arena, "Restart every node of %s", request->cluster);
    }
    if (text_equal(request->action, "switchover")) {
        return arena_format(arena, "Switch %s over", request->cluster);
    }
    return arena_format(
        arena, "Upgrade %s from %s to %s", request->cluster, request->from, request->to);
}

static bool find_plan(struct session *session, struct plan *ret_plan, int *ret_exit)
{
    const struct arguments *arguments = &session->arguments;
    const char *path = arguments_text(arguments, "plan");
    if (path != NULL) {
        return load_reviewed(session, path, ret_plan, ret_exit) &&
               is_for(session, ret_plan, ret_exit);
    }
    const struct planning planning = {arguments->command->name, arguments->words[1]};
    return planning_make(session, &planning, ret_plan, ret_exit);
}

static int run_verb(struct session *session)
{
    struct err *err = check_words(&session->arguments);
    if (err != NULL) {
        return session_fail(session, err);
    }
    AUTO_PLAN plan = {0};
    int code = EXIT_DONE;
    if (!find_plan(session, &plan, &code)) {
        return code;
    }
    if (!session->is_quiet) {
        AUTO_BUF text = {0};
        plan_text(&plan, &text);
        buf_append_char(&text, '\n');
        session_print(session, buf_text(&text));
    }
    return session_confirm(session, ask_what(session, &plan.request), &code) ? start(session, &plan)
                                                                             : code;
}

#define OPTION_PLAN                                                                                \
    {                                                                                              \
        "plan", 0, OPTION_TEXT, "FILE", "run this reviewed plan, or say what no longer fits"       \
    }

static const struct option_spec upgrade_options[] = {
    OPTION_PLAN, OPTION_YES, OPTION_DETACH, OPTION_NONE};

static const struct option_spec switchover_options[] = {
    OPTION_SHARD, OPTION_TO, OPTION_PLAN, OPTION_YES, OPTION_DETACH, OPTION_NONE};

const struct command cli_upgrade = {
    .name = "upgrade",
    .words = "[CLUSTER VERSION]",
    .summary = "take a cluster to another version while it is used",
    .details = "Shows the plan, asks, and starts a controller that goes on by itself when this\n"
               "terminal is lost. Stops at the pause point (exit 12): all clients use the new\n"
               "version, the old primaries are attached, and `upshift finalize` does the rest.",
    .options = upgrade_options,
    .max_args = 2,
    .run = run_verb,
};

const struct command cli_restart = {
    .name = "restart",
    .words = "[CLUSTER]",
    .summary = "restart every node of a cluster while it is used, without another version",
    .details = "For what is read only at the start: a configuration file, a library, a kernel.\n"
               "The same order, gates and proof as an upgrade.",
    .options = upgrade_options,
    .max_args = 1,
    .run = run_verb,
};

const struct command cli_switchover = {
    .name = "switchover",
    .words = "[CLUSTER]",
    .summary = "make a replica the primary of its shard, without losing a write",
    .details = "Of every shard its first healthy replica by name, unless told otherwise.",
    .options = switchover_options,
    .max_args = 1,
    .run = run_verb,
};
