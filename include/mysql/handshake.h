/*
 * The packets of the connection phase: greeting (HandshakeV10), SSLRequest, HandshakeResponse41,
 * AuthSwitchRequest (manual, "Connection Phase Packets").
 */
#ifndef BINLOGD_MYSQL_HANDSHAKE_H
#define BINLOGD_MYSQL_HANDSHAKE_H

#include "base/buf.h"
#include "base/err.h"

#define HANDSHAKE_NONCE       20
#define HANDSHAKE_VERSION_MAX 100
#define HANDSHAKE_PLUGIN_MAX  64

struct handshake_greeting {
    char server_version[HANDSHAKE_VERSION_MAX];
    uint32_t thread_id;
    uint32_t caps;
    uint8_t charset;
    uint16_t status;
    uint8_t nonce[HANDSHAKE_NONCE];
    char plugin[HANDSHAKE_PLUGIN_MAX]; /* empty before CLIENT_PLUGIN_AUTH (5.5.7) */
};

struct handshake_response {
    uint32_t caps;
    uint32_t max_packet;
    uint8_t charset;
    const char *user;
    struct bytes auth; /* at most 255 bytes */
    const char *plugin;
};

/* A client's answer to the greeting as a server reads it; all slices are of the payload. */
struct handshake_answer {
    uint32_t caps;
    uint32_t max_packet;
    uint8_t charset;
    struct bytes user;
    struct bytes auth;
    struct bytes database; /* empty: none */
    struct bytes plugin;   /* empty before CLIENT_PLUGIN_AUTH */
};

struct handshake_auth_switch {
    char plugin[HANDSHAKE_PLUGIN_MAX];
    uint8_t nonce[HANDSHAKE_NONCE];
};

int handshake_greeting_decode(struct handshake_greeting *g, struct bytes payload, struct err *err);
void handshake_greeting_encode(struct buf *out, const struct handshake_greeting *g);
void handshake_ssl_request_encode(struct buf *out, const struct handshake_response *r);
void handshake_response_encode(struct buf *out, const struct handshake_response *r);
/* The answer is an SSLRequest: asks for TLS and holds no user. */
bool handshake_is_ssl_request(struct bytes payload);
/* It is of a client older than 4.1, which has another form. */
bool handshake_is_old(struct bytes payload);
/* offered: the greeting's capabilities, others are ignored. Takes an SSLRequest as malformed. */
int handshake_answer_decode(struct handshake_answer *a, struct bytes payload, uint32_t offered,
                            struct err *err);
void handshake_auth_switch_encode(struct buf *out, const struct handshake_auth_switch *s);
int handshake_auth_switch_decode(struct handshake_auth_switch *s, struct bytes payload,
                                 struct err *err);

#endif
