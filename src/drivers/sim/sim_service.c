/*
 * drivers/sim/sim_service.c - processes of the simulated nodes: seen, started, asked to end.
 */
#include <stdio.h>

#include "base/str.h"
#include "drivers/sim/sim_act.h"

static void write_identity(const struct sim_node *node, char ret_identity[SERVICE_IDENTITY_SIZE])
{
    if (node->phase == SIM_DOWN) {
        ret_identity[0] = '\0';
        return;
    }
    snprintf(ret_identity, SERVICE_IDENTITY_SIZE, "sim-boot/%lld/%lld", (long long)node->pid,
        (long long)node->started_ms);
}

static struct err *service_read(const struct call *call, struct service *service,
    const struct inv_node *node, struct service_status *ret_status)
{
    struct sim_act act = {
        .sim = ((struct sim_service *)service)->sim, .call = call, .op = "service.get_status"};
    struct err *err = sim_enter(&act, node);
    if (err == NULL) {
        ret_status->is_running = act.node->phase != SIM_DOWN;
        write_identity(act.node, ret_status->identity);
    }
    return sim_leave(&act, err);
}

static struct err *service_execute(
    const struct call *call, struct service *service, const struct inv_node *node)
{
    struct sim_act act = {.sim = ((struct sim_service *)service)->sim,
        .call = call,
        .op = "service.start",
        .is_change = true};
    struct err *err = sim_enter(&act, node);
    if (err == NULL && act.node->phase == SIM_DOWN) {
        if (sim_find_program(act.sim, act.node->link) == NULL) {
            err = err_new(ERR_INVALID, node->name, "no program %s", act.node->link);
            err = err_code(err, "start_failed");
        } else {
            sim_start_process(act.sim, act.node);
        }
    }
    return sim_leave(&act, err);
}

/* Asks the process to end and lives through the time that it takes. */
static struct err *end_and_wait(struct sim_act *act, int64_t left_ms)
{
    struct sim *sim = act->sim;
    struct sim_node *node = act->node;
    const int64_t pid = node->pid;
    if (node->due_ms[SIM_TIMER_STOPPED] == SIM_NEVER) {
        node->due_ms[SIM_TIMER_STOPPED] =
            sim->now_ms + sim_draw(sim, SIM_STOP_MS_MIN, SIM_STOP_MS_MAX);
    }
    const int64_t wait_ms = node->due_ms[SIM_TIMER_STOPPED] - sim->now_ms;
    sim_advance(sim, wait_ms < left_ms ? wait_ms : left_ms);
    if (node->phase == SIM_DOWN || node->pid != pid) {
        return NULL;
    }
    struct err *err = err_new(ERR_UNKNOWN, node->inv->name, "the server has not ended in time");
    return err_code(err, "stop_timeout");
}

static struct err *service_end(const struct call *call, struct service *service,
    const struct inv_node *node, const char *identity)
{
    struct sim_act act = {.sim = ((struct sim_service *)service)->sim,
        .call = call,
        .op = "service.stop",
        .is_change = true};
    const int64_t deadline_ms = call->deadline_ms;
    struct err *err = sim_enter(&act, node);
    char current[SERVICE_IDENTITY_SIZE];
    write_identity(act.node, current);
    if (err == NULL && act.node->phase != SIM_DOWN && text_equal(current, identity)) {
        const int64_t left_ms = deadline_ms - act.sim->now_ms;
        err = end_and_wait(&act, left_ms > 0 ? left_ms : 0);
    }
    return sim_leave(&act, err);
}

static void service_leave_open(struct service *UNUSED(service))
{
    /* part of the simulation, which sim_close() ends */
}

const struct service_ops sim_service_ops = {
    .name = "sim",
    .get_status = service_read,
    .start = service_execute,
    .stop = service_end,
    .close = service_leave_open,
};
