/*
 * guard/settle.c - after a guard that did not end by itself: decide by the world (engine.md 8).
 */
#include "base/mem.h"
#include "base/str.h"
#include "guard/acts.h"
#include "guard/guard.h"

enum { SETTLE_MARGIN_MS = 1000, DECIDE_MS = 20000 };

struct settling {
    struct guard_hands hands;
    struct guard_trace *traces;
    size_t trace_count;
    int64_t time_max_ms; /* no guard lives longer, unless it is frozen */
    bool is_committed;   /* the last attempt was permitted to promote */
};

/* Nobody but us may act from here on. What a dead guard wrote is read after its end. */
static struct err *await_guards(
    const struct call *call, struct settling *settling, struct arena *arena)
{
    for (size_t i = 0; i < settling->trace_count; i++) {
        struct guard_trace *trace = &settling->traces[i];
        struct call patience = *call;
        const int64_t started_ms =
            trace->started_ms > 0 ? trace->started_ms : clock_now_ms(call->clock);
        const int64_t end_ms = started_ms + settling->time_max_ms;
        const int64_t until_ms = call->deadline_ms - SETTLE_MARGIN_MS;
        patience.deadline_ms = end_ms < until_ms ? end_ms : until_ms;
        struct err *err = guard_await_end(&patience, trace->base, ".log");
        if (err != NULL) {
            return err;
        }
        guard_trace_read(trace, arena);
        settling->is_committed = trace->is_committed;
    }
    return NULL;
}

/* An old timer would lift the fence of a later attempt. */
static struct err *end_timers(const struct settling *settling)
{
    for (size_t i = 0; i < settling->trace_count; i++) {
        const char *base = settling->traces[i].base;
        (void)guard_timer_disarm(base);
        struct call call = settling->hands.call;
        call.deadline_ms = clock_now_ms(call.clock) + SETTLE_MARGIN_MS;
        struct err *err = guard_await_end(&call, base, ".timer.lock");
        if (err != NULL) {
            return err;
        }
    }
    return NULL;
}

static struct err *unclear(const struct settling *settling, const struct guard_sight *sight)
{
    static const char *const roles[] = {[FACT_ROLE_UNKNOWN] = "unknown",
        [FACT_ROLE_PRIMARY] = "primary",
        [FACT_ROLE_REPLICA] = "replica"};
    const struct cutover_parties *parties = &settling->hands.session->parties;
    struct err *err = err_new(ERR_UNKNOWN, NULL,
        "cannot decide the cut-over: %s is %s%s (offset %lld), %s is %s (offset %lld)%s%s",
        parties->primary->name, sight->is_primary_seen ? roles[sight->primary.role] : "unreachable",
        sight->is_primary_seen && sight->primary.is_fenced ? ", fenced" : "",
        (long long)sight->primary.offset, parties->heir->name,
        sight->is_heir_seen ? roles[sight->heir.role] : "unreachable",
        (long long)sight->heir.offset, sight->rival != NULL ? ", and primary is also " : "",
        sight->rival != NULL ? sight->rival->name : "");
    return err_hint(err_code(err, "cutover_unclear"),
        "decide which server shall be primary, make the others its replicas (REPLICAOF), set "
        "min-replicas-to-write back to %s on %s, then `upshift resume`",
        settling->hands.fence_before, parties->primary->name);
}

/* A fence on a replica keeps nobody from anything, and would on the day it is promoted. */
static struct err *tidy_replica(const struct settling *settling, const struct guard_sight *sight)
{
    const bool is_leftover = sight->is_primary_seen && sight->primary.is_fenced &&
                             sight->primary.role == FACT_ROLE_REPLICA;
    return is_leftover ? guard_let_go(&settling->hands) : NULL;
}

static struct err *go_forward(const struct settling *settling, bool *ret_is_done)
{
    enum guard_event event = GUARD_FAILED;
    struct err *err = NULL;
    guard_follow_all(&settling->hands, &event, &err);
    if (err == NULL && event == GUARD_DONE) {
        err = guard_let_go(&settling->hands);
        *ret_is_done = err == NULL;
    }
    return err;
}

static struct err *fence_one(
    const struct settling *settling, const struct guard_sight *sight, const struct inv_node *node)
{
    const struct call call = guard_act_call(&settling->hands);
    struct err *err = cutover_fence(&call, settling->hands.session, node);
    return err != NULL ? err : unclear(settling, sight);
}

static enum guard_verdict judge_scene(
    const struct settling *settling, struct guard_sight *ret_sight)
{
    const struct call call = guard_act_call(&settling->hands);
    struct cutover_watch watch = {0};
    AUTO_ERR unseen = cutover_watch(&call, settling->hands.session, &watch);
    guard_look(&settling->hands, ret_sight);
    const struct guard_scene scene = {
        .is_primary_seen = ret_sight->is_primary_seen,
        .is_heir_seen = ret_sight->is_heir_seen,
        .primary_role = ret_sight->primary.role,
        .heir_role = ret_sight->heir.role,
        .is_primary_fenced = ret_sight->primary.is_fenced,
        .is_rival_primary = ret_sight->rival != NULL,
        /* Whoever cannot ask the watchers does not know what they are about to do. */
        .is_failing_over = unseen != NULL || watch.is_failing_over,
        .is_committed = settling->is_committed,
    };
    return guard_decide(&scene);
}

/* One look and one act; `*ret_is_done` once everything is decided. */
static struct err *decide_once(const struct settling *settling, bool *ret_is_done)
{
    const struct cutover_parties *parties = &settling->hands.session->parties;
    struct guard_sight sight;
    enum guard_event event;
    struct err *err = NULL;
    switch (judge_scene(settling, &sight)) {
    case GUARD_BACK:
        guard_go_back(&settling->hands, &event, &err);
        *ret_is_done = event == GUARD_DONE;
        return err;
    case GUARD_FORWARD:
        return go_forward(settling, ret_is_done);
    case GUARD_FENCE_PRIMARY:
        *ret_is_done = true;
        return fence_one(settling, &sight, parties->primary);
    case GUARD_FENCE_HEIR:
        *ret_is_done = true;
        return fence_one(settling, &sight, parties->heir);
    case GUARD_ASK:
        err = tidy_replica(settling, &sight);
        return err != NULL ? err : unclear(settling, &sight);
    case GUARD_WAIT:
    case GUARD_VERDICT_COUNT:
    default:
        return err_new(ERR_UNKNOWN, NULL, "the Sentinels are changing the primary");
    }
}

/* Looks again until it is decided: what is unreachable now may answer in a moment. */
static struct err *decide(const struct settling *settling)
{
    struct clock *clock = settling->hands.call.clock;
    const int64_t begun_ms = clock_now_ms(clock);
    for (;;) {
        bool is_done = false;
        struct err *err = decide_once(settling, &is_done);
        const int64_t now_ms = clock_now_ms(clock);
        if (is_done || now_ms >= begun_ms + DECIDE_MS ||
            now_ms >= settling->hands.call.deadline_ms) {
            return err == NULL || is_done ? err : err_code(err, "cutover_unclear");
        }
        err_free(err);
        clock_wait_ms(clock, GUARD_LOOK_MS);
    }
}

/* The last attempt said so itself; what came before it was decided before it began. */
static bool has_ended_well(const struct settling *settling)
{
    const enum guard_state state = settling->traces[settling->trace_count - 1].state;
    return state == GUARD_RELEASED || state == GUARD_RELEASED_BACK;
}

struct err *guard_settle_left(const struct call *call, const char *directory,
    const struct guard_config *config, const struct guard_env *env)
{
    AUTO_ARENA arena = {0};
    struct settling settling = {.hands = {.call = *call, .fence_before = config->fence_before},
        .time_max_ms = guard_time_max_ms(config->hold_limit_ms)};
    struct err *err = guard_files_read(
        directory, config->run, config->step, &arena, &settling.traces, &settling.trace_count);
    if (err == NULL && settling.trace_count == 0) {
        return NULL; /* no guard was ever started */
    }
    if (err == NULL) {
        err = await_guards(call, &settling, &arena);
    }
    if (err == NULL && !has_ended_well(&settling)) {
        err = guard_hands_open(&settling.hands, config, env);
        if (err == NULL) {
            err = decide(&settling);
        }
    }
    if (err == NULL) {
        err = end_timers(&settling);
    }
    cutover_close_session(settling.hands.session);
    return err;
}
