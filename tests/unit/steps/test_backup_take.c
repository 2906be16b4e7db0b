/* test_backup_take.c - a backup is done when it was loaded with all keys, and recorded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/host.h"
#include "drivers/topology.h"
#include "fixture.h"
#include "steps/steps.h"

/* The simulated topology, but with what a test says that a dump holds. */
struct telling_topology {
    struct topology base; /* first */
    struct topology *inner;
    int64_t key_count;
    int read_count;
};

static struct err *read_inner(
    const struct call *call, struct topology *topology, struct facts *ret_facts)
{
    return topology_read(call, ((struct telling_topology *)topology)->inner, ret_facts);
}

static struct err *tell_count(const struct call *UNUSED(call), struct topology *topology,
    const struct inv_node *UNUSED(node), const char *server, const char *dump,
    int64_t *ret_key_count)
{
    struct telling_topology *telling = (struct telling_topology *)topology;
    assert_string_equal(server, SERVER_7_0);
    assert_non_null(strstr(dump, "/srv/backup/"));
    assert_non_null(strstr(dump, "-n4-r1.rdb"));
    telling->read_count++;
    *ret_key_count = telling->key_count;
    return NULL;
}

static const struct topology_ops telling_ops = {
    .name = "telling", .read = read_inner, .try_dump = tell_count};

static struct json *make_backup_args(void)
{
    struct json *args = js_object();
    js_put_text(args, "node", "n4");
    js_put_text(args, "dir", "/srv/backup");
    js_put_text(args, "dump", "dump.rdb");
    js_put_text(args, "server", SERVER_7_0);
    return args;
}

struct backup_case {
    int64_t keys; /* that the dump holds, besides those of the node */
    bool is_good;
};

static void take_backup(const struct backup_case *backup_case)
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){0});
    AUTO_FACTS facts = {0};
    const int64_t live = fixture_read(&fixture, "n4", &facts)->key_count;
    struct telling_topology telling = {
        {&telling_ops}, fixture.world->topology, live + backup_case->keys, 0};
    fixture.world->topology = &telling.base;
    fixture.call.world = fixture.world;
    fixture.call.run = "r1";
    AUTO_JSON args = make_backup_args();
    const struct bound bound = {args};
    const struct before before = {NULL};
    enum step_state state = STEP_MOVING;

    AUTO_ERR looked = backup_take_ops.verify(&fixture.call, &bound, &before, &state);
    assert_null(looked);
    assert_int_equal(state, STEP_ABSENT);
    AUTO_ERR err = backup_take_ops.apply(&fixture.call, &bound, &before);
    assert_int_equal(telling.read_count, 1);
    AUTO_ERR looked_again = backup_take_ops.verify(&fixture.call, &bound, &before, &state);
    assert_null(looked_again);
    assert_int_equal(state, backup_case->is_good ? STEP_DONE : STEP_ABSENT);
    if (backup_case->is_good) {
        assert_null(err);
    } else {
        assert_non_null(err);
        assert_string_equal(err->code, "dump_unusable");
    }
    fixture.world->topology = telling.inner;
}

static void a_dump_with_all_keys_is_a_backup(void **UNUSED(state))
{
    take_backup(&(struct backup_case){0, true});
    take_backup(&(struct backup_case){5, true});
}

static void a_dump_that_lacks_keys_is_none(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){0});
    AUTO_FACTS facts = {0};
    const int64_t live = fixture_read(&fixture, "n4", &facts)->key_count;
    assert_true(live > 0);
    take_backup(&(struct backup_case){-live, false});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dump_with_all_keys_is_a_backup),
        cmocka_unit_test(a_dump_that_lacks_keys_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
