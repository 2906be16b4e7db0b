#include "report/build.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "report/logs.h"
#include "report/report.h"
#include "report/series.h"
#include "report/story.h"
#include "report/summary.h"

/* Enough to see the pattern; the counts are exact in any case. */
enum { ERRORS_SHOWN_MAX = 200, STOCK_SIZE_MAX = 1 << 20 };

/* A block is written when its last operation is decided, and a soak is journaled every 10 s. */
enum { BLOCK_LATE_MS = PROBE_FAILED_AFTER_MS + 1000 };

/* From this write on they were acknowledged at `at_ms` or later. */
struct write_time {
    const char *incarnation;
    int64_t number, at_ms;
};

struct collector {
    const struct axis *axis;
    struct series series;
    struct arena *arena;
    struct write_time *writes; /* in the order of the logs, a block each */
    size_t write_count;
    struct json *errors, *marks, *readbacks, *finals, *losses;
    int64_t end_ms; /* of the last block */
};

static void on_block(void *context, const struct log_file *file, const struct probe_block *block)
{
    struct collector *collector = context;
    const struct probe_start *start = &file->start;
    const int64_t at_ms = axis_time_ms(collector->axis, start->boot_id,
        start->started_us / 1000 + block->index * PROBE_BLOCK_MS, block->wall_ms);
    series_add(&collector->series, at_ms, block);
    if (block->acked_count > 0) {
        struct write_time *time = arena_push(collector->arena, &collector->writes,
            &collector->write_count, sizeof(*collector->writes));
        *time = (struct write_time){
            arena_strdup(collector->arena, start->incarnation), block->acked[0].from, at_ms};
    }
    if (at_ms + PROBE_BLOCK_MS > collector->end_ms) {
        collector->end_ms = at_ms + PROBE_BLOCK_MS;
    }
}

/* One record as JSON with its time on the report's axis. */
static struct json *on_axis(
    const struct collector *collector, const struct log_file *file, struct json *record, int64_t us)
{
    const int64_t wall_ms = js_get_number(record, "wall_ms", 0);
    js_put_number(
        record, "at_ms", axis_time_ms(collector->axis, file->start.boot_id, us / 1000, wall_ms));
    js_remove(record, "wall_ms");
    js_remove(record, "us");
    return record;
}

static void on_error(void *context, const struct log_file *file, const struct probe_error *error)
{
    struct collector *collector = context;
    if (js_count(collector->errors) < ERRORS_SHOWN_MAX) {
        js_push(collector->errors,
            on_axis(collector, file, codec_write(&probe_error_codec, error), error->us));
    }
}

static void on_mark(void *context, const struct log_file *file, const struct probe_mark *mark)
{
    struct collector *collector = context;
    js_push(
        collector->marks, on_axis(collector, file, codec_write(&probe_mark_codec, mark), mark->us));
}

/* The block in which a write of that incarnation was acknowledged; -1: not known. */
static int64_t find_write_ms(
    const struct collector *collector, const char *incarnation, int64_t number)
{
    int64_t at_ms = -1;
    for (size_t i = 0; i < collector->write_count; i++) {
        const struct write_time *time = &collector->writes[i];
        if (time->number <= number && text_equal(time->incarnation, incarnation)) {
            at_ms = time->at_ms;
        }
    }
    return at_ms;
}

static void add_losses(struct collector *collector, const struct probe_readback *readback)
{
    for (size_t i = 0; i < readback->lost_count; i++) {
        const struct probe_lost *lost = &readback->lost[i];
        const int64_t from_ms = find_write_ms(collector, readback->incarnation, lost->from);
        const int64_t to_ms = find_write_ms(collector, readback->incarnation, lost->to);
        struct json *loss = js_object();
        js_put_number(loss, "from_ms", from_ms);
        js_put_number(loss, "to_ms", to_ms < 0 ? to_ms : to_ms + PROBE_BLOCK_MS);
        js_put_number(loss, "count", lost->count);
        js_push(collector->losses, loss);
    }
}

static void on_readback(
    void *context, const struct log_file *UNUSED(file), const struct probe_readback *readback)
{
    struct collector *collector = context;
    add_losses(collector, readback);
    struct json *record = codec_write(&probe_readback_codec, readback);
    js_remove(record, "deleted"); /* the probe's own bookkeeping */
    js_remove(record, "lost");    /* told with its times */
    js_push(collector->readbacks, record);
}

static void on_final(void *context, const struct log_file *file, const struct probe_final *final)
{
    struct collector *collector = context;
    struct json *record = codec_write(&probe_final_codec, final);
    js_put_text(record, "incarnation", file->start.incarnation);
    js_push(collector->finals, record);
}

static struct json *describe_file(const struct axis *axis, const struct log_file *file)
{
    struct json *object = js_object();
    js_put_text(object, "incarnation", file->start.incarnation);
    js_put_text(object, "file", file->name);
    js_put_text(object, "mode", file->start.mode);
    js_put_number(object, "rate", file->start.rate);
    js_put_number(object, "started_ms",
        axis_time_ms(
            axis, file->start.boot_id, file->start.started_us / 1000, file->start.started_wall_ms));
    js_put_number(object, "lines", file->line_count);
    js_put_text(object, "head", file->head);
    js_put_number(object, "errors", file->error_count);
    js_put_bool(object, "is_final", file->is_final);
    js_put_text(object, "damage", file->damage);
    return object;
}

/* How many lines the earlier report read of this incarnation: all of a new one's are left out. */
static int64_t line_limit(const struct json *as_of, const struct log_file *file)
{
    if (as_of == NULL) {
        return INT64_MAX;
    }
    const struct json *files = js_get(js_get(as_of, "probe"), "incarnations");
    for (size_t i = 0; i < js_count(files); i++) {
        if (text_equal(js_get_text(js_at(files, i), "incarnation"), file->start.incarnation)) {
            return js_get_number(js_at(files, i), "lines", 0);
        }
    }
    return 0;
}

/* Time begins with the first act or the probe, whichever was first. */
static int64_t find_origin(const struct axis *axis, const struct json *report,
    const struct log_file *files, size_t file_count)
{
    const struct json *run = js_get(report, "run");
    int64_t origin_ms = INT64_MAX;
    const struct json *steps = js_get(report, "steps");
    for (size_t i = 0; i < js_count(steps); i++) {
        const int64_t at_ms = js_get_number(js_at(steps, i), "started_ms", INT64_MAX);
        origin_ms = at_ms < origin_ms ? at_ms : origin_ms;
    }
    for (size_t i = 0; i < file_count; i++) {
        const struct probe_start *start = &files[i].start;
        const int64_t at_ms =
            axis_time_ms(axis, start->boot_id, start->started_us / 1000, start->started_wall_ms);
        origin_ms = at_ms < origin_ms ? at_ms : origin_ms;
    }
    return origin_ms == INT64_MAX ? js_get_number(run, "started_ms", axis->wall_ms) : origin_ms;
}

/* Time ends with the last act or the last block; when the probe did not end in order, with the
 * last thing the journal knows, because until then it should have been watching. In a run that
 * goes on, the newest blocks may not be written yet. */
static int64_t find_end_ms(const struct json *report, int64_t block_end_ms, bool is_probe_final)
{
    int64_t end_ms = block_end_ms;
    const struct json *steps = js_get(report, "steps");
    for (size_t i = 0; i < js_count(steps); i++) {
        const int64_t at_ms = js_get_number(js_at(steps, i), "ended_ms", 0);
        end_ms = at_ms > end_ms ? at_ms : end_ms;
    }
    const struct json *run = js_get(report, "run");
    const int64_t last_ms = js_get_number(run, "last_ms", 0);
    const int64_t late_ms = js_get(run, "ended_ms") == NULL ? BLOCK_LATE_MS : 0;
    return !is_probe_final && last_ms - late_ms > end_ms ? last_ms : end_ms;
}

static void hide_gaps(struct series *series, const struct journal_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct json *body = records[i].body;
        const struct series_span gap = {
            js_get_number(body, "from_wall_ms", 0), js_get_number(body, "to_wall_ms", 0)};
        if (records[i].type == JOURNAL_PROBE_GAP && gap.from_ms < gap.to_ms) {
            series_hide(series, gap);
        }
    }
}

static void put_list(struct json *object, const char *key, struct json **slot)
{
    *slot = js_array();
    js_put(object, key, *slot);
}

static void write_probe(const struct build_source *source, const struct axis *axis,
    const struct journal_record *records, size_t count, struct json *report)
{
    AUTO_ARENA arena = {0};
    struct log_file *files = NULL;
    size_t file_count = 0;
    logs_find(source->probe_directory, source->run, &arena, &files, &file_count);
    struct json *probe = js_object();
    js_put(report, "probe", probe);
    struct collector collector = {.axis = axis, .arena = &arena};
    struct json *incarnations = NULL;
    put_list(probe, "incarnations", &incarnations);
    put_list(probe, "errors", &collector.errors);
    put_list(probe, "marks", &collector.marks);
    put_list(probe, "readbacks", &collector.readbacks);
    put_list(probe, "finals", &collector.finals);
    put_list(probe, "losses", &collector.losses);
    const int64_t origin_ms = find_origin(axis, report, files, file_count);
    series_init(&collector.series, origin_ms);
    const struct log_visitor visitor = {
        &collector, on_block, on_error, on_mark, on_readback, on_final};
    bool is_final = false;
    for (size_t i = 0; i < file_count; i++) {
        const int64_t line_max = line_limit(source->as_of, &files[i]);
        if (line_max > 0) {
            logs_read(&files[i], line_max, &visitor, &arena);
            is_final = files[i].is_final;
            js_push(incarnations, describe_file(axis, &files[i]));
        }
    }
    hide_gaps(&collector.series, records, count);
    const int64_t end_ms = find_end_ms(report, collector.end_ms, is_final);
    js_put_number(report, "from_ms", origin_ms);
    js_put_number(report, "to_ms", end_ms > origin_ms ? end_ms : origin_ms);
    series_write(&collector.series, end_ms, probe);
    series_release(&collector.series);
}

/* The stock client's own counts, as it wrote them; null when none ran. */
static struct json *read_stock(const char *probe_directory)
{
    if (probe_directory == NULL) {
        return js_none();
    }
    AUTO_FREE char *path = mem_format("%s/stock.json", probe_directory);
    if (!fs_exists(path)) {
        return js_none();
    }
    AUTO_BUF content = {0};
    struct json *counts = NULL;
    AUTO_ERR err = fs_read(path, STOCK_SIZE_MAX, &content);
    if (err == NULL) {
        err = js_parse(buf_text(&content), content.size, path, &counts);
    }
    if (err == NULL) {
        return counts;
    }
    struct json *unread = js_object();
    AUTO_FREE char *text = err_text(err);
    js_put_text(unread, "unreadable", text);
    return unread;
}

/* The plan's JSON; NULL when the run has none. */
static struct err *read_plan_blob(struct journal *journal, const struct journal_record *records,
    size_t count, struct json **ret_plan)
{
    const char *digest = NULL;
    for (size_t i = 0; i < count; i++) {
        if (records[i].type == JOURNAL_PLAN_BODY) {
            digest = js_get_text(records[i].body, "digest");
        }
    }
    if (digest == NULL) {
        return NULL;
    }
    AUTO_FREE char *text = NULL;
    size_t size = 0;
    struct err *err = journal->ops->get_blob(journal, digest, &text, &size);
    return err != NULL ? err : js_parse(text, size, journal->where, ret_plan);
}

/* An earlier report is compared with the records that existed then. */
static size_t record_limit(const struct json *as_of, size_t count)
{
    const int64_t limit = js_get_number(js_get(as_of, "journal"), "records", INT64_MAX);
    return limit >= 0 && (size_t)limit < count ? (size_t)limit : count;
}

struct err *build_data(const struct build_source *source, struct json **ret_report)
{
    AUTO_ARENA arena = {0};
    struct journal_record *records = NULL;
    size_t read_count = 0;
    struct err *err =
        source->journal->ops->read(source->journal, source->run, &arena, &records, &read_count);
    if (err != NULL) {
        return err;
    }
    const size_t count = record_limit(source->as_of, read_count);
    AUTO_JSON plan = NULL;
    err = read_plan_blob(source->journal, records, count, &plan);
    if (err != NULL) {
        journal_records_release(records, read_count);
        return err;
    }
    struct axis axis = {0};
    if (count > 0) {
        axis = (struct axis){records[0].boot_id, records[0].boottime_ms, records[0].wall_ms};
    }
    struct json *report = js_object();
    js_put_text(report, "kind", "upshift-report");
    js_put_number(report, "format", REPORT_FORMAT);
    js_put_text(report, "made_by", "upshift " UPSHIFT_VERSION);
    story_write(&axis, source->run, records, count, plan, report);
    write_probe(source, &axis, records, count, report);
    js_put(report, "stock", read_stock(source->probe_directory));
    journal_records_release(records, read_count);
    *ret_report = report;
    return NULL;
}

struct err *report_build(
    struct journal *journal, const char *run, const char *probe_directory, struct json **ret_report)
{
    const struct build_source source = {
        .journal = journal, .run = run, .probe_directory = probe_directory};
    struct json *report = NULL;
    struct err *err = build_data(&source, &report);
    if (err != NULL) {
        return err_wrap(err, journal->where, "cannot report on run %s", run);
    }
    summary_write(report);
    *ret_report = report;
    return NULL;
}
