#include "model/version.h"

#include <string.h>

#include "base/str.h"

static struct err *refuse_version(const char *text)
{
    struct err *err = err_new(ERR_INVALID, NULL, "\"%s\" is not a version", text);
    err = err_hint(err, "write it like 7.0.15, or 7.0 for the newest of a series, with the "
                        "product in front when it changes: valkey/8.1");
    return err_code(err, "version_invalid");
}

/* Lower-case letters, digits and '-', beginning with a letter: it becomes part of file names. */
static bool is_product(struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        const char c = text.data[i];
        const bool is_letter = c >= 'a' && c <= 'z';
        const bool is_other = (c >= '0' && c <= '9') || c == '-';
        if (!is_letter && (i == 0 || !is_other)) {
            return false;
        }
    }
    return text.size > 0;
}

/* Debian writes [epoch:]upstream[+repack][~...][-revision]; only the upstream number orders. */
static struct str cut_packaging(struct str text)
{
    const char *colon = memchr(text.data, ':', text.size);
    if (colon != NULL) {
        text.size -= (size_t)(colon + 1 - text.data);
        text.data = colon + 1;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (strchr("+~-", text.data[i]) != NULL) {
            text.size = i;
        }
    }
    return text;
}

static bool read_parts(struct str number, struct version *version)
{
    struct str rest = number;
    struct str part;
    while (str_cut(&rest, '.', &part)) {
        if (version->part_count == ARRAY_COUNT(version->parts) || part.size == 0 ||
            part.data[0] < '0' || part.data[0] > '9' ||
            !str_to_int64(part, &version->parts[version->part_count])) {
            return false;
        }
        version->part_count++;
    }
    return version->part_count >= 2; /* a series has two numbers */
}

struct err *version_parse(
    struct arena *arena, const char *product, const char *text, struct version *ret_version)
{
    struct str owner = str_of(product);
    struct str number = str_of(text);
    const char *slash = strchr(text, '/');
    if (slash != NULL) {
        owner = (struct str){text, (size_t)(slash - text)};
        number = str_of(slash + 1);
    }
    number = cut_packaging(number);
    struct version version = {0};
    if (!is_product(owner) || !read_parts(number, &version)) {
        return refuse_version(text);
    }
    version.product = arena_strndup(arena, owner.data, owner.size);
    version.text = arena_strndup(arena, number.data, number.size);
    *ret_version = version;
    return NULL;
}

int version_compare(const struct version *a, const struct version *b)
{
    for (size_t i = 0; i < ARRAY_COUNT(a->parts); i++) {
        if (a->parts[i] != b->parts[i]) {
            return a->parts[i] < b->parts[i] ? -1 : 1;
        }
    }
    return 0;
}

const char *version_series(struct arena *arena, const struct version *version)
{
    return arena_format(arena, "%s/%lld.%lld", version->product, (long long)version->parts[0],
        (long long)version->parts[1]);
}

const char *version_title(struct arena *arena, const struct version *version)
{
    return arena_format(arena, "%s %s", version->product, version->text);
}

void rules_release(struct rules *rules)
{
    arena_release(&rules->arena);
    *rules = (struct rules){0};
}

const struct series_rule *rules_find(const struct rules *rules, const char *series)
{
    for (size_t i = 0; i < rules->series_count; i++) {
        if (text_equal(rules->series[i].series, series)) {
            return &rules->series[i];
        }
    }
    return NULL;
}

static bool has_name(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (text_equal(names[i], name)) {
            return true;
        }
    }
    return false;
}

bool rules_allow_hop(const struct rules *rules, const char *from, const char *to)
{
    const struct series_rule *rule = rules_find(rules, from);
    return rule != NULL && (text_equal(from, to) || has_name(rule->hops, rule->hop_count, to));
}

bool rules_allow_full_sync(const struct rules *rules, const char *primary, const char *replica)
{
    const struct series_rule *rule = rules_find(rules, replica);
    return rule != NULL && has_name(rule->full_sync_from, rule->full_sync_from_count, primary);
}
