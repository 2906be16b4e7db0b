/*
 * The controller dies after each journal record of a whole run, in turn: the next one folds what is
 * on disk, looks at the world, and finishes. Nothing is applied twice that had taken effect.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/mem.h"
#include "bench.h"

static void finish(struct bench *bench)
{
    bench_run(bench, 5000);
    if (bench->state.status == RUN_PAUSED) { /* pause was journaled before the crash */
        bench_operator(bench, RUN_COMMAND_RESUME);
        bench_run(bench, 5000);
    }
    if (bench->state.status == RUN_SOAKING) {
        bench_operator(bench, RUN_COMMAND_FINALIZE);
        bench_run(bench, 5000);
    }
}

static size_t count_records_of_a_whole_run(void)
{
    struct bench *bench = mem_alloc(sizeof(*bench));
    bench_init(bench);
    bench_begin(bench, false);
    finish(bench);
    assert_int_equal(bench->state.status, RUN_COMPLETE);
    const size_t count = bench->record_count;
    bench_release(bench);
    free(bench);
    return count;
}

/* Runs until `crash_at` records are there, crashes (losing the record `lost` last ones), goes on.
 */
static void crash_once(size_t crash_at, size_t lost)
{
    struct bench *bench = mem_alloc(sizeof(*bench));
    bench_init(bench);
    bench_begin(bench, false);
    while (bench->record_count < crash_at && bench_step(bench)) {
        if (bench->state.status == RUN_SOAKING && bench->task_count == 0) {
            bench_operator(bench, RUN_COMMAND_FINALIZE);
        }
    }
    const bool was_ended = bench->has_ended;
    const size_t kept = bench->record_count - lost;
    bench_crash(bench, kept);
    bench_begin(bench, true);
    finish(bench);
    assert_int_equal(bench->state.status, RUN_COMPLETE);
    for (int i = 2; i < 13; i++) {
        assert_true(bench->steps[i].is_done);
        assert_true(bench->steps[i].apply_count == 1);
    }
    assert_int_equal(bench->out_max, 1);
    assert_true(bench_fold_equals_state(bench));
    assert_true(was_ended || bench_count(bench, JOURNAL_RESUMED, NULL) == 1);
    bench_release(bench);
    free(bench);
}

static void a_crash_after_any_record_is_continued(void **UNUSED(state))
{
    const size_t count = count_records_of_a_whole_run();
    assert_true(count > 40);
    for (size_t crash_at = 1; crash_at < count; crash_at++) {
        crash_once(crash_at, 0);
    }
}

static void a_crash_before_the_commit_of_an_outcome_repeats_nothing(void **UNUSED(state))
{
    struct bench *bench = mem_alloc(sizeof(*bench));
    bench_init(bench);
    bench_begin(bench, false);
    while (bench_count(bench, JOURNAL_OUTCOME, "s1/switchover") == 0) {
        assert_true(bench_step(bench));
    }
    size_t kept = bench->record_count;
    while (bench->records[kept - 1].type != JOURNAL_APPLIED) {
        kept--;
    }
    bench_crash(bench, kept);
    bench_begin(bench, true);
    finish(bench);
    assert_int_equal(bench->steps[8].apply_count, 1);
    assert_int_equal(bench->state.status, RUN_COMPLETE);
    bench_release(bench);
    free(bench);
}

static void a_crash_between_intent_and_act_applies_it_once(void **UNUSED(state))
{
    struct bench *bench = mem_alloc(sizeof(*bench));
    bench_init(bench);
    bench_begin(bench, false);
    while (bench_count(bench, JOURNAL_INTENT, "s1/switchover") == 0) {
        assert_true(bench_step(bench));
    }
    bench_crash(bench, bench->record_count);
    bench_begin(bench, true);
    assert_int_equal(bench->tasks[0].kind, RUN_TASK_CLAIM);
    assert_true(bench_step(bench));
    assert_int_equal(bench->tasks[0].kind, RUN_TASK_VERIFY);
    assert_true(bench->tasks[0].must_stop);
    finish(bench);
    assert_int_equal(bench->steps[8].apply_count, 1);
    assert_int_equal(bench_count(bench, JOURNAL_INTENT, "s1/switchover"), 2);
    bench_release(bench);
    free(bench);
}

static void what_was_captured_before_the_crash_is_not_captured_again(void **UNUSED(state))
{
    struct bench *bench = mem_alloc(sizeof(*bench));
    bench_init(bench);
    bench_begin(bench, false);
    while (bench_count(bench, JOURNAL_INTENT, "s1/n1/backlog") == 0) {
        assert_true(bench_step(bench));
    }
    bench_crash(bench, bench->record_count);
    bench_begin(bench, true);
    while (bench_count(bench, JOURNAL_INTENT, "s1/n1/backlog") == 1) {
        assert_true(bench_step(bench));
    }
    AUTO_JSON wanted = js_object();
    js_put_text(wanted, "value", "old");
    assert_true(js_equal(bench->state.steps[0].before, wanted));
    assert_int_equal(bench_count(bench, JOURNAL_SCOPE_OPEN, "s1/n1/backlog"), 1);
    bench_release(bench);
    free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_after_any_record_is_continued),
        cmocka_unit_test(a_crash_before_the_commit_of_an_outcome_repeats_nothing),
        cmocka_unit_test(a_crash_between_intent_and_act_applies_it_once),
        cmocka_unit_test(what_was_captured_before_the_crash_is_not_captured_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
