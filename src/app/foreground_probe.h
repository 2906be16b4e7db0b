/*
 * app/foreground_probe.h - `upshift probe CLUSTER`: the probe in this process, until told to stop.
 */
#ifndef UPSHIFT_APP_FOREGROUND_PROBE_H
#define UPSHIFT_APP_FOREGROUND_PROBE_H

#include "base/attr.h"
#include "base/json.h"
#include "cli/services.h"

/* As services.probe: SIGINT and SIGTERM end the load; the read-back follows. */
MUST_USE struct err *foreground_probe(struct services *services, const struct cli_request *request,
    const struct cli_probe_options *options, struct json **ret_final);

#endif
