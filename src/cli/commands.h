/*
 * cli/commands.h - the commands, one file per family; cli.c makes the tree of them.
 */
#ifndef UPSHIFT_CLI_COMMANDS_H
#define UPSHIFT_CLI_COMMANDS_H

#include "cli/command.h"

/* prepare.c: look before the leap */
extern const struct command command_check, command_plan;

/* upgrade.c */
extern const struct command command_upgrade;

/* steer.c: a run under way */
extern const struct command command_pause, command_resume, command_abort, command_finalize;

/* status.c */
extern const struct command command_watch, command_status;

/* prove.c */
extern const struct command command_report, command_probe;

/* look.c and runs.c: nouns, only to look at */
extern const struct command command_cluster, command_datastore, command_run;

#endif
