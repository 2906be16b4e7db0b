#include "guard_faults.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/guards.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

static const struct {
    const char *who;
    int controller_signal, own_signal;
} faults_table[] = {
    {"guard", 0, SIGKILL},
    {"both", SIGKILL, SIGKILL},
    {"controller", SIGKILL, 0},
    {"freeze", 0, SIGSTOP},
    {"freeze_controller", SIGSTOP, 0},
};

static pid_t controller_pid(void)
{
    int64_t pid = 0;
    const char *text = getenv("UPSHIFT_CONTROLLER");
    return text != NULL && str_to_int64(str_of(text), &pid) ? (pid_t)pid : 0;
}

/* True for everybody but the first. */
static bool has_happened(void)
{
    const char *path = getenv("UPSHIFT_KILL_ONCE");
    AUTO_CLOSE fd = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return path != NULL && fd < 0;
}

static void suffer(void *UNUSED(context), enum guard_state state)
{
    const char *text = getenv("UPSHIFT_KILL");
    struct str rest = str_of(text);
    struct str who;
    if (text == NULL || !str_cut(&rest, ':', &who) || !str_is(rest, guard_state_names[state]) ||
        has_happened()) {
        return;
    }
    for (size_t i = 0; i < ARRAY_COUNT(faults_table); i++) {
        if (!str_is(who, faults_table[i].who)) {
            continue;
        }
        if (faults_table[i].controller_signal != 0 && controller_pid() > 0) {
            (void)kill(controller_pid(), faults_table[i].controller_signal);
        }
        if (faults_table[i].own_signal != 0) {
            (void)raise(faults_table[i].own_signal);
        }
    }
}

int guard_faults_main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "internal-guard") == 0) {
        return guards_guard_main(suffer);
    }
    if (argc == 2 && strcmp(argv[1], "internal-timer") == 0) {
        return guards_timer_main();
    }
    return -1;
}

void guard_faults_announce(void)
{
    AUTO_FREE char *pid = mem_format("%ld", (long)getpid());
    (void)setenv("UPSHIFT_CONTROLLER", pid, 1);
}
