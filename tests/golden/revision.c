#include "revision.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

NO_RETURN static void die_of_revision(const char *what)
{
    fprintf(stderr, "revision: %s\n", what);
    abort();
}

static enum revise_why parse_why(const char *word)
{
    static const char *const words[] = {
        [REVISE_WORLD] = "world", [REVISE_BACK] = "back", [REVISE_FORWARD] = "forward"};
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (text_equal(words[i], word)) {
            return (enum revise_why)i;
        }
    }
    die_of_revision(word == NULL ? "no why" : word);
}

static bool lists(const struct json *names, const char *name)
{
    for (size_t i = 0; i < js_count(names); i++) {
        if (text_equal(js_as_text(js_at(names, i)), name)) {
            return true;
        }
    }
    return false;
}

/* What package.switch would have captured. */
static struct json *capture_before(const struct facts *facts, const struct plan_step *step)
{
    struct json *before = js_object();
    const struct fact_node *node = facts_find(facts, step->node);
    if (text_equal(step->kind, "package.switch") && node != NULL) {
        js_put_text(before, "server", node->server_target);
    }
    return before;
}

static void add_progress(struct revision *revision, const struct facts *facts,
    const struct plan_step *step, const char *state)
{
    struct arena *arena = &revision->progress.arena;
    struct progress_step *slot =
        arena_push(arena, &revision->progress.steps, &revision->progress.step_count, sizeof(*slot));
    const bool is_tried = !text_equal(state, "pending") && !text_equal(state, "found");
    *slot = (struct progress_step){
        .id = arena_strdup(arena, step->id),
        .kind = arena_strdup(arena, step->kind),
        .node = arena_strdup(arena, step->node),
        .state = state,
        .revision = revision->before.revision,
        .attempt = is_tried,
        .args = js_copy(step->args),
        .before = is_tried ? capture_before(facts, step) : NULL,
    };
}

/* A step is told of by its id or by its phase. */
static const char *find_state(
    const struct json *told, const struct plan_phase *phase, const struct plan_step *step)
{
    static const char *const states[] = {"done", "found", "intended", "failed"};
    for (size_t i = 0; i < ARRAY_COUNT(states); i++) {
        const struct json *names = js_get(told, states[i]);
        if (lists(names, step->id) || lists(names, phase->name)) {
            return states[i];
        }
    }
    return "pending";
}

static void add_progress_of_plan(
    struct revision *revision, const struct facts *facts, const struct json *told)
{
    const struct plan *plan = &revision->before;
    revision->progress.revision = plan->revision;
    for (size_t i = 0; i < plan->phase_count; i++) {
        const struct plan_phase *phase = &plan->phases[i];
        for (size_t j = 0; j < phase->step_count; j++) {
            const struct plan_step *step = &phase->steps[j];
            add_progress(revision, facts, step, find_state(told, phase, step));
        }
    }
}

/* The plan of facts at some moment: the first one, or one that replaces `revision->before`. */
static bool make_plan(struct revision *revision, struct story *story, const struct facts *facts,
    const char *why, struct plan *ret_plan)
{
    struct rolling_request rolling = story->rolling;
    rolling.facts = facts;
    if (why == NULL) {
        return rolling_plan(&rolling, &story->arena, ret_plan, &revision->refusal);
    }
    const struct revise_request request = {
        rolling, parse_why(why), &revision->before, &revision->progress};
    return revise_plan(&request, &story->arena, ret_plan, &revision->result, &revision->refusal);
}

void revision_make(struct revision *revision, struct story *story)
{
    *revision = (struct revision){0};
    const struct json *plans = js_get(story->request, "plans");
    for (size_t i = 0; i < js_count(plans); i++) {
        const struct json *told = js_at(plans, i);
        AUTO_FACTS facts = {0};
        story_read_facts(story, js_get_text(told, "moment"), js_get(told, "facts"), &facts);
        struct plan plan = {0};
        if (!make_plan(revision, story, &facts, js_get_text(told, "why"), &plan)) {
            die_of_revision(revision->refusal.answers[0].reason);
        }
        plan_release(&revision->before);
        revision->before = plan;
        add_progress_of_plan(revision, &facts, told);
    }
    revision->is_planned = make_plan(
        revision, story, &story->facts, js_get_text(story->request, "why"), &revision->plan);
}

void revision_release(struct revision *revision)
{
    plan_release(&revision->plan);
    plan_release(&revision->before);
    progress_release(&revision->progress);
}
