/* test_config_rewrite.c - live settings go into the file, the file as it was stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "drivers/host.h"
#include "fixture.h"
#include "steps/steps.h"

static struct json *make_args(const char *digest)
{
    struct json *args = js_object();
    js_put_text(args, "node", "n4");
    js_put_text(args, "digest", digest);
    return args;
}

static enum step_state look(struct fixture *fixture, const struct json *args)
{
    const struct bound bound = {args};
    const struct before before = {NULL};
    enum step_state state = STEP_ELSEWHERE;
    AUTO_ERR err = config_rewrite_ops.verify(&fixture->call, &bound, &before, &state);
    assert_null(err);
    return state;
}

static struct err *act(struct fixture *fixture, const struct json *args)
{
    const struct bound bound = {args};
    const struct before before = {NULL};
    return config_rewrite_ops.apply(&fixture->call, &bound, &before);
}

/* The file in the node's directory that ends like this, or the configuration file itself (NULL). */
static void read_text(struct fixture *fixture, const char *name, struct buf *ret_text)
{
    const struct inv_node *node = fixture_node(fixture, "n4");
    AUTO_FREE char *path = mem_format("%s/%s", node->directory, name == NULL ? "" : name);
    bool exists = false;
    AUTO_ERR err = host_read_file(&fixture->call, fixture->world->host, node,
        name == NULL ? node->config_file : path, 65536, &exists, ret_text);
    assert_null(err);
    assert_true(exists);
}

static void the_live_settings_are_written_and_the_file_is_kept(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){0});
    AUTO_BUF original = {0};
    read_text(&fixture, NULL, &original);
    fixture_set(&fixture, "n4", "maxmemory", "1000000");
    AUTO_FACTS facts = {0};
    const struct fact_node *node = fixture_read(&fixture, "n4", &facts);
    assert_int_equal(node->drift_count, 1);
    AUTO_JSON args = make_args(node->config_digest);

    assert_int_equal(look(&fixture, args), STEP_ABSENT);
    AUTO_ERR err = act(&fixture, args);
    assert_null(err);
    assert_int_equal(look(&fixture, args), STEP_DONE);

    AUTO_FACTS later = {0};
    assert_int_equal(fixture_read(&fixture, "n4", &later)->drift_count, 0);
    AUTO_BUF kept = {0};
    AUTO_FREE char *name = mem_format("upshift-config-%.8s.conf", node->config_digest);
    read_text(&fixture, name, &kept);
    assert_string_equal(buf_text(&kept), buf_text(&original));

    /* Once more, as after a crash: what is kept stays the original. */
    AUTO_ERR again = act(&fixture, args);
    assert_null(again);
    AUTO_BUF kept_still = {0};
    read_text(&fixture, name, &kept_still);
    assert_string_equal(buf_text(&kept_still), buf_text(&original));
}

static void nothing_is_sent_too_late(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){0});
    AUTO_FACTS facts = {0};
    AUTO_JSON args = make_args(fixture_read(&fixture, "n4", &facts)->config_digest);
    fixture.call.send_before_ms = 1;
    fixture_wait(&fixture, 10);
    AUTO_ERR err = act(&fixture, args);
    assert_non_null(err);
    assert_string_equal(err->code, "send_window_closed");
    assert_int_equal(look(&fixture, args), STEP_ABSENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_live_settings_are_written_and_the_file_is_kept),
        cmocka_unit_test(nothing_is_sent_too_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
