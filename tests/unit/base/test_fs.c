/* Files: whole or not at all; links that are never missing; trees removed without following. */
#include "base/fs.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/mem.h"

static char folder[64];

static int make_folder(void **UNUSED(state))
{
    memcpy(folder, "/tmp/upshift-fs-XXXXXX", sizeof("/tmp/upshift-fs-XXXXXX"));
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **UNUSED(state))
{
    AUTO_ERR err = fs_remove_tree(folder);
    return err == NULL ? 0 : -1;
}

static char *in_folder(const char *name)
{
    return mem_format("%s/%s", folder, name);
}

static void written_content_is_read_back(void **UNUSED(state))
{
    AUTO_FREE char *path = in_folder("file");
    AUTO_ERR err = fs_write(path, "one", 3, 0600);
    assert_null(err);
    err = fs_write(path, "two\0!", 5, 0640);
    assert_null(err);
    AUTO_BUF content = {0};
    buf_append_text(&content, "before ");
    err = fs_read(path, 5, &content);
    assert_null(err);
    assert_int_equal(content.size, 12);
    assert_memory_equal(content.data, "before two\0!", 12);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0707, 0600); /* what the umask leaves of 0640 */
}

static void reading_refuses_too_much_and_what_is_not_there(void **UNUSED(state))
{
    AUTO_FREE char *path = in_folder("file");
    AUTO_ERR err = fs_write(path, "12345", 5, 0600);
    assert_null(err);
    AUTO_BUF content = {0};
    err = fs_read(path, 4, &content);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_INVALID);
    err_free_slot(&err);
    AUTO_FREE char *absent = in_folder("absent");
    err = fs_read(absent, 4, &content);
    assert_non_null(err);
    assert_string_equal(err->where, absent);
    err_free_slot(&err);
    err = fs_read(folder, 4, &content);
    assert_non_null(err);
}

static void a_failed_write_leaves_the_old_content_and_no_litter(void **UNUSED(state))
{
    AUTO_FREE char *path = in_folder("target");
    AUTO_ERR err = fs_make_dirs(path, 0700); /* rename cannot replace a folder by a file */
    assert_null(err);
    err = fs_write(path, "x", 1, 0600);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_REFUSED);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(folder), 0); /* nothing else was left in it */
    assert_int_equal(mkdir(folder, 0700), 0);
}

static void folders_are_made_with_their_parents_and_again(void **UNUSED(state))
{
    AUTO_FREE char *path = in_folder("a/b/c");
    for (int i = 0; i < 2; i++) {
        AUTO_ERR err = fs_make_dirs(path, 0700);
        assert_null(err);
    }
    assert_true(fs_exists(path));
}

static void a_file_in_the_way_of_a_folder_is_named(void **UNUSED(state))
{
    AUTO_FREE char *path = in_folder("file");
    AUTO_ERR err = fs_write(path, "", 0, 0600);
    assert_null(err);
    err = fs_make_dirs(path, 0700);
    assert_non_null(err);
    assert_string_equal(err->where, path);
    err_free_slot(&err);
    AUTO_FREE char *below = in_folder("file/below");
    err = fs_make_dirs(below, 0700);
    assert_non_null(err);
    err_free_slot(&err);
    err = fs_make_dirs("", 0700);
    assert_non_null(err);
}

static void a_link_is_replaced_in_place(void **UNUSED(state))
{
    AUTO_FREE char *path = in_folder("current");
    static const char *const targets[] = {"versions/6.0", "versions/7.0"};
    for (size_t i = 0; i < ARRAY_COUNT(targets); i++) {
        AUTO_ERR err = fs_replace_link(path, targets[i]);
        assert_null(err);
        AUTO_FREE char *target = NULL;
        err = fs_read_link(path, &target);
        assert_null(err);
        assert_string_equal(target, targets[i]);
    }
    assert_true(fs_exists(path)); /* though it points nowhere */
    AUTO_FREE char *absent = in_folder("absent/link");
    AUTO_ERR err = fs_replace_link(absent, "x");
    assert_non_null(err);
    err_free_slot(&err);
    AUTO_FREE char *target = NULL;
    err = fs_read_link(folder, &target);
    assert_non_null(err);
    assert_null(target);
}

static void a_tree_is_removed_without_following_links(void **UNUSED(state))
{
    AUTO_FREE char *kept = in_folder("kept");
    AUTO_FREE char *tree = in_folder("tree/deep");
    AUTO_FREE char *link = in_folder("tree/deep/link");
    AUTO_FREE char *top = in_folder("tree");
    AUTO_ERR err = fs_make_dirs(kept, 0700);
    assert_null(err);
    err = fs_make_dirs(tree, 0700);
    assert_null(err);
    err = fs_replace_link(link, "../../kept");
    assert_null(err);
    err = fs_remove_tree(top);
    assert_null(err);
    assert_false(fs_exists(top));
    assert_true(fs_exists(kept));
    err = fs_remove_tree(top); /* again: nothing there is fine */
    assert_null(err);
}

static void writing_to_a_full_device_is_an_error(void **UNUSED(state))
{
    AUTO_CLOSE fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    AUTO_ERR err = fs_write_fd(fd, "/dev/full", "x", 1);
    assert_non_null(err);
    assert_string_equal(err->what, "cannot write: No space left on device");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(written_content_is_read_back),
        CASE(reading_refuses_too_much_and_what_is_not_there),
        CASE(a_failed_write_leaves_the_old_content_and_no_litter),
        CASE(folders_are_made_with_their_parents_and_again),
        CASE(a_file_in_the_way_of_a_folder_is_named),
        CASE(a_link_is_replaced_in_place),
        CASE(a_tree_is_removed_without_following_links),
        CASE(writing_to_a_full_device_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
