#include "engine/loop.h"

void engine_fold_all(
    struct run_state *state, const struct journal_record *records, size_t record_count)
{
    for (size_t i = 0; i < record_count; i++) {
        run_fold(state, &records[i]);
    }
}

struct engine {
    struct run_state *state;
    const struct engine_io *io;
    bool has_ended;
    int exit_code;
};

static struct err *commit(struct engine *engine, struct commands *commands)
{
    if (commands->record_count == 0) {
        return NULL;
    }
    for (size_t i = 0; i < commands->record_count; i++) {
        commands->records[i].boot_id = clock_boot_id();
    }
    struct journal *journal = engine->io->journal;
    const struct run_state *state = engine->state;
    return journal->ops->append(journal, state->id, commands->records, commands->record_count,
        run_status_names[state->status], run_status_is_final(state->status));
}

static struct json *copy_or_none(const struct json *value)
{
    return value == NULL ? NULL : js_copy(value);
}

static void loop_carry_out(struct engine *engine, const struct command *command)
{
    const struct engine_io *io = engine->io;
    switch (command->kind) {
    case COMMAND_TASK: {
        struct run_task task = command->task; /* its own copies: threads share no JSON */
        task.args = copy_or_none(task.args);
        task.before = copy_or_none(task.before);
        task.progress = copy_or_none(task.progress);
        task.scopes = copy_or_none(task.scopes);
        io->exec->submit(io->exec_context, &task);
        break;
    }
    case COMMAND_REPLY:
        io->observer->on_reply(
            io->observer_context, command->reply_id, command->is_ok, command->exit, command->text);
        break;
    case COMMAND_PROBE_STOP:
        io->observer->on_probe_stop(io->observer_context);
        break;
    case COMMAND_END:
        engine->has_ended = true;
        engine->exit_code = command->exit;
        break;
    }
}

static struct err *handle(struct engine *engine, const struct event *event, int64_t *ret_wake_ms)
{
    struct commands commands = {0};
    engine_decide(engine->state, event, &commands);
    struct err *err = commit(engine, &commands);
    if (err == NULL) {
        const struct engine_io *io = engine->io;
        if (commands.record_count > 0) {
            io->observer->on_records(
                io->observer_context, engine->state, commands.records, commands.record_count);
        }
        /* First: who gets a reply looks at once, and must not see what was before. */
        io->observer->on_change(io->observer_context, engine->state);
        for (size_t i = 0; i < commands.count; i++) {
            loop_carry_out(engine, &commands.list[i]);
        }
    }
    *ret_wake_ms = commands.wake_ms;
    commands_release(&commands);
    return err;
}

struct err *engine_run(
    struct run_state *state, const struct engine_io *io, struct event *first, int *ret_exit_code)
{
    struct engine engine = {.state = state, .io = io};
    struct event event = *first;
    int64_t wake_ms = 0;
    for (;;) {
        event.now_ms = clock_now_ms(io->clock);
        event.wall_ms = clock_wall_ms(io->clock);
        struct err *err = handle(&engine, &event, &wake_ms);
        run_result_free(event.result);
        if (err != NULL) {
            return err;
        }
        if (engine.has_ended) {
            *ret_exit_code = engine.exit_code;
            return NULL;
        }
        event = (struct event){.kind = EVENT_TICK};
        (void)io->next_event(io->queue_context, wake_ms, &event);
    }
}
