/* Arenas: zeroed, aligned, stable memory that dies together. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void memory_is_zeroed_aligned_and_apart(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    unsigned char *last = NULL;
    for (size_t size = 1; size < 3000; size += 37) {
        unsigned char *memory = arena_alloc(&arena, size);
        assert_int_equal((uintptr_t)memory % 16, 0);
        assert_ptr_not_equal(memory, last);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(memory[i], 0);
            memory[i] = 0xff; /* shows up if a later piece overlaps */
        }
        last = memory;
    }
}

static void one_piece_may_be_larger_than_a_chunk(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    char *small = arena_strdup(&arena, "stays");
    char *large = arena_alloc(&arena, 1000000);
    large[999999] = 'x';
    assert_string_equal(small, "stays");
}

static void pushed_elements_survive_growth(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    int64_t *items = NULL;
    size_t count = 0;
    for (int64_t i = 0; i < 1000; i++) {
        int64_t *item = arena_push(&arena, &items, &count, sizeof(*items));
        assert_int_equal(*item, 0);
        *item = i;
    }
    assert_int_equal(count, 1000);
    for (int64_t i = 0; i < 1000; i++) {
        assert_int_equal(items[i], i);
    }
}

static void texts_are_copied_and_formatted(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    assert_string_equal(arena_strndup(&arena, "abcdef", 3), "abc");
    assert_string_equal(arena_strndup(&arena, NULL, 0), "");
    assert_string_equal(arena_format(&arena, "%s-%d", "n", 5), "n-5");
}

static void a_released_arena_can_be_used_again(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    assert_non_null(arena_alloc(&arena, 10));
    arena_release(&arena);
    assert_null(arena.head);
    assert_string_equal(arena_strdup(&arena, "again"), "again");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(one_piece_may_be_larger_than_a_chunk),
        cmocka_unit_test(pushed_elements_survive_growth),
        cmocka_unit_test(texts_are_copied_and_formatted),
        cmocka_unit_test(a_released_arena_can_be_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
