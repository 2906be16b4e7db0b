#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "course.h"
#include "engine/snapshot.h"

int open_bench(void **state)
{
    struct bench *bench = mem_alloc(sizeof(*bench));
    bench_init(bench);
    *state = bench;
    return 0;
}

int close_bench(void **state)
{
    struct bench *bench = *state;
    const bool is_folded = bench_fold_equals_state(bench);
    bench_release(bench);
    free(bench);
    return is_folded ? 0 : 1;
}

void go_to_soak(struct bench *bench)
{
    bench_begin(bench, false);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_SOAKING);
}

/* Until the step's act has reached the world. */
void go_until_applied(struct bench *bench, size_t step)
{
    bench_begin(bench, false);
    while (bench->steps[step].apply_count == 0) {
        assert_true(bench_step(bench));
    }
}

/* Fails at once, and asks. */
void go_to_question(struct bench *bench, size_t step)
{
    bench->steps[step].has_no_effect = true;
    bench_begin(bench, false);
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_PAUSED);
    assert_true(bench->state.has_question);
}

void assert_rolled_back(struct bench *bench)
{
    bench_run(bench, 3000);
    assert_int_equal(bench->state.status, RUN_ROLLED_BACK);
    assert_int_equal(bench->state.direction, RUN_BACK);
    assert_int_equal(bench->exit_code, 13);
    assert_true(bench->out_max <= 1);
    for (size_t i = 0; i < bench->state.step_count; i++) {
        assert_false(bench->state.steps[i].is_scope_open);
        assert_int_not_equal(bench->state.steps[i].status, RUN_STEP_PENDING);
        assert_int_not_equal(bench->state.steps[i].status, RUN_STEP_INTENDED);
    }
}

bool is_offered(const struct bench *bench, const char *answer)
{
    AUTO_JSON snapshot = run_snapshot(&bench->state, bench->now_ms, 1700000000000);
    const struct json *answers = js_get(js_get(snapshot, "question"), "answers");
    for (size_t i = 0; i < js_count(answers); i++) {
        if (strstr(js_as_text(js_at(answers, i)), answer) != NULL) {
            return true;
        }
    }
    return false;
}
