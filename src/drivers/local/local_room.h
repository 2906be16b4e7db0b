/*
 * drivers/local/local_room.h - what this machine has left; the slot get_room of struct host_ops.
 */
#ifndef UPSHIFT_DRIVERS_LOCAL_LOCAL_ROOM_H
#define UPSHIFT_DRIVERS_LOCAL_LOCAL_ROOM_H

#include "drivers/host.h"

/* The memory part, from the texts of /proc/meminfo and vm.overcommit_memory; false when they are
 * not in the known format. */
bool local_room_of_memory(struct str meminfo, struct str overcommit, struct host_room *room);

MUST_USE struct err *local_get_room(const struct call *call, struct host *host,
    const struct inv_node *node, struct host_room *ret_room);

#endif
