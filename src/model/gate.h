/*
 * model/gate.h - conditions that must hold, and their four answers.
 *
 * A gate is a pure function of facts and arguments. It is evaluated while planning (complete
 * refusals), before the first step, again immediately before each act, and while a run waits.
 * Unknown is "not yet", never "yes"; several answers combine to the worst.
 */
#ifndef UPSHIFT_MODEL_GATE_H
#define UPSHIFT_MODEL_GATE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/json.h"
#include "model/facts.h"
#include "model/version.h"

enum gate_state { /* from good to bad: the worst of two is the larger */
    GATE_YES,
    GATE_NOT_YET,   /* waiting may help */
    GATE_NEEDS_YOU, /* a human must answer */
    GATE_NEVER,     /* waiting cannot help */
};

extern const char *const gate_state_names[]; /* "yes", "not yet", "needs you", "never" */

struct gate_answer {
    enum gate_state state;
    const char *gate;   /* its name */
    const char *reason; /* one sentence without a full stop: "n2's link to n5 is down" */
    const char *remedy; /* what to do, or NULL */
};

/* What gates look at. */
struct gate_input {
    const struct facts *facts;
    const struct rules *rules;
    const struct json *args; /* of this use of the gate, e.g. {"node":"n4","target":"redis/7.0"} */
    struct arena *arena;     /* for reason and remedy */
};

struct gate_ops {
    const char *name;    /* as plans name it: "cluster_ok" */
    const char *summary; /* one line for docs and `plan` */
    struct gate_answer (*eval)(const struct gate_input *input);
};

#endif
