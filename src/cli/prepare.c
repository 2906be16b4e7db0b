/*
 * cli/prepare.c - check and plan: look at the cluster and say what would be done.
 */
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/fs.h"
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

int planning_exit(const struct plan_refusal *refusal)
{
    return exit_of_answers(refusal->answers, refusal->answer_count);
}

struct json *planning_describe(const struct plan_refusal *refusal)
{
    return result_of_answers(refusal->answers, refusal->answer_count);
}

static int refuse(struct session *session, const struct plan_refusal *refusal, const char *cluster,
    const char *target)
{
    AUTO_BUF text = {0};
    plan_refusal_text(refusal, cluster, target, &text);
    session_print(session, buf_text(&text));
    return session_end(session, planning_exit(refusal), planning_describe(refusal));
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
        buf_printf(&text, "\nwritten to %s; run it with `upshift upgrade --plan %s`\n", path, path);
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

static int run_plan(struct session *session)
{
    int code = EXIT_DONE;
    AUTO_PLAN plan = {0};
    if (!planning_make(session, &plan, &code)) {
        return code;
    }
    return show_plan(session, &plan);
}

bool planning_make(struct session *session, struct plan *ret_plan, int *ret_exit)
{
    const struct inv_cluster *cluster = session_cluster(session, 0, ret_exit);
    if (cluster == NULL) {
        return false;
    }
    const char *target = session->arguments.words[1];
    const struct cli_request request = session_request(session, cluster, target);
    struct plan_refusal refusal = {0};
    struct err *err = session->services->make_plan(
        session->services, &request, &session->arena, ret_plan, &refusal);
    if (err != NULL) {
        *ret_exit = session_fail(session, err);
        return false;
    }
    if (refusal.answer_count > 0) {
        *ret_exit = refuse(session, &refusal, cluster->name, target);
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
    {"exit-code", 0, OPTION_FLAG, NULL, "exit 8 when there is something to do"},
    OPTION_NONE,
};

const struct command cli_plan = {
    .name = "plan",
    .words = "CLUSTER VERSION",
    .summary = "what an upgrade would do, step by step, or every reason against it",
    .details = "VERSION is exact (7.0.15), a series (7.0: its newest) or names another product\n"
               "(valkey/8.1). Fetches the programs of the target and tries them with each node's\n"
               "configuration; changes nothing in the cluster.",
    .options = plan_options,
    .min_args = 2,
    .max_args = 2,
    .run = run_plan,
};
