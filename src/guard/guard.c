#include "guard/guard.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "guard/acts.h"
#include "transport/spawn.h"

enum { TIMER_READY_MS = 2000, HOLD_FRESH_MS = 1000 };

struct guard_loop {
    const struct guard_config *config;
    const struct guard_env *env;
    struct guard_hands hands;
    enum guard_state state;
    int64_t armed_at_ms;
    int64_t held_at_ms; /* 0: never */
    int64_t offset;     /* the position behind the fence */
    bool is_told;       /* the hook has run */
    bool is_promoting;  /* asked, and not refused */
    struct err *why;    /* the last thing that did not go */
    char *hook;         /* what the hook said when it failed */
};

int64_t guard_time_max_ms(int64_t hold_limit_ms)
{
    return GUARD_PREPARE_MS + hold_limit_ms + 2 * GUARD_FINISH_MS + GUARD_HOOK_MS;
}

static void blame(struct guard_loop *loop, struct err *err)
{
    err_free(loop->why);
    loop->why = err;
}

static enum guard_event fail(struct guard_loop *loop, struct err *err)
{
    blame(loop, err);
    return GUARD_FAILED;
}

/* One durable line. A log that cannot be written is no reason to leave writers waiting. */
static void append_state(const struct guard_loop *loop)
{
    AUTO_JSON line = js_object();
    const int64_t now_ms = clock_now_ms(loop->env->clock);
    js_put_text(line, "state", guard_state_names[loop->state]);
    js_put_number(line, "at_ms", now_ms);
    js_put_number(line, "wall_ms", clock_wall_ms(loop->env->clock));
    if (loop->state == GUARD_PREPARED) {
        js_put_number(line, "pid", getpid());
        js_put_text(line, "primary", loop->config->primary);
        js_put_text(line, "heir", loop->config->heir);
        js_put_text(line, "fence_before", loop->config->fence_before);
        js_put_number(line, "hold_limit_ms", loop->config->hold_limit_ms);
    }
    if (loop->state == GUARD_FENCED || loop->state == GUARD_PROVEN) {
        js_put_number(line, "offset", loop->offset);
    }
    if (guard_is_final(loop->state) && loop->held_at_ms > 0) {
        js_put_number(line, "held_ms", now_ms - loop->held_at_ms);
    }
    if (loop->why != NULL) {
        AUTO_FREE char *why = err_text(loop->why);
        js_put_text(line, "why", why);
    }
    if (loop->hook != NULL) {
        js_put_text(line, "hook", loop->hook);
    }
    AUTO_FREE char *text = js_write(line);
    AUTO_FREE char *ended = mem_format("%s\n", text);
    AUTO_ERR lost = fs_write_fd(loop->env->log_fd, "the guard's log", ended, strlen(ended));
    (void)lost;
    (void)!fdatasync(loop->env->log_fd);
}

/* --- PREPARED --- */

static struct err *check_parties(const struct guard_loop *loop)
{
    const struct cutover_parties *parties = &loop->hands.session->parties;
    const struct call call = guard_act_call(&loop->hands);
    struct guard_sight sight;
    guard_look(&loop->hands, &sight);
    if (!sight.is_primary_seen || !sight.is_heir_seen) {
        const char *name = sight.is_primary_seen ? parties->heir->name : parties->primary->name;
        return err_new(ERR_UNREACHABLE, name, "does not answer");
    }
    if (sight.primary.role != FACT_ROLE_PRIMARY || sight.primary.is_fenced) {
        return err_new(ERR_REFUSED, parties->primary->name,
            sight.primary.is_fenced ? "is fenced already" : "is not the primary");
    }
    if (sight.heir.primary != parties->primary || !sight.heir.is_link_up) {
        return err_new(
            ERR_REFUSED, parties->heir->name, "is not an attached replica of the primary");
    }
    if (sight.rival != NULL) {
        return err_new(ERR_REFUSED, sight.rival->name, "is primary as well");
    }
    struct cutover_watch watch = {0};
    struct err *err = cutover_watch(&call, loop->hands.session, &watch);
    if (err == NULL && watch.is_failing_over) {
        err = err_new(ERR_REFUSED, NULL, "the Sentinels are changing the primary");
    }
    return err;
}

/* The timer says by its lock that it is there: that is the read-back. */
static struct err *await_timer(const struct guard_loop *loop)
{
    struct clock *clock = loop->env->clock;
    const int64_t until_ms = clock_now_ms(clock) + TIMER_READY_MS;
    while (!guard_is_alive(loop->config->base, ".timer.lock")) {
        if (clock_now_ms(clock) >= until_ms) {
            return err_new(ERR_INTERNAL, NULL, "the fence's timer does not start");
        }
        clock_wait_ms(clock, 1);
    }
    return NULL;
}

static struct err *arm_timer(struct guard_loop *loop)
{
    struct guard_config config = *loop->config;
    loop->armed_at_ms = clock_now_ms(loop->env->clock);
    config.fires_at_ms = loop->armed_at_ms + config.hold_limit_ms - GUARD_TIMER_EARLY_MS;
    struct err *err = guard_timer_arm(config.base);
    if (err == NULL) {
        err = loop->env->start_timer(loop->env->context, &config);
    }
    return err == NULL ? await_timer(loop) : err;
}

static enum guard_event act_prepare(struct guard_loop *loop)
{
    if (clock_now_ms(loop->env->clock) > loop->config->start_before_ms) {
        return fail(loop, err_new(ERR_CANCELLED, NULL, "it is too late to begin"));
    }
    struct err *err = check_parties(loop);
    if (err == NULL) {
        const struct call call = guard_act_call(&loop->hands);
        err = cutover_prepare(&call, loop->hands.session);
    }
    if (err == NULL) {
        err = arm_timer(loop);
    }
    return err == NULL ? GUARD_DONE : fail(loop, err);
}

/* --- ARMED, FENCED, PROVEN --- */

static enum guard_event act_hold(struct guard_loop *loop)
{
    const int64_t now_ms = clock_now_ms(loop->env->clock);
    if (now_ms > loop->armed_at_ms + HOLD_FRESH_MS || !guard_timer_is_armed(loop->config->base)) {
        return fail(loop, err_new(ERR_CANCELLED, NULL, "the timer is too old to hold now"));
    }
    loop->held_at_ms = now_ms;
    const struct call call = guard_act_call(&loop->hands);
    struct err *err =
        cutover_hold(&call, loop->hands.session, loop->config->hold_limit_ms, &loop->offset);
    return err == NULL ? GUARD_DONE : fail(loop, err);
}

/* All that could become primary must have everything: Sentinels choose by themselves. */
static bool has_all(const struct guard_loop *loop, const struct guard_sight *sight)
{
    const bool anybody_may = loop->env->cluster->sentinel_count > 0;
    return sight->heir.offset >= loop->offset && sight->heir.is_link_up &&
           (!anybody_may || sight->offset_least >= loop->offset);
}

static enum guard_event act_prove(struct guard_loop *loop)
{
    const struct cutover_parties *parties = &loop->hands.session->parties;
    struct guard_sight sight;
    guard_look(&loop->hands, &sight);
    if (sight.rival != NULL || (sight.is_heir_seen && sight.heir.role == FACT_ROLE_PRIMARY)) {
        const struct inv_node *rival = sight.rival != NULL ? sight.rival : parties->heir;
        blame(loop, err_new(ERR_REFUSED, rival->name, "became primary without us"));
        return GUARD_RIVAL;
    }
    if (!sight.is_heir_seen || !sight.is_primary_seen) {
        const char *name = sight.is_heir_seen ? parties->primary->name : parties->heir->name;
        return fail(loop, err_new(ERR_UNREACHABLE, name, "does not answer any more"));
    }
    if (sight.primary.role != FACT_ROLE_PRIMARY || !sight.primary.is_fenced) {
        blame(loop, err_new(ERR_REFUSED, parties->primary->name, "is not as we left it"));
        return GUARD_REFUSED;
    }
    if (sight.unseen != NULL && loop->env->cluster->sentinel_count > 0) {
        return fail(loop, err_new(ERR_UNREACHABLE, sight.unseen->name,
                              "does not answer, and Sentinels may choose it"));
    }
    if (!has_all(loop, &sight)) {
        const long long missing = (long long)(loop->offset - sight.heir.offset);
        return fail(loop,
            err_new(ERR_GATE, parties->heir->name, "lacks %lld bytes", missing > 0 ? missing : 0));
    }
    blame(loop, NULL);
    return GUARD_DONE;
}

static enum guard_event act_commit(struct guard_loop *loop)
{
    return guard_timer_disarm(loop->config->base)
               ? GUARD_DONE
               : fail(loop, err_new(ERR_CANCELLED, NULL, "the timer fired first"));
}

/* --- COMMITTED, FLIPPED --- */

static enum guard_event promote_heir(struct guard_loop *loop)
{
    const struct call call = guard_act_call(&loop->hands);
    struct err *err = cutover_promote(&call, loop->hands.session);
    if (err != NULL && err->kind == ERR_REFUSED) {
        blame(loop, err);
        return GUARD_REFUSED;
    }
    /* Without an answer it is not asked twice at once: first it is looked at. */
    loop->is_promoting = err == NULL || err->kind == ERR_UNKNOWN;
    return fail(loop, err);
}

/* Nobody is sent away from the old primary before the Sentinels can say where to; but in time,
 * since it must follow before its hold ends. */
static bool must_wait_to_publish(const struct guard_loop *loop)
{
    const struct call call = guard_act_call(&loop->hands);
    struct cutover_watch watch = {0};
    AUTO_ERR unseen = cutover_watch(&call, loop->hands.session, &watch);
    const bool is_published = unseen == NULL && watch.is_published;
    return !is_published &&
           clock_now_ms(loop->env->clock) < loop->held_at_ms + loop->config->hold_limit_ms * 3 / 4;
}

static enum guard_event act_flip(struct guard_loop *loop)
{
    if (!loop->is_promoting) {
        const enum guard_event event = promote_heir(loop);
        if (event == GUARD_REFUSED) {
            return event;
        }
    }
    struct guard_sight sight;
    guard_look(&loop->hands, &sight);
    if (sight.rival != NULL) {
        blame(loop, err_new(ERR_REFUSED, sight.rival->name, "was made primary instead"));
        return GUARD_RIVAL;
    }
    if (!sight.is_heir_seen || sight.heir.role != FACT_ROLE_PRIMARY || must_wait_to_publish(loop)) {
        return GUARD_FAILED;
    }
    enum guard_event event = GUARD_DONE;
    struct err *err = NULL;
    guard_follow_all(&loop->hands, &event, &err);
    blame(loop, err);
    return event;
}

/* The operator's program: told where the primary is now. Its failure is told, too. */
static void run_hook(struct guard_loop *loop)
{
    const struct inv_cluster *cluster = &loop->config->cluster;
    if (cluster->primary_changed_count == 0 || loop->is_told) {
        return;
    }
    loop->is_told = true;
    const struct inv_node *heir = loop->hands.session->parties.heir;
    AUTO_ARENA arena = {0};
    const char **argv = NULL;
    size_t count = 0;
    for (size_t i = 0; i < cluster->primary_changed_count; i++) {
        *(const char **)arena_push(&arena, &argv, &count, sizeof(*argv)) =
            cluster->primary_changed[i];
    }
    const char *const words[] = {
        cluster->name, "shard-1", heir->host, arena_format(&arena, "%lld", (long long)heir->port)};
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        *(const char **)arena_push(&arena, &argv, &count, sizeof(*argv)) = words[i];
    }
    *(const char **)arena_push(&arena, &argv, &count, sizeof(*argv)) = NULL;
    struct call call = loop->hands.call;
    call.deadline_ms = clock_now_ms(call.clock) + GUARD_HOOK_MS;
    const struct spawn_request request = {.argv = argv};
    struct spawn_result result = {0};
    AUTO_ERR err = spawn_run(&call, &request, &result);
    if (err != NULL) {
        loop->hook = err_text(err);
    } else if (result.is_timeout || result.exit_status != 0) {
        loop->hook = result.is_timeout
                         ? mem_format("it did not end within %d s", GUARD_HOOK_MS / 1000)
                         : mem_format("it ended with status %d: %.200s", result.exit_status,
                               buf_text(&result.errors));
    }
    spawn_result_release(&result);
}

/* Clients first: while they are told, who waits at the old primary still waits. */
static enum guard_event act_release(struct guard_loop *loop)
{
    run_hook(loop);
    struct err *err = guard_let_go(&loop->hands);
    return err == NULL ? GUARD_DONE : fail(loop, err);
}

static enum guard_event act_back(struct guard_loop *loop)
{
    enum guard_event event = GUARD_FAILED;
    struct err *err = NULL;
    guard_go_back(&loop->hands, &event, &err);
    if (event == GUARD_DONE) {
        (void)guard_timer_disarm(loop->config->base); /* it would find nothing to do */
    } else if (loop->why == NULL) {
        blame(loop, err);
        err = NULL;
    }
    err_free(err); /* why we go back is what counts */
    return event;
}

/* --- the loop --- */

static enum guard_event (*const acts[GUARD_STATE_COUNT])(struct guard_loop *) = {
    [GUARD_PREPARED] = act_prepare,
    [GUARD_ARMED] = act_hold,
    [GUARD_FENCED] = act_prove,
    [GUARD_PROVEN] = act_commit,
    [GUARD_COMMITTED] = act_flip,
    [GUARD_FLIPPED] = act_release,
    [GUARD_BACKING] = act_back,
};

/* Until when the present state may last. */
static int64_t deadline_of(const struct guard_loop *loop)
{
    const int64_t now_ms = clock_now_ms(loop->env->clock);
    const int64_t hold_ms = loop->config->hold_limit_ms;
    switch (loop->state) {
    case GUARD_PREPARED:
        return now_ms + GUARD_PREPARE_MS;
    case GUARD_ARMED:
    case GUARD_FENCED:
    case GUARD_PROVEN: /* half is left to promote or to give back */
        return loop->held_at_ms == 0 ? now_ms + HOLD_FRESH_MS : loop->held_at_ms + hold_ms / 2;
    case GUARD_COMMITTED:
    case GUARD_FLIPPED:
    case GUARD_BACKING:
        return now_ms + GUARD_FINISH_MS;
    case GUARD_RELEASED:
    case GUARD_RELEASED_BACK:
    case GUARD_STUCK:
    case GUARD_STATE_COUNT:
    default:
        return now_ms;
    }
}

static void enter(struct guard_loop *loop, enum guard_state state)
{
    loop->state = state;
    loop->hands.call.deadline_ms = deadline_of(loop);
    append_state(loop);
    if (loop->env->on_state != NULL) {
        loop->env->on_state(loop->env->context, state);
    }
}

static void run_states(struct guard_loop *loop)
{
    while (!guard_is_final(loop->state)) {
        enum guard_event event = GUARD_TOO_LATE;
        if (clock_now_ms(loop->env->clock) < loop->hands.call.deadline_ms) {
            event = acts[loop->state](loop);
        } else if (loop->why == NULL) {
            blame(loop,
                err_new(ERR_GATE, NULL, "%s lasted too long", guard_state_names[loop->state]));
        }
        const enum guard_state next = guard_next(loop->state, event);
        if (next == loop->state) {
            clock_wait_ms(loop->env->clock, GUARD_LOOK_MS);
        } else {
            enter(loop, next);
        }
    }
}

enum guard_state guard_run(const struct guard_config *config, const struct guard_env *env)
{
    struct guard_loop loop = {.config = config, .env = env};
    /* Its own name: whoever takes the claim cuts the controller's connections, not a guard's. */
    AUTO_FREE char *name = mem_format("guard-%s", config->run);
    loop.hands = (struct guard_hands){.call = {.clock = env->clock,
                                          .deadline_ms = INT64_MAX,
                                          .run = name,
                                          .step = config->step,
                                          .epoch = config->epoch},
        .fence_before = config->fence_before};
    struct err *err = guard_hands_open(&loop.hands, config, env);
    if (err != NULL) {
        blame(&loop, err);
        enter(&loop, GUARD_RELEASED_BACK);
    } else {
        enter(&loop, GUARD_PREPARED);
        run_states(&loop);
    }
    if (loop.state != GUARD_STUCK) {
        (void)guard_timer_disarm(config->base); /* of a cut-over that never held */
    }
    cutover_close_session(loop.hands.session);
    err_free(loop.why);
    free(loop.hook);
    return loop.state;
}
