/*
 * store/sqlite/db.h - one SQLite file: its settings, its statements, its errors in our words.
 *
 * Private to this folder. Statements are a table; each is prepared at its first use and kept.
 */
#ifndef UPSHIFT_STORE_SQLITE_DB_H
#define UPSHIFT_STORE_SQLITE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"

enum db_query {
    DB_SET_WAL,
    DB_BEGIN_READ,
    DB_BEGIN_WRITE,
    DB_COMMIT,
    DB_TABLE_COUNT,
    DB_GET_VERSION,
    DB_PUT_VERSION,
    DB_PUT_BLOB,
    DB_GET_BLOB,
    DB_GET_NUMBER,
    DB_PUT_RUN,
    DB_GET_RUN,
    DB_SET_RUN,
    DB_LIST_RUNS,
    DB_PUT_RECORD,
    DB_GET_RECORDS,
    DB_GET_HASH,
    DB_QUERY_COUNT,
};

struct db {
    sqlite3 *handle;
    sqlite3_stmt *statements[DB_QUERY_COUNT];
    const char *path; /* borrowed; for errors */
    bool is_failed;   /* the disk failed once: nothing is written any more */
};

/* Opens the file with the journal's settings. On error, db_close() is still needed. */
MUST_USE struct err *db_open(struct db *db, const char *path, bool read_only);
void db_close(struct db *db);

/* Runs several statements of a migration. */
MUST_USE struct err *db_run_script(struct db *db, const char *sql);

/* Runs a statement without parameters and rows. */
MUST_USE struct err *db_run(struct db *db, enum db_query query);

/* Gives a statement ready for its parameters (numbered from 1). Owned by `db`. */
MUST_USE struct err *db_prepare(struct db *db, enum db_query query, sqlite3_stmt **ret_statement);

/* Parameters; text is borrowed until the statement is run. NULL text is SQL NULL. */
void db_bind_text(sqlite3_stmt *statement, int index, const char *text);
void db_bind_number(sqlite3_stmt *statement, int index, int64_t value);

/* Fetches the next row (columns numbered from 0); without one the statement is reset. */
MUST_USE struct err *db_step(struct db *db, sqlite3_stmt *statement, bool *ret_has_row);

/* Runs a statement that gives no rows. */
MUST_USE struct err *db_finish(struct db *db, sqlite3_stmt *statement);

/* A column as text in the arena; NULL for SQL NULL. */
MUST_USE const char *db_text(sqlite3_stmt *statement, int column, struct arena *arena);

/* Ends a transaction: commits when `err` is NULL and gives the outcome, else rolls back and gives
 * `err`. Owns: takes `err`. */
MUST_USE struct err *db_end(struct db *db, struct err *err);

#endif
