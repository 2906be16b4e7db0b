/*
 * tests/unit/drivers/conformance.h - what every driver of a Redis Cluster must do, simulated or
 * real.
 *
 * It checks the contracts of drivers/{service,host,settings,replication,topology}.h over a
 * `struct world`, whoever implements it: that keeps the simulation honest. The cluster must be
 * healthy at the start and is left so, in the roles it had; servers are stopped and started.
 */
#ifndef UPSHIFT_TESTS_UNIT_DRIVERS_CONFORMANCE_H
#define UPSHIFT_TESTS_UNIT_DRIVERS_CONFORMANCE_H

#include <stdint.h>

#include "base/clock.h"

struct world;

struct conformance_fixture {
    const char *name; /* of the drivers under test, for the report: "sim" */
    struct world *world;
    struct clock *clock;
    const char *replica;      /* a node that is a replica ... */
    const char *primary;      /* ... of this one */
    const char *other_server; /* an existing program that nobody uses; only linked, never started */
    int64_t patience_ms;      /* for a restart with its copy, or a switchover; ample */
};

/* Runs all cases. Returns the number of failed ones. Blocks: seconds with real servers. */
int conformance_run(struct conformance_fixture *fixture);

#endif
