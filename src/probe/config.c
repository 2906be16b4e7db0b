#include "probe/probe.h"

#include <errno.h>
#include <unistd.h>

#include "base/buf.h"

enum { CONFIG_SIZE_MAX = 1 << 20 };

const struct probe_limits probe_limits_default = {
    .no_progress_ms = 10000, /* longer than a failover: nobody will answer any more */
    .secret_every_ms = 1000, /* a secret may come from a command that asks a remote service */
};

static const char *const source_names[] = {"none", "env", "file", "command", NULL};

static const struct codec_field secret_fields[] = {
    CODEC_ENUM(struct probe_secret, source, source_names),
    CODEC_TEXT(struct probe_secret, name),
    CODEC_TEXTS(struct probe_secret, argv, argv_count),
    CODEC_END,
};
static const struct codec secret_codec = {sizeof(struct probe_secret), secret_fields};

static const struct codec_field tls_fields[] = {
    CODEC_BOOL(struct probe_tls, is_enabled),
    CODEC_TEXT(struct probe_tls, ca_file),
    CODEC_TEXT(struct probe_tls, cert_file),
    CODEC_TEXT(struct probe_tls, key_file),
    CODEC_TEXT(struct probe_tls, server_name),
    CODEC_END,
};
static const struct codec tls_codec = {sizeof(struct probe_tls), tls_fields};

static const struct codec_field config_fields[] = {
    CODEC_TEXT(struct probe_config, run),
    CODEC_TEXT(struct probe_config, cluster),
    CODEC_TEXTS(struct probe_config, nodes, node_count),
    CODEC_TEXT(struct probe_config, topology),
    CODEC_TEXTS(struct probe_config, sentinels, sentinel_count),
    CODEC_TEXT(struct probe_config, master_name),
    CODEC_TEXT(struct probe_config, user),
    CODEC_OBJECT(struct probe_config, password, &secret_codec),
    CODEC_OBJECT(struct probe_config, tls, &tls_codec),
    CODEC_TEXT(struct probe_config, mode),
    CODEC_INT(struct probe_config, rate),
    CODEC_INT(struct probe_config, keys_max),
    CODEC_INT(struct probe_config, ttl_s),
    CODEC_INT(struct probe_config, linger_s),
    CODEC_INT(struct probe_config, seconds),
    CODEC_TEXT(struct probe_config, directory),
    CODEC_TEXT(struct probe_config, incarnation),
    CODEC_END,
};
const struct codec probe_config_codec = {sizeof(struct probe_config), config_fields};

const struct probe_limits *probe_limits_of(const struct probe_config *config)
{
    return config->limits == NULL ? &probe_limits_default : config->limits;
}

void probe_secret_refer(
    const struct probe_secret *secret, struct arena *arena, struct secret_ref *ret_ref)
{
    const char **argv = arena_alloc_array(arena, secret->argv_count + 1, sizeof(*argv));
    for (size_t i = 0; i < secret->argv_count; i++) {
        argv[i] = secret->argv[i];
    }
    *ret_ref = (struct secret_ref){.source = secret->source, .name = secret->name, .argv = argv};
}

static struct err *read_all(int fd, struct buf *ret_text)
{
    for (;;) {
        const ssize_t count = read(fd, buf_reserve(ret_text, 4096), 4096);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return err_errno(ERR_INVALID, NULL, "cannot read standard input");
        }
        if (count == 0) {
            return NULL;
        }
        buf_grow_used(ret_text, (size_t)count);
        if (ret_text->size > CONFIG_SIZE_MAX) {
            return err_new(ERR_INVALID, NULL, "the configuration is larger than 1 MiB");
        }
    }
}

struct err *probe_read_config(int fd, struct arena *arena, struct probe_config *ret_config)
{
    static const char where[] = "probe configuration";
    AUTO_BUF text = {0};
    AUTO_JSON value = NULL;
    struct probe_config config = {0};
    struct err *err = read_all(fd, &text);
    if (err == NULL) {
        err = js_parse(buf_text(&text), text.size, where, &value);
    }
    if (err == NULL) {
        err = codec_read(&probe_config_codec, value, arena, where, &config);
    }
    if (err != NULL) {
        return err_code(err, "probe_config_invalid");
    }
    *ret_config = config;
    return NULL;
}
