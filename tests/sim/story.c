#include "story.h"

#include "base/attr.h"
#include "base/random.h"

enum { TROUBLE_MS = 120000, WANT_MS_MAX = 60000, QUESTIONS_MAX = 10 };

const struct hop story_hops[2] = {
    {STAGE_REDIS_6_0, "redis", "7.0"},
    {STAGE_REDIS_7_0, "valkey", "8.1"},
};

#define END(status) (1u << (status))

static const struct universe_trouble much_trouble = {
    .calls = {.drop_reply_pct = 5, .refuse_pct = 4, .delay_pct = 6},
    .blind_pct = 3,
    .torn_pct = 3,
    .twice_permille = 20,
    .death_permille = 8,
    .full_permille = 4,
    .meddle_permille = 3,
};

struct story story_of_trouble(uint64_t seed)
{
    const struct hop *hop = &story_hops[seed % 2];
    return (struct story){
        .kind = "trouble",
        .good_ends = END(RUN_COMPLETE),
        .stage = {.server = hop->server,
            .shard_count = 3,
            .replica_count = seed % 5 == 0 ? 2 : 1,
            .max_unavailable = seed % 7 == 0 ? 2 : 1,
            .lag_ms = seed % 3 == 0 ? 20 : 0,
            .seed = seed},
        .hop = hop,
        .universe = {.seed = seed, .trouble = much_trouble, .trouble_ms = TROUBLE_MS},
    };
}

/* --- kinds: what they add to trouble --- */

static void let_it_be(struct story *UNUSED(story), struct random *UNUSED(random))
{
    /* trouble is enough */
}

/* Who came first has the nodes; the other run changes nothing. */
static void add_rivals(struct story *story, struct random *UNUSED(random))
{
    story->universe.has_claims = true;
    story->universe.trouble.rival_permille = 5;
    story->universe.trouble.ghost_pct = 50;
    story->universe.trouble.freeze_permille = 3;
    story->good_ends |= END(RUN_REFUSED);
}

/* Where the way back is closed already a rollback is refused, and the run goes on. */
static void want_back(struct story *story, struct random *random)
{
    story->universe.rollback_at_ms = 1 + (int64_t)random_below(random, WANT_MS_MAX);
    story->good_ends |= END(RUN_ROLLED_BACK);
}

static void want_back_and_forward(struct story *story, struct random *random)
{
    want_back(story, random);
    story->universe.forward_at_ms =
        story->universe.rollback_at_ms + 1 + (int64_t)random_below(random, WANT_MS_MAX / 2);
}

/* Servers die of themselves, so shards fail over unasked and plans come to nothing: then the
 * operator gives up, and that ends the run, too. */
static void let_servers_die(struct story *story, struct random *UNUSED(random))
{
    story->universe.trouble.calls.crash_pct = 1;
    story->universe.questions_max = QUESTIONS_MAX;
    story->good_ends |= END(RUN_ABORTED);
}

static void roll_back_on_failure(struct story *story, struct random *UNUSED(random))
{
    story->on_failure = INV_FAILURE_ROLLBACK;
    story->universe.trouble.calls.refuse_pct = 30;
    story->good_ends |= END(RUN_ROLLED_BACK);
}

static void continue_on_failure(struct story *story, struct random *UNUSED(random))
{
    story->on_failure = INV_FAILURE_CONTINUE;
    story->universe.trouble.calls.refuse_pct = 30;
}

static const struct {
    const char *name;
    void (*change)(struct story *story, struct random *random);
} kinds[] = {
    {"trouble", let_it_be},
    {"a rollback is wanted", want_back},
    {"servers die", let_servers_die},
    {"a second controller", add_rivals},
    {"a rollback, and forward again", want_back_and_forward},
    {"on_failure: rollback", roll_back_on_failure},
    {"on_failure: continue", continue_on_failure},
};

struct story story_of_seed(uint64_t seed)
{
    struct story story = story_of_trouble(seed);
    struct random random = {.state = seed};
    const size_t kind = (size_t)(seed % ARRAY_COUNT(kinds));
    story.kind = kinds[kind].name;
    story.stage.shard_count = seed % 4 == 0 ? 3 : 2; /* smaller ones are quicker */
    kinds[kind].change(&story, &random);
    return story;
}

void story_play(const struct story *story, bool is_traced, struct universe_end *ret_end)
{
    AUTO_STAGE stage = {0};
    stage_open(&stage, &story->stage);
    stage.cluster.policy.on_failure = story->on_failure;
    AUTO_PLAN plan = {0};
    stage_plan(&stage, story->hop->product, story->hop->version, &plan);
    struct universe_options options = story->universe;
    options.stage = &stage;
    options.plan = &plan;
    options.is_traced = is_traced;
    universe_run(&options, ret_end);
}

bool story_ends_well(const struct story *story, const struct universe_end *end)
{
    return end->complaint[0] == '\0' && (story->good_ends & END(end->status)) != 0;
}
