#include "conformance.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/call.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/host.h"
#include "drivers/replication.h"
#include "drivers/service.h"
#include "drivers/settings.h"
#include "drivers/topology.h"
#include "drivers/world.h"

enum { POLL_MS = 20, CALL_MS = 30000, FILE_SIZE_MAX = 1 << 20, SLOT_COUNT = 16384 };

/* Success or a message with the whole chain. */
static void expect_ok(struct err *err)
{
    if (err != NULL) {
        AUTO_FREE char *text = err_text(err);
        err_free(err);
        fail_msg("%s", text);
    }
}

static void expect_kind(struct err *err, enum err_kind kind)
{
    assert_non_null(err);
    const enum err_kind seen = err->kind;
    err_free(err);
    assert_int_equal(seen, kind);
}

static struct call make_call(const struct conformance_fixture *fixture)
{
    return (struct call){.clock = fixture->clock,
        .deadline_ms = clock_now_ms(fixture->clock) + CALL_MS,
        .world = fixture->world};
}

static const struct inv_node *find_node(const struct conformance_fixture *fixture, const char *name)
{
    const struct inv_node *node = inv_cluster_find_node(fixture->world->cluster, name);
    assert_non_null(node);
    return node;
}

static struct service_status read_status(
    const struct conformance_fixture *fixture, const char *name)
{
    const struct call call = make_call(fixture);
    struct service_status status = {0};
    expect_ok(
        service_get_status(&call, fixture->world->service, find_node(fixture, name), &status));
    return status;
}

/* False while it does not answer. */
static bool read_state(const struct conformance_fixture *fixture, const char *name,
    struct replication_state *ret_state)
{
    const struct call call = make_call(fixture);
    AUTO_ERR err = replication_get_state(
        &call, fixture->world->replication, find_node(fixture, name), ret_state);
    return err == NULL;
}

static bool is_attached_replica(const struct conformance_fixture *fixture, const char *name)
{
    struct replication_state state;
    return read_state(fixture, name, &state) && !state.is_loading &&
           state.role == FACT_ROLE_REPLICA && state.is_link_up;
}

static bool is_primary(const struct conformance_fixture *fixture, const char *name)
{
    struct replication_state state;
    return read_state(fixture, name, &state) && !state.is_loading &&
           state.role == FACT_ROLE_PRIMARY;
}

/* Waits until `name` is an attached replica and `other` its primary. */
static void await_roles(
    const struct conformance_fixture *fixture, const char *replica, const char *primary)
{
    const int64_t until_ms = clock_now_ms(fixture->clock) + fixture->patience_ms;
    while (!is_attached_replica(fixture, replica) || !is_primary(fixture, primary)) {
        if (clock_now_ms(fixture->clock) > until_ms) {
            fail_msg("%s is not an attached replica of %s in time", replica, primary);
        }
        clock_wait_ms(fixture->clock, POLL_MS);
    }
}

static void start_node(const struct conformance_fixture *fixture, const char *name)
{
    const struct call call = make_call(fixture);
    expect_ok(service_start(&call, fixture->world->service, find_node(fixture, name)));
}

static void stop_node(
    const struct conformance_fixture *fixture, const char *name, const char *identity)
{
    const struct call call = make_call(fixture);
    expect_ok(service_stop(&call, fixture->world->service, find_node(fixture, name), identity));
}

static void a_running_server_has_an_identity(void **state)
{
    const struct conformance_fixture *fixture = *state;
    const struct service_status first = read_status(fixture, fixture->replica);
    const struct service_status second = read_status(fixture, fixture->replica);
    const struct service_status other = read_status(fixture, fixture->primary);
    assert_true(first.is_running);
    assert_string_not_equal(first.identity, "");
    assert_string_equal(first.identity, second.identity);
    assert_string_not_equal(first.identity, other.identity);
}

static void starting_what_runs_changes_nothing(void **state)
{
    const struct conformance_fixture *fixture = *state;
    const struct service_status before = read_status(fixture, fixture->replica);
    start_node(fixture, fixture->replica);
    const struct service_status after = read_status(fixture, fixture->replica);
    assert_string_equal(before.identity, after.identity);
}

static void stopping_a_foreign_identity_leaves_the_process_alone(void **state)
{
    const struct conformance_fixture *fixture = *state;
    const struct service_status before = read_status(fixture, fixture->replica);
    const struct service_status other = read_status(fixture, fixture->primary);
    stop_node(fixture, fixture->replica, other.identity);
    stop_node(fixture, fixture->replica, "");
    const struct service_status after = read_status(fixture, fixture->replica);
    assert_true(after.is_running);
    assert_string_equal(before.identity, after.identity);
}

static void a_restart_gives_a_new_identity(void **state)
{
    const struct conformance_fixture *fixture = *state;
    const struct service_status before = read_status(fixture, fixture->replica);

    stop_node(fixture, fixture->replica, before.identity);
    const struct service_status stopped = read_status(fixture, fixture->replica);
    assert_false(stopped.is_running);
    assert_string_equal(stopped.identity, "");
    stop_node(fixture, fixture->replica, before.identity);

    start_node(fixture, fixture->replica);
    start_node(fixture, fixture->replica);
    const struct service_status after = read_status(fixture, fixture->replica);
    assert_true(after.is_running);
    assert_string_not_equal(after.identity, before.identity);
    stop_node(fixture, fixture->replica, before.identity); /* late: must not end the successor */
    assert_true(read_status(fixture, fixture->replica).is_running);
    await_roles(fixture, fixture->replica, fixture->primary);
}

static void a_stopped_server_is_unreachable_and_a_fact(void **state)
{
    const struct conformance_fixture *fixture = *state;
    const struct service_status before = read_status(fixture, fixture->replica);
    stop_node(fixture, fixture->replica, before.identity);

    const struct call call = make_call(fixture);
    struct replication_state own;
    expect_kind(replication_get_state(
                    &call, fixture->world->replication, find_node(fixture, fixture->replica), &own),
        ERR_UNREACHABLE);
    char *value = NULL;
    expect_kind(settings_get(&call, fixture->world->settings, find_node(fixture, fixture->replica),
                    "maxmemory", &value),
        ERR_UNREACHABLE);
    assert_null(value);
    AUTO_FACTS facts = {0};
    expect_ok(topology_read(&call, fixture->world->topology, &facts));
    const struct fact_node *fact = facts_find(&facts, fixture->replica);
    assert_non_null(fact);
    assert_false(fact->is_reachable);
    assert_non_null(fact->trouble);
    assert_non_null(fact->trouble_code);
    assert_non_null(fact->server_target);

    start_node(fixture, fixture->replica);
    await_roles(fixture, fixture->replica, fixture->primary);
}

static char *read_target(const struct conformance_fixture *fixture, const struct inv_node *node)
{
    const struct call call = make_call(fixture);
    char *target = NULL;
    expect_ok(host_read_link(&call, fixture->world->host, node, node->server_link, &target));
    assert_non_null(target);
    return target;
}

static void point_link(
    const struct conformance_fixture *fixture, const struct inv_node *node, const char *target)
{
    const struct call call = make_call(fixture);
    expect_ok(host_replace_link(&call, fixture->world->host, node, node->server_link, target));
}

static void a_link_is_switched_and_switched_again(void **state)
{
    const struct conformance_fixture *fixture = *state;
    const struct inv_node *node = find_node(fixture, fixture->replica);
    const struct service_status before = read_status(fixture, fixture->replica);
    AUTO_FREE char *original = read_target(fixture, node);

    point_link(fixture, node, fixture->other_server);
    point_link(fixture, node, fixture->other_server);
    AUTO_FREE char *switched = read_target(fixture, node);
    point_link(fixture, node, original);
    AUTO_FREE char *restored = read_target(fixture, node);

    assert_string_equal(switched, fixture->other_server);
    assert_string_equal(restored, original);
    const struct service_status after = read_status(fixture, fixture->replica);
    assert_string_equal(before.identity, after.identity);
}

static void a_file_is_read_up_to_a_limit_and_a_missing_one_is_no_error(void **state)
{
    const struct conformance_fixture *fixture = *state;
    const struct inv_node *node = find_node(fixture, fixture->replica);
    const struct call call = make_call(fixture);
    struct host *host = fixture->world->host;
    AUTO_BUF whole = {0};
    AUTO_BUF start = {0};
    AUTO_BUF none = {0};
    bool exists = false;
    expect_ok(host_read_file(&call, host, node, node->config_file, FILE_SIZE_MAX, &exists, &whole));
    assert_true(exists);
    assert_true(whole.size > 4);
    expect_ok(host_read_file(&call, host, node, node->config_file, 4, &exists, &start));
    assert_int_equal(start.size, 4);
    assert_memory_equal(start.data, whole.data, 4);

    AUTO_FREE char *missing = mem_format("%s.missing", node->config_file);
    expect_ok(host_read_file(&call, host, node, missing, FILE_SIZE_MAX, &exists, &none));
    assert_false(exists);
    assert_int_equal(none.size, 0);
    expect_ok(host_exists(&call, host, node, node->directory, &exists));
    assert_true(exists);
    expect_ok(host_exists(&call, host, node, missing, &exists));
    assert_false(exists);
}

/* Swaps and says whether it took place. */
static bool swap_claim(
    const struct conformance_fixture *fixture, const char *expected, const char *text)
{
    const struct call call = make_call(fixture);
    const struct host_claim_swap swap = {.expected = expected, .text = text};
    bool is_done = false;
    expect_ok(host_claim_swap(
        &call, fixture->world->host, find_node(fixture, fixture->replica), &swap, &is_done));
    return is_done;
}

static void a_claim_changes_only_from_what_was_read(void **state)
{
    const struct conformance_fixture *fixture = *state;
    const struct call call = make_call(fixture);
    bool exists = true;
    AUTO_BUF text = {0};
    expect_ok(host_claim_read(
        &call, fixture->world->host, find_node(fixture, fixture->replica), &exists, &text));
    assert_false(exists);
    assert_false(swap_claim(fixture, "a claim that is not there", "first"));
    assert_true(swap_claim(fixture, NULL, "first"));
    assert_false(swap_claim(fixture, NULL, "second"));
    assert_false(swap_claim(fixture, "firs", "second"));
    assert_true(swap_claim(fixture, "first", "second"));
    expect_ok(host_claim_read(
        &call, fixture->world->host, find_node(fixture, fixture->replica), &exists, &text));
    assert_true(exists);
    assert_string_equal(buf_text(&text), "second");
}

static void expect_said_no(struct err *err, const char *code)
{
    AUTO_ERR seen = err;
    assert_non_null(seen);
    assert_int_equal(seen->kind, ERR_REFUSED);
    assert_string_equal(seen->code, code);
}

static bool is_there(const struct conformance_fixture *fixture, const char *name)
{
    const struct call call = make_call(fixture);
    const struct inv_node *node = find_node(fixture, fixture->replica);
    AUTO_FREE char *path = mem_format("%s/%s", node->directory, name);
    bool exists = false;
    expect_ok(host_exists(&call, fixture->world->host, node, path, &exists));
    return exists;
}

static struct err *move_file(
    const struct conformance_fixture *fixture, const char *from, const char *to)
{
    const struct call call = make_call(fixture);
    const struct inv_node *node = find_node(fixture, fixture->replica);
    AUTO_FREE char *from_path = mem_format("%s/%s", node->directory, from);
    AUTO_FREE char *to_path = mem_format("%s/%s", node->directory, to);
    return host_move(&call, fixture->world->host, node, from_path, to_path);
}

static void write_note(const struct conformance_fixture *fixture, const char *text)
{
    const struct call call = make_call(fixture);
    const struct inv_node *node = find_node(fixture, fixture->replica);
    AUTO_FREE char *path = mem_format("%s/note", node->directory);
    AUTO_BUF content = {0};
    buf_append_text(&content, text);
    expect_ok(host_write_file(&call, fixture->world->host, node, path, &content));
}

static void a_file_is_moved_aside_and_only_that_folder_is_removed(void **state)
{
    const struct conformance_fixture *fixture = *state;
    const struct call call = make_call(fixture);
    struct host *host = fixture->world->host;
    const struct inv_node *node = find_node(fixture, fixture->replica);
    AUTO_FREE char *folder = mem_format("%s/upshift-aside-test/1", node->directory);
    expect_ok(host_make_folder(&call, host, node, folder));
    expect_ok(host_make_folder(&call, host, node, folder));
    write_note(fixture, "first");
    expect_ok(move_file(fixture, "note", "upshift-aside-test/1/note"));
    assert_false(is_there(fixture, "note"));
    assert_true(is_there(fixture, "upshift-aside-test/1/note"));
    write_note(fixture, "second");
    write_note(fixture, "third");
    expect_said_no(move_file(fixture, "note", "upshift-aside-test/1/note"), "file_in_the_way");
    expect_said_no(host_remove_aside(&call, host, node, "note"), "not_ours");
    expect_said_no(host_remove_aside(&call, host, node, "upshift-aside-test/1"), "not_ours");
    expect_said_no(move_file(fixture, "nothing", "note-2"), "file_unwritable");
    expect_ok(host_remove_aside(&call, host, node, "upshift-aside-test"));
    expect_ok(host_remove_aside(&call, host, node, "upshift-aside-test"));
    assert_false(is_there(fixture, "upshift-aside-test/1/note"));
    assert_true(is_there(fixture, "note"));
    AUTO_FREE char *outside = mem_format("%s/../note", node->directory);
    AUTO_BUF content = {0};
    expect_said_no(
        host_write_file(&call, host, node, "/tmp/upshift-note", &content), "path_outside");
    expect_said_no(host_write_file(&call, host, node, outside, &content), "path_outside");
}

static void expect_setting(
    const struct conformance_fixture *fixture, const char *name, const char *expected)
{
    const struct call call = make_call(fixture);
    AUTO_FREE char *value = NULL;
    expect_ok(settings_get(
        &call, fixture->world->settings, find_node(fixture, fixture->replica), name, &value));
    if (expected == NULL) {
        assert_null(value);
    } else {
        assert_non_null(value);
        assert_string_equal(value, expected);
    }
}

static void a_setting_is_set_read_and_put_back(void **state)
{
    const struct conformance_fixture *fixture = *state;
    const struct inv_node *node = find_node(fixture, fixture->replica);
    struct settings *settings = fixture->world->settings;
    const struct call call = make_call(fixture);
    AUTO_FREE char *original = NULL;
    expect_ok(settings_get(&call, settings, node, "repl-backlog-size", &original));
    assert_non_null(original);

    expect_ok(settings_set(&call, settings, node, "repl-backlog-size", "3145728"));
    expect_ok(settings_set(&call, settings, node, "repl-backlog-size", "3145728"));
    expect_setting(fixture, "repl-backlog-size", "3145728");
    expect_ok(settings_set(&call, settings, node, "repl-backlog-size", "2mb"));
    expect_setting(fixture, "repl-backlog-size", "2097152");
    expect_ok(settings_set(&call, settings, node, "repl-backlog-size", original));
    expect_setting(fixture, "repl-backlog-size", original);
}

static void an_unknown_setting_reads_as_none_and_cannot_be_set(void **state)
{
    const struct conformance_fixture *fixture = *state;
    const struct inv_node *node = find_node(fixture, fixture->replica);
    struct settings *settings = fixture->world->settings;
    const struct call call = make_call(fixture);
    expect_setting(fixture, "no-such-setting", NULL);
    expect_kind(settings_set(&call, settings, node, "no-such-setting", "1"), ERR_REFUSED);
    expect_kind(settings_set(&call, settings, node, "repl-backlog-size", "many"), ERR_REFUSED);
}

static void a_live_setting_that_differs_from_the_file_is_drift(void **state)
{
    const struct conformance_fixture *fixture = *state;
    const struct inv_node *node = find_node(fixture, fixture->replica);
    struct settings *settings = fixture->world->settings;
    const struct call call = make_call(fixture);
    AUTO_FREE char *original = NULL;
    expect_ok(settings_get(&call, settings, node, "maxmemory", &original));
    assert_non_null(original);
    expect_ok(settings_set(&call, settings, node, "maxmemory", "987654321"));
    AUTO_FACTS facts = {0};
    expect_ok(topology_read(&call, fixture->world->topology, &facts));
    expect_ok(settings_set(&call, settings, node, "maxmemory", original));

    const struct fact_node *fact = facts_find(&facts, fixture->replica);
    assert_non_null(fact);
    bool is_seen = false;
    for (size_t i = 0; i < fact->drift_count; i++) {
        is_seen |= text_equal(fact->drift[i].setting, "maxmemory") &&
                   text_equal(fact->drift[i].live, "987654321");
    }
    assert_true(is_seen);
}

static void each_side_says_its_own_role(void **state)
{
    const struct conformance_fixture *fixture = *state;
    struct replication_state replica;
    struct replication_state primary;
    assert_true(read_state(fixture, fixture->replica, &replica));
    assert_true(read_state(fixture, fixture->primary, &primary));
    assert_int_equal(replica.role, FACT_ROLE_REPLICA);
    assert_int_equal(primary.role, FACT_ROLE_PRIMARY);
    assert_string_equal(replica.primary_id, primary.id);
    assert_string_not_equal(replica.id, primary.id);
    assert_string_equal(primary.primary_id, "");
    assert_true(replica.is_link_up);
    assert_false(replica.is_loading);
    assert_non_null(strchr(replica.series, '/'));
}

static void a_primary_refuses_to_take_over(void **state)
{
    const struct conformance_fixture *fixture = *state;
    const struct call call = make_call(fixture);
    expect_kind(replication_switchover(
                    &call, fixture->world->replication, find_node(fixture, fixture->primary)),
        ERR_REFUSED);
    await_roles(fixture, fixture->replica, fixture->primary);
}

/* Views lag behind for some 50 ms, and for longer after a restart. */
static bool is_agreed(const struct facts *facts)
{
    for (size_t i = 0; i < facts->node_count; i++) {
        const struct fact_node *node = &facts->nodes[i];
        if (!node->is_reachable || node->is_loading || !node->is_cluster_ok ||
            (node->role == FACT_ROLE_REPLICA && !node->is_link_up)) {
            return false;
        }
        for (size_t j = 0; j < node->view_count; j++) {
            const struct fact_node *other = facts_find_id(facts, node->views[j].id);
            if (other == NULL || other->role != node->views[j].role || !node->views[j].is_linked ||
                !text_equal(other->slots, node->views[j].slots)) {
                return false;
            }
        }
    }
    return true;
}

static void read_agreed(const struct conformance_fixture *fixture, struct facts *ret_facts)
{
    const int64_t until_ms = clock_now_ms(fixture->clock) + fixture->patience_ms;
    for (;;) {
        const struct call call = make_call(fixture);
        expect_ok(topology_read(&call, fixture->world->topology, ret_facts));
        if (is_agreed(ret_facts)) {
            return;
        }
        facts_release(ret_facts);
        *ret_facts = (struct facts){0};
        if (clock_now_ms(fixture->clock) > until_ms) {
            fail_msg("the views of all nodes do not agree in time");
        }
        clock_wait_ms(fixture->clock, POLL_MS);
    }
}

/* Views must agree first: a primary ignores a request from what it does not know as its replica,
 * and voters answer over links that come back only some 100 ms after a restart. */
static void switch_over(const struct conformance_fixture *fixture, const char *to, const char *from)
{
    AUTO_FACTS facts = {0};
    read_agreed(fixture, &facts);
    const struct call call = make_call(fixture);
    expect_ok(replication_switchover(&call, fixture->world->replication, find_node(fixture, to)));
    await_roles(fixture, from, to);
}

static void a_switchover_moves_the_role_and_moves_it_back(void **state)
{
    const struct conformance_fixture *fixture = *state;
    switch_over(fixture, fixture->replica, fixture->primary);
    switch_over(fixture, fixture->primary, fixture->replica);
    each_side_says_its_own_role(state);
}

static void check_fact_node(const struct fact_node *node, size_t node_count)
{
    assert_non_null(node->address);
    assert_non_null(node->product);
    assert_non_null(node->version);
    assert_non_null(node->series);
    assert_non_null(node->process);
    assert_non_null(node->id);
    assert_non_null(node->shard);
    assert_non_null(node->replid);
    assert_non_null(node->server_target);
    assert_int_equal(strlen(node->config_digest), 64);
    assert_int_equal(node->slots_ok, SLOT_COUNT);
    assert_int_equal(node->known_nodes, node_count);
    assert_true(node->current_epoch >= node->epoch);
    assert_true(node->role == FACT_ROLE_PRIMARY || node->primary_id != NULL);
    assert_int_equal(node->role == FACT_ROLE_PRIMARY, node->slots != NULL);
    assert_int_equal(node->view_count, node_count);
    size_t myself_count = 0;
    for (size_t i = 0; i < node->view_count; i++) {
        myself_count += node->views[i].is_myself;
        assert_true(!node->views[i].is_myself || text_equal(node->views[i].id, node->id));
        assert_true(i == 0 || strcmp(node->views[i - 1].id, node->views[i].id) < 0);
    }
    assert_int_equal(myself_count, 1);
}

static void facts_are_complete_from_every_own_view(void **state)
{
    const struct conformance_fixture *fixture = *state;
    AUTO_FACTS facts = {0};
    read_agreed(fixture, &facts);
    assert_int_equal(facts.node_count, fixture->world->cluster->node_count);
    assert_string_equal(facts.cluster, fixture->world->cluster->name);
    for (size_t i = 0; i < facts.node_count; i++) {
        assert_string_equal(facts.nodes[i].name, fixture->world->cluster->nodes[i].name);
        check_fact_node(&facts.nodes[i], facts.node_count);
    }
    const struct fact_node *replica = facts_find(&facts, fixture->replica);
    const struct fact_node *primary = facts_find(&facts, fixture->primary);
    assert_string_equal(replica->primary_id, primary->id);
    assert_string_equal(replica->shard, primary->shard);
    assert_string_equal(replica->replid, primary->replid);
    assert_true(primary->replica_count >= 1);
}

static void facts_survive_json(void **state)
{
    const struct conformance_fixture *fixture = *state;
    AUTO_FACTS facts = {0};
    read_agreed(fixture, &facts);
    AUTO_JSON value = facts_to_json(&facts);
    AUTO_FACTS copy = {0};
    expect_ok(facts_from_json(value, "facts", &copy));
    AUTO_JSON again = facts_to_json(&copy);
    assert_true(js_equal(value, again));
}

static void a_good_program_passes_a_dry_start(void **state)
{
    const struct conformance_fixture *fixture = *state;
    const struct inv_node *node = find_node(fixture, fixture->replica);
    const struct call call = make_call(fixture);
    AUTO_ARENA arena = {0};
    AUTO_FREE char *server = read_target(fixture, node);
    struct fact_dry_start dry_start = {0};
    expect_ok(
        topology_dry_start(&call, fixture->world->topology, node, server, &arena, &dry_start));
    assert_string_equal(dry_start.node, fixture->replica);
    assert_true(dry_start.is_good);
}

int conformance_run(struct conformance_fixture *fixture)
{
#define CASE(function) cmocka_unit_test_prestate(function, fixture)
    const struct CMUnitTest cases[] = {
        CASE(a_running_server_has_an_identity),
        CASE(starting_what_runs_changes_nothing),
        CASE(stopping_a_foreign_identity_leaves_the_process_alone),
        CASE(a_link_is_switched_and_switched_again),
        CASE(a_claim_changes_only_from_what_was_read),
        CASE(a_file_is_moved_aside_and_only_that_folder_is_removed),
        CASE(a_file_is_read_up_to_a_limit_and_a_missing_one_is_no_error),
        CASE(a_setting_is_set_read_and_put_back),
        CASE(an_unknown_setting_reads_as_none_and_cannot_be_set),
        CASE(a_live_setting_that_differs_from_the_file_is_drift),
        CASE(each_side_says_its_own_role),
        CASE(facts_are_complete_from_every_own_view),
        CASE(facts_survive_json),
        CASE(a_good_program_passes_a_dry_start),
        CASE(a_restart_gives_a_new_identity),
        CASE(a_stopped_server_is_unreachable_and_a_fact),
        CASE(a_primary_refuses_to_take_over),
        CASE(a_switchover_moves_the_role_and_moves_it_back),
    };
#undef CASE
    return cmocka_run_group_tests_name(fixture->name, cases, NULL, NULL);
}
