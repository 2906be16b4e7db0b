#include "app/services.h"

#include <dirent.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/claims.h"
#include "app/claims_end.h"
#include "app/foreground_probe.h"
#include "app/services_runs.h"
#include "app/target.h"
#include "app/world.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/package.h"
#include "drivers/suite/suite.h"
#include "drivers/topology.h"
#include "engine/snapshot.h"
#include "store/sqlite/store.h"
#include "strategies/basis.h"
#include "strategies/rolling.h"

enum {
    FACTS_MS = 20000,            /* a dead node costs 2 s */
    DRY_START_MS = 15000,        /* of one node */
    PREPARE_MS = 15 * 60 * 1000, /* a slow line */
    INVENTORY_SIZE_MAX = 1 << 20,
};

static struct call call_within(int64_t limit_ms)
{
    struct clock *clock = clock_system();
    return (struct call){.clock = clock, .deadline_ms = clock_now_ms(clock) + limit_ms};
}

static struct err *services_read_facts(
    struct services *services, const struct cli_request *request, struct facts *ret_facts)
{
    (void)services;
    struct world world;
    struct err *err = world_open(request->cluster, &world);
    if (err != NULL) {
        return err;
    }
    const struct call call = call_within(FACTS_MS);
    err = world_read_facts(&world, &call, ret_facts);
    world_close(&world);
    return err;
}

/* --- facts with the target's programs --- */

static struct err *dry_start_all(
    struct world *world, const struct fact_artefact *artefact, struct facts *facts)
{
    for (size_t i = 0; i < facts->node_count; i++) {
        const struct fact_node *node = &facts->nodes[i];
        const struct inv_node *inv = inv_cluster_find_node(world->cluster, node->name);
        const bool is_there = text_equal(node->series, artefact->series) &&
                              text_equal(node->version, artefact->version);
        if (inv == NULL || !node->is_reachable || is_there) {
            continue;
        }
        struct fact_dry_start *slot = arena_push(
            &facts->arena, &facts->dry_starts, &facts->dry_start_count, sizeof(*facts->dry_starts));
        const struct call call = call_within(DRY_START_MS);
        struct err *err =
            topology_dry_start(&call, world->topology, inv, artefact->server, &facts->arena, slot);
        if (err != NULL) {
            return err_wrap(err, node->name, "cannot try the new version with its configuration");
        }
    }
    return NULL;
}

static struct err *add_target_programs(
    struct world *world, const struct cli_request *request, struct facts *facts)
{
    AUTO_ARENA arena = {0};
    struct inv_version version;
    struct err *err = target_find(
        request->inventory, request->cluster->datastore, request->target, &arena, &version);
    if (err != NULL) {
        return err;
    }
    struct fact_artefact *artefact = arena_push(
        &facts->arena, &facts->artefacts, &facts->artefact_count, sizeof(*facts->artefacts));
    const struct call call = call_within(PREPARE_MS);
    err = package_prepare(&call, world->package, &version, request->rules, request->progress,
        request->progress_context, &facts->arena, artefact);
    if (err != NULL) {
        return err;
    }
    if (request->progress != NULL) {
        request->progress(
            request->progress_context, "trying the new version with each configuration");
    }
    return dry_start_all(world, artefact, facts);
}

static struct err *gather(const struct cli_request *request, struct facts *facts)
{
    struct world world;
    struct err *err = world_open(request->cluster, &world);
    if (err != NULL) {
        return err;
    }
    const struct call call = call_within(FACTS_MS);
    err = world_read_facts(&world, &call, facts);
    if (err == NULL && request->target != NULL) {
        err = add_target_programs(&world, request, facts);
    }
    world_close(&world);
    return err;
}

/* Neither here nor elsewhere may a run be under way: its temporary settings would pass for drift.
 */
static struct err *refuse_busy_cluster(struct services *services, const struct cli_request *request)
{
    struct world world;
    struct err *err = services_refuse_unfinished(services, request->cluster->name);
    if (err == NULL) {
        err = world_open(request->cluster, &world);
    }
    if (err != NULL) {
        return err;
    }
    AUTO_FREE char *directory =
        mem_format("%s/%s", services->state_directory, request->cluster->name);
    const struct call call = call_within(FACTS_MS);
    err = claims_refuse_foreign(&call, &world, directory);
    world_close(&world);
    return err;
}

/* The caller looks at the refusal's answers. */
static void plan_action(const struct cli_request *request, const struct rolling_request *rolling,
    struct arena *arena, struct plan *ret_plan, struct plan_refusal *ret_refusal)
{
    bool is_planned = false;
    if (text_equal(request->action, "restart")) {
        is_planned = restart_plan(rolling, arena, ret_plan, ret_refusal);
    } else if (text_equal(request->action, "switchover")) {
        const struct switchover_choice choice = {request->shard, request->node};
        is_planned = switchover_plan(rolling, &choice, arena, ret_plan, ret_refusal);
    } else {
        is_planned = rolling_plan(rolling, arena, ret_plan, ret_refusal);
    }
    (void)is_planned;
}

static struct err *make_plan(struct services *services, const struct cli_request *request,
    struct arena *arena, struct plan *ret_plan, struct plan_refusal *ret_refusal)
{
    AUTO_FACTS facts = {0};
    struct err *err = refuse_busy_cluster(services, request);
    if (err == NULL) {
        err = gather(request, &facts);
    }
    if (err != NULL) {
        return err;
    }
    const struct rolling_request rolling = {
        .inventory = request->inventory,
        .cluster = request->cluster,
        .rules = request->rules,
        .facts = &facts,
    };
    plan_action(request, &rolling, arena, ret_plan, ret_refusal);
    return NULL;
}

static struct err *check(struct services *services, const struct cli_request *request,
    struct arena *arena, struct gate_answer **ret_answers, size_t *ret_count)
{
    (void)services;
    AUTO_FACTS facts = {0};
    struct err *err = gather(request, &facts);
    if (err != NULL) {
        return err;
    }
    const struct rolling_request rolling = {
        .inventory = request->inventory,
        .cluster = request->cluster,
        .rules = request->rules,
        .facts = &facts,
    };
    rolling_check(&rolling, arena, ret_answers, ret_count);
    return NULL;
}

static struct err *services_fetch_version(struct services *services,
    const struct cli_request *request, const char *datastore, struct arena *arena,
    struct fact_artefact *ret_artefact)
{
    (void)services;
    struct inv_version version;
    struct err *err = target_find(request->inventory, datastore, request->target, arena, &version);
    if (err != NULL) {
        return err;
    }
    struct package *package = NULL;
    const struct suite_places places = {NULL, NULL};
    err = suite_open(&places, &package);
    if (err == NULL) {
        const struct call call = call_within(PREPARE_MS);
        err = package_prepare(&call, package, &version, request->rules, request->progress,
            request->progress_context, arena, ret_artefact);
    }
    package_close(package);
    return err;
}

static void add_difference(
    struct arena *arena, const char ***differences, size_t *count, const char *text)
{
    const char **slot = arena_push(arena, differences, count, sizeof(**differences));
    *slot = arena_strdup(arena, text);
}

static struct err *compare_plan(struct services *services, const struct cli_request *request,
    const struct plan *plan, struct arena *arena, const char ***ret_differences, size_t *ret_count)
{
    AUTO_FACTS facts = {0};
    struct err *err = refuse_busy_cluster(services, request);
    if (err == NULL) {
        err = services_read_facts(services, request, &facts);
    }
    if (err != NULL) {
        return err;
    }
    plan_basis_compare(plan, &facts, arena, ret_differences, ret_count);
    if (!text_equal(plan->inventory_digest, request->inventory->digest)) {
        add_difference(arena, ret_differences, ret_count,
            "inventory: the file has changed since the plan was made");
    }
    if (!text_equal(plan->rules_digest, request->rules->digest)) {
        add_difference(arena, ret_differences, ret_count,
            "version rules: this upshift has other rules than the one that planned");
    }
    if (plan->artefact.server != NULL && !fs_exists(plan->artefact.server)) {
        add_difference(arena, ret_differences, ret_count,
            "programs: the target's server program is gone from the cache");
    }
    return NULL;
}

void services_init(struct services *ret_services)
{
    *ret_services = (struct services){
        .read_facts = services_read_facts,
        .make_plan = make_plan,
        .check = check,
        .fetch_version = services_fetch_version,
        .compare_plan = compare_plan,
        .start_run = services_start_run,
        .continue_run = services_continue_run,
        .plan_back = services_plan_back,
        .reconcile_claims = services_reconcile_claims,
        .open_journal = services_open_journal,
        .read_run = services_read_run,
        .list_journals = services_list_journals,
        .probe = foreground_probe,
    };
}
