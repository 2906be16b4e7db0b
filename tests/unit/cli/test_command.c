/* The command tree as data: parsing, suggestions, help. */
#include "cli/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/str.h"

static struct err *parse(const char *words, struct arena *arena, struct arguments *arguments)
{
    char *argv[32] = {arena_strdup(arena, "upshift")};
    int argc = 1;
    struct str rest = str_of(words), word;
    while (rest.size > 0 && str_cut(&rest, ' ', &word)) {
        argv[argc++] = arena_strndup(arena, word.data, word.size);
    }
    return command_parse(argc, argv, arguments);
}

static void words_and_options_may_be_mixed(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct arguments arguments;
    AUTO_ERR err = parse(
        "--state-dir=/s plan --json orders -o plan.json 7.0 --state-dir /t", &arena, &arguments);
    assert_null(err);
    assert_string_equal(arguments.command->name, "plan");
    assert_int_equal(arguments.word_count, 2);
    assert_string_equal(arguments.words[0], "orders");
    assert_string_equal(arguments.words[1], "7.0");
    assert_string_equal(arguments_text(&arguments, "output"), "plan.json");
    assert_string_equal(arguments_text(&arguments, "state-dir"), "/t"); /* the last one wins */
    assert_true(arguments_has(&arguments, "json"));
    assert_false(arguments_has(&arguments, "exit-code"));
}

static void numbers_are_read_and_have_defaults(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct arguments arguments;
    AUTO_ERR err = parse("probe orders --rate 250", &arena, &arguments);
    assert_null(err);
    assert_int_equal(arguments_number(&arguments, "rate", 1), 250);
    assert_int_equal(arguments_number(&arguments, "for", 7), 7);
}

static void nested_commands_are_found(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct arguments arguments;
    AUTO_ERR err = parse("datastore version list redis", &arena, &arguments);
    assert_null(err);
    assert_string_equal(arguments.command->name, "list");
    assert_string_equal(arguments.words[0], "redis");
}

struct mistake {
    const char *words, *what, *hint;
};

static void mistakes_name_the_word_and_the_remedy(void **UNUSED(state))
{
    static const struct mistake mistakes[] = {
        {"upgrad x 1", "there is no command \"upgrad\"", "did you mean \"upgrade\"?"},
        {"qqqqqqq", "there is no command \"qqqqqqq\"", "`upshift help` lists the commands"},
        {"run lst", "there is no command \"lst\"", "did you mean \"list\"?"},
        {"plan --jsom a b", "there is no option \"--jsom\" here", "did you mean \"--json\"?"},
        {"plan --outptu=x a b", "there is no option \"--outptu=x\" here", NULL},
        {"plan -z", "there is no option \"-z\" here", NULL},
        {"probe --rate fast", "\"fast\" is not a whole number from 1 to 1000000000", NULL},
        {"probe --rate 0", "\"0\" is not a whole number from 1 to 1000000000", NULL},
        {"plan a b -o", "the option \"output\" needs a value", NULL},
        {"plan --json=yes a b", "the option \"json\" takes no value", NULL},
        {"plan a b c", "\"c\" is one word too many", NULL},
        {"plan", "\"plan\" needs more words", "usage: upshift plan CLUSTER [VERSION]"},
        {"run show", "\"show\" needs more words", "usage: upshift run show RUN"},
        {"cluster", "\"cluster\" needs a further word", NULL},
        {"--json", "a command is missing", "`upshift help` lists the commands"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(mistakes); i++) {
        AUTO_ARENA arena = {0};
        struct arguments arguments;
        AUTO_ERR err = parse(mistakes[i].words, &arena, &arguments);
        assert_non_null(err);
        assert_string_equal(err->code, "usage");
        assert_string_equal(err->what, mistakes[i].what);
        if (mistakes[i].hint != NULL) {
            assert_string_equal(err->hint, mistakes[i].hint);
        }
    }
}

static void too_many_options_are_refused(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct arguments arguments;
    AUTO_BUF words = {0};
    buf_append_text(&words, "check");
    for (size_t i = 0; i <= COMMAND_OPTIONS_MAX; i++) {
        buf_append_text(&words, " --json");
    }
    AUTO_ERR err = parse(buf_text(&words), &arena, &arguments);
    assert_non_null(err);
    assert_string_equal(err->code, "usage");
}

static void help_needs_no_words(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct arguments arguments;
    AUTO_ERR err = parse("help run show", &arena, &arguments);
    assert_null(err);
    assert_true(arguments.wants_help);
    assert_string_equal(arguments.command->name, "show");
    AUTO_ERR other = parse("plan --help", &arena, &arguments);
    assert_null(other);
    assert_true(arguments.wants_help);
}

static void check_width(const char *text)
{
    struct str rest = str_of(text), line;
    while (str_cut(&rest, '\n', &line)) {
        if (line.size > 80) {
            fail_msg("wider than 80 columns: %.*s", (int)line.size, line.data);
        }
    }
}

static void check_tree(const struct command *command)
{
    AUTO_BUF text = {0};
    assert_non_null(command->summary);
    assert_true(command->summary[0] != '\0');
    assert_true((command->run != NULL) != (command->children != NULL));
    command_help(command, &text);
    check_width(buf_text(&text));
    assert_non_null(strstr(buf_text(&text), command->summary));
    for (size_t i = 0; command->children != NULL && command->children[i] != NULL; i++) {
        check_tree(command->children[i]);
    }
}

static void every_command_has_help_that_fits(void **UNUSED(state))
{
    check_tree(&command_root);
}

static void usage_has_all_the_words_of_a_command(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct arguments arguments;
    AUTO_ERR err = parse("help datastore version fetch", &arena, &arguments);
    assert_null(err);
    AUTO_BUF text = {0};
    command_help(arguments.command, &text);
    assert_non_null(
        strstr(buf_text(&text), "\nUsage: upshift datastore version fetch NAME VERSION\n"));
    AUTO_ERR missing = parse("datastore version fetch redis", &arena, &arguments);
    assert_non_null(missing);
    assert_string_equal(
        err_first_hint(missing), "usage: upshift datastore version fetch NAME VERSION");
}

static void hidden_commands_are_not_listed(void **UNUSED(state))
{
    AUTO_BUF text = {0};
    command_help(&command_root, &text);
    assert_null(strstr(buf_text(&text), "internal"));
    assert_non_null(strstr(buf_text(&text), "upgrade"));
    assert_non_null(strstr(buf_text(&text), "\n  run "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_options_may_be_mixed),
        cmocka_unit_test(numbers_are_read_and_have_defaults),
        cmocka_unit_test(nested_commands_are_found),
        cmocka_unit_test(mistakes_name_the_word_and_the_remedy),
        cmocka_unit_test(too_many_options_are_refused),
        cmocka_unit_test(help_needs_no_words),
        cmocka_unit_test(every_command_has_help_that_fits),
        cmocka_unit_test(usage_has_all_the_words_of_a_command),
        cmocka_unit_test(hidden_commands_are_not_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
