/*
 * engine/journal.h - what the engine needs of a journal; store/sqlite/ implements it.
 *
 * Runs, records, blobs. A record says what was decided or seen; the state of a run is a fold of its
 * records and nothing else. Records of one run form a chain: each carries
 * SHA-256(previous hash, all its fields), so damage and splicing are detected. One process writes:
 * it holds the cluster's lock (journal_lock in store/sqlite/). A failed append never happened.
 */
#ifndef UPSHIFT_ENGINE_JOURNAL_H
#define UPSHIFT_ENGINE_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/json.h"

/* In the order of engine.md section 9; the names are the journal's own (journal_type_names). */
enum journal_type {
    JOURNAL_RUN_CREATED,
    JOURNAL_PLAN_BODY,
    JOURNAL_REPLAN,        /* {replan, cause}: the rest is to be planned anew */
    JOURNAL_PLAN_PROPOSED, /* {plan, digest, diff, cause}: wider; waits for --accept */
    JOURNAL_PLAN_REVISED,  /* {plan, digest, diff, cause, revision, direction, accepted_by} */
    JOURNAL_CLAIMED,       /* {epoch, held, nodes} */
    JOURNAL_RELEASED,      /* {held, nodes} */
    JOURNAL_STATE,
    JOURNAL_PHASE,
    JOURNAL_INTENT,
    JOURNAL_APPLIED,
    JOURNAL_OUTCOME,
    JOURNAL_FOUND,
    JOURNAL_FOREIGN,
    JOURNAL_SCOPE_OPEN,
    JOURNAL_SCOPE_CLOSED,
    JOURNAL_GATE,
    JOURNAL_OPERATOR,
    JOURNAL_SOAK_TICK,
    JOURNAL_WAY_BACK,
    JOURNAL_MARK,
    JOURNAL_PROBE_GAP,
    JOURNAL_RESUMED, /* a controller took over: its epoch, host, boot */
    JOURNAL_FINISH,
};

extern const char *const journal_type_names[]; /* NULL-terminated */

struct journal_record {
    int64_t seq;   /* 1, 2, ... within the run; set by append */
    int64_t epoch; /* fencing number of the controller that wrote it */
    int64_t def;   /* definition version of the step kind, or of the record type; >= 1 */
    enum journal_type type;
    const char *step; /* step id, or NULL */
    int64_t attempt;  /* of the step; 0 outside of one */
    const char *boot_id;
    int64_t boottime_ms;
    int64_t wall_ms;
    struct json *body; /* object; larger than 4 KiB goes to a blob by itself; borrowed on append */
    const char *hash;  /* hex; set by append */
};

struct journal_run {
    const char *id; /* "orders-cache-1": cluster and number */
    int64_t number; /* 1, 2, ... per cluster */
    int64_t created_wall_ms;
    const char *state; /* last journaled state word, for listings */
    const char *title; /* "redis 6.0.16 -> redis 7.0.15" */
    bool is_final;
};

struct journal;

struct journal_ops {
    /* Makes a run and returns its id and number. Owns: `arena`. */
    struct err *(*create_run)(struct journal *journal, const char *cluster, const char *title,
        int64_t wall_ms, struct arena *arena, struct journal_run *ret_run);

    /* Appends all records of one run in one transaction and makes them durable; sets seq and hash.
     * `state` (may be NULL) updates the listing in the same transaction.
     * Errors: ERR_REFUSED (disk full: code "journal_full"), ERR_INTERNAL. */
    struct err *(*append)(struct journal *journal, const char *run, struct journal_record *records,
        size_t record_count, const char *state, bool is_final);

    /* Reads all records of a run in order and checks the chain. Owns: `arena`; bodies are new
     * references that the caller frees with journal_records_release().
     * Errors: ERR_INVALID with code "journal_damaged" naming the first bad record. */
    struct err *(*read)(struct journal *journal, const char *run, struct arena *arena,
        struct journal_record **ret_records, size_t *ret_count);

    /* All runs, newest first. */
    struct err *(*list_runs)(struct journal *journal, struct arena *arena,
        struct journal_run **ret_runs, size_t *ret_count);

    /* Stores a text under its SHA-256; the same text twice is stored once. */
    struct err *(*put_blob)(
        struct journal *journal, const char *text, size_t size, char ret_digest[65]);
    /* Owns: `*ret_text` is the caller's. */
    struct err *(*get_blob)(
        struct journal *journal, const char *digest, char **ret_text, size_t *ret_size);

    void (*close)(struct journal *journal);
};

struct journal {
    const struct journal_ops *ops; /* first member of every implementation */
    const char *where;             /* path, for errors */
};

void journal_records_release(struct journal_record *records, size_t count);

#endif
