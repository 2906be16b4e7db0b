/*
 * test_claims_end.c - `reconcile --clear-claim` and `--adopt` on files; servers are not there.
 */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "app/claim_file.h"
#include "app/claims_end.h"
#include "app/run_store.h"
#include "app/services.h"
#include "base/fs.h"
#include "base/mem.h"
#include "drivers/host.h"
#include "drivers/local/local.h"
#include "store/sqlite/store.h"

enum { NODES = 2 };

struct place {
    char folder[64];
    struct services services;
    struct inv_node nodes[NODES];
    struct inv_cluster cluster;
    struct cli_request request;
    struct host *host;
    struct world world;
    struct call call;
    struct arena arena;
    struct cli_claims told;
};

static int set_up(void **state)
{
    struct place *place = mem_alloc(sizeof(*place));
    (void)snprintf(place->folder, sizeof(place->folder), "/tmp/upshift-end-XXXXXX");
    if (mkdtemp(place->folder) == NULL) {
        return -1;
    }
    services_init(&place->services);
    place->services.state_directory = arena_format(&place->arena, "%s/state", place->folder);
    for (int i = 0; i < NODES; i++) {
        place->nodes[i] = (struct inv_node){
            .name = arena_format(&place->arena, "n%d", i + 1),
            .host = "127.0.0.1",
            .port = 1, /* nobody is there */
            .directory = arena_format(&place->arena, "%s/n%d", place->folder, i + 1),
        };
        AUTO_ERR err = fs_make_dirs(place->nodes[i].directory, 0700);
        assert_null(err);
    }
    place->cluster = (struct inv_cluster){.name = "shop",
        .datastore = "redis",
        .topology = "cluster",
        .host_via = "local",
        .service_manager = "process",
        .package_provider = "suite",
        .nodes = place->nodes,
        .node_count = NODES};
    place->request = (struct cli_request){.cluster = &place->cluster};
    place->host = local_open();
    place->world = (struct world){.cluster = &place->cluster, .host = place->host};
    place->call = (struct call){.clock = clock_system(), .deadline_ms = INT64_MAX};
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    host_close(place->host);
    err_free(fs_remove_tree(place->folder));
    arena_release(&place->arena);
    free(place);
    return 0;
}

static struct err *end(struct place *place, enum cli_claims_act act)
{
    place->told = (struct cli_claims){0};
    return place->services.reconcile_claims(
        &place->services, &place->request, act, &place->arena, &place->told);
}

static struct claim_file parked(void)
{
    struct json *args = js_object();
    js_put_text(args, "name", "repl-backlog-size");
    js_put_text(args, "node", "n2");
    js_put_text(args, "value", "67108864");
    struct json *before = js_object();
    js_put_text(before, "value", "1048576");
    struct json *scope = js_object();
    js_put_text(scope, "step", "prepare/n2/backlog");
    js_put_text(scope, "kind", "repl.setting");
    js_put(scope, "args", args);
    js_put(scope, "before", before);
    struct claim_file file = {
        .format = CLAIM_FORMAT,
        .cluster = "shop",
        .origin = "0a11",
        .run = "shop-1",
        .epoch = 4,
        .owner = {"db-admin", "boot-9", 4711, "alice", "/home/alice/state/shop"},
        .state = CLAIM_PARKED,
        .run_status = "PAUSED",
        .scopes = js_array(),
    };
    js_push(file.scopes, scope);
    return file;
}

static void put_text(struct place *place, size_t node, const char *text)
{
    AUTO_FREE char *path = mem_format("%s/" HOST_CLAIM_FILE, place->nodes[node].directory);
    AUTO_ERR err = fs_write(path, text, strlen(text), 0600);
    assert_null(err);
}

static void put_file(struct place *place, size_t node, struct claim_file file)
{
    AUTO_FREE char *text = claim_file_write(&file);
    js_free(file.scopes);
    put_text(place, node, text);
}

static void expect_tombstone(struct place *place, size_t node, int64_t epoch)
{
    AUTO_CLAIM_SURVEY survey = {0};
    claim_survey_read(&place->call, &place->world, &survey);
    const struct claim_file *file = &survey.nodes[node].file;
    assert_true(survey.nodes[node].is_parsed);
    assert_int_equal(file->state, CLAIM_RELEASED);
    assert_string_equal(file->origin, "");
    assert_string_equal(file->cluster, "shop");
    assert_int_equal(file->epoch, epoch);
    assert_int_equal(file->owner.pid, getpid());
}

static void expect_refusal(struct place *place, enum cli_claims_act act, const char *code)
{
    AUTO_ERR err = end(place, act);
    assert_non_null(err);
    assert_string_equal(err->code, code);
    assert_non_null(err->hint);
    assert_int_equal(place->told.owner_count, 0);
}

static void a_look_tells_and_changes_nothing(void **state)
{
    struct place *place = *state;
    put_file(place, 0, parked());
    put_file(place, 1, parked());
    AUTO_ERR err = end(place, CLI_CLAIMS_LOOK);
    assert_null(err);
    assert_int_equal(place->told.owner_count, 1); /* one run, whatever the number of nodes */
    assert_non_null(strstr(place->told.owners[0], "alice on db-admin (pid 4711) for run shop-1"));
    assert_int_equal(place->told.scope_count, 1);
    const struct cli_claim_scope *scope = &place->told.scopes[0];
    assert_string_equal(scope->step, "prepare/n2/backlog");
    assert_string_equal(scope->node, "n2");
    assert_string_equal(
        scope->what, "repl.setting: name repl-backlog-size, node n2, value 67108864");
    assert_string_equal(scope->before, "1048576");
    assert_null(scope->outcome);
    assert_false(place->told.is_cleared);
    assert_false(fs_exists(place->services.state_directory));
}

static void a_cleared_claim_leaves_a_tombstone_above_all_epochs(void **state)
{
    struct place *place = *state;
    put_file(place, 0, parked());
    struct claim_file other = parked();
    other.origin = "0b22";
    other.run = "shop-7";
    other.epoch = 9;
    put_file(place, 1, other);
    AUTO_ERR err = end(place, CLI_CLAIMS_CLEAR);
    assert_null(err);
    assert_int_equal(place->told.owner_count, 2);
    assert_int_equal(place->told.scope_count, 2); /* told, because they stay */
    assert_true(place->told.is_cleared);
    expect_tombstone(place, 0, 10);
    expect_tombstone(place, 1, 10);
    AUTO_ERR again = end(place, CLI_CLAIMS_CLEAR);
    assert_null(again);
    assert_int_equal(place->told.owner_count, 0);
    assert_true(place->told.is_cleared);
    expect_tombstone(place, 0, 10);
}

static void garbage_can_be_cleared_and_not_adopted(void **state)
{
    struct place *place = *state;
    put_text(place, 0, "garbage");
    put_file(place, 1, parked());
    expect_refusal(place, CLI_CLAIMS_ADOPT, "claim_unusable");
    AUTO_ERR err = end(place, CLI_CLAIMS_CLEAR);
    assert_null(err);
    assert_int_equal(place->told.owner_count, 2);
    assert_true(place->told.is_cleared);
    expect_tombstone(place, 0, 5);
    expect_tombstone(place, 1, 5);
}

static void a_claim_of_another_cluster_stays(void **state)
{
    struct place *place = *state;
    struct claim_file other = parked();
    other.cluster = "production";
    AUTO_FREE char *text = claim_file_write(&other);
    put_file(place, 0, other);
    AUTO_ERR err = end(place, CLI_CLAIMS_CLEAR);
    assert_null(err);
    assert_int_equal(place->told.owner_count, 0);
    AUTO_CLAIM_SURVEY survey = {0};
    claim_survey_read(&place->call, &place->world, &survey);
    assert_string_equal(survey.nodes[0].text, text);
}

/* What cannot be taken back now keeps its claim, so that it can be tried again. */
static void a_change_that_cannot_be_taken_back_keeps_the_claim(void **state)
{
    struct place *place = *state;
    put_file(place, 0, parked());
    for (int64_t epoch = 5; epoch < 7; epoch++) {
        AUTO_ERR err = end(place, CLI_CLAIMS_ADOPT);
        assert_null(err);
        assert_false(place->told.is_cleared);
        assert_int_equal(place->told.scope_count, 1);
        assert_non_null(strstr(place->told.scopes[0].outcome, "not restored: "));
        AUTO_CLAIM_SURVEY survey = {0};
        claim_survey_read(&place->call, &place->world, &survey);
        assert_int_equal(survey.nodes[0].file.state, CLAIM_LIVE);
        assert_int_equal(survey.nodes[0].file.epoch, epoch);
        assert_int_equal(survey.nodes[0].file.owner.pid, getpid());
        assert_int_equal(js_count(survey.nodes[0].file.scopes), 1);
    }
}

struct renewer {
    struct place *place;
    atomic_bool is_over;
};

static void *renew_often(void *context)
{
    struct renewer *renewer = context;
    for (int64_t seq = 1; !atomic_load(&renewer->is_over); seq++) {
        struct claim_file file = parked();
        file.state = CLAIM_LIVE;
        file.seq = seq;
        put_file(renewer->place, 0, file);
        clock_wait_ms(clock_system(), 50);
    }
    return NULL;
}

static void a_claim_that_is_renewed_is_not_ended(void **state)
{
    struct renewer renewer = {.place = *state};
    struct claim_file file = parked();
    file.state = CLAIM_LIVE;
    put_file(renewer.place, 0, file);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, renew_often, &renewer), 0);
    expect_refusal(renewer.place, CLI_CLAIMS_CLEAR, "claim_alive");
    expect_refusal(renewer.place, CLI_CLAIMS_ADOPT, "claim_alive");
    atomic_store(&renewer.is_over, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void nothing_is_ended_while_a_controller_lives_here(void **state)
{
    struct place *place = *state;
    put_file(place, 0, parked());
    AUTO_FREE char *directory = mem_format("%s/shop", place->services.state_directory);
    struct store_lock *lock = NULL;
    AUTO_ERR err = store_lock(directory, &lock);
    assert_null(err);
    expect_refusal(place, CLI_CLAIMS_CLEAR, "locked");
    expect_refusal(place, CLI_CLAIMS_ADOPT, "locked");
    store_unlock(lock);
    AUTO_ERR looked = end(place, CLI_CLAIMS_LOOK);
    assert_null(looked);
}

static void it_is_journaled_where_an_unfinished_run_is(void **state)
{
    struct place *place = *state;
    put_file(place, 0, parked());
    AUTO_FREE char *directory = mem_format("%s/shop", place->services.state_directory);
    struct journal *journal = NULL;
    struct journal_run run = {0};
    AUTO_ERR opened = store_open(directory, /* read_only= */ false, &journal);
    assert_null(opened);
    AUTO_ERR made = journal->ops->create_run(journal, "shop", "a -> b", 1, &place->arena, &run);
    assert_null(made);
    AUTO_ERR err = end(place, CLI_CLAIMS_CLEAR);
    assert_null(err);
    struct journal_record *records = NULL;
    size_t count = 0;
    AUTO_ERR read = journal->ops->read(journal, run.id, &place->arena, &records, &count);
    assert_null(read);
    assert_int_equal(count, 1);
    assert_int_equal(records[0].type, JOURNAL_OPERATOR);
    assert_string_equal(js_get_text(records[0].body, "command"), "reconcile");
    assert_string_equal(js_get_text(records[0].body, "answer"), "clear-claim");
    assert_non_null(js_get_text(records[0].body, "who"));
    journal_records_release(records, count);
    journal->ops->close(journal);
}

static void a_node_that_cannot_be_read_is_named(void **state)
{
    struct place *place = *state;
    put_file(place, 0, parked());
    place->nodes[1].directory = "/nowhere/at/all";
    AUTO_ERR err = end(place, CLI_CLAIMS_CLEAR);
    assert_null(err);
    assert_int_equal(place->told.unseen_count, 1);
    assert_non_null(strstr(place->told.unseen[0], "n2: "));
    assert_false(place->told.is_cleared);
    expect_tombstone(place, 0, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_look_tells_and_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_cleared_claim_leaves_a_tombstone_above_all_epochs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(garbage_can_be_cleared_and_not_adopted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_claim_of_another_cluster_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_change_that_cannot_be_taken_back_keeps_the_claim, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_claim_that_is_renewed_is_not_ended, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            nothing_is_ended_while_a_controller_lives_here, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            it_is_journaled_where_an_unfinished_run_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_node_that_cannot_be_read_is_named, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
