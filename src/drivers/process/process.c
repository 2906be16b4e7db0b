#include "drivers/process/process.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "drivers/process/process_table.h"
#include "transport/spawn.h"

enum {
    PID_FILE_SIZE_MAX = 64,
    PID_FILE_MODE = 0644,
    STOP_LOOK_MS = 100, /* how soon a cancelled stop is noticed; the end itself is seen at once */
    STOP_REPEAT_MS = 1000, /* between two requests to end */
};

struct process_service {
    struct service base;
    const char *user; /* servers run as this user; NULL: as ours */
};

/* The number in the pid file; 0 without a file: nobody was started, or it ended properly. */
static struct err *read_pid_file(const struct inv_node *node, pid_t *ret_pid)
{
    if (!fs_exists(node->pid_file)) {
        *ret_pid = 0;
        return NULL;
    }
    AUTO_BUF content = {0};
    struct err *err = fs_read(node->pid_file, PID_FILE_SIZE_MAX, &content);
    if (err != NULL) {
        return err_code(err, "pid_file_unreadable");
    }
    int64_t pid = 0;
    const struct str text = str_trim((struct str){content.data, content.size});
    if (!str_to_int64(text, &pid) || pid <= 0 || pid > INT_MAX) {
        err =
            err_new(ERR_INVALID, node->pid_file, "the pid file of %s holds no number", node->name);
        return err_hint(err_code(err, "pid_file_unreadable"),
            "write the server's process number into it, or remove it when no server runs");
    }
    *ret_pid = (pid_t)pid;
    return NULL;
}

static struct err *process_get_status(const struct call *UNUSED(call),
    struct service *UNUSED(service), const struct inv_node *node, struct service_status *ret_status)
{
    pid_t pid = 0;
    bool is_alive = false;
    bool is_ours = false;
    struct process_entry entry = {0};
    struct err *err = read_pid_file(node, &pid);
    if (err == NULL && pid != 0) {
        err = process_look(pid, &is_alive, &entry);
    }
    if (err == NULL && is_alive) {
        err = process_works_in(pid, node->directory, &is_ours);
    }
    if (err != NULL) {
        return err_wrap(err, node->name, "cannot tell whether the server runs");
    }
    *ret_status = (struct service_status){.is_running = is_ours};
    if (is_ours) {
        process_identify(pid, &entry, ret_status->identity, sizeof(ret_status->identity));
    }
    return NULL;
}

/* A server that runs as root owns its files as root, and then cannot be started by anyone else. */
static struct err *check_user(const struct process_service *process, const struct inv_node *node)
{
    if (geteuid() != 0 || process->user != NULL) {
        return NULL;
    }
    struct err *err = err_new(ERR_INVALID, node->name, "refusing to start the server as root");
    return err_hint(err_code(err, "service_user_missing"),
        "name the user of the servers in the inventory, or run upshift as that user");
}

static struct err *check_may_begin(const struct call *call, const struct inv_node *node)
{
    if (call_may_begin(call)) {
        return NULL;
    }
    return err_code(err_new(ERR_UNREACHABLE, node->name, "no time left to act: nothing was done"),
        "out_of_time");
}

/* A server told to write its own pid file, or to put itself into the background, knows better. */
static struct err *record_pid(
    const struct call *call, struct service *service, const struct inv_node *node, pid_t pid)
{
    struct service_status status;
    struct err *err = process_get_status(call, service, node, &status);
    if (err == NULL && status.is_running) {
        return NULL;
    }
    err_free(err); /* an unreadable pid file is replaced */
    AUTO_FREE char *text = mem_format("%d\n", (int)pid);
    err = fs_write(node->pid_file, text, strlen(text), PID_FILE_MODE);
    if (err == NULL) {
        return NULL;
    }
    return err_wrap(err_code(err, "pid_file_unwritable"), node->name,
        "the server was started as process %d, but its pid file was not written", (int)pid);
}

static struct err *process_start(
    const struct call *call, struct service *service, const struct inv_node *node)
{
    const struct process_service *process = (const struct process_service *)service;
    struct service_status status;
    struct err *err = process_get_status(call, service, node, &status);
    if (err != NULL || status.is_running) {
        return err;
    }
    err = check_user(process, node);
    if (err == NULL) {
        err = check_may_begin(call, node);
    }
    if (err != NULL) {
        return err;
    }
    const char *const argv[] = {
        node->server_link, node->config_file, node->is_sentinel ? "--sentinel" : NULL, NULL};
    const struct spawn_daemon daemon = {.argv = argv,
        .directory = node->directory,
        .log_file = node->log_file,
        .user = geteuid() == 0 ? process->user : NULL};
    pid_t pid = 0;
    err = spawn_daemon(&daemon, &pid);
    if (err != NULL) {
        return err_wrap(err, node->name, "cannot start the server");
    }
    return record_pid(call, service, node, pid);
}

/* True when the process has ended. The handle is readable exactly then. */
static bool wait_for_end(int handle, int64_t duration_ms)
{
    struct pollfd waited = {.fd = handle, .events = POLLIN};
    return poll(&waited, 1, (int)duration_ms) > 0;
}

static struct err *send_request(const struct inv_node *node, int handle, pid_t pid)
{
    if (pidfd_send_signal(handle, SIGTERM, NULL, 0) == 0 || errno == ESRCH) {
        return NULL;
    }
    struct err *err = err_errno(ERR_REFUSED, node->name, "cannot ask process %d to end", (int)pid);
    return err_hint(
        err_code(err, "not_permitted"), "run upshift as root or as the user of the servers");
}

/* Asks again and again: Redis forgets a SIGTERM that comes while it writes its first append-only
 * file after a full copy ("Writing initial AOF, can't exit", seen with 7.0). */
static struct err *ask_to_end(
    const struct call *call, const struct inv_node *node, int handle, pid_t pid)
{
    struct err *err = check_may_begin(call, node);
    int64_t ask_at_ms = 0;
    while (err == NULL && call_left_ms(call) > 0) {
        const int64_t now_ms = clock_now_ms(call->clock);
        if (now_ms >= ask_at_ms && call_may_send(call)) {
            err = send_request(node, handle, pid);
            ask_at_ms = now_ms + STOP_REPEAT_MS;
        }
        const int64_t left_ms = call_left_ms(call);
        if (err == NULL && wait_for_end(handle, left_ms < STOP_LOOK_MS ? left_ms : STOP_LOOK_MS)) {
            return NULL;
        }
    }
    if (err != NULL) {
        return err;
    }
    err = err_new(ERR_UNKNOWN, node->name,
        "the server (process %d) was asked to end and has not ended yet", (int)pid);
    return err_hint(err_code(err, "stop_timeout"),
        "look into %s: it may still be saving; upshift never kills a server", node->log_file);
}

/* Is this process the node's, and the one that is meant? Read while a handle on it is held, which
 * cannot come to mean another process: so what is true here stays true. */
static struct err *has_identity(
    pid_t pid, const struct inv_node *node, const char *identity, bool *ret_yes)
{
    bool is_alive = false;
    bool is_ours = false;
    struct process_entry entry = {0};
    struct err *err = process_look(pid, &is_alive, &entry);
    if (err == NULL && is_alive) {
        err = process_works_in(pid, node->directory, &is_ours);
    }
    if (err != NULL) {
        return err_wrap(err, node->name, "cannot tell whether the server runs");
    }
    char found[SERVICE_IDENTITY_SIZE];
    process_identify(pid, &entry, found, sizeof(found));
    *ret_yes = is_ours && text_equal(found, identity);
    return NULL;
}

static struct err *process_stop(const struct call *call, struct service *UNUSED(service),
    const struct inv_node *node, const char *identity)
{
    pid_t pid = 0;
    if (!process_parse_identity(identity, &pid)) {
        return NULL; /* none, or of an earlier boot: gone */
    }
    AUTO_CLOSE handle = pidfd_open(pid, 0);
    if (handle < 0 && errno == ESRCH) {
        return NULL;
    }
    if (handle < 0) {
        return err_errno(ERR_INTERNAL, node->name, "cannot open process %d", (int)pid);
    }
    bool is_it = false;
    struct err *err = has_identity(pid, node, identity, &is_it);
    return err == NULL && is_it ? ask_to_end(call, node, handle, pid) : err;
}

static void process_close(struct service *service)
{
    free(service);
}

static const struct service_ops process_ops = {
    .name = "process",
    .get_status = process_get_status,
    .start = process_start,
    .stop = process_stop,
    .close = process_close,
};

struct service *process_open(const struct inv_cluster *cluster)
{
    struct process_service *process = mem_alloc(sizeof(*process));
    process->base.ops = &process_ops;
    process->user = cluster->service_user;
    return &process->base;
}
