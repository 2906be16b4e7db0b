/* The tables of engine.md 2.1 and 2.2: every pair has one answer, and the legal ones are these. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/buf.h"
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

static void only_a_rollback_leads_out_of_a_final_state(void **UNUSED(state))
{
    for (size_t i = 0; i < run_transition_count; i++) {
        const struct run_transition *row = &run_transitions[i];
        assert_true(!run_status_is_final(row->from) ||
                    (row->from == RUN_ABORTED && row->event == RUN_EVENT_ROLLBACK));
    }
}

static void all_states_are_reached_from_planned(void **UNUSED(state))
{
    bool is_reached[RUN_STATUS_COUNT] = {[RUN_PLANNED] = true};
    for (int round = 0; round < RUN_STATUS_COUNT; round++) {
        for (size_t i = 0; i < run_transition_count; i++) {
            if (is_reached[run_transitions[i].from]) {
                is_reached[run_transitions[i].to] = true;
            }
        }
    }
    for (int status = 0; status < RUN_STATUS_COUNT; status++) {
        assert_true(is_reached[status]);
    }
}

static void every_command_has_an_answer_in_every_state(void **UNUSED(state))
{
    for (int status = 0; status < RUN_STATUS_COUNT; status++) {
        for (int command = 0; command < RUN_COMMAND_COUNT; command++) {
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
        const char *verdicts; /* resume, pause, abort, finalize, rollback, reconcile, abandon */
    } wanted[] = {
        /* d: done, =: so already, x: refused */
        {RUN_PLANNED, "xddxxxx"},
        {RUN_CLAIMING, "xddxxxx"},
        {RUN_RUNNING, "=ddxdxx"},
        {RUN_PAUSING, "d=dxdxx"},
        {RUN_PAUSED, "d=dxddd"},
        {RUN_ABORTING, "x==xxxx"},
        {RUN_ABORTED, "x==xdxx"},
        {RUN_SOAKING, "=xddddx"},
        {RUN_REFUSED, "xxxxxxx"},
        {RUN_COMPLETE, "xxx=xxx"},
        {RUN_ROLLED_BACK, "xxxxxxx"},
        {RUN_ABANDONED, "xxxxxxx"},
    };
    static const char words[] = {[RUN_DO] = 'd', [RUN_NOTHING] = '=', [RUN_REFUSE] = 'x'};
    assert_int_equal(ARRAY_COUNT(wanted), RUN_STATUS_COUNT);
    for (size_t i = 0; i < ARRAY_COUNT(wanted); i++) {
        for (int command = 0; command < RUN_COMMAND_COUNT; command++) {
            const struct run_rule *rule =
                run_find_rule(wanted[i].status, (enum run_command)command);
            assert_int_equal(words[rule->verdict], wanted[i].verdicts[command]);
        }
    }
}

/* Each pair that is legal is one of engine.md 2.1, and there are no others. */
static void the_legal_moves_are_these(void **UNUSED(state))
{
    static const char *const wanted[RUN_STATUS_COUNT] = {
        [RUN_PLANNED] = "preflight green>CLAIMING preflight red>REFUSED pause>REFUSED "
                        "abort>REFUSED ",
        [RUN_CLAIMING] = "preflight red>REFUSED pause>REFUSED abort>REFUSED claimed>RUNNING "
                         "claim refused>REFUSED ",
        [RUN_RUNNING] = "pause>PAUSING question>PAUSED abort>ABORTING soak>SOAKING "
                        "finished>COMPLETE rollback>RUNNING rolled back>ROLLED_BACK ",
        [RUN_PAUSING] = "idle>PAUSED question>PAUSED resume>RUNNING abort>ABORTING "
                        "rollback>RUNNING ",
        [RUN_PAUSED] = "question>PAUSED resume>RUNNING abort>ABORTING rollback>RUNNING "
                       "reconcile>PAUSED abandon>ABANDONED ",
        [RUN_ABORTING] = "aborted>ABORTED ",
        [RUN_ABORTED] = "rollback>RUNNING ",
        [RUN_SOAKING] = "question>PAUSED abort>ABORTING finalize>RUNNING rollback>RUNNING "
                        "reconcile>PAUSED ",
        [RUN_REFUSED] = "",
        [RUN_COMPLETE] = "",
        [RUN_ROLLED_BACK] = "",
        [RUN_ABANDONED] = "",
    };
    for (int status = 0; status < RUN_STATUS_COUNT; status++) {
        AUTO_BUF found = {0};
        for (int event = 0; event < RUN_EVENT_COUNT; event++) {
            enum run_status to;
            if (run_next_status((enum run_status)status, (enum run_event)event, &to)) {
                buf_printf(&found, "%s>%s ", run_event_names[event], run_status_names[to]);
            }
        }
        assert_string_equal(buf_text(&found), wanted[status]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_and_event_has_at_most_one_transition),
        cmocka_unit_test(only_a_rollback_leads_out_of_a_final_state),
        cmocka_unit_test(all_states_are_reached_from_planned),
        cmocka_unit_test(every_command_has_an_answer_in_every_state),
        cmocka_unit_test(commands_do_what_the_contract_says),
        cmocka_unit_test(the_legal_moves_are_these),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
