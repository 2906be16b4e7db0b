/*
 * tests/sim/stage.h - a simulated cluster and the plans that are made for it.
 *
 * The planning is the real one: facts as the cluster tells them, the built-in rules, programs made
 * ready and tried with every configuration. The plan then goes through its JSON, as on disk.
 */
#ifndef UPSHIFT_TESTS_SIM_STAGE_H
#define UPSHIFT_TESTS_SIM_STAGE_H

#include "drivers/sim/sim.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "model/version.h"

#define STAGE_REDIS_6_0 "/opt/redis-6.0/redis-server"
#define STAGE_REDIS_7_0 "/opt/redis-7.0/redis-server"
#define STAGE_VALKEY_8_1 "/opt/valkey-8.1/valkey-server"

struct stage_options {
    const char *server; /* that all nodes run at first */
    size_t shard_count;
    size_t replica_count; /* of each shard */
    int64_t max_unavailable;
    int64_t lag_ms;
    uint64_t seed;
};

struct stage {
    struct arena arena;
    struct inventory inventory;
    struct inv_cluster cluster;
    struct rules rules;
    struct sim *sim;
};

void stage_open(struct stage *stage, const struct stage_options *options);
void stage_close(struct stage *stage);
#define AUTO_STAGE CLEANUP(stage_close) struct stage

/* Plans to "7.0" of "redis". Ends the test when that is refused. `ret_plan` is zeroed. */
void stage_plan(
    struct stage *stage, const char *product, const char *version, struct plan *ret_plan);

/* Restarts a node with another program, as an operator who upgrades by hand. */
void stage_upgrade_by_hand(struct stage *stage, const char *node, const char *server);

/* Starts a server that died. */
void stage_start_by_hand(struct stage *stage, const char *node);

/* Changes a live setting, or who is primary, behind the run's back. */
void stage_set_by_hand(struct stage *stage, const char *node, const char *name, const char *value);
void stage_switch_by_hand(struct stage *stage, const char *node);

/* The cluster as it is, without faults. `ret_facts` is zeroed by the caller. */
void stage_read(struct stage *stage, struct facts *ret_facts);

/* For what must not happen in a test at all: says it and ends the process. */
NO_RETURN void stage_die(const char *what, const struct err *err);

#endif
