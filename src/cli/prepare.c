/*
 * cli/prepare.c - check and plan: look at the cluster and say what would be done.
 */
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/fs.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/planning.h"
#include "cli/session.h"
#include "model/plan_text.h"

static struct json *describe_answers(const struct gate_answer *answers, size_t count)
{
    struct json *list = js_array();
    for (size_t i = 0; i < count; i++) {
        struct json *entry = js_object();
        js_put_text(entry, "state", gate_state_names[answers[i].state]);
        js_put_text(entry, "gate", answers[i].gate);
        js_put_text(entry, "reason", answers[i].reason);
        js_put_text(entry, "remedy", answers[i].remedy);
        js_push(list, entry);
    }
    return list;
}

static struct json *result_of_answers(const struct gate_answer *answers, size_t count)
{
    struct json *result = js_object();
    js_put(result, "answers", describe_answers(answers, count));
    return result;
}

static bool is_blind(const struct gate_answer *answer)
{
    return answer->state != GATE_YES && strcmp(answer->gate, "all_reachable") == 0;
}

/* A cluster that cannot be read is another matter than one that says no. */
static int exit_of_answers(const struct gate_answer *answers, size_t count)
{
    int code = EXIT_DONE;
    for (size_t i = 0; i < count; i++) {
        if (is_blind(&answers[i])) {
            return EXIT_CANNOT_SEE;
        }
        code = answers[i].state == GATE_YES ? code : EXIT_REFUSED;
    }
    return code;
}

int planning_refuse(
    struct session *session, const char *headline, const struct plan_refusal *refusal)
{
    const size_t count = refusal->answer_count;
    AUTO_BUF text = {0};
    buf_printf(&text, "%s: %zu reason%s\n", headline, count, count == 1 ? "" : "s");
    plan_answers_text(refusal->answers, count, &text);
    session_print(session, buf_text(&text));
    return session_end(session, exit_of_answers(refusal->answers, count),
        result_of_answers(refusal->answers, count));
}

static int say_nothing_to_do(struct session *session, const struct plan *plan)
{
    AUTO_BUF text = {0};
    buf_printf(
        &text, "%s is at %s already: nothing to do\n", plan->request.cluster, plan->request.to);
    session_print(session, buf_text(&text));
    struct json *result = js_object();
    js_put_text(result, "text", "nothing to do");
    js_put(result, "plan", plan_to_json(plan));
    return session_end(session, EXIT_DONE, result);
}

/* --- check --- */

static int run_check(struct session *session)
{
    int code = EXIT_DONE;
    const struct inv_cluster *cluster = session_cluster(session, 0, &code);
    if (cluster == NULL) {
        return code;
    }
    const struct arguments *arguments = &session->arguments;
    const struct cli_request request =
        session_request(session, cluster, arguments->word_count > 1 ? arguments->words[1] : NULL);
    struct gate_answer *answers = NULL;
    size_t count = 0;
    struct err *err =
        session->services->check(session->services, &request, &session->arena, &answers, &count);
    if (err != NULL) {
        return session_fail(session, err);
    }
    AUTO_BUF text = {0};
    plan_answers_text(answers, count, &text);
    session_print(session, buf_text(&text));
    return session_end(session, exit_of_answers(answers, count), result_of_answers(answers, count));
}

const struct command cli_check = {
    .name = "check",
    .words = "[CLUSTER] [VERSION]",
    .summary = "is the cluster well, and could it be upgraded now?",
    .details = "Evaluates every condition and prints all answers, good ones included. With a\n"
               "version also those of an upgrade to it. Changes nothing.",
    .max_args = 2,
    .run = run_check,
};

/* --- plan --- */

static struct err *write_plan(const char *path, const struct plan *plan)
{
    AUTO_JSON value = plan_to_json(plan);
    AUTO_BUF text = {0};
    char *pretty = js_write_pretty(value);
    buf_printf(&text, "%s\n", pretty);
    free(pretty);
    struct err *err = fs_write(path, text.data, text.size, 0600);
    return err == NULL ? NULL : err_code(err, "output_unwritable");
}

static int show_plan(struct session *session, const struct plan *plan)
{
    const char *path = arguments_text(&session->arguments, "output");
    struct err *err = path == NULL ? NULL : write_plan(path, plan);
    if (err != NULL) {
        return session_fail(session, err);
    }
    AUTO_BUF text = {0};
    plan_text(plan, &text);
    if (path != NULL) {
        buf_printf(&text, "\nwritten to %s; run it with `upshift %s --plan %s`\n", path,
            plan->request.action, path);
    }
    session_print(session, buf_text(&text));
    char digest[SHA256_HEX_SIZE];
    plan_digest(plan, digest);
    struct json *result = js_object();
    js_put(result, "plan", plan_to_json(plan));
    js_put_text(result, "digest", digest);
    const bool wants_code = arguments_has(&session->arguments, "exit-code");
    return session_end(session, wants_code ? EXIT_SOMETHING_TO_DO : EXIT_DONE, result);
}

/* What the words and options of `plan` ask for. */
static struct err *find_planning(const struct arguments *arguments, struct planning *ret_planning)
{
    const bool is_restart = arguments_has(arguments, "restart");
    const bool is_switchover = arguments_has(arguments, "switchover");
    const bool has_version = arguments->word_count > 1;
    if (is_restart + is_switchover + has_version != 1) {
        return err_hint(err_code(err_new(ERR_INVALID, NULL, "a plan for what?"), "usage"),
            "usage: upshift plan CLUSTER VERSION, or --restart or --switchover for VERSION");
    }
    *ret_planning = has_version ? (struct planning){"upgrade", arguments->words[1]}
                                : (struct planning){is_restart ? "restart" : "switchover", NULL};
    return NULL;
}

static int run_plan(struct session *session)
{
    struct planning planning = {0};
    struct err *err = find_planning(&session->arguments, &planning);
    if (err != NULL) {
        return session_fail(session, err);
    }
    int code = EXIT_DONE;
    AUTO_PLAN plan = {0};
    return planning_make(session, &planning, &plan, &code) ? show_plan(session, &plan) : code;
}

/* "orders cannot be upgraded to 7.0" */
static const char *describe_refused(
    struct session *session, const struct planning *planning, const char *cluster)
{
    if (planning->target != NULL) {
        return arena_format(
            &session->arena, "%s cannot be upgraded to %s", cluster, planning->target);
    }
    return arena_format(&session->arena, "%s cannot %s now", cluster,
        text_equal(planning->action, "restart") ? "be restarted" : "switch over");
}

static struct err *check_switchover_options(
    const struct arguments *arguments, const struct planning *planning)
{
    const bool has_shard = arguments_has(arguments, "shard");
    const bool has_node = arguments_has(arguments, "to");
    if (has_shard && has_node) {
        return err_code(err_new(ERR_INVALID, NULL,
                            "--to names a node, which is in one shard: leave --shard out"),
            "usage");
    }
    if ((has_shard || has_node) && !text_equal(planning->action, "switchover")) {
        return err_code(
            err_new(ERR_INVALID, NULL, "--shard and --to choose what a switchover does"), "usage");
    }
    return NULL;
}

bool planning_make(
    struct session *session, const struct planning *planning, struct plan *ret_plan, int *ret_exit)
{
    struct err *err = check_switchover_options(&session->arguments, planning);
    if (err != NULL) {
        *ret_exit = session_fail(session, err);
        return false;
    }
    const struct inv_cluster *cluster = session_cluster(session, 0, ret_exit);
    if (cluster == NULL) {
        return false;
    }
    struct cli_request request = session_request(session, cluster, planning->target);
    request.action = planning->action;
    request.shard = arguments_text(&session->arguments, "shard");
    request.node = arguments_text(&session->arguments, "to");
    struct plan_refusal refusal = {0};
    err = session->services->make_plan(
        session->services, &request, &session->arena, ret_plan, &refusal);
    if (err != NULL) {
        *ret_exit = session_fail(session, err);
        return false;
    }
    if (refusal.answer_count > 0) {
        *ret_exit =
            planning_refuse(session, describe_refused(session, planning, cluster->name), &refusal);
        return false;
    }
    if (ret_plan->phase_count == 0) {
        *ret_exit = say_nothing_to_do(session, ret_plan);
        return false;
    }
    return true;
}

static const struct option_spec plan_options[] = {
    {"output", 'o', OPTION_TEXT, "FILE", "also write the plan here, for `upgrade --plan FILE`"},
    {"restart", 0, OPTION_FLAG, NULL, "plan a restart of every node instead"},
    {"switchover", 0, OPTION_FLAG, NULL, "plan switchovers instead"},
    OPTION_SHARD,
    OPTION_TO,
    {"exit-code", 0, OPTION_FLAG, NULL, "exit 8 when there is something to do"},
    OPTION_NONE,
};

const struct command cli_plan = {
    .name = "plan",
    .words = "CLUSTER [VERSION]",
    .summary = "what an upgrade would do, step by step, or every reason against it",
    .details = "VERSION is exact (7.0.15), a series (7.0: its newest) or names another product\n"
               "(valkey/8.1). Fetches the programs of the target and tries them with each node's\n"
               "configuration; changes nothing in the cluster.",
    .options = plan_options,
    .min_args = 1,
    .max_args = 2,
    .run = run_plan,
};
