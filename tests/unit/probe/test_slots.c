/* The map of a cluster client. */
#include "probe/slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static struct slots *new_slots(void)
{
    struct slots *slots = mem_alloc(sizeof(*slots));
    slots_init(slots);
    assert_int_equal(slots_node(slots, STR("127.0.0.1"), 7001), 0);
    return slots;
}

static void free_slots(struct slots *slots)
{
    slots_release(slots);
    free(slots);
}

static bool load(struct slots *slots, const char *text)
{
    struct resp pool[64];
    struct resp reply;
    size_t used;
    assert_int_equal(resp_parse(str_of(text), pool, ARRAY_COUNT(pool), &reply, &used), RESP_DONE);
    return slots_load(slots, &reply, 0);
}

static void a_reply_fills_the_map_and_names_replicas(void **UNUSED(state))
{
    struct slots *slots = new_slots();
    assert_true(load(slots, "*2\r\n"
                            "*4\r\n:0\r\n:8191\r\n*2\r\n$0\r\n\r\n:7001\r\n"
                            "*2\r\n$9\r\n127.0.0.1\r\n:7003\r\n"
                            "*3\r\n:8192\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:7002\r\n"));
    assert_int_equal(slots->node_count, 3);
    assert_int_equal(slots->owners[0], 0); /* an empty host is the one that answered */
    assert_int_equal(slots->owners[16383], 2);
    assert_string_equal(slots->nodes[2].where, "127.0.0.1:7002");
    free_slots(slots);
}

static void a_reply_of_another_shape_is_refused(void **UNUSED(state))
{
    static const char *const replies[] = {"*0\r\n", ":5\r\n", "*1\r\n:5\r\n",
        "*1\r\n*2\r\n:0\r\n:1\r\n", "*1\r\n*3\r\n+0\r\n:1\r\n*0\r\n",
        "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\nx\r\n:7\r\n",
        "*1\r\n*3\r\n:-1\r\n:1\r\n*2\r\n$1\r\nx\r\n:7\r\n"};
    struct slots *slots = new_slots();
    for (size_t i = 0; i < ARRAY_COUNT(replies); i++) {
        assert_false(load(slots, replies[i]));
    }
    free_slots(slots);
}

static void one_primary_owns_all_and_a_replica_names_it(void **UNUSED(state))
{
    struct slots *slots = new_slots();
    slots->source = SLOTS_FROM_ROLES;
    slots->is_stale = false;
    assert_true(load(slots, "*3\r\n$6\r\nmaster\r\n:5\r\n*0\r\n"));
    assert_int_equal(slots->owners[0], 0);
    assert_int_equal(slots->owners[16383], 0);
    assert_false(slots->is_stale);
    assert_true(load(slots, "*5\r\n$5\r\nslave\r\n$8\r\n10.0.0.9\r\n:7009\r\n"
                            "$9\r\nconnected\r\n:5\r\n"));
    assert_int_equal(slots->owners[5], 1); /* believed, and asked */
    assert_true(slots->is_stale);
    assert_int_equal(slots_adviser(slots, false, 0), 1);
    assert_false(load(slots, "*2\r\n$8\r\nsentinel\r\n*0\r\n"));
    free_slots(slots);
}

static void sentinels_tell_the_primary_and_own_nothing(void **UNUSED(state))
{
    struct slots *slots = new_slots();
    slots->source = SLOTS_FROM_SENTINELS;
    slots->sentinel_count = slots->node_count;
    assert_int_equal(slots_node(slots, STR("10.0.0.1"), 6379), 1);
    assert_int_equal(slots_node(slots, STR("10.0.0.2"), 6379), 2);
    for (uint64_t random = 0; random < 9; random++) {
        assert_int_equal(slots_adviser(slots, random % 2 == 0, random), 0);
        assert_in_range(slots_route(slots, STR("key"), random), 1, 2);
        assert_int_equal(slots_other(slots, 1, random), 2);
        assert_int_equal(slots_elsewhere(slots, 1, random), 1);
        assert_int_equal(slots_other(slots, 2, random), 1);
        assert_in_range(slots_other(slots, 0, random), 1, 2);
    }
    assert_true(load(slots, "*2\r\n$8\r\n10.0.0.2\r\n$4\r\n6379\r\n"));
    assert_int_equal(slots_route(slots, STR("key"), 0), 2);
    assert_false(load(slots, "*-1\r\n"));
    free_slots(slots);
}

static void an_error_is_no_reason_to_doubt_a_cluster(void **UNUSED(state))
{
    struct slots *slots = new_slots();
    slots->is_stale = false;
    slots_doubt(slots, 0);
    assert_false(slots->is_stale);
    slots->source = SLOTS_FROM_ROLES;
    slots_doubt(slots, 0);
    assert_true(slots->is_stale);
    free_slots(slots);
}

static void moved_corrects_the_map_and_ask_does_not(void **UNUSED(state))
{
    struct slots *slots = new_slots();
    slots->is_stale = false;
    bool is_ask;
    assert_int_equal(slots_redirect(slots, STR("ASK 5 10.0.0.9:7009"), 0, &is_ask), 1);
    assert_true(is_ask);
    assert_int_equal(slots->owners[5], -1);
    assert_false(slots->is_stale);
    assert_int_equal(slots_redirect(slots, STR("MOVED 5 10.0.0.9:7009"), 0, &is_ask), 1);
    assert_false(is_ask);
    assert_int_equal(slots->owners[5], 1);
    assert_true(slots->is_stale);
    assert_int_equal(slots_redirect(slots, STR("MOVED 5 :7001"), 0, &is_ask), 0);
    assert_int_equal(slots_redirect(slots, STR("ERR no"), 0, &is_ask), -1);
    free_slots(slots);
}

static void keys_go_to_the_owner_or_to_anybody(void **UNUSED(state))
{
    struct slots *slots = new_slots();
    assert_int_equal(slots_node(slots, STR("127.0.0.1"), 7002), 1);
    const struct str key = STR("upshift:p:one:1");
    assert_int_equal(slots_route(slots, key, 3), 1);
    assert_int_equal(slots_route(slots, key, 2), 0);
    slots->owners[redis_key_slot(key)] = 1;
    assert_int_equal(slots_route(slots, key, 2), 1);
    free_slots(slots);
}

static void somebody_else_is_never_the_same(void **UNUSED(state))
{
    struct slots *slots = new_slots();
    assert_int_equal(slots_other(slots, 0, 5), 0); /* there is nobody else */
    assert_int_equal(slots_node(slots, STR("127.0.0.1"), 7002), 1);
    assert_int_equal(slots_node(slots, STR("127.0.0.1"), 7003), 2);
    for (uint64_t random = 0; random < 6; random++) {
        for (int node = 0; node < 3; node++) {
            assert_true(slots_other(slots, node, random) != node);
            assert_in_range(slots_other(slots, node, random), 0, 2);
        }
    }
    free_slots(slots);
}

static void more_nodes_than_there_is_room_for_are_refused(void **UNUSED(state))
{
    struct slots *slots = new_slots();
    for (int64_t port = 7002; port <= 7000 + SLOTS_NODE_COUNT_MAX; port++) {
        assert_true(slots_node(slots, STR("127.0.0.1"), port) > 0);
    }
    assert_int_equal(slots_node(slots, STR("127.0.0.1"), 9999), -1);
    assert_int_equal(slots_node(slots, STR("127.0.0.1"), 7001), 0);
    free_slots(slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_fills_the_map_and_names_replicas),
        cmocka_unit_test(a_reply_of_another_shape_is_refused),
        cmocka_unit_test(one_primary_owns_all_and_a_replica_names_it),
        cmocka_unit_test(sentinels_tell_the_primary_and_own_nothing),
        cmocka_unit_test(an_error_is_no_reason_to_doubt_a_cluster),
        cmocka_unit_test(moved_corrects_the_map_and_ask_does_not),
        cmocka_unit_test(keys_go_to_the_owner_or_to_anybody),
        cmocka_unit_test(somebody_else_is_never_the_same),
        cmocka_unit_test(more_nodes_than_there_is_room_for_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
