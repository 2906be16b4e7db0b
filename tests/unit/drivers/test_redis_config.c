/* test_redis_config.c - configuration files, CONFIG GET, and where they differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/redis/config.h"

static void words_are_split_as_the_server_does(void **UNUSED(state))
{
    const struct {
        const char *line;
        size_t count;
        const char *last;
    } cases[] = {
        {"", 0, NULL},
        {"   # port 7000", 0, NULL},
        {"port 7000\r", 2, "7000"},
        {"\tsave  900   1 ", 3, "1"},
        {"save \"\"", 2, ""},
        {"logfile \"/var/log/a b.log\"", 2, "/var/log/a b.log"},
        {"proc-title \"a\\\"b\\n\\x41\\xg\"", 2, "a\"b\nAxg"},
        {"proc-title 'it\\'s \\n'", 2, "it's \\n"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        AUTO_ARENA arena = {0};
        const char **words = NULL;
        size_t count = 99;
        assert_true(redis_config_split(&arena, str_of(cases[i].line), &words, &count));
        assert_int_equal(count, cases[i].count);
        assert_true(count == 0 || strcmp(words[count - 1], cases[i].last) == 0);
    }
}

static void a_quote_left_open_or_closed_inside_a_word_is_refused(void **UNUSED(state))
{
    const char *const lines[] = {"a \"b", "a 'b", "a \"b\"c", "a 'b'c", "a \"b\\"};
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        AUTO_ARENA arena = {0};
        const char **words = NULL;
        size_t count = 0;
        assert_false(redis_config_split(&arena, str_of(lines[i]), &words, &count));
    }
}

static void the_last_line_counts_except_where_lines_add_up(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct redis_config config;
    redis_config_parse(&arena,
        STR("MaxMemory 1mb\nsave 900 1\nsave 60 1000\nmaxmemory 2mb\nbroken \"\nhz 10"), &config);
    assert_string_equal(redis_config_get(&config, "maxmemory"), "2mb");
    assert_string_equal(redis_config_get(&config, "save"), "900 1 60 1000");
    assert_string_equal(redis_config_get(&config, "hz"), "10");
    assert_null(redis_config_get(&config, "broken"));
    assert_false(config.has_include);
}

static void an_empty_save_drops_the_points_before_it(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct redis_config config;
    redis_config_parse(&arena, STR("save 900 1\nsave \"\"\n"), &config);
    assert_string_equal(redis_config_get(&config, "save"), "");
    redis_config_parse(&arena, STR("save \"\"\nsave 900 1\n"), &config);
    assert_string_equal(redis_config_get(&config, "save"), "900 1");
}

static void a_setting_is_found_under_its_other_name(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct redis_config config;
    redis_config_parse(
        &arena, STR("min-slaves-to-write 1\nhash-max-listpack-entries 7\n"), &config);
    assert_string_equal(redis_config_get(&config, "min-replicas-to-write"), "1");
    assert_string_equal(redis_config_get(&config, "hash-max-ziplist-entries"), "7");
    assert_null(redis_config_get(&config, "min-replicas-max-lag"));
}

static void secrets_lose_their_values_at_the_door(void **UNUSED(state))
{
    static const char text[] = "requirepass open-sesame\nmasterauth open-sesame\n"
                               "masteruser open-sesame\nuser ops on >open-sesame +@all\n"
                               "tls-key-file-pass open-sesame\n";
    AUTO_ARENA arena = {0};
    struct redis_config config;
    redis_config_parse(&arena, STR(text), &config);
    assert_int_equal(config.count, 5);
    for (size_t i = 0; i < config.count; i++) {
        assert_null(config.items[i].value);
    }
}

static void a_reply_becomes_settings(void **UNUSED(state))
{
    const struct resp items[] = {{.type = RESP_STRING, .text = STR("maxmemory")},
        {.type = RESP_STRING, .text = STR("0")}, {.type = RESP_STRING, .text = STR("requirepass")},
        {.type = RESP_STRING, .text = STR("open-sesame")},
        {.type = RESP_STRING, .text = STR("odd")}};
    const struct resp array = {.type = RESP_ARRAY, .items = items, .count = 5};
    const struct resp map = {.type = RESP_MAP, .items = items, .count = 2};
    const struct resp text = {.type = RESP_STRING, .text = STR("maxmemory")};
    AUTO_ARENA arena = {0};
    struct redis_config config;
    redis_config_of_reply(&arena, &array, &config);
    assert_int_equal(config.count, 2);
    assert_string_equal(redis_config_get(&config, "maxmemory"), "0");
    assert_null(redis_config_get(&config, "requirepass"));
    redis_config_of_reply(&arena, &map, &config);
    assert_int_equal(config.count, 2);
    redis_config_of_reply(&arena, &text, &config);
    assert_int_equal(config.count, 0);
}

/* One live line and one file; `setting` NULL: no drift. */
static void expect_drift(const char *live, const char *file, const char *setting)
{
    AUTO_ARENA arena = {0};
    struct redis_config live_config, file_config;
    struct fact_node node = {.product = "redis", .series = "redis/7.0"};
    redis_config_parse(&arena, str_of(live), &live_config);
    redis_config_parse(&arena, str_of(file), &file_config);
    redis_drift_find(&arena, &live_config, &file_config, &node);
    if (setting == NULL) {
        assert_int_equal(node.drift_count, 0);
        return;
    }
    assert_int_equal(node.drift_count, 1);
    assert_string_equal(node.drift[0].setting, setting);
}

static void equal_settings_in_another_spelling_are_no_drift(void **UNUSED(state))
{
    const struct {
        const char *live, *file;
    } cases[] = {
        {"maxmemory 67108864", "maxmemory 64MB"},
        {"maxmemory 64000000", "maxmemory 64m"},
        {"maxmemory 1024", "maxmemory 1k\nmaxmemory 1kb"},
        {"appendonly yes", "appendonly YES"},
        {"unixsocketperm 755", "unixsocketperm 0755"},
        {"list-max-listpack-size -2", "list-max-ziplist-size -2"},
        {"min-replicas-to-write 1", "min-slaves-to-write 1"},
        {"save \"900 1 60 1000\"", "save 900 1\nsave 60 1000"},
        {"notify-keyspace-events xE", "notify-keyspace-events Ex"},
        {"notify-keyspace-events AKE", "notify-keyspace-events KEg$lshzxetd"},
        {"client-output-buffer-limit \"normal 0 0 0 slave 268435456 67108864 60 pubsub 1 1 1\"",
            "client-output-buffer-limit replica 256mb 64mb 60"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        expect_drift(cases[i].live, cases[i].file, NULL);
    }
}

static void a_live_value_that_the_file_does_not_give_is_drift(void **UNUSED(state))
{
    const struct {
        const char *live, *file, *setting;
    } cases[] = {
        {"maxmemory 1", "maxmemory 2", "maxmemory"},
        {"dbfilename Dump.rdb", "dbfilename dump.rdb", "dbfilename"},
        {"save \"\"", "save 900 1", "save"},
        {"save \"900 1\"", "save 900 1\nsave 60 1000", "save"},
        {"hz 10", "hz 20\nhz 30", "hz"},
        {"notify-keyspace-events AKE", "notify-keyspace-events AE", "notify-keyspace-events"},
        {"notify-keyspace-events $", "notify-keyspace-events d", "notify-keyspace-events"},
        {"client-output-buffer-limit \"replica 1 67108864 60\"",
            "client-output-buffer-limit slave 256mb 64mb 60", "client-output-buffer-limit"},
        {"client-output-buffer-limit \"normal 0 0 0\"",
            "client-output-buffer-limit slave 256mb 64mb 60", "client-output-buffer-limit"},
        {"client-output-buffer-limit \"replica 1 1 1\"", "client-output-buffer-limit replica 1 1",
            "client-output-buffer-limit"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        expect_drift(cases[i].live, cases[i].file, cases[i].setting);
    }
}

static void a_live_value_over_a_silent_file_is_drift_from_the_default(void **UNUSED(state))
{
    expect_drift("maxmemory 0\nappendonly no\nrepl-backlog-size 1048576\n"
                 "repl-diskless-sync-delay 5\ncluster-require-full-coverage yes\n"
                 "maxmemory-policy noeviction\nmin-replicas-to-write 0\n"
                 "save \"3600 1 300 100 60 10000\"",
        "", NULL);
    expect_drift("maxmemory 9", "", "maxmemory");
    expect_drift("appendonly yes", "port 7000", "appendonly");
    expect_drift("min-replicas-to-write 1", "min-slaves-to-write 1", NULL);
    expect_drift("save \"\"", "", "save");
}

static void a_silent_file_that_includes_others_is_not_judged(void **UNUSED(state))
{
    expect_drift("maxmemory 9", "include /etc/redis/common.conf", NULL);
}

static void defaults_changed_between_series(void **UNUSED(state))
{
    const struct {
        const char *series, *live, *file; /* NULL: no drift */
    } cases[] = {
        {"valkey/8.1", "repl-backlog-size 10485760", NULL},
        {"valkey/8.1", "repl-backlog-size 1048576", "10mb (default)"},
        {"valkey/7.2", "repl-backlog-size 1048576", NULL},
        {"redis/6.0", "repl-backlog-size 1048576", NULL},
        {"redis/6.0", "save \"\"", NULL},
        {"redis/6.0", "save \"900 1\"", "\"\" (default)"},
        {"redis/7.0", "save \"\"", "3600 1 300 100 60 10000 (default)"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        AUTO_ARENA arena = {0};
        struct redis_config live, file = {0};
        struct fact_node node = {.series = cases[i].series};
        redis_config_parse(&arena, str_of(cases[i].live), &live);
        redis_drift_find(&arena, &live, &file, &node);
        assert_int_equal(node.drift_count, cases[i].file == NULL ? 0 : 1);
        assert_true(node.drift_count == 0 || strcmp(node.drift[0].file, cases[i].file) == 0);
    }
}

static void places_are_not_compared(void **UNUSED(state))
{
    expect_drift("port 1\nbind a\ndir /a\nlogfile a\ntls-port 1",
        "port 2\nbind b\ndir /b\nlogfile b\ntls-port 2\nunknown-to-the-server 1\n"
        "loadmodule /x.so",
        NULL);
}

static void secrets_are_compared_and_not_shown(void **UNUSED(state))
{
    static const struct {
        const char *live, *file;
        const char *live_shown, *file_shown; /* NULL: no drift */
    } cases[] = {
        {"requirepass one", "requirepass two", "(a secret)", "(another secret)"},
        {"requirepass one", "port 1", "(a secret)", ""},
        {"requirepass \"\"", "requirepass two", "", "(another secret)"},
        {"requirepass one", "requirepass \"one\"", NULL, NULL},
        {"requirepass \"\"", "port 1", NULL, NULL},
        {"port 1", "requirepass two", NULL, NULL},
        {"masterauth one", "include /x", NULL, NULL},
        {"masterauth one", "include /x\nmasterauth two", "(a secret)", "(another secret)"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        AUTO_ARENA arena = {0};
        struct redis_config live, file;
        struct fact_node node = {.product = "redis", .series = "redis/7.0"};
        redis_config_parse(&arena, str_of(cases[i].live), &live);
        redis_config_parse(&arena, str_of(cases[i].file), &file);
        redis_drift_find(&arena, &live, &file, &node);
        assert_int_equal(node.drift_count, cases[i].live_shown == NULL ? 0 : 1);
        if (node.drift_count > 0) {
            assert_string_equal(node.drift[0].live, cases[i].live_shown);
            assert_string_equal(node.drift[0].file, cases[i].file_shown);
        }
    }
}

static void users_without_channels_are_seen(void **UNUSED(state))
{
    static const struct {
        const char *text;
        bool is_seen;
    } cases[] = {{"user default on nopass ~* +@all", true}, {"USER a on >x ~*\nuser b &*", true},
        {"user default on nopass ~* &* +@all", false}, {"user a on allchannels", false},
        {"user a resetchannels", false}, {"# user a on", false}, {"masteruser a", false}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        AUTO_ARENA arena = {0};
        struct redis_config config;
        redis_config_parse(&arena, str_of(cases[i].text), &config);
        assert_int_equal(config.lacks_channels, cases[i].is_seen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_split_as_the_server_does),
        cmocka_unit_test(a_quote_left_open_or_closed_inside_a_word_is_refused),
        cmocka_unit_test(the_last_line_counts_except_where_lines_add_up),
        cmocka_unit_test(an_empty_save_drops_the_points_before_it),
        cmocka_unit_test(a_setting_is_found_under_its_other_name),
        cmocka_unit_test(secrets_lose_their_values_at_the_door),
        cmocka_unit_test(a_reply_becomes_settings),
        cmocka_unit_test(equal_settings_in_another_spelling_are_no_drift),
        cmocka_unit_test(a_live_value_that_the_file_does_not_give_is_drift),
        cmocka_unit_test(a_live_value_over_a_silent_file_is_drift_from_the_default),
        cmocka_unit_test(a_silent_file_that_includes_others_is_not_judged),
        cmocka_unit_test(defaults_changed_between_series),
        cmocka_unit_test(places_are_not_compared),
        cmocka_unit_test(secrets_are_compared_and_not_shown),
        cmocka_unit_test(users_without_channels_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
