/* After a guard that died somewhere: the world decides, and nothing stays held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "guard/acts.h"
#include "scene.h"

static void open_held(struct scene *scene, enum guard_state died_at)
{
    scene_open(scene,
        &(struct fixture_options){.server = SERVER_7_0, .write_rate = SCENE_RATE, .lag_ms = 20});
    AUTO_CUTOVER_SESSION session = scene_session(scene);
    int64_t offset = 0;
    AUTO_ERR armed = guard_timer_arm(scene->base);
    AUTO_ERR held = cutover_hold(&scene->fixture.call, session, SCENE_HOLD_MS, &offset);
    assert_true(armed == NULL && held == NULL);
    fixture_wait(&scene->fixture, 50); /* the heir has all */
    for (int at = GUARD_PREPARED; at <= (int)died_at; at++) {
        scene_write_state(scene, (enum guard_state)at);
    }
}

static void promote_now(struct scene *scene)
{
    AUTO_CUTOVER_SESSION session = scene_session(scene);
    AUTO_ERR err = cutover_promote(&scene->fixture.call, session);
    assert_null(err);
}

static void expect_settled(struct scene *scene, const char *primary)
{
    AUTO_ERR err = scene_settle(scene);
    assert_null(err);
    assert_int_equal(scene_view(scene, primary).role, FACT_ROLE_PRIMARY);
    assert_string_equal(scene_view(scene, "n1").fence, "0");
    assert_false(guard_timer_is_armed(scene->base)); /* it would lift a later fence */
    assert_true(scene_is_writable(scene));
    assert_int_equal(sim_get_counts(scene->fixture.sim).lost, 0);
}

static void a_server_that_the_cluster_does_not_have_is_refused(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_held(&scene, GUARD_FENCED);
    scene.config.heir = "n9";
    AUTO_ERR err = scene_settle(&scene);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_INVALID);
    assert_string_equal(err->what, "the order names no servers");
}

static void fenced_goes_back(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_held(&scene, GUARD_FENCED);
    expect_settled(&scene, "n1");
}

static void committed_but_not_promoted_goes_back(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_held(&scene, GUARD_COMMITTED);
    expect_settled(&scene, "n1");
}

static void promoted_goes_forward(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_held(&scene, GUARD_COMMITTED);
    promote_now(&scene);
    expect_settled(&scene, "n4");
    assert_int_equal(scene_view(&scene, "n1").role, FACT_ROLE_REPLICA);
}

static void settling_twice_changes_nothing(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_held(&scene, GUARD_PROVEN);
    expect_settled(&scene, "n1");
    expect_settled(&scene, "n1");
}

static void what_has_ended_by_itself_is_left_alone(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_held(&scene, GUARD_PROVEN);
    scene_write_state(&scene, GUARD_BACKING);
    scene_write_state(&scene, GUARD_RELEASED_BACK);
    AUTO_ERR err = scene_settle(&scene);
    assert_null(err);
    assert_true(scene_view(&scene, "n1").is_fenced); /* by somebody else, then */
}

static void where_no_guard_was_nothing_is_touched(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_held(&scene, GUARD_FENCED);
    scene.config.step = "another";
    AUTO_ERR err = scene_settle(&scene);
    assert_null(err);
    assert_true(scene_view(&scene, "n1").is_fenced);
}

/* Both take writes: the one without permission is fenced, a human asked. */
static void expect_fenced(struct scene *scene, const char *fenced, const char *open)
{
    promote_now(scene);
    fixture_set(&scene->fixture, "n1", "min-replicas-to-write", "0");
    AUTO_ERR err = scene_settle(scene);
    assert_non_null(err);
    assert_string_equal(err->code, "cutover_unclear");
    assert_non_null(strstr(err->what, "offset"));
    assert_true(scene_view(scene, fenced).is_fenced);
    assert_false(scene_view(scene, open).is_fenced);
}

static void of_two_that_take_writes_the_old_one_is_fenced_after_a_commit(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_held(&scene, GUARD_COMMITTED);
    expect_fenced(&scene, "n1", "n4");
}

static void of_two_that_take_writes_the_heir_is_fenced_without_a_commit(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_held(&scene, GUARD_PROVEN);
    expect_fenced(&scene, "n4", "n1");
}

static void nobody_is_unfenced_beside_another_primary(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_held(&scene, GUARD_FENCED);
    AUTO_CUTOVER_SESSION session = scene_session(&scene);
    const struct guard_hands hands = {
        .call = scene.fixture.call, .session = session, .fence_before = "0"};
    promote_now(&scene); /* not by us; the old primary has not heard of it yet */
    enum guard_event event = GUARD_DONE;
    struct err *first = NULL;
    guard_go_back(&hands, &event, &first);
    err_free(first);
    assert_int_equal(event, GUARD_RIVAL);
    assert_true(scene_view(&scene, "n1").is_fenced);
    fixture_wait(&scene.fixture, SCENE_HOLD_MS); /* it follows now */
    struct err *second = NULL;
    guard_go_back(&hands, &event, &second);
    assert_null(second);
    assert_int_equal(event, GUARD_DONE);
    assert_false(scene_view(&scene, "n1").is_fenced);
}

static void a_silent_heir_after_a_commit_is_a_question(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_held(&scene, GUARD_COMMITTED);
    sim_crash_node(scene.fixture.sim, "n4");
    AUTO_ERR err = scene_settle(&scene);
    assert_non_null(err);
    assert_string_equal(err->code, "cutover_unclear");
    assert_non_null(strstr(err->what, "n4 is unreachable"));
    assert_true(scene_view(&scene, "n1").is_fenced);
}

static void a_silent_heir_before_the_commit_holds_nobody_up(void **UNUSED(state))
{
    AUTO_SCENE scene;
    open_held(&scene, GUARD_PROVEN);
    sim_crash_node(scene.fixture.sim, "n4");
    expect_settled(&scene, "n1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_the_cluster_does_not_have_is_refused),
        cmocka_unit_test(fenced_goes_back),
        cmocka_unit_test(committed_but_not_promoted_goes_back),
        cmocka_unit_test(promoted_goes_forward),
        cmocka_unit_test(settling_twice_changes_nothing),
        cmocka_unit_test(what_has_ended_by_itself_is_left_alone),
        cmocka_unit_test(where_no_guard_was_nothing_is_touched),
        cmocka_unit_test(of_two_that_take_writes_the_old_one_is_fenced_after_a_commit),
        cmocka_unit_test(of_two_that_take_writes_the_heir_is_fenced_without_a_commit),
        cmocka_unit_test(nobody_is_unfenced_beside_another_primary),
        cmocka_unit_test(a_silent_heir_after_a_commit_is_a_question),
        cmocka_unit_test(a_silent_heir_before_the_commit_holds_nobody_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
