#include "app/foreground_probe.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "app/probe_setup.h"
#include "base/fs.h"
#include "base/mem.h"
#include "probe/probe.h"

static atomic_bool is_stopped; /* set by the signal handler, which has no other way to speak */

static void on_stop_signal(int UNUSED(number))
{
    atomic_store(&is_stopped, true);
}

struct telling {
    cli_progress *progress;
    void *context;
};

static void on_progress(void *context, const struct probe_progress *progress)
{
    const struct telling *telling = context;
    if (telling->progress == NULL) {
        return;
    }
    AUTO_FREE char *line =
        progress->is_reading_back
            ? mem_format("%4lld s  reading back %lld acknowledged writes",
                  (long long)progress->elapsed_s, (long long)progress->acked)
            : mem_format(
                  "%4lld s  %lld op/s, p99 %.1f ms, longest %.1f ms; raw failed %lld, failed "
                  "%lld",
                  (long long)progress->elapsed_s, (long long)progress->second_ok,
                  (double)progress->latency_p99_us / 1000.0,
                  (double)progress->latency_max_us / 1000.0, (long long)progress->raw_failed,
                  (long long)progress->failed);
    telling->progress(telling->context, line);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_stop_signal, .sa_flags = (int)SA_RESETHAND};
    (void)sigaction(SIGINT, &action, NULL); /* a second Ctrl-C ends at once */
    (void)sigaction(SIGTERM, &action, NULL);
}

struct err *foreground_probe(struct services *services, const struct cli_request *request,
    const struct cli_probe_options *options, struct json **ret_final)
{
    (void)services;
    const char *temporary = getenv("TMPDIR");
    AUTO_FREE char *directory =
        mem_format("%s/upshift-probe.XXXXXX", temporary == NULL ? "/tmp" : temporary);
    if (mkdtemp(directory) == NULL) {
        return err_errno(ERR_REFUSED, directory, "cannot make a folder for the probe's log");
    }
    AUTO_ARENA arena = {0};
    struct probe_config config;
    probe_setup(request->cluster, &arena, &config);
    config.run = "none";
    config.directory = directory;
    config.mode = options->is_read_only ? "read-only" : "write";
    config.rate = options->rate > 0 ? options->rate : request->cluster->policy.probe.rate;
    config.seconds = options->seconds;
    config.linger_s = 0;
    struct telling telling = {request->progress, request->progress_context};
    const struct probe_observer observer = {on_progress, &telling, &is_stopped};
    catch_signals();
    struct probe_final final = {0};
    struct err *err = probe_run(&config, &observer, &final);
    if (err == NULL) {
        *ret_final = codec_write(&probe_final_codec, &final);
    }
    AUTO_ERR left = fs_remove_tree(directory);
    return err;
}
