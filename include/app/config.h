/*
 * The configuration file as one plain struct, read all or nothing.
 *
 * One static table names every key with its type, range, default and whether a running daemon can
 * take a new value; reading, checking, printing, the sample file and the reload check all walk it.
 * In a loaded configuration no string is NULL: an absent value is "". Everything belongs to the
 * struct and lives until config_free, which wipes the passwords. Errors have the kind ERR_USAGE and
 * name file, line, section, key and what is allowed; they never show a password.
 */
#ifndef BINLOGD_APP_CONFIG_H
#define BINLOGD_APP_CONFIG_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In rising strictness, so that `mode >= CONFIG_SSL_REQUIRED` reads well. */
enum config_ssl_mode {
    CONFIG_SSL_DISABLED,
    CONFIG_SSL_PREFERRED,
    CONFIG_SSL_REQUIRED,
    CONFIG_SSL_VERIFY_CA,
    CONFIG_SSL_VERIFY_IDENTITY
};

enum config_start_kind { CONFIG_START_EARLIEST, CONFIG_START_LATEST, CONFIG_START_FILE };

enum config_divergence {
    CONFIG_DIVERGENCE_STOP,
    CONFIG_DIVERGENCE_FAILOVER,
    CONFIG_DIVERGENCE_NEW_EPOCH
};

enum config_plugin { CONFIG_PLUGIN_CACHING_SHA2_PASSWORD, CONFIG_PLUGIN_MYSQL_NATIVE_PASSWORD };

/* Bits of config_user.rights. */
enum config_right {
    CONFIG_RIGHT_REPLICATE = 1,
    CONFIG_RIGHT_STATUS = 2,
    CONFIG_RIGHT_ADMIN = 4,
};

struct config_list {
    char **items;
    size_t count;
};

/* Where a store without files begins. */
struct config_start {
    enum config_start_kind kind;
    char *file;   /* CONFIG_START_FILE only, else "" */
    uint64_t pos; /* CONFIG_START_FILE only, at least 4 */
};

struct config_dumper {
    bool present; /* there is a [dumper] section; without one binlogd serves what it has */
    char *host;   /* a name, an address, or the path of a unix socket when it begins with '/' */
    uint16_t port;
    char *user;
    char *password; /* the one to use, also when it came from password_file */
    char *password_file;
    uint32_t server_id;
    char *report_host;
    bool semi_sync;
    enum config_ssl_mode ssl_mode;
    char *ssl_ca; /* PEM files; verify_ca and verify_identity always have ssl_ca */
    char *ssl_cert;
    char *ssl_key;
    bool get_public_key;
    char *public_key_file; /* PEM file of the source's RSA key, trusted without asking the source */
    struct config_start start;
    uint32_t heartbeat_period_ms;
    uint32_t connect_timeout_ms;
    uint32_t retry_max_ms;
    enum config_divergence on_divergence;
    uint64_t told; /* bit i: the i-th key of the table comes from CONFIG_SOURCE_FILE */
};

/* In the storage directory: the keys of [dumper] that CHANGE REPLICATION SOURCE TO has set. They
 * win over those of the configuration file. */
#define CONFIG_SOURCE_FILE "source.ini"

struct config_storage {
    char *directory;
    uint32_t expire_days; /* 0: keep for ever */
    uint64_t max_size;    /* bytes; 0: no limit */
    uint64_t min_free;    /* bytes; 0: no limit */
};

struct config_server {
    struct config_list listen; /* ADDRESS:PORT or [ADDRESS]:PORT, numeric; may be empty */
    char *socket;              /* path of a unix socket or "" */
    uint32_t max_connections;
    char *ssl_cert; /* with ssl_key, or neither */
    char *ssl_key;
    char *ssl_ca;
    bool require_ssl; /* only with ssl_cert */
    uint32_t wait_for_replicas;
    uint32_t wait_for_replicas_timeout_ms; /* 0: waits for ever */
};

struct config_user {
    char *name;
    char *password; /* never empty after config_load, also when it came from password_file */
    char *password_file;
    enum config_plugin plugin;
    unsigned rights;          /* enum config_right */
    uint32_t max_connections; /* 0: no cap */
    struct config_list from;  /* numeric ADDRESS or ADDRESS/BITS; empty: from anywhere */
};

struct config_log {
    char *file; /* "": standard error */
    enum log_level level;
    uint32_t status_interval_s;
};

struct config_metrics {
    struct config_list listen; /* as server.listen */
};

struct config {
    struct config_dumper dumper;
    struct config_storage storage;
    struct config_server server;
    struct config_user *users; /* in the order of the file */
    size_t user_count;
    struct config_log log;
    struct config_metrics metrics;
};

/* What a page or a test can know about a key of the table. */
struct config_key {
    const char *section; /* "user" stands for every [user NAME] */
    const char *key;
    const char *def; /* as it would be written in the file */
    const char *help;
    bool required;
    bool reloadable; /* else a change needs a restart */
};

/* Reads the file and the password files it names, refusing files with a password that group or
 * others may read. A password_file without a slash is looked up in $CREDENTIALS_DIRECTORY if that
 * is set; that directory's modes are systemd's business and not checked. On -1 *c is empty, and
 * config_free of it does nothing. */
int config_load(struct config *c, const char *path, struct err *err);
/* The same from memory, under the name that messages shall have; opens no file, so password_file is
 * noted, not read. */
int config_parse(struct config *c, const char *name, struct bytes text, struct err *err);
/* As config_load, with this text for what CONFIG_SOURCE_FILE holds. */
int config_load_told(struct config *c, const char *path, struct bytes told, struct err *err);
void config_free(struct config *c);
/* Whether CONFIG_SOURCE_FILE may set the i-th key of the table. */
bool config_can_be_told(size_t i);
/* Appends the text of CONFIG_SOURCE_FILE for the keys of c->dumper.told: with passwords. */
void config_told_text(const struct config *c, struct buf *out);

enum config_reload {
    CONFIG_RELOAD_RUNNING,
    CONFIG_RELOAD_SOURCE_STOPPED /* what CONFIG_SOURCE_FILE may set can change */
};

/* -1 names the first key that differs and cannot change in a running daemon. */
int config_reload_check(const struct config *old, const struct config *new, enum config_reload how,
                        struct err *err);

/* Whether its values are whole numbers and nothing else. */
bool config_is_number(const struct config_key *k);
/* The value of a key outside [user NAME] as it would be written in the file; secrets are hidden. */
void config_value(const struct config *c, const struct config_key *k, struct buf *out);
/* Sets such a key; -1 says what is allowed, and nothing has changed. Strings of the old value are
 * gone. What depends on two keys is not checked. */
int config_set(struct config *c, const struct config_key *k, const char *value, struct err *err);

/* Appends every effective value in the form of the file, passwords as ********. */
void config_print(const struct config *c, struct buf *out);
/* Appends a file with every key commented out at its default, below its help. */
void config_sample(struct buf *out);
/* The i-th key of the table in the order of the sample; false past the last. */
bool config_key_at(size_t i, struct config_key *key);

#endif
