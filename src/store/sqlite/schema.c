#include "store/sqlite/schema.h"

#include "base/clock.h"

static int64_t known_version(void)
{
    int64_t version = 0;
    while (schema_migrations[version] != NULL) {
        version++;
    }
    return version;
}

/* Fetches the only row of a query without parameters and gives its first two columns. */
static struct err *read_numbers(struct db *db, enum db_query query, int64_t ret_numbers[2])
{
    sqlite3_stmt *statement = NULL;
    bool has_row = false;
    struct err *err = db_prepare(db, query, &statement);
    if (err == NULL) {
        err = db_step(db, statement, &has_row);
    }
    if (err == NULL && has_row) {
        ret_numbers[0] = sqlite3_column_int64(statement, 0);
        ret_numbers[1] = sqlite3_column_int64(statement, 1);
        (void)sqlite3_reset(statement);
    }
    return err;
}

/* 0 for an empty file. */
static struct err *read_version(struct db *db, int64_t *ret_version)
{
    int64_t tables[2] = {0, 0};
    struct err *err = read_numbers(db, DB_TABLE_COUNT, tables);
    if (err != NULL || tables[0] == 0) {
        *ret_version = 0;
        return err;
    }
    if (tables[1] == 0) {
        err = err_new(ERR_INVALID, db->path, "the file is a database of another program");
        return err_code(err_hint(err, "name another --state-dir"), "journal_damaged");
    }
    int64_t version[2] = {0, 0};
    err = read_numbers(db, DB_GET_VERSION, version);
    *ret_version = version[0];
    return err;
}

static struct err *refuse_newer(const struct db *db, int64_t version)
{
    struct err *err = err_new(ERR_REFUSED, db->path,
        "the journal was written by a newer upshift: its schema is version %lld, upshift %s knows "
        "up to %lld",
        (long long)version, UPSHIFT_VERSION, (long long)known_version());
    err = err_hint(err, "use the upshift that wrote it, or a newer one");
    return err_code(err, "journal_newer");
}

static struct err *apply_migration(struct db *db, int64_t version)
{
    struct err *err = db_run_script(db, schema_migrations[version - 1]);
    if (err != NULL) {
        return err;
    }
    sqlite3_stmt *statement = NULL;
    err = db_prepare(db, DB_PUT_VERSION, &statement);
    if (err != NULL) {
        return err;
    }
    db_bind_number(statement, 1, version);
    db_bind_number(statement, 2, clock_wall_ms(clock_system()));
    return db_finish(db, statement);
}

/* All missing migrations in one transaction; the version is read again inside it, because another
 * process may have been faster. */
static struct err *migrate(struct db *db)
{
    struct err *err = db_run(db, DB_BEGIN_WRITE);
    if (err != NULL) {
        return err;
    }
    int64_t version = 0;
    err = read_version(db, &version);
    while (err == NULL && version < known_version()) {
        version++;
        err = apply_migration(db, version);
    }
    return db_end(db, err);
}

struct err *schema_prepare(struct db *db, bool read_only)
{
    int64_t version = 0;
    struct err *err = read_version(db, &version);
    if (err != NULL) {
        return err;
    }
    if (version > known_version()) {
        return refuse_newer(db, version);
    }
    if (version == 0 && read_only) {
        err = err_new(ERR_INVALID, db->path, "the journal is empty: no run was ever started");
        return err_code(err, "journal_missing");
    }
    return version < known_version() && !read_only ? migrate(db) : NULL;
}
