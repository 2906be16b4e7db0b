/* Facts: exact JSON, look-ups, and the numbering of shards. */
#include "model/facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static struct fact_view views[] = {
    {.id = "aa",
        .address = "127.0.0.1:7001",
        .role = FACT_ROLE_PRIMARY,
        .is_myself = true,
        .is_linked = true,
        .epoch = 7,
        .slots = "0-5460",
        .moving_slots = 2},
    {.id = "bb", .role = FACT_ROLE_REPLICA, .primary_id = "aa", .is_failing = true},
};
static struct fact_drift drift[] = {{.setting = "maxmemory", .live = "10", .file = "20"}};

static struct fact_client clients[] = {{.name = "redis-py 5.0.1"}};

static const struct fact_node full_node = {.name = "n1",
    .address = "127.0.0.1:7001",
    .is_reachable = true,
    .product = "redis",
    .version = "7.0.15",
    .series = "redis/7.0",
    .id = "aa",
    .role = FACT_ROLE_PRIMARY,
    .shard = "shard-1",
    .slots = "0-5460",
    .offset = 9223372036854775807,
    .is_cluster_ok = true,
    .slots_ok = 16384,
    .drift = drift,
    .drift_count = 1,
    .memory_free_bytes = 5,
    .modules = "search 2",
    .is_failover_forbidden = true,
    .clients = clients,
    .client_count = 1,
    .views = views,
    .view_count = 2};

static void a_round_trip_gives_the_same_bytes(void **UNUSED(state))
{
    struct fact_node nodes[] = {full_node, {.name = "n2", .trouble = "refused \xc3\xbc"}};
    struct fact_artefact artefacts[] = {{.product = "redis", .version = "7.0.15"}};
    struct fact_dry_start dry_starts[] = {{.node = "n1", .message = "Bad directive"}};
    struct facts facts = {.cluster = "orders",
        .read_at_ms = 1234,
        .nodes = nodes,
        .node_count = 2,
        .artefacts = artefacts,
        .artefact_count = 1,
        .dry_starts = dry_starts,
        .dry_start_count = 1};

    AUTO_JSON first = facts_to_json(&facts);
    AUTO_FREE char *first_text = js_write(first);
    AUTO_FACTS again = {0};
    AUTO_ERR err = facts_from_json(first, "test", &again);
    assert_null(err);
    AUTO_JSON second = facts_to_json(&again);
    AUTO_FREE char *second_text = js_write(second);

    assert_string_equal(first_text, second_text);
    assert_int_equal(again.nodes[0].offset, 9223372036854775807);
    assert_string_equal(again.nodes[0].views[0].slots, "0-5460");
    assert_string_equal(again.nodes[0].drift[0].live, "10");
    assert_string_equal(again.nodes[0].modules, "search 2");
    assert_string_equal(again.nodes[0].clients[0].name, "redis-py 5.0.1");
    assert_int_equal(again.nodes[0].memory_free_bytes, 5);
    assert_true(again.nodes[0].is_failover_forbidden);
    assert_null(again.nodes[1].slots);
    assert_null(strstr(first_text, "read_at"));
    assert_int_equal(again.read_at_ms, 0);
}

static void reading_refuses_what_it_does_not_know(void **UNUSED(state))
{
    static const char *const texts[] = {
        "[]",
        "{\"colour\":1}",
        "{\"nodes\":{}}",
        "{\"nodes\":[{\"role\":\"king\"}]}",
        "{\"nodes\":[{\"offset\":\"1\"}]}",
        "{\"nodes\":[{\"views\":[{\"epoch\":true}]}]}",
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        AUTO_JSON value = NULL;
        AUTO_ERR syntax = js_parse(texts[i], strlen(texts[i]), "test", &value);
        assert_null(syntax);
        struct facts facts = {.cluster = "untouched"};
        AUTO_ERR err = facts_from_json(value, "facts.json", &facts);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_INVALID);
        assert_string_equal(facts.cluster, "untouched");
    }
}

static struct fact_node primary(const char *name, const char *slots)
{
    return (struct fact_node){.name = name, .id = name, .role = FACT_ROLE_PRIMARY, .slots = slots};
}

static struct fact_node replica(const char *name, const char *of)
{
    return (struct fact_node){
        .name = name, .id = name, .role = FACT_ROLE_REPLICA, .primary_id = of};
}

static void shards_are_numbered_by_lowest_slot(void **UNUSED(state))
{
    struct fact_node nodes[] = {
        primary("c", "10923-16383"),
        replica("c2", "c"),
        primary("a", "100-5460 9000"),
        primary("b", "7 5461-8999"),
        replica("b2", "b"),
        primary("empty", NULL),
        replica("lost", "zz"),
        replica("chained", "b2"),
        {.name = "down", .shard = "shard-9"},
    };
    static const char *const expected[] = {
        "shard-3", "shard-3", "shard-2", "shard-1", "shard-1", NULL, NULL, NULL, NULL};
    AUTO_FACTS facts = {.nodes = nodes, .node_count = ARRAY_COUNT(nodes)};

    facts_assign_shards(&facts);

    for (size_t i = 0; i < ARRAY_COUNT(nodes); i++) {
        if (expected[i] == NULL) {
            assert_null(nodes[i].shard);
        } else {
            assert_string_equal(nodes[i].shard, expected[i]);
        }
    }
    assert_ptr_equal(facts_primary_of(&facts, "shard-2"), &nodes[2]);
    assert_null(facts_primary_of(&facts, "shard-4"));
    assert_null(facts_primary_of(&facts, NULL));
}

static void two_claims_of_one_shard_are_decided_by_epoch(void **UNUSED(state))
{
    struct fact_node nodes[] = {
        primary("old", "0-8191"), primary("new", "0-8191"), primary("other", "8192-16383")};
    nodes[0].epoch = 3;
    nodes[1].epoch = 9;
    AUTO_FACTS facts = {.nodes = nodes, .node_count = 3};

    facts_assign_shards(&facts);

    assert_string_equal(nodes[0].shard, "shard-1");
    assert_string_equal(nodes[1].shard, "shard-1");
    assert_string_equal(nodes[2].shard, "shard-2");
    assert_ptr_equal(facts_primary_of(&facts, "shard-1"), &nodes[1]);
}

static void nonsense_for_slots_is_no_shard(void **UNUSED(state))
{
    struct fact_node nodes[] = {primary("a", "x-5"), primary("b", ""), primary("c", "-1")};
    AUTO_FACTS facts = {.nodes = nodes, .node_count = 3};
    facts_assign_shards(&facts);
    for (size_t i = 0; i < 3; i++) {
        assert_null(nodes[i].shard);
    }
}

static void find_goes_by_name_or_id(void **UNUSED(state))
{
    struct fact_node nodes[] = {{.name = "n1", .id = "aa"}, {.name = "n2"}};
    AUTO_FACTS facts = {.nodes = nodes, .node_count = 2};
    assert_ptr_equal(facts_find(&facts, "n2"), &nodes[1]);
    assert_null(facts_find(&facts, "n3"));
    assert_ptr_equal(facts_find_id(&facts, "aa"), &nodes[0]);
    assert_null(facts_find_id(&facts, "bb"));
    assert_null(facts_find_id(&facts, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_trip_gives_the_same_bytes),
        cmocka_unit_test(reading_refuses_what_it_does_not_know),
        cmocka_unit_test(shards_are_numbered_by_lowest_slot),
        cmocka_unit_test(two_claims_of_one_shard_are_decided_by_epoch),
        cmocka_unit_test(nonsense_for_slots_is_no_shard),
        cmocka_unit_test(find_goes_by_name_or_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
