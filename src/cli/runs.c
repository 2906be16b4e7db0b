/*
 * cli/runs.c - run list and run show: history out of the journals.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "engine/journal.h"

/* --- list --- */

static void add_run(const char *cluster, const struct journal_run *run, struct json *list)
{
    char when[CLOCK_TEXT_SIZE];
    struct json *entry = js_object();
    js_put_text(entry, "run", run->id);
    js_put_text(entry, "cluster", cluster);
    js_put_text(entry, "title", run->title);
    js_put_text(entry, "state", run->state);
    js_put_bool(entry, "is_final", run->is_final);
    js_put_text(entry, "created", clock_format_wall(run->created_wall_ms, when));
    js_push(list, entry);
}

static struct err *add_runs_of(struct session *session, const char *cluster, struct json *list)
{
    struct journal *journal = NULL;
    struct err *err = session->services->open_journal(session->services, cluster, &journal);
    if (err != NULL) {
        return err;
    }
    struct journal_run *runs = NULL;
    size_t count = 0;
    err = journal->ops->list_runs(journal, &session->arena, &runs, &count);
    for (size_t i = 0; err == NULL && i < count; i++) {
        add_run(cluster, &runs[i], list);
    }
    journal->ops->close(journal);
    return err;
}

static void append_run_line(struct buf *text, const struct json *run)
{
    buf_printf(text, "%-22s %.16sZ %-11s %s\n", js_get_text(run, "run"),
        js_get_text(run, "created"), js_get_text(run, "state"), js_get_text(run, "title"));
}

static int run_list(struct session *session)
{
    const char **clusters = NULL;
    size_t count = 0;
    struct err *err =
        session->services->list_journals(session->services, &session->arena, &clusters, &count);
    struct json *list = js_array();
    for (size_t i = 0; err == NULL && i < count; i++) {
        err = add_runs_of(session, clusters[i], list);
    }
    if (err != NULL) {
        js_free(list);
        return session_fail(session, err);
    }
    AUTO_BUF text = {0};
    for (size_t i = 0; i < js_count(list); i++) {
        append_run_line(&text, js_at(list, i));
    }
    if (js_count(list) == 0) {
        buf_printf(&text, "no runs below %s\n", session->services->state_directory);
    }
    session_print(session, buf_text(&text));
    struct json *result = js_object();
    js_put(result, "runs", list);
    return session_end(session, EXIT_DONE, result);
}

static const struct command command_run_list = {
    .name = "list",
    .summary = "all runs below the state directory, newest first for each cluster",
    .run = run_list,
};

/* --- show --- */

/* "orders-cache-12" is run 12 of orders-cache. NULL: not the form of a run's name. */
static const char *cluster_of_run(struct session *session, const char *run)
{
    const char *dash = strrchr(run, '-');
    if (dash == NULL || dash == run || strchr(run, '/') != NULL || run[0] == '.') {
        return NULL;
    }
    return arena_strndup(&session->arena, run, (size_t)(dash - run));
}

static struct json *describe_record(const struct journal_record *record)
{
    char when[CLOCK_TEXT_SIZE];
    struct json *entry = js_object();
    js_put_number(entry, "seq", record->seq);
    js_put_number(entry, "epoch", record->epoch);
    js_put_text(entry, "time", clock_format_wall(record->wall_ms, when));
    js_put_text(entry, "type", journal_type_names[record->type]);
    js_put_text(entry, "step", record->step);
    js_put_number(entry, "attempt", record->attempt);
    js_put(entry, "body", js_ref(record->body));
    js_put_text(entry, "hash", record->hash);
    return entry;
}

static void append_record_line(struct buf *text, const struct json *record)
{
    const char *step = js_get_text(record, "step");
    AUTO_JSON shown = js_copy(js_get(record, "body"));
    js_remove(shown, "plan"); /* its digest is there, and --json has all of it */
    char *body = js_write(shown);
    buf_printf(text, "%4lld %s %-13s %s%s%.160s%s\n", (long long)js_get_number(record, "seq", 0),
        js_get_text(record, "time"), js_get_text(record, "type"), step == NULL ? "" : step,
        step == NULL ? "" : " ", body, strlen(body) > 160 ? "..." : "");
    free(body);
}

static struct err *read_records(struct session *session, const char *run, struct json *list)
{
    const char *cluster = cluster_of_run(session, run);
    if (cluster == NULL) {
        return err_code(
            err_new(ERR_INVALID, NULL, "\"%s\" is not the name of a run", run), "run_unknown");
    }
    struct journal *journal = NULL;
    struct err *err = session->services->open_journal(session->services, cluster, &journal);
    if (err != NULL) {
        return err;
    }
    struct journal_record *records = NULL;
    size_t count = 0;
    err = journal->ops->read(journal, run, &session->arena, &records, &count);
    for (size_t i = 0; err == NULL && i < count; i++) {
        js_push(list, describe_record(&records[i]));
    }
    journal_records_release(records, count);
    journal->ops->close(journal);
    return err;
}

static int run_show(struct session *session)
{
    const char *run = session->arguments.words[0];
    struct json *list = js_array();
    struct err *err = read_records(session, run, list);
    if (err != NULL) {
        js_free(list);
        return session_fail(session, err);
    }
    AUTO_BUF text = {0};
    for (size_t i = 0; i < js_count(list); i++) {
        append_record_line(&text, js_at(list, i));
    }
    session_print(session, buf_text(&text));
    struct json *result = js_object();
    js_put_text(result, "run", run);
    js_put(result, "records", list);
    return session_end(session, EXIT_DONE, result);
}

static const struct command command_run_show = {
    .name = "show",
    .words = "RUN",
    .summary = "every record of a run, as the journal has it",
    .min_args = 1,
    .max_args = 1,
    .run = run_show,
};

static const struct command *const run_children[] = {&command_run_list, &command_run_show, NULL};

const struct command cli_run = {
    .name = "run",
    .summary = "runs and their records",
    .children = run_children,
};
