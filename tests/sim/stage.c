#include "stage.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/rules.h"
#include "drivers/host.h"
#include "drivers/package.h"
#include "drivers/replication.h"
#include "drivers/service.h"
#include "drivers/settings.h"
#include "drivers/topology.h"
#include "drivers/world.h"
#include "strategies/rolling.h"

enum {
    KEY_COUNT = 10000,
    WRITE_RATE = 1000,
    CALL_MS = 60000,
    SETTLE_MS = 3000, /* a restart, a copy, and everybody has heard of it */
};

static const struct sim_program programs[] = {
    {STAGE_REDIS_6_0, "redis", "6.0.16", NULL},
    {STAGE_REDIS_7_0, "redis", "7.0.15", NULL},
    {STAGE_VALKEY_8_1, "valkey", "8.1.1", NULL},
};

void stage_die(const char *what, const struct err *err)
{
    AUTO_FREE char *text = err == NULL ? NULL : err_text(err);
    fprintf(stderr, "%s%s%s\n", what, text == NULL ? "" : ": ", text == NULL ? "" : text);
    abort();
}

static void expect_well(const char *what, struct err *err)
{
    if (err != NULL) {
        stage_die(what, err);
    }
}

static struct call stage_call(struct stage *stage)
{
    struct clock *clock = sim_clock(stage->sim);
    return (struct call){.clock = clock,
        .deadline_ms = clock_now_ms(clock) + CALL_MS,
        .world = sim_world(stage->sim)};
}

void stage_open(struct stage *stage, const struct stage_options *options)
{
    *stage = (struct stage){0};
    expect_well("the built-in rules", rules_load(&stage->rules));
    const size_t node_count = options->shard_count * (1 + options->replica_count);
    sim_fill_cluster(&stage->arena, node_count, &stage->cluster);
    stage->cluster.policy.max_unavailable = options->max_unavailable;
    stage->inventory = (struct inventory){.path = "/sim/upshift.yaml",
        .digest = "sim",
        .clusters = &stage->cluster,
        .cluster_count = 1};
    const struct sim_options sim_options = {
        .cluster = &stage->cluster,
        .rules = &stage->rules,
        .programs = programs,
        .program_count = ARRAY_COUNT(programs),
        .server = options->server,
        .shard_count = options->shard_count,
        .seed = options->seed,
        .key_count = KEY_COUNT,
        .write_rate = WRITE_RATE,
        .lag_ms = options->lag_ms,
    };
    stage->sim = sim_open(&sim_options);
}

void stage_close(struct stage *stage)
{
    sim_close(stage->sim);
    rules_release(&stage->rules);
    arena_release(&stage->arena);
}

void stage_read(struct stage *stage, struct facts *ret_facts)
{
    const struct call call = stage_call(stage);
    expect_well("the simulated cluster", topology_read(&call, call.world->topology, ret_facts));
}

static void add_target(
    struct stage *stage, const char *product, const char *version, struct facts *facts)
{
    const struct call call = stage_call(stage);
    const struct inv_version wanted = {.name = version, .product = product, .suite = "sim"};
    struct fact_artefact *artefact = arena_push(
        &facts->arena, &facts->artefacts, &facts->artefact_count, sizeof(*facts->artefacts));
    expect_well("the target's programs", package_prepare(&call, call.world->package, &wanted,
                                             &stage->rules, NULL, NULL, &facts->arena, artefact));
    for (size_t i = 0; i < facts->node_count; i++) {
        struct fact_dry_start *slot = arena_push(
            &facts->arena, &facts->dry_starts, &facts->dry_start_count, sizeof(*facts->dry_starts));
        expect_well(
            "a dry start", topology_dry_start(&call, call.world->topology, &stage->cluster.nodes[i],
                               artefact->server, &facts->arena, slot));
    }
}

void stage_plan(
    struct stage *stage, const char *product, const char *version, struct plan *ret_plan)
{
    AUTO_FACTS facts = {0};
    stage_read(stage, &facts);
    add_target(stage, product, version, &facts);
    const struct rolling_request request = {
        &stage->inventory, &stage->cluster, &stage->rules, &facts};
    AUTO_ARENA arena = {0};
    AUTO_PLAN plan = {0};
    struct plan_refusal refusal = {0};
    if (!rolling_plan(&request, &arena, &plan, &refusal)) {
        stage_die(refusal.answers[0].reason, NULL);
    }
    AUTO_JSON json = plan_to_json(&plan);
    expect_well("the plan's JSON", plan_from_json(json, "plan", ret_plan));
}

void stage_start_by_hand(struct stage *stage, const char *node)
{
    const struct call call = stage_call(stage);
    const struct inv_node *inv = inv_cluster_find_node(&stage->cluster, node);
    AUTO_ERR ignored = service_start(&call, call.world->service, inv); /* looked at again later */
    (void)ignored;
}

void stage_upgrade_by_hand(struct stage *stage, const char *node, const char *server)
{
    const struct call call = stage_call(stage);
    const struct inv_node *inv = inv_cluster_find_node(&stage->cluster, node);
    struct service_status status;
    expect_well("status", service_get_status(&call, call.world->service, inv, &status));
    expect_well("stop", service_stop(&call, call.world->service, inv, status.identity));
    expect_well("link", host_replace_link(&call, call.world->host, inv, inv->server_link, server));
    expect_well("start", service_start(&call, call.world->service, inv));
    clock_wait_ms(call.clock, SETTLE_MS);
}

void stage_set_by_hand(struct stage *stage, const char *node, const char *name, const char *value)
{
    const struct call call = stage_call(stage);
    const struct inv_node *inv = inv_cluster_find_node(&stage->cluster, node);
    expect_well("set", settings_set(&call, call.world->settings, inv, name, value));
}

void stage_switch_by_hand(struct stage *stage, const char *node)
{
    const struct call call = stage_call(stage);
    const struct inv_node *inv = inv_cluster_find_node(&stage->cluster, node);
    expect_well("switchover", replication_switchover(&call, call.world->replication, inv));
    clock_wait_ms(call.clock, SETTLE_MS);
}
