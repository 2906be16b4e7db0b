/*
 * base/random.h - random numbers for names and spacing; a seeded one for tests.
 */
#ifndef UPSHIFT_BASE_RANDOM_H
#define UPSHIFT_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* A small repeatable generator (SplitMix64, Steele et al. 2014); not for secrets. */
struct random {
    uint64_t state;
};

uint64_t random_next(struct random *random);

/* A number in [0, limit); `limit` > 0. */
uint64_t random_below(struct random *random, uint64_t limit);

/* Fills with the kernel's random bytes. */
void random_bytes(void *ret_bytes, size_t size);

/* Writes `size` - 1 random lower-case letters and digits, terminated. */
void random_name(char *ret_name, size_t size);

#endif
