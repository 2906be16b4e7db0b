/*
 * tests/unit/guard/scene.h - a guard over the simulated cluster: n1 hands over to its replica n4.
 *
 * The simulation's client writes all the time and counts what it was promised and lost. The timer
 * is not a process here: its lock is taken, and a test fires it by removing its file.
 */
#ifndef UPSHIFT_TESTS_UNIT_GUARD_SCENE_H
#define UPSHIFT_TESTS_UNIT_GUARD_SCENE_H

#include "guard/guard.h"
#include "unit/drivers/fixture.h"

enum { SCENE_HOLD_MS = 2000, SCENE_RATE = 3000 };

struct scene {
    struct fixture fixture;
    char directory[32];
    char *base;
    int log_fd, timer_fd;
    struct guard_config config;
    struct guard_env env;
    enum guard_state trouble_at;          /* when the log says so ... */
    void (*trouble)(struct scene *scene); /* ... this happens, once */
};

void scene_open(struct scene *scene, const struct fixture_options *options);
void scene_close(struct scene *scene);
#define AUTO_SCENE CLEANUP(scene_close) struct scene

/* What a timer does when it starts. */
MUST_USE struct err *scene_take_timer_lock(void *context, const struct guard_config *config);

enum guard_state scene_run(struct scene *scene);

/* What the server says of itself; it must answer. */
struct cutover_view scene_view(struct scene *scene, const char *node);

/* Writes a line as a guard that died behind it. */
void scene_write_state(struct scene *scene, enum guard_state state);

/* The acts of a guard, one by one, for a world that it left. Owns: the caller closes it. */
MUST_USE struct cutover_session *scene_session(struct scene *scene);

MUST_USE struct err *scene_settle(struct scene *scene);

/* Does the client get its writes acknowledged by now? */
bool scene_is_writable(struct scene *scene);

#endif
