/*
 * tests/unit/cli/fake_services.h - a program behind the command line that does as it is told, and
 * calls of that command line with what they print.
 */
#ifndef TESTS_UNIT_CLI_FAKE_SERVICES_H
#define TESTS_UNIT_CLI_FAKE_SERVICES_H

#include "base/buf.h"
#include "cli/cli.h"

struct fake {
    struct services services;          /* first: the functions find the rest by it */
    char directory[64];                /* state directory, removed at the end */
    struct err *error;                 /* what the next call to the world fails with; taken */
    const struct gate_answer *answers; /* of check, or of a refusal */
    size_t answer_count;
    bool is_refused;
    bool is_there_already;
    const char **differences;
    size_t difference_count;
    const char *final;        /* of the probe, JSON */
    const char *ended;        /* what a run that has ended answers, JSON; NULL: it has not */
    const char *state;        /* of the newest run; NULL: RUNNING */
    const char *direction;    /* NULL: forward */
    struct cli_claims claims; /* that the nodes show */
    size_t start_count, continue_count;
    char shard[32], node[32];          /* of the last plan */
    size_t act_counts[3];              /* by enum cli_claims_act */
    const char *command;               /* of the last continue_run */
    char plan_digest[SHA256_HEX_SIZE]; /* of the plan that was started */
};

void fake_open(struct fake *fake);
void fake_close(struct fake *fake);
#define AUTO_FAKE CLEANUP(fake_close) struct fake

/* A path below the fake's directory. Owns: caller frees. */
char *fake_path(const struct fake *fake, const char *name);

struct outcome {
    int exit;
    struct buf out, err;
};
void outcome_release(struct outcome *outcome);
#define AUTO_OUTCOME CLEANUP(outcome_release) struct outcome

/* Runs `upshift` with these words, parted by blanks, on the example inventory. Standard input is
 * empty. */
struct outcome fake_call(struct fake *fake, const char *words);

#endif
