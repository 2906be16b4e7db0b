#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "drivers/host.h"
#include "drivers/replication.h"
#include "drivers/service.h"
#include "drivers/settings.h"
#include "drivers/topology.h"

enum { KEY_COUNT = 10000, DEADLINE_MS = 100000000, RESTART_MS = 600, AGREE_MS = 1200 };

#define SERIES_6_0 "redis/6.0"
#define SERIES_7_0 "redis/7.0"
#define SERIES_8_0 "redis/8.0"
#define SERIES_VALKEY "valkey/8.1"

static const char *const copies_6_0[] = {SERIES_6_0};
static const char *const copies_7_0[] = {SERIES_6_0, SERIES_7_0};
static const char *const copies_valkey[] = {SERIES_6_0, SERIES_7_0, SERIES_VALKEY};
static const char *const copies_8_0[] = {SERIES_6_0, SERIES_7_0, SERIES_VALKEY, SERIES_8_0};

static struct series_rule series_table[] = {
    {.series = SERIES_6_0,
        .product = "redis",
        .rdb_version = 9,
        .full_sync_from = copies_6_0,
        .full_sync_from_count = ARRAY_COUNT(copies_6_0)},
    {.series = SERIES_7_0,
        .product = "redis",
        .rdb_version = 10,
        .is_multi_part_aof = true,
        .full_sync_from = copies_7_0,
        .full_sync_from_count = ARRAY_COUNT(copies_7_0)},
    {.series = SERIES_VALKEY,
        .product = "valkey",
        .rdb_version = 11,
        .is_multi_part_aof = true,
        .full_sync_from = copies_valkey,
        .full_sync_from_count = ARRAY_COUNT(copies_valkey)},
    {.series = SERIES_8_0,
        .product = "redis",
        .rdb_version = 12,
        .is_multi_part_aof = true,
        .full_sync_from = copies_8_0,
        .full_sync_from_count = ARRAY_COUNT(copies_8_0)},
};

const struct rules fixture_rules = {
    .digest = "test", .series = series_table, .series_count = ARRAY_COUNT(series_table)};

static const struct sim_program programs[] = {
    {SERVER_6_0, "redis", "6.0.16", NULL},
    {SERVER_7_0, "redis", "7.0.15", NULL},
    {SERVER_VALKEY, "valkey", "8.1.1", NULL},
    {SERVER_8_0, "redis", "8.0.2", NULL},
    {SERVER_BROKEN, "redis", "7.0.15", "Bad directive or wrong number of arguments"},
};

void fixture_open(struct fixture *fixture, const struct fixture_options *options)
{
    *fixture = (struct fixture){0};
    sim_fill_cluster(&fixture->arena, 6, &fixture->cluster);
    const struct sim_options sim_options = {
        .cluster = &fixture->cluster,
        .rules = &fixture_rules,
        .programs = programs,
        .program_count = ARRAY_COUNT(programs),
        .server = options->server == NULL ? SERVER_6_0 : options->server,
        .shard_count = 3,
        .seed = options->seed,
        .key_count = KEY_COUNT,
        .write_rate = options->write_rate,
        .lag_ms = options->lag_ms,
        .node_timeout_ms = options->node_timeout_ms,
        .faults = options->faults,
    };
    fixture->sim = sim_open(&sim_options);
    fixture->world = sim_world(fixture->sim);
    fixture->call = (struct call){
        .clock = sim_clock(fixture->sim), .deadline_ms = DEADLINE_MS, .world = fixture->world};
}

void fixture_close(struct fixture *fixture)
{
    sim_close(fixture->sim);
    arena_release(&fixture->arena);
}

const struct inv_node *fixture_node(const struct fixture *fixture, const char *name)
{
    const struct inv_node *node = inv_cluster_find_node(&fixture->cluster, name);
    assert_non_null(node);
    return node;
}

void fixture_wait(struct fixture *fixture, int64_t duration_ms)
{
    clock_wait_ms(fixture->call.clock, duration_ms);
}

const struct fact_node *fixture_read(
    struct fixture *fixture, const char *node, struct facts *ret_facts)
{
    AUTO_ERR err = topology_read(&fixture->call, fixture->world->topology, ret_facts);
    assert_null(err);
    const struct fact_node *fact = facts_find(ret_facts, node);
    assert_non_null(fact);
    return fact;
}

void fixture_restart(struct fixture *fixture, const char *node, const char *server)
{
    const struct inv_node *inv = fixture_node(fixture, node);
    struct service_status status;
    AUTO_ERR read = service_get_status(&fixture->call, fixture->world->service, inv, &status);
    assert_null(read);
    AUTO_ERR stop = service_stop(&fixture->call, fixture->world->service, inv, status.identity);
    assert_null(stop);
    AUTO_ERR link =
        host_replace_link(&fixture->call, fixture->world->host, inv, inv->server_link, server);
    assert_null(link);
    AUTO_ERR start = service_start(&fixture->call, fixture->world->service, inv);
    assert_null(start);
    fixture_wait(fixture, RESTART_MS);
}

void fixture_switchover(struct fixture *fixture, const char *node)
{
    AUTO_ERR err = replication_switchover(
        &fixture->call, fixture->world->replication, fixture_node(fixture, node));
    assert_null(err);
    fixture_wait(fixture, AGREE_MS);
}

void fixture_set(struct fixture *fixture, const char *node, const char *name, const char *value)
{
    AUTO_ERR err = settings_set(
        &fixture->call, fixture->world->settings, fixture_node(fixture, node), name, value);
    assert_null(err);
}

bool fixture_is_running(struct fixture *fixture, const char *node)
{
    struct service_status status = {0};
    AUTO_ERR err = service_get_status(
        &fixture->call, fixture->world->service, fixture_node(fixture, node), &status);
    assert_null(err);
    return status.is_running;
}
