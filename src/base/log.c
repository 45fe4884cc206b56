/* The log sink: formats a record and writes it with one write(2), unless it is one too many. */
#include "base/log.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REPEATS_MAX   32u /* messages watched at a time */
#define REPEATED_TEXT 200
#define RECORD_TEXT   2048
#define RECORD_LINE   2400

/* One message within its interval. */
struct repeat {
    const char *fmt; /* the addresses stand for them; NULL: free */
    const char *module;
    enum log_level level;
    uint64_t since_us;
    unsigned written;
    uint64_t kept_back;
    char last[REPEATED_TEXT]; /* that was kept back */
};

static struct {
    int fd;
    enum log_level level;
    bool journal; /* standard error is the journal's */
    struct repeat repeats[REPEATS_MAX];
    uint64_t counts[LOG_DEBUG + 1];
    struct log_problem problems[LOG_PROBLEMS]; /* the newest first */
} sink = {.fd = STDERR_FILENO, .level = LOG_INFO};

static const char *const level_names[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

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

/* Writes one line; the text is escaped here. */
static void put_line(enum log_level level, const char *module, const char *text)
{
    static const char syslog_levels[] = {
        [LOG_ERROR] = '3', [LOG_WARN] = '4', [LOG_INFO] = '6', [LOG_DEBUG] = '7'};
    char line[RECORD_LINE];
    size_t n = 0;
    if (sink.journal)
        n = (size_t)snprintf(line, sizeof line, "<%c>", syslog_levels[level]);
    n += put_time(line + n, sizeof line - n);
    n += (size_t)snprintf(line + n, sizeof line - n, " %s %s: ", level_names[level], module);
    n += put_escaped(line + n, sizeof line - n - 1, text);
    line[n++] = '\n';
    /* A log that cannot be written must not stop the daemon; there is nobody to tell. */
    if (write(sink.fd, line, n) < 0)
        return;
}

/* ---- repeats ---- */

static void end_repeat(struct repeat *r)
{
    char text[REPEATED_TEXT + 100];
    if (r->kept_back) {
        snprintf(text, sizeof text, "repeated %" PRIu64 " times more within %u s, the last: %s",
                 r->kept_back, LOG_INTERVAL_US / 1000000u, r->last);
        put_line(r->level, r->module, text);
    }
    *r = (struct repeat){0};
}

/* Of those that began an interval ago or longer. */
static void end_repeats(uint64_t now)
{
    for (size_t i = 0; i < REPEATS_MAX; i++)
        if (sink.repeats[i].fmt && now - sink.repeats[i].since_us >= LOG_INTERVAL_US)
            end_repeat(&sink.repeats[i]);
}

/* The message's place; one that is new takes a free place or that of the oldest. */
static struct repeat *find_repeat(const char *module, const char *fmt, uint64_t now)
{
    struct repeat *place = &sink.repeats[0];
    for (size_t i = 0; i < REPEATS_MAX; i++) {
        struct repeat *r = &sink.repeats[i];
        if (r->fmt == fmt && r->module == module)
            return r;
        if (place->fmt && (!r->fmt || r->since_us < place->since_us))
            place = r;
    }
    end_repeat(place);
    place->fmt = fmt;
    place->module = module;
    place->since_us = now;
    return place;
}

/* Whether the record may be written; otherwise it is counted. */
static bool is_wanted(enum log_level level, const char *module, const char *fmt, const char *text)
{
    if (level == LOG_DEBUG)
        return true;
    uint64_t now = clock_now_us();
    end_repeats(now);
    struct repeat *r = find_repeat(module, fmt, now);
    r->level = level;
    if (r->written < LOG_BURST) {
        r->written++;
        return true;
    }
    r->kept_back++;
    r->last[put_escaped(r->last, sizeof r->last, text)] = 0;
    return false;
}

void log_tick(void)
{
    end_repeats(clock_now_us());
}

/* ---- problems ---- */

static void remember(enum log_level level, const char *module, const char *text)
{
    struct log_problem p = {.level = level, .module = module};
    p.text[put_escaped(p.text, sizeof p.text, text)] = 0;
    size_t at = 0;
    while (at < LOG_PROBLEMS - 1 && sink.problems[at].times &&
           strcmp(sink.problems[at].text, p.text) != 0)
        at++;
    bool known = sink.problems[at].times && strcmp(sink.problems[at].text, p.text) == 0;
    p.times = known ? sink.problems[at].times + 1 : 1;
    p.at_us = clock_wall_us();
    memmove(sink.problems + 1, sink.problems, at * sizeof p);
    sink.problems[0] = p;
}

const struct log_problem *log_problem(unsigned i)
{
    return i < LOG_PROBLEMS && sink.problems[i].times ? &sink.problems[i] : NULL;
}

uint64_t log_total(enum log_level level)
{
    return sink.counts[level];
}

/* ---- records ---- */

/* fmt of the call stands for the message; NULL: it is bounded elsewhere. */
static void put_record(enum log_level level, const char *module, const char *fmt, const char *text)
{
    if (level <= LOG_WARN)
        remember(level, module, text);
    if (level <= sink.level && (!fmt || is_wanted(level, module, fmt, text)))
        put_line(level, module, text);
}

/* Nobody sees it and nobody remembers it. */
static bool is_dropped(enum log_level level)
{
    sink.counts[level]++;
    return level > sink.level && level > LOG_WARN;
}

/* key: as the fmt of put_record. */
__attribute__((format(printf, 4, 0))) static void
write_record(enum log_level level, const char *module, const char *key, const char *fmt, va_list ap)
{
    char text[RECORD_TEXT];
    vsnprintf(text, sizeof text, fmt, ap);
    put_record(level, module, key, text);
}

void log_write(enum log_level level, const char *module, const char *fmt, ...)
{
    va_list ap;
    if (is_dropped(level))
        return;
    va_start(ap, fmt);
    write_record(level, module, fmt, fmt, ap);
    va_end(ap);
}

void log_bounded(enum log_level level, const char *module, const char *fmt, ...)
{
    va_list ap;
    if (is_dropped(level))
        return;
    va_start(ap, fmt);
    write_record(level, module, NULL, fmt, ap);
    va_end(ap);
}

/* ---- opening and closing ---- */

/* systemd tells device and inode of the journal's stream; standard error may be another by now. */
static bool is_journal(int fd)
{
    const char *told = getenv("JOURNAL_STREAM");
    struct stat st;
    uintmax_t device, inode;
    return told && sscanf(told, "%ju:%ju", &device, &inode) == 2 && fstat(fd, &st) == 0 &&
           st.st_dev == device && st.st_ino == inode;
}

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
    sink.journal = fd == STDERR_FILENO && is_journal(fd);
    return 0;
}

void log_close(void)
{
    end_repeats(UINT64_MAX);
    if (sink.fd != STDERR_FILENO)
        close(sink.fd);
    sink.fd = STDERR_FILENO;
}
