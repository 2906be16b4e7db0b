/*
 * Screens and plain texts of snapshots, compared with golden/<name>.txt. To write those anew after
 * looking at the difference: UPDATE_GOLDEN=1 meson test screen.
 */
#include "cli/screen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/view_text.h"

#define FOLDER SOURCE_ROOT "/tests/unit/cli/golden/"

static struct json *load(void)
{
    AUTO_BUF text = {0};
    struct json *snapshot = NULL;
    AUTO_ERR err = fs_read(FOLDER "snapshot.json", 1 << 20, &text);
    if (err == NULL) {
        err = js_parse(text.data, text.size, "snapshot.json", &snapshot);
    }
    assert_null(err);
    return snapshot;
}

static void compare(const struct buf *text, const char *name)
{
    AUTO_FREE char *path = mem_format(FOLDER "%s.txt", name);
    if (getenv("UPDATE_GOLDEN") != NULL) {
        AUTO_ERR unwritten = fs_write(path, buf_text(text), text->size, 0644);
        assert_null(unwritten);
    }
    AUTO_BUF wanted = {0};
    AUTO_ERR err = fs_read(path, 1 << 20, &wanted);
    assert_null(err);
    assert_string_equal(buf_text(text), buf_text(&wanted));
}

static void compare_screen(
    const struct json *snapshot, const struct screen *screen, const char *name)
{
    AUTO_BUF text = {0};
    screen_render(screen, snapshot, &text);
    compare(&text, name);
}

static struct json *make_question(void)
{
    struct json *question = js_object();
    struct json *reasons = js_array();
    js_push(reasons, js_text("start n5: the server ended at once: unknown directive \"foo\""));
    js_put_text(question, "text", "start n5");
    struct json *answers = js_array();
    js_push(answers, js_text("resume"));
    js_push(answers, js_text("resume --accept 3f9a00000000"));
    js_push(answers, js_text("rollback"));
    js_put(question, "answers", answers);
    js_put(question, "reasons", reasons);
    js_put_text(question, "remedy", "correct /srv/orders/n5/redis.conf, then resume");
    return question;
}

static struct json *make_soak(int64_t healthy_s)
{
    struct json *soak = js_object();
    js_put_number(soak, "healthy_s", healthy_s);
    js_put_number(soak, "wanted_s", 30);
    return soak;
}

/* `count` nodes; every 40th has a link that is down. */
static struct json *make_nodes(int count)
{
    struct json *nodes = js_array();
    for (int i = 1; i <= count; i++) {
        AUTO_FREE char *name = mem_format("n%d", i);
        AUTO_FREE char *shard = mem_format("shard-%d", (i + 1) / 2);
        struct json *node = js_object();
        js_put_text(node, "name", name);
        js_put_text(node, "shard", shard);
        js_put_text(node, "role", i % 2 == 0 ? "replica" : "primary");
        js_put_text(node, "product", "redis");
        js_put_text(node, "version", i <= 60 ? "7.0.15" : "6.0.16");
        js_put_bool(node, "is_reachable", true);
        js_put_bool(node, "is_link_up", i % 40 != 0);
        js_push(nodes, node);
    }
    return nodes;
}

static void a_run_fits_a_usual_terminal(void **UNUSED(state))
{
    AUTO_JSON snapshot = load();
    compare_screen(snapshot, &(struct screen){.width = 80, .height = 24}, "80x24");
}

static void a_large_terminal_shows_addresses_and_more_events(void **UNUSED(state))
{
    AUTO_JSON snapshot = load();
    compare_screen(snapshot, &(struct screen){.width = 120, .height = 40}, "120x40");
}

static void a_tiny_terminal_shows_what_matters_most(void **UNUSED(state))
{
    AUTO_JSON snapshot = load();
    compare_screen(snapshot, &(struct screen){.width = 40, .height = 10}, "40x10");
}

static void two_hundred_nodes_are_summarised(void **UNUSED(state))
{
    AUTO_JSON snapshot = load();
    js_put(snapshot, "nodes", make_nodes(200));
    compare_screen(snapshot, &(struct screen){.width = 80, .height = 24}, "200-nodes");
}

static void a_question_is_shown_with_its_remedy(void **UNUSED(state))
{
    AUTO_JSON snapshot = load();
    js_put_text(snapshot, "state", "PAUSED");
    js_put(snapshot, "waiting", js_none());
    js_put(snapshot, "question", make_question());
    js_put_text(js_at(js_get(snapshot, "steps"), 10), "state", "failed");
    compare_screen(snapshot, &(struct screen){.width = 80, .height = 24}, "question");
}

static void the_soak_has_a_bar(void **UNUSED(state))
{
    AUTO_JSON snapshot = load();
    js_put_text(snapshot, "state", "SOAKING");
    js_put(snapshot, "waiting", js_none());
    js_put(snapshot, "soak", make_soak(12));
    compare_screen(snapshot, &(struct screen){.width = 80, .height = 30}, "soak");
}

static void the_last_screen_has_no_keys(void **UNUSED(state))
{
    AUTO_JSON snapshot = load();
    compare_screen(snapshot, &(struct screen){.width = 80, .height = 24, .is_last = true}, "last");
}

static void colour_is_given_back_on_each_line(void **UNUSED(state))
{
    AUTO_JSON snapshot = load();
    AUTO_BUF plain = {0}, coloured = {0};
    screen_render(&(struct screen){.width = 80, .height = 24}, snapshot, &plain);
    screen_render(
        &(struct screen){.width = 80, .height = 24, .has_color = true}, snapshot, &coloured);
    assert_null(strchr(buf_text(&plain), '\x1b'));
    struct str rest = str_of(buf_text(&coloured)), line;
    size_t styled = 0;
    while (rest.size > 0 && str_cut(&rest, '\n', &line)) {
        const bool begins = line.size > 0 && line.data[0] == '\x1b';
        const bool ends = line.size > 4 && memcmp(line.data + line.size - 4, "\x1b[0m", 4) == 0;
        assert_true(begins == ends);
        styled += begins ? 1 : 0;
    }
    assert_true(styled > 3);
}

static void no_size_is_exceeded(void **UNUSED(state))
{
    AUTO_JSON snapshot = load();
    js_put(snapshot, "question", make_question());
    js_put(snapshot, "soak", make_soak(99));
    for (size_t i = 0; i < 400; i++) {
        const struct screen screen = {.width = 1 + i % 20 * 9, .height = 1 + i / 10};
        js_put(snapshot, "nodes", make_nodes((int)(i % 7) * 5));
        AUTO_BUF text = {0};
        screen_render(&screen, snapshot, &text);
        struct str rest = str_of(buf_text(&text)), line;
        size_t count = 0;
        while (rest.size > 0 && str_cut(&rest, '\n', &line)) {
            assert_true(line.size <= screen.width);
            count++;
        }
        assert_true(count <= screen.height);
    }
}

static void an_empty_snapshot_is_no_trouble(void **UNUSED(state))
{
    AUTO_JSON snapshot = js_object();
    AUTO_BUF text = {0};
    screen_render(&(struct screen){.width = 80, .height = 24}, snapshot, &text);
    view_append_news(NULL, snapshot, &text);
    view_append_end(snapshot, NULL, &text);
    assert_true(text.size > 0);
}

static void texts_cannot_steer_the_terminal(void **UNUSED(state))
{
    AUTO_BUF text = {0};
    screen_append_safe(&text, "a\x1b[2Jb\r\tc\x7f \xc3\xa9 \xc2\x9b \xff\n12345", 100);
    assert_string_equal(buf_text(&text), "a?[2Jb??c? \xc3\xa9 ? ?\n12345");
    buf_clear(&text);
    screen_append_safe(&text, "\xc3\xa9\xc3\xa9\xc3\xa9", 2); /* characters count, not bytes */
    assert_string_equal(buf_text(&text), "\xc3\xa9\xc3\xa9");
}

/* --- plain texts --- */

static void status_and_end_say_what_to_do(void **UNUSED(state))
{
    AUTO_JSON snapshot = load();
    js_put_text(snapshot, "state", "SOAKING");
    js_put_number(snapshot, "exit", 12);
    js_put(snapshot, "waiting", js_none());
    js_put(snapshot, "soak", make_soak(12));
    AUTO_BUF text = {0};
    view_append_end(snapshot, "/state/orders-cache/orders-cache-1.html", &text);
    compare(&text, "end-soaking");
}

static void a_closed_way_back_is_said_with_its_reason(void **UNUSED(state))
{
    AUTO_JSON snapshot = load();
    js_put_text(snapshot, "way_back", "closed");
    js_put_text(snapshot, "way_back_reason", "node-1 has 5 keys less than node-4");
    AUTO_BUF text = {0};
    view_append_status(snapshot, &text);
    assert_non_null(
        strstr(buf_text(&text), "the way back is closed: node-1 has 5 keys less than node-4\n"));
    assert_null(strstr(buf_text(&text), "CLUSTER FAILOVER"));
    buf_clear(&text);
    buf_clear(&text);
    screen_render(&(struct screen){.width = 100, .height = 30}, snapshot, &text);
    assert_non_null(strstr(buf_text(&text), "the way back is closed: node-1 has 5 keys less"));
    js_put_text(snapshot, "phase", "finalize");
    js_put_text(snapshot, "state", "SOAKING"); /* before it has begun */
    buf_clear(&text);
    screen_render(&(struct screen){.width = 100, .height = 30}, snapshot, &text);
    assert_non_null(strstr(buf_text(&text), "the way back is closed: node-1 has 5 keys less"));
    js_put_text(snapshot, "state", "RUNNING"); /* which is meant to close it */
    buf_clear(&text);
    screen_render(&(struct screen){.width = 100, .height = 30}, snapshot, &text);
    assert_null(strstr(buf_text(&text), "the way back is closed"));
    buf_clear(&text);
    js_put_text(snapshot, "way_back", "open");
    js_put_text(snapshot, "state", "REFUSED"); /* nothing to go back from */
    view_append_status(snapshot, &text);
    assert_null(strstr(buf_text(&text), "CLUSTER FAILOVER"));
}

static struct json *make_proposal(void)
{
    struct json *proposal = js_object();
    struct json *diff = js_array();
    js_push(diff, js_text("one switchover more: n5 takes over shard-2"));
    js_put_text(
        proposal, "digest", "3f9a0000000000000000000000000000000000000000000000000000000000aa");
    js_put_text(proposal, "cause", "n2 is primary of shard-2 again, which this run did not do");
    js_put(proposal, "diff", diff);
    return proposal;
}

static void a_proposed_plan_is_shown_with_its_hash(void **UNUSED(state))
{
    AUTO_JSON snapshot = load();
    js_put_text(snapshot, "state", "PAUSED");
    js_put_number(snapshot, "exit", 11);
    js_put_number(snapshot, "revision", 2);
    js_put(snapshot, "waiting", js_none());
    js_put(snapshot, "proposal", make_proposal());
    js_put(snapshot, "question", make_question());
    AUTO_BUF text = {0};
    view_append_end(snapshot, NULL, &text);
    compare(&text, "end-proposal");
    compare_screen(snapshot, &(struct screen){.width = 100, .height = 30}, "proposal");
}

static void a_run_that_goes_back_says_so(void **UNUSED(state))
{
    AUTO_JSON snapshot = load();
    js_put_text(snapshot, "direction", "back");
    js_put_number(snapshot, "revision", 1);
    AUTO_BUF text = {0};
    view_append_status(snapshot, &text);
    compare(&text, "status-back");
    compare_screen(snapshot, &(struct screen){.width = 100, .height = 30}, "back");
    js_put_text(snapshot, "state", "PAUSED");
    js_put_number(snapshot, "exit", 15);
    buf_clear(&text);
    view_append_end(snapshot, NULL, &text);
    assert_non_null(strstr(buf_text(&text), "`upshift resume orders-cache\n      --forward`"));
    js_put_text(snapshot, "state", "ROLLED_BACK");
    js_put_number(snapshot, "exit", 13);
    buf_clear(&text);
    view_append_end(snapshot, NULL, &text);
    assert_null(strstr(buf_text(&text), "going back"));
    assert_non_null(strstr(buf_text(&text), "every node has the version it had before"));
}

static void a_run_given_up_is_not_offered_a_rollback(void **UNUSED(state))
{
    AUTO_JSON snapshot = load();
    js_put_number(snapshot, "exit", 14);
    js_put_text(snapshot, "state", "ABANDONED");
    AUTO_BUF text = {0};
    view_append_end(snapshot, NULL, &text);
    assert_non_null(strstr(buf_text(&text), "take back by hand what is listed above"));
    assert_null(strstr(buf_text(&text), "upshift rollback"));
    js_put_text(snapshot, "state", "ABORTED");
    buf_clear(&text);
    view_append_end(snapshot, NULL, &text);
    assert_non_null(strstr(buf_text(&text), "`upshift rollback orders-cache` goes back"));
}

static void a_question_is_in_the_plain_end(void **UNUSED(state))
{
    AUTO_JSON snapshot = load();
    js_put_text(snapshot, "state", "PAUSED");
    js_put_number(snapshot, "exit", 11);
    js_put(snapshot, "question", make_question());
    AUTO_BUF text = {0};
    view_append_end(snapshot, NULL, &text);
    compare(&text, "end-question");
}

static void news_are_what_was_not_there_before(void **UNUSED(state))
{
    AUTO_JSON first = load();
    AUTO_JSON second = load();
    struct json *events = js_get(second, "events");
    js_drop_first(events); /* the window moves on */
    struct json *event = js_object();
    js_put_number(event, "wall_ms", 1700000042000);
    js_put_text(event, "text", "something new");
    js_push(events, event);
    AUTO_BUF text = {0};
    view_append_news(first, second, &text);
    assert_string_equal(buf_text(&text), "22:14:02 something new\n");
    buf_clear(&text);
    view_append_news(second, second, &text);
    assert_int_equal(text.size, 0);
}

static void wait_since(struct json *snapshot, int64_t ago_ms)
{
    const int64_t now_ms = js_get_number(snapshot, "now_wall_ms", 0);
    js_put_number(js_get(snapshot, "waiting"), "since_wall_ms", now_ms - ago_ms);
}

static void a_wait_is_news_once_when_it_has_lasted_a_while(void **UNUSED(state))
{
    AUTO_JSON young = load();
    AUTO_JSON old = load();
    AUTO_BUF text = {0};
    wait_since(young, 1500);
    view_append_news(young, young, &text);
    assert_int_equal(text.size, 0);
    wait_since(old, 2500);
    js_put_text(js_get(old, "waiting"), "because", "n6 is loading its data");
    view_append_news(young, old, &text);
    assert_non_null(strstr(buf_text(&text), "because n6 is loading its data, since 22:13:5"));
    buf_clear(&text);
    AUTO_JSON later = js_copy(old);
    js_put_text(js_get(later, "waiting"), "because", "n6 is 5 bytes behind");
    view_append_news(old, later, &text);
    assert_int_equal(text.size, 0);
}

static void durations_are_short(void **UNUSED(state))
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{-5, "0 s"}, {0, "0.0 s"}, {9999, "9.9 s"}, {10000, "10 s"}, {65000, "1 min 05 s"},
        {3720000, "1 h 02 min"}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        AUTO_BUF text = {0};
        view_append_duration(&text, cases[i].ms);
        assert_string_equal(buf_text(&text), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_fits_a_usual_terminal),
        cmocka_unit_test(a_large_terminal_shows_addresses_and_more_events),
        cmocka_unit_test(a_tiny_terminal_shows_what_matters_most),
        cmocka_unit_test(two_hundred_nodes_are_summarised),
        cmocka_unit_test(a_question_is_shown_with_its_remedy),
        cmocka_unit_test(the_soak_has_a_bar),
        cmocka_unit_test(the_last_screen_has_no_keys),
        cmocka_unit_test(colour_is_given_back_on_each_line),
        cmocka_unit_test(no_size_is_exceeded),
        cmocka_unit_test(an_empty_snapshot_is_no_trouble),
        cmocka_unit_test(texts_cannot_steer_the_terminal),
        cmocka_unit_test(status_and_end_say_what_to_do),
        cmocka_unit_test(a_closed_way_back_is_said_with_its_reason),
        cmocka_unit_test(a_question_is_in_the_plain_end),
        cmocka_unit_test(a_proposed_plan_is_shown_with_its_hash),
        cmocka_unit_test(a_run_that_goes_back_says_so),
        cmocka_unit_test(a_run_given_up_is_not_offered_a_rollback),
        cmocka_unit_test(news_are_what_was_not_there_before),
        cmocka_unit_test(a_wait_is_news_once_when_it_has_lasted_a_while),
        cmocka_unit_test(durations_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
