/*
 * drivers/sim/sim_view.c - what nodes believe of each other, some 50 ms behind.
 */
#include "drivers/sim/sim_internal.h"

void sim_announce(struct sim *sim, const struct sim_node *node)
{
    const int subject = sim_index(sim, node);
    for (int i = 0; i < sim->node_count; i++) {
        if (i != subject) {
            sim->nodes[i].views[subject].due_ms =
                sim->now_ms + sim_draw(sim, SIM_VIEW_MS_MIN, SIM_VIEW_MS_MAX);
        }
    }
}

void sim_listen(struct sim *sim, struct sim_node *node)
{
    for (int i = 0; i < sim->node_count; i++) {
        node->views[i].due_ms = sim->now_ms + sim_draw(sim, SIM_VIEW_MS_MIN, SIM_VIEW_MS_MAX);
    }
}

/* Within one view only the highest epoch owns the slots of a shard. */
static void settle_slots(const struct sim *sim, struct sim_node *observer, int shard)
{
    int best = -1;
    for (int i = 0; i < sim->node_count; i++) {
        const struct sim_view *view = &observer->views[i];
        if (sim->nodes[i].shard == shard && view->has_slots &&
            (best < 0 || view->epoch > observer->views[best].epoch)) {
            best = i;
        }
    }
    for (int i = 0; i < sim->node_count; i++) {
        if (sim->nodes[i].shard == shard && i != best) {
            observer->views[i].has_slots = false;
        }
    }
}

void sim_refresh_view(struct sim *sim, struct sim_node *observer, int subject)
{
    struct sim_view *view = &observer->views[subject];
    view->due_ms = SIM_NEVER;
    if (observer->phase != SIM_UP) {
        return; /* it listens again when it is ready */
    }
    const struct sim_node *node = &sim->nodes[subject];
    view->role = node->role;
    view->primary = node->primary;
    view->epoch = node->epoch;
    view->has_slots = node->role == FACT_ROLE_PRIMARY;
    view->is_linked = node->phase == SIM_UP;
    view->is_failing = node->is_failed;
    settle_slots(sim, observer, node->shard);
}

int64_t sim_slots_failing(const struct sim *sim, const struct sim_node *observer)
{
    int64_t failing = 0;
    for (int i = 0; i < sim->node_count; i++) {
        const struct sim_view *view = &observer->views[i];
        const struct sim_shard *shard = &sim->shards[sim->nodes[i].shard];
        if (view->has_slots && view->is_failing) {
            failing += shard->slot_last - shard->slot_first + 1;
        }
    }
    return failing;
}
