/*
 * tests/unit/engine/fake_world.h - steps, gates and facts that say what the test tells them to.
 *
 * One kind of step, "fake", one that cannot be taken back, "fake.forever", and gates whose answers
 * are set by name. What was called is counted; counters are atomic because workers call, too.
 */
#ifndef UPSHIFT_TESTS_ENGINE_FAKE_WORLD_H
#define UPSHIFT_TESTS_ENGINE_FAKE_WORLD_H

#include <stdatomic.h>

#include "engine/executor.h"

enum fake_gate { FAKE_GATE_A, FAKE_GATE_B, FAKE_GATE_C, FAKE_GATE_COUNT };

struct fake_world {
    struct executor executor;
    struct clock clock; /* its own time, which only the test moves */
    _Atomic int64_t now_ms;
    _Atomic(enum step_state) seen;
    enum step_state undo_leaves;
    enum err_kind apply_error; /* with has_apply_error */
    bool has_apply_error, is_blind, cannot_read;
    enum gate_state gates[FAKE_GATE_COUNT]; /* "a", "b", "c" */
    const char *lost;           /* the claim is another's, and this names it; NULL: it is ours */
    struct claim_request claim; /* as asked for last; texts and scopes are gone */
    const struct json *plan;    /* what planning anew gives; NULL: a refusal */
    _Atomic int64_t begin_before_ms; /* of the last act's call */
    atomic_int stop_count, look_count;
    atomic_int bind_count, capture_count, verify_count, apply_count, undo_count, read_count;
    /* What happens while a step acts, or NULL. */
    void (*on_apply)(struct fake_world *world);
};

/* All gates say yes, steps are absent. */
void fake_world_init(struct fake_world *world);

extern const struct step_ops fake_step_ops;

#endif
