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
/* cert and key must be given; the key's file must not be readable by others. With ca, a client may
 * show a certificate, and then it must be one of this CA; verify is not looked at. */
struct tls *tls_server_new(const struct tls_opts *opts, struct err *err);
/* With a certificate made just now: it keeps passwords and rows from being overheard, and proves
 * nothing about who we are. */
struct tls *tls_server_new_self_signed(void);
/* Sessions that were made live on. */
void tls_free(struct tls *t);
/* A session for one connection, ready for SSL_do_handshake: of a client to host (a name or an
 * address), or of a server, then host is NULL. */
SSL *tls_session(struct tls *t, const char *host, struct err *err);
/* Describes why a call on the session failed: the certificate's fault if there is one, else
 * OpenSSL's own words. dst has n bytes. */
void tls_explain(SSL *ssl, char *dst, size_t n);

#endif
