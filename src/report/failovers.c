#include "report/failovers.h"

#include "base/str.h"
#include "report/format.h"

/*
 * A dying primary acknowledges until it is dead and is missed only after the cluster's own
 * time-out; what it had not passed on is lost. Roles are seen some time after they change.
 */
enum { BEFORE_MS = 2000, AFTER_MS = 200 };

static const struct json *node_of_snapshot(const struct json *nodes, const char *name)
{
    for (size_t i = 0; i < js_count(nodes); i++) {
        if (text_equal(js_get_text(js_at(nodes, i), "name"), name)) {
            return js_at(nodes, i);
        }
    }
    return NULL;
}

static const char *primary_of_snapshot(const struct json *nodes, const char *shard)
{
    for (size_t i = 0; i < js_count(nodes); i++) {
        const struct json *node = js_at(nodes, i);
        if (text_equal(js_get_text(node, "shard"), shard) &&
            text_equal(js_get_text(node, "role"), "primary")) {
            return js_get_text(node, "name");
        }
    }
    return NULL;
}

struct span {
    int64_t from_ms, to_ms;
};

bool failovers_is_switch(const struct json *step)
{
    const char *kind = js_get_text(step, "kind");
    return text_equal(kind, "repl.switchover") || text_equal(kind, "repl.cutover");
}

/* Was a switchover of ours under way in that shard? */
static bool is_ours(const struct json *report, const char *shard, struct span span)
{
    const struct json *steps = js_get(report, "steps");
    for (size_t i = 0; i < js_count(steps); i++) {
        const struct json *step = js_at(steps, i);
        if (failovers_is_switch(step) && text_equal(js_get_text(step, "shard"), shard) &&
            js_get_number(step, "started_ms", INT64_MAX) <= span.to_ms &&
            js_get_number(step, "ended_ms", INT64_MAX) >= span.from_ms) {
            return true;
        }
    }
    return false;
}

static void find_between(const struct json *report, const struct json *before,
    const struct json *after, struct json *failovers)
{
    const struct json *old_nodes = js_get(before, "nodes");
    const struct json *nodes = js_get(after, "nodes");
    const struct span span = {js_get_number(after, "before_ms", js_get_number(before, "at_ms", 0)),
        js_get_number(after, "at_ms", 0)};
    for (size_t i = 0; i < js_count(nodes); i++) {
        const struct json *node = js_at(nodes, i);
        const char *name = js_get_text(node, "name");
        const char *shard = js_get_text(node, "shard");
        const struct json *old = node_of_snapshot(old_nodes, name);
        const char *was = primary_of_snapshot(old_nodes, js_get_text(old, "shard"));
        /* A primary without slots serves nobody: one that was restarted, or has just been demoted.
         */
        const bool is_new = text_equal(js_get_text(node, "role"), "primary") && shard != NULL &&
                            was != NULL && !text_equal(was, name);
        if (!is_new || is_ours(report, shard, span)) {
            continue;
        }
        struct json *failover = js_object();
        js_put_text(failover, "shard", shard);
        js_put_text(failover, "node", name);
        js_put_text(failover, "was", was);
        js_put_number(failover, "from_ms", span.from_ms);
        js_put_number(failover, "to_ms", span.to_ms);
        js_put_number(failover, "lost", 0);
        js_push(failovers, failover);
    }
}

/* Does the loss lie in the failover's time? */
static bool fits(const struct json *failover, const struct json *loss)
{
    return js_get_number(loss, "from_ms", 0) >= js_get_number(failover, "from_ms", 0) - BEFORE_MS &&
           js_get_number(loss, "to_ms", 0) <= js_get_number(failover, "to_ms", 0) + AFTER_MS;
}

static void add_loss(struct json *failover, const struct json *loss)
{
    const int64_t from_ms = js_get_number(loss, "from_ms", 0);
    const int64_t to_ms = js_get_number(loss, "to_ms", 0);
    const int64_t seen_from_ms = js_get_number(failover, "lost_from_ms", from_ms);
    const int64_t seen_to_ms = js_get_number(failover, "lost_to_ms", to_ms);
    js_put_number(
        failover, "lost", js_get_number(failover, "lost", 0) + js_get_number(loss, "count", 0));
    js_put_number(failover, "lost_from_ms", from_ms < seen_from_ms ? from_ms : seen_from_ms);
    js_put_number(failover, "lost_to_ms", to_ms > seen_to_ms ? to_ms : seen_to_ms);
}

struct json *failovers_find(const struct json *report)
{
    struct json *failovers = js_array();
    const struct json *snapshots = js_get(report, "snapshots");
    for (size_t i = 1; i < js_count(snapshots); i++) {
        find_between(report, js_at(snapshots, i - 1), js_at(snapshots, i), failovers);
    }
    const struct json *losses = js_get(js_get(report, "probe"), "losses");
    for (size_t l = 0; l < js_count(losses); l++) {
        for (size_t i = 0; i < js_count(failovers); i++) {
            if (fits(js_at(failovers, i), js_at(losses, l))) {
                add_loss(js_at(failovers, i), js_at(losses, l));
                break; /* each loss once, also where two failovers are close together */
            }
        }
    }
    return failovers;
}

int64_t failovers_lost(const struct json *failovers)
{
    int64_t lost = 0;
    for (size_t i = 0; i < js_count(failovers); i++) {
        lost += js_get_number(js_at(failovers, i), "lost", 0);
    }
    return lost;
}

const char *failovers_describe(struct arena *arena, const struct json *failover)
{
    const char *shard = js_get_text(failover, "shard");
    const char *node = js_get_text(failover, "node");
    const char *was = js_get_text(failover, "was");
    const int64_t lost = js_get_number(failover, "lost", 0);
    const char *text = arena_format(arena, "%s took over %s%s%s between %s and %s",
        node == NULL ? "?" : node, shard == NULL ? "?" : shard, was == NULL ? "" : " from ",
        was == NULL ? "" : was, format_clock(arena, js_get_number(failover, "from_ms", 0)),
        format_clock(arena, js_get_number(failover, "to_ms", 0)));
    if (lost == 0) {
        return arena_format(arena, "%s; no acknowledged write was lost in it", text);
    }
    return arena_format(arena, "%s; %s lost in it, acknowledged from %s to %s", text,
        format_counted(arena, lost, "acknowledged write"),
        format_clock(arena, js_get_number(failover, "lost_from_ms", 0)),
        format_clock(arena, js_get_number(failover, "lost_to_ms", 0)));
}
