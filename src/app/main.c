/*
 * app/main.c - where everything is wired: which steps exist, who answers the command line.
 */
#include <string.h>

#include "app/controller.h"
#include "app/services.h"
#include "cli/cli.h"
#include "probe/probe.h"
#include "steps/steps.h"

int main(int argc, char **argv)
{
    /* Processes that upshift starts of itself; their input says what to do, never their words. */
    if (argc == 2 && strcmp(argv[1], "internal-controller") == 0) {
        const struct controller_tables tables = {.steps = step_table};
        return controller_main(&tables);
    }
    if (argc == 2 && strcmp(argv[1], "internal-probe") == 0) {
        return probe_main();
    }
    struct services services;
    services_init(&services);
    return cli_main(argc, argv, &services);
}
