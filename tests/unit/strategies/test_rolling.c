/* The rolling strategy: same facts, same bytes; each step's gates in the states it will meet. */
#include "strategies/rolling.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "story.h"
#include "strategies/gates.h"
#include "strategies/revise.h"

#define NEW "\"version\": \"7.0.15\", \"series\": \"redis/7.0\", \"rdb_version\": 10"

/* n4 was started in the new version and copies. */
#define SYNCING "{\"n4\": {" NEW ", \"is_link_up\": false, \"is_syncing\": true, \"key_count\": 0}}"

/* n1 lost its newer primary at the pause point: it cannot copy, and tries forever. */
#define LOST "{\"n1\": {\"is_link_up\": false, \"is_syncing\": true, \"key_count\": 0}}"

static void make_plan(struct story *story, struct plan *ret_plan)
{
    struct plan_refusal refusal;
    assert_true(rolling_plan(&story->rolling, &story->arena, ret_plan, &refusal));
}

static char *plan_bytes(const char *facts_patch)
{
    AUTO_STORY story;
    story_init(&story, facts_patch, NULL);
    AUTO_PLAN plan = {0};
    make_plan(&story, &plan);
    AUTO_JSON value = plan_to_json(&plan);
    return js_write(value);
}

static void irrelevant_facts_give_the_same_bytes(void **UNUSED(state))
{
    static const char *const patches[] = {
        "{\"nodes\": {\"n4\": {\"offset\": 4999500}}}",
        "{\"nodes\": {\"*\": {\"uptime_s\": 7, \"process\": \"another\"}}}",
        "{\"nodes\": {\"*\": {\"busy_clients\": 99}}}",
        "{\"nodes\": {\"*\": {\"link_silence_s\": 9, \"full_sync_count\": 12}}}",
        "{\"nodes\": {\"n1\": {\"key_count\": 99123}, \"n4\": {\"key_count\": 99000}}}",
        "{\"nodes\": {\"*\": {\"is_saving\": true, \"current_epoch\": 77}}}",
        "{\"nodes\": {\"*\": {\"replica_count\": 5}}}",
    };
    AUTO_FREE char *expected = plan_bytes(NULL);
    for (size_t i = 0; i < ARRAY_COUNT(patches); i++) {
        AUTO_FREE char *bytes = plan_bytes(patches[i]);
        assert_string_equal(bytes, expected);
    }
}

static void relevant_facts_give_other_bytes(void **UNUSED(state))
{
    static const char *const patches[] = {
        "{\"nodes\": {\"n4\": {\"config_digest\": \"other\"}}}",
        "{\"nodes\": {\"n4\": {\"version\": \"6.0.17\"}}}",
        "{\"nodes\": {\"*\": {\"backlog_bytes\": 100000000}}}",
    };
    AUTO_FREE char *expected = plan_bytes(NULL);
    for (size_t i = 0; i < ARRAY_COUNT(patches); i++) {
        AUTO_FREE char *bytes = plan_bytes(patches[i]);
        assert_string_not_equal(bytes, expected);
    }
}

struct moment_case {
    const char *title;
    const char *step;
    const char *moment;  /* tests/golden/base/<moment>.patch.json; NULL: before the run */
    const char *nodes;   /* further patch of the facts' nodes; NULL: none */
    const char *refused; /* name of a gate or assumption that is not yes; NULL: all are yes */
};

static const struct moment_case moments[] = {
    {"the_first_stop_may_begin_at_once", "shard-1/n4/stop", NULL, NULL, NULL},
    {"the_next_stop_waits_while_a_node_is_down", "shard-2/n5/stop", "first-replica-down", NULL,
        "all_reachable"},
    {"the_next_stop_waits_while_others_see_it_failing", "shard-2/n5/stop", "first-replica-down",
        NULL, "views_agree"},
    {"the_next_stop_waits_while_a_node_copies", "shard-2/n5/stop", NULL, SYNCING,
        "replicas_synced"},
    {"the_next_stop_waits_for_redundancy", "shard-2/n5/stop", NULL, SYNCING, "redundancy"},
    {"the_next_stop_may_begin_when_the_first_is_well", "shard-2/n5/stop", NULL,
        "{\"n4\": {" NEW "}}", NULL},
    {"a_stopped_node_may_start", "shard-1/n4/start", "first-replica-down", NULL, NULL},
    {"a_stop_is_refused_after_a_failed_save", "shard-1/n4/stop", NULL,
        "{\"n4\": {\"is_last_write_good\": false}}", "no_saving"},
    {"a_stop_is_refused_when_a_setting_would_be_lost", "shard-1/n4/stop", NULL,
        "{\"n4\": {\"drift\": {\"maxmemory\": {\"setting\": \"maxmemory\", \"live\": \"1\"}}}}",
        "no_drift"},
    {"a_stop_ignores_the_settings_of_the_run", "shard-1/n4/stop", NULL,
        "{\"n4\": {\"drift\": {\"repl-backlog-size\": {\"setting\": \"repl-backlog-size\"}}}}",
        NULL},
    {"a_stop_asks_when_the_node_was_promoted", "shard-1/n4/stop", "switched", NULL, "assume_role"},
    {"a_stop_asks_when_the_node_was_upgraded_by_hand", "shard-1/n4/stop", NULL,
        "{\"n4\": {" NEW "}}", "assume_series"},
    {"a_setting_waits_for_a_node_that_starts", "shard-1/n4/backlog", "first-replica-down", NULL,
        "not_loading"},
    {"a_setting_need_not_wait_for_the_copy", "shard-1/n4/backlog", NULL, SYNCING, NULL},
    {"a_switchover_may_begin_when_replicas_are_new", "shard-1/switchover", "replicas-new", NULL,
        NULL},
    {"a_switchover_onto_an_old_replica_is_refused", "shard-1/switchover", NULL, NULL, "redundancy"},
    {"a_switchover_asks_when_its_target_is_old", "shard-1/switchover", NULL, NULL, "assume_series"},
    {"a_switchover_waits_for_lag", "shard-1/switchover", "replicas-new",
        "{\"n4\": {\"offset\": 1000}}", "lag_small"},
    {"a_switchover_waits_for_a_save_of_the_primary", "shard-1/switchover", "replicas-new",
        "{\"n1\": {\"is_saving\": true}}", "no_saving"},
    {"a_switchover_waits_for_keys", "shard-1/switchover", "replicas-new",
        "{\"n4\": {\"key_count\": 0}}", "key_counts_match"},
    {"a_switchover_onto_memory_alone_is_refused", "shard-1/switchover", "replicas-new",
        "{\"n4\": {\"is_persistent\": false}}", "persistent_primary"},
    {"finalize_may_begin_when_all_is_switched", "shard-1/n1/stop", "switched",
        "{\"n1\": {\"busy_clients\": 0}}", NULL},
    {"finalize_waits_for_clients", "shard-1/n1/stop", "switched", "{\"n1\": {\"busy_clients\": 1}}",
        "drained"},
    {"finalize_never_stops_a_primary", "shard-1/n1/stop", "replicas-new", NULL, "assume_role"},
    {"finalize_repairs_an_old_node_that_lost_its_primary", "shard-1/n1/stop", "switched",
        "{\"n1\": {\"busy_clients\": 0, \"is_link_up\": false, \"is_syncing\": true, "
        "\"key_count\": 0}}",
        NULL},
    {"finalize_is_not_kept_by_other_broken_old_nodes", "shard-2/n2/stop", "switched",
        "{\"*\": {\"busy_clients\": 0}, \"n1\": {\"is_link_up\": false, \"key_count\": 0}, "
        "\"n3\": {\"is_link_up\": false, \"key_count\": 0}}",
        NULL},
    {"finalize_waits_for_the_node_before", "shard-2/n2/stop", "switched",
        "{\"n1\": {" NEW ", \"is_link_up\": false, \"is_syncing\": true}}", "replicas_synced"},
    {"finalize_waits_for_the_keys_of_the_node_before", "shard-2/n2/stop", "switched",
        "{\"n1\": {" NEW ", \"key_count\": 0}}", "key_counts_match"},
    {"finalize_waits_while_the_node_before_is_down", "shard-2/n2/stop", "switched",
        "{\"n1\": {\"is_reachable\": false}}", "all_reachable"},
    {"finalize_waits_for_redundancy_of_what_is_new", "shard-2/n2/stop", "switched",
        "{\"n1\": {" NEW ", \"is_link_up\": false}}", "redundancy"},
    {"a_node_stopped_by_finalize_may_start", "shard-1/n1/start", "switched",
        "{\"n1\": {\"is_reachable\": false, \"id\": null, \"role\": null, \"views\": []}}", NULL},
};

static void read_moment(const char *moment, const char *nodes, struct story *ret_now)
{
    AUTO_ARENA arena = {0};
    const char *patch = nodes == NULL ? NULL : arena_format(&arena, "{\"nodes\": %s}", nodes);
    const char *request =
        moment == NULL ? NULL : arena_format(&arena, "{\"moment\": \"%s\"}", moment);
    story_init(ret_now, patch, request);
}

/* Evaluates gates against the facts; counts those that are not yes, and those of this name. */
static size_t count_refusals(struct story *now, const struct plan_gate *gates, size_t count,
    const char *name, bool *is_named)
{
    size_t refused = 0;
    for (size_t i = 0; i < count; i++) {
        const struct gate_input input = {&now->facts, &now->rules, gates[i].args, &now->arena};
        const struct gate_ops *gate = gate_find(gates[i].name);
        assert_non_null(gate);
        const struct gate_answer answer = gate->eval(&input);
        if (answer.state != GATE_YES) {
            refused++;
            *is_named |= text_equal(gates[i].name, name);
            if (name == NULL) {
                print_error("%s: %s\n", answer.gate, answer.reason);
            }
        }
    }
    return refused;
}

static void gates_answer_at_that_moment(void **state)
{
    const struct moment_case *moment = *state;
    AUTO_STORY planned;
    story_init(&planned, NULL, NULL);
    AUTO_PLAN plan = {0};
    make_plan(&planned, &plan);
    const struct plan_step *step = plan_find_step(&plan, moment->step, NULL);
    assert_non_null(step);
    AUTO_STORY now;
    read_moment(moment->moment, moment->nodes, &now);

    bool is_named = false;
    const size_t refused =
        count_refusals(
            &now, step->assumptions, step->assumption_count, moment->refused, &is_named) +
        count_refusals(&now, step->gates, step->gate_count, moment->refused, &is_named);

    if (moment->refused == NULL) {
        assert_int_equal(refused, 0);
    } else {
        assert_true(is_named);
    }
}

/* 6.0 drops what it does not know of its newer primary's commands: the pause point is reached. */
static void switchovers_end_although_an_old_node_holds_less(void **UNUSED(state))
{
    AUTO_STORY planned;
    story_init(&planned, NULL, NULL);
    AUTO_PLAN plan = {0};
    make_plan(&planned, &plan);
    AUTO_STORY now;
    read_moment("switched", "{\"n1\": {\"key_count\": 10}}", &now);
    const struct plan_phase *phase = &plan.phases[plan.phase_count - 2];
    bool is_named = false;

    assert_string_equal(phase->name, "switchover");
    assert_int_equal(count_refusals(&now, phase->after, phase->after_count, NULL, &is_named), 0);
    assert_int_equal(
        count_refusals(&now, plan.during, plan.during_count, "way_back_fed", &is_named), 1);
    assert_true(is_named);
}

static void finalize_may_open_with_a_broken_way_back(void **UNUSED(state))
{
    AUTO_STORY planned;
    story_init(&planned, NULL, NULL);
    AUTO_PLAN plan = {0};
    make_plan(&planned, &plan);
    AUTO_STORY now;
    read_moment("switched", LOST, &now);
    const struct plan_phase *finalize = &plan.phases[plan.phase_count - 1];
    bool is_named = false;

    assert_string_equal(finalize->name, "finalize");
    assert_int_equal(
        count_refusals(&now, finalize->before, finalize->before_count, NULL, &is_named), 0);
    assert_true(count_refusals(&now, finalize->after, finalize->after_count, "replicas_synced",
                    &is_named) > 0);
    assert_true(is_named);
}

/* Each `after` names an earlier step; every step that takes a node out is followed by its start. */
static void steps_are_in_order(void **UNUSED(state))
{
    AUTO_STORY story;
    story_init(&story, NULL, "{\"base\": \"facts-two-replicas.json\"}");
    AUTO_PLAN plan = {0};
    make_plan(&story, &plan);
    for (size_t p = 0; p < plan.phase_count; p++) {
        for (size_t s = 0; s < plan.phases[p].step_count; s++) {
            const struct plan_step *step = &plan.phases[p].steps[s];
            for (size_t a = 0; a < step->after_count; a++) {
                const struct plan_step *earlier = plan_find_step(&plan, step->after[a], NULL);
                assert_non_null(earlier);
                assert_true(earlier < step);
            }
            if (step->takes_out) {
                assert_string_equal(step->kind, "service.stop");
                assert_int_equal(step->takes_count, 2);
                assert_string_equal(step[2].kind, "service.start");
                assert_string_equal(step[2].node, step->node);
            }
            assert_true(step->ends_way_back ==
                        (text_equal(plan.phases[p].name, "finalize") && step->takes_out));
        }
    }
}

/* Two elections at once compete for the votes of one epoch. */
static void switchovers_follow_one_another(void **UNUSED(state))
{
    AUTO_STORY story;
    story_init(&story, NULL, NULL);
    AUTO_PLAN plan = {0};
    make_plan(&story, &plan);
    const struct plan_phase *phase = &plan.phases[plan.phase_count - 2];
    assert_string_equal(phase->name, "switchover");
    assert_int_equal(phase->step_count, 3);
    for (size_t i = 1; i < phase->step_count; i++) {
        assert_int_equal(phase->steps[i].after_count, 1);
        assert_string_equal(phase->steps[i].after[0], phase->steps[i - 1].id);
    }
}

static void a_plan_outlives_its_facts(void **UNUSED(state))
{
    AUTO_PLAN plan = {0};
    {
        AUTO_STORY story;
        story_init(&story, NULL, NULL);
        make_plan(&story, &plan);
    }
    AUTO_JSON value = plan_to_json(&plan);
    AUTO_FREE char *bytes = js_write(value);
    AUTO_FREE char *expected = plan_bytes(NULL);
    assert_string_equal(bytes, expected);
}

static void a_cluster_at_the_target_has_nothing_to_do_even_when_unwell(void **UNUSED(state))
{
    AUTO_STORY story;
    story_init(&story, "{\"nodes\": {\"*\": {" NEW "}, \"n4\": {\"is_link_up\": false}}}", NULL);
    AUTO_PLAN plan = {0};
    make_plan(&story, &plan);
    assert_int_equal(plan.phase_count, 0);
    assert_string_equal(plan.request.to, "redis 7.0.15");
}

static void another_product_of_the_same_version_is_not_the_target(void **UNUSED(state))
{
    AUTO_STORY story;
    story_init(&story,
        "{\"nodes\": {\"*\": {\"version\": \"7.0.15\", \"product\": \"valkey\", "
        "\"series\": \"valkey/8.1\"}}}",
        NULL);
    AUTO_PLAN plan = {0};
    struct plan_refusal refusal;
    assert_false(rolling_plan(&story.rolling, &story.arena, &plan, &refusal));
    assert_true(refusal.answer_count > 0);
}

static void a_node_that_is_down_is_not_taken_for_upgraded(void **UNUSED(state))
{
    AUTO_STORY story;
    story_init(&story, "{\"nodes\": {\"*\": {" NEW "}, \"n4\": {\"is_reachable\": false}}}", NULL);
    AUTO_PLAN plan = {0};
    struct plan_refusal refusal;
    assert_false(rolling_plan(&story.rolling, &story.arena, &plan, &refusal));
    assert_int_equal(refusal.answer_count, 1);
    assert_string_equal(refusal.answers[0].gate, "all_reachable");
}

/* They name no target: what they have done cannot be told from facts. */
static void what_changes_no_version_is_not_planned_anew(void **UNUSED(state))
{
    const char *const actions[] = {"restart", "switchover"};
    const enum revise_why whys[] = {REVISE_WORLD, REVISE_BACK, REVISE_FORWARD};
    for (size_t i = 0; i < ARRAY_COUNT(actions) * ARRAY_COUNT(whys); i++) {
        AUTO_ARENA arena = {0};
        struct plan present = {.direction = "forward", .request = {.action = actions[i % 2]}};
        const struct revise_request request = {.why = whys[i / 2], .plan = &present};
        AUTO_PLAN plan = {0};
        struct revise_result result;
        struct plan_refusal refusal;
        assert_false(revise_plan(&request, &arena, &plan, &result, &refusal));
        assert_int_equal(refusal.answer_count, 1);
        assert_int_equal(refusal.answers[0].state, GATE_NEVER);
        assert_non_null(strstr(refusal.answers[0].reason, actions[i % 2]));
        assert_non_null(strstr(refusal.answers[0].remedy, "upshift abort"));
    }
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(what_changes_no_version_is_not_planned_anew),
        cmocka_unit_test(irrelevant_facts_give_the_same_bytes),
        cmocka_unit_test(relevant_facts_give_other_bytes),
        cmocka_unit_test(switchovers_end_although_an_old_node_holds_less),
        cmocka_unit_test(finalize_may_open_with_a_broken_way_back),
        cmocka_unit_test(steps_are_in_order),
        cmocka_unit_test(switchovers_follow_one_another),
        cmocka_unit_test(a_plan_outlives_its_facts),
        cmocka_unit_test(a_cluster_at_the_target_has_nothing_to_do_even_when_unwell),
        cmocka_unit_test(another_product_of_the_same_version_is_not_the_target),
        cmocka_unit_test(a_node_that_is_down_is_not_taken_for_upgraded),
    };
    struct CMUnitTest tests[ARRAY_COUNT(moments) + ARRAY_COUNT(others)];
    for (size_t i = 0; i < ARRAY_COUNT(moments); i++) {
        union {
            const struct moment_case *in;
            void *out; /* cmocka's state is not const */
        } state = {.in = &moments[i]};
        tests[i] = (struct CMUnitTest){.name = moments[i].title,
            .test_func = gates_answer_at_that_moment,
            .initial_state = state.out};
    }
    memcpy(tests + ARRAY_COUNT(moments), others, sizeof(others));
    return cmocka_run_group_tests_name("rolling", tests, NULL, NULL);
}
