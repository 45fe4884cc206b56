/* What CHANGE REPLICATION SOURCE TO tells. */
#include "told.h"

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "mysql/errcode.h"
#include "mysql/reply_writer.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX    1024
#define FIRST_PACKET 1

struct told {
    struct told_opts opts;
    struct worker_job job;
    bool busy;
    bool stopped;
    uint32_t session; /* that awaits the answer */
    struct buf text;  /* being written, with passwords */
    char *directory;
    int rc; /* of writing */
    struct err err;
};

static bool refuse(struct admin_error *e, uint16_t code, const char *text)
{
    e->code = code;
    snprintf(e->text, sizeof e->text, "%s", text);
    return false;
}

/* ---- from options to keys ---- */

static int set_key(struct config *c, const char *key, const char *value, struct err *err)
{
    struct config_key k;
    for (size_t i = 0; config_key_at(i, &k); i++) {
        if (strcmp(k.section, "dumper") != 0 || strcmp(k.key, key) != 0)
            continue;
        BUG_ON(!config_can_be_told(i));
        if (bytes_has_control(bytes_str(value)))
            return err_set(err, "[dumper] %s: the value holds a control character", key);
        if (config_set(c, &k, value, err) < 0)
            return err_prefix(err, "[dumper] %s", key);
        c->dumper.told |= 1ull << i;
        return 0;
    }
    BUG_ON(true);
}

/* Those that mean the same under another name. */
static int set_plain(struct config *c, const struct bytes *given, struct err *err)
{
    static const struct {
        enum admin_change_key from;
        const char *key;
    } same[] = {
        {ADMIN_CHANGE_HOST, "host"},
        {ADMIN_CHANGE_PORT, "port"},
        {ADMIN_CHANGE_USER, "user"},
        {ADMIN_CHANGE_PASSWORD, "password"},
        {ADMIN_CHANGE_SSL_CA, "ssl_ca"},
        {ADMIN_CHANGE_SSL_CERT, "ssl_cert"},
        {ADMIN_CHANGE_SSL_KEY, "ssl_key"},
        {ADMIN_CHANGE_HEARTBEAT, "heartbeat_period"},
        {ADMIN_CHANGE_CONNECT_RETRY, "retry_max"},
        {ADMIN_CHANGE_PUBLIC_KEY, "public_key_file"},
    };
    char value[VALUE_MAX];
    int rc = 0;
    for (size_t i = 0; i < sizeof same / sizeof *same && rc == 0; i++) {
        struct bytes v = given[same[i].from];
        if (v.p && bytes_to_str(v, value, sizeof value) < 0)
            rc = err_set(err, "[dumper] %s: the value is too long or holds a NUL", same[i].key);
        else if (v.p)
            rc = set_key(c, same[i].key, value, err);
    }
    explicit_bzero(value, sizeof value);
    return rc;
}

static bool is_on(struct bytes v, bool otherwise)
{
    return v.p ? !bytes_eq(v, bytes_str("0")) : otherwise;
}

/* A server with SSL on checks the certificate as far as it has been given what to check it with. */
static int set_ssl_mode(struct config *c, const struct bytes *given, struct err *err)
{
    enum config_ssl_mode was = c->dumper.ssl_mode;
    struct bytes ssl = given[ADMIN_CHANGE_SSL], verify = given[ADMIN_CHANGE_SSL_VERIFY];
    if (!ssl.p && !verify.p && !given[ADMIN_CHANGE_SSL_CA].p)
        return 0;
    const char *mode = ssl.p ? "required" : "preferred";
    if (!ssl.p && was == CONFIG_SSL_REQUIRED)
        mode = "required";
    if (*c->dumper.ssl_ca)
        mode = "verify_ca";
    if (is_on(verify, was == CONFIG_SSL_VERIFY_IDENTITY))
        mode = "verify_identity";
    if (!is_on(ssl, was != CONFIG_SSL_DISABLED))
        mode = "disabled";
    return set_key(c, "ssl_mode", mode, err);
}

/* Copies go on where they end; only an empty store can begin somewhere else. */
static int set_start(const struct store *store, struct config *c, const struct bytes *given,
                     struct err *err)
{
    struct bytes file = given[ADMIN_CHANGE_LOG_FILE], pos = given[ADMIN_CHANGE_LOG_POS];
    char text[VALUE_MAX];
    if (!file.p && !pos.p) {
        bool found = is_on(given[ADMIN_CHANGE_AUTO_POSITION], false);
        bool fixed = c->dumper.start.kind == CONFIG_START_FILE;
        return found && fixed ? set_key(c, "start", "earliest", err) : 0;
    }
    if (!file.p && c->dumper.start.kind == CONFIG_START_FILE)
        file = bytes_str(c->dumper.start.file);
    if (!pos.p)
        pos = bytes_str("4");
    snprintf(text, sizeof text, "%.*s:%.*s", (int)(file.n < 512 ? file.n : 512),
             (const char *)file.p, (int)(pos.n < 32 ? pos.n : 32), (const char *)pos.p);
    if (store_empty(store))
        return set_key(c, "start", text, err);
    struct store_pos end = store_end(store);
    char here[VALUE_MAX];
    snprintf(here, sizeof here, "%s:%" PRIu64, end.file, end.pos);
    if (strcmp(text, here) == 0)
        return 0;
    return err_set(err, "what is stored ends at %s, and copying goes on there and nowhere else",
                   here);
}

static int set_all(const struct store *store, struct config *c, const struct admin_change *change,
                   struct err *err)
{
    const struct bytes *given = change->value;
    struct bytes key = given[ADMIN_CHANGE_GET_PUBLIC_KEY];
    if (set_plain(c, given, err) < 0 || set_ssl_mode(c, given, err) < 0 ||
        (key.p && set_key(c, "get_public_key", is_on(key, false) ? "on" : "off", err) < 0))
        return -1;
    return set_start(store, c, given, err);
}

/* The text to keep: what was told before, and this. */
static int make_text(struct told *t, const struct admin_change *change, struct err *err)
{
    struct config c;
    struct buf before;
    struct config none = {.dumper.told = 0};
    buf_init(&before);
    config_told_text(change->forget ? &none : t->opts.config, &before);
    int rc = config_load_told(&c, t->opts.config_path, buf_bytes(&before), err);
    if (rc == 0)
        rc = set_all(t->opts.store, &c, change, err);
    buf_clear(&t->text);
    if (rc == 0)
        config_told_text(&c, &t->text);
    buf_fini_secret(&before);
    config_free(&c);
    return rc;
}

/* Reads it as it will be read, for keys depend on each other, and the file can hold less than a
 * statement. */
static int try_text(struct told *t, struct err *err)
{
    struct config c;
    struct buf again;
    int rc = config_load_told(&c, t->opts.config_path, buf_bytes(&t->text), err);
    buf_init(&again);
    config_told_text(&c, &again);
    if (rc == 0 && !bytes_eq(buf_bytes(&again), buf_bytes(&t->text)))
        rc = err_set(err, "blanks at the ends of a value cannot be kept");
    buf_fini_secret(&again);
    if (rc == 0)
        rc = config_reload_check(t->opts.config, &c, CONFIG_RELOAD_SOURCE_STOPPED, err);
    if (rc == 0)
        rc = t->opts.check(t->opts.ctx, &c, err);
    config_free(&c);
    return rc;
}

/* ---- keeping it ---- */

static void on_worker(struct worker_job *job)
{
    struct told *t = (struct told *)((char *)job - offsetof(struct told, job));
    const struct fs *fs = fs_posix();
    int dirfd = fs_open_dir(fs, AT_FDCWD, t->directory, &t->err);
    t->rc = dirfd < 0
                ? -1
                : fs_write_secret(fs, dirfd, CONFIG_SOURCE_FILE, buf_bytes(&t->text), &t->err);
    if (dirfd >= 0)
        fs->close(dirfd);
}

static void answer(struct told *t)
{
    struct reply_writer w;
    struct buf packets;
    buf_init(&packets);
    reply_writer_init(&w, &packets, FIRST_PACKET);
    if (t->rc < 0)
        reply_writer_err(&w, ER_UNKNOWN_ERROR, "%s", t->err.text);
    else
        reply_writer_ok(&w, 0);
    t->opts.answer(t->opts.ctx, t->session, buf_bytes(&packets));
    buf_fini(&packets);
}

static void on_kept(struct worker_job *job)
{
    struct told *t = (struct told *)((char *)job - offsetof(struct told, job));
    t->busy = false;
    buf_fini_secret(&t->text);
    buf_init(&t->text);
    if (t->stopped)
        return;
    if (t->rc == 0)
        t->rc = t->opts.reread(t->opts.ctx, &t->err);
    if (t->rc < 0)
        log_error("app", "%s: %s", CONFIG_SOURCE_FILE, t->err.text);
    answer(t);
}

bool told_change(struct told *t, uint32_t session, const struct admin_change *change,
                 struct admin_error *e)
{
    struct err err;
    if (t->busy)
        return refuse(e, ER_UNKNOWN_ERROR, "another session is changing it: try again");
    if (make_text(t, change, &err) < 0 || try_text(t, &err) < 0) {
        buf_fini_secret(&t->text);
        buf_init(&t->text);
        return refuse(e, ER_WRONG_ARGUMENTS, err.text);
    }
    t->busy = true;
    t->session = session;
    free(t->directory);
    t->directory = mem_strdup(t->opts.config->storage.directory);
    t->job.run = on_worker;
    t->job.done = on_kept;
    worker_submit(t->opts.worker, &t->job);
    return true;
}

struct told *told_new(const struct told_opts *opts)
{
    struct told *t = mem_alloc(sizeof *t);
    t->opts = *opts;
    buf_init(&t->text);
    return t;
}

bool told_busy(const struct told *t)
{
    return t->busy;
}

void told_stop(struct told *t)
{
    if (t)
        t->stopped = true;
}

void told_free(struct told *t)
{
    if (!t)
        return;
    buf_fini_secret(&t->text);
    free(t->directory);
    free(t);
}
