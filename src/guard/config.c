#include "guard/config.h"

#include "base/codec.h"

static const char *const source_names[] = {"none", "env", "file", "command", NULL};

static const struct codec_field secret_fields[] = {
    CODEC_ENUM(struct secret_ref, source, source_names),
    CODEC_TEXT(struct secret_ref, name),
    CODEC_END,
};
static const struct codec secret_codec = {sizeof(struct secret_ref), secret_fields};

static const struct codec_field tls_fields[] = {
    CODEC_BOOL(struct inv_tls, is_enabled),
    CODEC_TEXT(struct inv_tls, ca_file),
    CODEC_TEXT(struct inv_tls, cert_file),
    CODEC_TEXT(struct inv_tls, key_file),
    CODEC_TEXT(struct inv_tls, server_name),
    CODEC_END,
};
static const struct codec tls_codec = {sizeof(struct inv_tls), tls_fields};

static const struct codec_field node_fields[] = {
    CODEC_TEXT(struct inv_node, name),
    CODEC_TEXT(struct inv_node, host),
    CODEC_INT(struct inv_node, port),
    CODEC_BOOL(struct inv_node, is_sentinel),
    CODEC_END,
};
static const struct codec node_codec = {sizeof(struct inv_node), node_fields};

static const struct codec_field cluster_fields[] = {
    CODEC_TEXT(struct inv_cluster, name),
    CODEC_TEXT(struct inv_cluster, datastore),
    CODEC_TEXT(struct inv_cluster, topology),
    CODEC_TEXT(struct inv_cluster, master_name),
    CODEC_TEXT(struct inv_cluster, user),
    CODEC_OBJECT(struct inv_cluster, password, &secret_codec),
    CODEC_OBJECT(struct inv_cluster, tls, &tls_codec),
    CODEC_TEXT(struct inv_cluster, host_via),
    CODEC_TEXT(struct inv_cluster, service_manager),
    CODEC_TEXT(struct inv_cluster, package_provider),
    CODEC_LIST(struct inv_cluster, nodes, node_count, &node_codec),
    CODEC_LIST(struct inv_cluster, sentinels, sentinel_count, &node_codec),
    CODEC_TEXTS(struct inv_cluster, primary_changed, primary_changed_count),
    CODEC_END,
};
static const struct codec cluster_codec = {sizeof(struct inv_cluster), cluster_fields};

static const struct codec_field config_fields[] = {
    CODEC_OBJECT(struct guard_config, cluster, &cluster_codec),
    CODEC_TEXTS(struct guard_config, password_argv, password_argv_count),
    CODEC_TEXT(struct guard_config, run),
    CODEC_TEXT(struct guard_config, step),
    CODEC_TEXT(struct guard_config, primary),
    CODEC_TEXT(struct guard_config, heir),
    CODEC_TEXT(struct guard_config, base),
    CODEC_TEXT(struct guard_config, fence_before),
    CODEC_INT(struct guard_config, epoch),
    CODEC_INT(struct guard_config, hold_limit_ms),
    CODEC_INT(struct guard_config, start_before_ms),
    CODEC_INT(struct guard_config, fires_at_ms),
    CODEC_END,
};
static const struct codec config_codec = {sizeof(struct guard_config), config_fields};

/* A list with its end marked, as struct secret_ref has it. */
static void mark_end(struct guard_config *config, struct arena *arena)
{
    if (config->cluster.password.source != SECRET_COMMAND) {
        return;
    }
    const char **argv = arena_alloc_array(arena, config->password_argv_count + 1, sizeof(*argv));
    for (size_t i = 0; i < config->password_argv_count; i++) {
        argv[i] = config->password_argv[i];
    }
    config->cluster.password.argv = argv;
}

struct json *guard_config_write(const struct guard_config *config)
{
    AUTO_ARENA arena = {0};
    struct guard_config copy = *config;
    const char *const *argv = config->cluster.password.argv;
    copy.password_argv = NULL;
    copy.password_argv_count = 0;
    for (; argv != NULL && *argv != NULL; argv++) {
        const char **slot =
            arena_push(&arena, &copy.password_argv, &copy.password_argv_count, sizeof(*slot));
        *slot = *argv;
    }
    return codec_write(&config_codec, &copy);
}

struct err *guard_config_read(
    const struct json *value, struct arena *arena, struct guard_config *ret_config)
{
    struct guard_config config = {0};
    struct err *err = codec_read(&config_codec, value, arena, "the guard's order", &config);
    if (err == NULL) {
        mark_end(&config, arena);
        *ret_config = config;
    }
    return err;
}
