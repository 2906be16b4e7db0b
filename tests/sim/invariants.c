#include "invariants.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/loop.h"

enum { FOLD_STRIDE = 7 }; /* of commits: comparing whole states is a third of the work */

void invariants_init(struct invariants *invariants, struct stage *stage, const struct plan *plan,
    const struct memory_journal *journal)
{
    *invariants = (struct invariants){.stage = stage, .plan = plan, .journal = journal};
    run_init(&invariants->folded, plan, "sim-1");
    AUTO_FACTS facts = {0};
    stage_read(stage, &facts);
    for (size_t i = 0; i < stage->cluster.node_count; i++) {
        invariants->start_counts[i] = sim_get_start_count(stage->sim, stage->cluster.nodes[i].name);
        const char *version = facts.nodes[i].version;
        invariants->start_versions[i] = version == NULL ? NULL : mem_strdup(version);
    }
}

void invariants_release(struct invariants *invariants)
{
    run_release(&invariants->folded);
    free(invariants->complaint);
    for (size_t i = 0; i < SIM_NODES_MAX; i++) {
        free(invariants->start_versions[i]);
    }
}

void invariants_complain(struct invariants *invariants, const char *format, ...)
{
    if (invariants->complaint != NULL) {
        return;
    }
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    invariants->complaint = mem_strdup(text);
}

/* May anything at all be changed now? What a question overtook may still be on its way. */
static void check_time_to_act(struct invariants *invariants, const struct run_task *task)
{
    const struct run_state *folded = &invariants->folded;
    const struct run_step *step = &folded->steps[task->step];
    const bool is_at_rest = folded->status == RUN_PLANNED || folded->status == RUN_SOAKING ||
                            run_status_is_final(folded->status);
    if (is_at_rest) {
        invariants_complain(invariants, "%s acts while the run is %s", task->plan->id,
            run_status_names[folded->status]);
    }
    if (run_step_is_current(folded, step) && run_phase_is_finalize(folded, step->phase) &&
        !folded->is_finalizing) {
        invariants_complain(invariants, "%s acts before anybody said finalize", task->plan->id);
    }
}

void invariants_before_task(struct invariants *invariants, const struct run_task *task)
{
    if (task->kind == RUN_TASK_APPLY) {
        check_time_to_act(invariants, task);
    }
    const char *id = task->plan == NULL ? NULL : task->plan->id;
    if (task->kind == RUN_TASK_APPLY &&
        !memory_journal_has(invariants->journal, JOURNAL_INTENT, id, task->attempt, task->epoch)) {
        invariants_complain(invariants, "%s acts without an intent on disk", id);
    }
    if (task->kind == RUN_TASK_UNDO && !invariants->folded.steps[task->step].is_scope_open) {
        invariants_complain(invariants, "%s takes back what no record calls open", id);
    }
    const bool is_act = task->kind == RUN_TASK_APPLY || task->kind == RUN_TASK_UNDO;
    if (is_act && task->epoch < invariants->folded.epoch) {
        invariants_complain(invariants, "an act of epoch %lld after one of epoch %lld began",
            (long long)task->epoch, (long long)invariants->folded.epoch);
    }
}

static bool is_in_service(const struct fact_node *node)
{
    return node->is_reachable && !node->is_loading && node->role != FACT_ROLE_UNKNOWN &&
           (node->role == FACT_ROLE_PRIMARY || (node->is_link_up && !node->is_syncing));
}

static int64_t count_taken(const struct invariants *invariants, const struct plan_group *group)
{
    int64_t count = 0;
    for (size_t n = 0; n < group->node_count; n++) {
        for (size_t i = 0; i < invariants->stage->cluster.node_count; i++) {
            count += invariants->is_taken[i] &&
                     text_equal(invariants->stage->cluster.nodes[i].name, group->nodes[n]);
        }
    }
    return count;
}

static void check_budget(struct invariants *invariants)
{
    const struct plan *plan = invariants->folded.plan;
    for (size_t g = 0; g < plan->group_count; g++) {
        const struct plan_group *group = &plan->groups[g];
        const int64_t count = count_taken(invariants, group);
        if (count > group->max_unavailable) {
            invariants_complain(invariants,
                "%lld nodes of %s are out by our acts, allowed are %lld", (long long)count,
                group->name, (long long)group->max_unavailable);
        }
    }
}

static void update_taken(struct invariants *invariants, const struct run_task *task, bool is_taking)
{
    AUTO_FACTS facts = {0};
    stage_read(invariants->stage, &facts);
    invariants->taken_count = 0;
    for (size_t i = 0; i < facts.node_count; i++) {
        if (is_in_service(&facts.nodes[i])) {
            invariants->is_taken[i] = false;
        } else if (is_taking && text_equal(facts.nodes[i].name, task->plan->node)) {
            invariants->is_taken[i] = true;
        }
        invariants->taken_count += invariants->is_taken[i] ? 1 : 0;
    }
}

void invariants_after_task(
    struct invariants *invariants, const struct run_task *task, const struct run_result *result)
{
    const bool is_taking = task->kind == RUN_TASK_APPLY && task->plan->takes_out && result->is_sent;
    if (is_taking || invariants->taken_count > 0) {
        update_taken(invariants, task, is_taking);
        check_budget(invariants);
    }
    const int64_t lost = sim_get_counts(invariants->stage->sim).lost;
    if (lost > 0 && !invariants->may_lose) {
        invariants_complain(invariants, "%lld acknowledged writes are lost", (long long)lost);
    }
}

static void compare_fold(struct invariants *invariants, const struct run_state *state)
{
    AUTO_JSON folded = run_to_json(&invariants->folded);
    AUTO_JSON live = run_to_json(state);
    if (!js_equal(folded, live)) {
        AUTO_FREE char *a = js_write(folded);
        AUTO_FREE char *b = js_write(live);
        invariants_complain(invariants, "the journal folds to %.200s, the engine has %.200s", a, b);
    }
}

void invariants_after_commit(struct invariants *invariants, const struct run_state *state)
{
    const struct memory_journal *journal = invariants->journal;
    engine_fold_all(&invariants->folded, journal->records + invariants->folded_count,
        journal->record_count - invariants->folded_count);
    invariants->folded_count = journal->record_count;
    const bool is_sampled = ++invariants->commit_count % FOLD_STRIDE == 0;
    if (is_sampled || run_status_is_final(state->status)) {
        compare_fold(invariants, state);
    }
    if (state->status == RUN_PAUSED && state->has_question && state->reason_count == 0) {
        invariants_complain(invariants, "the run asks without a reason");
    }
}

/* A change that could not be taken back must at least be listed as such. */
static void check_scopes(struct invariants *invariants, const struct facts *facts)
{
    for (size_t i = 0; i < invariants->folded.step_count; i++) {
        if (invariants->folded.steps[i].is_scope_open) {
            invariants_complain(
                invariants, "%s is still open", invariants->folded.steps[i].plan->id);
        }
    }
    for (size_t i = 0; i < invariants->journal->record_count; i++) {
        const struct journal_record *record = &invariants->journal->records[i];
        if (record->type == JOURNAL_SCOPE_CLOSED &&
            !text_equal(js_get_text(record->body, "left"), "restored")) {
            return; /* listed */
        }
    }
    for (size_t i = 0; i < facts->node_count; i++) {
        if (facts->nodes[i].drift_count > 0) {
            invariants_complain(invariants, "%s of %s is left changed",
                facts->nodes[i].drift[0].setting, facts->nodes[i].name);
        }
    }
}

static bool has_restart(const struct plan *plan, const char *node)
{
    for (size_t p = 0; p < plan->phase_count; p++) {
        for (size_t s = 0; s < plan->phases[p].step_count; s++) {
            const struct plan_step *step = &plan->phases[p].steps[s];
            if (text_equal(step->kind, "service.start") && text_equal(step->node, node)) {
                return true;
            }
        }
    }
    return false;
}

static void check_complete(struct invariants *invariants, const struct facts *facts)
{
    const struct plan_request *request = &invariants->plan->request;
    for (size_t i = 0; i < facts->node_count; i++) {
        const struct fact_node *node = &facts->nodes[i];
        if (!is_in_service(node) || !node->is_cluster_ok) {
            invariants_complain(invariants, "complete, and %s does not serve", node->name);
        } else if (!text_equal(node->product, request->to_product) ||
                   !text_equal(node->version, request->to_version)) {
            invariants_complain(invariants, "complete, and %s runs %s", node->name, node->version);
        }
        const int64_t started =
            sim_get_start_count(invariants->stage->sim, node->name) - invariants->start_counts[i];
        const int64_t planned = has_restart(invariants->plan, node->name) ? 1 : 0;
        const bool is_counted = invariants->folded.revision_count == 0 && !invariants->may_lose;
        if (started != planned && is_counted) {
            invariants_complain(invariants, "%s was started %lld times, planned were %lld",
                node->name, (long long)started, (long long)planned);
        }
    }
}

static void check_rolled_back(struct invariants *invariants, const struct facts *facts)
{
    for (size_t i = 0; i < facts->node_count; i++) {
        const struct fact_node *node = &facts->nodes[i];
        if (!is_in_service(node) || !node->is_cluster_ok) {
            invariants_complain(invariants, "rolled back, and %s does not serve", node->name);
        } else if (!text_equal(node->version, invariants->start_versions[i])) {
            invariants_complain(invariants, "rolled back, and %s runs %s, not %s as before",
                node->name, node->version, invariants->start_versions[i]);
        }
    }
}

static void check_aborted(struct invariants *invariants, const struct facts *facts)
{
    for (size_t i = 0; i < facts->node_count; i++) {
        if (invariants->is_taken[i] && !is_in_service(&facts->nodes[i]) && !invariants->may_lose) {
            invariants_complain(
                invariants, "aborted, and %s was left out of service", facts->nodes[i].name);
        }
    }
}

void invariants_at_end(struct invariants *invariants)
{
    AUTO_FACTS facts = {0};
    stage_read(invariants->stage, &facts);
    check_scopes(invariants, &facts);
    if (invariants->folded.status == RUN_COMPLETE) {
        check_complete(invariants, &facts);
    } else if (invariants->folded.status == RUN_ROLLED_BACK) {
        check_rolled_back(invariants, &facts);
    } else if (invariants->folded.status == RUN_ABORTED) {
        check_aborted(invariants, &facts);
    }
}
