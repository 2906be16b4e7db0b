#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/build.h"
#include "report/page.h"
#include "report/report.h"
#include "report/summary.h"

enum { REPORT_SIZE_MAX = 256 << 20, DIFFERENCES_MAX = 100 };

/* Times are the largest numbers in a report; above this, sums and pictures of a forged one could
 * overflow. As milliseconds it is the year 2248. */
static const int64_t number_max = INT64_C(1) << 43;

struct verifier {
    const struct json *report;
    struct json *compared, *not_compared, *differences; /* borrowed from the result */
};

static struct err *invalid(const char *file, const char *what)
{
    struct err *err = err_new(ERR_INVALID, file, "%s", what);
    return err_code(err_hint(err, "name a report written by `upshift report`"), "report_invalid");
}

/* The JSON of a page, or the whole content where that is the JSON. */
static struct str find_data(const struct buf *content)
{
    const struct str whole = {buf_text(content), content->size};
    const char *begin = strstr(whole.data, PAGE_DATA_BEGIN);
    if (begin == NULL) {
        return whole;
    }
    begin += strlen(PAGE_DATA_BEGIN);
    const char *end = strstr(begin, PAGE_DATA_END);
    return end == NULL ? (struct str){begin, 0} : (struct str){begin, (size_t)(end - begin)};
}

static bool has_sane_numbers(const struct json *value)
{
    size_t cursor = 0;
    const char *key = NULL;
    struct json *member = NULL;
    if (js_is(value, JS_INT)) {
        const int64_t number = js_as_number(value, 0);
        return number >= -number_max && number <= number_max;
    }
    for (size_t i = 0; js_is(value, JS_ARRAY) && i < js_count(value); i++) {
        if (!has_sane_numbers(js_at(value, i))) {
            return false;
        }
    }
    while (js_is(value, JS_OBJECT) && js_next(value, &cursor, &key, &member)) {
        if (!has_sane_numbers(member)) {
            return false;
        }
    }
    return true;
}

static struct err *load_page(const char *file, struct buf *content, struct json **ret_report)
{
    struct err *err = fs_read(file, REPORT_SIZE_MAX, content);
    if (err != NULL) {
        return err_code(err, "report_invalid");
    }
    const struct str data = find_data(content);
    AUTO_JSON report = NULL;
    AUTO_ERR unread = js_parse(data.data, data.size, file, &report);
    if (unread != NULL || !text_equal(js_get_text(report, "kind"), "upshift-report")) {
        return invalid(file, "the file holds no report");
    }
    const int64_t format = js_get_number(report, "format", 0);
    if (format > REPORT_FORMAT) {
        err = err_new(ERR_REFUSED, file, "the report has format %lld, upshift %s knows up to %d",
            (long long)format, UPSHIFT_VERSION, REPORT_FORMAT);
        return err_code(err_hint(err, "use the upshift that wrote it"), "report_newer");
    }
    if (!has_sane_numbers(report)) {
        return invalid(file, "the report holds numbers that no run can have");
    }
    *ret_report = js_ref(report);
    return NULL;
}

struct err *report_load(const char *file, struct json **ret_report)
{
    AUTO_BUF content = {0};
    return load_page(file, &content, ret_report);
}

static void note_difference(const struct verifier *verifier, const char *what,
    const struct json *claimed, const struct json *found)
{
    if (js_count(verifier->differences) >= DIFFERENCES_MAX) {
        return;
    }
    struct json *difference = js_object();
    js_put_text(difference, "what", what);
    js_put(difference, "file", claimed == NULL ? js_none() : js_ref(claimed));
    js_put(difference, "recomputed", found == NULL ? js_none() : js_ref(found));
    js_push(verifier->differences, difference);
}

static void compare(const struct verifier *verifier, const char *what, const struct json *claimed,
    const struct json *found);

static void compare_arrays(const struct verifier *verifier, const char *what,
    const struct json *claimed, const struct json *found)
{
    const size_t count = js_count(claimed) > js_count(found) ? js_count(claimed) : js_count(found);
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *name = mem_format("%s[%zu]", what, i);
        compare(verifier, name, js_at(claimed, i), js_at(found, i));
    }
}

static void compare_objects(const struct verifier *verifier, const char *what,
    const struct json *claimed, const struct json *found)
{
    size_t cursor = 0;
    const char *key = NULL;
    struct json *value = NULL;
    while (js_next(claimed, &cursor, &key, &value)) {
        AUTO_FREE char *name = mem_format("%s.%s", what, key);
        compare(verifier, name, value, js_get(found, key));
    }
    cursor = 0;
    while (js_next(found, &cursor, &key, &value)) {
        if (js_get(claimed, key) == NULL) {
            AUTO_FREE char *name = mem_format("%s.%s", what, key);
            note_difference(verifier, name, NULL, value);
        }
    }
}

/* Names the smallest parts that differ. */
static void compare(const struct verifier *verifier, const char *what, const struct json *claimed,
    const struct json *found)
{
    if (claimed != NULL && found != NULL && js_equal(claimed, found)) {
        return;
    }
    if (js_is(claimed, JS_OBJECT) && js_is(found, JS_OBJECT)) {
        compare_objects(verifier, what, claimed, found);
    } else if (js_is(claimed, JS_ARRAY) && js_is(found, JS_ARRAY)) {
        compare_arrays(verifier, what, claimed, found);
    } else {
        note_difference(verifier, what, claimed, found);
    }
}

static void verify_figures(const struct verifier *verifier)
{
    AUTO_JSON again = js_copy(verifier->report);
    summary_write(again);
    for (size_t i = 0; summary_members[i] != NULL; i++) {
        compare(verifier, summary_members[i], js_get(verifier->report, summary_members[i]),
            js_get(again, summary_members[i]));
    }
    js_push(verifier->compared, js_text("every figure with the data in the file"));
}

static void verify_page(const struct verifier *verifier, const struct buf *content)
{
    if (strstr(buf_text(content), PAGE_DATA_BEGIN) == NULL) {
        return;
    }
    const char *made_by = js_get_text(verifier->report, "made_by");
    if (!text_equal(made_by, "upshift " UPSHIFT_VERSION)) {
        js_push(verifier->not_compared,
            js_text("the page's words and pictures: another release wrote them"));
        return;
    }
    AUTO_BUF again = {0};
    report_write_html(verifier->report, &again);
    js_push(verifier->compared, js_text("the page's words and pictures with the data in the file"));
    if (again.size != content->size || memcmp(again.data, content->data, again.size) != 0) {
        note_difference(verifier, "page", NULL, NULL);
    }
}

/* All that does not come from the figures. */
static void compare_data(const struct verifier *verifier, const struct json *found)
{
    size_t cursor = 0;
    const char *key = NULL;
    struct json *value = NULL;
    while (js_next(verifier->report, &cursor, &key, &value)) {
        bool is_figure = text_equal(key, "made_by") || text_equal(key, "format");
        for (size_t i = 0; summary_members[i] != NULL; i++) {
            is_figure = is_figure || text_equal(key, summary_members[i]);
        }
        if (!is_figure) {
            compare(verifier, key, value, js_get(found, key));
        }
    }
}

static void verify_sources(
    const struct verifier *verifier, struct journal *journal, const char *probe_directory)
{
    if (journal == NULL) {
        js_push(verifier->not_compared, js_text("the data with the journal and the probe's logs"));
        return;
    }
    const struct json *files = js_get(js_get(verifier->report, "probe"), "incarnations");
    const bool has_logs = probe_directory != NULL && fs_exists(probe_directory);
    const struct build_source source = {.journal = journal,
        .run = js_get_text(js_get(verifier->report, "run"), "id"),
        .probe_directory = probe_directory,
        .as_of = verifier->report};
    AUTO_JSON found = NULL;
    AUTO_ERR err = source.run == NULL ? NULL : build_data(&source, &found);
    if (err != NULL || found == NULL) {
        AUTO_FREE char *text = err == NULL ? mem_strdup("no run is named") : err_text(err);
        AUTO_JSON reason = js_text(text);
        note_difference(verifier, "journal", js_get(verifier->report, "journal"), reason);
        return;
    }
    if (!has_logs && js_count(files) > 0) {
        js_push(verifier->not_compared, js_text("the series with the probe's logs: they are gone"));
        static const char *const of_logs[] = {"probe", "stock", "from_ms", "to_ms"};
        for (size_t i = 0; i < ARRAY_COUNT(of_logs); i++) {
            js_put(found, of_logs[i], js_ref(js_get(verifier->report, of_logs[i])));
        }
    }
    js_push(verifier->compared, js_text(has_logs ? "the data with the journal and the probe's logs"
                                                 : "the data with the journal"));
    compare_data(verifier, found);
}

struct err *report_verify(const char *file, struct journal *journal, const char *probe_directory,
    struct json **ret_result)
{
    AUTO_BUF content = {0};
    AUTO_JSON report = NULL;
    struct err *err = load_page(file, &content, &report);
    if (err != NULL) {
        return err;
    }
    struct json *result = js_object();
    const struct verifier verifier = {.report = report,
        .compared = js_array(),
        .not_compared = js_array(),
        .differences = js_array()};
    js_put(result, "compared", verifier.compared);
    js_put(result, "not_compared", verifier.not_compared);
    js_put(result, "differences", verifier.differences);
    verify_figures(&verifier);
    verify_page(&verifier, &content);
    verify_sources(&verifier, journal, probe_directory);
    js_put_bool(result, "is_sound", js_count(verifier.differences) == 0);
    *ret_result = result;
    return NULL;
}

static void write_lines(struct buf *buf, const char *first, const struct json *lines)
{
    for (size_t i = 0; i < js_count(lines); i++) {
        buf_printf(buf, "%s%s\n", first, js_as_text(js_at(lines, i)));
    }
}

void report_write_check(const struct json *result, struct buf *ret_text)
{
    const struct json *differences = js_get(result, "differences");
    buf_append_text(ret_text, js_get_bool(result, "is_sound", false)
                                  ? "The report is what its data say.\n"
                                  : "The report is NOT what its data say.\n");
    write_lines(ret_text, "  compared:     ", js_get(result, "compared"));
    write_lines(ret_text, "  not compared: ", js_get(result, "not_compared"));
    for (size_t i = 0; i < js_count(differences); i++) {
        const struct json *difference = js_at(differences, i);
        const char *what = js_get_text(difference, "what");
        if (text_equal(what, "page")) {
            buf_append_text(ret_text, "  different:    the page is not the one of this data\n");
            continue;
        }
        AUTO_FREE char *claimed = js_write(js_get(difference, "file"));
        AUTO_FREE char *found = js_write(js_get(difference, "recomputed"));
        buf_printf(ret_text, "  different:    %s: the file says %s, recomputed it is %s\n", what,
            claimed, found);
    }
}
