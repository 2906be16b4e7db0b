#include "transport/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/mem.h"

/*
 * Between fork and exec only async-signal-safe calls are allowed, because other threads' locks are
 * frozen in the child. So the parent prepares everything (environment, user, groups), and the child
 * makes system calls from a plan. What fails there comes back through a pipe that exec closes:
 *
 *     parent: prepare, fork, read the pipe to its end --------> nothing in it: the program runs
 *     child:        set up -- failed? write {stage, errno} --> exec (closes the pipe)
 */

enum {
    OUTPUT_SIZE_MAX = 1024 * 1024, /* when the request names none */
    OUTPUT_STEP = 16 * 1024,
    DRAIN_STEPS_MAX = 8,
    CANCEL_LOOK_MS = 100, /* how late a cancelled call may notice it */
    FD_FREE_MIN = 10,     /* children's descriptors are moved here before 0..3 are filled */
    FD_REPORT = 3,        /* where the child keeps its end of the report pipe */
    EXIT_NOT_STARTED = 127,
    GROUP_COUNT_MAX = 1024,
};

enum stage {
    STAGE_PID, /* no failure: tells the daemon's pid */
    STAGE_FORK,
    STAGE_STREAMS,
    STAGE_USER,
    STAGE_DIRECTORY,
    STAGE_LOG,
    STAGE_EXEC,
};

static const struct {
    const char *what;
    const char *hint;
} stage_texts[] = {
    [STAGE_FORK] = {"cannot make a second process", "see whether the host is out of processes"},
    [STAGE_STREAMS] = {"cannot set up its input and output", "upshift needs Linux 5.9 or newer"},
    [STAGE_USER] = {"cannot switch to its user", "run as root, or as that user itself"},
    [STAGE_DIRECTORY] = {"cannot enter its working directory",
        "make the directory, readable for the user that the program runs as"},
    [STAGE_LOG] = {"cannot open its log file",
        "let the user that the program runs as write to the log file's folder"},
    [STAGE_EXEC] = {"cannot execute the program",
        "check that the program is there, executable, and made for this machine"},
};

struct report {
    enum stage stage;
    int number; /* errno, or the pid */
};

struct identity {
    uid_t uid;
    gid_t gid;
    gid_t groups[GROUP_COUNT_MAX];
    int group_count;
};

struct child {
    const char *path;
    const char *const *argv;
    char **environment;
    const char *directory;
    const char *log_file; /* NULL: streams[1] and [2] */
    const struct identity *identity;
    int streams[3];
    int report; /* the writing end */
};

extern char **environ;

/* --- in the child ----------------------------------------------------------------------------- */

static void report_write(int fd, enum stage stage, int number)
{
    const struct report report = {stage, number};
    const ssize_t ignored = write(fd, &report, sizeof(report)); /* whole: below PIPE_BUF */
    (void)ignored;
}

NO_RETURN static void give_up(int report_fd, enum stage stage)
{
    report_write(report_fd, stage, errno);
    _exit(EXIT_NOT_STARTED);
}

/* Default dispositions, nothing blocked: the controller blocks signals for its own thread. */
static void reset_signals(void)
{
    const struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) {
        (void)sigaction(number, &standard, NULL); /* refused for SIGKILL and SIGSTOP */
    }
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Puts the three streams on 0..2 and the report on 3, wherever they are now, and closes the rest.
 * Returns the new report descriptor. */
static int place_descriptors(const struct child *child)
{
    int report = fcntl(child->report, F_DUPFD_CLOEXEC, FD_FREE_MIN);
    int streams[3];
    for (int i = 0; i < 3; i++) {
        streams[i] = fcntl(child->streams[i], F_DUPFD_CLOEXEC, FD_FREE_MIN);
    }
    for (int i = 0; i < 3; i++) {
        if (dup2(streams[i], i) < 0) {
            give_up(report, STAGE_STREAMS);
        }
    }
    if (dup3(report, FD_REPORT, O_CLOEXEC) < 0 || close_range(FD_REPORT + 1, ~0U, 0) != 0) {
        give_up(report, STAGE_STREAMS);
    }
    return FD_REPORT;
}

/* System calls, because glibc's functions of these names are not async-signal-safe: they wait for
 * every thread in glibc's list (seen hanging for one of ThreadSanitizer's own). The comparisons
 * catch a 32-bit host, whose calls of these numbers cut ids to 16 bits. */
static bool switch_user(const struct identity *identity)
{
    return syscall(SYS_setgroups, identity->group_count, identity->groups) == 0 &&
           syscall(SYS_setgid, identity->gid) == 0 && syscall(SYS_setuid, identity->uid) == 0 &&
           getgid() == identity->gid && getuid() == identity->uid;
}

/* Opened as the daemon's user: in a folder of that user a link could lead root anywhere. */
static bool redirect_to_log(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
    return fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0 && dup2(fd, STDERR_FILENO) >= 0;
}

NO_RETURN static void child_run(const struct child *child)
{
    const int report = place_descriptors(child);
    if (child->identity != NULL && !switch_user(child->identity)) {
        give_up(report, STAGE_USER);
    }
    if (child->directory != NULL && chdir(child->directory) != 0) {
        give_up(report, STAGE_DIRECTORY);
    }
    if (child->log_file != NULL && !redirect_to_log(child->log_file)) {
        give_up(report, STAGE_LOG);
    }
    reset_signals();
    (void)execve(child->path, (char *const *)(uintptr_t)child->argv, child->environment);
    give_up(report, STAGE_EXEC);
}

/* --- in the parent ---------------------------------------------------------------------------- */

/* Forks with all signals blocked, so that no handler of ours runs in the child; the child unblocks
 * them after it has reset them. */
static pid_t fork_quietly(void)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = fork();
    if (pid != 0) {
        const int number = errno;
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        errno = number;
    }
    return pid;
}

/* Reads the report pipe to its end. Returns the child's failure or NULL. */
static struct err *read_reports(int fd, const char *program, pid_t *ret_pid)
{
    struct report report;
    struct err *err = NULL;
    ssize_t count;
    while ((count = read(fd, &report, sizeof(report))) > 0 || (count < 0 && errno == EINTR)) {
        if (count != sizeof(report)) {
            continue;
        }
        if (report.stage == STAGE_PID) {
            *ret_pid = report.number;
        } else if (err == NULL) {
            err = err_new(ERR_INVALID, program, "%s: %s", stage_texts[report.stage].what,
                strerror(report.number));
            err = err_hint(err, "%s", stage_texts[report.stage].hint);
            err = err_code(err, "program_not_started");
        }
    }
    return err;
}

static void wait_for_exit(pid_t pid, int *ret_status)
{
    while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR) {
    }
}

static bool is_same_variable(const char *a, const char *b)
{
    const size_t size = strcspn(a, "=");
    return strncmp(a, b, size) == 0 && b[size] == '=';
}

/* Ours without those that `added` sets, then `added`. Owns: caller frees the array. */
static char **environment_with(const char *const *added)
{
    size_t ours_count = 0;
    size_t added_count = 0;
    while (environ[ours_count] != NULL) {
        ours_count++;
    }
    while (added != NULL && added[added_count] != NULL) {
        added_count++;
    }
    char **merged = mem_alloc_array(ours_count + added_count + 1, sizeof(*merged));
    size_t count = 0;
    for (size_t i = 0; i < ours_count; i++) {
        bool is_replaced = false;
        for (size_t j = 0; j < added_count; j++) {
            is_replaced = is_replaced || is_same_variable(added[j], environ[i]);
        }
        if (!is_replaced) {
            merged[count++] = environ[i];
        }
    }
    for (size_t i = 0; i < added_count; i++) {
        merged[count++] = (char *)(uintptr_t)added[i];
    }
    return merged;
}

/* Where the PATH has the program; a name with a slash is a path already. NULL: nowhere. */
static char *find_program(const char *name)
{
    if (strchr(name, '/') != NULL) {
        return mem_strdup(name);
    }
    const char *path = getenv("PATH");
    struct str folders = str_of(path == NULL ? "/usr/bin:/bin" : path);
    struct str folder;
    while (str_cut(&folders, ':', &folder)) {
        char *candidate = mem_format(STR_FMT "/%s", STR_ARG(folder), name);
        if (folder.size > 0 && access(candidate, X_OK) == 0) {
            return candidate;
        }
        free(candidate);
    }
    return NULL;
}

/* --- spawn_run -------------------------------------------------------------------------------- */

void spawn_result_release(struct spawn_result *result)
{
    buf_release(&result->output);
    buf_release(&result->errors);
    *result = (struct spawn_result){0};
}

enum { PIPE_OUTPUT, PIPE_ERRORS, PIPE_REPORT, PIPE_COUNT };

struct pipes {
    int readers[PIPE_COUNT];
    int writers[PIPE_COUNT];
};

static void pipes_release(struct pipes *pipes)
{
    for (int i = 0; i < PIPE_COUNT; i++) {
        fs_close_slot(&pipes->readers[i]);
        fs_close_slot(&pipes->writers[i]);
    }
}

/* Output is read without blocking; the report is waited for. */
static bool pipes_open(struct pipes *pipes)
{
    for (int i = 0; i < PIPE_COUNT; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) {
            return false;
        }
        pipes->readers[i] = ends[0];
        pipes->writers[i] = ends[1];
        if (i != PIPE_REPORT && fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) {
            return false;
        }
    }
    return true;
}

struct running {
    pid_t pid;
    int exited;   /* pidfd: readable once the child has ended */
    int *streams; /* PIPE_OUTPUT and PIPE_ERRORS; of the pipes */
    struct buf *contents[PIPE_REPORT];
    size_t size_max;
};

/* Moves what a stream holds into its buffer; closes it at its end. Bounded, so that a child that
 * never stops talking cannot keep us from looking at the time; a pipe holds less than that. */
static void drain(struct running *running, int index)
{
    struct buf *content = running->contents[index];
    char bytes[OUTPUT_STEP];
    ssize_t count = 1;
    for (int i = 0; i < DRAIN_STEPS_MAX && count > 0; i++) {
        count = read(running->streams[index], bytes, sizeof(bytes));
        const size_t room = running->size_max - content->size;
        if (count > 0) {
            buf_append(content, bytes, (size_t)count < room ? (size_t)count : room);
        }
    }
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
        fs_close_slot(&running->streams[index]);
    }
}

static void drain_both(struct running *running)
{
    for (int i = 0; i < PIPE_REPORT; i++) {
        if (running->streams[i] >= 0) {
            drain(running, i);
        }
    }
}

/* Collects output until the child ends; false when its time was over first. */
static bool follow(const struct call *call, struct running *running)
{
    for (;;) {
        const int64_t left_ms = call_left_ms(call);
        if (left_ms == 0) {
            return false;
        }
        struct pollfd waited[] = {
            {.fd = running->exited, .events = POLLIN},
            {.fd = running->streams[0], .events = POLLIN}, /* a closed one is -1: ignored */
            {.fd = running->streams[1], .events = POLLIN},
        };
        const int timeout_ms = (int)(left_ms < CANCEL_LOOK_MS ? left_ms : CANCEL_LOOK_MS);
        if (poll(waited, ARRAY_COUNT(waited), timeout_ms) <= 0) {
            continue;
        }
        drain_both(running);
        if (waited[0].revents != 0) {
            return true;
        }
    }
}

/* Ends the group whole, also what the child left behind: spawn_daemon() is for what shall stay. The
 * child is reaped only afterwards, so that its number cannot belong to somebody else yet. */
static void finish(
    const struct call *call, struct running *running, struct spawn_result *ret_result)
{
    const bool has_ended = follow(call, running);
    (void)kill(-running->pid, SIGKILL);
    int status = 0;
    wait_for_exit(running->pid, &status);
    drain_both(running);
    ret_result->is_timeout = !has_ended;
    ret_result->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    ret_result->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* A file in memory: unlike a pipe it cannot fill up, and a child that reads nothing costs us no
 * SIGPIPE. */
static int input_open(const char *text)
{
    if (text == NULL) {
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    int fd = memfd_create("input", MFD_CLOEXEC);
    struct err *err = fd < 0 ? NULL : fs_write_fd(fd, NULL, text, strlen(text));
    if (err != NULL || fd < 0 || lseek(fd, 0, SEEK_SET) != 0) {
        err_free(err);
        fs_close_slot(&fd);
        return -1;
    }
    return fd;
}

/* The parent-death signal follows the thread that forks: here it waits for the child, so it lives
 * as long as the child does. The signal reaches the child alone, not its group. */
static pid_t fork_child(const struct child *child)
{
    const pid_t parent = getpid();
    const pid_t pid = fork_quietly();
    if (pid == 0) {
        (void)setpgid(0, 0);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) { /* it died before the line above */
            _exit(EXIT_NOT_STARTED);
        }
        child_run(child);
    }
    if (pid > 0) {
        (void)setpgid(pid, pid); /* both sides do it, so neither has to wait for the other */
    }
    return pid;
}

static struct err *short_of(const char *program, const char *what)
{
    struct err *err = err_errno(ERR_UNREACHABLE, program, "no %s left to start it", what);
    return err_hint(err, "see what uses up this host's %s, then try again", what);
}

/* Follows a child that has been forked to its end. */
static struct err *run_to_end(const struct call *call, const struct spawn_request *request,
    pid_t pid, struct pipes *pipes, struct spawn_result *ret_result)
{
    pid_t unused;
    struct err *err = read_reports(pipes->readers[PIPE_REPORT], request->argv[0], &unused);
    AUTO_CLOSE exited = (int)syscall(SYS_pidfd_open, pid, 0);
    if (err == NULL && exited < 0) {
        err = short_of(request->argv[0], "descriptors");
    }
    if (err != NULL) {
        (void)kill(-pid, SIGKILL);
        int status;
        wait_for_exit(pid, &status);
        return err;
    }
    struct spawn_result result = {0};
    struct running running = {
        .pid = pid,
        .exited = exited,
        .streams = pipes->readers,
        .contents = {&result.output, &result.errors},
        .size_max = request->output_size_max == 0 ? OUTPUT_SIZE_MAX : request->output_size_max,
    };
    finish(call, &running, &result);
    *ret_result = result;
    return NULL;
}

struct err *spawn_run(
    const struct call *call, const struct spawn_request *request, struct spawn_result *ret_result)
{
    const char *program = request->argv[0];
    AUTO_FREE char *path = find_program(program);
    if (path == NULL) {
        struct err *err = err_new(ERR_INVALID, program, "no such program on the PATH");
        err = err_hint(err, "install %s, or correct PATH", program);
        return err_code(err, "program_not_started");
    }
    CLEANUP(pipes_release) struct pipes pipes = {{-1, -1, -1}, {-1, -1, -1}};
    AUTO_CLOSE input = input_open(request->input);
    if (input < 0 || !pipes_open(&pipes)) {
        return short_of(program, "descriptors");
    }
    AUTO_FREE char **environment = environment_with(request->environment);
    const struct child child = {
        .path = path,
        .argv = request->argv,
        .environment = environment,
        .directory = request->directory,
        .streams = {input, pipes.writers[PIPE_OUTPUT], pipes.writers[PIPE_ERRORS]},
        .report = pipes.writers[PIPE_REPORT],
    };
    const pid_t pid = fork_child(&child);
    if (pid < 0) {
        return short_of(program, "processes");
    }
    for (int i = 0; i < PIPE_COUNT; i++) {
        fs_close_slot(&pipes.writers[i]);
    }
    return run_to_end(call, request, pid, &pipes, ret_result);
}

/* --- spawn_daemon ----------------------------------------------------------------------------- */

/* Looks the user up. Nothing to switch when we are that user: `ret_identity->group_count` is -1. */
static struct err *find_identity(const char *user, struct identity *ret_identity)
{
    char text[16 * 1024]; /* _SC_GETPW_R_SIZE_MAX is a hint only; entries are short */
    struct passwd entry;
    struct passwd *found = NULL;
    const int failed = getpwnam_r(user, &entry, text, sizeof(text), &found);
    if (found == NULL) {
        struct err *err = err_new(ERR_INVALID, user, "no such user on this host%s%s",
            failed == 0 ? "" : ": ", failed == 0 ? "" : strerror(failed));
        err = err_hint(err, "create the user, or correct its name in the inventory");
        return err_code(err, "user_unknown");
    }
    ret_identity->uid = entry.pw_uid;
    ret_identity->gid = entry.pw_gid;
    ret_identity->group_count = GROUP_COUNT_MAX;
    if (getgrouplist(user, entry.pw_gid, ret_identity->groups, &ret_identity->group_count) < 0) {
        return err_new(ERR_INVALID, user, "the user is in more than %d groups", GROUP_COUNT_MAX);
    }
    if (geteuid() == entry.pw_uid) {
        ret_identity->group_count = -1;
    }
    return NULL;
}

/* The middle process: its end makes the daemon a child of init. */
NO_RETURN static void middle_run(const struct child *child)
{
    (void)setsid();
    const pid_t pid = _Fork(); /* async-signal-safe, unlike fork() */
    if (pid == 0) {
        child_run(child);
    }
    if (pid < 0) {
        give_up(child->report, STAGE_FORK);
    }
    report_write(child->report, STAGE_PID, pid);
    _exit(0);
}

static pid_t fork_middle(const struct child *child)
{
    const pid_t pid = fork_quietly();
    if (pid == 0) {
        middle_run(child);
    }
    return pid;
}

struct err *spawn_daemon(const struct spawn_daemon *daemon, pid_t *ret_pid)
{
    const char *program = daemon->argv[0];
    struct identity identity = {.group_count = -1};
    if (daemon->user != NULL) {
        struct err *err = find_identity(daemon->user, &identity);
        if (err != NULL) {
            return err_wrap(err, program, "cannot start the program as another user");
        }
    }
    AUTO_CLOSE null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int ends[2];
    if (null < 0 || pipe2(ends, O_CLOEXEC) != 0) {
        return short_of(program, "descriptors");
    }
    AUTO_CLOSE reader = ends[0];
    AUTO_CLOSE writer = ends[1];
    const struct child child = {
        .path = program,
        .argv = daemon->argv,
        .environment = environ,
        .directory = daemon->directory,
        .log_file = daemon->log_file,
        .identity = identity.group_count < 0 ? NULL : &identity,
        .streams = {null, null, null},
        .report = writer,
    };
    const pid_t middle = fork_middle(&child);
    if (middle < 0) {
        return short_of(program, "processes");
    }
    fs_close_slot(&writer);
    int status;
    wait_for_exit(middle, &status);
    pid_t pid = -1;
    struct err *err = read_reports(reader, program, &pid);
    if (err == NULL) {
        *ret_pid = pid;
    }
    return err;
}
