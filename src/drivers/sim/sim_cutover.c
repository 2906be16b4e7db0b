/*
 * drivers/sim/sim_cutover.c - the acts of a cut-over on one simulated shard.
 *
 * The fence is the setting that real servers have, so the writing client of the simulation is kept
 * out by it like a real one. Servers of the shard are the parties; those of others never answer as
 * rivals, because each shard has its own primary.
 */
#include "base/mem.h"
#include "drivers/sim/sim_act.h"

#define SIM_FENCE "min-replicas-to-write"
#define SIM_FENCE_VALUE "99"

struct sim_session {
    struct cutover_session base;
    struct sim *sim;
};

static struct sim *sim_of(const struct cutover_session *session)
{
    return ((const struct sim_session *)session)->sim;
}

static struct err *cutover_open_sim(const struct call *UNUSED(call), struct cutover *cutover,
    const struct cutover_parties *parties, struct cutover_session **ret_session)
{
    struct sim_session *session = mem_alloc(sizeof(*session));
    session->sim = ((struct sim_cutover *)cutover)->sim;
    session->base =
        (struct cutover_session){&sim_cutover_ops, session->sim->world.cluster, *parties};
    *ret_session = &session->base;
    return NULL;
}

static void fill_view(const struct sim *sim, const struct sim_node *node,
    const struct sim_node *heir, struct cutover_view *ret_view)
{
    const bool is_stranger = node->shard != heir->shard; /* no primary of ours */
    *ret_view = (struct cutover_view){
        .role = is_stranger ? FACT_ROLE_REPLICA : node->role,
        .primary = node->primary < 0 ? NULL : sim->nodes[node->primary].inv,
        .is_link_up = node->is_link_up,
        .offset = is_stranger ? INT64_MAX : node->keys * SIM_KEY_BYTES,
    };
    (void)snprintf(ret_view->fence, CUTOVER_FENCE_SIZE, "%s", sim_setting_text(node, SIM_FENCE));
    ret_view->is_fenced = text_equal(ret_view->fence, SIM_FENCE_VALUE);
}

/* Enters a call about `node`, which must serve. */
static struct err *enter_serving(struct sim_act *act, const struct inv_node *node)
{
    struct err *err = sim_enter(act, node);
    if (err == NULL) {
        err = sim_check_answers(act);
    }
    if (err == NULL && act->node->phase != SIM_UP) {
        err = err_code(err_new(ERR_REFUSED, node->name, "LOADING"), "loading");
    }
    return err;
}

static struct err *cutover_look_sim(const struct call *call, struct cutover_session *session,
    const struct inv_node *node, struct cutover_view *ret_view)
{
    struct sim_act act = {.sim = sim_of(session), .call = call, .op = "cutover.look"};
    struct err *err = enter_serving(&act, node);
    if (err == NULL) {
        const struct sim_node *heir = sim_find(act.sim, session->parties.heir->name);
        fill_view(act.sim, act.node, heir, ret_view);
    }
    return sim_leave(&act, err);
}

static struct err *cutover_prepare_sim(const struct call *call, struct cutover_session *session)
{
    struct sim_act act = {.sim = sim_of(session), .call = call, .op = "cutover.prepare"};
    return sim_leave(&act, enter_serving(&act, session->parties.primary));
}

static struct err *cutover_hold_sim(
    const struct call *call, struct cutover_session *session, int64_t hold_ms, int64_t *ret_offset)
{
    struct sim_act act = {
        .sim = sim_of(session), .call = call, .op = "cutover.hold", .is_change = true};
    struct err *err = enter_serving(&act, session->parties.primary);
    if (err == NULL) {
        sim_setting_put(act.node, SIM_FENCE, SIM_FENCE_VALUE);
        act.node->paused_until_ms = act.sim->now_ms + hold_ms;
        *ret_offset = act.node->keys * SIM_KEY_BYTES;
    }
    return sim_leave(&act, err);
}

static struct err *cutover_fence_sim(
    const struct call *call, struct cutover_session *session, const struct inv_node *node)
{
    struct sim_act act = {
        .sim = sim_of(session), .call = call, .op = "cutover.fence", .is_change = true};
    struct err *err = enter_serving(&act, node);
    if (err == NULL) {
        sim_setting_put(act.node, SIM_FENCE, SIM_FENCE_VALUE);
    }
    return sim_leave(&act, err);
}

static struct err *cutover_promote_sim(const struct call *call, struct cutover_session *session)
{
    struct sim_act act = {
        .sim = sim_of(session), .call = call, .op = "cutover.promote", .is_change = true};
    struct err *err = enter_serving(&act, session->parties.heir);
    if (err == NULL && act.node->role == FACT_ROLE_REPLICA) {
        sim_promote(act.sim, act.node);
    }
    err = sim_leave(&act, err);
    return err != NULL && err->kind == ERR_REFUSED ? err_code(err, "promotion_refused") : err;
}

static struct err *cutover_follow_sim(
    const struct call *call, struct cutover_session *session, const struct inv_node *node)
{
    struct sim_act act = {
        .sim = sim_of(session), .call = call, .op = "cutover.follow", .is_change = true};
    struct err *err = enter_serving(&act, node);
    if (err == NULL && act.node->shard == sim_find(act.sim, session->parties.heir->name)->shard) {
        sim_on_learn(act.sim, act.node);
    }
    return sim_leave(&act, err);
}

static struct err *cutover_unfence_sim(const struct call *call, struct cutover_session *session,
    const struct inv_node *node, const char *value)
{
    struct sim_act act = {
        .sim = sim_of(session), .call = call, .op = "cutover.unfence", .is_change = true};
    struct err *err = enter_serving(&act, node);
    if (err == NULL && text_equal(sim_setting_text(act.node, SIM_FENCE), SIM_FENCE_VALUE)) {
        sim_setting_put(act.node, SIM_FENCE, value);
    }
    return sim_leave(&act, err);
}

static struct err *cutover_release_sim(const struct call *call, struct cutover_session *session)
{
    struct sim_act act = {
        .sim = sim_of(session), .call = call, .op = "cutover.release", .is_change = true};
    struct err *err = enter_serving(&act, session->parties.primary);
    if (err == NULL) {
        act.node->paused_until_ms = 0;
    }
    return sim_leave(&act, err);
}

static struct err *cutover_watch_sim(const struct call *UNUSED(call),
    struct cutover_session *UNUSED(session), struct cutover_watch *ret_watch)
{
    *ret_watch = (struct cutover_watch){.is_published = true}; /* nobody watches */
    return NULL;
}

static void cutover_close_session_sim(struct cutover_session *session)
{
    free(session);
}

static void cutover_leave_open(struct cutover *UNUSED(cutover))
{
    /* part of the simulation, which sim_close() ends */
}

const struct cutover_ops sim_cutover_ops = {
    .name = "sim",
    .open = cutover_open_sim,
    .look = cutover_look_sim,
    .prepare = cutover_prepare_sim,
    .hold = cutover_hold_sim,
    .fence = cutover_fence_sim,
    .promote = cutover_promote_sim,
    .follow = cutover_follow_sim,
    .unfence = cutover_unfence_sim,
    .release = cutover_release_sim,
    .watch = cutover_watch_sim,
    .close_session = cutover_close_session_sim,
    .close = cutover_leave_open,
};
