/*
 * TLS settings of one direction, made from files once and used by many connections.
 *
 * TLS 1.2 and later only. The five ssl_modes of a MySQL client come down to three questions here:
 * whether TLS is used at all is the login's; whether the certificate is checked against a CA, and
 * against the host's name, is decided here.
 */
#ifndef BINLOGD_NET_TLS_H
#define BINLOGD_NET_TLS_H

#include "base/err.h"

#include <openssl/ssl.h>

enum tls_verify { TLS_VERIFY_NONE, TLS_VERIFY_CA, TLS_VERIFY_IDENTITY };

struct tls_opts {
    enum tls_verify verify;
    const char *ca;   /* PEM file; empty: the system's */
    const char *cert; /* PEM file with our chain; empty: none */
    const char *key;  /* PEM file */
};

struct tls;

struct tls *tls_client_new(const struct tls_opts *opts, struct err *err);
void tls_free(struct tls *t);
/* A session for one connection to host (a name or an address), ready for SSL_connect. */
SSL *tls_client_session(struct tls *t, const char *host, struct err *err);
/* Describes why a call on the session failed: the certificate's fault if there is one, else
 * OpenSSL's own words. dst has n bytes. */
void tls_explain(SSL *ssl, char *dst, size_t n);

#endif
