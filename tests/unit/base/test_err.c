/* Errors: what, where, what now, and what lies beneath. */
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

static void wrapping_keeps_kind_and_code(void **UNUSED(state))
{
    struct err *cause = err_code(err_new(ERR_UNKNOWN, "n1", "no answer"), "special");
    AUTO_ERR err = err_wrap(cause, NULL, "cannot fail over to %s", "n2");
    assert_int_equal(err->kind, ERR_UNKNOWN);
    assert_string_equal(err->code, "special");
    assert_ptr_equal(err->cause, cause);
    assert_string_equal(err->what, "cannot fail over to n2");
    assert_null(err->where);
}

static void a_new_error_has_its_kind_as_code(void **UNUSED(state))
{
    static const struct {
        enum err_kind kind;
        const char *word;
    } cases[] = {{ERR_INVALID, "invalid"}, {ERR_UNREACHABLE, "unreachable"},
        {ERR_REFUSED, "refused"}, {ERR_UNKNOWN, "unknown_outcome"}, {ERR_GATE, "gate"},
        {ERR_CANCELLED, "cancelled"}, {ERR_INTERNAL, "internal"}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        AUTO_ERR err = err_new(cases[i].kind, NULL, "x");
        assert_string_equal(err->code, cases[i].word);
        assert_string_equal(err_kind_name(cases[i].kind), cases[i].word);
    }
}

static void the_chain_reads_as_one_line(void **UNUSED(state))
{
    AUTO_ERR err = err_new(ERR_REFUSED, "db1", "no such user");
    err = err_wrap(err, "n1", "cannot log in");
    err = err_wrap(err, NULL, "cannot look");
    AUTO_FREE char *text = err_text(err);
    assert_string_equal(text, "cannot look: cannot log in (n1): no such user (db1)");
    AUTO_FREE char *nothing = err_text(NULL);
    assert_string_equal(nothing, "");
}

static void the_outermost_hint_comes_first(void **UNUSED(state))
{
    AUTO_ERR err = err_hint(err_new(ERR_INVALID, NULL, "a"), "inner");
    assert_string_equal(err_first_hint(err), "inner");
    err = err_wrap(err, NULL, "b");
    assert_string_equal(err_first_hint(err), "inner");
    err = err_hint(err, "outer");
    err = err_hint(err, "outer %d", 2); /* replaces */
    assert_string_equal(err_first_hint(err), "outer 2");
    assert_null(err_first_hint(NULL));
}

static void control_characters_of_peers_are_flattened(void **UNUSED(state))
{
    AUTO_ERR err = err_new(ERR_REFUSED, "h\n1", "said %s", "a\r\nb\x1b[31m\x7f");
    assert_string_equal(err->what, "said a  b [31m ");
    assert_string_equal(err->where, "h 1");
}

static void errno_is_told_in_words(void **UNUSED(state))
{
    errno = ENOENT;
    AUTO_ERR err = err_errno(ERR_INVALID, "/x", "cannot open");
    assert_string_equal(err->what, "cannot open: No such file or directory");
}

static void freeing_nothing_is_allowed(void **UNUSED(state))
{
    err_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrapping_keeps_kind_and_code),
        cmocka_unit_test(a_new_error_has_its_kind_as_code),
        cmocka_unit_test(the_chain_reads_as_one_line),
        cmocka_unit_test(the_outermost_hint_comes_first),
        cmocka_unit_test(control_characters_of_peers_are_flattened),
        cmocka_unit_test(errno_is_told_in_words),
        cmocka_unit_test(freeing_nothing_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
