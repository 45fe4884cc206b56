/* Reads tests/data. */
#include "capture.h"

#include "base/mem.h"
#include "check.h"

#include <stdio.h>

const char *const capture_binlogs[] = {
    "5.6-no-gtid",
    "5.6-gtid",
    "5.7-ddl",
    "5.7-statement",
    "5.7-xa",
    "5.7-checksum-none",
    "5.7-many-gtids",
    "5.7-incident",
    "5.7-in-use",
    "5.7-stop",
    "9.7-anonymous",
    "9.7-mixed",
    "9.7-tagged",
    "mariadb-10.11",
    "mariadb-10.11-domains",
    NULL,
};

struct bytes capture_copy(struct bytes b)
{
    uint8_t *p = mem_alloc(b.n ? b.n : 1);
    if (b.n)
        memcpy(p, b.p, b.n);
    return bytes_of(p, b.n);
}

void capture_free(struct bytes b)
{
    free((void *)(uintptr_t)b.p);
}

/* The text of a file of tests/data, with a NUL behind it. */
static char *read_text(const char *name)
{
    size_t n;
    return (char *)check_data(name, &n);
}

struct bytes capture_packet(const char *file, const char *name, size_t nth)
{
    struct bytes found = {NULL, 0};
    char *text = read_text(file), *rest = text;
    for (char *line; !found.p && (line = strsep(&rest, "\n"));) {
        char *hex = line;
        char *key = strsep(&hex, " ");
        if (*key == '#' || !hex || strcmp(key, name) != 0 || nth-- > 0)
            continue;
        struct bytes b = check_unhex(hex);
        found = capture_copy(b);
        capture_free(b);
    }
    free(text);
    return found;
}

void capture_truncate(struct bytes b, void (*fn)(struct bytes cut, void *arg), void *arg)
{
    for (size_t n = 0; n < b.n; n++) {
        struct bytes cut = capture_copy(bytes_of(b.p, n));
        fn(cut, arg);
        capture_free(cut);
    }
}

static void add_event(struct capture_binlog *b, char *line, struct bytes file)
{
    struct capture_event e = {0};
    const char *pos = strsep(&line, "\t"), *type = strsep(&line, "\t"), *end = strsep(&line, "\t");
    BUG_ON(!line);
    e.pos = (uint32_t)strtoul(pos, NULL, 10);
    e.end = (uint32_t)strtoul(end, NULL, 10);
    if (e.pos == e.end)
        return;
    BUG_ON(e.end < e.pos || e.end > file.n);
    snprintf(e.type, sizeof e.type, "%s", type);
    snprintf(e.info, sizeof e.info, "%s", line);
    e.event = capture_copy(bytes_of(file.p + e.pos, e.end - e.pos));
    b->events = mem_realloc(b->events, (b->count + 1) * sizeof *b->events);
    b->events[b->count++] = e;
}

struct capture_binlog capture_binlog_open(const char *name)
{
    struct capture_binlog b = {0};
    char path[100];
    snprintf(path, sizeof path, "binlog/%s.binlog", name);
    size_t n;
    uint8_t *file = check_data(path, &n);
    snprintf(path, sizeof path, "binlog/%s.events", name);
    char *text = read_text(path), *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && *line;)
        add_event(&b, line, bytes_of(file, n));
    BUG_ON(!b.count || b.events[b.count - 1].end != n);
    free(text);
    free(file);
    return b;
}

void capture_binlog_close(struct capture_binlog *b)
{
    for (size_t i = 0; i < b->count; i++)
        capture_free(b->events[i].event);
    free(b->events);
}
