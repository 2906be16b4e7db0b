#include "drivers/suite/mirror.h"

#include <glob.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"

#define KEYRING_DEBIAN "/usr/share/keyrings/debian-archive-keyring.gpg"

enum { SOURCES_SIZE_MAX = 1 << 20 };

/* One entry of either format; all members are borrowed from the file's text. */
struct source_entry {
    struct str types;
    struct str uris;
    struct str components;
    struct str signed_by;
    struct str enabled;
};

/* The search so far. */
struct mirror_search {
    struct arena *arena;
    struct mirror found; /* uri NULL until something fits */
    bool is_debian;      /* `found` is signed by Debian's own keys: nothing fits better */
};

/* Cuts the next word off; false when none is left. */
static bool cut_word(struct str *rest, struct str *ret_word)
{
    static const char blanks[] = " \t\r\n";
    while (rest->size > 0 && strchr(blanks, rest->data[0]) != NULL) {
        rest->data++;
        rest->size--;
    }
    size_t size = 0;
    while (size < rest->size && strchr(blanks, rest->data[size]) == NULL) {
        size++;
    }
    *ret_word = (struct str){rest->data, size};
    rest->data += size;
    rest->size -= size;
    return size > 0;
}

static bool lists_word(struct str words, const char *wanted)
{
    struct str word;
    while (cut_word(&words, &word)) {
        if (str_is(word, wanted)) {
            return true;
        }
    }
    return false;
}

/* A part of the path is exactly "debian": not "debian-security", not another vendor's folder. Cloud
 * images name a list of mirrors instead: "mirror+file:/etc/apt/mirrors/debian.list". */
static bool is_debian_uri(struct str uri)
{
    struct str part;
    while (str_cut(&uri, '/', &part)) {
        if (str_is(part, "debian") || str_is(part, "debian.list")) {
            return true;
        }
    }
    return false;
}

static void consider_entry(struct mirror_search *search, const struct source_entry *entry)
{
    if (search->is_debian || !lists_word(entry->types, "deb") ||
        !lists_word(entry->components, "main") || str_is(entry->enabled, "no")) {
        return;
    }
    /* Signed-By may also be a fingerprint or a whole key: then Debian's own keyring is meant. */
    struct str keyring = {NULL, 0};
    struct str rest = entry->signed_by;
    const bool is_file = cut_word(&rest, &keyring) && keyring.data[0] == '/';
    const bool is_debian =
        !is_file || memmem(keyring.data, keyring.size, "debian-archive", 14) != NULL;
    struct str uris = entry->uris;
    struct str uri;
    while (cut_word(&uris, &uri)) {
        if (!is_debian_uri(uri) || (search->found.uri != NULL && !is_debian)) {
            continue;
        }
        search->found.uri = arena_strndup(search->arena, uri.data, uri.size);
        search->found.keyring = is_file ? arena_strndup(search->arena, keyring.data, keyring.size)
                                : fs_exists(KEYRING_DEBIAN) ? KEYRING_DEBIAN
                                                            : NULL;
        search->is_debian = is_debian;
        return;
    }
}

/* "deb [arch=amd64 signed-by=/a.gpg] http://mirror.example/debian bookworm main" */
static void read_one_line(struct mirror_search *search, struct str line)
{
    const char *comment = line.size == 0 ? NULL : memchr(line.data, '#', line.size);
    if (comment != NULL) {
        line.size = (size_t)(comment - line.data);
    }
    struct source_entry entry = {.enabled = STR("yes")};
    if (!cut_word(&line, &entry.types)) {
        return;
    }
    line = str_trim(line);
    if (str_starts_with(line, "[")) {
        struct str options;
        if (!str_cut(&line, ']', &options)) {
            return;
        }
        options.data++;
        options.size--;
        struct str option;
        while (cut_word(&options, &option)) {
            struct str name;
            if (str_cut(&option, '=', &name) && str_is(name, "signed-by")) {
                entry.signed_by = option;
            }
        }
    }
    struct str suite;
    if (cut_word(&line, &entry.uris) && cut_word(&line, &suite)) {
        entry.components = line;
        consider_entry(search, &entry);
    }
}

static void read_one_line_file(struct mirror_search *search, struct str text)
{
    struct str line;
    while (str_cut(&text, '\n', &line)) {
        read_one_line(search, line);
    }
}

/* The member that a deb822 field fills, or NULL when it does not matter here. */
static struct str *entry_member(struct source_entry *entry, struct str name)
{
    const struct {
        const char *name;
        struct str *member;
    } fields[] = {
        {"Types", &entry->types},
        {"URIs", &entry->uris},
        {"Components", &entry->components},
        {"Signed-By", &entry->signed_by},
        {"Enabled", &entry->enabled},
    };
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        if (strlen(fields[i].name) == name.size &&
            strncasecmp(fields[i].name, name.data, name.size) == 0) {
            return fields[i].member;
        }
    }
    return NULL;
}

/* Stanzas of "Name: value" with continuation lines, separated by empty lines. */
static void read_deb822_file(struct mirror_search *search, struct str text)
{
    struct source_entry entry = {.enabled = STR("yes")};
    struct str *member = NULL;
    struct str line;
    while (str_cut(&text, '\n', &line)) {
        if (str_trim(line).size == 0) {
            consider_entry(search, &entry);
            entry = (struct source_entry){.enabled = STR("yes")};
            member = NULL;
        } else if (line.data[0] == '#') {
            continue;
        } else if (line.data[0] == ' ' || line.data[0] == '\t') {
            if (member != NULL && member->size == 0) { /* the value begins on the next line */
                *member = str_trim(line);
            }
        } else {
            struct str name;
            member = str_cut(&line, ':', &name) ? entry_member(&entry, str_trim(name)) : NULL;
            if (member != NULL) {
                *member = str_trim(line);
            }
        }
    }
    consider_entry(search, &entry);
}

typedef void source_reader(struct mirror_search *search, struct str text);

/* A file that we may not read holds the credentials of some other archive: passed over. */
static void read_source_files(
    struct mirror_search *search, const char *pattern, source_reader *reader)
{
    glob_t files = {0};
    if (glob(pattern, 0, NULL, &files) == 0) {
        for (size_t i = 0; i < files.gl_pathc; i++) {
            AUTO_BUF text = {0};
            AUTO_ERR err = fs_read(files.gl_pathv[i], SOURCES_SIZE_MAX, &text);
            if (err == NULL) {
                reader(search, str_of(buf_text(&text)));
            }
        }
    }
    globfree(&files);
}

struct err *mirror_find(struct arena *arena, const char *folder, struct mirror *ret_mirror)
{
    static const struct {
        const char *pattern;
        source_reader *reader;
    } places[] = {
        {"sources.list", read_one_line_file},
        {"sources.list.d/*.list", read_one_line_file},
        {"sources.list.d/*.sources", read_deb822_file},
    };
    struct mirror_search search = {.arena = arena};
    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        const char *pattern = arena_format(arena, "%s/%s", folder, places[i].pattern);
        read_source_files(&search, pattern, places[i].reader);
    }
    if (search.found.uri == NULL) {
        struct err *err = err_new(ERR_INVALID, folder, "no Debian archive among apt's sources");
        return err_hint(err_code(err, "mirror_unknown"),
            "name one there, for example: deb http://MIRROR/debian bookworm main");
    }
    *ret_mirror = search.found;
    return NULL;
}
