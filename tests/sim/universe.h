/*
 * tests/sim/universe.h - one run from its first event to its last, with everything that goes wrong.
 *
 * The engine, its executor, the steps, the gates and the plan are the real ones; servers, time,
 * disk, operator and probe are simulated, in one thread, and every choice is drawn from the seed.
 * A controller that dies leaves its journal and the world; the next one resumes with them. After
 * `trouble_ms` nothing goes wrong any more, and then the run has to end.
 *
 * Besides by chance, things go wrong by order: a strike hits the n-th append, send, answer or
 * allocation, and the next strike is counted from there (tests/torture).
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
    unsigned torn_pct;        /* in a reading of the cluster some nodes answer later */
    unsigned twice_permille;  /* an act is done twice */
    unsigned freeze_permille; /* the controller stands still for up to a minute */
    unsigned death_permille;  /* the controller dies: at each commit, send and answer */
    unsigned full_permille;   /* the journal cannot append: the controller ends */
    unsigned meddle_permille; /* an operator pauses, resumes, finalizes, ends the process */
    unsigned rival_permille;  /* a second controller wants the nodes */
    unsigned ghost_pct;       /* an act of a dead controller arrives when the next one works */
    unsigned wall_permille;   /* the wall clock jumps by up to a day; draws from its own seed */
};

/* Where a strike hits. */
enum universe_place {
    PLACE_APPEND,     /* the journal: a batch of records */
    PLACE_SEND,       /* the engine hands a task to a worker */
    PLACE_ANSWER,     /* the engine hears what became of a task */
    PLACE_ALLOCATION, /* the controller wants memory */
    PLACE_COUNT,
};

enum universe_blow {
    BLOW_FAILS,       /* append: no space left */
    BLOW_DIES_BEFORE, /* the controller dies, and it does not happen */
    BLOW_DIES_AFTER,  /* it happens, and the controller dies without hearing of it */
};

struct universe_strike {
    enum universe_place place;
    int64_t index; /* 1: the next one */
    enum universe_blow blow;
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
    int64_t trouble_ms; /* how long it may go wrong */
    const struct universe_strike *strikes;
    size_t strike_count;
    bool has_claims;        /* the nodes are claimed, as on real hosts */
    int64_t abort_at_ms;    /* an operator aborts then; 0: never */
    int64_t rollback_at_ms; /* the same with rollback */
    int64_t forward_at_ms;  /* the same with resume --forward */
    int64_t questions_max;  /* then the operator aborts; 0: that is a failure */
    struct universe_event event;
    bool is_traced; /* tells the story on standard error */
};

struct universe_end {
    enum run_status status;
    int64_t lived_ms;
    size_t life_count; /* controllers */
    size_t question_count;
    size_t record_count;
    size_t revision_count;
    size_t counts[JOURNAL_FINISH + 1];         /* of records by type */
    int64_t places[PLACE_COUNT];               /* how often each was passed since the last strike */
    size_t strikes_left;                       /* that hit nothing */
    char digest[SHA256_HEX_SIZE];              /* of the journal */
    char digest_without_wall[SHA256_HEX_SIZE]; /* the same but for wall times */
    char complaint[512];                       /* "" when all is well */
};

void universe_run(const struct universe_options *options, struct universe_end *ret_end);

/* The controller is about to allocate; does not return when it dies of that. Called by programs
 * that are linked so (tests/torture); does nothing while no controller is at work. */
void universe_on_allocation(void);

#endif
