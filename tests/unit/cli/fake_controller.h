/*
 * tests/unit/cli/fake_controller.h - a controller that plays a script to those who connect.
 */
#ifndef TESTS_UNIT_CLI_FAKE_CONTROLLER_H
#define TESTS_UNIT_CLI_FAKE_CONTROLLER_H

#include <pthread.h>
#include <stddef.h>

/* What happens at each connection in turn. */
struct fake_turn {
    const char *answer;    /* to its one request; NULL: hangs up */
    const char *pushes[4]; /* then sent on the first connection that asked to watch */
};

struct fake_controller {
    const struct fake_turn *turns;
    size_t turn_count;
    int listen_fd;
    pthread_t thread;
    char requests[8][128]; /* as they came */
    size_t request_count;
};

/* Listens in <directory>/<cluster>; ends by itself after the last turn. */
void fake_controller_open(
    struct fake_controller *controller, const char *directory, const char *cluster);
void fake_controller_close(struct fake_controller *controller);

#endif
