#include "probe/previous.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "probe/lines.h"

/* One log as it was read; `gone` may be about any incarnation's keys. */
struct past {
    struct keyspace keys;
    struct ranges gone;
    int64_t rate;
    bool is_over; /* it ended by itself and left nothing */
};

struct pasts {
    struct past *items;
    size_t count;
};

static struct past *find_past(struct pasts *pasts, const char *incarnation)
{
    for (size_t i = 0; i < pasts->count; i++) {
        if (strcmp(pasts->items[i].keys.incarnation, incarnation) == 0) {
            return &pasts->items[i];
        }
    }
    pasts->items = mem_resize(pasts->items, (pasts->count + 1) * sizeof(*pasts->items));
    struct past *past = &pasts->items[pasts->count++];
    *past = (struct past){0};
    keyspace_init(&past->keys, incarnation, 0);
    return past;
}

static void take_start(struct pasts *pasts, const struct probe_start *start)
{
    struct past *past = find_past(pasts, start->incarnation);
    past->keys.ttl_us = start->ttl_s * 1000000;
    past->rate = start->rate;
}

static void past_take_block(struct past *past, const struct probe_block *block)
{
    const int64_t age_us = clock_wall_us() - block->wall_ms * 1000;
    keyspace_note_time(&past->keys, clock_now_us() - age_us);
    past->keys.next += block->writes;
    for (size_t i = 0; i < block->acked_count; i++) {
        ranges_add(&past->keys.acked, block->acked[i].from, block->acked[i].to);
    }
}

static void past_take_readback(struct pasts *pasts, const struct probe_readback *readback)
{
    struct past *past = find_past(pasts, readback->incarnation);
    for (size_t i = 0; i < readback->deleted_count; i++) {
        ranges_add(&past->gone, readback->deleted[i].from, readback->deleted[i].to);
    }
}

/* Reads one line into the past; `*incarnation` is whose log this is, known from its first line. */
static struct err *past_take_line(struct pasts *pasts, const char *kind, const struct json *line,
    const char *where, char **incarnation)
{
    AUTO_ARENA arena = {0};
    struct err *err = NULL;
    if (strcmp(kind, "start") == 0) {
        struct probe_start start = {0};
        err = codec_read(&probe_start_codec, line, &arena, where, &start);
        if (err == NULL && start.incarnation != NULL && *incarnation == NULL) {
            *incarnation = mem_strdup(start.incarnation);
            take_start(pasts, &start);
        }
    } else if (*incarnation == NULL) {
        return err_new(ERR_INVALID, where, "the log does not begin with a start");
    } else if (strcmp(kind, "block") == 0) {
        struct probe_block block = {0};
        err = codec_read(&probe_block_codec, line, &arena, where, &block);
        if (err == NULL) {
            past_take_block(find_past(pasts, *incarnation), &block);
        }
    } else if (strcmp(kind, "readback") == 0) {
        struct probe_readback readback = {0};
        err = codec_read(&probe_readback_codec, line, &arena, where, &readback);
        if (err == NULL && readback.incarnation != NULL) {
            past_take_readback(pasts, &readback);
        }
    } else if (strcmp(kind, "final") == 0) {
        find_past(pasts, *incarnation)->is_over = true;
    }
    return err;
}

static struct err *read_log(const char *path, struct pasts *pasts)
{
    struct lines lines;
    struct err *err = lines_open(path, &lines);
    if (err != NULL) {
        return err;
    }
    AUTO_FREE char *incarnation = NULL;
    const char *kind;
    struct json *line;
    const bool is_growing = lines_are_growing(&lines);
    while (err == NULL && !is_growing && lines_next(&lines, &kind, &line)) {
        err = past_take_line(pasts, kind, line, path, &incarnation);
        js_free(line);
    }
    lines_close(&lines);
    return err == NULL ? NULL : err_code(err, "probe_log_read");
}

/* What may be there without having been acknowledged: the rest of the numbers used, and those of
 * the last moments that did not reach the log (blocks are written 1.2 s late at most). */
static void complete(struct past *past)
{
    struct keyspace *keys = &past->keys;
    keys->next += past->rate * 2;
    if (keys->next > 0) {
        ranges_add(&keys->unsure, 0, keys->next - 1);
    }
    ranges_remove_all(&keys->unsure, &keys->acked);
    ranges_remove_all(&keys->unsure, &past->gone);
    ranges_remove_all(&keys->acked, &past->gone);
}

static void keep_living(struct pasts *pasts, struct previous *ret_previous)
{
    ret_previous->keyspaces = mem_alloc_array(pasts->count + 1, sizeof(struct keyspace));
    for (size_t i = 0; i < pasts->count; i++) {
        struct past *past = &pasts->items[i];
        complete(past);
        ranges_release(&past->gone);
        if (past->is_over || past->keys.acked.total + past->keys.unsure.total == 0) {
            keyspace_release(&past->keys);
        } else {
            ret_previous->keyspaces[ret_previous->count++] = past->keys;
        }
    }
    free(pasts->items);
}

static bool is_log_name(const char *name, const char *own)
{
    const size_t size = strlen(name);
    return size > 4 && strcmp(name + size - 4, ".log") == 0 && strcmp(name, own) != 0;
}

struct err *previous_load(
    const char *directory, const char *incarnation, struct previous *ret_previous)
{
    *ret_previous = (struct previous){0};
    AUTO_FREE char *own = mem_format("%s.log", incarnation);
    DIR *folder = opendir(directory);
    if (folder == NULL) {
        return err_code(
            err_errno(ERR_INVALID, directory, "cannot read the folder"), "probe_log_read");
    }
    struct pasts pasts = {0};
    struct err *err = NULL;
    const struct dirent *entry;
    while (err == NULL && (entry = readdir(folder)) != NULL) {
        if (is_log_name(entry->d_name, own)) {
            AUTO_FREE char *path = mem_format("%s/%s", directory, entry->d_name);
            err = read_log(path, &pasts);
        }
    }
    (void)closedir(folder);
    keep_living(&pasts, ret_previous);
    return err;
}

void previous_release(struct previous *previous)
{
    for (size_t i = 0; i < previous->count; i++) {
        keyspace_release(&previous->keyspaces[i]);
    }
    free(previous->keyspaces);
    *previous = (struct previous){0};
}
