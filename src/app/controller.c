#include "app/controller.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/claims.h"
#include "app/guards.h"
#include "app/keeper.h"
#include "app/replan.h"
#include "app/report_file.h"
#include "app/run_store.h"
#include "app/server.h"
#include "app/world.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/rules.h"
#include "engine/executor.h"
#include "engine/loop.h"
#include "engine/snapshot.h"
#include "engine/workers.h"
#include "store/sqlite/store.h"
#include "strategies/gates.h"

enum {
    WORKER_COUNT = 4,
    REQUEST_SIZE_MAX = 64 << 20, /* a plan for thousands of nodes */
    JOURNAL_FAILED_EXIT = 7,     /* cli/exit.h */
    SIGNAL_LOOK_NS = 50000000,   /* how long the end waits for the signal thread */
};

struct controller {
    const struct controller_tables *tables;
    char *directory; /* <state>/<cluster> */
    struct store_lock *lock;
    struct journal *store; /* as opened; `journal` may be a decorator around it */
    struct journal *journal;
    struct rules rules;
    struct stored_run run;
    struct world world;
    struct claims claims;
    struct executor executor;
    struct workers *workers;
    struct server *server;
    struct keeper *_Atomic keeper; /* the server's thread may look before it is there */
    struct log log;
    int log_fd;
    bool is_resumed;
    const char *who;     /* started it; of the request */
    int command;         /* enum run_command, when an ended run is gone on with; -1: none */
    atomic_bool is_over; /* the engine has ended */
};

/* --- what the engine tells --- */

static void on_records(void *context, const struct run_state *state,
    const struct journal_record *records, size_t record_count)
{
    struct controller *controller = context;
    for (size_t i = 0; i < record_count; i++) {
        const struct journal_record *record = &records[i];
        AUTO_BUF line = {0};
        if (record_describe(state, record, &line)) {
            server_tell(controller->server, record->wall_ms, buf_text(&line));
        }
        const char *outcome = js_get_text(record->body, "state");
        const char *to = js_get_text(record->body, "to");
        log_event(&controller->log, LOG_NOTICE, journal_type_names[record->type], "run", state->id,
            "step", record->step, "outcome", outcome, "phase", js_get_text(record->body, "phase"),
            "to", to, "gate", js_get_text(record->body, "gate"), "answer",
            js_get_text(record->body, "answer"), "command", js_get_text(record->body, "command"),
            "who", js_get_text(record->body, "who"), "reason", js_get_text(record->body, "reason"),
            "cause", js_get_text(record->body, "cause"), "plan",
            js_get_text(record->body, "digest"), NULL);
        if (record->step != NULL || record->type == JOURNAL_STATE) {
            keeper_mark(controller->keeper, record->step == NULL ? "run" : record->step,
                outcome != NULL ? outcome
                : to != NULL    ? to
                                : journal_type_names[record->type]);
        }
    }
}

static void on_reply(void *context, int64_t reply_id, bool is_ok, int exit_code, const char *text)
{
    struct controller *controller = context;
    server_reply(controller->server, reply_id, is_ok, exit_code, text);
}

static void on_probe_stop(void *context)
{
    struct controller *controller = context;
    keeper_stop(controller->keeper);
}

static void on_change(void *context, const struct run_state *state)
{
    struct controller *controller = context;
    struct clock *clock = clock_system();
    server_publish(
        controller->server, run_snapshot(state, clock_now_ms(clock), clock_wall_ms(clock)));
}

static const struct observer_ops observer = {
    .on_records = on_records,
    .on_reply = on_reply,
    .on_probe_stop = on_probe_stop,
    .on_change = on_change,
};

/* --- what comes to the engine --- */

static void on_command(void *context, const struct server_command *command)
{
    struct controller *controller = context;
    const struct event event = {.kind = EVENT_OPERATOR,
        .command = command->command,
        .answer = command->answer,
        .who = command->who,
        .reply_id = command->reply_id};
    workers_post(controller->workers, &event);
}

static void decorate(void *context, struct json *snapshot)
{
    struct controller *controller = context;
    keeper_decorate(controller->keeper, snapshot);
}

static void on_probe_end(void *context, const struct json *final)
{
    struct controller *controller = context;
    const struct event event = {.kind = EVENT_PROBE, .body = final};
    workers_post(controller->workers, &event);
}

static void on_probe_gap(void *context, const struct json *gap)
{
    struct controller *controller = context;
    const struct event event = {.kind = EVENT_PROBE_GAP, .body = gap};
    workers_post(controller->workers, &event);
}

static struct err *read_facts(const struct call *call, void *context, struct facts *ret_facts)
{
    struct controller *controller = context;
    return world_read_facts(&controller->world, call, ret_facts);
}

static struct err *replan_rest(
    struct call *call, void *context, const struct run_task *task, struct run_result *result)
{
    struct controller *controller = context;
    const struct replan replan = {
        .inventory = &controller->run.inventory,
        .cluster = controller->run.cluster,
        .rules = &controller->rules,
        .world = &controller->world,
        .first = &controller->run.plan,
        .present = task->from,
        .progress = task->progress,
        .why = task->replan,
    };
    return replan_for_engine(call, &replan, &controller->executor, result);
}

/* Signals come to one thread: SIGTERM and SIGINT pause the run and then end the process. */
static void *wait_for_signals(void *context)
{
    struct controller *controller = context;
    const struct timespec patience = {.tv_nsec = SIGNAL_LOOK_NS};
    sigset_t awaited;
    (void)sigemptyset(&awaited);
    (void)sigaddset(&awaited, SIGTERM);
    (void)sigaddset(&awaited, SIGINT);
    while (!atomic_load(&controller->is_over)) {
        const int number = sigtimedwait(&awaited, NULL, &patience);
        if (number > 0) {
            const struct event event = {.kind = EVENT_OPERATOR,
                .command = RUN_COMMAND_PAUSE,
                .who = number == SIGTERM ? "SIGTERM" : "SIGINT",
                .is_ending = true};
            workers_post(controller->workers, &event);
        }
    }
    return NULL;
}

static void block_signals(void)
{
    sigset_t blocked;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    (void)sigaddset(&blocked, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN); /* a lost terminal is no reason to stop */
}

/* --- opening --- */

static struct err *open_state(struct controller *controller, const struct json *request)
{
    const char *state_directory = js_get_text(request, "state_directory");
    const char *cluster = js_get_text(request, "cluster");
    const char *command = js_get_text(request, "command");
    controller->who = js_get_text(request, "who");
    controller->command = -1;
    const bool is_known =
        command == NULL || codec_enum_value(run_command_names, command, &controller->command);
    if (state_directory == NULL || cluster == NULL || !is_known) {
        return err_new(ERR_INTERNAL, NULL, "the controller was started without a request");
    }
    controller->directory = mem_format("%s/%s", state_directory, cluster);
    struct err *err = fs_make_dirs(controller->directory, 0700);
    if (err == NULL) {
        err = store_lock(controller->directory, &controller->lock);
    }
    if (err == NULL) {
        err = store_open(controller->directory, /* read_only= */ false, &controller->store);
    }
    if (err == NULL) {
        controller->journal = controller->tables->decorate_journal == NULL
                                  ? controller->store
                                  : controller->tables->decorate_journal(controller->store);
    }
    return err;
}

static struct err *open_run(struct controller *controller, const struct json *request)
{
    const struct json *plan = js_get(request, "plan");
    if (plan == NULL) {
        controller->is_resumed = true;
        struct err *err = stored_run_load(controller->journal, NULL, &controller->run);
        if (err == NULL) {
            controller->run.state.epoch++;
        }
        return err;
    }
    struct err *err = stored_run_refuse_unfinished(controller->journal);
    const char *inventory = js_get_text(request, "inventory_text");
    return err != NULL
               ? err
               : stored_run_create(controller->journal, plan, inventory == NULL ? "" : inventory,
                     js_get_text(request, "who"), &controller->run);
}

static struct err *open_executor(struct controller *controller)
{
    struct err *err = rules_load(&controller->rules);
    if (err == NULL) {
        err = world_open(controller->run.cluster, &controller->world);
    }
    if (err == NULL) {
        AUTO_FREE char *guards = mem_format("%s/guard", controller->directory);
        controller->world.guard =
            guards_open(controller->run.cluster, controller->world.cutover, guards);
    }
    if (err == NULL && getenv("UPSHIFT_TRACE") != NULL) {
        controller->log.level_min = LOG_DEBUG;
        world_trace(&controller->world, &controller->log);
    }
    controller->claims = (struct claims){.world = &controller->world,
        .directory = controller->directory,
        .origin = controller->run.origin,
        .run = controller->run.state.id};
    controller->executor = (struct executor){
        .steps = controller->tables->steps,
        .gates = strategy_gates,
        .gate_count = strategy_gate_count,
        .rules = &controller->rules,
        .clock = clock_system(),
        .world = &controller->world,
        .run = controller->run.state.id,
        .read_facts = read_facts,
        .facts_context = controller,
        .replan = replan_rest,
        .replan_context = controller,
        .claims = &claims_ops,
        .claims_context = &controller->claims,
    };
    if (err == NULL) {
        err = executor_check_plan(&controller->executor, &controller->run.plan);
    }
    if (err == NULL) { /* what is carried out, if the plan was revised */
        err = executor_check_plan(&controller->executor, controller->run.state.plan);
    }
    if (err == NULL) {
        err = workers_open(&controller->executor, WORKER_COUNT, &controller->workers);
    }
    return err;
}

static struct err *open_log(struct controller *controller)
{
    AUTO_FREE char *path = mem_format("%s/controller.log", controller->directory);
    controller->log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (controller->log_fd < 0) {
        return err_errno(ERR_REFUSED, path, "cannot open the log");
    }
    controller->log = (struct log){controller->log_fd, LOG_INFO, clock_system()};
    return NULL;
}

static struct err *open_ears(struct controller *controller)
{
    const struct server_hooks server_hooks = {on_command, decorate, controller};
    struct err *err = server_open(controller->directory, &server_hooks, &controller->server);
    if (err != NULL) {
        return err;
    }
    const struct keeper_hooks keeper_hooks = {on_probe_end, on_probe_gap, controller};
    AUTO_FREE char *directory =
        mem_format("%s/probe/%s", controller->directory, controller->run.state.id);
    const struct keeper_config config = {
        .directory = directory,
        .run = controller->run.state.id,
        .cluster = controller->run.cluster,
        .policy = &controller->run.plan.policy,
    };
    struct keeper *keeper = NULL;
    err = keeper_open(&config, &keeper_hooks, &keeper);
    controller->keeper = keeper;
    return err;
}

/* A run that cannot even begin must not stand in the way of the next: it ends as REFUSED. */
static struct err *refuse_stored(struct controller *controller, struct err *cause)
{
    AUTO_FREE char *text = err_text(cause);
    struct json *reasons = js_array();
    js_push(reasons, js_text(text));
    AUTO_JSON body = js_object();
    js_put_text(body, "from", run_status_names[RUN_PLANNED]);
    js_put_text(body, "to", run_status_names[RUN_REFUSED]);
    js_put(body, "reasons", reasons);
    struct journal_record record = {
        .epoch = 1,
        .def = 1,
        .type = JOURNAL_STATE,
        .boot_id = clock_boot_id(),
        .boottime_ms = clock_now_ms(clock_system()),
        .wall_ms = clock_wall_ms(clock_system()),
        .body = body,
    };
    AUTO_ERR ignored = controller->journal->ops->append(controller->journal,
        controller->run.state.id, &record, 1, run_status_names[RUN_REFUSED], true);
    (void)ignored; /* the cause is what the operator needs to hear */
    return cause;
}

static struct err *open_all(struct controller *controller, const struct json *request)
{
    struct err *(*const steps[])(struct controller *, const struct json *) = {open_state, open_run};
    for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
        struct err *err = steps[i](controller, request);
        if (err != NULL) {
            return err;
        }
    }
    struct err *err = open_log(controller);
    if (err == NULL) {
        err = open_executor(controller);
    }
    if (err == NULL) {
        err = open_ears(controller);
    }
    if (err != NULL && !controller->is_resumed) {
        err = refuse_stored(controller, err);
    }
    return err;
}

static void close_all(struct controller *controller)
{
    server_close(controller->server); /* all who post to the workers end before them */
    keeper_close(controller->keeper);
    workers_close(controller->workers);
    world_close(&controller->world);
    stored_run_release(&controller->run);
    rules_release(&controller->rules);
    if (controller->store != NULL) {
        controller->store->ops->close(controller->store);
    }
    fs_close_slot(&controller->log_fd);
    store_unlock(controller->lock);
    free(controller->directory);
}

/* --- running --- */

static struct err *run_to_the_end(struct controller *controller, int *ret_exit_code)
{
    const struct engine_io io = {
        .clock = clock_system(),
        .journal = controller->journal,
        .exec = &workers_exec_ops,
        .exec_context = controller->workers,
        .observer = &observer,
        .observer_context = controller,
        .next_event = workers_next_event,
        .queue_context = controller->workers,
    };
    AUTO_JSON body = js_object();
    char host[256] = "?";
    (void)gethostname(host, sizeof(host) - 1);
    js_put_text(body, "host", host);
    js_put_number(body, "pid", getpid());
    struct event first = {.kind = EVENT_BEGIN,
        .is_resumed = controller->is_resumed,
        .body = body,
        .has_command = controller->command >= 0,
        .command = (enum run_command)(controller->command < 0 ? 0 : controller->command),
        .who = controller->who};
    return engine_run(&controller->run.state, &io, &first, ret_exit_code);
}

/* One line on standard output: the starter waits for it. Then nothing of ours holds its terminal.
 */
static void say_ready(const struct controller *controller, const struct err *err)
{
    AUTO_JSON answer = js_object();
    js_put_bool(answer, "ok", err == NULL);
    if (err == NULL) {
        js_put_text(answer, "run", controller->run.state.id);
    } else {
        js_put(answer, "error", js_of_err(err));
    }
    AUTO_FREE char *text = js_write(answer);
    AUTO_FREE char *line = mem_format("%s\n", text);
    AUTO_ERR ignored = fs_write_fd(STDOUT_FILENO, "standard output", line, strlen(line));
    (void)ignored;
    const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = STDIN_FILENO; nowhere >= 0 && fd <= STDERR_FILENO; fd++) {
        (void)dup2(nowhere, fd);
    }
}

static struct err *read_request(struct json **ret_request)
{
    AUTO_BUF text = {0};
    struct err *err = fs_read("/dev/stdin", REQUEST_SIZE_MAX, &text);
    return err != NULL
               ? err
               : js_parse(buf_text(&text), text.size, "the controller's request", ret_request);
}

static int serve(struct controller *controller)
{
    pthread_t signals;
    const bool has_signals = pthread_create(&signals, NULL, wait_for_signals, controller) == 0;
    int exit_code = 1;
    AUTO_ERR err = run_to_the_end(controller, &exit_code);
    if (err != NULL) {
        /* A failed append never happened: end now, the next controller trusts the disk. */
        AUTO_FREE char *text = err_text(err);
        log_event(&controller->log, LOG_ERROR, "journal_failed", "error", text, NULL);
        server_fail(controller->server, JOURNAL_FAILED_EXIT, err);
        _exit(JOURNAL_FAILED_EXIT);
    }
    atomic_store(&controller->is_over, true);
    if (has_signals) {
        (void)pthread_join(signals, NULL);
    }
    report_file_write(
        controller->journal, controller->directory, controller->run.state.id, &controller->log);
    return exit_code;
}

int controller_main(const struct controller_tables *tables)
{
    block_signals();
    (void)mallopt(M_ARENA_MAX, 1); /* a heap per thread would hold twice what is needed */
    AUTO_JSON request = NULL;
    struct controller *controller = mem_alloc(sizeof(*controller));
    controller->tables = tables;
    controller->log_fd = -1;
    AUTO_ERR err = read_request(&request);
    if (err == NULL) {
        err = open_all(controller, request);
    }
    say_ready(controller, err);
    const int status = err == NULL ? serve(controller) : 1;
    close_all(controller);
    free(controller);
    return status;
}
