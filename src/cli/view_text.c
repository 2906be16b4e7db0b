#include "cli/view_text.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/exit.h"

enum { LONG_WAIT_MS = 2000, HASH_SHOWN = 12 };

const char *view_get_text(const struct json *object, const char *key, const char *fallback)
{
    const char *text = js_get_text(object, key);
    return text == NULL || text[0] == '\0' ? fallback : text;
}

/* Only the time of day, in UTC as the journal has it. */
static void append_time(struct buf *text, int64_t wall_ms)
{
    char whole[CLOCK_TEXT_SIZE];
    (void)clock_format_wall(wall_ms, whole);
    const char *t = strchr(whole, 'T');
    buf_printf(text, "%.8s", t == NULL ? whole : t + 1);
}

void view_append_duration(struct buf *text, int64_t duration_ms)
{
    const int64_t s = duration_ms / 1000;
    if (duration_ms < 0) {
        buf_append_text(text, "0 s");
    } else if (duration_ms < 10000) {
        buf_printf(text, "%" PRId64 ".%" PRId64 " s", s, duration_ms % 1000 / 100);
    } else if (s < 60) {
        buf_printf(text, "%" PRId64 " s", s);
    } else if (s < 3600) {
        buf_printf(text, "%" PRId64 " min %02" PRId64 " s", s / 60, s % 60);
    } else {
        buf_printf(text, "%" PRId64 " h %02" PRId64 " min", s / 3600, s / 60 % 60);
    }
}

/* --- news --- */

/* How many events at the front of `now` were in `before` already: both are windows onto one list.
 */
static size_t count_known(const struct json *before, const struct json *now)
{
    const size_t count = js_count(before);
    for (size_t skip = 0; skip < count; skip++) {
        size_t same = 0;
        while (skip + same < count && same < js_count(now) &&
               js_equal(js_at(before, skip + same), js_at(now, same))) {
            same++;
        }
        if (skip + same == count) {
            return same;
        }
    }
    return 0;
}

void view_append_event(const struct json *event, struct buf *ret_text)
{
    append_time(ret_text, js_get_number(event, "wall_ms", 0));
    buf_printf(ret_text, " %s", view_get_text(event, "text", "?"));
}

void view_append_waiting(const struct json *snapshot, struct buf *ret_text)
{
    const struct json *waiting = js_get(snapshot, "waiting");
    if (!js_is(waiting, JS_OBJECT)) {
        return;
    }
    const int64_t since_ms = js_get_number(waiting, "since_wall_ms", 0);
    const int64_t until_ms = js_get_number(waiting, "until_wall_ms", 0);
    const char *remedy = js_get_text(waiting, "remedy");
    buf_printf(ret_text, "waiting for %s because %s", view_get_text(waiting, "what", "?"),
        view_get_text(waiting, "because", "?"));
    if (since_ms > 0) {
        buf_append_text(ret_text, ", since ");
        append_time(ret_text, since_ms);
    }
    if (until_ms > 0) {
        buf_append_text(ret_text, ", until ");
        append_time(ret_text, until_ms);
    }
    if (remedy != NULL) {
        buf_printf(ret_text, "; to change it, %s", remedy);
    }
}

/* A wait worth a line of its own: most end within a moment, and a log of them tells nothing. */
static bool is_long_wait(const struct json *snapshot)
{
    const struct json *waiting = js_get(snapshot, "waiting");
    return js_is(waiting, JS_OBJECT) &&
           js_get_number(snapshot, "now_wall_ms", 0) - js_get_number(waiting, "since_wall_ms", 0) >=
               LONG_WAIT_MS;
}

/* The same wait goes on as long as what and since stay; its reason may change with every look. */
static bool is_same_wait(const struct json *previous, const struct json *snapshot)
{
    const struct json *a = js_get(previous, "waiting");
    const struct json *b = js_get(snapshot, "waiting");
    return is_long_wait(previous) && text_equal(js_get_text(a, "what"), js_get_text(b, "what")) &&
           js_get_number(a, "since_wall_ms", 0) == js_get_number(b, "since_wall_ms", 0);
}

void view_append_news(
    const struct json *previous, const struct json *snapshot, struct buf *ret_text)
{
    const struct json *events = js_get(snapshot, "events");
    for (size_t i = count_known(js_get(previous, "events"), events); i < js_count(events); i++) {
        view_append_event(js_at(events, i), ret_text);
        buf_append_char(ret_text, '\n');
    }
    if (is_long_wait(snapshot) && !is_same_wait(previous, snapshot)) {
        append_time(ret_text, js_get_number(snapshot, "now_wall_ms", 0));
        buf_append_char(ret_text, ' ');
        view_append_waiting(snapshot, ret_text);
        buf_append_char(ret_text, '\n');
    }
}

/* --- status --- */

static void append_reasons(const struct json *snapshot, struct buf *text)
{
    const struct json *question = js_get(snapshot, "question");
    if (!js_is(question, JS_OBJECT)) {
        return;
    }
    const struct json *reasons = js_get(question, "reasons");
    buf_append_text(text, "why:\n");
    for (size_t i = 0; i < js_count(reasons); i++) {
        buf_printf(text, "  - %s\n", js_as_text(js_at(reasons, i)));
    }
    if (js_count(reasons) == 0) {
        buf_printf(text, "  - %s\n", view_get_text(question, "text", "?"));
    }
    const char *remedy = js_get_text(question, "remedy");
    if (remedy != NULL) {
        buf_printf(text, "remedy: %s\n", remedy);
    }
}

static void append_probe(const struct json *snapshot, struct buf *text)
{
    const struct json *probe = js_get(snapshot, "probe");
    if (!js_is(probe, JS_OBJECT)) {
        return;
    }
    buf_printf(text,
        "probe: %" PRId64 " operations, %" PRId64 " failed, %" PRId64 " raw failed, %" PRId64
        " wrong, %" PRId64 " writes acknowledged, longest %" PRId64 ".%" PRId64 " ms%s\n",
        js_get_number(probe, "intended", 0), js_get_number(probe, "failed", 0),
        js_get_number(probe, "raw_failed", 0), js_get_number(probe, "wrong", 0),
        js_get_number(probe, "acked", 0), js_get_number(probe, "latency_max_us", 0) / 1000,
        js_get_number(probe, "latency_max_us", 0) % 1000 / 100,
        js_get_bool(probe, "is_alive", true) ? "" : " (not running)");
}

static void append_scopes(const struct json *snapshot, struct buf *text)
{
    const struct json *scopes = js_get(snapshot, "scopes");
    for (size_t i = 0; i < js_count(scopes); i++) {
        const struct json *scope = js_at(scopes, i);
        buf_printf(text, "%s%s (%s)\n", i == 0 ? "temporary changes still open:\n  - " : "  - ",
            view_get_text(scope, "what", "?"), view_get_text(scope, "where", "cluster"));
    }
}

bool view_is_back(const struct json *snapshot)
{
    return text_equal(js_get_text(snapshot, "direction"), "back");
}

void view_append_closing(const struct json *snapshot, struct buf *ret_text)
{
    buf_printf(ret_text, "the way back is %s: %s", view_get_text(snapshot, "way_back", "?"),
        view_get_text(snapshot, "way_back_reason", "?"));
}

static void append_way_back(const struct json *snapshot, struct buf *text)
{
    const struct json *lines = js_get(snapshot, "way_back_by_hand");
    if (text_equal(js_get_text(snapshot, "state"), "REFUSED")) {
        return; /* nothing was changed */
    }
    const char *way_back = js_get_text(snapshot, "way_back");
    const char *reason = js_get_text(snapshot, "way_back_reason");
    const bool is_open = text_equal(way_back, "open");
    if (!is_open && !view_is_back(snapshot) && reason != NULL) {
        view_append_closing(snapshot, text);
        buf_append_char(text, '\n');
    }
    if (!is_open || view_is_back(snapshot) || js_count(lines) == 0) {
        return;
    }
    buf_append_text(
        text, "the way back by hand; after each line wait until the node says role:master:\n");
    for (size_t i = 0; i < js_count(lines); i++) {
        buf_printf(text, "  %s\n", js_as_text(js_at(lines, i)));
    }
}

static void append_soak(const struct json *snapshot, struct buf *text)
{
    const struct json *soak = js_get(snapshot, "soak");
    if (js_is(soak, JS_OBJECT)) {
        buf_printf(text, "soak: %" PRId64 " s of %" PRId64 " s seen healthy\n",
            js_get_number(soak, "healthy_s", 0), js_get_number(soak, "wanted_s", 0));
    }
}

void view_append_proposal(const struct json *snapshot, struct buf *ret_text)
{
    const struct json *proposal = js_get(snapshot, "proposal");
    if (js_is(proposal, JS_OBJECT)) {
        buf_printf(ret_text, "proposed plan: `upshift resume %s --accept %.*s` takes it",
            view_get_text(snapshot, "cluster", "CLUSTER"), HASH_SHOWN,
            view_get_text(proposal, "digest", "?"));
    }
}

static void append_headline(const struct json *snapshot, struct buf *text)
{
    const char *state = view_get_text(snapshot, "state", "?");
    const bool is_going_back = view_is_back(snapshot) && strcmp(state, "ROLLED_BACK") != 0;
    buf_printf(text, "%s: %s is %s%s, %" PRId64 " of %" PRId64 " steps done, ",
        view_get_text(snapshot, "run", "?"), view_get_text(snapshot, "title", "?"), state,
        is_going_back ? ", going back" : "", js_get_number(snapshot, "steps_done", 0),
        js_get_number(snapshot, "steps_total", 0));
    view_append_duration(text, js_get_number(snapshot, "elapsed_ms", 0));
    const int64_t revision = js_get_number(snapshot, "revision", 0);
    if (revision > 0) {
        buf_printf(text, ", plan revised %" PRId64 " time%s", revision, revision == 1 ? "" : "s");
    }
    buf_append_char(text, '\n');
}

/* Why another plan is wanted, and the one that waits for consent: what it does otherwise is among
 * the reasons of the question. */
static void append_replan(const struct json *snapshot, struct buf *text)
{
    const struct json *replan = js_get(snapshot, "replan");
    const struct json *proposal = js_get(snapshot, "proposal");
    if (js_is(proposal, JS_OBJECT)) {
        view_append_proposal(snapshot, text);
        buf_append_char(text, '\n');
    } else if (js_is(replan, JS_OBJECT)) {
        buf_printf(
            text, "the rest will be planned anew: %s\n", view_get_text(replan, "cause", "?"));
    }
}

void view_append_status(const struct json *snapshot, struct buf *ret_text)
{
    append_headline(snapshot, ret_text);
    const size_t before = ret_text->size;
    view_append_waiting(snapshot, ret_text);
    if (ret_text->size > before) {
        buf_append_char(ret_text, '\n');
    }
    append_reasons(snapshot, ret_text);
    append_replan(snapshot, ret_text);
    append_soak(snapshot, ret_text);
    append_probe(snapshot, ret_text);
    append_scopes(snapshot, ret_text);
    append_way_back(snapshot, ret_text);
}

/* --- the end --- */

struct next_step {
    int exit;
    const char *text;  /* %s: the cluster */
    const char *state; /* only in this one; NULL: in any other */
};

static const struct next_step next_steps[] = {
    {EXIT_PAUSED,
        "next: `upshift resume %s` goes on, `upshift rollback %s` goes back,\n"
        "      `upshift abort %s` ends the run here\n",
        NULL},
    {EXIT_SOAKING,
        "next: `upshift finalize %s` upgrades the rest and ends the way back;\n"
        "      until then `upshift rollback %s` goes back\n",
        NULL},
    {EXIT_ROLLED_BACK, "next: nothing; every node has the version it had before\n", NULL},
    {EXIT_ABORTED,
        "next: take back by hand what is listed above; then `upshift plan %s VERSION`\n"
        "      plans what remains\n",
        "ABANDONED"},
    {EXIT_ABORTED,
        "next: the cluster stands between versions; `upshift rollback %s` goes back,\n"
        "      `upshift plan %s VERSION` plans what remains\n",
        NULL},
    {EXIT_BACK_INCOMPLETE,
        "next: `upshift resume %s` goes on going back; `upshift resume %s\n"
        "      --forward` turns again; after a repair by hand `upshift\n"
        "      reconcile %s`\n",
        NULL},
    {EXIT_LOCKED,
        "next: go on where the other run is controlled; `upshift help reconcile` if it is lost\n",
        NULL},
    {EXIT_REFUSED, "next: nothing was changed; remove the reasons and plan anew\n", NULL},
    {EXIT_DONE, "next: nothing; the run is complete\n", NULL},
    {EXIT_NOT_PROVED, "next: read what is not proved: `upshift report %s`\n", NULL},
};

static const char *find_next(const struct json *snapshot)
{
    const int64_t exit = js_get_number(snapshot, "exit", -1);
    for (size_t i = 0; i < ARRAY_COUNT(next_steps); i++) {
        const struct next_step *step = &next_steps[i];
        if (step->exit == exit &&
            (step->state == NULL || text_equal(step->state, js_get_text(snapshot, "state")))) {
            return step->text;
        }
    }
    return "";
}

/* "resume --accept 3f9a" as "upshift resume CLUSTER --accept 3f9a". */
static void append_answer(const char *answer, const char *cluster, struct buf *text)
{
    const size_t size = strcspn(answer, " ");
    buf_printf(text, "  upshift %.*s %s%s\n", (int)size, answer, cluster, answer + size);
}

/* The run says itself what it can be told. */
static void append_answers(const struct json *answers, const char *cluster, struct buf *text)
{
    buf_append_text(text, "next: remove the cause; then one of\n");
    for (size_t i = 0; i < js_count(answers); i++) {
        append_answer(js_as_text(js_at(answers, i)), cluster, text);
    }
}

static void append_next(const struct json *snapshot, struct buf *text)
{
    const char *cluster = view_get_text(snapshot, "cluster", "CLUSTER");
    const struct json *answers = js_get(js_get(snapshot, "question"), "answers");
    if (js_count(answers) > 0) {
        append_answers(answers, cluster, text);
        return;
    }
    struct str rest = str_of(find_next(snapshot));
    const char *marker = strstr(rest.data, "%s");
    while (marker != NULL) {
        buf_append(text, rest.data, (size_t)(marker - rest.data));
        buf_append_text(text, cluster);
        rest = str_of(marker + 2);
        marker = strstr(rest.data, "%s");
    }
    buf_append_str(text, rest);
}

void view_append_end(const struct json *snapshot, const char *report_path, struct buf *ret_text)
{
    view_append_status(snapshot, ret_text);
    if (report_path != NULL) {
        buf_printf(ret_text, "report: %s\n", report_path);
    }
    append_next(snapshot, ret_text);
}
