/* Every command, on a program that does as it is told: output, refusals, exit codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/exit.h"
#include "fake_services.h"

#define ASSERT_HAS(buf, part)                                                                      \
    do {                                                                                           \
        if (strstr(buf_text(&(buf)), part) == NULL) {                                              \
            fail_msg("no \"%s\" in: %s", part, buf_text(&(buf)));                                  \
        }                                                                                          \
    } while (false)

static const struct gate_answer bad_answers[] = {
    {GATE_NEVER, "no_downgrade", "n1 runs a newer version", NULL},
    {GATE_NEEDS_YOU, "no_drift", "n2 has another maxmemory than its file", "write it down"},
};
static const struct gate_answer good_answers[] = {
    {GATE_YES, "all_reachable", "all 6 nodes can be read", NULL},
};
static const struct gate_answer blind_answers[] = {
    {GATE_NEEDS_YOU, "all_reachable", "n1 cannot be read: wrong password", NULL},
};

static void refuse_with(struct fake *fake, const struct gate_answer *answers, size_t count)
{
    fake->is_refused = true;
    fake->answers = answers;
    fake->answer_count = count;
}

/* --- check and plan --- */

static void check_prints_all_answers(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    fake.answers = good_answers;
    fake.answer_count = 1;
    AUTO_OUTCOME good = fake_call(&fake, "check");
    assert_int_equal(good.exit, EXIT_DONE);
    ASSERT_HAS(good.out, "all_reachable");
    fake.answers = bad_answers;
    fake.answer_count = 2;
    AUTO_OUTCOME bad = fake_call(&fake, "check orders-cache 7.0 --json");
    assert_int_equal(bad.exit, EXIT_REFUSED);
    ASSERT_HAS(bad.out, "\"exit\":4");
    ASSERT_HAS(bad.out, "\"word\":\"refused\"");
    ASSERT_HAS(bad.out, "no_downgrade");
}

static void a_refused_plan_names_all_reasons(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    refuse_with(&fake, bad_answers, 2);
    AUTO_OUTCOME outcome = fake_call(&fake, "plan orders-cache 7.0");
    assert_int_equal(outcome.exit, EXIT_REFUSED);
    ASSERT_HAS(outcome.out, "n1 runs a newer version");
    ASSERT_HAS(outcome.out, "n2 has another maxmemory");
    ASSERT_HAS(outcome.err, "fetching");
    AUTO_OUTCOME upgrade = fake_call(&fake, "upgrade orders-cache 7.0 --yes");
    assert_int_equal(upgrade.exit, EXIT_REFUSED);
    assert_int_equal(fake.start_count, 0);
}

static void a_cluster_that_cannot_be_seen_is_not_refused(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    refuse_with(&fake, blind_answers, 1);
    AUTO_OUTCOME outcome = fake_call(&fake, "plan orders-cache 7.0");
    assert_int_equal(outcome.exit, EXIT_CANNOT_SEE);
}

static void being_there_already_is_no_error(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    fake.is_there_already = true;
    AUTO_OUTCOME plan = fake_call(&fake, "plan orders-cache 7.0 --exit-code");
    assert_int_equal(plan.exit, EXIT_DONE);
    ASSERT_HAS(plan.out, "is at redis 7.0.15 already");
    AUTO_OUTCOME upgrade = fake_call(&fake, "upgrade orders-cache 7.0");
    assert_int_equal(upgrade.exit, EXIT_DONE);
    assert_int_equal(fake.start_count, 0);
}

static void exit_8_is_only_for_those_who_ask(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME plain = fake_call(&fake, "plan orders-cache 7.0");
    assert_int_equal(plain.exit, EXIT_DONE);
    ASSERT_HAS(plain.out, "stop n4");
    AUTO_OUTCOME asked = fake_call(&fake, "plan orders-cache 7.0 --exit-code");
    assert_int_equal(asked.exit, EXIT_SOMETHING_TO_DO);
}

static void an_unwritable_plan_file_is_named(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME outcome = fake_call(&fake, "plan orders-cache 7.0 -o /nowhere/at/all.json");
    assert_int_equal(outcome.exit, EXIT_CANNOT_SEE);
    ASSERT_HAS(outcome.err, "/nowhere/at/all.json");
}

/* --- upgrade --- */

static void upgrade_asks_and_nobody_answers(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME outcome = fake_call(&fake, "upgrade orders-cache 7.0");
    assert_int_equal(outcome.exit, EXIT_USAGE);
    assert_int_equal(fake.start_count, 0);
    ASSERT_HAS(outcome.out, "stop n4"); /* the plan was shown */
    ASSERT_HAS(outcome.err, "--yes");
}

static void upgrade_starts_a_run_and_leaves(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME outcome = fake_call(&fake, "upgrade orders-cache 7.0 --yes --detach");
    assert_int_equal(outcome.exit, EXIT_DETACHED);
    assert_int_equal(fake.start_count, 1);
    ASSERT_HAS(outcome.out, "upshift watch orders-cache");
    AUTO_OUTCOME json = fake_call(&fake, "upgrade orders-cache 7.0 --yes --detach --json");
    ASSERT_HAS(json.out, "\"run\":\"orders-cache-1\"");
}

/* Writes a plan file with `plan -o` and returns its path. */
static char *write_plan_file(struct fake *fake)
{
    char *path = fake_path(fake, "plan.json");
    AUTO_FREE char *words = mem_format("plan orders-cache 7.0 -o %s", path);
    AUTO_OUTCOME outcome = fake_call(fake, words);
    assert_int_equal(outcome.exit, EXIT_DONE);
    return path;
}

static void a_reviewed_plan_runs_as_it_is(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_FREE char *path = write_plan_file(&fake);
    AUTO_FREE char *words = mem_format("upgrade --plan %s --yes --detach", path);
    AUTO_OUTCOME outcome = fake_call(&fake, words);
    assert_int_equal(outcome.exit, EXIT_DETACHED);
    AUTO_OUTCOME json = fake_call(&fake, "plan orders-cache 7.0 --json");
    ASSERT_HAS(json.out, fake.plan_digest);
}

static void a_stale_plan_names_each_difference(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_FREE char *path = write_plan_file(&fake);
    const char *differences[] = {"n4 role: replica, now primary", "n5 version: 6.0, now 6.2"};
    fake.differences = differences;
    fake.difference_count = 2;
    AUTO_FREE char *words = mem_format("upgrade --plan %s --yes", path);
    AUTO_OUTCOME outcome = fake_call(&fake, words);
    assert_int_equal(outcome.exit, EXIT_REFUSED);
    assert_int_equal(fake.start_count, 0);
    ASSERT_HAS(outcome.out, "n4 role: replica, now primary");
    ASSERT_HAS(outcome.out, "n5 version: 6.0, now 6.2");
}

static void files_that_are_no_plans_are_refused(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME missing = fake_call(&fake, "upgrade --plan /nowhere.json --yes");
    assert_int_equal(missing.exit, EXIT_FILE_INVALID);
    AUTO_OUTCOME other = fake_call(&fake, "upgrade --plan " EXAMPLE_INVENTORY " --yes");
    assert_int_equal(other.exit, EXIT_FILE_INVALID);
    assert_int_equal(fake.start_count, 0);
}

static void upgrade_wants_either_words_or_a_plan(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME neither = fake_call(&fake, "upgrade --yes");
    assert_int_equal(neither.exit, EXIT_USAGE);
    AUTO_OUTCOME both = fake_call(&fake, "upgrade orders-cache 7.0 --plan x --yes");
    assert_int_equal(both.exit, EXIT_USAGE);
}

/* --- restart and switchover --- */

static void a_restart_needs_no_version(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME asked = fake_call(&fake, "restart orders-cache");
    assert_int_equal(asked.exit, EXIT_USAGE);
    ASSERT_HAS(asked.err, "Restart every node of orders-cache");
    assert_int_equal(fake.start_count, 0);
    AUTO_OUTCOME sure = fake_call(&fake, "restart orders-cache --yes --detach");
    assert_int_equal(sure.exit, EXIT_DETACHED);
    assert_int_equal(fake.start_count, 1);
    AUTO_OUTCOME more = fake_call(&fake, "restart orders-cache 7.0 --yes");
    assert_int_equal(more.exit, EXIT_USAGE);
}

static void a_switchover_is_of_one_shard_or_to_one_node(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME one = fake_call(&fake, "switchover orders-cache --shard shard-2 --yes --detach");
    assert_int_equal(one.exit, EXIT_DETACHED);
    assert_string_equal(fake.shard, "shard-2");
    assert_string_equal(fake.node, "");
    AUTO_OUTCOME other = fake_call(&fake, "switchover orders-cache --to n5 --yes --detach");
    assert_int_equal(other.exit, EXIT_DETACHED);
    assert_string_equal(fake.node, "n5");
    AUTO_OUTCOME both = fake_call(&fake, "switchover orders-cache --shard shard-2 --to n5 --yes");
    assert_int_equal(both.exit, EXIT_USAGE);
    assert_int_equal(fake.start_count, 2);
}

static void a_plan_is_for_one_thing(void **UNUSED(state))
{
    static const char *const wrong[] = {"plan orders-cache", "plan orders-cache 7.0 --restart",
        "plan orders-cache --restart --switchover", "plan orders-cache --restart --to n5",
        "plan orders-cache 7.0 --shard shard-1"};
    AUTO_FAKE fake;
    fake_open(&fake);
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        AUTO_OUTCOME outcome = fake_call(&fake, wrong[i]);
        assert_int_equal(outcome.exit, EXIT_USAGE);
    }
    AUTO_OUTCOME restart = fake_call(&fake, "plan orders-cache --restart");
    assert_int_equal(restart.exit, EXIT_DONE);
    AUTO_OUTCOME switchover = fake_call(&fake, "plan orders-cache --switchover --to n5");
    assert_int_equal(switchover.exit, EXIT_DONE);
    assert_string_equal(fake.node, "n5");
}

static void a_plan_for_another_command_does_not_run(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_FREE char *path = write_plan_file(&fake); /* of an upgrade */
    AUTO_FREE char *words = mem_format("restart --plan %s --yes", path);
    AUTO_OUTCOME outcome = fake_call(&fake, words);
    assert_int_equal(outcome.exit, EXIT_USAGE);
    ASSERT_HAS(outcome.err, "upshift upgrade --plan");
    assert_int_equal(fake.start_count, 0);
}

static void a_refused_restart_has_its_own_headline(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    refuse_with(&fake, bad_answers, 2);
    AUTO_OUTCOME outcome = fake_call(&fake, "restart orders-cache --yes");
    assert_int_equal(outcome.exit, EXIT_REFUSED);
    ASSERT_HAS(outcome.out, "orders-cache cannot be restarted now: 2 reasons");
    AUTO_OUTCOME other = fake_call(&fake, "switchover orders-cache --yes");
    assert_int_equal(other.exit, EXIT_REFUSED);
    ASSERT_HAS(other.out, "orders-cache cannot switch over now: 2 reasons");
}

/* --- rollback --- */

static void a_rollback_is_shown_and_asked_for(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME dry = fake_call(&fake, "rollback orders-cache --dry-run");
    assert_int_equal(dry.exit, EXIT_DONE);
    ASSERT_HAS(dry.out, "stop n4");
    AUTO_OUTCOME asked = fake_call(&fake, "rollback orders-cache");
    assert_int_equal(asked.exit, EXIT_USAGE);
    ASSERT_HAS(asked.out, "stop n4");
    ASSERT_HAS(asked.err, "Take orders-cache back to");
    assert_int_equal(fake.continue_count, 0);
    fake.ended = "{\"ok\":true,\"text\":\"rollback\",\"snapshot\":{}}";
    AUTO_OUTCOME sure = fake_call(&fake, "rollback orders-cache --yes --detach");
    assert_int_equal(sure.exit, EXIT_DETACHED);
    assert_string_equal(fake.command, "rollback");
}

static void a_rollback_without_a_way_back_is_refused(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    refuse_with(&fake, bad_answers, 2);
    AUTO_OUTCOME outcome = fake_call(&fake, "rollback orders-cache --yes");
    assert_int_equal(outcome.exit, EXIT_REFUSED);
    ASSERT_HAS(outcome.out, "orders-cache cannot go back: 2 reasons");
    ASSERT_HAS(outcome.out, "n1 runs a newer version");
    assert_int_equal(fake.continue_count, 0);
}

/* The controller says so; there is no plan to be shown. */
static void what_goes_back_or_has_ended_is_not_planned_again(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    refuse_with(&fake, bad_answers, 2); /* whoever planned would be refused */
    fake.direction = "back";
    fake.ended = "{\"ok\":true,\"text\":\"the run is on its way back already\",\"snapshot\":{}}";
    AUTO_OUTCOME already = fake_call(&fake, "rollback orders-cache");
    assert_int_equal(already.exit, EXIT_DONE);
    ASSERT_HAS(already.err, "on its way back already");
    fake.direction = NULL;
    fake.state = "COMPLETE";
    fake.ended = "{\"ok\":false,\"error\":{\"code\":\"run_ended\",\"what\":\"it is closed\"}}";
    AUTO_OUTCOME complete = fake_call(&fake, "rollback orders-cache --yes");
    assert_int_equal(complete.exit, EXIT_REFUSED);
    ASSERT_HAS(complete.err, "it is closed");
}

/* --- errors --- */

struct failure {
    const char *code;
    int exit;
};

static void failures_of_services_have_their_exit(void **UNUSED(state))
{
    static const struct failure failures[] = {{"locked", EXIT_LOCKED},
        {"journal_newer", EXIT_JOURNAL}, {"journal_full", EXIT_JOURNAL},
        {"run_unfinished", EXIT_REFUSED}, {"wrong_password", EXIT_CANNOT_SEE},
        {"unknown_version", EXIT_USAGE}, {"internal", EXIT_INTERNAL}};
    for (size_t i = 0; i < ARRAY_COUNT(failures); i++) {
        AUTO_FAKE fake;
        fake_open(&fake);
        fake.error = err_code(err_new(ERR_REFUSED, "n1", "it did not work"), failures[i].code);
        AUTO_OUTCOME outcome = fake_call(&fake, "plan orders-cache 7.0");
        assert_int_equal(outcome.exit, failures[i].exit);
        ASSERT_HAS(outcome.err, "upshift: it did not work (n1)\n");
        ASSERT_HAS(outcome.err, "  remedy: ");
        assert_int_equal(outcome.out.size, 0);
    }
}

static void errors_as_json_are_one_object(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    fake.error = err_code(err_new(ERR_REFUSED, "n1", "it did not work"), "locked");
    AUTO_OUTCOME outcome = fake_call(&fake, "plan orders-cache 7.0 --json --quiet");
    assert_int_equal(outcome.err.size, 0);
    AUTO_JSON value = NULL;
    AUTO_ERR err = js_parse(outcome.out.data, outcome.out.size, "out", &value);
    assert_null(err);
    assert_int_equal(js_get_number(value, "exit", 0), EXIT_LOCKED);
    assert_string_equal(js_get_text(value, "word"), "locked");
    assert_string_equal(js_get_text(js_get(value, "error"), "what"), "it did not work");
}

static void usage_errors_are_json_too(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME outcome = fake_call(&fake, "plam --json");
    assert_int_equal(outcome.exit, EXIT_USAGE);
    ASSERT_HAS(outcome.out, "did you mean");
}

static void unknown_clusters_are_named_with_the_nearest(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME near = fake_call(&fake, "check order-cache");
    assert_int_equal(near.exit, EXIT_USAGE);
    ASSERT_HAS(near.err, "did you mean \"orders-cache\"?");
    AUTO_OUTCOME far = fake_call(&fake, "check zzz");
    ASSERT_HAS(far.err, "the inventory has: orders-cache");
    AUTO_OUTCOME path = fake_call(&fake, "status ../../etc");
    assert_int_equal(path.exit, EXIT_USAGE);
}

static void an_invalid_inventory_shows_all_mistakes(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_FREE char *path = fake_path(&fake, "bad.yaml");
    static const char text[] = "clustres: {}\ndatastores: 7\n";
    AUTO_ERR err = fs_write(path, text, sizeof(text) - 1, 0600);
    assert_null(err);
    AUTO_FREE char *words = mem_format("check --inventory %s", path);
    AUTO_OUTCOME outcome = fake_call(&fake, words);
    assert_int_equal(outcome.exit, EXIT_FILE_INVALID);
    ASSERT_HAS(outcome.err, "bad.yaml:1:1");
    ASSERT_HAS(outcome.err, "bad.yaml:2:");
    AUTO_FREE char *json_words = mem_format("check --json --inventory %s", path);
    AUTO_OUTCOME json = fake_call(&fake, json_words);
    ASSERT_HAS(json.out, "\"mistakes\"");
    AUTO_OUTCOME missing = fake_call(&fake, "check --inventory /nowhere.yaml");
    assert_int_equal(missing.exit, EXIT_FILE_INVALID);
}

/* --- to look at --- */

static void clusters_and_versions_are_listed(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME clusters = fake_call(&fake, "cluster list");
    ASSERT_HAS(clusters.out, "orders-cache");
    AUTO_OUTCOME datastores = fake_call(&fake, "datastore list --json");
    ASSERT_HAS(datastores.out, "[\"redis\",\"valkey\"]");
    AUTO_OUTCOME versions = fake_call(&fake, "datastore version list redis");
    ASSERT_HAS(versions.out, "bullseye");
    AUTO_OUTCOME unknown = fake_call(&fake, "datastore version list redsi");
    assert_int_equal(unknown.exit, EXIT_USAGE);
    ASSERT_HAS(unknown.err, "did you mean \"redis\"?");
}

static void a_node_that_cannot_be_read_shows_in_the_exit(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME outcome = fake_call(&fake, "cluster show");
    assert_int_equal(outcome.exit, EXIT_CANNOT_SEE);
    ASSERT_HAS(outcome.out, "redis 6.0.16, 42 keys");
    ASSERT_HAS(outcome.out, "cannot be read: connection ?[31mrefused"); /* steers no terminal */
    AUTO_OUTCOME json = fake_call(&fake, "cluster show --json");
    AUTO_JSON value = NULL;
    AUTO_ERR err = js_parse(json.out.data, json.out.size, "out", &value);
    assert_null(err);
    AUTO_FACTS facts = {0};
    AUTO_ERR unread = facts_from_json(value, "out", &facts);
    assert_null(unread);
    assert_int_equal(facts.node_count, 2);
}

static void runs_are_listed_and_shown(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME list = fake_call(&fake, "run list");
    ASSERT_HAS(list.out, "orders-cache-1");
    ASSERT_HAS(list.out, "PAUSED");
    AUTO_OUTCOME show = fake_call(&fake, "run show orders-cache-1");
    assert_int_equal(show.exit, EXIT_DONE);
    ASSERT_HAS(show.out, "run_created");
    ASSERT_HAS(show.out, "plan_revised");
    ASSERT_HAS(show.out, "\"digest\":\"3f9a\"");
    assert_null(strstr(buf_text(&show.out), "rolling")); /* the plan itself is long */
    AUTO_OUTCOME whole = fake_call(&fake, "run show orders-cache-1 --json");
    ASSERT_HAS(whole.out, "rolling");
    AUTO_OUTCOME unknown = fake_call(&fake, "run show orders-cache-7");
    assert_int_equal(unknown.exit, EXIT_REFUSED);
    AUTO_OUTCOME nonsense = fake_call(&fake, "run show nonsense");
    assert_int_equal(nonsense.exit, EXIT_REFUSED);
    AUTO_OUTCOME outside = fake_call(&fake, "run show ../x-1");
    assert_int_equal(outside.exit, EXIT_REFUSED);
}

static void probe_fails_when_operations_did(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    fake.final = "{\"intended\":10,\"ok\":10,\"acked\":5}";
    AUTO_OUTCOME good = fake_call(&fake, "probe --for 1");
    assert_int_equal(good.exit, EXIT_DONE);
    fake.final = "{\"intended\":10,\"ok\":10,\"acked\":5,\"missing\":1}";
    AUTO_OUTCOME lost = fake_call(&fake, "probe orders-cache");
    assert_int_equal(lost.exit, EXIT_NOT_PROVED);
    ASSERT_HAS(lost.out, "1 lost");
}

/* Replaces the first `from` in a file by `to`, of the same length. */
static void tamper(const char *path, const char *from, const char *to)
{
    AUTO_BUF content = {0};
    AUTO_ERR unread = fs_read(path, 16 << 20, &content);
    assert_null(unread);
    char *found = strstr(content.data, from);
    assert_non_null(found);
    memcpy(found, to, strlen(to));
    AUTO_ERR unwritten = fs_write(path, content.data, content.size, 0600);
    assert_null(unwritten);
}

static void a_report_is_written_and_verified(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_FREE char *path = fake_path(&fake, "report.json");
    AUTO_FREE char *words = mem_format("report orders-cache -o %s", path);
    AUTO_OUTCOME made = fake_call(&fake, words);
    assert_int_equal(made.exit, EXIT_DONE);
    ASSERT_HAS(made.out, "written to");
    AUTO_FREE char *verify_words = mem_format("report --verify %s", path);
    AUTO_OUTCOME sound = fake_call(&fake, verify_words);
    assert_int_equal(sound.exit, EXIT_DONE);
    tamper(path, "redis 6.0.16", "redis 6.0.99");
    AUTO_OUTCOME forged = fake_call(&fake, verify_words);
    assert_int_equal(forged.exit, EXIT_NOT_PROVED);
}

static void a_report_of_an_unknown_run_is_refused(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME outcome = fake_call(&fake, "report orders-cache orders-cache-7");
    assert_int_equal(outcome.exit, EXIT_REFUSED);
}

static void files_that_are_no_reports_are_refused(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME outcome = fake_call(&fake, "report --verify " EXAMPLE_INVENTORY);
    assert_int_equal(outcome.exit, EXIT_FILE_INVALID);
}

static void version_and_help_need_nothing(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME version = fake_call(&fake, "--version");
    ASSERT_HAS(version.out, "upshift " UPSHIFT_VERSION);
    AUTO_OUTCOME nothing = fake_call(&fake, "");
    assert_int_equal(nothing.exit, EXIT_DONE);
    ASSERT_HAS(nothing.out, "Commands");
}

/* --- a run without a controller --- */

static void status_reads_the_journal_when_nobody_listens(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME outcome = fake_call(&fake, "status orders-cache");
    assert_int_equal(outcome.exit, EXIT_DONE);
    ASSERT_HAS(outcome.out, "RUNNING");
    ASSERT_HAS(outcome.out, "redis-cli -p 7001 CLUSTER FAILOVER");
    ASSERT_HAS(outcome.out, "`upshift resume orders-cache`");
    fake.state = "SOAKING";
    AUTO_OUTCOME soaking = fake_call(&fake, "status orders-cache");
    ASSERT_HAS(soaking.out, "next: `upshift finalize orders-cache`");
    ASSERT_HAS(soaking.out, "`upshift rollback orders-cache` goes back");
    fake.error = err_code(err_new(ERR_INVALID, NULL, "no run"), "no_run");
    AUTO_OUTCOME none = fake_call(&fake, "status orders-cache");
    assert_int_equal(none.exit, EXIT_REFUSED);
}

static void commands_start_a_controller_when_none_listens(void **UNUSED(state))
{
    static const char *const words[] = {"pause", "resume", "abort", "finalize --yes"};
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        AUTO_FAKE fake;
        fake_open(&fake);
        fake.error = err_code(err_new(ERR_REFUSED, NULL, "another one has it"), "locked");
        AUTO_OUTCOME outcome = fake_call(&fake, words[i]);
        assert_int_equal(fake.continue_count, 1);
        assert_int_equal(outcome.exit, EXIT_LOCKED);
    }
}

static void a_run_that_has_ended_answers_by_itself(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    fake.ended = "{\"ok\":true,\"text\":\"the run is complete already\",\"snapshot\":{}}";
    AUTO_OUTCOME done = fake_call(&fake, "finalize orders-cache --yes");
    assert_int_equal(done.exit, EXIT_DONE);
    ASSERT_HAS(done.err, "the run is complete already");
    fake.ended = "{\"ok\":false,\"error\":{\"code\":\"run_ended\",\"what\":\"it was refused\"}}";
    AUTO_OUTCOME refused = fake_call(&fake, "resume orders-cache --json");
    assert_int_equal(refused.exit, EXIT_REFUSED);
    ASSERT_HAS(refused.out, "\"code\":\"run_ended\"");
    ASSERT_HAS(refused.out, "it was refused");
}

/* --- orders with something to go with them --- */

static void resume_takes_one_of_accept_and_forward(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME outcome = fake_call(&fake, "resume orders-cache --accept 3f9a --forward");
    assert_int_equal(outcome.exit, EXIT_USAGE);
    assert_int_equal(fake.continue_count, 0);
    ASSERT_HAS(outcome.err, "give one of them");
}

static void abandoning_wants_the_name_of_the_run(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME outcome = fake_call(&fake, "abort orders-cache --abandon");
    assert_int_equal(outcome.exit, EXIT_USAGE);
    assert_int_equal(fake.continue_count, 0);
    ASSERT_HAS(outcome.err, "Abandon orders-cache-1");
    fake.ended = "{\"ok\":true,\"text\":\"abandon\",\"snapshot\":{}}";
    AUTO_OUTCOME sure = fake_call(&fake, "abort orders-cache --abandon --yes --detach");
    assert_int_equal(sure.exit, EXIT_DETACHED);
    assert_int_equal(fake.continue_count, 1);
    assert_string_equal(fake.command, "abandon");
}

/* --- claims of others --- */

static void show_a_claim(struct fake *fake)
{
    static const char *owners[] = {"run old-3 of ada on db7 has the nodes since 12:00:00"};
    static struct cli_claim_scope scopes[] = {{.step = "prepare/n1/backlog",
        .node = "n1",
        .what = "repl.setting repl-backlog-size = 67108864",
        .before = "1048576"}};
    fake_open(fake);
    fake->claims =
        (struct cli_claims){.owners = owners, .owner_count = 1, .scopes = scopes, .scope_count = 1};
}

static void a_claim_is_shown_before_it_is_ended(void **UNUSED(state))
{
    AUTO_FAKE fake;
    show_a_claim(&fake);
    AUTO_OUTCOME asked = fake_call(&fake, "reconcile orders-cache --adopt");
    assert_int_equal(asked.exit, EXIT_USAGE);
    assert_int_equal(fake.act_counts[CLI_CLAIMS_LOOK], 1);
    assert_int_equal(fake.act_counts[CLI_CLAIMS_ADOPT], 0);
    ASSERT_HAS(asked.out, "run old-3 of ada on db7");
    ASSERT_HAS(asked.out, "n1: repl.setting repl-backlog-size = 67108864 (before: 1048576)");
    AUTO_OUTCOME adopted = fake_call(&fake, "reconcile orders-cache --adopt --yes");
    assert_int_equal(adopted.exit, EXIT_DONE);
    assert_int_equal(fake.act_counts[CLI_CLAIMS_ADOPT], 1);
}

static void clearing_a_claim_wants_the_name_again(void **UNUSED(state))
{
    AUTO_FAKE fake;
    show_a_claim(&fake);
    AUTO_OUTCOME other = fake_call(&fake, "reconcile orders-cache --clear-claim orders --yes");
    assert_int_equal(other.exit, EXIT_USAGE);
    AUTO_OUTCOME both =
        fake_call(&fake, "reconcile orders-cache --adopt --clear-claim orders-cache --yes");
    assert_int_equal(both.exit, EXIT_USAGE);
    assert_int_equal(fake.act_counts[CLI_CLAIMS_LOOK], 0);
    AUTO_OUTCOME same =
        fake_call(&fake, "reconcile orders-cache --clear-claim orders-cache --yes --json");
    assert_int_equal(same.exit, EXIT_DONE);
    assert_int_equal(fake.act_counts[CLI_CLAIMS_CLEAR], 1);
    ASSERT_HAS(same.out, "\"is_cleared\":true");
}

static void a_claim_that_cannot_be_seen_is_not_called_cleared(void **UNUSED(state))
{
    static const char *unseen[] = {"n3: cannot open the claim"};
    AUTO_FAKE fake;
    show_a_claim(&fake);
    fake.claims.unseen = unseen;
    fake.claims.unseen_count = 1;
    AUTO_OUTCOME outcome =
        fake_call(&fake, "reconcile orders-cache --clear-claim orders-cache --yes");
    assert_int_equal(outcome.exit, EXIT_CANNOT_SEE);
    ASSERT_HAS(outcome.out, "not seen: n3: cannot open the claim");
    fake.claims = (struct cli_claims){0};
    AUTO_OUTCOME none = fake_call(&fake, "reconcile orders-cache --adopt --yes");
    assert_int_equal(none.exit, EXIT_DONE);
    assert_int_equal(fake.act_counts[CLI_CLAIMS_ADOPT], 0);
}

static void reconcile_alone_is_an_order_to_the_run(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    fake.ended = "{\"ok\":false,\"error\":{\"code\":\"run_ended\",\"what\":\"it is complete\"}}";
    AUTO_OUTCOME outcome = fake_call(&fake, "reconcile orders-cache");
    assert_int_equal(outcome.exit, EXIT_REFUSED);
    assert_string_equal(fake.command, "reconcile");
    assert_int_equal(fake.act_counts[CLI_CLAIMS_LOOK], 0);
}

static void finalize_is_never_done_unasked(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME outcome = fake_call(&fake, "finalize orders-cache");
    assert_int_equal(outcome.exit, EXIT_USAGE);
    assert_int_equal(fake.continue_count, 0);
    ASSERT_HAS(outcome.err, "impossible");
}

static void watch_needs_a_controller(void **UNUSED(state))
{
    AUTO_FAKE fake;
    fake_open(&fake);
    AUTO_OUTCOME outcome = fake_call(&fake, "watch orders-cache");
    assert_int_equal(outcome.exit, EXIT_CANNOT_SEE);
    assert_int_equal(fake.continue_count, 0); /* looking changes nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_prints_all_answers),
        cmocka_unit_test(a_refused_plan_names_all_reasons),
        cmocka_unit_test(a_cluster_that_cannot_be_seen_is_not_refused),
        cmocka_unit_test(being_there_already_is_no_error),
        cmocka_unit_test(exit_8_is_only_for_those_who_ask),
        cmocka_unit_test(an_unwritable_plan_file_is_named),
        cmocka_unit_test(upgrade_asks_and_nobody_answers),
        cmocka_unit_test(upgrade_starts_a_run_and_leaves),
        cmocka_unit_test(a_reviewed_plan_runs_as_it_is),
        cmocka_unit_test(a_stale_plan_names_each_difference),
        cmocka_unit_test(files_that_are_no_plans_are_refused),
        cmocka_unit_test(upgrade_wants_either_words_or_a_plan),
        cmocka_unit_test(a_restart_needs_no_version),
        cmocka_unit_test(a_switchover_is_of_one_shard_or_to_one_node),
        cmocka_unit_test(a_plan_is_for_one_thing),
        cmocka_unit_test(a_plan_for_another_command_does_not_run),
        cmocka_unit_test(a_refused_restart_has_its_own_headline),
        cmocka_unit_test(a_rollback_is_shown_and_asked_for),
        cmocka_unit_test(a_rollback_without_a_way_back_is_refused),
        cmocka_unit_test(what_goes_back_or_has_ended_is_not_planned_again),
        cmocka_unit_test(failures_of_services_have_their_exit),
        cmocka_unit_test(errors_as_json_are_one_object),
        cmocka_unit_test(usage_errors_are_json_too),
        cmocka_unit_test(unknown_clusters_are_named_with_the_nearest),
        cmocka_unit_test(an_invalid_inventory_shows_all_mistakes),
        cmocka_unit_test(clusters_and_versions_are_listed),
        cmocka_unit_test(a_node_that_cannot_be_read_shows_in_the_exit),
        cmocka_unit_test(runs_are_listed_and_shown),
        cmocka_unit_test(probe_fails_when_operations_did),
        cmocka_unit_test(a_report_is_written_and_verified),
        cmocka_unit_test(a_report_of_an_unknown_run_is_refused),
        cmocka_unit_test(files_that_are_no_reports_are_refused),
        cmocka_unit_test(version_and_help_need_nothing),
        cmocka_unit_test(status_reads_the_journal_when_nobody_listens),
        cmocka_unit_test(commands_start_a_controller_when_none_listens),
        cmocka_unit_test(a_run_that_has_ended_answers_by_itself),
        cmocka_unit_test(resume_takes_one_of_accept_and_forward),
        cmocka_unit_test(abandoning_wants_the_name_of_the_run),
        cmocka_unit_test(a_claim_is_shown_before_it_is_ended),
        cmocka_unit_test(clearing_a_claim_wants_the_name_again),
        cmocka_unit_test(a_claim_that_cannot_be_seen_is_not_called_cleared),
        cmocka_unit_test(reconcile_alone_is_an_order_to_the_run),
        cmocka_unit_test(finalize_is_never_done_unasked),
        cmocka_unit_test(watch_needs_a_controller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
