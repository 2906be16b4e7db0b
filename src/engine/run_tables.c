/*
 * engine/run_tables.c - the legal transitions of a run, as data (engine.md 2.1 and 2.2).
 *
 *   PLANNED --green--> RUNNING --phases done--> SOAKING --finalize--> RUNNING --done--> COMPLETE
 *      |                 |  ^                      |
 *     red         pause  |  | resume             abort
 *      v                 v  |                      v
 *   REFUSED           PAUSING -> PAUSED        ABORTING -> ABORTED
 */
#include "engine/run.h"

#include "base/attr.h"

const char *const run_status_names[] = {"PLANNED", "CLAIMING", "RUNNING", "PAUSING", "PAUSED",
    "ABORTING", "ABORTED", "SOAKING", "REFUSED", "COMPLETE", "ROLLED_BACK", "ABANDONED", NULL};

const char *const run_event_names[] = {"preflight green", "preflight red", "pause", "idle",
    "question", "resume", "abort", "aborted", "soak", "finalize", "finished", "claimed",
    "claim refused", "rollback", "rolled back", "reconcile", "abandon", NULL};

const char *const run_command_names[] = {
    "resume", "pause", "abort", "finalize", "rollback", "reconcile", "abandon", NULL};

const char *const run_direction_names[] = {"forward", "back", NULL};

const char *const run_replan_names[] = {"none", "world", "back", "forward", NULL};

const char *const claim_act_names[] = {"take", "renew", "release", NULL};

const char *const run_way_back_names[] = {"open", "closing", "closed", NULL};

const char *const run_phase_status_names[] = {"pending", "open", "done", NULL};

const char *const run_step_status_names[] = {
    "pending", "intended", "done", "found", "failed", "foreign", "unknown", "dropped", NULL};

const struct run_transition run_transitions[] = {
    {RUN_PLANNED, RUN_EVENT_PREFLIGHT_GREEN, RUN_RUNNING, "every gate is green: go"},
    {RUN_PLANNED, RUN_EVENT_PREFLIGHT_RED, RUN_REFUSED, "preflight said no; nothing was changed"},
    {RUN_PLANNED, RUN_EVENT_PAUSE, RUN_REFUSED, "stopped by the operator before anything began"},
    {RUN_PLANNED, RUN_EVENT_ABORT, RUN_REFUSED, "stopped by the operator before anything began"},
    {RUN_RUNNING, RUN_EVENT_PAUSE, RUN_PAUSING, "finish what is in flight, start nothing new"},
    {RUN_RUNNING, RUN_EVENT_QUESTION, RUN_PAUSED, "a human must look"},
    {RUN_RUNNING, RUN_EVENT_ABORT, RUN_ABORTING, "end here: close what is open, undo nothing"},
    {RUN_RUNNING, RUN_EVENT_SOAK, RUN_SOAKING, "pause point: the way back is open and fed"},
    {RUN_RUNNING, RUN_EVENT_FINISHED, RUN_COMPLETE, "all nodes run the target version"},
    {RUN_PAUSING, RUN_EVENT_IDLE, RUN_PAUSED, "nothing is in flight"},
    {RUN_PAUSING, RUN_EVENT_QUESTION, RUN_PAUSED, "a human must look"},
    {RUN_PAUSING, RUN_EVENT_RESUME, RUN_RUNNING, "the operator changed their mind"},
    {RUN_PAUSING, RUN_EVENT_ABORT, RUN_ABORTING, "end here: close what is open, undo nothing"},
    {RUN_PAUSED, RUN_EVENT_RESUME, RUN_RUNNING, "looks again before it acts"},
    {RUN_PAUSED, RUN_EVENT_ABORT, RUN_ABORTING, "end here: close what is open, undo nothing"},
    {RUN_ABORTING, RUN_EVENT_ABORTED, RUN_ABORTED, "scopes are closed; versions stay as they are"},
    {RUN_SOAKING, RUN_EVENT_ABORT, RUN_ABORTING, "end here: close what is open, undo nothing"},
    {RUN_SOAKING, RUN_EVENT_FINALIZE, RUN_RUNNING, "the operator ends the way back"},
};
const size_t run_transition_count = ARRAY_COUNT(run_transitions);

bool run_next_status(enum run_status from, enum run_event event, enum run_status *ret_to)
{
    for (size_t i = 0; i < run_transition_count; i++) {
        if (run_transitions[i].from == from && run_transitions[i].event == event) {
            *ret_to = run_transitions[i].to;
            return true;
        }
    }
    return false;
}

bool run_status_is_final(enum run_status status)
{
    return status == RUN_ABORTED || status == RUN_REFUSED || status == RUN_COMPLETE;
}

#define DO(event)                                                                                  \
    {                                                                                              \
        RUN_DO, event, NULL                                                                        \
    }
#define NOTHING(text)                                                                              \
    {                                                                                              \
        RUN_NOTHING, RUN_EVENT_IDLE, text                                                          \
    }
#define REFUSE(text)                                                                               \
    {                                                                                              \
        RUN_REFUSE, RUN_EVENT_IDLE, text                                                           \
    }

static const struct run_rule rules[][RUN_COMMAND_COUNT] = {
    /* resume, pause, abort, finalize */
    [RUN_PLANNED] = {REFUSE("the run has not begun; it starts by itself when preflight is green"),
        DO(RUN_EVENT_PAUSE), DO(RUN_EVENT_ABORT),
        REFUSE("the run has not begun; finalize it at the pause point")},
    [RUN_RUNNING] = {NOTHING("the run is running already"), DO(RUN_EVENT_PAUSE),
        DO(RUN_EVENT_ABORT),
        REFUSE("the run has not reached its pause point; wait until it is SOAKING")},
    [RUN_PAUSING] = {DO(RUN_EVENT_RESUME), NOTHING("the run is pausing already"),
        DO(RUN_EVENT_ABORT), REFUSE("the run is pausing; resume it first")},
    [RUN_PAUSED] = {DO(RUN_EVENT_RESUME), NOTHING("the run is paused already"), DO(RUN_EVENT_ABORT),
        REFUSE("the run is paused; resume it first")},
    [RUN_ABORTING] = {REFUSE("the run is being aborted; plan anew when it has ended"),
        NOTHING("the run is being aborted; nothing new starts"),
        NOTHING("the run is being aborted already"),
        REFUSE("the run is being aborted; plan anew when it has ended")},
    [RUN_ABORTED] = {REFUSE("the run was aborted; plan anew: only what remains is planned"),
        NOTHING("the run has ended"), NOTHING("the run was aborted already"),
        REFUSE("the run was aborted; plan anew: only what remains is planned")},
    [RUN_SOAKING] = {NOTHING("the run is at its pause point; it watches the cluster already"),
        REFUSE("the run is at its pause point and does nothing; leave it, or use abort"),
        DO(RUN_EVENT_ABORT), DO(RUN_EVENT_FINALIZE)},
    [RUN_REFUSED] = {REFUSE("the run was refused and changed nothing; plan anew"),
        REFUSE("the run was refused and changed nothing"),
        REFUSE("the run was refused and changed nothing"),
        REFUSE("the run was refused and changed nothing; plan anew")},
    [RUN_COMPLETE] = {REFUSE("the run is complete; plan a new one"), REFUSE("the run is complete"),
        REFUSE("the run is complete"), NOTHING("the run is complete already")},
};

const struct run_rule *run_find_rule(enum run_status status, enum run_command command)
{
    return &rules[status][command];
}
