#include "story.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/rules.h"

enum { FILE_SIZE_MAX = 1 << 20 };

NO_RETURN static void die_of_story(const char *where, const struct err *err)
{
    AUTO_FREE char *text = err == NULL ? NULL : err_text(err);
    fprintf(stderr, "%s: %s\n", where, text == NULL ? "wrong" : text);
    abort();
}

/* --- patches --- */

static struct json *patch_value(const struct json *value, const struct json *patch);

static bool has_name(const struct json *element, const char *name)
{
    static const char *const keys[] = {"name", "id", "node", "setting"};
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        if (text_equal(js_get_text(element, keys[i]), name)) {
            return true;
        }
    }
    return false;
}

static bool is_for(const char *key, const struct json *element)
{
    return text_equal(key, "*") || has_name(element, key);
}

/* One element after all members of the patch that name it; NULL: removed. */
static struct json *patch_element(const struct json *element, const struct json *patch)
{
    struct json *result = js_copy(element);
    size_t cursor = 0;
    const char *key;
    struct json *change;
    while (js_next(patch, &cursor, &key, &change)) { /* "*" sorts first */
        if (!is_for(key, element)) {
            continue;
        }
        struct json *old = result;
        result = js_is(change, JS_NULL) ? NULL : patch_value(old, change);
        js_free(old);
        if (result == NULL) {
            return NULL;
        }
    }
    return result;
}

static bool is_known(const struct json *array, const char *key)
{
    for (size_t i = 0; i < js_count(array); i++) {
        if (is_for(key, js_at(array, i))) {
            return true;
        }
    }
    return text_equal(key, "*");
}

static struct json *patch_array(const struct json *array, const struct json *patch)
{
    struct json *result = js_array();
    for (size_t i = 0; i < js_count(array); i++) {
        struct json *element = patch_element(js_at(array, i), patch);
        if (element != NULL) {
            js_push(result, element);
        }
    }
    size_t cursor = 0;
    const char *key;
    struct json *change;
    while (js_next(patch, &cursor, &key, &change)) {
        if (!is_known(array, key) && !js_is(change, JS_NULL)) {
            js_push(result, js_copy(change));
        }
    }
    return result;
}

static struct json *patch_value(const struct json *value, const struct json *patch)
{
    if (!js_is(patch, JS_OBJECT)) {
        return js_copy(patch);
    }
    if (js_is(value, JS_ARRAY)) {
        return patch_array(value, patch);
    }
    struct json *result = js_is(value, JS_OBJECT) ? js_copy(value) : js_object();
    size_t cursor = 0;
    const char *key;
    struct json *change;
    while (js_next(patch, &cursor, &key, &change)) {
        if (js_is(change, JS_NULL)) {
            js_remove(result, key);
        } else {
            js_put(result, key, patch_value(js_get(result, key), change));
        }
    }
    return result;
}

/* --- files --- */

static struct json *parse(const char *text, size_t size, const char *where)
{
    struct json *value = NULL;
    AUTO_ERR err = js_parse(text, size, where, &value);
    if (err != NULL) {
        die_of_story(where, err);
    }
    return value;
}

struct json *story_parse(const char *text)
{
    return parse(text, strlen(text), "patch");
}

struct json *story_read(const char *path)
{
    AUTO_BUF content = {0};
    AUTO_ERR err = fs_read(path, FILE_SIZE_MAX, &content);
    if (err != NULL) {
        die_of_story(path, err);
    }
    return parse(buf_text(&content), content.size, path);
}

static struct json *read_base(struct arena *arena, const char *name)
{
    return story_read(arena_format(arena, GOLDEN_DIR "/base/%s", name));
}

/* The base after a patch of its own folder and one of the story; NULL: none. */
static struct json *read_patched(
    struct arena *arena, const char *base_name, const char *moment, const struct json *patch)
{
    struct json *value = read_base(arena, base_name);
    if (moment != NULL) {
        AUTO_JSON old = value;
        AUTO_JSON change = read_base(arena, arena_format(arena, "%s.patch.json", moment));
        value = patch_value(old, change);
    }
    if (patch != NULL) {
        AUTO_JSON old = value;
        value = patch_value(old, patch);
    }
    return value;
}

/* --- the parts of a story --- */

/* The real rules; not their digest, or an edited comment in them would change plans. */
static void load_rules(struct story *story)
{
    AUTO_ERR err = rules_load(&story->rules);
    if (err != NULL) {
        die_of_story("rules", err);
    }
    story->rules.digest = "a11";
}

void story_read_facts(
    struct story *story, const char *moment, const struct json *patch, struct facts *ret_facts)
{
    AUTO_JSON value =
        read_patched(&story->arena, js_get_text(story->request, "base"), moment, patch);
    const struct json *target = js_get(story->request, "target");
    if (target != NULL) {
        js_push(js_get(value, "artefacts"), js_copy(target));
    }
    AUTO_ERR err = facts_from_json(value, "facts", ret_facts);
    if (err != NULL) {
        die_of_story("facts", err);
    }
    facts_assign_shards(ret_facts);
}

static void make_nodes(struct story *story, struct inv_cluster *cluster)
{
    struct arena *arena = &story->inventory.arena;
    cluster->nodes = arena_alloc_array(arena, story->facts.node_count, sizeof(*cluster->nodes));
    for (size_t i = 0; i < story->facts.node_count; i++) {
        struct str port = str_of(story->facts.nodes[i].address);
        struct str host;
        struct inv_node *node = &cluster->nodes[cluster->node_count++];
        node->name = arena_strdup(arena, story->facts.nodes[i].name);
        if (!str_cut(&port, ':', &host) || !str_to_int64(port, &node->port)) {
            die_of_story(node->name, NULL);
        }
        node->host = arena_strndup(arena, host.data, host.size);
    }
}

/* Does the policy say this? */
static bool has_word(const struct json *policy, const char *key, const char *word)
{
    return text_equal(js_get_text(policy, key), word);
}

static void make_inventory(struct story *story)
{
    const struct json *policy = js_get(story->request, "policy");
    struct arena *arena = &story->inventory.arena;
    struct inv_cluster *cluster = arena_alloc(arena, sizeof(*cluster));
    *cluster = (struct inv_cluster){
        .name = arena_strdup(arena, story->facts.cluster),
        .datastore = "redis",
        .topology = "cluster",
        .policy = {.max_unavailable = js_get_number(policy, "max_unavailable", 0),
            .soak_s = js_get_number(policy, "soak_s", 0),
            .step_timeout_s = js_get_number(policy, "step_timeout_s", 0),
            .gate_timeout_s = js_get_number(policy, "gate_timeout_s", 0),
            .lag_bytes_max = js_get_number(policy, "lag_bytes_max", 0),
            .backlog_bytes = js_get_number(policy, "backlog_bytes", 0),
            .hold_limit_ms = js_get_number(policy, "hold_limit_ms", 0),
            .drift = has_word(policy, "drift", "rewrite")  ? INV_DRIFT_REWRITE
                     : has_word(policy, "drift", "ignore") ? INV_DRIFT_IGNORE
                                                           : INV_DRIFT_REFUSE,
            .min_replicas = has_word(policy, "min_replicas", "relax") ? INV_MIN_REPLICAS_RELAX
                                                                      : INV_MIN_REPLICAS_REFUSE,
            .backup =
                has_word(policy, "backup", "required") ? INV_BACKUP_REQUIRED : INV_BACKUP_NONE,
            .backup_dir = "/srv/backup",
            .modules =
                has_word(policy, "modules", "allow") ? INV_MODULES_ALLOW : INV_MODULES_REFUSE,
            .probe = {.mode = INV_PROBE_WRITE,
                .rate = 100,
                .keys_max = 1000000,
                .ttl_s = 3600,
                .linger_s = 600}},
    };
    const char *user = js_get_text(story->request, "user");
    cluster->user = user == NULL ? NULL : arena_strdup(arena, user);
    cluster->tls.is_enabled = js_get_bool(story->request, "tls", false);
    cluster->tls.ca_file = cluster->tls.is_enabled ? "/etc/ssl/orders-ca.pem" : NULL;
    make_nodes(story, cluster);
    story->inventory.path = "/etc/upshift/upshift.yaml";
    story->inventory.digest = "1ce";
    story->inventory.clusters = cluster;
    story->inventory.cluster_count = 1;
}

static void fill_story(
    struct story *story, const struct json *facts_patch, const struct json *request_patch)
{
    *story = (struct story){0};
    story->request = read_patched(&story->arena, "request.json", NULL, request_patch);
    load_rules(story);
    story_read_facts(story, js_get_text(story->request, "moment"), facts_patch, &story->facts);
    make_inventory(story);
    story->rolling = (struct rolling_request){
        .inventory = &story->inventory,
        .cluster = story->inventory.clusters,
        .rules = &story->rules,
        .facts = &story->facts,
    };
}

void story_init(struct story *story, const char *facts_patch, const char *request_patch)
{
    AUTO_JSON facts = facts_patch == NULL ? NULL : story_parse(facts_patch);
    AUTO_JSON request = request_patch == NULL ? NULL : story_parse(request_patch);
    fill_story(story, facts, request);
}

static struct json *read_optional(struct arena *arena, const char *folder, const char *name)
{
    const char *path = arena_format(arena, "%s/%s", folder, name);
    return fs_exists(path) ? story_read(path) : NULL;
}

void story_init_folder(struct story *story, const char *folder)
{
    AUTO_ARENA arena = {0};
    AUTO_JSON facts = read_optional(&arena, folder, "facts.patch.json");
    AUTO_JSON request = read_optional(&arena, folder, "request.json");
    fill_story(story, facts, request);
}

void story_release(struct story *story)
{
    js_free(story->request);
    facts_release(&story->facts);
    inventory_release(&story->inventory);
    rules_release(&story->rules);
    arena_release(&story->arena);
}
