/* The basis of a plan: noise does not move it, everything else is named. */
#include "strategies/basis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/str.h"
#include "story.h"

struct basis_case {
    const char *title;
    const char *patch;      /* of the facts, after planning */
    const char *difference; /* the only one; NULL: none */
};

static const struct basis_case cases[] = {
    {"nothing_moved", "{}", NULL},
    {"noise_is_no_difference",
        "{\"nodes\": {\"*\": {\"offset\": 9, \"uptime_s\": 1, \"busy_clients\": 0, \"key_count\": "
        "7, "
        "\"link_silence_s\": 9, \"full_sync_count\": 3, \"process\": \"other\", \"rdb_version\": "
        "0, "
        "\"is_saving\": true, \"current_epoch\": 9}}}",
        NULL},
    {"a_failover_is_named", "{\"nodes\": {\"n4\": {\"role\": \"primary\"}}}",
        "n4 role: planned replica, now primary"},
    {"another_primary_is_named", "{\"nodes\": {\"n4\": {\"primary_id\": \"id2\"}}}",
        "n4 primary: planned id1, now id2"},
    {"a_replaced_node_is_named", "{\"nodes\": {\"n4\": {\"id\": \"id9\"}}}",
        "n4 id: planned id4, now id9"},
    {"another_version_is_named", "{\"nodes\": {\"n4\": {\"version\": \"6.0.17\"}}}",
        "n4 version: planned redis 6.0.16, now redis 6.0.17"},
    {"moved_slots_are_named", "{\"nodes\": {\"n1\": {\"slots\": \"0-5459\"}}}",
        "n1 slots: planned 0-5460, now 0-5459"},
    {"an_edited_configuration_is_named", "{\"nodes\": {\"n4\": {\"config_digest\": \"beef\"}}}",
        "n4 configuration file: planned c0ffee4, now beef"},
    {"a_live_setting_is_named",
        "{\"nodes\": {\"n4\": {\"drift\": {\"save\": {\"setting\": \"save\", \"live\": \"60 1\", "
        "\"file\": \"\"}}}}}",
        "n4 live settings: planned as in the file, now save=60 1"},
    {"a_turned_link_is_named", "{\"nodes\": {\"n4\": {\"server_target\": \"/new\"}}}",
        "n4 server link: planned /opt/upshift/bullseye/redis-server/usr/bin/redis-server, now "
        "/new"},
    {"a_changed_directory_is_named", "{\"nodes\": {\"n4\": {\"has_appendonly_dir\": true}}}",
        "n4 directory: planned without appendonlydir/, now with appendonlydir/"},
    {"changed_durability_is_named", "{\"nodes\": {\"n4\": {\"has_appendonly\": false}}}",
        "n4 persistence: planned append-only file, now save points"},
    {"min_replicas_are_named", "{\"nodes\": {\"n4\": {\"min_replicas\": 1}}}",
        "n4 min-replicas-to-write: planned 0, now 1"},
    {"a_node_that_is_down_is_named_once",
        "{\"nodes\": {\"n4\": {\"is_reachable\": false, \"trouble\": \"connection refused\", "
        "\"role\": null, \"version\": null}}}",
        "n4 state: planned readable, now connection refused"},
    {"a_node_that_is_gone_is_named", "{\"nodes\": {\"n6\": null}}",
        "n6 state: planned readable, now not in the inventory"},
    {"a_new_node_is_named",
        "{\"nodes\": {\"n7\": {\"name\": \"n7\", \"address\": \"10.0.0.17:6379\", "
        "\"is_reachable\": true, \"role\": \"replica\"}}}",
        "n7 state: planned without it, now readable"},
};

static void make_plan(struct story *story, struct plan *ret_plan)
{
    struct plan_refusal refusal;
    assert_true(rolling_plan(&story->rolling, &story->arena, ret_plan, &refusal));
}

static void compare(const char *facts_patch, const char *request_patch, struct story *ret_now,
    const char ***ret_differences, size_t *ret_count)
{
    AUTO_STORY planned;
    story_init(&planned, NULL, NULL);
    AUTO_PLAN plan = {0};
    make_plan(&planned, &plan);
    story_init(ret_now, facts_patch, request_patch);
    plan_basis_compare(&plan, &ret_now->facts, &ret_now->arena, ret_differences, ret_count);
}

static void differences_are_as_written(void **state)
{
    const struct basis_case *basis_case = *state;
    AUTO_STORY now;
    const char **differences;
    size_t count;

    compare(basis_case->patch, NULL, &now, &differences, &count);

    assert_int_equal(count, basis_case->difference == NULL ? 0 : 1);
    if (count > 0) {
        assert_string_equal(differences[0], basis_case->difference);
    }
}

static void another_package_is_named(void **UNUSED(state))
{
    AUTO_STORY now;
    const char **differences;
    size_t count;
    compare(
        NULL, "{\"target\": {\"package_version\": \"5:7.0.15-2\"}}", &now, &differences, &count);
    assert_int_equal(count, 1);
    assert_string_equal(
        differences[0], "target package: planned 5:7.0.15-1~deb12u7, now 5:7.0.15-2");
}

static void facts_without_a_target_are_compared_without_it(void **UNUSED(state))
{
    AUTO_STORY now;
    const char **differences;
    size_t count;
    compare(NULL, "{\"target\": null}", &now, &differences, &count);
    assert_int_equal(count, 0);
}

static void all_differences_are_named(void **UNUSED(state))
{
    AUTO_STORY now;
    const char **differences;
    size_t count;
    compare(
        "{\"nodes\": {\"n1\": {\"role\": \"replica\", \"slots\": null, \"primary_id\": \"id4\"}, "
        "\"n4\": {\"role\": \"primary\", \"slots\": \"0-5460\", \"primary_id\": null}}}",
        NULL, &now, &differences, &count);
    assert_int_equal(count, 6);
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(another_package_is_named),
        cmocka_unit_test(facts_without_a_target_are_compared_without_it),
        cmocka_unit_test(all_differences_are_named),
    };
    struct CMUnitTest tests[ARRAY_COUNT(cases) + ARRAY_COUNT(others)];
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        union {
            const struct basis_case *in;
            void *out; /* cmocka's state is not const */
        } state = {.in = &cases[i]};
        tests[i] = (struct CMUnitTest){.name = cases[i].title,
            .test_func = differences_are_as_written,
            .initial_state = state.out};
    }
    memcpy(tests + ARRAY_COUNT(cases), others, sizeof(others));
    return cmocka_run_group_tests_name("basis", tests, NULL, NULL);
}
