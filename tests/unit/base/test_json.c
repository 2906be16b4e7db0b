/* JSON: one canonical form, strict reading, forgiving access. */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"

static struct json *parsed(const char *text)
{
    struct json *value = NULL;
    AUTO_ERR err = js_parse(text, strlen(text), "test", &value);
    assert_null(err);
    return value;
}

static void equal_values_are_written_alike(void **UNUSED(state))
{
    AUTO_JSON built = js_object();
    js_put_text(built, "b", "\xc3\xa4/\"\n");
    js_put_number(built, "a", -5);
    js_put_bool(built, "c", true);
    js_put(built, "d", js_none());
    struct json *list = js_array();
    js_push(list, js_number(1));
    js_push(list, js_object());
    js_put(built, "e", list);
    static const char canonical[] =
        "{\"a\":-5,\"b\":\"\xc3\xa4/\\\"\\n\",\"c\":true,\"d\":null,\"e\":[1,{}]}";
    AUTO_FREE char *text = js_write(built);
    assert_string_equal(text, canonical);

    AUTO_JSON read =
        parsed(" { \"e\" : [1,{}], \"d\":null, \"c\":true, \"b\":\"\\u00e4\\/\\\"\\n\","
               " \"a\":-5 } ");
    assert_true(js_equal(read, built));
    AUTO_FREE char *again = js_write(read);
    assert_string_equal(again, canonical);
}

static void people_get_indented_text_of_the_same_value(void **UNUSED(state))
{
    AUTO_JSON value = parsed("{\"b\":1,\"a\":[2]}");
    AUTO_FREE char *text = js_write_pretty(value);
    assert_string_equal(text, "{\n  \"a\": [\n    2\n  ],\n  \"b\": 1\n}");
}

static void bad_json_is_refused_with_its_place(void **UNUSED(state))
{
    static const char *const texts[] = {"", "{", "{\"a\":1,\"a\":2}", "[1,]", "nul", "1 2",
        "\"\xff\"", "{'a':1}", "[9223372036854775808]", "\"\\u0000\""};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct json *value = NULL;
        AUTO_ERR err = js_parse(texts[i], strlen(texts[i]), "somewhere", &value);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_INVALID);
        assert_string_equal(err->where, "somewhere");
        assert_non_null(strstr(err->what, "line"));
        assert_null(value);
    }
}

static void fractions_and_deep_nesting_are_refused(void **UNUSED(state))
{
    char deep[2 * 66 + 1] = {0};
    memset(deep, '[', 66);
    memset(deep + 66, ']', 66);
    const char *texts[] = {"1.5", "[{\"a\":1e3}]", deep};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct json *value = NULL;
        AUTO_ERR err = js_parse(texts[i], strlen(texts[i]), NULL, &value);
        assert_non_null(err);
        assert_null(value);
    }
    AUTO_JSON allowed = parsed("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]");
    assert_true(js_is(allowed, JS_ARRAY));
}

static void missing_and_mistyped_values_give_the_fallback(void **UNUSED(state))
{
    AUTO_JSON value = parsed("{\"n\":7,\"t\":\"x\",\"b\":true,\"z\":null}");
    assert_int_equal(js_get_number(value, "n", -1), 7);
    assert_int_equal(js_get_number(value, "t", -1), -1);
    assert_int_equal(js_get_number(value, "none", -1), -1);
    assert_string_equal(js_get_text(value, "t"), "x");
    assert_null(js_get_text(value, "n"));
    assert_true(js_get_bool(value, "b", false));
    assert_true(js_get_bool(value, "n", true));
    assert_null(js_get(NULL, "n"));
    assert_null(js_at(value, 0));
    assert_int_equal(js_count(NULL), 0);
    assert_int_equal(js_count(value), 4);
    assert_true(js_is(js_get(value, "z"), JS_NULL));
    assert_false(js_is(NULL, JS_NULL));
}

static void walking_goes_in_key_order(void **UNUSED(state))
{
    AUTO_JSON value = parsed("{\"b\":2,\"c\":3,\"a\":1}");
    size_t cursor = 0;
    const char *key;
    struct json *member;
    int64_t expected = 1;
    while (js_next(value, &cursor, &key, &member)) {
        assert_int_equal(key[0], 'a' + expected - 1);
        assert_int_equal(js_as_number(member, 0), expected);
        expected++;
    }
    assert_int_equal(expected, 4);
}

static void a_copy_is_independent_and_a_reference_is_not(void **UNUSED(state))
{
    AUTO_JSON value = parsed("{\"a\":1}");
    AUTO_JSON copy = js_copy(value);
    AUTO_JSON reference = js_ref(value);
    js_put_number(value, "a", 2);
    js_remove(value, "none");
    assert_int_equal(js_get_number(copy, "a", 0), 1);
    assert_int_equal(js_get_number(reference, "a", 0), 2);
    assert_false(js_equal(copy, value));
    js_remove(value, "a");
    assert_int_equal(js_count(reference), 0);
    assert_null(js_ref(NULL));
}

static void text_that_is_no_utf8_is_made_harmless(void **UNUSED(state))
{
    AUTO_JSON value = js_text("a\xff\xfe");
    assert_string_equal(js_as_text(value), "a??");
    AUTO_JSON none = js_text(NULL);
    assert_true(js_is(none, JS_NULL));
}

static void an_error_chain_becomes_an_object(void **UNUSED(state))
{
    struct err *err = err_new(ERR_UNREACHABLE, "n1", "refused");
    err = err_code(err, "connect_failed");
    err = err_hint(err_wrap(err, NULL, "cannot look"), "start it");
    AUTO_JSON value = js_of_err(err);
    err_free(err);
    AUTO_FREE char *text = js_write(value);
    assert_string_equal(text,
        "{\"cause\":{\"cause\":null,\"code\":\"connect_failed\",\"hint\":null,"
        "\"kind\":\"unreachable\",\"what\":\"refused\",\"where\":\"n1\"},"
        "\"code\":\"connect_failed\",\"hint\":\"start it\",\"kind\":\"unreachable\","
        "\"what\":\"cannot look\",\"where\":null}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_values_are_written_alike),
        cmocka_unit_test(people_get_indented_text_of_the_same_value),
        cmocka_unit_test(bad_json_is_refused_with_its_place),
        cmocka_unit_test(fractions_and_deep_nesting_are_refused),
        cmocka_unit_test(missing_and_mistyped_values_give_the_fallback),
        cmocka_unit_test(walking_goes_in_key_order),
        cmocka_unit_test(a_copy_is_independent_and_a_reference_is_not),
        cmocka_unit_test(text_that_is_no_utf8_is_made_harmless),
        cmocka_unit_test(an_error_chain_becomes_an_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
