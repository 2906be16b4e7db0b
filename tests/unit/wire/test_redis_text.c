/* The texts inside replies, as Redis 6.0 to Valkey 8.1 write them. */
#include "wire/redis_text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ID_A "07c37dfeb235213a872192d90877d0cd55635b91"
#define ID_B "67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1"

static void info_values_are_found_by_whole_name(void **UNUSED(state))
{
    const struct str info = STR("# Server\r\nredis_version:6.0.16\r\nredis_mode:cluster\r\n\r\n"
                                "# Replication\r\nslave0:ip=127.0.0.1,port=7004,state=online\r\n"
                                "master_replid2:\r\nmaster_repl_offset:-1\r\n");
    struct str value;
    assert_true(redis_info_get(info, "redis_version", &value));
    assert_true(str_is(value, "6.0.16"));
    assert_true(redis_info_get(info, "slave0", &value));
    assert_true(str_is(value, "ip=127.0.0.1,port=7004,state=online"));
    assert_true(redis_info_get(info, "master_replid2", &value));
    assert_int_equal(value.size, 0);
    assert_false(redis_info_get(info, "redis", &value));
    assert_false(redis_info_get(info, "version", &value));
    assert_false(redis_info_get(str_of(NULL), "redis_version", &value));
    assert_int_equal(redis_info_number(info, "master_repl_offset", 5), -1);
    assert_int_equal(redis_info_number(info, "redis_mode", 5), 5);
    assert_int_equal(redis_info_number(info, "absent", 5), 5);
}

static struct redis_cluster_node node_of(const char *line)
{
    struct str rest = str_of(line);
    struct redis_cluster_node node;
    assert_int_equal(redis_cluster_nodes_next(&rest, &node), 1);
    return node;
}

static void a_node_of_6_0_is_read_whole(void **UNUSED(state))
{
    const struct redis_cluster_node node = node_of(ID_A
        " 127.0.0.1:7001@17001 myself,master - 12 1426238317239 4 connected 0-5460 7000 [93->-" ID_B
        "]\n");
    assert_true(str_is(node.id, ID_A));
    assert_true(str_is(node.host, "127.0.0.1"));
    assert_int_equal(node.port, 7001);
    assert_int_equal(node.bus_port, 17001);
    assert_int_equal(node.hostname.size, 0);
    assert_int_equal(node.primary_id.size, 0);
    assert_true(node.is_myself && node.is_primary && node.is_linked);
    assert_false(node.is_replica || node.is_failing || node.is_suspect || node.is_handshaking ||
                 node.has_no_address);
    assert_int_equal(node.ping_sent_ms, 12);
    assert_int_equal(node.pong_received_ms, 1426238317239);
    assert_int_equal(node.epoch, 4);
    assert_true(str_is(node.slots, "0-5460 7000 [93->-" ID_B "]"));
}

static void addresses_of_all_versions_are_read(void **UNUSED(state))
{
    static const struct {
        const char *line, *host, *hostname;
        int64_t port, bus_port;
    } cases[] = {
        {ID_A " 10.0.0.1:7001 slave " ID_B " 0 1 4 connected", "10.0.0.1", "", 7001, 0},
        {ID_A " ::1:7001@17001 slave " ID_B " 0 1 4 connected", "::1", "", 7001, 17001},
        {ID_A " 127.0.0.1:7001@17001,node1.example slave " ID_B " 0 1 4 connected", "127.0.0.1",
            "node1.example", 7001, 17001},
        {ID_A " 127.0.0.1:7001@17001,host,shard-id=6ff5 slave " ID_B " 0 1 4 connected",
            "127.0.0.1", "host", 7001, 17001},
        {ID_A " 127.0.0.1:7001@17001,,tls-port=0,shard-id=6ff5 slave " ID_B " 0 1 4 connected",
            "127.0.0.1", "", 7001, 17001},
        {ID_A " 127.0.0.1:7001@17001,shard-id=6ff5 slave " ID_B " 0 1 4 connected", "127.0.0.1", "",
            7001, 17001},
        {ID_A " :0@0 slave,noaddr " ID_B " 0 1 4 disconnected", "", "", 0, 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const struct redis_cluster_node node = node_of(cases[i].line);
        assert_true(str_is(node.host, cases[i].host));
        assert_true(str_is(node.hostname, cases[i].hostname));
        assert_int_equal(node.port, cases[i].port);
        assert_int_equal(node.bus_port, cases[i].bus_port);
        assert_true(str_is(node.primary_id, ID_B));
        assert_int_equal(node.slots.size, 0);
    }
}

static void flags_are_told_apart(void **UNUSED(state))
{
    struct redis_cluster_node node = node_of(ID_A " h:1@2 master,fail? - 0 1 4 connected");
    assert_true(node.is_suspect && !node.is_failing && node.is_primary);
    node = node_of(ID_A " h:1@2 slave,fail,nofailover,future " ID_B " 0 1 4 disconnected");
    assert_true(node.is_failing && !node.is_suspect && node.is_replica && !node.is_linked);
    node = node_of(ID_A " h:1@2 handshake - 0 1 4 disconnected");
    assert_true(node.is_handshaking && !node.is_primary && !node.is_replica);
    node = node_of(ID_A " :0@0 master,noaddr - 0 1 4 disconnected 5");
    assert_true(node.has_no_address);
    node = node_of(ID_A " h:1@2 noflags - 0 1 4 disconnected");
    assert_false(node.is_primary || node.is_replica || node.has_no_address);
}

static void nodes_are_walked_line_by_line(void **UNUSED(state))
{
    /* As Valkey 8.1 answers; some tools put CR LF or empty lines in between. */
    struct str rest = STR(
        ID_A " 127.0.0.1:7001@17001 myself,master - 0 0 1 connected 0-8191\n"
             "\r\n" ID_B " 127.0.0.1:7002@17002 slave " ID_A " 0 1732154400000 1 connected\r\n");
    struct redis_cluster_node node;
    assert_int_equal(redis_cluster_nodes_next(&rest, &node), 1);
    assert_true(str_is(node.slots, "0-8191"));
    assert_int_equal(redis_cluster_nodes_next(&rest, &node), 1);
    assert_true(str_is(node.id, ID_B));
    assert_int_equal(redis_cluster_nodes_next(&rest, &node), 0);
    assert_int_equal(redis_cluster_nodes_next(&rest, &node), 0);
}

static void lines_that_are_no_nodes_are_bad(void **UNUSED(state))
{
    static const char *const lines[] = {
        "ERR This instance has cluster support disabled",
        ID_A,
        ID_A " h:1@2 master - 0 1 4",
        ID_A " h:1@2 master - 0 1 4 maybe",
        ID_A " h:1@2 master - x 1 4 connected",
        ID_A " h:1@2 master - 0 -1 4 connected",
        ID_A " h:1@2 master - 0 1 e connected",
        ID_A " h master - 0 1 4 connected",
        ID_A " h: master - 0 1 4 connected",
        ID_A " h:65536 master - 0 1 4 connected",
        ID_A " h:1@ master - 0 1 4 connected",
        ID_A " h:1@x master - 0 1 4 connected",
        ID_A "  h:1@2 master - 0 1 4 connected",
        "vars currentEpoch 6 lastVoteEpoch 0",
    };
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        struct str rest = str_of(lines[i]);
        struct redis_cluster_node node = {.port = 42};
        assert_int_equal(redis_cluster_nodes_next(&rest, &node), -1);
        assert_int_equal(node.port, 42); /* untouched */
    }
}

static void slots_are_ranges_single_numbers_and_markers(void **UNUSED(state))
{
    static const struct {
        int kind;
        int64_t first, last;
    } expected[] = {{1, 0, 5460}, {1, 7000, 7000}, {2, 93, 93}, {2, 77, 77}, {1, 16383, 16383}};
    struct str rest = STR("0-5460 7000  [93->-" ID_A "] [77-<-" ID_B "] 16383");
    int64_t first;
    int64_t last;
    for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
        assert_int_equal(redis_slots_next(&rest, &first, &last), expected[i].kind);
        assert_int_equal(first, expected[i].first);
        assert_int_equal(last, expected[i].last);
    }
    assert_int_equal(redis_slots_next(&rest, &first, &last), 0);
    rest = str_of(NULL);
    assert_int_equal(redis_slots_next(&rest, &first, &last), 0);
}

static void slots_out_of_range_or_form_are_bad(void **UNUSED(state))
{
    static const char *const texts[] = {"16384", "-1", "5-4", "0-16384", "a", "1-", "1-b", "[",
        "[]", "[93", "[93]", "[93-x]", "[x->-" ID_A "]", "[16384->-" ID_A "]"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct str rest = str_of(texts[i]);
        int64_t first = 42;
        int64_t last = 42;
        assert_int_equal(redis_slots_next(&rest, &first, &last), -1);
        assert_int_equal(first + last, 84);
    }
}

static void client_fields_are_found_by_whole_name(void **UNUSED(state))
{
    const struct str line = STR("id=3 addr=127.0.0.1:57314 laddr=127.0.0.1:7001 name= age=5 idle=0 "
                                "flags=N cmd=client|list user=default\n");
    struct str value;
    assert_true(redis_client_get(line, "addr", &value));
    assert_true(str_is(value, "127.0.0.1:57314"));
    assert_true(redis_client_get(line, "name", &value));
    assert_int_equal(value.size, 0);
    assert_true(redis_client_get(line, "user", &value));
    assert_true(str_is(value, "default"));
    assert_false(redis_client_get(line, "lag", &value));
    assert_false(redis_client_get(line, "dle", &value));
}

static void key_slots_match_the_specification(void **UNUSED(state))
{
    static const struct {
        const char *key;
        uint16_t slot;
    } cases[] = {{"123456789", 12739}, /* CRC16 0x31c3, the check value of the specification */
        {"", 0}, {"foo", 12182}, {"bar", 5061}, {"hello", 866}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(redis_key_slot(str_of(cases[i].key)), cases[i].slot);
    }
}

static void only_the_first_tag_of_a_key_counts(void **UNUSED(state))
{
    static const struct {
        const char *key, *hashed;
    } cases[] = {{"foo{hash_tag}", "hash_tag"}, {"{user1000}.following", "user1000"},
        {"foo{{bar}}zap", "{bar"}, {"foo{bar}{zap}", "bar"}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(
            redis_key_slot(str_of(cases[i].key)), redis_key_slot(str_of(cases[i].hashed)));
    }
    /* An empty or unclosed tag is no tag: the whole key counts. */
    assert_int_not_equal(redis_key_slot(STR("foo{}{bar}")), redis_key_slot(STR("bar")));
    assert_int_not_equal(redis_key_slot(STR("foo{}{bar}")), redis_key_slot(STR("")));
    assert_int_not_equal(redis_key_slot(STR("foo{bar")), redis_key_slot(STR("bar")));
}

static void redirects_name_slot_and_address(void **UNUSED(state))
{
    static const struct {
        const char *error, *host;
        bool is_ask;
        int64_t slot, port;
    } cases[] = {
        {"MOVED 3999 127.0.0.1:6381", "127.0.0.1", false, 3999, 6381},
        {"ASK 0 node.example:7001", "node.example", true, 0, 7001},
        {"MOVED 16383 :6380", "", false, 16383, 6380},
        {"MOVED 1 ::1:6380", "::1", false, 1, 6380},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        bool is_ask;
        int64_t slot;
        int64_t port;
        struct str host;
        assert_true(redis_parse_redirect(str_of(cases[i].error), &is_ask, &slot, &host, &port));
        assert_int_equal(is_ask, cases[i].is_ask);
        assert_int_equal(slot, cases[i].slot);
        assert_int_equal(port, cases[i].port);
        assert_true(str_is(host, cases[i].host));
    }
}

static void other_errors_are_no_redirects(void **UNUSED(state))
{
    static const char *const errors[] = {"", "ERR unknown command", "MOVED", "MOVED 3999",
        "MOVED 16384 h:1", "MOVED -1 h:1", "MOVED x h:1", "MOVED 1 h", "MOVED 1 h:", "MOVED 1 h:0",
        "MOVED 1 h:65536", "moved 1 h:1", "MOVEDX 1 h:1", "CLUSTERDOWN The cluster is down"};
    for (size_t i = 0; i < ARRAY_COUNT(errors); i++) {
        bool is_ask;
        int64_t slot = 42;
        int64_t port;
        struct str host;
        assert_false(redis_parse_redirect(str_of(errors[i]), &is_ask, &slot, &host, &port));
        assert_int_equal(slot, 42);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info_values_are_found_by_whole_name),
        cmocka_unit_test(a_node_of_6_0_is_read_whole),
        cmocka_unit_test(addresses_of_all_versions_are_read),
        cmocka_unit_test(flags_are_told_apart),
        cmocka_unit_test(nodes_are_walked_line_by_line),
        cmocka_unit_test(lines_that_are_no_nodes_are_bad),
        cmocka_unit_test(slots_are_ranges_single_numbers_and_markers),
        cmocka_unit_test(slots_out_of_range_or_form_are_bad),
        cmocka_unit_test(client_fields_are_found_by_whole_name),
        cmocka_unit_test(key_slots_match_the_specification),
        cmocka_unit_test(only_the_first_tag_of_a_key_counts),
        cmocka_unit_test(redirects_name_slot_and_address),
        cmocka_unit_test(other_errors_are_no_redirects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
