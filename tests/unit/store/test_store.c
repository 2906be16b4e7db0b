/* tests/unit/store/test_store.c - engine/journal.h as SQLite keeps it. */
#include "fixture.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/sha256.h"

static void records_are_read_in_the_order_of_their_appends(void **state)
{
    struct fixture *fixture = *state;
    assert_ok(fixture_append(fixture, 2));
    assert_ok(fixture_append(fixture, 1));
    fixture_reopen(fixture);

    struct journal_record *records = NULL;
    size_t count = 0;
    assert_ok(fixture->journal->ops->read(
        fixture->journal, fixture->run, &fixture->arena, &records, &count));

    assert_int_equal(count, 3);
    assert_int_equal(records[2].seq, 3);
    assert_string_equal(records[1].step, "shard-1/n1/stop");
    assert_int_equal(records[1].type, JOURNAL_INTENT);
    assert_int_equal(records[1].epoch, 1);
    assert_int_equal(records[1].attempt, 1);
    assert_int_equal(records[1].wall_ms, 1001);
    assert_string_equal(records[1].boot_id, "boot");
    assert_int_equal(js_get_number(records[1].body, "n", -1), 1);
    journal_records_release(records, count);
}

static void append_sets_seq_and_hash(void **state)
{
    struct fixture *fixture = *state;
    struct journal_record records[2] = {
        {.type = JOURNAL_STATE, .def = 1, .body = js_object()},
        {.type = JOURNAL_PHASE, .def = 1, .body = js_object()},
    };
    assert_ok(fixture->journal->ops->append(
        fixture->journal, fixture->run, records, 2, "RUNNING", false));
    assert_int_equal(records[1].seq, 2);
    assert_int_equal(strlen(records[0].hash), 64);
    assert_string_not_equal(records[0].hash, records[1].hash);
    journal_records_release(records, 2);
}

static void one_hash_is_read_alone(void **state)
{
    struct fixture *fixture = *state;
    assert_ok(fixture_append(fixture, 3));
    struct journal_record *records = NULL;
    size_t count = 0;
    assert_ok(fixture->journal->ops->read(
        fixture->journal, fixture->run, &fixture->arena, &records, &count));
    char hash[SHA256_HEX_SIZE] = "untouched";
    assert_ok(store_read_hash(fixture->journal, fixture->run, 2, hash));
    assert_string_equal(hash, records[1].hash);
    assert_ok(store_read_hash(fixture->journal, fixture->run, 4, hash));
    assert_string_equal(hash, "");
    assert_ok(store_read_hash(fixture->journal, "orders-9", 1, hash));
    assert_string_equal(hash, "");
    journal_records_release(records, count);
}

static void the_hash_is_what_the_documentation_says(void **state)
{
    struct fixture *fixture = *state;
    struct journal_record record = {
        .epoch = 3, .def = 1, .type = JOURNAL_MARK, .wall_ms = 7, .body = js_object()};
    assert_ok(
        fixture->journal->ops->append(fixture->journal, fixture->run, &record, 1, NULL, false));
    const char *text =
        "0000000000000000000000000000000000000000000000000000000000000000"
        "{\"attempt\":0,\"body\":{},\"boot_id\":null,\"boottime_ms\":0,\"def\":1,\"epoch\":3,"
        "\"run\":\"orders-1\",\"seq\":1,\"step\":null,\"type\":\"mark\",\"wall_ms\":7}";
    char hash[SHA256_HEX_SIZE];
    sha256_hex(text, strlen(text), hash);
    assert_string_equal(record.hash, hash);
    js_free(record.body);
}

static void runs_are_numbered_and_listed_newest_first(void **state)
{
    struct fixture *fixture = *state;
    struct journal *journal = fixture->journal;
    struct journal_run second;
    assert_ok(journal->ops->create_run(
        journal, "orders", "redis 7.0.15 -> valkey 8.1.1", 2000, &fixture->arena, &second));
    assert_string_equal(second.id, "orders-2");
    assert_int_equal(second.number, 2);
    struct journal_record record = {.type = JOURNAL_FINISH, .def = 1, .body = js_object()};
    assert_ok(journal->ops->append(journal, "orders-1", &record, 1, "COMPLETE", true));
    js_free(record.body);

    struct journal_run *runs = NULL;
    size_t count = 0;
    assert_ok(journal->ops->list_runs(journal, &fixture->arena, &runs, &count));

    assert_int_equal(count, 2);
    assert_string_equal(runs[0].id, "orders-2");
    assert_string_equal(runs[0].state, "PLANNED");
    assert_false(runs[0].is_final);
    assert_string_equal(runs[1].state, "COMPLETE");
    assert_true(runs[1].is_final);
    assert_string_equal(runs[1].title, "redis 6.0.16 -> redis 7.0.15");
}

static void an_append_without_a_state_keeps_the_listed_one(void **state)
{
    struct fixture *fixture = *state;
    assert_ok(fixture_append(fixture, 1));
    struct journal_run *runs = NULL;
    size_t count = 0;
    assert_ok(fixture->journal->ops->list_runs(fixture->journal, &fixture->arena, &runs, &count));
    assert_string_equal(runs[0].state, "PLANNED");
}

static void a_run_that_does_not_exist_is_named(void **state)
{
    struct fixture *fixture = *state;
    fixture->run = "orders-9";
    size_t count = 0;
    assert_refused(fixture_append(fixture, 1), "run_unknown", "there is no run orders-9");
    assert_refused(fixture_count(fixture, &count), "run_unknown", "there is no run orders-9");
}

static int64_t blob_count(const struct fixture *fixture)
{
    sqlite3 *handle = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &handle), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(handle, "SELECT count(*) FROM blob", -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const int64_t count = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(handle);
    return count;
}

static void the_same_text_is_stored_once(void **state)
{
    struct fixture *fixture = *state;
    struct journal *journal = fixture->journal;
    char first[SHA256_HEX_SIZE];
    char again[SHA256_HEX_SIZE];
    assert_ok(journal->ops->put_blob(journal, "a plan", 6, first));
    assert_ok(journal->ops->put_blob(journal, "a plan", 6, again));
    assert_string_equal(first, again);
    assert_int_equal(blob_count(fixture), 1);

    AUTO_FREE char *text = NULL;
    size_t size = 0;
    assert_ok(journal->ops->get_blob(journal, first, &text, &size));
    assert_int_equal(size, 6);
    assert_string_equal(text, "a plan");
}

static void a_large_body_goes_to_a_blob_and_comes_back(void **state)
{
    struct fixture *fixture = *state;
    char large[5000];
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    struct journal_record record = {.type = JOURNAL_PLAN_BODY, .def = 1, .body = js_object()};
    js_put_text(record.body, "text", large);
    assert_ok(
        fixture->journal->ops->append(fixture->journal, fixture->run, &record, 1, NULL, false));
    js_free(record.body);
    assert_int_equal(blob_count(fixture), 1);

    struct journal_record *records = NULL;
    size_t count = 0;
    assert_ok(fixture->journal->ops->read(
        fixture->journal, fixture->run, &fixture->arena, &records, &count));
    assert_string_equal(js_get_text(records[0].body, "text"), large);
    journal_records_release(records, count);
}

static void a_reader_sees_whole_appends_while_a_writer_is_active(void **state)
{
    struct fixture *fixture = *state;
    assert_ok(fixture_append(fixture, 3));
    struct journal *reader = NULL;
    assert_ok(store_open(fixture->directory, /* read_only= */ true, &reader));
    assert_ok(fixture_append(fixture, 3));

    struct fixture seen = {.arena = {0}, .journal = reader, .run = fixture->run};
    size_t count = 0;
    assert_ok(fixture_count(&seen, &count));
    assert_int_equal(count, 6);
    assert_refused(fixture_append(&seen, 1), "journal_denied", "cannot be written");
    arena_release(&seen.arena);
    reader->ops->close(reader);
    assert_ok(fixture_append(fixture, 1));
}

static void ten_thousand_records_are_read_whole(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 10; i++) {
        assert_ok(fixture_append(fixture, 1000));
    }
    size_t count = 0;
    assert_ok(fixture_count(fixture, &count));
    assert_int_equal(count, 10000);
}

static void the_folder_and_the_file_are_for_their_owner_alone(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *fresh = mem_format("%s/orders", fixture->directory);
    AUTO_FREE char *path = mem_format("%s/journal.db", fresh);
    struct journal *journal = NULL;
    assert_ok(store_open(fresh, /* read_only= */ false, &journal));
    journal->ops->close(journal);
    struct stat found;
    assert_int_equal(stat(fresh, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
}

static void reading_a_folder_without_a_journal_says_so(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *missing = mem_format("%s/nothing", fixture->directory);
    struct journal *journal = NULL;
    assert_refused(store_open(missing, true, &journal), "journal_missing", "there is no journal");
    assert_null(journal);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(records_are_read_in_the_order_of_their_appends),
        CASE(append_sets_seq_and_hash),
        CASE(one_hash_is_read_alone),
        CASE(the_hash_is_what_the_documentation_says),
        CASE(runs_are_numbered_and_listed_newest_first),
        CASE(an_append_without_a_state_keeps_the_listed_one),
        CASE(a_run_that_does_not_exist_is_named),
        CASE(the_same_text_is_stored_once),
        CASE(a_large_body_goes_to_a_blob_and_comes_back),
        CASE(a_reader_sees_whole_appends_while_a_writer_is_active),
        CASE(ten_thousand_records_are_read_whole),
        CASE(the_folder_and_the_file_are_for_their_owner_alone),
        CASE(reading_a_folder_without_a_journal_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
