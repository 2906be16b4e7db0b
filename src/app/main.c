/*
 * app/main.c - where everything is wired: which steps exist, who answers the command line.
 */
#include <string.h>

#include "app/controller.h"
#include "app/guards.h"
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
    if (argc == 2 && strcmp(argv[1], "internal-guard") == 0) {
        return guards_guard_main(NULL);
    }
    if (argc == 2 && strcmp(argv[1], "internal-timer") == 0) {
        return guards_timer_main();
    }
    struct services services;
    services_init(&services);
    return cli_main(argc, argv, &services);
}
