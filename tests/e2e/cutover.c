/*
 * tests/e2e/cutover.c - one cut-over on real servers, without a run around it.
 *
 *     cutover (apply | stop | verify | conform) INVENTORY CLUSTER DIRECTORY HEIR PRIMARY
 *
 * Does what the engine does with the step repl.cutover: captures before the first act and keeps
 * that in DIRECTORY, where the guards' logs are, too; or runs the conformance suite of cut-overs.
 * Prints one JSON object. As a guard it can be told to die (guard_faults.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/guards.h"
#include "app/world.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/inventory.h"
#include "guard_faults.h"
#include "steps/steps.h"
#include "unit/drivers/conformance_cutover.h"

enum { APPLY_MS = 60000, BEFORE_SIZE_MAX = 4096 };

struct attempt {
    struct call call;
    struct json *args;
    struct json *before;
    char *before_path;
    int seen; /* enum step_state; -1: not asked */
};

static struct err *read_before(struct attempt *attempt)
{
    AUTO_BUF text = {0};
    struct err *err = fs_read(attempt->before_path, BEFORE_SIZE_MAX, &text);
    return err != NULL ? err : js_parse(buf_text(&text), text.size, "before", &attempt->before);
}

static struct err *capture(struct attempt *attempt)
{
    const struct bound bound = {attempt->args};
    struct err *err = repl_cutover_ops.capture(&attempt->call, &bound, &attempt->before);
    if (err != NULL) {
        return err;
    }
    AUTO_FREE char *text = js_write(attempt->before);
    return fs_write(attempt->before_path, text, strlen(text), 0600);
}

static struct err *act(struct attempt *attempt, const char *word)
{
    const struct bound bound = {attempt->args};
    const bool is_apply = strcmp(word, "apply") == 0;
    struct err *err =
        is_apply && !fs_exists(attempt->before_path) ? capture(attempt) : read_before(attempt);
    const struct before before = {attempt->before};
    if (err != NULL) {
        return err;
    }
    if (is_apply) {
        guard_faults_announce();
        return repl_cutover_ops.apply(&attempt->call, &bound, &before);
    }
    if (strcmp(word, "stop") == 0) {
        return repl_cutover_ops.stop(&attempt->call, &bound, &before);
    }
    enum step_state seen;
    err = repl_cutover_ops.verify(&attempt->call, &bound, &before, &seen);
    attempt->seen = err == NULL ? (int)seen : -1;
    return err;
}

/* Prints on standard error: the answer is one object. */
static int conform(const struct world *world, char **argv)
{
    struct cutover_fixture fixture = {.clock = clock_system(),
        .cutover = world->cutover,
        .parties = {.heir = inv_cluster_find_node(world->cluster, argv[5]),
            .primary = inv_cluster_find_node(world->cluster, argv[6])}};
    (void)dup2(STDERR_FILENO, STDOUT_FILENO);
    return conformance_cutover_run(&fixture);
}

static void print_end(const struct attempt *attempt, struct err *err)
{
    static const char *const names[] = {"absent", "moving", "done", "elsewhere"};
    AUTO_JSON end = js_object();
    js_put_text(end, "code", err == NULL ? NULL : err->code);
    if (err != NULL) {
        AUTO_FREE char *text = err_text(err);
        js_put_text(end, "text", text);
    }
    js_put_text(end, "seen", attempt->seen < 0 ? NULL : names[attempt->seen]);
    AUTO_FREE char *line = js_write(end);
    (void)puts(line);
    err_free(err);
}

static struct err *run(char **argv, struct world *world, struct attempt *attempt)
{
    attempt->call = (struct call){.clock = clock_system(),
        .deadline_ms = clock_now_ms(clock_system()) + APPLY_MS,
        .world = world,
        .run = "run-1",
        .step = "shard-1/cutover",
        .epoch = 1};
    attempt->seen = -1;
    attempt->args = js_object();
    js_put_text(attempt->args, "node", argv[5]);
    js_put_text(attempt->args, "primary", argv[6]);
    attempt->before_path = mem_format("%s/before.json", argv[4]);
    world->guard = guards_open(world->cluster, world->cutover, argv[4]);
    struct err *err = fs_make_dirs(argv[4], 0700);
    return err == NULL ? act(attempt, argv[1]) : err;
}

int main(int argc, char **argv)
{
    const int status = guard_faults_main(argc, argv);
    if (status >= 0) {
        return status;
    }
    if (argc != 7) {
        (void)fprintf(stderr, "usage: cutover ACT INVENTORY CLUSTER DIRECTORY HEIR PRIMARY\n");
        return 2;
    }
    struct inventory inventory = {0};
    struct config_complaints complaints = {0};
    struct world world = {0};
    struct attempt attempt = {.seen = -1};
    struct err *err = config_load_inventory(argv[2], &inventory, &complaints);
    if (err == NULL) {
        err = world_open(inventory_find_cluster(&inventory, argv[3]), &world);
    }
    int exit_status = 1;
    if (err == NULL && strcmp(argv[1], "conform") == 0) {
        exit_status = conform(&world, argv);
    } else {
        err = err == NULL ? run(argv, &world, &attempt) : err;
        exit_status = err == NULL ? 0 : 1;
        print_end(&attempt, err);
    }
    world_close(&world);
    config_complaints_release(&complaints);
    inventory_release(&inventory);
    js_free(attempt.args);
    js_free(attempt.before);
    free(attempt.before_path);
    return exit_status;
}
