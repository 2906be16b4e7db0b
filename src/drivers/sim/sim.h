/*
 * drivers/sim/sim.h - a Redis Cluster in memory, with its own time, for tests.
 *
 * It implements every capability of drivers/world.h over one model of what was measured on real
 * servers: acknowledgement before replication, views that lag 40-60 ms behind, the 2 s in which a
 * restarted primary refuses service, who can load whose full copy, an old program starting empty on
 * a newer directory. A client writes without pause; what it was promised and lost is counted.
 *
 * Time stands still until somebody waits on sim_clock(); then the cluster lives through exactly
 * that long, event by event. One seed gives one story.
 *
 *     struct sim *sim = sim_open(&options);
 *     struct call call = {.clock = sim_clock(sim), .deadline_ms = 60000, .world = sim_world(sim)};
 *     ...
 *     sim_close(sim);
 *
 * Thread: any; one mutex guards everything. Only one thread gives a repeatable story.
 */
#ifndef UPSHIFT_DRIVERS_SIM_SIM_H
#define UPSHIFT_DRIVERS_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/clock.h"
#include "model/inventory.h"
#include "model/version.h"

struct sim;
struct world;

enum { SIM_NODES_MAX = 32 };

/* A server program that links may point at. */
struct sim_program {
    const char *path;      /* "/opt/redis-7.0/redis-server" */
    const char *product;   /* "redis" */
    const char *version;   /* "7.0.15" */
    const char *complaint; /* NULL, or what it says about every configuration file: won't start */
};

/* How often a call goes wrong by itself, in percent; drawn from the seed. */
struct sim_faults {
    unsigned drop_reply_pct; /* it happened, but nobody hears so: ERR_UNKNOWN */
    unsigned refuse_pct;     /* nothing happened: ERR_REFUSED */
    unsigned delay_pct;      /* up to 500 ms late */
    unsigned crash_pct;      /* the node's process dies before the call arrives */
};

struct sim_options {
    const struct inv_cluster *cluster; /* the first `shard_count` nodes begin as primaries, the
                                          others as their replicas in turn; borrowed */
    const struct rules *rules;         /* borrowed */
    const struct sim_program *programs;
    size_t program_count;
    const char *server; /* path of the program that all nodes run at first */
    size_t shard_count;
    uint64_t seed;
    int64_t key_count;       /* per shard at first */
    int64_t write_rate;      /* acknowledged keys per second and cluster; 0: none */
    int64_t lag_ms;          /* a replica applies what its primary acknowledged so long ago */
    int64_t node_timeout_ms; /* cluster-node-timeout; 0: 15,000 */
    struct sim_faults faults;
};

/* Makes a running, healthy cluster. Owns: the caller closes it, after the last use of its world. */
MUST_USE RETURNS_NONNULL struct sim *sim_open(const struct sim_options *options);
void sim_close(struct sim *sim); /* NULL is allowed */

/* Fills a cluster of `node_count` nodes n1, n2, ... for tests that need no file. Owns: `arena`. */
void sim_fill_cluster(struct arena *arena, size_t node_count, struct inv_cluster *ret_cluster);

/* Borrowed; live as long as the simulation. Closing a capability of this world does nothing. */
RETURNS_NONNULL struct world *sim_world(struct sim *sim);
RETURNS_NONNULL struct clock *sim_clock(struct sim *sim);

/* Starts and stops the faults of chance, e.g. to let a story settle. */
void sim_set_faults(struct sim *sim, struct sim_faults faults);

enum sim_fault {
    SIM_FAULT_NONE,
    SIM_FAULT_DROP_REPLY,
    SIM_FAULT_REFUSE,
    SIM_FAULT_DELAY,
    SIM_FAULT_CRASH,
};

/* Makes the next call named `op` ("service.start", "settings.set") go wrong, once. `node` may be
 * NULL for any. Scripted faults come first and in the order given; at most 16 wait at a time. */
void sim_fail_next(
    struct sim *sim, const char *op, const char *node, enum sim_fault fault, int64_t delay_ms);

/* The same for the n-th call from now on, whatever it is and to whom. */
void sim_fail_call(struct sim *sim, int64_t index, enum sim_fault fault);

/* How many calls have reached the world so far. */
int64_t sim_get_call_count(struct sim *sim);

/* Is a call in the world at this moment? For a test in one thread only. */
bool sim_is_busy(struct sim *sim);

/* The same for the n-th call from now on (1: the next), whatever it is and to whom. */
void sim_fail_call(struct sim *sim, int64_t index, enum sim_fault fault);

/* How many calls have reached the world so far. */
int64_t sim_get_call_count(struct sim *sim);

/* Is a call in the world at this moment? For tests in one thread only. */
bool sim_is_busy(struct sim *sim);

/* The world acts: the node's process dies at once, as by SIGKILL. */
void sim_crash_node(struct sim *sim, const char *node);

/* Changes the load and the replication lag from now on. */
void sim_set_write_rate(struct sim *sim, int64_t rate);
void sim_set_lag_ms(struct sim *sim, int64_t lag_ms);

/* What the writing client saw, and what the outside can count. */
struct sim_counts {
    int64_t acked;        /* writes acknowledged since the beginning */
    int64_t lost;         /* of those, gone from the cluster for good */
    int64_t stall_ms_max; /* longest time without an acknowledgement in any shard */
};
struct sim_counts sim_get_counts(struct sim *sim);

/* How often the node's server was started, the first time included. */
int64_t sim_get_start_count(struct sim *sim, const char *node);

#endif
