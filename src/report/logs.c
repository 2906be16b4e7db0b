#include "report/logs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const char first_hash[SHA256_HEX_SIZE] =
    "0000000000000000000000000000000000000000000000000000000000000000";

/* Hands a line of one kind to the visitor. False: it cannot be read. */
typedef bool line_reader(struct log_file *file, const struct json *line,
    const struct log_visitor *visitor, struct arena *scratch);

static bool decode(
    const struct codec *codec, const struct json *line, struct arena *scratch, void *ret_record)
{
    AUTO_ERR err = codec_read(codec, line, scratch, "probe log", ret_record);
    return err == NULL;
}

static bool read_block(struct log_file *file, const struct json *line,
    const struct log_visitor *visitor, struct arena *scratch)
{
    struct probe_block block = {0};
    if (!decode(&probe_block_codec, line, scratch, &block)) {
        return false;
    }
    file->last_wall_ms = block.wall_ms + PROBE_BLOCK_MS;
    visitor->on_block(visitor->context, file, &block);
    return true;
}

static bool read_error(struct log_file *file, const struct json *line,
    const struct log_visitor *visitor, struct arena *scratch)
{
    struct probe_error error = {0};
    if (!decode(&probe_error_codec, line, scratch, &error)) {
        return false;
    }
    file->error_count++;
    visitor->on_error(visitor->context, file, &error);
    return true;
}

static bool read_mark(struct log_file *file, const struct json *line,
    const struct log_visitor *visitor, struct arena *scratch)
{
    struct probe_mark mark = {0};
    if (!decode(&probe_mark_codec, line, scratch, &mark)) {
        return false;
    }
    visitor->on_mark(visitor->context, file, &mark);
    return true;
}

static bool read_readback(struct log_file *file, const struct json *line,
    const struct log_visitor *visitor, struct arena *scratch)
{
    struct probe_readback readback = {0};
    if (!decode(&probe_readback_codec, line, scratch, &readback)) {
        return false;
    }
    visitor->on_readback(visitor->context, file, &readback);
    return true;
}

static bool read_final(struct log_file *file, const struct json *line,
    const struct log_visitor *visitor, struct arena *scratch)
{
    struct probe_final final = {0};
    if (!decode(&probe_final_codec, line, scratch, &final)) {
        return false;
    }
    file->is_final = true;
    visitor->on_final(visitor->context, file, &final);
    return true;
}

/* logs_find() has read it already. */
static bool skip_start(struct log_file *file, const struct json *UNUSED(line),
    const struct log_visitor *UNUSED(visitor), struct arena *UNUSED(scratch))
{
    return file->line_count == 0;
}

static const struct {
    const char *kind;
    line_reader *read;
} line_kinds[] = {
    {"start", skip_start},
    {"block", read_block},
    {"error", read_error},
    {"mark", read_mark},
    {"readback", read_readback},
    {"final", read_final},
};

/* Takes the hash off a line and moves the chain on. False: the line does not fit. */
static bool check_chain(struct json *line, char head[SHA256_HEX_SIZE])
{
    const char *claimed = js_get_text(line, "hash");
    char hash[SHA256_HEX_SIZE];
    (void)snprintf(hash, sizeof(hash), "%s", claimed == NULL ? "" : claimed);
    js_remove(line, "hash");
    char *text = js_write(line);
    char found[SHA256_HEX_SIZE];
    struct sha256 *sha = sha256_new();
    sha256_add(sha, head, SHA256_HEX_SIZE - 1);
    sha256_add(sha, text, strlen(text));
    sha256_finish(sha, found);
    free(text);
    if (!text_equal(found, hash)) {
        return false;
    }
    memcpy(head, found, sizeof(found));
    return true;
}

/* NULL, or what is wrong with the line. */
static const char *read_log_line(struct log_file *file, struct str text,
    const struct log_visitor *visitor, struct arena *scratch)
{
    if (text.size == 0 || text.data[text.size - 1] != '\n') {
        return "ends in the middle of a line, as after a kill";
    }
    AUTO_JSON line = NULL;
    AUTO_ERR err = js_parse(text.data, text.size, file->path, &line);
    if (err != NULL || !check_chain(line, file->head)) {
        return "does not fit the chain: changed, removed or added afterwards";
    }
    AUTO_JSON kind = js_ref(js_get(line, "kind"));
    js_remove(line, "kind");
    for (size_t i = 0; i < ARRAY_COUNT(line_kinds); i++) {
        if (text_equal(line_kinds[i].kind, js_as_text(kind)) &&
            line_kinds[i].read(file, line, visitor, scratch)) {
            return NULL;
        }
    }
    return "is of a kind that this release does not know";
}

void logs_read(
    struct log_file *file, int64_t line_max, const struct log_visitor *visitor, struct arena *arena)
{
    memcpy(file->head, first_hash, sizeof(first_hash));
    FILE *stream = fopen(file->path, "re");
    if (stream == NULL) {
        file->damage = "cannot be opened";
        return;
    }
    char *text = NULL;
    size_t capacity = 0;
    AUTO_ARENA scratch = {0};
    while (file->line_count < line_max) {
        const ssize_t size = getline(&text, &capacity, stream);
        if (size < 0) {
            break;
        }
        const char *damage =
            read_log_line(file, (struct str){text, (size_t)size}, visitor, &scratch);
        arena_release(&scratch);
        if (damage != NULL) {
            file->damage =
                arena_format(arena, "line %lld %s", (long long)file->line_count + 1, damage);
            break;
        }
        file->line_count++;
    }
    free(text);
    (void)fclose(stream);
}

/* Reads the first line; false for a file that is no log of this run. */
static bool read_start(
    const char *path, const char *run, struct arena *arena, struct probe_start *ret_start)
{
    FILE *stream = fopen(path, "re");
    if (stream == NULL) {
        return false;
    }
    char *text = NULL;
    size_t capacity = 0;
    const ssize_t size = getline(&text, &capacity, stream);
    (void)fclose(stream);
    AUTO_JSON line = NULL;
    AUTO_ERR err = js_parse(text == NULL ? "" : text, size < 0 ? 0 : (size_t)size, path, &line);
    free(text);
    if (err != NULL || !text_equal(js_get_text(line, "kind"), "start")) {
        return false;
    }
    js_remove(line, "hash");
    js_remove(line, "kind");
    return decode(&probe_start_codec, line, arena, ret_start) && text_equal(ret_start->run, run);
}

static int compare_files(const void *a, const void *b)
{
    const struct log_file *left = a;
    const struct log_file *right = b;
    const int64_t difference = left->start.started_wall_ms - right->start.started_wall_ms;
    return difference != 0 ? (difference > 0) - (difference < 0) : strcmp(left->name, right->name);
}

/* A copy under another name would count everything twice. */
static bool is_named_for(const char *name, const char *incarnation)
{
    const size_t size = incarnation == NULL ? 0 : strlen(incarnation);
    return size > 0 && strncmp(name, incarnation, size) == 0 && text_equal(name + size, ".log");
}

void logs_find(const char *directory, const char *run, struct arena *arena,
    struct log_file **ret_files, size_t *ret_count)
{
    *ret_files = NULL;
    *ret_count = 0;
    DIR *folder = directory == NULL ? NULL : opendir(directory);
    if (folder == NULL) {
        return;
    }
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        struct probe_start start = {0};
        const char *path = arena_format(arena, "%s/%s", directory, entry->d_name);
        if (read_start(path, run, arena, &start) &&
            is_named_for(entry->d_name, start.incarnation)) {
            struct log_file *file = arena_push(arena, ret_files, ret_count, sizeof(*file));
            *file = (struct log_file){
                .path = path, .name = arena_strdup(arena, entry->d_name), .start = start};
        }
    }
    (void)closedir(folder);
    if (*ret_count > 0) {
        qsort(*ret_files, *ret_count, sizeof(**ret_files), compare_files);
    }
}
