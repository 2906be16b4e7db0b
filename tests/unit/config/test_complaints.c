/* How complaints are kept and shown. */
#include "config/complaints.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

static const struct config_place second_line = {.line = 2, .column = 4, .width = 3};

static void the_caret_stands_below_its_character(void **UNUSED(state))
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"a\nxyzABC\n", "f:2:4: no\n  2 | xyzABC\n    |    ^~~\n"},
        {"a\r\nxyzABC\r\n", "f:2:4: no\n  2 | xyzABC\n    |    ^~~\n"},
        {"a\nx\tzABC", "f:2:4: no\n  2 | x\tzABC\n    |  \t ^~~\n"},
        {"a\n\xc3\xbcyzABC", "f:2:4: no\n  2 | \xc3\xbcyzABC\n    |    ^~~\n"},
        {"a\n", "f:2:4: no\n"},
        {"", "f:2:4: no\n"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        AUTO_COMPLAINTS complaints = {0};
        config_complaints_init(&complaints, "f", str_of(cases[i].text));
        config_complain(&complaints, second_line, "no");
        AUTO_FREE char *shown = config_complaints_text(&complaints);
        assert_string_equal(shown, cases[i].shown);
    }
}

static void a_line_that_nobody_wrote_by_hand_is_not_shown(void **UNUSED(state))
{
    AUTO_BUF text = {0};
    buf_append_char(&text, '\n');
    for (int i = 0; i < 200; i++) {
        buf_append_char(&text, 'x');
    }
    AUTO_COMPLAINTS complaints = {0};
    config_complaints_init(&complaints, "f", (struct str){text.data, text.size});
    config_complain(&complaints, second_line, "no");
    AUTO_FREE char *shown = config_complaints_text(&complaints);
    assert_string_equal(shown, "f:2:4: no\n");
}

static void past_the_limit_they_are_only_counted(void **UNUSED(state))
{
    AUTO_COMPLAINTS complaints = {0};
    config_complaints_init(&complaints, "f", STR("x"));
    for (int i = 0; i < CONFIG_COMPLAINTS_MAX; i++) {
        config_complain(&complaints, second_line, "no %d", i);
        config_add_remedy(&complaints, "yes %d", i);
    }
    config_complain(&complaints, second_line, "one more");
    config_add_remedy(&complaints, "of one more");
    assert_int_equal(complaints.count, CONFIG_COMPLAINTS_MAX);
    assert_int_equal(complaints.hidden_count, 1);
    assert_string_equal(complaints.items[CONFIG_COMPLAINTS_MAX - 1].remedy, "yes 99");
    AUTO_FREE char *shown = config_complaints_text(&complaints);
    assert_non_null(strstr(shown, "f: 1 more mistakes are not shown\n"));
}

static void they_are_ordered_by_place_and_keep_their_order_within(void **UNUSED(state))
{
    AUTO_COMPLAINTS complaints = {0};
    config_complaints_init(&complaints, "f", STR(""));
    config_complain(&complaints, (struct config_place){2, 1, 1}, "c");
    config_complain(&complaints, (struct config_place){1, 5, 1}, "b");
    config_complain(&complaints, (struct config_place){2, 1, 1}, "d");
    config_complain(&complaints, (struct config_place){1, 1, 1}, "a");
    config_complaints_sort(&complaints);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(complaints.items[i].what[0], "abcd"[i]);
    }
}

static void json_has_all_of_them_and_no_source(void **UNUSED(state))
{
    AUTO_COMPLAINTS complaints = {0};
    config_complaints_init(&complaints, "f", STR("secret\nsecret"));
    config_complain(&complaints, second_line, "no");
    config_add_remedy(&complaints, "yes");
    AUTO_JSON value = codec_write(&config_complaints_codec, &complaints);
    AUTO_FREE char *text = js_write(value);
    assert_string_equal(text,
        "{\"file\":\"f\",\"hidden_count\":0,\"mistakes\":[{\"place\":{\"column\":4,\"line\":2,"
        "\"width\":3},\"remedy\":\"yes\",\"what\":\"no\"}]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_caret_stands_below_its_character),
        cmocka_unit_test(a_line_that_nobody_wrote_by_hand_is_not_shown),
        cmocka_unit_test(past_the_limit_they_are_only_counted),
        cmocka_unit_test(they_are_ordered_by_place_and_keep_their_order_within),
        cmocka_unit_test(json_has_all_of_them_and_no_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
