#include "cli/screen_parts.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/view_text.h"

enum { BAR_SIZE = 20, PHASE_BAR_SIZE = 20, SENTENCE_ROWS_MAX = 4, VERSIONS_MAX = 8 };

static void add(const struct screen_input *input, struct screen_part *part, enum screen_style style,
    const struct buf *text)
{
    struct screen_line *line =
        arena_push(input->arena, &part->lines, &part->count, sizeof(*part->lines));
    size_t size = text->size;
    while (size > 0 && text->data[size - 1] == ' ') {
        size--;
    }
    line->text = arena_strndup(input->arena, buf_text(text), size);
    line->style = style;
}

static void append_bar(struct buf *text, int64_t done, int64_t total, int64_t size)
{
    const int64_t full = total > 0 ? done * size / total : 0;
    buf_append_char(text, '[');
    for (int64_t i = 0; i < size; i++) {
        buf_append_char(text, i < full ? '#' : '.');
    }
    buf_append_char(text, ']');
}

/* Fills up with blanks, so that what follows ends at the right edge. */
static void align_right(struct buf *text, size_t width, size_t size)
{
    const size_t used = text->size + size;
    buf_printf(text, "%*s", used < width ? (int)(width - used) : 1, "");
}

/* --- head --- */

struct state_style {
    const char *state;
    enum screen_style style;
};

static const struct state_style state_styles[] = {
    {"CLAIMING", SCREEN_BUSY},
    {"RUNNING", SCREEN_BUSY},
    {"PAUSING", SCREEN_BOLD},
    {"PAUSED", SCREEN_BOLD},
    {"ABORTING", SCREEN_BAD},
    {"ABORTED", SCREEN_BAD},
    {"REFUSED", SCREEN_BAD},
    {"SOAKING", SCREEN_GOOD},
    {"COMPLETE", SCREEN_GOOD},
    {"ROLLED_BACK", SCREEN_GOOD},
    {"ABANDONED", SCREEN_BAD},
};

static enum screen_style style_of_state(const char *state)
{
    for (size_t i = 0; i < ARRAY_COUNT(state_styles); i++) {
        if (strcmp(state_styles[i].state, state) == 0) {
            return state_styles[i].style;
        }
    }
    return SCREEN_PLAIN;
}

struct screen_part screen_head(const struct screen_input *input)
{
    const struct json *snapshot = input->snapshot;
    struct screen_part part = {0};
    AUTO_BUF state = {0};
    const char *word = view_get_text(snapshot, "state", "?");
    const bool is_going_back = view_is_back(snapshot) && strcmp(word, "ROLLED_BACK") != 0;
    buf_printf(&state, "%s%s ", is_going_back ? "going back: " : "", word);
    view_append_duration(&state, js_get_number(snapshot, "elapsed_ms", 0));
    AUTO_BUF title = {0};
    buf_printf(&title, "%s  %s", view_get_text(snapshot, "run", "?"),
        view_get_text(snapshot, "title", ""));
    align_right(&title, input->width, state.size);
    buf_append_text(&title, buf_text(&state));
    add(input, &part, style_of_state(word), &title);

    const int64_t done = js_get_number(snapshot, "steps_done", 0);
    const int64_t total = js_get_number(snapshot, "steps_total", 0);
    AUTO_BUF progress = {0};
    append_bar(&progress, done, total, BAR_SIZE);
    buf_printf(&progress, " %" PRId64 " of %" PRId64 " steps", done, total);
    const bool is_moving = text_equal(js_get_text(snapshot, "state"), "RUNNING");
    if (is_moving && js_get_number(snapshot, "left_ms", 0) > 0) {
        buf_append_text(&progress, ", about ");
        view_append_duration(&progress, js_get_number(snapshot, "left_ms", 0));
        buf_append_text(&progress, " left");
    }
    const char *way_back = view_get_text(snapshot, "way_back", "?");
    if (!view_is_back(snapshot)) {
        buf_printf(&progress, ", way back %s", way_back);
    }
    const int64_t revision = js_get_number(snapshot, "revision", 0);
    if (revision > 0) {
        buf_printf(&progress, ", revision %" PRId64, revision);
    }
    const bool is_closing = !view_is_back(snapshot) && strcmp(way_back, "open") != 0;
    add(input, &part, is_closing ? SCREEN_BOLD : SCREEN_PLAIN, &progress);
    return part;
}

/* --- phases --- */

static bool is_done(const struct json *step)
{
    const char *state = js_get_text(step, "state");
    return text_equal(state, "done") || text_equal(state, "found");
}

struct screen_part screen_phases(const struct screen_input *input)
{
    const struct json *phases = js_get(input->snapshot, "phases");
    const struct json *steps = js_get(input->snapshot, "steps");
    const int64_t revision = js_get_number(input->snapshot, "revision", 0);
    struct screen_part part = {0};
    for (size_t p = 0; p < js_count(phases); p++) {
        const struct json *phase = js_at(phases, p);
        const char *name = view_get_text(phase, "name", "?");
        const char *state = view_get_text(phase, "state", "pending");
        int64_t done = 0, total = 0;
        for (size_t i = 0; i < js_count(steps); i++) {
            const struct json *step = js_at(steps, i);
            if (text_equal(js_get_text(step, "phase"), name) &&
                js_get_number(step, "revision", revision) == revision) {
                total++;
                done += is_done(step) ? 1 : 0;
            }
        }
        AUTO_BUF line = {0};
        buf_printf(&line, "%-12s ", name);
        append_bar(&line, done, total, PHASE_BAR_SIZE);
        buf_printf(&line, " %3" PRId64 " of %-3" PRId64 " %s", done, total,
            strcmp(name, "finalize") == 0 && strcmp(state, "pending") == 0
                ? "behind the pause point"
                : state);
        add(input, &part,
            strcmp(state, "open") == 0   ? SCREEN_BUSY
            : strcmp(state, "done") == 0 ? SCREEN_GOOD
                                         : SCREEN_PLAIN,
            &line);
    }
    return part;
}

/* --- nodes --- */

static bool is_in_work(const struct json *step)
{
    const char *state = js_get_text(step, "state");
    return state != NULL && strcmp(state, "pending") != 0 && !is_done(step);
}

static bool is_node_in_work(const struct json *snapshot, const char *node)
{
    const struct json *steps = js_get(snapshot, "steps");
    for (size_t i = 0; i < js_count(steps); i++) {
        const struct json *step = js_at(steps, i);
        if (is_in_work(step) && text_equal(js_get_text(step, "node"), node)) {
            return true;
        }
    }
    return false;
}

static bool has_trouble(const struct json *node)
{
    const bool is_replica = text_equal(js_get_text(node, "role"), "replica");
    return !js_get_bool(node, "is_reachable", true) ||
           (is_replica && !js_get_bool(node, "is_link_up", true));
}

static void add_node(
    const struct screen_input *input, const struct json *node, struct screen_part *part)
{
    const char *name = view_get_text(node, "name", "?");
    const bool is_replica = text_equal(js_get_text(node, "role"), "replica");
    const bool is_in_hand = is_node_in_work(input->snapshot, name);
    AUTO_BUF version = {0};
    buf_printf(&version, "%s %s", view_get_text(node, "product", "?"),
        view_get_text(node, "version", "?"));
    AUTO_BUF line = {0};
    buf_printf(&line, "%-14.14s ", name);
    if (input->width >= 100) {
        buf_printf(&line, "%-21.21s ", view_get_text(node, "address", ""));
    }
    buf_printf(&line, "%-9.9s %-8.8s %-16.16s ", view_get_text(node, "shard", "-"),
        view_get_text(node, "role", "?"), buf_text(&version));
    if (!js_get_bool(node, "is_reachable", true)) {
        buf_append_text(&line, "does not answer");
    } else if (is_replica) {
        buf_append_text(&line, js_get_bool(node, "is_link_up", true) ? "link up" : "link down");
    }
    if (is_in_hand) {
        buf_append_text(&line, "  <- in work");
    }
    add(input, part,
        is_in_hand          ? SCREEN_BUSY
        : has_trouble(node) ? SCREEN_BAD
                            : SCREEN_PLAIN,
        &line);
}

struct version_count {
    const char *product, *version;
    size_t count;
};

static void count_version(
    const struct json *node, struct version_count *counts, size_t *count, size_t *other)
{
    const char *product = view_get_text(node, "product", "?");
    const char *version = view_get_text(node, "version", "?");
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(counts[i].product, product) == 0 && strcmp(counts[i].version, version) == 0) {
            counts[i].count++;
            return;
        }
    }
    if (*count < VERSIONS_MAX) {
        counts[(*count)++] = (struct version_count){product, version, 1};
    } else {
        ++*other;
    }
}

static void add_summary(
    const struct screen_input *input, const struct json *nodes, struct screen_part *part)
{
    struct version_count counts[VERSIONS_MAX];
    size_t count = 0, other = 0, trouble = 0;
    for (size_t i = 0; i < js_count(nodes); i++) {
        count_version(js_at(nodes, i), counts, &count, &other);
        trouble += has_trouble(js_at(nodes, i)) ? 1 : 0;
    }
    AUTO_BUF line = {0};
    buf_printf(&line, "%zu nodes:", js_count(nodes));
    for (size_t i = 0; i < count; i++) {
        buf_printf(&line, "%s %zu %s %s", i == 0 ? "" : ",", counts[i].count, counts[i].product,
            counts[i].version);
    }
    if (other > 0) {
        buf_printf(&line, ", %zu others", other);
    }
    if (trouble > 0) {
        buf_printf(&line, "; %zu with trouble", trouble);
    }
    add(input, part, trouble > 0 ? SCREEN_BAD : SCREEN_BOLD, &line);
}

struct screen_part screen_nodes(const struct screen_input *input, size_t rows)
{
    const struct json *nodes = js_get(input->snapshot, "nodes");
    struct screen_part part = {0};
    const bool has_all = js_count(nodes) + 1 <= rows;
    if (js_count(nodes) == 0 || rows == 0) {
        return part;
    }
    if (has_all) {
        AUTO_BUF line = {0};
        buf_printf(&line, "%-14s %s%-9s %-8s %s", "node",
            input->width >= 100 ? "address               " : "", "shard", "role", "version");
        add(input, &part, SCREEN_DIM, &line);
    } else {
        add_summary(input, nodes, &part);
    }
    for (size_t i = 0; i < js_count(nodes) && part.count < rows; i++) {
        const struct json *node = js_at(nodes, i);
        if (has_all || has_trouble(node) ||
            is_node_in_work(input->snapshot, view_get_text(node, "name", ""))) {
            add_node(input, node, &part);
        }
    }
    return part;
}

/* --- steps in work --- */

static bool is_step_broken(const struct json *step)
{
    const char *state = js_get_text(step, "state");
    return state != NULL && strcmp(state, "intended") != 0;
}

struct screen_part screen_steps(const struct screen_input *input, size_t rows)
{
    const struct json *steps = js_get(input->snapshot, "steps");
    struct screen_part part = {0};
    for (size_t i = 0; i < js_count(steps) && part.count < rows; i++) {
        const struct json *step = js_at(steps, i);
        if (!is_in_work(step)) {
            continue;
        }
        AUTO_BUF time = {0};
        if (js_get_number(step, "attempt", 1) > 1) {
            buf_printf(&time, "attempt %" PRId64 ", ", js_get_number(step, "attempt", 1));
        }
        view_append_duration(&time, js_get_number(step, "elapsed_ms", 0));
        AUTO_BUF line = {0};
        buf_printf(&line, "> %.*s", (int)(input->width > 40 ? input->width - 30 : input->width),
            view_get_text(step, "summary", "?"));
        if (is_step_broken(step)) {
            buf_printf(&line, ": %s", js_get_text(step, "state"));
        }
        align_right(&line, input->width, time.size);
        buf_append_text(&line, buf_text(&time));
        add(input, &part, is_step_broken(step) ? SCREEN_BAD : SCREEN_BUSY, &line);
    }
    return part;
}

/* --- sentences --- */

static void add_wrapped(const struct screen_input *input, enum screen_style style,
    const char *words, struct screen_part *part)
{
    AUTO_BUF line = {0};
    const size_t first = part->count;
    while (*words != '\0') {
        const size_t size = strcspn(words, " ");
        if (line.size > 2 && line.size + 1 + size > input->width) {
            if (part->count - first + 1 == SENTENCE_ROWS_MAX) {
                buf_append_text(&line, " ...");
                break;
            }
            add(input, part, style, &line);
            buf_clear(&line);
            buf_append_text(&line, "  ");
        } else if (line.size > 2) {
            buf_append_char(&line, ' ');
        }
        buf_append(&line, words, size);
        words += size + strspn(words + size, " ");
    }
    if (line.size > 0) {
        add(input, part, style, &line);
    }
}

static void add_question(const struct screen_input *input, struct screen_part *part)
{
    const struct json *question = js_get(input->snapshot, "question");
    if (!js_is(question, JS_OBJECT)) {
        return;
    }
    const struct json *reasons = js_get(question, "reasons");
    for (size_t i = 0; i < js_count(reasons) && i < SENTENCE_ROWS_MAX; i++) {
        add_wrapped(input, SCREEN_BAD, js_as_text(js_at(reasons, i)), part);
    }
    const char *remedy = js_get_text(question, "remedy");
    if (remedy != NULL) {
        AUTO_BUF line = {0};
        buf_printf(&line, "remedy: %s", remedy);
        add_wrapped(input, SCREEN_BOLD, buf_text(&line), part);
    }
}

/* Closing it is what finalize is for; before that it is bad news. */
static bool is_way_back_news(const struct json *snapshot)
{
    const bool is_open = text_equal(js_get_text(snapshot, "way_back"), "open");
    const bool is_finalizing = text_equal(js_get_text(snapshot, "phase"), "finalize") &&
                               text_equal(js_get_text(snapshot, "state"), "RUNNING");
    return !is_open && !is_finalizing && !view_is_back(snapshot) &&
           js_get_text(snapshot, "way_back_reason") != NULL;
}

struct screen_part screen_sentences(const struct screen_input *input)
{
    struct screen_part part = {0};
    AUTO_BUF waiting = {0};
    view_append_waiting(input->snapshot, &waiting);
    add_wrapped(input, SCREEN_BOLD, buf_text(&waiting), &part);
    add_question(input, &part);
    if (is_way_back_news(input->snapshot)) {
        AUTO_BUF closing = {0};
        view_append_closing(input->snapshot, &closing);
        add_wrapped(input, SCREEN_BAD, buf_text(&closing), &part);
    }
    AUTO_BUF proposal = {0};
    view_append_proposal(input->snapshot, &proposal);
    add_wrapped(input, SCREEN_BOLD, buf_text(&proposal), &part);
    const struct json *soak = js_get(input->snapshot, "soak");
    if (js_is(soak, JS_OBJECT)) {
        const int64_t healthy_s = js_get_number(soak, "healthy_s", 0);
        const int64_t wanted_s = js_get_number(soak, "wanted_s", 0);
        AUTO_BUF line = {0};
        buf_append_text(&line, "soak         ");
        append_bar(&line, healthy_s < wanted_s ? healthy_s : wanted_s, wanted_s, PHASE_BAR_SIZE);
        buf_printf(&line, " %" PRId64 " s of %" PRId64 " s seen healthy", healthy_s, wanted_s);
        add(input, &part, SCREEN_GOOD, &line);
    }
    return part;
}

/* --- probe --- */

struct screen_part screen_probe(const struct screen_input *input)
{
    const struct json *probe = js_get(input->snapshot, "probe");
    struct screen_part part = {0};
    if (!js_is(probe, JS_OBJECT)) {
        return part;
    }
    const int64_t longest_us = js_get_number(probe, "latency_max_us", 0);
    const int64_t p99_us = js_get_number(probe, "latency_p99_us", 0);
    const int64_t bad = js_get_number(probe, "failed", 0) + js_get_number(probe, "wrong", 0);
    AUTO_BUF line = {0};
    buf_printf(&line,
        "probe  %" PRId64 " op/s  p99 %" PRId64 ".%" PRId64 " ms  longest %" PRId64 ".%" PRId64
        " ms  %" PRId64 " operations",
        js_get_number(probe, "rate", 0), p99_us / 1000, p99_us % 1000 / 100, longest_us / 1000,
        longest_us % 1000 / 100, js_get_number(probe, "intended", 0));
    add(input, &part, SCREEN_PLAIN, &line);
    buf_clear(&line);
    buf_printf(&line,
        "       %" PRId64 " failed  %" PRId64 " wrong  %" PRId64 " raw failed  %" PRId64
        " writes acknowledged",
        js_get_number(probe, "failed", 0), js_get_number(probe, "wrong", 0),
        js_get_number(probe, "raw_failed", 0), js_get_number(probe, "acked", 0));
    if (!js_get_bool(probe, "is_alive", true)) {
        buf_append_text(&line, "  NOT RUNNING");
    }
    const bool is_alive = js_get_bool(probe, "is_alive", true);
    add(input, &part, bad > 0 || !is_alive ? SCREEN_BAD : SCREEN_GOOD, &line);
    return part;
}

/* --- events --- */

struct screen_part screen_events(const struct screen_input *input, size_t rows)
{
    const struct json *events = js_get(input->snapshot, "events");
    const size_t count = js_count(events);
    struct screen_part part = {0};
    for (size_t i = count > rows ? count - rows : 0; i < count; i++) {
        AUTO_BUF line = {0};
        view_append_event(js_at(events, i), &line);
        add(input, &part, SCREEN_DIM, &line);
    }
    return part;
}
