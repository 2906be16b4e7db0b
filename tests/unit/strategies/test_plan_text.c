/* Plans as text: every line fits, long names do not break the page. (Whole pages: tests/golden.) */
#include "model/plan_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "story.h"

enum { WIDTH = 80 };

static size_t longest_line(const char *text)
{
    size_t longest = 0;
    while (*text != '\0') {
        const size_t size = strcspn(text, "\n");
        longest = size > longest ? size : longest;
        text += size + (text[size] == '\n');
    }
    return longest;
}

static void a_plan_fits_the_page_with_long_names(void **UNUSED(state))
{
    AUTO_STORY story;
    story_init(&story,
        "{\"nodes\": {\"n4\": {\"name\": \"cache-eu-central-1a.example.org:6379\"}},"
        " \"dry_starts\": {\"cache-eu-central-1a.example.org:6379\": {\"node\": "
        "\"cache-eu-central-1a.example.org:6379\", \"is_good\": true}}}",
        NULL);
    AUTO_PLAN plan = {0};
    struct plan_refusal refusal;
    AUTO_BUF text = {0};
    assert_true(rolling_plan(&story.rolling, &story.arena, &plan, &refusal));

    plan_text(&plan, &text);

    assert_true(longest_line(buf_text(&text)) <= WIDTH);
    assert_non_null(strstr(buf_text(&text), "cache-eu-central-1a.example.org:6379/stop\n"));
    assert_non_null(strstr(buf_text(&text), "pause point"));
}

static void a_word_longer_than_the_page_stays_whole(void **UNUSED(state))
{
    const char *word = "/a/very/long/path/that/does/not/fit/into/eighty/columns/at/all/because/it/"
                       "has/more/of/them";
    const struct gate_answer answer = {GATE_NEVER, "directory_safe", word, NULL};
    AUTO_BUF text = {0};
    plan_answers_text(&answer, 1, &text);
    assert_non_null(strstr(buf_text(&text), word));
}

static void reasons_are_counted_in_words(void **UNUSED(state))
{
    struct gate_answer answers[] = {
        {GATE_NEVER, "a", "it is so", "change it"}, {GATE_NOT_YET, "b", "not now", NULL}};
    struct plan_refusal refusal = {answers, 1};
    AUTO_BUF text = {0};
    plan_refusal_text(&refusal, "orders", "redis 7.0.15", &text);
    assert_string_equal(buf_text(&text), "orders cannot be upgraded to redis 7.0.15: 1 reason\n"
                                         "never     a: it is so\n"
                                         "          -> change it\n");
    refusal.answer_count = 2;
    buf_clear(&text);
    plan_refusal_text(&refusal, "orders", "redis 7.0.15", &text);
    assert_non_null(strstr(buf_text(&text), "2 reasons\n"));
    assert_non_null(strstr(buf_text(&text), "\nnot yet   b: not now\n"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_fits_the_page_with_long_names),
        cmocka_unit_test(a_word_longer_than_the_page_stays_whole),
        cmocka_unit_test(reasons_are_counted_in_words),
    };
    return cmocka_run_group_tests_name("plan_text", tests, NULL, NULL);
}
