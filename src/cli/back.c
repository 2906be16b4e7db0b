/*
 * cli/back.c - rollback: the plan of the way back, consent, and watching it.
 */
#include <string.h>

#include "base/str.h"
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/planning.h"
#include "cli/session.h"
#include "cli/steer.h"
#include "model/plan_text.h"

/* Is there a plan to show before asking? Not of a run that is going back already, nor of one that
 * has ended and is past it: those get the controller's answer, or the journal's. */
static struct err *find_preview(struct session *session, const char *cluster, bool *ret_is_wanted)
{
    static const char *const ended[] = {"COMPLETE", "ROLLED_BACK", "REFUSED", "ABANDONED"};
    AUTO_JSON snapshot = NULL;
    struct err *err = session->services->read_run(session->services, cluster, NULL, &snapshot);
    const char *state = js_get_text(snapshot, "state");
    *ret_is_wanted =
        !text_equal(js_get_text(snapshot, "direction"), "back") || text_equal(state, "ABORTED");
    for (size_t i = 0; i < ARRAY_COUNT(ended); i++) {
        *ret_is_wanted = *ret_is_wanted && !text_equal(state, ended[i]);
    }
    return err;
}

static int show_preview(struct session *session, const struct plan *plan)
{
    AUTO_BUF text = {0};
    plan_text(plan, &text);
    session_print(session, buf_text(&text));
    struct json *result = js_object();
    js_put(result, "plan", plan_to_json(plan));
    return session_end(session, EXIT_DONE, result);
}

static bool ask_back(struct session *session, const struct plan *plan, int *ret_exit)
{
    if (!session->is_quiet) {
        AUTO_BUF text = {0};
        plan_text(plan, &text);
        buf_append_char(&text, '\n');
        session_print(session, buf_text(&text));
    }
    session_say(session, "what the run has begun is finished first; then this plan is made anew "
                         "from the cluster as it is");
    const char *question = arena_format(
        &session->arena, "Take %s back to %s", plan->request.cluster, plan->request.to);
    return session_confirm(session, question, ret_exit);
}

/* A replica that attaches anew passes by itself; the run waits for it before it plans. */
static bool may_be_waited_for(const struct plan_refusal *refusal)
{
    bool is_waiting_enough = true;
    for (size_t i = 0; i < refusal->answer_count; i++) {
        is_waiting_enough = is_waiting_enough && refusal->answers[i].state == GATE_NOT_YET;
    }
    return is_waiting_enough;
}

static bool ask_patiently(
    struct session *session, const char *cluster, const struct plan_refusal *refusal, int *ret_exit)
{
    AUTO_BUF text = {0};
    plan_answers_text(refusal->answers, refusal->answer_count, &text);
    session_say(session, "the way back cannot be planned yet; the run waits for this first:");
    session_say(session, "%s", buf_text(&text));
    const char *question = arena_format(&session->arena, "Take %s back", cluster);
    return session_confirm(session, question, ret_exit);
}

/* Shows what a rollback would do. True: it may be ordered. */
static bool preview(struct session *session, const char *cluster, int *ret_exit)
{
    bool is_wanted = false;
    struct err *err = find_preview(session, cluster, &is_wanted);
    if (err != NULL) {
        *ret_exit = session_fail(session, err);
        return false;
    }
    const bool is_dry = arguments_has(&session->arguments, "dry-run");
    if (!is_wanted && !is_dry) {
        return true;
    }
    AUTO_PLAN plan = {0};
    struct plan_refusal refusal = {0};
    err =
        session->services->plan_back(session->services, cluster, &session->arena, &plan, &refusal);
    if (err != NULL) {
        *ret_exit = session_fail(session, err);
    } else if (refusal.answer_count > 0 && !is_dry && may_be_waited_for(&refusal)) {
        return ask_patiently(session, cluster, &refusal, ret_exit);
    } else if (refusal.answer_count > 0) {
        *ret_exit = planning_refuse(
            session, arena_format(&session->arena, "%s cannot go back", cluster), &refusal);
    } else if (is_dry) {
        *ret_exit = show_preview(session, &plan);
    } else {
        return ask_back(session, &plan, ret_exit);
    }
    return false;
}

static int run_rollback(struct session *session)
{
    int code = EXIT_DONE;
    const char *cluster = session_cluster_name(session, 0, &code);
    if (cluster == NULL || !preview(session, cluster, &code)) {
        return code;
    }
    const struct viewer_order order = {"rollback", NULL};
    return steer(session, cluster, &order);
}

static const struct option_spec rollback_options[] = {
    {"dry-run", 0, OPTION_FLAG, NULL, "only show what would be done"},
    OPTION_YES,
    OPTION_DETACH,
    OPTION_NONE,
};

const struct command cli_rollback = {
    .name = "rollback",
    .words = "[CLUSTER]",
    .summary = "take a run back: every node to the version it had, under the same gates",
    .details = "Possible until the way back closes, also after `upshift abort`. Shows its plan,\n"
               "asks, and watches it; ends with 13 when every node is back, with 15 when it was\n"
               "stopped halfway. Refused with all reasons when there is no way back.",
    .options = rollback_options,
    .max_args = 1,
    .run = run_rollback,
};
