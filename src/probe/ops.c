#include "probe/ops.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
    RETRY_US = PROBE_RETRY_MS * 1000,
    FAILED_AFTER_US = PROBE_FAILED_AFTER_MS * 1000,
    BEGIN_LATE_US_MAX = 500000, /* later than this is no open loop any more */
    REDIRECT_COUNT_MAX = 5,     /* as common clients do */
    FRESH_ONE_IN = 20,          /* 5 % of the operations ... */
    FRESH_PER_S_MAX = 100,      /* ... but ports in TIME_WAIT are limited: 28,000 for 60 s */
    ERROR_RECORD_COUNT_MAX = 1000,
    CAPACITY_MIN = 1024,
};

struct op {
    int64_t due_us;
    int64_t stalled_us; /* the probe's own pauses before it was due */
    int64_t number;     /* of its key; negative: one that does not exist */
    int64_t retry_us;   /* 0: no retry is due */
    struct link *fresh; /* its own link while it has one */
    uint32_t attempt;
    int node; /* asked last */
    uint8_t redirect_count;
    bool is_write;
    bool is_on_fresh; /* uses a link of its own */
    bool is_raw_failed;
    bool is_decided;
};

static struct op *find_op(const struct ops *ops, uint64_t id)
{
    return &ops->ring[id & (ops->capacity - 1)];
}

void ops_start(struct ops *ops, int64_t start_us, int64_t rate)
{
    ops->base_us = start_us;
    ops->base_id = 0;
    ops->rate = rate;
    ops->capacity = CAPACITY_MIN;
    ops->ring = mem_alloc_array(ops->capacity, sizeof(*ops->ring));
    ops->retries = mem_alloc_array(ops->capacity, sizeof(*ops->retries));
    random_bytes(&ops->random, sizeof(ops->random));
}

void ops_release(struct ops *ops)
{
    free(ops->ring);
    free(ops->retries);
    buf_release(&ops->command);
    buf_release(&ops->key);
    buf_release(&ops->value);
}

static void ops_grow(struct ops *ops)
{
    const size_t capacity = ops->capacity * 2;
    struct op *ring = mem_alloc_array(capacity, sizeof(*ring));
    for (uint64_t id = ops->first_id; id < ops->next_id; id++) {
        ring[id & (capacity - 1)] = *find_op(ops, id);
    }
    uint64_t *retries = mem_alloc_array(capacity, sizeof(*retries));
    for (size_t i = 0; i < ops->retry_count; i++) {
        retries[i] = ops->retries[(ops->retry_first + i) & (ops->capacity - 1)];
    }
    free(ops->ring);
    free(ops->retries);
    ops->ring = ring;
    ops->retries = retries;
    ops->retry_first = 0;
    ops->capacity = capacity;
}

int64_t ops_due_us(const struct ops *ops)
{
    return ops->base_us + ((int64_t)ops->next_id - ops->base_id) * 1000000 / ops->rate;
}

void ops_set_rate(struct ops *ops, int64_t rate)
{
    ops->base_us = ops_due_us(ops);
    ops->base_id = (int64_t)ops->next_id;
    ops->rate = rate;
}

static struct timeline_block *block_of(const struct ops *ops, const struct op *op)
{
    return timeline_at(ops->timeline, op->due_us);
}

void ops_note_stall(struct ops *ops, int64_t from_us, int64_t to_us)
{
    ops->stall_us = to_us - from_us;
    ops->stall_end_us = to_us;
    ops->stalled_us += ops->stall_us;
}

/* The pauses before a time not long ago: the last one may have been under way then. */
static int64_t stalled_before(const struct ops *ops, int64_t us)
{
    const int64_t after_us = ops->stall_end_us - us;
    return ops->stalled_us - (after_us < 0                  ? 0
                                 : after_us < ops->stall_us ? after_us
                                                            : ops->stall_us);
}

/* Ends an operation that failed for good. */
static void decide_failed(struct ops *ops, struct op *op)
{
    struct timeline_block *block = block_of(ops, op);
    op->is_decided = true;
    block->undecided--;
    block->sums.failed++;
    if (op->is_write) {
        ranges_add(&ops->keys->unsure, op->number, op->number);
    }
    if (op->fresh != NULL) {
        links_abandon(op->fresh);
        op->fresh = NULL;
    }
}

static void decide_ok(struct ops *ops, struct op *op, int64_t now_us, bool is_wrong)
{
    struct timeline_block *block = block_of(ops, op);
    op->is_decided = true;
    block->undecided--;
    block->sums.ok++;
    block->sums.wrong += is_wrong ? 1 : 0;
    const int64_t latency_us = now_us - op->due_us - (ops->stalled_us - op->stalled_us);
    timeline_count_latency(block, latency_us > 0 ? latency_us : 0);
    if (op->is_write) {
        ranges_add(&block->acked, op->number, op->number);
        ranges_add(&ops->keys->acked, op->number, op->number);
    }
}

static void write_error(
    struct ops *ops, const struct op *op, const char *operation, const char *text)
{
    if (ops->error_count++ >= ERROR_RECORD_COUNT_MAX) {
        return;
    }
    const struct probe_error error = {
        .us = clock_now_us(),
        .wall_ms = clock_wall_us() / 1000,
        .node = ops->slots->nodes[op->node].where,
        .operation = operation,
        .text = text,
        .is_fresh = op->is_on_fresh,
        .is_retry = op->is_raw_failed,
    };
    (void)record_append(ops->timeline->record, "error", &probe_error_codec, &error);
}

static const char *op_name(const struct op *op)
{
    return op->is_write ? "SET" : "GET";
}

/* One attempt failed: the first time it is retried, the second time it was the last. */
static void fail_attempt(struct ops *ops, uint64_t id, const char *operation, const char *text)
{
    struct op *op = find_op(ops, id);
    write_error(ops, op, operation, text);
    op->fresh = NULL;
    op->attempt++; /* whatever still comes for this attempt is too late */
    if (op->is_raw_failed) {
        decide_failed(ops, op);
        return;
    }
    op->is_raw_failed = true;
    op->is_on_fresh = true;
    op->retry_us = clock_now_us() + RETRY_US;
    block_of(ops, op)->sums.raw_failed++;
    ops->retries[(ops->retry_first + ops->retry_count) & (ops->capacity - 1)] = id;
    ops->retry_count++;
}

static void write_command(struct ops *ops, const struct op *op)
{
    const char *incarnation = ops->keys->incarnation;
    key_write_name(&ops->key, incarnation, op->number);
    buf_clear(&ops->command);
    if (op->is_write) {
        key_write_value(&ops->value, incarnation, op->number);
        resp_append(&ops->command, "SET", buf_text(&ops->key), buf_text(&ops->value), NULL);
    } else {
        resp_append(&ops->command, "GET", buf_text(&ops->key), NULL);
    }
}

static void send_command(struct ops *ops, struct link *link, struct request request, bool is_asking)
{
    if (is_asking) {
        AUTO_BUF asking = {0};
        resp_append(&asking, "ASKING", NULL);
        link_send(link, (struct request){.owner = OWNER_NOBODY}, &asking);
    }
    link_send(link, request, &ops->command);
}

/* The time to live follows the SET in the same packet, as a command of its own: since 7.0 one
 * inside the SET is replicated as PXAT, which a 6.0 replica drops without a word, and then the
 * probe itself would close the way back. */
static void send_ttl(struct ops *ops, struct link *link, bool is_asking)
{
    char ttl[24];
    (void)snprintf(ttl, sizeof(ttl), "%" PRId64, ops->keys->ttl_us / 1000000);
    buf_clear(&ops->command);
    resp_append(&ops->command, "EXPIRE", buf_text(&ops->key), ttl, NULL);
    send_command(ops, link, (struct request){.owner = OWNER_NOBODY}, is_asking);
}

/* Sends the operation to `node`; `is_asking` as an ASK redirection wants it. */
static void send_attempt(struct ops *ops, uint64_t id, int node, bool is_asking)
{
    struct op *op = find_op(ops, id);
    op->attempt++;
    op->node = node;
    struct link *link;
    if (op->is_on_fresh) {
        link = links_open_fresh(ops->links, node);
        op->fresh = link;
    } else {
        link = links_get(ops->links, LANE_OPERATIONS, node);
    }
    write_command(ops, op);
    send_command(ops, link, (struct request){OWNER_OPERATION, op->attempt, id}, is_asking);
    if (op->is_write) {
        send_ttl(ops, link, is_asking);
    }
}

static int route(struct ops *ops, const struct op *op)
{
    key_write_name(&ops->key, ops->keys->incarnation, op->number);
    const struct str key = {ops->key.data, ops->key.size};
    return slots_route(ops->slots, key, random_next(&ops->random));
}

/* What operation `id` does: every second one writes, unless that would be one key too many. */
static void choose_work(struct ops *ops, uint64_t id, struct op *op)
{
    struct keyspace *keys = ops->keys;
    op->is_write = !ops->is_read_only && id % 2 == 0 && keys->next - keys->gone < ops->keys_max;
    if (op->is_write) {
        keyspace_note_time(keys, op->due_us);
        op->number = keys->next++;
    } else if (keys->acked.total > 0) {
        const uint64_t rank = random_below(&ops->random, (uint64_t)keys->acked.total);
        op->number = ranges_at(&keys->acked, (int64_t)rank);
    } else {
        op->number = -1 - (int64_t)random_below(&ops->random, INT64_MAX);
    }
    const uint64_t one_in = (uint64_t)ops->rate / FRESH_PER_S_MAX;
    op->is_on_fresh =
        random_below(&ops->random, one_in > FRESH_ONE_IN ? one_in : FRESH_ONE_IN) == 0;
}

static void begin_op(struct ops *ops, int64_t due_us)
{
    if (ops->next_id - ops->first_id == ops->capacity) {
        ops_grow(ops);
    }
    const uint64_t id = ops->next_id++;
    struct op *op = find_op(ops, id);
    *op = (struct op){.due_us = due_us, .stalled_us = stalled_before(ops, due_us)};
    choose_work(ops, id, op);
    struct timeline_block *block = block_of(ops, op);
    block->undecided++;
    block->sums.intended++;
    block->sums.writes += op->is_write ? 1 : 0;
    block->sums.reads += op->is_write ? 0 : 1;
    block->sums.fresh += op->is_on_fresh ? 1 : 0;
    send_attempt(ops, id, route(ops, op), /* is_asking= */ false);
}

static int64_t retry_wake_us(const struct ops *ops)
{
    return ops->retry_count == 0 ? INT64_MAX
                                 : find_op(ops, ops->retries[ops->retry_first])->retry_us;
}

static void retry_due(struct ops *ops, int64_t now_us)
{
    while (retry_wake_us(ops) <= now_us) {
        const uint64_t id = ops->retries[ops->retry_first];
        ops->retry_first = (ops->retry_first + 1) & (ops->capacity - 1);
        ops->retry_count--;
        struct op *op = find_op(ops, id);
        op->retry_us = 0;
        if (op->is_decided) {
            continue;
        }
        /* The owner may be gone: then another node knows who took over. */
        const int owner = route(ops, op);
        const int node = owner == op->node && ops->slots->is_stale
                             ? slots_elsewhere(ops->slots, owner, random_next(&ops->random))
                             : owner;
        send_attempt(ops, id, node, /* is_asking= */ false);
    }
}

/* When an undecided operation has no time left. */
static int64_t expiry_us(const struct ops *ops, const struct op *op)
{
    return op->due_us + FAILED_AFTER_US + ops->stalled_us - op->stalled_us;
}

static void expire_due(struct ops *ops, int64_t now_us)
{
    for (; ops->first_id < ops->next_id; ops->first_id++) {
        struct op *op = find_op(ops, ops->first_id);
        const bool is_waiting_for_retry = op->is_decided && op->retry_us != 0;
        if (is_waiting_for_retry || (!op->is_decided && expiry_us(ops, op) > now_us)) {
            return;
        }
        if (op->is_decided) {
            continue;
        }
        write_error(ops, op, op_name(op), "no answer within 1 s");
        slots_distrust(ops->slots, op->node, random_next(&ops->random));
        block_of(ops, op)->sums.raw_failed += op->is_raw_failed ? 0 : 1;
        op->attempt++;
        decide_failed(ops, op);
        if (op->retry_us != 0) {
            return;
        }
    }
}

void ops_drain(struct ops *ops, int64_t now_us)
{
    expire_due(ops, now_us);
    retry_due(ops, now_us);
}

void ops_step(struct ops *ops, int64_t now_us)
{
    ops_drain(ops, now_us);
    for (int64_t due_us = ops_due_us(ops); due_us <= now_us; due_us = ops_due_us(ops)) {
        if (now_us - due_us > BEGIN_LATE_US_MAX) {
            const int64_t late_us = now_us - due_us - BEGIN_LATE_US_MAX;
            ops->base_us += late_us; /* the pause is cut out of the pace */
            continue;
        }
        begin_op(ops, due_us);
    }
}

int64_t ops_wake_us(const struct ops *ops, bool is_draining)
{
    int64_t wake_us = is_draining ? INT64_MAX : ops_due_us(ops);
    const int64_t retry_us = retry_wake_us(ops);
    wake_us = retry_us < wake_us ? retry_us : wake_us;
    if (ops->first_id < ops->next_id) {
        const struct op *oldest = find_op(ops, ops->first_id);
        const int64_t end_us = oldest->is_decided ? INT64_MAX : expiry_us(ops, oldest);
        wake_us = end_us < wake_us ? end_us : wake_us;
    }
    return wake_us;
}

bool ops_are_decided(const struct ops *ops)
{
    for (uint64_t id = ops->first_id; id < ops->next_id; id++) {
        if (!find_op(ops, id)->is_decided) {
            return false;
        }
    }
    return true;
}

/* The operation that still waits for this request, or NULL. */
static struct op *find_waiting(const struct ops *ops, struct request request)
{
    if (request.id < ops->first_id) {
        return NULL;
    }
    struct op *op = find_op(ops, request.id);
    return op->is_decided || op->attempt != request.attempt ? NULL : op;
}

static bool is_value_right(struct ops *ops, const struct op *op, const struct resp *value)
{
    if (op->number < 0) {
        return value->type == RESP_NULL;
    }
    key_write_value(&ops->value, ops->keys->incarnation, op->number);
    const struct str wanted = {ops->value.data, ops->value.size};
    return value->type == RESP_STRING && str_equal(value->text, wanted);
}

static void ops_take_error(struct ops *ops, struct request request, const struct resp *value)
{
    struct op *op = find_op(ops, request.id);
    bool is_ask;
    const int node = slots_redirect(ops->slots, value->text, op->node, &is_ask);
    if (node >= 0 && op->redirect_count < REDIRECT_COUNT_MAX) {
        block_of(ops, op)->sums.redirected += op->redirect_count++ == 0 ? 1 : 0;
        send_attempt(ops, request.id, node, is_ask);
        return;
    }
    slots_doubt(ops->slots, op->node);
    AUTO_FREE char *text = mem_format(STR_FMT, STR_ARG(value->text));
    fail_attempt(ops, request.id, op_name(op), text);
}

void ops_answered(struct ops *ops, const struct link *UNUSED(link), struct request request,
    const struct resp *value)
{
    struct op *op = find_waiting(ops, request);
    if (op == NULL) {
        return;
    }
    op->fresh = NULL; /* a fresh link closes itself after its answer */
    if (value->type == RESP_ERROR) {
        ops_take_error(ops, request, value);
        return;
    }
    const int64_t now_us = clock_now_us();
    if (now_us >= expiry_us(ops, op)) {
        return; /* too late: the next step ends it */
    }
    const bool is_expected = op->is_write ? value->type == RESP_STRING && str_is(value->text, "OK")
                                          : value->type == RESP_STRING || value->type == RESP_NULL;
    if (!is_expected) {
        fail_attempt(ops, request.id, op_name(op), "an answer of an unexpected type");
        return;
    }
    decide_ok(ops, op, now_us, !op->is_write && !is_value_right(ops, op, value));
}

void ops_lost(struct ops *ops, const struct link *UNUSED(link), struct request request,
    const struct link_loss *loss)
{
    const struct op *op = find_waiting(ops, request);
    if (op != NULL) {
        fail_attempt(ops, request.id, loss->was_connecting ? "connect" : op_name(op), loss->reason);
    }
}
