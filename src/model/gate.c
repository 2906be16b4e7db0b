#include "model/gate.h"

const char *const gate_state_names[] = {
    [GATE_YES] = "yes",
    [GATE_NOT_YET] = "not yet",
    [GATE_NEEDS_YOU] = "needs you",
    [GATE_NEVER] = "never",
    NULL,
};
