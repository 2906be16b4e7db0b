#include "store/sqlite/db.h"

#include <errno.h>

#include "base/str.h"

/* Long enough for another process's short read of the header, short enough to be an answer. */
enum { DB_BUSY_MS = 250 };

static const char *const query_texts[DB_QUERY_COUNT] = {
    [DB_SET_WAL] = "PRAGMA journal_mode = WAL",
    [DB_BEGIN_READ] = "BEGIN",
    [DB_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [DB_COMMIT] = "COMMIT",
    [DB_TABLE_COUNT] = "SELECT count(*), count(*) FILTER (WHERE name = 'schema_version')"
                       " FROM sqlite_schema WHERE type = 'table'",
    [DB_GET_VERSION] = "SELECT max(version) FROM schema_version",
    [DB_PUT_VERSION] = "INSERT INTO schema_version VALUES (?1, ?2)",
    [DB_PUT_BLOB] = "INSERT OR IGNORE INTO blob VALUES (?1, ?2)",
    [DB_GET_BLOB] = "SELECT content FROM blob WHERE digest = ?1",
    [DB_GET_NUMBER] = "SELECT coalesce(max(number), 0) + 1 FROM run WHERE cluster = ?1",
    [DB_PUT_RUN] = "INSERT INTO run VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, ?7)",
    [DB_GET_RUN] = "SELECT record_count, head FROM run WHERE id = ?1",
    [DB_SET_RUN] = "UPDATE run SET record_count = ?2, head = ?3, state = coalesce(?4, state),"
                   " is_final = max(is_final, ?5) WHERE id = ?1",
    [DB_LIST_RUNS] = "SELECT id, number, created_wall_ms, state, title, is_final FROM run"
                     " ORDER BY created_wall_ms DESC, number DESC",
    [DB_PUT_RECORD] = "INSERT INTO record (run, seq, epoch, def, type, step, attempt, boot_id,"
                      " boottime_ms, wall_ms, body, body_blob, hash)"
                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    [DB_GET_RECORDS] = "SELECT seq, epoch, def, type, step, attempt, boot_id, boottime_ms, wall_ms,"
                       " body, body_blob, hash FROM record WHERE run = ?1 ORDER BY seq",
    [DB_GET_HASH] = "SELECT hash FROM record WHERE run = ?1 AND seq = ?2",
};

struct db_failure {
    int result; /* SQLite's primary code; 0 ends the table */
    enum err_kind kind;
    const char *code;
    const char *what;
    const char *hint;
};

static const struct db_failure failures[] = {
    {SQLITE_FULL, ERR_REFUSED, "journal_full", "no space is left for the journal",
        "free space on its disk (or raise the quota), then resume the run"},
    {SQLITE_IOERR, ERR_INTERNAL, "journal_io", "the journal's disk failed",
        "look at the kernel's messages; once the disk is sound, resume: only what is on it counts"},
    {SQLITE_BUSY, ERR_REFUSED, "journal_locked", "another program holds the journal",
        "end that program (`fuser journal.db` names it), then try again"},
    {SQLITE_LOCKED, ERR_REFUSED, "journal_locked", "another program holds the journal",
        "end that program (`fuser journal.db` names it), then try again"},
    {SQLITE_CORRUPT, ERR_INVALID, "journal_damaged", "the journal is damaged",
        "keep a copy of the folder and restore the journal from a backup"},
    {SQLITE_NOTADB, ERR_INVALID, "journal_damaged", "the file is not a journal",
        "keep a copy of the folder and restore the journal from a backup"},
    {SQLITE_CANTOPEN, ERR_REFUSED, "journal_denied", "the journal cannot be opened",
        "run as the user who owns the folder, or name another --state-dir"},
    {SQLITE_READONLY, ERR_REFUSED, "journal_denied", "the journal cannot be written",
        "run as the user who owns the folder, or name another --state-dir"},
    {SQLITE_PERM, ERR_REFUSED, "journal_denied", "the journal cannot be opened",
        "run as the user who owns the folder, or name another --state-dir"},
    {0, ERR_INTERNAL, "journal_io", "the journal failed in an unexpected way",
        "resume the run; if it happens again, report it with this text"},
};

static const struct db_failure *failure_of(int result)
{
    const struct db_failure *failure = failures;
    while (failure->result != 0 && failure->result != (result & 0xff)) {
        failure++;
    }
    return failure;
}

/* SQLite knows ENOSPC only; quotas and file size limits reach it as plain write errors. It keeps
 * errno for some calls but not for COMMIT, hence the errno of the call itself. The index of the WAL
 * has a code of its own for "could not be made larger", whatever the disk said. */
static bool is_out_of_space(int result, int number)
{
    return result == SQLITE_IOERR_SHMSIZE ||
           (result == SQLITE_IOERR_WRITE && (number == EDQUOT || number == EFBIG));
}

/* Call right after the failed call, which began with errno 0. */
static struct err *db_error(struct db *db, int result)
{
    const int number = errno;
    const char *detail = db->handle == NULL ? sqlite3_errstr(result) : sqlite3_errmsg(db->handle);
    const int extended = db->handle == NULL ? result : sqlite3_extended_errcode(db->handle);
    const struct db_failure *failure =
        failure_of(is_out_of_space(extended, number) ? SQLITE_FULL : result);
    db->is_failed = db->is_failed || text_equal(failure->code, "journal_io");
    struct err *err =
        err_new(failure->kind, db->path, "%s (%s, %d)", failure->what, detail, extended);
    return err_code(err_hint(err, "%s", failure->hint), failure->code);
}

/* Every later write is refused: after a failed fsync the kernel may have dropped the pages, so a
 * second fsync that succeeds proves nothing. */
static struct err *refuse_failed(const struct db *db)
{
    struct err *err =
        err_new(ERR_INTERNAL, db->path, "the journal's disk failed earlier in this process");
    return err_code(err_hint(err, "end this process and resume the run"), "journal_io");
}

struct err *db_run_script(struct db *db, const char *sql)
{
    errno = 0;
    const int result = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? NULL : db_error(db, result);
}

/* SQLite answers with the mode it could get instead of an error. */
static struct err *set_wal(struct db *db)
{
    sqlite3_stmt *statement = NULL;
    bool has_row = false;
    struct err *err = db_prepare(db, DB_SET_WAL, &statement);
    if (err == NULL) {
        err = db_step(db, statement, &has_row);
    }
    if (err != NULL) {
        return err;
    }
    const bool is_wal =
        has_row && text_equal((const char *)sqlite3_column_text(statement, 0), "wal");
    (void)sqlite3_reset(statement);
    if (is_wal) {
        return NULL;
    }
    err = err_new(ERR_REFUSED, db->path, "this file system cannot hold a write-ahead log");
    err = err_hint(err, "put the state on a local disk with --state-dir");
    return err_code(err, "journal_denied");
}

struct err *db_open(struct db *db, const char *path, bool read_only)
{
    db->path = path;
    const int flags =
        (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
        SQLITE_OPEN_FULLMUTEX;
    errno = 0;
    const int result = sqlite3_open_v2(path, &db->handle, flags, /* vfs= */ NULL);
    if (result != SQLITE_OK) {
        return db_error(db, result);
    }
    (void)sqlite3_busy_timeout(db->handle, DB_BUSY_MS);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    struct err *err = db_run_script(db, "PRAGMA trusted_schema = OFF;"
                                        "PRAGMA foreign_keys = ON;"
                                        "PRAGMA cell_size_check = ON;");
    if (err != NULL || read_only) {
        return err;
    }
    err = set_wal(db);
    return err != NULL ? err : db_run_script(db, "PRAGMA synchronous = FULL");
}

void db_close(struct db *db)
{
    for (int i = 0; i < DB_QUERY_COUNT; i++) {
        (void)sqlite3_finalize(db->statements[i]);
        db->statements[i] = NULL;
    }
    (void)sqlite3_close(db->handle);
    db->handle = NULL;
}

struct err *db_prepare(struct db *db, enum db_query query, sqlite3_stmt **ret_statement)
{
    if (db->is_failed) {
        return refuse_failed(db);
    }
    if (db->statements[query] == NULL) {
        errno = 0;
        const int result = sqlite3_prepare_v3(db->handle, query_texts[query], -1,
            SQLITE_PREPARE_PERSISTENT, &db->statements[query], NULL);
        if (result != SQLITE_OK) {
            return db_error(db, result);
        }
    }
    (void)sqlite3_reset(db->statements[query]);
    *ret_statement = db->statements[query];
    return NULL;
}

void db_bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    (void)sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

void db_bind_number(sqlite3_stmt *statement, int index, int64_t value)
{
    (void)sqlite3_bind_int64(statement, index, value);
}

struct err *db_step(struct db *db, sqlite3_stmt *statement, bool *ret_has_row)
{
    errno = 0;
    const int result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        *ret_has_row = true;
        return NULL;
    }
    struct err *err = result == SQLITE_DONE ? NULL : db_error(db, result);
    (void)sqlite3_reset(statement);
    if (err == NULL) {
        *ret_has_row = false;
    }
    return err;
}

struct err *db_finish(struct db *db, sqlite3_stmt *statement)
{
    bool has_row = false;
    return db_step(db, statement, &has_row);
}

struct err *db_run(struct db *db, enum db_query query)
{
    sqlite3_stmt *statement = NULL;
    struct err *err = db_prepare(db, query, &statement);
    return err != NULL ? err : db_finish(db, statement);
}

const char *db_text(sqlite3_stmt *statement, int column, struct arena *arena)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text == NULL ? NULL : arena_strdup(arena, text);
}

struct err *db_end(struct db *db, struct err *err)
{
    if (err == NULL) {
        err = db_run(db, DB_COMMIT);
    }
    if (err != NULL && sqlite3_get_autocommit(db->handle) == 0) {
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    }
    return err;
}
