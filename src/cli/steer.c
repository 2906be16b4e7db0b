/*
 * cli/steer.c - pause, resume, abort and finalize: commands to the controller of a run.
 */
#include <string.h>

#include "base/str.h"
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/viewer.h"

/* Asks the controller, and starts one first when the last has died. */
static struct err *ask_any(
    struct session *session, const char *cluster, const char *command, struct json **ret_answer)
{
    struct err *err = viewer_ask(session, cluster, command, ret_answer);
    if (err == NULL || strcmp(err->code, "no_controller") != 0) {
        return err;
    }
    err_free(err);
    err = session->services->continue_run(session->services, cluster);
    return err != NULL ? err : viewer_ask(session, cluster, command, ret_answer);
}

/* The controller's refusal, as it came. */
static int print_refusal(struct session *session, const struct json *answer)
{
    const struct json *error = js_get(answer, "error");
    const char *what = js_get_text(error, "what");
    const char *hint = js_get_text(error, "hint");
    struct err *err =
        err_new(ERR_REFUSED, js_get_text(error, "where"), "%s", what == NULL ? "refused" : what);
    return session_fail(session, hint == NULL ? err : err_hint(err, "%s", hint));
}

static int end_at_once(struct session *session, const struct json *answer, int code)
{
    const char *text = js_get_text(answer, "text");
    if (!session->is_json) {
        session_say(session, "%s", text == NULL ? "" : text);
    }
    struct json *result = js_object();
    js_put_text(result, "text", text);
    js_put(result, "snapshot", js_ref(js_get(answer, "snapshot")));
    return session_end(session, code, result);
}

/* Carries a command out and watches what follows. A command that changes nothing says so; `resume`
 * is watched in any case, because that is what its user wants. */
static int steer(struct session *session, const char *cluster, const char *command)
{
    AUTO_JSON answer = NULL;
    struct err *err = ask_any(session, cluster, command, &answer);
    if (err != NULL) {
        return session_fail(session, err);
    }
    if (!js_get_bool(answer, "ok", false)) {
        return print_refusal(session, answer);
    }
    const bool has_effect = text_equal(js_get_text(answer, "text"), command);
    if (!has_effect && strcmp(command, "resume") != 0) {
        return end_at_once(session, answer, EXIT_DONE);
    }
    if (arguments_has(&session->arguments, "detach")) {
        return end_at_once(session, answer, EXIT_DETACHED);
    }
    const struct json *snapshot = js_get(answer, "snapshot");
    const bool was_resting = has_effect && js_get_number(snapshot, "exit", -1) >= 0;
    return viewer_watch(session, cluster, was_resting ? js_get_text(snapshot, "state") : NULL);
}

static int steer_named(struct session *session, const char *command)
{
    int code = EXIT_DONE;
    const char *cluster = session_cluster_name(session, 0, &code);
    return cluster == NULL ? code : steer(session, cluster, command);
}

static int run_pause(struct session *session)
{
    return steer_named(session, "pause");
}

static int run_resume(struct session *session)
{
    return steer_named(session, "resume");
}

static int run_abort(struct session *session)
{
    return steer_named(session, "abort");
}

/* Finalizing early is the operator's right, but not to be done by oversight. */
static void warn_of_soak(struct session *session, const char *cluster)
{
    AUTO_JSON answer = NULL;
    AUTO_ERR absent = viewer_ask(session, cluster, "status", &answer);
    const struct json *soak = js_get(js_get(answer, "snapshot"), "soak");
    const int64_t healthy_s = js_get_number(soak, "healthy_s", 0);
    const int64_t wanted_s = js_get_number(soak, "wanted_s", 0);
    if (absent == NULL && healthy_s < wanted_s) {
        session_say(session, "the soak is not full: %lld s of %lld s were seen healthy",
            (long long)healthy_s, (long long)wanted_s);
    }
}

static int run_finalize(struct session *session)
{
    int code = EXIT_DONE;
    const char *cluster = session_cluster_name(session, 0, &code);
    if (cluster == NULL) {
        return code;
    }
    warn_of_soak(session, cluster);
    const char *question = arena_format(&session->arena,
        "Finalize %s: the old primaries are upgraded, too, and going back to the old version is "
        "then impossible. Go on",
        cluster);
    return session_confirm(session, question, &code) ? steer(session, cluster, "finalize") : code;
}

#define OPTION_DETACH                                                                              \
    {                                                                                              \
        "detach", 0, OPTION_FLAG, NULL, "send the command and leave; exit 18"                      \
    }
#define OPTION_NONE                                                                                \
    {                                                                                              \
        NULL, 0, OPTION_FLAG, NULL, NULL                                                           \
    }

static const struct option_spec steer_options[] = {OPTION_DETACH, OPTION_NONE};

static const struct option_spec finalize_options[] = {
    {"yes", 'y', OPTION_FLAG, NULL, "do not ask"}, OPTION_DETACH, OPTION_NONE};

const struct command cli_pause = {
    .name = "pause",
    .words = "[CLUSTER]",
    .summary = "finish what is in flight and start nothing new",
    .details = "Waits until the run is paused (exit 10). `upshift resume` goes on.",
    .options = steer_options,
    .max_args = 1,
    .run = run_pause,
};

const struct command cli_resume = {
    .name = "resume",
    .words = "[CLUSTER]",
    .summary = "go on with a run that is paused or whose controller died",
    .details = "Looks at the cluster again before it acts, and watches the run.",
    .options = steer_options,
    .max_args = 1,
    .run = run_resume,
};

const struct command cli_abort = {
    .name = "abort",
    .words = "[CLUSTER]",
    .summary = "end the run here: take temporary changes back, leave versions as they are",
    .details = "The cluster then stands between versions and serves; plan anew for the rest.",
    .options = steer_options,
    .max_args = 1,
    .run = run_abort,
};

const struct command cli_finalize = {
    .name = "finalize",
    .words = "[CLUSTER]",
    .summary = "upgrade the old primaries as well; this ends the way back",
    .details = "Possible at the pause point. Afterwards no node has the old version, and going\n"
               "back means restoring a backup.",
    .options = finalize_options,
    .max_args = 1,
    .run = run_finalize,
};
