#include "store/sqlite/record.h"

#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/mem.h"
#include "base/str.h"

/* Larger ones would push a page's other records out; a plan is 100 times as large. */
enum { RECORD_BODY_SIZE_MAX = 4096 };

const char record_hash_none[SHA256_HEX_SIZE] =
    "0000000000000000000000000000000000000000000000000000000000000000";

static struct err *damaged(const struct db *db, const char *what)
{
    struct err *err = err_new(ERR_INVALID, db->path, "%s", what);
    err = err_hint(err, "keep a copy of the folder and restore the journal from a backup");
    return err_code(err, "journal_damaged");
}

struct err *blob_put(struct db *db, const char *text, size_t size, char ret_digest[SHA256_HEX_SIZE])
{
    char digest[SHA256_HEX_SIZE];
    sha256_hex(text, size, digest);
    sqlite3_stmt *statement = NULL;
    struct err *err = db_prepare(db, DB_PUT_BLOB, &statement);
    if (err != NULL) {
        return err;
    }
    db_bind_text(statement, 1, digest);
    (void)sqlite3_bind_blob64(statement, 2, text == NULL ? "" : text, size, SQLITE_STATIC);
    err = db_finish(db, statement);
    if (err == NULL) {
        memcpy(ret_digest, digest, sizeof(digest));
    }
    return err;
}

struct err *blob_get(struct db *db, const char *digest, char **ret_text, size_t *ret_size)
{
    sqlite3_stmt *statement = NULL;
    struct err *err = db_prepare(db, DB_GET_BLOB, &statement);
    if (err != NULL) {
        return err;
    }
    bool has_row = false;
    db_bind_text(statement, 1, digest);
    err = db_step(db, statement, &has_row);
    if (err != NULL) {
        return err;
    }
    if (!has_row) {
        AUTO_FREE char *what = mem_format("the text with digest %.16s is missing", digest);
        return damaged(db, what);
    }
    const size_t size = (size_t)sqlite3_column_bytes(statement, 0);
    char *text = mem_alloc(size + 1);
    if (size > 0) {
        memcpy(text, sqlite3_column_blob(statement, 0), size);
    }
    (void)sqlite3_reset(statement);
    char found[SHA256_HEX_SIZE];
    sha256_hex(text, size, found);
    if (!text_equal(found, digest)) {
        free(text);
        AUTO_FREE char *what = mem_format("the text with digest %.16s was changed", digest);
        return damaged(db, what);
    }
    *ret_text = text;
    *ret_size = size;
    return NULL;
}

/* `body_digest` is NULL for a body that stays in the record. */
static void hash_record(const struct record_chain *chain, const struct journal_record *record,
    const char *body_digest, char ret_hash[SHA256_HEX_SIZE])
{
    AUTO_JSON fields = js_object();
    js_put_text(fields, "run", chain->run);
    js_put_number(fields, "seq", record->seq);
    js_put_number(fields, "epoch", record->epoch);
    js_put_number(fields, "def", record->def);
    js_put_text(fields, "type", journal_type_names[record->type]);
    js_put_text(fields, "step", record->step);
    js_put_number(fields, "attempt", record->attempt);
    js_put_text(fields, "boot_id", record->boot_id);
    js_put_number(fields, "boottime_ms", record->boottime_ms);
    js_put_number(fields, "wall_ms", record->wall_ms);
    if (body_digest == NULL) {
        js_put(fields, "body", js_ref(record->body));
    } else {
        js_put_text(fields, "body_blob", body_digest);
    }
    AUTO_FREE char *text = js_write(fields);
    struct sha256 *sha = sha256_new();
    sha256_add(sha, chain->head, SHA256_HEX_SIZE - 1);
    sha256_add(sha, text, strlen(text));
    sha256_finish(sha, ret_hash);
}

static struct err *insert_row(struct db *db, const char *run, const struct journal_record *record,
    const char *body, const char *body_digest)
{
    sqlite3_stmt *statement = NULL;
    struct err *err = db_prepare(db, DB_PUT_RECORD, &statement);
    if (err != NULL) {
        return err;
    }
    db_bind_text(statement, 1, run);
    db_bind_number(statement, 2, record->seq);
    db_bind_number(statement, 3, record->epoch);
    db_bind_number(statement, 4, record->def);
    db_bind_text(statement, 5, journal_type_names[record->type]);
    db_bind_text(statement, 6, record->step);
    db_bind_number(statement, 7, record->attempt);
    db_bind_text(statement, 8, record->boot_id);
    db_bind_number(statement, 9, record->boottime_ms);
    db_bind_number(statement, 10, record->wall_ms);
    db_bind_text(statement, 11, body_digest == NULL ? body : NULL);
    db_bind_text(statement, 12, body_digest);
    db_bind_text(statement, 13, record->hash);
    return db_finish(db, statement);
}

struct err *record_put(
    struct db *db, struct record_chain *chain, struct arena *arena, struct journal_record *record)
{
    char digest[SHA256_HEX_SIZE];
    const char *body_digest = NULL;
    AUTO_FREE char *body = js_write(record->body);
    const size_t size = strlen(body);
    if (size > RECORD_BODY_SIZE_MAX) {
        struct err *err = blob_put(db, body, size, digest);
        if (err != NULL) {
            return err;
        }
        body_digest = digest;
    }
    char hash[SHA256_HEX_SIZE];
    record->seq = chain->count + 1;
    hash_record(chain, record, body_digest, hash);
    record->hash = arena_strdup(arena, hash);
    struct err *err = insert_row(db, chain->run, record, body, body_digest);
    if (err == NULL) {
        chain->count = record->seq;
        memcpy(chain->head, hash, sizeof(hash));
    }
    return err;
}

/* The body of the current row as a new reference, from the row or from its blob. */
static struct err *read_body(struct db *db, sqlite3_stmt *row, struct json **ret_body)
{
    const char *digest = (const char *)sqlite3_column_text(row, 10);
    if (digest == NULL) {
        const char *text = (const char *)sqlite3_column_text(row, 9);
        return js_parse(text, (size_t)sqlite3_column_bytes(row, 9), db->path, ret_body);
    }
    AUTO_FREE char *text = NULL;
    size_t size = 0;
    struct err *err = blob_get(db, digest, &text, &size);
    return err != NULL ? err : js_parse(text, size, db->path, ret_body);
}

/* A newer upshift may have added types without a new schema. */
static struct err *refuse_type(const struct db *db, const char *word)
{
    struct err *err = err_new(ERR_REFUSED, db->path,
        "the journal was written by a newer upshift: upshift %s does not know records of type %s",
        UPSHIFT_VERSION, word);
    err = err_hint(err, "use the upshift that wrote it, or a newer one");
    return err_code(err, "journal_newer");
}

static struct err *read_row(
    struct db *db, sqlite3_stmt *row, struct arena *arena, struct journal_record *ret_record)
{
    ret_record->seq = sqlite3_column_int64(row, 0);
    ret_record->epoch = sqlite3_column_int64(row, 1);
    ret_record->def = sqlite3_column_int64(row, 2);
    const char *word = (const char *)sqlite3_column_text(row, 3);
    int type = 0;
    if (!codec_enum_value(journal_type_names, word, &type)) {
        return refuse_type(db, word);
    }
    ret_record->type = (enum journal_type)type;
    ret_record->step = db_text(row, 4, arena);
    ret_record->attempt = sqlite3_column_int64(row, 5);
    ret_record->boot_id = db_text(row, 6, arena);
    ret_record->boottime_ms = sqlite3_column_int64(row, 7);
    ret_record->wall_ms = sqlite3_column_int64(row, 8);
    ret_record->hash = db_text(row, 11, arena);
    return read_body(db, row, &ret_record->body);
}

/* Reads one row and moves `chain` on if the row fits behind it. */
static struct err *read_link(struct db *db, sqlite3_stmt *row, struct record_chain *chain,
    struct arena *arena, struct journal_record *ret_record)
{
    struct err *err = read_row(db, row, arena, ret_record);
    if (err != NULL && text_equal(err->code, "journal_newer")) {
        return err;
    }
    char hash[SHA256_HEX_SIZE] = "";
    if (err == NULL) {
        hash_record(chain, ret_record, (const char *)sqlite3_column_text(row, 10), hash);
    }
    const int64_t seq = chain->count + 1;
    if (err != NULL || ret_record->seq != seq || !text_equal(hash, ret_record->hash)) {
        AUTO_ERR cause = err;
        AUTO_FREE char *what = mem_format(
            "record %lld of run %s is not as it was written", (long long)seq, chain->run);
        return damaged(db, what);
    }
    chain->count = seq;
    memcpy(chain->head, hash, sizeof(hash));
    return NULL;
}

static struct err *check_end(
    const struct db *db, const struct record_chain *wanted, const struct record_chain *found)
{
    if (found->count == wanted->count && text_equal(found->head, wanted->head)) {
        return NULL;
    }
    AUTO_FREE char *what = mem_format("run %s has %lld records, %lld were written", wanted->run,
        (long long)found->count, (long long)wanted->count);
    return damaged(db, what);
}

struct err *record_get_all(struct db *db, const struct record_chain *chain, struct arena *arena,
    struct journal_record **ret_records, size_t *ret_count)
{
    sqlite3_stmt *row = NULL;
    struct err *err = db_prepare(db, DB_GET_RECORDS, &row);
    if (err != NULL) {
        return err;
    }
    db_bind_text(row, 1, chain->run);
    struct record_chain found = {.run = chain->run};
    memcpy(found.head, record_hash_none, sizeof(found.head));
    struct journal_record *records = NULL;
    size_t count = 0;
    bool has_row = false;
    for (err = db_step(db, row, &has_row); err == NULL && has_row;
         err = err != NULL ? err : db_step(db, row, &has_row)) {
        struct journal_record *record = arena_push(arena, &records, &count, sizeof(*records));
        err = read_link(db, row, &found, arena, record);
    }
    (void)sqlite3_reset(row);
    if (err == NULL) {
        err = check_end(db, chain, &found);
    }
    if (err != NULL) {
        journal_records_release(records, count);
        return err;
    }
    *ret_records = records;
    *ret_count = count;
    return NULL;
}
