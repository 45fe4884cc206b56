/* TLS settings and sessions over OpenSSL. */
#include "net/tls.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SELF_SIGNED_BEFORE_S 86400L     /* clocks differ */
#define SELF_SIGNED_AFTER_S  315360000L /* ten years */

struct tls {
    SSL_CTX *ctx;
    enum tls_verify verify;
    bool server;
};

static int fail_with_openssl(struct err *err, const char *what, const char *file)
{
    unsigned long code = ERR_get_error();
    char text[200] = "no reason given";
    if (code)
        ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return err_kind_set(err, ERR_USAGE, "%s%s: %s", what, file, text);
}

static int load_ca(SSL_CTX *ctx, const char *ca, struct err *err)
{
    int ok =
        *ca ? SSL_CTX_load_verify_locations(ctx, ca, NULL) : SSL_CTX_set_default_verify_paths(ctx);
    return ok == 1 ? 0 : fail_with_openssl(err, "cannot read the certificates of ssl_ca ", ca);
}

static int load_own(SSL_CTX *ctx, const char *cert, const char *key, struct err *err)
{
    if (!*cert)
        return 0;
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return fail_with_openssl(err, "cannot read the certificate of ssl_cert ", cert);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return fail_with_openssl(err, "cannot read the private key of ssl_key ", key);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return fail_with_openssl(err, "ssl_key does not belong to ssl_cert: ", key);
    return 0;
}

/* Who could read the key could be us. The group is the administrator's choice. */
static int check_key_mode(const char *key, struct err *err)
{
    struct stat st;
    if (stat(key, &st) < 0)
        return err_kind_set(err, ERR_USAGE, "cannot read the private key of ssl_key %s: %s", key,
                            strerrordesc_np(errno));
    if (st.st_mode & S_IRWXO)
        return err_kind_set(err, ERR_USAGE,
                            "the private key of ssl_key %s can be read or written by others "
                            "(mode %04o): take that from them with chmod o-rwx",
                            key, (unsigned)st.st_mode & 07777u);
    return 0;
}

static int configure(struct tls *t, const struct tls_opts *opts, struct err *err)
{
    SSL_CTX_set_verify(t->ctx, t->verify == TLS_VERIFY_NONE ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                       NULL);
    if (t->verify != TLS_VERIFY_NONE && load_ca(t->ctx, opts->ca, err) < 0)
        return -1;
    return load_own(t->ctx, opts->cert, opts->key, err);
}

static struct tls *tls_new(const SSL_METHOD *method, enum tls_verify verify)
{
    ERR_clear_error();
    struct tls *t = mem_alloc(sizeof *t);
    t->verify = verify;
    t->ctx = SSL_CTX_new(method);
    mem_need(t->ctx);
    SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(t->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    return t;
}

struct tls *tls_client_new(const struct tls_opts *opts, struct err *err)
{
    struct tls *t = tls_new(TLS_client_method(), opts->verify);
    if (configure(t, opts, err) < 0) {
        tls_free(t);
        return NULL;
    }
    return t;
}

/* Sessions are not resumed: replicas connect seldom, and tickets would cost each of them memory. */
static struct tls *tls_new_server(enum tls_verify verify)
{
    struct tls *t = tls_new(TLS_server_method(), verify);
    t->server = true;
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(t->ctx, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_num_tickets(t->ctx, 0);
    return t;
}

static int configure_server(struct tls *t, const struct tls_opts *opts, struct err *err)
{
    if (configure(t, opts, err) < 0 || check_key_mode(opts->key, err) < 0)
        return -1;
    STACK_OF(X509_NAME) *names = *opts->ca ? SSL_load_client_CA_file(opts->ca) : NULL;
    if (names)
        SSL_CTX_set_client_CA_list(t->ctx, names);
    return 0;
}

struct tls *tls_server_new(const struct tls_opts *opts, struct err *err)
{
    struct tls *t = tls_new_server(*opts->ca ? TLS_VERIFY_CA : TLS_VERIFY_NONE);
    if (configure_server(t, opts, err) < 0) {
        tls_free(t);
        return NULL;
    }
    return t;
}

static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *x = X509_new();
    if (!x)
        return NULL;
    X509_NAME *name = X509_get_subject_name(x);
    bool ok =
        X509_set_version(x, X509_VERSION_3) &&
        ASN1_INTEGER_set(X509_get_serialNumber(x), (long)time(NULL)) &&
        X509_gmtime_adj(X509_getm_notBefore(x), -SELF_SIGNED_BEFORE_S) &&
        X509_gmtime_adj(X509_getm_notAfter(x), SELF_SIGNED_AFTER_S) &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                   (const unsigned char *)"binlogd (self-signed)", -1, -1, 0) &&
        X509_set_issuer_name(x, name) && X509_set_pubkey(x, key) && X509_sign(x, key, EVP_sha256());
    if (ok)
        return x;
    X509_free(x);
    return NULL;
}

struct tls *tls_server_new_self_signed(void)
{
    struct tls *t = tls_new_server(TLS_VERIFY_NONE);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = key ? make_certificate(key) : NULL;
    mem_need(x && SSL_CTX_use_certificate(t->ctx, x) == 1 &&
             SSL_CTX_use_PrivateKey(t->ctx, key) == 1);
    X509_free(x);
    EVP_PKEY_free(key);
    return t;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    free(t);
}

static bool is_ip_address(const char *host)
{
    struct in6_addr any;
    return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

static int expect_host(SSL *ssl, const char *host)
{
    if (is_ip_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host);
}

SSL *tls_session(struct tls *t, const char *host, struct err *err)
{
    ERR_clear_error();
    SSL *ssl = SSL_new(t->ctx);
    mem_need(ssl);
    if (t->server) {
        SSL_set_accept_state(ssl);
        return ssl;
    }
    if (t->verify == TLS_VERIFY_IDENTITY && expect_host(ssl, host) != 1) {
        err_set(err, "cannot check the certificate against the host name %s", host);
        SSL_free(ssl);
        return NULL;
    }
    /* SSL_set_tlsext_host_name, whose cast drops const on the way. */
    if (!is_ip_address(host) && *host != '/')
        SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                 (void *)(uintptr_t)host);
    SSL_set_connect_state(ssl);
    return ssl;
}

void tls_explain(SSL *ssl, char *dst, size_t n)
{
    long verify = SSL_get_verify_result(ssl);
    unsigned long code = ERR_peek_error();
    if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED && verify != X509_V_OK)
        snprintf(dst, n, "the %s's certificate is refused: %s",
                 SSL_is_server(ssl) ? "client" : "server", X509_verify_cert_error_string(verify));
    else if (code)
        snprintf(dst, n, "TLS error: %s",
                 ERR_reason_error_string(code) ? ERR_reason_error_string(code) : "unknown");
    else
        snprintf(dst, n, "the peer closed the connection");
    ERR_clear_error();
}
