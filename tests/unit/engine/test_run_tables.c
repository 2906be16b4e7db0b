/* The tables of engine.md 2.1 and 2.2: every pair has one answer, and the legal ones are these. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "engine/run.h"

static void each_state_and_event_has_at_most_one_transition(void **UNUSED(state))
{
    for (size_t i = 0; i < run_transition_count; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_false(run_transitions[i].from == run_transitions[j].from &&
                         run_transitions[i].event == run_transitions[j].event);
        }
    }
}

static void nothing_leads_out_of_a_final_state(void **UNUSED(state))
{
    for (size_t i = 0; i < run_transition_count; i++) {
        assert_false(run_status_is_final(run_transitions[i].from));
    }
}

static void all_states_are_reached_from_planned(void **UNUSED(state))
{
    bool is_reached[RUN_COMPLETE + 1] = {[RUN_PLANNED] = true};
    for (int round = 0; round <= RUN_COMPLETE; round++) {
        for (size_t i = 0; i < run_transition_count; i++) {
            if (is_reached[run_transitions[i].from]) {
                is_reached[run_transitions[i].to] = true;
            }
        }
    }
    for (int status = 0; status <= RUN_COMPLETE; status++) {
        assert_true(is_reached[status]);
    }
}

static void every_command_has_an_answer_in_every_state(void **UNUSED(state))
{
    for (int status = 0; status <= RUN_COMPLETE; status++) {
        for (int command = 0; command <= RUN_COMMAND_FINALIZE; command++) {
            const struct run_rule *rule =
                run_find_rule((enum run_status)status, (enum run_command)command);
            enum run_status to;
            if (rule->verdict == RUN_DO) {
                assert_true(run_next_status((enum run_status)status, rule->event, &to));
            } else {
                assert_non_null(rule->text);
            }
        }
    }
}

static void commands_do_what_the_contract_says(void **UNUSED(state))
{
    static const struct {
        enum run_status status;
        enum run_verdict verdicts[4]; /* resume, pause, abort, finalize */
    } wanted[] = {
        {RUN_PLANNED, {RUN_REFUSE, RUN_DO, RUN_DO, RUN_REFUSE}},
        {RUN_RUNNING, {RUN_NOTHING, RUN_DO, RUN_DO, RUN_REFUSE}},
        {RUN_PAUSING, {RUN_DO, RUN_NOTHING, RUN_DO, RUN_REFUSE}},
        {RUN_PAUSED, {RUN_DO, RUN_NOTHING, RUN_DO, RUN_REFUSE}},
        {RUN_ABORTING, {RUN_REFUSE, RUN_NOTHING, RUN_NOTHING, RUN_REFUSE}},
        {RUN_ABORTED, {RUN_REFUSE, RUN_NOTHING, RUN_NOTHING, RUN_REFUSE}},
        {RUN_SOAKING, {RUN_NOTHING, RUN_REFUSE, RUN_DO, RUN_DO}},
        {RUN_REFUSED, {RUN_REFUSE, RUN_REFUSE, RUN_REFUSE, RUN_REFUSE}},
        {RUN_COMPLETE, {RUN_REFUSE, RUN_REFUSE, RUN_REFUSE, RUN_NOTHING}},
    };
    for (size_t i = 0; i < ARRAY_COUNT(wanted); i++) {
        for (int command = 0; command < 4; command++) {
            assert_int_equal(run_find_rule(wanted[i].status, (enum run_command)command)->verdict,
                wanted[i].verdicts[command]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_and_event_has_at_most_one_transition),
        cmocka_unit_test(nothing_leads_out_of_a_final_state),
        cmocka_unit_test(all_states_are_reached_from_planned),
        cmocka_unit_test(every_command_has_an_answer_in_every_state),
        cmocka_unit_test(commands_do_what_the_contract_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
