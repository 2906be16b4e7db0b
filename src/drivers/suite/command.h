/*
 * drivers/suite/command.h - runs Debian's own tools and says what their failures mean.
 *
 * The tools report in prose; a table of phrases turns it into the kinds and codes of upshift.
 */
#ifndef UPSHIFT_DRIVERS_SUITE_COMMAND_H
#define UPSHIFT_DRIVERS_SUITE_COMMAND_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/call.h"
#include "base/err.h"

struct command {
    const char *const *argv;
    const char *apt_config; /* apt's private configuration file, or NULL */
    const char *where;      /* for errors: "bookworm", a package, a program */
};

/* Runs a command to its end; its standard output is appended to `ret_output` unless that is NULL.
 * Errors: ERR_INVALID tool_missing, suite_unknown, package_not_in_suite; ERR_UNREACHABLE
 * archive_unreachable; ERR_REFUSED package_untrusted, disk_full, package_tool_failed;
 * ERR_CANCELLED. Blocks: to the call's deadline. */
MUST_USE struct err *command_run(
    const struct call *call, const struct command *command, struct buf *ret_output);

#endif
