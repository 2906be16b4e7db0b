#include "drivers/suite/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/file.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/suite/apt.h"
#include "drivers/suite/mirror.h"
#include "drivers/suite/tree.h"

enum { LOCK_POLL_MS = 200 };

struct suite {
    struct package base;
    char *cache;
    char *apt_sources;
};

/* One request on its way. */
struct suite_job {
    const struct call *call;
    const struct suite *suite;
    struct arena *arena;
    const struct inv_version *asked;
    struct version wanted; /* what was asked for, parsed; may be a series */
    const struct series_rule *rule;
    const struct tree_platform *platform;
    const char *folder; /* <cache>/suite/<suite> */
    package_progress *progress;
    void *progress_context;
};

static void tell(const struct suite_job *job, const char *text)
{
    if (job->progress != NULL) {
        job->progress(job->progress_context, text);
    }
}

/* Debian's names of suites and packages; they become part of paths and of apt's files. */
static bool is_debian_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.+-";
    return name[0] != '\0' && strchr(".+-", name[0]) == NULL &&
           strspn(name, allowed) == strlen(name);
}

static struct err *resolve_request(struct suite_job *job, const struct rules *rules)
{
    const struct inv_version *asked = job->asked;
    if (asked->suite == NULL || !is_debian_name(asked->suite)) {
        struct err *err = err_new(ERR_INVALID, NULL, "\"%s\" is not the name of a Debian suite",
            asked->suite == NULL ? "" : asked->suite);
        return err_hint(err_code(err, "suite_unknown"), "write it like bookworm or trixie");
    }
    struct err *err = version_parse(job->arena, asked->product, asked->name, &job->wanted);
    if (err != NULL) {
        return err;
    }
    const char *series = version_series(job->arena, &job->wanted);
    job->rule = rules_find(rules, series);
    if (job->rule == NULL) {
        err = err_new(ERR_INVALID, NULL, "nothing is known about the series %s", series);
        return err_hint(err_code(err, "version_unknown"),
            "choose one of those that `upshift datastore version list %s` prints", asked->product);
    }
    job->folder = arena_format(job->arena, "%s/suite/%s", job->suite->cache, asked->suite);
    return tree_find_platform(&job->platform);
}

/* "7.0" stands for any 7.0.x, "7.0.15" for itself. */
static bool is_asked_version(const struct suite_job *job, const char *text)
{
    struct version version;
    AUTO_ERR err = version_parse(job->arena, job->wanted.product, text, &version);
    if (err != NULL || version.part_count < job->wanted.part_count) {
        return false;
    }
    return memcmp(version.parts, job->wanted.parts,
               job->wanted.part_count * sizeof(version.parts[0])) == 0;
}

static bool is_newer(
    struct arena *arena, const struct fact_artefact *a, const struct fact_artefact *b)
{
    struct version a_version;
    struct version b_version;
    AUTO_ERR a_err = version_parse(arena, a->product, a->version, &a_version);
    AUTO_ERR b_err = version_parse(arena, b->product, b->version, &b_version);
    return a_err == NULL && b_err == NULL && version_compare(&a_version, &b_version) > 0;
}

/* Looks for a finished tree; the newest upstream version wins, so that a request for a series has
 * the same answer until something newer was fetched. */
static bool find_ready_tree(const struct suite_job *job, struct fact_artefact *ret_artefact)
{
    AUTO_FREE char *pattern = mem_format("%s/%s/*", job->folder, job->rule->package);
    glob_t trees = {0};
    bool is_found = false;
    if (glob(pattern, GLOB_ONLYDIR, NULL, &trees) == 0) {
        for (size_t i = 0; i < trees.gl_pathc; i++) {
            struct fact_artefact artefact;
            if (tree_read_marker(job->arena, trees.gl_pathv[i], &artefact) &&
                is_asked_version(job, artefact.version) &&
                (!is_found || is_newer(job->arena, &artefact, ret_artefact))) {
                *ret_artefact = artefact;
                is_found = true;
            }
        }
    }
    globfree(&trees);
    return is_found;
}

static struct err *explain_lock_timeout(const struct suite_job *job, const char *path)
{
    const char *what = "another upshift holds the lock of the suite";
    if (job->call->cancelled != NULL && atomic_load(job->call->cancelled)) {
        return err_new(ERR_CANCELLED, path, "%s", what);
    }
    struct err *err = err_new(ERR_UNREACHABLE, path, "%s", what);
    return err_hint(err_code(err, "cache_busy"), "try again when it is done");
}

/* One builder per suite at a time; the kernel drops the lock when its holder dies. */
static struct err *take_suite_lock(const struct suite_job *job, int *ret_fd)
{
    struct err *err = fs_make_dirs(job->folder, 0755);
    if (err != NULL) {
        err = err_wrap(err, NULL, "cannot use the cache folder");
        return err_hint(err_code(err, "cache_folder_unusable"),
            "point XDG_CACHE_HOME at a folder that you can write to");
    }
    AUTO_FREE char *path = mem_format("%s/lock", job->folder);
    AUTO_CLOSE fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        return err_code(
            err_errno(ERR_REFUSED, path, "cannot open the lock file"), "cache_folder_unusable");
    }
    bool is_told = false;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return err_code(
                err_errno(ERR_REFUSED, path, "cannot lock the file"), "cache_folder_unusable");
        }
        if (!is_told) {
            tell(job, "waiting for another upshift that fetches from the same suite");
            is_told = true;
        }
        if (call_left_ms(job->call) == 0) {
            return explain_lock_timeout(job, path);
        }
        clock_wait_ms(job->call->clock, LOCK_POLL_MS);
    }
    *ret_fd = fd;
    fd = -1;
    return NULL;
}

/* ':' separates library folders in a program's RPATH, so "5:7.0.15-1" cannot name a folder. */
static const char *tree_folder(const struct suite_job *job, const char *package_version)
{
    AUTO_BUF name = {0};
    for (const char *c = package_version; *c != '\0'; c++) {
        if (*c == ':') {
            buf_append_text(&name, "%3a");
        } else {
            buf_append_char(&name, *c);
        }
    }
    return arena_format(job->arena, "%s/%s/%s", job->folder, job->rule->package, buf_text(&name));
}

static struct err *refuse_other_version(const struct suite_job *job, const char *package_version)
{
    struct version found;
    struct err *err = version_parse(job->arena, job->wanted.product, package_version, &found);
    if (err != NULL) {
        return err;
    }
    err = err_new(ERR_INVALID, job->asked->suite, "the suite does not have %s %s",
        job->wanted.product, job->asked->name);
    return err_hint(err_code(err, "version_not_in_suite"),
        "it has %s (package %s): ask for that, or name another suite", found.text, package_version);
}

/* The package says which version it is; the program itself has the last word. */
static struct err *check_program(
    const struct suite_job *job, const struct tree *tree, const char *expected)
{
    const char *reported = NULL;
    struct err *err = tree_read_version(job->call, job->arena, tree, &reported);
    if (err == NULL && strcmp(reported, expected) != 0) {
        err = err_new(ERR_REFUSED, tree->folder, "the program calls itself %s, its package %s",
            reported, expected);
        err = err_code(err, "program_unusable");
    }
    return err;
}

static struct err *build_package_tree(const struct suite_job *job, const struct apt *apt,
    const struct apt_package *package, struct fact_artefact *ret_artefact)
{
    struct version version;
    struct err *err = version_parse(job->arena, job->wanted.product, package->version, &version);
    if (err != NULL) {
        return err;
    }
    const struct tree tree = {
        .folder = tree_folder(job, package->version),
        .binary = job->rule->binary,
        .product = job->rule->product,
        .platform = job->platform,
    };
    const struct fact_artefact artefact = {
        .product = version.product,
        .version = version.text,
        .series = version_series(job->arena, &version),
        .package_version = package->version,
        .digest = package->digest,
        .server = arena_format(job->arena, "%s/%s", tree.folder, tree.binary),
    };
    AUTO_FREE char *archives = mem_format("%s.archives", tree.folder);
    tell(job, arena_format(job->arena, "fetching %s %s from %s", package->name, package->version,
                  apt->suite));
    err = fs_remove_tree(archives); /* an interrupted attempt's packages may be older ones */
    if (err == NULL) {
        err = apt_fetch(job->call, apt, package, archives);
    }
    if (err == NULL) {
        tell(job, arena_format(job->arena, "unpacking %s %s", version.product, version.text));
        err = tree_build(job->call, &tree, archives);
    }
    err_free(fs_remove_tree(archives));
    if (err == NULL) {
        err = check_program(job, &tree, version.text);
    }
    if (err == NULL) {
        err = tree_write_marker(&tree, &artefact);
    }
    if (err == NULL) {
        *ret_artefact = artefact;
    }
    return err;
}

static struct err *make_tree(const struct suite_job *job, struct fact_artefact *ret_artefact)
{
    struct err *err = tree_check_tools(job->call);
    if (err != NULL) {
        return err;
    }
    struct mirror mirror;
    err = mirror_find(job->arena, job->suite->apt_sources, &mirror);
    if (err != NULL) {
        return err;
    }
    struct apt apt = {
        .folder = arena_format(job->arena, "%s/apt", job->folder),
        .suite = job->asked->suite,
        .architecture = job->platform->architecture,
    };
    tell(job, arena_format(job->arena, "reading the package lists of %s", apt.suite));
    err = apt_prepare(job->call, job->arena, &apt, &mirror);
    if (err != NULL) {
        return err;
    }
    struct apt_package package;
    err = apt_find(job->call, job->arena, &apt, job->rule->package, &package);
    if (err != NULL) {
        return err;
    }
    if (!is_asked_version(job, package.version)) {
        return refuse_other_version(job, package.version);
    }
    return build_package_tree(job, &apt, &package, ret_artefact);
}

static struct err *suite_prepare(const struct call *call, struct package *package,
    const struct inv_version *version, const struct rules *rules, package_progress *progress,
    void *progress_context, struct arena *arena, struct fact_artefact *ret_artefact)
{
    struct suite_job job = {
        .call = call,
        .suite = (const struct suite *)package,
        .arena = arena,
        .asked = version,
        .progress = progress,
        .progress_context = progress_context,
    };
    struct err *err = resolve_request(&job, rules);
    if (err != NULL || find_ready_tree(&job, ret_artefact)) {
        return err;
    }
    AUTO_CLOSE lock = -1;
    err = take_suite_lock(&job, &lock);
    if (err != NULL || find_ready_tree(&job, ret_artefact)) { /* made while we waited */
        return err;
    }
    return make_tree(&job, ret_artefact);
}

static void suite_close(struct package *package)
{
    struct suite *suite = (struct suite *)package;
    free(suite->cache);
    free(suite->apt_sources);
    free(suite);
}

static const struct package_ops suite_ops = {
    .name = "suite",
    .prepare = suite_prepare,
    .close = suite_close,
};

/* The user's cache folder; a relative XDG_CACHE_HOME does not count, by its specification. */
static struct err *find_cache_folder(char **ret_folder)
{
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    if (cache != NULL && cache[0] == '/') {
        *ret_folder = mem_format("%s/upshift", cache);
    } else if (home != NULL && home[0] == '/') {
        *ret_folder = mem_format("%s/.cache/upshift", home);
    } else {
        struct err *err = err_new(ERR_INVALID, NULL, "neither XDG_CACHE_HOME nor HOME is set");
        return err_hint(err_code(err, "cache_folder_unusable"),
            "set XDG_CACHE_HOME to the absolute path of a folder that you can write to");
    }
    return NULL;
}

/* The path goes into apt's configuration and into programs' library paths, which cannot quote. */
static struct err *check_cache_folder(const char *folder)
{
    if (folder[0] == '/' && strpbrk(folder, ":\"$\\\n;*?[") == NULL) {
        return NULL;
    }
    struct err *err = err_new(ERR_INVALID, folder, "the cache folder's name cannot be used");
    return err_hint(err_code(err, "cache_folder_unusable"),
        "set XDG_CACHE_HOME to an absolute path without special characters");
}

struct err *suite_open(const struct suite_places *places, struct package **ret_package)
{
    AUTO_FREE char *cache = NULL;
    struct err *err = NULL;
    if (places->cache != NULL) {
        cache = mem_strdup(places->cache);
    } else {
        err = find_cache_folder(&cache);
    }
    if (err == NULL) {
        err = check_cache_folder(cache);
    }
    if (err != NULL) {
        return err;
    }
    struct suite *suite = mem_alloc(sizeof(*suite));
    suite->base.ops = &suite_ops;
    suite->cache = cache;
    cache = NULL;
    suite->apt_sources = mem_strdup(places->apt_sources == NULL ? "/etc/apt" : places->apt_sources);
    *ret_package = &suite->base;
    return NULL;
}
