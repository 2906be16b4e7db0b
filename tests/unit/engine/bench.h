/*
 * tests/unit/engine/bench.h - a bench for the reducer: a toy cluster, a list as journal, own time.
 *
 * The toy world has one flag per step ("took effect") and scripted troubles. Tasks are answered one
 * at a time, in order; the journal is an array. Everything is deterministic.
 */
#ifndef UPSHIFT_TESTS_ENGINE_BENCH_H
#define UPSHIFT_TESTS_ENGINE_BENCH_H

#include <stdbool.h>

#include "engine/decide.h"

enum { BENCH_STEPS_MAX = 64, BENCH_TASKS_MAX = 256, BENCH_RECORDS_MAX = 4096 };

struct bench_step {
    bool is_done;         /* the effect is in the world */
    bool is_elsewhere;    /* somebody else moved it */
    bool is_blind;        /* verify cannot see */
    int64_t moving_looks; /* verify says MOVING so many times after apply */
    bool is_moving;       /* before any apply: somebody else's change is on its way */
    int apply_count;      /* how often apply() reached the world */
    int undo_count;
    bool loses_reply;     /* apply takes effect and answers "unknown" */
    bool has_no_effect;   /* apply answers "refused" and does nothing */
    enum gate_state gate; /* answer of its gates */
    const char *reason;
    bool turns_red;              /* its gate is yes on look and not yet right before the act */
    enum step_state undo_leaves; /* STEP_ABSENT or STEP_ELSEWHERE */
    bool undo_fails;
    bool is_assumption; /* `gate` is the answer of an assumption */
};

/* What planning anew says. As it is: a rollback takes back each upgraded node, the other two plan
 * what is left (or all of it) with other arguments. */
struct bench_replan {
    enum gate_state refusal; /* YES: there is none */
    bool is_blind, is_wider;
    bool is_same;   /* the old remainder once more */
    bool is_unable; /* there is nobody who plans */
    int count;      /* how often it was asked for */
};

/* What the nodes say to a claim; without nodes nobody else is there. */
struct bench_claim {
    int64_t nodes, epoch_max;
    int64_t left; /* that many cannot be released */
    bool is_foreign, is_ahead, is_blind;
    int counts[CLAIM_RELEASE + 1]; /* how often asked for */
    bool is_parked;                /* as told last */
    size_t scope_count;            /* likewise, temporary changes */
    int64_t epoch;                 /* likewise */
};

struct bench {
    struct arena arena;
    struct plan plan;
    struct run_state state;
    struct journal_record records[BENCH_RECORDS_MAX];
    size_t record_count;
    struct run_task tasks[BENCH_TASKS_MAX];
    size_t task_count;
    struct bench_step steps[BENCH_STEPS_MAX];
    struct bench_replan replan;
    struct bench_claim claim;
    int64_t now_ms;
    int64_t wake_ms;
    enum gate_state health, during;
    bool is_blind;         /* the cluster cannot be read: red health is that */
    const char *broken[2]; /* nodes that are out for other reasons */
    const char *primary;   /* of s1, as health sees it; NULL: it sees no node */
    bool is_probe_asked;
    bool has_ended;
    int exit_code;
    bool reply_ok;
    int reply_exit;
    int reply_count;
    char reply_text[512];
    int stop_count; /* verifications that had to stop something first */
    int out_max;    /* most nodes out at the same time, by our acts */
    bool act_without_intent;
};

/*
 * The plan: two shards (n1+n4, n2+n5), one cluster group.
 *   prepare:    0 s1/n1/backlog (scope run)   1 s1/n4/delay (scope finalize)
 *   replicas:   2 s1/n4/stop  3 s1/n4/switch  4 s1/n4/start   5 s2/n5/stop 6 .../switch 7 .../start
 *   switchover: 8 s1/switchover  9 s2/switchover
 *   finalize:  10 s1/n1/stop 11 s1/n1/switch 12 s1/n1/start
 */
void bench_init(struct bench *bench);
void bench_release(struct bench *bench);

/* Sends one event. */
void bench_begin(struct bench *bench, bool is_resumed);
void bench_operator(struct bench *bench, enum run_command command);
void bench_answer(struct bench *bench, enum run_command command, const char *answer);
void bench_tick(struct bench *bench);

/* A controller that its starter gave a command. */
void bench_begin_with(struct bench *bench, enum run_command command);
void bench_probe(struct bench *bench, int64_t failed);

/* Answers the oldest task; with none, lets time go on to the next wake. False when nothing is left
 * to happen. The probe's last word is given when asked for. */
bool bench_step(struct bench *bench);

/* Goes on until the run rests (no record but soak ticks for `quiet_ms`) or ends. */
void bench_run(struct bench *bench, int64_t quiet_ms);

/* Forgets everything but the records and the world, as a SIGKILL does, and folds again. */
void bench_crash(struct bench *bench, size_t keep_records);

/* How many records of a type (and, unless NULL, a step) there are. */
int bench_count(const struct bench *bench, enum journal_type type, const char *step);

/* True when folding all records gives the live state. */
bool bench_fold_equals_state(const struct bench *bench);

#endif
