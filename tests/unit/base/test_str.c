/* Borrowed text: cutting, trimming, numbers, sizes, and the nearest name. */
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void cut_gives_every_part_once(void **UNUSED(state))
{
    struct str rest = STR("a,,b,");
    static const char *const parts[] = {"a", "", "b", ""};
    struct str part;
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        assert_true(str_cut(&rest, ',', &part));
        assert_true(str_is(part, parts[i]));
    }
    assert_false(str_cut(&rest, ',', &part));
}

static void cut_of_empty_text_gives_one_empty_part(void **UNUSED(state))
{
    struct str rest = STR("");
    struct str part;
    assert_true(str_cut(&rest, ',', &part));
    assert_int_equal(part.size, 0);
    assert_false(str_cut(&rest, ',', &part));
}

static void trim_drops_white_space_at_both_ends_only(void **UNUSED(state))
{
    assert_true(str_is(str_trim(STR(" \t a b\r\n")), "a b"));
    assert_int_equal(str_trim(STR(" \n ")).size, 0);
    assert_int_equal(str_trim(str_of(NULL)).size, 0);
}

static void starts_with_needs_the_whole_prefix(void **UNUSED(state))
{
    assert_true(str_starts_with(STR("slave0:ip"), "slave0"));
    assert_true(str_starts_with(STR("x"), ""));
    assert_false(str_starts_with(STR("sla"), "slave"));
}

static void text_equal_treats_null_as_a_value_of_its_own(void **UNUSED(state))
{
    assert_true(text_equal(NULL, NULL));
    assert_true(text_equal("a", "a"));
    assert_false(text_equal("", NULL));
    assert_false(text_equal("a", "b"));
}

static void numbers_are_read_to_their_limits(void **UNUSED(state))
{
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {{"0", 0}, {"-0", 0}, {"007", 7}, {"-12", -12}, {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        int64_t value = 1;
        assert_true(str_to_int64(str_of(cases[i].text), &value));
        assert_int_equal(value, cases[i].value);
    }
}

static void numbers_refuse_everything_else_and_leave_the_result(void **UNUSED(state))
{
    static const char *const texts[] = {"", "-", "+1", " 1", "1 ", "1.0", "0x1", "12a", "--1",
        "9223372036854775808", "-9223372036854775809", "99999999999999999999999"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        int64_t value = 42;
        assert_false(str_to_int64(str_of(texts[i]), &value));
        assert_int_equal(value, 42);
    }
}

static void sizes_count_as_servers_do(void **UNUSED(state))
{
    static const struct {
        const char *text;
        int64_t bytes;
    } cases[] = {{"67108864", 67108864}, {"64mb", 67108864}, {"64MB", 67108864}, {"64k", 64000},
        {"1gb", 1073741824}, {"1g", 1000000000}, {"5b", 5}};
    int64_t bytes;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_true(str_to_size(cases[i].text, &bytes));
        assert_int_equal(bytes, cases[i].bytes);
    }
    static const char *const bad[] = {"", "mb", "-1", "1tb", "1 mb", "9223372036854775807kb"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_false(str_to_size(bad[i], &bytes));
    }
}

static void distance_counts_swaps_as_one(void **UNUSED(state))
{
    assert_int_equal(str_distance("port", "port"), 0);
    assert_int_equal(str_distance("prot", "port"), 1);
    assert_int_equal(str_distance("", "abc"), 3);
    assert_int_equal(str_distance("kitten", "sitting"), 3);
    static const char long_text[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    assert_int_equal(sizeof(long_text) - 1, 65);
    assert_int_equal(str_distance(long_text, long_text), 64);
}

static void nearest_finds_a_typing_mistake_but_does_not_guess(void **UNUSED(state))
{
    static const char *const names[] = {"host", "port", "password"};
    assert_string_equal(str_nearest("prot", names, ARRAY_COUNT(names)), "port");
    assert_string_equal(str_nearest("pasword", names, ARRAY_COUNT(names)), "password");
    assert_null(str_nearest("version", names, ARRAY_COUNT(names)));
    assert_null(str_nearest("pact", names + 1, 0));
    static const char *const far[] = {"abcdef"};
    assert_string_equal(str_nearest("abcdxy", far, 1), "abcdef"); /* 2 of 6 */
    assert_null(str_nearest("abcxyz", far, 1));                   /* 3 of 6 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_gives_every_part_once),
        cmocka_unit_test(cut_of_empty_text_gives_one_empty_part),
        cmocka_unit_test(trim_drops_white_space_at_both_ends_only),
        cmocka_unit_test(starts_with_needs_the_whole_prefix),
        cmocka_unit_test(text_equal_treats_null_as_a_value_of_its_own),
        cmocka_unit_test(numbers_are_read_to_their_limits),
        cmocka_unit_test(numbers_refuse_everything_else_and_leave_the_result),
        cmocka_unit_test(sizes_count_as_servers_do),
        cmocka_unit_test(distance_counts_swaps_as_one),
        cmocka_unit_test(nearest_finds_a_typing_mistake_but_does_not_guess),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
