/*
 * cli/cli.h - the command line: parse, do, print, exit code.
 *
 * Results go to standard output, talk to standard error; exit codes are those of cli/exit.h.
 */
#ifndef UPSHIFT_CLI_CLI_H
#define UPSHIFT_CLI_CLI_H

#include "cli/services.h"

/* The program's main function for operators. `services` is borrowed. Returns the exit status. */
int cli_main(int argc, char **argv, struct services *services);

#endif
