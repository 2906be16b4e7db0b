/* test_redis_facts.c - facts from answers in the form of Redis 7.0 and Valkey 8.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/redis/facts.h"

#define ID_1 "f664444401fb7f00c8dd18878335aca7544a7cb0"
#define ID_2 "b82ae720ee3519256d3aec97831d22588c2d43a1"
#define ID_3 "aa585a3a8faf31b19bdb4d6e0a3381a7da51e67c"

static const char server_info[] =
    "# Server\r\nredis_version:7.0.15\r\nrun_id:0123abcd\r\nuptime_in_seconds:77\r\n\r\n"
    "# Persistence\r\nloading:0\r\nrdb_bgsave_in_progress:0\r\nrdb_last_bgsave_status:ok\r\n"
    "aof_rewrite_in_progress:1\r\naof_rewrite_scheduled:0\r\naof_last_write_status:ok\r\n\r\n"
    "# Stats\r\nsync_full:2\r\n\r\n"
    "# Keyspace\r\ndb0:keys=12,expires=3,avg_ttl=0\r\ndb3:keys=5,expires=0,avg_ttl=0\r\n";

static void a_server_says_what_it_is_and_does(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct fact_node node = {.address = "127.0.0.1:7001"};
    AUTO_ERR err = redis_facts_server(&arena, STR(server_info), &node);
    assert_null(err);
    assert_string_equal(node.product, "redis");
    assert_string_equal(node.version, "7.0.15");
    assert_string_equal(node.series, "redis/7.0");
    assert_string_equal(node.process, "0123abcd");
    assert_int_equal(node.uptime_s, 77);
    assert_int_equal(node.full_sync_count, 2);
    assert_int_equal(node.key_count, 17);
    assert_true(node.is_saving);
    assert_true(node.is_last_write_good);
    assert_false(node.is_loading);
}

static void valkey_is_known_by_its_true_version(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct fact_node node = {.address = "127.0.0.1:7001"};
    AUTO_ERR err = redis_facts_server(&arena,
        STR("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\nloading:1\r\n"
            "aof_last_write_status:err\r\nrdb_last_bgsave_status:ok\r\n"),
        &node);
    assert_null(err);
    assert_string_equal(node.product, "valkey");
    assert_string_equal(node.version, "8.1.1");
    assert_string_equal(node.series, "valkey/8.1");
    assert_true(node.is_loading);
    assert_false(node.is_last_write_good);
    assert_int_equal(node.key_count, 0);
}

static void a_server_without_a_version_is_refused(void **UNUSED(state))
{
    const char *const infos[] = {
        "", "redis_version:\r\n", "redis_version:seven\r\n", "server_name:valkey\r\n"};
    for (size_t i = 0; i < ARRAY_COUNT(infos); i++) {
        AUTO_ARENA arena = {0};
        struct fact_node node = {.address = "127.0.0.1:7001"};
        AUTO_ERR err = redis_facts_server(&arena, str_of(infos[i]), &node);
        assert_non_null(err);
        assert_string_equal(err->code, "odd_reply");
        assert_string_equal(err->where, "127.0.0.1:7001");
    }
}

static void a_primary_counts_the_replicas_that_are_online(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct fact_node node = {.link_silence_s = 9};
    redis_facts_replication(&arena,
        STR("# Replication\r\nrole:master\r\nconnected_slaves:2\r\n"
            "slave0:ip=127.0.0.1,port=7004,state=online,offset=14,lag=0\r\n"
            "slave1:ip=127.0.0.1,port=7005,state=wait_bgsave,offset=0,lag=0\r\n"
            "slave_read_only:1,state=online,x\r\n"
            "master_replid:ebcd51\r\nmaster_repl_offset:14\r\nrepl_backlog_size:1048576\r\n"),
        &node);
    assert_int_equal(node.role, FACT_ROLE_PRIMARY);
    assert_int_equal(node.replica_count, 1);
    assert_int_equal(node.offset, 14);
    assert_int_equal(node.backlog_bytes, 1048576);
    assert_string_equal(node.replid, "ebcd51");
    assert_int_equal(node.link_silence_s, 0);
    assert_false(node.is_link_up);
}

static void a_replica_gives_what_it_has_applied(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct fact_node node = {0};
    redis_facts_replication(&arena,
        STR("role:slave\r\nmaster_link_status:up\r\nmaster_last_io_seconds_ago:3\r\n"
            "master_sync_in_progress:1\r\nslave_repl_offset:100\r\nmaster_repl_offset:90\r\n"),
        &node);
    assert_int_equal(node.role, FACT_ROLE_REPLICA);
    assert_true(node.is_link_up);
    assert_true(node.is_syncing);
    assert_int_equal(node.link_silence_s, 3);
    assert_int_equal(node.offset, 100);

    redis_facts_replication(&arena, STR("role:slave\r\nmaster_link_status:down\r\n"), &node);
    assert_false(node.is_link_up);
    assert_int_equal(node.link_silence_s, -1);
    redis_facts_replication(&arena, STR(""), &node);
    assert_int_equal(node.role, FACT_ROLE_UNKNOWN);
}

static void the_cluster_state_is_read(void **UNUSED(state))
{
    struct fact_node node = {0};
    redis_facts_cluster(
        STR("cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:16380\r\n"
            "cluster_slots_pfail:3\r\ncluster_slots_fail:1\r\ncluster_known_nodes:6\r\n"
            "cluster_size:3\r\ncluster_current_epoch:7\r\ncluster_my_epoch:1\r\n"),
        &node);
    assert_true(node.is_cluster_ok);
    assert_int_equal(node.slots_ok, 16380);
    assert_int_equal(node.slots_suspect, 3);
    assert_int_equal(node.slots_failing, 1);
    assert_int_equal(node.known_nodes, 6);
    assert_int_equal(node.current_epoch, 7);
    redis_facts_cluster(STR("cluster_state:fail\r\n"), &node);
    assert_false(node.is_cluster_ok);
}

static void views_are_sorted_and_the_own_line_is_the_node(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct fact_node node = {.address = "127.0.0.1:7001"};
    AUTO_ERR err = redis_facts_views(&arena,
        STR(ID_1 " 127.0.0.1:7001@17001 myself,master - 0 1795229551000 1 connected "
                 "8000-8001 0-5460 5461 [93->-" ID_2 "]\n" ID_2
                 " 127.0.0.1:7002@17002,shop-2 master,fail? - 1795229551000 0 2 disconnected "
                 "5462-7999\n" ID_3 " 127.0.0.1:7003@17003 slave " ID_1
                 " 0 1795229551078 1 connected\n"),
        &node);
    assert_null(err);
    assert_int_equal(node.view_count, 3);
    assert_string_equal(node.views[0].id, ID_3);
    assert_string_equal(node.views[1].id, ID_2);
    assert_string_equal(node.views[2].id, ID_1);
    assert_string_equal(node.id, ID_1);
    assert_null(node.primary_id);
    assert_string_equal(node.slots, "0-5461 8000-8001");
    assert_int_equal(node.epoch, 1);

    assert_int_equal(node.views[0].role, FACT_ROLE_REPLICA);
    assert_string_equal(node.views[0].primary_id, ID_1);
    assert_string_equal(node.views[0].address, "127.0.0.1:7003");
    assert_null(node.views[0].slots);
    assert_true(node.views[1].is_suspect);
    assert_false(node.views[1].is_linked);
    assert_int_equal(node.views[2].moving_slots, 1);
    assert_true(node.views[2].is_myself);
}

static void a_table_without_the_node_itself_is_refused(void **UNUSED(state))
{
    const char *const tables[] = {"", "nonsense\n",
        ID_1 " 127.0.0.1:7001@17001 master - 0 0 1 connected 0-100\n",
        ID_1 " 127.0.0.1:7001@17001 myself,master - 0 0 1 connected 5-x\n"};
    for (size_t i = 0; i < ARRAY_COUNT(tables); i++) {
        AUTO_ARENA arena = {0};
        struct fact_node node = {.address = "127.0.0.1:7001"};
        AUTO_ERR err = redis_facts_views(&arena, str_of(tables[i]), &node);
        assert_non_null(err);
        assert_string_equal(err->code, "odd_reply");
    }
}

static void only_other_active_clients_are_busy(void **UNUSED(state))
{
    assert_int_equal(redis_facts_busy_clients(STR("")), 0);
    assert_int_equal(
        redis_facts_busy_clients(
            STR("id=3 addr=127.0.0.1:5000 laddr=127.0.0.1:7001 fd=8 name= age=9 idle=0 flags=N\n"
                "id=4 addr=127.0.0.1:5001 fd=9 name=shop age=9 idle=0 flags=N\n"
                "id=5 addr=127.0.0.1:5002 fd=10 name=shop age=9 idle=1 flags=N\n"
                "id=6 addr=127.0.0.1:5003 fd=11 name=upshift:r1:2 age=9 idle=0 flags=N\n")),
        2);
}

static void an_rdb_header_gives_its_version(void **UNUSED(state))
{
    const struct {
        const char *header;
        int64_t version;
    } cases[] = {{"REDIS0010", 10}, {"REDIS0009\xfa\x09", 9}, {"VALKEY080", 80}, {"REDIS00", 0},
        {"VALKEY08", 0}, {"REDISxxxx", 0}, {"*2\r\n$6\r\nSELECT", 0}, {"", 0}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(redis_facts_rdb_version(str_of(cases[i].header)), cases[i].version);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_says_what_it_is_and_does),
        cmocka_unit_test(valkey_is_known_by_its_true_version),
        cmocka_unit_test(a_server_without_a_version_is_refused),
        cmocka_unit_test(a_primary_counts_the_replicas_that_are_online),
        cmocka_unit_test(a_replica_gives_what_it_has_applied),
        cmocka_unit_test(the_cluster_state_is_read),
        cmocka_unit_test(views_are_sorted_and_the_own_line_is_the_node),
        cmocka_unit_test(a_table_without_the_node_itself_is_refused),
        cmocka_unit_test(only_other_active_clients_are_busy),
        cmocka_unit_test(an_rdb_header_gives_its_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
