/*
 * steps/repl_cutover.c - hands the role of primary over where the server cannot do it by itself.
 *
 * A guard does it (drivers/guard.h): a process of its own, because writers wait meanwhile and must
 * not depend on this one. Done means that every side says so: the heir is primary, the old primary
 * follows it and is not fenced, and those who watch send clients to the heir.
 */
#include "base/mem.h"
#include "base/str.h"
#include "drivers/cutover.h"
#include "drivers/guard.h"
#include "drivers/world.h"
#include "steps/step_args.h"
#include "steps/steps.h"

static struct err *repl_cutover_parties(
    const struct call *call, const struct json *args, struct cutover_parties *ret_parties)
{
    struct err *err = step_find_node(call, args, "node", &ret_parties->heir);
    return err != NULL ? err : step_find_node(call, args, "primary", &ret_parties->primary);
}

static struct err *repl_cutover_bind(struct call *call, const struct facts *UNUSED(facts),
    const struct json *args, struct json **ret_args)
{
    static const char *const keys[] = {"node", "primary", "shard", "id", "primary_id", NULL};
    AUTO_JSON bound = NULL;
    struct cutover_parties parties;
    struct err *err = step_bind_args(call, repl_cutover_ops.name, keys, args, &bound);
    if (err == NULL) {
        err = repl_cutover_parties(call, args, &parties);
    }
    if (err == NULL && (call->world->cutover == NULL || call->world->guard == NULL)) {
        err = err_new(ERR_INTERNAL, NULL, "there is nobody to guard a cut-over");
    }
    if (err == NULL) {
        *ret_args = js_ref(bound);
    }
    return err;
}

static struct err *repl_cutover_open(struct call *call, const struct bound *bound,
    struct cutover_parties *ret_parties, struct cutover_session **ret_session)
{
    struct err *err = repl_cutover_parties(call, bound->args, ret_parties);
    return err != NULL ? err : cutover_open(call, call->world->cutover, ret_parties, ret_session);
}

/* The setting that fences, as it was: what guard, timer and successor put back. */
static struct err *repl_cutover_capture(
    struct call *call, const struct bound *bound, struct json **ret_values)
{
    struct cutover_parties parties;
    AUTO_CUTOVER_SESSION session = NULL;
    struct cutover_view view;
    struct err *err = repl_cutover_open(call, bound, &parties, &session);
    if (err == NULL) {
        err = cutover_look(call, session, parties.primary, &view);
    }
    if (err != NULL) {
        return err;
    }
    if (view.is_fenced) {
        err = err_new(ERR_REFUSED, parties.primary->name, "is fenced already, and not by this run");
        return err_hint(err_code(err, "fence_unavailable"),
            "set min-replicas-to-write back to what it shall be, then `upshift resume`");
    }
    *ret_values = js_object();
    js_put_text(*ret_values, "fence", view.fence);
    return NULL;
}

/* The heir is primary: do all others know, and can everybody write? Not reading the old primary
 * says nothing, so it is asked again until the deadline. */
static struct err *repl_cutover_verify_flip(
    const struct call *call, struct cutover_session *session, enum step_state *ret_state)
{
    struct cutover_view old = {0};
    struct cutover_watch watch = {0};
    AUTO_ERR unseen = cutover_look(call, session, session->parties.primary, &old);
    AUTO_ERR untold = cutover_watch(call, session, &watch);
    const bool agrees = unseen == NULL && old.role == FACT_ROLE_REPLICA &&
                        old.primary == session->parties.heir && !old.is_fenced;
    *ret_state = agrees && untold == NULL && watch.is_published ? STEP_DONE : STEP_MOVING;
    return NULL;
}

static struct err *repl_cutover_verify(struct call *call, const struct bound *bound,
    const struct before *UNUSED(before), enum step_state *ret_state)
{
    struct cutover_parties parties;
    AUTO_CUTOVER_SESSION session = NULL;
    struct cutover_view heir;
    struct cutover_view old;
    struct err *err = repl_cutover_open(call, bound, &parties, &session);
    if (err == NULL) {
        err = cutover_look(call, session, parties.heir, &heir);
    }
    if (err != NULL) {
        return err;
    }
    if (heir.role == FACT_ROLE_PRIMARY) {
        return repl_cutover_verify_flip(call, session, ret_state);
    }
    if (heir.role == FACT_ROLE_UNKNOWN) {
        return err_new(ERR_UNKNOWN, parties.heir->name, "does not say its role yet");
    }
    err = cutover_look(call, session, parties.primary, &old);
    if (err != NULL) {
        return err;
    }
    const bool is_before = heir.primary == parties.primary && old.role == FACT_ROLE_PRIMARY;
    *ret_state = !is_before ? STEP_ELSEWHERE : old.is_fenced ? STEP_MOVING : STEP_ABSENT;
    return NULL;
}

/* Both are still this controller's to act on? A guard is not asked again once it holds. */
static struct err *repl_cutover_check_claim(
    const struct call *call, const struct cutover_parties *parties)
{
    struct err *err = call_check_claim(call, parties->primary->name);
    return err != NULL ? err : call_check_claim(call, parties->heir->name);
}

static struct err *repl_cutover_order(const struct call *call, const struct bound *bound,
    const struct before *before, struct guard_order *ret_order)
{
    const char *fence = js_get_text(before->values, "fence");
    *ret_order = (struct guard_order){.fence_before = fence == NULL ? "0" : fence,
        .hold_limit_ms = call->world->cluster->policy.hold_limit_ms};
    struct err *err = repl_cutover_parties(call, bound->args, &ret_order->parties);
    return err != NULL ? err : repl_cutover_check_claim(call, &ret_order->parties);
}

static struct err *repl_cutover_apply(
    struct call *call, const struct bound *bound, const struct before *before)
{
    const struct inv_node *heir;
    struct guard_order order;
    struct err *err = step_begin_act(call, bound, &heir);
    if (err == NULL) {
        err = repl_cutover_order(call, bound, before, &order);
    }
    if (err == NULL) {
        err = guard_cut_over(call, call->world->guard, &order);
    }
    return err == NULL ? NULL : err_wrap(err, heir->name, "cannot make it primary");
}

static struct err *repl_cutover_stop(
    struct call *call, const struct bound *bound, const struct before *before)
{
    struct guard_order order;
    struct err *err = repl_cutover_order(call, bound, before, &order);
    return err == NULL ? guard_settle(call, call->world->guard, &order) : err;
}

const struct step_ops repl_cutover_ops = {
    .name = "repl.cutover",
    .def = 1,
    .def_min = 1,
    .observe = STEP_BY_ECHO,
    .bind = repl_cutover_bind,
    .capture = repl_cutover_capture,
    .verify = repl_cutover_verify,
    .apply = repl_cutover_apply,
    .stop = repl_cutover_stop,
};
