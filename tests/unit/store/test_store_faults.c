/*
 * tests/unit/store/test_store_faults.c - a disk that fails and a process that dies inside an
 * append.
 *
 * A shim in front of SQLite's own file layer counts writes and syncs of every file and, at a chosen
 * one, answers with an error or ends the process.
 */
#include "fixture.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH = 3, CRASH_POINTS_MAX = 200 };

enum shim_act { SHIM_NOTHING, SHIM_NO_SPACE, SHIM_SYNC_FAILS, SHIM_DIE };

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    sqlite3_io_methods methods[2]; /* of the main file, of all others */
    const sqlite3_io_methods *real_methods[2];
    enum shim_act act;
    int left; /* acts when it reaches 0 */
} shim;

static const sqlite3_io_methods *real_of(const sqlite3_file *file)
{
    return shim.real_methods[file->pMethods == &shim.methods[0] ? 0 : 1];
}

static bool is_due(enum shim_act act)
{
    if (shim.act != act || shim.left-- > 0) {
        return false;
    }
    return true;
}

static int shim_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    if (is_due(SHIM_DIE)) {
        (void)real_of(file)->xWrite(file, data, size / 2, offset); /* torn */
        _exit(42);
    }
    if (is_due(SHIM_NO_SPACE)) {
        return SQLITE_FULL;
    }
    return real_of(file)->xWrite(file, data, size, offset);
}

static int shim_sync(sqlite3_file *file, int flags)
{
    if (is_due(SHIM_DIE)) {
        _exit(42);
    }
    if (is_due(SHIM_SYNC_FAILS)) {
        return SQLITE_IOERR_FSYNC;
    }
    return real_of(file)->xSync(file, flags);
}

static int shim_open(
    sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    (void)vfs;
    const int result = shim.real->xOpen(shim.real, name, file, flags, ret_flags);
    if (result != SQLITE_OK || file->pMethods == NULL) {
        return result;
    }
    const int slot = (flags & SQLITE_OPEN_MAIN_DB) != 0 ? 0 : 1;
    shim.real_methods[slot] = file->pMethods;
    shim.methods[slot] = *file->pMethods;
    shim.methods[slot].xWrite = shim_write;
    shim.methods[slot].xSync = shim_sync;
    file->pMethods = &shim.methods[slot];
    return result;
}

static int shim_install(void **state)
{
    (void)state;
    shim.real = sqlite3_vfs_find(NULL);
    shim.vfs = *shim.real;
    shim.vfs.zName = "shim";
    shim.vfs.xOpen = shim_open;
    return sqlite3_vfs_register(&shim.vfs, /* makeDflt= */ 1);
}

static int faults_teardown(void **state)
{
    shim.act = SHIM_NOTHING;
    return fixture_teardown(state);
}

static void a_full_disk_appends_nothing_and_later_goes_on(void **state)
{
    struct fixture *fixture = *state;
    assert_ok(fixture_append(fixture, BATCH));
    shim.act = SHIM_NO_SPACE;
    shim.left = 1;
    assert_refused(fixture_append(fixture, BATCH), "journal_full", "no space is left");
    shim.act = SHIM_NOTHING;
    size_t count = 0;
    assert_ok(fixture_count(fixture, &count));
    assert_int_equal(count, BATCH);
    assert_ok(fixture_append(fixture, BATCH));
    fixture_reopen(fixture);
    assert_ok(fixture_count(fixture, &count));
    assert_int_equal(count, 2 * BATCH);
}

/* In a child, because the limit stays; the parent then reads what the child left. */
static int append_below_limit(struct fixture *fixture)
{
    const struct rlimit limit = {.rlim_cur = 100 * 1024, .rlim_max = 100 * 1024};
    (void)signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) {
        return 1;
    }
    for (int i = 0; i < 1000; i++) {
        AUTO_ERR err = fixture_append(fixture, BATCH);
        if (err != NULL) {
            return strcmp(err->code, "journal_full") == 0 ? 0 : 2;
        }
    }
    return 3;
}

static int wait_for(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_spent_quota_is_a_full_disk(void **state)
{
    struct fixture *fixture = *state;
    fixture->journal->ops->close(fixture->journal);
    const pid_t child = fork();
    if (child == 0) {
        struct err *err = store_open(fixture->directory, false, &fixture->journal);
        _exit(err != NULL ? 4 : append_below_limit(fixture));
    }
    const int status = wait_for(child);
    assert_ok(store_open(fixture->directory, false, &fixture->journal));
    assert_int_equal(status, 0);
    size_t count = 0;
    assert_ok(fixture_count(fixture, &count));
    assert_int_equal(count % BATCH, 0);
}

static void after_a_failed_sync_the_handle_refuses_everything(void **state)
{
    struct fixture *fixture = *state;
    shim.act = SHIM_SYNC_FAILS;
    shim.left = 0;
    assert_refused(fixture_append(fixture, BATCH), "journal_io", "the journal's disk failed");
    shim.act = SHIM_NOTHING;
    size_t count = 0;
    assert_refused(fixture_append(fixture, BATCH), "journal_io", "failed earlier in this process");
    assert_refused(fixture_count(fixture, &count), "journal_io", "failed earlier in this process");
    fixture_reopen(fixture);
    assert_ok(fixture_count(fixture, &count));
    assert_int_equal(count % BATCH, 0);
}

/* Dies at write or sync number `point` of a few appends; true when it lived through them all. */
static bool lives_until_the_end(struct fixture *fixture, int point)
{
    const pid_t child = fork();
    if (child == 0) {
        struct err *err = store_open(fixture->directory, false, &fixture->journal);
        shim.act = SHIM_DIE;
        shim.left = point;
        for (int i = 0; err == NULL && i < 4; i++) {
            err = fixture_append(fixture, BATCH);
        }
        _exit(err != NULL ? 4 : 0);
    }
    const int status = wait_for(child);
    if (status != 0 && status != 42) {
        fail_msg("the child ended with %d", status);
    }
    return status == 0;
}

static void a_crash_at_any_write_leaves_only_whole_appends(void **state)
{
    struct fixture *fixture = *state;
    fixture->journal->ops->close(fixture->journal);
    size_t before = 0;
    int point = 0;
    bool is_over = false;
    for (; !is_over && point < CRASH_POINTS_MAX; point++) {
        is_over = lives_until_the_end(fixture, point);
        assert_ok(store_open(fixture->directory, false, &fixture->journal));
        size_t count = 0;
        assert_ok(fixture_count(fixture, &count));
        assert_int_equal(count % BATCH, 0);
        assert_true(count >= before);
        before = count;
        if (!is_over) {
            fixture->journal->ops->close(fixture->journal);
        }
    }
    assert_true(is_over);
    assert_true(point > 10); /* the shim really was in the way */
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, faults_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_full_disk_appends_nothing_and_later_goes_on),
        CASE(a_spent_quota_is_a_full_disk),
        CASE(after_a_failed_sync_the_handle_refuses_everything),
        CASE(a_crash_at_any_write_leaves_only_whole_appends),
    };
    return cmocka_run_group_tests(tests, shim_install, NULL);
}
