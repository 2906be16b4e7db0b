/*
 * tests/torture/torture.c - one upgrade of 33 steps, in which each single thing goes wrong once.
 *
 * Every append fails, and the controller dies before and after it; it dies before and after every
 * task that it hands to a worker, before every answer, and at every allocation (out of memory ends
 * the process, decision 0002); every call of a server is refused, loses its answer, or comes too
 * late. Then the same in pairs: what happens to the controller that resumes is the second strike.
 * Each time the run has to complete, with every invariant of the simulation kept.
 *
 *     torture            a sample of each, evenly spread (`make test`)
 *     torture --whole    all of it; a third argument: of the pairs only 1/2 or 2/2 (`make torture`)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/mem.h"
#include "base/str.h"
#include "universe.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
enum { SMALL_COUNT = 8, SMALL_PAIR_COUNT = 20 }; /* six times as slow */
#else
enum { SMALL_COUNT = 25, SMALL_PAIR_COUNT = 150 };
static void __lsan_disable(void)
{
}
static void __lsan_enable(void)
{
}
#endif

enum { STEP_COUNT_MIN = 30 };

static bool is_whole;
static int64_t part, part_count = 1;      /* of the pairs */
static int64_t place_counts[PLACE_COUNT]; /* of a run in which nothing goes wrong */
static int64_t call_count;

/* --- the allocations of the controller: the linker sends them here --- */

void *__wrap_mem_alloc(size_t size);
void *__real_mem_alloc(size_t size);
void *__wrap_mem_alloc(size_t size)
{
    universe_on_allocation();
    return __real_mem_alloc(size);
}

void *__wrap_mem_alloc_array(size_t count, size_t size);
void *__real_mem_alloc_array(size_t count, size_t size);
void *__wrap_mem_alloc_array(size_t count, size_t size)
{
    universe_on_allocation();
    return __real_mem_alloc_array(count, size);
}

void *__wrap_mem_resize(void *old, size_t size);
void *__real_mem_resize(void *old, size_t size);
void *__wrap_mem_resize(void *old, size_t size)
{
    universe_on_allocation();
    return __real_mem_resize(old, size);
}

char *__wrap_mem_strdup(const char *text);
char *__real_mem_strdup(const char *text);
char *__wrap_mem_strdup(const char *text)
{
    universe_on_allocation();
    return __real_mem_strdup(text);
}

/* --- one run --- */

/* What goes wrong in a run: up to two strikes, or a call. */
struct torment {
    struct universe_strike strikes[2];
    size_t strike_count;
    int64_t call; /* 0: none */
    enum sim_fault fault;
};

static void suffer(const struct torment *torment, struct universe_end *ret_end)
{
    const struct stage_options options = {.server = STAGE_REDIS_6_0,
        .shard_count = 3,
        .replica_count = 1,
        .max_unavailable = 1,
        .seed = 1};
    AUTO_STAGE stage = {0};
    stage_open(&stage, &options);
    AUTO_PLAN plan = {0};
    stage_plan(&stage, "redis", "7.0", &plan);
    assert_true(plan_step_count(&plan) >= STEP_COUNT_MIN);
    const int64_t planning_count = sim_get_call_count(stage.sim);
    if (torment->call > 0) {
        sim_fail_call(stage.sim, torment->call, torment->fault);
    }
    const struct universe_options universe = {.stage = &stage,
        .plan = &plan,
        .seed = 1,
        .strikes = torment->strikes,
        .strike_count = torment->strike_count};
    universe_run(&universe, ret_end);
    call_count = sim_get_call_count(stage.sim) - planning_count;
}

static const char *const place_names[] = {"append", "send", "answer", "allocation"};
static const char *const blow_names[] = {"fails", "dies before", "dies after"};

static void tell_torment(const struct torment *torment)
{
    for (size_t i = 0; i < torment->strike_count; i++) {
        const struct universe_strike *strike = &torment->strikes[i];
        print_error("strike: %s %lld %s\n", place_names[strike->place], (long long)strike->index,
            blow_names[strike->blow]);
    }
    if (torment->call > 0) {
        print_error("call %lld: fault %d\n", (long long)torment->call, (int)torment->fault);
    }
}

/* Returns the end, for what else is to be looked at. */
static struct universe_end survive(const struct torment *torment)
{
    struct universe_end end;
    suffer(torment, &end);
    if (end.complaint[0] != '\0' || end.status != RUN_COMPLETE) {
        tell_torment(torment);
        fail_msg("the run is %s; %s", run_status_names[end.status], end.complaint);
    }
    return end;
}

/* The distance between the places of a sample of about `wanted` of `count`. */
static int64_t stride_of(int64_t count, int64_t wanted)
{
    return is_whole || count <= wanted ? 1 : count / wanted;
}

static void strike_each(enum universe_place place, enum universe_blow blow)
{
    const int64_t stride = stride_of(place_counts[place], SMALL_COUNT);
    assert_true(place_counts[place] > 0);
    for (int64_t i = 1; i <= place_counts[place]; i += stride) {
        const struct torment torment = {.strikes = {{place, i, blow}}, .strike_count = 1};
        const struct universe_end end = survive(&torment);
        assert_int_equal(end.strikes_left, 0);
        assert_true(end.life_count == 2 || end.counts[JOURNAL_FINISH] == 1);
    }
}

/* --- each alone --- */

static int count_places(void **UNUSED(state))
{
    const struct torment none = {0};
    struct universe_end end;
    suffer(&none, &end);
    memcpy(place_counts, end.places, sizeof(place_counts));
    print_message("# %lld appends, %lld sends, %lld answers, %lld allocations, %lld calls\n",
        (long long)place_counts[PLACE_APPEND], (long long)place_counts[PLACE_SEND],
        (long long)place_counts[PLACE_ANSWER], (long long)place_counts[PLACE_ALLOCATION],
        (long long)call_count);
    return end.status == RUN_COMPLETE ? 0 : 1;
}

static void every_append_may_fail(void **UNUSED(state))
{
    strike_each(PLACE_APPEND, BLOW_FAILS);
}

static void the_controller_may_die_before_every_append(void **UNUSED(state))
{
    strike_each(PLACE_APPEND, BLOW_DIES_BEFORE);
}

static void the_controller_may_die_after_every_append(void **UNUSED(state))
{
    strike_each(PLACE_APPEND, BLOW_DIES_AFTER);
}

static void the_controller_may_die_before_every_send(void **UNUSED(state))
{
    strike_each(PLACE_SEND, BLOW_DIES_BEFORE);
}

static void the_controller_may_die_after_every_send(void **UNUSED(state))
{
    strike_each(PLACE_SEND, BLOW_DIES_AFTER);
}

static void the_controller_may_die_before_every_answer(void **UNUSED(state))
{
    strike_each(PLACE_ANSWER, BLOW_DIES_BEFORE);
}

static void the_controller_may_die_of_every_allocation(void **UNUSED(state))
{
    __lsan_disable(); /* a process that dies gives its memory back; here it is lost */
    strike_each(PLACE_ALLOCATION, BLOW_DIES_BEFORE);
    __lsan_enable();
}

static void fail_each_call(enum sim_fault fault)
{
    const struct torment none = {0};
    (void)survive(&none);
    const int64_t count = call_count;
    const int64_t stride = stride_of(count, SMALL_COUNT);
    for (int64_t i = 1; i <= count; i += stride) {
        const struct torment torment = {.call = i, .fault = fault};
        (void)survive(&torment);
    }
}

static void every_call_may_be_refused(void **UNUSED(state))
{
    fail_each_call(SIM_FAULT_REFUSE);
}

static void every_call_may_lose_its_answer(void **UNUSED(state))
{
    fail_each_call(SIM_FAULT_DROP_REPLY);
}

static void every_call_may_take_effect_too_late(void **UNUSED(state))
{
    fail_each_call(SIM_FAULT_DELAY);
}

/* --- in pairs --- */

static const enum universe_place pair_places[] = {PLACE_APPEND, PLACE_SEND, PLACE_ANSWER};

/* How far the resumed run goes is known when the first strike has hit. */
static int64_t count_after(const struct universe_strike *first, enum universe_place place)
{
    const struct torment torment = {.strikes = {*first}, .strike_count = 1};
    const struct universe_end end = survive(&torment);
    return end.places[place];
}

static void strike_pairs(const struct universe_strike *first, int64_t stride, int64_t *taken)
{
    for (size_t p = 0; p < ARRAY_COUNT(pair_places); p++) {
        const int64_t count = count_after(first, pair_places[p]);
        for (int64_t i = 1; i <= count; i++) {
            if (++*taken % (stride * part_count) != part * stride) {
                continue;
            }
            const struct torment torment = {
                .strikes = {*first, {pair_places[p], i, BLOW_DIES_AFTER}}, .strike_count = 2};
            const struct universe_end end = survive(&torment);
            assert_int_equal(end.strikes_left, 0);
        }
    }
}

static void the_controller_that_resumes_may_die_as_well(void **UNUSED(state))
{
    int64_t total = 0;
    for (size_t p = 0; p < ARRAY_COUNT(pair_places); p++) {
        total += place_counts[pair_places[p]];
    }
    const int64_t stride = stride_of(total * total / 2, SMALL_PAIR_COUNT);
    const int64_t first_stride = stride_of(total, SMALL_COUNT / 4);
    int64_t taken = 0;
    for (size_t p = 0; p < ARRAY_COUNT(pair_places); p++) {
        for (int64_t i = 1; i <= place_counts[pair_places[p]]; i += first_stride) {
            const struct universe_strike first = {pair_places[p], i, BLOW_DIES_AFTER};
            strike_pairs(&first, stride / first_stride + 1, &taken);
        }
    }
}

int main(int argc, char **argv)
{
    is_whole = argc > 1 && text_equal(argv[1], "--whole");
    if (argc > 2) {
        part_count = 2;
        part = text_equal(argv[2], "2/2") ? 1 : 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_append_may_fail),
        cmocka_unit_test(the_controller_may_die_before_every_append),
        cmocka_unit_test(the_controller_may_die_after_every_append),
        cmocka_unit_test(the_controller_may_die_before_every_send),
        cmocka_unit_test(the_controller_may_die_after_every_send),
        cmocka_unit_test(the_controller_may_die_before_every_answer),
        cmocka_unit_test(the_controller_may_die_of_every_allocation),
        cmocka_unit_test(every_call_may_be_refused),
        cmocka_unit_test(every_call_may_lose_its_answer),
        cmocka_unit_test(every_call_may_take_effect_too_late),
        cmocka_unit_test(the_controller_that_resumes_may_die_as_well),
    };
    return cmocka_run_group_tests_name("torture", tests, count_places, NULL);
}
