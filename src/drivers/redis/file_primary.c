/*
 * drivers/redis/file_primary.c - whose replica a restart makes a server: one line of its file.
 *
 * Without Sentinels nobody writes that line when the primary changes, and CONFIG REWRITE would also
 * write what is set for a while, in words that an older version does not read. So the line alone is
 * replaced; every other byte stays.
 */
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "drivers/redis/config.h"
#include "drivers/redis/peers.h"

enum { FILE_PRIMARY_SIZE_MAX = 4 * 1024 * 1024 };

struct err *redis_read_config_file(const struct call *call, const struct redis_driver *driver,
    const struct inv_node *node, struct buf *ret_text)
{
    bool exists = false;
    struct err *err = host_read_file(
        call, driver->host, node, node->config_file, FILE_PRIMARY_SIZE_MAX, &exists, ret_text);
    if (err == NULL && !exists) {
        err = err_new(ERR_INVALID, node->config_file, "there is no such file");
        err = err_hint(
            err_code(err, "config_missing"), "correct config of %s in the inventory", node->name);
    }
    return err == NULL ? NULL : err_wrap(err, node->name, "cannot read its configuration file");
}

struct err *redis_write_config_file(const struct call *call, const struct redis_driver *driver,
    const struct inv_node *node, const struct buf *content)
{
    struct err *err = call_check_claim(call, node->name);
    if (err == NULL && call_may_send(call)) {
        err = host_write_file(call, driver->host, node, node->config_file, content);
    } else if (err == NULL) {
        err = err_new(ERR_UNREACHABLE, node->name, "no time left to act: nothing was changed");
        err = err_code(err, "out_of_time");
    }
    return err == NULL ? NULL : err_wrap(err, node->name, "cannot change its configuration file");
}

struct err *redis_get_file_primary(const struct call *call, struct settings *settings,
    const struct inv_node *node, char **ret_primary)
{
    const struct redis_driver *driver = REDIS_DRIVER_OF(settings, settings);
    AUTO_BUF text = {0};
    AUTO_ARENA arena = {0};
    struct err *err = redis_read_config_file(call, driver, node, &text);
    if (err != NULL) {
        return err;
    }
    struct redis_config file = {0};
    struct fact_node fact = {.name = node->name};
    redis_config_parse(&arena, (struct str){text.data, text.size}, &file);
    explicit_bzero(text.data, text.size);
    redis_peers_of_file(&arena, driver->cluster, &file, &fact);
    *ret_primary = fact.file_primary_id == NULL ? NULL : mem_strdup(fact.file_primary_id);
    return NULL;
}

static bool names_primary(struct str line)
{
    static const char *const words[] = {"replicaof", "slaveof"};
    const struct str trimmed = str_trim(line);
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        const size_t size = strlen(words[i]);
        if (trimmed.size > size && strncasecmp(trimmed.data, words[i], size) == 0 &&
            (trimmed.data[size] == ' ' || trimmed.data[size] == '\t')) {
            return true;
        }
    }
    return false;
}

/* The new line stands where the old one was, else at the end. */
static void write_primary_line(struct buf *content, const struct inv_node *primary)
{
    if (primary != NULL) {
        buf_printf(content, "replicaof %s %lld\n", primary->host, (long long)primary->port);
    }
}

static void replace_lines(struct str text, const struct inv_node *primary, struct buf *ret_content)
{
    bool is_written = primary == NULL;
    struct str line;
    while (text.size > 0 && str_cut(&text, '\n', &line)) {
        if (!names_primary(line)) {
            buf_append(ret_content, line.data, line.size);
            buf_append_text(ret_content, "\n");
        } else if (!is_written) {
            write_primary_line(ret_content, primary);
            is_written = true;
        }
    }
    if (!is_written) {
        write_primary_line(ret_content, primary);
    }
}

struct err *redis_set_file_primary(const struct call *call, struct settings *settings,
    const struct inv_node *node, const struct inv_node *primary)
{
    const struct redis_driver *driver = REDIS_DRIVER_OF(settings, settings);
    AUTO_BUF text = {0};
    AUTO_BUF content = {0};
    struct err *err = redis_read_config_file(call, driver, node, &text);
    if (err != NULL) {
        return err;
    }
    replace_lines((struct str){text.data, text.size}, primary, &content);
    err = redis_write_config_file(call, driver, node, &content);
    if (text.data != NULL) { /* both may hold a password */
        explicit_bzero(text.data, text.size);
        explicit_bzero(content.data, content.size);
    }
    return err;
}
