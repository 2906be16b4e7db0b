#include "probe/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "probe/control.h"

enum {
    FIRST_MAP_US = 500000,        /* then it starts without one and lets itself be redirected */
    MAP_EVERY_US_MIN = 100000,    /* a question about the layout costs the cluster something */
    PRIMARY_EVERY_US_MIN = 10000, /* who is primary costs nearly nothing, and every client asks */
    MAP_ANSWER_US = 500000,
    STALL_US_MIN = 3000, /* less is a scheduler's ordinary noise */
    GRACE_US = PROBE_FAILED_AFTER_MS * 1000 + 200000,
    BLOCK_US = PROBE_BLOCK_MS * 1000,
    SECOND_US = 1000000,
};

static int64_t min_us(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void append_question(const struct loop *loop, struct buf *command)
{
    switch (loop->slots.source) {
    case SLOTS_FROM_ROLES:
        resp_append(command, "ROLE", NULL);
        return;
    case SLOTS_FROM_SENTINELS:
        resp_append(
            command, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", loop->config->master_name, NULL);
        return;
    case SLOTS_FROM_CLUSTER:
    default:
        resp_append(command, "CLUSTER", "SLOTS", NULL);
        return;
    }
}

/* Asks for the layout when something contradicted the map; one question at a time. */
static void ask_map(struct loop *loop, int64_t now_us)
{
    const bool is_lost = loop->is_map_awaited && now_us - loop->map_sent_us > MAP_ANSWER_US;
    const int64_t every_us =
        loop->slots.source == SLOTS_FROM_CLUSTER ? MAP_EVERY_US_MIN : PRIMARY_EVERY_US_MIN;
    if (!loop->slots.is_stale || (loop->is_map_awaited && !is_lost) ||
        now_us - loop->map_sent_us < every_us) {
        return;
    }
    const uint64_t random = random_next(&loop->ops.random);
    const int node = slots_adviser(&loop->slots, is_lost, random);
    AUTO_BUF command = {0};
    append_question(loop, &command);
    loop->slots.is_stale = false;
    loop->slots.adviser = -1;
    loop->is_map_awaited = true;
    loop->map_sent_us = now_us;
    loop->map_attempt++;
    link_send(links_get(&loop->links, LANE_BULK, node),
        (struct request){.owner = OWNER_MAP, .attempt = loop->map_attempt}, &command);
}

static void take_map(
    struct loop *loop, const struct link *link, struct request request, const struct resp *value)
{
    if (request.attempt != loop->map_attempt) {
        return;
    }
    loop->is_map_awaited = false;
    if (value != NULL && slots_load(&loop->slots, value, link_node(link))) {
        loop->has_map = true;
    } else {
        slots_distrust(&loop->slots, link_node(link), random_next(&loop->ops.random));
    }
}

static void note_stall(struct loop *loop, int64_t from_us, int64_t to_us)
{
    if (to_us - from_us >= STALL_US_MIN) {
        ops_note_stall(&loop->ops, from_us, to_us);
        timeline_count_stall(&loop->timeline, from_us, to_us);
    }
}

/* Before the answers: what overslept is not their latency. */
static void woken(void *context)
{
    struct loop *loop = context;
    loop->woken_us = clock_now_us();
    if (loop->wake_us != 0) {
        note_stall(loop, loop->wake_us, loop->woken_us);
        loop->wake_us = 0;
    }
}

static void answered(
    void *context, const struct link *link, struct request request, const struct resp *value)
{
    struct loop *loop = context;
    switch (request.owner) {
    case OWNER_NOBODY:
        return;
    case OWNER_OPERATION:
        ops_answered(&loop->ops, link, request, value);
        return;
    case OWNER_READBACK:
        readback_answered(&loop->readback, link, request, value);
        return;
    case OWNER_MAP:
        take_map(loop, link, request, value);
        return;
    }
}

static void lost(
    void *context, const struct link *link, struct request request, const struct link_loss *loss)
{
    struct loop *loop = context;
    switch (request.owner) {
    case OWNER_NOBODY:
        return;
    case OWNER_OPERATION:
        ops_lost(&loop->ops, link, request, loss);
        return;
    case OWNER_READBACK:
        readback_lost(&loop->readback, link, request, loss);
        return;
    case OWNER_MAP:
        take_map(loop, link, request, NULL);
        return;
    }
}

static void *load_previous(void *context)
{
    struct loader *loader = context;
    loader->err = previous_load(loader->directory, loader->incarnation, &loader->previous);
    atomic_store(&loader->is_done, true);
    return NULL;
}

static void start_loader(struct loop *loop)
{
    loop->loader.directory = loop->config->directory;
    loop->loader.incarnation = loop->incarnation;
    if (pthread_create(&loop->loader.thread, NULL, load_previous, &loop->loader) != 0) {
        abort(); /* out of threads is out of memory: base/mem.h */
    }
}

static void find_layout(struct loop *loop)
{
    const int64_t until_us = clock_now_us() + FIRST_MAP_US;
    for (int64_t now_us = clock_now_us(); !loop->has_map && now_us < until_us;
         now_us = clock_now_us()) {
        access_step(&loop->access, &loop->links, now_us);
        ask_map(loop, now_us);
        links_wait(&loop->links, min_us(now_us + MAP_EVERY_US_MIN, until_us), -1);
    }
}

static void start_load(struct loop *loop)
{
    const struct probe_config *config = loop->config;
    const int64_t now_us = clock_now_us();
    const struct probe_start start = {
        .run = config->run,
        .cluster = config->cluster,
        .incarnation = loop->incarnation,
        .mode = config->mode,
        .boot_id = clock_boot_id(),
        .pid = getpid(),
        .rate = config->rate,
        .ttl_s = config->ttl_s,
        .keys_max = config->keys_max,
        .started_us = now_us,
        .started_wall_ms = clock_wall_us() / 1000,
    };
    (void)record_append(loop->record, "start", &probe_start_codec, &start);
    timeline_init(&loop->timeline, loop->record, now_us, start.started_wall_ms);
    loop->ops.is_read_only = strcmp(config->mode, "read-only") == 0;
    loop->ops.keys_max = config->keys_max;
    ops_start(&loop->ops, now_us, config->rate);
    loop->alive_us = now_us;
    loop->second_us = now_us;
    loop->woken_us = now_us;
    loop->is_loading = true;
}

static void end_load(struct loop *loop, const char *reason)
{
    if (loop->reason[0] == '\0') {
        (void)snprintf(loop->reason, sizeof(loop->reason), "%s", reason);
        loop->ended_us = clock_now_us();
    }
}

static void take_mark(struct loop *loop, const struct json *content)
{
    const char *step = js_get_text(content, "step");
    const char *boundary = js_get_text(content, "boundary");
    const struct probe_mark mark = {
        .us = clock_now_us(),
        .wall_ms = clock_wall_us() / 1000,
        .step = step == NULL ? "run" : step,
        .boundary = boundary == NULL ? "" : boundary,
    };
    (void)record_append(loop->record, "mark", &probe_mark_codec, &mark);
}

static void take_messages(struct loop *loop)
{
    struct json *next;
    while ((next = probe_control_next(loop->control_fd)) != NULL) {
        AUTO_JSON message = next;
        loop->alive_us = clock_now_us(); /* whatever it says, somebody is there */
        const struct json *mark = js_get(message, "mark");
        if (js_is(mark, JS_OBJECT)) {
            take_mark(loop, mark);
        }
        const int64_t rate = js_get_number(message, "rate", 0);
        if (rate >= 1 && rate <= PROBE_RATE_MAX && loop->is_loading) {
            ops_set_rate(&loop->ops, rate);
        }
        if (js_get_bool(message, "stop", false)) {
            const char *reason = js_get_text(message, "reason");
            end_load(loop, reason == NULL || reason[0] == '\0' ? "stopped" : reason);
        }
    }
}

static void look_for_end(struct loop *loop, int64_t now_us)
{
    const struct probe_config *config = loop->config;
    const struct probe_observer *observer = loop->observer;
    if (record_has_failed(loop->record)) {
        end_load(loop, "the log cannot be written");
    } else if (observer != NULL && observer->stop != NULL && atomic_load(observer->stop)) {
        end_load(loop, "stopped");
    } else if (config->seconds > 0) {
        if (now_us - loop->timeline.started_us >= config->seconds * SECOND_US) {
            end_load(loop, "time is up");
        }
    } else if (now_us - loop->alive_us >= config->linger_s * SECOND_US) {
        end_load(loop, "lingered");
    }
}

/* Tells the observer, once a second, about the second just ended. */
static void tell_observer(struct loop *loop, int64_t now_us)
{
    const struct probe_observer *observer = loop->observer;
    if (observer == NULL || observer->progress == NULL || now_us - loop->second_us < SECOND_US) {
        return;
    }
    loop->second_us += (now_us - loop->second_us) / SECOND_US * SECOND_US;
    const struct probe_final *totals = &loop->timeline.totals;
    int64_t latencies[PROBE_BUCKET_COUNT];
    for (size_t i = 0; i < PROBE_BUCKET_COUNT; i++) {
        latencies[i] = loop->timeline.latencies[i] - loop->second_latencies[i];
    }
    const struct probe_progress progress = {
        .elapsed_s = (loop->second_us - loop->timeline.started_us) / SECOND_US,
        .intended = totals->intended,
        .ok = totals->ok,
        .raw_failed = totals->raw_failed,
        .failed = totals->failed,
        .wrong = totals->wrong,
        .acked = totals->acked,
        .second_ok = totals->ok - loop->second_ok,
        .latency_p99_us = latency_quantile(latencies, 990),
        .latency_max_us = latency_quantile(latencies, 1000),
        .is_reading_back = !loop->is_loading,
    };
    memcpy(loop->second_latencies, loop->timeline.latencies, sizeof(loop->second_latencies));
    loop->second_ok = totals->ok;
    observer->progress(observer->context, &progress);
}

/* Keeps the number and the age of live keys within bounds: reads the oldest back and removes
 * them, before they can expire. */
static void trim(struct loop *loop, int64_t now_us)
{
    if (loop->readback.phase != READBACK_IDLE) {
        return;
    }
    struct keyspace *keys = &loop->keys;
    const int64_t keys_max = loop->config->keys_max;
    int64_t limit = keyspace_written_before(keys, now_us - keys->ttl_us / 2);
    if (keys->acked.total > keys_max - keys_max / 10) {
        const int64_t kept = keys_max - keys_max / 5;
        const int64_t first_kept = ranges_at(&keys->acked, keys->acked.total - kept);
        limit = first_kept > limit ? first_kept : limit;
    }
    if (keys->acked.count > 0 && keys->acked.items[0].from < limit) {
        readback_start(&loop->readback, keys, limit, GRACE_US);
        return;
    }
    const struct loader *loader = &loop->loader;
    for (size_t i = 0; atomic_load(&loader->is_done) && i < loader->previous.count; i++) {
        struct keyspace *past = &loader->previous.keyspaces[i];
        if (past->acked.total > 0 && keyspace_written_before(past, now_us - past->ttl_us / 2) > 0) {
            readback_start(&loop->readback, past, INT64_MAX, 0);
            return;
        }
    }
}

/* One turn while operations are under way. */
static void turn(struct loop *loop)
{
    const int64_t now_us = clock_now_us();
    access_step(&loop->access, &loop->links, now_us); /* first: a retry takes the new password */
    if (loop->is_loading) {
        ops_step(&loop->ops, now_us);
        trim(loop, now_us);
    } else {
        ops_drain(&loop->ops, now_us);
    }
    readback_step(&loop->readback, now_us);
    ask_map(loop, now_us);
    const int64_t end_us = timeline_block_end_us(&loop->timeline, loop->ended_us);
    timeline_write(&loop->timeline, loop->is_loading ? now_us : min_us(now_us, end_us));
    tell_observer(loop, now_us);
    int64_t wake_us = ops_wake_us(&loop->ops, !loop->is_loading);
    wake_us = min_us(wake_us, readback_wake_us(&loop->readback));
    wake_us = min_us(wake_us, now_us + BLOCK_US);
    note_stall(loop, loop->woken_us, clock_now_us());
    loop->woken_us = clock_now_us(); /* in case that it does not sleep at all */
    loop->wake_us = wake_us > loop->woken_us ? wake_us : loop->woken_us;
    links_wait(&loop->links, wake_us, loop->control_fd);
    loop->wake_us = 0;
    take_messages(loop);
}

static void read_back(struct loop *loop, struct keyspace *keys)
{
    if (keys->acked.total + keys->unsure.total == 0) {
        return;
    }
    readback_start(&loop->readback, keys, INT64_MAX, 0);
    while (loop->readback.phase != READBACK_IDLE && !record_has_failed(loop->record)) {
        const int64_t now_us = clock_now_us();
        access_step(&loop->access, &loop->links, now_us);
        readback_step(&loop->readback, now_us);
        ask_map(loop, now_us);
        tell_observer(loop, now_us);
        links_wait(&loop->links, min_us(readback_wake_us(&loop->readback), now_us + BLOCK_US),
            loop->control_fd);
        take_messages(loop);
    }
}

/* Ends a read-back that was under way, then reads back all that is left. */
static void read_back_all(struct loop *loop)
{
    while (loop->readback.phase != READBACK_IDLE && !record_has_failed(loop->record)) {
        turn(loop);
    }
    read_back(loop, &loop->keys);
    (void)pthread_join(loop->loader.thread, NULL);
    for (size_t i = 0; i < loop->loader.previous.count; i++) {
        read_back(loop, &loop->loader.previous.keyspaces[i]);
    }
}

static void write_final(struct loop *loop, struct probe_final *ret_final)
{
    struct probe_final final = loop->timeline.totals;
    const struct probe_final *totals = &loop->readback.totals;
    final.ended_us = clock_now_us();
    final.ended_wall_ms = clock_wall_us() / 1000;
    final.reason = loop->reason;
    final.acked = totals->acked;
    final.checked = totals->checked;
    final.missing = totals->missing;
    final.different = totals->different;
    final.not_checked = totals->not_checked;
    final.keys_removed = totals->keys_removed;
    final.keys_left = totals->keys_left;
    final.cpu_us = process_cpu_us();
    final.bytes_sent = loop->links.bytes_sent;
    final.bytes_received = loop->links.bytes_received;
    (void)record_append(loop->record, "final", &probe_final_codec, &final);
    *ret_final = final;
}

struct err *loop_run(struct loop *loop, struct probe_final *ret_final)
{
    loop->events = (struct link_events){woken, answered, lost, loop};
    loop->links.events = &loop->events;
    start_loader(loop);
    find_layout(loop);
    start_load(loop);
    while (loop->reason[0] == '\0') {
        turn(loop);
        look_for_end(loop, clock_now_us());
    }
    loop->is_loading = false;
    const int64_t end_us = timeline_block_end_us(&loop->timeline, loop->ended_us);
    while (timeline_next_us(&loop->timeline) <= end_us) {
        turn(loop);
    }
    read_back_all(loop);
    write_final(loop, ret_final);
    struct err *err = loop->loader.err;
    loop->loader.err = NULL;
    return err;
}
