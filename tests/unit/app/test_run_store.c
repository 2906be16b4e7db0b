#include "app/run_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/fs.h"
#include "base/mem.h"
#include "store/sqlite/store.h"

static const char inventory_text[] =
    "datastores: { redis: { versions: { 7.0: { suite: bookworm } } } }\n"
    "clusters:\n"
    "  orders:\n"
    "    datastore: redis\n"
    "    topology: cluster\n"
    "    nodes:\n"
    "      - { address: '127.0.0.1:7001', directory: n1, config: n1.conf, name: n1 }\n";

struct bed {
    char directory[64];
    struct journal *journal;
    struct json *plan;
};

static struct json *make_plan(const char *cluster)
{
    struct plan_step step = {.id = "shard-1/n1/stop",
        .kind = "service.stop",
        .def = 1,
        .summary = "stop n1",
        .node = "n1",
        .args = js_object(),
        .deadline_ms = 1000};
    struct plan_phase phase = {
        .name = "replicas", .title = "replicas", .steps = &step, .step_count = 1};
    const struct plan plan = {
        .format = PLAN_FORMAT,
        .strategy = "rolling",
        .request = {cluster, "upgrade", "redis 6.0.16", "redis 7.0.15", "redis/7.0", "7.0.15",
            "redis"},
        .policy = {.max_unavailable = 1, .on_failure = "pause", .probe_mode = "off"},
        .inventory_path = "/etc/upshift.yaml",
        .inventory_digest = "i",
        .rules_digest = "r",
        .artefact = {"redis", "7.0.15", "redis/7.0", "7.0.15-1", "d", "/opt/redis-server"},
        .phases = &phase,
        .phase_count = 1,
    };
    struct json *json = plan_to_json(&plan);
    js_free(step.args);
    return json;
}

static int set_up(void **state)
{
    struct bed *bed = mem_alloc(sizeof(*bed));
    (void)snprintf(bed->directory, sizeof(bed->directory), "/tmp/upshift-runs-XXXXXX");
    assert_non_null(mkdtemp(bed->directory));
    AUTO_ERR err = store_open(bed->directory, /* read_only= */ false, &bed->journal);
    assert_null(err);
    bed->plan = make_plan("orders");
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    bed->journal->ops->close(bed->journal);
    js_free(bed->plan);
    AUTO_ERR err = fs_remove_tree(bed->directory);
    assert_null(err);
    free(bed);
    return 0;
}

static void create(struct bed *bed, struct stored_run *ret_run)
{
    AUTO_ERR err = stored_run_create(bed->journal, bed->plan, inventory_text, "ada", ret_run);
    assert_null(err);
}

static void append_state(struct bed *bed, struct stored_run *run, const char *to)
{
    AUTO_JSON body = js_object();
    js_put_text(body, "to", to);
    struct journal_record record = {
        .epoch = 3, .def = 1, .type = JOURNAL_STATE, .boot_id = "boot", .body = body};
    AUTO_ERR err = bed->journal->ops->append(bed->journal, run->state.id, &record, 1, to, false);
    assert_null(err);
    run_fold(&run->state, &record);
}

static void what_is_created_is_loaded_and_folds_to_the_same(void **state)
{
    struct bed *bed = *state;
    struct stored_run created = {0}, loaded = {0};
    create(bed, &created);
    assert_string_equal(created.state.id, "orders-1");
    assert_int_equal(created.state.status, RUN_PLANNED);
    append_state(bed, &created, "RUNNING");
    AUTO_ERR err = stored_run_load(bed->journal, "orders-1", &loaded);
    assert_null(err);
    assert_string_equal(loaded.origin, created.origin);
    assert_int_equal(loaded.state.status, RUN_RUNNING);
    assert_int_equal(loaded.state.epoch, 3);
    AUTO_JSON a = run_to_json(&created.state);
    AUTO_JSON b = run_to_json(&loaded.state);
    assert_true(js_equal(a, b));
    AUTO_JSON plan = plan_to_json(&loaded.plan);
    assert_true(js_equal(plan, bed->plan));
    assert_string_equal(loaded.cluster->nodes[0].name, "n1");
    stored_run_release(&created);
    stored_run_release(&loaded);
}

static void without_a_name_the_newest_run_is_loaded(void **state)
{
    struct bed *bed = *state;
    struct stored_run run = {0};
    for (int i = 0; i < 2; i++) {
        create(bed, &run);
        stored_run_release(&run);
        run = (struct stored_run){0};
    }
    AUTO_ERR err = stored_run_load(bed->journal, NULL, &run);
    assert_null(err);
    assert_string_equal(run.state.id, "orders-2");
    stored_run_release(&run);
}

static void an_empty_journal_has_no_run(void **state)
{
    struct bed *bed = *state;
    struct stored_run run = {0};
    AUTO_ERR err = stored_run_load(bed->journal, NULL, &run);
    assert_int_equal(err->kind, ERR_INVALID);
    assert_null(run.state.id);
    AUTO_ERR unknown = stored_run_load(bed->journal, "orders-7", &run);
    assert_non_null(unknown);
}

static void assert_not_created(struct bed *bed, const struct json *plan, const char *inventory)
{
    struct stored_run run = {0};
    AUTO_ERR err = stored_run_create(bed->journal, plan, inventory, "ada", &run);
    assert_int_equal(err->kind, ERR_INVALID);
    assert_null(run.state.id);
    AUTO_ARENA arena = {0};
    struct journal_run *runs = NULL;
    size_t count = 0;
    AUTO_ERR list = bed->journal->ops->list_runs(bed->journal, &arena, &runs, &count);
    assert_null(list);
    assert_int_equal(count, 0); /* and it left nothing behind */
}

static void what_is_not_valid_makes_no_run(void **state)
{
    struct bed *bed = *state;
    AUTO_JSON no_plan = js_object();
    assert_not_created(bed, no_plan, inventory_text);
    assert_not_created(bed, bed->plan, "clusters: [\n");
    AUTO_JSON other = make_plan("invoices");
    assert_not_created(bed, other, inventory_text);
}

static void run_sql(const struct bed *bed, const char *sql)
{
    AUTO_FREE char *path = mem_format("%s/journal.db", bed->directory);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_changes(db) > 0, 1);
    (void)sqlite3_close(db);
}

static void assert_damaged(struct bed *bed)
{
    struct stored_run run = {0};
    AUTO_ERR err = stored_run_load(bed->journal, NULL, &run);
    assert_non_null(err);
    assert_string_equal(err->code, "journal_damaged");
    assert_null(run.state.id);
}

static void a_damaged_plan_is_not_run(void **state)
{
    struct bed *bed = *state;
    struct stored_run run = {0};
    create(bed, &run);
    stored_run_release(&run);
    run_sql(bed, "UPDATE blob SET content = CAST('{}' AS BLOB)");
    assert_damaged(bed);
}

static void a_plan_that_is_gone_is_not_run(void **state)
{
    struct bed *bed = *state;
    struct stored_run run = {0};
    create(bed, &run);
    stored_run_release(&run);
    run_sql(bed, "PRAGMA foreign_keys = OFF; DELETE FROM blob");
    assert_damaged(bed);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_created_is_loaded_and_folds_to_the_same),
        CASE(without_a_name_the_newest_run_is_loaded),
        CASE(an_empty_journal_has_no_run),
        CASE(what_is_not_valid_makes_no_run),
        CASE(a_damaged_plan_is_not_run),
        CASE(a_plan_that_is_gone_is_not_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
