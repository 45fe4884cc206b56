/* Codecs of the connection phase packets. */
#include "mysql/handshake.h"

#include "mysql/caps.h"
#include "mysql/lenenc.h"

#define NONCE_PART1     8
#define SSL_REQUEST_LEN 32

/* The greeting's second nonce part has max(13, total - 8) bytes, the last of them a NUL. */
static void decode_nonce_part2(struct handshake_greeting *g, struct rd *r, uint8_t total)
{
    size_t n = total > NONCE_PART1 + 13 ? (size_t)total - NONCE_PART1 : 13;
    struct bytes part = rd_bytes(r, n);
    if (!r->bad)
        memcpy(g->nonce + NONCE_PART1, part.p, HANDSHAKE_NONCE - NONCE_PART1);
}

int handshake_greeting_decode(struct handshake_greeting *g, struct bytes payload, struct err *err)
{
    *g = (struct handshake_greeting){0};
    struct rd r = rd_of(payload);
    uint8_t protocol = rd_u8(&r);
    if (r.bad || protocol != 10)
        return err_set(err, "greeting of protocol version %u, only 10 is known", protocol);
    struct bytes version = rd_cstr(&r);
    g->thread_id = rd_u32(&r);
    struct bytes part1 = rd_bytes(&r, NONCE_PART1);
    rd_u8(&r);
    g->caps = rd_u16(&r);
    g->charset = rd_u8(&r);
    g->status = rd_u16(&r);
    g->caps |= (uint32_t)rd_u16(&r) << 16;
    uint8_t nonce_len = rd_u8(&r);
    rd_bytes(&r, 10);
    if (r.bad || bytes_to_str(version, g->server_version, sizeof g->server_version) < 0)
        return err_set(err, "malformed greeting");
    memcpy(g->nonce, part1.p, NONCE_PART1);
    if (!(g->caps & CAP_PROTOCOL_41) || !(g->caps & CAP_SECURE_CONNECTION))
        return err_set(err, "server %s is too old: it does not speak protocol 4.1",
                       g->server_version);
    decode_nonce_part2(g, &r, nonce_len);
    if (r.bad)
        return err_set(err, "malformed greeting");
    if (g->caps & CAP_PLUGIN_AUTH) {
        struct bytes name = rd_rest(&r); /* some old servers leave out the final NUL */
        if (name.n && name.p[name.n - 1] == 0)
            name.n--;
        if (bytes_to_str(name, g->plugin, sizeof g->plugin) < 0)
            return err_set(err, "malformed authentication plugin name in the greeting");
    }
    return 0;
}

void handshake_greeting_encode(struct buf *out, const struct handshake_greeting *g)
{
    wr_u8(out, 10);
    wr_cstr(out, g->server_version);
    wr_u32(out, g->thread_id);
    wr_bytes(out, bytes_of(g->nonce, NONCE_PART1));
    wr_u8(out, 0);
    wr_u16(out, (uint16_t)g->caps);
    wr_u8(out, g->charset);
    wr_u16(out, g->status);
    wr_u16(out, (uint16_t)(g->caps >> 16));
    wr_u8(out, HANDSHAKE_NONCE + 1);
    wr_zero(out, 10);
    wr_bytes(out, bytes_of(g->nonce + NONCE_PART1, HANDSHAKE_NONCE - NONCE_PART1));
    wr_u8(out, 0);
    wr_cstr(out, g->plugin);
}

/* The SSLRequest is the head of the response that follows it inside TLS. */
void handshake_ssl_request_encode(struct buf *out, const struct handshake_response *r)
{
    wr_u32(out, r->caps);
    wr_u32(out, r->max_packet);
    wr_u8(out, r->charset);
    wr_zero(out, 23);
}

void handshake_response_encode(struct buf *out, const struct handshake_response *r)
{
    handshake_ssl_request_encode(out, r);
    wr_cstr(out, r->user);
    wr_u8(out, (uint8_t)r->auth.n);
    wr_bytes(out, r->auth);
    if (r->caps & CAP_PLUGIN_AUTH)
        wr_cstr(out, r->plugin);
}

bool handshake_is_ssl_request(struct bytes payload)
{
    return payload.n == SSL_REQUEST_LEN && le32(payload.p) & CAP_SSL;
}

/* The older form has only the two lower bytes of the capabilities. */
bool handshake_is_old(struct bytes payload)
{
    return payload.n >= 2 && !(le16(payload.p) & CAP_PROTOCOL_41);
}

/* The length of the scramble is told in three ways. */
static struct bytes decode_auth(struct rd *r, uint32_t caps)
{
    if (caps & CAP_PLUGIN_AUTH_LENENC)
        return lenenc_str_decode(r);
    if (caps & CAP_SECURE_CONNECTION)
        return rd_bytes(r, rd_u8(r));
    return rd_cstr(r);
}

/* Pairs of strings behind their length in all; they are checked and not kept. */
static void check_attrs(struct rd *r)
{
    struct rd attrs = rd_of(lenenc_str_decode(r));
    while (rd_left(&attrs)) {
        lenenc_str_decode(&attrs);
        lenenc_str_decode(&attrs);
    }
    r->bad = r->bad || attrs.bad;
}

int handshake_answer_decode(struct handshake_answer *a, struct bytes payload, uint32_t offered,
                            struct err *err)
{
    *a = (struct handshake_answer){0};
    struct rd r = rd_of(payload);
    a->caps = rd_u32(&r) & offered;
    a->max_packet = rd_u32(&r);
    a->charset = rd_u8(&r);
    rd_bytes(&r, 23);
    a->user = rd_cstr(&r);
    a->auth = decode_auth(&r, a->caps);
    /* Some clients set the flags of what they then leave out. */
    if (a->caps & CAP_CONNECT_WITH_DB && rd_left(&r))
        a->database = rd_cstr(&r);
    if (a->caps & CAP_PLUGIN_AUTH && rd_left(&r))
        a->plugin = rd_cstr(&r);
    if (a->caps & CAP_CONNECT_ATTRS && rd_left(&r))
        check_attrs(&r);
    return r.bad ? err_set(err, "malformed answer to the greeting") : 0;
}

void handshake_auth_switch_encode(struct buf *out, const struct handshake_auth_switch *s)
{
    wr_u8(out, 0xfe);
    wr_cstr(out, s->plugin);
    wr_bytes(out, bytes_of(s->nonce, sizeof s->nonce));
    wr_u8(out, 0);
}

int handshake_auth_switch_decode(struct handshake_auth_switch *s, struct bytes payload,
                                 struct err *err)
{
    struct rd r = rd_of(payload);
    rd_u8(&r);
    struct bytes name = rd_cstr(&r);
    struct bytes data = rd_rest(&r); /* plugins that are not known here can have none */
    if (r.bad || bytes_to_str(name, s->plugin, sizeof s->plugin) < 0)
        return err_set(err, "malformed request to switch the authentication plugin");
    memset(s->nonce, 0, sizeof s->nonce);
    memcpy(s->nonce, data.p, data.n < HANDSHAKE_NONCE ? data.n : HANDSHAKE_NONCE);
    return 0;
}
