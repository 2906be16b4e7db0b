/*
 * cli/commands.h - the commands, one file per family; cli.c makes the tree of them.
 */
#ifndef UPSHIFT_CLI_COMMANDS_H
#define UPSHIFT_CLI_COMMANDS_H

#include "cli/command.h"

/* prepare.c: look before the leap */
extern const struct command cli_check, cli_plan;

/* upgrade.c */
extern const struct command cli_upgrade, cli_restart, cli_switchover;

/* steer.c: a run under way */
extern const struct command cli_pause, cli_resume, cli_abort, cli_finalize;

/* back.c, reconcile.c */
extern const struct command cli_rollback, cli_reconcile;

/* status.c */
extern const struct command cli_watch, cli_status;

/* prove.c */
extern const struct command cli_report, cli_probe;

/* look.c and runs.c: nouns, only to look at */
extern const struct command cli_cluster, cli_datastore, cli_run;

#endif
