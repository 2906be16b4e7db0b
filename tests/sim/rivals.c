/* Other controllers in a universe: a second one that wants the nodes, and a dead one's last act. */
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/host.h"
#include "drivers/world.h"
#include "universe_parts.h"

enum {
    CLAIM_CALL_MS = 2000,
    GHOST_MS_MAX = 20000,
    FIRST_PID = 1000,
    RIVAL_PID = 999,
    RELEASES_MAX = 20
};

static const char *const our_origin = "first record";
static pid_t acting_pid = FIRST_PID; /* whose process this is just now */

/* Claims bear the number of the process that took them: each controller is one of its own. The
 * linker sends all of the program here. */
pid_t __wrap_getpid(void);
pid_t __wrap_getpid(void)
{
    return acting_pid;
}

void universe_act_as(int64_t life)
{
    acting_pid = (pid_t)(FIRST_PID + life);
}

/* Nobody has a journal on a disk here, by which a controller knows its predecessor's claims: they
 * are told to it as those of a run that has ended. */
static void give_up_earlier(
    const struct call *call, const struct claims *claims, const struct inv_node *node)
{
    struct host *host = claims->world->host;
    AUTO_BUF text = {0};
    bool exists = false;
    AUTO_ERR unread = host_claim_read(call, host, node, &exists, &text);
    AUTO_JSON claim = NULL;
    AUTO_ERR unparsed = exists ? js_parse(buf_text(&text), text.size, "claim", &claim) : NULL;
    if (unread != NULL || unparsed != NULL || claim == NULL ||
        !text_equal(js_get_text(claim, "origin"), our_origin)) {
        return;
    }
    js_put_text(claim, "origin", "an earlier record");
    js_put_text(claim, "state", "released");
    AUTO_FREE char *changed = js_write(claim);
    const struct host_claim_swap swap = {buf_text(&text), changed};
    bool is_done = false;
    AUTO_ERR unchanged = host_claim_swap(call, host, node, &swap, &is_done);
    (void)unchanged; /* then the claim looks like that of another journal, and is taken later */
}

static struct err *act_on_claims(const struct call *call, void *context,
    const struct claim_request *request, struct arena *arena, struct claim_answer *ret_answer)
{
    const struct claims *claims = context;
    const struct inv_cluster *cluster = claims->world->cluster;
    for (size_t i = 0; request->act == CLAIM_TAKE && i < cluster->node_count; i++) {
        give_up_earlier(call, claims, &cluster->nodes[i]);
    }
    return claims_ops.act(call, context, request, arena, ret_answer);
}

static struct err *look_at_claims(const struct call *call, void *context, const char *node,
    struct arena *arena, const char **ret_reason)
{
    return claims_ops.look(call, context, node, arena, ret_reason);
}

static const struct claim_ops sim_claims_ops = {.act = act_on_claims, .look = look_at_claims};

void universe_open_claims(struct universe *universe)
{
    struct claims *claims = &universe->claims;
    *claims = (struct claims){.world = sim_world(universe->sim),
        .directory = "/sim/ours",
        .origin = our_origin,
        .run = "sim-1"};
    universe->rival_claims = (struct claims){.world = sim_world(universe->sim),
        .directory = "/sim/theirs",
        .origin = "another record",
        .run = "other-1"};
    if (universe->options->has_claims) {
        universe->executor.claims = &sim_claims_ops;
        universe->executor.claims_context = claims;
    }
}

/* From when the run has the nodes until it gives them back. */
static bool has_nodes(const struct run_state *state)
{
    return state->claim.is_ours && state->claim.nodes > 0 && !state->is_finishing;
}

static struct call call_of(struct universe *universe, const char *run, int64_t epoch)
{
    struct clock *clock = sim_clock(universe->sim);
    return (struct call){.clock = clock,
        .deadline_ms = clock_now_ms(clock) + CLAIM_CALL_MS,
        .send_before_ms = clock_now_ms(clock) + CLAIM_CALL_MS,
        .world = sim_world(universe->sim),
        .run = run,
        .epoch = epoch};
}

/* The harness tells a predecessor's claims as ended, so between two controllers of ours the nodes
 * are anybody's. Whoever gets them then, or could not give back what it took, must let go again:
 * there is no human here who would clear its claims. */
static void let_go(struct universe *universe, int64_t epoch)
{
    const struct claim_request request = {.act = CLAIM_RELEASE,
        .epoch = epoch,
        .run = "other-1",
        .state = run_status_names[RUN_REFUSED]};
    AUTO_ARENA arena = {0};
    struct claim_answer answer = {.held_count = 1};
    for (int i = 0; i < RELEASES_MAX && answer.held_count > 0; i++) {
        const struct call call = call_of(universe, universe->rival_claims.run, epoch);
        AUTO_ERR ignored =
            claims_ops.act(&call, &universe->rival_claims, &request, &arena, &answer);
        (void)ignored; /* the nodes that are left count */
    }
}

static void try_to_take(struct universe *universe)
{
    const struct call call = call_of(universe, universe->rival_claims.run, 1);
    const struct claim_request request = {
        .act = CLAIM_TAKE, .epoch = 1, .run = "other-1", .state = run_status_names[RUN_CLAIMING]};
    AUTO_ARENA arena = {0};
    struct claim_answer answer = {0};
    const bool was_ours = has_nodes(&universe->state);
    acting_pid = RIVAL_PID;
    AUTO_ERR err = claims_ops.act(&call, &universe->rival_claims, &request, &arena, &answer);
    let_go(universe, answer.epoch_max > 0 ? answer.epoch_max : request.epoch);
    universe_act_as((int64_t)universe->life_count);
    universe_trace(universe, "rival", answer.reason == NULL ? "wants the nodes" : answer.reason);
    const bool is_refused = err != NULL || answer.is_foreign || answer.is_ahead;
    if (was_ours && !is_refused) {
        invariants_complain(&universe->invariants, "a second controller was let in");
    }
}

bool universe_keep_ghost(struct universe *universe, const struct run_task *task)
{
    const bool is_act = task->kind == RUN_TASK_APPLY || task->kind == RUN_TASK_UNDO;
    const bool is_possible = is_act && universe->options->has_claims &&
                             universe->ghost.kind == RUN_TASK_NONE &&
                             universe->state.revision_count == 0; /* its plan outlives the run */
    if (!is_possible || !universe_happens(universe, 10 * universe->options->trouble.ghost_pct)) {
        return false;
    }
    universe->ghost = *task;
    universe->ghost_life = (int64_t)universe->life_count;
    universe->ghost_at_ms = universe_now(universe) + universe_draw(universe, GHOST_MS_MAX);
    return true;
}

void universe_forget_ghost(struct universe *universe)
{
    run_task_release(&universe->ghost);
    universe->ghost = (struct run_task){0};
}

/* Bears the node the mark of a later controller? */
static bool is_marked_anew(struct universe *universe, const struct run_task *task)
{
    if (!has_nodes(&universe->state) || universe->state.epoch <= task->epoch) {
        return false;
    }
    const struct call call = call_of(universe, universe->claims.run, universe->state.epoch);
    const char *reason = NULL;
    AUTO_ARENA arena = {0};
    AUTO_ERR err = claims_ops.look(&call, &universe->claims, task->plan->node, &arena, &reason);
    return err == NULL && reason == NULL;
}

/* What a frozen process does when it wakes: the claim tells it that it is too late. */
static void let_ghost_act(struct universe *universe)
{
    struct run_task task = universe->ghost;
    universe->ghost = (struct run_task){0};
    const bool is_late = is_marked_anew(universe, &task);
    universe_act_as(universe->ghost_life);
    struct run_result *result = executor_do(&universe->executor, &task);
    universe_act_as((int64_t)universe->life_count);
    universe_trace(universe, "GHOST", result->is_sent ? task.plan->id : "does not act");
    if (is_late && (result->is_sent || (task.kind == RUN_TASK_UNDO && result->err == NULL))) {
        invariants_complain(
            &universe->invariants, "a dead controller did %s after its successor", task.plan->id);
    }
    run_result_free(result);
    run_task_release(&task);
}

void universe_let_rivals_act(struct universe *universe)
{
    if (universe->ghost.kind != RUN_TASK_NONE && universe_now(universe) >= universe->ghost_at_ms) {
        let_ghost_act(universe);
    }
    if (universe->options->has_claims &&
        universe_happens(universe, universe->options->trouble.rival_permille)) {
        try_to_take(universe);
    }
}
