/* tests/unit/store/test_store_lock.c - one controller per cluster on this host. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

/* File systems that have no such locks, or only pretend to: the linker sends lock.c's fcntl()
 * here (meson.build). */
static enum { LOCKS_REAL, LOCKS_MISSING, LOCKS_PRETENDED } locks;

int __real_fcntl64(int fd, int command, struct flock *lock);
int __wrap_fcntl64(int fd, int command, struct flock *lock);
int __wrap_fcntl64(int fd, int command, struct flock *lock)
{
    if (locks == LOCKS_MISSING) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if (locks == LOCKS_PRETENDED) {
        lock->l_type = command == F_OFD_GETLK ? F_UNLCK : lock->l_type;
        return 0;
    }
    return __real_fcntl64(fd, command, lock);
}

/* Takes the lock in another process, which then waits to be killed. */
static pid_t start_holder(const char *directory)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        struct store_lock *lock = NULL;
        const char answer = store_lock(directory, &lock) == NULL ? 'y' : 'n';
        (void)!write(ready[1], &answer, 1);
        (void)pause();
        _exit(0);
    }
    char answer = '\0';
    assert_int_equal(read(ready[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    (void)close(ready[0]);
    (void)close(ready[1]);
    return child;
}

static void end_holder(pid_t holder)
{
    assert_int_equal(kill(holder, SIGKILL), 0);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
}

static void a_busy_lock_names_its_holder_and_is_freed_at_its_death(void **state)
{
    struct fixture *fixture = *state;
    const pid_t holder = start_holder(fixture->directory);
    AUTO_FREE char *pid = mem_format("pid %ld, user ", (long)holder);

    struct store_lock *lock = NULL;
    struct err *err = store_lock(fixture->directory, &lock);

    end_holder(holder);
    assert_null(lock);
    assert_refused(err, "locked", pid);
    assert_ok(store_lock(fixture->directory, &lock));
    store_unlock(lock);
}

static void a_second_lock_in_the_same_process_is_busy_too(void **state)
{
    struct fixture *fixture = *state;
    struct store_lock *first = NULL;
    struct store_lock *second = NULL;
    assert_ok(store_lock(fixture->directory, &first));
    assert_refused(store_lock(fixture->directory, &second), "locked", "another controller");
    store_unlock(first);
    assert_ok(store_lock(fixture->directory, &second));
    store_unlock(second);
}

static void a_lock_without_a_text_is_still_a_lock(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *path = mem_format("%s/lock", fixture->directory);
    struct store_lock *lock = NULL;
    struct store_lock *second = NULL;
    assert_ok(store_lock(fixture->directory, &lock));
    assert_int_equal(truncate(path, 0), 0);
    assert_refused(
        store_lock(fixture->directory, &second), "locked", "another controller holds this cluster");
    store_unlock(lock);
}

static void the_lock_can_be_taken_in_a_folder_that_does_not_exist_yet(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *fresh = mem_format("%s/state/orders", fixture->directory);
    struct store_lock *lock = NULL;
    assert_ok(store_lock(fresh, &lock));
    struct stat found;
    assert_int_equal(stat(fresh, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    store_unlock(lock);
}

static void a_lock_file_that_is_a_link_is_refused(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *path = mem_format("%s/lock", fixture->directory);
    assert_int_equal(symlink("/dev/null", path), 0);
    struct store_lock *lock = NULL;
    assert_refused(store_lock(fixture->directory, &lock), "lock_denied", "cannot open");
}

static void a_folder_that_cannot_be_made_is_refused(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *below_file = mem_format("%s/orders", fixture->path);
    struct store_lock *lock = NULL;
    assert_refused(store_lock(below_file, &lock), "lock_denied", "cannot make the state folder");
    struct journal *journal = NULL;
    assert_refused(
        store_open(below_file, false, &journal), "journal_denied", "cannot make the state folder");
}

static void a_file_system_without_locks_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct store_lock *lock = NULL;
    locks = LOCKS_MISSING;
    assert_refused(store_lock(fixture->directory, &lock), "lock_unsupported", "has no locks");
    locks = LOCKS_REAL;
    assert_null(lock);
}

static void a_file_system_that_says_yes_to_every_lock_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct store_lock *lock = NULL;
    locks = LOCKS_PRETENDED;
    assert_refused(store_lock(fixture->directory, &lock), "lock_unsupported", "has no locks");
    locks = LOCKS_REAL;
    assert_null(lock);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_busy_lock_names_its_holder_and_is_freed_at_its_death),
        CASE(a_second_lock_in_the_same_process_is_busy_too),
        CASE(a_lock_without_a_text_is_still_a_lock),
        CASE(the_lock_can_be_taken_in_a_folder_that_does_not_exist_yet),
        CASE(a_lock_file_that_is_a_link_is_refused),
        CASE(a_folder_that_cannot_be_made_is_refused),
        CASE(a_file_system_without_locks_is_refused),
        CASE(a_file_system_that_says_yes_to_every_lock_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
