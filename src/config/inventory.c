#include "config/inventory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "config/inventory_access.h"
#include "config/inventory_forms.h"
#include "config/schema.h"

enum { MIB = 1024 * 1024 };

/* Something that only one node may have. */
struct claim {
    const char *key; /* "address"; borrowed from the table, so compared as a pointer */
    const char *value;
    const char *owner; /* the node's name */
    int64_t line;
};

/* The schema's reader and what reading an inventory needs besides. */
struct inventory_reader {
    struct schema_reader base; /* first: the readings below get it as their reader */
    struct inventory *inventory;
    struct claim *claims;
    size_t claim_count;
    size_t cluster_claims_from; /* names only clash within their cluster: its claims begin here */
    size_t node_count;
};

static schema_reading read_datastores, read_versions, read_clusters, read_nodes, read_sentinels,
    read_address, read_hook;

/* ---- the tables: what the file may say ---- */

static const char *const datastore_words[] = {"redis", "valkey", NULL};
static const char *const datastore_planned[] = {
    "mariadb", "postgresql", "infinispan", "zookeeper", NULL};
static const char *const topology_words[] = {"cluster", "sentinel", "replication", NULL};
static const char *const topology_planned[] = {"standalone", NULL};
static const char *const via_words[] = {"local", NULL};
static const char *const via_planned[] = {"ssh", NULL};
static const char *const manager_words[] = {"process", NULL};
static const char *const manager_planned[] = {"systemd", NULL};
static const char *const provider_words[] = {"suite", NULL};
static const char *const provider_planned[] = {"apt", NULL};
static const char *const failure_words[] = {[INV_FAILURE_PAUSE] = "pause",
    [INV_FAILURE_ROLLBACK] = "rollback",
    [INV_FAILURE_CONTINUE] = "continue",
    NULL};
static const char *const revise_words[] = {
    [INV_REVISE_NARROW] = "narrow", [INV_REVISE_ASK] = "ask", NULL};
static const char *const drift_words[] = {[INV_DRIFT_REFUSE] = "refuse",
    [INV_DRIFT_REWRITE] = "rewrite",
    [INV_DRIFT_IGNORE] = "ignore",
    NULL};
static const char *const min_replicas_words[] = {
    [INV_MIN_REPLICAS_REFUSE] = "refuse", [INV_MIN_REPLICAS_RELAX] = "relax", NULL};
static const char *const backup_words[] = {
    [INV_BACKUP_NONE] = "none", [INV_BACKUP_REQUIRED] = "required", NULL};
static const char *const modules_words[] = {
    [INV_MODULES_REFUSE] = "refuse", [INV_MODULES_ALLOW] = "allow", NULL};
static const char *const probe_words[] = {[INV_PROBE_OFF] = "off",
    [INV_PROBE_READ_ONLY] = "read-only",
    [INV_PROBE_WRITE] = "write",
    NULL};

static const struct schema_key probe_keys[] = {
    SCHEMA_WORD(struct inv_probe, mode, "mode", "write", probe_words, NULL),
    SCHEMA_BOOL(struct inv_probe, is_required, "required", "true", false),
    SCHEMA_NUMBER(struct inv_probe, rate, "rate", "100", 1, 100000, false),
    SCHEMA_NUMBER(struct inv_probe, keys_max, "keys_max", "1000000", 1000, 10000000, false),
    SCHEMA_NUMBER(struct inv_probe, ttl_s, "ttl_s", "3600", 60, 604800, false),
    SCHEMA_NUMBER(struct inv_probe, linger_s, "linger_s", "600", 0, 86400, false),
    SCHEMA_END,
};
static const struct schema probe_schema = {"a probe", probe_keys};

static const struct schema_key policy_keys[] = {
    SCHEMA_NUMBER(struct inv_policy, max_unavailable, "max_unavailable", "1", 1, 100, false),
    SCHEMA_NUMBER(struct inv_policy, soak_s, "soak_s", "30", 0, 604800, false),
    SCHEMA_NUMBER(struct inv_policy, step_timeout_s, "step_timeout_s", "120", 10, 86400, false),
    SCHEMA_NUMBER(struct inv_policy, gate_timeout_s, "gate_timeout_s", "300", 1, 86400, false),
    SCHEMA_BYTES(struct inv_policy, lag_bytes_max, "lag_bytes_max", "1MiB", 0, 1024LL * MIB),
    SCHEMA_BYTES(struct inv_policy, backlog_bytes, "backlog", "64MiB", MIB, 64 * 1024LL * MIB),
    SCHEMA_NUMBER(struct inv_policy, hold_limit_ms, "hold_limit_ms", "5000", 500, 60000, false),
    SCHEMA_WORD(struct inv_policy, on_failure, "on_failure", "pause", failure_words, NULL),
    SCHEMA_WORD(struct inv_policy, revise, "revise", "narrow", revise_words, NULL),
    SCHEMA_WORD(struct inv_policy, drift, "drift", "refuse", drift_words, NULL),
    SCHEMA_WORD(
        struct inv_policy, min_replicas, "min_replicas", "refuse", min_replicas_words, NULL),
    SCHEMA_WORD(struct inv_policy, modules, "modules", "refuse", modules_words, NULL),
    SCHEMA_WORD(struct inv_policy, backup, "backup", "none", backup_words, NULL),
    SCHEMA_PATH(struct inv_policy, backup_dir, "backup_dir", "/srv/backup/redis", false),
    SCHEMA_MAPPING(struct inv_policy, probe, "probe", "{ mode: write }", &probe_schema),
    SCHEMA_END,
};
static const struct schema policy_schema = {"a policy", policy_keys};

static const struct schema_key node_keys[] = {
    SCHEMA_TEXT(struct inv_node, name, "name", "n1", &form_node_name, false),
    SCHEMA_OWN("address", "127.0.0.1:7001", read_address, true),
    SCHEMA_PATH(struct inv_node, directory, "directory", "/srv/redis/n1", true),
    SCHEMA_PATH(struct inv_node, config_file, "config", "/srv/redis/n1/redis.conf", true),
    SCHEMA_PATH(struct inv_node, server_link, "server", "/srv/redis/n1/server", false),
    SCHEMA_PATH(struct inv_node, pid_file, "pid_file", "/srv/redis/n1/upshift.pid", false),
    SCHEMA_PATH(struct inv_node, log_file, "log_file", "/srv/redis/n1/server.log", false),
    SCHEMA_END,
};
static const struct schema node_schema = {"a node", node_keys};

static const struct schema_key hosts_keys[] = {
    SCHEMA_CHOICE(struct inv_cluster, host_via, "via", "local", via_words, via_planned, true),
    SCHEMA_END,
};
static const struct schema hosts_schema = {"hosts", hosts_keys};

static const struct schema_key service_keys[] = {
    SCHEMA_CHOICE(struct inv_cluster, service_manager, "manager", "process", manager_words,
        manager_planned, true),
    SCHEMA_TEXT(struct inv_cluster, service_user, "user", "redis", &form_system_user, false),
    SCHEMA_END,
};
static const struct schema service_schema = {"service", service_keys};

static const struct schema_key package_keys[] = {
    SCHEMA_CHOICE(struct inv_cluster, package_provider, "provider", "suite", provider_words,
        provider_planned, true),
    SCHEMA_END,
};
static const struct schema package_schema = {"package", package_keys};

static const struct schema_key hooks_keys[] = {
    SCHEMA_OWN("primary_changed", "[/usr/local/bin/tell-clients]", read_hook, false),
    SCHEMA_END,
};
static const struct schema hooks_schema = {"hooks", hooks_keys};

static const struct schema_key cluster_keys[] = {
    SCHEMA_CHOICE(struct inv_cluster, datastore, "datastore", "redis", datastore_words,
        datastore_planned, true),
    SCHEMA_CHOICE(struct inv_cluster, topology, "topology", "cluster", topology_words,
        topology_planned, true),
    SCHEMA_TEXT(
        struct inv_cluster, master_name, "master_name", "mymaster", &form_master_name, false),
    SCHEMA_OWN("auth", "{ password: { env: REDIS_PASSWORD } }", access_read_auth, false),
    SCHEMA_OWN("tls", "{ ca_file: /etc/ssl/redis-ca.pem }", access_read_tls, false),
    SCHEMA_INLINED("hosts", "{ via: local }", &hosts_schema),
    SCHEMA_INLINED("service", "{ manager: process }", &service_schema),
    SCHEMA_INLINED("package", "{ provider: suite }", &package_schema),
    SCHEMA_OWN("nodes", "[{ address: 127.0.0.1:7001, directory: ..., config: ... }, ...]",
        read_nodes, true),
    SCHEMA_OWN("sentinels", "[{ address: 127.0.0.1:26379, directory: ..., config: ... }, ...]",
        read_sentinels, false),
    SCHEMA_INLINED("hooks", "{ primary_changed: [/usr/local/bin/tell-clients] }", &hooks_schema),
    SCHEMA_MAPPING(struct inv_cluster, policy, "policy", "{ soak_s: 30 }", &policy_schema),
    SCHEMA_END,
};
static const struct schema cluster_schema = {"a cluster", cluster_keys};

static const struct schema_key version_keys[] = {
    SCHEMA_TEXT(struct inv_version, suite, "suite", "bookworm", &form_suite, true),
    SCHEMA_END,
};
static const struct schema version_schema = {"a version", version_keys};

static const struct schema_key datastore_keys[] = {
    SCHEMA_OWN("versions", "{ \"7.0\": { suite: bookworm } }", read_versions, true),
    SCHEMA_END,
};
static const struct schema datastore_schema = {"a datastore", datastore_keys};

/* The name of a member of `datastores`. */
static const struct schema_key datastore_name = {.name = "datastore",
    .example = "redis",
    .words = datastore_words,
    .planned = datastore_planned};

static const struct schema_key inventory_keys[] = {
    SCHEMA_OWN("datastores", "{ redis: { versions: { \"7.0\": { suite: bookworm } } } }",
        read_datastores, true),
    SCHEMA_OWN("clusters", "{ NAME: { datastore: redis, ... } }", read_clusters, true),
    SCHEMA_END,
};
static const struct schema inventory_schema = {"the inventory", inventory_keys};

static const struct inv_cluster cluster_defaults = {
    .host_via = "local",
    .service_manager = "process",
    .package_provider = "suite",
    .policy =
        {
            .max_unavailable = 1,
            .soak_s = 30,
            .step_timeout_s = 120,
            .gate_timeout_s = 300,
            .lag_bytes_max = MIB,
            .backlog_bytes = 64 * (int64_t)MIB,
            .hold_limit_ms = 5000,
            .on_failure = INV_FAILURE_PAUSE,
            .revise = INV_REVISE_NARROW,
            .probe = {.mode = INV_PROBE_WRITE,
                .rate = 100,
                .keys_max = 1000000,
                .ttl_s = 3600,
                .linger_s = 600},
        },
};

/* ---- the readings that no table expresses ---- */

static struct inventory_reader *whole_of(struct schema_reader *reader)
{
    return (struct inventory_reader *)(void *)reader;
}

/* Is it a mapping from names to something? */
static bool is_named_mapping(
    struct schema_reader *reader, const struct schema_key *key, const struct yaml_node *value)
{
    if (value->kind == YAML_MAPPING && value->child_count > 0) {
        return true;
    }
    schema_refuse_kind(reader, key, value, "a mapping with at least one member");
    return false;
}

static void read_versions(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, void *object)
{
    struct inv_datastore *datastore = object;
    if (!is_named_mapping(reader, key, value)) {
        return;
    }
    for (size_t i = 0; i < value->child_count; i++) {
        const struct yaml_node *child = &value->children[i];
        struct inv_version version = {.product = datastore->name};
        if (schema_check_form(reader, child->key, &form_version)) {
            version.name = arena_strdup(reader->arena, child->key->text);
        }
        schema_read(reader, child, &version_schema, &version);
        struct inv_version *kept = arena_push(reader->arena, &datastore->versions,
            &datastore->version_count, sizeof(*datastore->versions));
        *kept = version;
    }
}

static void read_datastores(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, void *object)
{
    struct inventory *inventory = object;
    if (!is_named_mapping(reader, key, value)) {
        return;
    }
    for (size_t i = 0; i < value->child_count; i++) {
        const struct yaml_node *child = &value->children[i];
        size_t word;
        if (!schema_find_word(reader, &datastore_name, child->key, &word)) {
            continue; /* nothing is known of how it would continue */
        }
        struct inv_datastore datastore = {.name = datastore_words[word]};
        schema_read(reader, child, &datastore_schema, &datastore);
        struct inv_datastore *kept = arena_push(reader->arena, &inventory->datastores,
            &inventory->datastore_count, sizeof(*inventory->datastores));
        *kept = datastore;
    }
}

static void read_address(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, void *object)
{
    struct inv_node *node = object;
    if (value->kind != YAML_SCALAR) {
        schema_refuse_kind(reader, key, value, "an address");
        return;
    }
    if (!schema_check_form(reader, value, &form_address)) {
        return;
    }
    struct str host;
    address_split(value->text, &host, &node->port);
    const bool is_bracketed = host.data[0] == '[';
    node->host = is_bracketed ? arena_strndup(reader->arena, host.data + 1, host.size - 2)
                              : arena_strndup(reader->arena, host.data, host.size);
    if (node->name == NULL) {
        node->name = arena_strdup(reader->arena, value->text);
    }
}

static void fill_paths(struct schema_reader *reader, struct inv_node *node)
{
    if (node->directory == NULL) {
        return; /* missing or refused: complained about */
    }
    const struct {
        const char **slot;
        const char *name;
    } defaults[] = {
        {&node->server_link, "server"},
        {&node->pid_file, "upshift.pid"},
        {&node->log_file, "server.log"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(defaults); i++) {
        if (*defaults[i].slot == NULL) {
            *defaults[i].slot =
                arena_format(reader->arena, "%s/%s", node->directory, defaults[i].name);
        }
    }
}

/* The claim that `wanted` collides with, or NULL. */
static const struct claim *find_claim(
    const struct inventory_reader *reader, const struct claim *wanted, size_t from)
{
    for (size_t i = from; i < reader->claim_count; i++) {
        const struct claim *other = &reader->claims[i];
        if (other->key == wanted->key && text_equal(other->value, wanted->value)) {
            return other;
        }
    }
    return NULL;
}

static void refuse_claim(struct inventory_reader *reader, const struct yaml_node *node,
    const struct claim *wanted, const struct claim *other)
{
    const struct yaml_node *written = yaml_get(node, wanted->key);
    config_complain(reader->base.complaints,
        written == NULL ? yaml_name_place(node) : written->place, "two nodes have the same %s: %s",
        wanted->key, wanted->value);
    config_add_remedy(reader->base.complaints, "the other one is %s in line %lld; change one",
        other->owner, (long long)other->line);
}

/* Whatever two servers may not share. All clusters are on this machine as long as `hosts.via` is
 * local, so paths must differ between clusters, too. */
static void claim_all(
    struct inventory_reader *reader, const struct yaml_node *value, const struct inv_node *node)
{
    const char *address = node->host == NULL ? NULL
                                             : arena_format(reader->base.arena, "%s:%lld",
                                                   node->host, (long long)node->port);
    const struct {
        const char *key, *value;
        size_t from;
    } wanted[] = {
        {"address", address, 0},
        {"directory", node->directory, 0},
        {"name", node->name, reader->cluster_claims_from},
        {"config", node->config_file, 0},
        {"server", node->server_link, 0},
        {"pid_file", node->pid_file, 0},
    };
    bool has_clash = false;
    for (size_t i = 0; i < ARRAY_COUNT(wanted); i++) {
        /* What follows from an address or a directory clashes with it: one mistake, not three. */
        if (wanted[i].value == NULL || (has_clash && yaml_get(value, wanted[i].key) == NULL)) {
            continue;
        }
        const struct claim claim = {.key = wanted[i].key,
            .value = wanted[i].value,
            .owner = node->name == NULL ? "a node" : node->name,
            .line = value->place.line};
        const struct claim *other = find_claim(reader, &claim, wanted[i].from);
        if (other != NULL) {
            refuse_claim(reader, value, &claim, other);
            has_clash = true;
            continue;
        }
        struct claim *kept =
            arena_push(reader->base.arena, &reader->claims, &reader->claim_count, sizeof(*kept));
        *kept = claim;
    }
}

/* A list of servers or Sentinels. Null without one. */
static struct inv_node *read_node_list(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, size_t *ret_count)
{
    struct inventory_reader *whole = whole_of(reader);
    if (value->kind != YAML_LIST || value->child_count == 0) {
        schema_refuse_kind(reader, key, value, "a list of at least one node");
        return NULL;
    }
    whole->node_count += value->child_count;
    if (whole->node_count > INVENTORY_NODES_MAX) {
        config_complain(reader->complaints, yaml_name_place(value),
            "more than %d nodes are not accepted in one inventory", INVENTORY_NODES_MAX);
        config_add_remedy(reader->complaints, "write one inventory per group of clusters");
        return NULL;
    }
    struct inv_node *nodes = arena_alloc_array(reader->arena, value->child_count, sizeof(*nodes));
    for (size_t i = 0; i < value->child_count; i++) {
        schema_read(reader, &value->children[i], &node_schema, &nodes[i]);
        fill_paths(reader, &nodes[i]);
        if (value->children[i].kind == YAML_MAPPING) {
            claim_all(whole, &value->children[i], &nodes[i]);
        }
    }
    *ret_count = value->child_count;
    return nodes;
}

static void read_nodes(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, void *object)
{
    struct inv_cluster *cluster = object;
    cluster->nodes = read_node_list(reader, key, value, &cluster->node_count);
}

static void read_sentinels(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, void *object)
{
    struct inv_cluster *cluster = object;
    cluster->sentinels = read_node_list(reader, key, value, &cluster->sentinel_count);
    for (size_t i = 0; i < cluster->sentinel_count; i++) {
        cluster->sentinels[i].is_sentinel = true;
    }
}

/* A program and its arguments. It is executed as it is written here: no shell, no search. */
static void read_hook(struct schema_reader *reader, const struct schema_key *UNUSED(key),
    const struct yaml_node *value, void *object)
{
    static const struct schema_key words = SCHEMA_TEXTS(struct inv_cluster, primary_changed,
        primary_changed_count, "primary_changed", "[/usr/local/bin/tell-clients]", false);
    struct inv_cluster *cluster = object;
    schema_texts(reader, &words, value, object);
    if (cluster->primary_changed != NULL &&
        (cluster->primary_changed_count == 0 || cluster->primary_changed[0][0] != '/')) {
        config_complain(reader->complaints, value->place,
            "\"primary_changed\" must begin with the absolute path of a program");
        config_add_remedy(reader->complaints, "write e.g. primary_changed: %s", words.example);
    }
}

/* Keys that only some topologies have. */
static const struct topology_key {
    const char *name;
    const char *topologies[3]; /* that have it; NULL-terminated */
    const char *needed_by;     /* the one that cannot be without it, or NULL */
} topology_keys[] = {
    {"master_name", {"sentinel"}, "sentinel"},
    {"sentinels", {"sentinel"}, "sentinel"},
    {"hooks", {"sentinel", "replication"}, NULL},
};

static bool has_topology_key(const struct topology_key *key, const char *topology)
{
    for (size_t i = 0; key->topologies[i] != NULL; i++) {
        if (text_equal(key->topologies[i], topology)) {
            return true;
        }
    }
    return false;
}

static void check_topology_keys(
    struct schema_reader *reader, const struct yaml_node *value, const struct inv_cluster *cluster)
{
    if (cluster->topology == NULL) {
        return; /* missing or refused: complained about */
    }
    for (size_t i = 0; i < ARRAY_COUNT(topology_keys); i++) {
        const struct topology_key *key = &topology_keys[i];
        const struct yaml_node *written = yaml_get(value, key->name);
        if (written != NULL && !has_topology_key(key, cluster->topology)) {
            config_complain(reader->complaints, yaml_name_place(written),
                "\"%s\" has no meaning with topology \"%s\"", key->name, cluster->topology);
            config_add_remedy(reader->complaints, "remove it, or correct \"topology\"");
        } else if (written == NULL && text_equal(key->needed_by, cluster->topology)) {
            config_complain(reader->complaints, yaml_name_place(value),
                "topology \"%s\" needs \"%s\"", cluster->topology, key->name);
            config_add_remedy(reader->complaints, "docs/inventory.md shows what to write");
        }
    }
}

static void check_backup(
    struct schema_reader *reader, const struct yaml_node *value, const struct inv_policy *policy)
{
    const struct yaml_node *written = yaml_get(value, "policy");
    if (policy->backup == INV_BACKUP_REQUIRED && policy->backup_dir == NULL) {
        config_complain(reader->complaints, yaml_name_place(written),
            "\"backup: required\" needs \"backup_dir\"");
        config_add_remedy(
            reader->complaints, "name a folder on the hosts, e.g. backup_dir: /srv/backup/redis");
    }
}

static void read_clusters(struct schema_reader *reader, const struct schema_key *key,
    const struct yaml_node *value, void *object)
{
    struct inventory *inventory = object;
    if (!is_named_mapping(reader, key, value)) {
        return;
    }
    for (size_t i = 0; i < value->child_count; i++) {
        const struct yaml_node *child = &value->children[i];
        const struct config_place *place = &child->key->place;
        struct inv_cluster cluster = cluster_defaults;
        (void)schema_check_form(reader, child->key, &form_cluster_name);
        cluster.name = arena_strdup(reader->arena, child->key->text);
        cluster.place = arena_format(reader->arena, "%s:%lld:%lld", reader->complaints->file,
            (long long)place->line, (long long)place->column);
        whole_of(reader)->cluster_claims_from = whole_of(reader)->claim_count;
        schema_read(reader, child, &cluster_schema, &cluster);
        check_topology_keys(reader, child, &cluster);
        check_backup(reader, child, &cluster.policy);
        struct inv_cluster *kept = arena_push(reader->arena, &inventory->clusters,
            &inventory->cluster_count, sizeof(*inventory->clusters));
        *kept = cluster;
    }
}

/* ---- the whole ---- */

static void read_root(struct inventory_reader *reader, const struct yaml_node *root)
{
    if (yaml_is_empty(root)) {
        config_complain(reader->base.complaints, root->place, "the inventory is empty");
        config_add_remedy(
            reader->base.complaints, "describe your clusters as docs/inventory.md shows");
        return;
    }
    schema_read(&reader->base, root, &inventory_schema, reader->inventory);
}

static struct err *make_error(const struct config_complaints *complaints, const char *path)
{
    const size_t count = complaints->count + complaints->hidden_count;
    struct err *err =
        err_new(ERR_INVALID, path, "the inventory has %zu mistake%s", count, count == 1 ? "" : "s");
    err = err_hint(err, "correct what is listed; docs/inventory.md describes every key");
    return err_code(err, "inventory_invalid");
}

struct err *config_parse_inventory(const struct config_source *source,
    struct inventory *ret_inventory, struct config_complaints *ret_complaints)
{
    AUTO_INVENTORY inventory = {0};
    AUTO_ARENA scratch = {0};
    const char *slash = strrchr(source->absolute_path, '/');
    config_complaints_init(ret_complaints, source->shown_path, source->text);
    struct inventory_reader reader = {
        .base = {.arena = &inventory.arena,
            .complaints = ret_complaints,
            .folder = arena_strndup(
                &scratch, source->absolute_path, (size_t)(slash - source->absolute_path))},
        .inventory = &inventory,
    };
    const struct yaml_node *root = yaml_parse(ret_complaints, &scratch);
    if (root != NULL) {
        read_root(&reader, root);
    }
    if (ret_complaints->count > 0) {
        config_complaints_sort(ret_complaints);
        return make_error(ret_complaints, source->shown_path);
    }
    char digest[SHA256_HEX_SIZE];
    sha256_hex(source->text.data, source->text.size, digest);
    inventory.digest = arena_strdup(&inventory.arena, digest);
    inventory.path = arena_strdup(&inventory.arena, source->absolute_path);
    *ret_inventory = inventory;
    inventory = (struct inventory){0}; /* handed over */
    return NULL;
}

/* The folder's true path and the file's own name: a link to the file keeps its folder. */
static struct err *absolute_path_of(const char *path, char **ret_path)
{
    AUTO_FREE char *folder = mem_strdup(path);
    char *slash = strrchr(folder, '/');
    const char *name = slash == NULL ? path : path + (slash - folder) + 1;
    if (slash != NULL) {
        slash[slash == folder] = '\0'; /* keeps "/" itself */
    }
    AUTO_FREE char *resolved = realpath(slash == NULL ? "." : folder, NULL);
    if (resolved == NULL) {
        return err_errno(ERR_INVALID, path, "cannot find the folder of the inventory");
    }
    *ret_path = mem_format("%s/%s", text_equal(resolved, "/") ? "" : resolved, name);
    return NULL;
}

struct err *config_load_inventory(
    const char *path, struct inventory *ret_inventory, struct config_complaints *ret_complaints)
{
    AUTO_BUF content = {0};
    AUTO_FREE char *absolute_path = NULL;
    config_complaints_init(ret_complaints, path, STR(""));
    struct err *err = absolute_path_of(path, &absolute_path);
    if (err == NULL) {
        err = fs_read(path, INVENTORY_SIZE_MAX, &content);
    }
    if (err != NULL) {
        err = err_wrap(err, path, "cannot read the inventory");
        err = err_hint(err, "name a readable file of at most 1 MiB with --inventory");
        return err_code(err, "inventory_unreadable");
    }
    config_complaints_release(ret_complaints);
    const struct config_source source = {.absolute_path = absolute_path,
        .shown_path = path,
        .text = {buf_text(&content), content.size}};
    return config_parse_inventory(&source, ret_inventory, ret_complaints);
}
