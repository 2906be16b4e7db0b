#include "store/sqlite/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "store/sqlite/db.h"
#include "store/sqlite/record.h"
#include "store/sqlite/schema.h"

struct store {
    struct journal journal; /* first: the engine sees this */
    struct db db;
    struct arena hashes; /* of the records of the last append */
    char *path;
};

static struct store *store_of(struct journal *journal)
{
    return (struct store *)journal;
}

static struct err *next_number(struct db *db, const char *cluster, int64_t *ret_number)
{
    sqlite3_stmt *statement = NULL;
    bool has_row = false;
    struct err *err = db_prepare(db, DB_GET_NUMBER, &statement);
    if (err != NULL) {
        return err;
    }
    db_bind_text(statement, 1, cluster);
    err = db_step(db, statement, &has_row);
    if (err == NULL) {
        *ret_number = sqlite3_column_int64(statement, 0);
        (void)sqlite3_reset(statement);
    }
    return err;
}

static struct err *insert_run(
    struct db *db, const char *cluster, struct arena *arena, struct journal_run *run)
{
    struct err *err = next_number(db, cluster, &run->number);
    sqlite3_stmt *statement = NULL;
    if (err == NULL) {
        err = db_prepare(db, DB_PUT_RUN, &statement);
    }
    if (err != NULL) {
        return err;
    }
    run->id = arena_format(arena, "%s-%lld", cluster, (long long)run->number);
    db_bind_text(statement, 1, run->id);
    db_bind_text(statement, 2, cluster);
    db_bind_number(statement, 3, run->number);
    db_bind_number(statement, 4, run->created_wall_ms);
    db_bind_text(statement, 5, run->title);
    db_bind_text(statement, 6, run->state);
    db_bind_text(statement, 7, record_hash_none);
    return db_finish(db, statement);
}

static struct err *store_create_run(struct journal *journal, const char *cluster, const char *title,
    int64_t wall_ms, struct arena *arena, struct journal_run *ret_run)
{
    struct db *db = &store_of(journal)->db;
    struct journal_run run = {
        .created_wall_ms = wall_ms,
        .title = arena_strdup(arena, title),
        .state = "PLANNED",
    };
    struct err *err = db_run(db, DB_BEGIN_WRITE);
    if (err == NULL) {
        err = db_end(db, insert_run(db, cluster, arena, &run));
    }
    if (err == NULL) {
        *ret_run = run;
    }
    return err;
}

/* Inside a transaction, so that the records and the promised end belong together. */
static struct err *read_chain(struct db *db, const char *run, struct record_chain *ret_chain)
{
    sqlite3_stmt *statement = NULL;
    bool has_row = false;
    struct err *err = db_prepare(db, DB_GET_RUN, &statement);
    if (err != NULL) {
        return err;
    }
    db_bind_text(statement, 1, run);
    err = db_step(db, statement, &has_row);
    if (err != NULL) {
        return err;
    }
    if (!has_row) {
        err = err_new(ERR_INVALID, db->path, "there is no run %s", run);
        return err_code(err_hint(err, "`upshift run list` shows the runs"), "run_unknown");
    }
    *ret_chain = (struct record_chain){.run = run, .count = sqlite3_column_int64(statement, 0)};
    const char *head = (const char *)sqlite3_column_text(statement, 1);
    (void)snprintf(ret_chain->head, sizeof(ret_chain->head), "%s", head);
    (void)sqlite3_reset(statement);
    return NULL;
}

static struct err *update_run(
    struct db *db, const struct record_chain *chain, const char *state, bool is_final)
{
    sqlite3_stmt *statement = NULL;
    struct err *err = db_prepare(db, DB_SET_RUN, &statement);
    if (err != NULL) {
        return err;
    }
    db_bind_text(statement, 1, chain->run);
    db_bind_number(statement, 2, chain->count);
    db_bind_text(statement, 3, chain->head);
    db_bind_text(statement, 4, state);
    db_bind_number(statement, 5, is_final);
    return db_finish(db, statement);
}

static struct err *store_append(struct journal *journal, const char *run,
    struct journal_record *records, size_t record_count, const char *state, bool is_final)
{
    struct store *store = store_of(journal);
    struct db *db = &store->db;
    struct err *err = db_run(db, DB_BEGIN_WRITE);
    if (err != NULL) {
        return err;
    }
    struct record_chain chain;
    err = read_chain(db, run, &chain);
    arena_release(&store->hashes);
    for (size_t i = 0; err == NULL && i < record_count; i++) {
        err = record_put(db, &chain, &store->hashes, &records[i]);
    }
    if (err == NULL) {
        err = update_run(db, &chain, state, is_final);
    }
    return db_end(db, err);
}

static struct err *store_read(struct journal *journal, const char *run, struct arena *arena,
    struct journal_record **ret_records, size_t *ret_count)
{
    struct db *db = &store_of(journal)->db;
    struct err *err = db_run(db, DB_BEGIN_READ);
    if (err != NULL) {
        return err;
    }
    struct record_chain chain;
    err = read_chain(db, run, &chain);
    if (err == NULL) {
        err = record_get_all(db, &chain, arena, ret_records, ret_count);
    }
    return db_end(db, err);
}

static struct err *store_list_runs(
    struct journal *journal, struct arena *arena, struct journal_run **ret_runs, size_t *ret_count)
{
    struct db *db = &store_of(journal)->db;
    sqlite3_stmt *row = NULL;
    struct err *err = db_prepare(db, DB_LIST_RUNS, &row);
    if (err != NULL) {
        return err;
    }
    struct journal_run *runs = NULL;
    size_t count = 0;
    bool has_row = false;
    for (err = db_step(db, row, &has_row); err == NULL && has_row;
         err = db_step(db, row, &has_row)) {
        struct journal_run *run = arena_push(arena, &runs, &count, sizeof(*runs));
        run->id = db_text(row, 0, arena);
        run->number = sqlite3_column_int64(row, 1);
        run->created_wall_ms = sqlite3_column_int64(row, 2);
        run->state = db_text(row, 3, arena);
        run->title = db_text(row, 4, arena);
        run->is_final = sqlite3_column_int64(row, 5) != 0;
    }
    if (err == NULL) {
        *ret_runs = runs;
        *ret_count = count;
    }
    return err;
}

struct err *store_read_hash(
    struct journal *journal, const char *run, int64_t seq, char ret_hash[SHA256_HEX_SIZE])
{
    struct db *db = &store_of(journal)->db;
    sqlite3_stmt *row = NULL;
    bool has_row = false;
    AUTO_ARENA arena = {0};
    struct err *err = db_prepare(db, DB_GET_HASH, &row);
    if (err != NULL) {
        return err;
    }
    db_bind_text(row, 1, run);
    sqlite3_bind_int64(row, 2, seq);
    err = db_step(db, row, &has_row);
    if (err == NULL) {
        (void)snprintf(ret_hash, SHA256_HEX_SIZE, "%s", has_row ? db_text(row, 0, &arena) : "");
    }
    (void)sqlite3_reset(row);
    return err;
}

static struct err *store_put_blob(
    struct journal *journal, const char *text, size_t size, char ret_digest[SHA256_HEX_SIZE])
{
    return blob_put(&store_of(journal)->db, text, size, ret_digest);
}

static struct err *store_get_blob(
    struct journal *journal, const char *digest, char **ret_text, size_t *ret_size)
{
    return blob_get(&store_of(journal)->db, digest, ret_text, ret_size);
}

static void store_close(struct journal *journal)
{
    struct store *store = store_of(journal);
    db_close(&store->db);
    arena_release(&store->hashes);
    free(store->path);
    free(store);
}

static const struct journal_ops store_ops = {
    .create_run = store_create_run,
    .append = store_append,
    .read = store_read,
    .list_runs = store_list_runs,
    .put_blob = store_put_blob,
    .get_blob = store_get_blob,
    .close = store_close,
};

/* Makes the file for its owner alone; SQLite would follow the umask. Only when it is missing:
 * closing a descriptor of a file drops SQLite's own locks on it. */
static struct err *make_file(const char *directory, const char *path)
{
    struct err *err = fs_make_dirs(directory, 0700);
    if (err != NULL) {
        return err_code(err_wrap(err, directory, "cannot make the state folder"), "journal_denied");
    }
    AUTO_CLOSE fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0 || errno == EEXIST) {
        return NULL;
    }
    const bool is_full = errno == ENOSPC || errno == EDQUOT;
    err = err_errno(ERR_REFUSED, path, "cannot make the journal");
    err = err_hint(err, "check the disk's free space and the folder's owner");
    return err_code(err, is_full ? "journal_full" : "journal_denied");
}

static struct err *prepare_file(struct store *store, const char *directory, bool read_only)
{
    if (read_only && !fs_exists(store->path)) {
        struct err *err = err_new(ERR_INVALID, store->path, "there is no journal");
        err = err_hint(err, "check the cluster's name and --state-dir");
        return err_code(err, "journal_missing");
    }
    struct err *err = read_only ? NULL : make_file(directory, store->path);
    if (err == NULL) {
        err = db_open(&store->db, store->path, read_only);
    }
    return err != NULL ? err : schema_prepare(&store->db, read_only);
}

struct err *store_open(const char *directory, bool read_only, struct journal **ret_journal)
{
    struct store *store = mem_alloc(sizeof(*store));
    store->path = mem_format("%s/journal.db", directory);
    store->journal = (struct journal){.ops = &store_ops, .where = store->path};
    struct err *err = prepare_file(store, directory, read_only);
    if (err != NULL) {
        store_close(&store->journal);
        return err;
    }
    *ret_journal = &store->journal;
    return NULL;
}
