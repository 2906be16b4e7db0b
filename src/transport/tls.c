#include "transport/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"

struct tls {
    SSL_CTX *context;
    BIO_METHOD *socket_method;
    char *server_name; /* or NULL: the endpoint's host */
};

struct tls_session {
    SSL *ssl;
    int fd;       /* borrowed from the stream */
    bool is_open; /* the handshake is done */
    bool is_end;  /* the peer closed the socket */
};

/* OpenSSL's own socket BIO writes without MSG_NOSIGNAL: a peer that is gone would end us. */
static int socket_write(BIO *bio, const char *data, int size)
{
    const struct tls_session *session = BIO_get_data(bio);
    const ssize_t count = send(session->fd, data, (size_t)size, MSG_NOSIGNAL);
    BIO_clear_retry_flags(bio);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_write(bio);
    }
    return (int)count;
}

static int socket_read(BIO *bio, char *data, int size)
{
    struct tls_session *session = BIO_get_data(bio);
    const ssize_t count = recv(session->fd, data, (size_t)size, 0);
    session->is_end = count == 0;
    BIO_clear_retry_flags(bio);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_read(bio);
    }
    return (int)count;
}

static long socket_control(BIO *bio, int command, long UNUSED(number), void *UNUSED(pointer))
{
    const struct tls_session *session = BIO_get_data(bio);
    if (command == BIO_CTRL_EOF) {
        return session != NULL && session->is_end ? 1 : 0;
    }
    return command == BIO_CTRL_FLUSH ? 1 : 0; /* nothing is buffered here */
}

/* A pass phrase cannot be asked for: nobody sits at a terminal. */
static int no_pass_phrase(
    char *UNUSED(text), int UNUSED(size), int UNUSED(is_writing), void *UNUSED(data))
{
    return -1;
}

static const char *reason_of(unsigned long number)
{
    const char *reason = ERR_reason_error_string(number);
    return reason == NULL ? "unknown reason" : reason;
}

static struct err *bad_file(const char *file, const char *role)
{
    /* The oldest entry names the cause, the newer ones only who noticed. */
    struct err *err =
        err_new(ERR_INVALID, file, "cannot use the %s: %s", role, reason_of(ERR_peek_error()));
    ERR_clear_error();
    err = err_hint(err, "check that the file is there, is readable and is unencrypted PEM");
    return err_code(err, "tls_file");
}

static struct err *load_files(SSL_CTX *context, const struct tls_config *config)
{
    ERR_clear_error();
    if (config->ca_file == NULL) {
        if (SSL_CTX_set_default_verify_paths(context) != 1) {
            return bad_file("(system)", "system's certificate authorities");
        }
    } else if (SSL_CTX_load_verify_file(context, config->ca_file) != 1) {
        return bad_file(config->ca_file, "certificate authorities");
    }
    if (config->cert_file == NULL) {
        return NULL;
    }
    if (SSL_CTX_use_certificate_chain_file(context, config->cert_file) != 1) {
        return bad_file(config->cert_file, "client certificate");
    }
    const char *key_file = config->key_file == NULL ? config->cert_file : config->key_file;
    if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        return bad_file(key_file, "key of the client certificate");
    }
    return NULL;
}

static BIO_METHOD *socket_method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    if (method == NULL || BIO_meth_set_write(method, socket_write) != 1 ||
        BIO_meth_set_read(method, socket_read) != 1 ||
        BIO_meth_set_ctrl(method, socket_control) != 1) {
        abort(); /* no memory: base/mem.h */
    }
    return method;
}

struct err *tls_open(const struct tls_config *config, struct tls **ret_tls)
{
    struct tls *tls = mem_alloc(sizeof(*tls));
    tls->context = SSL_CTX_new(TLS_client_method());
    if (tls->context == NULL) {
        abort();
    }
    SSL_CTX_set_default_passwd_cb(tls->context, no_pass_phrase);
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
    (void)SSL_CTX_set_mode(
        tls->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* A killed server says no goodbye. Its replies carry their length, so nothing cut off can pass
     * for whole. */
    (void)SSL_CTX_set_options(tls->context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    struct err *err = load_files(tls->context, config);
    if (err != NULL) {
        tls_close(tls);
        return err;
    }
    tls->socket_method = socket_method_new();
    tls->server_name = config->server_name == NULL ? NULL : mem_strdup(config->server_name);
    *ret_tls = tls;
    return NULL;
}

void tls_close(struct tls *tls)
{
    if (tls == NULL) {
        return;
    }
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->socket_method);
    free(tls->server_name);
    free(tls);
}

/* The certificate must be for this name, or for this address when it is one. */
static bool expect_name(SSL *ssl, const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    }
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    char *writable = (char *)(uintptr_t)name; /* the macro casts const away; it only copies */
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, writable) == 1;
}

struct err *tls_session_new(
    const struct tls *tls, const char *host, int fd, struct tls_session **ret_session)
{
    struct tls_session *session = mem_alloc(sizeof(*session));
    session->fd = fd;
    session->ssl = SSL_new(tls->context);
    BIO *bio = BIO_new(tls->socket_method);
    if (session->ssl == NULL || bio == NULL) {
        abort();
    }
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    SSL_set_bio(session->ssl, bio, bio);
    SSL_set_connect_state(session->ssl);
    const char *name = tls->server_name == NULL ? host : tls->server_name;
    if (name[0] == '\0' || !expect_name(session->ssl, name)) {
        tls_session_free(session);
        return err_new(ERR_INVALID, name, "not a name that a certificate can be checked against");
    }
    *ret_session = session;
    return NULL;
}

void tls_session_free(struct tls_session *session)
{
    if (session == NULL) {
        return;
    }
    if (session->is_open) {
        ERR_clear_error();
        (void)SSL_shutdown(session->ssl); /* best effort; the peer may be gone */
        ERR_clear_error();
    }
    SSL_free(session->ssl);
    free(session);
}

static struct err *handshake_error(const struct tls_session *session, const char *where, int error)
{
    const int number = errno;
    const long verdict = SSL_get_verify_result(session->ssl);
    if (verdict != X509_V_OK) {
        struct err *err = err_new(ERR_REFUSED, where,
            "the server's certificate is not accepted: %s", X509_verify_cert_error_string(verdict));
        err = err_hint(err,
            verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH
                ? "set the TLS server name to a name that is in the certificate"
                : "set the TLS CA file to the authority that signed the certificate");
        return err_code(err, "tls_untrusted");
    }
    if (error == SSL_ERROR_SSL) {
        struct err *err =
            err_new(ERR_REFUSED, where, "no TLS connection: %s", reason_of(ERR_peek_error()));
        err = err_hint(err, "check that this is the TLS port and that both sides accept TLS 1.2");
        return err_code(err, "tls_failed");
    }
    struct err *err =
        error == SSL_ERROR_ZERO_RETURN || number == 0
            ? err_new(ERR_UNREACHABLE, where, "the connection ended during the TLS handshake")
            : err_new(ERR_UNREACHABLE, where, "the connection broke during the TLS handshake: %s",
                  strerror(number));
    return err_code(err, "tls_failed");
}

struct err *tls_session_step(
    struct tls_session *session, const char *where, enum stream_want *ret_want)
{
    ERR_clear_error();
    errno = 0;
    const int result = SSL_connect(session->ssl);
    if (result == 1) {
        session->is_open = true;
        *ret_want = STREAM_READY;
        return NULL;
    }
    const int error = SSL_get_error(session->ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        *ret_want = error == SSL_ERROR_WANT_READ ? STREAM_WANT_READ : STREAM_WANT_WRITE;
        return NULL;
    }
    return handshake_error(session, where, error);
}

/* What a read or write that moved nothing means. */
static struct err *explain_transfer(
    struct tls_session *session, const char *where, int result, enum stream_want *ret_want)
{
    const int number = errno;
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        *ret_want = STREAM_WANT_READ;
        return NULL;
    case SSL_ERROR_WANT_WRITE:
        *ret_want = STREAM_WANT_WRITE;
        return NULL;
    case SSL_ERROR_ZERO_RETURN:
        *ret_want = STREAM_END;
        return NULL;
    case SSL_ERROR_SYSCALL:
        session->is_open = false; /* after a fatal error SSL_shutdown() must not be called */
        return err_new(ERR_UNKNOWN, where, "the connection broke: %s", strerror(number));
    default:
        session->is_open = false;
        /* TLS 1.3 servers refuse a client certificate only here, after the handshake. */
        return err_code(err_new(ERR_UNKNOWN, where, "the TLS connection broke: %s",
                            reason_of(ERR_peek_error())),
            "tls_failed");
    }
}

struct err *tls_session_read(struct tls_session *session, const char *where, size_t size_max,
    struct buf *ret_bytes, enum stream_want *ret_want)
{
    size_t wanted = size_max;
    size_t count = 0;
    ERR_clear_error();
    errno = 0;
    const int result = SSL_read_ex(session->ssl, buf_reserve(ret_bytes, wanted), wanted, &count);
    if (result != 1) {
        return explain_transfer(session, where, result, ret_want);
    }
    buf_grow_used(ret_bytes, count);
    /* A record is taken whole: bytes that have left the socket wake no poller. */
    while ((wanted = (size_t)SSL_pending(session->ssl)) > 0 &&
           SSL_read_ex(session->ssl, buf_reserve(ret_bytes, wanted), wanted, &count) == 1) {
        buf_grow_used(ret_bytes, count);
    }
    *ret_want = STREAM_READY;
    return NULL;
}

struct err *tls_session_write(struct tls_session *session, const char *where, struct str data,
    size_t *ret_written, enum stream_want *ret_want)
{
    size_t written = 0;
    while (written < data.size) {
        size_t count = 0;
        ERR_clear_error();
        errno = 0;
        const int result =
            SSL_write_ex(session->ssl, data.data + written, data.size - written, &count);
        if (result != 1) {
            struct err *err = explain_transfer(session, where, result, ret_want);
            *ret_written = written;
            return err;
        }
        written += count;
    }
    *ret_written = written;
    *ret_want = STREAM_READY;
    return NULL;
}
