#include "probe/tail.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "probe/lines.h"
#include "probe/timeline.h"

struct probe_tail {
    struct lines lines;
    struct probe_figures figures;
    int64_t latencies[PROBE_BUCKET_COUNT];
};

/* The name of the newest log in a folder, or NULL. Owns: the caller frees. */
static char *find_newest_log(const char *directory)
{
    DIR *folder = opendir(directory);
    char *newest = NULL;
    struct timespec newest_time = {0};
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        const size_t size = strlen(entry->d_name);
        struct stat status;
        if (size <= 4 || strcmp(entry->d_name + size - 4, ".log") != 0 ||
            fstatat(dirfd(folder), entry->d_name, &status, 0) != 0) {
            continue;
        }
        const struct timespec time_of = status.st_mtim;
        if (newest == NULL || time_of.tv_sec > newest_time.tv_sec ||
            (time_of.tv_sec == newest_time.tv_sec && time_of.tv_nsec > newest_time.tv_nsec)) {
            free(newest);
            newest = mem_strdup(entry->d_name);
            newest_time = time_of;
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return newest;
}

struct err *probe_tail_open(
    const char *directory, const char *incarnation, struct probe_tail **ret_tail)
{
    const bool is_named = incarnation != NULL && incarnation[0] != '\0';
    AUTO_FREE char *name =
        is_named ? mem_format("%s.log", incarnation) : find_newest_log(directory);
    if (name == NULL) {
        return err_code(err_new(ERR_INVALID, directory, "there is no probe's log in the folder"),
            "probe_log_read");
    }
    AUTO_FREE char *path = mem_format("%s/%s", directory, name);
    struct lines lines;
    struct err *err = lines_open(path, &lines);
    if (err != NULL) {
        return err;
    }
    struct probe_tail *tail = mem_alloc(sizeof(*tail));
    tail->lines = lines;
    *ret_tail = tail;
    return NULL;
}

void probe_tail_close(struct probe_tail *tail)
{
    if (tail != NULL) {
        lines_close(&tail->lines);
        free(tail);
    }
}

static void tail_take_block(struct probe_tail *tail, const struct probe_block *block)
{
    struct probe_figures *figures = &tail->figures;
    figures->block_count++;
    figures->intended += block->intended;
    figures->ok += block->ok;
    figures->raw_failed += block->raw_failed;
    figures->failed += block->failed;
    figures->wrong += block->wrong;
    figures->stalled_us += block->stalled_us;
    for (size_t i = 0; i < block->acked_count; i++) {
        figures->acked += block->acked[i].to - block->acked[i].from + 1;
    }
    for (size_t i = 0; i < block->latency_count; i++) {
        const struct probe_bucket *bucket = &block->latencies[i];
        if (bucket->bucket >= 0 && bucket->bucket < PROBE_BUCKET_COUNT) {
            tail->latencies[bucket->bucket] += bucket->count;
        }
    }
    if (block->latency_max_us > figures->latency_max_us) {
        figures->latency_max_us = block->latency_max_us;
    }
    figures->last_block_us = figures->started_us + (block->index + 1) * PROBE_BLOCK_MS * 1000;
    figures->last_success_us = block->ok > 0 ? figures->last_block_us : figures->last_success_us;
}

static void tail_take_readback(struct probe_figures *figures, const struct probe_readback *readback)
{
    figures->read_back += readback->acked;
    figures->checked += readback->checked;
    figures->missing += readback->missing;
    figures->different += readback->different;
    figures->not_checked += readback->not_checked;
}

static struct err *tail_take_line(
    struct probe_tail *tail, const char *kind, const struct json *line)
{
    AUTO_ARENA arena = {0};
    struct err *err = NULL;
    if (strcmp(kind, "start") == 0) {
        struct probe_start start = {0};
        err = codec_read(&probe_start_codec, line, &arena, "probe log", &start);
        tail->figures.rate = start.rate;
        tail->figures.started_us = start.started_us;
        tail->figures.started_wall_ms = start.started_wall_ms;
    } else if (strcmp(kind, "block") == 0) {
        struct probe_block block = {0};
        err = codec_read(&probe_block_codec, line, &arena, "probe log", &block);
        if (err == NULL) {
            tail_take_block(tail, &block);
        }
    } else if (strcmp(kind, "readback") == 0) {
        struct probe_readback readback = {0};
        err = codec_read(&probe_readback_codec, line, &arena, "probe log", &readback);
        tail_take_readback(&tail->figures, &readback);
    } else if (strcmp(kind, "final") == 0) {
        tail->figures.is_final = true;
    }
    return err;
}

const struct probe_figures *probe_tail_read(struct probe_tail *tail)
{
    const char *kind;
    struct json *line;
    while (!tail->figures.is_broken && lines_next(&tail->lines, &kind, &line)) {
        AUTO_ERR err = tail_take_line(tail, kind, line);
        tail->figures.is_broken = err != NULL;
        js_free(line);
    }
    tail->figures.is_broken = tail->figures.is_broken || tail->lines.is_broken;
    tail->figures.latency_p99_us = latency_quantile(tail->latencies, 990);
    return &tail->figures;
}

void probe_tail_forget_latency(struct probe_tail *tail)
{
    memset(tail->latencies, 0, sizeof(tail->latencies));
    tail->figures.latency_max_us = 0;
    tail->figures.latency_p99_us = 0;
}

int64_t probe_tail_age_ms(const struct probe_tail *tail)
{
    const int64_t last_us = tail->figures.last_block_us;
    return last_us == 0 ? -1 : (clock_now_us() - last_us) / 1000;
}

bool probe_tail_is_alive(const struct probe_tail *tail)
{
    return lines_are_growing(&tail->lines);
}
