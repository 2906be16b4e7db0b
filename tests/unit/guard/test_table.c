/* The states of a cut-over and the decision about one that was left behind: every pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "guard/table.h"

static void the_happy_path_is_one_line(void **UNUSED(state))
{
    static const enum guard_state path[] = {GUARD_PREPARED, GUARD_ARMED, GUARD_FENCED, GUARD_PROVEN,
        GUARD_COMMITTED, GUARD_FLIPPED, GUARD_RELEASED};
    for (size_t i = 0; i + 1 < ARRAY_COUNT(path); i++) {
        assert_int_equal(guard_next(path[i], GUARD_DONE), path[i + 1]);
    }
    assert_int_equal(guard_next(GUARD_BACKING, GUARD_DONE), GUARD_RELEASED_BACK);
}

/* Nothing may pass the proof or the disarmed timer. */
static void nobody_commits_but_by_what_is_proven(void **UNUSED(state))
{
    for (int from = 0; from < GUARD_STATE_COUNT; from++) {
        for (int event = 0; event < GUARD_EVENT_COUNT; event++) {
            const enum guard_state to = guard_next((enum guard_state)from, (enum guard_event)event);
            if (to == GUARD_COMMITTED && from != GUARD_COMMITTED) {
                assert_int_equal(from, GUARD_PROVEN);
                assert_int_equal(event, GUARD_DONE);
            }
            if (to == GUARD_FLIPPED && from != GUARD_FLIPPED) {
                assert_int_equal(from, GUARD_COMMITTED);
                assert_int_equal(event, GUARD_DONE);
            }
        }
    }
}

static void before_the_commit_every_trouble_ends_in_going_back(void **UNUSED(state))
{
    static const enum guard_state held[] = {GUARD_ARMED, GUARD_FENCED, GUARD_PROVEN};
    for (size_t i = 0; i < ARRAY_COUNT(held); i++) {
        assert_int_equal(guard_next(held[i], GUARD_TOO_LATE), GUARD_BACKING);
        assert_int_equal(guard_next(held[i], GUARD_RIVAL), GUARD_BACKING);
        assert_int_equal(guard_next(held[i], GUARD_REFUSED), GUARD_BACKING);
    }
    assert_int_equal(guard_next(GUARD_PROVEN, GUARD_FAILED), GUARD_BACKING); /* the timer fired */
    for (int event = GUARD_FAILED; event < GUARD_EVENT_COUNT; event++) {
        assert_int_equal(guard_next(GUARD_PREPARED, (enum guard_event)event), GUARD_RELEASED_BACK);
    }
}

static void after_the_commit_only_a_refused_promotion_or_a_rival_goes_back(void **UNUSED(state))
{
    assert_int_equal(guard_next(GUARD_COMMITTED, GUARD_REFUSED), GUARD_BACKING);
    assert_int_equal(guard_next(GUARD_COMMITTED, GUARD_RIVAL), GUARD_BACKING);
    assert_int_equal(guard_next(GUARD_COMMITTED, GUARD_FAILED), GUARD_COMMITTED);
    assert_int_equal(guard_next(GUARD_COMMITTED, GUARD_TOO_LATE), GUARD_STUCK);
    for (int event = 0; event < GUARD_EVENT_COUNT; event++) {
        assert_int_not_equal(guard_next(GUARD_FLIPPED, (enum guard_event)event), GUARD_BACKING);
    }
}

static void what_has_ended_stays(void **UNUSED(state))
{
    for (int from = 0; from < GUARD_STATE_COUNT; from++) {
        for (int event = 0; event < GUARD_EVENT_COUNT; event++) {
            if (guard_is_final((enum guard_state)from)) {
                assert_int_equal(guard_next((enum guard_state)from, (enum guard_event)event), from);
            }
        }
    }
    assert_non_null(guard_state_names[GUARD_STATE_COUNT - 1]);
    assert_null(guard_state_names[GUARD_STATE_COUNT]);
    assert_null(guard_event_names[GUARD_EVENT_COUNT]);
    assert_null(guard_verdict_names[GUARD_VERDICT_COUNT]);
}

enum { SEEN = 1, UNSEEN = 0 };

static const struct verdict_case {
    struct guard_scene scene;
    enum guard_verdict verdict;
} verdicts[] = {
    /* P writable or fenced, N not: back, whether permission was given or not */
    {{SEEN, SEEN, FACT_ROLE_PRIMARY, FACT_ROLE_REPLICA, false, false, false, false}, GUARD_BACK},
    {{SEEN, SEEN, FACT_ROLE_PRIMARY, FACT_ROLE_REPLICA, true, false, false, false}, GUARD_BACK},
    {{SEEN, SEEN, FACT_ROLE_PRIMARY, FACT_ROLE_REPLICA, true, false, false, true}, GUARD_BACK},
    /* N writable, P fenced or following: forward */
    {{SEEN, SEEN, FACT_ROLE_PRIMARY, FACT_ROLE_PRIMARY, true, false, false, true}, GUARD_FORWARD},
    {{SEEN, SEEN, FACT_ROLE_PRIMARY, FACT_ROLE_PRIMARY, true, false, false, false}, GUARD_FORWARD},
    {{SEEN, SEEN, FACT_ROLE_REPLICA, FACT_ROLE_PRIMARY, true, false, false, true}, GUARD_FORWARD},
    /* both writable */
    {{SEEN, SEEN, FACT_ROLE_PRIMARY, FACT_ROLE_PRIMARY, false, false, false, true},
        GUARD_FENCE_PRIMARY},
    {{SEEN, SEEN, FACT_ROLE_PRIMARY, FACT_ROLE_PRIMARY, false, false, false, false},
        GUARD_FENCE_HEIR},
    /* one unreadable */
    {{UNSEEN, SEEN, FACT_ROLE_UNKNOWN, FACT_ROLE_REPLICA, false, false, false, true}, GUARD_ASK},
    {{UNSEEN, SEEN, FACT_ROLE_UNKNOWN, FACT_ROLE_PRIMARY, false, false, false, true}, GUARD_ASK},
    {{SEEN, UNSEEN, FACT_ROLE_PRIMARY, FACT_ROLE_UNKNOWN, true, false, false, true}, GUARD_ASK},
    {{SEEN, UNSEEN, FACT_ROLE_PRIMARY, FACT_ROLE_UNKNOWN, true, false, false, false}, GUARD_BACK},
    {{UNSEEN, UNSEEN, FACT_ROLE_UNKNOWN, FACT_ROLE_UNKNOWN, false, false, false, false}, GUARD_ASK},
    /* somebody else acted, or is about to */
    {{SEEN, SEEN, FACT_ROLE_PRIMARY, FACT_ROLE_REPLICA, true, true, false, false}, GUARD_ASK},
    {{SEEN, SEEN, FACT_ROLE_REPLICA, FACT_ROLE_REPLICA, true, true, false, false}, GUARD_ASK},
    {{SEEN, SEEN, FACT_ROLE_REPLICA, FACT_ROLE_REPLICA, false, false, false, false}, GUARD_ASK},
    {{SEEN, SEEN, FACT_ROLE_PRIMARY, FACT_ROLE_REPLICA, true, false, true, true}, GUARD_WAIT},
};

static void the_world_decides_what_was_left(void **UNUSED(state))
{
    for (size_t i = 0; i < ARRAY_COUNT(verdicts); i++) {
        const enum guard_verdict verdict = guard_decide(&verdicts[i].scene);
        if (verdict != verdicts[i].verdict) {
            fail_msg("case %zu: %s instead of %s", i, guard_verdict_names[verdict],
                guard_verdict_names[verdicts[i].verdict]);
        }
    }
}

/* Of all scenes there are: the fence is lifted only where nobody else can be taking writes. */
static void going_back_never_makes_a_second_writable_server(void **UNUSED(state))
{
    for (unsigned bits = 0; bits < 1U << 6; bits++) {
        for (int roles = 0; roles < 9; roles++) {
            const struct guard_scene scene = {(bits & 1) != 0, (bits & 2) != 0,
                (enum fact_role)(roles / 3), (enum fact_role)(roles % 3), (bits & 4) != 0,
                (bits & 8) != 0, (bits & 16) != 0, (bits & 32) != 0};
            if (guard_decide(&scene) != GUARD_BACK) {
                continue;
            }
            assert_false(scene.is_rival_primary);
            assert_false(scene.is_failing_over);
            assert_true(scene.is_heir_seen || !scene.is_committed);
            assert_false(scene.is_heir_seen && scene.heir_role == FACT_ROLE_PRIMARY);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_happy_path_is_one_line),
        cmocka_unit_test(nobody_commits_but_by_what_is_proven),
        cmocka_unit_test(before_the_commit_every_trouble_ends_in_going_back),
        cmocka_unit_test(after_the_commit_only_a_refused_promotion_or_a_rival_goes_back),
        cmocka_unit_test(what_has_ended_stays),
        cmocka_unit_test(the_world_decides_what_was_left),
        cmocka_unit_test(going_back_never_makes_a_second_writable_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
