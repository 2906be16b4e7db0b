#include "app/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct inv_version redis_versions[] = {
    {"7.0.14", "redis", "bookworm-old"},
    {"7.0.15", "redis", "bookworm"},
    {"7.0.9", "redis", "bookworm-older"},
    {"6.0", "redis", "bullseye"},
};
static struct inv_version valkey_versions[] = {{"8.1", "valkey", "trixie"}};
static struct inv_datastore datastores[] = {
    {"redis", redis_versions, ARRAY_COUNT(redis_versions)},
    {"valkey", valkey_versions, ARRAY_COUNT(valkey_versions)},
    {"empty", NULL, 0},
};
static const struct inventory inventory = {
    .path = "upshift.yaml", .datastores = datastores, .datastore_count = ARRAY_COUNT(datastores)};

static void assert_found(
    const char *product, const char *target, const char *name, const char *suite)
{
    AUTO_ARENA arena = {0};
    struct inv_version version = {0};
    AUTO_ERR err = target_find(&inventory, product, target, &arena, &version);
    assert_null(err);
    assert_string_equal(version.name, name);
    assert_string_equal(version.suite, suite);
}

static void assert_unknown(const char *product, const char *target, const char *hint)
{
    AUTO_ARENA arena = {0};
    struct inv_version version = {0};
    AUTO_ERR err = target_find(&inventory, product, target, &arena, &version);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_INVALID);
    assert_string_equal(err->code, "unknown_version");
    assert_null(version.name);
    if (hint != NULL) {
        assert_non_null(strstr(err_first_hint(err), hint));
    }
}

static void a_series_means_its_newest_version(void **UNUSED(state))
{
    assert_found("redis", "7.0", "7.0.15", "bookworm");
    assert_unknown("redis", "7", NULL); /* a series has two numbers */
}

static void an_exact_version_is_taken_as_it_is(void **UNUSED(state))
{
    assert_found("redis", "7.0.14", "7.0.14", "bookworm-old");
    assert_found("redis", "7.0.9", "7.0.9", "bookworm-older");
}

static void an_exact_version_is_asked_of_the_suite_of_its_series(void **UNUSED(state))
{
    assert_found("redis", "6.0.16", "6.0.16", "bullseye");
}

static void another_product_is_written_out(void **UNUSED(state))
{
    assert_found("redis", "valkey/8.1", "8.1", "trixie");
    assert_found("redis", "valkey/8.1.1", "8.1.1", "trixie");
    assert_found("valkey", "8.1", "8.1", "trixie");
    assert_unknown("redis", "8.1", "valkey/8.1");
}

static void numbers_are_compared_part_by_part(void **UNUSED(state))
{
    assert_unknown("redis", "7.0.1", NULL); /* no part of 7.0.14 */
    assert_unknown("redis", "6.01", NULL);
}

static void what_is_unknown_lists_what_is_known(void **UNUSED(state))
{
    assert_unknown("redis", "9.9", "7.0.14, 7.0.15, 7.0.9, 6.0");
    assert_unknown("redis", "valkey/9.0", "known versions of valkey: 8.1");
    assert_unknown("redis", "empty/1.0", "datastores:");
    assert_unknown("redis", "postgresql/15.4", "datastores:");
    assert_unknown("redis", "newest", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_series_means_its_newest_version),
        cmocka_unit_test(an_exact_version_is_taken_as_it_is),
        cmocka_unit_test(an_exact_version_is_asked_of_the_suite_of_its_series),
        cmocka_unit_test(another_product_is_written_out),
        cmocka_unit_test(numbers_are_compared_part_by_part),
        cmocka_unit_test(what_is_unknown_lists_what_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
