/* TLS settings and sessions over OpenSSL. */
#include "net/tls.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tls {
    SSL_CTX *ctx;
    enum tls_verify verify;
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

static int configure(struct tls *t, const struct tls_opts *opts, struct err *err)
{
    SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(t->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_verify(t->ctx, t->verify == TLS_VERIFY_NONE ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                       NULL);
    if (t->verify != TLS_VERIFY_NONE && load_ca(t->ctx, opts->ca, err) < 0)
        return -1;
    return load_own(t->ctx, opts->cert, opts->key, err);
}

struct tls *tls_client_new(const struct tls_opts *opts, struct err *err)
{
    ERR_clear_error();
    struct tls *t = mem_alloc(sizeof *t);
    t->verify = opts->verify;
    t->ctx = SSL_CTX_new(TLS_client_method());
    BUG_ON(!t->ctx);
    if (configure(t, opts, err) < 0) {
        tls_free(t);
        return NULL;
    }
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
    BUG_ON(!ssl);
    if (t->verify == TLS_VERIFY_IDENTITY && expect_host(ssl, host) != 1) {
        err_set(err, "cannot check the certificate against the host name %s", host);
        SSL_free(ssl);
        return NULL;
    }
    if (!is_ip_address(host) && *host != '/')
        SSL_set_tlsext_host_name(ssl, host);
    SSL_set_connect_state(ssl);
    return ssl;
}

void tls_explain(SSL *ssl, char *dst, size_t n)
{
    long verify = SSL_get_verify_result(ssl);
    unsigned long code = ERR_peek_error();
    if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED && verify != X509_V_OK)
        snprintf(dst, n, "the server's certificate is refused: %s",
                 X509_verify_cert_error_string(verify));
    else if (code)
        snprintf(dst, n, "TLS error: %s",
                 ERR_reason_error_string(code) ? ERR_reason_error_string(code) : "unknown");
    else
        snprintf(dst, n, "the peer closed the connection");
    ERR_clear_error();
}
