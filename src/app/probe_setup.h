/*
 * app/probe_setup.h - the probe's configuration from an inventory.
 */
#ifndef UPSHIFT_APP_PROBE_SETUP_H
#define UPSHIFT_APP_PROBE_SETUP_H

#include "base/arena.h"
#include "model/inventory.h"
#include "probe/probe.h"

/* Fills what the cluster says: addresses, references to secrets, TLS, rates. `run`, `directory` and
 * `seconds` are the caller's. Borrows from `cluster` and `arena`. */
void probe_setup(
    const struct inv_cluster *cluster, struct arena *arena, struct probe_config *ret_config);

#endif
