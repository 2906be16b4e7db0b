#include "config/inventory_access.h"

#include <string.h>

#include "config/inventory_forms.h"
#include "model/inventory.h"

static schema_reading read_password;

static const struct schema_key tls_keys[] = {
    SCHEMA_PATH(struct inv_tls, ca_file, "ca_file", "/etc/ssl/redis-ca.pem", false),
    SCHEMA_PATH(struct inv_tls, cert_file, "cert_file", "/etc/ssl/upshift.pem", false),
    SCHEMA_PATH(struct inv_tls, key_file, "key_file", "/etc/ssl/upshift.key", false),
    SCHEMA_TEXT(
        struct inv_tls, server_name, "server_name", "redis.example.org", &form_host_name, false),
    SCHEMA_END,
};
static const struct schema tls_schema = {"tls", tls_keys};

struct password_words {
    const char *env, *file;
    const char **argv;
    size_t argc;
};
static const struct schema_key password_keys[] = {
    SCHEMA_TEXT(struct password_words, env, "env", "REDIS_PASSWORD", &form_variable, false),
    SCHEMA_PATH(struct password_words, file, "file", "/etc/upshift/redis.password", false),
    SCHEMA_TEXTS(struct password_words, argv, argc, "command", "[pass, show, redis]", false),
    SCHEMA_END,
};
static const struct schema password_schema = {"a password", password_keys};

static const struct schema_key auth_keys[] = {
    SCHEMA_TEXT(struct inv_cluster, user, "user", "upshift", &form_user, false),
    SCHEMA_OWN("password", "{ env: REDIS_PASSWORD }", read_password, true),
    SCHEMA_END,
};
static const struct schema auth_schema = {"auth", auth_keys};

static void read_password(struct schema_reader *reader, const struct schema_key *UNUSED(key),
    const struct yaml_node *value, void *object)
{
    static const char remedy[] =
        "write { env: NAME }, { file: PATH } or { command: [PROGRAM, ARGUMENT, ...] }";
    struct inv_cluster *cluster = object;
    if (value->kind != YAML_MAPPING) {
        config_complain(reader->complaints, value->place,
            "\"password\" must say where the password is, not what it is");
        config_add_remedy(reader->complaints, "%s", remedy);
        return;
    }
    struct password_words words = {0};
    schema_read(reader, value, &password_schema, &words);
    if (value->child_count != 1 || (words.argv != NULL && words.argc == 0)) {
        config_complain(reader->complaints, yaml_name_place(value),
            "\"password\" needs exactly one place to come from");
        config_add_remedy(reader->complaints, "%s", remedy);
        return;
    }
    if (words.env != NULL) {
        cluster->password = (struct secret_ref){.source = SECRET_ENV, .name = words.env};
    } else if (words.file != NULL) {
        cluster->password = (struct secret_ref){.source = SECRET_FILE, .name = words.file};
    } else if (words.argv != NULL) {
        if (strchr(words.argv[0], '/') != NULL) { /* otherwise it is looked up in PATH */
            words.argv[0] = schema_resolve_path(reader, words.argv[0]);
        }
        cluster->password = (struct secret_ref){.source = SECRET_COMMAND, .argv = words.argv};
    }
}

void access_read_auth(struct schema_reader *reader, const struct schema_key *UNUSED(key),
    const struct yaml_node *value, void *object)
{
    config_hide_lines(reader->complaints, value->key->place.line, value->line_last);
    schema_read(reader, value, &auth_schema, object);
}

void access_read_tls(struct schema_reader *reader, const struct schema_key *UNUSED(key),
    const struct yaml_node *value, void *object)
{
    struct inv_tls *tls = &((struct inv_cluster *)object)->tls;
    tls->is_enabled = true;
    schema_read(reader, value, &tls_schema, tls);
    if ((tls->cert_file == NULL) != (tls->key_file == NULL)) {
        config_complain(reader->complaints, yaml_name_place(value),
            "\"cert_file\" and \"key_file\" belong together");
        config_add_remedy(reader->complaints, "give both, or neither when the servers do not ask "
                                              "for a client certificate");
    }
}
