#include "probe_case.h"

#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "probe/control.h"
#include "probe/lines.h"

const struct probe_limits probe_case_limits = {.no_progress_ms = 300, .secret_every_ms = 100};

void probe_case_init(struct probe_case *test, const char *password)
{
    *test = (struct probe_case){.fake = fake_redis_start(password)};
    memcpy(test->directory, "/tmp/upshift-probe-XXXXXX", sizeof("/tmp/upshift-probe-XXXXXX"));
    assert_non_null(mkdtemp(test->directory));
    (void)snprintf(test->node, sizeof(test->node), "127.0.0.1:%d", fake_redis_port(test->fake, 0));
    test->nodes[0] = test->node;
    test->config = (struct probe_config){
        .run = "none",
        .cluster = "fake",
        .nodes = test->nodes,
        .node_count = 1,
        .mode = "write",
        .rate = 200,
        .keys_max = 100000,
        .ttl_s = 3600,
        .linger_s = 30,
        .seconds = 1,
        .directory = test->directory,
        .incarnation = "one",
        .limits = &probe_case_limits,
    };
}

void probe_case_release(struct probe_case *test)
{
    fake_redis_stop(test->fake);
    AUTO_ERR err = fs_remove_tree(test->directory);
    assert_null(err);
    arena_release(&test->arena);
}

static void add_block(struct probe_sums *sums, const struct probe_block *block)
{
    assert_int_equal(block->index, sums->block_count);
    sums->block_count++;
    sums->all.intended += block->intended;
    sums->all.reads += block->reads;
    sums->all.writes += block->writes;
    sums->all.ok += block->ok;
    sums->all.raw_failed += block->raw_failed;
    sums->all.failed += block->failed;
    sums->all.fresh += block->fresh;
    sums->all.redirected += block->redirected;
    sums->all.wrong += block->wrong;
    sums->all.stalled_us += block->stalled_us;
    if (block->latency_max_us > sums->all.latency_max_us) {
        sums->all.latency_max_us = block->latency_max_us;
    }
    int64_t latency_count = 0;
    for (size_t i = 0; i < block->latency_count; i++) {
        latency_count += block->latencies[i].count;
    }
    assert_int_equal(latency_count, block->ok);
    for (size_t i = 0; i < block->acked_count; i++) {
        sums->acked += block->acked[i].to - block->acked[i].from + 1;
    }
}

static void add_line(
    struct probe_case *test, const char *kind, const struct json *line, struct probe_sums *sums)
{
    struct err *err = NULL;
    if (strcmp(kind, "block") == 0) {
        struct probe_block block = {0};
        err = codec_read(&probe_block_codec, line, &test->arena, "test", &block);
        add_block(sums, &block);
    } else if (strcmp(kind, "error") == 0 && sums->error_count < PROBE_CASE_ERROR_COUNT_MAX) {
        struct probe_error *error = &sums->errors[sums->error_count++];
        err = codec_read(&probe_error_codec, line, &test->arena, "test", error);
    } else if (strcmp(kind, "mark") == 0) {
        err = codec_read(&probe_mark_codec, line, &test->arena, "test", &sums->last_mark);
        sums->mark_count++;
    } else if (strcmp(kind, "readback") == 0) {
        sums->last_readback = (struct probe_readback){0};
        err = codec_read(&probe_readback_codec, line, &test->arena, "test", &sums->last_readback);
        sums->readback_count++;
    } else if (strcmp(kind, "final") == 0) {
        err = codec_read(&probe_final_codec, line, &test->arena, "test", &sums->final);
        sums->has_final = true;
    }
    assert_null(err);
}

void probe_case_read(struct probe_case *test, const char *incarnation, struct probe_sums *ret_sums)
{
    *ret_sums = (struct probe_sums){0};
    AUTO_FREE char *path = mem_format("%s/%s.log", test->directory, incarnation);
    struct lines lines;
    AUTO_ERR err = lines_open(path, &lines);
    assert_null(err);
    const char *kind;
    struct json *line;
    while (lines_next(&lines, &kind, &line)) {
        add_line(test, kind, line, ret_sums);
        js_free(line);
    }
    ret_sums->is_whole = !lines.is_broken;
    lines_close(&lines);
}

void probe_case_run(struct probe_case *test, struct probe_sums *ret_sums)
{
    struct probe_final final;
    AUTO_ERR err = probe_run(&test->config, NULL, &final);
    assert_null(err);
    probe_case_read(test, test->config.incarnation, ret_sums);
    assert_true(ret_sums->is_whole);
    assert_true(ret_sums->has_final);
    assert_int_equal(final.intended, ret_sums->all.intended);
    assert_int_equal(ret_sums->all.ok + ret_sums->all.failed, ret_sums->all.intended);
    assert_int_equal(ret_sums->all.reads + ret_sums->all.writes, ret_sums->all.intended);
}

/* Executed, not only forked: the servers here are threads, and what a fork of them holds locked
 * stays locked in the child. */
static pid_t start_child(const struct probe_case *test, const char *mode)
{
    AUTO_JSON config = codec_write(&probe_config_codec, &test->config);
    AUTO_FREE char *text = js_write(config);
    FILE *input = tmpfile();
    assert_non_null(input);
    assert_true(fputs(text, input) >= 0);
    assert_int_equal(fflush(input), 0);
    assert_int_equal(lseek(fileno(input), 0, SEEK_SET), 0);
    posix_spawn_file_actions_t actions;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, fileno(input), STDIN_FILENO), 0);
    char path[] = PROBE_CHILD;
    char *argv[] = {path, (char *)(uintptr_t)mode, NULL};
    pid_t pid;
    assert_int_equal(posix_spawn(&pid, PROBE_CHILD, &actions, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)fclose(input);
    return pid;
}

pid_t probe_case_start(const struct probe_case *test)
{
    return start_child(test, NULL);
}

pid_t probe_case_start_without_room(const struct probe_case *test)
{
    return start_child(test, "without-room");
}

void probe_case_wait(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void probe_case_tell(const struct probe_case *test, const char *text)
{
    AUTO_JSON message = NULL;
    AUTO_ERR parse_err = js_parse(text, strlen(text), "test", &message);
    assert_null(parse_err);
    AUTO_ERR err = probe_control_send(test->directory, message);
    assert_null(err);
}

void probe_case_pause_ms(int64_t duration_ms)
{
    clock_wait_ms(clock_system(), duration_ms);
}
