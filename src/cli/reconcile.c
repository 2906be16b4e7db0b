/*
 * cli/reconcile.c - after a repair by hand, and after a controller that will not come back.
 */
#include <string.h>

#include "base/str.h"
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/steer.h"

static const char *text_or_unknown(const char *text)
{
    return text == NULL ? "?" : text;
}

static struct json *list_texts(const char *const *texts, size_t count)
{
    struct json *list = js_array();
    for (size_t i = 0; i < count; i++) {
        js_push(list, js_text(texts[i]));
    }
    return list;
}

static struct json *describe_claims(const struct cli_claims *claims)
{
    struct json *scopes = js_array();
    for (size_t i = 0; i < claims->scope_count; i++) {
        const struct cli_claim_scope *scope = &claims->scopes[i];
        struct json *entry = js_object();
        js_put_text(entry, "step", scope->step);
        js_put_text(entry, "node", scope->node);
        js_put_text(entry, "what", scope->what);
        js_put_text(entry, "before", scope->before);
        js_put_text(entry, "outcome", scope->outcome);
        js_push(scopes, entry);
    }
    struct json *result = js_object();
    js_put(result, "owners", list_texts(claims->owners, claims->owner_count));
    js_put(result, "unseen", list_texts(claims->unseen, claims->unseen_count));
    js_put(result, "scopes", scopes);
    js_put_bool(result, "is_cleared", claims->is_cleared);
    return result;
}

static void print_claims(const struct session *session, const struct cli_claims *claims)
{
    AUTO_BUF text = {0};
    for (size_t i = 0; i < claims->owner_count; i++) {
        buf_printf(&text, "%s\n", claims->owners[i]);
    }
    for (size_t i = 0; i < claims->scope_count; i++) {
        const struct cli_claim_scope *scope = &claims->scopes[i];
        buf_printf(&text, "%s%s: %s (before: %s)%s%s\n",
            i == 0 ? "temporary changes that it has not taken back:\n  - " : "  - ",
            text_or_unknown(scope->node), text_or_unknown(scope->what),
            text_or_unknown(scope->before), scope->outcome == NULL ? "" : ": ",
            scope->outcome == NULL ? "" : scope->outcome);
    }
    for (size_t i = 0; i < claims->unseen_count; i++) {
        buf_printf(&text, "not seen: %s\n", claims->unseen[i]);
    }
    session_print(session, buf_text(&text));
}

struct claim_order {
    enum cli_claims_act act;
    const char *question; /* with the cluster's name */
    const char *done;
};

static const struct claim_order clear_order = {CLI_CLAIMS_CLEAR,
    "Clear the claim on %s: that run can then not go on, and its temporary changes stay",
    "the claim is cleared; the temporary changes that are listed stay as they are"};
static const struct claim_order adopt_order = {CLI_CLAIMS_ADOPT,
    "Put the temporary changes on %s back and end that run's claim",
    "the claim is ended; plan anew for what remains"};

static struct err *look(
    struct session *session, const struct cli_request *request, struct cli_claims *ret_claims)
{
    struct services *services = session->services;
    return services->reconcile_claims(
        services, request, CLI_CLAIMS_LOOK, &session->arena, ret_claims);
}

static int end_claims(
    struct session *session, const struct claim_order *order, const struct cli_claims *claims)
{
    print_claims(session, claims);
    if (claims->is_cleared) {
        session_say(session, "%s", order->done);
    }
    return session_end(
        session, claims->is_cleared ? EXIT_DONE : EXIT_CANNOT_SEE, describe_claims(claims));
}

/* Shows whose claim it is and what that run has left behind, asks, and does it. */
static int settle_claims(
    struct session *session, const struct inv_cluster *cluster, const struct claim_order *order)
{
    struct services *services = session->services;
    const struct cli_request request = session_request(session, cluster, NULL);
    struct cli_claims claims = {0};
    struct err *err = look(session, &request, &claims);
    if (err != NULL) {
        return session_fail(session, err);
    }
    if (claims.owner_count == 0 && claims.unseen_count == 0) {
        session_say(session, "no run has left a claim on the nodes of %s", cluster->name);
        return session_end(session, EXIT_DONE, describe_claims(&claims));
    }
    if (!session->is_quiet) {
        print_claims(session, &claims);
    }
    int code = EXIT_DONE;
    const char *marker = strstr(order->question, "%s");
    const char *question = arena_format(&session->arena, "%.*s%s%s",
        (int)(marker - order->question), order->question, cluster->name, marker + 2);
    if (!session_confirm(session, question, &code)) {
        return code;
    }
    claims = (struct cli_claims){0};
    err = services->reconcile_claims(services, &request, order->act, &session->arena, &claims);
    return err != NULL ? session_fail(session, err) : end_claims(session, order, &claims);
}

static struct err *check_reconcile(const struct arguments *arguments)
{
    if (arguments_has(arguments, "adopt") && arguments_has(arguments, "clear-claim")) {
        return err_code(err_new(ERR_INVALID, NULL,
                            "--adopt puts temporary changes back, --clear-claim leaves them: give "
                            "one of them"),
            "usage");
    }
    return NULL;
}

/* The name is typed a second time: whoever clears the wrong claim lets two controllers at it. */
static struct err *check_typed(const char *typed, const struct inv_cluster *cluster)
{
    return typed == NULL || strcmp(typed, cluster->name) == 0
               ? NULL
               : err_code(err_new(ERR_INVALID, NULL,
                              "--clear-claim names \"%s\", but the cluster is \"%s\"", typed,
                              cluster->name),
                     "usage");
}

static int run_reconcile(struct session *session)
{
    const struct arguments *arguments = &session->arguments;
    const char *typed = arguments_text(arguments, "clear-claim");
    struct err *err = check_reconcile(arguments);
    if (err != NULL) {
        return session_fail(session, err);
    }
    int code = EXIT_DONE;
    if (typed == NULL && !arguments_has(arguments, "adopt")) {
        const char *name = session_cluster_name(session, 0, &code);
        const struct viewer_order order = {"reconcile", NULL};
        return name == NULL ? code : steer(session, name, &order);
    }
    const struct inv_cluster *cluster = session_cluster(session, 0, &code);
    if (cluster == NULL) {
        return code;
    }
    err = check_typed(typed, cluster);
    return err != NULL
               ? session_fail(session, err)
               : settle_claims(session, cluster, typed != NULL ? &clear_order : &adopt_order);
}

static const struct option_spec reconcile_options[] = {
    {"adopt", 0, OPTION_FLAG, NULL, "put back what a run left that is lost, and end its claim"},
    {"clear-claim", 0, OPTION_TEXT, "CLUSTER", "only end its claim; the name is typed again"},
    OPTION_YES,
    OPTION_DETACH,
    OPTION_NONE,
};

const struct command cli_reconcile = {
    .name = "reconcile",
    .words = "[CLUSTER]",
    .summary = "look at a cluster that was repaired by hand, and plan the rest of its run anew",
    .details = "The run stays paused; what was done by hand is taken for done. With --adopt or\n"
               "--clear-claim: ends the claim of a run whose journal or host is gone.",
    .options = reconcile_options,
    .max_args = 1,
    .run = run_reconcile,
};
