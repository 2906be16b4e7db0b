/*
 * cli/steer.c - pause, resume, abort and finalize: orders to the controller of a run.
 */
#include "cli/steer.h"

#include <string.h>

#include "base/str.h"
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "engine/control.h"

/* Asks the controller, and starts one first when the last has died. A run that has ended answers by
 * itself, unless the order is one to go on with. */
static struct err *ask_any(struct session *session, const char *cluster,
    const struct viewer_order *order, struct json **ret_answer)
{
    struct err *err = viewer_ask(session, cluster, order, ret_answer);
    if (err == NULL || strcmp(err->code, "no_controller") != 0) {
        return err;
    }
    err_free(err);
    err = session->services->continue_run(session->services, cluster, order->command, ret_answer);
    return err != NULL || *ret_answer != NULL ? err
                                              : viewer_ask(session, cluster, order, ret_answer);
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

/* A command that changes nothing says so; `resume` is watched in any case, because that is what its
 * user wants. */
int steer(struct session *session, const char *cluster, const struct viewer_order *order)
{
    AUTO_JSON answer = NULL;
    struct err *err = ask_any(session, cluster, order, &answer);
    if (err == NULL && !js_get_bool(answer, "ok", false)) {
        err = control_err_of(js_get(answer, "error"));
    }
    if (err != NULL) {
        return session_fail(session, err);
    }
    const bool has_effect = text_equal(js_get_text(answer, "text"), order->command);
    if (!has_effect && strcmp(order->command, "resume") != 0) {
        return end_at_once(session, answer, EXIT_DONE);
    }
    if (arguments_has(&session->arguments, "detach")) {
        return end_at_once(session, answer, EXIT_DETACHED);
    }
    const struct json *snapshot = js_get(answer, "snapshot");
    const bool was_resting = has_effect && js_get_number(snapshot, "exit", -1) >= 0;
    return viewer_watch(session, cluster, was_resting ? js_get_text(snapshot, "state") : NULL);
}

static int steer_named(struct session *session, const struct viewer_order *order)
{
    int code = EXIT_DONE;
    const char *cluster = session_cluster_name(session, 0, &code);
    return cluster == NULL ? code : steer(session, cluster, order);
}

static int run_pause(struct session *session)
{
    const struct viewer_order order = {"pause", NULL};
    return steer_named(session, &order);
}

static int run_resume(struct session *session)
{
    const struct arguments *arguments = &session->arguments;
    const char *hash = arguments_text(arguments, "accept");
    const bool is_forward = arguments_has(arguments, "forward");
    if (hash != NULL && is_forward) {
        return session_fail(session,
            err_code(err_new(ERR_INVALID, NULL,
                         "--accept takes a proposed plan, --forward asks for another one: give "
                         "one of them"),
                "usage"));
    }
    const struct viewer_order order = {
        "resume", hash != NULL ? arena_format(&session->arena, "accept %s", hash)
                  : is_forward ? "forward"
                               : NULL};
    return steer_named(session, &order);
}

/* The newest run's name, for a question; NULL: said why there is none. */
static const char *find_run(struct session *session, const char *cluster, int *ret_exit)
{
    AUTO_JSON snapshot = NULL;
    struct err *err = session->services->read_run(session->services, cluster, NULL, &snapshot);
    if (err != NULL) {
        *ret_exit = session_fail(session, err);
        return NULL;
    }
    const char *run = js_get_text(snapshot, "run");
    return arena_strdup(&session->arena, run == NULL ? "" : run);
}

static int abandon(struct session *session, const char *cluster)
{
    int code = EXIT_DONE;
    const char *run = find_run(session, cluster, &code);
    if (run == NULL) {
        return code;
    }
    const struct viewer_order order = {"abandon", NULL};
    const char *question = arena_format(&session->arena,
        "Abandon %s: temporary changes stay as they are, the nodes' claims are given up, and "
        "nothing can be resumed or rolled back. Type the run's name to go on",
        run);
    return session_confirm_word(session, question, run, &code) ? steer(session, cluster, &order)
                                                               : code;
}

static int run_abort(struct session *session)
{
    int code = EXIT_DONE;
    const char *cluster = session_cluster_name(session, 0, &code);
    if (cluster == NULL) {
        return code;
    }
    const struct viewer_order order = {"abort", NULL};
    return arguments_has(&session->arguments, "abandon") ? abandon(session, cluster)
                                                         : steer(session, cluster, &order);
}

/* Finalizing early is the operator's right, but not to be done by oversight. */
static void warn_of_soak(struct session *session, const char *cluster)
{
    AUTO_JSON answer = NULL;
    const struct viewer_order order = {"status", NULL};
    AUTO_ERR absent = viewer_ask(session, cluster, &order, &answer);
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
    const struct viewer_order order = {"finalize", NULL};
    return session_confirm(session, question, &code) ? steer(session, cluster, &order) : code;
}

static const struct option_spec steer_options[] = {OPTION_DETACH, OPTION_NONE};

static const struct option_spec resume_options[] = {
    {"accept", 0, OPTION_TEXT, "HASH", "go on with the proposed plan of that hash"},
    {"forward", 0, OPTION_FLAG, NULL, "turn a rollback again: plan the way forward anew"},
    OPTION_DETACH,
    OPTION_NONE,
};

static const struct option_spec abort_options[] = {
    {"abandon", 0, OPTION_FLAG, NULL, "give the run up as it stands, temporary changes included"},
    OPTION_YES,
    OPTION_DETACH,
    OPTION_NONE,
};

static const struct option_spec finalize_options[] = {OPTION_YES, OPTION_DETACH, OPTION_NONE};

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
    .details = "Looks at the cluster again before it acts, and watches the run. A changed plan\n"
               "that asks for more than was agreed to waits for --accept with its hash, which\n"
               "`upshift status` shows. A rollback goes on going back unless --forward is given.",
    .options = resume_options,
    .max_args = 1,
    .run = run_resume,
};

const struct command cli_abort = {
    .name = "abort",
    .words = "[CLUSTER]",
    .summary = "end the run here: take temporary changes back, leave versions as they are",
    .details = "The cluster then stands between versions and serves; `upshift rollback` goes\n"
               "back while the way back is open, or plan anew for the rest. --abandon gives a\n"
               "paused run up that cannot take its temporary changes back: they stay, listed.",
    .options = abort_options,
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
