/*
 * The probe as a process of its own, for tests that stop it, kill it, or take its disk away.
 * Configuration from standard input; with an argument, files may not grow.
 */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "probe_case.h"

enum { ROOM = 5000 };

int main(int argc, char **UNUSED(argv))
{
    AUTO_ARENA arena = {0};
    struct probe_config config;
    AUTO_ERR err = probe_read_config(STDIN_FILENO, &arena, &config);
    if (err != NULL) {
        return 2;
    }
    config.limits = &probe_case_limits;
    if (argc > 1) {
        const struct rlimit tight = {.rlim_cur = ROOM, .rlim_max = ROOM};
        (void)signal(SIGXFSZ, SIG_IGN);
        (void)setrlimit(RLIMIT_FSIZE, &tight);
    }
    struct probe_final final;
    AUTO_ERR end = probe_run(&config, NULL, &final);
    const bool is_full = end != NULL && strcmp(end->code, "probe_log_write") == 0;
    return (argc > 1 ? is_full : end == NULL) ? 0 : 1;
}
