/*
 * tests/unit/drivers/test_sim.c - the simulation keeps the drivers' contracts, and behaves as real
 * servers were measured to.
 */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "conformance.h"
#include "drivers/host.h"
#include "drivers/replication.h"
#include "drivers/service.h"
#include "drivers/settings.h"
#include "drivers/topology.h"
#include "fixture.h"

enum { PATIENCE_MS = 30000, RATE = 3000 };

static const struct fact_view *view_of(
    const struct fact_node *observer, const struct fact_node *subject)
{
    for (size_t i = 0; i < observer->view_count; i++) {
        if (text_equal(observer->views[i].id, subject->id)) {
            return &observer->views[i];
        }
    }
    fail_msg("not in its view");
    return NULL;
}

static void time_passes_only_by_waiting(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.write_rate = RATE});
    AUTO_FACTS facts = {0};
    fixture_read(&fixture, "n1", &facts);
    assert_int_equal(clock_now_ms(fixture.call.clock), 0);
    assert_int_equal(sim_get_counts(fixture.sim).acked, 0);
    fixture_wait(&fixture, 1000);
    assert_int_equal(clock_now_ms(fixture.call.clock), 1000);
    assert_int_equal(sim_get_counts(fixture.sim).acked, RATE);
}

static void replicas_lag_behind_what_was_acknowledged(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.write_rate = RATE, .lag_ms = 100});
    fixture_wait(&fixture, 2000);
    AUTO_FACTS facts = {0};
    const struct fact_node *replica = fixture_read(&fixture, "n4", &facts);
    const struct fact_node *primary = facts_find(&facts, "n1");
    assert_int_equal(primary->key_count - replica->key_count, RATE / 3 / 10);
    assert_true(primary->offset > replica->offset);
    sim_set_write_rate(fixture.sim, 0);
    fixture_wait(&fixture, 200);
    AUTO_FACTS later = {0};
    replica = fixture_read(&fixture, "n4", &later);
    assert_int_equal(replica->key_count, facts_find(&later, "n1")->key_count);
}

static void views_of_others_are_stale_for_some_50_ms(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.server = SERVER_7_0});
    AUTO_ERR err = replication_switchover(
        &fixture.call, fixture.world->replication, fixture_node(&fixture, "n4"));
    assert_null(err);
    fixture_wait(&fixture, 35); /* promoted after 2-30 ms */
    AUTO_FACTS facts = {0};
    const struct fact_node *promoted = fixture_read(&fixture, "n4", &facts);
    assert_int_equal(promoted->role, FACT_ROLE_PRIMARY);
    const struct fact_node *observer = facts_find(&facts, "n2");
    assert_int_equal(view_of(observer, promoted)->role, FACT_ROLE_REPLICA);
    assert_non_null(view_of(observer, facts_find(&facts, "n1"))->slots);

    fixture_wait(&fixture, 65);
    AUTO_FACTS later = {0};
    promoted = fixture_read(&fixture, "n4", &later);
    observer = facts_find(&later, "n2");
    assert_int_equal(view_of(observer, promoted)->role, FACT_ROLE_PRIMARY);
    assert_string_equal(view_of(observer, promoted)->slots, promoted->slots);
    assert_null(view_of(observer, facts_find(&later, "n1"))->slots);
}

static size_t count_owners(struct fixture *fixture, const char *observer)
{
    AUTO_FACTS facts = {0};
    const struct fact_node *node = fixture_read(fixture, observer, &facts);
    size_t count = 0;
    for (size_t i = 0; i < node->view_count; i++) {
        count += node->views[i].slots != NULL;
    }
    return count;
}

/* For a moment others may miss one: when the old owner's word arrives before the new one's. The old
 * owner itself never does: what demotes it is the new one's word. */
static void no_view_ever_has_two_owners_of_one_slot(void **UNUSED(state))
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        AUTO_FIXTURE fixture;
        fixture_open(&fixture, &(struct fixture_options){.seed = seed});
        AUTO_ERR err = replication_switchover(
            &fixture.call, fixture.world->replication, fixture_node(&fixture, "n4"));
        assert_null(err);
        for (int i = 0; i < 200; i++) {
            assert_in_range(count_owners(&fixture, "n2"), 2, 3);
            assert_int_equal(count_owners(&fixture, "n1"), 3);
            fixture_wait(&fixture, 1);
        }
        assert_int_equal(count_owners(&fixture, "n2"), 3);
    }
}

static void a_restarted_primary_refuses_service_for_2_s(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.write_rate = RATE});
    fixture_restart(&fixture, "n1", SERVER_6_0);
    AUTO_FACTS facts = {0};
    const struct fact_node *node = fixture_read(&fixture, "n1", &facts);
    assert_true(node->is_reachable);
    assert_false(node->is_loading);
    assert_int_equal(node->role, FACT_ROLE_PRIMARY);
    assert_false(node->is_cluster_ok);
    fixture_wait(&fixture, 3000);
    AUTO_FACTS later = {0};
    assert_true(fixture_read(&fixture, "n1", &later)->is_cluster_ok);
    const struct sim_counts counts = sim_get_counts(fixture.sim);
    assert_true(counts.stall_ms_max > 2000 && counts.stall_ms_max < 2900);
    assert_int_equal(counts.lost, 0);
}

static void a_restarted_replica_refuses_nothing(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.write_rate = RATE});
    fixture_restart(&fixture, "n4", SERVER_7_0);
    fixture_wait(&fixture, 2000);
    AUTO_FACTS facts = {0};
    const struct fact_node *node = fixture_read(&fixture, "n4", &facts);
    assert_true(node->is_cluster_ok);
    assert_true(node->is_link_up);
    assert_string_equal(node->series, "redis/7.0");
    assert_int_equal(sim_get_counts(fixture.sim).stall_ms_max, 0);
}

static void a_starting_server_refuses_then_loads_then_serves(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 1});
    sim_crash_node(fixture.sim, "n4");
    const struct inv_node *node = fixture_node(&fixture, "n4");
    AUTO_ERR start = service_start(&fixture.call, fixture.world->service, node);
    assert_null(start);
    assert_true(fixture_is_running(&fixture, "n4"));
    struct replication_state own = {0};
    AUTO_ERR refused = replication_get_state(&fixture.call, fixture.world->replication, node, &own);
    assert_non_null(refused);
    assert_int_equal(refused->kind, ERR_UNREACHABLE);
    int64_t loading_ms = 0;
    while (own.role == FACT_ROLE_UNKNOWN && clock_now_ms(fixture.call.clock) < PATIENCE_MS) {
        fixture_wait(&fixture, 1);
        AUTO_ERR err = replication_get_state(&fixture.call, fixture.world->replication, node, &own);
        loading_ms += err == NULL && own.is_loading;
    }
    assert_true(loading_ms >= 75 && loading_ms <= 250);
    assert_int_equal(own.role, FACT_ROLE_REPLICA);
}

static void a_primary_that_stays_down_is_replaced_and_unreplicated_writes_are_lost(
    void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture,
        &(struct fixture_options){.write_rate = RATE, .lag_ms = 50, .node_timeout_ms = 2000});
    fixture_wait(&fixture, 1000);
    sim_crash_node(fixture.sim, "n1");
    fixture_wait(&fixture, 1900);
    AUTO_FACTS facts = {0};
    assert_int_equal(fixture_read(&fixture, "n4", &facts)->role, FACT_ROLE_REPLICA);
    assert_int_equal(sim_get_counts(fixture.sim).lost, 0);
    fixture_wait(&fixture, 1700);
    AUTO_FACTS later = {0};
    const struct fact_node *promoted = fixture_read(&fixture, "n4", &later);
    assert_int_equal(promoted->role, FACT_ROLE_PRIMARY);
    assert_true(promoted->epoch > 3);
    assert_true(view_of(promoted, promoted)->is_myself);
    assert_int_equal(sim_get_counts(fixture.sim).lost, RATE / 3 / 20);
}

static void a_replaced_primary_comes_back_as_replica(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.write_rate = RATE, .node_timeout_ms = 1000});
    sim_crash_node(fixture.sim, "n1");
    fixture_wait(&fixture, 3000);
    fixture_restart(&fixture, "n1", SERVER_6_0);
    fixture_wait(&fixture, 3000);
    AUTO_FACTS facts = {0};
    const struct fact_node *node = fixture_read(&fixture, "n1", &facts);
    assert_int_equal(node->role, FACT_ROLE_REPLICA);
    assert_string_equal(node->primary_id, facts_find(&facts, "n4")->id);
    assert_true(node->is_link_up);
    assert_null(node->slots);
}

static void without_a_majority_nobody_takes_over(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.node_timeout_ms = 1000});
    sim_crash_node(fixture.sim, "n1");
    sim_crash_node(fixture.sim, "n2");
    fixture_wait(&fixture, 10000);
    AUTO_FACTS facts = {0};
    const struct fact_node *replica = fixture_read(&fixture, "n4", &facts);
    assert_int_equal(replica->role, FACT_ROLE_REPLICA);
    assert_false(replica->is_cluster_ok);
    assert_true(replica->slots_failing > 10000);
    assert_true(replica->link_silence_s >= 9);
}

static void a_switchover_loses_nothing_and_is_short(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.write_rate = RATE, .lag_ms = 20});
    fixture_switchover(&fixture, "n4");
    fixture_switchover(&fixture, "n1");
    const struct sim_counts counts = sim_get_counts(fixture.sim);
    assert_int_equal(counts.lost, 0);
    assert_true(counts.stall_ms_max >= 20 && counts.stall_ms_max <= 100);
}

static void a_switchover_that_cannot_catch_up_gives_up_and_ends_its_pause(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.write_rate = RATE, .lag_ms = 60000});
    AUTO_ERR err = replication_switchover(
        &fixture.call, fixture.world->replication, fixture_node(&fixture, "n4"));
    assert_null(err);
    fixture_wait(&fixture, 6000);
    AUTO_FACTS facts = {0};
    assert_int_equal(fixture_read(&fixture, "n4", &facts)->role, FACT_ROLE_REPLICA);
    assert_int_equal(sim_get_counts(fixture.sim).stall_ms_max, 5000);
}

static void an_old_primary_follows_the_new_one_without_a_full_copy(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.write_rate = RATE, .lag_ms = 5});
    fixture_restart(&fixture, "n4", SERVER_7_0);
    fixture_wait(&fixture, 2000);
    fixture_switchover(&fixture, "n4");
    AUTO_FACTS facts = {0};
    const struct fact_node *old = fixture_read(&fixture, "n1", &facts);
    assert_int_equal(old->role, FACT_ROLE_REPLICA);
    assert_string_equal(old->series, "redis/6.0");
    assert_true(old->is_link_up);
    assert_int_equal(facts_find(&facts, "n4")->full_sync_count, 0);
    fixture_switchover(&fixture, "n1"); /* and the way back is open */
    AUTO_FACTS later = {0};
    assert_int_equal(fixture_read(&fixture, "n1", &later)->role, FACT_ROLE_PRIMARY);
    assert_int_equal(sim_get_counts(fixture.sim).lost, 0);
}

static void an_old_node_restarted_under_a_newer_primary_never_attaches(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.write_rate = RATE});
    fixture_restart(&fixture, "n4", SERVER_7_0);
    fixture_set(&fixture, "n4", "repl-diskless-sync-delay", "0");
    fixture_wait(&fixture, 2000);
    fixture_switchover(&fixture, "n4");
    fixture_restart(&fixture, "n1", SERVER_6_0);
    fixture_wait(&fixture, 10000);
    AUTO_FACTS facts = {0};
    const struct fact_node *old = fixture_read(&fixture, "n1", &facts);
    assert_false(old->is_link_up);
    assert_true(old->is_syncing);
    assert_int_equal(old->key_count, 0);
    assert_true(facts_find(&facts, "n4")->full_sync_count >= 8);
}

static void a_gap_larger_than_the_backlog_needs_a_full_copy(void **UNUSED(state))
{
    static const struct {
        const char *backlog;
        int64_t full_sync_count;
    } cases[] = {{"1mb", 1}, {"64mb", 0}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        AUTO_FIXTURE fixture; /* 15 MB/s a shard, and 6.0 is back after 0.15 s at the earliest */
        fixture_open(&fixture, &(struct fixture_options){.write_rate = 300000});
        fixture_set(&fixture, "n4", "repl-backlog-size", cases[i].backlog);
        fixture_switchover(&fixture, "n4");
        AUTO_FACTS facts = {0};
        const struct fact_node *primary = fixture_read(&fixture, "n4", &facts);
        assert_int_equal(primary->full_sync_count, cases[i].full_sync_count);
    }
}

static void a_full_copy_waits_5_s_on_7_0_unless_told_otherwise(void **UNUSED(state))
{
    static const struct {
        const char *delay;
        bool is_attached;
    } cases[] = {{"5", false}, {"0", true}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        AUTO_FIXTURE fixture;
        fixture_open(&fixture, &(struct fixture_options){.server = SERVER_7_0});
        fixture_set(&fixture, "n1", "repl-diskless-sync-delay", cases[i].delay);
        fixture_restart(&fixture, "n4", SERVER_7_0);
        fixture_wait(&fixture, 2000);
        AUTO_FACTS facts = {0};
        assert_int_equal(fixture_read(&fixture, "n4", &facts)->is_link_up, cases[i].is_attached);
        fixture_wait(&fixture, 5000);
        AUTO_FACTS later = {0};
        assert_true(fixture_read(&fixture, "n4", &later)->is_link_up);
    }
}

static void an_old_program_starts_empty_on_a_newer_directory(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.write_rate = RATE});
    fixture_restart(&fixture, "n1", SERVER_7_0);
    fixture_wait(&fixture, 3000);
    AUTO_FACTS facts = {0};
    assert_true(fixture_read(&fixture, "n1", &facts)->has_appendonly_dir);
    assert_int_equal(sim_get_counts(fixture.sim).lost, 0);
    const int64_t acked = sim_get_counts(fixture.sim).acked;

    fixture_restart(&fixture, "n1", SERVER_6_0);
    fixture_wait(&fixture, 3000);
    AUTO_FACTS later = {0};
    const struct fact_node *node = fixture_read(&fixture, "n1", &later);
    assert_true(node->is_reachable);
    assert_true(node->key_count < 10000); /* what was written since */
    assert_true(sim_get_counts(fixture.sim).lost > 10000);
    assert_true(sim_get_counts(fixture.sim).lost < 10000 + acked);
}

static void an_older_program_ends_on_a_directory_that_it_cannot_read(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.server = SERVER_8_0});
    fixture_restart(&fixture, "n4", SERVER_7_0);
    assert_false(fixture_is_running(&fixture, "n4"));
    fixture_restart(&fixture, "n5", SERVER_BROKEN);
    assert_false(fixture_is_running(&fixture, "n5"));
}

static void a_restart_loses_live_settings(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.seed = 2});
    fixture_set(&fixture, "n4", "repl-backlog-size", "64mb");
    fixture_restart(&fixture, "n4", SERVER_6_0);
    AUTO_FREE char *value = NULL;
    AUTO_ERR err = settings_get(&fixture.call, fixture.world->settings,
        fixture_node(&fixture, "n4"), "repl-backlog-size", &value);
    assert_null(err);
    assert_string_equal(value, "1048576");
}

static void min_replicas_stops_writes_while_the_only_replica_restarts(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.write_rate = RATE});
    fixture_set(&fixture, "n1", "min-replicas-to-write", "1");
    fixture_restart(&fixture, "n4", SERVER_7_0);
    fixture_wait(&fixture, 2000);
    const struct sim_counts counts = sim_get_counts(fixture.sim);
    assert_true(counts.stall_ms_max > 300 && counts.stall_ms_max < 2000);
}

static void new_servers_switch_faster_than_old_ones(void **UNUSED(state))
{
    static const struct {
        const char *server;
        int64_t stall_ms_min;
        int64_t stall_ms_max;
    } cases[] = {{SERVER_6_0, 20, 100}, {SERVER_7_0, 2, 30}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        for (uint64_t seed = 1; seed <= 20; seed++) {
            AUTO_FIXTURE fixture;
            fixture_open(
                &fixture, &(struct fixture_options){
                              .server = cases[i].server, .seed = seed, .write_rate = RATE});
            fixture_switchover(&fixture, "n4");
            const struct sim_counts counts = sim_get_counts(fixture.sim);
            assert_in_range(counts.stall_ms_max, cases[i].stall_ms_min, cases[i].stall_ms_max);
        }
    }
}

static void a_gated_rolling_upgrade_loses_nothing_and_stalls_little(void **UNUSED(state))
{
    AUTO_FIXTURE fixture;
    fixture_open(&fixture, &(struct fixture_options){.write_rate = RATE, .lag_ms = 5});
    static const char *const replicas[] = {"n4", "n5", "n6"};
    static const char *const primaries[] = {"n1", "n2", "n3"};
    for (size_t i = 0; i < ARRAY_COUNT(replicas); i++) {
        fixture_restart(&fixture, replicas[i], SERVER_7_0);
        fixture_wait(&fixture, 2000);
    }
    for (size_t i = 0; i < ARRAY_COUNT(replicas); i++) {
        fixture_switchover(&fixture, replicas[i]);
    }
    for (size_t i = 0; i < ARRAY_COUNT(primaries); i++) {
        fixture_restart(&fixture, primaries[i], SERVER_7_0);
        fixture_wait(&fixture, 8000);
    }
    AUTO_FACTS facts = {0};
    fixture_read(&fixture, "n1", &facts);
    for (size_t i = 0; i < facts.node_count; i++) {
        const struct fact_node *node = &facts.nodes[i];
        assert_string_equal(node->series, "redis/7.0");
        assert_true(node->is_cluster_ok);
        assert_true(node->role == FACT_ROLE_PRIMARY || node->is_link_up);
    }
    const struct sim_counts counts = sim_get_counts(fixture.sim);
    assert_int_equal(counts.lost, 0);
    assert_true(counts.stall_ms_max <= 100);
    assert_int_equal(sim_get_start_count(fixture.sim, "n1"), 2);
}

static int run_conformance(const char *server)
{
    AUTO_FIXTURE fixture;
    fixture_open(
        &fixture, &(struct fixture_options){.server = server, .write_rate = RATE, .lag_ms = 5});
    struct conformance_fixture conformance = {
        .name = server,
        .world = fixture.world,
        .clock = sim_clock(fixture.sim),
        .replica = "n4",
        .primary = "n1",
        .other_server = SERVER_VALKEY,
        .patience_ms = PATIENCE_MS,
    };
    return conformance_run(&conformance);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(time_passes_only_by_waiting),
        cmocka_unit_test(replicas_lag_behind_what_was_acknowledged),
        cmocka_unit_test(views_of_others_are_stale_for_some_50_ms),
        cmocka_unit_test(no_view_ever_has_two_owners_of_one_slot),
        cmocka_unit_test(a_restarted_primary_refuses_service_for_2_s),
        cmocka_unit_test(a_restarted_replica_refuses_nothing),
        cmocka_unit_test(a_starting_server_refuses_then_loads_then_serves),
        cmocka_unit_test(a_primary_that_stays_down_is_replaced_and_unreplicated_writes_are_lost),
        cmocka_unit_test(a_replaced_primary_comes_back_as_replica),
        cmocka_unit_test(without_a_majority_nobody_takes_over),
        cmocka_unit_test(a_switchover_loses_nothing_and_is_short),
        cmocka_unit_test(a_switchover_that_cannot_catch_up_gives_up_and_ends_its_pause),
        cmocka_unit_test(an_old_primary_follows_the_new_one_without_a_full_copy),
        cmocka_unit_test(an_old_node_restarted_under_a_newer_primary_never_attaches),
        cmocka_unit_test(a_gap_larger_than_the_backlog_needs_a_full_copy),
        cmocka_unit_test(a_full_copy_waits_5_s_on_7_0_unless_told_otherwise),
        cmocka_unit_test(an_old_program_starts_empty_on_a_newer_directory),
        cmocka_unit_test(an_older_program_ends_on_a_directory_that_it_cannot_read),
        cmocka_unit_test(a_restart_loses_live_settings),
        cmocka_unit_test(min_replicas_stops_writes_while_the_only_replica_restarts),
        cmocka_unit_test(new_servers_switch_faster_than_old_ones),
        cmocka_unit_test(a_gated_rolling_upgrade_loses_nothing_and_stalls_little),
    };
    int failed = run_conformance(SERVER_6_0);
    failed += run_conformance(SERVER_7_0);
    failed += cmocka_run_group_tests_name("sim", cases, NULL, NULL);
    return failed;
}
