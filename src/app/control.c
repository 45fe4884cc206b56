/* What statements tell and change. */
#include "control.h"

#include "base/log.h"
#include "base/mem.h"
#include "mysql/errcode.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define MS_PER_SECOND  1000u
#define NAME_MAX_BYTES 64

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
    s->gave_up = d.gave_up;
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
    snprintf(c->info_file, sizeof c->info_file, "%s/" CONFIG_SOURCE_FILE,
             c->config->storage.directory);
    s->info_file = c->info_file;
    return true;
}

bool control_command(struct control *c, enum admin_command command, struct admin_error *e)
{
    struct err err;
    switch (command) {
    case ADMIN_START_SOURCE:
        if (told_busy(c->told))
            return refuse(e, ER_UNKNOWN_ERROR, "the source is being changed: try again");
        log_info("app", "the connection to the source is started by a statement");
        dumper_start(c->dumper);
        return true;
    case ADMIN_STOP_SOURCE:
        log_info("app", "the connection to the source is stopped by a statement");
        dumper_stop(c->dumper);
        return true;
    case ADMIN_RESET_SOURCE:
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

bool control_change(struct control *c, uint32_t session, const struct admin_change *change,
                    struct admin_error *e)
{
    if (!told_change(c->told, session, change, e))
        return false;
    if (change->forget)
        dumper_forget(c->dumper);
    return true;
}

/* ---- PURGE ---- */

/* As with a server, what has to stay stays, and that is no error. */
static void warn_kept(const struct retention_purged *p, struct admin_error *e)
{
    e->code = p->readers ? ER_WARN_PURGE_LOG_IN_USE : ER_WARN_PURGE_LOG_IS_ACTIVE;
    if (p->readers)
        snprintf(e->text, sizeof e->text,
                 "file %s was not purged because it was being read by %u thread(s), purged only "
                 "%zu out of %zu files.",
                 p->kept, p->readers, p->purged, p->asked);
    else
        snprintf(e->text, sizeof e->text,
                 "file %s was not purged because it is one of the newest %d files.", p->kept,
                 STORE_KEEP_FILES);
    log_info("app", "PURGE: %s", e->text);
}

static bool purged(enum retention_answer answer, const struct retention_purged *p,
                   const struct err *err, struct admin_error *e)
{
    switch (answer) {
    case RETENTION_PURGED:
        if (*p->kept)
            warn_kept(p, e);
        return true;
    case RETENTION_UNKNOWN:
        return refuse(e, ER_UNKNOWN_TARGET_BINLOG, "Target log not found in binlog index");
    case RETENTION_FAILED:
        break;
    }
    return refuse(e, ER_UNKNOWN_ERROR, err->text);
}

bool control_purge_to(struct control *c, struct bytes name, struct admin_error *e)
{
    struct retention_purged p = {.kept = ""};
    struct err err;
    return purged(retention_purge_to(c->retention, name, &p, &err), &p, &err, e);
}

bool control_purge_before(struct control *c, int64_t seconds, struct admin_error *e)
{
    struct retention_purged p = {.kept = ""};
    struct err err;
    return purged(retention_purge_before(c->retention, seconds, &p, &err), &p, &err, e);
}

/* ---- SET GLOBAL ---- */

static bool is_shown(const struct config_key *k)
{
    return strcmp(k->section, "user") != 0 && strncmp(k->key, "password", 8) != 0;
}

static void key_name(const struct config_key *k, char *name)
{
    snprintf(name, NAME_MAX_BYTES, "%s.%s", k->section, k->key);
}

static const char *value_text(const struct config *c, const struct config_key *k, struct buf *text)
{
    buf_clear(text);
    config_value(c, k, text);
    wr_u8(text, 0);
    return (const char *)buf_bytes(text).p;
}

void control_each_setting(struct control *c, admin_setting_fn fn, void *arg)
{
    struct config_key k;
    struct buf text;
    char name[NAME_MAX_BYTES];
    buf_init(&text);
    for (size_t i = 0; config_key_at(i, &k); i++) {
        if (!is_shown(&k) || (strcmp(k.section, "dumper") == 0 && !c->config->dumper.present))
            continue;
        key_name(&k, name);
        struct admin_setting s = {name, value_text(c->config, &k, &text), config_is_number(&k),
                                  k.reloadable};
        fn(arg, &s);
    }
    buf_fini(&text);
}

static bool find_key(const char *name, struct config_key *k)
{
    char known[NAME_MAX_BYTES];
    for (size_t i = 0; config_key_at(i, k); i++) {
        key_name(k, known);
        if (is_shown(k) && strcmp(known, name) == 0)
            return true;
    }
    return false;
}

/* Words are in small letters in the file, and in large ones in many statements. */
static int set_one(struct config *c, const struct config_key *k, const char *value)
{
    char small[NAME_MAX_BYTES];
    struct err ignored;
    if (bytes_has_control(bytes_str(value)))
        return -1;
    if (config_set(c, k, value, &ignored) == 0)
        return 0;
    if (strlen(value) >= sizeof small)
        return -1;
    size_t n = 0;
    for (; value[n]; n++)
        small[n] = (char)tolower((unsigned char)value[n]);
    small[n] = 0;
    return config_set(c, k, small, &ignored);
}

static bool set_all(struct control *c, const struct admin_assignment *items, size_t n,
                    struct admin_error *e)
{
    struct config_key k;
    for (size_t i = 0; i < n; i++) {
        BUG_ON(!find_key(items[i].name, &k));
        const char *value = items[i].value ? items[i].value : k.def;
        if (set_one(c->config, &k, value) < 0) {
            e->code = ER_WRONG_VALUE_FOR_VAR;
            snprintf(e->text, sizeof e->text, "Variable '%s' can't be set to the value of '%.200s'",
                     items[i].name, value);
            return false;
        }
    }
    return true;
}

static void restore(struct control *c, const struct admin_assignment *items, size_t n, char **old)
{
    struct config_key k;
    struct err err;
    for (size_t i = n; i-- > 0;) {
        BUG_ON(!find_key(items[i].name, &k));
        BUG_ON(config_set(c->config, &k, old[i], &err) < 0);
    }
}

static char **keep_values(const struct control *c, const struct admin_assignment *items, size_t n)
{
    char **old = mem_alloc(n * sizeof *old);
    struct config_key k;
    struct buf text;
    buf_init(&text);
    for (size_t i = 0; i < n; i++) {
        BUG_ON(!find_key(items[i].name, &k));
        old[i] = mem_strdup(value_text(c->config, &k, &text));
    }
    buf_fini(&text);
    return old;
}

static void log_values(const struct control *c, const struct admin_assignment *items, size_t n)
{
    struct config_key k;
    struct buf text;
    buf_init(&text);
    for (size_t i = 0; i < n; i++) {
        BUG_ON(!find_key(items[i].name, &k));
        log_info("app", "[%s] %s=%s until the configuration is read again", k.section, k.key,
                 value_text(c->config, &k, &text));
    }
    buf_fini(&text);
}

/* In place, with the way back kept: what was as it is now can be followed again. */
bool control_set(struct control *c, const struct admin_assignment *items, size_t n,
                 struct admin_error *e)
{
    struct err err;
    char **old = keep_values(c, items, n);
    bool ok = set_all(c, items, n, e);
    if (ok && c->follow(c->ctx, &err) < 0)
        ok = refuse(e, ER_WRONG_VALUE_FOR_VAR, err.text);
    if (ok)
        log_values(c, items, n);
    if (!ok) {
        restore(c, items, n, old);
        if (c->follow(c->ctx, &err) < 0)
            log_error("app", "%s", err.text);
    }
    for (size_t i = 0; i < n; i++)
        free(old[i]);
    free(old);
    return ok;
}
