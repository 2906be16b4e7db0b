#include "report/story.h"

#include "base/arena.h"
#include "base/codec.h"

struct story {
    const struct axis *axis;
    struct json *report;
    struct json *run, *phases, *steps, *settings, *events, *snapshots, *revisions; /* borrowed */
    int64_t revision; /* of the plan in force */
    struct arena arena;
};

typedef void tell_record(struct story *story, const struct journal_record *record, int64_t at_ms);

static struct json *add_array(struct json *report, const char *key)
{
    struct json *array = js_array();
    js_put(report, key, array);
    return array;
}

static void copy_text(
    struct json *to, const char *to_key, const struct json *from, const char *from_key)
{
    const char *text = js_get_text(from, from_key);
    if (text != NULL) {
        js_put_text(to, to_key, text);
    }
}

/* The newest: a revised plan may have a step of the same name again. */
static struct json *find_by(const struct json *list, const char *key, const char *value)
{
    for (size_t i = js_count(list); value != NULL && i-- > 0;) {
        if (text_equal(js_get_text(js_at(list, i), key), value)) {
            return js_at(list, i);
        }
    }
    return NULL;
}

static struct json *push_step(struct story *story, const char *id)
{
    struct json *step = js_object();
    js_put_text(step, "id", id);
    js_put_text(step, "state", "pending");
    js_put_number(step, "attempts", 0);
    js_push(story->steps, step);
    return step;
}

/* The step of a record; a step that is not in the plan is added at the end. */
static struct json *step_of(struct story *story, const struct journal_record *record)
{
    const char *id = record->step == NULL ? "?" : record->step;
    struct json *step = find_by(story->steps, "id", id);
    return step != NULL ? step : push_step(story, id);
}

static void add_event(struct story *story, int64_t at_ms, const char *kind, const char *text)
{
    struct json *event = js_object();
    js_put_number(event, "at_ms", at_ms);
    js_put_text(event, "kind", kind);
    js_put_text(event, "text", text);
    js_push(story->events, event);
}

static void tell_created(struct story *story, const struct journal_record *record, int64_t at_ms)
{
    const struct json *request = js_get(record->body, "request");
    js_put_number(story->run, "started_ms", at_ms);
    copy_text(story->run, "title", record->body, "title");
    copy_text(story->run, "action", request, "action");
    copy_text(story->run, "cluster", request, "cluster");
    copy_text(story->run, "from", request, "from");
    copy_text(story->run, "to", request, "to");
}

static void tell_plan(
    struct story *story, const struct journal_record *record, int64_t UNUSED(at_ms))
{
    copy_text(story->run, "plan_digest", record->body, "digest");
}

/* "RUNNING -> PAUSED: the reason; another reason" */
static void tell_state(struct story *story, const struct journal_record *record, int64_t at_ms)
{
    const char *to = js_get_text(record->body, "to");
    const char *from = js_get_text(record->body, "from");
    if (to == NULL) {
        return;
    }
    js_put_text(story->run, "state", to);
    const char *text = from == NULL || text_equal(from, to)
                           ? to
                           : arena_format(&story->arena, "%s -> %s", from, to);
    const struct json *reasons = js_get(record->body, "reasons");
    for (size_t i = 0; i < js_count(reasons); i++) {
        const char *reason = js_as_text(js_at(reasons, i));
        if (reason != NULL) {
            text = arena_format(&story->arena, "%s%s %s", text, i == 0 ? ":" : ";", reason);
        }
    }
    add_event(story, at_ms, "state", text);
}

static void tell_phase(struct story *story, const struct journal_record *record, int64_t at_ms)
{
    const char *name = js_get_text(record->body, "phase");
    const char *to = js_get_text(record->body, "to");
    struct json *phase = find_by(story->phases, "name", name);
    if (phase == NULL && name != NULL) {
        phase = js_object();
        js_put_text(phase, "name", name);
        js_push(story->phases, phase);
    }
    if (phase != NULL && to != NULL) {
        js_put_number(phase, text_equal(to, "done") ? "ended_ms" : "started_ms", at_ms);
    }
}

static void tell_intent(struct story *story, const struct journal_record *record, int64_t at_ms)
{
    struct json *step = step_of(story, record);
    js_put_text(step, "state", "intended");
    js_put_number(step, "attempts", record->attempt);
    if (js_get(step, "started_ms") == NULL) {
        js_put_number(step, "started_ms", at_ms);
    }
}

/* What went wrong, in one line: the engine's sentence, else the outermost error. */
static void copy_error(struct json *step, const struct json *body)
{
    const struct json *err = js_get(body, "err");
    copy_text(step, "error", err, "what");
    copy_text(step, "error", body, "reason");
}

static void tell_applied(struct story *story, const struct journal_record *record, int64_t at_ms)
{
    struct json *step = step_of(story, record);
    js_put_number(step, "applied_ms", at_ms);
    copy_error(step, record->body);
}

static void tell_outcome(struct story *story, const struct journal_record *record, int64_t at_ms)
{
    struct json *step = step_of(story, record);
    const char *state = js_get_text(record->body, "state");
    js_put_text(step, "state", state == NULL ? "unknown" : state);
    js_put_number(step, "ended_ms", at_ms);
    copy_error(step, record->body);
}

static void tell_found(struct story *story, const struct journal_record *record, int64_t at_ms)
{
    struct json *step = step_of(story, record);
    const bool is_foreign = record->type == JOURNAL_FOREIGN;
    js_put_text(step, "state", is_foreign ? "foreign" : "found");
    js_put_number(step, "ended_ms", at_ms);
    copy_error(step, record->body);
}

static void tell_scope_open(struct story *story, const struct journal_record *record, int64_t at_ms)
{
    const struct json *step = step_of(story, record);
    struct json *setting = js_object();
    js_put_text(setting, "step", record->step);
    copy_text(setting, "summary", step, "summary");
    copy_text(setting, "node", step, "node");
    copy_text(setting, "node", record->body, "node");
    copy_text(setting, "name", record->body, "name");
    js_put_number(setting, "opened_ms", at_ms);
    js_push(story->settings, setting);
}

static void tell_scope_closed(
    struct story *story, const struct journal_record *record, int64_t at_ms)
{
    struct json *setting = find_by(story->settings, "step", record->step);
    if (setting == NULL) {
        return;
    }
    js_put_number(setting, "closed_ms", at_ms);
    copy_text(setting, "left", record->body, "left");
    copy_text(setting, "reason", record->body, "reason");
    copy_text(setting, "before", js_get(record->body, "before"), "value");
    copy_text(setting, "found", js_get(record->body, "found"), "value");
}

static void tell_operator(struct story *story, const struct journal_record *record, int64_t at_ms)
{
    const char *command = js_get_text(record->body, "command");
    const char *who = js_get_text(record->body, "who");
    const char *answer = js_get_text(record->body, "answer");
    add_event(story, at_ms, "operator",
        arena_format(&story->arena, "%s%s%s, by %s", command == NULL ? "?" : command,
            answer == NULL ? "" : " ", answer == NULL ? "" : answer,
            who == NULL ? "an operator" : who));
}

static void tell_soak(
    struct story *story, const struct journal_record *record, int64_t UNUSED(at_ms))
{
    js_put_number(story->run, "soak_healthy_ms", js_get_number(record->body, "healthy_ms", 0));
}

static void tell_way_back(struct story *story, const struct journal_record *record, int64_t at_ms)
{
    const char *to = js_get_text(record->body, "to");
    const char *reason = js_get_text(record->body, "reason");
    add_event(story, at_ms, "way_back",
        arena_format(&story->arena, "the way back is %s%s%s", to == NULL ? "changed" : to,
            reason == NULL ? "" : ": ", reason == NULL ? "" : reason));
}

/* Of the plan that a run was started with nothing is said. */
static void put_revision(const struct story *story, struct json *entry)
{
    if (story->revision > 0) {
        js_put_number(entry, "revision", story->revision);
    }
}

static void add_planned_step(struct story *story, const struct json *planned, const char *phase)
{
    const char *id = js_get_text(planned, "id");
    struct json *step = push_step(story, id == NULL ? "?" : id);
    js_put_text(step, "phase", phase);
    put_revision(story, step);
    copy_text(step, "kind", planned, "kind");
    copy_text(step, "summary", planned, "summary");
    copy_text(step, "node", planned, "node");
    copy_text(step, "shard", planned, "shard");
    js_put_bool(step, "takes_out", js_get_bool(planned, "takes_out", false));
}

static void add_planned(struct story *story, const struct json *plan)
{
    const struct json *phases = js_get(plan, "phases");
    for (size_t p = 0; p < js_count(phases); p++) {
        const struct json *planned = js_at(phases, p);
        const char *name = js_get_text(planned, "name");
        struct json *phase = js_object();
        js_put_text(phase, "name", name);
        copy_text(phase, "title", planned, "title");
        put_revision(story, phase);
        js_push(story->phases, phase);
        const struct json *steps = js_get(planned, "steps");
        for (size_t s = 0; s < js_count(steps); s++) {
            add_planned_step(story, js_at(steps, s), name);
        }
    }
}

/* --- changes of the plan --- */

static const char *or_else(const char *text, const char *other)
{
    return text == NULL ? other : text;
}

static void tell_wanted(struct story *story, const struct journal_record *record, int64_t at_ms)
{
    const char *why = js_get_text(record->body, "replan");
    const char *cause = or_else(js_get_text(record->body, "cause"), "?");
    if (text_equal(why, "back")) {
        js_put_text(story->run, "rollback_cause", cause);
    }
    add_event(story, at_ms, "replan",
        arena_format(&story->arena, "the rest is planned anew (%s): %s", or_else(why, "?"), cause));
}

static void tell_proposed(struct story *story, const struct journal_record *record, int64_t at_ms)
{
    const char *digest = or_else(js_get_text(record->body, "digest"), "?");
    add_event(story, at_ms, "proposed",
        arena_format(&story->arena, "another plan was proposed (%.12s): %s", digest,
            or_else(js_get_text(record->body, "cause"), "?")));
}

/* What of the plans so far was never begun is dropped; what stood open has ended. */
static void close_plan(struct story *story, int64_t at_ms)
{
    for (size_t i = 0; i < js_count(story->steps); i++) {
        struct json *step = js_at(story->steps, i);
        if (text_equal(js_get_text(step, "state"), "pending")) {
            js_put_text(step, "state", "dropped");
        }
    }
    for (size_t i = 0; i < js_count(story->phases); i++) {
        struct json *phase = js_at(story->phases, i);
        if (js_get(phase, "started_ms") != NULL && js_get(phase, "ended_ms") == NULL) {
            js_put_number(phase, "ended_ms", at_ms);
        }
    }
}

static void tell_revised(struct story *story, const struct journal_record *record, int64_t at_ms)
{
    const struct json *body = record->body;
    const char *direction = or_else(js_get_text(body, "direction"), "forward");
    story->revision = js_get_number(body, "revision", story->revision + 1);
    close_plan(story, at_ms);
    add_planned(story, js_get(body, "plan"));
    js_put_text(story->run, "direction", direction);
    struct json *revision = js_object();
    js_put_number(revision, "revision", story->revision);
    js_put_number(revision, "at_ms", at_ms);
    js_put_text(revision, "direction", direction);
    copy_text(revision, "cause", body, "cause");
    copy_text(revision, "digest", body, "digest");
    copy_text(revision, "accepted_by", body, "accepted_by");
    js_put(revision, "diff",
        js_get(body, "diff") == NULL ? js_array() : js_copy(js_get(body, "diff")));
    js_push(story->revisions, revision);
}

static void tell_claimed(struct story *story, const struct journal_record *record, int64_t at_ms)
{
    const bool is_taken = record->type == JOURNAL_CLAIMED;
    add_event(story, at_ms, "claim",
        arena_format(&story->arena, "the run's claim was %s %lld of %lld nodes",
            is_taken ? "put on" : "taken from", (long long)js_get_number(record->body, "held", 0),
            (long long)js_get_number(record->body, "nodes", 0)));
}

static void add_snapshot(struct story *story, const struct json *body, int64_t at_ms)
{
    const struct json *nodes = js_get(body, "nodes");
    if (js_count(nodes) == 0) {
        return;
    }
    struct json *snapshot = js_object();
    js_put_number(snapshot, "at_ms", at_ms);
    if (js_get(body, "unseen_ms") != NULL) { /* until then the roles were the earlier ones */
        js_put_number(snapshot, "before_ms", at_ms - js_get_number(body, "unseen_ms", 0));
    }
    js_put(snapshot, "nodes", js_ref(nodes));
    js_push(story->snapshots, snapshot);
}

static void tell_mark(struct story *story, const struct journal_record *record, int64_t at_ms)
{
    add_snapshot(story, record->body, at_ms);
}

static void tell_probe_gap(struct story *story, const struct journal_record *record, int64_t at_ms)
{
    const int64_t from_ms = js_get_number(record->body, "from_wall_ms", at_ms);
    const int64_t to_ms = js_get_number(record->body, "to_wall_ms", at_ms);
    add_event(story, at_ms, "probe_gap",
        arena_format(
            &story->arena, "the probe was gone for %lld ms", (long long)(to_ms - from_ms)));
}

static void tell_resumed(struct story *story, const struct journal_record *record, int64_t at_ms)
{
    const char *host = js_get_text(record->body, "host");
    add_event(story, at_ms, "resumed",
        arena_format(&story->arena, "a new controller took over%s%s (epoch %lld)",
            host == NULL ? "" : " on ", host == NULL ? "" : host, (long long)record->epoch));
}

static void tell_finish(struct story *story, const struct journal_record *record, int64_t at_ms)
{
    copy_text(story->run, "state", record->body, "state");
    js_put_number(story->run, "ended_ms", at_ms);
    add_snapshot(story, record->body, at_ms);
}

/* Gates and waits are told by their effects on the steps. */
static tell_record *const tellers[] = {
    [JOURNAL_RUN_CREATED] = tell_created,
    [JOURNAL_PLAN_BODY] = tell_plan,
    [JOURNAL_REPLAN] = tell_wanted,
    [JOURNAL_PLAN_PROPOSED] = tell_proposed,
    [JOURNAL_PLAN_REVISED] = tell_revised,
    [JOURNAL_CLAIMED] = tell_claimed,
    [JOURNAL_RELEASED] = tell_claimed,
    [JOURNAL_STATE] = tell_state,
    [JOURNAL_PHASE] = tell_phase,
    [JOURNAL_INTENT] = tell_intent,
    [JOURNAL_APPLIED] = tell_applied,
    [JOURNAL_OUTCOME] = tell_outcome,
    [JOURNAL_FOUND] = tell_found,
    [JOURNAL_FOREIGN] = tell_found,
    [JOURNAL_SCOPE_OPEN] = tell_scope_open,
    [JOURNAL_SCOPE_CLOSED] = tell_scope_closed,
    [JOURNAL_GATE] = NULL,
    [JOURNAL_OPERATOR] = tell_operator,
    [JOURNAL_SOAK_TICK] = tell_soak,
    [JOURNAL_WAY_BACK] = tell_way_back,
    [JOURNAL_MARK] = tell_mark,
    [JOURNAL_PROBE_GAP] = tell_probe_gap,
    [JOURNAL_RESUMED] = tell_resumed,
    [JOURNAL_FINISH] = tell_finish,
};

/* A controller took over: more than one epoch in the records. */
static int64_t count_epochs(const struct journal_record *records, size_t count)
{
    int64_t epochs = count == 0 ? 0 : 1;
    for (size_t i = 1; i < count; i++) {
        epochs += records[i].epoch != records[i - 1].epoch;
    }
    return epochs;
}

static void write_journal(struct story *story, const struct journal_record *records, size_t count)
{
    struct json *journal = js_object();
    js_put_number(journal, "records", (int64_t)count);
    js_put_text(journal, "head", count == 0 ? NULL : records[count - 1].hash);
    js_put_number(journal, "epochs", count_epochs(records, count));
    js_put(story->report, "journal", journal);
}

void story_write(const struct axis *axis, const char *run, const struct journal_record *records,
    size_t count, const struct json *plan, struct json *report)
{
    struct story story = {.axis = axis, .report = report, .run = js_object()};
    js_put(report, "run", story.run);
    js_put_text(story.run, "id", run);
    js_put_text(story.run, "state", "PLANNED");
    story.phases = add_array(report, "phases");
    story.steps = add_array(report, "steps");
    story.settings = add_array(report, "settings");
    story.events = add_array(report, "events");
    story.snapshots = add_array(report, "snapshots");
    story.revisions = add_array(report, "revisions");
    add_planned(&story, plan);
    js_put(report, "way_back",
        js_count(js_get(plan, "way_back")) == 0 ? js_array() : js_ref(js_get(plan, "way_back")));
    js_put(report, "policy",
        js_get(plan, "policy") == NULL ? js_object() : js_ref(js_get(plan, "policy")));
    for (size_t i = 0; i < count; i++) {
        const int64_t at_ms =
            axis_time_ms(axis, records[i].boot_id, records[i].boottime_ms, records[i].wall_ms);
        tell_record *tell = tellers[records[i].type];
        js_put_number(story.run, "last_ms", at_ms);
        if (tell != NULL) {
            tell(&story, &records[i], at_ms);
        }
    }
    write_journal(&story, records, count);
    arena_release(&story.arena);
}
