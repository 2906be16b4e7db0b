#include "sample_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "store/sqlite/store.h"

const int64_t sample_begin_wall_ms = INT64_C(1795227302000); /* 2026-11-21T02:15:02Z */

void sample_must(struct err *err)
{
    if (err != NULL) {
        AUTO_FREE char *text = err_text(err);
        (void)fprintf(stderr, "sample: %s\n", text);
        abort();
    }
}

static void append(struct sample *sample, enum journal_type type, const char *step, int64_t attempt,
    struct json *body)
{
    struct journal_record record = {
        .epoch = 1,
        .def = 1,
        .type = type,
        .step = step,
        .attempt = attempt,
        .boot_id = "boot-a",
        .boottime_ms = SAMPLE_BOOT_MS + sample->now_ms,
        .wall_ms = sample_begin_wall_ms + sample->now_ms,
        .body = body,
    };
    sample_must(sample->journal->ops->append(sample->journal, sample->run, &record, 1,
        type == JOURNAL_STATE ? js_get_text(body, "to") : NULL, type == JOURNAL_FINISH));
    js_free(body);
}

static void move(struct sample *sample, enum journal_type type, const char *phase, const char *from,
    const char *to)
{
    struct json *body = js_object();
    if (phase != NULL) {
        js_put_text(body, "phase", phase);
    }
    js_put_text(body, "from", from);
    js_put_text(body, "to", to);
    append(sample, type, NULL, 0, body);
}

static const char *node_name(struct sample *sample, int64_t index)
{
    if (sample->wish->has_hostile_names && index == 0) {
        return "</script><img src=x onerror=\"alert('n1')\">&";
    }
    return arena_format(&sample->arena, "n%lld", (long long)index + 1);
}

/* Shard s has node 2s (primary before) and 2s+1 (primary after). */
static struct json *describe_nodes(struct sample *sample, bool is_after)
{
    struct json *nodes = js_array();
    for (int64_t i = 0; i < sample->nodes_count; i++) {
        struct json *node = js_object();
        js_put_text(node, "name", node_name(sample, i));
        js_put_text(
            node, "address", arena_format(&sample->arena, "127.0.0.1:%lld", (long long)(7001 + i)));
        js_put_text(node, "product", "redis");
        js_put_text(node, "version", is_after ? "7.0.15" : "6.0.16");
        js_put_text(node, "role", (i % 2 == 0) != is_after ? "primary" : "replica");
        js_put_text(
            node, "shard", arena_format(&sample->arena, "shard-%02lld", (long long)(i / 2 + 1)));
        js_push(nodes, node);
    }
    return nodes;
}

/* Adds a step to a phase of the plan. */
static void plan_step(struct sample *sample, struct json *steps, int64_t node, const char *verb)
{
    static const char *const verbs[][3] = {
        {"backlog", "repl.setting", "set repl-backlog-size of %s to 67108864"},
        {"stop", "service.stop", "stop %s"},
        {"switch", "package.switch", "point %s at redis 7.0.15"},
        {"start", "service.start", "start %s with redis 7.0.15"},
        {"switchover", "repl.switchover", "make %s the primary"},
    };
    const char *name = node_name(sample, node);
    const char *shard = arena_format(&sample->arena, "shard-%02lld", (long long)(node / 2 + 1));
    for (size_t i = 0; i < ARRAY_COUNT(verbs); i++) {
        if (strcmp(verbs[i][0], verb) != 0) {
            continue;
        }
        AUTO_BUF summary = {0};
        const char *slot = strstr(verbs[i][2], "%s");
        buf_append(&summary, verbs[i][2], (size_t)(slot - verbs[i][2]));
        buf_append_text(&summary, name);
        buf_append_text(&summary, slot + 2);
        struct json *step = js_object();
        js_put_text(step, "id", arena_format(&sample->arena, "%s/%s/%s", shard, name, verb));
        js_put_text(step, "kind", verbs[i][1]);
        js_put_text(step, "summary", buf_text(&summary));
        js_put_text(step, "node", name);
        js_put_text(step, "shard", shard);
        js_put_bool(step, "takes_out", strcmp(verb, "stop") == 0);
        js_push(steps, step);
    }
}

static struct json *plan_phase(struct sample *sample, struct json *phases, const char *name)
{
    (void)sample;
    struct json *phase = js_object();
    struct json *steps = js_array();
    js_put_text(phase, "name", name);
    js_put_text(phase, "title", name);
    js_put(phase, "steps", steps);
    js_push(phases, phase);
    return steps;
}

static struct json *make_plan(struct sample *sample)
{
    static const char *const restart[] = {"stop", "switch", "start"};
    struct json *plan = js_object();
    struct json *phases = js_array();
    struct json *prepare = plan_phase(sample, phases, "prepare");
    struct json *replicas = plan_phase(sample, phases, "replicas");
    struct json *switchover = plan_phase(sample, phases, "switchover");
    struct json *finalize = plan_phase(sample, phases, "finalize");
    for (int64_t node = 1; node < sample->nodes_count; node += 2) {
        plan_step(sample, prepare, node, "backlog");
        plan_step(sample, switchover, node, "switchover");
        for (size_t i = 0; i < ARRAY_COUNT(restart); i++) {
            plan_step(sample, replicas, node, restart[i]);
            plan_step(sample, finalize, node - 1, restart[i]);
        }
    }
    struct json *way_back = js_array();
    js_push(way_back, js_text("redis-cli -h 127.0.0.1 -p 7001 CLUSTER FAILOVER"));
    js_put(plan, "phases", phases);
    js_put(plan, "way_back", way_back);
    return plan;
}

/* How long a step of a kind takes; the node of the step makes it vary. */
static int64_t duration_of(const char *kind, size_t salt)
{
    static const struct {
        const char *kind;
        int64_t ms;
    } durations[] = {{"repl.setting", 35}, {"service.stop", 160}, {"package.switch", 12},
        {"service.start", 1150}, {"repl.switchover", 320}};
    for (size_t i = 0; i < ARRAY_COUNT(durations); i++) {
        if (strcmp(durations[i].kind, kind) == 0) {
            return durations[i].ms + durations[i].ms * (int64_t)(salt * 37 % 40) / 100;
        }
    }
    return 100;
}

static void write_outcome(struct sample *sample, const char *id, const char *state, int64_t ms)
{
    struct json *body = js_object();
    js_put_text(body, "state", state);
    js_put_number(body, "elapsed_ms", ms);
    if (strcmp(state, "failed") == 0) {
        js_put_text(body, "reason", "the replica did not catch up within 30 s");
    }
    append(sample, JOURNAL_OUTCOME, id, 1, body);
}

static void run_step(
    struct sample *sample, const struct json *step, size_t salt, struct sample_times *times)
{
    const char *id = js_get_text(step, "id");
    const char *kind = js_get_text(step, "kind");
    const bool fails = sample->wish->is_paused && strcmp(kind, "repl.switchover") == 0 && salt == 1;
    const int64_t ms = fails ? 4000 : duration_of(kind, salt);
    append(sample, JOURNAL_INTENT, id, 1, js_object());
    if (strcmp(kind, "repl.setting") == 0) {
        append(sample, JOURNAL_SCOPE_OPEN, id, 1, js_object());
    }
    if (strcmp(kind, "repl.switchover") == 0 && times->switchover_count < SAMPLE_SWITCHOVERS_MAX) {
        times->switchovers_ms[times->switchover_count++] = sample->now_ms + ms / 2;
    }
    sample->now_ms += ms / 3;
    append(sample, JOURNAL_APPLIED, id, 1, js_object());
    sample->now_ms += ms - ms / 3;
    write_outcome(sample, id, fails ? "failed" : "done", ms);
    sample->now_ms += 140;
}

static void run_phase(struct sample *sample, const struct json *phase, struct sample_times *times)
{
    const struct json *steps = js_get(phase, "steps");
    move(sample, JOURNAL_PHASE, js_get_text(phase, "name"), "pending", "open");
    for (size_t i = 0; i < js_count(steps); i++) {
        run_step(sample, js_at(steps, i), i, times);
        if (sample->wish->is_paused && i == 1 &&
            strcmp(js_get_text(phase, "name"), "switchover") == 0) {
            return;
        }
    }
    sample->now_ms += 400;
    move(sample, JOURNAL_PHASE, js_get_text(phase, "name"), "open", "done");
}

static void command(struct sample *sample, const char *word)
{
    struct json *body = js_object();
    js_put_text(body, "command", word);
    js_put_text(body, "who", "anna (pid 4711)");
    append(sample, JOURNAL_OPERATOR, NULL, 0, body);
}

static void mark_versions(struct sample *sample)
{
    struct json *body = js_object();
    js_put_text(body, "what", "versions");
    js_put(body, "nodes", describe_nodes(sample, /* is_after= */ false));
    append(sample, JOURNAL_MARK, NULL, 0, body);
}

/* In shard-02 the old primary takes over again, 4 s into the soak; seen 1.5 s later. */
static void fail_over(struct sample *sample, struct sample_times *times)
{
    times->failover_ms = sample->now_ms + 4000;
    sample->now_ms += 5500;
    struct json *nodes = describe_nodes(sample, /* is_after= */ true);
    js_put_text(js_at(nodes, 2), "role", "primary");
    js_put_text(js_at(nodes, 3), "role", "replica");
    struct json *body = js_object();
    js_put_text(body, "what", "roles");
    js_put_number(body, "unseen_ms", 1500);
    js_put(body, "nodes", nodes);
    append(sample, JOURNAL_MARK, NULL, 0, body);
}

/* The roles as the run's own switchovers left them. */
static void mark_switched(struct sample *sample)
{
    struct json *body = js_object();
    js_put_text(body, "what", "roles");
    js_put(body, "nodes", describe_nodes(sample, /* is_after= */ true));
    append(sample, JOURNAL_MARK, NULL, 0, body);
}

static struct json *plan_back(struct sample *sample)
{
    struct json *plan = js_object();
    struct json *phases = js_array();
    struct json *steps = plan_phase(sample, phases, "switchover");
    for (int64_t node = 0; node < sample->nodes_count; node += 2) {
        plan_step(sample, steps, node, "switchover");
    }
    js_put(plan, "phases", phases);
    return plan;
}

static void roll_back(struct sample *sample, struct sample_times *times)
{
    static const char cause[] = "the operator said rollback";
    command(sample, "rollback");
    struct json *wanted = js_object();
    js_put_text(wanted, "replan", "back");
    js_put_text(wanted, "cause", cause);
    append(sample, JOURNAL_REPLAN, NULL, 0, wanted);
    struct json *plan = plan_back(sample);
    struct json *body = js_object();
    struct json *diff = js_array();
    js_push(diff, js_text("n1 becomes primary of shard-01 again"));
    js_put_text(body, "cause", cause);
    js_put_text(body, "direction", "back");
    js_put_text(body, "accepted_by", "anna (pid 4711)");
    js_put_number(body, "revision", 1);
    js_put(body, "diff", diff);
    js_put(body, "plan", plan);
    AUTO_JSON phase = js_copy(js_at(js_get(plan, "phases"), 0));
    append(sample, JOURNAL_PLAN_REVISED, NULL, 0, body);
    move(sample, JOURNAL_STATE, NULL, "SOAKING", "RUNNING");
    run_phase(sample, phase, times);
    times->end_ms = sample->now_ms + 1000;
    sample->now_ms = times->end_ms + 2600;
    struct json *end = js_object();
    js_put_text(end, "state", "ROLLED_BACK");
    js_put(end, "nodes", describe_nodes(sample, /* is_after= */ false));
    append(sample, JOURNAL_FINISH, NULL, 0, end);
    move(sample, JOURNAL_STATE, NULL, "RUNNING", "ROLLED_BACK");
}

static void put_value(struct json *body, const char *key, const char *value)
{
    struct json *values = value == NULL ? js_none() : js_object();
    if (value != NULL) {
        js_put_text(values, "value", value);
    }
    js_put(body, key, values);
}

static void finish(struct sample *sample, const struct json *plan)
{
    const struct json *settings = js_get(js_at(js_get(plan, "phases"), 0), "steps");
    for (size_t i = 0; i < js_count(settings); i++) {
        const bool is_foreign = i == 0 && sample->wish->has_foreign;
        struct json *closed = js_object();
        js_put_text(closed, "left", is_foreign ? "foreign" : "restored");
        put_value(closed, "before", "1mb");
        put_value(closed, "found", is_foreign ? "32mb" : NULL);
        append(sample, JOURNAL_SCOPE_CLOSED, js_get_text(js_at(settings, i), "id"), 1, closed);
    }
    sample->now_ms += 2600; /* the probe reads back */
    struct json *body = js_object();
    js_put_text(body, "state", "COMPLETE");
    js_put(body, "nodes", describe_nodes(sample, /* is_after= */ true));
    append(sample, JOURNAL_FINISH, NULL, 0, body);
    move(sample, JOURNAL_STATE, NULL, "RUNNING", "COMPLETE");
}

static void write_begin(struct sample *sample, const struct json *plan)
{
    char digest[65];
    AUTO_FREE char *text = js_write(plan);
    sample_must(sample->journal->ops->put_blob(sample->journal, text, strlen(text), digest));
    struct json *request = js_object();
    js_put_text(request, "cluster", "orders-cache");
    js_put_text(request, "from", "redis 6.0.16");
    js_put_text(request, "to", "redis 7.0.15");
    struct json *created = js_object();
    js_put_text(created, "title", "redis 6.0.16 -> redis 7.0.15");
    js_put(created, "request", request);
    append(sample, JOURNAL_RUN_CREATED, NULL, 0, created);
    struct json *body = js_object();
    js_put_text(body, "digest", digest);
    append(sample, JOURNAL_PLAN_BODY, NULL, 0, body);
    command(sample, "start");
    sample->now_ms += 2500;
    mark_versions(sample);
    move(sample, JOURNAL_STATE, NULL, "PLANNED", "RUNNING");
    sample->now_ms += 1200;
}

void sample_write_journal(struct sample *sample, struct sample_times *ret_times)
{
    AUTO_JSON plan = make_plan(sample);
    const struct json *phases = js_get(plan, "phases");
    write_begin(sample, plan);
    for (size_t i = 0; i < 3; i++) {
        run_phase(sample, js_at(phases, i), ret_times);
    }
    ret_times->soak_ms = sample->now_ms;
    if (sample->wish->is_paused) {
        move(sample, JOURNAL_STATE, NULL, "RUNNING", "PAUSED");
        ret_times->end_ms = sample->now_ms + 3000;
        return;
    }
    if (sample->wish->has_failover || sample->wish->is_rolled_back) {
        mark_switched(sample);
    }
    move(sample, JOURNAL_STATE, NULL, "RUNNING", "SOAKING");
    if (sample->wish->has_failover) {
        fail_over(sample, ret_times);
    }
    sample->now_ms += (sample->wish->soak_s == 0 ? 12 : sample->wish->soak_s) * INT64_C(1000);
    if (sample->wish->is_rolled_back) {
        roll_back(sample, ret_times);
        return;
    }
    command(sample, "finalize");
    move(sample, JOURNAL_STATE, NULL, "SOAKING", "RUNNING");
    run_phase(sample, js_at(phases, 3), ret_times);
    ret_times->end_ms = sample->now_ms + 1000;
    sample->now_ms = ret_times->end_ms;
    finish(sample, plan);
}

void sample_make(struct sample *sample, const struct sample_wish *wish)
{
    *sample = (struct sample){.wish = wish};
    sample->nodes_count = 2 * (wish->shard_count == 0 ? 3 : wish->shard_count);
    (void)snprintf(sample->directory, sizeof(sample->directory), "/tmp/upshift-report-XXXXXX");
    if (mkdtemp(sample->directory) == NULL) {
        abort();
    }
    sample->probe_directory = arena_format(&sample->arena, "%s/probe", sample->directory);
    sample_must(fs_make_dirs(sample->probe_directory, 0700));
    sample_must(store_open(sample->directory, /* read_only= */ false, &sample->journal));
    struct journal_run run;
    sample_must(sample->journal->ops->create_run(sample->journal, "orders-cache",
        "redis 6.0.16 -> redis 7.0.15", sample_begin_wall_ms, &sample->arena, &run));
    sample->run = run.id;
    struct sample_times times = {0};
    sample_write_journal(sample, &times);
    if (!wish->has_no_probe) {
        sample_write_logs(sample, &times);
    }
}

void sample_release(struct sample *sample)
{
    sample->journal->ops->close(sample->journal);
    err_free(fs_remove_tree(sample->directory));
    arena_release(&sample->arena);
}
