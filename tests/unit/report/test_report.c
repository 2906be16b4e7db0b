/* tests/unit/report/test_report.c - what a report says, and what it must never say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "report/report.h"
#include "sample.h"

struct built {
    struct sample sample;
    struct json *report;
    const struct json *summary;
};

static void build(struct built *built, const struct sample_wish *wish)
{
    sample_make(&built->sample, wish);
    struct err *err = report_build(
        built->sample.journal, built->sample.run, built->sample.probe_directory, &built->report);
    assert_null(err);
    built->summary = js_get(built->report, "summary");
}

static void built_release(struct built *built)
{
    js_free(built->report);
    sample_release(&built->sample);
}

static void assert_has(const struct json *list, const char *text)
{
    for (size_t i = 0; i < js_count(list); i++) {
        if (strstr(js_as_text(js_at(list, i)), text) != NULL) {
            return;
        }
    }
    fail_msg("no sentence with \"%s\"", text);
}

static void assert_figure(const struct built *built, const char *key, int64_t wanted)
{
    const int64_t found = js_get_number(built->summary, key, -1);
    if (found != wanted) {
        fail_msg("%s is %lld, not %lld", key, (long long)found, (long long)wanted);
    }
}

static void assert_headline(const struct built *built, const char *start)
{
    const char *headline = js_get_text(built->summary, "headline");
    if (strncmp(headline, start, strlen(start)) != 0) {
        fail_msg("\"%s\" does not begin with \"%s\"", headline, start);
    }
}

static void a_clean_run_is_passed_with_its_proof_in_one_line(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){.raw_failed = 3});
    assert_string_equal(js_get_text(built.summary, "verdict"), "passed");
    assert_string_equal(js_get_text(built.summary, "headline"),
        "0 failed of 62,600 operations, 0 of 31,300 acknowledged writes lost, longest operation "
        "61 ms");
    assert_int_equal(js_count(js_get(built.summary, "reasons")), 0);
    assert_figure(&built, "raw_failed", 3);
    assert_figure(&built, "unobserved_ms", 0);
    assert_figure(&built, "steps_done", 24);
    assert_figure(&built, "steps_total", 24);
    assert_string_equal(js_get_text(js_get(built.report, "run"), "state"), "COMPLETE");
    built_release(&built);
}

static void a_gap_is_never_called_0_failed(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){.is_probe_killed = true});
    assert_string_equal(js_get_text(built.summary, "verdict"), "not proved");
    assert_headline(&built, "0 failed in the 95.4 % observed");
    /* 1.4 s, and what was left of the block in which it died */
    assert_in_range(js_get_number(built.summary, "unobserved_ms", 0), 1400, 1500);
    assert_has(js_get(built.summary, "reasons"), "1.4 s of 31.2 s were not observed");
    assert_has(js_get(built.report, "not_checked"), "1.4 s in which the probe was not running");
    assert_has(js_get(built.report, "not_checked"), "the newest writes of probe a1b2c3");
    AUTO_BUF text = {0};
    report_write_text(built.report, &text);
    assert_null(strstr(text.data, "0 failed of"));
    assert_non_null(strstr(text.data, "NOT PROVED"));
    assert_non_null(strstr(text.data, "?"));
    built_release(&built);
}

static void what_the_probe_cost_is_told_everywhere(void **UNUSED(state))
{
    static const char cost[] = "the probe used 4.1 % of one core, sent 12 MB and received 987 kB";
    struct built built;
    build(&built, &(struct sample_wish){0});
    assert_string_equal(js_get_text(built.summary, "cost"), cost);
    assert_figure(&built, "bytes_sent", 12340000);
    AUTO_BUF text = {0};
    report_write_text(built.report, &text);
    assert_non_null(strstr(text.data, "Cost: the probe used 4.1 % of one core"));
    AUTO_BUF html = {0};
    report_write_html(built.report, &html);
    assert_non_null(strstr(html.data, cost));
    built_release(&built);
}

static void bytes_of_a_killed_probe_are_not_made_up(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){.is_probe_killed = true});
    assert_non_null(strstr(js_get_text(built.summary, "cost"), "of one core"));
    assert_null(strstr(js_get_text(built.summary, "cost"), "sent"));
    built_release(&built);
    build(&built, &(struct sample_wish){.has_no_probe = true});
    assert_null(js_get_text(built.summary, "cost"));
    built_release(&built);
}

static void failures_and_losses_are_counted(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){.failed = 17, .lost = 2});
    assert_headline(&built, "17 failed of 62,600 operations, 2 of 31,283 acknowledged writes lost, "
                            "longest successful operation");
    assert_has(js_get(built.summary, "reasons"), "17 operations failed");
    assert_has(js_get(built.summary, "reasons"), "2 acknowledged writes are missing");
    AUTO_BUF html = {0};
    report_write_html(built.report, &html);
    assert_non_null(strstr(html.data, "class=\"verdict failed\""));
    assert_non_null(strstr(html.data, "<rect class=\"bad\""));
    built_release(&built);
}

static void without_a_probe_nothing_is_proved(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){.has_no_probe = true});
    assert_string_equal(js_get_text(built.summary, "verdict"), "not proved");
    assert_headline(&built, "nothing was observed");
    assert_has(js_get(built.report, "not_checked"), "whether any client noticed");
    AUTO_BUF html = {0};
    report_write_html(built.report, &html);
    assert_null(strstr(html.data, "<b>0</b><span>operations failed"));
    assert_null(strstr(html.data, "<b>0</b><span>acknowledged writes lost"));
    built_release(&built);
}

static void a_probe_that_only_read_proves_no_write(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){.is_read_only = true});
    assert_string_equal(js_get_text(built.summary, "verdict"), "not proved");
    assert_headline(&built, "0 failed of 62,600 operations, no write was checked");
    assert_has(js_get(built.summary, "reasons"), "the probe only read");
    built_release(&built);
}

static void writes_never_read_back_are_not_checked(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){.has_no_final = true});
    assert_string_equal(js_get_text(built.summary, "verdict"), "not proved");
    assert_headline(&built, "0 failed in the 92.2 % observed (62,600 operations), none of 31,300 "
                            "acknowledged writes was read back");
    assert_figure(&built, "checked", 0);
    assert_figure(&built, "not_checked", 31300);
    assert_has(js_get(built.summary, "reasons"), "31,300 acknowledged writes were not read back");
    assert_has(js_get(built.summary, "reasons"), "the probe has not ended in order");
    built_release(&built);
}

static void a_paused_run_is_not_proved_and_names_its_state(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){.is_paused = true});
    assert_has(js_get(built.summary, "reasons"), "the run is not complete: it is PAUSED");
    assert_has(js_get(built.report, "not_checked"), "3 temporary settings are still in place: set");
    AUTO_BUF html = {0};
    report_write_html(built.report, &html);
    assert_non_null(strstr(html.data, "The way back, by hand"));
    assert_non_null(strstr(html.data, "not read again yet"));
    assert_null(strstr(html.data, "<rect class=\"new\""));
    assert_non_null(strstr(html.data, "failed: the replica did not catch up within 30 s"));
    built_release(&built);
}

static void a_stall_is_tied_to_the_step_that_ran(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){.raw_failed = 3});
    const struct json *stalls = js_get(built.report, "stalls");
    assert_int_equal(js_count(stalls), 3);
    const struct json *first = js_at(stalls, 0);
    assert_int_equal(js_get_number(first, "raw_failed", 0), 3);
    assert_int_equal(js_get_number(first, "longest_us", 0), 42000);
    assert_string_equal(js_as_text(js_at(js_get(first, "steps"), 0)), "shard-01/n2/switchover");
    built_release(&built);
}

static void a_probe_that_was_not_scheduled_accuses_nobody(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){.is_stalled = true});
    const struct json *first = js_at(js_get(built.report, "stalls"), 0);
    assert_true(js_get_bool(first, "is_probe_stall", false));
    assert_has(js_get(built.report, "not_checked"), "did not let the probe run");
    built_release(&built);
}

static void a_setting_that_somebody_changed_is_named_and_not_put_back(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){.has_foreign = true});
    assert_has(js_get(built.report, "checked"), "2 temporary settings put back");
    assert_has(js_get(built.report, "not_checked"), "left at 32mb and was 1mb before the run");
    built_release(&built);
    build(&built, &(struct sample_wish){0});
    assert_has(js_get(built.report, "checked"), "3 temporary settings put back");
    built_release(&built);
}

static void failures_are_never_excused_by_the_probe(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){.failed = 5, .is_stalled_then = true});
    const struct json *stalls = js_get(built.report, "stalls");
    for (size_t i = 0; i < js_count(stalls); i++) {
        const bool has_failed = js_get_number(js_at(stalls, i), "failed", 0) > 0;
        assert_false(has_failed && js_get_bool(js_at(stalls, i), "is_probe_stall", false));
    }
    built_release(&built);
}

static void parts_follow_the_phases(void **UNUSED(state))
{
    static const char *const titles[] = {
        "before", "prepare", "replicas", "switchover", "pause point", "finalize", "after"};
    struct built built;
    build(&built, &(struct sample_wish){.raw_failed = 3});
    const struct json *parts = js_get(built.report, "parts");
    assert_int_equal(js_count(parts), ARRAY_COUNT(titles));
    for (size_t i = 0; i < ARRAY_COUNT(titles); i++) {
        assert_string_equal(js_get_text(js_at(parts, i), "title"), titles[i]);
        assert_int_equal(js_get_number(js_at(parts, i), "raw_failed", 0),
            strcmp(titles[i], "switchover") ? 0 : 3);
    }
    built_release(&built);
}

static void a_run_of_hours_stays_a_small_file(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){.soak_s = 1500});
    const struct json *probe = js_get(built.report, "probe");
    assert_int_equal(js_get_number(probe, "slot_ms", 0), 400);
    assert_true(js_count(js_get(probe, "slots")) <= 6000);
    assert_string_equal(js_get_text(built.summary, "verdict"), "passed");
    built_release(&built);
}

static void the_same_journal_gives_the_same_bytes(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){.has_stock = true});
    struct json *again = NULL;
    assert_null(
        report_build(built.sample.journal, built.sample.run, built.sample.probe_directory, &again));
    assert_true(js_equal(built.report, again));
    js_free(again);
    built_release(&built);
}

static void names_cannot_break_out_of_the_page(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){.has_hostile_names = true});
    AUTO_BUF html = {0};
    report_write_html(built.report, &html);
    assert_null(strstr(html.data, "<img"));
    const char *data = strstr(html.data, "id=\"upshift-report\">");
    assert_non_null(data);
    const char *end = strstr(data, "</script>");
    assert_non_null(end);
    assert_null(strstr(end + 1, "</script>"));
    built_release(&built);
}

static void the_page_refers_to_nothing_outside(void **UNUSED(state))
{
    static const char *const words[] = {
        "http:", "https:", " src=", " href=", "url(//", "@import", "<script>", "onload"};
    struct built built;
    build(&built, &(struct sample_wish){.has_stock = true, .raw_failed = 1});
    AUTO_BUF html = {0};
    report_write_html(built.report, &html);
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (strstr(html.data, words[i]) != NULL) {
            fail_msg("the page holds \"%s\"", words[i]);
        }
    }
    assert_non_null(strstr(html.data, "redis-py 4.3.4 RedisCluster"));
    built_release(&built);
}

static void the_screen_is_80_columns_of_ascii(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){.raw_failed = 3, .failed = 2, .is_probe_killed = true});
    AUTO_BUF text = {0};
    report_write_text(built.report, &text);
    struct str rest = str_of(text.data);
    struct str line;
    while (str_cut(&rest, '\n', &line)) {
        assert_true(line.size <= 80);
        for (size_t i = 0; i < line.size; i++) {
            assert_in_range(line.data[i], ' ', '~');
        }
    }
    built_release(&built);
}

static void an_unknown_run_is_refused(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){0});
    struct json *report = NULL;
    AUTO_ERR err = report_build(built.sample.journal, "orders-cache-7", NULL, &report);
    assert_non_null(err);
    assert_string_equal(err->code, "run_unknown");
    built_release(&built);
}

static void a_run_that_went_back_says_why_and_how(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){.is_rolled_back = true});
    assert_string_equal(js_get_text(built.summary, "verdict"), "rolled back");
    assert_headline(&built, "0 failed of ");
    assert_figure(&built, "steps_done", 18); /* 15 forward, 3 back; finalize was dropped */
    assert_figure(&built, "steps_total", 18);
    const struct json *revision = js_at(js_get(built.report, "revisions"), 0);
    assert_string_equal(js_get_text(revision, "direction"), "back");
    assert_int_equal(js_count(js_get(built.report, "failovers")), 0); /* its own way back */
    AUTO_BUF text = {0};
    report_write_text(built.report, &text);
    assert_non_null(strstr(text.data, "ROLLED BACK"));
    assert_non_null(strstr(text.data, "Went back: the operator said rollback"));
    assert_non_null(strstr(text.data, "accepted by anna"));
    AUTO_BUF html = {0};
    report_write_html(built.report, &html);
    assert_non_null(strstr(html.data, "n1 becomes primary of shard-01 again"));
    assert_non_null(strstr(html.data, "<td class=\"state open\">dropped"));
    built_release(&built);
}

static void losses_of_a_foreign_failover_are_counted_apart(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){.has_failover = true, .lost_apart = 7});
    assert_string_equal(js_get_text(built.summary, "verdict"), "not proved");
    assert_figure(&built, "lost", 7);
    assert_figure(&built, "lost_in_failovers", 7);
    assert_non_null(strstr(js_get_text(built.summary, "headline"),
        "0 of 36,800 acknowledged writes lost and 7 in a failover that this run did not make"));
    assert_has(js_get(built.summary, "reasons"), "n3 took over shard-02 from n4 between");
    const struct json *failover = js_at(js_get(built.report, "failovers"), 0);
    assert_int_equal(js_get_number(failover, "lost", 0), 7);
    assert_int_equal(
        js_get_number(failover, "to_ms", 0) - js_get_number(failover, "from_ms", 0), 1500);
    const int64_t to_ms = js_get_number(failover, "lost_to_ms", 0);
    assert_in_range(js_get_number(failover, "from_ms", 0) - to_ms, 0, 200);
    AUTO_BUF text = {0};
    report_write_text(built.report, &text);
    assert_non_null(strstr(text.data, "Failovers that this run did not make"));
    AUTO_BUF html = {0};
    report_write_html(built.report, &html);
    assert_non_null(strstr(html.data, "<h2>Failovers that this run did not make</h2>"));
    built_release(&built);
}

static void a_loss_at_another_time_is_not_excused_by_a_failover(void **UNUSED(state))
{
    struct built built;
    build(&built, &(struct sample_wish){.has_failover = true, .lost = 2, .lost_apart = 7});
    assert_figure(&built, "lost", 9);
    assert_figure(&built, "lost_in_failovers", 7);
    assert_non_null(strstr(js_get_text(built.summary, "headline"), "2 of 36,800"));
    assert_has(js_get(built.summary, "reasons"), "2 acknowledged writes are missing");
    built_release(&built);
    build(&built, &(struct sample_wish){.lost = 2}); /* and none without one */
    assert_figure(&built, "lost_in_failovers", 0);
    assert_int_equal(js_count(js_get(built.report, "failovers")), 0);
    built_release(&built);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clean_run_is_passed_with_its_proof_in_one_line),
        cmocka_unit_test(a_gap_is_never_called_0_failed),
        cmocka_unit_test(what_the_probe_cost_is_told_everywhere),
        cmocka_unit_test(bytes_of_a_killed_probe_are_not_made_up),
        cmocka_unit_test(failures_and_losses_are_counted),
        cmocka_unit_test(without_a_probe_nothing_is_proved),
        cmocka_unit_test(a_probe_that_only_read_proves_no_write),
        cmocka_unit_test(writes_never_read_back_are_not_checked),
        cmocka_unit_test(a_paused_run_is_not_proved_and_names_its_state),
        cmocka_unit_test(a_stall_is_tied_to_the_step_that_ran),
        cmocka_unit_test(a_probe_that_was_not_scheduled_accuses_nobody),
        cmocka_unit_test(a_setting_that_somebody_changed_is_named_and_not_put_back),
        cmocka_unit_test(failures_are_never_excused_by_the_probe),
        cmocka_unit_test(parts_follow_the_phases),
        cmocka_unit_test(a_run_of_hours_stays_a_small_file),
        cmocka_unit_test(the_same_journal_gives_the_same_bytes),
        cmocka_unit_test(names_cannot_break_out_of_the_page),
        cmocka_unit_test(the_page_refers_to_nothing_outside),
        cmocka_unit_test(the_screen_is_80_columns_of_ascii),
        cmocka_unit_test(a_run_that_went_back_says_why_and_how),
        cmocka_unit_test(losses_of_a_foreign_failover_are_counted_apart),
        cmocka_unit_test(a_loss_at_another_time_is_not_excused_by_a_failover),
        cmocka_unit_test(an_unknown_run_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
