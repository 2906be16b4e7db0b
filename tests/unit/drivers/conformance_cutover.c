#include "conformance_cutover.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"

enum { CALL_MS = 5000, HOLD_MS = 500, PATIENCE_MS = 10000, POLL_MS = 10 };

static struct call begin_call(const struct cutover_fixture *fixture)
{
    return (struct call){
        .clock = fixture->clock, .deadline_ms = clock_now_ms(fixture->clock) + CALL_MS};
}

static void expect_done(struct err *err)
{
    if (err != NULL) {
        AUTO_FREE char *text = err_text(err);
        err_free(err);
        fail_msg("%s", text);
    }
}

static struct cutover_session *open_session(const struct cutover_fixture *fixture)
{
    const struct call call = begin_call(fixture);
    struct cutover_session *session = NULL;
    expect_done(cutover_open(&call, fixture->cutover, &fixture->parties, &session));
    return session;
}

static struct cutover_view look_at_one(const struct cutover_fixture *fixture,
    struct cutover_session *session, const struct inv_node *node)
{
    const struct call call = begin_call(fixture);
    struct cutover_view view = {0};
    expect_done(cutover_look(&call, session, node, &view));
    return view;
}

static void each_says_its_role_and_whom_it_follows(void **state)
{
    const struct cutover_fixture *fixture = *state;
    AUTO_CUTOVER_SESSION session = open_session(fixture);
    const struct cutover_view primary = look_at_one(fixture, session, fixture->parties.primary);
    const struct cutover_view heir = look_at_one(fixture, session, fixture->parties.heir);
    assert_int_equal(primary.role, FACT_ROLE_PRIMARY);
    assert_null(primary.primary);
    assert_false(primary.is_fenced);
    assert_string_not_equal(primary.fence, "");
    assert_int_equal(heir.role, FACT_ROLE_REPLICA);
    assert_ptr_equal(heir.primary, fixture->parties.primary);
    assert_true(heir.is_link_up);
}

static void preparing_changes_nothing(void **state)
{
    const struct cutover_fixture *fixture = *state;
    AUTO_CUTOVER_SESSION session = open_session(fixture);
    const struct call call = begin_call(fixture);
    expect_done(cutover_prepare(&call, session));
    assert_false(look_at_one(fixture, session, fixture->parties.primary).is_fenced);
}

/* Holds, and gives back; the fence is lifted only where it still is ours. */
static void a_hold_fences_until_it_is_taken_back(void **state)
{
    const struct cutover_fixture *fixture = *state;
    const struct inv_node *primary = fixture->parties.primary;
    AUTO_CUTOVER_SESSION session = open_session(fixture);
    const struct call call = begin_call(fixture);
    int64_t offset = -1;
    char before[CUTOVER_FENCE_SIZE];
    (void)snprintf(before, sizeof(before), "%s", look_at_one(fixture, session, primary).fence);
    expect_done(cutover_prepare(&call, session));
    expect_done(cutover_hold(&call, session, HOLD_MS, &offset));
    const struct cutover_view held = look_at_one(fixture, session, primary);
    assert_true(held.is_fenced);
    assert_true(offset >= 0 && held.offset >= offset);
    expect_done(cutover_unfence(&call, session, primary, before));
    expect_done(cutover_unfence(&call, session, primary, "7")); /* not ours any more */
    assert_string_equal(look_at_one(fixture, session, primary).fence, before);
    expect_done(cutover_release(&call, session));
    expect_done(cutover_release(&call, session));
    clock_wait_ms(fixture->clock, HOLD_MS);
}

static void a_fence_alone_is_seen_and_lifted(void **state)
{
    const struct cutover_fixture *fixture = *state;
    const struct inv_node *heir = fixture->parties.heir;
    AUTO_CUTOVER_SESSION session = open_session(fixture);
    const struct call call = begin_call(fixture);
    expect_done(cutover_fence(&call, session, heir));
    assert_true(look_at_one(fixture, session, heir).is_fenced);
    expect_done(cutover_unfence(&call, session, heir, "0"));
    assert_false(look_at_one(fixture, session, heir).is_fenced);
}

static void a_promoted_heir_is_followed(void **state)
{
    const struct cutover_fixture *fixture = *state;
    const struct cutover_parties *parties = &fixture->parties;
    AUTO_CUTOVER_SESSION session = open_session(fixture);
    const struct call call = begin_call(fixture);
    struct cutover_watch watch = {0};
    expect_done(cutover_promote(&call, session));
    expect_done(cutover_promote(&call, session)); /* may be repeated */
    assert_int_equal(look_at_one(fixture, session, parties->heir).role, FACT_ROLE_PRIMARY);
    expect_done(cutover_follow(&call, session, parties->primary));
    expect_done(cutover_follow(&call, session, parties->primary));
    const int64_t until_ms = clock_now_ms(fixture->clock) + PATIENCE_MS;
    while (!look_at_one(fixture, session, parties->primary).is_link_up) {
        assert_true(clock_now_ms(fixture->clock) < until_ms);
        clock_wait_ms(fixture->clock, POLL_MS);
    }
    const struct cutover_view old = look_at_one(fixture, session, parties->primary);
    assert_int_equal(old.role, FACT_ROLE_REPLICA);
    assert_ptr_equal(old.primary, parties->heir);
    expect_done(cutover_watch(&call, session, &watch));
    assert_true(watch.is_published && !watch.is_failing_over);
}

int conformance_cutover_run(struct cutover_fixture *fixture)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(each_says_its_role_and_whom_it_follows, fixture),
        cmocka_unit_test_prestate(preparing_changes_nothing, fixture),
        cmocka_unit_test_prestate(a_hold_fences_until_it_is_taken_back, fixture),
        cmocka_unit_test_prestate(a_fence_alone_is_seen_and_lifted, fixture),
        cmocka_unit_test_prestate(a_promoted_heir_is_followed, fixture),
    };
    return cmocka_run_group_tests_name("cutover", tests, NULL, NULL);
}
