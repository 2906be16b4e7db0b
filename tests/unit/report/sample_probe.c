/* tests/unit/report/sample_probe.c - the probe's half of the sample run. */
#include "sample_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/sha256.h"
#include "model/probe_log.h"

enum { RATE = 2000, PER_BLOCK = RATE / 10, BEGIN_MS = 1500 };

struct log {
    struct sample *sample;
    const struct sample_times *times;
    struct buf text;
    char head[SHA256_HEX_SIZE];
    struct random random;
    const char *incarnation;
    int64_t from_ms, to_ms; /* since the begin of the run */
    struct probe_final sum;
    int64_t writes_count;
    int dip; /* next switchover to be felt */
};

static void add_line(struct log *log, const char *kind, struct json *line)
{
    js_put_text(line, "kind", kind);
    AUTO_FREE char *text = js_write(line);
    struct sha256 *sha = sha256_new();
    sha256_add(sha, log->head, SHA256_HEX_SIZE - 1);
    sha256_add(sha, text, strlen(text));
    sha256_finish(sha, log->head);
    js_put_text(line, "hash", log->head);
    AUTO_FREE char *whole = js_write(line);
    buf_printf(&log->text, "%s\n", whole);
    js_free(line);
}

static void add_record(
    struct log *log, const char *kind, const struct codec *codec, const void *record)
{
    add_line(log, kind, codec_write(codec, record));
}

/* Most operations take 150 to 300 us, one of 100 about a millisecond. */
static int64_t draw_latency(struct random *random)
{
    const int64_t us = 140 + (int64_t)random_below(random, 90) + (int64_t)random_below(random, 90);
    if (random_below(random, 1000) < 6) {
        return us * 40;
    }
    return random_below(random, 100) < 2 ? us * 5 : us;
}

static void add_error(struct log *log, int64_t at_ms, bool is_retry)
{
    const struct probe_error error = {
        .us = (SAMPLE_BOOT_MS + at_ms) * 1000,
        .wall_ms = sample_begin_wall_ms + at_ms,
        .node = "127.0.0.1:7001",
        .operation = "SET",
        .text = is_retry ? "CLUSTERDOWN The cluster is down" : "Connection reset by peer",
        .is_fresh = is_retry,
        .is_retry = is_retry,
    };
    add_record(log, "error", &probe_error_codec, &error);
}

/* A switchover in this block: some wait for it, some may fail. */
static void feel_switchovers(struct log *log, struct probe_block *block, int64_t at_ms)
{
    const struct sample_wish *wish = log->sample->wish;
    while (log->dip < log->times->switchover_count &&
           log->times->switchovers_ms[log->dip] < at_ms + PROBE_BLOCK_MS) {
        block->latency_max_us = 42000 + 9500 * (log->dip % 3);
        block->raw_failed += log->dip == 0 ? wish->raw_failed : 0;
        block->failed += log->dip == 1 ? wish->failed : 0;
        for (int i = 0; log->dip == 0 && i < wish->raw_failed; i++) {
            add_error(log, at_ms, /* is_retry= */ false);
        }
        for (int i = 0; log->dip == 1 && i < wish->failed; i++) {
            add_error(log, at_ms, /* is_retry= */ true);
        }
        log->dip++;
    }
    if (block->failed > 0) {
        block->raw_failed += block->failed;
        block->latency_max_us = 1004000;
        block->stalled_us = wish->is_stalled_then ? 900000 : 0;
    }
}

static void add_block(struct log *log, int64_t index)
{
    static int64_t counts[PROBE_BUCKET_COUNT];
    memset(counts, 0, sizeof(counts));
    const int64_t at_ms = log->from_ms + index * PROBE_BLOCK_MS;
    const bool can_write = !log->sample->wish->is_read_only;
    struct probe_block block = {
        .index = index,
        .wall_ms = sample_begin_wall_ms + at_ms,
        .intended = PER_BLOCK,
        .writes = can_write ? PER_BLOCK / 2 : 0,
        .fresh = PER_BLOCK / 20,
        .cpu_us = 4100,
    };
    block.reads = PER_BLOCK - block.writes;
    feel_switchovers(log, &block, at_ms);
    if (log->sample->wish->is_stalled && index >= 60 && index < 65) {
        block.stalled_us = 90000;
        block.latency_max_us = 95000;
    }
    for (int64_t i = block.failed; i < PER_BLOCK; i++) {
        const int64_t us = draw_latency(&log->random);
        counts[probe_bucket_of(us)]++;
        block.latency_max_us = us > block.latency_max_us ? us : block.latency_max_us;
    }
    block.ok = PER_BLOCK - block.failed;
    struct probe_bucket buckets[PROBE_BUCKET_COUNT];
    block.latencies = buckets;
    for (int64_t i = 0; i < PROBE_BUCKET_COUNT; i++) {
        if (counts[i] > 0) {
            buckets[block.latency_count++] = (struct probe_bucket){i, counts[i]};
        }
    }
    struct probe_range acked = {log->writes_count, log->writes_count + block.writes - 1};
    if (block.writes > 0) {
        acked.to -= block.failed;
        block.acked = &acked;
        block.acked_count = 1;
    }
    add_record(log, "block", &probe_block_codec, &block);
    log->writes_count = block.writes > 0 ? acked.to + 1 : 0;
    log->sum.intended += block.intended;
    log->sum.ok += block.ok;
    log->sum.raw_failed += block.raw_failed;
    log->sum.failed += block.failed;
    log->sum.block_count++;
}

static void add_readback(struct log *log, const char *incarnation, int64_t acked, int lost)
{
    static const char *keys[] = {"upshift:p:a1b2c3:17"};
    const int apart = log->sample->wish->lost_apart;
    /* Of its last second before the failover, and of the first writes of all. */
    const int64_t last = (log->times->failover_ms - log->from_ms) / PROBE_BLOCK_MS * PER_BLOCK / 2;
    struct probe_lost all[] = {
        {.from = last - 300, .to = last - 1, .count = apart}, {.from = 5, .to = 40, .count = lost}};
    const struct probe_readback readback = {
        .wall_ms = sample_begin_wall_ms + log->to_ms,
        .incarnation = incarnation,
        .acked = acked,
        .checked = acked,
        .missing = lost + apart,
        .missing_keys = keys,
        .missing_key_count = lost > 0 ? 1 : 0,
        .lost = apart > 0 ? all : all + 1,
        .lost_count = (apart > 0 ? 1U : 0U) + (lost > 0 ? 1U : 0U),
    };
    add_record(log, "readback", &probe_readback_codec, &readback);
    log->sum.acked += acked;
    log->sum.checked += acked;
    log->sum.missing += lost + apart;
}

static void begin(struct log *log)
{
    memset(log->head, '0', SHA256_HEX_SIZE - 1);
    log->random.state = (uint64_t)log->from_ms;
    const struct probe_start start = {
        .run = log->sample->run,
        .cluster = "orders-cache",
        .incarnation = log->incarnation,
        .mode = log->sample->wish->is_read_only ? "read-only" : "write",
        .boot_id = "boot-a",
        .pid = 4712,
        .rate = RATE,
        .ttl_s = 3600,
        .keys_max = 1000000,
        .started_us = (SAMPLE_BOOT_MS + log->from_ms) * 1000,
        .started_wall_ms = sample_begin_wall_ms + log->from_ms,
    };
    add_record(log, "start", &probe_start_codec, &start);
    while (log->dip < log->times->switchover_count &&
           log->times->switchovers_ms[log->dip] < log->from_ms) {
        log->dip++;
    }
    for (int64_t i = 0; log->from_ms + (i + 1) * PROBE_BLOCK_MS <= log->to_ms; i++) {
        add_block(log, i);
    }
}

static void end(struct log *log, bool is_final)
{
    if (is_final) {
        log->sum.reason = "stopped";
        log->sum.ended_us = (SAMPLE_BOOT_MS + log->to_ms) * 1000;
        log->sum.bytes_sent = 12340000;
        log->sum.bytes_received = 987000;
        log->sum.ended_wall_ms = sample_begin_wall_ms + log->to_ms;
        add_record(log, "final", &probe_final_codec, &log->sum);
    }
    AUTO_FREE char *path = mem_format("%s/%s.log", log->sample->probe_directory, log->incarnation);
    sample_must(fs_write(path, log->text.data, log->text.size, 0600));
    buf_release(&log->text);
}

static void write_stock(const struct sample *sample)
{
    static const char counts[] = "{\"client\":\"redis-py 4.3.4 RedisCluster\",\"operations\":24180,"
                                 "\"errors\":{\"ConnectionError\":1,\"ClusterDownError\":0},"
                                 "\"longest_ms\":74,\"acknowledged\":12090,\"lost\":0}";
    AUTO_FREE char *path = mem_format("%s/stock.json", sample->probe_directory);
    sample_must(fs_write(path, counts, sizeof(counts) - 1, 0600));
}

void sample_write_logs(struct sample *sample, const struct sample_times *times)
{
    const struct sample_wish *wish = sample->wish;
    struct log first = {.sample = sample,
        .times = times,
        .incarnation = "a1b2c3",
        .from_ms = BEGIN_MS,
        .to_ms = wish->is_probe_killed ? times->soak_ms + 2000 : times->end_ms};
    begin(&first);
    if (!wish->is_probe_killed) {
        if (!wish->is_read_only && !wish->has_no_final) {
            add_readback(&first, first.incarnation, first.writes_count, wish->lost);
        }
        end(&first, !wish->has_no_final);
    } else {
        struct log second = {.sample = sample,
            .times = times,
            .incarnation = "d4e5f6",
            .from_ms = first.to_ms + 1400,
            .to_ms = times->end_ms};
        const int64_t earlier = first.writes_count;
        end(&first, /* is_final= */ false);
        begin(&second);
        add_readback(&second, first.incarnation, earlier, wish->lost);
        add_readback(&second, second.incarnation, second.writes_count, 0);
        end(&second, /* is_final= */ true);
    }
    if (wish->has_stock) {
        write_stock(sample);
    }
}
