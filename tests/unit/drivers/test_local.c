/* test_local.c - files of a node on this machine. */
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

struct fixture {
    struct host *host;
    struct call call;
    struct inv_node node;
    char folder[64];
};

static int set_up(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof(*fixture));
    fixture->host = local_open();
    fixture->call = (struct call){.clock = clock_system(), .deadline_ms = INT64_MAX};
    (void)snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/upshift-local-XXXXXX");
    *state = fixture;
    return mkdtemp(fixture->folder) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    host_close(fixture->host);
    err_free(fs_remove_tree(fixture->folder));
    free(fixture);
    return 0;
}

static void write_text(const char *path, const char *text)
{
    AUTO_ERR err = fs_write(path, text, strlen(text), 0600);
    assert_null(err);
}

static void a_file_is_read_from_its_start_up_to_the_limit(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *path = mem_format("%s/f", fixture->folder);
    write_text(path, "REDIS0010 and more");
    AUTO_BUF content = {0};
    bool exists = false;

    AUTO_ERR err =
        host_read_file(&fixture->call, fixture->host, &fixture->node, path, 9, &exists, &content);

    assert_null(err);
    assert_true(exists);
    assert_string_equal(buf_text(&content), "REDIS0010");
}

static void a_missing_file_is_an_answer_and_not_an_error(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *path = mem_format("%s/none/f", fixture->folder);
    AUTO_BUF content = {0};
    bool exists = true;

    AUTO_ERR err =
        host_read_file(&fixture->call, fixture->host, &fixture->node, path, 9, &exists, &content);

    assert_null(err);
    assert_false(exists);
}

static void a_folder_cannot_be_read_as_a_file(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUF content = {0};
    bool exists = false;

    AUTO_ERR err = host_read_file(
        &fixture->call, fixture->host, &fixture->node, fixture->folder, 9, &exists, &content);

    assert_non_null(err);
    assert_int_equal(err->kind, ERR_INVALID);
    assert_string_equal(err->code, "file_unreadable");
    assert_non_null(err->hint);
}

static void existence_covers_folders_and_dangling_links(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *link = mem_format("%s/link", fixture->folder);
    AUTO_FREE char *none = mem_format("%s/none", fixture->folder);
    AUTO_ERR made = fs_replace_link(link, "/nowhere");
    assert_null(made);
    const struct {
        const char *path;
        bool exists;
    } cases[] = {{fixture->folder, true}, {link, true}, {none, false}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        bool exists = !cases[i].exists;
        AUTO_ERR err =
            host_exists(&fixture->call, fixture->host, &fixture->node, cases[i].path, &exists);
        assert_null(err);
        assert_int_equal(exists, cases[i].exists);
    }
}

static void a_path_too_long_is_an_error_and_not_an_absence(void **state)
{
    struct fixture *fixture = *state;
    char path[6000];
    memset(path, 'a', sizeof(path));
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    bool exists = false;
    AUTO_BUF content = {0};

    AUTO_ERR looked = host_exists(&fixture->call, fixture->host, &fixture->node, path, &exists);
    AUTO_ERR read =
        host_read_file(&fixture->call, fixture->host, &fixture->node, path, 9, &exists, &content);

    assert_non_null(looked);
    assert_string_equal(looked->code, "file_unreadable");
    assert_non_null(read);
    assert_string_equal(read->code, "file_unreadable");
}

static void a_link_is_replaced_and_read_back(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *link = mem_format("%s/server", fixture->folder);
    const char *const targets[] = {"/opt/redis-6.0/redis-server", "/opt/redis-7.0/redis-server"};
    for (size_t i = 0; i < ARRAY_COUNT(targets); i++) {
        AUTO_ERR err =
            host_replace_link(&fixture->call, fixture->host, &fixture->node, link, targets[i]);
        assert_null(err);
        AUTO_FREE char *target = NULL;
        AUTO_ERR read =
            host_read_link(&fixture->call, fixture->host, &fixture->node, link, &target);
        assert_null(read);
        assert_string_equal(target, targets[i]);
    }
}

static void what_is_no_link_is_refused(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *nowhere = mem_format("%s/none/server", fixture->folder);
    AUTO_FREE char *target = NULL;

    AUTO_ERR read =
        host_read_link(&fixture->call, fixture->host, &fixture->node, fixture->folder, &target);
    AUTO_ERR replaced =
        host_replace_link(&fixture->call, fixture->host, &fixture->node, nowhere, "/x");

    assert_non_null(read);
    assert_string_equal(read->code, "link_unreadable");
    assert_null(target);
    assert_non_null(replaced);
    assert_string_equal(replaced->code, "link_unwritable");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_file_is_read_from_its_start_up_to_the_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_missing_file_is_an_answer_and_not_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_cannot_be_read_as_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            existence_covers_folders_and_dangling_links, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_path_too_long_is_an_error_and_not_an_absence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_link_is_replaced_and_read_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_link_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
