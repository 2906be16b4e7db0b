/*
 * cli/prove.c - report and probe: what happened to clients, in a run or just now.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "model/probe_log.h"
#include "report/report.h"

/* --- report --- */

struct source { /* of a report */
    struct journal *journal;
    const char *run;
    const char *probe_directory;
};

static struct err *find_newest(
    struct session *session, struct journal *journal, const char **ret_run)
{
    struct journal_run *runs = NULL;
    size_t count = 0;
    struct err *err = journal->ops->list_runs(journal, &session->arena, &runs, &count);
    if (err == NULL && count == 0) {
        err =
            err_code(err_new(ERR_INVALID, journal->where, "the journal has no run yet"), "no_run");
    }
    if (err == NULL) {
        *ret_run = runs[0].id;
    }
    return err;
}

static struct err *open_source(
    struct session *session, const char *cluster, const char *run, struct source *ret_source)
{
    struct journal *journal = NULL;
    struct err *err = session->services->open_journal(session->services, cluster, &journal);
    if (err == NULL && run == NULL) {
        err = find_newest(session, journal, &run);
    }
    if (err != NULL) {
        if (journal != NULL) {
            journal->ops->close(journal);
        }
        return err;
    }
    *ret_source = (struct source){journal, run,
        arena_format(&session->arena, "%s/probe/%s", session_directory(session, cluster), run)};
    return NULL;
}

static void close_source(struct source *source)
{
    if (source->journal != NULL) {
        source->journal->ops->close(source->journal);
    }
}

static bool is_json_name(const char *path)
{
    const size_t size = strlen(path);
    return size > 5 && strcmp(path + size - 5, ".json") == 0;
}

static struct err *write_report(const char *path, const struct json *report)
{
    AUTO_BUF content = {0};
    if (is_json_name(path)) {
        char *text = js_write_pretty(report);
        buf_printf(&content, "%s\n", text);
        free(text);
    } else {
        report_write_html(report, &content);
    }
    struct err *err = fs_write(path, content.data, content.size, 0600);
    return err == NULL ? NULL : err_code(err, "output_unwritable");
}

static int print_report(struct session *session, const struct json *report)
{
    const char *path = arguments_text(&session->arguments, "output");
    struct err *err = path == NULL ? NULL : write_report(path, report);
    if (err != NULL) {
        return session_fail(session, err);
    }
    AUTO_BUF text = {0};
    report_write_text(report, &text);
    if (path != NULL) {
        buf_printf(&text, "written to %s\n", path);
    } else {
        session_say(session, "`-o FILE` writes it as a page, or as JSON to FILE.json");
    }
    session_print(session, buf_text(&text));
    struct json *result = js_object();
    js_put(result, "report", js_ref(report));
    return session_end(session, EXIT_DONE, result);
}

static int make_report(struct session *session)
{
    int code = EXIT_DONE;
    const char *cluster = session_cluster_name(session, 0, &code);
    if (cluster == NULL) {
        return code;
    }
    const struct arguments *arguments = &session->arguments;
    struct source source = {0};
    struct err *err = open_source(
        session, cluster, arguments->word_count > 1 ? arguments->words[1] : NULL, &source);
    AUTO_JSON report = NULL;
    if (err == NULL) {
        err = report_build(source.journal, source.run, source.probe_directory, &report);
    }
    close_source(&source);
    return err != NULL ? session_fail(session, err) : print_report(session, report);
}

/* Journal and logs may be on another machine: what is missing is said by the result. */
static struct err *verify(struct session *session, const char *file, struct json **ret_result)
{
    AUTO_JSON report = NULL;
    struct err *err = report_load(file, &report);
    if (err != NULL) {
        return err;
    }
    const char *cluster = js_get_text(js_get(report, "run"), "cluster");
    const char *run = js_get_text(js_get(report, "run"), "id");
    struct source source = {0};
    const bool is_named = cluster != NULL && run != NULL && cluster[0] != '.' &&
                          strchr(cluster, '/') == NULL && strchr(run, '/') == NULL;
    if (is_named) {
        AUTO_ERR gone = open_source(session, cluster, run, &source);
        if (gone != NULL) {
            session_say(session, "the journal is not compared: %s", gone->what);
        }
    }
    err = report_verify(file, source.journal, source.probe_directory, ret_result);
    close_source(&source);
    return err;
}

static int verify_report(struct session *session, const char *file)
{
    AUTO_JSON result = NULL;
    struct err *err = verify(session, file, &result);
    if (err != NULL) {
        return session_fail(session, err);
    }
    AUTO_BUF text = {0};
    report_write_check(result, &text);
    session_print(session, buf_text(&text));
    const bool is_sound = js_get_bool(result, "is_sound", false);
    return session_end(session, is_sound ? EXIT_DONE : EXIT_NOT_PROVED, js_ref(result));
}

static int run_report(struct session *session)
{
    const char *file = arguments_text(&session->arguments, "verify");
    return file != NULL ? verify_report(session, file) : make_report(session);
}

static const struct option_spec report_options[] = {
    {"output", 'o', OPTION_TEXT, "FILE",
        "write the page here; as JSON when the name ends in .json"},
    {"verify", 0, OPTION_TEXT, "FILE", "recompute what a report claims; exit 16 when it differs"},
    OPTION_NONE,
};

const struct command cli_report = {
    .name = "report",
    .words = "[CLUSTER] [RUN]",
    .summary = "what a run did to clients, and how well that is proved",
    .details = "Of the newest run, unless one is named. `--verify` needs no words: the report\n"
               "names its run.",
    .options = report_options,
    .max_args = 2,
    .run = run_report,
};

/* --- probe --- */

static int print_probe(struct session *session, const struct json *final)
{
    const int64_t lost = js_get_number(final, "missing", 0) + js_get_number(final, "different", 0);
    const int64_t bad = lost + js_get_number(final, "failed", 0) + js_get_number(final, "wrong", 0);
    AUTO_BUF text = {0};
    buf_printf(&text,
        "%" PRId64 " operations: %" PRId64 " ok, %" PRId64 " failed, %" PRId64
        " raw failed, %" PRId64 " wrong\n%" PRId64 " writes acknowledged: %" PRId64
        " lost, %" PRId64 " not checked\n",
        js_get_number(final, "intended", 0), js_get_number(final, "ok", 0),
        js_get_number(final, "failed", 0), js_get_number(final, "raw_failed", 0),
        js_get_number(final, "wrong", 0), js_get_number(final, "acked", 0), lost,
        js_get_number(final, "not_checked", 0));
    const int64_t load_us = js_get_number(final, "block_count", 0) * PROBE_BLOCK_MS * 1000;
    const int64_t cpu_us = js_get_number(final, "cpu_us", 0);
    buf_printf(&text, "cost: %.1f %% of one core, %.1f MB sent, %.1f MB received\n",
        load_us == 0 ? 0.0 : 100.0 * (double)cpu_us / (double)load_us,
        (double)js_get_number(final, "bytes_sent", 0) / 1e6,
        (double)js_get_number(final, "bytes_received", 0) / 1e6);
    session_print(session, buf_text(&text));
    struct json *result = js_object();
    js_put(result, "final", js_ref(final));
    return session_end(session, bad == 0 ? EXIT_DONE : EXIT_NOT_PROVED, result);
}

static int run_probe(struct session *session)
{
    int code = EXIT_DONE;
    const struct inv_cluster *cluster = session_cluster(session, 0, &code);
    if (cluster == NULL) {
        return code;
    }
    const struct cli_request request = session_request(session, cluster, NULL);
    const struct cli_probe_options options = {
        .rate = arguments_number(&session->arguments, "rate", 0),
        .seconds = arguments_number(&session->arguments, "for", 0),
        .is_read_only = arguments_has(&session->arguments, "read-only"),
    };
    AUTO_JSON final = NULL;
    struct err *err = session->services->probe(session->services, &request, &options, &final);
    return err != NULL ? session_fail(session, err) : print_probe(session, final);
}

static const struct option_spec probe_options[] = {
    {"rate", 0, OPTION_NUMBER, "N", "operations per second (default: the inventory's)"},
    {"for", 0, OPTION_NUMBER, "S", "seconds (default: until Ctrl-C)"},
    {"read-only", 0, OPTION_FLAG, NULL, "write nothing"},
    OPTION_NONE,
};

const struct command cli_probe = {
    .name = "probe",
    .words = "[CLUSTER]",
    .summary = "use the cluster as a client would, and measure",
    .details = "Writes keys under upshift:p: and reads every acknowledged one back at the end,\n"
               "then removes them. Exit 16 when an operation failed or a write was lost.",
    .options = probe_options,
    .max_args = 1,
    .run = run_probe,
};
