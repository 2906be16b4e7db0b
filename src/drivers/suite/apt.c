#include "drivers/suite/apt.h"

#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "drivers/suite/command.h"

static struct err *write_text(const char *folder, const char *name, const char *text)
{
    AUTO_FREE char *path = mem_format("%s/%s", folder, name);
    return fs_write(path, text, strlen(text), 0644);
}

static struct err *make_apt_folders(const struct apt *apt)
{
    static const char *const names[] = {
        "lists/partial", "cache/archives/partial", "parts", "state"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        AUTO_FREE char *path = mem_format("%s/%s", apt->folder, names[i]);
        struct err *err = fs_make_dirs(path, 0755);
        if (err != NULL) {
            return err;
        }
    }
    return NULL;
}

/* Takes over how the machine reaches the network (proxies, certificates) and nothing else: its
 * hooks, pins and relaxed checks must not reach into the private tree. */
static struct err *add_network_settings(
    const struct call *call, const struct apt *apt, struct buf *text)
{
    static const char *const argv[] = {"apt-config", "dump", NULL};
    AUTO_BUF dump = {0};
    struct err *err =
        command_run(call, &(struct command){.argv = argv, .where = apt->suite}, &dump);
    if (err != NULL) {
        return err;
    }
    struct str rest = str_of(buf_text(&dump));
    struct str line;
    while (str_cut(&rest, '\n', &line)) {
        if (str_starts_with(line, "Acquire::http")) { /* and Acquire::https */
            buf_append_str(text, line);
            buf_append_char(text, '\n');
        }
    }
    return NULL;
}

static void add_tree_settings(const struct apt *apt, struct buf *text)
{
    const struct {
        const char *name;
        const char *path; /* below our folder; NULL: nowhere */
    } places[] = {
        {"Dir::Etc::main", NULL},
        {"Dir::Etc::parts", "parts"},
        {"Dir::Etc::sourcelist", "sources.list"},
        {"Dir::Etc::sourceparts", "parts"},
        {"Dir::Etc::preferences", NULL},
        {"Dir::Etc::preferencesparts", "parts"},
        {"Dir::State", "state"},
        {"Dir::State::lists", "lists"},
        {"Dir::State::status", "state/status"},
        {"Dir::Cache", "cache"},
        {"Dir::Cache::archives", "cache/archives"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        if (places[i].path == NULL) {
            buf_printf(text, "%s \"/dev/null\";\n", places[i].name);
        } else {
            buf_printf(text, "%s \"%s/%s\";\n", places[i].name, apt->folder, places[i].path);
        }
    }
    buf_printf(text,
        "APT::Architecture \"%s\";\n"
        "APT::Architectures { \"%s\"; };\n"
        "APT::Sandbox::User \"root\";\n"     /* our folders are not _apt's */
        "APT::Update::Error-Mode \"any\";\n" /* an unreachable archive is no warning */
        "Acquire::Languages \"none\";\n"
        "Acquire::Retries \"2\";\n",
        apt->architecture, apt->architecture);
}

static struct err *write_apt_files(
    const struct call *call, const struct apt *apt, const struct mirror *mirror)
{
    struct err *err = make_apt_folders(apt);
    if (err != NULL) {
        return err;
    }
    AUTO_BUF config = {0};
    err = add_network_settings(call, apt, &config);
    if (err != NULL) {
        return err;
    }
    add_tree_settings(apt, &config);
    AUTO_BUF sources = {0};
    buf_append_text(&sources, "deb ");
    if (mirror->keyring != NULL) {
        buf_printf(&sources, "[signed-by=%s] ", mirror->keyring);
    }
    buf_printf(&sources, "%s %s main\n", mirror->uri, apt->suite);
    const struct {
        const char *name;
        const char *text;
    } files[] = {
        {"apt.conf", buf_text(&config)}, {"sources.list", buf_text(&sources)},
        {"state/status", ""}, /* nothing is installed: the closure is complete */
    };
    for (size_t i = 0; i < ARRAY_COUNT(files) && err == NULL; i++) {
        err = write_text(apt->folder, files[i].name, files[i].text);
    }
    return err;
}

struct err *apt_prepare(
    const struct call *call, struct arena *arena, struct apt *apt, const struct mirror *mirror)
{
    apt->config = arena_format(arena, "%s/apt.conf", apt->folder);
    struct err *err = write_apt_files(call, apt, mirror);
    if (err != NULL) {
        return err;
    }
    static const char *const argv[] = {"apt-get", "-q", "update", NULL};
    const struct command command = {.argv = argv, .apt_config = apt->config, .where = mirror->uri};
    err = command_run(call, &command, NULL);
    return err == NULL ? NULL
                       : err_wrap(err, apt->suite, "cannot fetch the package lists of the suite");
}

/* Takes the value of a "Name: value" line out of apt-cache's answer; NULL when it is not there. */
static const char *find_record_field(struct arena *arena, const char *record, const char *name)
{
    struct str rest = str_of(record);
    struct str line;
    while (str_cut(&rest, '\n', &line)) {
        struct str key;
        if (str_cut(&line, ':', &key) && str_is(key, name)) {
            line = str_trim(line);
            return arena_strndup(arena, line.data, line.size);
        }
    }
    return NULL;
}

struct err *apt_find(const struct call *call, struct arena *arena, const struct apt *apt,
    const char *name, struct apt_package *ret_package)
{
    const char *const argv[] = {"apt-cache", "show", "--no-all-versions", name, NULL};
    const struct command command = {.argv = argv, .apt_config = apt->config, .where = apt->suite};
    AUTO_BUF record = {0};
    struct err *err = command_run(call, &command, &record);
    if (err != NULL) {
        return err_wrap(err, apt->suite, "cannot find the package %s", name);
    }
    const struct apt_package package = {
        .name = name,
        .version = find_record_field(arena, buf_text(&record), "Version"),
        .digest = find_record_field(arena, buf_text(&record), "SHA256"),
    };
    if (package.version == NULL || package.digest == NULL) {
        err = err_new(ERR_REFUSED, apt->suite, "apt-cache does not tell the version of %s", name);
        return err_code(err, "package_tool_failed");
    }
    *ret_package = package;
    return NULL;
}

struct err *apt_fetch(const struct call *call, const struct apt *apt,
    const struct apt_package *package, const char *folder)
{
    AUTO_FREE char *partial = mem_format("%s/partial", folder);
    struct err *err = fs_make_dirs(partial, 0755);
    if (err != NULL) {
        return err;
    }
    AUTO_FREE char *archives = mem_format("Dir::Cache::archives=%s", folder);
    AUTO_FREE char *exact = mem_format("%s=%s", package->name, package->version);
    const char *const argv[] = {"apt-get", "-q", "-y", "--no-install-recommends", "--download-only",
        "-o", archives, "install", exact, NULL};
    const struct command command = {.argv = argv, .apt_config = apt->config, .where = apt->suite};
    err = command_run(call, &command, NULL);
    return err == NULL ? NULL : err_wrap(err, apt->suite, "cannot fetch %s", exact);
}
