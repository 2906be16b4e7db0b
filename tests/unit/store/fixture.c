#include "fixture.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"

void assert_ok(struct err *err)
{
    if (err != NULL) {
        AUTO_FREE char *text = err_text(err);
        err_free(err);
        fail_msg("unexpected error: %s", text);
    }
}

void assert_refused(struct err *err, const char *code, const char *text)
{
    if (err == NULL) {
        fail_msg("expected an error with code %s", code);
        return;
    }
    AUTO_FREE char *found = err_text(err);
    assert_string_equal(err->code, code);
    if (strstr(found, text) == NULL) {
        fail_msg("expected \"%s\" in \"%s\"", text, found);
    }
    err_free(err);
}

int fixture_setup(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof(*fixture));
    (void)snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/upshift-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/journal.db", fixture->directory);
    assert_ok(store_open(fixture->directory, /* read_only= */ false, &fixture->journal));
    struct journal_run run;
    assert_ok(fixture->journal->ops->create_run(
        fixture->journal, "orders", "redis 6.0.16 -> redis 7.0.15", 1000, &fixture->arena, &run));
    fixture->run = run.id;
    *state = fixture;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    fixture->journal->ops->close(fixture->journal);
    arena_release(&fixture->arena);
    err_free(fs_remove_tree(fixture->directory));
    free(fixture);
    return 0;
}

void fixture_reopen(struct fixture *fixture)
{
    fixture->journal->ops->close(fixture->journal);
    assert_ok(store_open(fixture->directory, /* read_only= */ false, &fixture->journal));
}

struct err *fixture_append(struct fixture *fixture, size_t count)
{
    struct journal_record *records = arena_alloc_array(&fixture->arena, count, sizeof(*records));
    for (size_t i = 0; i < count; i++) {
        records[i] = (struct journal_record){
            .epoch = 1,
            .def = 1,
            .type = JOURNAL_INTENT,
            .step = arena_format(&fixture->arena, "shard-1/n%zu/stop", i),
            .attempt = 1,
            .boot_id = "boot",
            .boottime_ms = (int64_t)i,
            .wall_ms = 1000 + (int64_t)i,
            .body = js_object(),
        };
        js_put_number(records[i].body, "n", (int64_t)i);
    }
    struct err *err = fixture->journal->ops->append(
        fixture->journal, fixture->run, records, count, /* state= */ NULL, /* is_final= */ false);
    journal_records_release(records, count);
    return err;
}

struct err *fixture_count(struct fixture *fixture, size_t *ret_count)
{
    struct journal_record *records = NULL;
    struct err *err = fixture->journal->ops->read(
        fixture->journal, fixture->run, &fixture->arena, &records, ret_count);
    if (err == NULL) {
        journal_records_release(records, *ret_count);
    }
    return err;
}

void fixture_run_sql(const struct fixture *fixture, const char *sql)
{
    sqlite3 *handle = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &handle), SQLITE_OK);
    char *message = NULL;
    if (sqlite3_exec(handle, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", sql, message);
    }
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}
