/* Errors as values. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void __attribute__((format(printf, 3, 0)))
fill(struct err *e, enum err_kind kind, const char *fmt, va_list ap)
{
    e->kind = kind;
    e->code = 0;
    vsnprintf(e->text, sizeof e->text, fmt, ap);
}

int err_set(struct err *e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fill(e, ERR_OTHER, fmt, ap);
    va_end(ap);
    return -1;
}

int err_kind_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fill(e, kind, fmt, ap);
    va_end(ap);
    return -1;
}

int err_io(struct err *e, int errnum, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fill(e, errnum == ENOSPC || errnum == EDQUOT ? ERR_NO_SPACE : ERR_IO, fmt, ap);
    va_end(ap);
    size_t n = strlen(e->text);
    snprintf(e->text + n, sizeof e->text - n, ": %s", strerrordesc_np(errnum));
    return -1;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
    char old[sizeof e->text];
    memcpy(old, e->text, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    size_t used = n < 0 ? 0 : (size_t)n < sizeof e->text ? (size_t)n : sizeof e->text - 1;
    snprintf(e->text + used, sizeof e->text - used, ": %.*s", (int)(sizeof old - 3), old);
    return -1;
}

int err_malformed(struct err *e)
{
    if (e->kind == ERR_OTHER)
        e->kind = ERR_MALFORMED;
    return -1;
}
