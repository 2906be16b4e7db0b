#include "config/rules.h"

#include <string.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "config/schema.h"
#include "data/rules.h"

static schema_reading read_series;

static const struct schema_key series_keys[] = {
    SCHEMA_TEXT(struct series_rule, package, "package", "redis-server", NULL, true),
    SCHEMA_TEXT(struct series_rule, binary, "binary", "usr/bin/redis-server", NULL, true),
    SCHEMA_NUMBER(struct series_rule, rdb_version, "rdb", "10", 1, 9999, true), /* four digits */
    SCHEMA_BOOL(struct series_rule, is_multi_part_aof, "multi_part_aof", "true", true),
    SCHEMA_BOOL(struct series_rule, has_pause_write, "pause_write", "true", true),
    SCHEMA_BOOL(struct series_rule, is_tested, "tested", "true", true),
    SCHEMA_TEXTS(struct series_rule, hops, hop_count, "hops", "[redis/7.0]", true),
    SCHEMA_TEXTS(struct series_rule, full_sync_from, full_sync_from_count, "full_sync_from",
        "[redis/6.0]", true),
    SCHEMA_END,
};
static const struct schema series_schema = {"a series", series_keys};

static const struct schema_key rules_keys[] = {
    SCHEMA_OWN("series", "{ redis/7.0: ... }", read_series, true),
    SCHEMA_END,
};
static const struct schema rules_schema = {"the rules", rules_keys};

/* The name of a series is its product and two numbers, exactly as version_series() writes it. */
static void take_name(
    struct schema_reader *reader, const struct yaml_node *name, struct series_rule *rule)
{
    struct version version;
    AUTO_ERR err = version_parse(reader->arena, NULL, name->text, &version);
    if (err != NULL || !text_equal(version_series(reader->arena, &version), name->text)) {
        config_complain(reader->complaints, name->place, "\"%s\" is no series", name->text);
        return;
    }
    rule->series = arena_strdup(reader->arena, name->text);
    rule->product = version.product;
}

static void read_series(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, void *object)
{
    struct rules *rules = object;
    if (value->kind != YAML_MAPPING) {
        schema_refuse_kind(reader, key, value, "a mapping");
        return;
    }
    rules->series = arena_alloc_array(reader->arena, value->child_count, sizeof(*rules->series));
    rules->series_count = value->child_count;
    for (size_t i = 0; i < value->child_count; i++) {
        take_name(reader, value->children[i].key, &rules->series[i]);
        schema_read(reader, &value->children[i], &series_schema, &rules->series[i]);
    }
}

struct err *rules_parse(struct str text, struct rules *ret_rules)
{
    AUTO_COMPLAINTS complaints = {0};
    AUTO_ARENA scratch = {0};
    struct rules rules = {0};
    config_complaints_init(&complaints, "rules-redis.yaml", text);
    struct schema_reader reader = {.arena = &rules.arena, .complaints = &complaints, .folder = "/"};
    const struct yaml_node *root = yaml_parse(&complaints, &scratch);
    if (root != NULL) {
        schema_read(&reader, root, &rules_schema, &rules);
    }
    if (complaints.count > 0) {
        const struct config_complaint *first = &complaints.items[0];
        AUTO_FREE char *where = mem_format("rules-redis.yaml:%lld:%lld",
            (long long)first->place.line, (long long)first->place.column);
        rules_release(&rules);
        struct err *err = err_new(ERR_INTERNAL, where, "%s", first->what);
        return err_code(err_wrap(err, NULL, "the version rules inside this program are broken"),
            "rules_broken");
    }
    char digest[SHA256_HEX_SIZE];
    sha256_hex(text.data, text.size, digest);
    rules.digest = arena_strdup(&rules.arena, digest);
    *ret_rules = rules;
    return NULL;
}

struct err *rules_load(struct rules *ret_rules)
{
    return rules_parse((struct str){data_rules, data_rules_size}, ret_rules);
}
