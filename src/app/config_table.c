/*
 * The one table of keys, and what walks it: defaults, printing, the sample file, the reload check.
 *
 * A new key is a new line of the table, a member of struct config and a row in the documentation.
 */
#include "app/config_priv.h"

#include "base/mem.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct config_name bool_names[] = {{"on", 1}, {"off", 0}, {NULL, 0}};

static const struct config_name start_names[] = {
    {"earliest", CONFIG_START_EARLIEST}, {"latest", CONFIG_START_LATEST}, {NULL, 0}};

static const struct config_name ssl_mode_names[] = {
    {"preferred", CONFIG_SSL_PREFERRED},
    {"disabled", CONFIG_SSL_DISABLED},
    {"required", CONFIG_SSL_REQUIRED},
    {"verify_ca", CONFIG_SSL_VERIFY_CA},
    {"verify_identity", CONFIG_SSL_VERIFY_IDENTITY},
    {NULL, 0},
};

static const struct config_name divergence_names[] = {
    {"stop", CONFIG_DIVERGENCE_STOP},
    {"failover", CONFIG_DIVERGENCE_FAILOVER},
    {"new_epoch", CONFIG_DIVERGENCE_NEW_EPOCH},
    {NULL, 0},
};

static const struct config_name plugin_names[] = {
    {"caching_sha2_password", CONFIG_PLUGIN_CACHING_SHA2_PASSWORD},
    {"mysql_native_password", CONFIG_PLUGIN_MYSQL_NATIVE_PASSWORD},
    {NULL, 0},
};

static const struct config_name right_names[] = {
    {"replicate", CONFIG_RIGHT_REPLICATE},
    {"status", CONFIG_RIGHT_STATUS},
    {"admin", CONFIG_RIGHT_ADMIN},
    {NULL, 0},
};

static const struct config_name level_names[] = {
    {"error", LOG_ERROR}, {"warn", LOG_WARN}, {"info", LOG_INFO}, {"debug", LOG_DEBUG}, {NULL, 0}};

#define IN(field)      offsetof(struct config, field)
#define IN_USER(field) offsetof(struct config_user, field)
#define REQUIRED       true
#define OPTIONAL       false
#define RELOAD         true
#define RESTART        false
#define PATH_MAX_BYTES 180

/* clang-format off */
static const struct config_entry table[] = {
    {{"dumper", "host", "",
      "Name or address of the source, or the path of its unix socket.",
      REQUIRED, RESTART},
     &config_type_host, IN(dumper.host), 1, 255, NULL},
    {{"dumper", "port", "3306",
      "TCP port of the source.",
      OPTIONAL, RESTART},
     &config_type_u16, IN(dumper.port), 1, 65535, NULL},
    {{"dumper", "user", "",
      "Account on the source; it needs REPLICATION SLAVE.",
      REQUIRED, RESTART},
     &config_type_text, IN(dumper.user), 1, 128, NULL},
    {{"dumper", "password", "",
      "Its password; the file must then have mode 0600. Or give password_file.",
      OPTIONAL, RELOAD},
     &config_type_secret, IN(dumper.password), 0, 0, NULL},
    {{"dumper", "password_file", "",
      "File of mode 0600 with the password on one line; without a slash, a systemd credential.",
      OPTIONAL, RELOAD},
     &config_type_text, IN(dumper.password_file), 0, PATH_MAX_BYTES, NULL},
    {{"dumper", "server_id", "",
      "Our id, 1 to 4294967295, unlike that of every other server of the topology.",
      REQUIRED, RESTART},
     &config_type_u32, IN(dumper.server_id), 1, UINT32_MAX, NULL},
    {{"dumper", "report_host", "",
      "Host name that the source shows for us in SHOW REPLICAS.",
      OPTIONAL, RESTART},
     &config_type_host_name, IN(dumper.report_host), 0, 60, NULL},
    {{"dumper", "semi_sync", "on",
      "Acknowledge commits once they are on disk, if the source asks: on, off.",
      OPTIONAL, RESTART},
     &config_type_bool, IN(dumper.semi_sync), 0, 1, bool_names},
    {{"dumper", "ssl_mode", "preferred",
      "TLS to the source: preferred, disabled, required, verify_ca, verify_identity.",
      OPTIONAL, RESTART},
     &config_type_enum, IN(dumper.ssl_mode), 0, 0, ssl_mode_names},
    {{"dumper", "ssl_ca", "",
      "PEM file with the CA of the source's certificate; for verify_ca and verify_identity.",
      OPTIONAL, RESTART},
     &config_type_text, IN(dumper.ssl_ca), 0, PATH_MAX_BYTES, NULL},
    {{"dumper", "ssl_cert", "",
      "PEM file with our certificate, if the source wants one.",
      OPTIONAL, RESTART},
     &config_type_text, IN(dumper.ssl_cert), 0, PATH_MAX_BYTES, NULL},
    {{"dumper", "ssl_key", "",
      "PEM file with the key of ssl_cert.",
      OPTIONAL, RESTART},
     &config_type_text, IN(dumper.ssl_key), 0, PATH_MAX_BYTES, NULL},
    {{"dumper", "get_public_key", "off",
      "Without TLS, take the RSA key for the password from the source, unchecked: on, off.",
      OPTIONAL, RESTART},
     &config_type_bool, IN(dumper.get_public_key), 0, 1, bool_names},
    {{"dumper", "public_key_file", "",
      "PEM file with the source's RSA public key, for the password without TLS.",
      OPTIONAL, RESTART},
     &config_type_text, IN(dumper.public_key_file), 0, PATH_MAX_BYTES, NULL},
    {{"dumper", "start", "earliest",
      "Where an empty store begins: earliest, latest, or FILE:POS.",
      OPTIONAL, RESTART},
     &config_type_start, IN(dumper.start), 0, 0, start_names},
    {{"dumper", "heartbeat_period", "2",
      "Seconds of silence after which the source sends a heartbeat, 0.1 to 3600.",
      OPTIONAL, RESTART},
     &config_type_seconds, IN(dumper.heartbeat_period_ms), 100, 3600000, NULL},
    {{"dumper", "connect_timeout", "10",
      "Seconds for connecting and logging in, 0.1 to 3600.",
      OPTIONAL, RELOAD},
     &config_type_seconds, IN(dumper.connect_timeout_ms), 100, 3600000, NULL},
    {{"dumper", "retry_max", "5",
      "Seconds between two attempts to connect, at the most, 0.1 to 3600.",
      OPTIONAL, RELOAD},
     &config_type_seconds, IN(dumper.retry_max_ms), 100, 3600000, NULL},
    {{"dumper", "on_divergence", "stop",
      "When the source's history is not the stored one: stop, failover, new_epoch.",
      OPTIONAL, RELOAD},
     &config_type_enum, IN(dumper.on_divergence), 0, 0, divergence_names},

    {{"storage", "directory", "/var/lib/binlogd",
      "Where the copies are.",
      OPTIONAL, RESTART},
     &config_type_text, IN(storage.directory), 1, PATH_MAX_BYTES, NULL},
    {{"storage", "expire_days", "0",
      "Remove files whose events are all older than this many days, up to 36500; 0 keeps all.",
      OPTIONAL, RELOAD},
     &config_type_u32, IN(storage.expire_days), 0, 36500, NULL},
    {{"storage", "max_size", "0",
      "Remove the oldest files when all are larger: bytes, with K, M, G or T; 0 keeps all.",
      OPTIONAL, RELOAD},
     &config_type_size, IN(storage.max_size), 0, INT64_MAX, NULL},
    {{"storage", "min_free", "0",
      "Remove the oldest files when less is free: bytes, with K, M, G or T; 0 keeps all.",
      OPTIONAL, RELOAD},
     &config_type_size, IN(storage.min_free), 0, INT64_MAX, NULL},

    {{"server", "listen", "0.0.0.0:3306",
      "ADDRESS:PORT or [ADDRESS]:PORT for replicas, with commas between; port 0 is any; or empty.",
      OPTIONAL, RESTART},
     &config_type_endpoints, IN(server.listen), 0, 0, NULL},
    {{"server", "socket", "",
      "Path of a unix socket to listen on as well.",
      OPTIONAL, RESTART},
     &config_type_text, IN(server.socket), 0, CONFIG_SOCKET_PATH_MAX, NULL},
    {{"server", "max_connections", "1000",
      "Connections at a time, 1 to 100000.",
      OPTIONAL, RELOAD},
     &config_type_u32, IN(server.max_connections), 1, 100000, NULL},
    {{"server", "ssl_cert", "",
      "PEM file with the certificate shown to replicas; without it one is made at each start.",
      OPTIONAL, RELOAD},
     &config_type_text, IN(server.ssl_cert), 0, PATH_MAX_BYTES, NULL},
    {{"server", "ssl_key", "",
      "PEM file with the key of ssl_cert.",
      OPTIONAL, RELOAD},
     &config_type_text, IN(server.ssl_key), 0, PATH_MAX_BYTES, NULL},
    {{"server", "ssl_ca", "",
      "PEM file with the CA of the replicas' certificates, if they are to be checked.",
      OPTIONAL, RELOAD},
     &config_type_text, IN(server.ssl_ca), 0, PATH_MAX_BYTES, NULL},
    {{"server", "require_ssl", "off",
      "Refuse TCP connections without TLS: on, off.",
      OPTIONAL, RESTART},
     &config_type_bool, IN(server.require_ssl), 0, 1, bool_names},
    {{"server", "wait_for_replicas", "0",
      "Replicas that must acknowledge a commit before the source gets its ACK, 0 to 1000.",
      OPTIONAL, RELOAD},
     &config_type_u32, IN(server.wait_for_replicas), 0, 1000, NULL},
    {{"server", "wait_for_replicas_timeout", "10",
      "Seconds after which ACKs go without replicas, 0 to 86400; 0 waits for ever.",
      OPTIONAL, RELOAD},
     &config_type_seconds, IN(server.wait_for_replicas_timeout_ms), 0, 86400000, NULL},

    {{"user", "password", "",
      "Password of the account; the file must then have mode 0600. Or give password_file.",
      OPTIONAL, RELOAD},
     &config_type_secret, IN_USER(password), 0, 0, NULL},
    {{"user", "password_file", "",
      "File of mode 0600 with the password on one line; without a slash, a systemd credential.",
      OPTIONAL, RELOAD},
     &config_type_text, IN_USER(password_file), 0, PATH_MAX_BYTES, NULL},
    {{"user", "plugin", "caching_sha2_password",
      "How it logs in: caching_sha2_password, mysql_native_password.",
      OPTIONAL, RELOAD},
     &config_type_enum, IN_USER(plugin), 0, 0, plugin_names},
    {{"user", "rights", "replicate",
      "What it may do: any of replicate, status, admin, with commas between.",
      OPTIONAL, RELOAD},
     &config_type_rights, IN_USER(rights), 0, 0, right_names},
    {{"user", "max_connections", "0",
      "Its connections at a time, up to 100000; 0: as many as [server] max_connections allows.",
      OPTIONAL, RELOAD},
     &config_type_u32, IN_USER(max_connections), 0, 100000, NULL},
    {{"user", "from", "",
      "ADDRESS or ADDRESS/BITS that it may come from, with commas between; empty: from anywhere.",
      OPTIONAL, RELOAD},
     &config_type_networks, IN_USER(from), 0, 0, NULL},

    {{"log", "file", "",
      "Log file; empty: standard error.",
      OPTIONAL, RELOAD},
     &config_type_text, IN(log.file), 0, PATH_MAX_BYTES, NULL},
    {{"log", "level", "info",
      "What is logged: error, warn, info, debug.",
      OPTIONAL, RELOAD},
     &config_type_enum, IN(log.level), 0, 0, level_names},
    {{"log", "status_interval", "60",
      "Seconds between status lines, 1 to 86400.",
      OPTIONAL, RELOAD},
     &config_type_u32, IN(log.status_interval_s), 1, 86400, NULL},

    {{"metrics", "listen", "",
      "ADDRESS:PORT or [ADDRESS]:PORT for GET /metrics and /healthz, commas between; empty: none.",
      OPTIONAL, RELOAD},
     &config_type_endpoints, IN(metrics.listen), 0, 0, NULL},
};
/* clang-format on */

_Static_assert(COUNT(table) <= CONFIG_ENTRY_MAX, "CONFIG_ENTRY_MAX is too small");

static const char *const sections[] = {"dumper", "storage", "server", "user", "log", "metrics"};

const struct config_entry *config_entry_at(size_t i)
{
    return i < COUNT(table) ? &table[i] : NULL;
}

int config_entry_find(const char *section, const char *key)
{
    for (size_t i = 0; i < COUNT(table); i++)
        if (strcmp(table[i].k.section, section) == 0 && strcmp(table[i].k.key, key) == 0)
            return (int)i;
    return -1;
}

const char *config_section_at(size_t i)
{
    return i < COUNT(sections) ? sections[i] : NULL;
}

static bool is_in(const struct config_entry *e, const char *section)
{
    return strcmp(e->k.section, section) == 0;
}

int config_entry_set(const struct config_entry *e, void *base, const char *value, struct err *err)
{
    if (e->type->parse(e, (char *)base + e->offset, value) == 0)
        return 0;
    struct buf allowed;
    buf_init(&allowed);
    e->type->allowed(e, &allowed);
    wr_u8(&allowed, 0);
    const char *text = (const char *)buf_bytes(&allowed).p;
    if (e->type->kind == CONFIG_VALUE_SECRET)
        err_kind_set(err, ERR_USAGE, "is not %s", text);
    else
        err_kind_set(err, ERR_USAGE, "\"%s\" is not %s", value, text);
    buf_fini(&allowed);
    return -1;
}

void config_entry_render(const struct config_entry *e, const void *base, struct buf *out)
{
    e->type->render(e, (const char *)base + e->offset, out);
}

/* A required number has no default to read and stays 0; a required text is "", which its type
 * refuses. The section must be zeroed. */
void config_section_default(const char *section, void *base)
{
    struct err err;
    for (size_t i = 0; i < COUNT(table); i++) {
        const struct config_entry *e = &table[i];
        if (!is_in(e, section))
            continue;
        char *field = (char *)base + e->offset;
        if (e->type->kind != CONFIG_VALUE_PLAIN && !*e->k.def)
            *(char **)field = mem_strdup("");
        else if (!e->k.required)
            BUG_ON(config_entry_set(e, base, e->k.def, &err) < 0);
    }
}

void config_section_free(const char *section, void *base)
{
    for (size_t i = 0; i < COUNT(table); i++)
        if (is_in(&table[i], section))
            table[i].type->release((char *)base + table[i].offset);
}

bool config_can_be_told(size_t i)
{
    static const char *const keys[] = {
        "host",     "port",    "user",           "password",        "ssl_mode", "ssl_ca",
        "ssl_cert", "ssl_key", "get_public_key", "public_key_file", "start",    "heartbeat_period",
        "retry_max"};
    for (size_t k = 0; k < COUNT(keys); k++)
        if (is_in(&table[i], "dumper") && strcmp(table[i].k.key, keys[k]) == 0)
            return true;
    return false;
}

/* A line of its own in a value would be another key. Reading a file lets none but tabs in. */
static bool is_one_line(struct bytes value)
{
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] != '\t' && bytes_has_control(bytes_of(value.p + i, 1)))
            return false;
    }
    return true;
}

void config_told_text(const struct config *c, struct buf *out)
{
    wr_str(out, "# Written by binlogd for CHANGE REPLICATION SOURCE TO; RESET REPLICA ALL empties "
                "it.\n[dumper]\n");
    for (size_t i = 0; i < COUNT(table); i++) {
        if (!(c->dumper.told >> i & 1))
            continue;
        wr_fmt(out, "%s=", table[i].k.key);
        size_t key_end = out->len;
        if (table[i].type->kind == CONFIG_VALUE_SECRET)
            wr_str(out, *(char *const *)((const char *)c + table[i].offset));
        else
            config_entry_render(&table[i], c, out);
        BUG_ON(!is_one_line(bytes_skip(buf_bytes(out), key_end)));
        wr_u8(out, '\n');
    }
}

int config_reload_check(const struct config *old, const struct config *new, enum config_reload how,
                        struct err *err)
{
    struct buf was, is;
    buf_init(&was);
    buf_init(&is);
    const struct config_entry *differs = NULL;
    for (size_t i = 0; i < COUNT(table) && !differs; i++) {
        const struct config_entry *e = &table[i];
        if (e->k.reloadable || (how == CONFIG_RELOAD_SOURCE_STOPPED && config_can_be_told(i)))
            continue;
        BUG_ON(is_in(e, "user")); /* its base would be another struct */
        buf_clear(&was);
        buf_clear(&is);
        config_entry_render(e, old, &was);
        config_entry_render(e, new, &is);
        if (!bytes_eq(buf_bytes(&was), buf_bytes(&is)))
            differs = e;
    }
    buf_fini(&was);
    buf_fini(&is);
    if (!differs)
        return 0;
    return err_kind_set(err, ERR_USAGE, "[%s] %s: a new value needs a restart", differs->k.section,
                        differs->k.key);
}

static const struct config_entry *entry_of(const struct config_key *k)
{
    int i = config_entry_find(k->section, k->key);
    BUG_ON(i < 0 || is_in(&table[i], "user"));
    return &table[i];
}

bool config_is_number(const struct config_key *k)
{
    const struct config_type *type = entry_of(k)->type;
    return type == &config_type_u16 || type == &config_type_u32;
}

void config_value(const struct config *c, const struct config_key *k, struct buf *out)
{
    config_entry_render(entry_of(k), c, out);
}

int config_set(struct config *c, const struct config_key *k, const char *value, struct err *err)
{
    return config_entry_set(entry_of(k), c, value, err);
}

/* A password that came from a file is shown by its file alone. */
static void print_section(const char *section, const void *base, struct buf *out)
{
    int file = config_entry_find(section, "password_file");
    const char *path = file < 0 ? "" : *(char *const *)((const char *)base + table[file].offset);
    for (size_t i = 0; i < COUNT(table); i++) {
        const struct config_entry *e = &table[i];
        if (!is_in(e, section) || (e->type->kind == CONFIG_VALUE_SECRET && *path))
            continue;
        wr_fmt(out, "%s=", e->k.key);
        config_entry_render(e, base, out);
        wr_u8(out, '\n');
    }
}

void config_print(const struct config *c, struct buf *out)
{
    const char *gap = "";
    for (size_t i = 0; i < COUNT(sections); i++) {
        bool users = strcmp(sections[i], "user") == 0;
        if (strcmp(sections[i], "dumper") == 0 && !c->dumper.present)
            continue;
        for (size_t u = 0; users && u < c->user_count; u++) {
            wr_fmt(out, "%s[user %s]\n", gap, c->users[u].name);
            print_section("user", &c->users[u], out);
        }
        if (!users) {
            wr_fmt(out, "%s[%s]\n", gap, sections[i]);
            print_section(sections[i], c, out);
        }
        gap = "\n";
    }
}

static void sample_section(const char *section, struct buf *out)
{
    for (size_t i = 0; i < COUNT(table); i++) {
        const struct config_key *k = &table[i].k;
        if (!is_in(&table[i], section))
            continue;
        wr_fmt(out, "# %s%s%s\n", k->help, k->required ? " (required)" : "",
               k->reloadable ? " (reload)" : "");
        wr_fmt(out, "#%s=%s\n", k->key, k->def);
    }
}

void config_sample(struct buf *out)
{
    wr_str(out,
           "# Configuration of binlogd. Every key is shown with its default; remove the # to"
           " set it.\n"
           "# A comment stands on a line of its own, and lines begin in the first column.\n"
           "# (reload): SIGHUP is enough for a new value; all others need a restart.\n"
           "# `binlogd check` reads the file as the daemon would. More: docs/configuration.md.\n");
    for (size_t i = 0; i < COUNT(sections); i++) {
        bool user = strcmp(sections[i], "user") == 0;
        if (user)
            wr_str(out, "\n# One such section for each account that may connect to binlogd; every"
                        " one needs a password.\n#[user replica]\n");
        else
            wr_fmt(out, "\n[%s]\n", sections[i]);
        sample_section(sections[i], out);
    }
}

bool config_key_at(size_t i, struct config_key *key)
{
    if (i >= COUNT(table))
        return false;
    *key = table[i].k;
    return true;
}
