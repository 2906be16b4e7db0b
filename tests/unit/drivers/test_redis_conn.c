/* test_redis_conn.c - what the driver sends, and what it makes of the answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "drivers/local/local.h"
#include "drivers/redis/redis.h"
#include "fake_redis.h"

enum { CALL_MS = 3000, SHORT_MS = 200 };

#define ID_1 "f664444401fb7f00c8dd18878335aca7544a7cb0"

static const char primary_info[] = "redis_version:7.0.15\r\nloading:0\r\nrole:master\r\n";
static const char primary_nodes[] = ID_1 " 127.0.0.1:1@2 myself,master - 0 0 1 connected\n";
static const char loading_info[] = "redis_version:7.0.15\r\nloading:1\r\nrole:slave\r\n";

struct one_node {
    struct fake_redis fake;
    struct inv_cluster cluster;
    struct inv_node node;
    struct host *host;
    struct redis_capabilities redis;
    struct call call;
};

static void open_node(struct one_node *one, const struct fake_reply *replies)
{
    *one = (struct one_node){0};
    fake_redis_start(&one->fake, replies);
    one->node = (struct inv_node){.name = "n1",
        .host = "127.0.0.1",
        .port = one->fake.port,
        .directory = "/nowhere",
        .config_file = "/nowhere/redis.conf",
        .server_link = "/nowhere/server"};
    one->cluster = (struct inv_cluster){.name = "shop",
        .datastore = "redis",
        .topology = "cluster",
        .nodes = &one->node,
        .node_count = 1};
    one->host = local_open();
    AUTO_ERR err = redis_open(&one->cluster, one->host, &one->redis);
    assert_null(err);
    struct clock *clock = clock_system();
    one->call = (struct call){.clock = clock, .deadline_ms = clock_now_ms(clock) + CALL_MS};
}

static void close_node(struct one_node *one)
{
    topology_close(one->redis.topology);
    replication_close(one->redis.replication);
    settings_close(one->redis.settings);
    fence_close(one->redis.fence);
    cutover_close(one->redis.cutover);
    host_close(one->host);
    fake_redis_stop(&one->fake);
    fake_redis_release(&one->fake);
}

static struct err *set_hz(struct one_node *one)
{
    return settings_set(&one->call, one->redis.settings, &one->node, "hz", "20");
}

static void a_connection_is_named_before_it_acts(void **UNUSED(state))
{
    const struct fake_reply replies[] = {{NULL, NULL}};
    struct one_node one;
    open_node(&one, replies);
    one.call.run = "r7";
    one.call.epoch = 3;
    AUTO_ERR err = set_hz(&one);
    fake_redis_stop(&one.fake);
    assert_null(err);
    assert_string_equal(
        buf_text(&one.fake.asked), "CLIENT SETNAME upshift:r7:3\nCONFIG SET hz 20\n");
    close_node(&one);
}

static const char client_list[] =
    "id=3 addr=127.0.0.1:1 name=upshift:r7:2 age=5\nid=4 addr=127.0.0.1:2 name=upshift:r7:3 age=1\n"
    "id=5 addr=127.0.0.1:3 name=upshift:r77:1 age=5\nid=6 addr=127.0.0.1:4 name=app age=5\n"
    "id=7 addr=127.0.0.1:5 name=upshift:r7:1 age=5\nid=8 addr=127.0.0.1:6 name= age=5\n"
    "id=9 addr=127.0.0.1:7 name=upshift:r7:x age=5\nid=10 addr=127.0.0.1:8 name=upshift:-:0\n";

static void only_older_connections_of_the_run_are_cut(void **UNUSED(state))
{
    const struct fake_reply replies[] = {{"CLIENT LIST", .text = client_list},
        {"CLIENT KILL ID 3", ":1\r\n"}, {"CLIENT KILL ID 7", ":0\r\n"}, {NULL, NULL}};
    struct one_node one;
    open_node(&one, replies);
    const struct fence_mark mark = {.run = "r7", .epoch = 3};
    int64_t cut_count = -1;
    AUTO_ERR err = fence_cut(&one.call, one.redis.fence, &one.node, &mark, &cut_count);
    fake_redis_stop(&one.fake);
    assert_null(err);
    assert_int_equal(cut_count, 1);
    assert_string_equal(buf_text(&one.fake.asked),
        "CLIENT SETNAME upshift:-:0\nCLIENT LIST\nCLIENT KILL ID 3\nCLIENT KILL ID 7\n");
    close_node(&one);
}

static void a_server_that_refuses_to_cut_is_named_with_the_right(void **UNUSED(state))
{
    const struct fake_reply replies[] = {{"CLIENT LIST", .text = client_list},
        {"CLIENT KILL", "-NOPERM no permissions to run the 'client|kill' command\r\n"},
        {NULL, NULL}};
    struct one_node one;
    open_node(&one, replies);
    const struct fence_mark mark = {.run = "r7", .epoch = 3};
    int64_t cut_count = -1;
    AUTO_ERR err = fence_cut(&one.call, one.redis.fence, &one.node, &mark, &cut_count);
    assert_non_null(err);
    assert_string_equal(err->code, "no_permission");
    assert_non_null(strstr(err_first_hint(err), "ACL SETUSER default +client|kill"));
    assert_int_equal(cut_count, -1);
    close_node(&one);
}

static struct err *lose_claim(const struct call *call, const char *node)
{
    struct one_node *one = *(struct one_node *const *)call->claim_context;
    assert_string_equal(node, "n1");
    assert_string_equal(buf_text(&one->fake.asked), "CLIENT SETNAME upshift:-:0\n");
    return err_code(err_new(ERR_CANCELLED, node, "somebody else has it"), "claim_lost");
}

static void the_claim_is_asked_on_a_named_connection_before_anything_is_sent(void **UNUSED(state))
{
    const struct fake_reply replies[] = {{NULL, NULL}};
    for (int i = 0; i < 2; i++) {
        struct one_node one;
        open_node(&one, replies);
        struct one_node *context = &one;
        one.call.check_claim = lose_claim;
        one.call.claim_context = &context;
        AUTO_ERR err = i == 0 ? set_hz(&one)
                              : replication_switchover(&one.call, one.redis.replication, &one.node);
        fake_redis_stop(&one.fake);
        assert_non_null(err);
        assert_string_equal(err->code, "claim_lost");
        assert_string_equal(buf_text(&one.fake.asked), "CLIENT SETNAME upshift:-:0\n");
        close_node(&one);
    }
}

static void a_user_and_the_password_of_this_moment_come_first(void **UNUSED(state))
{
    const struct fake_reply replies[] = {{NULL, NULL}};
    struct one_node one;
    open_node(&one, replies);
    one.cluster.user = "ops";
    one.cluster.password = (struct secret_ref){.source = SECRET_ENV, .name = "UPSHIFT_TEST_SECRET"};
    assert_int_equal(setenv("UPSHIFT_TEST_SECRET", "first", 1), 0);
    AUTO_ERR first = set_hz(&one);
    assert_int_equal(setenv("UPSHIFT_TEST_SECRET", "second", 1), 0);
    one.cluster.user = NULL;
    AUTO_ERR second = set_hz(&one);
    assert_int_equal(unsetenv("UPSHIFT_TEST_SECRET"), 0);
    AUTO_ERR third = set_hz(&one);
    fake_redis_stop(&one.fake);
    assert_null(first);
    assert_null(second);
    assert_non_null(third);
    assert_string_equal(third->code, "secret_missing");
    assert_string_equal(buf_text(&one.fake.asked),
        "AUTH ops first\nCLIENT SETNAME upshift:-:0\nCONFIG SET hz 20\n"
        "AUTH second\nCLIENT SETNAME upshift:-:0\nCONFIG SET hz 20\n");
    close_node(&one);
}

/* One refusal of CONFIG SET. */
static void expect_refusal(const char *reply, const char *code, const char *hint)
{
    const struct fake_reply replies[] = {{"CONFIG SET", reply}, {NULL, NULL}};
    struct one_node one;
    open_node(&one, replies);
    AUTO_ERR err = set_hz(&one);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_REFUSED);
    assert_string_equal(err->code, code);
    const char *first_hint = err_first_hint(err);
    assert_true(hint == NULL ? first_hint == NULL : strstr(first_hint, hint) != NULL);
    close_node(&one);
}

static void refusals_have_codes_and_remedies(void **UNUSED(state))
{
    expect_refusal("-ERR Unknown option\r\n", "refused", NULL);
    expect_refusal("-NOAUTH Authentication required.\r\n", "password_missing", "password");
    expect_refusal("-NOPERM this user has no permissions to run the 'config|set' command\r\n",
        "no_permission", "ACL SETUSER default +config|set");
    expect_refusal("-LOADING Redis is loading the dataset in memory\r\n", "loading", "wait");
    expect_refusal("-DENIED Redis is running in protected mode\r\n", "protected_mode", "hosts");
    expect_refusal("-ERR unknown command `CONFIG`, with args beginning with: `set`, \r\n",
        "command_unknown", "rename-command");
    expect_refusal("-ERR max number of clients reached\r\n", "too_many_clients", "maxclients");
    expect_refusal(
        "-ERR This instance has cluster support disabled\r\n", "not_cluster", "cluster-enabled");
}

/* Whatever the server answers, the password is in no text. */
static void a_refused_password_is_named_and_never_shown(void **UNUSED(state))
{
    const char *const answers[] = {"-WRONGPASS invalid username-password pair\r\n",
        "-ERR unknown command `AUTH`, with args beginning with: `open-sesame`, \r\n"};
    for (size_t i = 0; i < ARRAY_COUNT(answers); i++) {
        const struct fake_reply replies[] = {{"AUTH", answers[i]}, {NULL, NULL}};
        struct one_node one;
        open_node(&one, replies);
        one.cluster.password =
            (struct secret_ref){.source = SECRET_ENV, .name = "UPSHIFT_TEST_SECRET"};
        assert_int_equal(setenv("UPSHIFT_TEST_SECRET", "open-sesame", 1), 0);
        AUTO_ERR err = set_hz(&one);
        assert_int_equal(unsetenv("UPSHIFT_TEST_SECRET"), 0);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_REFUSED);
        assert_string_equal(err->code, "wrong_password");
        assert_non_null(err_first_hint(err));
        AUTO_FREE char *text = err_text(err);
        assert_null(strstr(text, "open-sesame"));
        close_node(&one);
    }
}

static void what_does_not_speak_resp_is_said_so(void **UNUSED(state))
{
    const struct fake_reply replies[] = {{"CLIENT", "HTTP/1.1 400 Bad Request\r\n"}, {NULL, NULL}};
    struct one_node one;
    open_node(&one, replies);
    AUTO_ERR err = set_hz(&one);
    assert_non_null(err);
    assert_string_equal(err->code, "not_redis");
    close_node(&one);
}

static void no_answer_is_unknown_and_not_no(void **UNUSED(state))
{
    const char *const answers[] = {"", NULL}; /* hangs up, stays silent */
    for (size_t i = 0; i < ARRAY_COUNT(answers); i++) {
        const struct fake_reply replies[] = {{"CLUSTER FAILOVER", answers[i]}, {NULL, NULL}};
        struct one_node one;
        open_node(&one, replies);
        one.call.deadline_ms = clock_now_ms(one.call.clock) + SHORT_MS;
        AUTO_ERR err = replication_switchover(&one.call, one.redis.replication, &one.node);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_UNKNOWN);
        close_node(&one);
    }
}

static void expect_save(const char *answer, const char *info, const char *code)
{
    const struct fake_reply replies[] = {{"BGSAVE", answer}, {"INFO", .text = info}, {NULL, NULL}};
    struct one_node one;
    open_node(&one, replies);
    one.call.deadline_ms = clock_now_ms(one.call.clock) + SHORT_MS;
    AUTO_ERR err = settings_save(&one.call, one.redis.settings, &one.node);
    assert_int_equal(err == NULL, code == NULL);
    if (err != NULL) {
        assert_string_equal(err->code, code);
    }
    close_node(&one);
}

static void a_save_is_done_when_the_server_says_so(void **UNUSED(state))
{
    static const char started[] = "+Background saving started\r\n";
    static const char good[] = "rdb_bgsave_in_progress:0\r\nrdb_last_bgsave_status:ok\r\n";
    expect_save(started, good, NULL);
    expect_save(
        started, "rdb_bgsave_in_progress:0\r\nrdb_last_bgsave_status:err\r\n", "save_failed");
    expect_save(started, "rdb_bgsave_in_progress:0\r\n", "save_failed");
    expect_save("-MISCONF no\r\n", good, "refused");
    expect_save("-ERR Background save already in progress\r\n", good, "refused");
    expect_save("-ERR Another child process is active (AOF?): can't BGSAVE\r\n", good, "refused");
}

static void nothing_is_changed_after_its_time(void **UNUSED(state))
{
    const struct fake_reply replies[] = {{NULL, NULL}};
    for (int i = 0; i < 2; i++) {
        struct one_node one;
        open_node(&one, replies);
        int64_t *limit_ms = i == 0 ? &one.call.send_before_ms : &one.call.begin_before_ms;
        *limit_ms = clock_now_ms(one.call.clock) - 1;
        AUTO_ERR set = set_hz(&one);
        AUTO_ERR moved = replication_switchover(&one.call, one.redis.replication, &one.node);
        fake_redis_stop(&one.fake);
        assert_non_null(set);
        assert_int_equal(set->kind, ERR_UNREACHABLE);
        assert_string_equal(set->code, "out_of_time");
        assert_non_null(moved);
        assert_string_equal(moved->code, "out_of_time");
        assert_null(strstr(buf_text(&one.fake.asked), "SET hz"));
        assert_null(strstr(buf_text(&one.fake.asked), "FAILOVER"));
        close_node(&one);
    }
}

static void a_switchover_is_plain(void **UNUSED(state))
{
    const struct fake_reply replies[] = {{NULL, NULL}};
    struct one_node one;
    open_node(&one, replies);
    AUTO_ERR err = replication_switchover(&one.call, one.redis.replication, &one.node);
    fake_redis_stop(&one.fake);
    assert_null(err);
    assert_non_null(strstr(buf_text(&one.fake.asked), "\nCLUSTER FAILOVER\n"));
    close_node(&one);
}

static void a_setting_is_read_or_unknown(void **UNUSED(state))
{
    const struct fake_reply replies[] = {
        {"CONFIG GET hz", "*2\r\n$2\r\nhz\r\n$2\r\n10\r\n"},
        {"CONFIG GET odd", "*2\r\n$3\r\nodd\r\n:1\r\n"},
        {"CONFIG GET worse", "+hello\r\n"},
        {"CONFIG GET", "*0\r\n"},
        {NULL, NULL},
    };
    struct one_node one;
    open_node(&one, replies);
    AUTO_FREE char *hz = NULL;
    AUTO_FREE char *none = NULL;
    char *untouched = NULL;
    AUTO_ERR read = settings_get(&one.call, one.redis.settings, &one.node, "hz", &hz);
    AUTO_ERR unknown = settings_get(&one.call, one.redis.settings, &one.node, "none", &none);
    AUTO_ERR odd = settings_get(&one.call, one.redis.settings, &one.node, "odd", &untouched);
    AUTO_ERR worse = settings_get(&one.call, one.redis.settings, &one.node, "worse", &untouched);
    assert_null(read);
    assert_string_equal(hz, "10");
    assert_null(unknown);
    assert_null(none);
    assert_non_null(odd);
    assert_string_equal(odd->code, "odd_reply");
    assert_non_null(worse);
    assert_string_equal(worse->code, "odd_reply");
    assert_null(untouched);
    close_node(&one);
}

static void a_role_is_read_from_the_node_itself(void **UNUSED(state))
{
    const struct fake_reply replies[] = {
        {"INFO", .text = primary_info}, {"CLUSTER NODES", .text = primary_nodes}, {NULL, NULL}};
    struct one_node one;
    open_node(&one, replies);
    struct replication_state own;
    AUTO_ERR err = replication_get_state(&one.call, one.redis.replication, &one.node, &own);
    assert_null(err);
    assert_int_equal(own.role, FACT_ROLE_PRIMARY);
    assert_string_equal(own.id, ID_1);
    assert_string_equal(own.primary_id, "");
    assert_string_equal(own.series, "redis/7.0");
    close_node(&one);
}

static void a_loading_server_has_a_role_and_no_table(void **UNUSED(state))
{
    const struct fake_reply replies[] = {{"INFO", .text = loading_info},
        {"CLUSTER", "-LOADING Redis is loading the dataset in memory\r\n"}, {NULL, NULL}};
    struct one_node one;
    open_node(&one, replies);
    struct replication_state own;
    AUTO_ERR err = replication_get_state(&one.call, one.redis.replication, &one.node, &own);
    assert_null(err);
    assert_true(own.is_loading);
    assert_int_equal(own.role, FACT_ROLE_REPLICA);
    assert_string_equal(own.id, "");
    close_node(&one);
}

static void a_reply_of_another_type_is_odd(void **UNUSED(state))
{
    const struct fake_reply replies[] = {{"INFO", ":1\r\n"}, {NULL, NULL}};
    struct one_node one;
    open_node(&one, replies);
    struct replication_state own;
    AUTO_ERR err = replication_get_state(&one.call, one.redis.replication, &one.node, &own);
    assert_non_null(err);
    assert_string_equal(err->code, "odd_reply");
    close_node(&one);
}

static void a_missing_tls_file_is_found_at_once(void **UNUSED(state))
{
    const struct inv_cluster cluster = {
        .name = "shop", .tls = {.is_enabled = true, .ca_file = "/nowhere/ca.pem"}};
    struct redis_capabilities redis;
    AUTO_ERR err = redis_open(&cluster, NULL, &redis);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_INVALID);
    assert_string_equal(err->code, "tls_file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_named_before_it_acts),
        cmocka_unit_test(only_older_connections_of_the_run_are_cut),
        cmocka_unit_test(a_server_that_refuses_to_cut_is_named_with_the_right),
        cmocka_unit_test(the_claim_is_asked_on_a_named_connection_before_anything_is_sent),
        cmocka_unit_test(a_user_and_the_password_of_this_moment_come_first),
        cmocka_unit_test(refusals_have_codes_and_remedies),
        cmocka_unit_test(a_refused_password_is_named_and_never_shown),
        cmocka_unit_test(what_does_not_speak_resp_is_said_so),
        cmocka_unit_test(no_answer_is_unknown_and_not_no),
        cmocka_unit_test(a_save_is_done_when_the_server_says_so),
        cmocka_unit_test(nothing_is_changed_after_its_time),
        cmocka_unit_test(a_switchover_is_plain),
        cmocka_unit_test(a_setting_is_read_or_unknown),
        cmocka_unit_test(a_role_is_read_from_the_node_itself),
        cmocka_unit_test(a_loading_server_has_a_role_and_no_table),
        cmocka_unit_test(a_reply_of_another_type_is_odd),
        cmocka_unit_test(a_missing_tls_file_is_found_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
