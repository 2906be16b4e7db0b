/*
 * tests/sim/story.h - what a seed stands for: a cluster, what goes wrong, what the operator wants.
 *
 * Every seed has one story; its kind says which ends are good ones. That is the liveness of a run:
 * once nothing goes wrong any more it ends, and as its kind allows.
 */
#ifndef UPSHIFT_TESTS_SIM_STORY_H
#define UPSHIFT_TESTS_SIM_STORY_H

#include "universe.h"

struct hop {
    const char *server; /* of the beginning */
    const char *product, *version;
};
extern const struct hop story_hops[2];

struct story {
    const char *kind;
    unsigned good_ends; /* bits: 1 << enum run_status */
    struct stage_options stage;
    const struct hop *hop;
    enum inv_failure on_failure;
    struct universe_options universe; /* without stage, plan and tracing */
};

/* The story of a run that many things happen to, and nothing is wanted of but to go on. */
struct story story_of_trouble(uint64_t seed);

/* The same of any kind. */
struct story story_of_seed(uint64_t seed);

void story_play(const struct story *story, bool is_traced, struct universe_end *ret_end);
bool story_ends_well(const struct story *story, const struct universe_end *end);

#endif
