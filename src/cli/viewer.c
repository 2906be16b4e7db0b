#include "cli/viewer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/screen.h"
#include "cli/terminal.h"
#include "cli/view_text.h"
#include "engine/control.h"
#include "report/report.h"

enum {
    ANSWER_MS = 10000, /* the engine answers between two records: milliseconds, unless stopped */
    LEAVE_MS = 3000,   /* for how long a snapshot from before a command may still arrive */
    FINISH_MS = 60000, /* an ended run writes its report, then its controller ends */
};

enum show_as { SHOW_SCREEN, SHOW_LINES, SHOW_JSON, SHOW_NOTHING };

struct viewer {
    struct session *session;
    const char *cluster;
    const char *left_state;
    enum show_as show_as;
    struct terminal terminal;
    const char *notice; /* owned by the session's arena */
    int64_t started_ms;
    int64_t finish_by_ms; /* 0: the run has not ended */
    struct control *control;
    int signal_fd;
    struct json *snapshot; /* the last one */
    struct err *failure;   /* why the controller cannot go on */
    size_t interrupt_count;
    bool is_over;
    int exit;
};

static struct call call_for(int64_t limit_ms)
{
    struct clock *clock = clock_system();
    return (struct call){.clock = clock, .deadline_ms = clock_now_ms(clock) + limit_ms};
}

static struct err *ask(
    struct control *control, const struct viewer_order *order, struct json **ret_answer)
{
    AUTO_JSON request = js_object();
    js_put_text(request, "command", order->command);
    if (order->with != NULL) {
        js_put_text(request, "answer", order->with);
    }
    const struct call call = call_for(ANSWER_MS);
    return control_request(&call, control, request, ret_answer);
}

static struct err *connect_to(
    struct session *session, const char *cluster, struct control **ret_control)
{
    const struct call call = call_for(ANSWER_MS);
    return control_connect(&call, session_directory(session, cluster), ret_control);
}

struct err *viewer_ask(struct session *session, const char *cluster,
    const struct viewer_order *order, struct json **ret_answer)
{
    struct control *control = NULL;
    struct err *err = connect_to(session, cluster, &control);
    if (err == NULL) {
        err = ask(control, order, ret_answer);
    }
    control_close(control);
    return err;
}

/* --- showing --- */

static void end_with(struct viewer *viewer, int code)
{
    viewer->is_over = true;
    viewer->exit = code;
}

static bool draw(const struct viewer *viewer)
{
    struct screen screen = {.has_color = viewer->session->has_color, .notice = viewer->notice};
    terminal_measure(&screen.width, &screen.height);
    AUTO_BUF text = {0};
    screen_render(&screen, viewer->snapshot, &text);
    return terminal_draw(buf_text(&text));
}

static bool print_lines(const struct viewer *viewer, const struct json *previous)
{
    AUTO_BUF news = {0};
    view_append_news(previous, viewer->snapshot, &news);
    session_print(viewer->session, buf_text(&news));
    return fflush(stdout) == 0;
}

static bool print_json(const struct viewer *viewer)
{
    AUTO_FREE char *text = js_write(viewer->snapshot);
    (void)printf("%s\n", text);
    return fflush(stdout) == 0;
}

/* Whoever cannot be shown anything has left. */
static void show(struct viewer *viewer, const struct json *previous)
{
    bool is_there = true;
    switch (viewer->show_as) {
    case SHOW_SCREEN:
        is_there = draw(viewer);
        break;
    case SHOW_LINES:
        is_there = print_lines(viewer, previous);
        break;
    case SHOW_JSON:
        is_there = print_json(viewer);
        break;
    case SHOW_NOTHING:
        break;
    }
    if (!is_there) {
        end_with(viewer, EXIT_DETACHED);
    }
}

/* A line of the viewer's own. */
static void show_notice(struct viewer *viewer, const char *text)
{
    if (viewer->show_as == SHOW_SCREEN) {
        viewer->notice = text;
        (void)draw(viewer);
    } else {
        (void)fprintf(stderr, "%s\n", text);
    }
}

/* --- the end --- */

static const char *find_report(const struct viewer *viewer, const char *ending)
{
    struct session *session = viewer->session;
    const char *run = js_get_text(viewer->snapshot, "run");
    const char *path = arena_format(&session->arena, "%s/%s.%s",
        session_directory(session, viewer->cluster), run == NULL ? "" : run, ending);
    return fs_exists(path) ? path : NULL;
}

/* The report of a run that has ended says best what it came to. */
static void append_proof(const struct viewer *viewer, struct buf *text)
{
    const char *path = find_report(viewer, "json");
    AUTO_JSON report = NULL;
    AUTO_ERR err = path == NULL ? NULL : report_load(path, &report);
    if (report != NULL) {
        report_write_text(report, text);
        buf_append_char(text, '\n');
    }
}

static void show_end(struct viewer *viewer)
{
    struct session *session = viewer->session;
    AUTO_BUF text = {0};
    if (viewer->show_as == SHOW_SCREEN) {
        struct screen screen = {.has_color = session->has_color, .is_last = true};
        terminal_measure(&screen.width, &screen.height);
        screen_render(&screen, viewer->snapshot, &text);
        terminal_close(&viewer->terminal);
        (void)fputs(buf_text(&text), stdout); /* made safe by the renderer */
        (void)fputc('\n', stdout);
        buf_clear(&text);
    }
    if (viewer->finish_by_ms != 0) {
        append_proof(viewer, &text);
    }
    view_append_end(viewer->snapshot, find_report(viewer, "html"), &text);
    session_print(session, buf_text(&text));
}

static int64_t exit_of(const struct viewer *viewer)
{
    return js_get_number(viewer->snapshot, "exit", -1);
}

static void end_in_order(struct viewer *viewer)
{
    show_end(viewer);
    end_with(viewer, (int)exit_of(viewer));
}

/* --- snapshots --- */

/* A snapshot made before the command took effect says nothing about its end. */
static bool is_stale(const struct viewer *viewer)
{
    return viewer->left_state != NULL &&
           text_equal(js_get_text(viewer->snapshot, "state"), viewer->left_state) &&
           clock_now_ms(clock_system()) - viewer->started_ms < LEAVE_MS;
}

/* After these the controller writes the report and ends; until then its viewers wait. */
static bool has_ended(const struct viewer *viewer)
{
    static const char *const finals[] = {
        "COMPLETE", "ABORTED", "REFUSED", "ROLLED_BACK", "ABANDONED"};
    const char *state = js_get_text(viewer->snapshot, "state");
    bool is_final = false;
    for (size_t i = 0; i < ARRAY_COUNT(finals); i++) {
        is_final = is_final || text_equal(state, finals[i]);
    }
    return is_final;
}

static void take_snapshot(struct viewer *viewer, struct json *snapshot)
{
    struct json *previous = viewer->snapshot;
    viewer->snapshot = snapshot;
    show(viewer, previous);
    js_free(previous);
    if (viewer->is_over || exit_of(viewer) < 0 || is_stale(viewer)) {
        return;
    }
    if (!has_ended(viewer)) {
        end_in_order(viewer);
    } else if (viewer->finish_by_ms == 0) {
        viewer->finish_by_ms = clock_now_ms(clock_system()) + FINISH_MS;
    }
}

static void lose_controller(struct viewer *viewer)
{
    if (exit_of(viewer) >= 0) {
        end_in_order(viewer);
        return;
    }
    terminal_close(&viewer->terminal);
    (void)fprintf(stderr,
        "the controller ended unexpectedly; the run is safe: `upshift resume %s`\n",
        viewer->cluster);
    end_with(viewer, EXIT_PAUSED);
}

static void on_control(struct viewer *viewer)
{
    do {
        struct json *snapshot = NULL;
        const struct call call = call_for(ANSWER_MS);
        struct err *err = control_next(&call, viewer->control, &snapshot);
        if (err != NULL) {
            viewer->failure = err;
            viewer->is_over = true;
        } else if (snapshot == NULL) {
            lose_controller(viewer);
        } else {
            take_snapshot(viewer, snapshot);
        }
    } while (!viewer->is_over && control_has_next(viewer->control));
}

/* --- the operator --- */

static const char *say_no(struct viewer *viewer, const char *command, const struct json *answer)
{
    const char *what = js_get_text(js_get(answer, "error"), "what");
    return arena_format(
        &viewer->session->arena, "no %s: %s", command, what == NULL ? "refused" : what);
}

static void on_interrupt(struct viewer *viewer)
{
    const bool is_first = viewer->interrupt_count++ == 0;
    const struct viewer_order order = {is_first ? "pause" : "abort", NULL};
    AUTO_JSON answer = NULL;
    AUTO_ERR err = viewer_ask(viewer->session, viewer->cluster, &order, &answer);
    if (err != NULL) {
        return; /* the controller is gone: its connection tells, too */
    }
    if (!js_get_bool(answer, "ok", false)) {
        show_notice(viewer, say_no(viewer, order.command, answer));
    } else if (is_first) {
        show_notice(viewer,
            arena_format(&viewer->session->arena,
                "pausing; go on with `upshift resume %s`; Ctrl-C again aborts", viewer->cluster));
    } else {
        show_notice(viewer, "aborting: temporary changes are taken back, versions stay");
    }
}

/* Gives the terminal back before stopping, and takes it again afterwards. */
static void on_stop(struct viewer *viewer)
{
    const bool was_open = viewer->terminal.is_open;
    terminal_close(&viewer->terminal);
    (void)raise(SIGSTOP);
    if (was_open) {
        terminal_open(&viewer->terminal);
        (void)draw(viewer);
    }
}

static void on_signal(struct viewer *viewer)
{
    struct signalfd_siginfo info;
    if (read(viewer->signal_fd, &info, sizeof(info)) != sizeof(info)) {
        return;
    }
    switch (info.ssi_signo) {
    case SIGINT:
        on_interrupt(viewer);
        break;
    case SIGTSTP:
        on_stop(viewer);
        break;
    case SIGWINCH:
        if (viewer->show_as == SHOW_SCREEN) {
            (void)draw(viewer);
        }
        break;
    default: /* SIGTERM, SIGHUP: only the viewer ends */
        end_with(viewer, EXIT_DETACHED);
        break;
    }
}

static void on_key(struct viewer *viewer)
{
    char key = 'q'; /* a closed terminal leaves, too */
    if (read(STDIN_FILENO, &key, 1) < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    if (key == 'q') {
        end_with(viewer, EXIT_DETACHED);
    }
}

/* --- the loop --- */

static void watch_once(struct viewer *viewer)
{
    struct pollfd polled[] = {
        {.fd = control_fd(viewer->control), .events = POLLIN},
        {.fd = viewer->signal_fd, .events = POLLIN},
        {.fd = viewer->show_as == SHOW_SCREEN ? STDIN_FILENO : -1, .events = POLLIN},
    };
    if (poll(polled, ARRAY_COUNT(polled), FINISH_MS) < 0) {
        return; /* EINTR only */
    }
    if ((polled[1].revents & POLLIN) != 0) {
        on_signal(viewer);
    }
    if (!viewer->is_over && polled[2].revents != 0) {
        on_key(viewer);
    }
    if (!viewer->is_over && polled[0].revents != 0) {
        on_control(viewer);
    }
    if (!viewer->is_over && viewer->finish_by_ms != 0 &&
        clock_now_ms(clock_system()) > viewer->finish_by_ms) {
        end_in_order(viewer);
    }
}

static struct err *begin(struct viewer *viewer)
{
    AUTO_JSON answer = NULL;
    const struct viewer_order order = {"watch", NULL};
    struct err *err = ask(viewer->control, &order, &answer);
    if (err == NULL) {
        take_snapshot(viewer, js_ref(js_get(answer, "snapshot")));
    }
    return err;
}

static enum show_as choose_show(const struct session *session)
{
    if (session->is_json) {
        return SHOW_JSON;
    }
    if (session->is_quiet) {
        return SHOW_NOTHING;
    }
    return session->has_color && terminal_can_draw() ? SHOW_SCREEN : SHOW_LINES;
}

static struct err *watch(struct viewer *viewer)
{
    struct err *err = connect_to(viewer->session, viewer->cluster, &viewer->control);
    if (err != NULL) {
        return err;
    }
    if (viewer->show_as == SHOW_SCREEN) {
        terminal_open(&viewer->terminal);
    }
    err = begin(viewer);
    while (err == NULL && !viewer->is_over) {
        watch_once(viewer);
    }
    err = err == NULL ? viewer->failure : err;
    terminal_close(&viewer->terminal);
    control_close(viewer->control);
    if (err == NULL && viewer->exit == EXIT_DETACHED) {
        session_say(
            viewer->session, "the run goes on; `upshift watch %s` shows it again", viewer->cluster);
    }
    return err;
}

int viewer_watch(struct session *session, const char *cluster, const char *left_state)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP};
    struct viewer viewer = {
        .session = session,
        .cluster = cluster,
        .left_state = left_state,
        .show_as = choose_show(session),
        .started_ms = clock_now_ms(clock_system()),
    };
    sigset_t handled, before;
    (void)sigemptyset(&handled);
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        (void)sigaddset(&handled, numbers[i]);
    }
    struct sigaction ignore = {.sa_handler = SIG_IGN}, pipe_before;
    (void)sigaction(SIGPIPE, &ignore, &pipe_before); /* a closed pipe only detaches */
    (void)sigprocmask(SIG_BLOCK, &handled, &before);
    viewer.signal_fd = signalfd(-1, &handled, SFD_CLOEXEC);
    struct err *err = watch(&viewer);
    js_free(viewer.snapshot);
    (void)close(viewer.signal_fd);
    if (viewer.exit == EXIT_DETACHED) {
        /* A failed write may have told us first: the SIGHUP that waits must not end us now. */
        (void)signal(SIGHUP, SIG_IGN);
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    (void)sigaction(SIGPIPE, &pipe_before, NULL);
    if (err != NULL) {
        return session_fail(session, err);
    }
    struct json *result = js_object();
    js_put_text(result, "cluster", cluster);
    return session_end(session, viewer.exit, result);
}
