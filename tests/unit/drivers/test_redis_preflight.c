/* test_redis_preflight.c - what an upgrade asks of a node, from answers of real servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/redis/preflight.h"

static struct redis_config settings_of(struct arena *arena, const char *text)
{
    struct redis_config config;
    redis_config_parse(arena, str_of(text), &config);
    return config;
}

static struct inv_node one_node = {.name = "n1", .host = "127.0.0.1", .port = 7001};
static const struct inv_cluster one_cluster = {
    .topology = "cluster", .nodes = &one_node, .node_count = 1};
static const struct inv_cluster one_replication = {
    .topology = "replication", .nodes = &one_node, .node_count = 1};
static const struct inv_cluster one_with_tls = {
    .topology = "cluster", .nodes = &one_node, .node_count = 1, .tls = {.is_enabled = true}};

static void memory_and_modules_are_in_info(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct fact_node node = {0};
    redis_preflight_info(&arena,
        STR("# Memory\r\nused_memory:2634720\r\nused_memory_dataset:123456\r\n\r\n# Modules\r\n"
            "module:name=search,ver=20811,api=1,filters=0,usedby=[],using=[],options=[]\r\n"
            "module:name=ReJSON,ver=20609,api=1,filters=0\r\n"),
        &node);
    assert_int_equal(node.used_bytes, 2634720);
    assert_int_equal(node.data_bytes, 123456);
    assert_int_equal(node.module_count, 2);
    assert_string_equal(node.modules, "search 20811, ReJSON 20609");

    struct fact_node bare = {0};
    redis_preflight_info(&arena, STR("# Modules\r\n\r\nused_memory:x\r\n"), &bare);
    assert_null(bare.modules);
    assert_int_equal(bare.module_count, 0);
    assert_int_equal(bare.used_bytes, 0);
}

static void whoever_waits_is_seen(void **UNUSED(state))
{
    struct fact_node node = {0};
    redis_preflight_commands(STR("cmdstat_get:calls=9,usec=9\r\n"), &node);
    assert_false(node.has_waits);
    redis_preflight_commands(STR("cmdstat_wait:calls=0,usec=0,usec_per_call=0.00\r\n"), &node);
    assert_false(node.has_waits);
    redis_preflight_commands(STR("cmdstat_wait:calls=3,usec=12,usec_per_call=4.00\r\n"), &node);
    assert_true(node.has_waits);
}

static void clients_are_told_by_library_else_by_name(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct fact_node node = {0};
    redis_preflight_clients(&arena,
        STR("id=3 name=shop idle=0 lib-name=redis-py lib-ver=5.0.1\n"
            "id=4 name=shop idle=0 lib-name=redis-py lib-ver=5.0.1\n"
            "id=5 name=billing idle=9 lib-name= lib-ver=\n"
            "id=6 name= idle=9\n"
            "id=7 name=upshift:r1:2 idle=0 lib-name= lib-ver=\n"
            "id=8 name=a,\x01\x80z idle=0 lib-name=jedis lib-ver=\n"),
        &node);
    assert_int_equal(node.client_count, 3);
    assert_string_equal(node.clients[0].name, "billing");
    assert_string_equal(node.clients[1].name, "jedis");
    assert_string_equal(node.clients[2].name, "redis-py 5.0.1");
}

static void clients_are_bounded_and_clean(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    AUTO_BUF list = {0};
    for (int i = 0; i < 100; i++) {
        buf_printf(&list, "id=%d name=worker,%d\x1b[31m%0100d\n", i, i, 7);
    }
    struct fact_node node = {0};
    redis_preflight_clients(&arena, (struct str){list.data, list.size}, &node);
    assert_int_equal(node.client_count, 16);
    for (size_t i = 0; i < node.client_count; i++) {
        assert_true(strlen(node.clients[i].name) <= 48);
        assert_null(strpbrk(node.clients[i].name, "\x1b,"));
    }
}

static void announced(const struct inv_cluster *cluster, const char *text, const char *expected)
{
    AUTO_ARENA arena = {0};
    struct fact_node node = {0};
    const struct redis_config live = settings_of(&arena, text);
    redis_preflight_settings(&arena, cluster, &one_node, &live, &node);
    if (expected == NULL) {
        assert_null(node.announced);
    } else {
        assert_non_null(node.announced);
        assert_string_equal(node.announced, expected);
    }
}

static void what_a_node_announces_depends_on_topology_and_tls(void **UNUSED(state))
{
    announced(&one_cluster, "cluster-announce-ip \"\"\ncluster-announce-port 0\n", NULL);
    announced(&one_cluster, "cluster-announce-ip 10.0.0.9\n", "10.0.0.9:7001");
    announced(&one_cluster, "cluster-announce-port 9001\n", "127.0.0.1:9001");
    announced(&one_cluster, "replica-announce-ip 10.0.0.9\n", NULL);
    announced(
        &one_replication, "slave-announce-ip 10.0.0.9\nslave-announce-port 6\n", "10.0.0.9:6");
    announced(&one_replication, "cluster-announce-ip 10.0.0.9\n", NULL);
    announced(&one_with_tls, "cluster-announce-port 9\n", "127.0.0.1:9");
    announced(
        &one_with_tls, "cluster-announce-port 9\ncluster-announce-tls-port 8\n", "127.0.0.1:8");
    announced(
        &one_cluster, "cluster-announce-port 9\ncluster-announce-tls-port 8\n", "127.0.0.1:9");
}

static void limits_and_prohibitions_are_read(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct fact_node node = {0};
    struct redis_config live = settings_of(&arena,
        "client-output-buffer-limit normal 0 0 0 slave 268435456 67108864 60 pubsub 1 1 1\n"
        "cluster-slave-no-failover yes\n");
    redis_preflight_settings(&arena, &one_cluster, &one_node, &live, &node);
    assert_int_equal(node.replica_buffer_bytes, 268435456);
    assert_true(node.is_failover_forbidden);

    live = settings_of(&arena, "client-output-buffer-limit replica 0 0 0\n");
    redis_preflight_settings(&arena, &one_cluster, &one_node, &live, &node);
    assert_int_equal(node.replica_buffer_bytes, 0);
    assert_false(node.is_failover_forbidden);
}

static void a_file_tells_its_modules_and_what_it_renames(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct fact_node node = {0};
    const struct redis_config file = settings_of(&arena,
        "loadmodule /m/a.so\nloadmodule /m/b.so x\nrename-command CONFIG hush-hush\n"
        "rename-command FLUSHALL \"\"\nrename-command Cluster \"\"\nrename-command multi x\n");
    redis_preflight_file(&arena, &one_cluster, &file, &node);
    assert_int_equal(node.file_module_count, 2);
    assert_string_equal(node.renamed_commands, "CONFIG, Cluster");
    redis_preflight_file(&arena, &one_replication, &file, &node);
    assert_string_equal(node.renamed_commands, "CONFIG, Cluster, multi");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_and_modules_are_in_info),
        cmocka_unit_test(whoever_waits_is_seen),
        cmocka_unit_test(clients_are_told_by_library_else_by_name),
        cmocka_unit_test(clients_are_bounded_and_clean),
        cmocka_unit_test(what_a_node_announces_depends_on_topology_and_tls),
        cmocka_unit_test(limits_and_prohibitions_are_read),
        cmocka_unit_test(a_file_tells_its_modules_and_what_it_renames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
