/* Blocks: order, what holds them open, pauses; and quantiles. */
#include "probe/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"

enum { START_US = 1000000, BLOCK_US = 100000 };

struct fixture {
    char directory[64];
    struct record *record;
    struct timeline timeline;
};

static int setup(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof(*fixture));
    memcpy(fixture->directory, "/tmp/upshift-blocks-XXXXXX", sizeof("/tmp/upshift-blocks-XXXXXX"));
    assert_non_null(mkdtemp(fixture->directory));
    AUTO_ERR err = record_open(fixture->directory, "one", &fixture->record);
    assert_null(err);
    timeline_init(&fixture->timeline, fixture->record, START_US, 5000);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    timeline_release(&fixture->timeline);
    AUTO_ERR close_err = record_close(fixture->record);
    AUTO_ERR err = fs_remove_tree(fixture->directory);
    const bool is_clean = close_err == NULL && err == NULL;
    free(fixture);
    return is_clean ? 0 : -1;
}

static void a_block_is_written_when_its_time_is_over_and_all_is_decided(void **state)
{
    struct timeline *timeline = &((struct fixture *)*state)->timeline;
    struct timeline_block *first = timeline_at(timeline, START_US);
    first->undecided = 1;
    first->sums.intended = 1;
    timeline_at(timeline, START_US + BLOCK_US)->sums.intended = 2;
    timeline_write(timeline, START_US + 5 * BLOCK_US);
    assert_int_equal(timeline->totals.block_count, 0); /* in order: the first holds the others */
    first->undecided = 0;
    timeline_write(timeline, START_US + BLOCK_US - 1);
    assert_int_equal(timeline->totals.block_count, 0);
    timeline_write(timeline, START_US + BLOCK_US);
    assert_int_equal(timeline->totals.block_count, 1);
    assert_int_equal(timeline->totals.intended, 1);
    timeline_write(timeline, START_US + 5 * BLOCK_US);
    assert_int_equal(timeline->totals.block_count, 5);
    assert_int_equal(timeline->totals.intended, 3);
    assert_int_equal(timeline_next_us(timeline), START_US + 6 * BLOCK_US);
}

static void many_blocks_can_be_open(void **state)
{
    struct timeline *timeline = &((struct fixture *)*state)->timeline;
    timeline_at(timeline, START_US)->undecided = 1;
    for (int64_t i = 0; i < 100; i++) {
        struct timeline_block *block = timeline_at(timeline, START_US + i * BLOCK_US);
        assert_int_equal(block->sums.index, i);
        assert_int_equal(block->sums.wall_ms, 5000 + i * PROBE_BLOCK_MS);
    }
    timeline_at(timeline, START_US)->undecided = 0;
    timeline_write(timeline, START_US + 100 * BLOCK_US);
    assert_int_equal(timeline->totals.block_count, 100);
}

static void a_pause_is_shared_out_to_the_blocks_it_covers(void **state)
{
    struct timeline *timeline = &((struct fixture *)*state)->timeline;
    timeline_count_stall(timeline, START_US + 50000, START_US + 270000);
    assert_int_equal(timeline_at(timeline, START_US)->sums.stalled_us, 50000);
    assert_int_equal(timeline_at(timeline, START_US + BLOCK_US)->sums.stalled_us, BLOCK_US);
    assert_int_equal(timeline_at(timeline, START_US + 2 * BLOCK_US)->sums.stalled_us, 70000);
}

static void latencies_are_counted_in_buckets_with_their_maximum(void **state)
{
    struct timeline *timeline = &((struct fixture *)*state)->timeline;
    struct timeline_block *block = timeline_at(timeline, START_US);
    timeline_count_latency(block, 1000);
    timeline_count_latency(block, 300123);
    assert_int_equal(block->latencies[probe_bucket_of(1000)], 1);
    assert_int_equal(block->sums.latency_max_us, 300123);
    timeline_write(timeline, START_US + BLOCK_US);
    assert_int_equal(timeline->totals.latency_max_us, 300123);
    assert_int_equal(timeline->latencies[probe_bucket_of(300123)], 1);
}

static void a_quantile_is_the_upper_end_of_its_bucket(void **UNUSED(state))
{
    int64_t counts[PROBE_BUCKET_COUNT] = {0};
    assert_int_equal(latency_quantile(counts, 990), 0);
    counts[10] = 99;
    counts[20] = 1;
    assert_int_equal(latency_quantile(counts, 990), probe_bucket_low(11));
    assert_int_equal(latency_quantile(counts, 991), probe_bucket_low(21));
    assert_int_equal(latency_quantile(counts, 1000), probe_bucket_low(21));
    assert_int_equal(latency_quantile(counts, 1), probe_bucket_low(11));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_block_is_written_when_its_time_is_over_and_all_is_decided),
        CASE(many_blocks_can_be_open),
        CASE(a_pause_is_shared_out_to_the_blocks_it_covers),
        CASE(latencies_are_counted_in_buckets_with_their_maximum),
        cmocka_unit_test(a_quantile_is_the_upper_end_of_its_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
