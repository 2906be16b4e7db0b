#include "report/judge.h"

#include "base/arena.h"
#include "base/str.h"
#include "model/probe_log.h"
#include "report/failovers.h"
#include "report/format.h"

/* The probe writes this many error lines per incarnation, then only counts. */
enum { ERROR_LINES_MAX = 1000 };

struct judge {
    struct arena arena;
    const struct json *report, *run, *summary, *probe, *incarnations;
    struct json *reasons, *checked, *not_checked; /* borrowed from the report */
};

static int64_t figure(const struct judge *judge, const char *key)
{
    return js_get_number(judge->summary, key, 0);
}

static const char *count_of(struct judge *judge, const char *key)
{
    return format_count(&judge->arena, figure(judge, key));
}

static void say(struct json *list, const char *text)
{
    js_push(list, js_text(text));
}

static bool is_write_mode(const struct judge *judge)
{
    return text_equal(js_get_text(js_at(judge->incarnations, 0), "mode"), "write");
}

static bool has_probe(const struct judge *judge)
{
    return js_count(judge->incarnations) > 0;
}

static bool ended_in_order(const struct judge *judge)
{
    const size_t count = js_count(judge->incarnations);
    return count > 0 && js_get_bool(js_at(judge->incarnations, count - 1), "is_final", false);
}

/* The probe's own totals against those of its blocks; only a probe that ended in order has any. */
static bool totals_agree(const struct judge *judge)
{
    static const char *const keys[] = {"intended", "ok", "raw_failed", "failed", "wrong"};
    const struct json *finals = js_get(judge->probe, "finals");
    if (js_count(finals) != js_count(judge->incarnations)) {
        return true;
    }
    for (size_t k = 0; k < ARRAY_COUNT(keys); k++) {
        int64_t sum = 0;
        for (size_t i = 0; i < js_count(finals); i++) {
            sum += js_get_number(js_at(finals, i), keys[k], 0);
        }
        if (sum != figure(judge, keys[k])) {
            return false;
        }
    }
    return true;
}

/* Figures that must be zero. */
static const struct {
    const char *key;
    const char *text; /* after the count */
} bad_figures[] = {
    {"failed", "operations failed, also on their retry"},
    {"wrong", "reads gave another value than the one written"},
    {"not_checked", "acknowledged writes were not read back"},
};

static const struct {
    const char *key;
    const char *text;
} loss_figures[] = {
    {"missing", "acknowledged writes are missing"},
    {"different", "acknowledged writes hold another value"},
};

/* What a failover of somebody else's lost is told apart: neither hides the other. */
static void judge_losses(struct judge *judge)
{
    const int64_t foreign = figure(judge, "lost_in_failovers");
    const int64_t own = figure(judge, "lost") - foreign;
    for (size_t i = 0; foreign == 0 && i < ARRAY_COUNT(loss_figures); i++) {
        if (figure(judge, loss_figures[i].key) > 0) {
            say(judge->reasons, arena_format(&judge->arena, "%s %s",
                                    count_of(judge, loss_figures[i].key), loss_figures[i].text));
        }
    }
    if (foreign > 0 && own > 0) {
        say(judge->reasons, arena_format(&judge->arena, "%s are missing or hold another value",
                                format_counted(&judge->arena, own, "acknowledged write")));
    }
    const struct json *failovers = js_get(judge->report, "failovers");
    for (size_t i = 0; i < js_count(failovers); i++) {
        const struct json *failover = js_at(failovers, i);
        if (js_get_number(failover, "lost", 0) > 0) {
            say(judge->reasons,
                arena_format(&judge->arena, "a failover that this run did not make: %s",
                    failovers_describe(&judge->arena, failover)));
        }
    }
}

static void judge_figures(struct judge *judge)
{
    for (size_t i = 0; i < ARRAY_COUNT(bad_figures); i++) {
        if (figure(judge, bad_figures[i].key) > 0) {
            say(judge->reasons, arena_format(&judge->arena, "%s %s",
                                    count_of(judge, bad_figures[i].key), bad_figures[i].text));
        }
    }
    judge_losses(judge);
    if (figure(judge, "unobserved_ms") > 0) {
        say(judge->reasons, arena_format(&judge->arena, "%s of %s were not observed",
                                format_ms(&judge->arena, figure(judge, "unobserved_ms")),
                                format_ms(&judge->arena, figure(judge, "window_ms"))));
    }
}

static void judge_probe(struct judge *judge)
{
    if (!has_probe(judge)) {
        say(judge->reasons, "no probe was running");
        return;
    }
    if (!is_write_mode(judge)) {
        say(judge->reasons, "the probe only read, so no write was checked");
    } else if (figure(judge, "acked") == 0) {
        say(judge->reasons, "no write was acknowledged");
    }
    if (!ended_in_order(judge)) {
        say(judge->reasons, "the probe has not ended in order, so its last read-back is missing");
    }
    if (!totals_agree(judge)) {
        say(judge->reasons, "the probe's own totals differ from those of its blocks");
    }
    for (size_t i = 0; i < js_count(judge->incarnations); i++) {
        const struct json *file = js_at(judge->incarnations, i);
        const char *damage = js_get_text(file, "damage");
        if (damage != NULL) {
            say(judge->reasons,
                arena_format(&judge->arena, "probe log %s: %s", js_get_text(file, "file"), damage));
        }
    }
}

static void judge_run(struct judge *judge)
{
    const char *state = js_get_text(judge->run, "state");
    if (!text_equal(state, "COMPLETE") && !text_equal(state, "ROLLED_BACK")) {
        say(judge->reasons,
            arena_format(&judge->arena, "the run is not complete: it is %s", state));
    }
    if (figure(judge, "steps_done") < figure(judge, "steps_total")) {
        say(judge->reasons, arena_format(&judge->arena, "%s of %s steps are done",
                                count_of(judge, "steps_done"), count_of(judge, "steps_total")));
    }
}

static void list_checked_operations(struct judge *judge)
{
    struct arena *arena = &judge->arena;
    say(judge->checked,
        arena_format(arena, "%s over %s at %s a second, %s of them on a fresh connection each",
            format_counted(arena, figure(judge, "intended"), "operation"),
            format_ms(arena, figure(judge, "observed_ms")),
            format_count(arena, js_get_number(js_at(judge->incarnations, 0), "rate", 0)),
            count_of(judge, "fresh")));
    say(judge->checked,
        arena_format(arena,
            "every raw failure (%s: what a client without retry would have seen) was "
            "retried once after %d ms; %s failed",
            count_of(judge, "raw_failed"), PROBE_RETRY_MS, count_of(judge, "failed")));
    say(judge->checked,
        arena_format(arena, "every value read was compared with the one written: %s wrong",
            count_of(judge, "wrong")));
    if (figure(judge, "checked") > 0) {
        say(judge->checked,
            arena_format(arena,
                "%s acknowledged writes were read back: %s missing, %s with another value",
                count_of(judge, "checked"), count_of(judge, "missing"),
                count_of(judge, "different")));
    }
}

static void list_checked_run(struct judge *judge)
{
    struct arena *arena = &judge->arena;
    const struct json *snapshots = js_get(judge->report, "snapshots");
    const size_t count = js_count(snapshots);
    if (count > 1) {
        say(judge->checked,
            arena_format(arena, "the versions of %s were read from the servers before and after",
                format_counted(arena,
                    (int64_t)js_count(js_get(js_at(snapshots, count - 1), "nodes")), "node")));
    }
    const struct json *settings = js_get(judge->report, "settings");
    int64_t closed = 0;
    for (size_t i = 0; i < js_count(settings); i++) {
        closed += text_equal(js_get_text(js_at(settings, i), "left"), "restored");
    }
    if (closed > 0) {
        say(judge->checked,
            arena_format(arena, "%s put back", format_counted(arena, closed, "temporary setting")));
    }
    const struct json *journal = js_get(judge->report, "journal");
    say(judge->checked, arena_format(arena, "the hash chain of the journal's %s is whole",
                            format_counted(arena, js_get_number(journal, "records", 0), "record")));
    int64_t lines = 0;
    for (size_t i = 0; i < js_count(judge->incarnations); i++) {
        lines += js_get_number(js_at(judge->incarnations, i), "lines", 0);
    }
    if (lines > 0) {
        say(judge->checked, arena_format(arena, "the hash chain of the probe's %s is whole",
                                format_counted(arena, lines, "line")));
    }
}

static void list_unobserved(struct judge *judge)
{
    struct arena *arena = &judge->arena;
    if (!has_probe(judge)) {
        say(judge->not_checked,
            "whether any client noticed: no probe was running, so nothing here is evidence");
        return;
    }
    if (figure(judge, "unobserved_ms") > 0) {
        say(judge->not_checked,
            arena_format(arena, "%s in which the probe was not running (grey in the picture)",
                format_ms(arena, figure(judge, "unobserved_ms"))));
    }
    if (figure(judge, "not_checked") > 0) {
        say(judge->not_checked,
            arena_format(arena,
                "%s acknowledged writes that were not read back: expired, or nobody answered",
                count_of(judge, "not_checked")));
    }
    if (figure(judge, "stalled_us") > 0) {
        say(judge->not_checked,
            arena_format(arena,
                "%s in which this host did not let the probe run (hatched): latencies then say "
                "nothing about the cluster",
                format_us(arena, figure(judge, "stalled_us"))));
    }
    for (size_t i = 0; i < js_count(judge->incarnations); i++) {
        const struct json *file = js_at(judge->incarnations, i);
        if (!js_get_bool(file, "is_final", false)) {
            say(judge->not_checked,
                arena_format(arena,
                    "the newest writes of probe %s, which has not ended in order: they may not be "
                    "in its log",
                    js_get_text(file, "incarnation")));
        }
        if (js_get_number(file, "errors", 0) >= ERROR_LINES_MAX) {
            say(judge->not_checked,
                arena_format(arena, "the words of probe %s's errors after the first %d",
                    js_get_text(file, "incarnation"), ERROR_LINES_MAX));
        }
    }
    if (!is_write_mode(judge)) {
        say(judge->not_checked, "writes: the probe only read");
    }
}

static void list_open_settings(struct judge *judge)
{
    const struct json *settings = js_get(judge->report, "settings");
    const char *first = NULL;
    int64_t open = 0;
    for (size_t i = 0; i < js_count(settings); i++) {
        const struct json *setting = js_at(settings, i);
        if (js_get(setting, "closed_ms") == NULL) {
            const char *summary = js_get_text(setting, "summary");
            first = first != NULL     ? first
                    : summary != NULL ? summary
                                      : js_get_text(setting, "step");
            open++;
        }
    }
    if (open == 1) {
        say(judge->not_checked,
            arena_format(&judge->arena, "a temporary setting is still in place: %s", first));
    } else if (open > 1) {
        say(judge->not_checked,
            arena_format(&judge->arena, "%s temporary settings are still in place: %s, and others",
                format_count(&judge->arena, open), first));
    }
}

static const char *text_or(const struct json *object, const char *key, const char *other)
{
    const char *text = js_get_text(object, key);
    return text != NULL ? text : other;
}

/* Settings that a run has let go of without putting them back. */
static void list_lost_settings(struct judge *judge)
{
    const struct json *settings = js_get(judge->report, "settings");
    for (size_t i = 0; i < js_count(settings); i++) {
        const struct json *setting = js_at(settings, i);
        const char *left = js_get_text(setting, "left");
        const char *summary = text_or(setting, "summary", text_or(setting, "step", "?"));
        if (text_equal(left, "foreign")) {
            say(judge->not_checked,
                arena_format(&judge->arena,
                    "a temporary setting that somebody else changed: %s; it was left at %s and "
                    "was %s before the run",
                    summary, text_or(setting, "found", "?"), text_or(setting, "before", "?")));
        } else if (text_equal(left, "left")) {
            say(judge->not_checked,
                arena_format(&judge->arena,
                    "a temporary setting could not be put back: %s; it was %s before the run: %s",
                    summary, text_or(setting, "before", "?"), text_or(setting, "reason", "?")));
        }
    }
}

static void list_always(struct judge *judge)
{
    if (js_is(js_get(judge->report, "stock"), JS_OBJECT)) {
        say(judge->not_checked, "data of other clients: the probe and the stock client each judge "
                                "the keys they wrote themselves");
    } else {
        say(judge->not_checked, "a client library as applications use it: no stock client ran");
        say(judge->not_checked, "data of other clients: the probe judges the keys it wrote itself");
    }
    say(judge->not_checked,
        "the network between other hosts and the cluster: the probe ran on this host");
    say(judge->not_checked,
        "writes that were never acknowledged: each may or may not have taken effect");
}

void judge_write(struct json *report)
{
    struct json *summary = js_get(report, "summary");
    struct judge judge = {
        .report = report,
        .run = js_get(report, "run"),
        .summary = summary,
        .probe = js_get(report, "probe"),
        .incarnations = js_get(js_get(report, "probe"), "incarnations"),
        .reasons = js_array(),
        .checked = js_array(),
        .not_checked = js_array(),
    };
    js_put(summary, "reasons", judge.reasons);
    js_put(report, "checked", judge.checked);
    js_put(report, "not_checked", judge.not_checked);
    judge_run(&judge);
    judge_probe(&judge);
    judge_figures(&judge);
    const bool is_back = text_equal(js_get_text(judge.run, "state"), "ROLLED_BACK");
    js_put_text(summary, "verdict",
        js_count(judge.reasons) > 0 ? "not proved"
        : is_back                   ? "rolled back"
                                    : "passed");
    if (has_probe(&judge)) {
        list_checked_operations(&judge);
    }
    list_checked_run(&judge);
    list_unobserved(&judge);
    list_open_settings(&judge);
    list_lost_settings(&judge);
    list_always(&judge);
    arena_release(&judge.arena);
}
