#include "model/probe_log.h"

static const struct codec_field start_fields[] = {
    CODEC_TEXT(struct probe_start, run),
    CODEC_TEXT(struct probe_start, cluster),
    CODEC_TEXT(struct probe_start, incarnation),
    CODEC_TEXT(struct probe_start, mode),
    CODEC_TEXT(struct probe_start, boot_id),
    CODEC_INT(struct probe_start, pid),
    CODEC_INT(struct probe_start, rate),
    CODEC_INT(struct probe_start, ttl_s),
    CODEC_INT(struct probe_start, keys_max),
    CODEC_INT(struct probe_start, started_us),
    CODEC_INT(struct probe_start, started_wall_ms),
    CODEC_END,
};
const struct codec probe_start_codec = {sizeof(struct probe_start), start_fields};

static const struct codec_field bucket_fields[] = {
    CODEC_INT(struct probe_bucket, bucket),
    CODEC_INT(struct probe_bucket, count),
    CODEC_END,
};
static const struct codec bucket_codec = {sizeof(struct probe_bucket), bucket_fields};

static const struct codec_field range_fields[] = {
    CODEC_INT(struct probe_range, from),
    CODEC_INT(struct probe_range, to),
    CODEC_END,
};
static const struct codec range_codec = {sizeof(struct probe_range), range_fields};

static const struct codec_field block_fields[] = {
    CODEC_INT(struct probe_block, index),
    CODEC_INT(struct probe_block, wall_ms),
    CODEC_INT(struct probe_block, intended),
    CODEC_INT(struct probe_block, reads),
    CODEC_INT(struct probe_block, writes),
    CODEC_INT(struct probe_block, ok),
    CODEC_INT(struct probe_block, raw_failed),
    CODEC_INT(struct probe_block, failed),
    CODEC_INT(struct probe_block, fresh),
    CODEC_INT(struct probe_block, redirected),
    CODEC_INT(struct probe_block, wrong),
    CODEC_INT(struct probe_block, latency_max_us),
    CODEC_INT(struct probe_block, stalled_us),
    CODEC_INT(struct probe_block, cpu_us),
    CODEC_LIST(struct probe_block, latencies, latency_count, &bucket_codec),
    CODEC_LIST(struct probe_block, acked, acked_count, &range_codec),
    CODEC_END,
};
const struct codec probe_block_codec = {sizeof(struct probe_block), block_fields};

static const struct codec_field error_fields[] = {
    CODEC_INT(struct probe_error, us),
    CODEC_INT(struct probe_error, wall_ms),
    CODEC_TEXT(struct probe_error, node),
    CODEC_TEXT(struct probe_error, operation),
    CODEC_TEXT(struct probe_error, text),
    CODEC_BOOL(struct probe_error, is_fresh),
    CODEC_BOOL(struct probe_error, is_retry),
    CODEC_END,
};
const struct codec probe_error_codec = {sizeof(struct probe_error), error_fields};

static const struct codec_field mark_fields[] = {
    CODEC_INT(struct probe_mark, us),
    CODEC_INT(struct probe_mark, wall_ms),
    CODEC_TEXT(struct probe_mark, step),
    CODEC_TEXT(struct probe_mark, boundary),
    CODEC_END,
};
const struct codec probe_mark_codec = {sizeof(struct probe_mark), mark_fields};

static const struct codec_field lost_fields[] = {
    CODEC_INT(struct probe_lost, from),
    CODEC_INT(struct probe_lost, to),
    CODEC_INT(struct probe_lost, count),
    CODEC_END,
};
static const struct codec lost_codec = {sizeof(struct probe_lost), lost_fields};

static const struct codec_field readback_fields[] = {
    CODEC_INT(struct probe_readback, wall_ms),
    CODEC_TEXT(struct probe_readback, incarnation),
    CODEC_INT(struct probe_readback, acked),
    CODEC_INT(struct probe_readback, checked),
    CODEC_INT(struct probe_readback, missing),
    CODEC_INT(struct probe_readback, different),
    CODEC_INT(struct probe_readback, not_checked),
    CODEC_TEXTS(struct probe_readback, missing_keys, missing_key_count),
    CODEC_LIST(struct probe_readback, lost, lost_count, &lost_codec),
    CODEC_LIST(struct probe_readback, deleted, deleted_count, &range_codec),
    CODEC_END,
};
const struct codec probe_readback_codec = {sizeof(struct probe_readback), readback_fields};

static const struct codec_field final_fields[] = {
    CODEC_INT(struct probe_final, ended_us),
    CODEC_INT(struct probe_final, ended_wall_ms),
    CODEC_TEXT(struct probe_final, reason),
    CODEC_INT(struct probe_final, block_count),
    CODEC_INT(struct probe_final, intended),
    CODEC_INT(struct probe_final, ok),
    CODEC_INT(struct probe_final, raw_failed),
    CODEC_INT(struct probe_final, failed),
    CODEC_INT(struct probe_final, wrong),
    CODEC_INT(struct probe_final, acked),
    CODEC_INT(struct probe_final, checked),
    CODEC_INT(struct probe_final, missing),
    CODEC_INT(struct probe_final, different),
    CODEC_INT(struct probe_final, not_checked),
    CODEC_INT(struct probe_final, keys_removed),
    CODEC_INT(struct probe_final, keys_left),
    CODEC_INT(struct probe_final, latency_max_us),
    CODEC_INT(struct probe_final, cpu_us),
    CODEC_INT(struct probe_final, bytes_sent),
    CODEC_INT(struct probe_final, bytes_received),
    CODEC_END,
};
const struct codec probe_final_codec = {sizeof(struct probe_final), final_fields};

/*
 * The buckets: 0 to 31 us exactly; above, a value is cut to its five leading bits, of which the
 * four after the first choose one of 16 buckets of its power of two. The last holds all above.
 */
enum { BUCKET_BITS = 4, BUCKETS_PER_POWER = 1 << BUCKET_BITS };

int64_t probe_bucket_low(size_t bucket)
{
    if (bucket < BUCKETS_PER_POWER) {
        return (int64_t)bucket;
    }
    const size_t limited = bucket < PROBE_BUCKET_COUNT ? bucket : PROBE_BUCKET_COUNT;
    const size_t shift = limited / BUCKETS_PER_POWER - 1;
    return (int64_t)(BUCKETS_PER_POWER + limited % BUCKETS_PER_POWER) << shift;
}

size_t probe_bucket_of(int64_t latency_us)
{
    if (latency_us < BUCKETS_PER_POWER) {
        return latency_us < 0 ? 0 : (size_t)latency_us;
    }
    if (latency_us >= probe_bucket_low(PROBE_BUCKET_COUNT)) {
        return PROBE_BUCKET_COUNT - 1;
    }
    const unsigned top_bit = 63U - (unsigned)__builtin_clzll((unsigned long long)latency_us);
    const unsigned shift = top_bit - BUCKET_BITS;
    return (size_t)shift * BUCKETS_PER_POWER + (size_t)(latency_us >> shift);
}
