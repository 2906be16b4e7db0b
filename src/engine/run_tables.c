/*
 * engine/run_tables.c - the legal transitions of a run, as data (engine.md 2.1 and 2.2).
 *
 *   PLANNED -> CLAIMING -> RUNNING --phases done--> SOAKING --finalize--> RUNNING -> COMPLETE
 *      |          |         |  ^                      |
 *     red       foreign  pause | resume             abort, rollback (RUNNING, direction back)
 *      v          v         v  |                      v
 *   REFUSED    REFUSED   PAUSING -> PAUSED         ABORTING -> ABORTED --rollback--> RUNNING
 *                                     '-> ABANDONED                                     |
 *                                                                          ROLLED_BACK <'
 */
#include "engine/run_tables.h"

#include "base/attr.h"
#include "engine/claim.h"
#include "engine/run.h"

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

#define NEVER_BEGAN "stopped by the operator before anything began"
#define END_HERE "end here: close what is open, undo nothing"
#define GO_BACK "nothing new starts; what is begun ends; then every node goes back"

const struct run_transition run_transitions[] = {
    {RUN_PLANNED, RUN_EVENT_PREFLIGHT_GREEN, RUN_CLAIMING, "every gate is green: mark the nodes"},
    {RUN_PLANNED, RUN_EVENT_PREFLIGHT_RED, RUN_REFUSED, "preflight said no; nothing was changed"},
    {RUN_PLANNED, RUN_EVENT_PAUSE, RUN_REFUSED, NEVER_BEGAN},
    {RUN_PLANNED, RUN_EVENT_ABORT, RUN_REFUSED, NEVER_BEGAN},
    {RUN_CLAIMING, RUN_EVENT_CLAIMED, RUN_RUNNING, "the nodes are this run's: go"},
    {RUN_CLAIMING, RUN_EVENT_CLAIM_REFUSED, RUN_REFUSED, "another run has them"},
    {RUN_CLAIMING, RUN_EVENT_PREFLIGHT_RED, RUN_REFUSED, "too few nodes could be marked"},
    {RUN_CLAIMING, RUN_EVENT_PAUSE, RUN_REFUSED, NEVER_BEGAN},
    {RUN_CLAIMING, RUN_EVENT_ABORT, RUN_REFUSED, NEVER_BEGAN},
    {RUN_RUNNING, RUN_EVENT_PAUSE, RUN_PAUSING, "finish what is in flight, start nothing new"},
    {RUN_RUNNING, RUN_EVENT_QUESTION, RUN_PAUSED, "a human must look"},
    {RUN_RUNNING, RUN_EVENT_ABORT, RUN_ABORTING, END_HERE},
    {RUN_RUNNING, RUN_EVENT_ROLLBACK, RUN_RUNNING, GO_BACK},
    {RUN_RUNNING, RUN_EVENT_SOAK, RUN_SOAKING, "pause point: the way back is open and fed"},
    {RUN_RUNNING, RUN_EVENT_FINISHED, RUN_COMPLETE, "all nodes run the target version"},
    {RUN_RUNNING, RUN_EVENT_ROLLED_BACK, RUN_ROLLED_BACK, "all nodes run what they ran before"},
    {RUN_PAUSING, RUN_EVENT_IDLE, RUN_PAUSED, "nothing is in flight"},
    {RUN_PAUSING, RUN_EVENT_QUESTION, RUN_PAUSED, "a human must look"},
    {RUN_PAUSING, RUN_EVENT_RESUME, RUN_RUNNING, "the operator changed their mind"},
    {RUN_PAUSING, RUN_EVENT_ABORT, RUN_ABORTING, END_HERE},
    {RUN_PAUSING, RUN_EVENT_ROLLBACK, RUN_RUNNING, GO_BACK},
    {RUN_PAUSED, RUN_EVENT_QUESTION, RUN_PAUSED, "there is something else to answer"},
    {RUN_PAUSED, RUN_EVENT_RESUME, RUN_RUNNING, "looks again before it acts"},
    {RUN_PAUSED, RUN_EVENT_ABORT, RUN_ABORTING, END_HERE},
    {RUN_PAUSED, RUN_EVENT_ROLLBACK, RUN_RUNNING, GO_BACK},
    {RUN_PAUSED, RUN_EVENT_RECONCILE, RUN_PAUSED, "plan what is left from the world as it is"},
    {RUN_PAUSED, RUN_EVENT_ABANDON, RUN_ABANDONED, "end at once: what is open is listed and left"},
    {RUN_ABORTING, RUN_EVENT_ABORTED, RUN_ABORTED, "scopes are closed; versions stay as they are"},
    {RUN_ABORTED, RUN_EVENT_ROLLBACK, RUN_RUNNING, GO_BACK},
    {RUN_SOAKING, RUN_EVENT_QUESTION, RUN_PAUSED, "a human must look"},
    {RUN_SOAKING, RUN_EVENT_ABORT, RUN_ABORTING, END_HERE},
    {RUN_SOAKING, RUN_EVENT_ROLLBACK, RUN_RUNNING, GO_BACK},
    {RUN_SOAKING, RUN_EVENT_FINALIZE, RUN_RUNNING, "the operator ends the way back"},
    {RUN_SOAKING, RUN_EVENT_RECONCILE, RUN_PAUSED, "plan what is left from the world as it is"},
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
    return status == RUN_ABORTED || status == RUN_REFUSED || status == RUN_COMPLETE ||
           status == RUN_ROLLED_BACK || status == RUN_ABANDONED;
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

#define NOT_BEGUN "the run has not begun: nothing is to be undone; stop it by `upshift abort`"
#define WAIT_FOR_ABORTED "the run is being aborted; wait until it is ABORTED"
#define PLAN_ANEW "the run was aborted; plan anew: only what remains is planned"
#define PAUSE_FIRST "the run is at work; `upshift pause` first"
#define IS_REFUSED "the run was refused and changed nothing; plan anew"
#define IS_COMPLETE "the run is complete; plan a new one"
#define NO_WAY_BACK                                                                                \
    "the run is complete and its way back is closed; going back takes a backup, or copying the "   \
    "data into a new cluster"
#define IS_BACK "the run was rolled back; plan anew"
#define IS_ABANDONED "the run was abandoned; plan anew"

static const struct run_rule rules[][RUN_COMMAND_COUNT] = {
    /* resume, pause, abort, finalize, rollback, reconcile, abandon */
    [RUN_PLANNED] = {REFUSE("the run has not begun; it starts by itself when preflight is green"),
        DO(RUN_EVENT_PAUSE), DO(RUN_EVENT_ABORT),
        REFUSE("the run has not begun; finalize it at the pause point"), REFUSE(NOT_BEGUN),
        REFUSE(NOT_BEGUN), REFUSE(NOT_BEGUN)},
    [RUN_CLAIMING] = {REFUSE("the run has not begun; it starts by itself when the nodes are its"),
        DO(RUN_EVENT_PAUSE), DO(RUN_EVENT_ABORT),
        REFUSE("the run has not begun; finalize it at the pause point"), REFUSE(NOT_BEGUN),
        REFUSE(NOT_BEGUN), REFUSE(NOT_BEGUN)},
    [RUN_RUNNING] = {NOTHING("the run is running already"), DO(RUN_EVENT_PAUSE),
        DO(RUN_EVENT_ABORT),
        REFUSE("the run has not reached its pause point; wait until it is SOAKING"),
        DO(RUN_EVENT_ROLLBACK), REFUSE(PAUSE_FIRST), REFUSE(PAUSE_FIRST)},
    [RUN_PAUSING] = {DO(RUN_EVENT_RESUME), NOTHING("the run is pausing already"),
        DO(RUN_EVENT_ABORT), REFUSE("the run is pausing; resume it first"), DO(RUN_EVENT_ROLLBACK),
        REFUSE("the run is pausing; wait until it is PAUSED"),
        REFUSE("the run is pausing; wait until it is PAUSED")},
    [RUN_PAUSED] = {DO(RUN_EVENT_RESUME), NOTHING("the run is paused already"), DO(RUN_EVENT_ABORT),
        REFUSE("the run is paused; resume it first"), DO(RUN_EVENT_ROLLBACK),
        DO(RUN_EVENT_RECONCILE), DO(RUN_EVENT_ABANDON)},
    [RUN_ABORTING] = {REFUSE("the run is being aborted; plan anew when it has ended"),
        NOTHING("the run is being aborted; nothing new starts"),
        NOTHING("the run is being aborted already"),
        REFUSE("the run is being aborted; plan anew when it has ended"), REFUSE(WAIT_FOR_ABORTED),
        REFUSE(WAIT_FOR_ABORTED), REFUSE(WAIT_FOR_ABORTED)},
    [RUN_ABORTED] = {REFUSE(PLAN_ANEW), NOTHING("the run has ended"),
        NOTHING("the run was aborted already"), REFUSE(PLAN_ANEW), DO(RUN_EVENT_ROLLBACK),
        REFUSE(PLAN_ANEW), REFUSE("the run was aborted: it holds nothing any more")},
    [RUN_SOAKING] = {NOTHING("the run is at its pause point; it watches the cluster already"),
        REFUSE("the run is at its pause point and does nothing; leave it, or use abort"),
        DO(RUN_EVENT_ABORT), DO(RUN_EVENT_FINALIZE), DO(RUN_EVENT_ROLLBACK),
        DO(RUN_EVENT_RECONCILE),
        REFUSE("the run is at its pause point; end it by `upshift abort`")},
    [RUN_REFUSED] = {REFUSE(IS_REFUSED), REFUSE(IS_REFUSED), REFUSE(IS_REFUSED), REFUSE(IS_REFUSED),
        REFUSE(IS_REFUSED), REFUSE(IS_REFUSED), REFUSE(IS_REFUSED)},
    [RUN_COMPLETE] = {REFUSE(IS_COMPLETE), REFUSE(IS_COMPLETE), REFUSE(IS_COMPLETE),
        NOTHING("the run is complete already"), REFUSE(NO_WAY_BACK), REFUSE(IS_COMPLETE),
        REFUSE(IS_COMPLETE)},
    [RUN_ROLLED_BACK] = {REFUSE(IS_BACK), REFUSE(IS_BACK), REFUSE(IS_BACK), REFUSE(IS_BACK),
        REFUSE("the run was rolled back already: every node runs what it ran before"),
        REFUSE(IS_BACK), REFUSE(IS_BACK)},
    [RUN_ABANDONED] = {REFUSE(IS_ABANDONED), REFUSE(IS_ABANDONED), REFUSE(IS_ABANDONED),
        REFUSE(IS_ABANDONED), REFUSE(IS_ABANDONED), REFUSE(IS_ABANDONED), REFUSE(IS_ABANDONED)},
};

const struct run_rule *run_find_rule(enum run_status status, enum run_command command)
{
    return &rules[status][command];
}
