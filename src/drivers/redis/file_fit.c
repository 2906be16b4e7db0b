/*
 * drivers/redis/file_fit.c - takes out of a configuration file what an older program does not read.
 *
 * Sentinels have servers write their own files (CONFIG REWRITE), and 7.0 adds lines then that
 * nobody asked for. 6.0 would not start with them (measured with 6.0.16 and 7.0.15). Only such
 * lines are changed; what an operator wrote for the newer version is his to take back.
 */
#include <string.h>

#include "base/mem.h"
#include "drivers/redis/config.h"
#include "drivers/redis/peers.h"
#include "model/version.h"

/* What CONFIG REWRITE writes by itself, as 7.0.15 and Valkey 8.1.1 do, and since when it is read.
 */
static const struct added_line {
    const char *line;
    const char *since;
} added_lines[] = {
    {"latency-tracking-info-percentiles 50 99 99.9", "7.0"},
    {"user default on nopass sanitize-payload ~* &* +@all", "6.2"},
    {"user default on nopass ~* &* +@all", "6.2"},
};

/* Is it a program of Redis older than `since`? All of Valkey is newer. */
static bool is_older_program(const char *series, const char *since)
{
    static const char prefix[] = "redis/";
    AUTO_ARENA arena = {0};
    struct version have, limit;
    if (strncmp(series, prefix, sizeof(prefix) - 1) != 0) {
        return false;
    }
    AUTO_ERR err = version_parse(&arena, "redis", series + sizeof(prefix) - 1, &have);
    AUTO_ERR limit_err = version_parse(&arena, "redis", since, &limit);
    return err == NULL && limit_err == NULL && version_compare(&have, &limit) < 0;
}

static bool is_too_new(struct str line, const char *series)
{
    for (size_t i = 0; i < ARRAY_COUNT(added_lines); i++) {
        if (str_is(str_trim(line), added_lines[i].line) &&
            is_older_program(series, added_lines[i].since)) {
            return true;
        }
    }
    return false;
}

/* Copies what stays; returns how many lines went. */
static size_t copy_fitting(struct str text, const char *series, struct buf *ret_content)
{
    size_t count = 0;
    struct str line;
    while (text.size > 0 && str_cut(&text, '\n', &line)) {
        if (is_too_new(line, series)) {
            count++;
            continue;
        }
        buf_append(ret_content, line.data, line.size);
        buf_append_text(ret_content, "\n");
    }
    return count;
}

static struct err *fit_file(const struct call *call, const struct redis_driver *driver,
    const struct inv_node *node, const char *series, size_t *ret_count, bool is_written)
{
    AUTO_BUF text = {0};
    AUTO_BUF content = {0};
    struct err *err = redis_read_config_file(call, driver, node, &text);
    if (err != NULL) {
        return err;
    }
    *ret_count = copy_fitting((struct str){text.data, text.size}, series, &content);
    if (is_written && *ret_count > 0) {
        err = redis_write_config_file(call, driver, node, &content);
    }
    if (text.data != NULL) { /* both may hold a password */
        explicit_bzero(text.data, text.size);
    }
    if (content.data != NULL) {
        explicit_bzero(content.data, content.size);
    }
    return err;
}

struct err *redis_file_fits(const struct call *call, struct settings *settings,
    const struct inv_node *node, const char *series, bool *ret_fits)
{
    size_t count = 0;
    struct err *err =
        fit_file(call, REDIS_DRIVER_OF(settings, settings), node, series, &count, false);
    *ret_fits = err == NULL && count == 0;
    return err;
}

struct err *redis_fit_file(const struct call *call, struct settings *settings,
    const struct inv_node *node, const char *series)
{
    size_t count = 0;
    return fit_file(call, REDIS_DRIVER_OF(settings, settings), node, series, &count, true);
}
