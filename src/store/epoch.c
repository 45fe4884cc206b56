/*
 * Epoch folders and their recovery.
 *
 * Recovery leaves every byte up to the last complete transaction as it is. Only the last file may
 * be cut, only behind that point, and what is cut is kept in NAME.torn-TIME first; only it may be
 * replaced, by a copy of the same bytes.
 */
#include "base/log.h"
#include "base/mem.h"
#include "binlog/event.h"
#include "origin.h"
#include "store/watermark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define INDEX_MAX     (64u << 20)
#define HEAD_BYTES    1024u
#define PREVIOUS_MAX  (64u << 20)
#define COPY_PIECE    (1u << 20)
#define TORN_NAME_MAX (BINFILE_NAME_MAX + 40)
#define TORN_TRIES    1000
#define DIRECT_ALIGN  4096u /* of what is read past the page cache */

void epoch_init(struct epoch *e)
{
    *e = (struct epoch){.dirfd = -1};
    gtid_set_init(&e->gtids);
}

void epoch_forget(struct epoch *e, size_t file)
{
    struct epoch_file *f = epoch_file(e, file);
    free((void *)(uintptr_t)f->previous.p);
    maria_state_fini(&f->list);
    gtid_index_fini(&f->index);
    *f = (struct epoch_file){0};
}

void epoch_drop(struct epoch *e, size_t n)
{
    struct epoch_file *f = epoch_file(e, n); /* makes room, so that there are n before it */
    for (size_t i = 0; i < n; i++) {
        e->purged_bytes += e->facts[i].size;
        epoch_forget(e, i);
    }
    memmove(e->facts, f, (e->facts_n - n) * sizeof *f);
    memset(e->facts + e->facts_n - n, 0, n * sizeof *f);
    binfile_list_drop(&e->files, n);
}

void epoch_fini(struct epoch *e)
{
    if (e->dirfd >= 0)
        close(e->dirfd);
    binfile_list_fini(&e->files);
    for (size_t i = 0; i < e->facts_n; i++)
        epoch_forget(e, i);
    free(e->facts);
    gtid_set_fini(&e->gtids);
    maria_state_fini(&e->maria);
    epoch_init(e);
}

size_t epoch_index(const struct epoch *e, uint64_t number)
{
    BUG_ON(!e->files.n || number < e->files.at[0].number);
    return (size_t)(number - e->files.at[0].number);
}

struct epoch_file *epoch_file(struct epoch *e, size_t file)
{
    if (file >= e->facts_n) {
        size_t n = file + 1 + file / 2;
        e->facts = mem_realloc(e->facts, n * sizeof *e->facts);
        memset(e->facts + e->facts_n, 0, (n - e->facts_n) * sizeof *e->facts);
        e->facts_n = n;
    }
    return &e->facts[file];
}

void epoch_set_previous(struct epoch *e, size_t file, struct bytes set)
{
    struct bytes *previous = &epoch_file(e, file)->previous;
    uint8_t *copy = mem_alloc(set.n);
    memcpy(copy, set.p, set.n);
    free((void *)(uintptr_t)previous->p);
    *previous = bytes_of(copy, set.n);
}

void epoch_set_list(struct epoch *e, size_t file, struct maria_state *list)
{
    struct epoch_file *f = epoch_file(e, file);
    f->has_list = true;
    maria_state_swap(&f->list, list);
}

struct bytes epoch_previous(const struct epoch *e, size_t file)
{
    static const uint8_t empty_set[8];
    if (file >= e->facts_n || !e->facts[file].previous.p)
        return bytes_of(empty_set, sizeof empty_set);
    return e->facts[file].previous;
}

/* event: from its header on, without the CRC. */
static void note_previous(struct epoch *e, size_t file, const struct event_header *h,
                          struct bytes event)
{
    struct maria_state list = {0};
    struct err ignored;
    if (h->type == EVENT_PREVIOUS_GTIDS)
        epoch_set_previous(e, file, bytes_skip(event, EVENT_HEADER));
    else if (maria_state_decode(&list, event, &ignored) == 0)
        epoch_set_list(e, file, &list);
    maria_state_fini(&list);
}

/* Reads the event after the format description, if it is Previous_gtids or MariaDB's Gtid_list. */
static int read_previous(struct epoch *e, const struct fs *fs, size_t file, int fd, struct err *err)
{
    uint8_t head[HEAD_BYTES];
    size_t got;
    struct event_header h;
    struct fde format;
    if (fs_pread_full(fs, fd, head, sizeof head, EVENT_MAGIC_LEN, &got, err) < 0)
        return -1;
    if (got < EVENT_HEADER)
        return 0;
    event_header_decode(&h, head);
    uint64_t at = EVENT_MAGIC_LEN + (uint64_t)h.length;
    struct err ignored; /* a bad beginning shows when the file is served or verified */
    if (h.length > got || fde_decode(&format, bytes_of(head, h.length), &ignored) < 0)
        return 0;
    e->format = format;
    epoch_file(e, file)->begun = h.timestamp;
    if (fs_pread_full(fs, fd, head, EVENT_HEADER, (off_t)at, &got, err) < 0)
        return -1;
    event_header_decode(&h, head);
    if (got < EVENT_HEADER ||
        (h.type != EVENT_PREVIOUS_GTIDS && h.type != EVENT_MARIADB_GTID_LIST) ||
        h.length < EVENT_HEADER + (uint32_t)format.crc_len || h.length > PREVIOUS_MAX)
        return 0;
    size_t n = h.length - format.crc_len;
    uint8_t *event = mem_alloc(n);
    int rc = fs_pread_full(fs, fd, event, n, (off_t)at, &got, err);
    if (rc == 0 && got == n)
        note_previous(e, file, &h, bytes_of(event, n));
    free(event);
    return rc;
}

/* "0001-SOURCE"; false for any other name. */
static bool parse_folder(const char *name, unsigned *number, char source[STORE_UUID_MAX])
{
    int end = 0;
    if (sscanf(name, "%9u-%n", number, &end) != 1 || end < 5 || !name[end] ||
        strlen(name + end) >= STORE_UUID_MAX)
        return false;
    strcpy(source, name + end);
    return true;
}

struct newest {
    struct epoch *epoch;
    char *folder; /* of EPOCH_FOLDER_MAX */
};

static void note_folder(void *ctx, const char *name, unsigned char type)
{
    const struct newest *newest = ctx;
    unsigned number;
    char source[STORE_UUID_MAX];
    (void)type;
    if (parse_folder(name, &number, source) && number > newest->epoch->number) {
        newest->epoch->number = number;
        strcpy(newest->epoch->source, source);
        snprintf(newest->folder, EPOCH_FOLDER_MAX, "%.*s", EPOCH_FOLDER_MAX - 1, name);
    }
}

static int find_newest(struct epoch *e, const struct fs *fs, int rootfd,
                       char folder[EPOCH_FOLDER_MAX], struct err *err)
{
    struct newest newest = {e, folder};
    folder[0] = 0;
    if (fs_list(fs, rootfd, note_folder, &newest, err) < 0)
        return err_prefix(err, "cannot list the data directory");
    return 0;
}

/* In a name. */
static size_t put_time(char *dst, size_t cap)
{
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    return strftime(dst, cap, "%Y%m%dT%H%M%SZ", &tm);
}

/* Makes an empty file for what is set aside, under a name that nothing has; its fd, or -1. */
static int create_torn(const struct epoch *e, const struct fs *fs, const struct binfile_name *name,
                       char torn[TORN_NAME_MAX], struct err *err)
{
    int n = snprintf(torn, TORN_NAME_MAX, "%s.torn-", name->text);
    n += (int)put_time(torn + n, (size_t)(TORN_NAME_MAX - n));
    for (unsigned i = 2;; i++) { /* a start that failed may be tried again in the same second */
        int fd = fs->openat(e->dirfd, torn, O_WRONLY | O_CREAT | O_EXCL, FS_FILE_MODE);
        if (fd >= 0)
            return fd;
        if (errno != EEXIST || i > TORN_TRIES)
            return err_io(err, errno, "cannot create %s", torn);
        snprintf(torn + n, (size_t)(TORN_NAME_MAX - n), "-%u", i);
    }
}

/* Bytes of one file for another, where they begin at 0. */
struct copy {
    int fd;
    int out;
    uint64_t from, to;
};

static int copy_bytes(struct copy c, const struct fs *fs, struct err *err)
{
    uint8_t *piece = mem_alloc(COPY_PIECE);
    int rc = 0;
    for (uint64_t at = c.from; at < c.to && rc == 0; at += COPY_PIECE) {
        size_t got;
        size_t want = c.to - at < COPY_PIECE ? (size_t)(c.to - at) : COPY_PIECE;
        rc = fs_pread_full(fs, c.fd, piece, want, (off_t)at, &got, err);
        if (rc == 0)
            rc = fs_pwrite_all(fs, c.out, bytes_of(piece, got), (off_t)(at - c.from), err);
    }
    free(piece);
    return rc;
}

static int save_tail(const struct epoch *e, const struct fs *fs, int fd, const struct scan *scan,
                     const struct binfile_name *name, struct err *err)
{
    char torn[TORN_NAME_MAX];
    int out = create_torn(e, fs, name, torn, err);
    if (out < 0)
        return -1;
    log_warn("store", "%s ends in %llu bytes that are no complete transaction%s%s: kept in %s, cut",
             name->text, (unsigned long long)(scan->size - scan->trx_end),
             scan->verdict == SCAN_TORN ? ", torn by a crash: " : "",
             scan->verdict == SCAN_TORN ? scan->reason : "", torn);
    int rc = copy_bytes((struct copy){fd, out, scan->trx_end, scan->size}, fs, err);
    if (rc == 0 && fs->fsync(out) < 0)
        rc = err_io(err, errno, "fsync");
    fs->close(out);
    if (rc == 0)
        return 0;
    fs->unlinkat(e->dirfd, torn, 0); /* a part of a tail is no use, and the disk may be full */
    return err_prefix(err, "cannot keep the end of %s in %s", name->text, torn);
}

static int cut_tail(const struct epoch *e, const struct fs *fs, int fd, const struct scan *scan,
                    const struct binfile_name *name, struct err *err)
{
    /* The copy's name must be durable before the only other copy goes. */
    if (save_tail(e, fs, fd, scan, name, err) < 0)
        return -1;
    if (fs->fsync(e->dirfd) < 0)
        return err_io(err, errno, "cannot fsync the directory of %s", name->text);
    if (fs->ftruncate(fd, (off_t)scan->trx_end) < 0)
        return err_io(err, errno, "cannot cut %s", name->text);
    if (fs->fdatasync(fd) < 0)
        return err_io(err, errno, "cannot fdatasync %s", name->text);
    return 0;
}

/* A file without a whole Format_description holds no event: it is as if it had not been begun. */
static int drop_unbegun(struct epoch *e, const struct fs *fs, const struct scan *scan,
                        struct err *err)
{
    const struct binfile_name *name = &e->files.at[e->files.n - 1];
    char torn[TORN_NAME_MAX];
    int out = create_torn(e, fs, name, torn, err); /* to be replaced: so nothing else is */
    if (out < 0)
        return -1;
    fs->close(out);
    log_warn("store", "%s has no complete first event (%llu bytes): moved to %s", name->text,
             (unsigned long long)scan->size, torn);
    if (fs->renameat(e->dirfd, name->text, e->dirfd, torn) < 0 || fs->fsync(e->dirfd) < 0)
        return err_io(err, errno, "cannot move %s aside", name->text);
    e->files.n--;
    return 0;
}

static int take_scan(struct epoch *e, const struct fs *fs, int fd, struct scan *scan,
                     struct err *err)
{
    const struct binfile_name *name = &e->files.at[e->files.n - 1];
    if (scan->verdict == SCAN_CORRUPT)
        return err_kind_set(err, ERR_CORRUPT, "%s: %s; nothing was changed", name->text,
                            scan->reason);
    if (!scan->trx_end)
        return drop_unbegun(e, fs, scan, err);
    if (scan->trx_end < scan->size && cut_tail(e, fs, fd, scan, name, err) < 0)
        return -1;
    e->end = (struct place){name->number, scan->trx_end, scan->last_start, 0};
    e->newest = scan->newest;
    gtid_set_swap(&e->gtids, &scan->gtids);
    maria_state_swap(&e->maria, &scan->maria);
    gtid_index_swap(&epoch_file(e, e->files.n - 1)->index, &scan->index);
    epoch_file(e, e->files.n - 1)->checked = true;
    return 0;
}

/* What scan_file is to know of the file. */
static uint64_t bound_in(const struct binfile_name *name, const struct watermark *mark)
{
    if (strcmp(mark->name.text, name->text) == 0)
        return mark->pos;
    return mark->known && mark->name.number < name->number ? SCAN_BEHIND_BOUND : 0;
}

/* Whether the disk has what a read shows from `from` on, as far as can be told. direct: the file,
 * open with O_DIRECT. */
static int compare_with_disk(const struct fs *fs, int fd, int direct, uint64_t from, bool *same,
                             struct err *err)
{
    uint8_t *shown = mem_alloc(COPY_PIECE);
    uint8_t *stored = aligned_alloc(DIRECT_ALIGN, COPY_PIECE);
    mem_need(stored);
    size_t got;
    int rc;
    *same = true;
    from -= from % DIRECT_ALIGN;
    do {
        rc = fs_pread_full(fs, fd, shown, COPY_PIECE, (off_t)from, &got, err);
        if (rc < 0)
            break;
        ssize_t n = fs->pread(direct, stored, COPY_PIECE, (off_t)from);
        if (n < 0 && errno == EINVAL)
            break; /* its blocks are larger */
        *same = n == (ssize_t)got && memcmp(shown, stored, got) == 0;
        from += COPY_PIECE;
    } while (*same && got == COPY_PIECE);
    free(stored);
    free(shown);
    return rc;
}

static int look_at_disk(const struct epoch *e, const struct fs *fs, int fd, const char *name,
                        uint64_t from, bool *same, struct err *err)
{
    *same = true;
    int direct = fs->openat(e->dirfd, name, O_RDONLY | O_DIRECT, 0);
    if (direct < 0) /* EINVAL: the file system reads through the page cache only */
        return errno == EINVAL ? 0 : err_io(err, errno, "cannot open %s", name);
    int rc = compare_with_disk(fs, fd, direct, from, same, err);
    fs->close(direct);
    return rc < 0 ? err_prefix(err, "cannot read %s", name) : 0;
}

static int fill_and_rename(const struct epoch *e, const struct fs *fs, struct copy *copy,
                           const char *tmp, const char *name, struct err *err)
{
    struct stat st;
    if (fs->fstat(copy->fd, &st) < 0)
        return err_io(err, errno, "stat");
    copy->to = (uint64_t)st.st_size;
    if (copy_bytes(*copy, fs, err) < 0)
        return -1;
    if (fs->fsync(copy->out) < 0)
        return err_io(err, errno, "fsync");
    if (fs->renameat(e->dirfd, tmp, e->dirfd, name) < 0)
        return err_io(err, errno, "rename");
    return fs->fsync(e->dirfd) < 0 ? err_io(err, errno, "fsync of the directory") : 0;
}

/* Puts a copy of what a read shows in the file's place, durable on return; fd is the copy's then.
 * Until the copy is whole and synced nothing is changed. */
static int replace_by_copy(const struct epoch *e, const struct fs *fs, int *fd, const char *tmp,
                           const char *name, struct err *err)
{
    log_warn("store",
             "%s does not stand on the disk as it reads, after an error of the disk: it is "
             "written anew",
             name);
    int out = fs->openat(e->dirfd, tmp, O_RDWR | O_CREAT | O_TRUNC, FS_FILE_MODE);
    if (out < 0)
        return err_io(err, errno, "cannot create %s", tmp);
    struct copy copy = {.fd = *fd, .out = out};
    if (fill_and_rename(e, fs, &copy, tmp, name, err) < 0) {
        fs->close(out);
        fs->unlinkat(e->dirfd, tmp, 0);
        return err_prefix(err, "cannot write %s anew", name);
    }
    fs->close(*fd);
    *fd = out;
    return 0;
}

/* Makes sure that the disk has what a read of the last file shows: the dump request that follows is
 * an ACK for all that is found here. Up to the bound it has. Behind it, what a killed daemon wrote
 * is synced; but after a sync that failed the kernel goes on to show pages that never got there,
 * and no later sync covers them, for they count as clean. It is asked to forget them, and need not.
 * Even written again in their place they may not get there: ext4 then leaves their blocks marked as
 * holding nothing. */
static int make_sure(const struct epoch *e, const struct fs *fs, int *fd, uint64_t bound,
                     struct err *err)
{
    const char *name = e->files.at[e->files.n - 1].text;
    char tmp[BINFILE_NAME_MAX + 8];
    bool same;
    snprintf(tmp, sizeof tmp, "%s.tmp", name);
    if (fs->fdatasync(*fd) < 0)
        return err_io(err, errno, "cannot fdatasync %s", name);
    (void)posix_fadvise(*fd, (off_t)bound, 0, POSIX_FADV_DONTNEED);
    if (look_at_disk(e, fs, *fd, name, bound, &same, err) < 0)
        return -1;
    if (!same)
        return replace_by_copy(e, fs, fd, tmp, name, err);
    fs->unlinkat(e->dirfd, tmp, 0); /* of a copy that a crash ended */
    return 0;
}

static int scan_last(struct epoch *e, const struct fs *fs, const struct watermark *mark,
                     struct err *err)
{
    const struct binfile_name *name = &e->files.at[e->files.n - 1];
    int fd = fs->openat(e->dirfd, name->text, O_RDWR, 0);
    if (fd < 0)
        return err_io(err, errno, "cannot open %s", name->text);
    uint64_t durable = bound_in(name, mark);
    if (make_sure(e, fs, &fd, durable == SCAN_BEHIND_BOUND ? 0 : durable, err) < 0) {
        fs->close(fd);
        return -1;
    }
    struct scan scan;
    int rc = scan_file(&scan, fs, fd, durable, err);
    if (rc == 0)
        rc = take_scan(e, fs, fd, &scan, err);
    scan_fini(&scan);
    fs->close(fd);
    return rc;
}

static bool has_events_behind_format(const struct place *end)
{
    return end->last_start > EVENT_MAGIC_LEN;
}

/* When a crash left nothing of the last file but its first event, the GTIDs are those of the file
 * before: the Previous_gtids event that would say so is among what was lost. */
static int add_gtids_before(struct epoch *e, const struct fs *fs, struct err *err)
{
    if (e->files.n < 2 || has_events_behind_format(&e->end))
        return 0;
    const char *name = e->files.at[e->files.n - 2].text;
    int fd = fs->openat(e->dirfd, name, O_RDONLY, 0);
    if (fd < 0)
        return err_io(err, errno, "cannot open %s", name);
    struct scan scan;
    int rc = scan_file(&scan, fs, fd, 0, err);
    if (rc == 0 && scan.verdict != SCAN_CLEAN)
        rc = err_kind_set(err, ERR_CORRUPT, "%s: %s; nothing was changed", name, scan.reason);
    if (rc == 0) {
        gtid_set_union(&e->gtids, &scan.gtids);
        maria_state_swap(&e->maria, &scan.maria);
    }
    scan_fini(&scan);
    fs->close(fd);
    return rc;
}

static int check_chain(const struct epoch *e, const struct watermark *mark, struct err *err)
{
    const struct binfile_list *l = &e->files;
    for (size_t i = 1; i < l->n; i++)
        if (!binfile_same_base(&l->at[i - 1], &l->at[i]) ||
            l->at[i].number != l->at[i - 1].number + 1)
            return err_kind_set(err, ERR_CORRUPT,
                                "the files are no unbroken sequence: %s is followed by %s",
                                l->at[i - 1].text, l->at[i].text);
    if (mark->name.text[0] && (!l->n || l->at[l->n - 1].number < mark->name.number))
        return err_kind_set(err, ERR_CORRUPT, "%s was stored, but it is gone", mark->name.text);
    return 0;
}

/* The index is derived: the directory is right when the two differ. */
static int repair_index(const struct epoch *e, const struct fs *fs, struct err *err)
{
    if (!e->files.n)
        return 0;
    char name[BINFILE_NAME_MAX + 8];
    char *text = NULL;
    size_t n = 0;
    struct err ignored;
    struct buf want;
    buf_init(&want);
    binfile_index_name(&e->files.at[0], name);
    binfile_index_format(&e->files, &want);
    int rc = fs_read_file(fs, e->dirfd, name, INDEX_MAX, &text, &n, &ignored);
    if (rc < 0 || !text || !bytes_eq(bytes_of(text, n), buf_bytes(&want))) {
        log_warn("store", "%s %s: made anew from the directory", name,
                 text ? "differs from the files that are there" : "is missing");
        rc = fs_write_atomic(fs, e->dirfd, name, buf_bytes(&want), err);
    }
    free(text);
    buf_fini(&want);
    return rc;
}

static int note_file(struct epoch *e, const struct fs *fs, size_t file, int fd, struct err *err)
{
    struct stat st;
    if (fs->fstat(fd, &st) < 0)
        return err_io(err, errno, "cannot stat %s", e->files.at[file].text);
    if (read_previous(e, fs, file, fd, err) < 0)
        return -1;
    if (file + 1 < e->files.n)
        e->closed_bytes += epoch_file(e, file)->size = (uint64_t)st.st_size;
    return 0;
}

static int sync_file(struct epoch *e, const struct fs *fs, size_t file, struct err *err)
{
    const char *name = e->files.at[file].text;
    int fd = fs->openat(e->dirfd, name, O_RDONLY, 0);
    if (fd < 0)
        return err_io(err, errno, "cannot open %s", name);
    int rc = fs->fdatasync(fd);
    if (rc < 0)
        err_io(err, errno, "cannot fdatasync %s", name);
    else
        rc = note_file(e, fs, file, fd, err);
    fs->close(fd);
    return rc;
}

/* What the next dump request acknowledges must not rest on what a killed process had done: files
 * and directories are synced again, which costs next to nothing where nothing is dirty. */
static int sync_all(struct epoch *e, const struct fs *fs, int rootfd, struct err *err)
{
    for (size_t i = 0; i < e->files.n; i++)
        if (sync_file(e, fs, i, err) < 0)
            return -1;
    e->end.before = e->closed_bytes;
    if (fs->fsync(e->dirfd) < 0 || fs->fsync(rootfd) < 0)
        return err_io(err, errno, "cannot fsync the directory");
    return 0;
}

static int recover(struct epoch *e, const struct fs *fs, int rootfd, struct err *err)
{
    struct watermark mark;
    watermark_read(&mark, fs, e->dirfd);
    if (binfile_list_read_dir(&e->files, fs, e->dirfd, err) < 0 || check_chain(e, &mark, err) < 0)
        return -1;
    while (e->files.n && !e->end.pos)
        if (scan_last(e, fs, &mark, err) < 0)
            return -1;
    if (add_gtids_before(e, fs, err) < 0)
        return -1;
    return sync_all(e, fs, rootfd, err) < 0 ? -1 : repair_index(e, fs, err);
}

/* What a folder holds before its first file. */
static void remove_own_files(const struct fs *fs, int dirfd)
{
    static const char *const ours[] = {ORIGIN_FILE, ORIGIN_FILE ".tmp", WATERMARK_FILE,
                                       WATERMARK_FILE ".tmp"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        fs->unlinkat(dirfd, ours[i], 0);
}

/* An epoch that follows another and holds no file did not begin: the source is judged again from
 * the one before, which says where to go on. Until its name is gone `follows` stays, without which
 * that would be forgotten. Whatever else it holds, as the end of a torn file, is kept. 1 when it
 * was removed; -1 when nothing may be stored in it, for it is not known by which name it will be
 * found. */
static int remove_unbegun(struct epoch *e, const struct fs *fs, int rootfd, const char *folder,
                          struct err *err)
{
    char aside[EPOCH_FOLDER_MAX + 40];
    if (e->files.n || e->number <= 1)
        return 0;
    int n = snprintf(aside, sizeof aside, "unbegun-%s-", folder);
    put_time(aside + n, sizeof aside - (size_t)n);
    if (fs->renameat(rootfd, folder, rootfd, aside) < 0)
        return 0;
    if (fs->fsync(rootfd) < 0)
        return err_io(err, errno, "cannot move %s aside", folder);
    remove_own_files(fs, e->dirfd);
    bool kept = fs->unlinkat(rootfd, aside, AT_REMOVEDIR) < 0;
    log_info("store", "removed %s, in which nothing was stored%s%s", folder,
             kept ? "; what else was in it is in " : "", kept ? aside : "");
    epoch_fini(e);
    return 1;
}

/* Opens the folder with the highest number; there may be none. */
static int open_newest(struct epoch *e, const struct fs *fs, int rootfd,
                       char folder[EPOCH_FOLDER_MAX], struct err *err)
{
    if (find_newest(e, fs, rootfd, folder, err) < 0)
        return -1;
    if (e->number)
        e->dirfd = fs_open_dir(fs, rootfd, folder, err);
    return e->number && e->dirfd < 0 ? -1 : 0;
}

int epoch_open_newest(struct epoch *e, const struct fs *fs, int rootfd, struct err *err)
{
    char folder[EPOCH_FOLDER_MAX];
    int removed;
    do {
        if (open_newest(e, fs, rootfd, folder, err) < 0)
            return -1;
        if (!e->number)
            return 0;
        if (recover(e, fs, rootfd, err) < 0)
            return err_prefix(err, "%s", folder);
        removed = remove_unbegun(e, fs, rootfd, folder, err);
    } while (removed > 0);
    return removed;
}

/* A file that nobody writes. */
static int look_into_file(struct epoch *e, const struct fs *fs, size_t file, struct err *err)
{
    int fd = fs->openat(e->dirfd, e->files.at[file].text, O_RDONLY, 0);
    if (fd < 0)
        return err_io(err, errno, "cannot open %s", e->files.at[file].text);
    int rc = note_file(e, fs, file, fd, err);
    fs->close(fd);
    return rc;
}

/* One file, as far as it is complete; the last may be in the midst of being written. */
static int look_at_file(struct epoch *e, const struct fs *fs, size_t file, struct err *err)
{
    const struct binfile_name *name = &e->files.at[file];
    int fd = fs->openat(e->dirfd, name->text, O_RDONLY, 0);
    if (fd < 0)
        return err_io(err, errno, "cannot open %s", name->text);
    int rc = 0;
    if (e->end.pos) {
        rc = note_file(e, fs, file, fd, err);
    } else {
        struct scan scan;
        rc = scan_file(&scan, fs, fd, 0, err);
        e->end = (struct place){name->number, scan.trx_end, scan.last_start, 0};
        e->newest = scan.newest;
        scan_fini(&scan);
    }
    fs->close(fd);
    return rc;
}

static int look(struct epoch *e, const struct fs *fs, struct err *err)
{
    static const struct watermark none;
    if (binfile_list_read_dir(&e->files, fs, e->dirfd, err) < 0 || check_chain(e, &none, err) < 0)
        return -1;
    for (; e->files.n; e->files.n--) {
        if (look_at_file(e, fs, e->files.n - 1, err) < 0)
            return -1;
        if (e->end.pos)
            break;
    }
    for (size_t i = 0; i < e->files.n; i++)
        if (look_at_file(e, fs, i, err) < 0)
            return -1;
    e->end.before = e->closed_bytes;
    return 0;
}

int epoch_look(struct epoch *e, const struct fs *fs, int rootfd, struct err *err)
{
    char folder[EPOCH_FOLDER_MAX];
    if (open_newest(e, fs, rootfd, folder, err) < 0)
        return -1;
    return e->number && look(e, fs, err) < 0 ? err_prefix(err, "%s", folder) : 0;
}

static int open_complete(struct epoch *e, const struct fs *fs, int rootfd, const char *folder,
                         struct err *err)
{
    static const struct watermark none;
    e->dirfd = fs_open_dir(fs, rootfd, folder, err);
    if (e->dirfd < 0)
        return -1;
    if (binfile_list_read_dir(&e->files, fs, e->dirfd, err) < 0 || check_chain(e, &none, err) < 0)
        return err_prefix(err, "%s", folder);
    for (size_t i = 0; i < e->files.n; i++)
        if (look_into_file(e, fs, i, err) < 0)
            return err_prefix(err, "%s", folder);
    return 0;
}

int epoch_open_complete(struct epoch *e, const struct fs *fs, int rootfd, const char *folder,
                        struct err *err)
{
    if (!parse_folder(folder, &e->number, e->source))
        return err_set(err, "\"%s\" is no name of an epoch", folder);
    return open_complete(e, fs, rootfd, folder, err);
}

void epoch_folder(unsigned number, const char *source, char dst[EPOCH_FOLDER_MAX])
{
    snprintf(dst, EPOCH_FOLDER_MAX, "%04u-%.*s", number, STORE_UUID_MAX - 1, source);
}

static int fill_folder(const struct epoch_create_opts *o, int dirfd, struct err *err)
{
    if (o->before && origin_write(o->before, o->follow, o->fs, dirfd, err) < 0)
        return -1;
    if (watermark_begin(o->fs, dirfd, err) < 0 && err->kind != ERR_NO_SPACE)
        return -1; /* where there is no room the folder is without a bound for a while */
    return 0;
}

/* The folder may be there: an attempt that found no room did not get further, and left it when it
 * could not be removed either. */
static int make_folder(const struct epoch_create_opts *o, const char *folder, struct err *err)
{
    if (o->fs->mkdirat(o->rootfd, folder, FS_DIR_MODE) < 0 && errno != EEXIST)
        return err_io(err, errno, "cannot make the folder %s", folder);
    int fd = fs_open_dir(o->fs, o->rootfd, folder, err);
    if (fd < 0)
        return -1;
    if (fill_folder(o, fd, err) == 0)
        return fd;
    remove_own_files(o->fs, fd);
    o->fs->close(fd);
    o->fs->unlinkat(o->rootfd, folder, AT_REMOVEDIR);
    return err_prefix(err, "%s", folder);
}

int epoch_create(struct epoch *e, const struct epoch_create_opts *o, struct err *err)
{
    char folder[EPOCH_FOLDER_MAX];
    epoch_folder(o->number, o->source, folder);
    epoch_init(e);
    int fd = make_folder(o, folder, err);
    if (fd < 0)
        return -1;
    if (o->fs->fsync(o->rootfd) < 0) {
        err_io(err, errno, "cannot fsync the data directory");
        err->kind = ERR_IO; /* whatever the reason, a second try would prove nothing */
        o->fs->close(fd);
        return -1;
    }
    e->dirfd = fd;
    e->number = o->number;
    snprintf(e->source, sizeof e->source, "%s", o->source);
    return 0;
}
