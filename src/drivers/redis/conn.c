#include "drivers/redis/conn.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/mem.h"

enum {
    POOL_COUNT = 4096,                 /* CONFIG GET * of Valkey 8.1 has about 1,000 elements */
    REPLY_SIZE_MAX = 64 * 1024 * 1024, /* CLIENT LIST of 100,000 clients is about 40 MB */
    REFUSAL_SIZE_MAX = 200,            /* of a server's own words */
    ARG_COUNT_MAX = 8,
    WORD_SIZE_MAX = 32,
};

struct redis_conn {
    struct stream *stream;
    const char *user; /* for hints; borrowed */
    struct buf input; /* may hold secrets (CONFIG GET): wiped */
    size_t used;      /* bytes of `input` that the last reply took */
    struct resp pool[POOL_COUNT];
};

/* Error replies that mean something to us, by how they begin. */
static const struct refusal {
    const char *prefix;
    const char *code;
    const char *hint; /* NULL: none, or made from the command */
} refusals[] = {
    {"WRONGPASS", "wrong_password", "check user and password of the cluster in the inventory"},
    {"NOAUTH", "password_missing", "give the cluster a password (and user) in the inventory"},
    {"NOPERM", "no_permission", NULL},
    {"LOADING", "loading", "wait until the server has loaded its data"},
    {"DENIED", "protected_mode", "the server's protected mode refuses clients from other hosts"},
    {"ERR unknown command", "command_unknown",
        "take rename-command for it out of the configuration file and restart the server"},
    {"ERR max number of clients", "too_many_clients", "raise maxclients, or close clients"},
    {"ERR This instance has cluster support disabled", "not_cluster",
        "only servers with cluster-enabled yes can be upgraded as a cluster"},
};

struct err *redis_conn_password(const struct redis_driver *driver, struct secret *ret_password)
{
    struct err *err = secret_resolve(&driver->cluster->password, ret_password);
    if (err != NULL) {
        return err_wrap(err, driver->cluster->name, "cannot get the password of the cluster");
    }
    return NULL;
}

/* "+config|get" of CONFIG GET, "+info" of INFO: the words of an ACL rule. */
static void name_acl_rule(const char *const *argv, char *ret_rule, size_t size)
{
    static const char *const containers[] = {"CLIENT", "CLUSTER", "CONFIG"};
    bool is_container = false;
    for (size_t i = 0; i < ARRAY_COUNT(containers); i++) {
        is_container |= text_equal(argv[0], containers[i]);
    }
    const bool has_sub = is_container && argv[1] != NULL;
    (void)snprintf(ret_rule, size, "+%s%s%s", argv[0], has_sub ? "|" : "", has_sub ? argv[1] : "");
    for (char *c = ret_rule; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
}

/* Redis repeats the arguments of a command that it does not know. */
static const struct refusal *find_known_refusal(struct str text, bool is_auth)
{
    for (size_t i = 0; i < ARRAY_COUNT(refusals); i++) {
        const bool may_quote_password = is_auth && text_equal(refusals[i].code, "command_unknown");
        if (str_starts_with(text, refusals[i].prefix) && !may_quote_password) {
            return &refusals[i];
        }
    }
    return NULL;
}

/* The server's words as one clean line of bounded length. */
static void clean_words(struct str text, char ret_words[REFUSAL_SIZE_MAX + 1])
{
    const size_t size = text.size < REFUSAL_SIZE_MAX ? text.size : REFUSAL_SIZE_MAX;
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        ret_words[i] = c < ' ' || c == 0x7f ? ' ' : (char)c;
    }
    ret_words[size] = '\0';
}

static struct err *make_refusal(
    const struct redis_conn *conn, const char *const *argv, struct str text)
{
    char words[REFUSAL_SIZE_MAX + 1];
    clean_words(text, words);
    const char *where = stream_where(conn->stream);
    const bool is_auth = text_equal(argv[0], "AUTH");
    const struct refusal *known = find_known_refusal(text, is_auth);
    if (is_auth && known == NULL) {
        /* Some of these repeat the arguments, the password among them: not quoted. */
        struct err *err = err_new(ERR_REFUSED, where, "the server does not accept the password");
        return err_hint(err_code(err, "wrong_password"),
            "the server may have no password: then remove user and password from the inventory");
    }
    char rule[2 * WORD_SIZE_MAX];
    name_acl_rule(argv, rule, sizeof(rule));
    struct err *err = err_new(ERR_REFUSED, where, "the server refused %s: %s", rule + 1, words);
    if (known == NULL) {
        return err;
    }
    err = err_code(err, known->code);
    if (known->hint != NULL) {
        return err_hint(err, "%s", known->hint);
    }
    return err_hint(err, "grant it on every node: ACL SETUSER %s %s",
        conn->user == NULL ? "default" : conn->user, rule);
}

static void append_command(struct buf *output, const char *const *argv)
{
    struct str args[ARG_COUNT_MAX];
    size_t count = 0;
    size_t size = 0;
    for (; argv[count] != NULL && count < ARG_COUNT_MAX; count++) {
        args[count] = str_of(argv[count]);
        size += args[count].size + WORD_SIZE_MAX;
    }
    const char *room = buf_reserve(output, size); /* not moved later, so no password stays behind */
    (void)room;
    resp_append_command(output, args, count);
}

static void wipe_buf(struct buf *bytes)
{
    if (bytes->data != NULL) {
        explicit_bzero(bytes->data, bytes->capacity);
    }
    buf_release(bytes);
}

static enum resp_result parse_input(struct redis_conn *conn, struct resp *ret_reply)
{
    const struct str input = {conn->input.data, conn->input.size};
    return resp_parse(input, conn->pool, POOL_COUNT, ret_reply, &conn->used);
}

static struct err *receive_reply(
    const struct call *call, struct redis_conn *conn, struct resp *ret_reply)
{
    const char *where = stream_where(conn->stream);
    enum resp_result result = conn->input.size == 0 ? RESP_MORE : parse_input(conn, ret_reply);
    while (result == RESP_MORE) {
        struct err *err = stream_receive(call, conn->stream, &conn->input);
        if (err != NULL) {
            return err;
        }
        if (conn->input.size > REPLY_SIZE_MAX) {
            return err_new(ERR_UNKNOWN, where, "the reply is longer than %d bytes", REPLY_SIZE_MAX);
        }
        result = parse_input(conn, ret_reply);
    }
    if (result == RESP_DONE) {
        return NULL;
    }
    struct err *err = err_new(ERR_UNKNOWN, where, "what answers there does not speak RESP");
    return err_hint(err_code(err, "not_redis"), "check address and port, and whether it wants TLS");
}

struct err *redis_conn_send(
    const struct call *call, struct redis_conn *conn, const char *const *argv)
{
    struct buf output = {0};
    append_command(&output, argv);
    struct err *err = stream_send(call, conn->stream, output.data, output.size);
    wipe_buf(&output);
    return err;
}

struct err *redis_conn_receive(const struct call *call, struct redis_conn *conn,
    const char *const *argv, struct resp *ret_reply)
{
    buf_consume(&conn->input, conn->used);
    conn->used = 0;
    struct err *err = receive_reply(call, conn, ret_reply);
    if (err != NULL) {
        return err;
    }
    return ret_reply->type == RESP_ERROR ? make_refusal(conn, argv, ret_reply->text) : NULL;
}

struct err *redis_conn_ask(const struct call *call, struct redis_conn *conn,
    const char *const *argv, struct resp *ret_reply)
{
    struct err *err = redis_conn_send(call, conn, argv);
    return err == NULL ? redis_conn_receive(call, conn, argv, ret_reply) : err;
}

struct err *redis_conn_ask_text(
    const struct call *call, struct redis_conn *conn, const char *const *argv, struct str *ret_text)
{
    struct resp reply;
    struct err *err = redis_conn_ask(call, conn, argv, &reply);
    if (err != NULL) {
        return err;
    }
    if (reply.type != RESP_STRING) {
        err =
            err_new(ERR_INVALID, stream_where(conn->stream), "%s is not answered by text", argv[0]);
        return err_code(err, "odd_reply");
    }
    *ret_text = reply.text;
    return NULL;
}

static struct err *introduce_ourselves(const struct call *call, struct redis_conn *conn,
    const struct redis_driver *driver, const struct secret *password)
{
    struct resp reply;
    const char *bytes = password->bytes == NULL ? "" : password->bytes;
    struct err *err = NULL;
    if (driver->cluster->user != NULL) {
        err =
            redis_conn_ask(call, conn, REDIS_COMMAND("AUTH", driver->cluster->user, bytes), &reply);
    } else if (password->bytes != NULL) {
        err = redis_conn_ask(call, conn, REDIS_COMMAND("AUTH", bytes), &reply);
    }
    if (err != NULL) {
        return err;
    }
    AUTO_FREE char *name = mem_format(
        REDIS_CONN_PREFIX "%s:%lld", call->run == NULL ? "-" : call->run, (long long)call->epoch);
    return redis_conn_ask(call, conn, REDIS_COMMAND("CLIENT", "SETNAME", name), &reply);
}

struct err *redis_conn_open(const struct call *call, const struct redis_driver *driver,
    const struct inv_node *node, const struct secret *password, struct redis_conn **ret_conn)
{
    const struct endpoint endpoint = {.host = node->host, .port = node->port, .tls = driver->tls};
    struct stream *stream = NULL;
    struct err *err = stream_connect(call, &endpoint, &stream);
    if (err != NULL) {
        return err;
    }
    struct redis_conn *conn = mem_alloc(sizeof(*conn));
    conn->stream = stream;
    conn->user = driver->cluster->user;
    err = introduce_ourselves(call, conn, driver, password);
    if (err != NULL) {
        redis_conn_close(conn);
        return err;
    }
    *ret_conn = conn;
    return NULL;
}

void redis_conn_close(struct redis_conn *conn)
{
    if (conn == NULL) {
        return;
    }
    stream_close(conn->stream);
    wipe_buf(&conn->input);
    free(conn);
}

void redis_conn_close_slot(struct redis_conn **slot)
{
    redis_conn_close(*slot);
}
