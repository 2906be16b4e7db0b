/*
 * tests/sim/sim_rolling.c - rolling upgrades under faults, one universe per seed.
 *
 * Goal: whatever breaks and whenever the controller dies, the engine never takes out more than the
 * plan allows, does nothing without an intent on disk, loses no acknowledged write, and ends.
 * `sim_rolling --seed N` replays one seed and tells its story on standard error, `--seeds N` takes
 * other numbers of seeds; a seed that failed once becomes a case of its own below.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "universe.h"

#ifdef __SANITIZE_ADDRESS__
/* Five times as slow there, and looking for other faults than the plain build. */
static uint64_t seed_count = 60;
#else
static uint64_t seed_count = 300;
#endif

/* Of sorts of stories that are told more rarely. */
static uint64_t share_of_seeds(uint64_t share)
{
    return seed_count / share + 1;
}

struct hop {
    const char *server; /* of the beginning */
    const char *product, *version;
};

static const struct hop hops[] = {
    {STAGE_REDIS_6_0, "redis", "7.0"},
    {STAGE_REDIS_7_0, "valkey", "8.1"},
};

static const struct universe_trouble much_trouble = {
    .calls = {.drop_reply_pct = 5, .refuse_pct = 4, .delay_pct = 6},
    .blind_pct = 3,
    .death_permille = 8,
    .full_permille = 4,
    .meddle_permille = 3,
};

/* What a seed stands for: where it begins, how large it is, what goes wrong. */
struct story {
    struct stage_options stage;
    const struct hop *hop;
    struct universe_trouble trouble;
    int64_t trouble_ms;
    int64_t questions_max;
    int64_t abort_at_ms;
};

static struct story story_of_seed(uint64_t seed)
{
    const struct hop *hop = &hops[seed % 2];
    return (struct story){
        .stage = {.server = hop->server,
            .shard_count = 3,
            .replica_count = seed % 5 == 0 ? 2 : 1,
            .max_unavailable = seed % 7 == 0 ? 2 : 1,
            .lag_ms = seed % 3 == 0 ? 20 : 0,
            .seed = seed},
        .hop = hop,
        .trouble = much_trouble,
        .trouble_ms = 120000,
    };
}

static struct universe_options options_of(
    const struct story *story, struct stage *stage, const struct plan *plan)
{
    return (struct universe_options){
        .stage = stage,
        .plan = plan,
        .seed = story->stage.seed,
        .trouble = story->trouble,
        .trouble_ms = story->trouble_ms,
        .questions_max = story->questions_max,
        .abort_at_ms = story->abort_at_ms,
    };
}

static void play(const struct story *story, bool is_traced, struct universe_end *ret_end)
{
    AUTO_STAGE stage = {0};
    stage_open(&stage, &story->stage);
    AUTO_PLAN plan = {0};
    stage_plan(&stage, story->hop->product, story->hop->version, &plan);
    struct universe_options options = options_of(story, &stage, &plan);
    options.is_traced = is_traced;
    universe_run(&options, ret_end);
}

static bool has_ended_well(const struct story *story, const struct universe_end *end)
{
    const bool may_abort = story->questions_max > 0 || story->abort_at_ms > 0;
    return end->complaint[0] == '\0' &&
           (end->status == RUN_COMPLETE || (may_abort && end->status == RUN_ABORTED));
}

static void play_well(const struct story *story)
{
    struct universe_end end;
    play(story, /* is_traced= */ false, &end);
    if (!has_ended_well(story, &end)) {
        fail_msg("seed %llu: the run is %s; %s", (unsigned long long)story->stage.seed,
            run_status_names[end.status], end.complaint);
    }
}

/* --- without faults --- */

static struct story quiet_story(const struct hop *hop)
{
    struct story story = story_of_seed(1);
    story.hop = hop;
    story.stage.server = hop->server;
    story.trouble = (struct universe_trouble){0};
    return story;
}

static void redis_6_0_becomes_7_0(void **UNUSED(state))
{
    const struct story story = quiet_story(&hops[0]);
    play_well(&story);
}

static void redis_7_0_becomes_valkey_8_1(void **UNUSED(state))
{
    const struct story story = quiet_story(&hops[1]);
    play_well(&story);
}

static void shards_with_two_replicas_are_upgraded(void **UNUSED(state))
{
    struct story story = quiet_story(&hops[0]);
    story.stage.replica_count = 2;
    play_well(&story);
}

static void a_quiet_run_does_each_step_once_and_keeps_its_way_back(void **UNUSED(state))
{
    const struct story story = quiet_story(&hops[0]);
    struct universe_end end;
    play(&story, /* is_traced= */ false, &end);
    assert_int_equal(end.question_count, 0);
    assert_int_equal(end.life_count, 1);
    assert_in_range(end.lived_ms, 5000, 180000);
    assert_int_equal(end.counts[JOURNAL_INTENT], 33);
    assert_int_equal(end.counts[JOURNAL_OUTCOME], 33);
    assert_int_equal(end.counts[JOURNAL_SCOPE_CLOSED], end.counts[JOURNAL_SCOPE_OPEN]);
    assert_int_equal(end.counts[JOURNAL_FOREIGN], 0);
    assert_int_equal(end.counts[JOURNAL_WAY_BACK], 0);
}

static void what_was_upgraded_by_hand_is_not_touched_again(void **UNUSED(state))
{
    const struct story story = quiet_story(&hops[0]);
    AUTO_STAGE stage = {0};
    stage_open(&stage, &story.stage);
    stage_upgrade_by_hand(&stage, "n4", STAGE_REDIS_7_0);
    AUTO_PLAN plan = {0};
    stage_plan(&stage, "redis", "7.0", &plan);
    assert_null(plan_find_step(&plan, "shard-1/n4/stop", NULL));
    const struct universe_options options = options_of(&story, &stage, &plan);
    struct universe_end end;
    universe_run(&options, &end); /* the invariants count the starts of n4 */
    assert_string_equal(end.complaint, "");
    assert_int_equal(end.status, RUN_COMPLETE);
}

/* --- others act, too --- */

/* A quiet run to 7.0 with an event; the stage is left as the run left it. */
static void play_event(struct stage *stage, struct universe_event event, int64_t questions_max,
    struct universe_end *ret_end)
{
    const struct story story = quiet_story(&hops[0]);
    stage_open(stage, &story.stage);
    AUTO_PLAN plan = {0};
    stage_plan(stage, "redis", "7.0", &plan);
    struct universe_options options = options_of(&story, stage, &plan);
    options.event = event;
    options.questions_max = questions_max;
    universe_run(&options, ret_end);
    assert_string_equal(ret_end->complaint, "");
}

static void set_backlog(struct stage *stage)
{
    stage_set_by_hand(stage, "n4", "repl-backlog-size", "7340032");
}

static void a_setting_that_an_operator_changed_is_kept(void **UNUSED(state))
{
    AUTO_STAGE stage = {0};
    struct universe_end end;
    play_event(&stage, (struct universe_event){RUN_SOAKING, set_backlog}, 0, &end);
    assert_int_equal(end.status, RUN_COMPLETE);
    assert_int_equal(end.question_count, 0);
    AUTO_FACTS facts = {0};
    stage_read(&stage, &facts);
    assert_int_equal(facts_find(&facts, "n4")->backlog_bytes, 7340032);
    assert_int_equal(facts_find(&facts, "n5")->backlog_bytes, 1 << 20);
}

static void fail_over_first_shard(struct stage *stage)
{
    stage_switch_by_hand(stage, "n4");
}

static void a_failover_before_the_first_step_stops_nothing(void **UNUSED(state))
{
    AUTO_STAGE stage = {0};
    struct universe_end end;
    play_event(&stage, (struct universe_event){RUN_PLANNED, fail_over_first_shard}, 2, &end);
    assert_int_equal(end.status, RUN_ABORTED);
    for (size_t i = 0; i < stage.cluster.node_count; i++) {
        assert_int_equal(sim_get_start_count(stage.sim, stage.cluster.nodes[i].name), 1);
    }
}

static void kill_spare_replica(struct stage *stage)
{
    sim_crash_node(stage->sim, "n6");
}

static void a_dead_node_refuses_the_start(void **UNUSED(state))
{
    AUTO_STAGE stage = {0};
    struct universe_end end;
    play_event(&stage, (struct universe_event){RUN_PLANNED, kill_spare_replica}, 0, &end);
    assert_int_equal(end.status, RUN_REFUSED);
    assert_int_equal(end.counts[JOURNAL_INTENT], 0);
}

static void kill_old_primary(struct stage *stage)
{
    sim_crash_node(stage->sim, "n1");
}

static void finalize_repairs_an_old_node_that_died_at_the_pause_point(void **UNUSED(state))
{
    AUTO_STAGE stage = {0};
    struct universe_end end;
    play_event(&stage, (struct universe_event){RUN_SOAKING, kill_old_primary}, 0, &end);
    assert_int_equal(end.status, RUN_COMPLETE);
    assert_in_range(end.counts[JOURNAL_WAY_BACK], 1, 2);
    assert_int_equal(end.question_count, 0);
}

/* --- with faults --- */

static void troubled_runs_complete(void **UNUSED(state))
{
    for (uint64_t seed = 1; seed <= seed_count; seed++) {
        const struct story story = story_of_seed(seed);
        play_well(&story);
    }
}

/* Servers die of themselves, so shards fail over unasked and plans come to nothing: then the
 * operator gives up, and that ends the run, too. */
static struct story deadly_story(uint64_t seed)
{
    struct story story = story_of_seed(seed);
    story.trouble.calls.crash_pct = 1;
    story.questions_max = 10;
    return story;
}

static void runs_end_though_servers_die(void **UNUSED(state))
{
    for (uint64_t seed = 1; seed <= share_of_seeds(5); seed++) {
        const struct story story = deadly_story(1000 + seed);
        play_well(&story);
    }
}

static void an_aborted_run_is_planned_anew_and_completes(void **UNUSED(state))
{
    for (uint64_t seed = 1; seed <= share_of_seeds(10); seed++) {
        struct story story = story_of_seed(2000 + seed);
        story.abort_at_ms = 300 * (int64_t)seed;
        AUTO_STAGE stage = {0};
        stage_open(&stage, &story.stage);
        AUTO_PLAN plan = {0};
        stage_plan(&stage, story.hop->product, story.hop->version, &plan);
        struct universe_options options = options_of(&story, &stage, &plan);
        struct universe_end end;
        universe_run(&options, &end);
        assert_true(has_ended_well(&story, &end));
        clock_wait_ms(sim_clock(stage.sim), 5000);
        AUTO_PLAN rest = {0};
        stage_plan(&stage, story.hop->product, story.hop->version, &rest);
        options.plan = &rest;
        options.abort_at_ms = 0;
        universe_run(&options, &end);
        assert_string_equal(end.complaint, "");
        assert_int_equal(end.status, RUN_COMPLETE);
    }
}

/* --- about time and chance --- */

static void the_same_seed_gives_the_same_journal(void **UNUSED(state))
{
    const struct story story = story_of_seed(42);
    struct universe_end first, second;
    play(&story, /* is_traced= */ false, &first);
    play(&story, /* is_traced= */ false, &second);
    assert_string_equal(first.digest, second.digest);
    const struct story other = story_of_seed(44);
    play(&other, /* is_traced= */ false, &second);
    assert_string_not_equal(first.digest, second.digest);
}

static void jumps_of_the_wall_clock_change_nothing(void **UNUSED(state))
{
    for (uint64_t seed = 1; seed <= share_of_seeds(30); seed++) {
        struct story story = story_of_seed(3000 + seed);
        struct universe_end steady, jumping;
        play(&story, /* is_traced= */ false, &steady);
        story.trouble.wall_permille = 50;
        play(&story, /* is_traced= */ false, &jumping);
        assert_string_not_equal(steady.digest, jumping.digest);
        assert_string_equal(steady.digest_without_wall, jumping.digest_without_wall);
        assert_int_equal(jumping.status, RUN_COMPLETE);
    }
}

/* --- one seed --- */

static int tell_story(uint64_t seed)
{
    const struct story story =
        seed > 1000 && seed <= 2000 ? deadly_story(seed) : story_of_seed(seed);
    struct universe_end end;
    play(&story, /* is_traced= */ true, &end);
    fprintf(stderr, "%s after %lld s, %zu controllers, %zu questions, %zu records. %s\n",
        run_status_names[end.status], (long long)(end.lived_ms / 1000), end.life_count,
        end.question_count, end.record_count, end.complaint);
    return has_ended_well(&story, &end) ? 0 : 1;
}

int main(int argc, char **argv)
{
    int64_t number = 0;
    const bool has_number = argc == 3 && str_to_int64(str_of(argv[2]), &number);
    if (has_number && text_equal(argv[1], "--seed")) {
        return tell_story((uint64_t)number);
    }
    if (has_number && text_equal(argv[1], "--seeds")) {
        seed_count = (uint64_t)number;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redis_6_0_becomes_7_0),
        cmocka_unit_test(redis_7_0_becomes_valkey_8_1),
        cmocka_unit_test(shards_with_two_replicas_are_upgraded),
        cmocka_unit_test(a_quiet_run_does_each_step_once_and_keeps_its_way_back),
        cmocka_unit_test(what_was_upgraded_by_hand_is_not_touched_again),
        cmocka_unit_test(a_setting_that_an_operator_changed_is_kept),
        cmocka_unit_test(a_failover_before_the_first_step_stops_nothing),
        cmocka_unit_test(a_dead_node_refuses_the_start),
        cmocka_unit_test(finalize_repairs_an_old_node_that_died_at_the_pause_point),
        cmocka_unit_test(the_same_seed_gives_the_same_journal),
        cmocka_unit_test(troubled_runs_complete),
        cmocka_unit_test(runs_end_though_servers_die),
        cmocka_unit_test(an_aborted_run_is_planned_anew_and_completes),
        cmocka_unit_test(jumps_of_the_wall_clock_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
