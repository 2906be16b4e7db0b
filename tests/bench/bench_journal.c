/*
 * tests/bench/bench_journal.c - durable journal records per second at 1, 8 and 32 a commit, as a
 * ratio to bare appends made durable with fdatasync in the same run.
 *
 * Method: three rounds, the two sides alternating, medians. A bare append writes what a record
 * takes on disk and syncs once per batch; the ratio is what SQLite, JSON and the hash chain cost.
 *
 *     bench_journal [directory] [milliseconds per measurement]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/sqlite/store.h"

enum { ROUNDS = 3, BATCH_MAX = 32, RECORD_SIZE = 256, MEASURE_MS = 400 };

static const size_t batches[] = {1, 8, 32};

struct bench {
    const char *directory;
    int64_t measure_us;
    struct journal *journal;
    const char *run;
    int64_t appended;
};

static void end_on(struct err *err)
{
    if (err != NULL) {
        AUTO_FREE char *text = err_text(err);
        (void)fprintf(stderr, "bench_journal: %s\n", text);
        exit(1);
    }
}

static void append_batch(struct bench *bench, size_t batch)
{
    struct journal_record records[BATCH_MAX];
    for (size_t i = 0; i < batch; i++) {
        records[i] = (struct journal_record){
            .epoch = 1,
            .def = 1,
            .type = JOURNAL_INTENT,
            .step = "shard-1/n4/stop",
            .attempt = 1,
            .boot_id = "4ac33d65-5bd5-4a2a-8f0e-2f4d5a4a9e5d",
            .boottime_ms = bench->appended,
            .wall_ms = bench->appended,
            .body = js_object(),
        };
        js_put_text(records[i].body, "node", "n4");
        js_put_number(records[i].body, "deadline_ms", 30000);
    }
    end_on(bench->journal->ops->append(
        bench->journal, bench->run, records, batch, /* state= */ NULL, /* is_final= */ false));
    bench->appended += (int64_t)batch;
    journal_records_release(records, batch);
}

static int64_t measure_journal(struct bench *bench, size_t batch)
{
    int64_t count = 0;
    const int64_t start_us = clock_now_us();
    while (clock_now_us() - start_us < bench->measure_us) {
        append_batch(bench, batch);
        count += (int64_t)batch;
    }
    return count * 1000000 / (clock_now_us() - start_us);
}

static int64_t measure_bare(struct bench *bench, size_t batch)
{
    AUTO_FREE char *path = mem_format("%s/bare", bench->directory);
    AUTO_CLOSE fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char record[RECORD_SIZE * BATCH_MAX];
    memset(record, 'r', sizeof(record));
    int64_t count = 0;
    const int64_t start_us = clock_now_us();
    while (clock_now_us() - start_us < bench->measure_us) {
        end_on(fs_write_fd(fd, path, record, RECORD_SIZE * batch));
        if (fdatasync(fd) != 0) {
            end_on(err_errno(ERR_INTERNAL, path, "cannot sync"));
        }
        count += (int64_t)batch;
    }
    return count * 1000000 / (clock_now_us() - start_us);
}

static int compare(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a;
    const int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void measure(struct bench *bench, size_t batch)
{
    int64_t journal[ROUNDS];
    int64_t bare[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        journal[i] = measure_journal(bench, batch);
        bare[i] = measure_bare(bench, batch);
    }
    qsort(journal, ROUNDS, sizeof(journal[0]), compare);
    qsort(bare, ROUNDS, sizeof(bare[0]), compare);
    printf("%2zu a commit: journal %8lld records/s, bare fdatasync %8lld, ratio %.2f\n", batch,
        (long long)journal[ROUNDS / 2], (long long)bare[ROUNDS / 2],
        (double)journal[ROUNDS / 2] / (double)bare[ROUNDS / 2]);
}

static void measure_reading(struct bench *bench)
{
    AUTO_ARENA arena = {0};
    struct journal_record *records = NULL;
    size_t count = 0;
    const int64_t start_us = clock_now_us();
    end_on(bench->journal->ops->read(bench->journal, bench->run, &arena, &records, &count));
    const int64_t elapsed_us = clock_now_us() - start_us;
    journal_records_release(records, count);
    printf("reading and checking %zu records: %lld ms, %lld records/s\n", count,
        (long long)(elapsed_us / 1000), (long long)((int64_t)count * 1000000 / (elapsed_us + 1)));
}

int main(int argc, char **argv)
{
    char directory[] =
        "./bench-journal-XXXXXX"; /* not /tmp: it may be memory, where fsync is free */
    struct bench bench = {.measure_us = MEASURE_MS * 1000};
    int64_t wanted_ms = 0;
    if (argc > 2 && str_to_int64(str_of(argv[2]), &wanted_ms) && wanted_ms > 0) {
        bench.measure_us = wanted_ms * 1000;
    }
    if (argc > 1 && chdir(argv[1]) != 0) {
        end_on(err_errno(ERR_INVALID, argv[1], "cannot use the folder"));
    }
    bench.directory = mkdtemp(directory);
    if (bench.directory == NULL) {
        end_on(err_errno(ERR_INVALID, directory, "cannot make a folder"));
    }
    AUTO_ARENA arena = {0};
    struct journal_run run;
    end_on(store_open(bench.directory, /* read_only= */ false, &bench.journal));
    end_on(bench.journal->ops->create_run(bench.journal, "bench", "bench", 0, &arena, &run));
    bench.run = run.id;
    for (size_t i = 0; i < ARRAY_COUNT(batches); i++) {
        measure(&bench, batches[i]);
    }
    measure_reading(&bench);
    bench.journal->ops->close(bench.journal);
    end_on(fs_remove_tree(bench.directory));
    return 0;
}
