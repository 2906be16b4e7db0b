/* test_redis_peers.c - one primary: who follows whom, what Sentinels say, and the files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "drivers/local/local.h"
#include "drivers/redis/peers.h"
#include "drivers/redis/redis.h"
#include "fake_redis.h"

enum { FILE_MAX = 4096 };

/* A Sentinel of 7.0, with one replica that it sees well and one that it does not. */
static const struct fake_reply sentinel_replies[] = {
    {"INFO", .text = "redis_version:7.0.15\r\nrun_id:5e47\r\n"},
    {"SENTINEL MASTER",
        "*14\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n$4\r\nport\r\n$4\r\n7001\r\n$5\r\nflags\r\n"
        "$13\r\nmaster,o_down\r\n$6\r\nquorum\r\n$1\r\n2\r\n$19\r\nnum-other-sentinels\r\n$"
        "1\r\n2\r\n"
        "$23\r\ndown-after-milliseconds\r\n$4\r\n5000\r\n$4\r\nname\r\n$8\r\nmymaster\r\n"},
    {"SENTINEL SLAVES",
        "*2\r\n"
        "*14\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n$4\r\nport\r\n$4\r\n7003\r\n$5\r\nflags\r\n"
        "$12\r\nslave,s_down\r\n$18\r\nmaster-link-status\r\n$3\r\nerr\r\n$12\r\ninfo-refresh\r\n"
        "$5\r\n90000\r\n$14\r\nslave-priority\r\n$1\r\n0\r\n$11\r\nmaster-host\r\n$1\r\n?\r\n"
        "*16\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n$4\r\nport\r\n$4\r\n7002\r\n$5\r\nflags\r\n"
        "$5\r\nslave\r\n$18\r\nmaster-link-status\r\n$2\r\nok\r\n$12\r\ninfo-refresh\r\n"
        "$4\r\n2000\r\n$14\r\nslave-priority\r\n$3\r\n100\r\n$11\r\nmaster-host\r\n$9\r\n127.0.0."
        "1\r\n"
        "$11\r\nmaster-port\r\n$4\r\n7001\r\n"},
    {"SENTINEL CKQUORUM", "-NOQUORUM 1 usable Sentinels.\r\n"},
    {NULL, NULL},
};

struct watched {
    struct inv_node nodes[3];
    struct inv_node sentinel;
    struct inv_cluster cluster;
    struct host *host;
    struct redis_capabilities redis;
    struct call call;
    struct fake_redis fake;
    char folder[64];
    char *config;
};

static int open_watched(void **state)
{
    struct watched *watched = mem_alloc(sizeof(*watched));
    (void)snprintf(watched->folder, sizeof(watched->folder), "/tmp/upshift-peers-XXXXXX");
    assert_non_null(mkdtemp(watched->folder));
    watched->config = mem_format("%s/redis.conf", watched->folder);
    fake_redis_start(&watched->fake, sentinel_replies);
    watched->nodes[0] = (struct inv_node){.name = "n1",
        .host = "127.0.0.1",
        .port = 7001,
        .directory = watched->folder,
        .config_file = watched->config};
    watched->nodes[1] = (struct inv_node){.name = "n2", .host = "localhost", .port = 7002};
    watched->nodes[2] = (struct inv_node){.name = "n3", .host = "127.0.0.1", .port = 7003};
    watched->sentinel = (struct inv_node){.name = "s1",
        .host = "127.0.0.1",
        .port = watched->fake.port,
        .directory = watched->folder,
        .config_file = watched->config,
        .server_link = "/nowhere",
        .is_sentinel = true};
    watched->cluster = (struct inv_cluster){.name = "cache",
        .datastore = "redis",
        .topology = "sentinel",
        .master_name = "mymaster",
        .nodes = watched->nodes,
        .node_count = 3,
        .sentinels = &watched->sentinel,
        .sentinel_count = 1};
    watched->host = local_open();
    watched->call = (struct call){.clock = clock_system(),
        .deadline_ms = clock_now_ms(clock_system()) + 5000,
        .send_before_ms = INT64_MAX};
    AUTO_ERR err = redis_open(&watched->cluster, watched->host, &watched->redis);
    assert_null(err);
    *state = watched;
    return 0;
}

static int close_watched(void **state)
{
    struct watched *watched = *state;
    fake_redis_stop(&watched->fake);
    fake_redis_release(&watched->fake);
    topology_close(watched->redis.topology);
    replication_close(watched->redis.replication);
    settings_close(watched->redis.settings);
    fence_close(watched->redis.fence);
    cutover_close(watched->redis.cutover);
    host_close(watched->host);
    err_free(fs_remove_tree(watched->folder));
    free(watched->config);
    free(watched);
    return 0;
}

static void a_primary_sees_its_replicas_by_the_inventory_s_names(void **state)
{
    const struct watched *watched = *state;
    AUTO_ARENA arena = {0};
    struct fact_node node = {.name = "n1", .role = FACT_ROLE_PRIMARY};
    redis_peers_of_info(&arena, &watched->cluster,
        STR("role:master\r\nconnected_slaves:2\r\n"
            "slave0:ip=127.0.0.1,port=7002,state=online,offset=14,lag=0\r\n"
            "slave1:ip=10.0.0.9,port=7009,state=wait_bgsave,offset=0,lag=0\r\n"
            "slave_priority:100\r\nslave2:nonsense\r\n"),
        &watched->nodes[0], &node);
    assert_string_equal(node.id, "127.0.0.1:7001");
    assert_null(node.primary_id);
    assert_int_equal(node.view_count, 3);
    assert_string_equal(node.views[0].id, "10.0.0.9:7009"); /* not in the inventory: as it is */
    assert_false(node.views[0].is_linked);
    assert_true(node.views[1].is_myself);
    assert_string_equal(node.views[2].id, "localhost:7002");
    assert_true(node.views[2].is_linked);
    assert_string_equal(node.views[2].primary_id, "127.0.0.1:7001");
}

static void a_replica_sees_its_primary(void **state)
{
    const struct watched *watched = *state;
    AUTO_ARENA arena = {0};
    struct fact_node node = {.name = "n3", .role = FACT_ROLE_REPLICA, .is_link_up = true};
    redis_peers_of_info(&arena, &watched->cluster,
        STR("role:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:7002\r\n"), &watched->nodes[2],
        &node);
    assert_string_equal(node.primary_id, "localhost:7002");
    assert_int_equal(node.view_count, 2);
    assert_string_equal(node.views[1].id, "localhost:7002");
    assert_int_equal(node.views[1].role, FACT_ROLE_PRIMARY);
}

static void a_sentinel_tells_its_own_view(void **state)
{
    const struct watched *watched = *state;
    AUTO_FACTS facts = {0};
    const struct secret none = {0};
    struct settings *settings = watched->redis.settings;
    redis_sentinels_read(&watched->call, REDIS_DRIVER_OF(settings, settings), &none, &facts);
    assert_int_equal(facts.sentinel_count, 1);
    const struct fact_sentinel *sentinel = facts_find_sentinel(&facts, "s1");
    assert_false(sentinel->is_reachable); /* it answers, but has no configuration file */
    assert_string_equal(sentinel->trouble_code, "config_missing");
    assert_string_equal(sentinel->version, "7.0.15");
    assert_string_equal(sentinel->primary_id, "127.0.0.1:7001");
    assert_true(sentinel->is_primary_down);
    assert_false(sentinel->is_failing_over);
    assert_int_equal(sentinel->quorum, 2);
    assert_int_equal(sentinel->sentinel_count, 3);
    assert_int_equal(sentinel->down_after_ms, 5000);
    assert_false(sentinel->is_quorum_reached);
    assert_non_null(strstr(sentinel->quorum_message, "NOQUORUM"));
    assert_int_equal(sentinel->watched_count, 2);
    assert_string_equal(sentinel->watched[0].id, "127.0.0.1:7003");
    assert_true(sentinel->watched[0].is_down);
    assert_false(sentinel->watched[0].is_link_up);
    assert_null(sentinel->watched[0].primary_id);
    assert_string_equal(sentinel->watched[1].id, "localhost:7002");
    assert_int_equal(sentinel->watched[1].priority, 100);
    assert_int_equal(sentinel->watched[1].info_age_ms, 2000);
    assert_string_equal(sentinel->watched[1].primary_id, "127.0.0.1:7001");
}

static void a_sentinel_s_settings_go_through_sentinel_commands(void **state)
{
    struct watched *watched = *state;
    AUTO_FREE char *value = NULL;
    AUTO_ERR err = settings_get(&watched->call, watched->redis.settings, &watched->sentinel,
        "down-after-milliseconds", &value);
    assert_null(err);
    assert_string_equal(value, "5000");
    AUTO_ERR set_err = settings_set(&watched->call, watched->redis.settings, &watched->sentinel,
        "down-after-milliseconds", "40000");
    assert_null(set_err);
    fake_redis_stop(&watched->fake);
    assert_non_null(strstr(
        buf_text(&watched->fake.asked), "SENTINEL SET mymaster down-after-milliseconds 40000"));
}

/* ---- files ---- */

static void put_config(const struct watched *watched, const char *text)
{
    AUTO_ERR err = fs_write(watched->config, text, strlen(text), 0600);
    assert_null(err);
}

static void expect_config(const struct watched *watched, const char *text)
{
    AUTO_BUF content = {0};
    AUTO_ERR err = fs_read(watched->config, FILE_MAX, &content);
    assert_null(err);
    assert_string_equal(buf_text(&content), text);
}

static void follow(struct watched *watched, const struct inv_node *primary)
{
    AUTO_ERR err = settings_set_file_primary(
        &watched->call, watched->redis.settings, &watched->nodes[0], primary);
    assert_null(err);
}

static void expect_followed(struct watched *watched, const char *id)
{
    AUTO_FREE char *found = NULL;
    AUTO_ERR err = settings_get_file_primary(
        &watched->call, watched->redis.settings, &watched->nodes[0], &found);
    assert_null(err);
    if (id == NULL) {
        assert_null(found);
    } else {
        assert_string_equal(found, id);
    }
}

static void only_the_line_about_the_primary_changes(void **state)
{
    struct watched *watched = *state;
    put_config(
        watched, "# mine\nport 7001\n  ReplicaOf 127.0.0.1 7003\nslaveof no\tone\nsave \"\"");
    follow(watched, &watched->nodes[1]);
    expect_config(watched, "# mine\nport 7001\nreplicaof localhost 7002\nsave \"\"\n");
    expect_followed(watched, "localhost:7002");
    follow(watched, NULL);
    expect_config(watched, "# mine\nport 7001\nsave \"\"\n");
    expect_followed(watched, NULL);
    follow(watched, &watched->nodes[2]);
    expect_config(watched, "# mine\nport 7001\nsave \"\"\nreplicaof 127.0.0.1 7003\n");
    expect_followed(watched, "127.0.0.1:7003");
}

static void expect_fits(struct watched *watched, const char *series, bool wanted)
{
    bool fits = !wanted;
    AUTO_ERR err = settings_file_fits(
        &watched->call, watched->redis.settings, &watched->nodes[0], series, &fits);
    assert_null(err);
    assert_int_equal(fits, wanted);
}

static void an_older_program_gets_a_file_that_it_reads(void **state)
{
    struct watched *watched = *state;
    static const char written[] = "port 7001\n# Generated by CONFIG REWRITE\n"
                                  "latency-tracking-info-percentiles 50 99 99.9\n"
                                  "user default on nopass ~* &* +@all\n"
                                  "user app on >secret ~app:* &* +@all\n";
    put_config(watched, written);
    expect_fits(watched, "redis/7.0", true);
    expect_fits(watched, "valkey/8.1", true);
    expect_fits(watched, "redis/6.0", false);
    AUTO_ERR err =
        settings_fit_file(&watched->call, watched->redis.settings, &watched->nodes[0], "redis/6.2");
    assert_null(err);
    expect_config(watched, "port 7001\n# Generated by CONFIG REWRITE\n"
                           "user default on nopass ~* &* +@all\n"
                           "user app on >secret ~app:* &* +@all\n");
    AUTO_ERR old_err =
        settings_fit_file(&watched->call, watched->redis.settings, &watched->nodes[0], "redis/6.0");
    assert_null(old_err);
    expect_config(watched, "port 7001\n# Generated by CONFIG REWRITE\n"
                           "user app on >secret ~app:* &* +@all\n");
    expect_fits(watched, "redis/6.0", true);
}

static void nothing_is_written_too_late(void **state)
{
    struct watched *watched = *state;
    put_config(watched, "port 7001\n");
    watched->call.send_before_ms = 1;
    AUTO_ERR err = settings_set_file_primary(
        &watched->call, watched->redis.settings, &watched->nodes[0], &watched->nodes[1]);
    assert_non_null(err);
    assert_string_equal(err->cause == NULL ? err->code : err->cause->code, "out_of_time");
    expect_config(watched, "port 7001\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_primary_sees_its_replicas_by_the_inventory_s_names, open_watched, close_watched),
        cmocka_unit_test_setup_teardown(a_replica_sees_its_primary, open_watched, close_watched),
        cmocka_unit_test_setup_teardown(a_sentinel_tells_its_own_view, open_watched, close_watched),
        cmocka_unit_test_setup_teardown(
            a_sentinel_s_settings_go_through_sentinel_commands, open_watched, close_watched),
        cmocka_unit_test_setup_teardown(
            only_the_line_about_the_primary_changes, open_watched, close_watched),
        cmocka_unit_test_setup_teardown(
            an_older_program_gets_a_file_that_it_reads, open_watched, close_watched),
        cmocka_unit_test_setup_teardown(nothing_is_written_too_late, open_watched, close_watched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
