/* The set of numbers, compared with a plain array of flags. */
#include "probe/ranges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"

enum { NUMBER_COUNT = 200 };

static void assert_same(const struct ranges *ranges, const bool flags[NUMBER_COUNT])
{
    int64_t total = 0;
    for (int64_t n = 0; n < NUMBER_COUNT; n++) {
        assert_int_equal(ranges_has(ranges, n), flags[n]);
        if (flags[n]) {
            assert_int_equal(ranges_at(ranges, total), n);
            total++;
        }
    }
    assert_int_equal(ranges->total, total);
    for (size_t i = 1; i < ranges->count; i++) {
        assert_true(ranges->items[i].from > ranges->items[i - 1].to + 1);
    }
}

static void any_order_of_adding_and_removing_gives_the_same_set(void **UNUSED(state))
{
    struct random random = {7};
    struct ranges ranges = {0};
    bool flags[NUMBER_COUNT] = {false};
    for (int round = 0; round < 2000; round++) {
        const int64_t from = (int64_t)random_below(&random, NUMBER_COUNT);
        const int64_t size = (int64_t)random_below(&random, (uint64_t)(NUMBER_COUNT - from));
        const int64_t to = from + (size < 20 ? size : 20) - (size > 0 ? 1 : 0);
        const bool is_added = random_below(&random, 2) == 0;
        if (is_added) {
            ranges_add(&ranges, from, to);
        } else {
            ranges_remove(&ranges, from, to);
        }
        for (int64_t n = from; n <= to; n++) {
            flags[n] = is_added;
        }
        assert_same(&ranges, flags);
    }
    ranges_release(&ranges);
}

static void neighbours_become_one_range(void **UNUSED(state))
{
    struct ranges ranges = {0};
    ranges_add(&ranges, 1, 1);
    ranges_add(&ranges, 3, 3);
    assert_int_equal(ranges.count, 2);
    ranges_add(&ranges, 2, 2);
    assert_int_equal(ranges.count, 1);
    ranges_release(&ranges);
}

static void the_smallest_comes_out_first(void **UNUSED(state))
{
    struct ranges ranges = {0};
    int64_t number;
    assert_false(ranges_pop(&ranges, &number));
    ranges_add(&ranges, 8, 9);
    ranges_add(&ranges, 4, 4);
    assert_true(ranges_pop(&ranges, &number));
    assert_int_equal(number, 4);
    assert_true(ranges_pop(&ranges, &number));
    assert_int_equal(number, 8);
    assert_int_equal(ranges.total, 1);
    ranges_release(&ranges);
}

static void numbers_below_a_limit_move_and_split_a_range(void **UNUSED(state))
{
    struct ranges ranges = {0};
    struct ranges moved = {0};
    ranges_add(&ranges, 0, 9);
    ranges_add(&ranges, 20, 29);
    ranges_move_below(&ranges, 25, &moved);
    assert_int_equal(moved.total, 15);
    assert_int_equal(ranges.total, 5);
    assert_int_equal(ranges.items[0].from, 25);
    ranges_add_all(&ranges, &moved);
    assert_int_equal(ranges.total, 20);
    ranges_remove_all(&ranges, &moved);
    assert_int_equal(ranges.total, 5);
    ranges_release(&ranges);
    ranges_release(&moved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_of_adding_and_removing_gives_the_same_set),
        cmocka_unit_test(neighbours_become_one_range),
        cmocka_unit_test(the_smallest_comes_out_first),
        cmocka_unit_test(numbers_below_a_limit_move_and_split_a_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
