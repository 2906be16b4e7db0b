/*
 * test_process.c - plain processes, with real ones: sleep(1) and a shell script stand in for a
 * server. The "configuration file" is the number of seconds that they live.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/mem.h"
#include "drivers/process/process.h"
#include "drivers/process/process_table.h"

enum { CALL_MS = 5000 };

struct fixture {
    struct service *service;
    struct inv_cluster cluster;
    struct inv_node node;
    char folder[64];
    char *paths[3];
};

static struct call call_for_ms(int64_t duration_ms)
{
    struct clock *clock = clock_system();
    return (struct call){.clock = clock, .deadline_ms = clock_now_ms(clock) + duration_ms};
}

static int set_up(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof(*fixture));
    (void)snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/upshift-process-XXXXXX");
    if (mkdtemp(fixture->folder) == NULL || chmod(fixture->folder, 0777) != 0) {
        return -1;
    }
    fixture->paths[0] = mem_format("%s/server", fixture->folder);
    fixture->paths[1] = mem_format("%s/pid", fixture->folder);
    fixture->paths[2] = mem_format("%s/log", fixture->folder);
    fixture->node = (struct inv_node){.name = "n1",
        .directory = fixture->folder,
        .config_file = "30",
        .server_link = fixture->paths[0],
        .pid_file = fixture->paths[1],
        .log_file = fixture->paths[2]};
    fixture->cluster.service_user = geteuid() == 0 ? "nobody" : NULL;
    fixture->service = process_open(&fixture->cluster);
    AUTO_ERR err = fs_replace_link(fixture->paths[0], "/bin/sleep");
    *state = fixture;
    return err == NULL ? 0 : -1;
}

static void get_status(struct fixture *fixture, struct service_status *ret_status)
{
    const struct call call = call_for_ms(CALL_MS);
    AUTO_ERR err = service_get_status(&call, fixture->service, &fixture->node, ret_status);
    assert_null(err);
}

static void write_pid(const struct fixture *fixture, const char *text)
{
    AUTO_ERR err = fs_write(fixture->node.pid_file, text, strlen(text), 0644);
    assert_null(err);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    const struct call call = call_for_ms(CALL_MS);
    struct service_status status;
    err_free(service_get_status(&call, fixture->service, &fixture->node, &status));
    if (status.is_running) {
        err_free(service_stop(&call, fixture->service, &fixture->node, status.identity));
    }
    service_close(fixture->service);
    err_free(fs_remove_tree(fixture->folder));
    for (size_t i = 0; i < ARRAY_COUNT(fixture->paths); i++) {
        free(fixture->paths[i]);
    }
    free(fixture);
    return 0;
}

static void start(struct fixture *fixture)
{
    const struct call call = call_for_ms(CALL_MS);
    AUTO_ERR err = service_start(&call, fixture->service, &fixture->node);
    assert_null(err);
}

static void without_a_pid_file_nothing_runs(void **state)
{
    struct service_status status = {.is_running = true};
    get_status(*state, &status);
    assert_false(status.is_running);
    assert_string_equal(status.identity, "");
}

static void a_started_server_runs_until_it_is_stopped(void **state)
{
    struct fixture *fixture = *state;
    struct service_status status;
    start(fixture);
    get_status(fixture, &status);
    assert_true(status.is_running);
    assert_memory_equal(status.identity, clock_boot_id(), strlen(clock_boot_id()));

    const struct call call = call_for_ms(CALL_MS);
    AUTO_ERR err = service_stop(&call, fixture->service, &fixture->node, status.identity);
    assert_null(err);
    get_status(fixture, &status);
    assert_false(status.is_running);
}

static void starting_a_running_server_leaves_it_alone(void **state)
{
    struct fixture *fixture = *state;
    struct service_status first, second;
    start(fixture);
    get_status(fixture, &first);
    start(fixture);
    get_status(fixture, &second);
    assert_string_equal(first.identity, second.identity);
}

static void a_process_in_another_directory_is_not_the_server(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *ours = mem_format("%d\n", (int)getpid());
    write_pid(fixture, ours);
    struct service_status status;
    get_status(fixture, &status);
    assert_false(status.is_running);
}

static void the_remains_of_a_process_do_not_run(void **state)
{
    struct fixture *fixture = *state;
    const pid_t child = fork();
    if (child == 0) {
        _exit(chdir(fixture->folder));
    }
    siginfo_t ended;
    assert_int_equal(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT), 0);
    AUTO_FREE char *text = mem_format("%d\n", (int)child);
    write_pid(fixture, text);
    struct service_status status = {.is_running = true};
    get_status(fixture, &status);
    (void)waitpid(child, NULL, 0);
    assert_false(status.is_running);
}

static void a_pid_file_without_a_number_is_refused(void **state)
{
    struct fixture *fixture = *state;
    const char *const texts[] = {"", "redis\n", "-1\n", "99999999999\n"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        write_pid(fixture, texts[i]);
        const struct call call = call_for_ms(CALL_MS);
        struct service_status status = {0};
        AUTO_ERR err = service_get_status(&call, fixture->service, &fixture->node, &status);
        assert_non_null(err);
        assert_string_equal(err->code, "pid_file_unreadable");
        assert_non_null(err_first_hint(err));
    }
    write_pid(fixture, "0999999999\n"); /* a number that no process has */
    struct service_status status = {.is_running = true};
    get_status(fixture, &status);
    assert_false(status.is_running);
}

static void a_directory_that_is_gone_is_named(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    struct inv_node elsewhere = fixture->node;
    elsewhere.directory = "/nowhere/at/all";
    const struct call call = call_for_ms(CALL_MS);
    struct service_status status;
    AUTO_ERR err = service_get_status(&call, fixture->service, &elsewhere, &status);
    assert_non_null(err);
    assert_string_equal(err->code, "directory_missing");
}

static void a_program_that_is_not_there_cannot_be_started(void **state)
{
    struct fixture *fixture = *state;
    AUTO_ERR link = fs_replace_link(fixture->node.server_link, "/nowhere/redis-server");
    assert_null(link);
    const struct call call = call_for_ms(CALL_MS);
    AUTO_ERR err = service_start(&call, fixture->service, &fixture->node);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_INVALID);
    assert_string_equal(err->code, "program_not_started");
    assert_false(fs_exists(fixture->node.pid_file));
}

static void a_server_is_never_started_as_root(void **state)
{
    struct fixture *fixture = *state;
    if (geteuid() != 0) {
        skip();
    }
    struct inv_cluster cluster = {.service_user = NULL};
    struct service *service = process_open(&cluster);
    const struct call call = call_for_ms(CALL_MS);
    AUTO_ERR err = service_start(&call, service, &fixture->node);
    service_close(service);
    assert_non_null(err);
    assert_string_equal(err->code, "service_user_missing");
    assert_non_null(err->hint);
}

static void nothing_is_started_after_its_time(void **state)
{
    struct fixture *fixture = *state;
    struct call call = call_for_ms(CALL_MS);
    call.send_before_ms = clock_now_ms(call.clock) - 1;
    AUTO_ERR err = service_start(&call, fixture->service, &fixture->node);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_UNREACHABLE);
    assert_string_equal(err->code, "out_of_time");
    assert_false(fs_exists(fixture->node.pid_file));
}

static void nothing_is_stopped_after_its_time(void **state)
{
    struct fixture *fixture = *state;
    struct service_status status;
    start(fixture);
    get_status(fixture, &status);
    for (int i = 0; i < 2; i++) {
        struct call call = call_for_ms(CALL_MS);
        int64_t *limit_ms = i == 0 ? &call.send_before_ms : &call.begin_before_ms;
        *limit_ms = clock_now_ms(call.clock) - 1;
        AUTO_ERR err = service_stop(&call, fixture->service, &fixture->node, status.identity);
        assert_non_null(err);
        assert_string_equal(err->code, "out_of_time");
        get_status(fixture, &status);
        assert_true(status.is_running);
    }
}

static void another_identity_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    struct service_status status;
    start(fixture);
    get_status(fixture, &status);
    AUTO_FREE char *later = mem_format("%s9", status.identity); /* same number, later start */
    const char *const others[] = {"", "another-boot/1/1", later};
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        const struct call call = call_for_ms(CALL_MS);
        AUTO_ERR err = service_stop(&call, fixture->service, &fixture->node, others[i]);
        assert_null(err);
    }
    struct service_status after;
    get_status(fixture, &after);
    assert_string_equal(after.identity, status.identity);
}

static void the_server_of_another_node_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    struct service_status status;
    start(fixture);
    get_status(fixture, &status);
    struct inv_node other = fixture->node;
    other.directory = "/tmp";
    const struct call call = call_for_ms(CALL_MS);
    AUTO_ERR err = service_stop(&call, fixture->service, &other, status.identity);
    assert_null(err);
    get_status(fixture, &status);
    assert_true(status.is_running);
}

/* Starts a shell script as the server and waits until it has set its traps. */
static void start_script(
    struct fixture *fixture, const char *text, struct service_status *ret_status)
{
    AUTO_FREE char *script = mem_format("%s/script", fixture->folder);
    AUTO_ERR written = fs_write(script, text, strlen(text), 0755);
    assert_null(written);
    AUTO_ERR link = fs_replace_link(fixture->node.server_link, script);
    assert_null(link);
    start(fixture);
    AUTO_FREE char *ready = mem_format("%s/ready", fixture->folder);
    for (int i = 0; i < 200 && !fs_exists(ready); i++) {
        clock_wait_ms(clock_system(), 10);
    }
    get_status(fixture, ret_status);
    assert_true(ret_status->is_running);
}

/* It ignores the signal, as a server does that is busy saving; killed here, never by the driver. */
static void a_server_that_does_not_end_is_an_error_and_not_killed(void **state)
{
    struct fixture *fixture = *state;
    struct service_status status;
    start_script(fixture, "#!/bin/sh\ntrap '' TERM\ntouch ready\nexec sleep \"$1\"\n", &status);

    const struct call call = call_for_ms(300);
    AUTO_ERR err = service_stop(&call, fixture->service, &fixture->node, status.identity);

    assert_non_null(err);
    assert_int_equal(err->kind, ERR_UNKNOWN);
    assert_string_equal(err->code, "stop_timeout");
    struct service_status after;
    get_status(fixture, &after);
    assert_true(after.is_running);
    pid_t pid = 0;
    assert_true(process_parse_identity(status.identity, &pid));
    assert_int_equal(kill(pid, SIGKILL), 0);
}

static void a_server_that_forgets_the_first_request_is_asked_again(void **state)
{
    struct fixture *fixture = *state;
    struct service_status status;
    start_script(fixture,
        "#!/bin/sh\ntrap 'trap - TERM' TERM\ntouch ready\n"
        "for i in $(seq 100); do sleep 0.1; done\n",
        &status);
    const struct call call = call_for_ms(CALL_MS);
    AUTO_ERR err = service_stop(&call, fixture->service, &fixture->node, status.identity);
    assert_null(err);
    get_status(fixture, &status);
    assert_false(status.is_running);
}

static void a_name_with_parentheses_does_not_move_the_fields(void **UNUSED(state))
{
    struct process_entry entry;
    assert_true(process_parse_stat(STR("7 (a) S (b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 "
                                       "4242 20 21"),
        &entry));
    assert_int_equal(entry.state, 'S');
    assert_int_equal(entry.start_time, 4242);
}

static void a_short_or_odd_stat_is_refused(void **UNUSED(state))
{
    struct process_entry entry;
    const struct str texts[] = {STR(""), STR("7 name S 1"), STR("7 (a) S 1 2 3"),
        STR("7 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 x 20")};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        assert_false(process_parse_stat(texts[i], &entry));
    }
}

#define WITH_NODE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_NODE(without_a_pid_file_nothing_runs),
        WITH_NODE(a_started_server_runs_until_it_is_stopped),
        WITH_NODE(starting_a_running_server_leaves_it_alone),
        WITH_NODE(a_process_in_another_directory_is_not_the_server),
        WITH_NODE(the_remains_of_a_process_do_not_run),
        WITH_NODE(a_pid_file_without_a_number_is_refused),
        WITH_NODE(a_directory_that_is_gone_is_named),
        WITH_NODE(a_program_that_is_not_there_cannot_be_started),
        WITH_NODE(a_server_is_never_started_as_root),
        WITH_NODE(nothing_is_started_after_its_time),
        WITH_NODE(nothing_is_stopped_after_its_time),
        WITH_NODE(another_identity_is_left_alone),
        WITH_NODE(the_server_of_another_node_is_left_alone),
        WITH_NODE(a_server_that_does_not_end_is_an_error_and_not_killed),
        WITH_NODE(a_server_that_forgets_the_first_request_is_asked_again),
        cmocka_unit_test(a_name_with_parentheses_does_not_move_the_fields),
        cmocka_unit_test(a_short_or_odd_stat_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
