#include "probe/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

enum { LINES_READ_SIZE = 262144 };

struct err *lines_open(const char *path, struct lines *ret_lines)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_code(
            err_errno(ERR_INVALID, path, "cannot read the probe's log"), "probe_log_read");
    }
    *ret_lines = (struct lines){.fd = fd};
    memset(ret_lines->hash, '0', SHA256_HEX_SIZE - 1);
    return NULL;
}

void lines_close(struct lines *lines)
{
    fs_close_slot(&lines->fd);
    buf_release(&lines->bytes);
}

/* Reads more of the file; false at its present end. */
static bool read_more(struct lines *lines)
{
    buf_consume(&lines->bytes, lines->used);
    lines->used = 0;
    ssize_t count;
    do {
        count = read(lines->fd, buf_reserve(&lines->bytes, LINES_READ_SIZE), LINES_READ_SIZE);
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
        buf_grow_used(&lines->bytes, (size_t)count);
    }
    return count > 0;
}

static bool lines_cut(struct lines *lines, struct str *ret_text)
{
    size_t looked = 0;
    for (;;) {
        const char *start = buf_text(&lines->bytes) + lines->used;
        const size_t size = lines->bytes.size - lines->used;
        const char *end = memchr(start + looked, '\n', size - looked);
        if (end != NULL) {
            *ret_text = (struct str){start, (size_t)(end - start)};
            lines->used += ret_text->size + 1;
            return true;
        }
        looked = size;
        if (!read_more(lines)) {
            return false;
        }
    }
}

/* Takes "hash" off a line and checks that it continues the chain. */
static bool continue_chain(struct lines *lines, struct json *line)
{
    const char *claimed = js_get_text(line, "hash");
    if (claimed == NULL || strlen(claimed) != SHA256_HEX_SIZE - 1) {
        return false;
    }
    char wanted[SHA256_HEX_SIZE];
    memcpy(wanted, claimed, sizeof(wanted));
    js_remove(line, "hash");
    AUTO_FREE char *bare = js_write(line);
    struct sha256 *sha = sha256_new();
    sha256_add(sha, lines->hash, SHA256_HEX_SIZE - 1);
    sha256_add(sha, bare, strlen(bare));
    sha256_finish(sha, lines->hash);
    return strcmp(lines->hash, wanted) == 0;
}

/* Every kind of line, so that the kind outlives the member it was read from. */
static const char *known_kind(const struct json *line)
{
    static const char *const kinds[] = {"start", "block", "error", "mark", "readback", "final"};
    const char *kind = js_get_text(line, "kind");
    for (size_t i = 0; kind != NULL && i < ARRAY_COUNT(kinds); i++) {
        if (strcmp(kind, kinds[i]) == 0) {
            return kinds[i];
        }
    }
    return NULL;
}

bool lines_next(struct lines *lines, const char **ret_kind, struct json **ret_line)
{
    struct str text;
    if (lines->is_broken || !lines_cut(lines, &text)) {
        return false;
    }
    AUTO_JSON line = NULL;
    AUTO_ERR err = js_parse(text.data, text.size, "probe log", &line);
    const char *kind = NULL;
    if (err == NULL && js_is(line, JS_OBJECT) && continue_chain(lines, line)) {
        kind = known_kind(line);
    }
    if (kind == NULL) {
        lines->is_broken = true;
        return false;
    }
    js_remove(line, "kind");
    *ret_kind = kind;
    *ret_line = line;
    line = NULL;
    return true;
}

bool lines_are_growing(const struct lines *lines)
{
    if (flock(lines->fd, LOCK_SH | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK;
    }
    (void)flock(lines->fd, LOCK_UN);
    return false;
}
