/* Names of binary log files, lists of them, the index file's text. */
#include "store/binfile.h"

#include "base/mem.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define DIGITS_MIN 6
#define DIGITS_MAX 10
#define BASE_MAX   250

static bool name_char(uint8_t c)
{
    return isalnum(c) || c == '_' || c == '.' || c == '-';
}

static size_t trailing_digits(struct bytes text)
{
    size_t n = 0;
    while (n < text.n && isdigit(text.p[text.n - 1 - n]))
        n++;
    return n;
}

static bool name_ok(struct bytes text, size_t digits)
{
    if (digits < DIGITS_MIN || digits > DIGITS_MAX || text.n < digits + 2 || text.p[0] == '.')
        return false;
    size_t base = text.n - digits - 1;
    if (base > BASE_MAX || text.p[base] != '.')
        return false;
    for (size_t i = 0; i < base; i++)
        if (!name_char(text.p[i]))
            return false;
    return true;
}

int binfile_name_parse(struct binfile_name *name, struct bytes text, struct err *err)
{
    size_t digits = trailing_digits(text);
    if (!name_ok(text, digits))
        return err_set(err, "\"%.*s\" is no name for a binary log file",
                       (int)(text.n < 64 ? text.n : 64), (const char *)text.p);
    *name = (struct binfile_name){.base_len = text.n - digits - 1};
    memcpy(name->text, text.p, text.n);
    for (size_t i = name->base_len + 1; i < text.n; i++)
        name->number = name->number * 10 + (uint64_t)(text.p[i] - '0');
    return 0;
}

bool binfile_same_base(const struct binfile_name *a, const struct binfile_name *b)
{
    return a->base_len == b->base_len && memcmp(a->text, b->text, a->base_len) == 0;
}

bool binfile_name_eq(const struct binfile_name *a, const struct binfile_name *b)
{
    return strcmp(a->text, b->text) == 0;
}

void binfile_list_fini(struct binfile_list *l)
{
    free(l->at);
    *l = (struct binfile_list){0};
}

void binfile_list_add(struct binfile_list *l, const struct binfile_name *name)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 16;
        l->at = mem_realloc(l->at, l->cap * sizeof *l->at);
    }
    l->at[l->n++] = *name;
}

void binfile_list_drop(struct binfile_list *l, size_t n)
{
    BUG_ON(n > l->n);
    l->n -= n;
    memmove(l->at, l->at + n, l->n * sizeof *l->at);
}

ssize_t binfile_list_find(const struct binfile_list *l, const struct binfile_name *name)
{
    for (size_t i = l->n; i-- > 0;) /* what is asked for is mostly near the end */
        if (binfile_name_eq(&l->at[i], name))
            return (ssize_t)i;
    return -1;
}

static int by_number(const void *a, const void *b)
{
    const struct binfile_name *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static void add_named(void *ctx, const char *text, unsigned char type)
{
    struct binfile_name name;
    struct err ignored; /* other files may lie there: index, torn tails */
    if (type != DT_DIR && type != DT_LNK &&
        binfile_name_parse(&name, bytes_str(text), &ignored) == 0)
        binfile_list_add(ctx, &name);
}

int binfile_list_read_dir(struct binfile_list *l, const struct fs *fs, int dirfd, struct err *err)
{
    if (fs_list(fs, dirfd, add_named, l, err) < 0)
        return err_prefix(err, "cannot list the files");
    if (l->n)
        qsort(l->at, l->n, sizeof *l->at, by_number);
    return 0;
}

void binfile_index_name(const struct binfile_name *any, char dst[BINFILE_NAME_MAX + 8])
{
    snprintf(dst, BINFILE_NAME_MAX + 8, "%.*s.index", (int)any->base_len, any->text);
}

void binfile_index_format(const struct binfile_list *l, struct buf *out)
{
    for (size_t i = 0; i < l->n; i++)
        wr_fmt(out, "./%s\n", l->at[i].text);
}

char *binfile_index_text(const struct binfile_list *l)
{
    struct buf b;
    buf_init(&b);
    binfile_index_format(l, &b);
    wr_u8(&b, 0);
    return (char *)b.data; /* nothing was consumed, so the content begins the allocation */
}
