/*
 * Loads a configuration: lines from config_ini.c into the struct by the table of config_table.c,
 * then what no single key can tell (required keys, pairs, password files, file modes).
 *
 * All or nothing: on any error the struct is left empty. Everything that held a password on the way
 * is wiped.
 */
#include "app/config.h"

#include "app/config_priv.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX          (1024 * 1024)
#define PASSWORD_FILE_MAX 4096
#define USERS_MAX         1000
#define USER_NAME_MAX     32

/* Where a section and its keys were given: line numbers, 0 for not at all. */
struct notes {
    unsigned section;
    unsigned key[CONFIG_ENTRY_MAX];
};

struct loader {
    struct config *c;
    const char *name;
    mode_t mode; /* of the file; 0 from memory */
    /* The section being read: its name in the table ("" before the first) and as written. */
    const char *section;
    char title[64];
    void *base;
    struct notes *notes;
    struct notes common; /* all sections but users */
    struct notes dumper;
    struct notes *users; /* parallel to c->users */
    struct notes told;
};

/* A key at a place of the file, for messages. */
struct place {
    const char *title;
    const char *key;
    unsigned line;
};

static int at(const struct loader *l, struct place p, struct err *err)
{
    if (p.key)
        return err_prefix(err, "%s:%u: [%s] %s", l->name, p.line, p.title, p.key);
    return err_prefix(err, "%s:%u: [%s]", l->name, p.line, p.title);
}

static bool is_user_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.$@");
    return n > 0 && n <= USER_NAME_MAX && !name[n];
}

static int enter_user(struct loader *l, const char *name, struct err *err)
{
    struct config *c = l->c;
    if (!is_user_name(name))
        return err_kind_set(err, ERR_USAGE,
                            "a user's name is 1 to %d letters, digits, or any of _ - . $ @",
                            USER_NAME_MAX);
    size_t i = 0;
    while (i < c->user_count && strcmp(c->users[i].name, name) != 0)
        i++;
    if (i == USERS_MAX)
        return err_kind_set(err, ERR_USAGE, "more than %d users", USERS_MAX);
    if (i == c->user_count) {
        c->users = mem_realloc(c->users, (i + 1) * sizeof *c->users);
        l->users = mem_realloc(l->users, (i + 1) * sizeof *l->users);
        c->users[i] = (struct config_user){.name = mem_strdup(name)};
        l->users[i] = (struct notes){0};
        c->user_count++;
        config_section_default("user", &c->users[i]);
    }
    l->section = "user";
    l->base = &c->users[i];
    l->notes = &l->users[i];
    return 0;
}

static int unknown_section(struct err *err)
{
    struct buf known;
    buf_init(&known);
    const char *name;
    for (size_t i = 0; (name = config_section_at(i)); i++)
        wr_fmt(&known, "%s[%s%s]", i ? ", " : "", name, strcmp(name, "user") == 0 ? " NAME" : "");
    wr_u8(&known, 0);
    err_kind_set(err, ERR_USAGE, "unknown section; there are %s",
                 (const char *)buf_bytes(&known).p);
    buf_fini(&known);
    return -1;
}

static int find_section(struct loader *l, const char *title, struct err *err)
{
    if (strcmp(title, "user") == 0 || strncmp(title, "user ", 5) == 0)
        return enter_user(l, title[4] ? title + 5 : "", err);
    size_t i = 0;
    const char *name;
    while ((name = config_section_at(i)) && strcmp(name, title) != 0)
        i++;
    if (!name)
        return unknown_section(err);
    l->section = name;
    l->base = l->c;
    l->notes = strcmp(name, "dumper") == 0 ? &l->dumper : &l->common;
    return 0;
}

static int on_section(void *ctx, const char *title, unsigned line, struct err *err)
{
    struct loader *l = ctx;
    snprintf(l->title, sizeof l->title, "%s", title);
    if (find_section(l, title, err) < 0)
        return at(l, (struct place){title, NULL, line}, err);
    if (!l->notes->section)
        l->notes->section = line;
    l->c->dumper.present = l->dumper.section != 0;
    return 0;
}

static int unknown_key(const char *section, struct err *err)
{
    struct buf known;
    buf_init(&known);
    const struct config_entry *e;
    for (size_t i = 0; (e = config_entry_at(i)); i++)
        if (strcmp(e->k.section, section) == 0)
            wr_fmt(&known, "%s%s", known.len ? ", " : "", e->k.key);
    wr_u8(&known, 0);
    err_kind_set(err, ERR_USAGE, "unknown key; there are %s", (const char *)buf_bytes(&known).p);
    buf_fini(&known);
    return -1;
}

static int take_value(struct loader *l, const char *key, const char *value, unsigned line,
                      struct err *err)
{
    int i = config_entry_find(l->section, key);
    if (i < 0)
        return unknown_key(l->section, err);
    if (l->notes->key[i])
        return err_kind_set(err, ERR_USAGE, "given again, after line %u", l->notes->key[i]);
    l->notes->key[i] = line;
    return config_entry_set(config_entry_at((size_t)i), l->base, value, err);
}

static int on_value(void *ctx, const char *key, const char *value, unsigned line, struct err *err)
{
    struct loader *l = ctx;
    if (!*l->section)
        return err_kind_set(err, ERR_USAGE, "%s:%u: %s: a key before the first [section]", l->name,
                            line, key);
    if (take_value(l, key, value, line, err) < 0)
        return at(l, (struct place){l->title, key, line}, err);
    return 0;
}

/* The line on which the key was given, else that of its section. */
static unsigned line_of(const struct notes *n, const char *section, const char *key)
{
    int i = config_entry_find(section, key);
    BUG_ON(i < 0);
    return n->key[i] ? n->key[i] : n->section;
}

static int refuse(const struct loader *l, struct place p, const char *why, struct err *err)
{
    err_kind_set(err, ERR_USAGE, "%s", why);
    return at(l, p, err);
}

static int check_required(const struct loader *l, struct err *err)
{
    const struct config_entry *e;
    for (size_t i = 0; (e = config_entry_at(i)); i++) {
        if (!e->k.required || l->dumper.key[i])
            continue;
        struct place p = {e->k.section, e->k.key, l->dumper.section};
        return refuse(l, p, "is missing, and the section needs it", err);
    }
    return 0;
}

static int check_pair(const struct loader *l, const struct notes *n, const char *section,
                      const char *const values[2], struct err *err)
{
    if (!*values[0] == !*values[1])
        return 0;
    const char *given = *values[0] ? "ssl_cert" : "ssl_key";
    struct place p = {section, given, line_of(n, section, given)};
    return refuse(l, p, "ssl_cert and ssl_key are given together or not at all", err);
}

static int check_dumper(const struct loader *l, struct err *err)
{
    const struct config_dumper *d = &l->c->dumper;
    struct place mode = {"dumper", "ssl_mode", line_of(&l->dumper, "dumper", "ssl_mode")};
    if (check_required(l, err) < 0)
        return -1;
    if (d->ssl_mode >= CONFIG_SSL_VERIFY_CA && !*d->ssl_ca)
        return refuse(l, mode, "verify_ca and verify_identity need ssl_ca", err);
    if (d->ssl_mode == CONFIG_SSL_VERIFY_IDENTITY && d->host[0] == '/')
        return refuse(l, mode, "verify_identity needs a host name, and host is a unix socket", err);
    return check_pair(l, &l->dumper, "dumper", (const char *[]){d->ssl_cert, d->ssl_key}, err);
}

static int check_server(const struct loader *l, struct err *err)
{
    const struct config_server *s = &l->c->server;
    struct place p = {"server", "require_ssl", line_of(&l->common, "server", "require_ssl")};
    if (s->require_ssl && !*s->ssl_cert)
        return refuse(l, p, "on needs ssl_cert and ssl_key", err);
    return check_pair(l, &l->common, "server", (const char *[]){s->ssl_cert, s->ssl_key}, err);
}

/* One account: that of the dumper or of a user. */
struct account {
    const char *section;
    char title[64];
    const struct notes *notes;
    char **password;
    const char *password_file;
};

static int check_account(const struct loader *l, const struct account *a, struct err *err)
{
    struct place p = {a->title, "password_file", line_of(a->notes, a->section, "password_file")};
    if (**a->password && *a->password_file)
        return refuse(l, p, "password is given too; give one of them", err);
    p.key = "password";
    p.line = line_of(a->notes, a->section, "password");
    if (strcmp(a->section, "user") == 0 && !**a->password && !*a->password_file)
        return refuse(l, p, "is missing; a user needs password or password_file", err);
    return 0;
}

typedef int (*account_fn)(const struct loader *l, const struct account *a, struct err *err);

static int each_account(const struct loader *l, account_fn fn, struct err *err)
{
    struct config *c = l->c;
    struct account a = {"dumper", "dumper", &l->dumper, &c->dumper.password,
                        c->dumper.password_file};
    int rc = c->dumper.present ? fn(l, &a, err) : 0;
    for (size_t i = 0; i < c->user_count && rc == 0; i++) {
        struct config_user *u = &c->users[i];
        a = (struct account){"user", "", &l->users[i], &u->password, u->password_file};
        snprintf(a.title, sizeof a.title, "user %s", u->name);
        rc = fn(l, &a, err);
    }
    return rc;
}

static int parse_text(struct loader *l, struct bytes text, struct err *err)
{
    *l->c = (struct config){0};
    const char *section;
    for (size_t i = 0; (section = config_section_at(i)); i++)
        if (strcmp(section, "user") != 0)
            config_section_default(section, l->c);
    struct config_ini_sink sink = {l, on_section, on_value};
    return config_ini_read(l->name, text, &sink, err);
}

static int check(struct loader *l, struct err *err)
{
    if (l->c->dumper.present && check_dumper(l, err) < 0)
        return -1;
    if (check_server(l, err) < 0)
        return -1;
    return each_account(l, check_account, err);
}

static int read_fd(int fd, size_t max, struct buf *out, struct stat *st, struct err *err)
{
    if (fstat(fd, st) < 0)
        return err_kind_set(err, ERR_USAGE, "%s", strerrordesc_np(errno));
    if (!S_ISREG(st->st_mode))
        return err_kind_set(err, ERR_USAGE, "not a regular file");
    /* Room for all at once: growing would leave copies of a password in freed memory. */
    uint8_t *p = buf_reserve(out, max + 1);
    size_t got = 0;
    ssize_t n;
    while (got <= max && (n = read(fd, p + got, max + 1 - got)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_kind_set(err, ERR_USAGE, "%s", strerrordesc_np(errno));
        got += (size_t)n;
        buf_commit(out, (size_t)n);
    }
    if (got > max)
        return err_kind_set(err, ERR_USAGE, "longer than %zu bytes", max);
    return 0;
}

/* Reads a file that a person named, so symbolic links are followed; *st is of what was read. */
static int read_file(const char *path, size_t max, struct buf *out, struct stat *st,
                     struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return err_kind_set(err, ERR_USAGE, "cannot read %s: %s", path, strerrordesc_np(errno));
    int rc = read_fd(fd, max, out, st, err);
    close(fd);
    return rc < 0 ? err_prefix(err, "cannot read %s", path) : 0;
}

static int check_mode(const char *path, mode_t mode, struct err *err)
{
    if (!(mode & (S_IRGRP | S_IROTH)))
        return 0;
    return err_kind_set(err, ERR_USAGE,
                        "%s holds a password and is readable by group or others (mode %04o):"
                        " chmod 600 %s",
                        path, (unsigned)(mode & 07777), path);
}

/* ---- what CHANGE REPLICATION SOURCE TO has said ---- */

static int on_told_section(void *ctx, const char *title, unsigned line, struct err *err)
{
    struct loader *l = ctx;
    if (strcmp(title, "dumper") != 0)
        return err_kind_set(err, ERR_USAGE, "%s:%u: [%s]: the only section is [dumper]", l->name,
                            line, title);
    snprintf(l->title, sizeof l->title, "%s", title);
    l->section = "dumper";
    l->base = l->c;
    l->notes = &l->told;
    return 0;
}

static int on_told_value(void *ctx, const char *key, const char *value, unsigned line,
                         struct err *err)
{
    struct loader *l = ctx;
    int i = config_entry_find("dumper", key);
    if (i >= 0 && !config_can_be_told((size_t)i)) {
        err_kind_set(err, ERR_USAGE, "CHANGE REPLICATION SOURCE TO does not set it");
        return at(l, (struct place){"dumper", key, line}, err);
    }
    if (on_value(ctx, key, value, line, err) < 0)
        return -1;
    l->c->dumper.told |= 1ull << i;
    return 0;
}

static bool is_told(const struct config *c, const char *key)
{
    return c->dumper.told >> config_entry_find("dumper", key) & 1;
}

/* name: the file's. A password that was told stands in place of a password_file. */
static int take_told(struct loader *l, const char *name, struct bytes text, struct err *err)
{
    struct config_ini_sink sink = {l, on_told_section, on_told_value};
    const char *own_name = l->name;
    l->name = name;
    l->section = "";
    int rc = config_ini_read(name, text, &sink, err);
    l->name = own_name;
    if (rc == 0 && !*l->section)
        rc = err_kind_set(err, ERR_USAGE, "%s: damaged: there is no [dumper] in it", name);
    if (rc == 0 && is_told(l->c, "password"))
        *l->c->dumper.password_file = 0;
    return rc;
}

static int read_told(struct loader *l, struct err *err)
{
    struct buf path, text;
    struct stat st;
    buf_init(&path);
    buf_init(&text);
    wr_fmt(&path, "%s/" CONFIG_SOURCE_FILE, l->c->storage.directory);
    wr_u8(&path, 0);
    const char *name = (const char *)buf_bytes(&path).p;
    int rc = 0;
    bool exists = access(name, F_OK) == 0;
    if (exists)
        rc = read_file(name, FILE_MAX, &text, &st, err);
    if (rc == 0 && exists)
        rc = take_told(l, name, buf_bytes(&text), err);
    if (rc == 0 && is_told(l->c, "password"))
        rc = check_mode(name, st.st_mode, err);
    buf_fini_secret(&text);
    buf_fini(&path);
    return rc;
}

static int add_told(struct loader *l, const struct bytes *told, struct err *err)
{
    if (!l->c->dumper.present)
        return 0;
    return told ? take_told(l, CONFIG_SOURCE_FILE, *told, err) : read_told(l, err);
}

/* The password is the one line of the file. */
static int take_password(struct bytes text, const char *path, char **password, struct err *err)
{
    if (text.n && text.p[text.n - 1] == '\n')
        text.n--;
    if (text.n && text.p[text.n - 1] == '\r')
        text.n--;
    if (text.n == 0)
        return err_kind_set(err, ERR_USAGE, "%s is empty", path);
    if (memchr(text.p, '\n', text.n))
        return err_kind_set(err, ERR_USAGE, "%s has more than one line", path);
    if (memchr(text.p, 0, text.n))
        return err_kind_set(err, ERR_USAGE, "%s holds a NUL byte", path);
    mem_free_secret(*password);
    *password = mem_alloc(text.n + 1);
    memcpy(*password, text.p, text.n);
    return 0;
}

/* Whether the path is of a file right in the directory. */
static bool is_directly_in(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return strncmp(path, dir, n) == 0 && path[n] == '/' && !strchr(path + n + 1, '/');
}

static int read_password(const char *file, char **password, struct err *err)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    bool have_dir = dir && *dir;
    bool credential = have_dir && !strchr(file, '/');
    struct buf path, text;
    struct stat st;
    buf_init(&path);
    buf_init(&text);
    wr_fmt(&path, "%s%s%s", credential ? dir : "", credential ? "/" : "", file);
    wr_u8(&path, 0);
    const char *name = (const char *)buf_bytes(&path).p;
    int rc = read_file(name, PASSWORD_FILE_MAX, &text, &st, err);
    if (rc == 0 && !(have_dir && is_directly_in(name, dir)))
        rc = check_mode(name, st.st_mode, err);
    if (rc == 0)
        rc = take_password(buf_bytes(&text), name, password, err);
    buf_fini_secret(&text);
    buf_fini(&path);
    return rc;
}

static int load_account(const struct loader *l, const struct account *a, struct err *err)
{
    if (!*a->password_file || read_password(a->password_file, a->password, err) == 0)
        return 0;
    struct place p = {a->title, "password_file", line_of(a->notes, a->section, "password_file")};
    return at(l, p, err);
}

static int check_inline_password(const struct loader *l, const struct account *a, struct err *err)
{
    bool told = a->notes == &l->dumper && is_told(l->c, "password");
    if (!**a->password || told || check_mode(l->name, l->mode, err) == 0)
        return 0;
    struct place p = {a->title, "password", line_of(a->notes, a->section, "password")};
    return at(l, p, err);
}

static void loader_fini(struct loader *l, bool failed)
{
    free(l->users);
    if (failed)
        config_free(l->c);
}

int config_parse(struct config *c, const char *name, struct bytes text, struct err *err)
{
    struct loader l = {.c = c, .name = name, .section = ""};
    int rc = parse_text(&l, text, err);
    if (rc == 0)
        rc = check(&l, err);
    loader_fini(&l, rc < 0);
    return rc;
}

/* told: NULL for what the file holds. */
static int load(struct config *c, const char *path, const struct bytes *told, struct err *err)
{
    struct loader l = {.c = c, .name = path, .section = ""};
    struct buf text;
    struct stat st = {0};
    *c = (struct config){0};
    buf_init(&text);
    int rc = read_file(path, FILE_MAX, &text, &st, err);
    if (rc == 0)
        rc = parse_text(&l, buf_bytes(&text), err);
    if (rc == 0)
        rc = add_told(&l, told, err);
    if (rc == 0)
        rc = check(&l, err);
    l.mode = st.st_mode;
    if (rc == 0)
        rc = each_account(&l, check_inline_password, err);
    if (rc == 0)
        rc = each_account(&l, load_account, err);
    buf_fini_secret(&text);
    loader_fini(&l, rc < 0);
    return rc;
}

int config_load(struct config *c, const char *path, struct err *err)
{
    return load(c, path, NULL, err);
}

int config_load_told(struct config *c, const char *path, struct bytes told, struct err *err)
{
    return load(c, path, &told, err);
}

void config_free(struct config *c)
{
    for (size_t i = 0; i < c->user_count; i++) {
        config_section_free("user", &c->users[i]);
        free(c->users[i].name);
    }
    free(c->users);
    const char *section;
    for (size_t i = 0; (section = config_section_at(i)); i++)
        if (strcmp(section, "user") != 0)
            config_section_free(section, c);
    *c = (struct config){0};
}
