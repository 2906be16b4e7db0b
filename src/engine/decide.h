/*
 * engine/decide.h - the whole decision maker: events in, records and commands out.
 *
 * engine_decide() is a pure reducer: no I/O, no clock, no threads. What it decides about the run
 * becomes journal records, and it applies those to the state by run_fold() itself, so the live
 * state is a fold of the records by construction. The loop (engine/loop.h) appends the records in
 * one durable commit and only then carries out the commands; if the append fails, the process ends
 * and the next one trusts the disk.
 */
#ifndef UPSHIFT_ENGINE_DECIDE_H
#define UPSHIFT_ENGINE_DECIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "engine/claim.h"
#include "engine/journal.h"
#include "engine/run.h"
#include "model/gate.h"

/* One piece of work for a worker thread. Everything it needs is in it. */
struct run_task {
    enum run_task_kind kind;
    size_t step;                  /* index; unused for health */
    const struct plan_step *plan; /* of the step */
    int64_t attempt;
    int64_t epoch;
    int64_t deadline_ms;        /* the worker's own limit for this task */
    struct json *args, *before; /* bound; references owned by the task; NULL before binding */
    enum run_health_purpose purpose;
    int64_t revision;              /* health: of the plan whose gates they are */
    const struct plan_gate *gates; /* health: what to evaluate; borrowed from the plan */
    size_t gate_count;
    const struct plan_gate *during; /* health and look while the way back is open: its gates */
    size_t during_count;
    bool must_stop;          /* verify: call step_ops.stop first */
    enum run_replan replan;  /* replan: why */
    const struct plan *from; /* replan: the present plan; borrowed, lives as long as the run */
    struct json *progress;   /* replan: struct progress as JSON; owned by the task */
    enum claim_act claim;    /* claim: what, with the members below */
    enum run_status status;
    bool is_parked;
    int64_t seq;
    struct json *scopes; /* owned by the task */
};
void run_task_release(struct run_task *task); /* gives up its references */

/* What came of it. Owned by the event; freed with run_result_free(). */
struct run_result {
    struct arena arena;
    enum run_task_kind kind;
    size_t step;
    int64_t attempt;
    enum run_health_purpose purpose;
    int64_t revision;            /* health: of the plan, as asked */
    enum claim_act act;          /* claim */
    enum run_replan replan;      /* replan: why, as asked */
    enum step_state seen;        /* look, verify, undo */
    struct err *err;             /* look, verify: cannot see; apply, undo: as the driver said */
    bool is_sent;                /* apply: the gates were still yes and apply() was called */
    struct json *args, *before;  /* look: bound and captured, when ABSENT and all gates yes; undo:
                                    what somebody else has put there, when ELSEWHERE */
    struct gate_answer *answers; /* those that are not yes, worst first */
    size_t answer_count;
    struct gate_answer during; /* worst of the way-back gates */
    bool has_during;           /* they were evaluated */
    const char **out;          /* nodes that facts show out of service */
    size_t out_count;
    struct json *nodes; /* [{name,address,shard,role,product,version,...}] as read now, or NULL */
    bool is_assumption; /* look, apply: the worst answer is that of an assumption: re-plan */
    struct json *plan;  /* replan: the new plan (model/plan.h), or NULL when refused: `answers` say
                           why; none: this executor cannot plan; owned */
    bool is_wider;      /* replan: it needs consent (engine.md 4) */
    const char **diff;  /* replan: what it does otherwise, for people, one line each */
    size_t diff_count;
    struct claim_answer claim; /* claim */
};
void run_result_free(struct run_result *result);

enum event_kind {
    EVENT_BEGIN,     /* the controller starts; is_resumed: a run that has records */
    EVENT_TICK,      /* time went on */
    EVENT_RESULT,    /* a task ended */
    EVENT_OPERATOR,  /* a command from a terminal or a signal */
    EVENT_PROBE,     /* the probe ended: body is its final record, or NULL when it left none */
    EVENT_PROBE_GAP, /* nobody watched for a while: body says from when to when */
};

struct event {
    enum event_kind kind;
    int64_t now_ms, wall_ms;
    struct run_result *result; /* EVENT_RESULT; owned by the event */
    enum run_command command;  /* EVENT_OPERATOR; EVENT_BEGIN with has_command: of the starter */
    bool has_command;          /* EVENT_BEGIN: an ended run is gone on with (rollback) */
    const char *answer;        /* of the command: "accept 3f9a...", "forward"; or NULL; borrowed */
    const char *who;           /* "ada (pid 4711)" */
    int64_t reply_id;          /* whom to answer; 0: nobody */
    bool is_ending;            /* SIGTERM: pause, then end */
    bool is_resumed;           /* EVENT_BEGIN */
    const struct json *body;   /* EVENT_BEGIN: who we are; probe events as above; borrowed */
};

enum command_kind {
    COMMAND_TASK,       /* give `task` to a worker */
    COMMAND_REPLY,      /* answer an operator */
    COMMAND_PROBE_STOP, /* ask the probe to read back and end */
    COMMAND_END,        /* the controller's work is over */
};

struct command {
    enum command_kind kind;
    struct run_task task;
    int64_t reply_id;
    bool is_ok;
    int exit;         /* reply: exit code for the asking command; end: of the controller */
    const char *text; /* reply: one sentence; in the commands' arena */
};

struct commands {
    struct arena arena;
    struct journal_record *records; /* commit all of them first; bodies owned by this struct */
    size_t record_count;
    struct command *list; /* then these, in order */
    size_t count;
    int64_t wake_ms; /* send a tick then, 0: no need */
};
void commands_release(struct commands *commands);

/* Takes one event; fills zeroed `ret_commands`. Never blocks, never fails. */
void engine_decide(
    struct run_state *state, const struct event *event, struct commands *ret_commands);

#endif
