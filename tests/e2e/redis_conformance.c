/*
 * tests/e2e/redis_conformance.c - the Redis, process and local drivers against real servers.
 *
 *     redis_conformance SERVER CLI      e.g. /usr/bin/redis-server /usr/bin/redis-cli
 *
 * Starts three primaries and three replicas of SERVER on this machine, runs the conformance suite
 * that the simulated drivers pass too, then what only a real server can show: its own refusals.
 * upshift's user has exactly the rights that drivers/redis/redis.h lists, so the list is proven.
 * Exits 77 (skipped) when a program is not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "drivers/local/local.h"
#include "drivers/process/process.h"
#include "drivers/redis/redis.h"
#include "drivers/world.h"
#include "transport/spawn.h"
#include "unit/drivers/conformance.h"

enum {
    NODE_COUNT = 6,
    PORT_FIRST = 20001,
    PORT_LAST = 30000,
    CALL_MS = 30000,
    POLL_MS = 50,
    EXIT_SKIPPED = 77,
};

#define PASSWORD "correct-horse"
#define RIGHTS                                                                                     \
    "+info +config|get +config|set +cluster|info +cluster|nodes +cluster|failover +client|list "   \
    "+client|setname"

struct e2e {
    const char *server;
    const char *cli;
    struct arena arena;
    char folder[64];
    struct inv_node nodes[NODE_COUNT];
    struct inv_cluster cluster;
    struct world world;
    const char *primary; /* of the first shard, and its replica; once the cluster stands */
    const char *replica;
};

static struct call make_e2e_call(void)
{
    struct clock *clock = clock_system();
    return (struct call){.clock = clock, .deadline_ms = clock_now_ms(clock) + CALL_MS};
}

/* Ends the program with the whole chain. */
static void require(struct err *err, const char *doing)
{
    if (err == NULL) {
        return;
    }
    AUTO_FREE char *text = err_text(err);
    err_free(err);
    fail_msg("%s: %s", doing, text);
}

static bool is_port_free(int port)
{
    AUTO_CLOSE fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
}

/* A free port whose bus port is free too, after `before`. */
static int next_port(int before)
{
    int port = before + 1;
    while (port < PORT_LAST && (!is_port_free(port) || !is_port_free(port + 10000))) {
        port++;
    }
    return port;
}

static void give_to_server_user(const char *path)
{
    const struct passwd *entry = geteuid() == 0 ? getpwnam("nobody") : NULL;
    assert_true(geteuid() != 0 || entry != NULL);
    assert_true(entry == NULL || chown(path, entry->pw_uid, entry->pw_gid) == 0);
}

static void write_config(const struct e2e *e2e, const struct inv_node *node)
{
    AUTO_BUF text = {0};
    buf_printf(&text,
        "port %lld\nbind 127.0.0.1\ndir \"%s\"\ncluster-enabled yes\ncluster-node-timeout 2000\n"
        "appendonly yes\nsave \"\"\nrepl-diskless-sync-delay 0\nmaxmemory 100mb\n"
        "client-output-buffer-limit replica 256mb 64mb 60\n"
        "user upshift on >" PASSWORD " " RIGHTS "\nuser limited on >" PASSWORD " +info\n",
        (long long)node->port, node->directory);
    require(fs_write(node->config_file, text.data, text.size, 0600), "write a configuration");
    give_to_server_user(node->config_file);
    require(fs_replace_link(node->server_link, e2e->server), "link the server");
}

static void make_node(struct e2e *e2e, size_t index, int port)
{
    struct arena *arena = &e2e->arena;
    const char *folder = arena_format(arena, "%s/n%zu", e2e->folder, index + 1);
    e2e->nodes[index] = (struct inv_node){.name = arena_format(arena, "n%zu", index + 1),
        .host = "127.0.0.1",
        .port = port,
        .directory = folder,
        .config_file = arena_format(arena, "%s/server.conf", folder),
        .server_link = arena_format(arena, "%s/server", folder),
        .pid_file = arena_format(arena, "%s/pid", folder),
        .log_file = arena_format(arena, "%s/log", folder)};
    require(fs_make_dirs(folder, 0755), "make a folder");
    give_to_server_user(folder);
    write_config(e2e, &e2e->nodes[index]);
}

static void open_world(struct e2e *e2e)
{
    e2e->cluster = (struct inv_cluster){.name = "shop",
        .datastore = "redis",
        .topology = "cluster",
        .user = "upshift",
        .password = {.source = SECRET_ENV, .name = "UPSHIFT_E2E_PASSWORD"},
        .service_user = geteuid() == 0 ? "nobody" : NULL,
        .nodes = e2e->nodes,
        .node_count = NODE_COUNT};
    struct host *host = local_open();
    struct redis_capabilities redis;
    require(redis_open(&e2e->cluster, host, &redis), "open the driver");
    e2e->world = (struct world){.cluster = &e2e->cluster,
        .topology = redis.topology,
        .replication = redis.replication,
        .settings = redis.settings,
        .fence = redis.fence,
        .cutover = redis.cutover,
        .service = process_open(&e2e->cluster),
        .host = host};
}

static void run_cli(const struct e2e *e2e, const char *const *argv)
{
    const struct call call = make_e2e_call();
    const struct spawn_request request = {.argv = argv};
    struct spawn_result result;
    require(spawn_run(&call, &request, &result), e2e->cli);
    const int status = result.exit_status;
    AUTO_FREE char *output = buf_detach(&result.output);
    spawn_result_release(&result);
    if (status != 0) {
        fail_msg("%s ended with %d: %s", e2e->cli, status, output);
    }
}

/* A node answers some 100 ms after its process was started. */
static void await_answer(const struct e2e *e2e, size_t index)
{
    const struct call call = make_e2e_call();
    struct replication_state state;
    struct err *err = NULL;
    do {
        err_free(err);
        clock_wait_ms(call.clock, POLL_MS);
        err = replication_get_state(&call, e2e->world.replication, &e2e->nodes[index], &state);
    } while (err != NULL && call_left_ms(&call) > 0);
    require(err, "wait for a server");
}

static void create_cluster(struct e2e *e2e)
{
    enum { ARGS_BEFORE = 4, ARGS_AFTER = 3 };
    const char *argv[ARGS_BEFORE + NODE_COUNT + ARGS_AFTER + 1] = {
        e2e->cli, "--cluster", "create", "--cluster-yes"};
    for (size_t i = 0; i < NODE_COUNT; i++) {
        argv[ARGS_BEFORE + i] =
            arena_format(&e2e->arena, "127.0.0.1:%lld", (long long)e2e->nodes[i].port);
        const struct call call = make_e2e_call();
        require(service_start(&call, e2e->world.service, &e2e->nodes[i]), "start a server");
    }
    for (size_t i = 0; i < NODE_COUNT; i++) {
        await_answer(e2e, i);
    }
    argv[ARGS_BEFORE + NODE_COUNT] = "--cluster-replicas";
    argv[ARGS_BEFORE + NODE_COUNT + 1] = "1";
    run_cli(e2e, argv);
}

static const struct fact_node *find_replica_of(
    const struct facts *facts, const struct fact_node *primary)
{
    for (size_t i = 0; i < facts->node_count; i++) {
        if (text_equal(facts->nodes[i].primary_id, primary->id) && facts->nodes[i].is_link_up) {
            return &facts->nodes[i];
        }
    }
    return NULL;
}

/* Writes a key of the first shard (slot 3300). Redis 6.0 cannot switch over a shard that was never
 * written to: it takes a primary's offset 0 for "not known yet", until the failover times out. */
static void write_key(struct e2e *e2e)
{
    const char *port = arena_format(&e2e->arena, "%lld", (long long)e2e->nodes[0].port);
    run_cli(e2e, (const char *const[]){e2e->cli, "-c", "-p", port, "set", "b", "1", NULL});
}

/* The cluster is new: it serves and replicas attach within seconds. */
static void await_cluster(struct e2e *e2e)
{
    const struct call call = make_e2e_call();
    while (e2e->replica == NULL && call_left_ms(&call) > 0) {
        clock_wait_ms(call.clock, POLL_MS);
        write_key(e2e);
        AUTO_FACTS facts = {0};
        require(topology_read(&call, e2e->world.topology, &facts), "read the facts");
        const struct fact_node *primary = facts_primary_of(&facts, "shard-1");
        const struct fact_node *replica = primary == NULL ? NULL : find_replica_of(&facts, primary);
        if (replica != NULL && replica->key_count > 0) {
            e2e->primary = arena_strdup(&e2e->arena, primary->name);
            e2e->replica = arena_strdup(&e2e->arena, replica->name);
        }
    }
    assert_non_null(e2e->replica);
}

static void six_servers_make_a_cluster(void **state)
{
    struct e2e *e2e = *state;
    (void)snprintf(e2e->folder, sizeof(e2e->folder), "/tmp/upshift-e2e-XXXXXX");
    assert_non_null(mkdtemp(e2e->folder));
    assert_int_equal(chmod(e2e->folder, 0755), 0);
    assert_int_equal(setenv("UPSHIFT_E2E_PASSWORD", PASSWORD, 1), 0);
    int port = PORT_FIRST + (int)getpid() % 5000;
    for (size_t i = 0; i < NODE_COUNT; i++) {
        port = next_port(port);
        make_node(e2e, i, port);
    }
    open_world(e2e);
    create_cluster(e2e);
    await_cluster(e2e);
}

/* Also after a start that failed half way. */
static void stop_cluster(struct e2e *e2e)
{
    for (size_t i = 0; e2e->world.service != NULL && i < NODE_COUNT; i++) {
        const struct call call = make_e2e_call();
        struct service_status status = {0};
        err_free(service_get_status(&call, e2e->world.service, &e2e->nodes[i], &status));
        if (status.is_running) {
            err_free(service_stop(&call, e2e->world.service, &e2e->nodes[i], status.identity));
        }
    }
    topology_close(e2e->world.topology);
    replication_close(e2e->world.replication);
    settings_close(e2e->world.settings);
    fence_close(e2e->world.fence);
    cutover_close(e2e->world.cutover);
    service_close(e2e->world.service);
    host_close(e2e->world.host);
    err_free(fs_remove_tree(e2e->folder));
    arena_release(&e2e->arena);
}

static void a_configuration_as_written_has_no_drift(void **state)
{
    struct e2e *e2e = *state;
    const struct call call = make_e2e_call();
    AUTO_FACTS facts = {0};
    require(topology_read(&call, e2e->world.topology, &facts), "read the facts");
    for (size_t i = 0; i < facts.node_count; i++) {
        for (size_t j = 0; j < facts.nodes[i].drift_count; j++) {
            const struct fact_drift *drift = &facts.nodes[i].drift[j];
            fail_msg("%s: live %s, file %s", drift->setting, drift->live, drift->file);
        }
    }
}

static void expect_trouble(const struct e2e *e2e, const char *code, const char *word)
{
    const struct call call = make_e2e_call();
    AUTO_FACTS facts = {0};
    require(topology_read(&call, e2e->world.topology, &facts), "read the facts");
    for (size_t i = 0; i < facts.node_count; i++) {
        assert_false(facts.nodes[i].is_reachable);
        assert_string_equal(facts.nodes[i].trouble_code, code);
        assert_non_null(strstr(facts.nodes[i].trouble, word));
        assert_null(strstr(facts.nodes[i].trouble, PASSWORD));
    }
}

static void a_wrong_password_is_a_fact_of_every_node(void **state)
{
    struct e2e *e2e = *state;
    assert_int_equal(setenv("UPSHIFT_E2E_PASSWORD", "wrong-horse", 1), 0);
    expect_trouble(e2e, "wrong_password", "auth");
    assert_int_equal(setenv("UPSHIFT_E2E_PASSWORD", PASSWORD, 1), 0);
}

static void a_missing_right_is_named(void **state)
{
    struct e2e *e2e = *state;
    e2e->cluster.user = "limited";
    expect_trouble(e2e, "no_permission", "client|setname");
    e2e->cluster.user = "upshift";
}

static void a_directive_that_the_server_does_not_know_fails_the_dry_start(void **state)
{
    struct e2e *e2e = *state;
    AUTO_BUF text = {0};
    require(fs_read(e2e->nodes[0].config_file, 65536, &text), "read a configuration");
    buf_append_text(&text, "no-such-directive 1\n");
    struct inv_node node = e2e->nodes[0];
    node.config_file = arena_format(&e2e->arena, "%s/bad.conf", node.directory);
    require(fs_write(node.config_file, text.data, text.size, 0600), "write a configuration");
    const struct call call = make_e2e_call();
    AUTO_ARENA arena = {0};
    struct fact_dry_start dry_start = {0};
    require(topology_dry_start(&call, e2e->world.topology, &node, e2e->server, &arena, &dry_start),
        "dry-start");
    assert_false(dry_start.is_good);
    assert_string_equal(
        dry_start.message, "no-such-directive 1: Bad directive or wrong number of arguments");
}

int main(int argc, char **argv)
{
    if (argc != 3 || !fs_exists(argv[1]) || !fs_exists(argv[2])) {
        fprintf(stderr, "skipped: needs a server and its command line client\n");
        return EXIT_SKIPPED;
    }
    struct e2e e2e = {.server = argv[1], .cli = argv[2]};
#define CASE(function) cmocka_unit_test_prestate(function, &e2e)
    const struct CMUnitTest start[] = {CASE(six_servers_make_a_cluster)};
    const struct CMUnitTest refusals[] = {
        CASE(a_configuration_as_written_has_no_drift),
        CASE(a_wrong_password_is_a_fact_of_every_node),
        CASE(a_missing_right_is_named),
        CASE(a_directive_that_the_server_does_not_know_fails_the_dry_start),
    };
#undef CASE
    int failed_count = cmocka_run_group_tests_name("start", start, NULL, NULL);
    if (failed_count == 0) {
        struct conformance_fixture fixture = {.name = "redis",
            .world = &e2e.world,
            .clock = clock_system(),
            .replica = e2e.replica,
            .primary = e2e.primary,
            .other_server = e2e.cli,
            .patience_ms = CALL_MS};
        failed_count += conformance_run(&fixture);
        failed_count += cmocka_run_group_tests_name("refusals", refusals, NULL, NULL);
    }
    stop_cluster(&e2e);
    return failed_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
