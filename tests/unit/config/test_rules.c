/* The built-in version rules agree with themselves and with what was measured. */
#include "config/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "data/rules.h"

static struct rules rules;

static int load(void **UNUSED(state))
{
    AUTO_ERR err = rules_load(&rules);
    if (err != NULL) {
        AUTO_FREE char *text = err_text(err);
        print_error("%s\n", text);
    }
    return err == NULL ? 0 : -1;
}

static int unload(void **UNUSED(state))
{
    rules_release(&rules);
    return 0;
}

static bool is_valkey(const char *series)
{
    return strncmp(series, "valkey/", 7) == 0;
}

static void the_digest_is_that_of_the_text(void **UNUSED(state))
{
    char digest[SHA256_HEX_SIZE];
    sha256_hex(data_rules, data_rules_size, digest);
    assert_string_equal(rules.digest, digest);
    assert_int_equal(strlen(data_rules), data_rules_size);
}

static void every_named_series_exists_once(void **UNUSED(state))
{
    for (size_t i = 0; i < rules.series_count; i++) {
        const struct series_rule *rule = &rules.series[i];
        assert_ptr_equal(rules_find(&rules, rule->series), rule);
        assert_memory_equal(rule->series, rule->product, strlen(rule->product));
        for (size_t k = 0; k < rule->hop_count; k++) {
            assert_non_null(rules_find(&rules, rule->hops[k]));
        }
        for (size_t k = 0; k < rule->full_sync_from_count; k++) {
            assert_non_null(rules_find(&rules, rule->full_sync_from[k]));
        }
    }
}

static void hops_only_go_forward(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    for (size_t i = 0; i < rules.series_count; i++) {
        const struct series_rule *rule = &rules.series[i];
        for (size_t k = 0; k < rule->hop_count; k++) {
            struct version from;
            struct version to;
            AUTO_ERR from_err = version_parse(&arena, NULL, rule->series, &from);
            AUTO_ERR to_err = version_parse(&arena, NULL, rule->hops[k], &to);
            assert_null(from_err);
            assert_null(to_err);
            assert_false(is_valkey(rule->series) && !is_valkey(rule->hops[k]));
            assert_true(text_equal(from.product, to.product) ? version_compare(&from, &to) < 0
                                                             : version_compare(&from, &to) <= 0);
        }
    }
}

/* During a hop, replicas of the new series copy from primaries of the old one. */
static void every_hop_allows_the_full_sync_it_needs(void **UNUSED(state))
{
    for (size_t i = 0; i < rules.series_count; i++) {
        const struct series_rule *rule = &rules.series[i];
        assert_true(rules_allow_full_sync(&rules, rule->series, rule->series));
        for (size_t k = 0; k < rule->hop_count; k++) {
            assert_true(rules_allow_full_sync(&rules, rule->series, rule->hops[k]));
        }
    }
}

static void no_full_sync_brings_a_newer_rdb_file(void **UNUSED(state))
{
    for (size_t i = 0; i < rules.series_count; i++) {
        const struct series_rule *rule = &rules.series[i];
        for (size_t k = 0; k < rule->full_sync_from_count; k++) {
            const struct series_rule *source = rules_find(&rules, rule->full_sync_from[k]);
            assert_true(source->rdb_version <= rule->rdb_version);
        }
    }
}

static void full_sync_is_as_measured(void **UNUSED(state))
{
    static const char *const series[] = {"redis/6.0", "redis/7.0", "valkey/8.1", "redis/8.0"};
    static const bool measured[4][4] = {
        /* primary */ /* replica: 6.0, 7.0, Valkey 8.1, 8.0 */
        {true, true, true, true},
        {false, true, true, true},
        {false, false, true, true},
        {false, false, false, true},
    };
    for (size_t primary = 0; primary < 4; primary++) {
        for (size_t replica = 0; replica < 4; replica++) {
            assert_int_equal(rules_allow_full_sync(&rules, series[primary], series[replica]),
                measured[primary][replica]);
        }
    }
}

static void the_measured_hops_are_allowed_and_their_way_back_is_not(void **UNUSED(state))
{
    static const char *const hops[][2] = {
        {"redis/6.0", "redis/7.0"},
        {"redis/6.0", "redis/8.0"},
        {"redis/7.0", "redis/8.0"},
        {"redis/7.0", "valkey/8.1"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(hops); i++) {
        assert_true(rules_allow_hop(&rules, hops[i][0], hops[i][1]));
        assert_false(rules_allow_hop(&rules, hops[i][1], hops[i][0]));
    }
    assert_false(rules_allow_hop(&rules, "redis/8.0", "valkey/8.1"));
    assert_false(rules_allow_hop(&rules, "redis/6.0", "valkey/8.1"));
}

static void properties_are_as_documented(void **UNUSED(state))
{
    static const struct {
        const char *series;
        int64_t rdb_version;
        bool is_multi_part_aof, has_pause_write, is_tested;
    } expected[] = {
        {"redis/6.0", 9, false, false, true},
        {"redis/6.2", 9, false, true, false},
        {"redis/7.0", 10, true, true, true},
        {"redis/7.2", 11, true, true, false},
        {"redis/7.4", 12, true, true, false},
        {"redis/8.0", 12, true, true, false},
        {"valkey/7.2", 11, true, true, false},
        {"valkey/8.0", 11, true, true, false},
        {"valkey/8.1", 11, true, true, true},
    };
    assert_int_equal(rules.series_count, ARRAY_COUNT(expected));
    for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
        const struct series_rule *rule = rules_find(&rules, expected[i].series);
        assert_non_null(rule);
        assert_int_equal(rule->rdb_version, expected[i].rdb_version);
        assert_int_equal(rule->is_multi_part_aof, expected[i].is_multi_part_aof);
        assert_int_equal(rule->has_pause_write, expected[i].has_pause_write);
        assert_int_equal(rule->is_tested, expected[i].is_tested);
        assert_string_equal(
            rule->package, is_valkey(rule->series) ? "valkey-server" : "redis-server");
        AUTO_FREE char *binary = mem_format("usr/bin/%s", rule->package);
        assert_string_equal(rule->binary, binary);
    }
}

static void broken_rules_are_our_own_mistake(void **UNUSED(state))
{
    static const struct {
        const char *text, *what, *where;
    } cases[] = {
        {"", "the rules must be a mapping", "rules-redis.yaml:1:1"},
        {"series: 3\n", "\"series\" must be a mapping", "rules-redis.yaml:1:9"},
        {"series:\n  redis/7: {}\n", "\"redis/7\" is no series", "rules-redis.yaml:2:3"},
        {"series:\n  redis/7.0.1: {}\n", "\"redis/7.0.1\" is no series", "rules-redis.yaml:2:3"},
        {"series:\n  redis/7.0: {color: red}\n", "unknown key \"color\"", "rules-redis.yaml:2:15"},
        {"series: [\n", NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct rules broken = {.digest = "untouched"};
        AUTO_ERR err = rules_parse(str_of(cases[i].text), &broken);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_INTERNAL);
        assert_string_equal(err->code, "rules_broken");
        assert_non_null(err->cause);
        if (cases[i].what != NULL) {
            assert_string_equal(err->cause->what, cases[i].what);
            assert_string_equal(err->cause->where, cases[i].where);
        }
        assert_string_equal(broken.digest, "untouched");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digest_is_that_of_the_text),
        cmocka_unit_test(every_named_series_exists_once),
        cmocka_unit_test(hops_only_go_forward),
        cmocka_unit_test(every_hop_allows_the_full_sync_it_needs),
        cmocka_unit_test(no_full_sync_brings_a_newer_rdb_file),
        cmocka_unit_test(full_sync_is_as_measured),
        cmocka_unit_test(the_measured_hops_are_allowed_and_their_way_back_is_not),
        cmocka_unit_test(properties_are_as_documented),
        cmocka_unit_test(broken_rules_are_our_own_mistake),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
