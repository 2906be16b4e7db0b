/* Structs to JSON and back: exact round trips, and errors that name the place. */
#include "base/codec.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

enum color { COLOR_RED, COLOR_GREEN };
static const char *const color_names[] = {"red", "green", NULL};

struct point {
    int64_t x;
    const char *label;
};

struct shape {
    const char *name;
    bool is_closed;
    enum color color;
    struct point center;
    struct point *points;
    size_t point_count;
    const char **tags;
    size_t tag_count;
    struct json *extra;
};

static const struct codec_field point_fields[] = {
    CODEC_INT(struct point, x), CODEC_TEXT(struct point, label), CODEC_END};
static const struct codec point_codec = {sizeof(struct point), point_fields};

static const struct codec_field shape_fields[] = {
    CODEC_TEXT(struct shape, name),
    CODEC_BOOL(struct shape, is_closed),
    CODEC_ENUM(struct shape, color, color_names),
    CODEC_OBJECT(struct shape, center, &point_codec),
    CODEC_LIST(struct shape, points, point_count, &point_codec),
    CODEC_TEXTS(struct shape, tags, tag_count),
    CODEC_JSON(struct shape, extra),
    CODEC_END,
};
static const struct codec shape_codec = {sizeof(struct shape), shape_fields};

static const char whole_text[] =
    "{\"center\":{\"label\":\"c\",\"x\":-3},\"color\":\"green\",\"extra\":{\"k\":[1]},"
    "\"is_closed\":true,\"name\":\"s\",\"points\":[{\"label\":\"p\",\"x\":1},{\"x\":2}],"
    "\"tags\":[\"a\",\"b\"]}";

static struct json *parsed(const char *text)
{
    struct json *value = NULL;
    AUTO_ERR err = js_parse(text, strlen(text), "test", &value);
    assert_null(err);
    return value;
}

static void a_round_trip_is_exact(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    AUTO_JSON value = parsed(whole_text);
    struct shape shape = {0};
    AUTO_ERR err = codec_read(&shape_codec, value, &arena, "test", &shape);
    assert_null(err);
    assert_string_equal(shape.name, "s");
    assert_true(shape.is_closed);
    assert_int_equal(shape.color, COLOR_GREEN);
    assert_int_equal(shape.center.x, -3);
    assert_int_equal(shape.point_count, 2);
    assert_string_equal(shape.points[0].label, "p");
    assert_null(shape.points[1].label);
    assert_string_equal(shape.tags[1], "b");

    AUTO_JSON written = codec_write(&shape_codec, &shape);
    AUTO_FREE char *text = js_write(written);
    assert_string_equal(text, whole_text);
    js_free(shape.extra);
}

static void what_is_missing_stays_zero(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    AUTO_JSON value = parsed("{}");
    struct shape shape = {0};
    AUTO_ERR err = codec_read(&shape_codec, value, &arena, "test", &shape);
    assert_null(err);
    assert_null(shape.name);
    assert_int_equal(shape.point_count, 0);
    AUTO_JSON written = codec_write(&shape_codec, &shape);
    AUTO_FREE char *text = js_write(written);
    assert_string_equal(text,
        "{\"center\":{\"x\":0},\"color\":\"red\",\"is_closed\":false,\"points\":[],\"tags\":[]}");
}

static void wrong_input_is_refused_with_its_path(void **UNUSED(state))
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"[]", "a JSON object is expected here (f)"},
        {"{\"name\":1}", "\"name\" must be a text (f)"},
        {"{\"is_closed\":1}", "\"is_closed\" must be true or false (f)"},
        {"{\"color\":\"blue\"}", "\"color\" must be one of the known words (f)"},
        {"{\"color\":0}", "\"color\" must be one of the known words (f)"},
        {"{\"center\":{\"x\":\"1\"}}", "in \"center\": \"x\" must be a whole number (f)"},
        {"{\"center\":null}", "in \"center\": a JSON object is expected here (f)"},
        {"{\"points\":{}}", "\"points\" must be a list (f)"},
        {"{\"points\":[{},{\"y\":1}]}", "in \"points\", element 1: unknown key \"y\" (f)"},
        {"{\"tags\":[\"a\",1]}", "\"tags\" must be a list of texts (f)"},
        {"{\"name\":\"s\",\"nmae\":\"s\"}", "unknown key \"nmae\" (f)"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        AUTO_ARENA arena = {0};
        AUTO_JSON value = parsed(cases[i].text);
        struct shape shape = {0};
        AUTO_ERR err = codec_read(&shape_codec, value, &arena, "f", &shape);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_INVALID);
        AUTO_FREE char *text = err_text(err);
        assert_string_equal(text, cases[i].error);
    }
}

static void enums_have_words(void **UNUSED(state))
{
    int value = -1;
    assert_true(codec_enum_value(color_names, "green", &value));
    assert_int_equal(value, COLOR_GREEN);
    assert_false(codec_enum_value(color_names, "Green", &value));
    assert_string_equal(codec_enum_name(color_names, COLOR_RED), "red");
    assert_string_equal(codec_enum_name(color_names, 2), "?");
    assert_string_equal(codec_enum_name(color_names, -1), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_trip_is_exact),
        cmocka_unit_test(what_is_missing_stays_zero),
        cmocka_unit_test(wrong_input_is_refused_with_its_path),
        cmocka_unit_test(enums_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
