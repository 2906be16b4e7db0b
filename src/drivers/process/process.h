/*
 * drivers/process/process.h - servers as plain processes of this machine, known by a pid file.
 *
 * A pid file may be stale and its number taken by somebody else, so the number alone counts for
 * nothing: the process must also have the node's directory as its working directory (servers are
 * started there and stay there). What it is then known by is its identity (drivers/service.h).
 *
 * Holds nothing open between calls; may be used by several threads.
 */
#ifndef UPSHIFT_DRIVERS_PROCESS_PROCESS_H
#define UPSHIFT_DRIVERS_PROCESS_PROCESS_H

#include "drivers/service.h"

/* `cluster` is borrowed for the life of the service. Owns: the caller closes it with
 * service_close(). */
MUST_USE RETURNS_NONNULL struct service *process_open(const struct inv_cluster *cluster);

#endif
