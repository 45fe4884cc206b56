/* Between the parts of the configuration module: the table, the reader of lines, the loader. */
#ifndef BINLOGD_APP_CONFIG_PRIV_H
#define BINLOGD_APP_CONFIG_PRIV_H

#include "app/config.h"

/* An upper bound for the table, so that notes per key fit in an array. */
#define CONFIG_ENTRY_MAX 64

/* What a path of a unix socket may have (sun_path without its NUL). */
#define CONFIG_SOCKET_PATH_MAX 107

struct config_entry;

/* A word that a value may be; an array of them ends with a NULL text. */
struct config_name {
    const char *text;
    unsigned value;
};

enum config_value_kind {
    CONFIG_VALUE_PLAIN,
    CONFIG_VALUE_TEXT,  /* the field is a char * */
    CONFIG_VALUE_SECRET /* so too, and it must not show up in an error */
};

struct config_type {
    /* 0, or -1 when the text is not allowed; then the old value stays. */
    int (*parse)(const struct config_entry *e, void *field, const char *text);
    void (*render)(const struct config_entry *e, const void *field, struct buf *out);
    /* Appends what is allowed, to follow "is not". */
    void (*allowed)(const struct config_entry *e, struct buf *out);
    void (*release)(void *field);
    enum config_value_kind kind;
};

extern const struct config_type config_type_u16;
extern const struct config_type config_type_u32;
extern const struct config_type config_type_size;
extern const struct config_type config_type_seconds;
extern const struct config_type config_type_enum;
extern const struct config_type config_type_bool;
extern const struct config_type config_type_text;
extern const struct config_type config_type_secret;
extern const struct config_type config_type_host_name;
extern const struct config_type config_type_host;
extern const struct config_type config_type_endpoints;
extern const struct config_type config_type_networks;
extern const struct config_type config_type_rights;
extern const struct config_type config_type_start;

/* A line of the table. Keys of [user NAME] live in struct config_user, all others in struct config;
 * that struct is the `base` of the calls below. */
struct config_entry {
    struct config_key k;
    const struct config_type *type;
    size_t offset;
    uint64_t min, max; /* of a number, in the unit it is stored in; of a text, its bytes */
    const struct config_name *names; /* of an enum, in the order that messages show */
};

/* The i-th line of the table, NULL past the last. */
const struct config_entry *config_entry_at(size_t i);
/* Its place in the table, or -1. */
int config_entry_find(const char *section, const char *key);
/* Takes the value over; on -1 the text says what is allowed, without a place. */
int config_entry_set(const struct config_entry *e, void *base, const char *value, struct err *err);
/* Appends the value as it would be written in the file; a secret as ********. */
void config_entry_render(const struct config_entry *e, const void *base, struct buf *out);
/* Every key of the section ("user" for *base a struct config_user) to its default; all zero before.
 */
void config_section_default(const char *section, void *base);
/* Frees what the keys of the section own. */
void config_section_free(const char *section, void *base);
/* The sections in the order of the table, NULL past the last. */
const char *config_section_at(size_t i);

/* Who gets what is in the file, in its order. A handler that fails has filled err completely. */
struct config_ini_sink {
    void *ctx;
    int (*section)(void *ctx, const char *name, unsigned line, struct err *err);
    int (*value)(void *ctx, const char *key, const char *value, unsigned line, struct err *err);
};

/* Reads INI text; what libinih would not take as it is written is an error at its line. */
int config_ini_read(const char *name, struct bytes text, const struct config_ini_sink *sink,
                    struct err *err);

#endif
