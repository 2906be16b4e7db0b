/* The probe's record: its latency buckets and its JSON. */
#include "model/probe_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

static void buckets_join_without_gap(void **UNUSED(state))
{
    assert_int_equal(probe_bucket_low(0), 0);
    for (size_t i = 0; i < PROBE_BUCKET_COUNT; i++) {
        const int64_t low = probe_bucket_low(i);
        const int64_t next = probe_bucket_low(i + 1);
        assert_true(next > low);
        assert_int_equal(probe_bucket_of(low), i);
        assert_int_equal(probe_bucket_of(next - 1), i);
        assert_true(i < 16 || (next - low) * 16 <= low); /* known to 6 % */
    }
}

static void values_outside_go_to_the_first_and_last_bucket(void **UNUSED(state))
{
    assert_int_equal(probe_bucket_of(-5), 0);
    assert_int_equal(probe_bucket_of(probe_bucket_low(PROBE_BUCKET_COUNT)), PROBE_BUCKET_COUNT - 1);
    assert_int_equal(probe_bucket_of(INT64_MAX), PROBE_BUCKET_COUNT - 1);
    assert_true(probe_bucket_low(PROBE_BUCKET_COUNT) >= 2147483648); /* half an hour and more */
}

static void known_values_have_known_buckets(void **UNUSED(state))
{
    assert_int_equal(probe_bucket_of(31), 31);
    assert_int_equal(probe_bucket_of(32), 32);
    assert_int_equal(probe_bucket_of(33), 32);
    assert_int_equal(probe_bucket_of(1000), 111);
    assert_int_equal(probe_bucket_low(111), 992);
}

static void assert_round_trip(const struct codec *codec, const void *object)
{
    AUTO_ARENA arena = {0};
    AUTO_JSON first = codec_write(codec, object);
    AUTO_FREE char *first_text = js_write(first);
    void *again = arena_alloc(&arena, codec->size);
    AUTO_ERR err = codec_read(codec, first, &arena, "test", again);
    assert_null(err);
    AUTO_JSON second = codec_write(codec, again);
    AUTO_FREE char *second_text = js_write(second);
    assert_string_equal(first_text, second_text);
}

static void every_kind_of_line_round_trips(void **UNUSED(state))
{
    struct probe_bucket latencies[] = {{.bucket = 111, .count = 7}};
    struct probe_range acked[] = {{.from = 1, .to = 9}, {.from = 12, .to = 12}};
    const char *keys[] = {"upshift:p:ab:1", "upshift:p:ab:2"};
    const struct probe_start start = {.run = "none", .mode = "write", .rate = 2000};
    const struct probe_block block = {.index = 3,
        .intended = 200,
        .latencies = latencies,
        .latency_count = 1,
        .acked = acked,
        .acked_count = 2};
    const struct probe_error error = {.us = 5, .node = "127.0.0.1:7001", .is_retry = true};
    const struct probe_mark mark = {.step = "run", .boundary = "done"};
    struct probe_lost lost[] = {{.from = 1, .to = 5, .count = 2}};
    const struct probe_readback readback = {
        .acked = 9, .missing_keys = keys, .missing_key_count = 2, .lost = lost, .lost_count = 1};
    const struct probe_final final = {.reason = "stopped", .bytes_received = 1};

    assert_round_trip(&probe_start_codec, &start);
    assert_round_trip(&probe_block_codec, &block);
    assert_round_trip(&probe_error_codec, &error);
    assert_round_trip(&probe_mark_codec, &mark);
    assert_round_trip(&probe_readback_codec, &readback);
    assert_round_trip(&probe_final_codec, &final);
}

static void no_member_is_forgotten(void **UNUSED(state))
{
    /* Their members are 8 bytes each, and a list is a pointer and a count. */
    static const struct codec *const codecs[] = {&probe_start_codec, &probe_block_codec,
        &probe_mark_codec, &probe_readback_codec, &probe_final_codec};
    for (size_t i = 0; i < ARRAY_COUNT(codecs); i++) {
        size_t size = 0;
        for (const struct codec_field *field = codecs[i]->fields; field->key != NULL; field++) {
            size += field->count_offset != 0 ? 16 : 8;
        }
        assert_int_equal(size, codecs[i]->size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_join_without_gap),
        cmocka_unit_test(values_outside_go_to_the_first_and_last_bucket),
        cmocka_unit_test(known_values_have_known_buckets),
        cmocka_unit_test(every_kind_of_line_round_trips),
        cmocka_unit_test(no_member_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
