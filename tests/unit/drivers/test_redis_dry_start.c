/*
 * test_redis_dry_start.c - dry starts, with shell scripts in the place of a server.
 *
 * A script gets the copied configuration as its argument; what it prints is the server's log.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "drivers/local/local.h"
#include "drivers/redis/redis.h"

enum { CALL_MS = 5000, SHORT_MS = 400 };

struct dry {
    struct inv_cluster cluster;
    struct inv_node node;
    struct host *host;
    struct redis_capabilities redis;
    struct arena arena;
    struct fact_dry_start result;
    int64_t call_ms;
    char folder[64];
    const char *script;
    const char *spare; /* TMPDIR */
};

static void write_dry(const char *path, const char *text, mode_t mode)
{
    AUTO_ERR err = fs_write(path, text, strlen(text), mode);
    assert_null(err);
}

static int open_dry(void **state)
{
    struct dry *dry = mem_alloc(sizeof(*dry));
    (void)snprintf(dry->folder, sizeof(dry->folder), "/tmp/upshift-drytest-XXXXXX");
    assert_non_null(mkdtemp(dry->folder));
    dry->script = arena_format(&dry->arena, "%s/server", dry->folder);
    dry->spare = arena_format(&dry->arena, "%s/spare", dry->folder);
    assert_int_equal(mkdir(dry->spare, 0700), 0);
    assert_int_equal(chmod(dry->folder, 0777), 0);
    assert_int_equal(chmod(dry->spare, 0777), 0);
    assert_int_equal(setenv("TMPDIR", dry->spare, 1), 0);
    dry->node = (struct inv_node){.name = "n1",
        .directory = dry->folder,
        .config_file = arena_format(&dry->arena, "%s/redis.conf", dry->folder)};
    write_dry(dry->node.config_file, "port 7001\n", 0600);
    dry->cluster = (struct inv_cluster){.name = "shop",
        .service_user = geteuid() == 0 ? "nobody" : NULL,
        .nodes = &dry->node,
        .node_count = 1};
    dry->host = local_open();
    dry->call_ms = CALL_MS;
    AUTO_ERR err = redis_open(&dry->cluster, dry->host, &dry->redis);
    assert_null(err);
    *state = dry;
    return 0;
}

static int close_dry(void **state)
{
    struct dry *dry = *state;
    topology_close(dry->redis.topology);
    replication_close(dry->redis.replication);
    settings_close(dry->redis.settings);
    fence_close(dry->redis.fence);
    cutover_close(dry->redis.cutover);
    host_close(dry->host);
    err_free(fs_remove_tree(dry->folder));
    arena_release(&dry->arena);
    free(dry);
    return unsetenv("TMPDIR");
}

static struct err *run_dry(struct dry *dry)
{
    struct clock *clock = clock_system();
    const struct call call = {.clock = clock, .deadline_ms = clock_now_ms(clock) + dry->call_ms};
    return topology_dry_start(
        &call, dry->redis.topology, &dry->node, dry->script, &dry->arena, &dry->result);
}

/* Runs a script; the folder of the dry start must be gone afterwards. */
static void run_script(struct dry *dry, const char *text)
{
    write_dry(dry->script, text, 0755);
    AUTO_ERR err = run_dry(dry);
    assert_null(err);
    assert_string_equal(dry->result.node, "n1");
    assert_int_equal(rmdir(dry->spare), 0);
}

static void expect_message(struct dry *dry, const char *script, const char *message)
{
    run_script(dry, script);
    assert_false(dry->result.is_good);
    assert_string_equal(dry->result.message, message);
}

static void a_complaint_about_a_line_is_given_in_one(void **state)
{
    expect_message(*state,
        "#!/bin/sh\necho '*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***'\n"
        "echo 'Reading the configuration file, at line 3'\n"
        "echo \">>> 'no-such-thing 1'\"\n"
        "echo 'Bad directive or wrong number of arguments'\nexit 1\n",
        "no-such-thing 1: Bad directive or wrong number of arguments");
}

static void a_line_that_may_be_secret_is_not_quoted(void **state)
{
    expect_message(*state,
        "#!/bin/sh\necho \">>> 'user ops on open-sesame'\"\n"
        "echo \"Error in user declaration 'open-sesame': Syntax error\"\nexit 1\n",
        "user: the server does not accept it");
}

static void any_other_complaint_is_the_last_line_without_its_prefix(void **state)
{
    expect_message(*state,
        "#!/bin/sh\necho '12:C 21 Nov 2026 02:00:00.000 * Loading'\n"
        "echo '12:M 21 Nov 2026 02:00:00.001 # Module /x.so failed to load - no such file'\n"
        "echo\nexit 1\n",
        "Module /x.so failed to load - no such file");
}

static void a_server_that_ends_without_a_word_is_not_good(void **state)
{
    expect_message(*state, "#!/bin/sh\nexit 0\n", "the server ended without a word");
}

static void a_server_that_never_answers_is_ended(void **state)
{
    struct dry *dry = *state;
    dry->call_ms = SHORT_MS;
    expect_message(dry, "#!/bin/sh\nexec sleep 60\n", "the server does not answer in time");
}

static void a_server_that_answers_is_good(void **state)
{
    struct dry *dry = *state;
    run_script(dry, "#!/usr/bin/perl\nuse IO::Socket::INET;\nopen(F, $ARGV[0]); my $port;\n"
                    "while (<F>) { $port = $1 if /^port (\\d+)/; }\n"
                    "my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, "
                    "Listen => 5, ReuseAddr => 1) or die;\n"
                    "my $c = $s->accept(); <$c>; print $c \"-NOAUTH\\r\\n\"; sleep 60;\n");
    assert_true(dry->result.is_good);
    assert_null(dry->result.message);
}

/* The copy keeps every line in its place, without those that say where the node lives. */
static void the_copy_lives_elsewhere(void **state)
{
    struct dry *dry = *state;
    write_dry(dry->node.config_file,
        "port 7001\nmaxmemory 64mb\n  DIR /var/lib/redis\nappendonly yes\nbind 10.0.0.1\n"
        "tls-port 7002\ncluster-config-file /x/nodes.conf\naclfile acl\nunixsocket /x/s\n"
        "logfile /x/log\n# end",
        0600);
    AUTO_FREE char *acl = mem_format("%s/acl", dry->folder);
    write_dry(acl, "user ops on nopass\n", 0600);
    run_script(dry, "#!/bin/sh\ncat \"$1\" >copy\ncat \"${1%/*}/users.acl\" >acl-copy\nexit 1\n");
    AUTO_FREE char *copy = mem_format("%s/copy", dry->folder);
    AUTO_FREE char *acl_copy = mem_format("%s/acl-copy", dry->folder);
    AUTO_BUF text = {0};
    AUTO_BUF users = {0};
    AUTO_ERR err = fs_read(copy, 65536, &text);
    AUTO_ERR acl_err = fs_read(acl_copy, 65536, &users);
    assert_null(err);
    assert_null(acl_err);
    static const char begin[] = "\nmaxmemory 64mb\n\nappendonly yes\n\n\n\n\n\n\n# end\nport ";
    assert_memory_equal(buf_text(&text), begin, strlen(begin));
    const char *const ours[] = {"\nbind 127.0.0.1\n", "\ndaemonize no\n", "\ntls-port ",
        "\ncluster-config-file nodes.conf\n", "/users.acl\"\n", "\npidfile \"\"\n"};
    for (size_t i = 0; i < ARRAY_COUNT(ours); i++) {
        assert_non_null(strstr(buf_text(&text), ours[i]));
    }
    assert_null(strstr(buf_text(&text), "/var/lib/redis"));
    assert_string_equal(buf_text(&users), "user ops on nopass\n");
}

static void a_program_that_cannot_be_executed_is_an_error(void **state)
{
    struct dry *dry = *state;
    AUTO_ERR err = run_dry(dry);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_INVALID);
    assert_string_equal(err->code, "program_not_started");
    assert_int_equal(rmdir(dry->spare), 0);
}

static void a_configuration_that_is_missing_is_an_error(void **state)
{
    struct dry *dry = *state;
    dry->node.config_file = "/nowhere/redis.conf";
    AUTO_ERR err = run_dry(dry);
    assert_non_null(err);
    assert_string_equal(err->code, "config_missing");
}

static void a_temporary_folder_that_is_missing_is_an_error(void **state)
{
    assert_int_equal(setenv("TMPDIR", "/nowhere", 1), 0);
    AUTO_ERR err = run_dry(*state);
    assert_non_null(err);
    assert_string_equal(err->code, "no_temporary_folder");
    assert_non_null(err_first_hint(err));
}

static void nothing_is_dry_started_as_root(void **state)
{
    struct dry *dry = *state;
    if (geteuid() != 0) {
        skip();
    }
    dry->cluster.service_user = NULL;
    AUTO_ERR none = run_dry(dry);
    assert_non_null(none);
    assert_string_equal(none->code, "service_user_missing");
    dry->cluster.service_user = "no-such-user";
    AUTO_ERR unknown = run_dry(dry);
    assert_non_null(unknown);
    assert_string_equal(unknown->code, "user_unknown");
}

#define WITH_DRY(test) cmocka_unit_test_setup_teardown(test, open_dry, close_dry)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DRY(a_complaint_about_a_line_is_given_in_one),
        WITH_DRY(a_line_that_may_be_secret_is_not_quoted),
        WITH_DRY(any_other_complaint_is_the_last_line_without_its_prefix),
        WITH_DRY(a_server_that_ends_without_a_word_is_not_good),
        WITH_DRY(a_server_that_never_answers_is_ended),
        WITH_DRY(a_server_that_answers_is_good),
        WITH_DRY(the_copy_lives_elsewhere),
        WITH_DRY(a_program_that_cannot_be_executed_is_an_error),
        WITH_DRY(a_configuration_that_is_missing_is_an_error),
        WITH_DRY(a_temporary_folder_that_is_missing_is_an_error),
        WITH_DRY(nothing_is_dry_started_as_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
