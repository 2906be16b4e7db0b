/*
 * Server programs from Debian suites, with Debian's tools played by small scripts: what happens
 * when the archive, the disk or a tool fails must not depend on a network. The real tools are used
 * in tests/e2e.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "drivers/suite/mirror.h"
#include "drivers/suite/suite.h"

/* Unpacks two programs, a loader for either architecture and one file with privileges. */
#define FAKE_DPKG                                                                                  \
    "mkdir -p $3/usr/bin $3/usr/lib/x86_64-linux-gnu $3/usr/lib/aarch64-linux-gnu\n"               \
    ": >$3/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2\n"                                        \
    ": >$3/usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1\n"                                      \
    "cp /bin/true $3/usr/bin/redis-cli; cp /bin/true $3/usr/bin/su\n"                              \
    "chmod 4755 $3/usr/bin/su\n"                                                                   \
    "cat >$3/usr/bin/redis-server <<E\n#!/bin/sh\n"                                                \
    "echo Redis server v=$(cat $FAKE/reported) sha=0 bits=64\nE\n"                                 \
    "chmod 755 $3/usr/bin/redis-server\n"

/* What each tool does is steered by files in $FAKE, so that a test changes one file. */
static const struct {
    const char *name;
    const char *script;
} tools[] = {
    {"apt-config", "echo 'Acquire::http::Proxy \"http://proxy.example:3128\";'\n"
                   "echo 'APT::Update::Post-Invoke:: \"exit 1\";'\n"},
    {"apt-get", "[ -e $FAKE/complaint ] && { cat $FAKE/complaint >&2; exit 100; }\n"
                "echo \"$*\" >>$FAKE/apt.log\n"
                "for arg; do case $arg in Dir::Cache::archives=*)\n"
                "  : >${arg#*=}/server.deb;; esac; done\n"},
    {"apt-cache", "[ -e $FAKE/version ] || { echo 'E: No packages found' >&2; exit 100; }\n"
                  "echo 'Package: redis-server'\n"
                  "echo \"Version: $(cat $FAKE/version)\"\n"
                  "echo 'SHA256: 0123abcd'\n"},
    {"dpkg-deb", FAKE_DPKG},
    {"patchelf", "echo \"$*\" >>$FAKE/patchelf.log\n"},
};

struct fixture {
    char folder[64];
    char *path_before;
    struct package *package;
    struct arena arena;
    struct rules rules;
    struct call call;
    struct buf told;
};

static struct series_rule series[] = {
    {.series = "redis/7.0",
        .product = "redis",
        .binary = "usr/bin/redis-server",
        .package = "redis-server"},
    {.series = "redis/8.0",
        .product = "redis",
        .binary = "usr/bin/redis-server",
        .package = "redis-server"},
};

static char *fixture_path(const struct fixture *fixture, const char *name)
{
    return mem_format("%s/%s", fixture->folder, name);
}

static void put_file(const struct fixture *fixture, const char *name, const char *text, mode_t mode)
{
    AUTO_FREE char *path = fixture_path(fixture, name);
    assert_null(fs_write(path, text, strlen(text), mode));
    assert_int_equal(chmod(path, mode), 0);
}

static void make_folder(const struct fixture *fixture, const char *name)
{
    AUTO_FREE char *path = fixture_path(fixture, name);
    assert_null(fs_make_dirs(path, 0755));
}

static bool has_file(const struct fixture *fixture, const char *name)
{
    AUTO_FREE char *path = fixture_path(fixture, name);
    return fs_exists(path);
}

static bool file_has(const struct fixture *fixture, const char *name, const char *wanted)
{
    AUTO_FREE char *path = fixture_path(fixture, name);
    AUTO_BUF text = {0};
    assert_null(fs_read(path, 1 << 20, &text));
    return strstr(buf_text(&text), wanted) != NULL;
}

static void put_tool(const struct fixture *fixture, const char *name, const char *script)
{
    AUTO_FREE char *path = mem_format("bin/%s", name);
    AUTO_FREE char *text = mem_format("#!/bin/sh\n%s", script);
    put_file(fixture, path, text, 0755);
}

static int set_up(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof(*fixture));
    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/upshift-suite-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    make_folder(fixture, "bin");
    make_folder(fixture, "apt/sources.list.d");
    for (size_t i = 0; i < ARRAY_COUNT(tools); i++) {
        put_tool(fixture, tools[i].name, tools[i].script);
    }
    put_file(fixture, "apt/sources.list", "deb http://mirror.example/debian bookworm main\n", 0644);
    put_file(fixture, "version", "5:7.0.15-1~deb12u7", 0644);
    put_file(fixture, "reported", "7.0.15", 0644);
    fixture->path_before = mem_strdup(getenv("PATH"));
    AUTO_FREE char *path = mem_format("%s/bin:/usr/bin:/bin", fixture->folder);
    assert_int_equal(setenv("PATH", path, 1), 0);
    assert_int_equal(setenv("FAKE", fixture->folder, 1), 0);
    AUTO_FREE char *cache = fixture_path(fixture, "cache");
    AUTO_FREE char *sources = fixture_path(fixture, "apt");
    const struct suite_places places = {.cache = cache, .apt_sources = sources};
    assert_null(suite_open(&places, &fixture->package));
    fixture->rules = (struct rules){.series = series, .series_count = ARRAY_COUNT(series)};
    fixture->call.clock = clock_system();
    fixture->call.deadline_ms = clock_now_ms(clock_system()) + 30000;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    setenv("PATH", fixture->path_before, 1);
    package_close(fixture->package);
    AUTO_ERR err = fs_remove_tree(fixture->folder);
    assert_null(err);
    arena_release(&fixture->arena);
    buf_release(&fixture->told);
    free(fixture->path_before);
    free(fixture);
    return 0;
}

static void note_progress(void *context, const char *text)
{
    struct fixture *fixture = context;
    buf_printf(&fixture->told, "%s\n", text);
}

static struct err *prepare_version(struct fixture *fixture, const char *name, const char *suite,
    struct fact_artefact *ret_artefact)
{
    const struct inv_version version = {.name = name, .product = "redis", .suite = suite};
    return package_prepare(&fixture->call, fixture->package, &version, &fixture->rules,
        note_progress, fixture, &fixture->arena, ret_artefact);
}

static void assert_refused(
    struct fixture *fixture, const char *name, enum err_kind kind, const char *code)
{
    struct fact_artefact artefact = {0};
    AUTO_ERR err = prepare_version(fixture, name, "bookworm", &artefact);
    assert_non_null(err);
    assert_string_equal(err->code, code);
    assert_int_equal(err->kind, kind);
    assert_null(artefact.server);
}

#define TREE "cache/suite/bookworm/redis-server/5%3a7.0.15-1~deb12u7"

static void prepare_fills_the_artefact_and_tells_what_it_does(void **state)
{
    struct fixture *fixture = *state;
    struct fact_artefact artefact = {0};
    assert_null(prepare_version(fixture, "7.0", "bookworm", &artefact));
    AUTO_FREE char *server = fixture_path(fixture, TREE "/usr/bin/redis-server");
    assert_string_equal(artefact.product, "redis");
    assert_string_equal(artefact.version, "7.0.15");
    assert_string_equal(artefact.series, "redis/7.0");
    assert_string_equal(artefact.package_version, "5:7.0.15-1~deb12u7");
    assert_string_equal(artefact.digest, "0123abcd");
    assert_string_equal(artefact.server, server);
    assert_non_null(strstr(buf_text(&fixture->told), "reading the package lists of bookworm\n"));
    assert_non_null(strstr(buf_text(&fixture->told), "fetching redis-server 5:7.0.15-1~deb12u7"));
    assert_false(has_file(fixture, TREE ".archives"));
    assert_false(has_file(fixture, TREE ".part"));
}

static void a_version_that_is_there_needs_no_tool_and_no_network(void **state)
{
    struct fixture *fixture = *state;
    struct fact_artefact first = {0};
    assert_null(prepare_version(fixture, "7.0", "bookworm", &first));
    assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
    struct fact_artefact second = {0};
    assert_null(prepare_version(fixture, "7.0.15", "bookworm", &second));
    assert_string_equal(second.server, first.server);
    assert_string_equal(second.package_version, first.package_version);
    assert_string_equal(second.digest, first.digest);
}

static void programs_are_pointed_at_the_final_place_of_their_tree(void **state)
{
    struct fixture *fixture = *state;
    struct fact_artefact artefact = {0};
    assert_null(prepare_version(fixture, "7.0", "bookworm", &artefact));
    AUTO_FREE char *rpath =
        mem_format("--force-rpath --set-rpath %s/%s/usr/lib/", fixture->folder, TREE);
    assert_true(file_has(fixture, "patchelf.log", rpath));
    AUTO_FREE char *loader = mem_format("--set-interpreter %s/%s/usr/lib/", fixture->folder, TREE);
    assert_true(file_has(fixture, "patchelf.log", loader));
    assert_true(file_has(fixture, "patchelf.log", "/usr/bin/redis-cli\n"));
    assert_false(file_has(fixture, "patchelf.log", "/usr/bin/redis-server\n")); /* a script */
}

static void no_unpacked_program_keeps_privileges(void **state)
{
    struct fixture *fixture = *state;
    struct fact_artefact artefact = {0};
    assert_null(prepare_version(fixture, "7.0", "bookworm", &artefact));
    AUTO_FREE char *su = fixture_path(fixture, TREE "/usr/bin/su");
    struct stat status;
    assert_int_equal(stat(su, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0755);
}

static void apt_gets_the_proxy_but_no_hooks_of_the_machine(void **state)
{
    struct fixture *fixture = *state;
    struct fact_artefact artefact = {0};
    assert_null(prepare_version(fixture, "7.0", "bookworm", &artefact));
    const char *config = "cache/suite/bookworm/apt/apt.conf";
    assert_true(file_has(fixture, config, "Acquire::http::Proxy \"http://proxy.example:3128\";"));
    assert_false(file_has(fixture, config, "Post-Invoke"));
    assert_true(file_has(fixture, "cache/suite/bookworm/apt/sources.list",
        "http://mirror.example/debian bookworm main\n"));
    assert_false(file_has(fixture, "apt.log", "unauthenticated"));
}

static void another_version_in_the_suite_is_refused_with_its_name(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"7.0.16", "8.0"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct fact_artefact artefact = {0};
        AUTO_ERR err = prepare_version(fixture, names[i], "bookworm", &artefact);
        assert_non_null(err);
        assert_string_equal(err->code, "version_not_in_suite");
        assert_int_equal(err->kind, ERR_INVALID);
        assert_non_null(strstr(err->hint, "7.0.15"));
    }
}

static void a_tree_without_marker_is_built_again(void **state)
{
    struct fixture *fixture = *state;
    make_folder(fixture, TREE "/usr/bin");
    put_file(fixture, TREE "/usr/bin/redis-server", "half", 0755);
    make_folder(fixture, TREE ".part/usr");
    make_folder(fixture, TREE ".archives");
    put_file(fixture, TREE ".archives/older.deb", "", 0644);
    put_tool(fixture, "dpkg-deb", "case $2 in *older*) exit 1;; esac\n" FAKE_DPKG);
    struct fact_artefact artefact = {0};
    assert_null(prepare_version(fixture, "7.0", "bookworm", &artefact));
    assert_false(file_has(fixture, TREE "/usr/bin/redis-server", "half"));
}

static void a_tree_that_was_moved_is_built_again(void **state)
{
    struct fixture *fixture = *state;
    struct fact_artefact artefact = {0};
    assert_null(prepare_version(fixture, "7.0", "bookworm", &artefact));
    put_file(fixture, TREE "/upshift.json",
        "{\"product\":\"redis\",\"version\":\"7.0.15\",\"series\":\"redis/7.0\","
        "\"package_version\":\"1\",\"digest\":\"0\",\"server\":\"/bin/true\"}",
        0644);
    put_file(fixture, "complaint", "E: asked again", 0644);
    assert_refused(fixture, "7.0", ERR_REFUSED, "package_tool_failed");
}

static void failures_of_the_tools_have_kinds_and_codes(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *complaint;
        enum err_kind kind;
        const char *code;
    } cases[] = {
        {"E: Failed to fetch http://x  Could not resolve 'x'", ERR_UNREACHABLE,
            "archive_unreachable"},
        {"E: Failed to fetch http://x  Could not connect to x:80", ERR_UNREACHABLE,
            "archive_unreachable"},
        {"W: GPG error: NO_PUBKEY 0E98404D386FA1D9\nE: The repository is not signed.", ERR_REFUSED,
            "package_untrusted"},
        {"E: Failed to fetch http://x  Hash Sum mismatch", ERR_REFUSED, "package_untrusted"},
        {"E: The repository 'http://x nosuch Release' does not have a Release file.", ERR_INVALID,
            "suite_unknown"},
        {"E: Write error - write (28: No space left on device)", ERR_REFUSED, "disk_full"},
        {"E: You don't have enough free space in /x/.", ERR_REFUSED, "disk_full"},
        {"E: never seen before", ERR_REFUSED, "package_tool_failed"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        put_file(fixture, "complaint", cases[i].complaint, 0644);
        assert_refused(fixture, "7.0", cases[i].kind, cases[i].code);
    }
}

static void a_package_that_the_suite_lacks_is_refused(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *path = fixture_path(fixture, "version");
    assert_int_equal(unlink(path), 0);
    assert_refused(fixture, "7.0", ERR_INVALID, "package_not_in_suite");
}

static void a_full_disk_while_unpacking_leaves_no_tree(void **state)
{
    struct fixture *fixture = *state;
    put_tool(fixture, "dpkg-deb",
        "mkdir -p $3/usr; echo 'tar: write: No space left on device' >&2; exit 2\n");
    assert_refused(fixture, "7.0", ERR_REFUSED, "disk_full");
    assert_false(has_file(fixture, TREE));
    assert_false(has_file(fixture, TREE ".part"));
    assert_false(has_file(fixture, TREE ".archives"));
}

static void a_missing_tool_is_named_with_its_package(void **state)
{
    struct fixture *fixture = *state;
    AUTO_FREE char *path = fixture_path(fixture, "bin");
    assert_int_equal(setenv("PATH", path, 1), 0);
    AUTO_FREE char *patchelf = fixture_path(fixture, "bin/patchelf");
    assert_int_equal(unlink(patchelf), 0);
    struct fact_artefact artefact = {0};
    AUTO_ERR err = prepare_version(fixture, "7.0", "bookworm", &artefact);
    assert_non_null(err);
    assert_string_equal(err->code, "tool_missing");
    assert_int_equal(err->kind, ERR_INVALID);
    assert_string_equal(err->hint, "install it: apt-get install patchelf");
}

static void a_program_that_reports_another_version_does_not_count(void **state)
{
    struct fixture *fixture = *state;
    put_file(fixture, "reported", "7.0.14", 0644);
    assert_refused(fixture, "7.0", ERR_REFUSED, "program_unusable");
    assert_refused(fixture, "7.0", ERR_REFUSED, "program_unusable"); /* no marker was left */
}

static void a_held_lock_ends_at_the_deadline(void **state)
{
    struct fixture *fixture = *state;
    make_folder(fixture, "cache/suite/bookworm");
    AUTO_FREE char *path = fixture_path(fixture, "cache/suite/bookworm/lock");
    AUTO_CLOSE fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    fixture->call.deadline_ms = clock_now_ms(clock_system()) + 300;
    assert_refused(fixture, "7.0", ERR_UNREACHABLE, "cache_busy");
    assert_non_null(strstr(buf_text(&fixture->told), "waiting for another upshift"));
}

static void a_cancelled_wait_says_so(void **state)
{
    struct fixture *fixture = *state;
    make_folder(fixture, "cache/suite/bookworm");
    AUTO_FREE char *path = fixture_path(fixture, "cache/suite/bookworm/lock");
    AUTO_CLOSE fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    const atomic_bool cancelled = true;
    fixture->call.cancelled = &cancelled;
    assert_refused(fixture, "7.0", ERR_CANCELLED, "cancelled");
}

static void a_suite_name_that_is_no_name_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"", "../etc", "-o", "a b", "Bookworm"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct fact_artefact artefact = {0};
        AUTO_ERR err = prepare_version(fixture, "7.0", names[i], &artefact);
        assert_non_null(err);
        assert_string_equal(err->code, "suite_unknown");
    }
}

static void a_series_without_rule_is_refused(void **state)
{
    assert_refused(*state, "3.2", ERR_INVALID, "version_unknown");
}

static void a_cache_folder_that_cannot_be_made_is_refused(void **state)
{
    struct fixture *fixture = *state;
    put_file(fixture, "cache", "in the way", 0644);
    assert_refused(fixture, "7.0", ERR_REFUSED, "cache_folder_unusable");
}

static void a_cache_folder_that_programs_cannot_name_is_refused(void **UNUSED(state))
{
    static const char *const folders[] = {"relative", "/a:b", "/a\"b", "/a$b"};
    for (size_t i = 0; i < ARRAY_COUNT(folders); i++) {
        struct package *package = NULL;
        AUTO_ERR err = suite_open(&(struct suite_places){.cache = folders[i]}, &package);
        assert_non_null(err);
        assert_string_equal(err->code, "cache_folder_unusable");
        assert_null(package);
    }
}

static void assert_mirror(struct fixture *fixture, const char *uri, const char *keyring)
{
    AUTO_FREE char *folder = fixture_path(fixture, "apt");
    struct mirror mirror = {0};
    assert_null(mirror_find(&fixture->arena, folder, &mirror));
    assert_string_equal(mirror.uri, uri);
    if (keyring != NULL) {
        assert_string_equal(mirror.keyring, keyring);
    }
}

static void the_mirror_is_read_from_deb822_sources(void **state)
{
    struct fixture *fixture = *state;
    put_file(fixture, "apt/sources.list", "# moved\n", 0644);
    put_file(fixture, "apt/sources.list.d/debian.sources",
        "Types: deb\nURIs: http://deb.example/debian-security\nSuites: bookworm-security\n"
        "Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n"
        "Types: deb-src\nURIs: http://source.example/debian\nSuites: x\nComponents: main\n\n"
        "types: deb\n# a comment inside\nURIs:\n http://deb.example/debian\nSuites: bookworm\n"
        "Components: main contrib\nSigned-By: /keys/debian-archive-keyring.gpg\n",
        0644);
    assert_mirror(fixture, "http://deb.example/debian", "/keys/debian-archive-keyring.gpg");
}

static void the_mirror_is_read_from_one_line_sources(void **state)
{
    struct fixture *fixture = *state;
    put_file(fixture, "apt/sources.list",
        "deb cdrom:[Debian 12]/ bookworm main\n"
        "# deb http://off.example/debian bookworm main\n"
        "deb [ arch=amd64 signed-by=/k/debian-archive.gpg ] http://one.example/debian/ sid main\n",
        0644);
    assert_mirror(fixture, "http://one.example/debian/", "/k/debian-archive.gpg");
}

static void another_vendors_folder_named_debian_is_second_choice(void **state)
{
    struct fixture *fixture = *state;
    put_file(fixture, "apt/sources.list", "", 0644);
    put_file(fixture, "apt/sources.list.d/a.list",
        "deb [signed-by=/k/vendor.gpg] http://vendor.example/debian bookworm main\n", 0644);
    assert_mirror(fixture, "http://vendor.example/debian", "/k/vendor.gpg");
    put_file(fixture, "apt/sources.list.d/b.sources",
        "Types: deb\nURIs: mirror+file:/etc/apt/mirrors/debian.list\nSuites: bookworm\n"
        "Components: main\n",
        0644);
    assert_mirror(fixture, "mirror+file:/etc/apt/mirrors/debian.list", NULL);
}

static void sources_without_debian_are_refused_with_an_example(void **state)
{
    struct fixture *fixture = *state;
    put_file(fixture, "apt/sources.list",
        "deb http://vendor.example/apt stable main\n"
        "deb http://vendor.example/debian stable extras\n",
        0644);
    put_file(fixture, "apt/sources.list.d/off.sources",
        "Enabled: no\nTypes: deb\nURIs: http://off.example/debian\nComponents: main\n", 0644);
    struct fact_artefact artefact = {0};
    AUTO_ERR err = prepare_version(fixture, "7.0", "bookworm", &artefact);
    assert_non_null(err);
    assert_string_equal(err->code, "mirror_unknown");
    assert_non_null(strstr(err->hint, "deb http"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(prepare_fills_the_artefact_and_tells_what_it_does),
        CASE(a_version_that_is_there_needs_no_tool_and_no_network),
        CASE(programs_are_pointed_at_the_final_place_of_their_tree),
        CASE(no_unpacked_program_keeps_privileges),
        CASE(apt_gets_the_proxy_but_no_hooks_of_the_machine),
        CASE(another_version_in_the_suite_is_refused_with_its_name),
        CASE(a_tree_without_marker_is_built_again),
        CASE(a_tree_that_was_moved_is_built_again),
        CASE(failures_of_the_tools_have_kinds_and_codes),
        CASE(a_package_that_the_suite_lacks_is_refused),
        CASE(a_full_disk_while_unpacking_leaves_no_tree),
        CASE(a_missing_tool_is_named_with_its_package),
        CASE(a_program_that_reports_another_version_does_not_count),
        CASE(a_held_lock_ends_at_the_deadline),
        CASE(a_cancelled_wait_says_so),
        CASE(a_suite_name_that_is_no_name_is_refused),
        CASE(a_series_without_rule_is_refused),
        CASE(a_cache_folder_that_cannot_be_made_is_refused),
        cmocka_unit_test(a_cache_folder_that_programs_cannot_name_is_refused),
        CASE(the_mirror_is_read_from_deb822_sources),
        CASE(the_mirror_is_read_from_one_line_sources),
        CASE(another_vendors_folder_named_debian_is_second_choice),
        CASE(sources_without_debian_are_refused_with_an_example),
    };
    return cmocka_run_group_tests_name("drivers/suite", tests, NULL, NULL);
}
