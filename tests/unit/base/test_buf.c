/* The growing buffer: always terminated, and its bytes stay what they were. */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void an_empty_buffer_reads_as_empty_text(void **UNUSED(state))
{
    AUTO_BUF buf = {0};
    assert_string_equal(buf_text(&buf), "");
    buf_clear(&buf);
    buf_consume(&buf, 0);
    assert_null(buf.data);
}

static void appending_keeps_order_and_terminates(void **UNUSED(state))
{
    AUTO_BUF buf = {0};
    buf_append_text(&buf, "a");
    buf_append_char(&buf, 'b');
    buf_append(&buf, "c\0d", 3);
    buf_append_str(&buf, STR("e"));
    buf_append_str(&buf, str_of(NULL));
    buf_printf(&buf, "%d-%s", 7, "x");
    assert_int_equal(buf.size, 9);
    assert_memory_equal(buf.data, "abc\0de7-x", 10);
}

static void growing_keeps_what_is_there(void **UNUSED(state))
{
    AUTO_BUF buf = {0};
    for (int i = 0; i < 10000; i++) {
        buf_append_char(&buf, (char)('a' + i % 26));
    }
    assert_int_equal(buf.size, 10000);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(buf.data[i], 'a' + i % 26);
    }
    assert_int_equal(buf.data[10000], '\0');
}

static void reserving_alone_changes_no_text(void **UNUSED(state))
{
    char *dirty = malloc(512); /* likely the memory that the buffer gets */
    assert_non_null(dirty);
    memset(dirty, 'x', 512);
    free(dirty);
    AUTO_BUF buf = {0};
    assert_non_null(buf_reserve(&buf, 500));
    assert_string_equal(buf_text(&buf), "");
    buf_append_text(&buf, "a");
    assert_non_null(buf_reserve(&buf, 100000));
    assert_string_equal(buf_text(&buf), "a");
}

static void consume_drops_the_front(void **UNUSED(state))
{
    AUTO_BUF buf = {0};
    buf_append_text(&buf, "hello");
    buf_consume(&buf, 2);
    assert_string_equal(buf_text(&buf), "llo");
    buf_consume(&buf, 3);
    assert_string_equal(buf_text(&buf), "");
}

static void detach_hands_the_text_over_and_leaves_nothing(void **UNUSED(state))
{
    struct buf buf = {0};
    char *empty = buf_detach(&buf);
    assert_string_equal(empty, "");
    free(empty);
    buf_append_text(&buf, "mine");
    char *text = buf_detach(&buf);
    assert_string_equal(text, "mine");
    free(text);
    assert_null(buf.data);
    assert_int_equal(buf.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_reads_as_empty_text),
        cmocka_unit_test(appending_keeps_order_and_terminates),
        cmocka_unit_test(growing_keeps_what_is_there),
        cmocka_unit_test(reserving_alone_changes_no_text),
        cmocka_unit_test(consume_drops_the_front),
        cmocka_unit_test(detach_hands_the_text_over_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
