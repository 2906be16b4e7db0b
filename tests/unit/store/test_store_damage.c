/* tests/unit/store/test_store_damage.c - what must never be taken for a sound journal. */
#include "fixture.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/sha256.h"

static void refuses_after(struct fixture *fixture, const char *sql, const char *text)
{
    assert_ok(fixture_append(fixture, 5));
    fixture_run_sql(fixture, sql);
    size_t count = 0;
    assert_refused(fixture_count(fixture, &count), "journal_damaged", text);
}

static void a_flipped_byte_in_a_body_names_the_record(void **state)
{
    refuses_after(*state, "UPDATE record SET body = '{\"n\":7}' WHERE seq = 3",
        "record 3 of run orders-1 is not as it was written");
}

static void a_changed_field_names_the_record(void **state)
{
    refuses_after(*state, "UPDATE record SET wall_ms = wall_ms + 1 WHERE seq = 2", "record 2");
}

static void a_changed_hash_names_the_record(void **state)
{
    refuses_after(
        *state, "UPDATE record SET hash = replace(hash, 'a', 'b') WHERE seq = 4", "record 4");
}

static void a_body_that_is_no_json_names_the_record(void **state)
{
    refuses_after(*state, "UPDATE record SET body = '{\"n\":' WHERE seq = 1", "record 1");
}

static void a_record_missing_in_the_middle_is_found(void **state)
{
    refuses_after(*state, "DELETE FROM record WHERE seq = 2", "record 2");
}

static void records_missing_at_the_end_are_found(void **state)
{
    refuses_after(*state, "DELETE FROM record WHERE seq > 3", "has 3 records, 5 were written");
}

static void records_moved_from_another_run_are_found(void **state)
{
    struct fixture *fixture = *state;
    struct journal_run other;
    assert_ok(fixture->journal->ops->create_run(
        fixture->journal, "orders", "again", 1, &fixture->arena, &other));
    refuses_after(fixture,
        "UPDATE run SET record_count = (SELECT record_count FROM run WHERE id = 'orders-1'),"
        " head = (SELECT head FROM run WHERE id = 'orders-1') WHERE id = 'orders-2';"
        "UPDATE record SET run = 'orders-2'",
        "has 0 records");
    fixture->run = other.id;
    size_t count = 0;
    assert_refused(fixture_count(fixture, &count), "journal_damaged", "record 1 of run orders-2");
}

static void a_changed_blob_is_found(void **state)
{
    struct fixture *fixture = *state;
    char digest[SHA256_HEX_SIZE];
    assert_ok(fixture->journal->ops->put_blob(fixture->journal, "a plan", 6, digest));
    fixture_run_sql(fixture, "UPDATE blob SET content = x'00'");
    char *text = NULL;
    size_t size = 0;
    assert_refused(fixture->journal->ops->get_blob(fixture->journal, digest, &text, &size),
        "journal_damaged", "was changed");
}

static void a_missing_blob_is_found(void **state)
{
    struct fixture *fixture = *state;
    char *text = NULL;
    size_t size = 0;
    assert_refused(fixture->journal->ops->get_blob(fixture->journal, "ab", &text, &size),
        "journal_damaged", "is missing");
}

static void a_newer_schema_is_refused_with_its_version(void **state)
{
    struct fixture *fixture = *state;
    fixture_run_sql(fixture, "INSERT INTO schema_version VALUES (7, 0)");
    struct journal *journal = NULL;
    assert_refused(store_open(fixture->directory, false, &journal), "journal_newer",
        "its schema is version 7");
    assert_refused(
        store_open(fixture->directory, true, &journal), "journal_newer", "its schema is version 7");
}

static void a_record_type_of_a_newer_release_is_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_ok(fixture_append(fixture, 1));
    fixture_run_sql(fixture, "UPDATE record SET type = 'cutover'");
    size_t count = 0;
    assert_refused(
        fixture_count(fixture, &count), "journal_newer", "does not know records of type cutover");
}

static void overwrite(const struct fixture *fixture, const char *text)
{
    const int fd = open(fixture->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    struct fixture *fixture = *state;
    fixture->journal->ops->close(fixture->journal);
    overwrite(fixture, "this is a text file, longer than the hundred bytes of a header; it was put "
                       "here by mistake and must stay as it is");
    struct journal *journal = NULL;
    assert_refused(
        store_open(fixture->directory, false, &journal), "journal_damaged", "not a journal");
    overwrite(fixture, "");
    fixture_run_sql(fixture, "CREATE TABLE recipes (name TEXT)");
    assert_refused(store_open(fixture->directory, false, &journal), "journal_damaged",
        "a database of another program");
    overwrite(fixture, "");
    assert_refused(store_open(fixture->directory, true, &journal), "journal_missing", "is empty");
    assert_ok(store_open(fixture->directory, false, &fixture->journal));
}

static void a_foreign_program_holding_the_file_is_reported(void **state)
{
    struct fixture *fixture = *state;
    sqlite3 *foreign = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &foreign), SQLITE_OK);
    assert_int_equal(sqlite3_exec(foreign, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_refused(fixture_append(fixture, 1), "journal_locked", "another program holds");
    assert_int_equal(sqlite3_exec(foreign, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(foreign), SQLITE_OK);
    assert_ok(fixture_append(fixture, 1));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_flipped_byte_in_a_body_names_the_record),
        CASE(a_changed_field_names_the_record),
        CASE(a_changed_hash_names_the_record),
        CASE(a_body_that_is_no_json_names_the_record),
        CASE(a_record_missing_in_the_middle_is_found),
        CASE(records_missing_at_the_end_are_found),
        CASE(records_moved_from_another_run_are_found),
        CASE(a_changed_blob_is_found),
        CASE(a_missing_blob_is_found),
        CASE(a_newer_schema_is_refused_with_its_version),
        CASE(a_record_type_of_a_newer_release_is_refused),
        CASE(a_file_that_is_no_database_is_refused),
        CASE(a_foreign_program_holding_the_file_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
