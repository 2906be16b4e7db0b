/*
 * drivers/sim/sim_fault.c - how a call reaches the simulated world, and what goes wrong on the way.
 *
 * sim_enter() takes the mutex and draws the call's fault; a call that it lets through changes the
 * world; sim_leave() then loses the reply if that is the fault, and gives the mutex back.
 */
#include <assert.h>

#include "base/str.h"
#include "drivers/sim/sim_act.h"

/* The oldest scripted fault that fits, taken out of the script. */
static bool take_scripted(
    struct sim *sim, const char *op, const char *node, struct sim_scripted *ret_fault)
{
    for (size_t i = 0; i < sim->script_count; i++) {
        const struct sim_scripted *scripted = &sim->script[i];
        if (!text_equal(scripted->op, op) ||
            (scripted->node != NULL && !text_equal(scripted->node, node))) {
            continue;
        }
        *ret_fault = *scripted;
        sim->script_count--;
        memmove(
            &sim->script[i], &sim->script[i + 1], (sim->script_count - i) * sizeof(sim->script[0]));
        return true;
    }
    return false;
}

static struct sim_scripted draw_fault(struct sim *sim)
{
    const struct sim_faults *faults = &sim->options.faults;
    const unsigned drop = faults->drop_reply_pct;
    const unsigned refuse = drop + faults->refuse_pct;
    const unsigned delay = refuse + faults->delay_pct;
    const unsigned crash = delay + faults->crash_pct;
    struct sim_scripted fault = {.fault = SIM_FAULT_NONE};
    if (crash == 0) {
        return fault; /* no draw: a story without faults does not depend on them */
    }
    const int64_t lot = sim_draw(sim, 0, 99);
    if (lot < drop) {
        fault.fault = SIM_FAULT_DROP_REPLY;
    } else if (lot < refuse) {
        fault.fault = SIM_FAULT_REFUSE;
    } else if (lot < delay) {
        fault.fault = SIM_FAULT_DELAY;
        fault.delay_ms = sim_draw(sim, 1, SIM_FAULT_DELAY_MS_MAX);
    } else if (lot < crash) {
        fault.fault = SIM_FAULT_CRASH;
    }
    return fault;
}

void sim_fail_call(struct sim *sim, int64_t index, enum sim_fault fault)
{
    pthread_mutex_lock(&sim->mutex);
    sim->struck_call = sim->call_count + index;
    sim->struck_fault = fault;
    pthread_mutex_unlock(&sim->mutex);
}

int64_t sim_get_call_count(struct sim *sim)
{
    pthread_mutex_lock(&sim->mutex);
    const int64_t count = sim->call_count;
    pthread_mutex_unlock(&sim->mutex);
    return count;
}

bool sim_is_busy(struct sim *sim)
{
    if (pthread_mutex_trylock(&sim->mutex) != 0) {
        return true;
    }
    pthread_mutex_unlock(&sim->mutex);
    return false;
}

static struct err *lost_reply(const struct sim_act *act)
{
    struct err *err = err_new(ERR_UNKNOWN, act->node->inv->name, "no answer to %s", act->op);
    return err_code(err, "no_answer");
}

/* A late call still has its effect, but past the deadline nobody waits for the answer. */
static void delay_act(struct sim_act *act, int64_t delay_ms, int64_t left_ms)
{
    sim_advance(act->sim, delay_ms < left_ms ? delay_ms : left_ms);
    act->is_reply_lost = delay_ms >= left_ms;
}

static struct err *suffer_fault(struct sim_act *act, int64_t left_ms)
{
    struct sim *sim = act->sim;
    struct sim_scripted fault;
    sim->call_count++;
    if (sim->call_count == sim->struck_call) {
        fault = (struct sim_scripted){.fault = sim->struck_fault, .delay_ms = left_ms};
    } else if (!take_scripted(sim, act->op, act->node->inv->name, &fault)) {
        fault = draw_fault(sim);
    }
    switch (fault.fault) {
    case SIM_FAULT_DROP_REPLY:
        act->is_reply_lost = true;
        break;
    case SIM_FAULT_REFUSE:
        return err_code(
            err_new(ERR_REFUSED, act->node->inv->name, "%s is refused", act->op), "refused");
    case SIM_FAULT_DELAY:
        delay_act(act, fault.delay_ms, left_ms);
        break;
    case SIM_FAULT_CRASH:
        sim_end_process(sim, act->node);
        break;
    case SIM_FAULT_NONE:
    default:
        break;
    }
    return act->is_reply_lost && !act->is_change ? lost_reply(act) : NULL;
}

struct err *sim_enter(struct sim_act *act, const struct inv_node *node)
{
    /* Asked first: the call's clock is usually ours and takes the mutex, too. */
    const int64_t left_ms = call_left_ms(act->call);
    const bool may_send = act->is_change ? call_may_send(act->call) : left_ms > 0;
    pthread_mutex_lock(&act->sim->mutex);
    act->node = sim_find(act->sim, node->name);
    assert(act->node != NULL);
    if (!may_send) {
        struct err *err = err_new(ERR_UNREACHABLE, node->name, "no time left for %s", act->op);
        return err_code(err, "deadline_passed");
    }
    return suffer_fault(act, left_ms);
}

struct err *sim_leave(struct sim_act *act, struct err *err)
{
    if (err == NULL && act->is_reply_lost) {
        err = lost_reply(act);
    }
    pthread_mutex_unlock(&act->sim->mutex);
    return err;
}

struct err *sim_check_answers(const struct sim_act *act)
{
    if (act->node->phase == SIM_LOADING || act->node->phase == SIM_UP) {
        return NULL;
    }
    struct err *err = err_new(ERR_UNREACHABLE, act->node->inv->name, "connection refused");
    return err_code(err, "unreachable");
}
