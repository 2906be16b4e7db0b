/*
 * store/sqlite/record.h - records as rows: their hash chain, their large bodies, reading them back.
 *
 * Private to this folder. The hash of a record is SHA-256(previous hash in hex, canonical JSON of
 * an object with all its other fields, absent ones as null): attempt, body (or body_blob: the
 * digest of the body's text), boot_id, boottime_ms, def, epoch, run, seq, step, type, wall_ms. The
 * first record's previous hash is 64 zeros.
 */
#ifndef UPSHIFT_STORE_SQLITE_RECORD_H
#define UPSHIFT_STORE_SQLITE_RECORD_H

#include "base/sha256.h"
#include "engine/journal.h"
#include "store/sqlite/db.h"

extern const char record_hash_none[SHA256_HEX_SIZE]; /* what comes before the first record */

/* Where a run's chain ends. */
struct record_chain {
    const char *run; /* borrowed */
    int64_t count;
    char head[SHA256_HEX_SIZE];
};

/* Stores one record behind `chain`, moves the chain on, sets the record's seq and its hash (which
 * goes to `arena`). Inside a transaction. */
MUST_USE struct err *record_put(
    struct db *db, struct record_chain *chain, struct arena *arena, struct journal_record *record);

/* Reads all records and compares them with the end that `chain` promises. Inside a transaction.
 * Owns: as journal_ops.read. */
MUST_USE struct err *record_get_all(struct db *db, const struct record_chain *chain,
    struct arena *arena, struct journal_record **ret_records, size_t *ret_count);

MUST_USE struct err *blob_put(
    struct db *db, const char *text, size_t size, char ret_digest[SHA256_HEX_SIZE]);
MUST_USE struct err *blob_get(struct db *db, const char *digest, char **ret_text, size_t *ret_size);

#endif
