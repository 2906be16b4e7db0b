#include "drivers/suite/tree.h"

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/codec.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "drivers/suite/command.h"

#define MARKER "upshift.json"

enum { MARKER_SIZE_MAX = 65536, WALK_DEPTH_OPEN_MAX = 32 };

static const struct tree_platform platforms[] = {
    {"x86_64", "amd64", "x86_64-linux-gnu", "ld-linux-x86-64.so.2"},
    {"aarch64", "arm64", "aarch64-linux-gnu", "ld-linux-aarch64.so.1"},
};

struct err *tree_find_platform(const struct tree_platform **ret_platform)
{
    struct utsname name;
    if (uname(&name) != 0) {
        return err_errno(ERR_INTERNAL, NULL, "cannot ask for the machine's architecture");
    }
    for (size_t i = 0; i < ARRAY_COUNT(platforms); i++) {
        if (strcmp(platforms[i].machine, name.machine) == 0) {
            *ret_platform = &platforms[i];
            return NULL;
        }
    }
    struct err *err =
        err_new(ERR_INVALID, NULL, "cannot unpack programs for a %s machine", name.machine);
    return err_hint(err_code(err, "platform_unknown"), "run upshift on an amd64 or arm64 machine");
}

struct err *tree_check_tools(const struct call *call)
{
    static const char *const argv[] = {"patchelf", "--version", NULL};
    return command_run(call, &(struct command){.argv = argv}, NULL);
}

static struct err *unpack_archives(
    const struct call *call, const char *archives, const char *folder)
{
    AUTO_FREE char *pattern = mem_format("%s/*.deb", archives);
    glob_t files = {0};
    if (glob(pattern, 0, NULL, &files) != 0) {
        globfree(&files);
        struct err *err = err_new(ERR_REFUSED, archives, "apt-get fetched no packages");
        return err_code(err, "package_tool_failed");
    }
    struct err *err = NULL;
    for (size_t i = 0; i < files.gl_pathc && err == NULL; i++) {
        const char *const argv[] = {"dpkg-deb", "-x", files.gl_pathv[i], folder, NULL};
        const struct command command = {.argv = argv, .where = files.gl_pathv[i]};
        err = command_run(call, &command, NULL);
    }
    globfree(&files);
    return err;
}

/* The closure of a server brings su and passwd along: nobody must find them with privileges. */
static int strip_privileges(
    const char *path, const struct stat *status, int type, struct FTW *UNUSED(walk))
{
    if (type == FTW_F && (status->st_mode & (S_ISUID | S_ISGID)) != 0) {
        return chmod(path, status->st_mode & 0755);
    }
    return 0;
}

/* The library folders that exist in `build`, named by where they will be. */
static void list_libraries(const struct tree *tree, const char *build, struct buf *ret_path)
{
    /* Suites since trixie have no lib/ of their own; libsystemd's private folder is for the rest.
     */
    static const char *const patterns[] = {"lib/%s", "usr/lib/%s", "usr/lib/%s/systemd"};
    for (size_t i = 0; i < ARRAY_COUNT(patterns); i++) {
        AUTO_BUF place = {0};
        const char *marker = strstr(patterns[i], "%s");
        buf_append(&place, patterns[i], (size_t)(marker - patterns[i]));
        buf_append_text(&place, tree->platform->libraries);
        buf_append_text(&place, marker + 2);
        AUTO_FREE char *present = mem_format("%s/%s", build, buf_text(&place));
        if (fs_exists(present)) {
            buf_printf(ret_path, "%s%s/%s", ret_path->size == 0 ? "" : ":", tree->folder,
                buf_text(&place));
        }
    }
}

/* lib64/ld-linux* is an absolute link into the host in some suites, so it is never the one. */
static struct err *find_loader(const struct tree *tree, const char *build, struct buf *ret_loader)
{
    static const char *const folders[] = {"usr/lib", "lib"};
    for (size_t i = 0; i < ARRAY_COUNT(folders); i++) {
        AUTO_FREE char *inside =
            mem_format("%s/%s/%s", folders[i], tree->platform->libraries, tree->platform->loader);
        AUTO_FREE char *present = mem_format("%s/%s", build, inside);
        if (fs_exists(present)) {
            buf_printf(ret_loader, "%s/%s", tree->folder, inside);
            return NULL;
        }
    }
    struct err *err = err_new(ERR_REFUSED, build, "the packages hold no program loader");
    return err_code(err, "program_unusable");
}

static bool is_program(const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0 || !S_ISREG(status.st_mode)) {
        return false; /* a link leads to another file of the same folder */
    }
    AUTO_CLOSE fd = open(path, O_RDONLY | O_CLOEXEC);
    char magic[SELFMAG];
    return fd >= 0 && read(fd, magic, SELFMAG) == SELFMAG && memcmp(magic, ELFMAG, SELFMAG) == 0;
}

/* Makes the product's own programs run with the tree's libc: the loader as interpreter, and RPATH
 * (forced: RUNPATH is not used for the libraries of libraries). The closure's other programs are
 * there only because a library's package brings them. */
static struct err *patch_programs(
    const struct call *call, const struct tree *tree, const char *build)
{
    AUTO_BUF libraries = {0};
    AUTO_BUF loader = {0};
    list_libraries(tree, build, &libraries);
    struct err *err = find_loader(tree, build, &loader);
    if (err != NULL) {
        return err;
    }
    AUTO_FREE char *server = mem_format("%s/%s", build, tree->binary);
    AUTO_FREE char *pattern =
        mem_format("%.*s/%s-*", (int)(strrchr(server, '/') - server), server, tree->product);
    glob_t files = {0};
    if (glob(pattern, 0, NULL, &files) != 0) {
        err = err_new(ERR_REFUSED, build, "the packages hold no program %s", tree->binary);
        err = err_code(err, "program_unusable");
    }
    for (size_t i = 0; i < files.gl_pathc && err == NULL; i++) {
        const char *const argv[] = {"patchelf", "--force-rpath", "--set-rpath",
            buf_text(&libraries), "--set-interpreter", buf_text(&loader), files.gl_pathv[i], NULL};
        if (is_program(files.gl_pathv[i])) {
            const struct command command = {.argv = argv, .where = files.gl_pathv[i]};
            err = command_run(call, &command, NULL);
        }
    }
    globfree(&files);
    return err;
}

static struct err *fill_tree(
    const struct call *call, const struct tree *tree, const char *archives, const char *build)
{
    struct err *err = unpack_archives(call, archives, build);
    if (err != NULL) {
        return err;
    }
    if (nftw(build, strip_privileges, WALK_DEPTH_OPEN_MAX, FTW_PHYS) != 0) {
        return err_errno(ERR_REFUSED, build, "cannot take privileges off the programs");
    }
    return patch_programs(call, tree, build);
}

struct err *tree_build(const struct call *call, const struct tree *tree, const char *archives)
{
    AUTO_FREE char *build = mem_format("%s.part", tree->folder);
    struct err *err = fs_remove_tree(build);
    if (err == NULL) {
        err = fs_make_dirs(build, 0755);
    }
    if (err == NULL) {
        err = fill_tree(call, tree, archives, build);
    }
    if (err == NULL) {
        err = fs_remove_tree(tree->folder);
    }
    if (err == NULL && rename(build, tree->folder) != 0) {
        err = err_errno(ERR_REFUSED, tree->folder, "cannot put the programs into place");
    }
    if (err != NULL) {
        err_free(fs_remove_tree(build)); /* the first error says more */
    }
    return err;
}

/* "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=..." */
struct err *tree_read_version(
    const struct call *call, struct arena *arena, const struct tree *tree, const char **ret_version)
{
    AUTO_FREE char *server = mem_format("%s/%s", tree->folder, tree->binary);
    const char *const argv[] = {server, "--version", NULL};
    AUTO_BUF output = {0};
    struct err *err = command_run(call, &(struct command){.argv = argv, .where = server}, &output);
    if (err != NULL) {
        err = err_wrap(err, tree->product, "the unpacked server program does not run");
        return err_code(err, "program_unusable");
    }
    struct str rest = str_of(buf_text(&output));
    struct str word;
    while (str_cut(&rest, ' ', &word)) {
        if (str_starts_with(word, "v=")) {
            *ret_version = arena_strndup(arena, word.data + 2, word.size - 2);
            return NULL;
        }
    }
    err = err_new(ERR_REFUSED, server, "the server program does not tell its version");
    return err_code(err, "program_unusable");
}

static const struct codec_field marker_fields[] = {
    CODEC_TEXT(struct fact_artefact, product),
    CODEC_TEXT(struct fact_artefact, version),
    CODEC_TEXT(struct fact_artefact, series),
    CODEC_TEXT(struct fact_artefact, package_version),
    CODEC_TEXT(struct fact_artefact, digest),
    CODEC_TEXT(struct fact_artefact, server),
    CODEC_END,
};
static const struct codec marker_codec = {sizeof(struct fact_artefact), marker_fields};

static struct err *sync_file_system(const char *folder)
{
    AUTO_CLOSE fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || syncfs(fd) != 0) {
        return err_errno(ERR_REFUSED, folder, "cannot make the programs durable");
    }
    return NULL;
}

struct err *tree_write_marker(const struct tree *tree, const struct fact_artefact *artefact)
{
    struct err *err = sync_file_system(tree->folder);
    if (err != NULL) {
        return err;
    }
    AUTO_JSON marker = codec_write(&marker_codec, artefact);
    AUTO_FREE char *text = js_write_pretty(marker);
    AUTO_FREE char *path = mem_format("%s/" MARKER, tree->folder);
    return fs_write(path, text, strlen(text), 0644);
}

bool tree_read_marker(struct arena *arena, const char *folder, struct fact_artefact *ret_artefact)
{
    AUTO_FREE char *path = mem_format("%s/" MARKER, folder);
    if (!fs_exists(path)) {
        return false;
    }
    AUTO_BUF text = {0};
    AUTO_JSON marker = NULL;
    struct fact_artefact artefact = {0};
    AUTO_ERR err = fs_read(path, MARKER_SIZE_MAX, &text);
    if (err == NULL) {
        err = js_parse(buf_text(&text), text.size, path, &marker);
    }
    if (err == NULL) {
        err = codec_read(&marker_codec, marker, arena, path, &artefact);
    }
    const bool is_whole = err == NULL && artefact.product != NULL && artefact.version != NULL &&
                          artefact.series != NULL && artefact.package_version != NULL &&
                          artefact.digest != NULL && artefact.server != NULL;
    if (!is_whole || !str_starts_with(str_of(artefact.server), folder) ||
        !fs_exists(artefact.server)) {
        return false;
    }
    *ret_artefact = artefact;
    return true;
}
