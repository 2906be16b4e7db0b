/*
 * tests/unit/steps/test_steps.c - every kind of step against a simulated cluster: each answer of
 * verify, apply twice, undo, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "drivers/host.h"
#include "drivers/replication.h"
#include "drivers/service.h"
#include "drivers/settings.h"
#include "fixture.h"
#include "steps/steps.h"

#define START_6_0_ARGS                                                                             \
    "{\"node\":\"n4\",\"series\":\"redis/6.0\",\"reads_rdb\":\"9\",\"reads_aof_folder\":\"no\"}"
#define START_7_0_ARGS                                                                             \
    "{\"node\":\"n4\",\"series\":\"redis/7.0\",\"reads_rdb\":\"10\",\"reads_aof_folder\":\"yes\"}"

/* One step on its way: what the engine keeps between its calls. */
struct attempt {
    struct fixture *fixture;
    const struct step_ops *ops;
    struct json *args;
    struct json *values; /* NULL: not captured */
};

static void attempt_release(struct attempt *attempt)
{
    js_free(attempt->args);
    js_free(attempt->values);
}
#define AUTO_ATTEMPT CLEANUP(attempt_release) struct attempt

static void expect_ok(struct err *err)
{
    if (err != NULL) {
        AUTO_FREE char *text = err_text(err);
        err_free(err);
        fail_msg("%s", text);
    }
}

static void expect_error(struct err *err, enum err_kind kind, const char *code)
{
    AUTO_ERR seen = err;
    assert_non_null(seen);
    assert_int_equal(seen->kind, kind);
    assert_string_equal(seen->code, code);
}

static struct json *parse(const char *text)
{
    struct json *value = NULL;
    expect_ok(js_parse(text, strlen(text), "test", &value));
    return value;
}

static struct attempt begin(struct fixture *fixture, const char *kind, const char *args_text)
{
    struct attempt attempt = {.fixture = fixture, .ops = steps_find(kind)};
    assert_non_null(attempt.ops);
    AUTO_JSON args = parse(args_text);
    expect_ok(attempt.ops->bind(&fixture->call, NULL, args, &attempt.args));
    return attempt;
}

static void capture(struct attempt *attempt)
{
    const struct bound bound = {attempt->args};
    expect_ok(attempt->ops->capture(&attempt->fixture->call, &bound, &attempt->values));
    assert_true(js_is(attempt->values, JS_OBJECT));
}

static struct err *try_verify(struct attempt *attempt, enum step_state *ret_state)
{
    const struct bound bound = {attempt->args};
    const struct before before = {attempt->values};
    return attempt->ops->verify(&attempt->fixture->call, &bound, &before, ret_state);
}

static enum step_state verify(struct attempt *attempt)
{
    enum step_state seen = STEP_ELSEWHERE;
    expect_ok(try_verify(attempt, &seen));
    return seen;
}

static struct err *apply(struct attempt *attempt)
{
    const struct bound bound = {attempt->args};
    const struct before before = {attempt->values};
    return attempt->ops->apply(&attempt->fixture->call, &bound, &before);
}

static struct err *try_undo(struct attempt *attempt, enum step_state *ret_left)
{
    const struct bound bound = {attempt->args};
    const struct before before = {attempt->values};
    return attempt->ops->undo(&attempt->fixture->call, &bound, &before, ret_left);
}

static enum step_state undo(struct attempt *attempt)
{
    enum step_state left = STEP_MOVING;
    expect_ok(try_undo(attempt, &left));
    return left;
}

static void expect_live(struct fixture *fixture, const char *name, const char *expected)
{
    AUTO_FREE char *value = NULL;
    expect_ok(settings_get(
        &fixture->call, fixture->world->settings, fixture_node(fixture, "n4"), name, &value));
    assert_string_equal(value, expected);
}

static void start(struct fixture *fixture, const char *node)
{
    expect_ok(service_start(&fixture->call, fixture->world->service, fixture_node(fixture, node)));
}

/* {node, primary, shard, id, primary_id} of a switchover to n4. */
static struct attempt begin_switchover(struct fixture *fixture)
{
    AUTO_FACTS facts = {0};
    const struct fact_node *node = fixture_read(fixture, "n4", &facts);
    AUTO_FREE char *text = mem_format("{\"node\":\"n4\",\"primary\":\"n1\",\"shard\":\"shard-1\","
                                      "\"id\":\"%s\",\"primary_id\":\"%s\"}",
        node->id, facts_find(&facts, "n1")->id);
    return begin(fixture, "repl.switchover", text);
}

static void every_kind_is_in_the_table_once_and_whole(void **UNUSED(state))
{
    size_t count = 0;
    for (const struct step_ops *const *kind = step_table; *kind != NULL; kind++, count++) {
        assert_ptr_equal(steps_find((*kind)->name), *kind);
        assert_int_equal((*kind)->def, 1);
        assert_int_equal((*kind)->def_min, 1);
        assert_true((*kind)->bind && (*kind)->capture && (*kind)->verify && (*kind)->apply);
    }
    assert_true(count > 0);
    assert_null(steps_find("service.restart"));
    assert_int_equal(service_stop_ops.flags, STEP_TAKES_OUT);
    assert_non_null(repl_setting_ops.undo);
}

static void bind_refuses_missing_unknown_and_mistyped_arguments(void **UNUSED(state))
{
    static const struct {
        const char *kind;
        const char *args;
    } cases[] = {
        {"service.stop", "{}"},
        {"service.stop", "{\"node\":\"n9\"}"},
        {"service.stop", "{\"node\":4}"},
        {"service.stop", "{\"node\":\"n4\",\"force\":\"yes\"}"},
        {"service.start", "{\"node\":\"n4\"}"},
        {"package.switch", "{\"node\":\"n4\",\"server\":\"/x\",\"version\":\"7.0.15\"}"},
        {"repl.setting", "{\"node\":\"n4\",\"name\":\"save\",\"value\":1}"},
        {"data.set_aside", "{\"node\":\"n4\",\"series\":\"redis/6.0\",\"to\":\"1\"}"},
        {"data.drop_aside", "{\"node\":\"n4\",\"folder\":\"/\"}"},
        {"repl.switchover", "{\"node\":\"n4\",\"primary\":\"n9\",\"shard\":\"shard-1\","
                            "\"id\":\"a\",\"primary_id\":\"b\"}"},
    };
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    fixture.call.run = "r7";
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        AUTO_JSON args = parse(cases[i].args);
        struct json *bound = NULL;
        expect_error(steps_find(cases[i].kind)->bind(&fixture.call, NULL, args, &bound),
            ERR_INVALID, "step_args");
        assert_null(bound);
    }
}

static void nothing_is_applied_when_the_send_window_is_closed(void **UNUSED(state))
{
    static const struct {
        const char *kind;
        const char *args;
    } cases[] = {
        {"service.stop", "{\"node\":\"n4\"}"},
        {"service.start", START_6_0_ARGS},
        {"data.set_aside",
            "{\"node\":\"n4\",\"series\":\"redis/6.0\",\"to\":\"1\",\"rdb_file\":\"a\","
            "\"aof_file\":\"b\",\"aof_folder\":\"c\",\"cluster_file\":\"d\"}"},
        {"data.drop_aside", "{\"node\":\"n4\"}"},
        {"package.switch", "{\"node\":\"n4\",\"server\":\"" SERVER_7_0
                           "\",\"version\":\"7.0.15\",\"series\":\"redis/7.0\"}"},
        {"repl.setting", "{\"node\":\"n4\",\"name\":\"maxmemory\",\"value\":\"1\"}"},
        {"repl.switchover", "{\"node\":\"n4\",\"primary\":\"n1\",\"shard\":\"shard-1\","
                            "\"id\":\"a\",\"primary_id\":\"b\"}"},
    };
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    fixture.call.run = "r7";
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        fixture.call.send_before_ms = 0;
        AUTO_ATTEMPT attempt = begin(&fixture, cases[i].kind, cases[i].args);
        capture(&attempt);
        fixture_wait(&fixture, 10);
        fixture.call.send_before_ms = 5;
        expect_error(apply(&attempt), ERR_CANCELLED, "send_window_closed");
        fixture.call.send_before_ms = 0;
        fixture.call.begin_before_ms = 5; /* the gates were asked too long ago */
        expect_error(apply(&attempt), ERR_CANCELLED, "send_window_closed");
        fixture.call.begin_before_ms = 0;
    }
    assert_true(fixture_is_running(&fixture, "n4"));
    expect_live(&fixture, "maxmemory", "0");
}

static void stop_is_absent_then_done_and_may_be_repeated(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin(&fixture, "service.stop", "{\"node\":\"n4\"}");
    assert_int_equal(verify(&attempt), STEP_ABSENT);
    capture(&attempt);
    assert_int_equal(verify(&attempt), STEP_ABSENT);
    expect_ok(apply(&attempt));
    assert_int_equal(verify(&attempt), STEP_DONE);
    expect_ok(apply(&attempt));
    assert_int_equal(verify(&attempt), STEP_DONE);
}

static void stop_leaves_a_process_that_it_did_not_capture(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin(&fixture, "service.stop", "{\"node\":\"n4\"}");
    capture(&attempt);
    fixture_restart(&fixture, "n4", SERVER_6_0);
    assert_int_equal(verify(&attempt), STEP_ELSEWHERE);
    expect_ok(apply(&attempt));
    assert_true(fixture_is_running(&fixture, "n4"));
    assert_int_equal(verify(&attempt), STEP_ELSEWHERE);
}

static void stop_of_a_server_that_was_down_does_not_end_a_later_one(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    sim_crash_node(fixture.sim, "n4");
    AUTO_ATTEMPT attempt = begin(&fixture, "service.stop", "{\"node\":\"n4\"}");
    assert_int_equal(verify(&attempt), STEP_DONE);
    capture(&attempt);
    start(&fixture, "n4");
    assert_int_equal(verify(&attempt), STEP_ELSEWHERE);
    expect_ok(apply(&attempt));
    assert_true(fixture_is_running(&fixture, "n4"));
}

static void stop_without_an_answer_is_an_error_and_never_absent(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin(&fixture, "service.stop", "{\"node\":\"n4\"}");
    expect_error(apply(&attempt), ERR_INTERNAL, "internal"); /* nothing captured */
    capture(&attempt);
    sim_fail_next(fixture.sim, "service.get_status", "n4", SIM_FAULT_DROP_REPLY, 0);
    enum step_state seen = STEP_MOVING;
    expect_error(try_verify(&attempt, &seen), ERR_UNKNOWN, "no_answer");
    assert_int_equal(seen, STEP_MOVING);
    sim_fail_next(fixture.sim, "service.stop", "n4", SIM_FAULT_DROP_REPLY, 0);
    expect_error(apply(&attempt), ERR_UNKNOWN, "no_answer");
    assert_int_equal(verify(&attempt), STEP_DONE); /* it had happened */
}

static void stop_takes_no_unclear_answer_for_a_stopped_server(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    sim_crash_node(fixture.sim, "n4");
    AUTO_ATTEMPT attempt = begin(&fixture, "service.stop", "{\"node\":\"n4\"}");
    sim_fail_next(fixture.sim, "replication.get_state", "n4", SIM_FAULT_DROP_REPLY, 0);
    enum step_state seen = STEP_MOVING;
    expect_error(try_verify(&attempt, &seen), ERR_UNKNOWN, "no_answer");
    assert_int_equal(seen, STEP_MOVING);
    assert_int_equal(verify(&attempt), STEP_DONE);
}

#define SWITCH_ARGS                                                                                \
    "{\"node\":\"n4\",\"server\":\"" SERVER_7_0                                                    \
    "\",\"version\":\"7.0.15\",\"series\":\"redis/7.0\"}"

static void package_switch_is_absent_then_done_and_may_be_repeated(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin(&fixture, "package.switch", SWITCH_ARGS);
    assert_int_equal(verify(&attempt), STEP_ABSENT);
    capture(&attempt);
    assert_string_equal(js_get_text(attempt.values, "server"), SERVER_6_0);
    assert_int_equal(verify(&attempt), STEP_ABSENT);
    expect_ok(apply(&attempt));
    expect_ok(apply(&attempt));
    assert_int_equal(verify(&attempt), STEP_DONE);
}

static void package_switch_sees_a_link_moved_by_somebody_else(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin(&fixture, "package.switch", SWITCH_ARGS);
    capture(&attempt);
    const struct inv_node *node = fixture_node(&fixture, "n4");
    expect_ok(
        host_replace_link(&fixture.call, fixture.world->host, node, node->server_link, SERVER_8_0));
    assert_int_equal(verify(&attempt), STEP_ELSEWHERE);
}

static void package_switch_passes_on_what_the_host_says(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin(&fixture, "package.switch", SWITCH_ARGS);
    sim_fail_next(fixture.sim, "host.read_link", NULL, SIM_FAULT_DROP_REPLY, 0);
    enum step_state seen;
    expect_error(try_verify(&attempt, &seen), ERR_UNKNOWN, "no_answer");
    sim_fail_next(fixture.sim, "host.replace_link", NULL, SIM_FAULT_REFUSE, 0);
    expect_error(apply(&attempt), ERR_REFUSED, "refused");
    assert_int_equal(verify(&attempt), STEP_ABSENT);
}

static void start_is_absent_moving_then_done_and_may_be_repeated(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin(&fixture, "service.start", START_6_0_ARGS);
    sim_crash_node(fixture.sim, "n4");
    assert_int_equal(verify(&attempt), STEP_ABSENT);
    capture(&attempt);
    expect_ok(apply(&attempt));
    assert_int_equal(verify(&attempt), STEP_MOVING);
    int loading_count = 0;
    while (verify(&attempt) == STEP_MOVING) {
        struct replication_state own = {0};
        AUTO_ERR err = replication_get_state(
            &fixture.call, fixture.world->replication, fixture_node(&fixture, "n4"), &own);
        loading_count += err == NULL && own.is_loading;
        fixture_wait(&fixture, 1);
    }
    assert_true(loading_count > 0);
    assert_int_equal(verify(&attempt), STEP_DONE);
    expect_ok(apply(&attempt));
    assert_int_equal(sim_get_start_count(fixture.sim, "n4"), 2);
}

static void start_sees_another_series_and_an_unclear_refusal(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin(&fixture, "service.start", START_7_0_ARGS);
    assert_int_equal(verify(&attempt), STEP_ELSEWHERE); /* 6.0 runs */
    sim_fail_next(fixture.sim, "replication.get_state", NULL, SIM_FAULT_REFUSE, 0);
    enum step_state seen;
    expect_error(try_verify(&attempt, &seen), ERR_REFUSED, "refused");
    sim_fail_next(fixture.sim, "replication.get_state", NULL, SIM_FAULT_DROP_REPLY, 0);
    assert_int_equal(verify(&attempt), STEP_MOVING);
}

static void start_of_a_server_that_ends_at_once_stays_absent(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin(&fixture, "service.start", START_7_0_ARGS);
    fixture_restart(&fixture, "n4", SERVER_BROKEN);
    assert_int_equal(verify(&attempt), STEP_ABSENT);
    expect_ok(apply(&attempt));
    fixture_wait(&fixture, 1000);
    assert_int_equal(verify(&attempt), STEP_ABSENT);
}

static void switchover_is_absent_moving_then_done(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin_switchover(&fixture);
    capture(&attempt);
    assert_int_equal(verify(&attempt), STEP_ABSENT);
    expect_ok(apply(&attempt));
    expect_ok(apply(&attempt)); /* while it is under way */
    enum step_state seen = verify(&attempt);
    bool was_moving = false;
    for (int i = 0; i < 1000 && seen != STEP_DONE; i++) {
        fixture_wait(&fixture, 1);
        seen = verify(&attempt);
        was_moving |= seen == STEP_MOVING;
        assert_int_not_equal(seen, STEP_ELSEWHERE);
    }
    assert_int_equal(seen, STEP_DONE);
    assert_true(was_moving);
    expect_error(apply(&attempt), ERR_REFUSED, "failover_refused"); /* it is primary already */
    assert_int_equal(verify(&attempt), STEP_DONE);
}

static void switchover_is_moving_while_the_old_primary_cannot_be_asked(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin_switchover(&fixture);
    fixture_switchover(&fixture, "n4");
    assert_int_equal(verify(&attempt), STEP_DONE);
    sim_crash_node(fixture.sim, "n1");
    assert_int_equal(verify(&attempt), STEP_MOVING);
}

static void switchover_sees_another_primary_and_another_node(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT foreign = begin(&fixture, "repl.switchover",
        "{\"node\":\"n4\",\"primary\":\"n1\",\"shard\":\"shard-1\",\"id\":\"other\","
        "\"primary_id\":\"other\"}");
    assert_int_equal(verify(&foreign), STEP_ELSEWHERE);
    AUTO_ATTEMPT attempt = begin_switchover(&fixture);
    js_put_text(attempt.args, "primary_id", "other");
    assert_int_equal(verify(&attempt), STEP_ELSEWHERE);
}

/* Node ids are compared, not addresses: a primary that came under n4's address is not n4. */
static void switchover_does_not_trust_another_node_under_the_same_address(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin_switchover(&fixture);
    js_put_text(attempt.args, "id", "an-id-that-is-gone");
    assert_int_equal(verify(&attempt), STEP_ELSEWHERE);
    fixture_switchover(&fixture, "n4");
    assert_int_equal(verify(&attempt), STEP_ELSEWHERE);
}

static void switchover_cannot_see_a_node_that_is_down_or_loads(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin_switchover(&fixture);
    sim_crash_node(fixture.sim, "n4");
    enum step_state seen;
    expect_error(try_verify(&attempt, &seen), ERR_UNREACHABLE, "unreachable");
    expect_error(apply(&attempt), ERR_UNREACHABLE, "unreachable");
    start(&fixture, "n4");
    AUTO_ERR err = NULL;
    for (int i = 0; i < 500 && (err == NULL || err->kind != ERR_UNKNOWN); i++) {
        fixture_wait(&fixture, 1);
        err_free(err);
        err = try_verify(&attempt, &seen);
    }
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_UNKNOWN); /* loading: it does not say its role */
}

#define SETTING_ARGS "{\"node\":\"n4\",\"name\":\"repl-backlog-size\",\"value\":\"64mb\"}"

static void setting_is_absent_then_done_and_may_be_repeated(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin(&fixture, "repl.setting", SETTING_ARGS);
    assert_int_equal(verify(&attempt), STEP_ABSENT);
    capture(&attempt);
    assert_string_equal(js_get_text(attempt.values, "value"), "1048576");
    assert_int_equal(verify(&attempt), STEP_ABSENT);
    expect_ok(apply(&attempt));
    expect_ok(apply(&attempt));
    assert_int_equal(verify(&attempt), STEP_DONE); /* "67108864" is "64mb" */
    fixture_set(&fixture, "n4", "repl-backlog-size", "2mb");
    assert_int_equal(verify(&attempt), STEP_ELSEWHERE);
}

static void setting_compares_sizes_as_numbers_and_texts_as_texts(void **UNUSED(state))
{
    static const struct {
        const char *name;
        const char *live;
        const char *wanted;
        enum step_state expected;
    } cases[] = {
        {"maxmemory", "1073741824", "1gb", STEP_DONE},
        {"maxmemory", "1000000000", "1G", STEP_DONE},
        {"maxmemory", "1000000000", "1gb", STEP_ABSENT},
        {"maxmemory", "65536", "64KB", STEP_DONE},
        {"maxmemory", "64000", "64k", STEP_DONE},
        {"maxmemory", "7", "7b", STEP_DONE},
        {"maxmemory", "7", "7mbb", STEP_ABSENT},
        {"maxmemory", "7", "9223372036854775807gb", STEP_ABSENT},
        {"maxmemory", "7", "99999999999999999999", STEP_ABSENT},
        {"maxmemory", "0", "", STEP_ABSENT},
        {"save", "", "", STEP_DONE},
        {"save", "3600 1", "3600 1", STEP_DONE},
        {"save", "3600 1", "3600", STEP_ABSENT},
        {"appendonly", "yes", "no", STEP_ABSENT},
    };
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        fixture_set(&fixture, "n4", cases[i].name, cases[i].live);
        AUTO_FREE char *args = mem_format(
            "{\"node\":\"n4\",\"name\":\"%s\",\"value\":\"%s\"}", cases[i].name, cases[i].wanted);
        AUTO_ATTEMPT attempt = begin(&fixture, "repl.setting", args);
        assert_int_equal(verify(&attempt), cases[i].expected);
    }
}

static void a_setting_that_the_server_does_not_know_is_refused(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin(
        &fixture, "repl.setting", "{\"node\":\"n4\",\"name\":\"no-such-setting\",\"value\":\"1\"}");
    enum step_state seen;
    expect_error(try_verify(&attempt, &seen), ERR_REFUSED, "setting_unknown");
    expect_error(apply(&attempt), ERR_REFUSED, "setting_refused");
    const struct bound bound = {attempt.args};
    expect_error(attempt.ops->capture(&fixture.call, &bound, &attempt.values), ERR_REFUSED,
        "setting_unknown");
    expect_error(try_undo(&attempt, &seen), ERR_REFUSED, "setting_unknown");
}

static void undo_restores_our_value_and_may_be_repeated(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin(&fixture, "repl.setting", SETTING_ARGS);
    capture(&attempt);
    assert_int_equal(undo(&attempt), STEP_ABSENT); /* never applied */
    expect_ok(apply(&attempt));
    assert_int_equal(undo(&attempt), STEP_ABSENT);
    expect_live(&fixture, "repl-backlog-size", "1048576");
    assert_int_equal(undo(&attempt), STEP_ABSENT);
    expect_live(&fixture, "repl-backlog-size", "1048576");
}

static void undo_leaves_a_value_that_is_somebody_elses(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin(&fixture, "repl.setting", SETTING_ARGS);
    capture(&attempt);
    expect_ok(apply(&attempt));
    fixture_set(&fixture, "n4", "repl-backlog-size", "2mb");
    assert_int_equal(undo(&attempt), STEP_ELSEWHERE);
    expect_live(&fixture, "repl-backlog-size", "2097152");
}

static void undo_behind_a_restart_finds_the_value_restored(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin(&fixture, "repl.setting", SETTING_ARGS);
    capture(&attempt);
    expect_ok(apply(&attempt));
    fixture_restart(&fixture, "n4", SERVER_6_0);
    assert_int_equal(verify(&attempt), STEP_ABSENT);
    assert_int_equal(undo(&attempt), STEP_ABSENT);
}

/* The new version's default is not the old one's: nobody has changed anything. */
static void undo_behind_a_restart_takes_no_default_for_somebody_elses(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin(&fixture, "repl.setting", SETTING_ARGS);
    capture(&attempt);
    expect_ok(apply(&attempt));
    fixture_restart(&fixture, "n4", SERVER_7_0);
    fixture_set(&fixture, "n4", "repl-backlog-size", "10mb");
    sim_fail_next(fixture.sim, "service.get_status", "n4", SIM_FAULT_REFUSE, 0);
    enum step_state left = STEP_MOVING;
    expect_error(try_undo(&attempt, &left), ERR_REFUSED, "refused");
    assert_int_equal(left, STEP_MOVING);
    assert_int_equal(undo(&attempt), STEP_ABSENT);
    expect_live(&fixture, "repl-backlog-size", "10485760");
    fixture_set(&fixture, "n4", "repl-backlog-size", "64mb"); /* as from a rewritten file */
    assert_int_equal(undo(&attempt), STEP_ABSENT);
    expect_live(&fixture, "repl-backlog-size", "1048576");
}

/* As journals of earlier releases have it, or where nobody knew the process. */
static void undo_that_knows_of_no_process_leaves_what_is_not_ours(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin(&fixture, "repl.setting", SETTING_ARGS);
    sim_fail_next(fixture.sim, "service.get_status", "n4", SIM_FAULT_REFUSE, 0);
    capture(&attempt);
    assert_string_equal(js_get_text(attempt.values, "value"), "1048576");
    assert_null(js_get(attempt.values, "process"));
    expect_ok(apply(&attempt));
    fixture_restart(&fixture, "n4", SERVER_7_0);
    fixture_set(&fixture, "n4", "repl-backlog-size", "10mb");
    assert_int_equal(undo(&attempt), STEP_ELSEWHERE);
    expect_live(&fixture, "repl-backlog-size", "10485760");
}

static void undo_says_when_it_cannot_see_or_set(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    AUTO_ATTEMPT attempt = begin(&fixture, "repl.setting", SETTING_ARGS);
    enum step_state left = STEP_MOVING;
    expect_error(try_undo(&attempt, &left), ERR_INTERNAL, "internal"); /* nothing captured */
    capture(&attempt);
    expect_ok(apply(&attempt));
    sim_fail_next(fixture.sim, "settings.set", "n4", SIM_FAULT_REFUSE, 0);
    expect_error(try_undo(&attempt, &left), ERR_REFUSED, "refused");
    sim_fail_next(fixture.sim, "settings.set", "n4", SIM_FAULT_DROP_REPLY, 0);
    expect_error(try_undo(&attempt, &left), ERR_UNKNOWN, "no_answer");
    assert_int_equal(left, STEP_MOVING);
    assert_int_equal(undo(&attempt), STEP_ABSENT); /* it had happened */
    sim_crash_node(fixture.sim, "n4");
    expect_error(try_undo(&attempt, &left), ERR_UNREACHABLE, "unreachable");
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(every_kind_is_in_the_table_once_and_whole),
        cmocka_unit_test(bind_refuses_missing_unknown_and_mistyped_arguments),
        cmocka_unit_test(nothing_is_applied_when_the_send_window_is_closed),
        cmocka_unit_test(stop_is_absent_then_done_and_may_be_repeated),
        cmocka_unit_test(stop_leaves_a_process_that_it_did_not_capture),
        cmocka_unit_test(stop_of_a_server_that_was_down_does_not_end_a_later_one),
        cmocka_unit_test(stop_without_an_answer_is_an_error_and_never_absent),
        cmocka_unit_test(stop_takes_no_unclear_answer_for_a_stopped_server),
        cmocka_unit_test(package_switch_is_absent_then_done_and_may_be_repeated),
        cmocka_unit_test(package_switch_sees_a_link_moved_by_somebody_else),
        cmocka_unit_test(package_switch_passes_on_what_the_host_says),
        cmocka_unit_test(start_is_absent_moving_then_done_and_may_be_repeated),
        cmocka_unit_test(start_sees_another_series_and_an_unclear_refusal),
        cmocka_unit_test(start_of_a_server_that_ends_at_once_stays_absent),
        cmocka_unit_test(switchover_is_absent_moving_then_done),
        cmocka_unit_test(switchover_is_moving_while_the_old_primary_cannot_be_asked),
        cmocka_unit_test(switchover_sees_another_primary_and_another_node),
        cmocka_unit_test(switchover_does_not_trust_another_node_under_the_same_address),
        cmocka_unit_test(switchover_cannot_see_a_node_that_is_down_or_loads),
        cmocka_unit_test(setting_is_absent_then_done_and_may_be_repeated),
        cmocka_unit_test(setting_compares_sizes_as_numbers_and_texts_as_texts),
        cmocka_unit_test(a_setting_that_the_server_does_not_know_is_refused),
        cmocka_unit_test(undo_restores_our_value_and_may_be_repeated),
        cmocka_unit_test(undo_leaves_a_value_that_is_somebody_elses),
        cmocka_unit_test(undo_behind_a_restart_finds_the_value_restored),
        cmocka_unit_test(undo_behind_a_restart_takes_no_default_for_somebody_elses),
        cmocka_unit_test(undo_that_knows_of_no_process_leaves_what_is_not_ours),
        cmocka_unit_test(undo_says_when_it_cannot_see_or_set),
    };
    return cmocka_run_group_tests_name("steps", cases, NULL, NULL);
}
