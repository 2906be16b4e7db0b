/*
 * tests/sim/invariants.h - what must hold at every moment of every run (engine.md 14).
 *
 * The first thing found wrong is kept as a sentence; the test fails with it.
 */
#ifndef UPSHIFT_TESTS_SIM_INVARIANTS_H
#define UPSHIFT_TESTS_SIM_INVARIANTS_H

#include "engine/decide.h"
#include "memory_journal.h"
#include "stage.h"

struct invariants {
    struct stage *stage;
    const struct plan *plan;
    const struct memory_journal *journal;
    bool may_lose;                /* the world kills servers: what is lost is its doing */
    bool is_taken[SIM_NODES_MAX]; /* we took the node out and it does not serve yet */
    size_t taken_count;
    int64_t start_counts[SIM_NODES_MAX]; /* before the run */
    char *start_versions[SIM_NODES_MAX]; /* owned */
    struct run_state folded;             /* from the journal alone */
    size_t folded_count;
    size_t commit_count;
    char *complaint; /* NULL: all is well; owned */
};

void invariants_init(struct invariants *invariants, struct stage *stage, const struct plan *plan,
    const struct memory_journal *journal);
void invariants_release(struct invariants *invariants);

void invariants_complain(struct invariants *invariants, const char *format, ...) PRINTF_LIKE(2, 3);

/* Right before an act: its intent, by the controller that acts now, is on disk. */
void invariants_before_task(struct invariants *invariants, const struct run_task *task);

/* Right after anything was done to the world. */
void invariants_after_task(
    struct invariants *invariants, const struct run_task *task, const struct run_result *result);

/* After a commit: the live state is what the journal folds to. */
void invariants_after_commit(struct invariants *invariants, const struct run_state *state);

/* At the end: as told, so it is. */
void invariants_at_end(struct invariants *invariants);

#endif
