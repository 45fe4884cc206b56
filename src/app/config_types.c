/*
 * The types of configuration values: how each is taken from text, written back, and described in
 * a message. A parser leaves the field alone when it refuses the text.
 */
#include "app/config_priv.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define BINLOG_NAME_MAX 250
#define BINLOG_POS_MIN  4 /* behind the magic number of the file */

/* The fields are enums of any name; all of them are an unsigned int to the compiler. */
_Static_assert(sizeof(enum config_ssl_mode) == sizeof(unsigned), "enum is not an int");
_Static_assert(sizeof(enum log_level) == sizeof(unsigned), "enum is not an int");

static void release_nothing(void *field)
{
    (void)field;
}

/* Numbers. */

/* Takes the digits at *s; -1 if there are none or too many. */
static int take_digits(const char **s, uint64_t *v)
{
    const char *p = *s;
    *v = 0;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(*v, 10u, v) ||
            __builtin_add_overflow(*v, (uint64_t)(*p - '0'), v))
            return -1;
    bool none = p == *s;
    *s = p;
    return none ? -1 : 0;
}

static bool in_range(const struct config_entry *e, uint64_t v)
{
    return v >= e->min && v <= e->max;
}

static int parse_number(const struct config_entry *e, const char *text, uint64_t *v)
{
    return take_digits(&text, v) < 0 || *text || !in_range(e, *v) ? -1 : 0;
}

static int parse_u16(const struct config_entry *e, void *field, const char *text)
{
    uint64_t v;
    if (parse_number(e, text, &v) < 0)
        return -1;
    *(uint16_t *)field = (uint16_t)v;
    return 0;
}

static int parse_u32(const struct config_entry *e, void *field, const char *text)
{
    uint64_t v;
    if (parse_number(e, text, &v) < 0)
        return -1;
    *(uint32_t *)field = (uint32_t)v;
    return 0;
}

static void render_u16(const struct config_entry *e, const void *field, struct buf *out)
{
    (void)e;
    wr_fmt(out, "%u", *(const uint16_t *)field);
}

static void render_u32(const struct config_entry *e, const void *field, struct buf *out)
{
    (void)e;
    wr_fmt(out, "%lu", (unsigned long)*(const uint32_t *)field);
}

static void allowed_number(const struct config_entry *e, struct buf *out)
{
    wr_fmt(out, "a whole number from %llu to %llu", (unsigned long long)e->min,
           (unsigned long long)e->max);
}

const struct config_type config_type_u16 = {parse_u16, render_u16, allowed_number, release_nothing,
                                            CONFIG_VALUE_PLAIN};
const struct config_type config_type_u32 = {parse_u32, render_u32, allowed_number, release_nothing,
                                            CONFIG_VALUE_PLAIN};

static const char size_suffixes[] = "KMGT";

static int parse_size(const struct config_entry *e, void *field, const char *text)
{
    uint64_t v;
    if (take_digits(&text, &v) < 0)
        return -1;
    if (*text) {
        char upper = (char)(*text >= 'a' && *text <= 'z' ? *text - 'a' + 'A' : *text);
        const char *suffix = strchr(size_suffixes, upper);
        if (!suffix || text[1] ||
            __builtin_mul_overflow(v, UINT64_C(1) << (10 * (suffix - size_suffixes + 1)), &v))
            return -1;
    }
    if (!in_range(e, v))
        return -1;
    *(uint64_t *)field = v;
    return 0;
}

static void render_size(const struct config_entry *e, const void *field, struct buf *out)
{
    (void)e;
    uint64_t v = *(const uint64_t *)field;
    size_t i = 0;
    while (v && v % 1024 == 0 && i < sizeof size_suffixes - 1) {
        v /= 1024;
        i++;
    }
    wr_fmt(out, "%llu", (unsigned long long)v);
    if (i)
        wr_u8(out, (uint8_t)size_suffixes[i - 1]);
}

static void allowed_size(const struct config_entry *e, struct buf *out)
{
    (void)e;
    wr_str(out, "a number of bytes below 8388608T: a whole number, with K, M, G or T behind it if"
                " wanted");
}

const struct config_type config_type_size = {parse_size, render_size, allowed_size, release_nothing,
                                             CONFIG_VALUE_PLAIN};

/* Seconds in the file, milliseconds in the struct. */
static int parse_seconds(const struct config_entry *e, void *field, const char *text)
{
    uint64_t v;
    if (take_digits(&text, &v) < 0 || v > e->max)
        return -1;
    v *= 1000;
    if (*text == '.') {
        text++;
        uint64_t unit = 100;
        for (; *text >= '0' && *text <= '9' && unit; text++, unit /= 10)
            v += (uint64_t)(*text - '0') * unit;
        if (unit == 100)
            return -1;
    }
    if (*text || !in_range(e, v))
        return -1;
    *(uint32_t *)field = (uint32_t)v;
    return 0;
}

static void put_seconds(struct buf *out, uint64_t ms)
{
    wr_fmt(out, "%llu", (unsigned long long)(ms / 1000));
    unsigned rest = (unsigned)(ms % 1000);
    for (unsigned unit = 100; rest; unit /= 10) {
        wr_fmt(out, "%s%u", unit == 100 ? "." : "", rest / unit);
        rest %= unit;
    }
}

static void render_seconds(const struct config_entry *e, const void *field, struct buf *out)
{
    (void)e;
    put_seconds(out, *(const uint32_t *)field);
}

static void allowed_seconds(const struct config_entry *e, struct buf *out)
{
    wr_str(out, "a number of seconds from ");
    put_seconds(out, e->min);
    wr_str(out, " to ");
    put_seconds(out, e->max);
    wr_str(out, " with at most 3 decimals");
}

const struct config_type config_type_seconds = {parse_seconds, render_seconds, allowed_seconds,
                                                release_nothing, CONFIG_VALUE_PLAIN};

/* Words. */

static const struct config_name *name_of_text(const struct config_name *names, const char *text)
{
    while (names->text && strcmp(names->text, text) != 0)
        names++;
    return names->text ? names : NULL;
}

static const char *text_of_value(const struct config_name *names, unsigned value)
{
    while (names->text && names->value != value)
        names++;
    BUG_ON(!names->text);
    return names->text;
}

static void put_names(const struct config_name *names, struct buf *out)
{
    for (const struct config_name *n = names; n->text; n++)
        wr_fmt(out, "%s%s", n == names ? "" : ", ", n->text);
}

static int parse_enum(const struct config_entry *e, void *field, const char *text)
{
    const struct config_name *n = name_of_text(e->names, text);
    if (!n)
        return -1;
    memcpy(field, &n->value, sizeof n->value);
    return 0;
}

static void render_enum(const struct config_entry *e, const void *field, struct buf *out)
{
    unsigned value;
    memcpy(&value, field, sizeof value);
    wr_str(out, text_of_value(e->names, value));
}

static void allowed_enum(const struct config_entry *e, struct buf *out)
{
    wr_str(out, "one of ");
    put_names(e->names, out);
}

const struct config_type config_type_enum = {parse_enum, render_enum, allowed_enum, release_nothing,
                                             CONFIG_VALUE_PLAIN};

static int parse_bool(const struct config_entry *e, void *field, const char *text)
{
    const struct config_name *n = name_of_text(e->names, text);
    if (!n)
        return -1;
    *(bool *)field = n->value;
    return 0;
}

static void render_bool(const struct config_entry *e, const void *field, struct buf *out)
{
    wr_str(out, text_of_value(e->names, *(const bool *)field));
}

const struct config_type config_type_bool = {parse_bool, render_bool, allowed_enum, release_nothing,
                                             CONFIG_VALUE_PLAIN};

/* Texts. */

static void release_text(void *field)
{
    free(*(char **)field);
    *(char **)field = NULL;
}

static void set_text(void *field, const char *text)
{
    release_text(field);
    *(char **)field = mem_strdup(text);
}

static bool length_ok(const struct config_entry *e, const char *text)
{
    return in_range(e, strlen(text));
}

/* Someone who writes `file=x  # why` means a comment, which INI does not have there. */
static bool has_hash_comment(const char *text)
{
    for (const char *p = text; (p = strchr(p, '#')); p++)
        if (p == text || p[-1] == ' ' || p[-1] == '\t')
            return true;
    return false;
}

static int parse_text(const struct config_entry *e, void *field, const char *text)
{
    if (!length_ok(e, text) || has_hash_comment(text))
        return -1;
    set_text(field, text);
    return 0;
}

static void render_text(const struct config_entry *e, const void *field, struct buf *out)
{
    (void)e;
    wr_str(out, *(char *const *)field);
}

static void allowed_text(const struct config_entry *e, struct buf *out)
{
    wr_fmt(out, "a text of %llu to %llu bytes without a comment behind it",
           (unsigned long long)e->min, (unsigned long long)e->max);
}

const struct config_type config_type_text = {parse_text, render_text, allowed_text, release_text,
                                             CONFIG_VALUE_TEXT};

static void release_secret(void *field)
{
    mem_free_secret(*(char **)field);
    *(char **)field = NULL;
}

static int parse_secret(const struct config_entry *e, void *field, const char *text)
{
    (void)e;
    release_secret(field);
    *(char **)field = mem_strdup(text);
    return 0;
}

static void render_secret(const struct config_entry *e, const void *field, struct buf *out)
{
    (void)e;
    wr_str(out, **(char *const *)field ? "********" : "");
}

const struct config_type config_type_secret = {parse_secret, render_secret, allowed_text,
                                               release_secret, CONFIG_VALUE_SECRET};

static bool all_of(const char *text, const char *others)
{
    for (; *text; text++) {
        bool alnum = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= '0' && *text <= '9');
        if (!alnum && !strchr(others, *text))
            return false;
    }
    return true;
}

/* Copies text up to its end or to any of stop; "" if that does not fit. */
static const char *copy_until(char *dst, size_t cap, const char *text, const char *stop)
{
    size_t n = strcspn(text, stop);
    if (n >= cap)
        n = 0;
    memcpy(dst, text, n);
    dst[n] = 0;
    return dst;
}

static bool is_address(int family, const char *text)
{
    uint8_t addr[sizeof(struct in6_addr)];
    char plain[INET6_ADDRSTRLEN];
    const char *zone = strchr(text, '%');
    if (zone && (family != AF_INET6 || !zone[1] || !all_of(zone + 1, "._-")))
        return false;
    return inet_pton(family, copy_until(plain, sizeof plain, text, "%"), addr) == 1;
}

static bool is_host_name(const char *text)
{
    return strchr(text, ':') ? is_address(AF_INET6, text) : all_of(text, "._-");
}

static int parse_host_name(const struct config_entry *e, void *field, const char *text)
{
    if (!length_ok(e, text) || !is_host_name(text))
        return -1;
    set_text(field, text);
    return 0;
}

static void allowed_host_name(const struct config_entry *e, struct buf *out)
{
    wr_fmt(out, "a host name or address of at most %llu bytes", (unsigned long long)e->max);
}

const struct config_type config_type_host_name = {parse_host_name, render_text, allowed_host_name,
                                                  release_text, CONFIG_VALUE_TEXT};

static int parse_host(const struct config_entry *e, void *field, const char *text)
{
    if (*text != '/')
        return parse_host_name(e, field, text);
    if (strlen(text) > CONFIG_SOCKET_PATH_MAX || has_hash_comment(text))
        return -1;
    set_text(field, text);
    return 0;
}

static void allowed_host(const struct config_entry *e, struct buf *out)
{
    (void)e;
    wr_fmt(out,
           "a host name, an address without a port, or the absolute path of a unix socket of"
           " at most %d bytes",
           CONFIG_SOCKET_PATH_MAX);
}

const struct config_type config_type_host = {parse_host, render_text, allowed_host, release_text,
                                             CONFIG_VALUE_TEXT};

/* "ADDRESS:PORT" or "[ADDRESS]:PORT". */
static bool is_endpoint(const char *text)
{
    char addr[100];
    bool bracket = *text == '[';
    const char *end = bracket ? strchr(text, ']') : strchr(text, ':');
    if (!end || (bracket && end[1] != ':'))
        return false;
    copy_until(addr, sizeof addr, bracket ? text + 1 : text, bracket ? "]" : ":");
    const char *port = end + (bracket ? 2 : 1);
    uint64_t v;
    return is_address(bracket ? AF_INET6 : AF_INET, addr) && take_digits(&port, &v) == 0 &&
           !*port && v <= UINT16_MAX;
}

/* Lists, with commas between the items. */

static void list_free(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct config_list){0};
}

static void release_list(void *field)
{
    list_free(field);
}

/* Splits at commas, without the blanks around the items; an empty text has none. */
static struct config_list list_split(const char *text)
{
    struct config_list list = {0};
    const char *p = text;
    while (*text) {
        p += strspn(p, " \t");
        size_t n = strcspn(p, ",");
        size_t used = n;
        while (used && (p[used - 1] == ' ' || p[used - 1] == '\t'))
            used--;
        list.items = mem_realloc(list.items, (list.count + 1) * sizeof *list.items);
        char *item = mem_alloc(used + 1);
        memcpy(item, p, used);
        list.items[list.count++] = item;
        p += n;
        if (!*p++)
            break;
    }
    return list;
}

static int parse_list(void *field, const char *text, bool (*item_ok)(const char *))
{
    struct config_list list = list_split(text);
    for (size_t i = 0; i < list.count; i++) {
        if (!item_ok(list.items[i])) {
            list_free(&list);
            return -1;
        }
    }
    release_list(field);
    *(struct config_list *)field = list;
    return 0;
}

static void render_list(const struct config_entry *e, const void *field, struct buf *out)
{
    (void)e;
    const struct config_list *list = field;
    for (size_t i = 0; i < list->count; i++)
        wr_fmt(out, "%s%s", i ? "," : "", list->items[i]);
}

static int parse_endpoints(const struct config_entry *e, void *field, const char *text)
{
    (void)e;
    return parse_list(field, text, is_endpoint);
}

static void allowed_endpoints(const struct config_entry *e, struct buf *out)
{
    (void)e;
    wr_str(out, "a list of ADDRESS:PORT or [ADDRESS]:PORT with a numeric address and commas "
                "between");
}

const struct config_type config_type_endpoints = {parse_endpoints, render_list, allowed_endpoints,
                                                  release_list, CONFIG_VALUE_PLAIN};

static bool is_network(const char *text)
{
    char addr[INET6_ADDRSTRLEN];
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    copy_until(addr, sizeof addr, text, "/");
    if (strchr(addr, '%') || !is_address(family, addr))
        return false;
    const char *bits = strchr(text, '/');
    if (!bits)
        return true;
    bits++;
    uint64_t v;
    return take_digits(&bits, &v) == 0 && !*bits && v <= (family == AF_INET ? 32 : 128);
}

static int parse_networks(const struct config_entry *e, void *field, const char *text)
{
    (void)e;
    return parse_list(field, text, is_network);
}

static void allowed_networks(const struct config_entry *e, struct buf *out)
{
    (void)e;
    wr_str(out, "a list of ADDRESS or ADDRESS/BITS with numeric addresses and commas between");
}

const struct config_type config_type_networks = {parse_networks, render_list, allowed_networks,
                                                 release_list, CONFIG_VALUE_PLAIN};

static int parse_rights(const struct config_entry *e, void *field, const char *text)
{
    struct config_list list = list_split(text);
    unsigned rights = 0;
    bool ok = list.count > 0;
    for (size_t i = 0; i < list.count; i++) {
        const struct config_name *n = name_of_text(e->names, list.items[i]);
        ok = ok && n;
        rights |= n ? n->value : 0;
    }
    list_free(&list);
    if (!ok)
        return -1;
    *(unsigned *)field = rights;
    return 0;
}

static void render_rights(const struct config_entry *e, const void *field, struct buf *out)
{
    const char *comma = "";
    for (const struct config_name *n = e->names; n->text; n++) {
        if (!(*(const unsigned *)field & n->value))
            continue;
        wr_fmt(out, "%s%s", comma, n->text);
        comma = ",";
    }
}

static void allowed_rights(const struct config_entry *e, struct buf *out)
{
    wr_str(out, "a list, with commas between, of ");
    put_names(e->names, out);
}

const struct config_type config_type_rights = {parse_rights, render_rights, allowed_rights,
                                               release_nothing, CONFIG_VALUE_PLAIN};

/* Where to start. */

/* The names that the store accepts: a base name, a dot and at least six digits. */
static bool is_binlog_name(const char *text)
{
    const char *dot = strrchr(text, '.');
    if (!dot || dot == text || *text == '.' || dot - text > BINLOG_NAME_MAX || !all_of(text, "_.-"))
        return false;
    size_t digits = strspn(dot + 1, "0123456789");
    return digits >= 6 && digits <= 10 && !dot[1 + digits];
}

static void release_start(void *field)
{
    struct config_start *start = field;
    free(start->file);
    start->file = NULL;
}

static int parse_start(const struct config_entry *e, void *field, const char *text)
{
    struct config_start *start = field;
    const struct config_name *n = name_of_text(e->names, text);
    char file[BINLOG_NAME_MAX + 12];
    uint64_t pos = 0;
    copy_until(file, sizeof file, n ? "" : text, ":");
    if (!n) {
        const char *p = text + strcspn(text, ":");
        if (*p++ != ':' || !is_binlog_name(file) || take_digits(&p, &pos) < 0 || *p ||
            pos < BINLOG_POS_MIN)
            return -1;
    }
    release_start(start);
    start->kind = n ? (enum config_start_kind)n->value : CONFIG_START_FILE;
    start->file = mem_strdup(file);
    start->pos = pos;
    return 0;
}

static void render_start(const struct config_entry *e, const void *field, struct buf *out)
{
    const struct config_start *start = field;
    if (start->kind == CONFIG_START_FILE)
        wr_fmt(out, "%s:%llu", start->file, (unsigned long long)start->pos);
    else
        wr_str(out, text_of_value(e->names, start->kind));
}

static void allowed_start(const struct config_entry *e, struct buf *out)
{
    wr_str(out, "one of ");
    put_names(e->names, out);
    wr_fmt(out, ", FILE:POS (like mysql-bin.000001:%d, no lower position)", BINLOG_POS_MIN);
}

const struct config_type config_type_start = {parse_start, render_start, allowed_start,
                                              release_start, CONFIG_VALUE_PLAIN};
