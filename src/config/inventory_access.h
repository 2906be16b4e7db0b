/*
 * config/inventory_access.h - how upshift gets into the servers of a cluster: `auth` and `tls`.
 *
 * Secrets are references only, and the lines around them are never shown.
 */
#ifndef UPSHIFT_CONFIG_INVENTORY_ACCESS_H
#define UPSHIFT_CONFIG_INVENTORY_ACCESS_H

#include "config/schema.h"

/* Fill a struct inv_cluster. */
schema_reading access_read_auth, access_read_tls;

#endif
