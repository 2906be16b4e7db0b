#include "drivers/redis/config.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/sha256.h"

enum { NAME_SIZE_MAX = 96 };

bool redis_config_is_secret(const char *name)
{
    static const char *const parts[] = {"pass", "auth", "user", "secret"};
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        if (strcasestr(name, parts[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static int hex_value(char c)
{
    const int lower = tolower((unsigned char)c);
    return isdigit(lower) ? lower - '0' : lower - 'a' + 10;
}

static char unescape(char c)
{
    static const char from[] = "nrtab";
    static const char to[] = "\n\r\t\a\b";
    const char *found = strchr(from, c);
    return found == NULL || c == '\0' ? c : to[found - from];
}

/* One escape of a double-quoted word, behind its backslash; returns how many bytes it took. */
static size_t take_escape(struct str rest, struct buf *word)
{
    if (rest.size >= 3 && rest.data[0] == 'x' && isxdigit((unsigned char)rest.data[1]) &&
        isxdigit((unsigned char)rest.data[2])) {
        buf_append_char(word, (char)(hex_value(rest.data[1]) << 4 | hex_value(rest.data[2])));
        return 3;
    }
    buf_append_char(word, unescape(rest.data[0]));
    return 1;
}

/* A quoted word behind its opening quote; returns the bytes taken with the closing one, 0: none. */
static size_t take_quoted(struct str rest, char quote, struct buf *word)
{
    size_t i = 0;
    while (i < rest.size && rest.data[i] != quote) {
        const bool is_escape = rest.data[i] == '\\' && i + 1 < rest.size &&
                               (quote == '"' || rest.data[i + 1] == quote);
        if (!is_escape) {
            buf_append_char(word, rest.data[i++]);
        } else if (quote == '"') {
            i += 1 + take_escape((struct str){rest.data + i + 1, rest.size - i - 1}, word);
        } else {
            buf_append_char(word, quote);
            i += 2;
        }
    }
    const bool is_closed = i < rest.size;
    const bool is_end = i + 1 >= rest.size || isspace((unsigned char)rest.data[i + 1]);
    return is_closed && is_end ? i + 1 : 0;
}

/* The next word of `rest`; returns the bytes taken, 0 when a quote is wrong. */
static size_t take_word(struct str rest, struct buf *word)
{
    size_t i = 0;
    while (i < rest.size && !isspace((unsigned char)rest.data[i])) {
        const char c = rest.data[i++];
        if (c != '"' && c != '\'') {
            buf_append_char(word, c);
            continue;
        }
        const size_t taken = take_quoted((struct str){rest.data + i, rest.size - i}, c, word);
        return taken == 0 ? 0 : i + taken;
    }
    return i;
}

bool redis_config_split(
    struct arena *arena, struct str line, const char ***ret_words, size_t *ret_count)
{
    const char **words = NULL;
    size_t count = 0;
    struct str rest = str_trim(line);
    if (rest.size > 0 && rest.data[0] == '#') {
        rest.size = 0;
    }
    AUTO_BUF word = {0};
    while (rest.size > 0) {
        buf_clear(&word);
        const size_t taken = take_word(rest, &word);
        if (taken == 0) {
            return false;
        }
        const char **slot = arena_push(arena, &words, &count, sizeof(*words));
        *slot = arena_strndup(arena, buf_text(&word), word.size);
        rest = str_trim((struct str){rest.data + taken, rest.size - taken});
    }
    *ret_words = words;
    *ret_count = count;
    return true;
}

/* Each line of these adds to those before it, and an empty one drops them; of others the last
 * line counts. Returns false when the setting is not there yet. */
static bool add_to_earlier(
    struct arena *arena, struct redis_config *config, const char *name, struct str value)
{
    static const char *const adding[] = {"client-output-buffer-limit", "save"};
    bool is_adding = false;
    for (size_t i = 0; i < ARRAY_COUNT(adding); i++) {
        is_adding |= strcmp(name, adding[i]) == 0;
    }
    for (size_t i = 0; is_adding && i < config->count; i++) {
        struct redis_directive *item = &config->items[i];
        if (strcmp(item->name, name) == 0) {
            const bool is_first = value.size == 0 || *item->value == '\0';
            item->value = arena_format(arena, "%s%s" STR_FMT, is_first ? "" : item->value,
                is_first ? "" : " ", STR_ARG(value));
            return true;
        }
    }
    return false;
}

static void add_directive(
    struct arena *arena, struct redis_config *config, struct str name, struct str value)
{
    char *lower = arena_strndup(arena, name.data, name.size);
    for (char *c = lower; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    if (add_to_earlier(arena, config, lower, value)) {
        return;
    }
    struct redis_directive *item =
        arena_push(arena, &config->items, &config->count, sizeof(*config->items));
    item->name = lower;
    const char *bytes = value.size == 0 ? "" : value.data;
    if (redis_config_is_secret(lower)) {
        char digest[SHA256_HEX_SIZE];
        sha256_hex(bytes, value.size, digest);
        item->digest = arena_strdup(arena, digest);
    } else {
        item->value = arena_strndup(arena, bytes, value.size);
    }
    config->has_include |= strcmp(lower, "include") == 0;
}

/* A line "user NAME RULE...". Rules about channels came with 6.2. */
static bool is_user_without_channels(const char *const *words, size_t count)
{
    if (strcasecmp(words[0], "user") != 0) {
        return false;
    }
    for (size_t i = 2; i < count; i++) {
        if (words[i][0] == '&' || strcasecmp(words[i], "allchannels") == 0 ||
            strcasecmp(words[i], "resetchannels") == 0) {
            return false;
        }
    }
    return true;
}

void redis_config_parse(struct arena *arena, struct str text, struct redis_config *ret_config)
{
    struct redis_config config = {0};
    struct str line;
    AUTO_ARENA scratch = {0}; /* words may be secrets: they do not outlive this call */
    while (str_cut(&text, '\n', &line)) {
        const char **words;
        size_t count;
        if (!redis_config_split(&scratch, line, &words, &count) || count == 0) {
            continue;
        }
        config.lacks_channels |= is_user_without_channels(words, count);
        AUTO_BUF value = {0};
        for (size_t i = 1; i < count; i++) {
            buf_printf(&value, "%s%s", i == 1 ? "" : " ", words[i]);
        }
        add_directive(arena, &config, str_of(words[0]), (struct str){value.data, value.size});
    }
    *ret_config = config;
}

void redis_config_of_reply(
    struct arena *arena, const struct resp *reply, struct redis_config *ret_config)
{
    struct redis_config config = {0};
    const size_t count = reply->type == RESP_MAP     ? 2 * reply->count
                         : reply->type == RESP_ARRAY ? reply->count
                                                     : 0;
    for (size_t i = 0; i + 1 < count; i += 2) {
        if (reply->items[i].type == RESP_STRING && reply->items[i].text.size > 0) {
            add_directive(arena, &config, reply->items[i].text, reply->items[i + 1].text);
        }
    }
    *ret_config = config;
}

/* Settings were renamed over the years; a server knows both names for a while. */
static void write_canonical(const char *name, char ret_name[NAME_SIZE_MAX])
{
    static const struct {
        const char *old, *now;
    } renamed[] = {{"slave", "replica"}, {"ziplist", "listpack"}};
    (void)snprintf(ret_name, NAME_SIZE_MAX, "%s", name);
    for (size_t i = 0; i < ARRAY_COUNT(renamed); i++) {
        const char *found = strstr(name, renamed[i].old);
        if (found != NULL) {
            (void)snprintf(ret_name, NAME_SIZE_MAX, "%.*s%s%s", (int)(found - name), name,
                renamed[i].now, found + strlen(renamed[i].old));
        }
    }
}

static const struct redis_directive *find_directive(
    const struct redis_config *config, const char *name)
{
    char wanted[NAME_SIZE_MAX];
    write_canonical(name, wanted);
    for (size_t i = config->count; i > 0; i--) { /* the last one counts */
        char found[NAME_SIZE_MAX];
        write_canonical(config->items[i - 1].name, found);
        if (strcmp(found, wanted) == 0) {
            return &config->items[i - 1];
        }
    }
    return NULL;
}

const char *redis_config_get(const struct redis_config *config, const char *name)
{
    const struct redis_directive *found = find_directive(config, name);
    return found == NULL ? NULL : found->value;
}

const char *redis_config_get_digest(const struct redis_config *config, const char *name)
{
    const struct redis_directive *found = find_directive(config, name);
    return found == NULL ? NULL : found->digest;
}
