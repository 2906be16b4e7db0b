/* Names, values and ages of keys. */
#include "probe/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_value_follows_from_incarnation_and_number_alone(void **UNUSED(state))
{
    AUTO_BUF first = {0};
    AUTO_BUF second = {0};
    key_write_value(&first, "one", 7);
    key_write_value(&second, "one", 7);
    assert_int_equal(first.size, KEY_VALUE_SIZE);
    assert_string_equal(buf_text(&first), buf_text(&second));
    assert_int_equal(strspn(buf_text(&first), "0123456789abcdef"), KEY_VALUE_SIZE);
    key_write_value(&second, "one", 8);
    assert_string_not_equal(buf_text(&first), buf_text(&second));
    key_write_value(&second, "two", 7);
    assert_string_not_equal(buf_text(&first), buf_text(&second));
}

/* A later version must read back what an earlier one wrote. */
static void names_and_values_are_what_they_always_were(void **UNUSED(state))
{
    AUTO_BUF text = {0};
    key_write_name(&text, "one", 42);
    assert_string_equal(buf_text(&text), "upshift:p:one:42");
    key_write_value(&text, "one", 42);
    assert_memory_equal(buf_text(&text), "e3e4e19f25ffa0fb", 16);
}

static void ages_tell_what_is_old_and_what_may_have_expired(void **UNUSED(state))
{
    struct keyspace keys;
    keyspace_init(&keys, "one", 60000000);
    assert_int_equal(keyspace_written_before(&keys, 5000000), 0);
    assert_int_equal(keyspace_expires_us(&keys, 0), INT64_MAX);
    keyspace_note_time(&keys, 1000000);
    keys.next = 100;
    keyspace_note_time(&keys, 1500000); /* within the same second: not kept */
    keys.next = 200;
    keyspace_note_time(&keys, 2000000);
    assert_int_equal(keys.age_count, 2);
    assert_int_equal(keyspace_written_before(&keys, 1999999), 0);
    assert_int_equal(keyspace_written_before(&keys, 2000000), 200);
    assert_int_equal(keyspace_expires_us(&keys, 199), 61000000);
    assert_int_equal(keyspace_expires_us(&keys, 200), 62000000);
    keyspace_release(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_follows_from_incarnation_and_number_alone),
        cmocka_unit_test(names_and_values_are_what_they_always_were),
        cmocka_unit_test(ages_tell_what_is_old_and_what_may_have_expired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
