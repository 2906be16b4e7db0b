/*
 * drivers/redis/dry_start.c - does a server program accept a node's configuration file?
 *
 * The program is started on a copy of the file in a folder of its own, on spare ports of this
 * machine, with no data, so it joins nothing and touches nothing. It is good when it answers a
 * PING: modules, ACL files and certificates are loaded by then. Lines that say where a node lives
 * are blanked in the copy (line numbers in complaints stay true) and ours are put at its end.
 */
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "drivers/redis/config.h"
#include "drivers/redis/driver.h"
#include "transport/spawn.h"

enum {
    DRY_START_MS_MAX = 10000,
    DUMP_MS_MAX = 3000000, /* a little less than the limiter's */
    DRY_LOOK_MS = 20,
    DRY_STOP_MS = 5000, /* longer than the limiter's own patience after SIGTERM */
    PORT_TRIES = 50,
    BUS_PORT_OFFSET = 10000, /* Redis cluster specification: the bus port is the port + 10000 */
    FILE_SIZE_MAX = 4 * 1024 * 1024,
    MESSAGE_SIZE_MAX = 300,
};

/* Lines blanked in the copy; given again at its end, since an included file may set them too. */
static const char *const placed[] = {"aclfile", "bind", "cluster-config-file", "cluster-port",
    "daemonize", "dir", "logfile", "pidfile", "port", "replicaof", "slaveof", "supervised",
    "syslog-enabled", "tls-port", "unixsocket"};

struct dry_start {
    const struct call *call;
    const struct redis_driver *driver;
    const struct inv_node *node;
    const char *server;
    const char *dump; /* NULL: no data */
    struct arena *arena;
    char *folder; /* owned: removed at the end */
    const char *log_file;
    int64_t port;
};

static struct err *check_dry_user(const struct dry_start *dry)
{
    if (geteuid() != 0 || dry->driver->cluster->service_user != NULL) {
        return NULL;
    }
    struct err *err = err_new(ERR_INVALID, dry->node->name, "refusing to start a server as root");
    return err_hint(err_code(err, "service_user_missing"),
        "name the user of the servers in the inventory, or run upshift as that user");
}

static bool can_bind(int64_t port, int64_t *ret_port)
{
    AUTO_CLOSE fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        return false;
    }
    *ret_port = ntohs(address.sin_port);
    return true;
}

/* A port that is free now, as is its bus port. Somebody may take it before the server does: then
 * the dry start fails and says so. */
static struct err *find_port(const struct dry_start *dry, int64_t *ret_port)
{
    for (int i = 0; i < PORT_TRIES; i++) {
        int64_t port = 0;
        int64_t bus_port = 0;
        if (can_bind(0, &port) && port != dry->port && port + BUS_PORT_OFFSET <= UINT16_MAX &&
            can_bind(port + BUS_PORT_OFFSET, &bus_port)) {
            *ret_port = port;
            return NULL;
        }
    }
    return err_code(
        err_new(ERR_UNREACHABLE, dry->node->name, "no free pair of ports for a dry start"),
        "no_free_port");
}

static struct err *refuse_folder(const char *folder, const char *what)
{
    struct err *err = err_errno(ERR_REFUSED, folder, "%s for a dry start", what);
    return err_hint(
        err_code(err, "no_temporary_folder"), "point TMPDIR at a folder that upshift may write to");
}

/* Everything in the folder must belong to the user that the server runs as. */
static struct err *give_to_user(const struct dry_start *dry, const char *path)
{
    if (geteuid() != 0) {
        return NULL;
    }
    const char *user = dry->driver->cluster->service_user;
    char text[16 * 1024];
    struct passwd entry;
    struct passwd *found = NULL;
    if (getpwnam_r(user, &entry, text, sizeof(text), &found) != 0 || found == NULL) {
        return err_code(err_new(ERR_INVALID, user, "no such user on this host"), "user_unknown");
    }
    if (chown(path, entry.pw_uid, entry.pw_gid) != 0) {
        return refuse_folder(path, "cannot hand a file over");
    }
    return NULL;
}

static struct err *make_folder(struct dry_start *dry)
{
    const char *base = getenv("TMPDIR");
    dry->folder = mem_format("%s/upshift-dry-XXXXXX", base == NULL ? "/tmp" : base);
    if (mkdtemp(dry->folder) == NULL) { /* mode 0700: the copy may hold passwords */
        struct err *err = refuse_folder(dry->folder, "cannot make a folder");
        free(dry->folder);
        dry->folder = NULL;
        return err;
    }
    dry->log_file = arena_format(dry->arena, "%s/log", dry->folder);
    return give_to_user(dry, dry->folder);
}

static struct err *write_dry_file(
    const struct dry_start *dry, const char *name, const struct buf *content)
{
    AUTO_FREE char *path = mem_format("%s/%s", dry->folder, name);
    struct err *err = fs_write(path, buf_text(content), content->size, 0600);
    return err == NULL ? give_to_user(dry, path) : err;
}

/* A relative name is seen from where the server is started. */
static struct err *copy_acl_file(const struct dry_start *dry, const char *name)
{
    AUTO_BUF content = {0};
    bool exists = false;
    AUTO_FREE char *path =
        *name == '/' ? mem_strdup(name) : mem_format("%s/%s", dry->node->directory, name);
    struct err *err = host_read_file(
        dry->call, dry->driver->host, dry->node, path, FILE_SIZE_MAX, &exists, &content);
    if (err == NULL) {
        err = write_dry_file(dry, "users.acl", &content); /* missing: empty, as for a new server */
    }
    return err;
}

static bool is_placed(const char *word)
{
    for (size_t i = 0; i < ARRAY_COUNT(placed); i++) {
        if (strcasecmp(word, placed[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* What of the node's own lines has to be given again in another form. */
struct replaced {
    const char *acl_file; /* in the arena of copy_lines */
    bool has_tls_port;
};

static void copy_lines(
    struct arena *arena, struct str text, struct buf *copy, struct replaced *ret_replaced)
{
    struct str line;
    while (str_cut(&text, '\n', &line)) {
        const char **words;
        size_t count;
        const bool is_split = redis_config_split(arena, line, &words, &count);
        if (!is_split || count == 0 || !is_placed(words[0])) {
            buf_append_str(copy, line);
        } else if (count == 2 && strcasecmp(words[0], "aclfile") == 0 && *words[1] != '\0') {
            ret_replaced->acl_file = words[1];
        } else if (count == 2 && strcasecmp(words[0], "tls-port") == 0) {
            ret_replaced->has_tls_port = strcmp(words[1], "0") != 0;
        }
        buf_append_char(copy, '\n');
    }
}

static struct err *append_ours(
    const struct dry_start *dry, const struct replaced *replaced, struct buf *copy)
{
    buf_printf(copy,
        "port %lld\nbind 127.0.0.1\ndir \"%s\"\ndaemonize no\npidfile \"\"\nlogfile \"\"\n"
        "supervised no\nsyslog-enabled no\nunixsocket \"\"\ncluster-config-file nodes.conf\n",
        (long long)dry->port, dry->folder);
    if (dry->dump != NULL) {
        buf_append_text(copy, "appendonly no\nsave \"\"\ndbfilename dump.rdb\n");
    }
    struct err *err = NULL;
    if (replaced->has_tls_port) {
        int64_t tls_port = 0;
        err = find_port(dry, &tls_port);
        buf_printf(copy, "tls-port %lld\n", (long long)tls_port);
    }
    if (err == NULL && replaced->acl_file != NULL) {
        buf_printf(copy, "aclfile \"%s/users.acl\"\n", dry->folder);
        err = copy_acl_file(dry, replaced->acl_file);
    }
    return err;
}

static struct err *copy_config(const struct dry_start *dry)
{
    AUTO_BUF text = {0};
    AUTO_BUF copy = {0};
    AUTO_ARENA scratch = {0};
    bool exists = false;
    struct err *err = host_read_file(dry->call, dry->driver->host, dry->node,
        dry->node->config_file, FILE_SIZE_MAX, &exists, &text);
    if (err != NULL) {
        return err;
    }
    if (!exists) {
        err = err_new(ERR_INVALID, dry->node->config_file, "there is no such file");
        return err_code(err, "config_missing");
    }
    struct replaced replaced = {0};
    copy_lines(&scratch, (struct str){buf_text(&text), text.size}, &copy, &replaced);
    err = append_ours(dry, &replaced, &copy);
    return err == NULL ? write_dry_file(dry, "dry.conf", &copy) : err;
}

static bool has_process_ended(int handle, int wait_ms)
{
    struct pollfd waited = {.fd = handle, .events = POLLIN};
    return poll(&waited, 1, wait_ms) > 0;
}

/* Any answer will do: without a password it is an error. */
static bool does_answer(const struct dry_start *dry, const struct call *call)
{
    const struct endpoint endpoint = {.host = "127.0.0.1", .port = dry->port};
    struct stream *stream = NULL;
    AUTO_BUF reply = {0};
    struct err *err = stream_connect(call, &endpoint, &stream);
    if (err == NULL) {
        err = stream_send(call, stream, "PING\r\n", 6);
    }
    if (err == NULL) {
        err = stream_receive(call, stream, &reply);
    }
    stream_close(stream);
    err_free(err);
    return reply.size > 0;
}

static void end_server(int handle)
{
    (void)pidfd_send_signal(handle, SIGTERM, NULL, 0);
    if (!has_process_ended(handle, DRY_STOP_MS)) {
        (void)pidfd_send_signal(handle, SIGKILL, NULL, 0);
        (void)has_process_ended(handle, DRY_STOP_MS);
    }
}

/* The server's log so far; none is an empty one. */
static void read_dry_log(const struct dry_start *dry, struct buf *ret_log)
{
    err_free(fs_read(dry->log_file, FILE_SIZE_MAX, ret_log));
}

/* With a dump it answers already while it loads. */
static bool has_loaded(const struct dry_start *dry)
{
    AUTO_BUF log = {0};
    read_dry_log(dry, &log);
    return strstr(buf_text(&log), "Ready to accept connections") != NULL;
}

enum verdict { VERDICT_GOOD, VERDICT_ENDED, VERDICT_SILENT };

static enum verdict watch_server(const struct dry_start *dry, int handle)
{
    const struct call *call = dry->call;
    struct call one = *call;
    const int64_t longest_ms = dry->dump == NULL ? DRY_START_MS_MAX : DUMP_MS_MAX;
    const int64_t latest_ms = clock_now_ms(call->clock) + longest_ms;
    one.deadline_ms = call->deadline_ms < latest_ms ? call->deadline_ms : latest_ms;
    while (call_left_ms(&one) > 0) {
        if (has_process_ended(handle, DRY_LOOK_MS)) {
            return VERDICT_ENDED;
        }
        if (dry->dump == NULL ? does_answer(dry, &one) : has_loaded(dry)) {
            return VERDICT_GOOD;
        }
    }
    return VERDICT_SILENT;
}

/* "123:M 21 Nov 2026 02:00:00.000 # Failed to load": the words behind the level mark. */
static struct str cut_log_prefix(struct str line)
{
    const bool has_prefix = line.size > 0 && isdigit((unsigned char)line.data[0]);
    for (size_t i = 0; has_prefix && i + 2 < line.size; i++) {
        if (line.data[i] == ' ' && strchr("#*-.", line.data[i + 1]) != NULL &&
            line.data[i + 2] == ' ') {
            return (struct str){line.data + i + 3, line.size - i - 3};
        }
    }
    return line;
}

/* The line in question as the server quotes it. Of one that may hold a secret the name alone: then
 * the server's remark is left out as well, because it may repeat a word of it. */
static void append_quoted(
    struct arena *arena, struct str line, struct buf *message, bool *ret_is_secret)
{
    struct str quoted = str_trim((struct str){line.data + 3, line.size - 3});
    if (quoted.size >= 2 && quoted.data[0] == '\'') {
        quoted = (struct str){quoted.data + 1, quoted.size - 2};
    }
    struct str rest = quoted;
    struct str name;
    (void)str_cut(&rest, ' ', &name);
    *ret_is_secret = redis_config_is_secret(arena_strndup(arena, name.data, name.size));
    buf_append_str(message, *ret_is_secret ? name : quoted);
    buf_append_text(message, ": ");
}

/* Redis and Valkey complain in four lines:
 *     *** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***
 *     Reading the configuration file, at line 3
 *     >>> 'no-such-thing 1'
 *     Bad directive or wrong number of arguments
 * Everything else is in the last line of the log. */
static const char *read_complaint(const struct dry_start *dry)
{
    AUTO_BUF log = {0};
    AUTO_BUF message = {0};
    read_dry_log(dry, &log);
    struct str rest = {buf_text(&log), log.size};
    struct str line;
    struct str last = {NULL, 0};
    bool is_secret = false;
    while (str_cut(&rest, '\n', &line)) {
        line = str_trim(line);
        if (str_starts_with(line, ">>>")) {
            append_quoted(dry->arena, line, &message, &is_secret);
        }
        last = line.size > 0 ? line : last;
    }
    buf_append_str(
        &message, is_secret ? STR("the server does not accept it") : cut_log_prefix(last));
    if (message.size == 0) {
        return "the server ended without a word";
    }
    const size_t size = message.size < MESSAGE_SIZE_MAX ? message.size : MESSAGE_SIZE_MAX;
    return arena_strndup(dry->arena, message.data, size);
}

/* Ends the server also when upshift is killed meanwhile: nobody else would (seen once). It passes
 * SIGTERM on, kills what does not obey it within 2 s, and ends as the server ends. */
static const char limiter[] = "/usr/bin/timeout";

static struct err *run_server(const struct dry_start *dry, struct fact_dry_start *ret_dry_start)
{
    const char *config = arena_format(dry->arena, "%s/dry.conf", dry->folder);
    if (access(dry->server, X_OK) != 0) {
        return err_code(err_errno(ERR_INVALID, dry->server, "the program cannot be started"),
            "program_not_started");
    }
    const char *const argv[] = {
        limiter, "--kill-after=2", dry->dump == NULL ? "30" : "3600", dry->server, config, NULL};
    const struct spawn_daemon daemon = {.argv = argv,
        .directory = dry->node->directory, /* relative names in the file are seen from there */
        .log_file = dry->log_file,
        .user = geteuid() == 0 ? dry->driver->cluster->service_user : NULL};
    pid_t pid = 0;
    struct err *err = spawn_daemon(&daemon, &pid);
    if (err != NULL) {
        return err;
    }
    enum verdict verdict = VERDICT_ENDED;
    AUTO_CLOSE handle = pidfd_open(pid, 0);
    if (handle >= 0) {
        verdict = watch_server(dry, handle);
        end_server(handle);
    } else if (errno != ESRCH) {
        return err_errno(ERR_INTERNAL, dry->server, "cannot follow process %d", (int)pid);
    }
    *ret_dry_start = (struct fact_dry_start){
        .node = arena_strdup(dry->arena, dry->node->name), .is_good = verdict == VERDICT_GOOD};
    if (verdict == VERDICT_ENDED) {
        ret_dry_start->message = read_complaint(dry);
    } else if (verdict == VERDICT_SILENT) {
        ret_dry_start->message = "the server does not answer in time";
    }
    return NULL;
}

/* The dump stays where it is; its owner is the server's user. */
static struct err *link_dump(const struct dry_start *dry)
{
    AUTO_FREE char *path = mem_format("%s/dump.rdb", dry->folder);
    return dry->dump == NULL || symlink(dry->dump, path) == 0
               ? NULL
               : refuse_folder(path, "cannot point at the dump");
}

static struct err *make_dry_start(struct dry_start *dry, struct fact_dry_start *ret_dry_start)
{
    struct err *err = check_dry_user(dry);
    if (err == NULL) {
        err = make_folder(dry);
    }
    if (err == NULL) {
        err = find_port(dry, &dry->port);
    }
    if (err == NULL) {
        err = copy_config(dry);
    }
    if (err == NULL) {
        err = link_dump(dry);
    }
    return err == NULL ? run_server(dry, ret_dry_start) : err;
}

static void clear_dry_start(struct dry_start *dry)
{
    if (dry->folder != NULL) {
        err_free(fs_remove_tree(dry->folder)); /* what is left of it hurts nobody */
        free(dry->folder);
    }
}

/* "Done loading RDB, keys loaded: 5, keys expired: 0." since 6.2; -1 without. */
static int64_t count_loaded(const struct dry_start *dry)
{
    AUTO_BUF log = {0};
    read_dry_log(dry, &log);
    const char *loaded = strstr(buf_text(&log), "keys loaded: ");
    const char *expired = loaded == NULL ? NULL : strstr(loaded, "keys expired: ");
    return expired == NULL ? -1
                           : strtoll(loaded + strlen("keys loaded: "), NULL, 10) +
                                 strtoll(expired + strlen("keys expired: "), NULL, 10);
}

struct err *redis_try_dump(const struct call *call, struct topology *topology,
    const struct inv_node *node, const char *server, const char *dump, int64_t *ret_key_count)
{
    AUTO_ARENA arena = {0};
    struct dry_start dry = {.call = call,
        .driver = REDIS_DRIVER_OF(topology, topology),
        .node = node,
        .server = server,
        .dump = dump,
        .arena = &arena};
    struct fact_dry_start result = {0};
    struct err *err = make_dry_start(&dry, &result);
    if (err == NULL && !result.is_good) {
        err = err_new(ERR_REFUSED, dump, "the server does not load it: %s", result.message);
        err = err_hint(err_code(err, "dump_unusable"), "look at the dump with redis-check-rdb");
    } else if (err == NULL) {
        *ret_key_count = count_loaded(&dry);
    }
    clear_dry_start(&dry);
    return err == NULL ? NULL : err_wrap(err, node->name, "cannot check the dump");
}

struct err *redis_dry_start(const struct call *call, struct topology *topology,
    const struct inv_node *node, const char *server, struct arena *arena,
    struct fact_dry_start *ret_dry_start)
{
    struct dry_start dry = {.call = call,
        .driver = REDIS_DRIVER_OF(topology, topology),
        .node = node,
        .server = server,
        .arena = arena};
    struct err *err = make_dry_start(&dry, ret_dry_start);
    clear_dry_start(&dry);
    return err == NULL ? NULL : err_wrap(err, node->name, "cannot dry-start the configuration");
}
