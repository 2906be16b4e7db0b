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
#include "base/str.h"
#include "cli/view_text.h"
#include "engine/control.h"

enum {
    ANSWER_MS = 10000, /* the engine answers between two records: milliseconds, unless stopped */
    LEAVE_MS = 3000,   /* for how long a snapshot from before a command may still arrive */
};

struct viewer {
    struct session *session;
    const char *cluster;
    const char *left_state;
    int64_t started_ms;
    struct control *control;
    int signal_fd;
    sigset_t signals_before;
    struct json *snapshot; /* the last one */
    size_t interrupt_count;
    bool is_over;
    int exit;
};

static struct call call_for(int64_t limit_ms)
{
    struct clock *clock = clock_system();
    return (struct call){.clock = clock, .deadline_ms = clock_now_ms(clock) + limit_ms};
}

static struct err *ask(struct control *control, const char *command, struct json **ret_answer)
{
    AUTO_JSON request = js_object();
    js_put_text(request, "command", command);
    const struct call call = call_for(ANSWER_MS);
    return control_request(&call, control, request, ret_answer);
}

static struct err *connect_to(
    struct session *session, const char *cluster, struct control **ret_control)
{
    const struct call call = call_for(ANSWER_MS);
    return control_connect(&call, session_directory(session, cluster), ret_control);
}

struct err *viewer_ask(
    struct session *session, const char *cluster, const char *command, struct json **ret_answer)
{
    struct control *control = NULL;
    struct err *err = connect_to(session, cluster, &control);
    if (err == NULL) {
        err = ask(control, command, ret_answer);
    }
    control_close(control);
    return err;
}

/* --- showing --- */

static void show(struct viewer *viewer, const struct json *previous)
{
    const struct session *session = viewer->session;
    if (session->is_json) {
        char *text = js_write(viewer->snapshot);
        (void)printf("%s\n", text);
        free(text);
    } else if (!session->is_quiet) {
        AUTO_BUF news = {0};
        view_append_news(previous, viewer->snapshot, &news);
        (void)fputs(buf_text(&news), stdout);
    }
    (void)fflush(stdout);
}

static void show_end(struct viewer *viewer)
{
    struct session *session = viewer->session;
    const char *run = js_get_text(viewer->snapshot, "run");
    const char *report = arena_format(&session->arena, "%s/%s.html",
        session_directory(session, viewer->cluster), run == NULL ? "" : run);
    AUTO_BUF text = {0};
    view_append_end(viewer->snapshot, fs_exists(report) ? report : NULL, &text);
    session_print(session, buf_text(&text));
}

/* --- what happens --- */

static void end_with(struct viewer *viewer, int code)
{
    viewer->is_over = true;
    viewer->exit = code;
}

/* A snapshot made before the command took effect says nothing about its end. */
static bool is_stale(const struct viewer *viewer)
{
    return viewer->left_state != NULL &&
           text_equal(js_get_text(viewer->snapshot, "state"), viewer->left_state) &&
           clock_now_ms(clock_system()) - viewer->started_ms < LEAVE_MS;
}

static void take_snapshot(struct viewer *viewer, struct json *snapshot)
{
    struct json *previous = viewer->snapshot;
    viewer->snapshot = snapshot;
    show(viewer, previous);
    js_free(previous);
    const int64_t code = js_get_number(snapshot, "exit", -1);
    if (code >= 0 && !is_stale(viewer)) {
        show_end(viewer);
        end_with(viewer, (int)code);
    }
}

static void lose_controller(struct viewer *viewer)
{
    const int64_t code = js_get_number(viewer->snapshot, "exit", -1);
    if (code >= 0) { /* it ended in order, only faster than we looked */
        show_end(viewer);
        end_with(viewer, (int)code);
        return;
    }
    (void)fprintf(stderr,
        "the controller ended unexpectedly; the run is safe: `upshift resume %s`\n",
        viewer->cluster);
    end_with(viewer, EXIT_PAUSED);
}

static void on_control(struct viewer *viewer)
{
    struct json *snapshot = NULL;
    const struct call call = call_for(ANSWER_MS);
    AUTO_ERR err = control_next(&call, viewer->control, &snapshot);
    if (snapshot == NULL) {
        lose_controller(viewer);
    } else {
        take_snapshot(viewer, snapshot);
    }
}

static void on_interrupt(struct viewer *viewer)
{
    const bool is_first = viewer->interrupt_count++ == 0;
    const char *command = is_first ? "pause" : "abort";
    AUTO_JSON answer = NULL;
    AUTO_ERR err = viewer_ask(viewer->session, viewer->cluster, command, &answer);
    if (err != NULL) {
        return; /* the controller is gone: its connection tells, too */
    }
    if (!js_get_bool(answer, "ok", false)) {
        const char *what = js_get_text(js_get(answer, "error"), "what");
        (void)fprintf(
            stderr, "not %s: %s\n", is_first ? "paused" : "aborted", what == NULL ? "?" : what);
        return;
    }
    (void)fprintf(stderr,
        is_first
            ? "pausing at the next safe point; `upshift resume %s` goes on; Ctrl-C again aborts\n"
            : "aborting: temporary changes of %s are taken back\n",
        viewer->cluster);
}

static void on_signal(struct viewer *viewer)
{
    struct signalfd_siginfo info;
    if (read(viewer->signal_fd, &info, sizeof(info)) != sizeof(info)) {
        return;
    }
    if (info.ssi_signo == SIGINT) {
        on_interrupt(viewer);
    } else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGHUP) {
        end_with(viewer, EXIT_DETACHED);
    }
}

static void watch_once(struct viewer *viewer)
{
    struct pollfd polled[] = {
        {.fd = control_fd(viewer->control), .events = POLLIN},
        {.fd = viewer->signal_fd, .events = POLLIN},
    };
    if (poll(polled, ARRAY_COUNT(polled), -1) < 0) {
        return; /* EINTR only */
    }
    if ((polled[1].revents & POLLIN) != 0) {
        on_signal(viewer);
    }
    if (!viewer->is_over && polled[0].revents != 0) {
        on_control(viewer);
    }
}

static struct err *begin(struct viewer *viewer)
{
    struct err *err = connect_to(viewer->session, viewer->cluster, &viewer->control);
    AUTO_JSON answer = NULL;
    if (err == NULL) {
        err = ask(viewer->control, "watch", &answer);
    }
    if (err == NULL) {
        take_snapshot(viewer, js_ref(js_get(answer, "snapshot")));
    }
    return err;
}

int viewer_watch(struct session *session, const char *cluster, const char *left_state)
{
    struct viewer viewer = {
        .session = session,
        .cluster = cluster,
        .left_state = left_state,
        .started_ms = clock_now_ms(clock_system()),
    };
    sigset_t handled;
    (void)sigemptyset(&handled);
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        (void)sigaddset(&handled, numbers[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &handled, &viewer.signals_before);
    viewer.signal_fd = signalfd(-1, &handled, SFD_CLOEXEC);
    struct err *err = begin(&viewer);
    while (err == NULL && !viewer.is_over) {
        watch_once(&viewer);
    }
    control_close(viewer.control);
    js_free(viewer.snapshot);
    (void)close(viewer.signal_fd);
    (void)sigprocmask(SIG_SETMASK, &viewer.signals_before, NULL);
    return err != NULL ? session_fail(session, err) : viewer.exit;
}
