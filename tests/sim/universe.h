/*
 * tests/sim/universe.h - one run from its first event to its last, with everything that goes wrong.
 *
 * The engine, its executor, the steps, the gates and the plan are the real ones; servers, time,
 * disk, operator and probe are simulated, in one thread, and every choice is drawn from the seed.
 * A controller that dies leaves its journal and the world; the next one resumes with them. After
 * `trouble_ms` nothing goes wrong any more, and then the run has to end.
 */
#ifndef UPSHIFT_TESTS_SIM_UNIVERSE_H
#define UPSHIFT_TESTS_SIM_UNIVERSE_H

#include "base/sha256.h"
#include "engine/run.h"
#include "stage.h"

/* How often things go wrong. */
struct universe_trouble {
    struct sim_faults calls;  /* of servers */
    unsigned blind_pct;       /* a reading of the cluster misses one node */
    unsigned death_permille;  /* the controller dies: at each commit, send and answer */
    unsigned full_permille;   /* the journal cannot append: the controller ends */
    unsigned meddle_permille; /* an operator pauses, resumes, finalizes, ends the process */
    unsigned wall_permille;   /* the wall clock jumps by up to a day; draws from its own seed */
};

/* Something that the world does once: when the run is in a state for the first time. */
struct universe_event {
    enum run_status when;
    void (*act)(struct stage *stage); /* NULL: nothing */
};

struct universe_options {
    struct stage *stage;
    const struct plan *plan;
    uint64_t seed;
    struct universe_trouble trouble;
    int64_t trouble_ms;    /* how long it may go wrong */
    int64_t abort_at_ms;   /* an operator aborts then; 0: never */
    int64_t questions_max; /* then the operator aborts; 0: that is a failure */
    struct universe_event event;
    bool is_traced; /* tells the story on standard error */
};

struct universe_end {
    enum run_status status;
    int64_t lived_ms;
    size_t life_count; /* controllers */
    size_t question_count;
    size_t record_count;
    size_t counts[JOURNAL_FINISH + 1];         /* of records by type */
    char digest[SHA256_HEX_SIZE];              /* of the journal */
    char digest_without_wall[SHA256_HEX_SIZE]; /* the same but for wall times */
    char complaint[512];                       /* "" when all is well */
};

void universe_run(const struct universe_options *options, struct universe_end *ret_end);

#endif
