/*
 * tests/unit/steps/test_data.c - data set aside, dropped, and never started by a program too old
 * for them; nodes.conf without fields that an older server does not know.
 */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "drivers/host.h"
#include "drivers/service.h"
#include "fixture.h"
#include "steps/cluster_file.h"
#include "steps/steps.h"

#define SET_ASIDE_ARGS                                                                             \
    "{\"node\":\"n4\",\"series\":\"redis/6.0\",\"to\":\"1\",\"rdb_file\":\"dump.rdb\","            \
    "\"aof_file\":\"appendonly.aof\",\"aof_folder\":\"appendonlydir\","                            \
    "\"cluster_file\":\"nodes.conf\"}"
#define ASIDE "upshift-aside-r7"

#define LINES_7_2                                                                                  \
    "aa 127.0.0.1:7001@17001,,shard-id=11,nodename=x,new=1 myself,slave bb 0 0 3 connected\n"      \
    "bb 127.0.0.1:7002@17002,host-2,shard-id=11 master - 0 1 3 connected 0-5460 [5461->-cc]\n"     \
    "vars currentEpoch 6 lastVoteEpoch 4 newThing 5\n"
#define LINES_7_0                                                                                  \
    "aa 127.0.0.1:7001@17001 myself,slave bb 0 0 3 connected\n"                                    \
    "bb 127.0.0.1:7002@17002,host-2 master - 0 1 3 connected 0-5460 [5461->-cc]\n"                 \
    "vars currentEpoch 6 lastVoteEpoch 4\n"
#define LINES_6_0                                                                                  \
    "aa 127.0.0.1:7001@17001 myself,slave bb 0 0 3 connected\n"                                    \
    "bb 127.0.0.1:7002@17002 master - 0 1 3 connected 0-5460 [5461->-cc]\n"                        \
    "vars currentEpoch 6 lastVoteEpoch 4\n"

/* A stopped n4 of the simulated cluster with 7.0's files, in a run of its own. */
static void open_upgraded(struct fixture *fixture)
{
    fixture_open(fixture, &(struct fixture_options){.seed = 1});
    fixture->call.run = "r7";
    fixture_restart(fixture, "n4", SERVER_7_0);
    fixture_wait(fixture, 10000);
    sim_crash_node(fixture->sim, "n4");
}

static char *path_in_n4(struct fixture *fixture, const char *name)
{
    return mem_format("%s/%s", fixture_node(fixture, "n4")->directory, name);
}

static bool is_in_n4(struct fixture *fixture, const char *name)
{
    AUTO_FREE char *path = path_in_n4(fixture, name);
    bool exists = false;
    AUTO_ERR err = host_exists(
        &fixture->call, fixture->world->host, fixture_node(fixture, "n4"), path, &exists);
    assert_null(err);
    return exists;
}

static void expect_file(struct fixture *fixture, const char *name, const char *expected)
{
    AUTO_FREE char *path = path_in_n4(fixture, name);
    AUTO_BUF text = {0};
    bool exists = false;
    AUTO_ERR err = host_read_file(&fixture->call, fixture->world->host, fixture_node(fixture, "n4"),
        path, 4096, &exists, &text);
    assert_null(err);
    assert_true(exists);
    assert_string_equal(buf_text(&text), expected);
}

static void write_file(struct fixture *fixture, const char *name, const char *text)
{
    AUTO_FREE char *path = path_in_n4(fixture, name);
    AUTO_BUF content = {0};
    buf_append_text(&content, text);
    AUTO_ERR err = host_write_file(
        &fixture->call, fixture->world->host, fixture_node(fixture, "n4"), path, &content);
    assert_null(err);
}

static struct json *bind(struct fixture *fixture, const struct step_ops *ops, const char *text)
{
    AUTO_JSON args = NULL;
    AUTO_ERR err = js_parse(text, strlen(text), "test", &args);
    assert_null(err);
    struct json *bound = NULL;
    AUTO_ERR refused = ops->bind(&fixture->call, NULL, args, &bound);
    assert_null(refused);
    return bound;
}

static enum step_state look(
    struct fixture *fixture, const struct step_ops *ops, const struct json *args)
{
    enum step_state seen = STEP_ELSEWHERE;
    const struct bound bound = {args};
    const struct before before = {NULL};
    AUTO_ERR err = ops->verify(&fixture->call, &bound, &before, &seen);
    assert_null(err);
    return seen;
}

static struct err *act(struct fixture *fixture, const struct step_ops *ops, const struct json *args)
{
    const struct bound bound = {args};
    const struct before before = {NULL};
    return ops->apply(&fixture->call, &bound, &before);
}

static void expect_no(struct err *err, const char *code)
{
    AUTO_ERR seen = err;
    assert_non_null(seen);
    assert_string_equal(seen->code, code);
}

static void data_go_aside_and_the_cluster_file_stays_cut(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    open_upgraded(&fixture);
    write_file(&fixture, "nodes.conf", LINES_7_2);
    AUTO_JSON args = bind(&fixture, &data_set_aside_ops, SET_ASIDE_ARGS);
    assert_true(is_in_n4(&fixture, "appendonlydir") && is_in_n4(&fixture, "dump.rdb"));
    assert_int_equal(look(&fixture, &data_set_aside_ops, args), STEP_ABSENT);

    assert_null(act(&fixture, &data_set_aside_ops, args));

    assert_int_equal(look(&fixture, &data_set_aside_ops, args), STEP_DONE);
    assert_null(act(&fixture, &data_set_aside_ops, args));
    assert_false(is_in_n4(&fixture, "appendonlydir") || is_in_n4(&fixture, "dump.rdb"));
    assert_true(is_in_n4(&fixture, ASIDE "/1/appendonlydir"));
    assert_true(is_in_n4(&fixture, ASIDE "/1/dump.rdb"));
    expect_file(&fixture, "nodes.conf", LINES_6_0);
    expect_file(&fixture, ASIDE "/1/nodes.conf", LINES_7_2);
}

static void an_interrupted_move_is_finished(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    open_upgraded(&fixture);
    AUTO_JSON args = bind(&fixture, &data_set_aside_ops, SET_ASIDE_ARGS);
    sim_fail_next(fixture.sim, "host.move", "n4", SIM_FAULT_DROP_REPLY, 0);
    expect_no(act(&fixture, &data_set_aside_ops, args), "no_answer");
    assert_int_equal(look(&fixture, &data_set_aside_ops, args), STEP_ABSENT);
    assert_null(act(&fixture, &data_set_aside_ops, args));
    assert_int_equal(look(&fixture, &data_set_aside_ops, args), STEP_DONE);
}

static void a_running_server_keeps_its_data(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    fixture.call.run = "r7";
    AUTO_JSON args = bind(&fixture, &data_set_aside_ops, SET_ASIDE_ARGS);
    expect_no(act(&fixture, &data_set_aside_ops, args), "node_running");
    assert_true(is_in_n4(&fixture, "dump.rdb"));
}

static void what_lies_aside_is_dropped_and_may_be_dropped_again(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    open_upgraded(&fixture);
    AUTO_JSON set_args = bind(&fixture, &data_set_aside_ops, SET_ASIDE_ARGS);
    AUTO_JSON args = bind(&fixture, &data_drop_aside_ops, "{\"node\":\"n4\"}");
    assert_int_equal(look(&fixture, &data_drop_aside_ops, args), STEP_DONE);
    assert_null(act(&fixture, &data_set_aside_ops, set_args));
    assert_int_equal(look(&fixture, &data_drop_aside_ops, args), STEP_ABSENT);
    assert_null(act(&fixture, &data_drop_aside_ops, args));
    assert_null(act(&fixture, &data_drop_aside_ops, args));
    assert_int_equal(look(&fixture, &data_drop_aside_ops, args), STEP_DONE);
    assert_false(is_in_n4(&fixture, ASIDE "/1/dump.rdb"));
}

/* The trap: without the refusal the old server runs, empty, and says nothing. */
static void an_old_program_is_not_started_on_newer_files(void **UNUSED(state))
{
    static const char old_start[] = "{\"node\":\"n4\",\"series\":\"redis/6.0\","
                                    "\"reads_rdb\":\"9\",\"reads_aof_folder\":\"no\"}";
    AUTO_FIXTURE fixture;
    open_upgraded(&fixture);
    const struct inv_node *node = fixture_node(&fixture, "n4");
    AUTO_ERR link =
        host_replace_link(&fixture.call, fixture.world->host, node, node->server_link, SERVER_6_0);
    assert_null(link);
    AUTO_JSON args = bind(&fixture, &service_start_ops, old_start);
    expect_no(act(&fixture, &service_start_ops, args), "directory_too_new");
    assert_false(fixture_is_running(&fixture, "n4"));

    AUTO_JSON set_args = bind(&fixture, &data_set_aside_ops, SET_ASIDE_ARGS);
    assert_null(act(&fixture, &data_set_aside_ops, set_args));
    assert_null(act(&fixture, &service_start_ops, args));
    fixture_wait(&fixture, 10000);
    AUTO_FACTS facts = {0};
    const struct fact_node *fact = fixture_read(&fixture, "n4", &facts);
    assert_string_equal(fact->series, "redis/6.0");
    assert_true(fact->is_link_up && fact->key_count > 0); /* copied anew */
    assert_int_equal(fact->key_count, facts_find(&facts, "n1")->key_count);
}

static void a_dump_or_a_folder_that_is_too_new_is_reason_enough(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    open_upgraded(&fixture);
    AUTO_JSON args = bind(&fixture, &service_start_ops,
        "{\"node\":\"n4\",\"series\":\"redis/7.0\",\"reads_rdb\":\"9\","
        "\"reads_aof_folder\":\"yes\"}");
    expect_no(act(&fixture, &service_start_ops, args), "directory_too_new");
    AUTO_JSON no_folder = bind(&fixture, &service_start_ops,
        "{\"node\":\"n4\",\"series\":\"redis/7.0\",\"reads_rdb\":\"10\","
        "\"reads_aof_folder\":\"no\"}");
    expect_no(act(&fixture, &service_start_ops, no_folder), "directory_too_new");
}

static void cluster_files_keep_what_each_series_knows(void **UNUSED(state))
{
    static const char lines_8[] =
        "aa 127.0.0.1:7001@17001,,shard-id=11,nodename=x myself,slave bb 0 0 3 connected\n"
        "bb 127.0.0.1:7002@17002,host-2,shard-id=11 master - 0 1 3 connected 0-5460 [5461->-cc]\n"
        "vars currentEpoch 6 lastVoteEpoch 4\n";
    static const struct {
        const char *series;
        const char *text;
        const char *expected;
    } cases[] = {
        {"redis/6.0", LINES_7_2, LINES_6_0},
        {"redis/6.2", LINES_7_2, LINES_6_0},
        {"redis/7.0", LINES_7_2, LINES_7_0},
        {"redis/8.0", LINES_7_2, lines_8},
        {"redis/6.0", LINES_6_0, LINES_6_0},
        {"redis/7.0", LINES_7_0, LINES_7_0},
        {"redis/6.0", "", ""},
        {"redis/6.0", "\n", "\n"},
        {"redis/6.0", "aa", "aa"},
        {"redis/6.0", "aa 1:2@3,x", "aa 1:2@3"},
        {"redis/6.0", "aa  x\n\nvars a\n", "aa  x\n\nvars\n"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        AUTO_BUF text = {0};
        cluster_file_cut(str_of(cases[i].text), cases[i].series, &text);
        assert_string_equal(buf_text(&text), cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(data_go_aside_and_the_cluster_file_stays_cut),
        cmocka_unit_test(an_interrupted_move_is_finished),
        cmocka_unit_test(a_running_server_keeps_its_data),
        cmocka_unit_test(what_lies_aside_is_dropped_and_may_be_dropped_again),
        cmocka_unit_test(an_old_program_is_not_started_on_newer_files),
        cmocka_unit_test(a_dump_or_a_folder_that_is_too_new_is_reason_enough),
        cmocka_unit_test(cluster_files_keep_what_each_series_knows),
    };
    return cmocka_run_group_tests_name("data", cases, NULL, NULL);
}
