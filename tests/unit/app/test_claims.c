/*
 * test_claims.c - who may act on a cluster: claims over simulated hosts.
 *
 * Two controllers in one process differ by their state directory, as they would on one host.
 */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

#include "../drivers/fixture.h"
#include "app/claim_file.h"
#include "app/claims.h"
#include "base/fs.h"
#include "base/mem.h"
#include "drivers/fence.h"
#include "drivers/host.h"
#include "store/sqlite/store.h"

enum { NODES = 6 };

/* A host and a server that do more than the simulated ones: one lets somebody in between, the other
 * remembers what was cut. */
struct rival_host {
    struct host base;
    struct host *inner;
    const char *node; /* whose next swap comes too late; NULL: none */
    const char *text; /* because this stands there then */
};

struct counting_fence {
    struct fence base;
    char run[32];
    int64_t epoch;
    int cut_count;
    bool is_refusing;
};

struct stage {
    struct fixture fixture;
    struct world world;
    struct rival_host host;
    struct counting_fence fence;
    char folder[32];
    struct claims ours, theirs;
    struct arena arena;
    struct claim_answer answer;
};

static struct err *rival_read(const struct call *call, struct host *host,
    const struct inv_node *node, bool *ret_exists, struct buf *ret_text)
{
    return host_claim_read(call, ((struct rival_host *)host)->inner, node, ret_exists, ret_text);
}

static struct err *rival_swap(const struct call *call, struct host *host,
    const struct inv_node *node, const struct host_claim_swap *swap, bool *ret_is_done)
{
    struct rival_host *rival = (struct rival_host *)host;
    if (text_equal(rival->node, node->name)) {
        const struct host_claim_swap first = {swap->expected, rival->text};
        rival->node = NULL;
        struct err *err = host_claim_swap(call, rival->inner, node, &first, ret_is_done);
        assert_null(err);
    }
    return host_claim_swap(call, rival->inner, node, swap, ret_is_done);
}

static const struct host_ops rival_ops = {
    .name = "rival", .claim_read = rival_read, .claim_swap = rival_swap};

static struct err *count_cut(const struct call *UNUSED(call), struct fence *fence,
    const struct inv_node *node, const struct fence_mark *mark, int64_t *ret_cut_count)
{
    struct counting_fence *counting = (struct counting_fence *)fence;
    if (counting->is_refusing) {
        return err_code(err_new(ERR_REFUSED, node->name, "no permission"), "no_permission");
    }
    (void)snprintf(counting->run, sizeof(counting->run), "%s", mark->run);
    counting->epoch = mark->epoch;
    counting->cut_count++;
    *ret_cut_count = 1;
    return NULL;
}

static const struct fence_ops counting_ops = {.name = "counting", .cut = count_cut};

enum { RECORDS = 50 };

/* A state directory with a run of its own; both are called "sim-1". Once more: another run in it.
 */
static struct claims make_side(struct stage *stage, const char *name)
{
    const char *directory = arena_format(&stage->arena, "%s/%s/sim", stage->folder, name);
    struct journal *journal = NULL;
    struct journal_run run = {0};
    AUTO_ERR opened = store_open(directory, /* read_only= */ false, &journal);
    assert_null(opened);
    AUTO_ERR made = journal->ops->create_run(journal, "sim", "a -> b", 1, &stage->arena, &run);
    assert_null(made);
    AUTO_JSON body = js_object();
    js_put_text(body, "who", name);
    struct journal_record records[RECORDS];
    for (int i = 0; i < RECORDS; i++) {
        records[i] = (struct journal_record){
            .epoch = 1, .def = 1, .type = JOURNAL_OPERATOR, .boot_id = "b", .body = body};
    }
    AUTO_ERR appended =
        journal->ops->append(journal, run.id, records, RECORDS, "RUNNING", /* is_final= */ false);
    assert_null(appended);
    const char *origin = arena_strdup(&stage->arena, records[0].hash);
    journal->ops->close(journal);
    return (struct claims){&stage->world, directory, origin, run.id};
}

static void open_stage(struct stage *stage)
{
    *stage = (struct stage){.folder = "/tmp/upshift-claims-XXXXXX"};
    assert_non_null(mkdtemp(stage->folder));
    fixture_open(&stage->fixture, &(struct fixture_options){.seed = 1});
    stage->world = *stage->fixture.world;
    stage->host = (struct rival_host){{&rival_ops}, stage->world.host, NULL, NULL};
    stage->fence.base.ops = &counting_ops;
    stage->world.host = &stage->host.base;
    stage->world.fence = &stage->fence.base;
    stage->ours = make_side(stage, "ours");
    stage->theirs = make_side(stage, "theirs");
}

static void close_stage(struct stage *stage)
{
    fixture_close(&stage->fixture);
    arena_release(&stage->arena);
    AUTO_ERR err = fs_remove_tree(stage->folder);
    assert_null(err);
}
#define AUTO_STAGE CLEANUP(close_stage) struct stage

static struct err *try_act(
    struct stage *stage, struct claims *claims, const struct claim_request *request)
{
    stage->answer = (struct claim_answer){0};
    return claims_ops.act(&stage->fixture.call, claims, request, &stage->arena, &stage->answer);
}

static void act(struct stage *stage, struct claims *claims, const struct claim_request *request)
{
    AUTO_ERR err = try_act(stage, claims, request);
    assert_null(err);
    assert_int_equal(stage->answer.node_count, NODES);
}

static const struct claim_request take_1 = {
    .act = CLAIM_TAKE, .epoch = 1, .state = "CLAIMING", .seq = 10};
static const struct claim_request renew_1 = {
    .act = CLAIM_RENEW, .epoch = 1, .state = "RUNNING", .seq = 20};
static const struct claim_request park_1 = {
    .act = CLAIM_RENEW, .epoch = 1, .state = "PAUSED", .is_parked = true, .seq = 30};
static const struct claim_request release_1 = {
    .act = CLAIM_RELEASE, .epoch = 1, .state = "COMPLETE", .seq = 40};

static void take(struct stage *stage, struct claims *claims)
{
    act(stage, claims, &take_1);
    assert_false(stage->answer.is_foreign || stage->answer.is_ahead);
    assert_int_equal(stage->answer.held_count, NODES);
}

/* The node's file, changed by the caller and put back as if somebody else had written it. */
static struct claim_survey read_all(struct stage *stage)
{
    struct claim_survey survey;
    claim_survey_read(&stage->fixture.call, &stage->world, &survey);
    assert_int_equal(survey.count, NODES);
    return survey;
}

static void put_text(struct stage *stage, const char *node, const char *text)
{
    AUTO_CLAIM_SURVEY survey = read_all(stage);
    for (size_t i = 0; i < survey.count; i++) {
        const struct host_claim_swap swap = {survey.nodes[i].text, text};
        bool is_done = false;
        if (text_equal(survey.nodes[i].node->name, node)) {
            AUTO_ERR err = host_claim_swap(
                &stage->fixture.call, stage->host.inner, survey.nodes[i].node, &swap, &is_done);
            assert_null(err);
            assert_true(is_done);
        }
    }
}

static struct claim_file foreign_file(void)
{
    return (struct claim_file){
        .format = CLAIM_FORMAT,
        .cluster = "sim",
        .origin = "0b22",
        .run = "sim-4",
        .epoch = 7,
        .owner = {"db-admin", "boot-9", 4711, "alice", "/home/alice/state/sim"},
        .state = CLAIM_LIVE,
        .run_status = "RUNNING",
        .ttl_ms = CLAIM_TTL_MS,
        .seq = 5,
        .changed_wall_ms = 1795231803000,
    };
}

static void put_file(struct stage *stage, const char *node, const struct claim_file *file)
{
    AUTO_FREE char *text = claim_file_write(file);
    put_text(stage, node, text);
}

/* All claims as one text. */
static char *all_texts(struct stage *stage)
{
    AUTO_CLAIM_SURVEY survey = read_all(stage);
    AUTO_BUF texts = {0};
    for (size_t i = 0; i < survey.count; i++) {
        buf_printf(&texts, "%s:%s\n", survey.nodes[i].node->name,
            survey.nodes[i].text == NULL ? "none" : survey.nodes[i].text);
    }
    return buf_detach(&texts);
}

static void expect_foreign(struct stage *stage, const char *words)
{
    assert_true(stage->answer.is_foreign);
    assert_false(stage->answer.is_ahead);
    assert_int_equal(stage->answer.held_count, 0);
    assert_non_null(strstr(stage->answer.reason, words));
    assert_non_null(strstr(stage->answer.remedy, "upshift reconcile sim --clear-claim"));
}

static const char *look(struct stage *stage, struct claims *claims, const char *node)
{
    const char *reason = "untouched";
    AUTO_ERR err = claims_ops.look(&stage->fixture.call, claims, node, &stage->arena, &reason);
    assert_null(err);
    return reason;
}

static void the_first_is_on_every_node_and_may_act(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    AUTO_JSON scopes = js_array();
    struct json *scope = js_object();
    js_put_text(scope, "kind", "repl.setting");
    js_push(scopes, scope);
    struct claim_request request = take_1;
    request.scopes = scopes;
    act(&stage, &stage.ours, &request);
    assert_int_equal(stage.answer.held_count, NODES);
    assert_int_equal(stage.answer.epoch_max, 1);
    assert_null(stage.answer.reason);
    AUTO_CLAIM_SURVEY survey = read_all(&stage);
    for (size_t i = 0; i < NODES; i++) {
        const struct claim_file *file = &survey.nodes[i].file;
        assert_true(survey.nodes[i].is_parsed);
        assert_string_equal(file->cluster, "sim");
        assert_string_equal(file->origin, stage.ours.origin);
        assert_string_equal(file->run, "sim-1");
        assert_string_equal(file->owner.journal, stage.ours.directory);
        assert_int_equal(file->owner.pid, getpid());
        assert_int_equal(file->seq, 10);
        assert_int_equal(file->state, CLAIM_LIVE);
        assert_int_equal(file->ttl_ms, CLAIM_TTL_MS);
        assert_true(js_equal(file->scopes, scopes));
        assert_null(look(&stage, &stage.ours, survey.nodes[i].node->name));
    }
    assert_int_equal(stage.fence.cut_count, 0); /* nobody was there before */
    assert_null(look(&stage, &stage.ours, NULL));
}

static void a_second_is_refused_names_the_first_and_changes_nothing(void **UNUSED(state))
{
    const struct claim_request *const states[] = {&take_1, &renew_1, &park_1};
    AUTO_STAGE stage;
    open_stage(&stage);
    for (size_t i = 0; i < ARRAY_COUNT(states); i++) {
        act(&stage, &stage.ours, states[i]);
        AUTO_FREE char *before = all_texts(&stage);
        act(&stage, &stage.theirs, &take_1);
        expect_foreign(&stage, "run sim-1 of cluster sim");
        assert_non_null(strstr(stage.answer.reason, stage.ours.directory));
        assert_non_null(strstr(stage.answer.reason, states[i]->state));
        AUTO_FREE char *after = all_texts(&stage);
        assert_string_equal(before, after);
        assert_non_null(look(&stage, &stage.theirs, "n1"));
    }
}

static void one_foreign_node_is_enough(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    const struct claim_file file = foreign_file();
    put_file(&stage, "n6", &file);
    act(&stage, &stage.ours, &take_1);
    expect_foreign(&stage,
        "n6 is claimed by alice on db-admin (pid 4711) for run sim-4 of cluster sim, RUNNING; last "
        "sign of life 2026-11-21T");
    AUTO_FREE char *texts = all_texts(&stage);
    assert_non_null(strstr(texts, "n1:none\nn2:none\n"));
}

static void of_two_at_once_the_later_gives_back_what_it_took(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    struct claim_file tombstone = foreign_file();
    tombstone.state = CLAIM_RELEASED;
    put_file(&stage, "n1", &tombstone);
    AUTO_FREE char *was = claim_file_write(&tombstone);
    const struct claim_file rival = foreign_file();
    AUTO_FREE char *text = claim_file_write(&rival);
    stage.host.node = "n3";
    stage.host.text = text;
    act(&stage, &stage.ours, &take_1);
    expect_foreign(&stage, "n3 is claimed by alice");
    AUTO_CLAIM_SURVEY survey = read_all(&stage);
    assert_string_equal(survey.nodes[0].text, was);
    assert_int_equal(survey.nodes[1].file.state, CLAIM_RELEASED);
    assert_string_equal(survey.nodes[2].text, text);
    assert_null(survey.nodes[3].text);
}

static void a_released_claim_is_taken_with_a_higher_epoch(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    take(&stage, &stage.ours);
    act(&stage, &stage.ours, &release_1);
    assert_int_equal(stage.answer.held_count, 0);
    assert_non_null(look(&stage, &stage.ours, "n2"));
    take(&stage, &stage.theirs);
    assert_int_equal(stage.answer.epoch_max, 2);
    assert_int_equal(stage.fence.cut_count, 0); /* it ended in order */
    assert_null(look(&stage, &stage.theirs, "n2"));
}

/* The lock of the state directory is ours, so the process that held it is gone. */
static void the_same_state_directory_goes_on_at_once(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    take(&stage, &stage.ours);
    AUTO_CLAIM_SURVEY survey = read_all(&stage);
    struct claim_file file = survey.nodes[0].file;
    file.owner.pid = 1;
    for (int i = 1; i <= NODES; i++) {
        AUTO_FREE char *name = mem_format("n%d", i);
        put_file(&stage, name, &file);
    }
    assert_non_null(look(&stage, &stage.ours, "n1"));
    stage.fence.is_refusing = true; /* who is gone need not be cut */
    struct claim_request request = take_1;
    request.epoch = 2;
    act(&stage, &stage.ours, &request);
    assert_int_equal(stage.answer.held_count, NODES);
    assert_int_equal(stage.answer.epoch_max, 2);
    assert_null(look(&stage, &stage.ours, "n1"));
}

static void what_an_earlier_controller_left_open_is_cut_on_every_node(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    take(&stage, &stage.ours);
    AUTO_CLAIM_SURVEY survey = read_all(&stage);
    struct claim_file file = survey.nodes[0].file; /* its journal came here */
    file.owner = foreign_file().owner;
    file.state = CLAIM_PARKED;
    file.epoch = 7;
    put_file(&stage, "n1", &file);
    put_file(&stage, "n2", &file);
    act(&stage, &stage.ours, &take_1);
    assert_int_equal(stage.answer.held_count, NODES);
    assert_int_equal(stage.answer.epoch_max, 8);
    assert_int_equal(stage.fence.cut_count, NODES);
    assert_int_equal(stage.fence.epoch, 8);
    assert_string_equal(stage.fence.run, "sim-1");
}

static void who_cannot_be_cut_is_not_taken_over(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    struct claim_file file = foreign_file();
    file.origin = ""; /* cleared by hand: who says that it is gone? */
    file.state = CLAIM_RELEASED;
    put_file(&stage, "n1", &file);
    AUTO_FREE char *was = claim_file_write(&file);
    stage.fence.is_refusing = true;
    AUTO_ERR err = try_act(&stage, &stage.ours, &take_1);
    assert_non_null(err);
    assert_string_equal(err->code, "no_permission");
    AUTO_CLAIM_SURVEY survey = read_all(&stage);
    assert_string_equal(survey.nodes[0].text, was);
    assert_int_equal(survey.nodes[1].file.state, CLAIM_RELEASED);
}

static void the_same_run_steered_from_elsewhere_is_foreign(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    take(&stage, &stage.ours);
    AUTO_CLAIM_SURVEY survey = read_all(&stage);
    struct claim_file file = survey.nodes[0].file;
    file.owner = foreign_file().owner;
    put_file(&stage, "n2", &file);
    act(&stage, &stage.ours, &take_1);
    expect_foreign(&stage, "n2 is claimed by alice");
}

/* Of the same run and the same number, but not the same record: the copy has gone its own way. */
static void a_claim_with_a_record_that_the_journal_lacks_is_refused(void **UNUSED(state))
{
    for (int i = 0; i < 2; i++) {
        AUTO_STAGE stage;
        open_stage(&stage);
        take(&stage, &stage.ours);
        AUTO_CLAIM_SURVEY survey = read_all(&stage);
        struct claim_file file = survey.nodes[0].file;
        file.owner.pid = 1;
        file.seq = i == 0 ? RECORDS + 1 : file.seq;
        file.head = stage.theirs.origin;
        put_file(&stage, "n4", &file);
        AUTO_FREE char *before = all_texts(&stage);
        act(&stage, &stage.ours, &park_1);
        assert_true(stage.answer.is_ahead);
        act(&stage, &stage.ours, &take_1);
        assert_true(stage.answer.is_ahead);
        assert_int_equal(stage.answer.held_count, 0);
        assert_non_null(strstr(stage.answer.reason, "which this journal (epoch 1) does not have"));
        assert_non_null(strstr(stage.answer.remedy, "upshift reconcile sim --adopt"));
        AUTO_FREE char *after = all_texts(&stage);
        assert_string_equal(before, after);
    }
}

/* Marked above a tombstone, and dead before that was journaled: the journal knows of epoch 1. */
static struct claim_file mark_and_die(struct stage *stage)
{
    struct claim_file tombstone = foreign_file();
    tombstone.state = CLAIM_RELEASED;
    tombstone.epoch = 41;
    put_file(stage, "n1", &tombstone);
    take(stage, &stage->ours);
    assert_int_equal(stage->answer.epoch_max, 42);
    AUTO_CLAIM_SURVEY survey = read_all(stage);
    struct claim_file file = survey.nodes[0].file;
    file.cluster = arena_strdup(&stage->arena, file.cluster);
    file.origin = stage->ours.origin;
    file.run = stage->ours.run;
    file.head = arena_strdup(&stage->arena, file.head);
    file.owner = claim_owner_here(&stage->arena, stage->ours.directory);
    file.owner.pid = 1;
    file.run_status = "CLAIMING";
    file.scopes = NULL;
    return file;
}

static const struct claim_request take_2 = {
    .act = CLAIM_TAKE, .epoch = 2, .state = "CLAIMING", .seq = 20};
static const struct claim_request renew_2 = {
    .act = CLAIM_RENEW, .epoch = 2, .state = "RUNNING", .seq = 30};

static void marks_that_were_not_journaled_are_no_copied_journal(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    const struct claim_file file = mark_and_die(&stage);
    for (int i = 1; i <= NODES; i++) {
        AUTO_FREE char *name = mem_format("n%d", i);
        put_file(&stage, name, &file);
    }
    act(&stage, &stage.ours, &take_2);
    assert_false(stage.answer.is_foreign || stage.answer.is_ahead);
    assert_int_equal(stage.answer.held_count, NODES);
    assert_int_equal(stage.answer.epoch_max, 43);
}

/* It had marked one node, and that one cannot be seen when its successor takes the others. */
static void a_mark_that_turns_up_late_is_no_copied_journal(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    struct claim_file file = mark_and_die(&stage);
    struct claim_file tombstone = foreign_file();
    tombstone.state = CLAIM_RELEASED;
    tombstone.epoch = 1;
    for (int i = 2; i <= NODES; i++) {
        AUTO_FREE char *name = mem_format("n%d", i);
        put_file(&stage, name, &tombstone);
    }
    put_file(&stage, "n1", &file);
    sim_fail_next(stage.fixture.sim, "host.claim_read", "n1", SIM_FAULT_REFUSE, 0);
    act(&stage, &stage.ours, &take_2);
    assert_int_equal(stage.answer.held_count, NODES - 1);
    assert_int_equal(stage.answer.epoch_max, 2);
    act(&stage, &stage.ours, &renew_2);
    assert_false(stage.answer.is_foreign || stage.answer.is_ahead);
    assert_int_equal(stage.answer.held_count, NODES);
    assert_null(look(&stage, &stage.ours, "n1"));

    file.owner.host = "db-admin"; /* the same from elsewhere: that one may live */
    put_file(&stage, "n1", &file);
    act(&stage, &stage.ours, &renew_2);
    assert_true(stage.answer.is_ahead);
    file.owner.host = claim_owner_here(&stage.arena, "").host;
    file.head = stage.theirs.origin; /* and one that our journal does not know */
    put_file(&stage, "n1", &file);
    act(&stage, &stage.ours, &renew_2);
    assert_true(stage.answer.is_ahead);
}

static void a_controller_that_was_taken_over_notices_when_it_renews(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    take(&stage, &stage.ours);
    AUTO_CLAIM_SURVEY survey = read_all(&stage);
    struct claim_file file = survey.nodes[0].file;
    file.owner.pid = 1;
    file.epoch = 2;
    put_file(&stage, "n3", &file);
    act(&stage, &stage.ours, &renew_1);
    assert_true(stage.answer.is_ahead);
    assert_int_equal(stage.answer.epoch_max, 2);
    assert_non_null(look(&stage, &stage.ours, "n3"));
    AUTO_CLAIM_SURVEY after = read_all(&stage);
    assert_int_equal(after.nodes[2].file.owner.pid, 1);
}

static void a_claim_cleared_by_hand_is_noticed_and_not_put_back(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    take(&stage, &stage.ours);
    struct claim_file file = foreign_file();
    file.origin = "";
    file.state = CLAIM_RELEASED;
    file.epoch = 2;
    put_file(&stage, "n5", &file);
    act(&stage, &stage.ours, &renew_1);
    assert_true(stage.answer.is_foreign);
    assert_non_null(strstr(stage.answer.reason, "ended by alice on db-admin"));
    AUTO_CLAIM_SURVEY after = read_all(&stage);
    assert_int_equal(after.nodes[4].file.epoch, 2);
}

static void a_node_without_a_claim_gets_it_at_the_next_renewal(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    sim_fail_next(stage.fixture.sim, "host.claim_read", "n2", SIM_FAULT_REFUSE, 0);
    act(&stage, &stage.ours, &take_1);
    assert_int_equal(stage.answer.held_count, NODES - 1);
    assert_string_equal(look(&stage, &stage.ours, "n2"), "there is no claim on n2 any more");
    act(&stage, &stage.ours, &renew_1);
    assert_int_equal(stage.answer.held_count, NODES);
    assert_null(look(&stage, &stage.ours, "n2"));
}

static void less_than_a_majority_is_nothing(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    const char *const ops[] = {"host.claim_read", "host.claim_swap"};
    for (size_t i = 0; i < ARRAY_COUNT(ops); i++) {
        sim_fail_next(stage.fixture.sim, ops[i], "n2", SIM_FAULT_REFUSE, 0);
        sim_fail_next(stage.fixture.sim, ops[i], "n4", SIM_FAULT_REFUSE, 0);
        sim_fail_next(stage.fixture.sim, ops[i], "n6", SIM_FAULT_REFUSE, 0);
        AUTO_ERR err = try_act(&stage, &stage.ours, &take_1);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_UNREACHABLE);
        assert_string_equal(err->code, "claim_minority");
        assert_non_null(strstr(err->what, "n2 ("));
        assert_non_null(strstr(err->what, "n6 ("));
        assert_non_null(err->hint);
        assert_non_null(look(&stage, &stage.ours, "n1"));
    }
    take(&stage, &stage.theirs); /* what was given back is free for others */
}

static void a_minority_that_is_left_does_not_pass_for_a_renewal(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    take(&stage, &stage.ours);
    for (int i = 1; i <= 3; i++) {
        sim_fail_next(stage.fixture.sim, "host.claim_swap", NULL, SIM_FAULT_REFUSE, 0);
    }
    AUTO_ERR err = try_act(&stage, &stage.ours, &renew_1);
    assert_non_null(err);
    assert_string_equal(err->code, "claim_minority");
}

static void a_claim_of_another_cluster_is_ignored_and_said(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    struct claim_file file = foreign_file();
    file.cluster = "production";
    file.epoch = 99;
    put_file(&stage, "n2", &file);
    take(&stage, &stage.ours);
    assert_int_equal(stage.answer.epoch_max, 1);
    assert_non_null(strstr(stage.answer.reason, "ignored: the claim on n2 is of another cluster"));
}

static void what_nobody_understands_is_somebodys(void **UNUSED(state))
{
    const char *const texts[] = {"", "garbage", "[]", "{\"format\":1}",
        "{\"format\":1,\"cluster\":\"production\",\"origin\":\"x\",\"run\":\"r\"}",
        "{\"format\":2,\"cluster\":\"sim\",\"origin\":\"x\",\"run\":\"r\",\"state\":\"released\"}"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        AUTO_STAGE stage;
        open_stage(&stage);
        put_text(&stage, "n1", texts[i]);
        act(&stage, &stage.ours, &take_1);
        expect_foreign(&stage, "the claim on n1 is none that upshift");
        assert_non_null(look(&stage, &stage.ours, "n1"));
    }
}

static void a_release_leaves_the_claims_of_others(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    take(&stage, &stage.ours);
    const struct claim_file file = foreign_file();
    put_file(&stage, "n2", &file);
    sim_fail_next(stage.fixture.sim, "host.claim_swap", "n3", SIM_FAULT_REFUSE, 0);
    act(&stage, &stage.ours, &release_1);
    assert_int_equal(stage.answer.held_count, 1); /* n3 */
    AUTO_CLAIM_SURVEY survey = read_all(&stage);
    assert_int_equal(survey.nodes[0].file.state, CLAIM_RELEASED);
    assert_int_equal(survey.nodes[0].file.epoch, 1);
    assert_int_equal(survey.nodes[1].file.state, CLAIM_LIVE);
}

static void a_release_that_failed_on_a_node_may_be_repeated(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    take(&stage, &stage.ours);
    sim_fail_next(stage.fixture.sim, "host.claim_swap", "n3", SIM_FAULT_REFUSE, 0);
    act(&stage, &stage.ours, &release_1);
    assert_int_equal(stage.answer.held_count, 1);
    act(&stage, &stage.ours, &release_1);
    assert_int_equal(stage.answer.held_count, 0);
    assert_false(stage.answer.is_ahead);
    assert_null(stage.answer.reason);
    AUTO_CLAIM_SURVEY survey = read_all(&stage);
    assert_int_equal(survey.nodes[2].file.state, CLAIM_RELEASED);
}

/* A run of this state directory that ended while one node could not be written. */
static void a_run_that_has_ended_here_is_no_stranger(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    struct claim_file file = foreign_file();
    file.run = stage.ours.run;
    file.origin = stage.ours.origin;
    put_file(&stage, "n1", &file);
    struct claims next = make_side(&stage, "ours"); /* a later run */
    assert_string_equal(next.run, "sim-2");
    act(&stage, &next, &take_1);
    assert_true(stage.answer.is_foreign); /* it has not ended */

    struct journal *journal = NULL;
    AUTO_ERR opened = store_open(stage.ours.directory, /* read_only= */ false, &journal);
    assert_null(opened);
    AUTO_JSON body = js_object();
    struct journal_record last = {
        .epoch = 1, .def = 1, .type = JOURNAL_FINISH, .boot_id = "b", .body = body};
    AUTO_ERR appended =
        journal->ops->append(journal, stage.ours.run, &last, 1, "COMPLETE", /* is_final= */ true);
    assert_null(appended);
    journal->ops->close(journal);
    take(&stage, &next);
    file.origin = stage.theirs.origin; /* another's run of the same name */
    put_file(&stage, "n1", &file);
    act(&stage, &next, &take_1);
    assert_true(stage.answer.is_foreign);
}

static void an_unreadable_journal_takes_nothing(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    AUTO_FREE char *path = mem_format("%s/journal.db", stage.ours.directory);
    AUTO_ERR written = fs_write(path, "garbage", 7, 0600);
    assert_null(written);
    AUTO_ERR err = try_act(&stage, &stage.ours, &take_1);
    assert_non_null(err);
    assert_string_equal(err->code, "journal_damaged");
    AUTO_FREE char *texts = all_texts(&stage);
    assert_non_null(strstr(texts, "n1:none\nn2:none\n"));
}

static void nothing_is_planned_under_the_run_of_another(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    const char *const here = stage.theirs.directory;
    AUTO_ERR none = claims_refuse_foreign(&stage.fixture.call, &stage.world, here);
    assert_null(none);
    take(&stage, &stage.ours);
    AUTO_FREE char *before = all_texts(&stage);
    AUTO_ERR err = claims_refuse_foreign(&stage.fixture.call, &stage.world, here);
    assert_non_null(err);
    assert_string_equal(err->code, "claimed");
    assert_non_null(strstr(err->what, "for run sim-1 of cluster sim"));
    assert_non_null(strstr(err->hint, "--clear-claim"));
    AUTO_FREE char *after = all_texts(&stage);
    assert_string_equal(before, after);
    act(&stage, &stage.ours, &release_1);
    AUTO_ERR released = claims_refuse_foreign(&stage.fixture.call, &stage.world, here);
    assert_null(released);
}

static void a_host_that_does_not_answer_is_not_taken_for_a_claim(void **UNUSED(state))
{
    AUTO_STAGE stage;
    open_stage(&stage);
    take(&stage, &stage.ours);
    sim_fail_next(stage.fixture.sim, "host.claim_read", "n2", SIM_FAULT_DROP_REPLY, 0);
    const char *reason = NULL;
    AUTO_ERR err = claims_ops.look(&stage.fixture.call, &stage.ours, "n2", &stage.arena, &reason);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_on_every_node_and_may_act),
        cmocka_unit_test(a_second_is_refused_names_the_first_and_changes_nothing),
        cmocka_unit_test(one_foreign_node_is_enough),
        cmocka_unit_test(of_two_at_once_the_later_gives_back_what_it_took),
        cmocka_unit_test(a_released_claim_is_taken_with_a_higher_epoch),
        cmocka_unit_test(the_same_state_directory_goes_on_at_once),
        cmocka_unit_test(what_an_earlier_controller_left_open_is_cut_on_every_node),
        cmocka_unit_test(who_cannot_be_cut_is_not_taken_over),
        cmocka_unit_test(the_same_run_steered_from_elsewhere_is_foreign),
        cmocka_unit_test(a_claim_with_a_record_that_the_journal_lacks_is_refused),
        cmocka_unit_test(marks_that_were_not_journaled_are_no_copied_journal),
        cmocka_unit_test(a_mark_that_turns_up_late_is_no_copied_journal),
        cmocka_unit_test(a_controller_that_was_taken_over_notices_when_it_renews),
        cmocka_unit_test(a_claim_cleared_by_hand_is_noticed_and_not_put_back),
        cmocka_unit_test(a_node_without_a_claim_gets_it_at_the_next_renewal),
        cmocka_unit_test(less_than_a_majority_is_nothing),
        cmocka_unit_test(a_minority_that_is_left_does_not_pass_for_a_renewal),
        cmocka_unit_test(a_claim_of_another_cluster_is_ignored_and_said),
        cmocka_unit_test(what_nobody_understands_is_somebodys),
        cmocka_unit_test(a_release_leaves_the_claims_of_others),
        cmocka_unit_test(a_release_that_failed_on_a_node_may_be_repeated),
        cmocka_unit_test(a_run_that_has_ended_here_is_no_stranger),
        cmocka_unit_test(an_unreadable_journal_takes_nothing),
        cmocka_unit_test(nothing_is_planned_under_the_run_of_another),
        cmocka_unit_test(a_host_that_does_not_answer_is_not_taken_for_a_claim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
