/*
 * app/services.h - what the command line asks for, done with drivers, store, strategies and probe.
 */
#ifndef UPSHIFT_APP_SERVICES_H
#define UPSHIFT_APP_SERVICES_H

#include "cli/services.h"

/* Fills the table of cli/services.h; nothing is opened before it is needed. */
void services_init(struct services *ret_services);

#endif
