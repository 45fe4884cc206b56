/* What statements tell and change. */
#include "control.h"

#include "base/log.h"
#include "mysql/errcode.h"

#include <stdio.h>

#define MS_PER_SECOND 1000u

static bool refuse(struct admin_error *e, uint16_t code, const char *text)
{
    e->code = code;
    snprintf(e->text, sizeof e->text, "%s", text);
    return false;
}

/* The kinds of both sides have the same order. */
static void tell_connection(const struct control *c, struct admin_source *s)
{
    struct dumper_stats d;
    dumper_stats(c->dumper, &d);
    _Static_assert((int)ADMIN_IO_NO_SPACE == (int)DUMPER_IO_NO_SPACE, "the kinds differ");
    s->io = (enum admin_io)d.io;
    s->seconds_behind = d.seconds_behind;
    s->error_code = d.last_error_code;
    s->error = d.last_error;
    s->error_us = d.last_error_us;
    s->server_id = d.source_id;
    s->uuid = d.source_uuid;
    s->auto_position =
        dumper_gtid_mode(c->dumper) && c->config->dumper.start.kind != CONFIG_START_FILE;
}

static void tell_settings(const struct config_dumper *c, struct admin_source *s)
{
    s->host = c->host;
    s->port = c->port;
    s->user = c->user;
    s->connect_retry_s = (c->retry_max_ms + MS_PER_SECOND - 1) / MS_PER_SECOND;
    s->ssl = c->ssl_mode != CONFIG_SSL_DISABLED;
    s->ssl_verify = c->ssl_mode == CONFIG_SSL_VERIFY_IDENTITY;
    s->ssl_ca = c->ssl_ca;
    s->ssl_cert = c->ssl_cert;
    s->ssl_key = c->ssl_key;
    s->public_key = c->public_key_file;
    s->get_public_key = c->get_public_key;
}

bool control_source(struct control *c, struct admin_source *s)
{
    if (!c->dumper)
        return false;
    struct store_pos received = store_received(c->store);
    tell_settings(&c->config->dumper, s);
    tell_connection(c, s);
    s->file = received.file;
    s->position = received.pos;
    s->space = store_bytes(c->store);
    return true;
}

bool control_command(struct control *c, enum admin_command command, struct admin_error *e)
{
    struct err err;
    switch (command) {
    case ADMIN_START_SOURCE:
        log_info("app", "the connection to the source is started by a statement");
        dumper_start(c->dumper);
        return true;
    case ADMIN_STOP_SOURCE:
        log_info("app", "the connection to the source is stopped by a statement");
        dumper_stop(c->dumper);
        return true;
    case ADMIN_RESET_SOURCE:
    case ADMIN_RESET_SOURCE_ALL:
        dumper_forget(c->dumper);
        return true;
    case ADMIN_FLUSH_LOGS:
        return c->flush_logs(c->ctx, &err) == 0 || refuse(e, ER_UNKNOWN_ERROR, err.text);
    case ADMIN_SHUTDOWN:
        log_info("app", "stopping, as a statement says");
        c->shutdown(c->ctx);
        return true;
    }
    return false;
}
