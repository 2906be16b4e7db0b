/*
 * tests/unit/drivers/fixture.h - a small simulated cluster for tests: n1..n3 primaries, n4..n6
 * their replicas, all on Redis 6.0, and the measured rules between four series.
 */
#ifndef UPSHIFT_TESTS_UNIT_DRIVERS_FIXTURE_H
#define UPSHIFT_TESTS_UNIT_DRIVERS_FIXTURE_H

#include "base/call.h"
#include "drivers/sim/sim.h"
#include "drivers/world.h"
#include "model/facts.h"

#define SERVER_6_0 "/opt/redis-6.0/redis-server"
#define SERVER_7_0 "/opt/redis-7.0/redis-server"
#define SERVER_8_0 "/opt/redis-8.0/redis-server"
#define SERVER_VALKEY "/opt/valkey-8.1/valkey-server"
#define SERVER_BROKEN "/opt/redis-7.0-broken/redis-server"

extern const struct rules fixture_rules;

struct fixture {
    struct arena arena;
    struct inv_cluster cluster;
    struct sim *sim;
    struct world *world;
    struct call call; /* with a far deadline */
};

/* What tests vary; zero is the usual. */
struct fixture_options {
    const char *server; /* NULL: 6.0 */
    uint64_t seed;
    int64_t write_rate;
    int64_t lag_ms;
    int64_t node_timeout_ms;
    struct sim_faults faults;
};

void fixture_open(struct fixture *fixture, const struct fixture_options *options);
void fixture_close(struct fixture *fixture);
#define AUTO_FIXTURE CLEANUP(fixture_close) struct fixture

const struct inv_node *fixture_node(const struct fixture *fixture, const char *name);
void fixture_wait(struct fixture *fixture, int64_t duration_ms);

/* Reads the facts and gives those of one node. `ret_facts` is zeroed by the caller. */
const struct fact_node *fixture_read(
    struct fixture *fixture, const char *node, struct facts *ret_facts);

/* Stops the node, points its link at `server`, starts it and waits as long as a restart may take;
 * the copy of its primary's data may still be under way. */
void fixture_restart(struct fixture *fixture, const char *node, const char *server);

/* Changes a live setting. */
void fixture_set(struct fixture *fixture, const char *node, const char *name, const char *value);

bool fixture_is_running(struct fixture *fixture, const char *node);

/* Makes `node` primary and waits until everybody has seen it. */
void fixture_switchover(struct fixture *fixture, const char *node);

#endif
