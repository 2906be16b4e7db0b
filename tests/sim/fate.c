/* What goes wrong in a universe, by chance and by order; and its time. */
#include <stdio.h>

#include "base/mem.h"
#include "universe_parts.h"

enum { DAY_MS = 86400000 };

static struct universe *watched; /* whose allocations may be struck */

int64_t universe_now(const struct universe *universe)
{
    return clock_now_ms(sim_clock(universe->sim));
}

bool universe_is_troubled(const struct universe *universe)
{
    return universe_now(universe) - universe->started_ms < universe->options->trouble_ms;
}

int64_t universe_draw(struct universe *universe, int64_t limit)
{
    return (int64_t)random_below(&universe->random, (uint64_t)limit);
}

bool universe_happens(struct universe *universe, unsigned permille)
{
    return permille > 0 && universe_is_troubled(universe) &&
           universe_draw(universe, 1000) < permille;
}

void universe_trace(const struct universe *universe, const char *what, const char *detail)
{
    if (universe->options->is_traced) {
        fprintf(stderr, "%8lld  %-9s %s\n",
            (long long)(universe_now(universe) - universe->started_ms), what, detail);
    }
}

void universe_die(struct universe *universe, const char *where)
{
    universe_trace(universe, "DEATH", where);
    universe->is_dead = true;
}

/* --- strikes --- */

bool universe_is_struck(
    struct universe *universe, enum universe_place place, enum universe_blow *ret_blow)
{
    universe->places[place]++;
    if (universe->strike_count == universe->options->strike_count) {
        return false;
    }
    const struct universe_strike *strike = &universe->options->strikes[universe->strike_count];
    if (strike->place != place || universe->places[place] < strike->index) {
        return false;
    }
    universe->strike_count++;
    for (int i = 0; i < PLACE_COUNT; i++) {
        universe->places[i] = 0;
    }
    *ret_blow = strike->blow;
    return true;
}

static enum append_fate kill_append(struct universe *universe, enum universe_blow blow)
{
    static const struct {
        const char *where;
        enum append_fate fate;
    } blows[] = {
        [BLOW_FAILS] = {"the journal's disk is full", APPEND_FAILS},
        [BLOW_DIES_BEFORE] = {"before a commit", APPEND_DIES_BEFORE},
        [BLOW_DIES_AFTER] = {"after a commit", APPEND_DIES_AFTER},
    };
    universe_die(universe, blows[blow].where);
    return blows[blow].fate;
}

enum append_fate universe_append_fate(void *context)
{
    struct universe *universe = context;
    universe->is_thinking = false; /* until its records are heard of */
    enum universe_blow blow;
    if (universe->is_dead) {
        return APPEND_DIES_BEFORE;
    }
    if (universe_is_struck(universe, PLACE_APPEND, &blow)) {
        return kill_append(universe, blow);
    }
    const struct universe_trouble *trouble = &universe->options->trouble;
    if (universe_happens(universe, trouble->full_permille)) {
        return kill_append(universe, BLOW_FAILS);
    }
    if (universe_happens(universe, trouble->death_permille)) {
        const bool is_before = universe_draw(universe, 2) == 0;
        return kill_append(universe, is_before ? BLOW_DIES_BEFORE : BLOW_DIES_AFTER);
    }
    return APPEND_WELL;
}

/* --- allocations --- */

void universe_watch_allocations(struct universe *universe)
{
    watched = universe;
}

/* Out of memory ends the process (decision 0002): what it knew is gone at once. What servers and
 * the disk do is not the controller's. */
void universe_on_allocation(void)
{
    struct universe *universe = watched;
    enum universe_blow blow;
    if (universe == NULL || !universe->is_thinking || sim_is_busy(universe->sim)) {
        return;
    }
    universe->is_thinking = false;
    if (universe_is_struck(universe, PLACE_ALLOCATION, &blow)) {
        universe_die(universe, "out of memory");
        longjmp(universe->death, 1);
    }
    universe->is_thinking = true;
}

/* --- time --- */

static int64_t timepiece_now_ms(struct clock *clock)
{
    return universe_now(((struct timepiece *)clock)->universe);
}

static int64_t timepiece_wall_ms(struct clock *clock)
{
    struct universe *universe = ((struct timepiece *)clock)->universe;
    const unsigned permille = universe->options->trouble.wall_permille;
    if (permille > 0 && random_below(&universe->wall_random, 1000) < permille) {
        universe->wall_offset_ms =
            (int64_t)random_below(&universe->wall_random, 2 * DAY_MS) - DAY_MS;
    }
    return clock_wall_ms(sim_clock(universe->sim)) + universe->wall_offset_ms;
}

static void timepiece_wait_ms(struct clock *clock, int64_t duration_ms)
{
    clock_wait_ms(sim_clock(((struct timepiece *)clock)->universe->sim), duration_ms);
}

void universe_wind_clock(struct universe *universe)
{
    static const struct clock_ops timepiece_ops = {
        timepiece_now_ms, timepiece_wall_ms, timepiece_wait_ms};
    universe->clock = (struct timepiece){{&timepiece_ops}, universe};
}
