/* `binlogd status`: asks the running daemon, or tells what the data directory shows. */
#include "app/app.h"
#include "app/config.h"
#include "base/clock.h"
#include "base/json.h"
#include "status_socket.h"
#include "store/binfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX (64u << 20)
#define WATCH_S    1
#define FOLDER_MAX 300
#define CLEAR      "\033[H\033[2J"

/* ---- asking ---- */

static int wait_for(int fd, short events, uint64_t deadline_us, struct err *err)
{
    uint64_t now = clock_now_us();
    struct pollfd p = {fd, events, 0};
    int n = now < deadline_us ? poll(&p, 1, (int)((deadline_us - now) / 1000) + 1) : 0;
    if (n < 0 && errno != EINTR)
        return err_set(err, "%s", strerrordesc_np(errno));
    if (n == 0)
        return err_set(err, "no answer within %.0f s", STATUS_SOCKET_SECONDS);
    return 0;
}

static int send_request(int fd, const char *request, uint64_t deadline_us, struct err *err)
{
    size_t n = strlen(request);
    while (n) {
        ssize_t sent = send(fd, request, n, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return err_set(err, "%s", strerrordesc_np(errno));
        if (sent < 0 && wait_for(fd, POLLOUT, deadline_us, err) < 0)
            return -1;
        if (sent > 0) {
            request += sent;
            n -= (size_t)sent;
        }
    }
    return 0;
}

static int read_answer(int fd, struct buf *out, uint64_t deadline_us, struct err *err)
{
    for (;;) {
        ssize_t got = recv(fd, buf_reserve(out, 1u << 16), 1u << 16, 0);
        if (got == 0)
            return 0;
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return err_set(err, "%s", strerrordesc_np(errno));
        if (got < 0 && wait_for(fd, POLLIN, deadline_us, err) < 0)
            return -1;
        if (got > 0)
            buf_commit(out, (size_t)got);
        if (out->len > ANSWER_MAX)
            return err_set(err, "an answer without end");
    }
}

/* Takes the first line off. */
static int check_answer(struct buf *answer, int *code, struct err *err)
{
    struct bytes all = buf_bytes(answer);
    char line[STATUS_SOCKET_LINE_MAX];
    size_t length;
    const uint8_t *end = all.n ? memchr(all.p, '\n', all.n) : NULL;
    if (!end || bytes_to_str(bytes_of(all.p, (size_t)(end - all.p)), line, sizeof line) < 0 ||
        sscanf(line, "%d %zu", code, &length) != 2 || all.n - (size_t)(end + 1 - all.p) != length)
        return err_set(err, "its answer is not whole: is it another version?");
    buf_consume(answer, (size_t)(end + 1 - all.p));
    return 0;
}

enum asked { ASKED, NOBODY, FAILED };

static enum asked ask(int dirfd, const char *request, struct buf *answer, int *code,
                      struct err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char path[STATUS_SOCKET_PATH_MAX];
    uint64_t deadline_us = clock_now_us() + (uint64_t)(STATUS_SOCKET_SECONDS * 1e6);
    status_socket_path(path, dirfd);
    strcpy(a.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(err, "%s", strerrordesc_np(errno)), FAILED;
    enum asked result = FAILED;
    if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
        result = errno == ENOENT || errno == ECONNREFUSED ? NOBODY : FAILED;
        err_set(err, errno == EAGAIN ? "it is too busy to answer" : "%s", strerrordesc_np(errno));
    } else if (send_request(fd, request, deadline_us, err) == 0 &&
               read_answer(fd, answer, deadline_us, err) == 0 &&
               check_answer(answer, code, err) == 0) {
        result = ASKED;
    }
    close(fd);
    return result;
}

/* ---- without a daemon ---- */

struct shown {
    unsigned number; /* of the newest epoch; 0: there is none */
    char folder[FOLDER_MAX];
    struct binfile_list files;
    uint64_t bytes;
};

/* Folders are NUMBER-SOURCE. */
static void note_folder(void *ctx, const char *name, unsigned char type)
{
    struct shown *s = ctx;
    unsigned number;
    (void)type;
    if (sscanf(name, "%9u-", &number) == 1 && number > s->number) {
        s->number = number;
        snprintf(s->folder, FOLDER_MAX, "%s", name);
    }
}

static int look_into(int fd, struct shown *s, struct err *err)
{
    struct stat st;
    if (binfile_list_read_dir(&s->files, fs_posix(), fd, err) < 0)
        return err_prefix(err, "%s", s->folder);
    for (size_t i = 0; i < s->files.n; i++)
        if (fstatat(fd, s->files.at[i].text, &st, AT_SYMLINK_NOFOLLOW) == 0)
            s->bytes += (uint64_t)st.st_size;
    return 0;
}

static int look(int dirfd, struct shown *s, struct err *err)
{
    *s = (struct shown){0};
    if (fs_list(fs_posix(), dirfd, note_folder, s, err) < 0)
        return err_prefix(err, "cannot list the data directory");
    if (!s->number)
        return 0;
    int fd = fs_open_dir(fs_posix(), dirfd, s->folder, err);
    if (fd < 0)
        return -1;
    int rc = look_into(fd, s, err);
    close(fd);
    return rc;
}

static void put_absence(struct buf *out, const struct config *c, const struct shown *s,
                        enum app_status_form form)
{
    const char *last = s->files.n ? s->files.at[s->files.n - 1].text : "";
    if (form == APP_STATUS_JSON) {
        wr_str(out, "{\"running\":false,\"safe\":false,\"storage\":{\"directory\":");
        json_string(out, c->storage.directory);
        wr_fmt(out, ",\"files\":%zu,\"bytes\":%" PRIu64 ",\"newest\":", s->files.n, s->bytes);
        json_string(out, last);
        wr_str(out, "}}\n");
    } else {
        wr_str(out, "NOT SAFE: binlogd is not running\n\n");
        if (c->dumper.present)
            wr_fmt(out, "%-12s%s, port %u\n", "Source", c->dumper.host, c->dumper.port);
        wr_fmt(out, "%-12s%s\n", "Directory", c->storage.directory);
        wr_fmt(out, "%-12s%zu with %" PRIu64 " bytes", "Files", s->files.n, s->bytes);
        wr_fmt(out, s->files.n ? " in %s, the newest is %s\n" : "\n", s->folder, last);
    }
}

static int tell_absence(struct buf *out, const struct config *c, int dirfd,
                        enum app_status_form form, struct err *err)
{
    struct shown s;
    int rc = look(dirfd, &s, err);
    if (rc == 0)
        put_absence(out, c, &s, form);
    binfile_list_fini(&s.files);
    return rc;
}

/* ---- the command ---- */

static enum app_exit show(const struct config *c, enum app_status_form form, const char *before)
{
    struct buf out;
    struct err err;
    int code = APP_ERROR;
    buf_init(&out);
    int dirfd = open(c->storage.directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    enum asked asked = FAILED;
    if (dirfd < 0)
        err_set(&err, "%s", strerrordesc_np(errno));
    else
        asked = ask(dirfd, form == APP_STATUS_JSON ? "json\n" : "screen\n", &out, &code, &err);
    if (asked == NOBODY && tell_absence(&out, c, dirfd, form, &err) < 0)
        asked = FAILED;
    if (asked == FAILED) {
        code = APP_ERROR;
        buf_clear(&out);
        fprintf(stderr, "binlogd: no status from the daemon of %s: %s\n", c->storage.directory,
                err.text);
    }
    fputs(before, stdout);
    if (out.len)
        fwrite(buf_bytes(&out).p, 1, out.len, stdout);
    if (fflush(stdout) == EOF)
        code = APP_ERROR;
    if (dirfd >= 0)
        close(dirfd);
    buf_fini(&out);
    return (enum app_exit)code;
}

enum app_exit app_status(const char *config_path, enum app_status_form form,
                         enum app_status_times times)
{
    struct config c;
    struct err err;
    if (config_load(&c, config_path, &err) < 0) {
        fprintf(stderr, "binlogd: %s\n", err.text);
        return APP_USAGE;
    }
    bool watch = times == APP_STATUS_WATCH;
    bool clear = watch && form == APP_STATUS_SCREEN && isatty(STDOUT_FILENO);
    enum app_exit code = show(&c, form, clear ? CLEAR : "");
    while (watch && !ferror(stdout)) {
        sleep(WATCH_S);
        code = show(&c, form, clear ? CLEAR : form == APP_STATUS_SCREEN ? "\n" : "");
    }
    config_free(&c);
    return code;
}
