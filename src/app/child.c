#include "app/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

NO_RETURN static void become(const struct child *child, int input_fd)
{
    /* The thread that forks may block signals for itself; the child must hear its own. */
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setsid();
    const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    int error_fd = nowhere;
    if (child->error_file != NULL) {
        error_fd = open(child->error_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    (void)dup2(input_fd, STDIN_FILENO);
    (void)dup2(child->output_fd >= 0 ? child->output_fd : nowhere, STDOUT_FILENO);
    (void)dup2(error_fd >= 0 ? error_fd : nowhere, STDERR_FILENO);
    (void)execl("/proc/self/exe", "upshift", child->word, (char *)NULL);
    _exit(127);
}

/* Forks twice, so that the process is nobody's child and leaves no zombie. */
static struct err *fork_twice(const struct child *child, int input_fd)
{
    const pid_t middle = fork();
    if (middle == 0) {
        const pid_t last = fork();
        if (last == 0) {
            become(child, input_fd);
        }
        _exit(last < 0 ? 1 : 0);
    }
    int status = 1;
    while (middle > 0 && waitpid(middle, &status, 0) < 0 && errno == EINTR) {
    }
    return middle > 0 && status == 0
               ? NULL
               : err_new(ERR_INTERNAL, child->word, "cannot start another process of upshift");
}

struct err *child_start(const struct child *child)
{
    FILE *input = tmpfile(); /* a pipe would fill up before anybody reads */
    if (input == NULL || fputs(child->input, input) < 0 || fflush(input) != 0 ||
        lseek(fileno(input), 0, SEEK_SET) != 0) {
        struct err *err =
            err_errno(ERR_INTERNAL, child->word, "cannot hand over what the process needs");
        if (input != NULL) {
            (void)fclose(input);
        }
        return err;
    }
    struct err *err = fork_twice(child, fileno(input));
    (void)fclose(input);
    return err;
}
