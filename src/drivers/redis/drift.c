/*
 * drivers/redis/drift.c - what a server runs with and its file does not say.
 *
 * A node restarted in a new version reads its file. A value set live (CONFIG SET) is lost then,
 * silently, so an upgrade must know of each one before it begins. Live values are written by the
 * server in its own way (64mb as 67108864), hence a comparison per kind of setting. Where the file
 * is silent the default counts, for the few settings where we know it in every series.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/sha256.h"
#include "drivers/redis/config.h"

/* Not settings, not readable, or the place of one server rather than how it works. */
static const char *const structural[] = {"aclfile", "bind", "bind-source-addr",
    "cluster-config-file", "cluster-enabled", "cluster-port", "daemonize", "dir", "include",
    "loadmodule", "logfile", "pidfile", "port", "rename-command", "replicaof", "slaveof",
    "supervised", "unixsocket"};

/* Measured with Redis 6.0.16, 7.0.15 and Valkey 8.1.1. Of the rows of one setting, which stand
 * together, the first counts whose series begins like that of the server. */
static const struct silent_default {
    const char *name;
    const char *series;
    const char *value;
} defaults[] = {
    {"maxmemory", "", "0"},
    {"maxmemory-policy", "", "noeviction"},
    {"min-replicas-to-write", "", "0"},
    {"appendonly", "", "no"},
    {"save", "redis/6.", ""}, /* a file that says nothing means no snapshots, until 7.0 */
    {"save", "", "3600 1 300 100 60 10000"},
    {"repl-backlog-size", "valkey/7.", "1mb"},
    {"repl-backlog-size", "valkey/", "10mb"},
    {"repl-backlog-size", "", "1mb"},
    {"repl-diskless-sync-delay", "", "5"},
    {"cluster-require-full-coverage", "", "yes"},
};

/* "64mb" as bytes: k, m, g are powers of 1000, kb, mb, gb of 1024. False when it is no number. */
static bool read_memory(const char *text, int64_t *ret_bytes)
{
    static const struct {
        const char *suffix;
        int64_t factor;
    } units[] = {{"", 1}, {"b", 1}, {"k", 1000}, {"kb", 1024}, {"m", 1000000}, {"mb", 1 << 20},
        {"g", 1000000000}, {"gb", 1 << 30}};
    const size_t digits = strspn(text, "-0123456789");
    int64_t number = 0;
    if (!str_to_int64((struct str){text, digits}, &number)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
        if (strcasecmp(text + digits, units[i].suffix) == 0) {
            return !__builtin_mul_overflow(number, units[i].factor, ret_bytes);
        }
    }
    return false;
}

/* Enumerations are written in any case; paths and patterns are not. */
static bool is_plain_word(const char *text)
{
    for (; *text != '\0'; text++) {
        if (!isalpha((unsigned char)*text) && *text != '-') {
            return false;
        }
    }
    return true;
}

static bool equal_values(const char *a, const char *b)
{
    int64_t a_bytes = 0;
    int64_t b_bytes = 0;
    return strcmp(a, b) == 0 || (is_plain_word(a) && strcasecmp(a, b) == 0) ||
           (read_memory(a, &a_bytes) && read_memory(b, &b_bytes) && a_bytes == b_bytes);
}

/* "normal 0 0 0 slave 268435456 67108864 60 pubsub ...": a class and three numbers each. */
enum { LIMIT_WORDS = 4 };

static bool is_same_class(const char *a, const char *b)
{
    a = strcasecmp(a, "slave") == 0 ? "replica" : a;
    b = strcasecmp(b, "slave") == 0 ? "replica" : b;
    return strcasecmp(a, b) == 0;
}

/* Do the live limits contain this one? */
static bool has_limit(const char *const *wanted, const char *const *live, size_t live_count)
{
    for (size_t i = 0; i + LIMIT_WORDS <= live_count; i += LIMIT_WORDS) {
        if (is_same_class(wanted[0], live[i])) {
            return equal_values(wanted[1], live[i + 1]) && equal_values(wanted[2], live[i + 2]) &&
                   equal_values(wanted[3], live[i + 3]);
        }
    }
    return false;
}

/* The file need not name every class. */
static bool equal_limits(const char *file, const char *live)
{
    AUTO_ARENA scratch = {0};
    const char **wanted, **found;
    size_t wanted_count, found_count;
    if (!redis_config_split(&scratch, str_of(file), &wanted, &wanted_count) ||
        !redis_config_split(&scratch, str_of(live), &found, &found_count)) {
        return false;
    }
    bool is_equal = wanted_count % LIMIT_WORDS == 0;
    for (size_t i = 0; i + LIMIT_WORDS <= wanted_count; i += LIMIT_WORDS) {
        is_equal &= has_limit(wanted + i, found, found_count);
    }
    return is_equal;
}

/* Letters in any order; A stands for the classes behind it here. */
static void read_events(const char *text, bool ret_events[128])
{
    for (; *text != '\0'; text++) {
        ret_events[*text & 127] = true;
    }
    for (const char *c = "g$lshzxetd"; ret_events['A'] && *c != '\0'; c++) {
        ret_events[*c & 127] = true;
    }
    ret_events['A'] = false;
}

static bool equal_events(const char *file, const char *live)
{
    bool wanted[128] = {false};
    bool found[128] = {false};
    read_events(file, wanted);
    read_events(live, found);
    return memcmp(wanted, found, sizeof(wanted)) == 0;
}

/* Settings whose spelling is free. */
static const struct special {
    const char *name;
    bool (*is_equal)(const char *file, const char *live);
} specials[] = {
    {"client-output-buffer-limit", equal_limits},
    {"notify-keyspace-events", equal_events},
};

static bool is_structural(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(structural); i++) {
        if (strcmp(name, structural[i]) == 0) {
            return true;
        }
    }
    return strncmp(name, "tls-", 4) == 0;
}

static bool equal_setting(const char *name, const char *file, const char *live)
{
    for (size_t i = 0; i < ARRAY_COUNT(specials); i++) {
        if (strcmp(name, specials[i].name) == 0) {
            return specials[i].is_equal(file, live);
        }
    }
    return equal_values(file, live);
}

static void report_drift(struct arena *arena, struct fact_node *node, const char *setting,
    const char *live, const char *file)
{
    for (size_t i = 0; i < node->drift_count; i++) {
        if (strcmp(node->drift[i].setting, setting) == 0) {
            return; /* a setting on several lines */
        }
    }
    struct fact_drift *drift =
        arena_push(arena, &node->drift, &node->drift_count, sizeof(*node->drift));
    *drift = (struct fact_drift){.setting = arena_strdup(arena, setting),
        .live = arena_strdup(arena, live),
        .file = arena_strdup(arena, file)};
}

/* What a silent file means: the default of the series that runs, marked as such. */
static void find_in_silence(struct arena *arena, const struct redis_config *live,
    const struct redis_config *file, struct fact_node *node)
{
    const char *decided = "";
    for (size_t i = 0; i < ARRAY_COUNT(defaults); i++) {
        const struct silent_default *row = &defaults[i];
        if (strcmp(row->name, decided) == 0 ||
            strncmp(node->series, row->series, strlen(row->series)) != 0) {
            continue;
        }
        decided = row->name;
        const char *value = redis_config_get(live, row->name);
        if (value != NULL && redis_config_get(file, row->name) == NULL &&
            !equal_values(row->value, value)) {
            const char *shown = *row->value == '\0' ? "\"\"" : row->value;
            report_drift(arena, node, row->name, value, arena_format(arena, "%s (default)", shown));
        }
    }
}

/* A password that was set live is gone after a restart, and with it the lock on the door or the key
 * to the primary. A file that says nothing means an empty one. */
static void find_in_secrets(struct arena *arena, const struct redis_config *live,
    const struct redis_config *file, struct fact_node *node)
{
    static const char *const names[] = {
        "requirepass", "masterauth", "masteruser", "tls-key-file-pass", "tls-client-key-file-pass"};
    char nothing[SHA256_HEX_SIZE];
    sha256_hex("", 0, nothing);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        const char *ours = redis_config_get_digest(live, names[i]);
        const char *theirs = redis_config_get_digest(file, names[i]);
        const bool is_silent = theirs == NULL && file->has_include;
        theirs = theirs == NULL ? nothing : theirs;
        if (ours != NULL && !is_silent && strcmp(ours, theirs) != 0) {
            report_drift(arena, node, names[i], strcmp(ours, nothing) == 0 ? "" : "(a secret)",
                strcmp(theirs, nothing) == 0 ? "" : "(another secret)");
        }
    }
}

void redis_drift_find(struct arena *arena, const struct redis_config *live,
    const struct redis_config *file, struct fact_node *node)
{
    for (size_t i = 0; i < file->count; i++) {
        const struct redis_directive *item = &file->items[i];
        const char *live_value = redis_config_get(live, item->name);
        const char *file_value = redis_config_get(file, item->name);
        if (live_value == NULL || file_value == NULL || is_structural(item->name)) {
            continue;
        }
        if (!equal_setting(item->name, file_value, live_value)) {
            report_drift(arena, node, item->name, live_value, file_value);
        }
    }
    find_in_secrets(arena, live, file, node);
    if (!file->has_include) { /* else an included file may speak where this one is silent */
        find_in_silence(arena, live, file, node);
    }
}
