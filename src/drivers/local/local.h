/*
 * drivers/local/local.h - the host capability on this machine.
 *
 * Every node of the cluster runs here, so a path is simply opened. Holds nothing open between
 * calls; may be used by several threads.
 */
#ifndef UPSHIFT_DRIVERS_LOCAL_LOCAL_H
#define UPSHIFT_DRIVERS_LOCAL_LOCAL_H

#include "drivers/host.h"

/* Owns: the caller closes it with host_close(). */
MUST_USE RETURNS_NONNULL struct host *local_open(void);

#endif
