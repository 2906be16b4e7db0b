/*
 * tests/unit/engine/course.h - runs brought to where a change of course begins.
 */
#ifndef UPSHIFT_TESTS_ENGINE_COURSE_H
#define UPSHIFT_TESTS_ENGINE_COURSE_H

#include "bench.h"

/* For cmocka: a bench of its own; at the end its records must fold to its state. */
int open_bench(void **state);
int close_bench(void **state);

void go_to_soak(struct bench *bench);

/* Until the step's act has reached the world. */
void go_until_applied(struct bench *bench, size_t step);

/* The step fails at once, and the run asks. */
void go_to_question(struct bench *bench, size_t step);

/* It ends by itself, with everything as it was. */
void assert_rolled_back(struct bench *bench);

/* Does the question offer what begins with or contains that? */
bool is_offered(const struct bench *bench, const char *answer);

#endif
