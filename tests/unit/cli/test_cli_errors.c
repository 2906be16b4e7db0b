/* Error codes and exit codes: the tables are complete, and docs/errors.md is what they say. */
#include "cli/errors.h"

#include <ftw.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/str.h"
#include "cli/exit.h"

static void exit_codes_are_those_of_the_contract(void **UNUSED(state))
{
    static const int codes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 18};
    assert_int_equal(exit_row_count, ARRAY_COUNT(codes));
    for (size_t i = 0; i < exit_row_count; i++) {
        assert_int_equal(exit_rows[i].code, codes[i]);
    }
    assert_string_equal(exit_word(EXIT_REFUSED), "refused");
    assert_string_equal(exit_word(99), "?");
}

static void codes_are_unique_and_lead_to_a_known_exit(void **UNUSED(state))
{
    for (size_t i = 0; i < error_row_count; i++) {
        const struct error_row *row = &error_rows[i];
        assert_ptr_equal(error_find(row->code), row);
        assert_string_not_equal(exit_word(row->exit), "?");
        assert_true(row->exit >= EXIT_INTERNAL && row->exit <= EXIT_JOURNAL);
        assert_true(row->meaning[0] != '\0' && row->remedy[0] != '\0');
    }
}

/* --- what the sources use --- */

static const char *const code_patterns[] = {
    "err_code\\([^;]*\"([a-z_]+)\"\\)",           /* err_code(err, "word"), over several lines */
    "\\{[^{}()]*ERR_[A-Z]+,[ \n]*\"([a-z_]+)\",", /* tables of texts, kinds and codes */
    "\\{\"[A-Z][A-Za-z ]+\", \"([a-z_]+)\", ",    /* tables of server errors and codes */
};

static size_t found_count;

static void check_codes(const char *path, const char *text, const char *pattern)
{
    regex_t regex;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED), 0);
    regmatch_t match[2];
    while (regexec(&regex, text, 2, match, 0) == 0) {
        const size_t size = (size_t)(match[1].rm_eo - match[1].rm_so);
        char code[64] = "";
        assert_true(size < sizeof(code));
        memcpy(code, text + match[1].rm_so, size);
        if (error_find(code) == NULL) {
            fail_msg("%s uses the code \"%s\", which cli/errors_table.c does not have", path, code);
        }
        found_count++;
        text += match[1].rm_eo;
    }
    regfree(&regex);
}

static int check_file(const char *path, const struct stat *UNUSED(status), int type)
{
    const size_t size = strlen(path);
    if (type != FTW_F || size < 2 || strcmp(path + size - 2, ".c") != 0) {
        return 0;
    }
    AUTO_BUF text = {0};
    AUTO_ERR err = fs_read(path, 1 << 20, &text);
    for (size_t i = 0; err == NULL && i < ARRAY_COUNT(code_patterns); i++) {
        check_codes(path, buf_text(&text), code_patterns[i]);
    }
    return 0;
}

static void every_code_of_the_sources_is_in_the_table(void **UNUSED(state))
{
    found_count = 0;
    assert_int_equal(ftw(SOURCE_ROOT "/src", check_file, 16), 0);
    assert_true(found_count > 100); /* else the patterns no longer fit the sources */
}

static void every_kind_has_a_row(void **UNUSED(state))
{
    for (int kind = ERR_INVALID; kind <= ERR_INTERNAL; kind++) {
        assert_non_null(error_find(err_kind_name((enum err_kind)kind)));
    }
}

/* --- texts --- */

static void errors_are_printed_as_a_chain_with_a_remedy(void **UNUSED(state))
{
    AUTO_ERR err = err_new(ERR_UNREACHABLE, "127.0.0.1:7001", "connection refused");
    err = err_wrap(err_hint(err, "start it"), "n1", "cannot read the node");
    AUTO_BUF text = {0};
    error_text(err, &text);
    assert_string_equal(buf_text(&text), "upshift: cannot read the node (n1)\n"
                                         "  because connection refused (127.0.0.1:7001)\n"
                                         "  remedy: start it\n");
    assert_int_equal(error_exit(err), EXIT_CANNOT_SEE);
}

static void errors_without_a_hint_get_the_remedy_of_their_code(void **UNUSED(state))
{
    AUTO_ERR err = err_code(err_new(ERR_REFUSED, NULL, "no"), "locked");
    AUTO_BUF text = {0};
    error_text(err, &text);
    assert_non_null(strstr(buf_text(&text), error_find("locked")->remedy));
    assert_int_equal(error_exit(err), EXIT_LOCKED);
}

static void codes_nobody_knows_count_as_internal(void **UNUSED(state))
{
    AUTO_ERR err = err_code(err_new(ERR_REFUSED, NULL, "no"), "never_heard_of");
    assert_int_equal(error_exit(err), EXIT_INTERNAL);
}

static void the_document_is_up_to_date(void **UNUSED(state))
{
    AUTO_BUF made = {0}, file = {0};
    error_document(&made);
    AUTO_ERR err = fs_read(SOURCE_ROOT "/docs/errors.md", 1 << 20, &file);
    assert_null(err);
    if (!text_equal(buf_text(&made), buf_text(&file))) {
        fail_msg("write docs/errors.md anew: upshift internal-docs errors > docs/errors.md");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_codes_are_those_of_the_contract),
        cmocka_unit_test(codes_are_unique_and_lead_to_a_known_exit),
        cmocka_unit_test(every_code_of_the_sources_is_in_the_table),
        cmocka_unit_test(every_kind_has_a_row),
        cmocka_unit_test(errors_are_printed_as_a_chain_with_a_remedy),
        cmocka_unit_test(errors_without_a_hint_get_the_remedy_of_their_code),
        cmocka_unit_test(codes_nobody_knows_count_as_internal),
        cmocka_unit_test(the_document_is_up_to_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
