/* test_redis_read.c - reading a cluster whose nodes are well, gone, silent or without files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "drivers/local/local.h"
#include "drivers/redis/redis.h"
#include "fake_redis.h"

enum { NODE_COUNT = 2, CALL_MS = 1500 };

#define ID_1 "f664444401fb7f00c8dd18878335aca7544a7cb0"
#define ID_2 "b82ae720ee3519256d3aec97831d22588c2d43a1"

static const char config_text[] = "port 7001\nmaxmemory 64mb\nrequirepass open-sesame\n";

static const struct fake_reply primary_replies[] = {
    {"INFO", .text = "redis_version:7.0.15\r\nrun_id:aaa\r\nrole:master\r\n"
                     "slave0:ip=a,port=1,state=online,offset=9,lag=0\r\nmaster_replid:abc\r\n"
                     "master_repl_offset:10\r\naof_last_write_status:ok\r\n"
                     "rdb_last_bgsave_status:ok\r\ndb0:keys=4,expires=0\r\n"},
    {"CONFIG GET", "*8\r\n$9\r\nmaxmemory\r\n$8\r\n67108865\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n"
                   "$11\r\nrequirepass\r\n$11\r\nopen-sesame\r\n"
                   "$21\r\nmin-replicas-to-write\r\n$1\r\n1\r\n"},
    {"CLIENT LIST", .text = "id=3 name= idle=0 flags=N\nid=4 name=upshift:-:0 idle=0 flags=N\n"},
    {"CLUSTER INFO", .text = "cluster_state:ok\r\ncluster_slots_ok:16384\r\n"},
    {"CLUSTER NODES", .text = ID_1 " 127.0.0.1:1@2 myself,master - 0 0 1 connected 0-16383\n" ID_2
                                   " 127.0.0.1:2@3 slave " ID_1 " 0 0 1 connected\n"},
    {NULL, NULL},
};

static const struct fake_reply replica_replies[] = {
    {"INFO", .text = "redis_version:7.0.15\r\nrun_id:bbb\r\nrole:slave\r\n"
                     "master_link_status:up\r\nslave_repl_offset:10\r\n"},
    {"CONFIG GET", "*4\r\n$10\r\nappendonly\r\n$2\r\nno\r\n$4\r\nsave\r\n$0\r\n\r\n"},
    {"CLIENT LIST", .text = ""},
    {"CLUSTER INFO", .text = "cluster_state:ok\r\ncluster_slots_ok:16384\r\n"},
    {"CLUSTER NODES", .text = ID_1 " 127.0.0.1:1@2 master - 0 0 1 connected 0-16383\n" ID_2
                                   " 127.0.0.1:2@3 myself,slave " ID_1 " 0 0 1 connected\n"},
    {NULL, NULL},
};

struct cluster_of_two {
    struct fake_redis fakes[NODE_COUNT];
    struct inv_node nodes[NODE_COUNT];
    struct inv_cluster cluster;
    struct host *host;
    struct redis_capabilities redis;
    struct arena arena;
    struct facts facts;
    char folder[64];
};

static void write_node_file(const char *path, const char *text)
{
    AUTO_ERR err = fs_write(path, text, strlen(text), 0600);
    assert_null(err);
}

static void make_node(struct cluster_of_two *two, size_t i)
{
    struct arena *arena = &two->arena;
    const char *folder = arena_format(arena, "%s/n%zu", two->folder, i + 1);
    two->nodes[i] = (struct inv_node){.name = i == 0 ? "n1" : "n2",
        .host = "127.0.0.1",
        .port = two->fakes[i].port,
        .directory = folder,
        .config_file = arena_format(arena, "%s/redis.conf", folder),
        .server_link = arena_format(arena, "%s/server", folder)};
    AUTO_ERR made = fs_make_dirs(arena_format(arena, "%s/appendonlydir", folder), 0700);
    assert_null(made);
    write_node_file(two->nodes[i].config_file, config_text);
    write_node_file(arena_format(arena, "%s/dump.rdb", folder), "REDIS0010 and data");
    AUTO_ERR linked = fs_replace_link(two->nodes[i].server_link, "/opt/redis-7.0/redis-server");
    assert_null(linked);
}

static int open_two(void **state)
{
    struct cluster_of_two *two = mem_alloc(sizeof(*two));
    (void)snprintf(two->folder, sizeof(two->folder), "/tmp/upshift-read-XXXXXX");
    assert_non_null(mkdtemp(two->folder));
    fake_redis_start(&two->fakes[0], primary_replies);
    fake_redis_start(&two->fakes[1], replica_replies);
    make_node(two, 0);
    make_node(two, 1);
    two->cluster = (struct inv_cluster){.name = "shop",
        .datastore = "redis",
        .topology = "cluster",
        .nodes = two->nodes,
        .node_count = NODE_COUNT};
    two->host = local_open();
    AUTO_ERR err = redis_open(&two->cluster, two->host, &two->redis);
    assert_null(err);
    *state = two;
    return 0;
}

static int close_two(void **state)
{
    struct cluster_of_two *two = *state;
    topology_close(two->redis.topology);
    replication_close(two->redis.replication);
    settings_close(two->redis.settings);
    fence_close(two->redis.fence);
    cutover_close(two->redis.cutover);
    host_close(two->host);
    for (size_t i = 0; i < NODE_COUNT; i++) {
        fake_redis_stop(&two->fakes[i]);
        fake_redis_release(&two->fakes[i]);
    }
    facts_release(&two->facts);
    err_free(fs_remove_tree(two->folder));
    arena_release(&two->arena);
    free(two);
    return 0;
}

static const struct fact_node *read_two(struct cluster_of_two *two)
{
    struct clock *clock = clock_system();
    const struct call call = {.clock = clock, .deadline_ms = clock_now_ms(clock) + CALL_MS};
    AUTO_ERR err = topology_read(&call, two->redis.topology, &two->facts);
    assert_null(err);
    assert_int_equal(two->facts.node_count, NODE_COUNT);
    return two->facts.nodes;
}

static void a_primary_and_its_replica_are_read_whole(void **state)
{
    struct cluster_of_two *two = *state;
    const struct fact_node *nodes = read_two(two);
    char digest[SHA256_HEX_SIZE];
    sha256_hex(config_text, strlen(config_text), digest);
    for (size_t i = 0; i < NODE_COUNT; i++) {
        assert_true(nodes[i].is_reachable);
        assert_null(nodes[i].trouble);
        assert_string_equal(nodes[i].shard, "shard-1");
        assert_string_equal(nodes[i].config_digest, digest);
        assert_string_equal(nodes[i].server_target, "/opt/redis-7.0/redis-server");
        assert_true(nodes[i].has_appendonly_dir);
        assert_int_equal(nodes[i].rdb_version, 10);
        assert_int_equal(nodes[i].view_count, 2);
    }
    assert_int_equal(nodes[0].role, FACT_ROLE_PRIMARY);
    assert_int_equal(nodes[0].key_count, 4);
    assert_int_equal(nodes[0].busy_clients, 1);
    assert_int_equal(nodes[0].min_replicas, 1);
    assert_true(nodes[0].is_persistent);
    assert_true(nodes[0].has_appendonly);
    assert_int_equal(nodes[1].role, FACT_ROLE_REPLICA);
    assert_string_equal(nodes[1].primary_id, ID_1);
    assert_true(nodes[1].is_link_up);
    assert_false(nodes[1].is_persistent);
}

static void drift_is_found_and_passwords_stay_out(void **state)
{
    const struct fact_node *nodes = read_two(*state);
    assert_int_equal(nodes[0].drift_count, 3);
    assert_string_equal(nodes[0].drift[0].setting, "maxmemory");
    assert_string_equal(nodes[0].drift[0].live, "67108865");
    assert_string_equal(nodes[0].drift[0].file, "64mb");
    struct cluster_of_two *two = *state;
    AUTO_JSON value = facts_to_json(&two->facts);
    AUTO_FREE char *text = js_write(value);
    assert_null(strstr(text, "open-sesame"));
}

static const char *last_line(const struct fake_redis *fake)
{
    const char *text = buf_text(&fake->asked);
    const char *found = text;
    for (const char *c = text; *c != '\0'; c++) {
        found = *c == '\n' && c[1] != '\0' ? c + 1 : found;
    }
    return found;
}

/* With the keys of the same instant, or the two would not compare. */
static void offsets_are_read_last(void **state)
{
    struct cluster_of_two *two = *state;
    (void)read_two(two);
    for (size_t i = 0; i < NODE_COUNT; i++) {
        fake_redis_stop(&two->fakes[i]);
        assert_string_equal(last_line(&two->fakes[i]), "INFO\n");
        assert_non_null(strstr(buf_text(&two->fakes[i].asked), "INFO\nCONFIG GET"));
    }
}

static void a_node_that_is_gone_is_a_fact_and_its_files_are_known(void **state)
{
    struct cluster_of_two *two = *state;
    fake_redis_stop(&two->fakes[0]);
    const struct fact_node *nodes = read_two(two);
    assert_false(nodes[0].is_reachable);
    assert_string_equal(nodes[0].trouble_code, "connect_failed");
    assert_non_null(nodes[0].trouble);
    assert_int_equal(nodes[0].drift_count, 0);
    assert_string_equal(nodes[0].server_target, "/opt/redis-7.0/redis-server");
    assert_true(nodes[0].has_appendonly_dir);
    assert_true(nodes[1].is_reachable);
}

static void a_silent_node_leaves_time_for_the_others(void **state)
{
    struct cluster_of_two *two = *state;
    const struct fake_reply silent[] = {{"INFO", NULL}, {NULL, NULL}};
    two->fakes[0].replies = silent;
    const struct fact_node *nodes = read_two(two);
    assert_false(nodes[0].is_reachable);
    assert_string_equal(nodes[0].trouble_code, "unknown_outcome");
    assert_true(nodes[1].is_reachable);
}

static void a_loading_node_is_reachable_and_loading(void **state)
{
    struct cluster_of_two *two = *state;
    const struct fake_reply loading[] = {
        {"INFO", .text = "redis_version:7.0.15\r\nloading:1\r\nrole:slave\r\n"},
        {"CONFIG GET", "*0\r\n"}, {"CLIENT LIST", .text = ""},
        {"CLUSTER", "-LOADING Redis is loading\r\n"}, {NULL, NULL}};
    const struct fake_reply since_now[] = {
        {"INFO", .text = "redis_version:7.0.15\r\nloading:0\r\nrole:slave\r\n"},
        {"CONFIG GET", "*0\r\n"}, {"CLIENT LIST", .text = ""},
        {"CLUSTER", "-LOADING Redis is loading\r\n"}, {NULL, NULL}};
    two->fakes[0].replies = loading;
    two->fakes[1].replies = since_now;
    const struct fact_node *nodes = read_two(two);
    for (size_t i = 0; i < NODE_COUNT; i++) {
        assert_true(nodes[i].is_reachable);
        assert_true(nodes[i].is_loading);
        assert_null(nodes[i].id);
    }
}

static void files_that_are_missing_are_trouble_with_a_name(void **state)
{
    struct cluster_of_two *two = *state;
    two->nodes[0].config_file = "/nowhere/redis.conf";
    two->nodes[1].server_link = "/nowhere/server";
    const struct fact_node *nodes = read_two(two);
    assert_false(nodes[0].is_reachable);
    assert_string_equal(nodes[0].trouble_code, "config_missing");
    assert_non_null(strstr(nodes[0].trouble, "/nowhere/redis.conf"));
    assert_false(nodes[1].is_reachable);
    assert_string_equal(nodes[1].trouble_code, "link_unreadable");
}

static void a_password_that_cannot_be_had_is_an_error(void **state)
{
    struct cluster_of_two *two = *state;
    two->cluster.password = (struct secret_ref){.source = SECRET_FILE, .name = "/nowhere/password"};
    const struct call call = {.clock = clock_system(), .deadline_ms = INT64_MAX};
    AUTO_ERR err = topology_read(&call, two->redis.topology, &two->facts);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_INVALID);
    assert_string_equal(err->code, "secret_missing");
}

#define WITH_TWO(test) cmocka_unit_test_setup_teardown(test, open_two, close_two)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TWO(a_primary_and_its_replica_are_read_whole),
        WITH_TWO(drift_is_found_and_passwords_stay_out),
        WITH_TWO(offsets_are_read_last),
        WITH_TWO(a_node_that_is_gone_is_a_fact_and_its_files_are_known),
        WITH_TWO(a_silent_node_leaves_time_for_the_others),
        WITH_TWO(a_loading_node_is_reachable_and_loading),
        WITH_TWO(files_that_are_missing_are_trouble_with_a_name),
        WITH_TWO(a_password_that_cannot_be_had_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
