/*
 * tests/sim/memory_journal.h - a journal in memory that can fail and remembers who died.
 *
 * Implements engine/journal.h for one run. Before each append it asks the test what is to happen:
 * all is well, the append fails (as a full disk does), or the controller dies before or after the
 * records are durable.
 */
#ifndef UPSHIFT_TESTS_SIM_MEMORY_JOURNAL_H
#define UPSHIFT_TESTS_SIM_MEMORY_JOURNAL_H

#include "base/arena.h"
#include "base/sha256.h"
#include "engine/journal.h"

enum append_fate {
    APPEND_WELL,
    APPEND_FAILS,       /* nothing is kept, and the caller hears so */
    APPEND_DIES_BEFORE, /* nothing is kept: the caller is dead */
    APPEND_DIES_AFTER,  /* all is kept, but the caller never hears of it */
};

struct memory_journal {
    struct journal base; /* first: it is one */
    struct arena arena;
    struct journal_record *records;
    size_t record_count;
    enum append_fate (*draw_fate)(void *context);
    void *context;
};

void memory_journal_init(struct memory_journal *journal);
void memory_journal_release(struct memory_journal *journal);

/* Is there a record of this type about a step's attempt, written by that controller? */
bool memory_journal_has(const struct memory_journal *journal, enum journal_type type,
    const char *step, int64_t attempt, int64_t epoch);

/* Digest of all records. Without `has_wall` their wall time is left out. */
void memory_journal_digest(
    const struct memory_journal *journal, bool has_wall, char ret_hex[SHA256_HEX_SIZE]);

#endif
