/*
 * The controller's ear and the client's mouth (engine/control.h) over a real socket.
 */
#include "app/server.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "engine/control.h"

enum {
    WAIT_MS = 10000,
    BIG_SIZE = 1 << 20, /* more than a socket holds */
    BIG_COUNT = 8,
    LONG_LINE = 70000,
    CALLER_COUNT = 8,
};

struct bed {
    char directory[64];
    struct server *server;
    sem_t has_command;
    enum run_command command; /* of the last command; read after has_command */
    char answer[96];
    char who[96];
    int64_t reply_id;
};

static void on_command(void *context, const struct server_command *command)
{
    struct bed *bed = context;
    bed->command = command->command;
    (void)snprintf(
        bed->answer, sizeof(bed->answer), "%s", command->answer == NULL ? "" : command->answer);
    (void)snprintf(bed->who, sizeof(bed->who), "%s", command->who);
    bed->reply_id = command->reply_id;
    (void)sem_post(&bed->has_command);
}

static void decorate(void *UNUSED(context), struct json *snapshot)
{
    js_put_text(snapshot, "probe", "alive");
}

static int set_up(void **state)
{
    static struct bed bed;
    memset(&bed, 0, sizeof(bed));
    (void)snprintf(bed.directory, sizeof(bed.directory), "/tmp/upshift-server-XXXXXX");
    assert_non_null(mkdtemp(bed.directory));
    assert_int_equal(sem_init(&bed.has_command, 0, 0), 0);
    const struct server_hooks hooks = {on_command, decorate, &bed};
    AUTO_ERR err = server_open(bed.directory, &hooks, &bed.server);
    assert_null(err);
    *state = &bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    server_close(bed->server);
    (void)sem_destroy(&bed->has_command);
    AUTO_ERR err = fs_remove_tree(bed->directory);
    assert_null(err);
    return 0;
}

static struct call call_soon(void)
{
    struct clock *clock = clock_system();
    return (struct call){.clock = clock, .deadline_ms = clock_now_ms(clock) + WAIT_MS};
}

static struct control *reach(const struct bed *bed)
{
    const struct call call = call_soon();
    struct control *control = NULL;
    AUTO_ERR err = control_connect(&call, bed->directory, &control);
    assert_null(err);
    return control;
}

static struct json *ask(struct control *control, const char *command)
{
    const struct call call = call_soon();
    AUTO_JSON request = js_object();
    js_put_text(request, "command", command);
    struct json *answer = NULL;
    AUTO_ERR err = control_request(&call, control, request, &answer);
    assert_null(err);
    return answer;
}

static struct json *hear(struct control *control)
{
    const struct call call = call_soon();
    struct json *snapshot = NULL;
    AUTO_ERR err = control_next(&call, control, &snapshot);
    assert_null(err);
    return snapshot;
}

static void publish(struct bed *bed, int64_t number, const char *filling)
{
    struct json *snapshot = js_object();
    js_put_number(snapshot, "n", number);
    js_put_text(snapshot, "filling", filling);
    server_publish(bed->server, snapshot);
}

/* Hears snapshots until the one with this number. */
static void hear_until(struct control *control, int64_t number)
{
    int64_t heard = -1;
    while (heard != number) {
        AUTO_JSON snapshot = hear(control);
        assert_non_null(snapshot);
        assert_true(js_get_number(snapshot, "n", 0) >= heard); /* never back in time */
        heard = js_get_number(snapshot, "n", 0);
    }
}

/* --- looking --- */

static void status_is_one_whole_snapshot(void **state)
{
    struct bed *bed = *state;
    publish(bed, 5, NULL);
    server_tell(bed->server, 1700000000000, "n4 stopped");
    struct control *control = reach(bed);
    AUTO_JSON answer = ask(control, "status");
    assert_true(js_get_bool(answer, "ok", false));
    const struct json *snapshot = js_get(answer, "snapshot");
    assert_int_equal(js_get_number(snapshot, "n", 0), 5);
    assert_int_equal(js_get_number(snapshot, "controller_pid", 0), getpid());
    assert_string_equal(js_get_text(snapshot, "probe"), "alive");
    const struct json *event = js_at(js_get(snapshot, "events"), 0);
    assert_string_equal(js_get_text(event, "text"), "n4 stopped");
    control_close(control);
}

static void only_the_last_50_events_are_kept(void **state)
{
    struct bed *bed = *state;
    for (int i = 0; i < 60; i++) {
        AUTO_FREE char *text = mem_format("event %d", i);
        server_tell(bed->server, i, text);
    }
    struct control *control = reach(bed);
    AUTO_JSON answer = ask(control, "status");
    const struct json *events = js_get(js_get(answer, "snapshot"), "events");
    assert_int_equal(js_count(events), 50);
    assert_string_equal(js_get_text(js_at(events, 0), "text"), "event 10");
    control_close(control);
}

static void a_viewer_hears_of_changes(void **state)
{
    struct bed *bed = *state;
    publish(bed, 1, NULL);
    struct control *control = reach(bed);
    AUTO_JSON answer = ask(control, "watch");
    assert_int_equal(js_get_number(js_get(answer, "snapshot"), "n", 0), 1);
    publish(bed, 2, NULL);
    hear_until(control, 2);
    publish(bed, 3, NULL);
    hear_until(control, 3);
    control_close(control);
}

static void a_viewer_hears_something_every_second(void **state)
{
    struct bed *bed = *state;
    struct control *control = reach(bed);
    AUTO_JSON answer = ask(control, "watch");
    const int64_t begun_ms = clock_now_ms(clock_system());
    AUTO_JSON first = hear(control);
    AUTO_JSON second = hear(control);
    assert_non_null(second);
    assert_true(clock_now_ms(clock_system()) - begun_ms < 4000);
    control_close(control);
}

static void a_viewer_hears_the_last_snapshot_and_then_the_end(void **state)
{
    struct bed *bed = *state;
    struct control *control = reach(bed);
    AUTO_JSON answer = ask(control, "watch");
    publish(bed, 8, NULL);
    publish(bed, 9, NULL); /* at once: what lies between may be left out */
    server_close(bed->server);
    bed->server = NULL;
    hear_until(control, 9);
    AUTO_JSON end = hear(control);
    while (end != NULL) { /* the same once more at most */
        assert_int_equal(js_get_number(end, "n", 0), 9);
        js_free(end);
        end = hear(control);
    }
    control_close(control);
}

static char *make_filling(void)
{
    char *filling = mem_alloc(BIG_SIZE + 1);
    memset(filling, 'x', BIG_SIZE);
    return filling;
}

static void a_slow_viewer_holds_up_nobody(void **state)
{
    struct bed *bed = *state;
    AUTO_FREE char *filling = make_filling();
    struct control *slow = reach(bed);
    AUTO_JSON answer = ask(slow, "watch");
    const int64_t begun_ms = clock_now_ms(clock_system());
    for (int64_t i = 1; i <= BIG_COUNT; i++) {
        publish(bed, i, filling);
        struct control *other = reach(bed);
        AUTO_JSON status = ask(other, "status");
        assert_int_equal(js_get_number(js_get(status, "snapshot"), "n", 0), i);
        control_close(other);
    }
    assert_true(clock_now_ms(clock_system()) - begun_ms < WAIT_MS);
    hear_until(slow, BIG_COUNT);
    control_close(slow);
}

static void a_viewer_that_never_reads_does_not_keep_the_end_for_long(void **state)
{
    struct bed *bed = *state;
    AUTO_FREE char *filling = make_filling();
    struct control *deaf = reach(bed);
    AUTO_JSON answer = ask(deaf, "watch");
    publish(bed, 1, filling);
    const int64_t begun_ms = clock_now_ms(clock_system());
    server_close(bed->server);
    bed->server = NULL;
    assert_true(clock_now_ms(clock_system()) - begun_ms < 2 * WAIT_MS);
    control_close(deaf);
}

/* --- commands --- */

struct caller {
    pthread_t thread;
    const struct bed *bed;
    const char *command;
    const char *with; /* what goes with it, or NULL */
    struct json *answer;
};

static void *call_controller(void *context)
{
    struct caller *caller = context;
    struct control *control = NULL;
    const struct call call = call_soon();
    AUTO_JSON request = js_object();
    js_put_text(request, "command", caller->command);
    if (caller->with != NULL) {
        js_put_text(request, "answer", caller->with);
    }
    AUTO_ERR err = control_connect(&call, caller->bed->directory, &control);
    if (err == NULL) {
        err = control_request(&call, control, request, &caller->answer);
    }
    control_close(control);
    return NULL;
}

static void start_caller(struct caller *caller, struct bed *bed, const char *command)
{
    *caller = (struct caller){.bed = bed, .command = command};
    assert_int_equal(pthread_create(&caller->thread, NULL, call_controller, caller), 0);
}

static void await_command(struct bed *bed)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_MS / 1000;
    assert_int_equal(sem_timedwait(&bed->has_command, &until), 0);
}

static void a_command_is_passed_on_and_its_answer_brought_back(void **state)
{
    struct bed *bed = *state;
    struct caller caller;
    start_caller(&caller, bed, "pause");
    await_command(bed);
    assert_int_equal(bed->command, RUN_COMMAND_PAUSE);
    AUTO_FREE char *pid = mem_format("pid %d", getpid());
    assert_non_null(strstr(bed->who, pid)); /* told by the kernel, not by the caller */
    server_reply(bed->server, bed->reply_id, true, 0, "pausing");
    (void)pthread_join(caller.thread, NULL);
    assert_true(js_get_bool(caller.answer, "ok", false));
    assert_string_equal(js_get_text(caller.answer, "text"), "pausing");
    assert_non_null(js_get(caller.answer, "snapshot"));
    js_free(caller.answer);
}

static void what_goes_with_a_command_is_passed_on(void **state)
{
    struct bed *bed = *state;
    struct caller caller = {.bed = bed, .command = "resume", .with = "accept 3f9a"};
    assert_int_equal(pthread_create(&caller.thread, NULL, call_controller, &caller), 0);
    await_command(bed);
    assert_int_equal(bed->command, RUN_COMMAND_RESUME);
    assert_string_equal(bed->answer, "accept 3f9a");
    server_reply(bed->server, bed->reply_id, true, 0, "resume");
    (void)pthread_join(caller.thread, NULL);
    js_free(caller.answer);
    struct caller plain;
    start_caller(&plain, bed, "rollback");
    await_command(bed);
    assert_int_equal(bed->command, RUN_COMMAND_ROLLBACK);
    assert_string_equal(bed->answer, "");
    server_reply(bed->server, bed->reply_id, true, 0, "rollback");
    (void)pthread_join(plain.thread, NULL);
    js_free(plain.answer);
}

static void a_refusal_carries_its_exit_code_and_reason(void **state)
{
    struct bed *bed = *state;
    static const struct {
        int exit;
        const char *code; /* of the same exit code in cli/errors_table.c */
    } cases[] = {{4, "refused"}, {5, "claimed"}, {7, "journal_copied"}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct caller caller;
        start_caller(&caller, bed, "finalize");
        await_command(bed);
        assert_int_equal(bed->command, RUN_COMMAND_FINALIZE);
        server_reply(bed->server, bed->reply_id, false, cases[i].exit, "not yet");
        (void)pthread_join(caller.thread, NULL);
        const struct json *error = js_get(caller.answer, "error");
        assert_false(js_get_bool(caller.answer, "ok", true));
        assert_int_equal(js_get_number(caller.answer, "exit", 0), cases[i].exit);
        assert_string_equal(js_get_text(error, "what"), "not yet");
        assert_string_equal(js_get_text(error, "code"), cases[i].code);
        js_free(caller.answer);
    }
}

static void an_answer_to_one_who_has_gone_goes_nowhere(void **state)
{
    struct bed *bed = *state;
    server_reply(bed->server, 12345, true, 0, "nobody hears this");
    struct control *control = reach(bed);
    AUTO_JSON answer = ask(control, "status");
    assert_true(js_get_bool(answer, "ok", false));
    control_close(control);
}

static void many_ask_at_once(void **state)
{
    struct bed *bed = *state;
    struct caller callers[CALLER_COUNT];
    for (size_t i = 0; i < CALLER_COUNT; i++) {
        start_caller(&callers[i], bed, "status");
        publish(bed, (int64_t)i, NULL);
        server_tell(bed->server, 1, "more");
    }
    for (size_t i = 0; i < CALLER_COUNT; i++) {
        (void)pthread_join(callers[i].thread, NULL);
        assert_true(js_get_bool(callers[i].answer, "ok", false));
        js_free(callers[i].answer);
    }
}

static void an_unknown_command_is_refused(void **state)
{
    struct control *control = reach(*state);
    AUTO_JSON answer = ask(control, "dance");
    assert_false(js_get_bool(answer, "ok", true));
    assert_int_equal(js_get_number(answer, "exit", 0), 2);
    AUTO_JSON again = ask(control, "status"); /* and the connection goes on */
    assert_true(js_get_bool(again, "ok", false));
    control_close(control);
}

/* Sends bytes as they are and reads until the server closes. */
static char *send_raw(const struct bed *bed, const char *bytes, size_t size)
{
    struct control *control = reach(bed);
    const int fd = control_fd(control);
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
    char *answer = mem_alloc(4096);
    size_t used = 0;
    for (;;) {
        struct pollfd waited = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&waited, 1, WAIT_MS), 1);
        const ssize_t count = recv(fd, answer + used, 4095 - used, 0);
        if (count <= 0) {
            break;
        }
        used += (size_t)count;
    }
    control_close(control);
    return answer;
}

static void garbage_is_refused_and_ends_the_connection(void **state)
{
    static const char *const lines[] = {"garbage\n", "[1]\n", "\n", "{\"command\":\n"};
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        AUTO_FREE char *answer = send_raw(*state, lines[i], strlen(lines[i]));
        assert_non_null(strstr(answer, "\"ok\":false"));
        assert_non_null(strstr(answer, "not a JSON object"));
    }
}

static void a_line_without_end_is_cut_off(void **state)
{
    AUTO_FREE char *line = mem_alloc(LONG_LINE);
    memset(line, 'a', LONG_LINE);
    AUTO_FREE char *answer = send_raw(*state, line, LONG_LINE);
    assert_string_equal(answer, "");
}

/* --- coming and going --- */

static void without_a_controller_nobody_listens(void **state)
{
    struct bed *bed = *state;
    server_close(bed->server);
    bed->server = NULL;
    const struct call call = call_soon();
    struct control *control = NULL;
    AUTO_ERR err = control_connect(&call, bed->directory, &control);
    assert_int_equal(err->kind, ERR_UNREACHABLE);
    assert_string_equal(err->code, "no_controller");
    AUTO_ERR missing = control_connect(&call, "/tmp/upshift-no-such-folder", &control);
    assert_string_equal(missing->code, "no_controller");
}

static void the_socket_of_a_dead_controller_is_replaced(void **state)
{
    struct bed *bed = *state;
    struct server *next = NULL;
    const struct server_hooks hooks = {on_command, decorate, bed};
    AUTO_ERR err = server_open(bed->directory, &hooks, &next);
    assert_null(err);
    struct json *snapshot = js_object();
    js_put_number(snapshot, "n", 77);
    server_publish(next, snapshot);
    struct control *control = reach(bed);
    AUTO_JSON answer = ask(control, "status");
    assert_int_equal(js_get_number(js_get(answer, "snapshot"), "n", 0), 77);
    control_close(control);
    server_close(next);
}

static void a_folder_that_is_missing_is_refused(void **UNUSED(state))
{
    struct server *server = NULL;
    const struct server_hooks hooks = {on_command, decorate, NULL};
    AUTO_ERR err = server_open("/tmp/upshift-no-such-folder", &hooks, &server);
    assert_int_equal(err->kind, ERR_REFUSED);
    assert_null(server);
    server_close(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(status_is_one_whole_snapshot),
        CASE(only_the_last_50_events_are_kept),
        CASE(a_viewer_hears_of_changes),
        CASE(a_viewer_hears_something_every_second),
        CASE(a_viewer_hears_the_last_snapshot_and_then_the_end),
        CASE(a_slow_viewer_holds_up_nobody),
        CASE(a_viewer_that_never_reads_does_not_keep_the_end_for_long),
        CASE(a_command_is_passed_on_and_its_answer_brought_back),
        CASE(what_goes_with_a_command_is_passed_on),
        CASE(a_refusal_carries_its_exit_code_and_reason),
        CASE(an_answer_to_one_who_has_gone_goes_nowhere),
        CASE(many_ask_at_once),
        CASE(an_unknown_command_is_refused),
        CASE(garbage_is_refused_and_ends_the_connection),
        CASE(a_line_without_end_is_cut_off),
        CASE(without_a_controller_nobody_listens),
        CASE(the_socket_of_a_dead_controller_is_replaced),
        cmocka_unit_test(a_folder_that_is_missing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
