#include "guard/acts.h"

struct err *guard_hands_open(
    struct guard_hands *hands, const struct guard_config *config, const struct guard_env *env)
{
    const struct cutover_parties parties = {
        .primary = inv_cluster_find_node(env->cluster, config->primary),
        .heir = inv_cluster_find_node(env->cluster, config->heir),
    };
    return parties.primary == NULL || parties.heir == NULL
               ? err_new(ERR_INVALID, NULL, "the order names no servers")
               : cutover_open(&hands->call, env->cutover, &parties, &hands->session);
}

struct call guard_act_call(const struct guard_hands *hands)
{
    struct call call = hands->call;
    const int64_t act_ms = hands->act_ms == 0 ? GUARD_ACT_MS : hands->act_ms;
    const int64_t until_ms = clock_now_ms(call.clock) + act_ms;
    call.deadline_ms = until_ms < call.deadline_ms ? until_ms : call.deadline_ms;
    return call;
}

static bool look_at(
    const struct guard_hands *hands, const struct inv_node *node, struct cutover_view *ret_view)
{
    const struct call call = guard_act_call(hands);
    AUTO_ERR err = cutover_look(&call, hands->session, node, ret_view);
    return err == NULL;
}

static void look_at_third(
    const struct guard_hands *hands, const struct inv_node *node, struct guard_sight *sight)
{
    struct cutover_view view;
    if (!look_at(hands, node, &view)) {
        sight->unseen = node;
    } else if (view.role == FACT_ROLE_PRIMARY) {
        sight->rival = node;
    } else if (view.offset < sight->offset_least) {
        sight->offset_least = view.offset;
    }
}

void guard_look(const struct guard_hands *hands, struct guard_sight *ret_sight)
{
    const struct cutover_session *session = hands->session;
    struct guard_sight sight = {.offset_least = INT64_MAX};
    sight.is_heir_seen = look_at(hands, session->parties.heir, &sight.heir);
    sight.is_primary_seen = look_at(hands, session->parties.primary, &sight.primary);
    for (size_t i = 0; i < session->cluster->node_count; i++) {
        const struct inv_node *node = &session->cluster->nodes[i];
        if (node != session->parties.heir && node != session->parties.primary) {
            look_at_third(hands, node, &sight);
        }
    }
    *ret_sight = sight;
}

struct err *guard_let_go(const struct guard_hands *hands)
{
    struct cutover_session *session = hands->session;
    const struct call call = guard_act_call(hands);
    struct err *err =
        cutover_unfence(&call, session, session->parties.primary, hands->fence_before);
    return err == NULL ? cutover_release(&call, session) : err;
}

void guard_go_back(
    const struct guard_hands *hands, enum guard_event *ret_event, struct err **ret_err)
{
    struct guard_sight sight;
    struct guard_hands brief = *hands;
    brief.act_ms = GUARD_BACK_MS;
    guard_look(&brief, &sight);
    const struct call call = guard_act_call(&brief);
    struct cutover_watch watch = {0};
    AUTO_ERR unasked = cutover_watch(&call, hands->session, &watch);
    const bool is_changing = unasked == NULL && watch.is_failing_over;
    const bool is_heir_primary = sight.is_heir_seen && sight.heir.role == FACT_ROLE_PRIMARY;
    const bool is_replica = sight.is_primary_seen && sight.primary.role == FACT_ROLE_REPLICA;
    const struct inv_node *other = is_heir_primary ? hands->session->parties.heir : sight.rival;
    if (is_changing && !is_replica) {
        *ret_event = GUARD_RIVAL;
        *ret_err = err_new(ERR_REFUSED, NULL, "the Sentinels are changing the primary");
        return;
    }
    if (other != NULL && !is_replica) {
        *ret_event = GUARD_RIVAL;
        *ret_err = err_new(ERR_REFUSED, other->name,
            "became primary without us: %s stays fenced until it follows",
            hands->session->parties.primary->name);
        return;
    }
    *ret_err = guard_let_go(hands);
    *ret_event = *ret_err == NULL ? GUARD_DONE : GUARD_FAILED;
}

/* Whoever does not follow the heir yet is told to. */
static struct err *make_follow(
    const struct guard_hands *hands, const struct inv_node *node, bool *ret_follows)
{
    struct cutover_session *session = hands->session;
    const struct call call = guard_act_call(hands);
    struct cutover_view view;
    struct err *err = cutover_look(&call, session, node, &view);
    *ret_follows =
        err == NULL && view.role == FACT_ROLE_REPLICA && view.primary == session->parties.heir;
    return err != NULL || *ret_follows ? err : cutover_follow(&call, session, node);
}

void guard_follow_all(
    const struct guard_hands *hands, enum guard_event *ret_event, struct err **ret_err)
{
    const struct cutover_session *session = hands->session;
    bool follows = false;
    *ret_err = make_follow(hands, session->parties.primary, &follows);
    *ret_event = *ret_err == NULL && follows ? GUARD_DONE : GUARD_FAILED;
    for (size_t i = 0; i < session->cluster->node_count; i++) {
        const struct inv_node *node = &session->cluster->nodes[i];
        if (node != session->parties.heir && node != session->parties.primary) {
            bool ignored = false;
            AUTO_ERR err = make_follow(hands, node, &ignored); /* its absence holds nobody up */
            (void)err;
        }
    }
}
