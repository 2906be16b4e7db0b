/* What a guard is told survives the way to another process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guard/config.h"

static struct inv_node test_nodes[] = {
    {.name = "a", .host = "h1", .port = 1}, {.name = "b", .host = "h2", .port = 2}};
static struct inv_node test_sentinels[] = {
    {.name = "s", .host = "h3", .port = 3, .is_sentinel = true}};
static const char *const test_hook[] = {"/bin/tell", "x"};
static const char *const test_argv[] = {"pass", "show", "redis", NULL};

static struct guard_config make_test_config(void)
{
    return (struct guard_config){.cluster = {.name = "c",
                                     .datastore = "redis",
                                     .topology = "sentinel",
                                     .master_name = "m",
                                     .password = {.source = SECRET_COMMAND, .argv = test_argv},
                                     .tls = {.is_enabled = true, .ca_file = "/ca"},
                                     .host_via = "local",
                                     .service_manager = "process",
                                     .package_provider = "suite",
                                     .nodes = test_nodes,
                                     .node_count = 2,
                                     .sentinels = test_sentinels,
                                     .sentinel_count = 1,
                                     .primary_changed = test_hook,
                                     .primary_changed_count = 2},
        .run = "r",
        .step = "s/1",
        .primary = "a",
        .heir = "b",
        .base = "/x/y",
        .fence_before = "1",
        .epoch = 7,
        .hold_limit_ms = 5000,
        .start_before_ms = 99,
        .fires_at_ms = 100};
}

static void a_config_reads_back_as_it_was_written(void **UNUSED(state))
{
    const struct guard_config config = make_test_config();
    AUTO_JSON first = guard_config_write(&config);
    AUTO_ARENA arena = {0};
    struct guard_config copy;
    AUTO_ERR err = guard_config_read(first, &arena, &copy);
    assert_null(err);
    AUTO_JSON second = guard_config_write(&copy);
    assert_true(js_equal(first, second));
    assert_string_equal(copy.cluster.nodes[1].host, "h2");
    assert_true(copy.cluster.sentinels[0].is_sentinel);
    assert_string_equal(copy.cluster.primary_changed[1], "x");
    assert_string_equal(copy.cluster.password.argv[2], "redis");
    assert_null(copy.cluster.password.argv[3]);
    assert_int_equal(copy.fires_at_ms, 100);
}

static void what_is_no_config_is_refused(void **UNUSED(state))
{
    AUTO_JSON wrong = js_object();
    js_put_text(wrong, "epoch", "seven");
    AUTO_ARENA arena = {0};
    struct guard_config config;
    AUTO_ERR err = guard_config_read(wrong, &arena, &config);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_config_reads_back_as_it_was_written),
        cmocka_unit_test(what_is_no_config_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
