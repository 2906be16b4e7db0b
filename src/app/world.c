#include "app/world.h"

#include "base/str.h"
#include "drivers/cutover.h"
#include "drivers/fence.h"
#include "drivers/guard.h"
#include "drivers/host.h"
#include "drivers/local/local.h"
#include "drivers/package.h"
#include "drivers/process/process.h"
#include "drivers/redis/redis.h"
#include "drivers/replication.h"
#include "drivers/service.h"
#include "drivers/settings.h"
#include "drivers/suite/suite.h"
#include "drivers/topology.h"
#include "drivers/trace/trace.h"

/* The registry: an inventory's words and what they open. A capability is added by a row here. */
static struct err *open_local(struct world *world)
{
    world->host = local_open();
    return NULL;
}

static struct err *open_process(struct world *world)
{
    world->service = process_open(world->cluster);
    return NULL;
}

static struct err *open_suite(struct world *world)
{
    const struct suite_places places = {NULL, NULL};
    return suite_open(&places, &world->package);
}

static struct err *open_redis(struct world *world)
{
    struct redis_capabilities redis = {0};
    struct err *err = redis_open(world->cluster, world->host, &redis);
    if (err == NULL) {
        world->topology = redis.topology;
        world->replication = redis.replication;
        world->settings = redis.settings;
        world->fence = redis.fence;
        world->cutover = redis.cutover;
    }
    return err;
}

static const struct registration {
    const char *what; /* for errors */
    const char *word;
    struct err *(*open)(struct world *world);
} registrations[] = {
    {"host", "local", open_local},
    {"service manager", "process", open_process},
    {"package provider", "suite", open_suite},
    {"datastore", "redis", open_redis},
    {"datastore", "valkey", open_redis},
};

static struct err *open_one(struct world *world, const char *what, const char *word)
{
    for (size_t i = 0; i < ARRAY_COUNT(registrations); i++) {
        if (text_equal(registrations[i].what, what) && text_equal(registrations[i].word, word)) {
            return registrations[i].open(world);
        }
    }
    return err_new(ERR_INVALID, world->cluster->place, "there is no %s \"%s\"", what,
        word == NULL ? "" : word);
}

struct err *world_open(const struct inv_cluster *cluster, struct world *ret_world)
{
    struct world world = {.cluster = cluster};
    struct err *err = open_one(&world, "host", cluster->host_via);
    if (err == NULL) {
        err = open_one(&world, "service manager", cluster->service_manager);
    }
    if (err == NULL) {
        err = open_one(&world, "package provider", cluster->package_provider);
    }
    if (err == NULL) {
        err = open_one(&world, "datastore", cluster->datastore);
    }
    if (err != NULL) {
        world_close(&world);
        return err;
    }
    *ret_world = world;
    return NULL;
}

/* A process that cannot be looked at cannot be stopped either. */
static bool is_process_lost(const struct world *world, const struct call *call, const char *name)
{
    struct service_status status = {0};
    const struct inv_node *node = inv_cluster_find_node(world->cluster, name);
    if (node == NULL) {
        return false;
    }
    AUTO_ERR unseen = service_get_status(call, world->service, node, &status);
    return unseen != NULL || !status.is_running;
}

struct err *world_read_facts(
    const struct world *world, const struct call *call, struct facts *ret_facts)
{
    struct err *err = topology_read(call, world->topology, ret_facts);
    for (size_t i = 0; err == NULL && i < ret_facts->node_count; i++) {
        struct fact_node *fact = &ret_facts->nodes[i];
        fact->is_process_lost = fact->is_reachable && is_process_lost(world, call, fact->name);
    }
    for (size_t i = 0; err == NULL && i < ret_facts->sentinel_count; i++) {
        struct fact_sentinel *fact = &ret_facts->sentinels[i];
        fact->is_process_lost = fact->is_reachable && is_process_lost(world, call, fact->name);
    }
    return err;
}

void world_trace(struct world *world, const struct log *log)
{
    world->topology = trace_topology(log, world->topology);
    world->replication = trace_replication(log, world->replication);
    world->settings = trace_settings(log, world->settings);
    world->fence = trace_fence(log, world->fence);
    world->package = trace_package(log, world->package);
    world->service = trace_service(log, world->service);
    world->host = trace_host(log, world->host);
}

void world_close(struct world *world)
{
    guard_close(world->guard);
    cutover_close(world->cutover);
    topology_close(world->topology);
    replication_close(world->replication);
    settings_close(world->settings);
    fence_close(world->fence);
    package_close(world->package);
    service_close(world->service);
    host_close(world->host);
    *world = (struct world){0};
}
