/* What is taken over from the log of an incarnation that died. */
#include "probe/previous.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "probe/record.h"

static int setup(void **state)
{
    char *directory = mem_strdup("/tmp/upshift-previous-XXXXXX");
    assert_non_null(mkdtemp(directory));
    *state = directory;
    return 0;
}

static int teardown(void **state)
{
    AUTO_FREE char *directory = *state;
    AUTO_ERR err = fs_remove_tree(directory);
    return err == NULL ? 0 : -1;
}

/* A log of 100 writes of which 60..69 were not acknowledged. */
static struct record *write_log(const char *directory, const char *incarnation)
{
    struct record *record = NULL;
    AUTO_ERR err = record_open(directory, incarnation, &record);
    assert_null(err);
    const struct probe_start start = {.incarnation = incarnation, .rate = 10, .ttl_s = 3600};
    (void)record_append(record, "start", &probe_start_codec, &start);
    struct probe_range acked[] = {{0, 59}, {70, 99}};
    const struct probe_block block = {
        .wall_ms = clock_wall_us() / 1000, .writes = 100, .acked = acked, .acked_count = 2};
    (void)record_append(record, "block", &probe_block_codec, &block);
    return record;
}

static void append_deletion(struct record *record, const char *incarnation)
{
    struct probe_range deleted[] = {{0, 9}, {60, 64}};
    const struct probe_readback readback = {
        .incarnation = incarnation, .acked = 10, .deleted = deleted, .deleted_count = 2};
    (void)record_append(record, "readback", &probe_readback_codec, &readback);
}

static void end_log(struct record *record, bool is_final)
{
    if (is_final) {
        const struct probe_final final = {.reason = "stopped"};
        (void)record_append(record, "final", &probe_final_codec, &final);
    }
    AUTO_ERR err = record_close(record);
    assert_null(err);
}

static struct previous load(const char *directory)
{
    struct previous previous;
    AUTO_ERR err = previous_load(directory, "now", &previous);
    assert_null(err);
    return previous;
}

static void acknowledged_writes_are_expected_and_others_only_removed(void **state)
{
    end_log(write_log(*state, "one"), false);
    struct previous previous = load(*state);
    assert_int_equal(previous.count, 1);
    const struct keyspace *keys = &previous.keyspaces[0];
    assert_string_equal(keys->incarnation, "one");
    assert_int_equal(keys->acked.total, 90);
    assert_false(ranges_has(&keys->acked, 60));
    assert_true(ranges_has(&keys->unsure, 60));
    assert_true(ranges_has(&keys->unsure, 119)); /* two seconds that may not have been logged */
    assert_false(ranges_has(&keys->unsure, 120));
    assert_true(keyspace_expires_us(keys, 0) > clock_now_us() + 3000000000);
    previous_release(&previous);
}

static void keys_that_were_removed_are_not_missed(void **state)
{
    struct record *record = write_log(*state, "one");
    append_deletion(record, "one");
    end_log(record, false);
    struct previous previous = load(*state);
    assert_int_equal(previous.keyspaces[0].acked.total, 80);
    assert_false(ranges_has(&previous.keyspaces[0].unsure, 60));
    previous_release(&previous);
}

static void removals_by_a_later_incarnation_count_too(void **state)
{
    end_log(write_log(*state, "one"), false);
    struct record *second = write_log(*state, "two");
    append_deletion(second, "one");
    end_log(second, false);
    struct previous previous = load(*state);
    assert_int_equal(previous.count, 2);
    int64_t total = 0;
    for (size_t i = 0; i < previous.count; i++) {
        total += previous.keyspaces[i].acked.total;
    }
    assert_int_equal(total, 170);
    previous_release(&previous);
}

static void a_log_that_ended_by_itself_left_nothing(void **state)
{
    end_log(write_log(*state, "one"), true);
    struct previous previous = load(*state);
    assert_int_equal(previous.count, 0);
    previous_release(&previous);
}

static void a_probe_that_still_runs_is_left_alone(void **state)
{
    struct record *record = write_log(*state, "one");
    const struct probe_mark mark = {.step = "run", .boundary = "done"};
    const int64_t sequence = record_append(record, "mark", &probe_mark_codec, &mark);
    while (record_synced(record) < sequence) {
        clock_wait_ms(clock_system(), 10);
    }
    struct previous previous = load(*state);
    assert_int_equal(previous.count, 0);
    previous_release(&previous);
    end_log(record, false);
}

static void a_folder_that_is_not_there_is_an_error(void **UNUSED(state))
{
    struct previous previous;
    AUTO_ERR err = previous_load("/tmp/upshift-no-such-folder", "now", &previous);
    assert_non_null(err);
    assert_string_equal(err->code, "probe_log_read");
    previous_release(&previous);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(acknowledged_writes_are_expected_and_others_only_removed),
        CASE(keys_that_were_removed_are_not_missed),
        CASE(removals_by_a_later_incarnation_count_too),
        CASE(a_log_that_ended_by_itself_left_nothing),
        CASE(a_probe_that_still_runs_is_left_alone),
        cmocka_unit_test(a_folder_that_is_not_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
