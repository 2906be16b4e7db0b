/*
 * tests/sim/sim_claims.c - two controllers that want the same nodes at the same instant.
 *
 * Goal: exactly one of them gets the nodes, whichever call of one the other comes between; the
 * other hears who has them, and leaves no mark. `sim_claims N` races N times.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"
#include "drivers/host.h"
#include "drivers/world.h"
#include "universe_parts.h"

enum { RACER_COUNT = 2, CALL_MS = 60000, NODE_COUNT = 6 };

#ifdef __SANITIZE_ADDRESS__
static int64_t race_count = 300;
#else
static int64_t race_count = 20000;
#endif

struct racer {
    struct claims claims;
    struct claim_answer answer;
    bool has_begun;
};

struct race {
    struct host base; /* first: the host that racers see */
    struct host_ops ops;
    struct host *real;
    struct world world;
    struct sim *sim;
    struct random random;
    struct arena arena;
    struct racer racers[RACER_COUNT];
    int64_t epoch;
    size_t acting;
};

static void race_act(struct race *race, size_t index, enum claim_act act)
{
    struct racer *racer = &race->racers[index];
    const size_t before = race->acting;
    racer->has_begun = true;
    race->acting = index;
    universe_act_as((int64_t)index);
    struct clock *clock = sim_clock(race->sim);
    const struct call call = {.clock = clock,
        .deadline_ms = clock_now_ms(clock) + CALL_MS,
        .send_before_ms = clock_now_ms(clock) + CALL_MS,
        .world = &race->world,
        .run = racer->claims.run,
        .epoch = race->epoch};
    const struct claim_request request = {.act = act,
        .epoch = race->epoch,
        .run = racer->claims.run,
        .state = run_status_names[RUN_CLAIMING]};
    AUTO_ERR err = claims_ops.act(&call, &racer->claims, &request, &race->arena, &racer->answer);
    assert_null(err);
    race->acting = before;
    universe_act_as((int64_t)before);
}

/* The other one begins and ends between two calls of the first. */
static void let_other_act(struct race *race)
{
    const size_t other = (race->acting + 1) % RACER_COUNT;
    if (!race->racers[other].has_begun && random_below(&race->random, NODE_COUNT) == 0) {
        if (random_below(&race->random, 2) == 0) { /* does not see the node that decides */
            sim_fail_next(race->sim, "host.claim_read", "n1", SIM_FAULT_DROP_REPLY, 0);
        }
        race_act(race, other, CLAIM_TAKE);
    }
}

static struct err *race_read(const struct call *call, struct host *host,
    const struct inv_node *node, bool *ret_exists, struct buf *ret_text)
{
    struct race *race = (struct race *)host;
    let_other_act(race);
    return host_claim_read(call, race->real, node, ret_exists, ret_text);
}

static struct err *race_swap(const struct call *call, struct host *host,
    const struct inv_node *node, const struct host_claim_swap *swap, bool *ret_is_done)
{
    struct race *race = (struct race *)host;
    let_other_act(race);
    return host_claim_swap(call, race->real, node, swap, ret_is_done);
}

static void race_open(struct race *race, struct stage *stage)
{
    *race = (struct race){.sim = stage->sim, .world = *sim_world(stage->sim)};
    race->real = race->world.host;
    race->ops = *race->real->ops;
    race->ops.claim_read = race_read;
    race->ops.claim_swap = race_swap;
    race->base = *race->real;
    race->base.ops = &race->ops;
    race->world.host = &race->base;
}

static bool has_won(const struct racer *racer)
{
    return racer->has_begun && !racer->answer.is_foreign &&
           racer->answer.held_count > NODE_COUNT / 2;
}

/* Who did not get the nodes keeps none. */
static void check_marks(const struct race *race, const struct stage *stage, const char *loser)
{
    const struct call call = {.clock = sim_clock(race->sim), .deadline_ms = INT64_MAX};
    for (size_t i = 0; i < stage->cluster.node_count; i++) {
        AUTO_BUF text = {0};
        bool exists = false;
        assert_null(host_claim_read(&call, race->real, &stage->cluster.nodes[i], &exists, &text));
        AUTO_JSON claim = NULL;
        assert_null(exists ? js_parse(buf_text(&text), text.size, "claim", &claim) : NULL);
        assert_true(!text_equal(js_get_text(claim, "run"), loser) ||
                    text_equal(js_get_text(claim, "state"), "released"));
    }
}

/* Returns the winner. */
static size_t race_once(struct race *race, const struct stage *stage, int64_t seed)
{
    static const char *const directories[] = {"/sim/one", "/sim/two"};
    race->random.state = (uint64_t)seed;
    race->epoch = seed;
    for (size_t i = 0; i < RACER_COUNT; i++) {
        const char *name = arena_format(&race->arena, "race-%lld-%zu", (long long)seed, i);
        race->racers[i] = (struct racer){
            .claims = {
                .world = &race->world, .directory = directories[i], .origin = name, .run = name}};
    }
    race_act(race, 0, CLAIM_TAKE);
    if (!race->racers[1].has_begun) {
        race_act(race, 1, CLAIM_TAKE);
    }
    const size_t winner = has_won(&race->racers[0]) ? 0 : 1;
    const struct racer *loser = &race->racers[1 - winner];
    if (!has_won(&race->racers[winner]) || !loser->answer.is_foreign) {
        fail_msg("race %lld: %s of two have the nodes", (long long)seed,
            has_won(&race->racers[winner]) ? "both" : "none");
    }
    assert_non_null(loser->answer.reason);
    assert_non_null(strstr(loser->answer.reason, race->racers[winner].claims.run));
    check_marks(race, stage, loser->claims.run);
    race_act(race, winner, CLAIM_RELEASE);
    return winner;
}

static void exactly_one_of_two_gets_the_nodes(void **UNUSED(state))
{
    const struct stage_options options = {.server = STAGE_REDIS_6_0,
        .shard_count = NODE_COUNT / 2,
        .replica_count = 1,
        .max_unavailable = 1,
        .seed = 1};
    AUTO_STAGE stage = {0};
    stage_open(&stage, &options);
    struct race race;
    race_open(&race, &stage);
    int64_t within = 0;
    for (int64_t seed = 1; seed <= race_count; seed++) {
        within += race_once(&race, &stage, seed) == 1 ? 1 : 0;
        arena_release(&race.arena);
    }
    print_message(
        "# the second of two wins %lld of %lld\n", (long long)within, (long long)race_count);
    assert_in_range(within, 1, race_count - 1); /* either may be the lucky one */
}

int main(int argc, char **argv)
{
    int64_t count = 0;
    if (argc == 2 && str_to_int64(str_of(argv[1]), &count)) {
        race_count = count;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_one_of_two_gets_the_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
