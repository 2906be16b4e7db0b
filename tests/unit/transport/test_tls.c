/* TLS: who is let in, who is not, and that bytes arrive whole. Certificates are made here. */
#include "transport/stream.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "fixture.h"

static char folder[64];

static const char *file_of(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

/* --- certificates ----------------------------------------------------------------------------- */

struct pair {
    X509 *cert;
    EVP_PKEY *key;
};

static void add_extension(X509 *cert, int id, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, id, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* A certificate for `names` signed by `issuer`; without an issuer an authority. */
static struct pair make_pair(const char *name, const char *names, const struct pair *issuer)
{
    static long serial = 1;
    struct pair pair = {X509_new(), EVP_EC_gen("P-256")};
    assert_int_equal(X509_set_version(pair.cert, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(pair.cert), serial++), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(pair.cert), -3600));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(pair.cert), 3600));
    assert_int_equal(X509_set_pubkey(pair.cert, pair.key), 1);
    const struct pair *signer = issuer == NULL ? &pair : issuer;
    assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(pair.cert), "CN",
                         MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0),
        1);
    assert_int_equal(X509_set_issuer_name(pair.cert, X509_get_subject_name(signer->cert)), 1);
    if (issuer == NULL) {
        add_extension(pair.cert, NID_basic_constraints, "critical,CA:TRUE");
    } else {
        add_extension(pair.cert, NID_subject_alt_name, names);
    }
    assert_true(X509_sign(pair.cert, signer->key, EVP_sha256()) > 0);
    return pair;
}

static void write_pem(const char *name, const struct pair *pair, const char *pass_phrase)
{
    AUTO_FREE char *cert_file = mem_format("%s.crt", file_of(name));
    AUTO_FREE char *key_file = mem_format("%s.key", file_of(name));
    FILE *file = fopen(cert_file, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, pair->cert), 1);
    assert_int_equal(fclose(file), 0);
    file = fopen(key_file, "we");
    assert_non_null(file);
    const EVP_CIPHER *cipher = pass_phrase == NULL ? NULL : EVP_aes_128_cbc();
    assert_int_equal(PEM_write_PKCS8PrivateKey(file, pair->key, cipher, pass_phrase,
                         pass_phrase == NULL ? 0 : (int)strlen(pass_phrase), NULL, NULL),
        1);
    assert_int_equal(fclose(file), 0);
}

static void free_pair(struct pair *pair)
{
    X509_free(pair->cert);
    EVP_PKEY_free(pair->key);
}

static int make_certificates(void **UNUSED(state))
{
    memcpy(folder, "/tmp/upshift-tls-XXXXXX", sizeof("/tmp/upshift-tls-XXXXXX"));
    assert_non_null(mkdtemp(folder));
    struct pair authority = make_pair("test authority", NULL, NULL);
    struct pair stranger = make_pair("other authority", NULL, NULL);
    struct pair server = make_pair("server", "DNS:localhost,DNS:db1.test,IP:127.0.0.1", &authority);
    struct pair other = make_pair("server", "DNS:other.test,IP:127.0.0.9", &authority);
    struct pair client = make_pair("client", "DNS:client.test", &authority);
    write_pem("ca", &authority, NULL);
    write_pem("stranger", &stranger, NULL);
    write_pem("server", &server, NULL);
    write_pem("other", &other, NULL);
    write_pem("client", &client, NULL);
    write_pem("locked", &client, "secret");
    free_pair(&authority);
    free_pair(&stranger);
    free_pair(&server);
    free_pair(&other);
    free_pair(&client);
    return 0;
}

static int remove_certificates(void **UNUSED(state))
{
    AUTO_ERR err = fs_remove_tree(folder);
    return err == NULL ? 0 : -1;
}

/* --- the server ------------------------------------------------------------------------------- */

struct peer {
    const char *name;  /* of its certificate's files */
    bool wants_client; /* a client certificate is demanded */
    bool ends_rudely;  /* closes without a goodbye after the first bytes */
    int version_max;   /* 0: the newest */
};

static void echo_tls(SSL *ssl, bool ends_rudely)
{
    char bytes[20000];
    size_t count = 0;
    while (SSL_read_ex(ssl, bytes, sizeof(bytes), &count) == 1) {
        size_t written = 0;
        if (SSL_write_ex(ssl, bytes, count, &written) != 1 || ends_rudely) {
            return;
        }
    }
    (void)SSL_shutdown(ssl);
}

static void serve_tls(int fd, void *data)
{
    const struct peer *peer = data;
    sigset_t
        broken_pipe; /* this server writes by OpenSSL's own socket BIO; our side must not need it */
    (void)sigemptyset(&broken_pipe);
    (void)sigaddset(&broken_pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL);
    AUTO_FREE char *cert_file = mem_format("%s/%s.crt", folder, peer->name);
    AUTO_FREE char *key_file = mem_format("%s/%s.key", folder, peer->name);
    AUTO_FREE char *ca_file = mem_format("%s/ca.crt", folder);
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    (void)SSL_CTX_use_certificate_file(context, cert_file, SSL_FILETYPE_PEM);
    (void)SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM);
    if (peer->wants_client) {
        (void)SSL_CTX_load_verify_file(context, ca_file);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    if (peer->version_max != 0) {
        SSL_CTX_set_security_level(context, 0); /* else OpenSSL refuses old versions itself */
        (void)SSL_CTX_set_min_proto_version(context, peer->version_max);
        (void)SSL_CTX_set_max_proto_version(context, peer->version_max);
    }
    SSL *ssl = SSL_new(context);
    (void)SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        echo_tls(ssl, peer->ends_rudely);
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
}

/* --- cases ------------------------------------------------------------------------------------ */

static struct tls *tls_with(const char *ca_name, const char *server_name)
{
    AUTO_FREE char *ca_file = mem_format("%s/%s.crt", folder, ca_name);
    struct tls *tls = NULL;
    AUTO_ERR err =
        tls_open(&(struct tls_config){.ca_file = ca_file, .server_name = server_name}, &tls);
    assert_null(err);
    return tls;
}

static void assert_echoes(struct stream *stream, const char *text)
{
    const struct call call = call_for_ms(10000);
    AUTO_BUF bytes = {0};
    AUTO_ERR err = stream_send(&call, stream, text, strlen(text));
    assert_null(err);
    while (err == NULL && bytes.size < strlen(text)) {
        err = stream_receive(&call, stream, &bytes);
    }
    assert_null(err);
    assert_string_equal(buf_text(&bytes), text);
}

static void a_verified_server_is_spoken_to(void **UNUSED(state))
{
    static const struct {
        const char *host, *server_name;
        int version;
    } cases[] = {{"127.0.0.1", NULL, 0}, {"localhost", NULL, 0}, {"127.0.0.1", "db1.test", 0},
        {"127.0.0.1", NULL, TLS1_2_VERSION}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct peer peer = {.name = "server", .version_max = cases[i].version};
        struct server server;
        server_start(&server, serve_tls, &peer);
        struct tls *tls = tls_with("ca", cases[i].server_name);
        struct stream *stream = connected(cases[i].host, server.port, tls);
        assert_echoes(stream, "hello");
        stream_close(stream);
        tls_close(tls);
        server_join(&server);
    }
}

static struct err *connect_refused(int64_t port, const char *host, struct tls *tls)
{
    const struct call call = call_for_ms(10000);
    struct stream *stream = NULL;
    struct err *err =
        stream_connect(&call, &(struct endpoint){.host = host, .port = port, .tls = tls}, &stream);
    assert_non_null(err);
    assert_null(stream);
    return err;
}

static void a_server_that_cannot_be_verified_is_refused(void **UNUSED(state))
{
    static const struct {
        const char *peer, *ca, *host, *server_name, *hint;
    } cases[] = {
        {"server", "stranger", "127.0.0.1", NULL, "CA file"},
        {"stranger", "ca", "127.0.0.1", NULL, "CA file"}, /* signed by itself */
        {"other", "ca", "127.0.0.1", NULL, "server name"},
        {"other", "ca", "localhost", NULL, "server name"},
        {"server", "ca", "127.0.0.1", "db2.test", "server name"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct peer peer = {.name = cases[i].peer};
        struct server server;
        server_start(&server, serve_tls, &peer);
        struct tls *tls = tls_with(cases[i].ca, cases[i].server_name);
        AUTO_ERR err = connect_refused(server.port, cases[i].host, tls);
        assert_int_equal(err->kind, ERR_REFUSED);
        assert_string_equal(err->code, "tls_untrusted");
        assert_non_null(strstr(err->hint, cases[i].hint));
        tls_close(tls);
        server_join(&server);
    }
}

static void the_systems_authorities_do_not_know_ours(void **UNUSED(state))
{
    struct peer peer = {.name = "server"};
    struct server server;
    server_start(&server, serve_tls, &peer);
    struct tls *tls = NULL;
    AUTO_ERR err = tls_open(&(struct tls_config){0}, &tls);
    assert_null(err);
    err = connect_refused(server.port, "127.0.0.1", tls);
    assert_string_equal(err->code, "tls_untrusted");
    tls_close(tls);
    server_join(&server);
}

static void old_versions_of_tls_are_refused(void **UNUSED(state))
{
    struct peer peer = {.name = "server", .version_max = TLS1_1_VERSION};
    struct server server;
    server_start(&server, serve_tls, &peer);
    struct tls *tls = tls_with("ca", NULL);
    AUTO_ERR err = connect_refused(server.port, "127.0.0.1", tls);
    assert_int_equal(err->kind, ERR_REFUSED);
    assert_string_equal(err->code, "tls_failed");
    tls_close(tls);
    server_join(&server);
}

static void serve_plain_text(int fd, void *UNUSED(data))
{
    (void)send(fd, "-ERR unknown command\r\n", 22, MSG_NOSIGNAL);
    char bytes[512];
    while (recv(fd, bytes, sizeof(bytes), 0) > 0) {
    }
}

static void serve_end(int fd, void *UNUSED(data))
{
    char bytes[512]; /* the first message of the handshake, so that it is no reset */
    (void)recv(fd, bytes, sizeof(bytes), 0);
}

static void serve_silence(int fd, void *UNUSED(data))
{
    struct pollfd ended = {.fd = fd, .events = POLLRDHUP};
    (void)poll(&ended, 1, 10000);
}

static void a_server_without_tls_is_told_from_one_that_is_gone(void **UNUSED(state))
{
    static const struct {
        void (*serve)(int fd, void *data);
        enum err_kind kind;
        const char *code;
    } cases[] = {
        {serve_plain_text, ERR_REFUSED, "tls_failed"},
        {serve_end, ERR_UNREACHABLE, "tls_failed"},
        {serve_silence, ERR_UNREACHABLE, "connect_failed"},
    };
    struct tls *tls = tls_with("ca", NULL);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct server server;
        server_start(&server, cases[i].serve, NULL);
        const struct call call = call_for_ms(1000);
        struct stream *stream = NULL;
        AUTO_ERR err = stream_connect(&call,
            &(struct endpoint){.host = "127.0.0.1", .port = server.port, .tls = tls}, &stream);
        assert_non_null(err);
        assert_int_equal(err->kind, cases[i].kind);
        assert_string_equal(err->code, cases[i].code);
        server_join(&server);
    }
    tls_close(tls);
}

static void a_client_certificate_is_shown_when_there_is_one(void **UNUSED(state))
{
    AUTO_FREE char *ca_file = mem_format("%s/ca.crt", folder);
    AUTO_FREE char *cert_file = mem_format("%s/client.crt", folder);
    AUTO_FREE char *key_file = mem_format("%s/client.key", folder);
    struct peer peer = {.name = "server", .wants_client = true};
    struct server server;
    server_start(&server, serve_tls, &peer);
    struct tls *tls = NULL;
    AUTO_ERR err = tls_open(
        &(struct tls_config){.ca_file = ca_file, .cert_file = cert_file, .key_file = key_file},
        &tls);
    assert_null(err);
    struct stream *stream = connected("127.0.0.1", server.port, tls);
    assert_echoes(stream, "hello");
    stream_close(stream);
    tls_close(tls);
    server_join(&server);
}

static void a_missing_client_certificate_shows_at_the_latest_when_reading(void **UNUSED(state))
{
    struct peer peer = {.name = "server", .wants_client = true};
    struct server server;
    server_start(&server, serve_tls, &peer);
    struct tls *tls = tls_with("ca", NULL);
    struct stream *stream = connected("127.0.0.1", server.port, tls); /* TLS 1.3 lets us this far */
    const struct call call = call_for_ms(10000);
    AUTO_BUF bytes = {0};
    AUTO_ERR err = stream_receive(&call, stream, &bytes);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_UNKNOWN);
    assert_string_equal(err->code, "tls_failed");
    stream_close(stream);
    tls_close(tls);
    server_join(&server);
}

static void a_killed_server_is_an_end_like_any_other(void **UNUSED(state))
{
    struct peer peer = {.name = "server", .ends_rudely = true};
    struct server server;
    server_start(&server, serve_tls, &peer);
    struct tls *tls = tls_with("ca", NULL);
    struct stream *stream = connected("127.0.0.1", server.port, tls);
    assert_echoes(stream, "x");
    const struct call call = call_for_ms(10000);
    AUTO_BUF bytes = {0};
    AUTO_ERR err = stream_receive(&call, stream, &bytes);
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_UNKNOWN);
    assert_string_equal(err->what, "the peer closed the connection");
    server_join(&server);
    err_free_slot(&err);
    for (int i = 0; i < 100 && err == NULL; i++) { /* a gone peer must not raise SIGPIPE */
        err = stream_send(&call, stream, "x", 1);
        clock_wait_ms(clock_system(), 5);
    }
    assert_non_null(err);
    assert_int_equal(err->kind, ERR_UNKNOWN);
    stream_close(stream);
    tls_close(tls);
}

static void poll_for(const struct stream *stream, enum stream_want want)
{
    struct pollfd waited = {
        .fd = stream_fd(stream), .events = want == STREAM_WANT_WRITE ? POLLOUT : POLLIN};
    assert_int_equal(poll(&waited, 1, 10000), 1);
}

/* One turn of a poller that sends `data` in parts and reads what comes back. */
static void exchange(struct stream *stream, struct str *data, struct buf *bytes)
{
    enum stream_want want = STREAM_WANT_READ;
    if (data->size > 0) {
        const size_t part = data->size < 30000 ? data->size : 30000;
        size_t written = 0;
        AUTO_ERR err = stream_write(stream, data->data, part, &written, &want);
        assert_null(err);
        *data = (struct str){data->data + written, data->size - written};
        if (want == STREAM_WANT_WRITE) {
            struct pollfd either = {.fd = stream_fd(stream), .events = POLLIN | POLLOUT};
            assert_int_equal(poll(&either, 1, 10000), 1);
        }
    } else {
        poll_for(stream, want);
    }
    AUTO_ERR err = stream_read(stream, 1000, bytes, &want);
    assert_null(err);
    assert_int_not_equal(want, STREAM_END);
}

static void a_poller_misses_no_byte_of_a_large_exchange(void **UNUSED(state))
{
    enum { SIZE = 1024 * 1024 };
    struct peer peer = {.name = "server"};
    struct server server;
    server_start(&server, serve_tls, &peer);
    struct tls *tls = tls_with("ca", NULL);
    struct stream *stream = NULL;
    AUTO_ERR err = stream_open(
        &(struct endpoint){.host = "127.0.0.1", .port = server.port, .tls = tls}, &stream);
    assert_null(err);
    enum stream_want want;
    while ((err = stream_step(stream, &want)) == NULL && want != STREAM_READY) {
        poll_for(stream, want);
    }
    assert_null(err);
    AUTO_FREE char *sent = mem_alloc(SIZE);
    for (size_t i = 0; i < SIZE; i++) {
        sent[i] = (char)(i * 31 >> 3);
    }
    struct str rest = {sent, SIZE};
    AUTO_BUF bytes = {0};
    while (bytes.size < SIZE) {
        exchange(stream, &rest, &bytes);
    }
    assert_int_equal(bytes.size, SIZE);
    assert_memory_equal(bytes.data, sent, SIZE);
    stream_close(stream);
    tls_close(tls);
    server_join(&server);
}

static void unusable_files_are_named(void **UNUSED(state))
{
    AUTO_FREE char *ca = mem_format("%s/ca.crt", folder);
    AUTO_FREE char *client = mem_format("%s/client.crt", folder);
    AUTO_FREE char *client_key = mem_format("%s/client.key", folder);
    AUTO_FREE char *server_key = mem_format("%s/server.key", folder);
    AUTO_FREE char *locked_key = mem_format("%s/locked.key", folder);
    const struct {
        struct tls_config config;
        const char *where;
    } cases[] = {
        {{.ca_file = "/absent/ca.crt"}, "/absent/ca.crt"},
        {{.ca_file = client_key}, client_key}, /* PEM, but no certificate */
        {{.ca_file = ca, .cert_file = "/absent/c.crt"}, "/absent/c.crt"},
        {{.ca_file = ca, .cert_file = client, .key_file = "/absent/c.key"}, "/absent/c.key"},
        {{.ca_file = ca, .cert_file = client, .key_file = server_key}, server_key},
        {{.ca_file = ca, .cert_file = client, .key_file = locked_key}, locked_key},
        {{.ca_file = ca, .cert_file = client}, client}, /* the key is not in it */
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct tls *tls = NULL;
        AUTO_ERR err = tls_open(&cases[i].config, &tls);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_INVALID);
        assert_string_equal(err->code, "tls_file");
        assert_string_equal(err->where, cases[i].where);
        assert_null(tls);
    }
    tls_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verified_server_is_spoken_to),
        cmocka_unit_test(a_server_that_cannot_be_verified_is_refused),
        cmocka_unit_test(the_systems_authorities_do_not_know_ours),
        cmocka_unit_test(old_versions_of_tls_are_refused),
        cmocka_unit_test(a_server_without_tls_is_told_from_one_that_is_gone),
        cmocka_unit_test(a_client_certificate_is_shown_when_there_is_one),
        cmocka_unit_test(a_missing_client_certificate_shows_at_the_latest_when_reading),
        cmocka_unit_test(a_killed_server_is_an_end_like_any_other),
        cmocka_unit_test(a_poller_misses_no_byte_of_a_large_exchange),
        cmocka_unit_test(unusable_files_are_named),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
