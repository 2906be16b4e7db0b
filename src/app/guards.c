#include "app/guards.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/child.h"
#include "app/world.h"
#include "base/fs.h"
#include "base/mem.h"

enum { ORDER_SIZE_MAX = 16 << 20, GUARD_WAIT_MS = 5 };

struct guards {
    struct guard base;
    const struct inv_cluster *cluster;
    struct cutover *cutover;
    char *directory;
};

static struct err *start_process(const char *word, const struct guard_config *config, int output_fd)
{
    AUTO_JSON order = guard_config_write(config);
    AUTO_FREE char *text = js_write(order);
    const struct child child = {.word = word, .input = text, .output_fd = output_fd};
    return child_start(&child);
}

static struct guard_config make_config(
    const struct call *call, const struct guards *guards, const struct guard_order *order)
{
    return (struct guard_config){.cluster = *guards->cluster,
        .run = call->run,
        .step = call->step,
        .epoch = call->epoch,
        .primary = order->parties.primary->name,
        .heir = order->parties.heir->name,
        .fence_before = order->fence_before,
        .hold_limit_ms = order->hold_limit_ms,
        .start_before_ms = call->send_before_ms == 0 ? call->deadline_ms : call->send_before_ms};
}

static struct err *guards_settle(
    const struct call *call, struct guard *guard, const struct guard_order *order)
{
    const struct guards *guards = (struct guards *)guard;
    const struct guard_config config = make_config(call, guards, order);
    const struct guard_env env = {
        .clock = call->clock, .cutover = guards->cutover, .cluster = guards->cluster};
    return guard_settle_left(call, guards->directory, &config, &env);
}

/* A guard is never hurried: at our deadline it goes on, and the step is looked at again. */
static struct err *await_guard(const struct call *call, const char *base)
{
    while (guard_is_alive(base, ".log")) {
        if (call_left_ms(call) == 0) {
            return err_code(
                err_new(ERR_UNKNOWN, base, "the cut-over is still under way"), "cutover_unclear");
        }
        clock_wait_ms(call->clock, GUARD_WAIT_MS);
    }
    return NULL;
}

/* What the guard's last line says; without an end of its own the world decides. */
static struct err *judge_end(const struct call *call, struct guard *guard,
    const struct guard_order *order, const struct guard_trace *trace)
{
    struct err *err = NULL;
    switch (trace->state) {
    case GUARD_RELEASED:
        if (trace->hook == NULL) {
            return NULL;
        }
        err = err_new(ERR_REFUSED, NULL, "hooks.primary_changed failed: %s", trace->hook);
        return err_hint(err_code(err, "hook_failed"),
            "tell your clients by hand that %s is the primary now", order->parties.heir->name);
    case GUARD_RELEASED_BACK:
        return err_code(err_new(ERR_REFUSED, NULL, "the cut-over went back: %s",
                            trace->why == NULL ? "no reason given" : trace->why),
            "cutover_backed");
    case GUARD_PREPARED:
    case GUARD_ARMED:
    case GUARD_FENCED:
    case GUARD_PROVEN:
    case GUARD_COMMITTED:
    case GUARD_FLIPPED:
    case GUARD_BACKING:
    case GUARD_STUCK:
    case GUARD_STATE_COUNT:
    default:
        err = guards_settle(call, guard, order);
        return err != NULL
                   ? err
                   : err_code(err_new(ERR_UNKNOWN, NULL,
                                  "the guard ended while %s%s%s; what it left is decided",
                                  guard_state_names[trace->state], trace->why == NULL ? "" : ": ",
                                  trace->why == NULL ? "" : trace->why),
                         "guard_ended");
    }
}

static struct err *guards_cut_over(
    const struct call *call, struct guard *guard, const struct guard_order *order)
{
    const struct guards *guards = (struct guards *)guard;
    AUTO_FREE char *base = NULL;
    AUTO_CLOSE log_fd = -1;
    /* Never two guards: what earlier attempts, steps or runs left is over and decided first. */
    struct err *err = guards_settle(call, guard, order);
    if (err == NULL) {
        err = guard_await_quiet(call, guards->directory);
    }
    if (err == NULL) {
        err = guard_files_begin(guards->directory, call->run, call->step, &base, &log_fd);
    }
    if (err != NULL) {
        return err;
    }
    struct guard_config config = make_config(call, guards, order);
    config.base = base;
    err = start_process("internal-guard", &config, log_fd);
    fs_close_slot(&log_fd); /* the guard has the lock now */
    if (err == NULL) {
        err = await_guard(call, base);
    }
    if (err != NULL) {
        return err;
    }
    AUTO_ARENA arena = {0};
    struct guard_trace trace = {.base = base};
    guard_trace_read(&trace, &arena);
    return judge_end(call, guard, order, &trace);
}

static void guards_close(struct guard *guard)
{
    free(((struct guards *)guard)->directory);
    free(guard);
}

struct guard *guards_open(
    const struct inv_cluster *cluster, struct cutover *cutover, const char *directory)
{
    static const struct guard_ops ops = {
        .name = "process",
        .cut_over = guards_cut_over,
        .settle = guards_settle,
        .close = guards_close,
    };
    struct guards *guards = mem_alloc(sizeof(*guards));
    *guards = (struct guards){{&ops}, cluster, cutover, mem_strdup(directory)};
    return &guards->base;
}

/* --- the processes --- */

static struct err *start_timer(void *UNUSED(context), const struct guard_config *config)
{
    return start_process("internal-timer", config, -1);
}

/* Its life is short and bounded by itself: nobody ends it half-way. */
static void ignore_signals(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        (void)signal(numbers[i], SIG_IGN);
    }
}

static struct err *open_order(
    struct arena *arena, struct guard_config *ret_config, struct world *ret_world)
{
    AUTO_BUF text = {0};
    AUTO_JSON order = NULL;
    ignore_signals();
    struct err *err = fs_read("/dev/stdin", ORDER_SIZE_MAX, &text);
    if (err == NULL) {
        err = js_parse(buf_text(&text), text.size, "the guard's order", &order);
    }
    if (err == NULL) {
        err = guard_config_read(order, arena, ret_config);
    }
    return err == NULL ? world_open(&ret_config->cluster, ret_world) : err;
}

static int end_process(struct err *err)
{
    if (err == NULL) {
        return 0;
    }
    AUTO_FREE char *text = err_text(err);
    (void)fprintf(stderr, "upshift: %s\n", text);
    err_free(err);
    return 1;
}

int guards_guard_main(void (*on_state)(void *context, enum guard_state state))
{
    AUTO_ARENA arena = {0};
    struct guard_config config = {0};
    struct world world = {0};
    struct err *err = open_order(&arena, &config, &world);
    if (err == NULL) {
        const struct guard_env env = {.clock = clock_system(),
            .cutover = world.cutover,
            .cluster = &config.cluster,
            .log_fd = STDOUT_FILENO,
            .start_timer = start_timer,
            .on_state = on_state};
        (void)guard_run(&config, &env);
    }
    world_close(&world);
    return end_process(err);
}

int guards_timer_main(void)
{
    AUTO_ARENA arena = {0};
    struct guard_config config = {0};
    struct world world = {0};
    struct err *err = open_order(&arena, &config, &world);
    if (err == NULL) {
        const struct guard_env env = {
            .clock = clock_system(), .cutover = world.cutover, .cluster = &config.cluster};
        err = timer_run(&config, &env);
    }
    world_close(&world);
    return end_process(err);
}
