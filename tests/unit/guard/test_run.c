/* A guard over the simulated cluster: what it does when something goes wrong, and what writers
 * lose by it: nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scene.h"

static void expect_primary(struct scene *scene, const char *primary, const char *replica)
{
    fixture_wait(&scene->fixture, SCENE_HOLD_MS); /* others hear of it */
    const struct cutover_view view = scene_view(scene, primary);
    assert_int_equal(view.role, FACT_ROLE_PRIMARY);
    assert_string_equal(view.fence, "0");
    assert_int_equal(scene_view(scene, replica).role, FACT_ROLE_REPLICA);
    assert_string_equal(scene_view(scene, replica).fence, "0");
    assert_true(scene_is_writable(scene));
    assert_int_equal(sim_get_counts(scene->fixture.sim).lost, 0);
    assert_false(guard_timer_is_armed(scene->base));
}

static void expect_end(struct scene *scene, enum guard_state end)
{
    assert_string_equal(guard_state_names[scene_run(scene)], guard_state_names[end]);
    if (end == GUARD_RELEASED) {
        expect_primary(scene, "n4", "n1");
    } else {
        expect_primary(scene, "n1", "n4");
    }
}

static void open_usual(struct scene *scene)
{
    scene_open(scene,
        &(struct fixture_options){.server = SERVER_7_0, .write_rate = SCENE_RATE, .lag_ms = 20});
}

static void a_cut_over_loses_nothing_and_holds_as_long_as_the_lag(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_usual(&scene);
    expect_end(&scene, GUARD_RELEASED);
    assert_true(sim_get_counts(scene.fixture.sim).stall_ms_max <= 50);
}

static void an_heir_that_lags_is_not_promoted(void **UNUSED(state))
{
    AUTO_SCENE scene;
    scene_open(&scene,
        &(struct fixture_options){.server = SERVER_7_0, .write_rate = SCENE_RATE, .lag_ms = 4000});
    expect_end(&scene, GUARD_RELEASED_BACK);
    assert_true(sim_get_counts(scene.fixture.sim).stall_ms_max <= SCENE_HOLD_MS);
}

static void a_lost_answer_to_the_hold_is_undone(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_usual(&scene);
    sim_fail_next(scene.fixture.sim, "cutover.hold", "n1", SIM_FAULT_DROP_REPLY, 0);
    expect_end(&scene, GUARD_RELEASED_BACK);
}

static void a_refused_promotion_goes_back(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_usual(&scene);
    sim_fail_next(scene.fixture.sim, "cutover.promote", "n4", SIM_FAULT_REFUSE, 0);
    expect_end(&scene, GUARD_RELEASED_BACK);
}

static void a_lost_answer_to_the_promotion_is_looked_at(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_usual(&scene);
    sim_fail_next(scene.fixture.sim, "cutover.promote", "n4", SIM_FAULT_DROP_REPLY, 0);
    expect_end(&scene, GUARD_RELEASED);
}

static void a_release_that_fails_is_tried_again(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_usual(&scene);
    sim_fail_next(scene.fixture.sim, "cutover.unfence", "n1", SIM_FAULT_REFUSE, 0);
    sim_fail_next(scene.fixture.sim, "cutover.release", "n1", SIM_FAULT_DROP_REPLY, 0);
    expect_end(&scene, GUARD_RELEASED);
}

static void fire_timer(struct scene *scene)
{
    assert_true(guard_timer_disarm(scene->base)); /* whoever removes it may act */
}

static void who_finds_the_timer_fired_does_not_promote(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_usual(&scene);
    scene.trouble_at = GUARD_PROVEN;
    scene.trouble = fire_timer;
    expect_end(&scene, GUARD_RELEASED_BACK);
}

static void lift_fence_by_hand(struct scene *scene)
{
    fixture_set(&scene->fixture, "n1", "min-replicas-to-write", "0");
}

static void a_fence_that_somebody_lifts_is_noticed_before_the_commit(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_usual(&scene);
    scene.trouble_at = GUARD_FENCED;
    scene.trouble = lift_fence_by_hand;
    expect_end(&scene, GUARD_RELEASED_BACK);
}

static void freeze_for_long(struct scene *scene)
{
    fixture_wait(&scene->fixture, SCENE_HOLD_MS);
}

static void who_was_frozen_before_the_hold_does_not_hold(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_usual(&scene);
    scene.trouble_at = GUARD_ARMED;
    scene.trouble = freeze_for_long;
    expect_end(&scene, GUARD_RELEASED_BACK);
    assert_true(sim_get_counts(scene.fixture.sim).stall_ms_max <= 50);
}

static struct err *start_slowly(void *context, const struct guard_config *config)
{
    struct scene *scene = context;
    fixture_wait(&scene->fixture, SCENE_HOLD_MS * 3 / 4);
    return scene_take_timer_lock(scene, config);
}

static void a_timer_that_starts_slowly_is_not_relied_on(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_usual(&scene);
    scene.env.start_timer = start_slowly;
    expect_end(&scene, GUARD_RELEASED_BACK);
    assert_true(sim_get_counts(scene.fixture.sim).stall_ms_max <= 50);
}

static void who_comes_too_late_does_not_begin(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_usual(&scene);
    scene.config.start_before_ms = 1;
    expect_end(&scene, GUARD_RELEASED_BACK);
    assert_true(sim_get_counts(scene.fixture.sim).stall_ms_max <= 50);
}

static void crash_heir(struct scene *scene)
{
    sim_crash_node(scene->fixture.sim, "n4");
}

static void an_heir_that_dies_after_the_commit_leaves_a_question(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_usual(&scene);
    scene.trouble_at = GUARD_COMMITTED;
    scene.trouble = crash_heir;
    assert_string_equal(guard_state_names[scene_run(&scene)], guard_state_names[GUARD_STUCK]);
    assert_true(scene_view(&scene, "n1").is_fenced); /* the heir may have been promoted */
    assert_int_equal(sim_get_counts(scene.fixture.sim).lost, 0);
}

static void an_unknown_server_in_the_order_is_refused(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_usual(&scene);
    scene.config.heir = "n9";
    expect_end(&scene, GUARD_RELEASED_BACK);
}

/* Whatever goes wrong with calls: one of the ends, and never a lost write. */
static void no_seed_of_faults_loses_a_write(void **UNUSED(state))
{
    int ends[GUARD_STATE_COUNT] = {0};
    for (uint64_t seed = 1; seed <= 300; seed++) {
        AUTO_SCENE scene;
        scene_open(&scene,
            &(struct fixture_options){
                .server = SERVER_7_0, .seed = seed, .write_rate = SCENE_RATE, .lag_ms = 20});
        sim_set_faults(scene.fixture.sim,
            (struct sim_faults){
                .drop_reply_pct = 10, .refuse_pct = 10, .delay_pct = 10, .crash_pct = 0});
        const enum guard_state end = scene_run(&scene);
        sim_set_faults(scene.fixture.sim, (struct sim_faults){0});
        ends[end]++;
        if (end == GUARD_STUCK) {
            scene_write_state(&scene, GUARD_STUCK);
            AUTO_ERR err = scene_settle(&scene);
            assert_null(err);
        }
        fixture_wait(&scene.fixture, SCENE_HOLD_MS);
        assert_true(scene_is_writable(&scene));
        assert_int_equal(sim_get_counts(scene.fixture.sim).lost, 0);
    }
    assert_true(ends[GUARD_RELEASED] > 0 && ends[GUARD_RELEASED_BACK] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_over_loses_nothing_and_holds_as_long_as_the_lag),
        cmocka_unit_test(an_heir_that_lags_is_not_promoted),
        cmocka_unit_test(a_lost_answer_to_the_hold_is_undone),
        cmocka_unit_test(a_refused_promotion_goes_back),
        cmocka_unit_test(a_lost_answer_to_the_promotion_is_looked_at),
        cmocka_unit_test(a_release_that_fails_is_tried_again),
        cmocka_unit_test(who_finds_the_timer_fired_does_not_promote),
        cmocka_unit_test(a_fence_that_somebody_lifts_is_noticed_before_the_commit),
        cmocka_unit_test(who_was_frozen_before_the_hold_does_not_hold),
        cmocka_unit_test(a_timer_that_starts_slowly_is_not_relied_on),
        cmocka_unit_test(who_comes_too_late_does_not_begin),
        cmocka_unit_test(an_heir_that_dies_after_the_commit_leaves_a_question),
        cmocka_unit_test(an_unknown_server_in_the_order_is_refused),
        cmocka_unit_test(no_seed_of_faults_loses_a_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
