/* test_local.c - files of a node on this machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "drivers/local/local.h"
#include "drivers/local/local_room.h"

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
    fixture->node = (struct inv_node){.name = "n1", .directory = fixture->folder};
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

static void the_kernel_tells_what_memory_is_left(void **UNUSED(state))
{
    static const char meminfo[] = "MemTotal:       2048 kB\nMemFree:         1 kB\n"
                                  "MemAvailable:   1024 kB\nCommitLimit:     900 kB\n"
                                  "Committed_AS:    800 kB\n";
    static const struct {
        const char *meminfo, *overcommit;
        bool is_good;
        int64_t free_bytes;
    } cases[] = {
        {meminfo, "0\n", true, 1024 * 1024},
        {meminfo, "1\n", true, 1024 * 1024},
        {meminfo, "2\n", true, 100 * 1024},
        {"MemTotal: 9 kB\nMemAvailable: 9 kB\nCommitLimit: 5 kB\nCommitted_AS: 6 kB\n", "2", true,
            0},
        {"MemTotal: 2048 kB\n", "0", false, 0},
        {"MemAvailable: 2048 kB\n", "0", false, 0},
        {"MemTotal: many kB\nMemAvailable: 1 kB\n", "0", false, 0},
        {meminfo, "", false, 0},
        {"", "0", false, 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct host_room room = {0};
        const bool is_good =
            local_room_of_memory(str_of(cases[i].meminfo), str_of(cases[i].overcommit), &room);
        assert_int_equal(is_good, cases[i].is_good);
        if (is_good) {
            assert_int_equal(room.memory_free_bytes, cases[i].free_bytes);
        }
    }
}

static void this_machine_has_room(void **state)
{
    struct fixture *fixture = *state;
    struct host_room room = {0};
    AUTO_ERR err = host_get_room(&fixture->call, fixture->host, &fixture->node, &room);
    assert_null(err);
    assert_true(room.memory_bytes > 0 && room.memory_free_bytes <= room.memory_bytes);
    assert_true(room.disk_bytes > 0 && room.disk_free_bytes <= room.disk_bytes);

    const struct inv_node missing = {.name = "n2", .directory = "/nonexistent/n2"};
    AUTO_ERR refused = host_get_room(&fixture->call, fixture->host, &missing, &room);
    assert_non_null(refused);
    assert_string_equal(refused->code, "room_unreadable");
}

static void expect_copy_refused(
    struct fixture *fixture, const char *from, const char *to, const char *code)
{
    AUTO_ERR err = host_copy_out(&fixture->call, fixture->host, &fixture->node, from, to);
    assert_non_null(err);
    assert_string_equal(err->code, code);
}

static void a_copy_is_whole_private_and_never_written_over(void **state)
{
    struct fixture *fixture = *state;
    char folder[] = "/tmp/upshift-copies-XXXXXX";
    assert_non_null(mkdtemp(folder));
    AUTO_FREE char *from = mem_format("%s/dump.rdb", fixture->folder);
    AUTO_FREE char *to = mem_format("%s/copy.rdb", folder);
    write_text(from, "REDIS0010 one");
    AUTO_ERR err = host_copy_out(&fixture->call, fixture->host, &fixture->node, from, to);
    assert_null(err);
    struct stat status;
    assert_int_equal(stat(to, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(status.st_nlink, 1);

    write_text(from, "REDIS0010 two");
    expect_copy_refused(fixture, from, to, "file_in_the_way");
    AUTO_BUF kept = {0};
    AUTO_ERR read_err = fs_read(to, 4096, &kept);
    assert_null(read_err);
    assert_string_equal(buf_text(&kept), "REDIS0010 one");

    AUTO_FREE char *nowhere = mem_format("%s/missing/copy.rdb", folder);
    expect_copy_refused(fixture, from, nowhere, "file_unwritable");
    expect_copy_refused(fixture, "/etc/hostname", to, "path_outside");
    AUTO_FREE char *link = mem_format("%s/link", fixture->folder);
    assert_int_equal(symlink("/etc/hostname", link), 0);
    expect_copy_refused(fixture, link, to, "file_unreadable");
    AUTO_ERR removed = fs_remove_tree(folder);
    assert_null(removed);
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

static bool swap_claim(struct fixture *fixture, const char *expected, const char *text)
{
    const struct host_claim_swap swap = {.expected = expected, .text = text};
    bool is_done = false;
    AUTO_ERR err = host_claim_swap(&fixture->call, fixture->host, &fixture->node, &swap, &is_done);
    assert_null(err);
    return is_done;
}

static void expect_claim_error(struct fixture *fixture, enum err_kind kind, const char *code)
{
    const struct host_claim_swap swap = {.expected = NULL, .text = "ours"};
    bool is_done = false;
    AUTO_ERR err = host_claim_swap(&fixture->call, fixture->host, &fixture->node, &swap, &is_done);
    assert_non_null(err);
    assert_int_equal(err->kind, kind);
    assert_string_equal(err->code, code);
    assert_non_null(err->hint);
    assert_false(is_done);
}

static void a_claim_is_for_its_owner_alone_and_leaves_nothing_beside(void **state)
{
    struct fixture *fixture = *state;
    assert_true(swap_claim(fixture, NULL, "first"));
    assert_true(swap_claim(fixture, "first", "second"));
    AUTO_FREE char *path = mem_format("%s/" HOST_CLAIM_FILE, fixture->folder);
    AUTO_FREE char *lock = mem_format("%s/" HOST_CLAIM_LOCK, fixture->folder);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(rmdir(fixture->folder), 0); /* nothing else was left there */
}

static void a_link_in_the_place_of_a_claim_is_not_followed(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *path = mem_format("%s/" HOST_CLAIM_FILE, fixture->folder);
    AUTO_FREE char *other = mem_format("%s/other", fixture->folder);
    write_text(other, "precious");
    AUTO_ERR made = fs_replace_link(path, other);
    assert_null(made);
    bool exists = false;
    AUTO_BUF text = {0};

    AUTO_ERR read = host_claim_read(&fixture->call, fixture->host, &fixture->node, &exists, &text);

    assert_non_null(read);
    assert_int_equal(read->kind, ERR_INVALID);
    assert_string_equal(read->code, "claim_unusable");
    expect_claim_error(fixture, ERR_INVALID, "claim_unusable");
    AUTO_BUF kept = {0};
    AUTO_ERR same = fs_read(other, 100, &kept);
    assert_null(same);
    assert_string_equal(buf_text(&kept), "precious");
}

static void a_link_in_the_place_of_the_lock_is_not_followed(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *lock = mem_format("%s/" HOST_CLAIM_LOCK, fixture->folder);
    AUTO_FREE char *other = mem_format("%s/other", fixture->folder);
    write_text(other, "precious");
    AUTO_ERR made = fs_replace_link(lock, other);
    assert_null(made);
    expect_claim_error(fixture, ERR_REFUSED, "claim_unwritable");
}

static void what_is_no_plain_file_of_its_size_is_no_claim(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *path = mem_format("%s/" HOST_CLAIM_FILE, fixture->folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_claim_error(fixture, ERR_INVALID, "claim_unusable");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_claim_error(fixture, ERR_INVALID, "claim_unusable");
    assert_int_equal(rmdir(path), 0);
    write_text(path, "");
    assert_int_equal(truncate(path, HOST_CLAIM_SIZE_MAX + 1), 0);
    expect_claim_error(fixture, ERR_INVALID, "claim_unusable");
}

static void a_node_without_a_directory_cannot_be_claimed(void **state)
{
    struct fixture *fixture = *state;
    fixture->node.directory = "/nowhere/at/all";
    expect_claim_error(fixture, ERR_REFUSED, "claim_unwritable");
}

static void a_lock_that_is_held_is_waited_for_until_the_deadline(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *lock = mem_format("%s/" HOST_CLAIM_LOCK, fixture->folder);
    AUTO_CLOSE held = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(held >= 0);
    assert_int_equal(flock(held, LOCK_EX), 0);
    const int64_t started_ms = clock_now_ms(fixture->call.clock);
    fixture->call.deadline_ms = started_ms + 60;
    expect_claim_error(fixture, ERR_REFUSED, "claim_busy");
    assert_true(clock_now_ms(fixture->call.clock) >= started_ms + 60);
    assert_int_equal(flock(held, LOCK_UN), 0);
    fixture->call.deadline_ms = INT64_MAX;
    assert_true(swap_claim(fixture, NULL, "ours"));
}

enum { RIVALS = 4, ROUNDS = 25 };

/* Adds one to the number in the claim, as often as it takes. */
static void *count_up(void *context)
{
    struct fixture *fixture = context;
    for (int round = 0; round < ROUNDS;) {
        bool exists = false;
        AUTO_BUF text = {0};
        AUTO_ERR err =
            host_claim_read(&fixture->call, fixture->host, &fixture->node, &exists, &text);
        assert_null(err);
        int64_t number = 0;
        assert_true(!exists || str_to_int64(str_of(buf_text(&text)), &number));
        AUTO_FREE char *next = mem_format("%lld", (long long)number + 1);
        round += swap_claim(fixture, exists ? buf_text(&text) : NULL, next);
    }
    return NULL;
}

static void of_many_who_change_it_at_once_none_is_overwritten(void **state)
{
    struct fixture *fixture = *state;
    pthread_t threads[RIVALS];
    for (int i = 0; i < RIVALS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, fixture), 0);
    }
    for (int i = 0; i < RIVALS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    AUTO_FREE char *path = mem_format("%s/" HOST_CLAIM_FILE, fixture->folder);
    AUTO_BUF text = {0};
    AUTO_ERR err = fs_read(path, 100, &text);
    assert_null(err);
    assert_string_equal(buf_text(&text), "100");
}

static void expect_refusal(struct err *err, const char *code)
{
    AUTO_ERR seen = err;
    assert_non_null(seen);
    assert_int_equal(seen->kind, ERR_REFUSED);
    assert_string_equal(seen->code, code);
}

/* A link that leads to what must stay as it is. */
static char *plant_link(struct fixture *fixture, const char *name)
{
    AUTO_FREE char *precious = mem_format("%s-precious", fixture->folder);
    AUTO_ERR err = fs_make_dirs(precious, 0700);
    assert_null(err);
    AUTO_FREE char *file = mem_format("%s/file", precious);
    write_text(file, "kept");
    AUTO_FREE char *link_path = mem_format("%s/%s", fixture->folder, name);
    assert_int_equal(symlink(precious, link_path), 0);
    return mem_strdup(precious);
}

static void a_configuration_file_may_be_elsewhere(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *directory = mem_format("%s/data", fixture->folder);
    AUTO_FREE char *config = mem_format("%s/redis.conf", fixture->folder);
    AUTO_FREE char *other = mem_format("%s/other.conf", fixture->folder);
    AUTO_ERR err = fs_make_dirs(directory, 0700);
    assert_null(err);
    const struct inv_node node = {.name = "n1", .directory = directory, .config_file = config};
    AUTO_BUF content = {0};
    buf_append_text(&content, "port 1\n");
    AUTO_ERR write_err = host_write_file(&fixture->call, fixture->host, &node, config, &content);
    assert_null(write_err);
    AUTO_BUF found = {0};
    AUTO_ERR read_err = fs_read(config, 100, &found);
    assert_null(read_err);
    assert_string_equal(buf_text(&found), "port 1\n");
    expect_refusal(
        host_write_file(&fixture->call, fixture->host, &node, other, &content), "path_outside");
}

static void changes_follow_no_link_out_of_the_directory(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *precious = plant_link(fixture, "aside");
    AUTO_FREE char *below = mem_format("%s/aside/file", fixture->folder);
    AUTO_FREE char *folder = mem_format("%s/aside/new", fixture->folder);
    AUTO_FREE char *own = mem_format("%s/own", fixture->folder);
    write_text(own, "mine");
    AUTO_BUF content = {0};
    struct host *host = fixture->host;
    expect_refusal(host_make_folder(&fixture->call, host, &fixture->node, folder), "path_outside");
    expect_refusal(
        host_write_file(&fixture->call, host, &fixture->node, below, &content), "path_outside");
    expect_refusal(host_move(&fixture->call, host, &fixture->node, below, own), "path_outside");
    expect_refusal(host_move(&fixture->call, host, &fixture->node, own, folder), "path_outside");
    AUTO_ERR err = fs_remove_tree(precious);
    assert_null(err);
}

static void an_aside_folder_with_a_link_in_it_is_left_whole(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *folder = mem_format("%s/upshift-aside-r1/1", fixture->folder);
    AUTO_ERR err = fs_make_dirs(folder, 0700);
    assert_null(err);
    AUTO_FREE char *file = mem_format("%s/dump.rdb", folder);
    write_text(file, "data");
    AUTO_FREE char *precious = plant_link(fixture, "upshift-aside-r1/1/link");
    expect_refusal(
        host_remove_aside(&fixture->call, fixture->host, &fixture->node, "upshift-aside-r1"),
        "not_ours");
    AUTO_FREE char *kept = mem_format("%s/file", precious);
    assert_true(fs_exists(file) && fs_exists(kept));
    err_free(fs_remove_tree(precious));
}

static void an_aside_folder_goes_and_a_move_replaces_nothing(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *folder = mem_format("%s/upshift-aside-r1/1", fixture->folder);
    AUTO_FREE char *from = mem_format("%s/dump.rdb", fixture->folder);
    AUTO_FREE char *to = mem_format("%s/dump.rdb", folder);
    AUTO_ERR made = host_make_folder(&fixture->call, fixture->host, &fixture->node, folder);
    assert_null(made);
    write_text(from, "second");
    write_text(to, "first");
    expect_refusal(
        host_move(&fixture->call, fixture->host, &fixture->node, from, to), "file_in_the_way");
    AUTO_BUF content = {0};
    AUTO_ERR read = fs_read(to, 64, &content);
    assert_null(read);
    assert_string_equal(buf_text(&content), "first");
    AUTO_ERR removed =
        host_remove_aside(&fixture->call, fixture->host, &fixture->node, "upshift-aside-r1");
    assert_null(removed);
    assert_false(fs_exists(to));
    assert_true(fs_exists(from));
}

static void an_aside_that_is_a_link_is_refused(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *precious = plant_link(fixture, "upshift-aside-r1");
    expect_refusal(
        host_remove_aside(&fixture->call, fixture->host, &fixture->node, "upshift-aside-r1"),
        "not_ours");
    AUTO_FREE char *kept = mem_format("%s/file", precious);
    assert_true(fs_exists(kept));
    err_free(fs_remove_tree(precious));
}

static void a_replaced_file_keeps_its_mode(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *path = mem_format("%s/nodes.conf", fixture->folder);
    write_text(path, "old");
    assert_int_equal(chmod(path, 0604), 0);
    AUTO_BUF content = {0};
    buf_append_text(&content, "new");
    AUTO_ERR err = host_write_file(&fixture->call, fixture->host, &fixture->node, path, &content);
    assert_null(err);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0604);
    assert_int_equal(status.st_size, 3);
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
        cmocka_unit_test(the_kernel_tells_what_memory_is_left),
        cmocka_unit_test_setup_teardown(this_machine_has_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_copy_is_whole_private_and_never_written_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_link_is_replaced_and_read_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_link_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_claim_is_for_its_owner_alone_and_leaves_nothing_beside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_link_in_the_place_of_a_claim_is_not_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_link_in_the_place_of_the_lock_is_not_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            what_is_no_plain_file_of_its_size_is_no_claim, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_node_without_a_directory_cannot_be_claimed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_lock_that_is_held_is_waited_for_until_the_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            of_many_who_change_it_at_once_none_is_overwritten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            changes_follow_no_link_out_of_the_directory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_configuration_file_may_be_elsewhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            an_aside_folder_with_a_link_in_it_is_left_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            an_aside_folder_goes_and_a_move_replaces_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_aside_that_is_a_link_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_replaced_file_keeps_its_mode, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
