/*
 * tests/unit/drivers/conformance_cutover.h - what every implementation of drivers/cutover.h must
 * do, simulated or real.
 *
 * The servers must be healthy at the start and are left so, with the roles of the two exchanged.
 */
#ifndef UPSHIFT_TESTS_UNIT_DRIVERS_CONFORMANCE_CUTOVER_H
#define UPSHIFT_TESTS_UNIT_DRIVERS_CONFORMANCE_CUTOVER_H

#include "base/clock.h"
#include "drivers/cutover.h"

struct cutover_fixture {
    struct clock *clock;
    struct cutover *cutover;
    struct cutover_parties parties;
};

/* Runs all cases. Returns the number of failed ones. Blocks: a second with real servers. */
int conformance_cutover_run(struct cutover_fixture *fixture);

#endif
