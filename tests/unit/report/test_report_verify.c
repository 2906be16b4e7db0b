/* tests/unit/report/test_report_verify.c - a changed report is found out, and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "report/report.h"
#include "sample.h"

struct fixture {
    struct sample sample;
    struct json *report;
    struct buf html;
    const char *path; /* of the page */
};

static const struct sample_wish wish = {.raw_failed = 3, .failed = 4, .has_stock = true};

static void write_file(const char *path, const char *text, size_t size)
{
    assert_null(fs_write(path, text, size, 0600));
}

static int setup(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof(*fixture));
    sample_make(&fixture->sample, &wish);
    assert_null(report_build(fixture->sample.journal, fixture->sample.run,
        fixture->sample.probe_directory, &fixture->report));
    report_write_html(fixture->report, &fixture->html);
    fixture->path =
        arena_format(&fixture->sample.arena, "%s/report.html", fixture->sample.directory);
    write_file(fixture->path, fixture->html.data, fixture->html.size);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    js_free(fixture->report);
    buf_release(&fixture->html);
    sample_release(&fixture->sample);
    free(fixture);
    return 0;
}

/* Verifies and gives what report_write_check() says. */
static void check(
    const struct fixture *fixture, bool has_journal, bool has_logs, struct buf *ret_text)
{
    struct json *result = NULL;
    assert_null(report_verify(fixture->path, has_journal ? fixture->sample.journal : NULL,
        has_logs ? fixture->sample.probe_directory : NULL, &result));
    report_write_check(result, ret_text);
    js_free(result);
}

static void assert_says(const struct buf *text, const char *wanted)
{
    if (strstr(text->data, wanted) == NULL) {
        fail_msg("no \"%s\" in:\n%s", wanted, text->data);
    }
}

/* Replaces the first occurrence in the page. */
static void forge(struct fixture *fixture, const char *old, const char *new)
{
    const char *at = strstr(fixture->html.data, old);
    assert_non_null(at);
    AUTO_BUF forged = {0};
    buf_append(&forged, fixture->html.data, (size_t)(at - fixture->html.data));
    buf_append_text(&forged, new);
    buf_append_text(&forged, at + strlen(old));
    write_file(fixture->path, forged.data, forged.size);
}

static void an_untouched_page_is_sound_with_everything_compared(void **state)
{
    AUTO_BUF text = {0};
    check(*state, /* has_journal= */ true, /* has_logs= */ true, &text);
    assert_says(&text, "The report is what its data say.");
    assert_says(&text, "compared:     the data with the journal and the probe's logs");
    assert_null(strstr(text.data, "not compared"));
}

static void without_journal_and_logs_it_says_what_was_not_compared(void **state)
{
    AUTO_BUF text = {0};
    check(*state, false, false, &text);
    assert_says(&text, "The report is what its data say.");
    assert_says(&text, "not compared: the data with the journal and the probe's logs");
    AUTO_BUF without_logs = {0};
    check(*state, true, false, &without_logs);
    assert_says(&without_logs, "not compared: the series with the probe's logs: they are gone");
}

static void a_report_as_json_is_verified_too(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *json = js_write_pretty(fixture->report);
    write_file(fixture->path, json, strlen(json));
    AUTO_BUF text = {0};
    check(fixture, true, true, &text);
    assert_says(&text, "The report is what its data say.");
}

static void a_figure_that_its_series_do_not_give_is_named(void **state)
{
    struct fixture *fixture = *state;
    js_put_number(js_get(fixture->report, "summary"), "failed", 0);
    AUTO_FREE char *json = js_write(fixture->report);
    write_file(fixture->path, json, strlen(json));
    AUTO_BUF text = {0};
    check(fixture, false, false, &text);
    assert_says(&text, "The report is NOT what its data say.");
    assert_says(&text, "summary.failed: the file says 0, recomputed it is 4");
}

static void a_headline_painted_over_is_found(void **state)
{
    forge(*state, "<p class=\"proof\">4 failed", "<p class=\"proof\">0 failed");
    AUTO_BUF text = {0};
    check(*state, false, false, &text);
    assert_says(&text, "the page is not the one of this data");
}

static void series_forged_with_their_figures_differ_from_the_logs(void **state)
{
    struct fixture *fixture = *state;
    struct json *probe = js_get(fixture->report, "probe");
    struct json *slot = js_at(js_get(probe, "slots"), 5);
    js_put_number(slot, "intended", 999);
    AUTO_FREE char *json = js_write(fixture->report);
    write_file(fixture->path, json, strlen(json));
    AUTO_BUF text = {0};
    check(fixture, true, true, &text);
    assert_says(&text, "probe.slots[5].intended: the file says 999, recomputed it is 200");
}

static void another_journal_is_not_taken_for_this_one(void **state)
{
    struct fixture *fixture = *state;
    js_put_text(js_get(fixture->report, "journal"), "head", "00");
    AUTO_FREE char *json = js_write(fixture->report);
    write_file(fixture->path, json, strlen(json));
    AUTO_BUF text = {0};
    check(fixture, true, true, &text);
    assert_says(&text, "journal.head: the file says \"00\"");
}

static void a_journal_that_went_on_is_compared_as_it_was(void **state)
{
    struct fixture *fixture = *state;
    struct journal_record record = {
        .def = 1, .epoch = 9, .type = JOURNAL_OPERATOR, .wall_ms = 5, .body = js_object()};
    assert_null(fixture->sample.journal->ops->append(
        fixture->sample.journal, fixture->sample.run, &record, 1, NULL, false));
    js_free(record.body);
    AUTO_BUF text = {0};
    check(fixture, true, true, &text);
    assert_says(&text, "The report is what its data say.");
}

static void a_changed_log_line_is_damage_and_a_difference(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *path = mem_format("%s/a1b2c3.log", fixture->sample.probe_directory);
    AUTO_BUF log = {0};
    assert_null(fs_read(path, 1 << 30, &log));
    char *digit = strstr(log.data, "\"failed\":4");
    assert_non_null(digit);
    digit[strlen("\"failed\":")] = '0';
    write_file(path, log.data, log.size);
    AUTO_BUF text = {0};
    check(fixture, true, true, &text);
    assert_says(&text, "The report is NOT what its data say.");
    assert_says(&text, "does not fit the chain");

    struct json *again = NULL;
    assert_null(report_build(
        fixture->sample.journal, fixture->sample.run, fixture->sample.probe_directory, &again));
    assert_string_equal(js_get_text(js_get(again, "summary"), "verdict"), "not proved");
    js_free(again);
}

static void a_log_cut_off_by_a_kill_counts_up_to_there(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *path = mem_format("%s/a1b2c3.log", fixture->sample.probe_directory);
    AUTO_BUF log = {0};
    assert_null(fs_read(path, 1 << 30, &log));
    write_file(path, log.data, log.size - 20);
    struct json *again = NULL;
    assert_null(report_build(
        fixture->sample.journal, fixture->sample.run, fixture->sample.probe_directory, &again));
    const struct json *file = js_at(js_get(js_get(again, "probe"), "incarnations"), 0);
    assert_non_null(strstr(js_get_text(file, "damage"), "ends in the middle of a line"));
    assert_false(js_get_bool(file, "is_final", true));
    js_free(again);
}

static void refuses(struct fixture *fixture, const char *content, const char *code)
{
    write_file(fixture->path, content, strlen(content));
    struct json *report = NULL;
    AUTO_ERR err = report_load(fixture->path, &report);
    assert_non_null(err);
    assert_string_equal(err->code, code);
    assert_null(report);
}

static void files_that_are_no_report_are_refused(void **state)
{
    refuses(*state, "<html>nothing</html>", "report_invalid");
    refuses(*state, "{\"kind\":\"recipe\"}", "report_invalid");
    refuses(*state, "<script type=\"application/json\" id=\"upshift-report\">{", "report_invalid");
    refuses(*state, "{\"kind\":\"upshift-report\",\"format\":1,\"to_ms\":9000000000000000000}",
        "report_invalid");
    refuses(*state, "{\"kind\":\"upshift-report\",\"format\":2}", "report_newer");
    struct json *report = NULL;
    AUTO_ERR err = report_load("/nonexistent/report.html", &report);
    assert_string_equal(err->code, "report_invalid");
}

static void an_empty_report_is_verified_without_harm(void **state)
{
    struct fixture *fixture = *state;
    static const char empty[] = "{\"kind\":\"upshift-report\",\"format\":1}";
    write_file(fixture->path, empty, strlen(empty));
    AUTO_BUF text = {0};
    check(fixture, true, true, &text);
    assert_says(&text, "The report is NOT what its data say.");
    struct json *report = NULL;
    assert_null(report_load(fixture->path, &report));
    AUTO_BUF html = {0};
    AUTO_BUF screen = {0};
    report_write_html(report, &html);
    report_write_text(report, &screen);
    js_free(report);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(an_untouched_page_is_sound_with_everything_compared),
        CASE(without_journal_and_logs_it_says_what_was_not_compared),
        CASE(a_report_as_json_is_verified_too),
        CASE(a_figure_that_its_series_do_not_give_is_named),
        CASE(a_headline_painted_over_is_found),
        CASE(series_forged_with_their_figures_differ_from_the_logs),
        CASE(another_journal_is_not_taken_for_this_one),
        CASE(a_journal_that_went_on_is_compared_as_it_was),
        CASE(a_changed_log_line_is_damage_and_a_difference),
        CASE(a_log_cut_off_by_a_kill_counts_up_to_there),
        CASE(files_that_are_no_report_are_refused),
        CASE(an_empty_report_is_verified_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
