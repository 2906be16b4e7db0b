/* RESP2 and RESP3: every type, input cut at every byte, limits, and what is not RESP. */
#include "wire/resp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

enum { POOL_COUNT = 64 };

static struct resp pool[POOL_COUNT];

/* Parses from an exact copy, so that ASan sees a read past the end. */
static enum resp_result parse_exact(struct str input, struct resp *ret_value, size_t *ret_used)
{
    AUTO_FREE char *copy = mem_alloc(input.size);
    memcpy(copy, input.data, input.size);
    return resp_parse((struct str){input.size == 0 ? NULL : copy, input.size}, pool, POOL_COUNT,
        ret_value, ret_used);
}

static struct resp parsed(struct str input)
{
    struct resp value = {0};
    size_t used = 0;
    assert_int_equal(resp_parse(input, pool, POOL_COUNT, &value, &used), RESP_DONE);
    assert_int_equal(used, input.size);
    return value;
}

static const struct {
    const char *input;
    enum resp_type type;
    const char *text; /* of strings, errors, doubles */
    int64_t number;   /* of integers and booleans; count of arrays and maps */
} kinds[] = {
    {"+OK\r\n", RESP_STRING, "OK", 0},
    {"+\r\n", RESP_STRING, "", 0},
    {"-ERR no such key\r\n", RESP_ERROR, "ERR no such key", 0},
    {":1000\r\n", RESP_INTEGER, NULL, 1000},
    {":-7\r\n", RESP_INTEGER, NULL, -7},
    {":+7\r\n", RESP_INTEGER, NULL, 7},
    {":-9223372036854775808\r\n", RESP_INTEGER, NULL, INT64_MIN},
    {"$5\r\nhello\r\n", RESP_STRING, "hello", 0},
    {"$4\r\n\r\n\r\n\r\n", RESP_STRING, "\r\n\r\n", 0},
    {"$0\r\n\r\n", RESP_STRING, "", 0},
    {"$-1\r\n", RESP_NULL, NULL, 0},
    {"*-1\r\n", RESP_NULL, NULL, 0},
    {"_\r\n", RESP_NULL, NULL, 0},
    {"#t\r\n", RESP_BOOL, NULL, 1},
    {"#f\r\n", RESP_BOOL, NULL, 0},
    {",3.14\r\n", RESP_DOUBLE, "3.14", 0},
    {",-inf\r\n", RESP_DOUBLE, "-inf", 0},
    {"(3492890328409238509324850943850943825024385\r\n", RESP_DOUBLE,
        "3492890328409238509324850943850943825024385", 0},
    {"!8\r\nERR a\r\nb\r\n", RESP_ERROR, "ERR a\r\nb", 0},
    {"=8\r\ntxt:some\r\n", RESP_STRING, "some", 0},
    {"=4\r\ntxt:\r\n", RESP_STRING, "", 0},
    {"*0\r\n", RESP_ARRAY, NULL, 0},
    {"*2\r\n$1\r\na\r\n:2\r\n", RESP_ARRAY, NULL, 2},
    {"~1\r\n+x\r\n", RESP_ARRAY, NULL, 1},
    {">2\r\n+message\r\n+x\r\n", RESP_ARRAY, NULL, 2},
    {"%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n", RESP_MAP, NULL, 2},
    {"|1\r\n+ttl\r\n:3600\r\n+x\r\n", RESP_STRING, "x", 0},
};

static void every_type_is_understood(void **UNUSED(state))
{
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        const struct resp value = parsed(str_of(kinds[i].input));
        assert_int_equal(value.type, kinds[i].type);
        if (kinds[i].text != NULL) {
            assert_true(str_is(value.text, kinds[i].text));
        } else if (value.type == RESP_ARRAY || value.type == RESP_MAP) {
            assert_int_equal(value.count, kinds[i].number);
        } else {
            assert_int_equal(value.number, kinds[i].number);
        }
        assert_int_equal(value.is_push, kinds[i].input[0] == '>');
    }
}

static void input_cut_at_any_byte_asks_for_more(void **UNUSED(state))
{
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        const size_t size = strlen(kinds[i].input);
        for (size_t cut = 0; cut < size; cut++) {
            struct resp value = {.number = 42};
            size_t used = 42;
            const struct str part = {kinds[i].input, cut};
            assert_int_equal(parse_exact(part, &value, &used), RESP_MORE);
            assert_int_equal(value.number, 42); /* untouched */
            assert_int_equal(used, 42);
        }
    }
}

static void what_follows_a_value_is_left(void **UNUSED(state))
{
    struct str input = STR("+A\r\n$1\r\nB\r\n:3\r\n$9\r\n");
    struct resp value;
    size_t used;
    assert_int_equal(resp_parse(input, NULL, 0, &value, &used), RESP_DONE);
    assert_int_equal(used, 4);
    input = (struct str){input.data + used, input.size - used};
    assert_int_equal(resp_parse(input, NULL, 0, &value, &used), RESP_DONE);
    assert_true(str_is(value.text, "B"));
    input = (struct str){input.data + used, input.size - used};
    assert_int_equal(resp_parse(input, NULL, 0, &value, &used), RESP_DONE);
    assert_int_equal(value.number, 3);
    input = (struct str){input.data + used, input.size - used};
    assert_int_equal(resp_parse(input, NULL, 0, &value, &used), RESP_MORE);
}

static void nested_arrays_keep_their_own_elements(void **UNUSED(state))
{
    const struct resp value = parsed(
        STR("*3\r\n*2\r\n:1\r\n*1\r\n:2\r\n|1\r\n+k\r\n*1\r\n:9\r\n:3\r\n*2\r\n:4\r\n:5\r\n"));
    assert_int_equal(value.count, 3);
    assert_int_equal(value.items[0].items[0].number, 1);
    assert_int_equal(value.items[0].items[1].items[0].number, 2);
    assert_int_equal(value.items[1].number, 3);
    assert_int_equal(value.items[2].items[0].number, 4);
    assert_int_equal(value.items[2].items[1].number, 5);
}

static void what_is_not_resp_is_bad(void **UNUSED(state))
{
    static const char *const inputs[] = {"HTTP/1.1 400 Bad Request\r\n", "\r\n", "+a\nb\r\n",
        "+a\rb\r\n", ":\r\n", ":x\r\n", ":1.5\r\n", ":+-1\r\n", ":9223372036854775808\r\n", "$\r\n",
        "$-2\r\n", "$+\r\n", "$1\r\nabc", "$1\r\na\rb", "$?\r\n", "!-1\r\n", "=-1\r\n",
        "=3\r\ntxt\r\n", "=5\r\ntxt;a\r\n", "*-2\r\n", "*x\r\n", "%-1\r\n", ">-1\r\n", "|-1\r\n",
        "#x\r\n", "#\r\n", "_x\r\n", ",\r\n", "(\r\n", "*1\r\n?\r\n", "\x16\x03\x01"};
    for (size_t i = 0; i < ARRAY_COUNT(inputs); i++) {
        struct resp value;
        size_t used = 42;
        assert_int_equal(parse_exact(str_of(inputs[i]), &value, &used), RESP_BAD);
        assert_int_equal(used, 42);
    }
}

static void a_bulk_may_have_512_mib_and_not_a_byte_more(void **UNUSED(state))
{
    struct resp value;
    size_t used;
    assert_int_equal(parse_exact(STR("$536870912\r\n"), &value, &used), RESP_MORE);
    assert_int_equal(parse_exact(STR("$536870913\r\n"), &value, &used), RESP_BAD);
}

static void a_line_that_never_ends_is_bad(void **UNUSED(state))
{
    enum { SIZE = 65 * 1024 };
    AUTO_FREE char *line = mem_alloc(SIZE);
    memset(line, 'x', SIZE);
    line[0] = '+';
    struct resp value;
    size_t used;
    assert_int_equal(resp_parse((struct str){line, 60 * 1024}, NULL, 0, &value, &used), RESP_MORE);
    assert_int_equal(resp_parse((struct str){line, SIZE}, NULL, 0, &value, &used), RESP_BAD);
}

static void nesting_ends_at_sixteen(void **UNUSED(state))
{
    AUTO_BUF text = {0};
    for (int depth = 1; depth <= 17; depth++) {
        buf_append_text(&text, "*1\r\n");
        AUTO_BUF whole = {0};
        buf_printf(&whole, "%s:1\r\n", buf_text(&text));
        struct resp value;
        size_t used;
        assert_int_equal(resp_parse(str_of(buf_text(&whole)), pool, POOL_COUNT, &value, &used),
            depth <= 16 ? RESP_DONE : RESP_BAD);
    }
}

static void a_pool_too_small_is_bad_at_once(void **UNUSED(state))
{
    struct resp value;
    size_t used;
    assert_int_equal(
        resp_parse(STR("*3\r\n:1\r\n:2\r\n:3\r\n"), pool, 3, &value, &used), RESP_DONE);
    assert_int_equal(resp_parse(STR("*3\r\n"), pool, 2, &value, &used), RESP_BAD);
    assert_int_equal(resp_parse(STR("*2\r\n*1\r\n"), pool, 2, &value, &used), RESP_BAD);
    assert_int_equal(resp_parse(STR("%2\r\n"), pool, 3, &value, &used), RESP_BAD);
    assert_int_equal(resp_parse(STR("%9223372036854775807\r\n"), pool, 3, &value, &used), RESP_BAD);
}

static void attributes_give_their_places_back(void **UNUSED(state))
{
    struct resp value;
    size_t used;
    assert_int_equal(
        resp_parse(STR("|1\r\n+a\r\n:1\r\n*2\r\n:2\r\n:3\r\n"), pool, 2, &value, &used), RESP_DONE);
    assert_int_equal(value.items[1].number, 3);
}

static void commands_are_written_as_arrays_of_bulks(void **UNUSED(state))
{
    static const char expected[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n";
    AUTO_BUF out = {0};
    resp_append(&out, "SET", "k", "", NULL);
    assert_string_equal(buf_text(&out), expected);
    buf_clear(&out);
    resp_append_command(&out, (struct str[]){STR("SET"), STR("k"), {NULL, 0}}, 3);
    assert_string_equal(buf_text(&out), expected);
    buf_clear(&out);
    resp_append_command(&out, (struct str[]){STR("a\0b")}, 1); /* keys are bytes */
    assert_int_equal(out.size, 13);
    assert_memory_equal(out.data, "*1\r\n$3\r\na\0b\r\n", 13);
}

static void a_written_command_parses_back(void **UNUSED(state))
{
    AUTO_BUF out = {0};
    resp_append(&out, "CONFIG", "GET", "save", NULL);
    const struct resp value = parsed(str_of(buf_text(&out)));
    assert_int_equal(value.count, 3);
    assert_true(str_is(value.items[2].text, "save"));
}

static void find_works_on_maps_and_on_flat_pairs(void **UNUSED(state))
{
    struct resp value = parsed(STR("%2\r\n+a\r\n:1\r\n$1\r\nb\r\n:2\r\n"));
    assert_int_equal(resp_find(&value, "b")->number, 2);
    assert_null(resp_find(&value, "c"));
    value = parsed(STR("*5\r\n+a\r\n:1\r\n+b\r\n:2\r\n+odd\r\n"));
    assert_int_equal(resp_find(&value, "b")->number, 2);
    assert_null(resp_find(&value, "odd"));
    value = parsed(STR("*2\r\n:1\r\n+a\r\n"));
    assert_null(resp_find(&value, "a")); /* a value, not a key */
    value = parsed(STR("+a\r\n"));
    assert_null(resp_find(&value, "a"));
    assert_null(resp_find(NULL, "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_understood),
        cmocka_unit_test(input_cut_at_any_byte_asks_for_more),
        cmocka_unit_test(what_follows_a_value_is_left),
        cmocka_unit_test(nested_arrays_keep_their_own_elements),
        cmocka_unit_test(what_is_not_resp_is_bad),
        cmocka_unit_test(a_bulk_may_have_512_mib_and_not_a_byte_more),
        cmocka_unit_test(a_line_that_never_ends_is_bad),
        cmocka_unit_test(nesting_ends_at_sixteen),
        cmocka_unit_test(a_pool_too_small_is_bad_at_once),
        cmocka_unit_test(attributes_give_their_places_back),
        cmocka_unit_test(commands_are_written_as_arrays_of_bulks),
        cmocka_unit_test(a_written_command_parses_back),
        cmocka_unit_test(find_works_on_maps_and_on_flat_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
