/*
 * store/sqlite/store.h - the journal in an SQLite file, and the lock of its folder.
 *
 * One folder per cluster, mode 0700: journal.db (WAL, synchronous=FULL: an append that returned is
 * on disk), lock. Take the lock first, then open the journal for writing; to look, open it read
 * only, also while another process writes. A handle is for one thread at a time.
 *
 * Errors of every call, by their stable code:
 *   journal_newer    written by a newer upshift; names the version of its schema
 *   journal_locked   another program holds the file
 *   journal_full     no space or quota left; nothing was written, the handle stays usable
 *   journal_damaged  the file is no journal, or not as it was written; names the first bad record
 *   journal_denied   the file cannot be opened or written by this user
 *   journal_missing  there is no journal to read
 *   journal_io       the disk failed: what is on it is unknown, so the process must end; the handle
 *                    refuses every further write
 *   run_unknown      no such run
 */
#ifndef UPSHIFT_STORE_SQLITE_STORE_H
#define UPSHIFT_STORE_SQLITE_STORE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/sha256.h"
#include "engine/journal.h"

/* Opens <directory>/journal.db; for writing, makes the folder and the file and brings an older
 * schema up to date. Owns: the caller ends it with journal->ops->close().
 * Blocks: on the disk; on another program's lock at most 250 ms. */
MUST_USE struct err *store_open(
    const char *directory, bool read_only, struct journal **ret_journal);

/* Reads the hash of one record, "" when the run has none of that number: does a journal that was
 * copied once still tell the same story? `journal` is one that store_open() gave. */
MUST_USE struct err *store_read_hash(
    struct journal *journal, const char *run, int64_t seq, char ret_hash[SHA256_HEX_SIZE]);

struct store_lock;

/* Takes the one-controller-per-cluster lock <directory>/lock (engine.md 7.1) without waiting. The
 * kernel frees it when the process dies; it is not passed on through exec, but a child that was
 * only forked keeps it. Owns: the caller ends it with store_unlock().
 * Errors: ERR_REFUSED with code "locked", naming the holder; "lock_unsupported" where the file
 * system has no such locks; "lock_denied" where the file cannot be made. */
MUST_USE struct err *store_lock(const char *directory, struct store_lock **ret_lock);
void store_unlock(struct store_lock *lock); /* NULL is allowed */

#endif
