/*
 * tests/golden/golden.c - facts and a request in, a plan or all refusals out; one folder a story.
 *
 *   <story>/facts.patch.json  what is different from base/facts.json (see story.h)
 *   <story>/request.json      what is different from base/request.json; "ask": "plan" (default),
 *                             "check", "gates" with a list of {"name", "args"}, "restart",
 *                             "switchover" with "shard" or "node", "revise" (revision.h), or
 *                             "rules": what the version rules say of each pair of series
 *   <story>/plan.txt, refusal.txt or answers.txt   what must come out
 *   <story>/plan.json         optional: the plan's bytes, indented
 *   <story>/gates.txt         optional: what each phase and step waits for and assumes
 *
 * UPDATE_GOLDEN=1 rewrites what must come out: read the difference before committing it. A bug in
 * planning is fixed by adding a story.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/rules.h"
#include "model/plan_text.h"
#include "revision.h"
#include "story.h"
#include "strategies/gates.h"

enum { EXPECTED_SIZE_MAX = 1 << 20, FOLDER_COUNT_MIN = 62 };

static const char *const expected_names[] = {"plan.txt", "refusal.txt", "answers.txt"};

static bool is_updating(void)
{
    return getenv("UPDATE_GOLDEN") != NULL;
}

static void expect_file(const char *path, const char *text)
{
    if (is_updating()) {
        AUTO_ERR err = fs_write(path, text, strlen(text), 0644);
        assert_null(err);
        return;
    }
    AUTO_BUF expected = {0};
    AUTO_ERR err = fs_read(path, EXPECTED_SIZE_MAX, &expected);
    if (err != NULL) {
        fail_msg("%s is missing; the answer was:\n%s", path, text);
    }
    if (!text_equal(buf_text(&expected), text)) {
        fail_msg("%s says:\n%s\nbut the answer was:\n%s", path, buf_text(&expected), text);
    }
}

/* Only the file that fits the answer may be there: a refusal that became a plan must not pass. */
static void expect_answer(
    struct story *story, const char *folder, const char *name, const char *text)
{
    for (size_t i = 0; i < ARRAY_COUNT(expected_names); i++) {
        const char *path = arena_format(&story->arena, "%s/%s", folder, expected_names[i]);
        if (text_equal(name, expected_names[i])) {
            expect_file(path, text);
        } else if (fs_exists(path)) {
            fail_msg("%s is there, but the answer belongs into %s:\n%s", path, name, text);
        }
    }
}

static void expect_plan_bytes(struct story *story, const char *folder, const struct plan *plan)
{
    const char *path = arena_format(&story->arena, "%s/plan.json", folder);
    if (fs_exists(path)) {
        AUTO_JSON value = plan_to_json(plan);
        AUTO_FREE char *text = js_write_pretty(value);
        expect_file(path, text);
    }
}

static void write_gate_list(
    const char *what, const struct plan_gate *gates, size_t count, struct buf *text)
{
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *args = js_write(gates[i].args);
        buf_printf(text, "   %s %s %s\n", what, gates[i].name, args);
    }
}

static void expect_gates(struct story *story, const char *folder, const struct plan *plan)
{
    const char *path = arena_format(&story->arena, "%s/gates.txt", folder);
    if (!fs_exists(path)) {
        return;
    }
    AUTO_BUF text = {0};
    for (size_t p = 0; p < plan->phase_count; p++) {
        const struct plan_phase *phase = &plan->phases[p];
        buf_printf(&text, "%s\n", phase->name);
        write_gate_list("before", phase->before, phase->before_count, &text);
        for (size_t s = 0; s < phase->step_count; s++) {
            const struct plan_step *step = &phase->steps[s];
            buf_printf(&text, "%s\n", step->id);
            write_gate_list("assumes", step->assumptions, step->assumption_count, &text);
            write_gate_list("waits for", step->gates, step->gate_count, &text);
        }
        buf_printf(&text, "%s\n", phase->name);
        write_gate_list("after", phase->after, phase->after_count, &text);
    }
    expect_file(path, buf_text(&text));
}

/* What is written must be read again as it was: the reviewed plan is the one that runs. */
static void expect_round_trip(const struct plan *plan)
{
    AUTO_JSON value = plan_to_json(plan);
    AUTO_PLAN again = {0};
    AUTO_ERR err = plan_from_json(value, "plan", &again);
    assert_null(err);
    char digest[SHA256_HEX_SIZE];
    char digest_again[SHA256_HEX_SIZE];
    plan_digest(plan, digest);
    plan_digest(&again, digest_again);
    assert_string_equal(digest, digest_again);
}

static void tell_made(
    struct story *story, const char *folder, const struct plan *plan, struct buf *text)
{
    plan_text(plan, text);
    expect_answer(story, folder, "plan.txt", buf_text(text));
    expect_plan_bytes(story, folder, plan);
    expect_gates(story, folder, plan);
    expect_round_trip(plan);
}

static void tell_refused(
    struct story *story, const char *folder, const struct plan_refusal *refusal)
{
    AUTO_BUF text = {0};
    plan_answers_text(refusal->answers, refusal->answer_count, &text);
    expect_answer(story, folder, "refusal.txt", buf_text(&text));
}

static void tell_restart(struct story *story, const char *folder)
{
    AUTO_PLAN plan = {0};
    struct plan_refusal refusal;
    AUTO_BUF text = {0};
    const struct switchover_choice choice = {
        js_get_text(story->request, "shard"), js_get_text(story->request, "node")};
    const bool is_restart = text_equal(js_get_text(story->request, "ask"), "restart");
    const bool is_planned =
        is_restart ? restart_plan(&story->rolling, &story->arena, &plan, &refusal)
                   : switchover_plan(&story->rolling, &choice, &story->arena, &plan, &refusal);
    if (is_planned) {
        tell_made(story, folder, &plan, &text);
    } else {
        tell_refused(story, folder, &refusal);
    }
}

static void tell_revision(struct story *story, const char *folder)
{
    AUTO_REVISION revision;
    AUTO_BUF text = {0};
    revision_make(&revision, story);
    if (!revision.is_planned) {
        tell_refused(story, folder, &revision.refusal);
        return;
    }
    buf_printf(&text, "revision %d, %s, %s\n", (int)revision.plan.revision, revision.plan.direction,
        revision.result.is_wider ? "wider" : "narrower");
    for (size_t i = 0; i < revision.result.diff_count; i++) {
        buf_printf(&text, " - %s\n", revision.result.diff[i]);
    }
    tell_made(story, folder, &revision.plan, &text);
}

static void tell_plan(struct story *story, const char *folder)
{
    AUTO_PLAN plan = {0};
    struct plan_refusal refusal;
    AUTO_BUF text = {0};
    if (rolling_plan(&story->rolling, &story->arena, &plan, &refusal)) {
        tell_made(story, folder, &plan, &text);
    } else {
        const struct fact_artefact *target = &story->facts.artefacts[0];
        plan_refusal_text(&refusal, story->facts.cluster,
            arena_format(&story->arena, "%s %s", target->product, target->version), &text);
        expect_answer(story, folder, "refusal.txt", buf_text(&text));
    }
}

static void tell_check(struct story *story, const char *folder)
{
    AUTO_BUF text = {0};
    struct gate_answer *answers;
    size_t count;
    rolling_check(&story->rolling, &story->arena, &answers, &count);
    plan_answers_text(answers, count, &text);
    expect_answer(story, folder, "answers.txt", buf_text(&text));
}

static void tell_gates(struct story *story, const char *folder)
{
    AUTO_BUF text = {0};
    const struct json *uses = js_get(story->request, "gates");
    for (size_t i = 0; i < js_count(uses); i++) {
        const struct json *use = js_at(uses, i);
        const struct gate_ops *gate = gate_find(js_get_text(use, "name"));
        assert_non_null(gate);
        const struct gate_input input = {
            &story->facts, &story->rules, js_get(use, "args"), &story->arena};
        const struct gate_answer answer = gate->eval(&input);
        plan_answers_text(&answer, 1, &text);
    }
    expect_answer(story, folder, "answers.txt", buf_text(&text));
}

/* What gates say of a node of series `from` that is to run `to`, next to a primary of `from`. */
static const char *ask_rule(
    struct story *story, const char *gate, const struct facts *facts, const struct series_rule *to)
{
    AUTO_JSON args = js_object();
    js_put_text(args, "node", "n4");
    js_put_text(args, "product", to->product);
    js_put_text(args, "version", "99");
    js_put_text(args, "series", to->series);
    const struct gate_input input = {facts, &story->rules, args, &story->arena};
    return gate_state_names[gate_find(gate)->eval(&input).state];
}

/* Every pair of series, through the gates that read the rules. */
static void tell_rules(struct story *story, const char *folder)
{
    AUTO_BUF text = {0};
    for (size_t i = 0; i < story->rules.series_count; i++) {
        const struct series_rule *from = &story->rules.series[i];
        struct facts facts = story->facts;
        for (size_t j = 0; j < facts.node_count; j++) {
            facts.nodes[j].product = from->product;
            facts.nodes[j].series = from->series;
            facts.nodes[j].rdb_version = from->rdb_version;
            facts.nodes[j].has_appendonly_dir = from->is_multi_part_aof;
        }
        for (size_t j = 0; j < story->rules.series_count; j++) {
            const struct series_rule *to = &story->rules.series[j];
            buf_printf(&text, "%-10s -> %-10s  hop %-5s  copy %-5s  files %s\n", from->series,
                to->series, ask_rule(story, "hop_allowed", &facts, to),
                ask_rule(story, "full_sync_allowed", &facts, to),
                ask_rule(story, "directory_safe", &facts, to));
        }
    }
    expect_answer(story, folder, "answers.txt", buf_text(&text));
}

static void story_ends_as_written(void **state)
{
    const char *folder = *state;
    AUTO_STORY story;
    story_init_folder(&story, folder);
    const char *ask = js_get_text(story.request, "ask");
    if (text_equal(ask, "check")) {
        tell_check(&story, folder);
    } else if (text_equal(ask, "gates")) {
        tell_gates(&story, folder);
    } else if (text_equal(ask, "restart") || text_equal(ask, "switchover")) {
        tell_restart(&story, folder);
    } else if (text_equal(ask, "rules")) {
        tell_rules(&story, folder);
    } else if (text_equal(ask, "revise")) {
        tell_revision(&story, folder);
    } else {
        tell_plan(&story, folder);
    }
}

struct folders {
    struct arena arena;
    const char **names; /* of stories */
    size_t count;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void find_folders(struct folders *folders)
{
    DIR *directory = opendir(GOLDEN_DIR);
    if (directory == NULL) {
        fprintf(stderr, "%s: %s\n", GOLDEN_DIR, strerror(errno));
        exit(1);
    }
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        const char *request =
            arena_format(&folders->arena, GOLDEN_DIR "/%s/request.json", entry->d_name);
        if (entry->d_name[0] == '.' || text_equal(entry->d_name, "base") || !fs_exists(request)) {
            continue;
        }
        const char **slot =
            arena_push(&folders->arena, &folders->names, &folders->count, sizeof(*slot));
        *slot = arena_strdup(&folders->arena, entry->d_name);
    }
    (void)closedir(directory);
    qsort(folders->names, folders->count, sizeof(*folders->names), compare_names);
}

/* All that stories expect, other than yes. */
static void read_all_refusals(struct folders *folders, struct buf *ret_text)
{
    for (size_t i = 0; i < folders->count; i++) {
        for (size_t j = 1; j < ARRAY_COUNT(expected_names); j++) {
            const char *path = arena_format(
                &folders->arena, GOLDEN_DIR "/%s/%s", folders->names[i], expected_names[j]);
            if (fs_exists(path)) {
                AUTO_ERR err = fs_read(path, EXPECTED_SIZE_MAX, ret_text);
                assert_null(err);
            }
        }
    }
}

static void every_gate_says_no_in_a_story(void **state)
{
    struct folders *folders = *state;
    AUTO_BUF text = {0};
    read_all_refusals(folders, &text);
    assert_true(folders->count >= FOLDER_COUNT_MIN);
    for (size_t i = 0; i < strategy_gate_count; i++) {
        bool is_told = false;
        for (int answer = GATE_NOT_YET; answer <= GATE_NEVER; answer++) {
            const char *line = arena_format(
                &folders->arena, "\n%-10s%s:", gate_state_names[answer], strategy_gates[i].name);
            is_told |= strstr(buf_text(&text), line) != NULL;
        }
        if (!is_told) {
            fail_msg("no story in which %s says no", strategy_gates[i].name);
        }
    }
}

/* Names the refusals that are not a gate's: they have stories, too. */
static void every_refusal_is_told_in_a_story(void **state)
{
    static const char *const refusals[] = {"switchover_choice", "way_back_fed"};
    struct folders *folders = *state;
    AUTO_BUF text = {0};
    read_all_refusals(folders, &text);
    for (size_t i = 0; i < ARRAY_COUNT(refusals); i++) {
        const char *line = arena_format(&folders->arena, "never     %s:", refusals[i]);
        if (strstr(buf_text(&text), line) == NULL) {
            fail_msg("no story is refused by %s", refusals[i]);
        }
    }
}

static void every_version_rule_is_told_in_a_story(void **state)
{
    struct folders *folders = *state;
    AUTO_BUF text = {0};
    read_all_refusals(folders, &text);
    struct rules rules = {0};
    AUTO_ERR err = rules_load(&rules);
    assert_null(err);
    for (size_t i = 0; i < rules.series_count; i++) {
        for (size_t j = 0; j < rules.series_count; j++) {
            const char *line = arena_format(&folders->arena, "%-10s -> %-10s  hop",
                rules.series[i].series, rules.series[j].series);
            if (strstr(buf_text(&text), line) == NULL) {
                fail_msg("no story says what the rules say: %s", line);
            }
        }
    }
    rules_release(&rules);
}

/* Tests of all stories together. */
static const struct CMUnitTest tests_of_all[] = {
    cmocka_unit_test(every_gate_says_no_in_a_story),
    cmocka_unit_test(every_refusal_is_told_in_a_story),
    cmocka_unit_test(every_version_rule_is_told_in_a_story),
};

int main(void)
{
    struct folders folders = {0};
    find_folders(&folders);
    const size_t count = folders.count + ARRAY_COUNT(tests_of_all);
    struct CMUnitTest *tests = arena_alloc_array(&folders.arena, count, sizeof(*tests));
    for (size_t i = 0; i < folders.count; i++) {
        tests[i] = (struct CMUnitTest){
            .name = folders.names[i],
            .test_func = story_ends_as_written,
            .initial_state = arena_format(&folders.arena, GOLDEN_DIR "/%s", folders.names[i]),
        };
    }
    for (size_t i = 0; i < ARRAY_COUNT(tests_of_all); i++) {
        tests[folders.count + i] = tests_of_all[i];
        tests[folders.count + i].initial_state = &folders;
    }
    const int failed_count = _cmocka_run_group_tests("golden", tests, count, NULL, NULL);
    arena_release(&folders.arena);
    return failed_count;
}
