/*
 * Reads INI text with libinih, line by line through a reader of our own.
 *
 * libinih 55 takes some texts for something else without a word: it splits a line of 200 bytes or
 * more, cuts a value at " ;", cuts section names at 49 bytes, ignores what follows "]", takes an
 * indented line for more of the value above, and a NUL for the end. A password cut short is found
 * out at night, so the reader refuses such a line before libinih sees it. Error texts never quote a
 * line: it may hold a password.
 */
#include "app/config_priv.h"

#include "base/mem.h"

#include <ini.h>
#include <stdio.h>

#define LINE_MAX_BYTES    199
#define SECTION_MAX_BYTES 49

struct reader {
    const char *name;
    struct bytes left;
    const struct config_ini_sink *sink;
    struct err *err;
    unsigned line;
    bool failed;
    char section[SECTION_MAX_BYTES + 1];
};

static int refuse(struct reader *r, const char *why)
{
    return err_kind_set(r->err, ERR_USAGE, "%s:%u: %s", r->name, r->line, why);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static bool begins_comment(struct bytes line)
{
    while (line.n && is_blank(line.p[0]))
        line = bytes_skip(line, 1);
    return line.n == 0 || line.p[0] == ';' || line.p[0] == '#';
}

static bool has_inline_comment(struct bytes line)
{
    for (size_t i = 1; i < line.n; i++)
        if (line.p[i] == ';' && is_blank(line.p[i - 1]))
            return true;
    return false;
}

static struct bytes take_line(struct reader *r)
{
    const uint8_t *end = memchr(r->left.p, '\n', r->left.n);
    size_t n = end ? (size_t)(end - r->left.p) : r->left.n;
    struct bytes line = bytes_of(r->left.p, n);
    r->left = bytes_skip(r->left, end ? n + 1 : n);
    r->line++;
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

static int check_bytes(struct reader *r, struct bytes line)
{
    if (r->line == 1 && line.n >= 3 && memcmp(line.p, "\xef\xbb\xbf", 3) == 0)
        return refuse(r, "the file begins with a byte order mark; save it without one");
    for (size_t i = 0; i < line.n; i++) {
        if (line.p[i] == 0)
            return refuse(r, "the line holds a NUL byte");
        if ((line.p[i] < 0x20 && line.p[i] != '\t') || line.p[i] == 0x7f)
            return refuse(r, "the line holds a control character");
    }
    if (line.n > LINE_MAX_BYTES)
        return err_kind_set(r->err, ERR_USAGE, "%s:%u: the line has %zu bytes; at most %d are read",
                            r->name, r->line, line.n, LINE_MAX_BYTES);
    return 0;
}

static int enter_section(struct reader *r, struct bytes line)
{
    const uint8_t *end = memchr(line.p, ']', line.n);
    if (!end)
        return refuse(r, "a section without its \"]\"");
    struct bytes name = bytes_of(line.p + 1, (size_t)(end - line.p) - 1);
    for (const uint8_t *p = end + 1; p < line.p + line.n; p++)
        if (!is_blank(*p))
            return refuse(r, "text after \"]\"; a section stands alone on its line");
    if (name.n > SECTION_MAX_BYTES)
        return err_kind_set(r->err, ERR_USAGE,
                            "%s:%u: the section's name has %zu bytes; at most %d are read", r->name,
                            r->line, name.n, SECTION_MAX_BYTES);
    memcpy(r->section, name.p, name.n);
    r->section[name.n] = 0;
    return r->sink->section(r->sink->ctx, r->section, r->line, r->err);
}

static int check_assignment(struct reader *r, struct bytes line)
{
    const uint8_t *equals = memchr(line.p, '=', line.n);
    const uint8_t *colon = memchr(line.p, ':', line.n);
    if (!equals || (colon && colon < equals))
        return refuse(r, "neither KEY=VALUE nor [SECTION] nor a comment");
    if (equals == line.p)
        return refuse(r, "no key before \"=\"");
    return 0;
}

static int check_line(struct reader *r, struct bytes line)
{
    if (check_bytes(r, line) < 0)
        return -1;
    if (begins_comment(line))
        return 0;
    if (is_blank(line.p[0]))
        return refuse(r, "the line is indented; begin it in the first column");
    if (has_inline_comment(line))
        return refuse(r, "\" ;\" would end the line here; put a comment on a line of its own, and a"
                         " password with it into a password_file");
    return line.p[0] == '[' ? enter_section(r, line) : check_assignment(r, line);
}

/* libinih's ini_reader. Its line buffer is wiped at every call, the last one included, because it
 * may hold a password. */
static char *next_line(char *dst, int cap, void *stream)
{
    struct reader *r = stream;
    mem_wipe(dst, (size_t)cap);
    if (r->failed || r->left.n == 0)
        return NULL;
    struct bytes line = take_line(r);
    r->failed = check_line(r, line) < 0;
    if (!r->failed && line.n >= (size_t)cap)
        r->failed = refuse(r, "the line is longer than libinih was built for") < 0;
    if (r->failed)
        return NULL;
    memcpy(dst, line.p, line.n);
    dst[line.n] = 0;
    return dst;
}

/* libinih's ini_handler: 0 is failure. It calls on after a failure, but the reader ends then. */
static int handle_value(void *user, const char *section, const char *key, const char *value)
{
    struct reader *r = user;
    if (strcmp(section, r->section) != 0)
        r->failed = refuse(r, "the line was read as part of another section") < 0;
    else
        r->failed = r->sink->value(r->sink->ctx, key, value, r->line, r->err) < 0;
    return !r->failed;
}

int config_ini_read(const char *name, struct bytes text, const struct config_ini_sink *sink,
                    struct err *err)
{
    struct reader r = {.name = name, .left = text, .sink = sink, .err = err};
    int rc = ini_parse_stream(next_line, &r, handle_value, &r);
    if (rc != 0 && !r.failed) {
        r.line = rc > 0 ? (unsigned)rc : r.line;
        return refuse(&r, "the line was not understood");
    }
    return r.failed ? -1 : 0;
}
