/*
 * cli/status.c - status and watch: what a run does, from its controller or from its journal.
 */
#include <string.h>

#include "base/str.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/view_text.h"
#include "cli/viewer.h"

static int print_status(struct session *session, const struct json *snapshot, bool is_alive)
{
    AUTO_BUF text = {0};
    const bool is_resting = js_get_number(snapshot, "exit", -1) >= 0;
    if (is_resting) { /* it waits for the operator, or has ended */
        view_append_end(snapshot, /* report_path= */ NULL, &text);
    } else {
        view_append_status(snapshot, &text);
    }
    if (!is_alive && !is_resting) {
        buf_printf(&text, "no controller is at work; the run is safe: `upshift resume %s`\n",
            js_get_text(snapshot, "cluster"));
    }
    session_print(session, buf_text(&text));
    struct json *result = js_object();
    js_put_bool(result, "has_controller", is_alive);
    js_put(result, "snapshot", js_ref(snapshot));
    return session_end(session, EXIT_DONE, result);
}

static int run_status(struct session *session)
{
    int code = EXIT_DONE;
    const char *cluster = session_cluster_name(session, 0, &code);
    if (cluster == NULL) {
        return code;
    }
    AUTO_JSON answer = NULL;
    const struct viewer_order order = {"status", NULL};
    AUTO_ERR absent = viewer_ask(session, cluster, &order, &answer);
    if (absent == NULL) {
        return print_status(session, js_get(answer, "snapshot"), true);
    }
    AUTO_JSON snapshot = NULL;
    struct err *err = session->services->read_run(session->services, cluster, NULL, &snapshot);
    return err != NULL ? session_fail(session, err) : print_status(session, snapshot, false);
}

const struct command cli_status = {
    .name = "status",
    .words = "[CLUSTER]",
    .summary = "how far a run is, what it waits for, and the way back by hand",
    .details = "Asks the controller; when none is at work, reads the journal.",
    .max_args = 1,
    .run = run_status,
};

static int run_watch(struct session *session)
{
    int code = EXIT_DONE;
    const char *cluster = session_cluster_name(session, 0, &code);
    return cluster == NULL ? code : viewer_watch(session, cluster, NULL);
}

const struct command cli_watch = {
    .name = "watch",
    .words = "[CLUSTER]",
    .summary = "show a run live until it ends, pauses or needs you",
    .details = "Ctrl-C pauses the run, a second one aborts it; q only leaves (exit 18).",
    .max_args = 1,
    .run = run_watch,
};
