#include "probe/record.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sha256.h"

enum { SYNC_EVERY_MS = 100 };

struct record {
    char *path; /* owned */
    int fd;
    char hash[SHA256_HEX_SIZE]; /* of the last line; the loop's alone */
    int64_t sequence;           /* of the last line; the loop's alone */
    pthread_t thread;
    pthread_mutex_t mutex;
    int ending_fd;           /* an eventfd: readable when the thread is to end */
    struct buf queued;       /* under the mutex */
    int64_t queued_sequence; /* under the mutex */
    struct err *err;         /* the thread's until it has ended */
    atomic_llong synced;
    atomic_bool has_failed;
};

/* Waits for the next turn; true when it is the last. Takes what is queued. */
static bool take_queued(struct record *record, struct buf *ret_bytes, int64_t *ret_sequence)
{
    struct pollfd ending = {.fd = record->ending_fd, .events = POLLIN};
    const bool is_ending = poll(&ending, 1, SYNC_EVERY_MS) > 0;
    (void)pthread_mutex_lock(&record->mutex);
    const struct buf taken = record->queued;
    record->queued = *ret_bytes;
    *ret_bytes = taken;
    *ret_sequence = record->queued_sequence;
    (void)pthread_mutex_unlock(&record->mutex);
    return is_ending;
}

static void *keep_writing(void *context)
{
    struct record *record = context;
    AUTO_BUF bytes = {0};
    bool is_ending = false;
    while (!is_ending) {
        buf_clear(&bytes);
        int64_t sequence;
        is_ending = take_queued(record, &bytes, &sequence);
        if (bytes.size == 0 || record->err != NULL) {
            continue;
        }
        record->err = fs_write_fd(record->fd, record->path, bytes.data, bytes.size);
        if (record->err == NULL && fdatasync(record->fd) != 0) {
            record->err = err_errno(ERR_REFUSED, record->path, "cannot make the log durable");
        }
        if (record->err == NULL) {
            atomic_store(&record->synced, sequence);
        } else {
            atomic_store(&record->has_failed, true);
        }
    }
    return NULL;
}

static struct err *cannot_keep(struct err *err, const char *path)
{
    err = err_code(err_wrap(err, path, "the probe cannot keep its log"), "probe_log_write");
    return err_hint(err, "free some space there, or choose another place with --state-dir");
}

static void record_start_thread(struct record *record)
{
    (void)pthread_mutex_init(&record->mutex, NULL);
    record->ending_fd = eventfd(0, EFD_CLOEXEC);
    if (record->ending_fd < 0 || pthread_create(&record->thread, NULL, keep_writing, record) != 0) {
        abort(); /* out of threads is out of memory: base/mem.h */
    }
}

struct err *record_open(const char *directory, const char *incarnation, struct record **ret_record)
{
    AUTO_FREE char *path = mem_format("%s/%s.log", directory, incarnation);
    struct err *err = fs_make_dirs(directory, 0700);
    if (err != NULL) {
        return cannot_keep(err, path);
    }
    AUTO_CLOSE fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        return cannot_keep(err_errno(ERR_REFUSED, NULL, "cannot create the file"), path);
    }
    if (flock(fd, LOCK_EX) != 0) { /* waits for those who only look whether we live */
        return cannot_keep(err_errno(ERR_REFUSED, NULL, "cannot lock the file"), path);
    }
    struct record *record = mem_alloc(sizeof(*record));
    record->path = path;
    path = NULL;
    record->fd = fd;
    fd = -1;
    memset(record->hash, '0', SHA256_HEX_SIZE - 1);
    record_start_thread(record);
    *ret_record = record;
    return NULL;
}

int64_t record_append(
    struct record *record, const char *kind, const struct codec *codec, const void *object)
{
    AUTO_JSON line = codec_write(codec, object);
    js_put_text(line, "kind", kind);
    AUTO_FREE char *bare = js_write(line);
    struct sha256 *sha = sha256_new();
    sha256_add(sha, record->hash, SHA256_HEX_SIZE - 1);
    sha256_add(sha, bare, strlen(bare));
    sha256_finish(sha, record->hash);
    js_put_text(line, "hash", record->hash);
    AUTO_FREE char *text = js_write(line);
    record->sequence++;
    (void)pthread_mutex_lock(&record->mutex);
    buf_append_text(&record->queued, text);
    buf_append_char(&record->queued, '\n');
    record->queued_sequence = record->sequence;
    (void)pthread_mutex_unlock(&record->mutex);
    return record->sequence;
}

int64_t record_synced(const struct record *record)
{
    return atomic_load(&record->synced);
}

bool record_has_failed(const struct record *record)
{
    return atomic_load(&record->has_failed);
}

struct err *record_close(struct record *record)
{
    if (record == NULL) {
        return NULL;
    }
    (void)eventfd_write(record->ending_fd, 1);
    (void)pthread_join(record->thread, NULL);
    (void)pthread_mutex_destroy(&record->mutex);
    struct err *err = record->err == NULL ? NULL : cannot_keep(record->err, record->path);
    (void)close(record->ending_fd);
    (void)close(record->fd);
    buf_release(&record->queued);
    free(record->path);
    free(record);
    return err;
}
