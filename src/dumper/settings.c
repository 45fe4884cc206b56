/* Judges a source's settings. */
#include "dumper/settings.h"

#include "mysql/repl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TIMEOUT_LEAST_MS 3600000ull /* of an hour nobody says that it goes by unseen */

/* safe: the value for which nothing can be lost; NULL: a timeout in milliseconds. */
static const struct {
    const char *name, *safe;
    enum settings_scope scope;
} settings[] = {
    {"sync_binlog", "1", SETTINGS_PLAIN},
    {"innodb_flush_log_at_trx_commit", "1", SETTINGS_PLAIN},
    {"binlog_checksum", "CRC32", SETTINGS_PLAIN},
    {"rpl_semi_sync_source_enabled", "ON", SETTINGS_SEMI_SYNC},
    {"rpl_semi_sync_master_enabled", "ON", SETTINGS_SEMI_SYNC},
    {"rpl_semi_sync_source_wait_point", "AFTER_SYNC", SETTINGS_SEMI_SYNC},
    {"rpl_semi_sync_master_wait_point", "AFTER_SYNC", SETTINGS_SEMI_SYNC},
    {"rpl_semi_sync_source_wait_no_replica", "ON", SETTINGS_SEMI_SYNC},
    {"rpl_semi_sync_master_wait_no_slave", "ON", SETTINGS_SEMI_SYNC},
    {"rpl_semi_sync_source_timeout", NULL, SETTINGS_SEMI_SYNC},
    {"rpl_semi_sync_master_timeout", NULL, SETTINGS_SEMI_SYNC},
};

#define SETTINGS (sizeof settings / sizeof *settings)

void settings_query(struct buf *out)
{
    wr_u8(out, COM_QUERY);
    wr_str(out, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin'");
    for (size_t i = 0; i < SETTINGS; i++)
        wr_fmt(out, ", '%s'", settings[i].name);
    wr_str(out, ")");
}

static bool is_safe(size_t i, const char *value)
{
    if (settings[i].safe)
        return strcasecmp(settings[i].safe, value) == 0;
    return strtoull(value, NULL, 10) >= TIMEOUT_LEAST_MS;
}

static void add(char text[SETTINGS_TEXT_MAX], size_t i, const char *value)
{
    size_t n = strlen(text);
    char least[32];
    snprintf(least, sizeof least, "%llu or more", TIMEOUT_LEAST_MS);
    snprintf(text + n, SETTINGS_TEXT_MAX - n, "%s%s = %.40s (should be %s)", n ? ", " : "",
             settings[i].name, value, settings[i].safe ? settings[i].safe : least);
}

static void judge(const char *name, const char *value, enum settings_scope scope,
                  char text[SETTINGS_TEXT_MAX])
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (strcasecmp(settings[i].name, name) == 0 && settings[i].scope <= scope &&
            !is_safe(i, value))
            add(text, i, value);
}

int settings_judge(const struct resultset *reply, enum settings_scope scope,
                   char text[SETTINGS_TEXT_MAX], struct err *err)
{
    text[0] = 0;
    for (size_t row = 0; row < reply->rows; row++) {
        const char *name = resultset_get(reply, row, 0);
        const char *value = resultset_get(reply, row, 1);
        if (!name || !value)
            continue;
        if (strcasecmp(name, "log_bin") == 0 && strcasecmp(value, "OFF") == 0)
            return err_kind_set(err, ERR_LONG,
                                "the source writes no binary log: start it with log_bin");
        judge(name, value, scope, text);
    }
    return 0;
}
