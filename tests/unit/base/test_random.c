/* Repeatable and unrepeatable numbers, and the digest that names contents. */
#include "base/random.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/sha256.h"

static void a_seed_repeats_its_numbers(void **UNUSED(state))
{
    struct random random = {1234567};
    /* The first numbers of SplitMix64 for this seed, as published with the reference code. */
    assert_int_equal(random_next(&random), 6457827717110365317U);
    assert_int_equal(random_next(&random), 3203168211198807973U);
    assert_int_equal(random_next(&random), 9817491932198370423U);
}

static void numbers_stay_below_the_limit(void **UNUSED(state))
{
    struct random random = {7};
    unsigned seen = 0;
    for (int i = 0; i < 1000; i++) {
        const uint64_t number = random_below(&random, 5);
        assert_in_range(number, 0, 4);
        seen |= 1U << number;
    }
    assert_int_equal(seen, 31);
}

static void names_are_letters_and_digits_and_differ(void **UNUSED(state))
{
    char a[17];
    char b[17];
    random_name(a, sizeof(a));
    random_name(b, sizeof(b));
    assert_int_equal(strlen(a), 16);
    assert_string_not_equal(a, b);
    for (const char *c = a; *c != '\0'; c++) {
        assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c));
    }
    char one[1] = {'x'};
    random_name(one, sizeof(one));
    assert_int_equal(one[0], '\0');
}

static void sha256_gives_the_published_digests(void **UNUSED(state))
{
    char hex[SHA256_HEX_SIZE];
    sha256_hex("abc", 3, hex); /* FIPS 180-2, B.1 */
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_hex("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void sha256_in_pieces_is_the_same(void **UNUSED(state))
{
    char whole[SHA256_HEX_SIZE];
    char pieces[SHA256_HEX_SIZE];
    sha256_hex("hello world", 11, whole);
    struct sha256 *sha = sha256_new();
    sha256_add(sha, "hello", 5);
    sha256_add(sha, "", 0);
    sha256_add(sha, " world", 6);
    sha256_finish(sha, pieces);
    assert_string_equal(whole, pieces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_repeats_its_numbers),
        cmocka_unit_test(numbers_stay_below_the_limit),
        cmocka_unit_test(names_are_letters_and_digits_and_differ),
        cmocka_unit_test(sha256_gives_the_published_digests),
        cmocka_unit_test(sha256_in_pieces_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
