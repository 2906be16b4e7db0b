/* The configuration that the probe reads, and its refusals; none of them connects anywhere. */
#include "probe/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/control.h"

static struct err *read_text(const char *text, struct arena *arena, struct probe_config *ret_config)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
    (void)close(ends[1]);
    struct err *err = probe_read_config(ends[0], arena, ret_config);
    (void)close(ends[0]);
    return err;
}

static void a_configuration_is_read_from_json(void **UNUSED(state))
{
    AUTO_ARENA arena = {0};
    struct probe_config config = {0};
    AUTO_ERR err = read_text("{\"run\":\"r1\",\"cluster\":\"c\",\"nodes\":[\"a:1\",\"b:2\"],"
                             "\"password\":{\"source\":\"command\",\"argv\":[\"pass\",\"show\"]},"
                             "\"tls\":{\"is_enabled\":true,\"ca_file\":\"/ca\"},"
                             "\"mode\":\"write\",\"rate\":100}",
        &arena, &config);
    assert_null(err);
    assert_int_equal(config.node_count, 2);
    assert_string_equal(config.nodes[1], "b:2");
    assert_true(config.tls.is_enabled);
    struct secret_ref ref;
    probe_secret_refer(&config.password, &arena, &ref);
    assert_int_equal(ref.source, SECRET_COMMAND);
    assert_string_equal(ref.argv[1], "show");
    assert_null(ref.argv[2]);
}

static void what_is_not_a_configuration_is_refused(void **UNUSED(state))
{
    static const char *const texts[] = {"", "[]", "{", "{\"rat\":1}", "{\"rate\":\"1\"}"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        AUTO_ARENA arena = {0};
        struct probe_config config;
        AUTO_ERR err = read_text(texts[i], &arena, &config);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_INVALID);
        assert_string_equal(err->code, "probe_config_invalid");
    }
}

static const char *good_nodes[] = {"127.0.0.1:1"};
static const char *bad_nodes[] = {"127.0.0.1"};

static struct probe_config good_config(void)
{
    return (struct probe_config){
        .run = "none",
        .cluster = "c",
        .nodes = good_nodes,
        .node_count = 1,
        .mode = "write",
        .rate = 10,
        .keys_max = 10,
        .ttl_s = 60,
        .linger_s = 60,
        .seconds = 1,
        .directory = "/proc/nowhere",
    };
}

static void assert_refused(const struct probe_config *config, const char *code, const char *what)
{
    struct probe_final final;
    AUTO_ERR err = probe_run(config, NULL, &final);
    assert_non_null(err);
    assert_string_equal(err->code, code);
    assert_non_null(strstr(err->what, what));
}

static void every_member_out_of_bounds_is_refused_by_name(void **UNUSED(state))
{
    const struct {
        struct probe_config config;
        const char *name;
    } cases[] = {
        {{.nodes = bad_nodes, .node_count = 1}, "nodes"},
        {{.node_count = 0}, "nodes"},
        {{.mode = "both"}, "mode"},
        {{.rate = -1}, "rate"},
        {{.rate = PROBE_RATE_MAX + 1}, "rate"},
        {{.keys_max = -1}, "keys_max"},
        {{.ttl_s = 9}, "ttl_s"},
        {{.seconds = -1}, "seconds"},
        {{.linger_s = -1}, "linger_s"},
        {{.incarnation = "../x"}, "incarnation"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const struct probe_config *wrong = &cases[i].config;
        struct probe_config config = good_config();
        config.nodes = wrong->nodes == NULL ? config.nodes : wrong->nodes;
        config.node_count = strcmp(cases[i].name, "nodes") == 0 ? wrong->node_count : 1;
        config.mode = wrong->mode == NULL ? config.mode : wrong->mode;
        config.rate = wrong->rate == 0 ? config.rate : wrong->rate;
        config.keys_max = wrong->keys_max == 0 ? config.keys_max : wrong->keys_max;
        config.ttl_s = wrong->ttl_s == 0 ? config.ttl_s : wrong->ttl_s;
        config.seconds = strcmp(cases[i].name, "linger_s") == 0 ? 0 : config.seconds;
        config.seconds = wrong->seconds == 0 ? config.seconds : wrong->seconds;
        config.linger_s = wrong->linger_s == 0 ? config.linger_s : wrong->linger_s;
        config.incarnation = wrong->incarnation;
        assert_refused(&config, "probe_config_invalid", cases[i].name);
    }
}

static void a_folder_that_cannot_be_is_refused(void **UNUSED(state))
{
    const struct probe_config config = good_config();
    assert_refused(&config, "probe_log_write", "cannot keep its log");
}

static void a_secret_that_is_not_there_is_refused(void **UNUSED(state))
{
    struct probe_config config = good_config();
    config.password = (struct probe_secret){.source = SECRET_ENV, .name = "UPSHIFT_NOT_SET"};
    struct probe_final final;
    AUTO_ERR err = probe_run(&config, NULL, &final);
    assert_non_null(err);
    assert_string_equal(err->code, "secret_missing");
}

static void a_message_to_nobody_is_an_error(void **UNUSED(state))
{
    AUTO_JSON message = js_object();
    js_put_bool(message, "alive", true);
    AUTO_ERR err = probe_control_send("/tmp/upshift-no-such-folder", message);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_UNREACHABLE);
    assert_string_equal(err->code, "probe_unreachable");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_configuration_is_read_from_json),
        cmocka_unit_test(what_is_not_a_configuration_is_refused),
        cmocka_unit_test(every_member_out_of_bounds_is_refused_by_name),
        cmocka_unit_test(a_folder_that_cannot_be_is_refused),
        cmocka_unit_test(a_secret_that_is_not_there_is_refused),
        cmocka_unit_test(a_message_to_nobody_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
