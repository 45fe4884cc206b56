/* The log sink: formats a record and writes it with one write(2). */
#include "base/log.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
    int fd;
    enum log_level level;
} sink = {STDERR_FILENO, LOG_INFO};

static const char *const level_names[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

int log_open(const char *path, enum log_level level, struct err *err)
{
    int fd = STDERR_FILENO;
    if (*path) {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        if (fd < 0)
            return err_set(err, "cannot open the log file %s: %s", path, strerrordesc_np(errno));
    }
    log_close();
    sink.fd = fd;
    sink.level = level;
    return 0;
}

void log_close(void)
{
    if (sink.fd != STDERR_FILENO)
        close(sink.fd);
    sink.fd = STDERR_FILENO;
}

void log_set_level(enum log_level level)
{
    sink.level = level;
}

int log_level_parse(const char *text)
{
    for (int i = LOG_ERROR; i <= LOG_DEBUG; i++)
        if (strcmp(text, level_names[i]) == 0)
            return i;
    return -1;
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

static size_t put_time(char *dst, size_t cap)
{
    int64_t us = clock_wall_us();
    time_t sec = (time_t)(us / 1000000);
    struct tm tm;
    localtime_r(&sec, &tm);
    size_t n = strftime(dst, cap, "%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(dst + n, cap - n, ".%06d", (int)(us % 1000000));
    size_t zone = strftime(dst + n, cap - n, "%z", &tm);
    if (zone == 5) { /* +hhmm becomes +hh:mm, as ISO 8601 has it in extended form */
        memmove(dst + n + 4, dst + n + 3, 3);
        dst[n + 3] = ':';
        zone = 6;
    }
    return n + zone;
}

/* Copies text, replacing control characters by \xNN; returns the bytes written. */
static size_t put_escaped(char *dst, size_t cap, const char *text)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;
    for (; *text && n + 5 < cap; text++) {
        unsigned char c = (unsigned char)*text;
        if (c >= 0x20 && c != 0x7f) {
            dst[n++] = (char)c;
            continue;
        }
        dst[n++] = '\\';
        dst[n++] = 'x';
        dst[n++] = digits[c >> 4];
        dst[n++] = digits[c & 15];
    }
    return n;
}

void log_write(enum log_level level, const char *module, const char *fmt, ...)
{
    if (level > sink.level)
        return;
    char text[2048], line[2400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t n = put_time(line, sizeof line);
    n += (size_t)snprintf(line + n, sizeof line - n, " %s %s: ", level_names[level], module);
    n += put_escaped(line + n, sizeof line - n - 1, text);
    line[n++] = '\n';
    /* A log that cannot be written must not stop the daemon; there is nobody to tell. */
    if (write(sink.fd, line, n) < 0)
        return;
}
