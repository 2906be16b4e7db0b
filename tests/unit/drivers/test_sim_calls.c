/*
 * tests/unit/drivers/test_sim_calls.c - what calls of the simulated drivers answer: refusals,
 * deadlines, and the faults that tests order.
 */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/buf.h"
#include "base/mem.h"
#include "drivers/host.h"
#include "drivers/package.h"
#include "drivers/replication.h"
#include "drivers/service.h"
#include "drivers/settings.h"
#include "drivers/topology.h"
#include "fixture.h"

enum { PATIENCE_MS = 30000, RATE = 3000 };

static void expect_kind(struct err *err, enum err_kind kind)
{
    assert_non_null(err);
    const enum err_kind seen = err->kind;
    err_free(err);
    assert_int_equal(seen, kind);
}

static struct err *stop_node(struct fixture *fixture, const char *name)
{
    const struct inv_node *node = fixture_node(fixture, name);
    struct service_status status = {0};
    AUTO_ERR err = service_get_status(&fixture->call, fixture->world->service, node, &status);
    assert_null(err);
    return service_stop(&fixture->call, fixture->world->service, node, status.identity);
}

static void an_immutable_setting_is_refused(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 2});
    const struct inv_node *node = fixture_node(&fixture, "n1");
    struct settings *settings = fixture.world->settings;
    expect_kind(settings_set(&fixture.call, settings, node, "cluster-enabled", "no"), ERR_REFUSED);
    expect_kind(
        settings_set(&fixture.call, settings, node, "min-replicas-to-write", "one"), ERR_REFUSED);
}

static void a_dropped_reply_leaves_the_effect(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 3});
    const struct inv_node *node = fixture_node(&fixture, "n4");
    sim_fail_next(fixture.sim, "host.replace_link", "n4", SIM_FAULT_DROP_REPLY, 0);
    expect_kind(
        host_replace_link(&fixture.call, fixture.world->host, node, node->server_link, SERVER_7_0),
        ERR_UNKNOWN);
    sim_fail_next(fixture.sim, "host.read_link", NULL, SIM_FAULT_DROP_REPLY, 0);
    AUTO_FREE char *target = NULL;
    expect_kind(
        host_read_link(&fixture.call, fixture.world->host, node, node->server_link, &target),
        ERR_UNKNOWN);
    assert_null(target);
    AUTO_ERR err =
        host_read_link(&fixture.call, fixture.world->host, node, node->server_link, &target);
    assert_null(err);
    assert_string_equal(target, SERVER_7_0);
}

static void a_refused_call_has_no_effect_and_spares_others(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 3});
    sim_fail_next(fixture.sim, "settings.set", "n4", SIM_FAULT_REFUSE, 0);
    fixture_set(&fixture, "n5", "maxmemory", "1");
    const struct inv_node *node = fixture_node(&fixture, "n4");
    expect_kind(
        settings_set(&fixture.call, fixture.world->settings, node, "maxmemory", "1"), ERR_REFUSED);
    AUTO_FREE char *value = NULL;
    AUTO_ERR err = settings_get(&fixture.call, fixture.world->settings, node, "maxmemory", &value);
    assert_null(err);
    assert_string_equal(value, "0");
}

static void a_delayed_call_arrives_late_and_past_the_deadline_unheard(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 3});
    sim_fail_next(fixture.sim, "settings.set", "n4", SIM_FAULT_DELAY, 200);
    fixture_set(&fixture, "n4", "maxmemory", "1");
    assert_int_equal(clock_now_ms(fixture.call.clock), 200);

    sim_fail_next(fixture.sim, "settings.set", "n4", SIM_FAULT_DELAY, 5000);
    struct call call = fixture.call;
    call.deadline_ms = 1000;
    const struct inv_node *node = fixture_node(&fixture, "n4");
    expect_kind(settings_set(&call, fixture.world->settings, node, "maxmemory", "2"), ERR_UNKNOWN);
    assert_int_equal(clock_now_ms(fixture.call.clock), 1000);
    AUTO_FREE char *value = NULL;
    AUTO_ERR err = settings_get(&fixture.call, fixture.world->settings, node, "maxmemory", &value);
    assert_null(err);
    assert_string_equal(value, "2");
}

static void a_crash_meets_the_call(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 3});
    sim_fail_next(fixture.sim, "replication.switchover", NULL, SIM_FAULT_CRASH, 0);
    expect_kind(replication_switchover(
                    &fixture.call, fixture.world->replication, fixture_node(&fixture, "n4")),
        ERR_UNREACHABLE);
    assert_false(fixture_is_running(&fixture, "n4"));
}

static void nothing_is_sent_past_the_deadline_or_the_send_window(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 3});
    fixture_wait(&fixture, 100);
    struct call call = fixture.call;
    call.send_before_ms = 50;
    const struct inv_node *node = fixture_node(&fixture, "n4");
    expect_kind(
        settings_set(&call, fixture.world->settings, node, "maxmemory", "2"), ERR_UNREACHABLE);
    AUTO_FREE char *value = NULL;
    AUTO_ERR err = settings_get(&call, fixture.world->settings, node, "maxmemory", &value);
    assert_null(err); /* reading is allowed until the deadline */
    assert_string_equal(value, "0");
    call.deadline_ms = 100;
    char *unread = NULL;
    expect_kind(
        settings_get(&call, fixture.world->settings, node, "maxmemory", &unread), ERR_UNREACHABLE);
}

static void a_server_that_does_not_end_in_time_is_unknown(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 3});
    fixture.call.deadline_ms = 10;
    expect_kind(stop_node(&fixture, "n4"), ERR_UNKNOWN);
    fixture.call.deadline_ms = PATIENCE_MS;
    assert_true(fixture_is_running(&fixture, "n4"));
    AUTO_ERR err = stop_node(&fixture, "n4"); /* asked again: only waits for the rest */
    assert_null(err);
    assert_false(fixture_is_running(&fixture, "n4"));
}

static void a_link_to_nowhere_cannot_be_started(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 3});
    const struct inv_node *node = fixture_node(&fixture, "n4");
    AUTO_ERR stop = stop_node(&fixture, "n4");
    assert_null(stop);
    AUTO_ERR link =
        host_replace_link(&fixture.call, fixture.world->host, node, node->server_link, "/opt/none");
    assert_null(link);
    expect_kind(service_start(&fixture.call, fixture.world->service, node), ERR_INVALID);
    char *target = NULL;
    expect_kind(
        host_read_link(&fixture.call, fixture.world->host, node, node->config_file, &target),
        ERR_INVALID);
}

static void packages_resolve_to_an_exact_version(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 3});
    struct package *package = fixture.world->package;
    struct fact_artefact artefact = {0};
    const struct inv_version version = {"8.1", "valkey", "trixie"};
    AUTO_ERR err = package_prepare(
        &fixture.call, package, &version, &fixture_rules, NULL, NULL, &fixture.arena, &artefact);
    assert_null(err);
    assert_string_equal(artefact.version, "8.1.1");
    assert_string_equal(artefact.series, "valkey/8.1");
    assert_string_equal(artefact.server, SERVER_VALKEY);
    const struct inv_version missing = {"7.", "redis", "bookworm"};
    expect_kind(package_prepare(&fixture.call, package, &missing, &fixture_rules, NULL, NULL,
                    &fixture.arena, &artefact),
        ERR_INVALID);
}

static void a_dry_start_says_what_the_program_says(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 3});
    struct fact_dry_start dry_start = {0};
    AUTO_ERR err = topology_dry_start(&fixture.call, fixture.world->topology,
        fixture_node(&fixture, "n4"), SERVER_BROKEN, &fixture.arena, &dry_start);
    assert_null(err);
    assert_false(dry_start.is_good);
    assert_non_null(strstr(dry_start.message, "Bad directive"));
}

/* Lives through a story with faults of chance and gives its end as text. */
static char *tell_story(uint64_t seed)
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture,
        &(struct fixture_options){.seed = seed,
            .write_rate = RATE,
            .lag_ms = 10,
            .node_timeout_ms = 1000,
            .faults = {.drop_reply_pct = 10, .refuse_pct = 10, .delay_pct = 20, .crash_pct = 5}});
    AUTO_BUF story = {0};
    for (int i = 0; i < 60; i++) {
        const struct inv_node *node = &fixture.cluster.nodes[i % 6];
        AUTO_ERR start = service_start(&fixture.call, fixture.world->service, node);
        AUTO_ERR switchover =
            replication_switchover(&fixture.call, fixture.world->replication, node);
        buf_printf(&story, "%s %s\n", start == NULL ? "ok" : err_kind_name(start->kind),
            switchover == NULL ? "ok" : err_kind_name(switchover->kind));
        fixture_wait(&fixture, 500);
    }
    const struct sim_counts counts = sim_get_counts(fixture.sim);
    buf_printf(&story, "acked %lld lost %lld stall %lld now %lld", (long long)counts.acked,
        (long long)counts.lost, (long long)counts.stall_ms_max,
        (long long)clock_now_ms(fixture.call.clock));
    assert_true(counts.lost <= counts.acked);
    return buf_detach(&story);
}

static void one_seed_gives_one_story(void **UNUSED(state))
{
    AUTO_FREE char *first = tell_story(7);
    AUTO_FREE char *again = tell_story(7);
    AUTO_FREE char *other = tell_story(8);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    assert_non_null(strstr(first, "unknown"));
    assert_non_null(strstr(first, "refused"));
}

static void faults_of_chance_can_be_ended(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.faults = {.refuse_pct = 100}});
    const struct inv_node *node = fixture_node(&fixture, "n4");
    expect_kind(
        settings_set(&fixture.call, fixture.world->settings, node, "maxmemory", "1"), ERR_REFUSED);
    sim_set_faults(fixture.sim, (struct sim_faults){0});
    fixture_set(&fixture, "n4", "maxmemory", "1");
}

static void *wait_and_read(void *context)
{
    struct fixture *fixture = context;
    for (int i = 0; i < 200; i++) {
        struct replication_state own;
        AUTO_ERR err = replication_get_state(
            &fixture->call, fixture->world->replication, &fixture->cluster.nodes[i % 6], &own);
        if (err != NULL) {
            break; /* time then stays behind, which the test sees */
        }
        fixture_wait(fixture, 1);
    }
    return NULL;
}

static void workers_may_use_it_together(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.write_rate = RATE});
    pthread_t workers[3];
    for (size_t i = 0; i < ARRAY_COUNT(workers); i++) {
        assert_int_equal(pthread_create(&workers[i], NULL, wait_and_read, &fixture), 0);
    }
    for (size_t i = 0; i < ARRAY_COUNT(workers); i++) {
        assert_int_equal(pthread_join(workers[i], NULL), 0);
    }
    assert_int_equal(clock_now_ms(fixture.call.clock), 600);
    assert_int_equal(sim_get_counts(fixture.sim).acked, RATE * 6 / 10);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(an_immutable_setting_is_refused),
        cmocka_unit_test(a_dropped_reply_leaves_the_effect),
        cmocka_unit_test(a_refused_call_has_no_effect_and_spares_others),
        cmocka_unit_test(a_delayed_call_arrives_late_and_past_the_deadline_unheard),
        cmocka_unit_test(a_crash_meets_the_call),
        cmocka_unit_test(nothing_is_sent_past_the_deadline_or_the_send_window),
        cmocka_unit_test(a_server_that_does_not_end_in_time_is_unknown),
        cmocka_unit_test(a_link_to_nowhere_cannot_be_started),
        cmocka_unit_test(packages_resolve_to_an_exact_version),
        cmocka_unit_test(a_dry_start_says_what_the_program_says),
        cmocka_unit_test(one_seed_gives_one_story),
        cmocka_unit_test(faults_of_chance_can_be_ended),
        cmocka_unit_test(workers_may_use_it_together),
    };
    return cmocka_run_group_tests_name("sim calls", cases, NULL, NULL);
}
