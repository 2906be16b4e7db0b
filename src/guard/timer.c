/*
 * guard/timer.c - the dead-man of a fence: lifts it when nobody else does.
 *
 * It connects before anything is held, then waits. Its file decides between it and the guard: who
 * removes it may act. After its time it goes on trying, because a fence does not end by itself.
 */
#include "base/mem.h"
#include "base/str.h"
#include "guard/acts.h"
#include "guard/guard.h"

enum { TIMER_LOOK_MS = 20, TIMER_TRY_MS = 100 };

static struct err *lift_fence(struct guard_hands *hands)
{
    struct clock *clock = hands->call.clock;
    hands->call.deadline_ms = clock_now_ms(clock) + GUARD_TIMER_RETRY_MS;
    for (;;) {
        enum guard_event event = GUARD_FAILED;
        struct err *err = NULL;
        guard_go_back(hands, &event, &err);
        if (event == GUARD_DONE || clock_now_ms(clock) >= hands->call.deadline_ms) {
            return err;
        }
        err_free(err);
        clock_wait_ms(clock, TIMER_TRY_MS);
    }
}

static struct err *wait_and_lift(const struct guard_config *config, struct guard_hands *hands)
{
    struct clock *clock = hands->call.clock;
    struct guard_sight warm;
    guard_look(hands, &warm); /* connects */
    struct err *err = guard_timer_lock(config->base);
    while (err == NULL && clock_now_ms(clock) < config->fires_at_ms) {
        if (!guard_timer_is_armed(config->base)) {
            return NULL;
        }
        const int64_t left_ms = config->fires_at_ms - clock_now_ms(clock);
        clock_wait_ms(clock, left_ms < TIMER_LOOK_MS ? left_ms : TIMER_LOOK_MS);
    }
    return err == NULL && guard_timer_disarm(config->base) ? lift_fence(hands) : err;
}

struct err *timer_run(const struct guard_config *config, const struct guard_env *env)
{
    AUTO_FREE char *name = mem_format("guard-%s", config->run);
    struct guard_hands hands = {.call = {.clock = env->clock,
                                    .deadline_ms = config->fires_at_ms,
                                    .run = name,
                                    .step = config->step,
                                    .epoch = config->epoch},
        .fence_before = config->fence_before};
    struct err *err = guard_hands_open(&hands, config, env);
    if (err == NULL) {
        err = wait_and_lift(config, &hands);
    }
    cutover_close_session(hands.session);
    return err;
}
