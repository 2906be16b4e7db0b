#include "scene.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

struct err *scene_take_timer_lock(void *context, const struct guard_config *config)
{
    struct scene *scene = context;
    AUTO_FREE char *path = mem_format("%s.timer.lock", config->base);
    fs_close_slot(&scene->timer_fd);
    scene->timer_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(scene->timer_fd >= 0);
    struct flock wanted = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    assert_int_equal(fcntl(scene->timer_fd, F_OFD_SETLK, &wanted), 0);
    return NULL;
}

static void suffer_trouble(void *context, enum guard_state state)
{
    struct scene *scene = context;
    if (scene->trouble != NULL && state == scene->trouble_at) {
        void (*trouble)(struct scene *) = scene->trouble;
        scene->trouble = NULL;
        trouble(scene);
    }
}

void scene_open(struct scene *scene, const struct fixture_options *options)
{
    *scene = (struct scene){.log_fd = -1, .timer_fd = -1};
    fixture_open(&scene->fixture, options);
    fixture_wait(&scene->fixture, 1000);
    (void)snprintf(scene->directory, sizeof(scene->directory), "/tmp/upshift-scene-XXXXXX");
    assert_non_null(mkdtemp(scene->directory));
    AUTO_ERR err = guard_files_begin(scene->directory, "r", "s", &scene->base, &scene->log_fd);
    assert_null(err);
    scene->config = (struct guard_config){.cluster = scene->fixture.cluster,
        .run = "r",
        .step = "s",
        .primary = "n1",
        .heir = "n4",
        .base = scene->base,
        .fence_before = "0",
        .epoch = 1,
        .hold_limit_ms = SCENE_HOLD_MS,
        .start_before_ms = INT64_MAX};
    scene->env = (struct guard_env){.clock = scene->fixture.call.clock,
        .cutover = scene->fixture.world->cutover,
        .cluster = &scene->fixture.cluster,
        .log_fd = scene->log_fd,
        .start_timer = scene_take_timer_lock,
        .on_state = suffer_trouble,
        .context = scene};
}

void scene_close(struct scene *scene)
{
    fs_close_slot(&scene->log_fd);
    fs_close_slot(&scene->timer_fd);
    AUTO_ERR err = fs_remove_tree(scene->directory);
    (void)err;
    free(scene->base);
    fixture_close(&scene->fixture);
}

enum guard_state scene_run(struct scene *scene)
{
    return guard_run(&scene->config, &scene->env);
}

struct cutover_session *scene_session(struct scene *scene)
{
    const struct cutover_parties parties = {
        fixture_node(&scene->fixture, "n1"), fixture_node(&scene->fixture, "n4")};
    struct cutover_session *session = NULL;
    AUTO_ERR err = cutover_open(&scene->fixture.call, scene->env.cutover, &parties, &session);
    assert_null(err);
    return session;
}

struct cutover_view scene_view(struct scene *scene, const char *node)
{
    AUTO_CUTOVER_SESSION session = scene_session(scene);
    struct cutover_view view = {0};
    AUTO_ERR err =
        cutover_look(&scene->fixture.call, session, fixture_node(&scene->fixture, node), &view);
    assert_null(err);
    return view;
}

void scene_write_state(struct scene *scene, enum guard_state state)
{
    AUTO_FREE char *line = mem_format("{\"state\":\"%s\",\"at_ms\":%lld}\n",
        guard_state_names[state], (long long)clock_now_ms(scene->env.clock));
    AUTO_ERR err = fs_write_fd(scene->log_fd, "log", line, strlen(line));
    assert_null(err);
}

struct err *scene_settle(struct scene *scene)
{
    fs_close_slot(&scene->log_fd); /* the guard is dead */
    fs_close_slot(&scene->timer_fd);
    struct call call = scene->fixture.call;
    call.deadline_ms = clock_now_ms(call.clock) + 60000;
    return guard_settle_left(&call, scene->directory, &scene->config, &scene->env);
}

bool scene_is_writable(struct scene *scene)
{
    const int64_t before = sim_get_counts(scene->fixture.sim).acked;
    fixture_wait(&scene->fixture, 100);
    const int64_t expected = SCENE_RATE / 10;
    return sim_get_counts(scene->fixture.sim).acked - before > expected * 9 / 10;
}
