/* Rules of engine_decide() whose mutants (tests/mutants) nothing else noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/mem.h"
#include "base/str.h"
#include "bench.h"

static int rules_set_up(void **state)
{
    struct bench *bench = mem_alloc(sizeof(*bench));
    bench_init(bench);
    *state = bench;
    return 0;
}

static int rules_tear_down(void **state)
{
    bench_release(*state);
    free(*state);
    return 0;
}

static void begin_and_run(struct bench *bench, int64_t quiet_ms)
{
    bench_begin(bench, false);
    bench_run(bench, quiet_ms);
}

static void go_on_for(struct bench *bench, int64_t duration_ms)
{
    const int64_t until_ms = bench->now_ms + duration_ms;
    while (bench->now_ms < until_ms) {
        assert_true(bench_step(bench));
    }
}

static void every_attempt_has_a_number_of_its_own(void **state)
{
    struct bench *bench = *state;
    bench->steps[8].has_no_effect = true;
    begin_and_run(bench, 5000);
    int64_t expected = 0;
    for (size_t i = 0; i < bench->record_count; i++) {
        const struct journal_record *record = &bench->records[i];
        if (record->type == JOURNAL_INTENT && text_equal(record->step, "s1/switchover")) {
            assert_int_equal(record->attempt, ++expected);
        }
    }
    assert_int_equal(expected, 3);
}

static void what_others_have_set_moving_is_waited_for(void **state)
{
    struct bench *bench = *state;
    bench->steps[8].is_moving = true;
    begin_and_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_RUNNING);
    assert_int_equal(bench_count(bench, JOURNAL_INTENT, "s1/switchover"), 0);
    bench->steps[8].is_moving = false;
    bench->steps[8].is_done = true;
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
    assert_int_equal(bench->steps[8].apply_count, 0);
}

static void what_moves_for_ever_is_asked_about_at_its_deadline(void **state)
{
    struct bench *bench = *state;
    bench->steps[8].moving_looks = 1000000;
    begin_and_run(bench, 30000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_int_equal(bench->state.steps[8].status, RUN_STEP_FAILED);
    assert_non_null(strstr(bench->state.reasons[0], "did not finish within its deadline"));
}

/* engine.md 6, row 50: a node that is down for other reasons counts. */
static void a_node_that_is_down_for_other_reasons_is_waited_for_by_name(void **state)
{
    struct bench *bench = *state;
    bench->broken[0] = "n2";
    begin_and_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_RUNNING);
    assert_int_equal(bench->steps[2].apply_count + bench->steps[5].apply_count, 0);
    assert_non_null(strstr(bench->state.steps[2].live.blocked.reason, "n2 is out of service"));
    bench->broken[0] = NULL;
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
}

static void a_node_that_is_down_already_may_be_taken_first(void **state)
{
    struct bench *bench = *state;
    bench->broken[0] = "n2";
    bench->broken[1] = "n5";
    begin_and_run(bench, 5000);
    assert_int_equal(bench->steps[2].apply_count, 0);
    assert_int_equal(bench->steps[5].apply_count, 1);
}

/* An answer may come after the question: what took effect late is not done twice. */
static void a_late_effect_of_an_unknown_step_is_waited_for(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench, false);
    while (bench->steps[8].apply_count == 0) {
        assert_true(bench_step(bench));
    }
    bench->steps[8].is_blind = true;
    bench_run(bench, 30000);
    assert_int_equal(bench->state.steps[8].status, RUN_STEP_UNKNOWN);
    bench->steps[8].is_blind = false;
    bench->steps[8].is_done = false;
    bench_operator(bench, RUN_COMMAND_RESUME);
    go_on_for(bench, 300); /* a step's settle_ms is 500 here */
    bench->steps[8].is_done = true;
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
    assert_int_equal(bench->steps[8].apply_count, 1);
}

static void a_node_that_is_silent_for_a_while_is_no_question(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench, false);
    while (bench->steps[8].apply_count == 0) {
        assert_true(bench_step(bench));
    }
    bench->steps[8].is_blind = true;
    go_on_for(bench, 5000); /* a step's deadline is 10 s here */
    assert_int_equal(bench->state.status, RUN_RUNNING);
    bench->steps[8].is_blind = false;
    bench_run(bench, 5000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
    assert_int_equal(bench->steps[8].apply_count, 1);
}

/* A look that is in flight comes back to a run that starts nothing any more. */
static void nothing_new_starts_after(struct bench *bench, enum run_command command)
{
    bench_begin(bench, false);
    while (bench->state.phases[0] != RUN_PHASE_OPEN) {
        assert_true(bench_step(bench));
    }
    bench_operator(bench, command);
    bench_run(bench, 5000);
    assert_int_equal(bench_count(bench, JOURNAL_INTENT, NULL), 0);
}

static void nothing_new_starts_while_pausing(void **state)
{
    struct bench *bench = *state;
    nothing_new_starts_after(bench, RUN_COMMAND_PAUSE);
    assert_int_equal(bench->state.status, RUN_PAUSED);
}

static void nothing_new_starts_while_aborting(void **state)
{
    struct bench *bench = *state;
    nothing_new_starts_after(bench, RUN_COMMAND_ABORT);
    assert_int_equal(bench->state.status, RUN_ABORTED);
}

static int64_t soaked_ms(const struct bench *bench)
{
    return bench->state.soak_healthy_ms + bench->state.soak_unsaved_ms;
}

static void soak_does_not_count_what_was_red_between(void **state)
{
    struct bench *bench = *state;
    begin_and_run(bench, 5000);
    bench->health = GATE_NOT_YET;
    go_on_for(bench, 3000);
    const int64_t before_ms = soaked_ms(bench);
    go_on_for(bench, 50000);
    bench->health = GATE_YES;
    go_on_for(bench, 10000);
    assert_in_range(soaked_ms(bench) - before_ms, 7000, 11000);
}

static void soak_does_not_count_a_second_that_ended_red(void **state)
{
    struct bench *bench = *state;
    begin_and_run(bench, 5000);
    bench->health = GATE_NOT_YET;
    go_on_for(bench, 3000);
    const int64_t before_ms = soaked_ms(bench);
    for (int i = 0; i < 20; i++) {
        bench->health = bench->health == GATE_YES ? GATE_NOT_YET : GATE_YES;
        const int64_t seen_ms = bench->state.soak_seen_ms;
        while (bench->state.soak_seen_ms == seen_ms) {
            assert_true(bench_step(bench));
        }
    }
    assert_int_equal(soaked_ms(bench), before_ms);
}

static void finalizing_closes_the_way_back(void **state)
{
    struct bench *bench = *state;
    begin_and_run(bench, 5000);
    assert_int_equal(bench->state.way_back, RUN_WAY_BACK_OPEN);
    bench_operator(bench, RUN_COMMAND_FINALIZE);
    assert_int_equal(bench->state.way_back, RUN_WAY_BACK_CLOSED);
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, rules_set_up, rules_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(every_attempt_has_a_number_of_its_own),
        RULE(what_others_have_set_moving_is_waited_for),
        RULE(what_moves_for_ever_is_asked_about_at_its_deadline),
        RULE(a_node_that_is_down_for_other_reasons_is_waited_for_by_name),
        RULE(a_node_that_is_down_already_may_be_taken_first),
        RULE(a_late_effect_of_an_unknown_step_is_waited_for),
        RULE(a_node_that_is_silent_for_a_while_is_no_question),
        RULE(nothing_new_starts_while_pausing),
        RULE(nothing_new_starts_while_aborting),
        RULE(soak_does_not_count_what_was_red_between),
        RULE(soak_does_not_count_a_second_that_ended_red),
        RULE(finalizing_closes_the_way_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
