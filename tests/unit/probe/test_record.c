/* The log: its chain, its lock, its reader. */
#include "probe/record.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "model/probe_log.h"
#include "probe/lines.h"
#include "probe/tail.h"

struct place {
    char directory[64];
    char *path;
};

static int setup(void **state)
{
    struct place *place = mem_alloc(sizeof(*place));
    memcpy(place->directory, "/tmp/upshift-record-XXXXXX", sizeof("/tmp/upshift-record-XXXXXX"));
    assert_non_null(mkdtemp(place->directory));
    place->path = mem_format("%s/one.log", place->directory);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    AUTO_ERR err = fs_remove_tree(place->directory);
    free(place->path);
    free(place);
    return err == NULL ? 0 : -1;
}

static struct record *open_record(const struct place *place)
{
    struct record *record = NULL;
    AUTO_ERR err = record_open(place->directory, "one", &record);
    assert_null(err);
    return record;
}

static void close_record(struct record *record)
{
    AUTO_ERR err = record_close(record);
    assert_null(err);
}

/* A log of one start, `block_count` blocks and a final. */
static void write_log(const struct place *place, int64_t block_count)
{
    struct record *record = open_record(place);
    const struct probe_start start = {
        .run = "none", .incarnation = "one", .rate = 10, .started_us = clock_now_us()};
    (void)record_append(record, "start", &probe_start_codec, &start);
    for (int64_t i = 0; i < block_count; i++) {
        struct probe_bucket bucket = {.bucket = 111, .count = 1};
        struct probe_range acked = {i, i};
        const struct probe_block block = {.index = i,
            .intended = 1,
            .ok = 1,
            .latency_max_us = 1000 + i,
            .latencies = &bucket,
            .latency_count = 1,
            .acked = &acked,
            .acked_count = 1};
        (void)record_append(record, "block", &probe_block_codec, &block);
    }
    const struct probe_final final = {.reason = "stopped"};
    (void)record_append(record, "final", &probe_final_codec, &final);
    close_record(record);
}

static size_t count_lines(const char *path, bool *ret_is_broken)
{
    struct lines lines;
    AUTO_ERR err = lines_open(path, &lines);
    assert_null(err);
    const char *kind;
    struct json *line;
    size_t count = 0;
    while (lines_next(&lines, &kind, &line)) {
        js_free(line);
        count++;
    }
    *ret_is_broken = lines.is_broken;
    lines_close(&lines);
    return count;
}

static void a_log_is_read_back_line_by_line(void **state)
{
    const struct place *place = *state;
    write_log(place, 5);
    bool is_broken;
    assert_int_equal(count_lines(place->path, &is_broken), 7);
    assert_false(is_broken);
}

static void a_changed_line_breaks_the_chain_there(void **state)
{
    const struct place *place = *state;
    write_log(place, 5);
    AUTO_BUF content = {0};
    AUTO_ERR err = fs_read(place->path, 1 << 20, &content);
    assert_null(err);
    char *changed = strstr(content.data, "\"latency_max_us\":1003");
    assert_non_null(changed);
    changed[strlen("\"latency_max_us\":")] = '2';
    AUTO_ERR write_err = fs_write(place->path, content.data, content.size, 0600);
    assert_null(write_err);
    bool is_broken;
    assert_int_equal(count_lines(place->path, &is_broken), 4);
    assert_true(is_broken);
}

static void a_removed_line_breaks_the_chain(void **state)
{
    const struct place *place = *state;
    write_log(place, 2);
    AUTO_BUF content = {0};
    AUTO_ERR err = fs_read(place->path, 1 << 20, &content);
    assert_null(err);
    const char *second = strchr(content.data, '\n') + 1;
    AUTO_ERR write_err =
        fs_write(place->path, second, content.size - (size_t)(second - content.data), 0600);
    assert_null(write_err);
    bool is_broken;
    assert_int_equal(count_lines(place->path, &is_broken), 0);
    assert_true(is_broken);
}

static void half_a_line_at_the_end_is_not_there_yet(void **state)
{
    const struct place *place = *state;
    write_log(place, 5);
    assert_int_equal(truncate(place->path, 1500), 0);
    bool is_broken;
    const size_t count = count_lines(place->path, &is_broken);
    assert_true(count > 0 && count < 7);
    assert_false(is_broken);
}

static void what_was_appended_becomes_durable_within_a_moment(void **state)
{
    struct record *record = open_record(*state);
    const struct probe_mark mark = {.step = "run", .boundary = "done"};
    const int64_t sequence = record_append(record, "mark", &probe_mark_codec, &mark);
    for (int waits = 0; waits < 100 && record_synced(record) < sequence; waits++) {
        clock_wait_ms(clock_system(), 20);
    }
    assert_int_equal(record_synced(record), sequence);
    close_record(record);
}

static void a_second_log_of_the_same_name_is_refused(void **state)
{
    struct record *record = open_record(*state);
    struct record *second = NULL;
    AUTO_ERR err = record_open(((struct place *)*state)->directory, "one", &second);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_REFUSED);
    assert_string_equal(err->code, "probe_log_write");
    assert_non_null(err_first_hint(err));
    close_record(record);
}

static void a_link_in_the_place_of_the_log_is_not_followed(void **state)
{
    const struct place *place = *state;
    assert_int_equal(symlink("/dev/null", place->path), 0);
    struct record *record = NULL;
    AUTO_ERR err = record_open(place->directory, "one", &record);
    assert_non_null(err);
    assert_string_equal(err->code, "probe_log_write");
}

/* A limit on the size of files stands in for a full disk. */
static void a_write_that_fails_is_noticed_and_told(void **state)
{
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit tight = {.rlim_cur = 100, .rlim_max = before.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    struct record *record = open_record(*state);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    const struct probe_mark mark = {.step = "run", .boundary = "done"};
    const int64_t sequence = record_append(record, "mark", &probe_mark_codec, &mark);
    for (int waits = 0; waits < 100 && !record_has_failed(record); waits++) {
        clock_wait_ms(clock_system(), 20);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(record_has_failed(record));
    assert_true(record_synced(record) < sequence);
    AUTO_ERR err = record_close(record);
    assert_non_null(err);
    assert_string_equal(err->code, "probe_log_write");
    assert_non_null(err_first_hint(err));
}

static void a_tail_adds_up_and_sees_whether_the_probe_lives(void **state)
{
    const struct place *place = *state;
    struct record *record = open_record(place);
    const struct probe_start start = {
        .incarnation = "one", .rate = 10, .started_us = clock_now_us()};
    (void)record_append(record, "start", &probe_start_codec, &start);
    struct probe_tail *tail = NULL;
    AUTO_ERR err = probe_tail_open(place->directory, NULL, &tail);
    assert_null(err);
    assert_true(probe_tail_is_alive(tail));
    assert_int_equal(probe_tail_age_ms(tail), -1);
    close_record(record);
    assert_false(probe_tail_is_alive(tail));
    const struct probe_figures *figures = probe_tail_read(tail);
    assert_int_equal(figures->rate, 10);
    assert_false(figures->is_final);
    probe_tail_close(tail);
}

static void a_tail_has_sums_and_latencies(void **state)
{
    const struct place *place = *state;
    write_log(place, 5);
    struct probe_tail *tail = NULL;
    AUTO_ERR err = probe_tail_open(place->directory, "one", &tail);
    assert_null(err);
    const struct probe_figures *figures = probe_tail_read(tail);
    assert_int_equal(figures->block_count, 5);
    assert_int_equal(figures->ok, 5);
    assert_int_equal(figures->acked, 5);
    assert_int_equal(figures->latency_max_us, 1004);
    assert_int_equal(figures->latency_p99_us, probe_bucket_low(112));
    assert_true(figures->is_final);
    assert_false(figures->is_broken);
    assert_in_range(probe_tail_age_ms(tail) + 500, 0, 500);
    probe_tail_forget_latency(tail);
    assert_int_equal(probe_tail_read(tail)->latency_p99_us, 0);
    probe_tail_close(tail);
}

static void a_folder_without_a_log_has_no_tail(void **state)
{
    const struct place *place = *state;
    struct probe_tail *tail = NULL;
    AUTO_ERR err = probe_tail_open(place->directory, NULL, &tail);
    assert_non_null(err);
    assert_string_equal(err->code, "probe_log_read");
    AUTO_ERR named = probe_tail_open(place->directory, "two", &tail);
    assert_non_null(named);
    assert_string_equal(named->code, "probe_log_read");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_log_is_read_back_line_by_line),
        CASE(a_changed_line_breaks_the_chain_there),
        CASE(a_removed_line_breaks_the_chain),
        CASE(half_a_line_at_the_end_is_not_there_yet),
        CASE(what_was_appended_becomes_durable_within_a_moment),
        CASE(a_second_log_of_the_same_name_is_refused),
        CASE(a_link_in_the_place_of_the_log_is_not_followed),
        CASE(a_write_that_fails_is_noticed_and_told),
        CASE(a_tail_adds_up_and_sees_whether_the_probe_lives),
        CASE(a_tail_has_sums_and_latencies),
        CASE(a_folder_without_a_log_has_no_tail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
