/*
 * report/report.h - what happened in a run, and how well that is proved.
 *
 * A report is one JSON object: data (the run's steps out of the journal, the per-second series out
 * of the probe's logs, and the digests of both) and figures (the summary), which are a function of
 * that data. Text and HTML are written from the JSON alone, so the same JSON always gives the same
 * bytes; the HTML carries the JSON inside. Verifying therefore recomputes the figures from the
 * data, the page from the JSON, and, where journal and logs are still there, the data from them.
 * The members are described in docs/report.md. Everything blocks on files only.
 */
#ifndef UPSHIFT_REPORT_REPORT_H
#define UPSHIFT_REPORT_REPORT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "engine/journal.h"

/* Builds the report of a run. `probe_directory` holds the probe's logs and, if a stock client ran,
 * its counts in stock.json; NULL or missing: nothing was observed, and the report says so.
 * Owns: `*ret_report` is the caller's. Errors: those of the journal. */
MUST_USE struct err *report_build(struct journal *journal, const char *run,
    const char *probe_directory, struct json **ret_report);

/* Writes one self-contained page: no script, no reference to anything outside. */
void report_write_html(const struct json *report, struct buf *ret_html);

/* Writes the terminal's last screen: at most 80 columns, plain ASCII. */
void report_write_text(const struct json *report, struct buf *ret_text);

/* Reads a report back from its JSON or its page. Owns: as report_build().
 * Errors: ERR_INVALID with code "report_invalid"; ERR_REFUSED with "report_newer". */
MUST_USE struct err *report_load(const char *file, struct json **ret_report);

/* Recomputes what `file` claims. `journal` and `probe_directory` may be NULL (gone): then only
 * figures and page are compared, and the result says so. The result is an object: is_sound;
 * compared and not_compared (sentences); differences: [{what, file, recomputed}].
 * Owns: as report_build(). Errors: those of report_load(); a difference is a result, not an error.
 */
MUST_USE struct err *report_verify(const char *file, struct journal *journal,
    const char *probe_directory, struct json **ret_result);

/* Writes the result of report_verify() for people. */
void report_write_check(const struct json *result, struct buf *ret_text);

#endif
