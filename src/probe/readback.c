#include "probe/readback.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
    RETRY_WAIT_US = 100000,
    RETRY_LOOK_US = 10000,
    REDIRECT_COUNT_MAX = 5, /* then two nodes disagree: let them settle */
    KEYS_PER_S_MIN = 5000,  /* slower than this a read-back is given up */
    SYNC_WAIT_US = 5000,
};

void readback_init(struct readback *readback)
{
    random_bytes(&readback->random, sizeof(readback->random));
}

static void forget_keys(struct readback *readback)
{
    for (size_t i = 0; i < readback->figures.missing_key_count; i++) {
        free(readback->missing_keys[i]);
    }
    readback->figures = (struct probe_readback){0};
}

void readback_release(struct readback *readback)
{
    forget_keys(readback);
    ranges_release(&readback->check);
    ranges_release(&readback->remove);
    ranges_release(&readback->todo);
    buf_release(&readback->command);
    buf_release(&readback->key);
    buf_release(&readback->value);
}

void readback_start(
    struct readback *readback, struct keyspace *keys, int64_t limit, int64_t grace_us)
{
    assert(readback->phase == READBACK_IDLE);
    slots_doubt(readback->slots, -1); /* a replica answers as well, and may be behind */
    ranges_release(&readback->check);
    ranges_release(&readback->remove);
    readback->keys = keys;
    ranges_move_below(&keys->acked, limit, &readback->check);
    ranges_move_below(&keys->unsure, limit, &readback->remove);
    ranges_add_all(&readback->remove, &readback->check);
    readback->figures.incarnation = keys->incarnation;
    readback->figures.acked = readback->check.total;
    readback->phase = READBACK_GRACE;
    readback->phase_until_us = clock_now_us() + grace_us;
}

static void begin_phase(
    struct readback *readback, enum readback_phase phase, const struct ranges *todo)
{
    readback->phase = phase;
    ranges_release(&readback->todo);
    ranges_add_all(&readback->todo, todo);
    readback->progress_us = clock_now_us();
    readback->phase_until_us =
        readback->progress_us + readback->no_progress_us + todo->total * 1000000 / KEYS_PER_S_MIN;
}

static void send_item(struct readback *readback, size_t index, int node, bool is_asking)
{
    struct readback_item *item = &readback->items[index];
    item->attempt++;
    item->node = node;
    struct link *link = links_get(readback->links, LANE_BULK, node);
    if (is_asking) {
        buf_clear(&readback->command);
        resp_append(&readback->command, "ASKING", NULL);
        link_send(link, (struct request){.owner = OWNER_NOBODY}, &readback->command);
    }
    key_write_name(&readback->key, readback->keys->incarnation, item->number);
    buf_clear(&readback->command);
    resp_append(&readback->command, readback->phase == READBACK_CHECK ? "GET" : "DEL",
        buf_text(&readback->key), NULL);
    link_send(link, (struct request){OWNER_READBACK, item->attempt, index}, &readback->command);
}

static void route_item(struct readback *readback, size_t index, bool is_elsewhere)
{
    const struct readback_item *item = &readback->items[index];
    key_write_name(&readback->key, readback->keys->incarnation, item->number);
    const struct str key = {readback->key.data, readback->key.size};
    int node = slots_route(readback->slots, key, random_next(&readback->random));
    if (is_elsewhere && node == item->node) {
        node = slots_elsewhere(readback->slots, node, random_next(&readback->random));
    }
    send_item(readback, index, node, /* is_asking= */ false);
}

static void fill_window(struct readback *readback, int64_t now_us)
{
    if (readback->open_count == READBACK_WINDOW && readback->waiting_retry_count == 0) {
        return;
    }
    for (size_t i = 0; i < READBACK_WINDOW; i++) {
        struct readback_item *item = &readback->items[i];
        if (item->is_open && item->retry_us != 0 && item->retry_us <= now_us) {
            item->retry_us = 0;
            readback->waiting_retry_count--;
            route_item(readback, i, /* is_elsewhere= */ true);
        } else if (!item->is_open && ranges_pop(&readback->todo, &item->number)) {
            item->is_open = true;
            item->redirect_count = 0;
            readback->open_count++;
            route_item(readback, i, /* is_elsewhere= */ false);
        }
    }
}

/* One key is done with. */
static void close_item(struct readback *readback, struct readback_item *item)
{
    item->is_open = false;
    item->attempt++;
    readback->open_count--;
    readback->progress_us = clock_now_us();
}

/* Counts what the phase did not get to, and forgets it. Returns how many. */
static int64_t give_up(struct readback *readback)
{
    int64_t count = readback->todo.total;
    for (size_t i = 0; i < READBACK_WINDOW; i++) {
        struct readback_item *item = &readback->items[i];
        count += item->is_open ? 1 : 0;
        item->is_open = false;
        item->retry_us = 0;
        item->attempt++;
    }
    readback->open_count = 0;
    readback->waiting_retry_count = 0;
    ranges_release(&readback->todo);
    return count;
}

static void readback_record(struct readback *readback)
{
    struct probe_readback *figures = &readback->figures;
    figures->wall_ms = clock_wall_us() / 1000;
    const char *keys[READBACK_KEY_COUNT_MAX];
    for (size_t i = 0; i < figures->missing_key_count; i++) {
        keys[i] = readback->missing_keys[i];
    }
    figures->missing_keys = keys;
    figures->lost = readback->lost;
    figures->deleted = readback->remove.items;
    figures->deleted_count = readback->remove.count;
    readback->sync_sequence =
        record_append(readback->record, "readback", &probe_readback_codec, figures);
    readback->totals.acked += figures->acked;
    readback->totals.checked += figures->checked;
    readback->totals.missing += figures->missing;
    readback->totals.different += figures->different;
    readback->totals.not_checked += figures->not_checked;
    forget_keys(readback);
}

static bool is_phase_over(const struct readback *readback, int64_t now_us)
{
    return (readback->open_count == 0 && readback->todo.total == 0) ||
           now_us >= readback->phase_until_us ||
           now_us - readback->progress_us >= readback->no_progress_us;
}

void readback_step(struct readback *readback, int64_t now_us)
{
    switch (readback->phase) {
    case READBACK_IDLE:
        return;
    case READBACK_GRACE:
        if (now_us >= readback->phase_until_us) {
            begin_phase(readback, READBACK_CHECK, &readback->check);
        }
        return;
    case READBACK_CHECK:
        if (is_phase_over(readback, now_us)) {
            readback->figures.not_checked += give_up(readback);
            readback_record(readback);
            readback->phase = READBACK_SYNC;
            return;
        }
        break;
    case READBACK_SYNC:
        readback->phase_until_us = now_us + SYNC_WAIT_US;
        if (record_synced(readback->record) >= readback->sync_sequence) {
            begin_phase(readback, READBACK_REMOVE, &readback->remove);
        }
        return;
    case READBACK_REMOVE:
        if (is_phase_over(readback, now_us)) {
            readback->totals.keys_left += give_up(readback);
            readback->keys->gone += readback->remove.total;
            readback->phase = READBACK_IDLE;
            return;
        }
        break;
    }
    fill_window(readback, now_us);
}

int64_t readback_wake_us(const struct readback *readback)
{
    switch (readback->phase) {
    case READBACK_IDLE:
        return INT64_MAX;
    case READBACK_GRACE:
    case READBACK_SYNC:
        return readback->phase_until_us;
    case READBACK_CHECK:
    case READBACK_REMOVE:
        break;
    }
    /* Answers wake the loop; only retries, giving up and empty phases need a time. */
    return clock_now_us() + (readback->open_count > 0 ? RETRY_LOOK_US : 0);
}

static struct readback_item *find_item(struct readback *readback, struct request request)
{
    struct readback_item *item = &readback->items[request.id];
    return item->is_open && item->attempt == request.attempt ? item : NULL;
}

static void retry_later(struct readback *readback, struct readback_item *item)
{
    item->attempt++;
    item->redirect_count = 0;
    item->retry_us = clock_now_us() + RETRY_WAIT_US;
    readback->waiting_retry_count++;
}

/* Remembers a key that is not as it was acknowledged. */
static void name_bad_key(struct readback *readback, const struct readback_item *item)
{
    struct probe_readback *figures = &readback->figures;
    if (figures->missing_key_count < READBACK_KEY_COUNT_MAX) {
        key_write_name(&readback->key, readback->keys->incarnation, item->number);
        readback->missing_keys[figures->missing_key_count++] = mem_strdup(buf_text(&readback->key));
    }
}

/* When it was lost follows from the numbers: answers come nearly in their order. */
static void note_lost(struct readback *readback, int64_t number)
{
    struct probe_readback *figures = &readback->figures;
    size_t i = 0;
    while (i < figures->lost_count && (number < readback->lost[i].from - READBACK_LOST_NEAR ||
                                          number > readback->lost[i].to + READBACK_LOST_NEAR)) {
        i++;
    }
    if (i == figures->lost_count && i < READBACK_LOST_MAX) {
        readback->lost[figures->lost_count++] = (struct probe_lost){number, number, 1};
        return;
    }
    struct probe_lost *lost = &readback->lost[i < READBACK_LOST_MAX ? i : i - 1];
    lost->from = number < lost->from ? number : lost->from;
    lost->to = number > lost->to ? number : lost->to;
    lost->count++;
}

static void judge(
    struct readback *readback, const struct readback_item *item, const struct resp *value)
{
    struct probe_readback *figures = &readback->figures;
    if (value->type == RESP_NULL &&
        clock_now_us() >= keyspace_expires_us(readback->keys, item->number)) {
        figures->not_checked++;
        return;
    }
    figures->checked++;
    key_write_value(&readback->value, readback->keys->incarnation, item->number);
    const struct str wanted = {readback->value.data, readback->value.size};
    if (value->type == RESP_STRING && str_equal(value->text, wanted)) {
        return;
    }
    figures->missing += value->type == RESP_NULL ? 1 : 0;
    figures->different += value->type == RESP_NULL ? 0 : 1;
    name_bad_key(readback, item);
    note_lost(readback, item->number);
}

static void readback_take_error(
    struct readback *readback, struct request request, const struct resp *value)
{
    struct readback_item *item = &readback->items[request.id];
    bool is_ask;
    const int node = slots_redirect(readback->slots, value->text, item->node, &is_ask);
    if (node >= 0 && item->redirect_count < REDIRECT_COUNT_MAX) {
        item->redirect_count++;
        send_item(readback, request.id, node, is_ask);
    } else if (str_starts_with(value->text, "WRONGTYPE") && readback->phase == READBACK_CHECK) {
        judge(readback, item, value);
        close_item(readback, item);
    } else {
        slots_doubt(readback->slots, item->node);
        retry_later(readback, item);
    }
}

void readback_answered(struct readback *readback, const struct link *UNUSED(link),
    struct request request, const struct resp *value)
{
    struct readback_item *item = find_item(readback, request);
    if (item == NULL) {
        return;
    }
    if (value->type == RESP_ERROR) {
        readback_take_error(readback, request, value);
        return;
    }
    if (readback->phase == READBACK_CHECK) {
        judge(readback, item, value);
    } else {
        readback->totals.keys_removed += value->type == RESP_INTEGER ? value->number : 0;
    }
    close_item(readback, item);
}

void readback_lost(struct readback *readback, const struct link *UNUSED(link),
    struct request request, const struct link_loss *UNUSED(loss))
{
    struct readback_item *item = find_item(readback, request);
    if (item != NULL) {
        retry_later(readback, item);
    }
}
