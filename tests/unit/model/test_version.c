/* What counts as a version, how versions order, and how rules answer. */
#include "model/version.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void parse_cuts_what_packaging_adds(void **UNUSED(state))
{
    static const struct {
        const char *text, *product, *number, *series;
        size_t part_count;
    } cases[] = {
        {"7.0.15", "redis", "7.0.15", "redis/7.0", 3},
        {"7.0", "redis", "7.0", "redis/7.0", 2},
        {"6.2.1.4", "redis", "6.2.1.4", "redis/6.2", 4},
        {"valkey/8.1.1", "valkey", "8.1.1", "valkey/8.1", 3},
        {"5:7.0.15-1~deb12u7", "redis", "7.0.15", "redis/7.0", 3},
        {"8.1.1+dfsg1-3", "redis", "8.1.1", "redis/8.1", 3},
        {"8.0~rc1", "redis", "8.0", "redis/8.0", 2},
    };
    AUTO_ARENA arena = {0};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct version version;
        AUTO_ERR err = version_parse(&arena, "redis", cases[i].text, &version);
        assert_null(err);
        assert_string_equal(version.product, cases[i].product);
        assert_string_equal(version.text, cases[i].number);
        assert_string_equal(version_series(&arena, &version), cases[i].series);
        assert_int_equal(version.part_count, cases[i].part_count);
    }
}

static void parse_refuses_what_is_no_version(void **UNUSED(state))
{
    static const char *const texts[] = {"", "7", "seven", "7.", ".7", "7..0", "7.x", "7.-1", "-7.0",
        "1.2.3.4.5", "/7.0", "Valkey/8.1", "val/key/8.1", "8valkey/8.1", "../7.0",
        "7.99999999999999999999", " 7.0", "valkey/"};
    AUTO_ARENA arena = {0};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct version version = {.text = "untouched"};
        AUTO_ERR err = version_parse(&arena, "redis", texts[i], &version);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_INVALID);
        assert_string_equal(err->code, "version_invalid");
        assert_non_null(err->hint);
        assert_string_equal(version.text, "untouched");
    }
}

static void parse_needs_a_product_from_somewhere(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct version version;
    AUTO_ERR err = version_parse(&arena, NULL, "7.0", &version);
    assert_non_null(err);
    AUTO_ERR none = version_parse(&arena, NULL, "redis/7.0", &version);
    assert_null(none);
}

static void compare_orders_by_number_and_not_by_text(void **UNUSED(state))
{
    static const struct {
        const char *a, *b;
        int order;
    } cases[] = {
        {"7.0.9", "7.0.15", -1},
        {"7.10", "7.9", 1},
        {"7.0", "7.0.0", 0},
        {"7.0", "7.0.1", -1},
        {"8.0", "7.4.9", 1},
    };
    AUTO_ARENA arena = {0};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct version a;
        struct version b;
        AUTO_ERR err_a = version_parse(&arena, "redis", cases[i].a, &a);
        AUTO_ERR err_b = version_parse(&arena, "redis", cases[i].b, &b);
        assert_null(err_a);
        assert_null(err_b);
        assert_int_equal(version_compare(&a, &b), cases[i].order);
        assert_int_equal(version_compare(&b, &a), -cases[i].order);
    }
}

static void title_reads_well(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct version version;
    AUTO_ERR err = version_parse(&arena, "redis", "valkey/8.1.1", &version);
    assert_null(err);
    assert_string_equal(version_title(&arena, &version), "valkey 8.1.1");
}

static void rules_answer_only_what_they_say(void **UNUSED(state))
{
    static const char *const hops[] = {"redis/7.0"};
    static const char *const old_sources[] = {"redis/6.0"};
    static const char *const new_sources[] = {"redis/6.0", "redis/7.0"};
    struct series_rule series[] = {
        {.series = "redis/6.0",
            .hops = hops,
            .hop_count = 1,
            .full_sync_from = old_sources,
            .full_sync_from_count = 1},
        {.series = "redis/7.0", .full_sync_from = new_sources, .full_sync_from_count = 2},
    };
    struct rules rules = {.series = series, .series_count = ARRAY_COUNT(series)};

    assert_ptr_equal(rules_find(&rules, "redis/7.0"), &series[1]);
    assert_null(rules_find(&rules, "redis/9.9"));
    assert_null(rules_find(&rules, NULL));
    assert_true(rules_allow_hop(&rules, "redis/6.0", "redis/7.0"));
    assert_true(rules_allow_hop(&rules, "redis/7.0", "redis/7.0"));
    assert_false(rules_allow_hop(&rules, "redis/7.0", "redis/6.0"));
    assert_false(rules_allow_hop(&rules, "redis/9.9", "redis/9.9"));
    assert_true(rules_allow_full_sync(&rules, "redis/6.0", "redis/7.0"));
    assert_false(rules_allow_full_sync(&rules, "redis/7.0", "redis/6.0"));
    assert_false(rules_allow_full_sync(&rules, "redis/6.0", "redis/9.9"));
    rules_release(&rules);
    assert_int_equal(rules.series_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_cuts_what_packaging_adds),
        cmocka_unit_test(parse_refuses_what_is_no_version),
        cmocka_unit_test(parse_needs_a_product_from_somewhere),
        cmocka_unit_test(compare_orders_by_number_and_not_by_text),
        cmocka_unit_test(title_reads_well),
        cmocka_unit_test(rules_answer_only_what_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
