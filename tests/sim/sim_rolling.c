/*
 * tests/sim/sim_rolling.c - runs against the simulated cluster that are told one by one.
 *
 * What happens by chance is in sim_seeds.c; here something is done at a certain moment, and the end
 * is looked at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "story.h"

#ifdef __SANITIZE_ADDRESS__
enum { WALL_SEED_COUNT = 5, ABORT_SEED_COUNT = 10 }; /* six times as slow */
#else
enum { WALL_SEED_COUNT = 20, ABORT_SEED_COUNT = 40 };
#endif

static struct universe_options options_of(
    const struct story *story, struct stage *stage, const struct plan *plan)
{
    struct universe_options options = story->universe;
    options.stage = stage;
    options.plan = plan;
    return options;
}

static void play_well(const struct story *story)
{
    struct universe_end end;
    story_play(story, /* is_traced= */ false, &end);
    if (!story_ends_well(story, &end)) {
        fail_msg("seed %llu: the run is %s; %s", (unsigned long long)story->stage.seed,
            run_status_names[end.status], end.complaint);
    }
}

/* --- without faults --- */

static struct story quiet_story(const struct hop *hop)
{
    struct story story = story_of_trouble(1);
    story.hop = hop;
    story.stage.server = hop->server;
    story.universe.trouble = (struct universe_trouble){0};
    return story;
}

static void redis_6_0_becomes_7_0(void **UNUSED(state))
{
    const struct story story = quiet_story(&story_hops[0]);
    play_well(&story);
}

static void redis_7_0_becomes_valkey_8_1(void **UNUSED(state))
{
    const struct story story = quiet_story(&story_hops[1]);
    play_well(&story);
}

static void shards_with_two_replicas_are_upgraded(void **UNUSED(state))
{
    struct story story = quiet_story(&story_hops[0]);
    story.stage.replica_count = 2;
    play_well(&story);
}

static void a_quiet_run_does_each_step_once_and_keeps_its_way_back(void **UNUSED(state))
{
    const struct story story = quiet_story(&story_hops[0]);
    struct universe_end end;
    story_play(&story, /* is_traced= */ false, &end);
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
    const struct story story = quiet_story(&story_hops[0]);
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
    const struct story story = quiet_story(&story_hops[0]);
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

/* Row 27: the plan is made anew by itself, because it does no more than was agreed. */
static void a_failover_before_the_first_step_changes_the_plan(void **UNUSED(state))
{
    AUTO_STAGE stage = {0};
    struct universe_end end;
    play_event(&stage, (struct universe_event){RUN_PLANNED, fail_over_first_shard}, 2, &end);
    assert_int_equal(end.status, RUN_COMPLETE);
    assert_int_equal(end.question_count, 0);
    assert_int_equal(end.counts[JOURNAL_PLAN_REVISED], 1);
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

static void an_aborted_run_is_planned_anew_and_completes(void **UNUSED(state))
{
    for (uint64_t seed = 1; seed <= ABORT_SEED_COUNT; seed++) {
        struct story story = story_of_trouble(2000 + seed);
        story.universe.abort_at_ms = 300 * (int64_t)seed;
        story.good_ends |= 1u << RUN_ABORTED;
        AUTO_STAGE stage = {0};
        stage_open(&stage, &story.stage);
        AUTO_PLAN plan = {0};
        stage_plan(&stage, story.hop->product, story.hop->version, &plan);
        struct universe_options options = options_of(&story, &stage, &plan);
        struct universe_end end;
        universe_run(&options, &end);
        assert_true(story_ends_well(&story, &end));
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
    const struct story story = story_of_trouble(42);
    struct universe_end first, second;
    story_play(&story, /* is_traced= */ false, &first);
    story_play(&story, /* is_traced= */ false, &second);
    assert_string_equal(first.digest, second.digest);
    const struct story other = story_of_trouble(44);
    story_play(&other, /* is_traced= */ false, &second);
    assert_string_not_equal(first.digest, second.digest);
}

static void jumps_of_the_wall_clock_change_nothing(void **UNUSED(state))
{
    for (uint64_t seed = 1; seed <= WALL_SEED_COUNT; seed++) {
        struct story story = story_of_trouble(3000 + seed);
        struct universe_end steady, jumping;
        story_play(&story, /* is_traced= */ false, &steady);
        story.universe.trouble.wall_permille = 50;
        story_play(&story, /* is_traced= */ false, &jumping);
        assert_string_not_equal(steady.digest, jumping.digest);
        assert_string_equal(steady.digest_without_wall, jumping.digest_without_wall);
        assert_int_equal(jumping.status, RUN_COMPLETE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redis_6_0_becomes_7_0),
        cmocka_unit_test(redis_7_0_becomes_valkey_8_1),
        cmocka_unit_test(shards_with_two_replicas_are_upgraded),
        cmocka_unit_test(a_quiet_run_does_each_step_once_and_keeps_its_way_back),
        cmocka_unit_test(what_was_upgraded_by_hand_is_not_touched_again),
        cmocka_unit_test(a_setting_that_an_operator_changed_is_kept),
        cmocka_unit_test(a_failover_before_the_first_step_changes_the_plan),
        cmocka_unit_test(a_dead_node_refuses_the_start),
        cmocka_unit_test(finalize_repairs_an_old_node_that_died_at_the_pause_point),
        cmocka_unit_test(the_same_seed_gives_the_same_journal),
        cmocka_unit_test(an_aborted_run_is_planned_anew_and_completes),
        cmocka_unit_test(jumps_of_the_wall_clock_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
