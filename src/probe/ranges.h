/*
 * probe/ranges.h - a set of numbers, kept as ranges.
 *
 * The probe numbers its writes; those that were acknowledged are nearly always neighbours, so a
 * million of them are a few ranges and a long run needs no list of keys.
 */
#ifndef UPSHIFT_PROBE_RANGES_H
#define UPSHIFT_PROBE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/probe_log.h"

struct ranges {
    struct probe_range *items; /* ascending, disjoint, never touching; owned */
    size_t count, capacity;
    int64_t total; /* numbers in the set */
};

void ranges_release(struct ranges *ranges);

/* Adds or removes the numbers from..to, both included. */
void ranges_add(struct ranges *ranges, int64_t from, int64_t to);
void ranges_remove(struct ranges *ranges, int64_t from, int64_t to);

void ranges_add_all(struct ranges *ranges, const struct ranges *added);
void ranges_remove_all(struct ranges *ranges, const struct ranges *removed);

bool ranges_has(const struct ranges *ranges, int64_t number);

/* The number with `rank` smaller ones in the set; 0 <= rank < total. */
int64_t ranges_at(const struct ranges *ranges, int64_t rank);

/* Takes the smallest number out; false when empty. */
bool ranges_pop(struct ranges *ranges, int64_t *ret_number);

/* Moves all numbers below `limit` to `target`. */
void ranges_move_below(struct ranges *ranges, int64_t limit, struct ranges *target);

#endif
