/*
 * The store: directory, present epoch, appending, and what of it is durable.
 *
 * Bytes go straight into the journal's ring. Marks remember, for stream offsets that were
 * published, where the last complete transaction ended and which GTIDs ended there; when the
 * journal has synced past a mark, T moves to it.
 */
#include "store/store.h"

#include "archive.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "indexer.h"
#include "purge.h"
#include "store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define LOCK_FILE "binlogd.lock"
#define UUID_FILE "server-uuid"
#define MARKS_MAX 16384u /* a power of two */

/* GTIDs of one uuid and tag that followed each other, gtid.gno .. last, or events without one. */
struct mark {
    uint64_t offset; /* stream offset; all before it durable: the mark holds */
    struct place end;
    struct gtid gtid; /* gno 0: none */
    uint64_t last;
    struct maria_gtid maria; /* the last of one domain and server_id; seq 0: none */
};

struct store {
    struct store_opts opts;
    const struct store_events *events;
    void *events_ctx;
    void (*moved)(void *ctx); /* may be NULL */
    void *moved_ctx;
    int rootfd;
    int lockfd;
    char uuid[RAND_UUID_CHARS + 1];
    struct epoch epoch;
    struct archive archive;
    struct indexer indexer;
    struct journal *journal;

    enum {
        STORE_READY,    /* bytes may be appended */
        STORE_DRAINING, /* awaits that all published bytes are durable */
        STORE_REOPENING /* awaits that the last file is cut and open */
    } phase;
    bool from_start;
    uint64_t base; /* file position = stream offset - base, modulo 2^64 */
    uint64_t received_pos;
    size_t room; /* a lower bound of the journal's */
    bool room_wanted;
    struct mark open;   /* not yet published */
    uint64_t open_end;  /* stream offset of its end */
    uint64_t event_end; /* stream offset of the end of the last whole event */
    bool open_used;
    struct maria_gtid maria; /* of the transaction that is about to end; seq 0: none */
    struct mark marks[MARKS_MAX];
    uint64_t marks_head; /* of a ring: [tail, head) */
    uint64_t marks_tail;
    uint64_t synced; /* of the journal, when T was moved last: ACKs and T follow the same */
    bool failed;
    struct cursor *cursors;
    uint64_t keep;        /* number of a file */
    struct purge *purge;  /* NULL: nothing is being removed */
    struct err purge_err; /* why nothing can be removed any more; text "" else */
    struct store_purge_stats purged;
};

/* ---- opening and closing ---- */

/* Makes the data directory's own name durable: what lies in it is worth no more than that. */
static int sync_parent(struct store *s, struct err *err)
{
    const struct fs *fs = s->opts.fs;
    int fd = fs_open_dir(fs, s->rootfd, "..", err);
    if (fd < 0)
        return -1;
    int rc = fs->fsync(fd);
    if (rc < 0)
        err_io(err, errno, "cannot fsync the directory above %s", s->opts.directory);
    fs->close(fd);
    return rc;
}

static int open_root(struct store *s, struct err *err)
{
    const char *path = s->opts.directory;
    bool made = s->opts.fs->mkdirat(AT_FDCWD, path, FS_DIR_MODE) == 0;
    if (!made && errno != EEXIST)
        return err_set(err, "cannot make the data directory %s: %s", path, strerrordesc_np(errno));
    s->rootfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* may itself be a link */
    if (s->rootfd < 0)
        return err_set(err, "cannot open the data directory %s: %s", path, strerrordesc_np(errno));
    struct stat st;
    if (fstat(s->rootfd, &st) < 0)
        return err_io(err, errno, "cannot stat the data directory %s", path);
    if (st.st_uid != geteuid())
        return err_set(err,
                       "the data directory %s belongs to user id %u, not to %u, which binlogd "
                       "runs as: chown it",
                       path, st.st_uid, geteuid());
    return made ? sync_parent(s, err) : 0;
}

static int lock_root(struct store *s, struct err *err)
{
    s->lockfd = s->opts.fs->openat(s->rootfd, LOCK_FILE, O_RDWR | O_CREAT, FS_FILE_MODE);
    if (s->lockfd < 0)
        return err_set(err, "cannot create %s in %s: %s", LOCK_FILE, s->opts.directory,
                       strerrordesc_np(errno));
    if (flock(s->lockfd, LOCK_EX | LOCK_NB) < 0)
        return err_set(err,
                       "another binlogd is running on %s: stop it, or give this one a "
                       "directory of its own",
                       s->opts.directory);
    return 0;
}

static int load_uuid(struct store *s, struct err *err)
{
    char *text;
    size_t n;
    if (fs_read_file(s->opts.fs, s->rootfd, UUID_FILE, 256, &text, &n, err) < 0)
        return -1;
    uint8_t sid[GTID_SID_BYTES];
    if (text) {
        while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
            n--;
        int rc = gtid_uuid_parse(bytes_of(text, n), sid, err);
        if (rc == 0)
            snprintf(s->uuid, sizeof s->uuid, "%.*s", (int)n, text);
        free(text);
        return rc < 0 ? err_prefix(err, "%s/%s", s->opts.directory, UUID_FILE) : 0;
    }
    rand_uuid(s->uuid);
    char line[RAND_UUID_CHARS + 2];
    snprintf(line, sizeof line, "%s\n", s->uuid);
    return fs_write_atomic(s->opts.fs, s->rootfd, UUID_FILE, bytes_str(line), err);
}

static int open_all(struct store *s, struct err *err)
{
    if (open_root(s, err) < 0 || lock_root(s, err) < 0 || load_uuid(s, err) < 0)
        return -1;
    if (epoch_open_newest(&s->epoch, s->opts.fs, s->rootfd, err) < 0)
        return -1;
    archive_load(&s->archive, s->opts.fs, s->rootfd, &s->epoch);
    return 0;
}

static void ignore(void *ctx)
{
    (void)ctx;
}

static void ignore_failure(void *ctx, const struct err *err)
{
    (void)ctx;
    (void)err;
}

static const struct store_events no_events = {ignore, ignore, ignore_failure};

struct store *store_open(const struct store_opts *opts, struct err *err)
{
    struct store *s = mem_alloc(sizeof *s);
    s->opts = *opts;
    s->keep = STORE_KEEP_NONE;
    s->events = &no_events;
    s->rootfd = s->lockfd = -1;
    epoch_init(&s->epoch);
    if (open_all(s, err) < 0) {
        store_close(s);
        return NULL;
    }
    s->received_pos = s->epoch.end.pos;
    struct journal_opts jo = {opts->fs, opts->ring_size, opts->wake, opts->wake_ctx};
    s->journal = journal_new(&jo);
    indexer_init(&s->indexer, opts->fs, &s->epoch, opts->wake, opts->wake_ctx);
    return s;
}

struct store *store_look(const char *directory, const struct fs *fs, struct err *err)
{
    struct store *s = mem_alloc(sizeof *s);
    s->opts = (struct store_opts){.directory = directory, .fs = fs};
    s->keep = STORE_KEEP_NONE;
    s->events = &no_events;
    s->lockfd = -1;
    epoch_init(&s->epoch);
    s->rootfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->rootfd < 0)
        err_set(err, "cannot open the data directory %s: %s", directory, strerrordesc_np(errno));
    if (s->rootfd < 0 || epoch_look(&s->epoch, fs, s->rootfd, err) < 0) {
        store_close(s);
        return NULL;
    }
    s->received_pos = s->epoch.end.pos;
    return s;
}

static bool apply_marks(struct store *s, uint64_t synced);

int store_stop(struct store *s, struct err *err)
{
    int rc = journal_stop(s->journal, err);
    apply_marks(s, journal_synced(s->journal)); /* so that the bound that is left is the true one */
    indexer_work(&s->indexer);
    indexer_stop(&s->indexer);
    return rc;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    indexer_stop(&s->indexer);
    journal_free(s->journal);
    purge_free(s->purge);
    indexer_fini(&s->indexer);
    epoch_fini(&s->epoch);
    archive_clear(&s->archive);
    if (s->lockfd >= 0)
        close(s->lockfd);
    if (s->rootfd >= 0)
        close(s->rootfd);
    free(s);
}

void store_set_events(struct store *s, const struct store_events *events, void *ctx)
{
    s->events = events ? events : &no_events;
    s->events_ctx = ctx;
}

/* ---- what is there ---- */

const char *store_server_uuid(const struct store *s)
{
    return s->uuid;
}

const char *store_source(const struct store *s)
{
    return s->epoch.source;
}

unsigned store_epoch(const struct store *s)
{
    return s->epoch.number;
}

/* What a new epoch follows: one that holds nothing does not count, as it will not at a start. */
static const struct epoch *to_follow(const struct store *s)
{
    const struct epoch *older = archive_last(&s->archive);
    if (!s->epoch.number)
        return NULL;
    return !s->epoch.files.n && older ? older : &s->epoch;
}

static void replace_epoch(struct store *s, struct epoch *next, enum store_follow follow)
{
    if (follow == STORE_JOINS) {
        gtid_set_copy(&next->gtids, &s->epoch.gtids);
        archive_add(&s->archive, &s->epoch);
    } else {
        archive_clear(&s->archive);
        epoch_fini(&s->epoch);
    }
    s->epoch = *next;
}

int store_new_epoch(struct store *s, const char *source, enum store_follow follow, struct err *err)
{
    struct epoch next;
    struct epoch_create_opts opts = {s->opts.fs, s->rootfd,    s->epoch.number + 1,
                                     source,     to_follow(s), follow};
    BUG_ON(s->epoch.dirfd >= 0 && !store_settled(s));
    journal_bound(s->journal, NULL, 0); /* it would be noted in the wrong folder */
    s->keep = STORE_KEEP_NONE;
    if (s->purge)
        purge_leave_epoch(s->purge);
    if (epoch_create(&next, &opts, err) < 0)
        return -1;
    replace_epoch(s, &next, follow);
    indexer_forget(&s->indexer);
    s->received_pos = 0;
    return 0;
}

bool store_empty(const struct store *s)
{
    return s->epoch.files.n == 0;
}

/* The file being appended. */
static size_t last_file(const struct store *s)
{
    return s->epoch.files.n - 1;
}

/* The file of T. */
static size_t end_file(const struct store *s)
{
    return epoch_index(&s->epoch, s->epoch.end.file);
}

/* In the file of T. */
static struct store_pos pos_at_end(const struct store *s, uint64_t pos)
{
    if (!s->epoch.end.pos)
        return (struct store_pos){store_empty(s) ? "" : s->epoch.files.at[0].text, 0};
    return (struct store_pos){s->epoch.files.at[end_file(s)].text, pos};
}

struct store_pos store_resume_pos(const struct store *s)
{
    return pos_at_end(s, s->epoch.end.last_start);
}

struct store_pos store_end(const struct store *s)
{
    return pos_at_end(s, s->epoch.end.pos);
}

struct point store_end_point(const struct store *s)
{
    if (!s->epoch.end.pos)
        return (struct point){store_empty(s) ? 0 : s->epoch.number, 0, 0};
    return (struct point){s->epoch.number, s->epoch.end.file, s->epoch.end.pos};
}

struct point store_write_point(const struct store *s)
{
    if (store_empty(s))
        return (struct point){0, 0, 0};
    return (struct point){s->epoch.number, store_write_file(s)->number, store_write_pos(s)};
}

/* An epoch of the chain, or NULL. */
static const struct epoch *find_epoch(const struct store *s, unsigned number)
{
    return number == s->epoch.number ? &s->epoch : archive_find(&s->archive, number);
}

struct store_pos store_pos_of(const struct store *s, const struct point *p)
{
    const struct epoch *e = find_epoch(s, p->epoch);
    for (size_t i = e ? e->files.n : 0; i-- > 0;)
        if (e->files.at[i].number == p->file)
            return (struct store_pos){e->files.at[i].text, p->pos};
    return (struct store_pos){"", 0};
}

struct store_pos store_received(const struct store *s)
{
    if (store_empty(s))
        return (struct store_pos){"", 0};
    return (struct store_pos){s->epoch.files.at[last_file(s)].text, s->received_pos};
}

const struct gtid_set *store_gtids(const struct store *s)
{
    return &s->epoch.gtids;
}

const struct binfile_list *store_files(const struct store *s)
{
    return &s->epoch.files;
}

const struct binfile_name *store_file(const struct store *s, uint64_t number)
{
    return &s->epoch.files.at[epoch_index(&s->epoch, number)];
}

size_t store_serving(const struct store *s)
{
    return s->epoch.end.pos ? end_file(s) + 1 : 0;
}

const struct maria_state *store_maria(const struct store *s)
{
    return &s->epoch.maria;
}

const struct maria_state *store_gtid_list(const struct store *s, size_t i)
{
    const struct epoch *e = &s->epoch;
    return i < e->facts_n && e->facts[i].has_list ? &e->facts[i].list : NULL;
}

bool store_serves(const struct store *s, const struct binfile_name *file)
{
    ssize_t at = binfile_list_find(&s->epoch.files, file);
    return at >= 0 && (size_t)at < store_serving(s);
}

int store_open_file(const struct store *s, const struct binfile_name *file, struct err *err)
{
    return store_open_chained(s, s->epoch.number, file, err);
}

bool store_chains(const struct store *s, unsigned epoch)
{
    return find_epoch(s, epoch);
}

int store_open_chained(const struct store *s, unsigned epoch, const struct binfile_name *file,
                       struct err *err)
{
    const struct epoch *e = find_epoch(s, epoch);
    BUG_ON(!e);
    int fd = s->opts.fs->openat(e->dirfd, file->text, O_RDONLY, 0);
    return fd < 0 ? err_io(err, errno, "cannot open %s", file->text) : fd;
}

static struct store_chained chained(const struct epoch *e, size_t file)
{
    return (struct store_chained){e->number, &e->files.at[file], epoch_previous(e, file)};
}

size_t store_chain_files(const struct store *s)
{
    size_t n = store_serving(s);
    for (size_t i = 0; i < s->archive.n; i++)
        n += s->archive.at[i].files.n;
    return n;
}

struct store_chained store_chain_file(const struct store *s, size_t i)
{
    const struct epoch *e = s->archive.at, *end = e + s->archive.n;
    for (; e != end && i >= e->files.n; e++)
        i -= e->files.n;
    return chained(e != end ? e : &s->epoch, i);
}

const struct gtid_set *store_chain_gtids(const struct store *s, unsigned epoch)
{
    const struct epoch *e = archive_find(&s->archive, epoch);
    return e ? &e->gtids : NULL;
}

bool store_next_chained(const struct store *s, unsigned epoch, const struct binfile_name *file,
                        struct store_chained *next)
{
    size_t n = store_chain_files(s);
    for (size_t i = n; i-- > 1;) {
        struct store_chained at = store_chain_file(s, i - 1);
        if (at.epoch == epoch && binfile_name_eq(at.file, file)) {
            *next = store_chain_file(s, i);
            return true;
        }
    }
    return false;
}

const struct fs *store_fs(const struct store *s)
{
    return s->opts.fs;
}

void store_set_reader(struct store *s, void (*moved)(void *ctx), void *ctx)
{
    s->moved = moved;
    s->moved_ctx = ctx;
}

uint64_t store_bytes(const struct store *s)
{
    return s->epoch.closed_bytes - s->epoch.purged_bytes + (store_empty(s) ? 0 : s->received_pos);
}

void store_journal_stats(struct store *s, struct journal_stats *stats)
{
    journal_stats(s->journal, stats);
}

uint64_t store_offset(const struct store *s)
{
    return journal_offset(s->journal);
}

uint64_t store_synced(const struct store *s)
{
    return s->synced;
}

uint64_t store_write_pos(const struct store *s)
{
    return journal_offset(s->journal) - s->base;
}

const struct binfile_name *store_write_file(const struct store *s)
{
    return store_empty(s) ? NULL : &s->epoch.files.at[last_file(s)];
}

bool store_is_checked(const struct store *s, unsigned epoch, const struct binfile_name *file)
{
    ssize_t i = epoch == s->epoch.number ? binfile_list_find(&s->epoch.files, file) : -1;
    return i >= 0 && (size_t)i < s->epoch.facts_n && s->epoch.facts[i].checked;
}

void store_uncheck(struct store *s, unsigned epoch, const struct binfile_name *file)
{
    ssize_t i = epoch == s->epoch.number ? binfile_list_find(&s->epoch.files, file) : -1;
    if (i >= 0)
        epoch_file(&s->epoch, (size_t)i)->checked = false;
}

/* ---- resuming ---- */

static void begin_resume(struct store *s, bool from_start)
{
    s->maria.seq = 0;
    journal_rewind(s->journal, s->event_end); /* the beginning of an event that did not end */
    store_publish(s);
    store_hurry(s);
    s->from_start = from_start;
    s->phase = STORE_DRAINING;
    store_work(s);
}

void store_resume(struct store *s)
{
    begin_resume(s, false);
}

void store_resume_from_start(struct store *s)
{
    begin_resume(s, true);
}

bool store_settled(const struct store *s)
{
    return s->phase == STORE_READY;
}

struct bytes store_fde(const struct store *s)
{
    if (store_empty(s))
        return bytes_of("", 0);
    struct bytes head = journal_head(s->journal);
    BUG_ON(head.n < EVENT_MAGIC_LEN + EVENT_HEADER); /* recovery saw the event */
    struct event_header h;
    head = bytes_skip(head, EVENT_MAGIC_LEN);
    event_header_decode(&h, head.p);
    return bytes_of(head.p, h.length < head.n ? h.length : head.n);
}

uint64_t store_free_space(const struct store *s)
{
    struct statvfs st;
    return fstatvfs(s->rootfd, &st) < 0 ? 0 : (uint64_t)st.f_bavail * st.f_frsize;
}

uint64_t store_disk_size(const struct store *s)
{
    struct statvfs st;
    return fstatvfs(s->rootfd, &st) < 0 ? 0 : (uint64_t)st.f_blocks * st.f_frsize;
}

int store_set_previous_gtids(struct store *s, struct bytes encoded, struct err *err)
{
    struct gtid_set set;
    gtid_set_init(&set);
    int rc = gtid_set_decode(encoded, &set, err);
    const struct epoch *older = archive_last(&s->archive);
    if (rc == 0 && last_file(s) == 0 && older && !gtid_set_is_subset(&set, &older->gtids))
        rc = err_kind_set(err, ERR_DIVERGED,
                          "%s begins behind transactions that are not stored here: files are "
                          "missing before it",
                          s->epoch.files.at[0].text);
    if (rc == 0) {
        epoch_set_previous(&s->epoch, last_file(s), encoded);
        if (last_file(s) == 0)
            gtid_set_union(&s->epoch.gtids, &set);
    }
    gtid_set_fini(&set);
    return rc;
}

int store_set_gtid_list(struct store *s, struct bytes event, struct err *err)
{
    struct maria_state list = {0};
    struct epoch *e = &s->epoch;
    int rc = maria_state_decode(&list, event, err);
    if (rc == 0)
        epoch_set_list(e, last_file(s), &list);
    if (rc == 0 && last_file(s) == 0 && !e->maria.n)
        rc = maria_state_decode(&e->maria, event, err);
    maria_state_fini(&list);
    return rc;
}

void store_begin_maria_gtid(struct store *s, const struct maria_gtid *gtid)
{
    s->maria = *gtid;
}

void store_set_format(struct store *s, const struct fde *format)
{
    s->epoch.format = *format;
}

const struct fde *store_format(const struct store *s)
{
    return &s->epoch.format;
}

uint64_t store_file_size(const struct store *s, size_t i)
{
    return i == end_file(s) ? s->epoch.end.pos : s->epoch.facts[i].size;
}

struct bytes store_previous_gtids(const struct store *s, size_t i)
{
    return epoch_previous(&s->epoch, i);
}

struct gtid_run store_gtid_run(const struct store *s, const struct binfile_name *file, uint64_t pos,
                               const struct gtid_set *has)
{
    static const struct gtid_index none;
    ssize_t at = binfile_list_find(&s->epoch.files, file);
    bool known = at >= 0 && (size_t)at < s->epoch.facts_n;
    return gtid_index_run(known ? &s->epoch.facts[at].index : &none, pos, has);
}

static bool drained(const struct store *s, uint64_t synced)
{
    return synced == journal_offset(s->journal) &&
           journal_applied(s->journal) == journal_switched(s->journal);
}

/* Files that were begun behind T hold nothing that counts. Of the last of them, `unmade` were not
 * made by this store: one that is there under such a name is not its to remove. */
static void drop_begun_files(struct store *s, uint64_t unmade)
{
    struct epoch *e = &s->epoch;
    size_t keep = store_serving(s);
    for (; e->files.n > keep; e->files.n--) {
        if (unmade)
            unmade--;
        else
            s->opts.fs->unlinkat(e->dirfd, e->files.at[e->files.n - 1].text, 0);
    }
    e->closed_bytes = e->end.before;
    s->received_pos = e->end.pos;
}

/* All is durable that ever will be of the last connection: T stands still now. */
static void reopen_at_end(struct store *s)
{
    struct epoch *e = &s->epoch;
    s->phase = STORE_REOPENING;
    drop_begun_files(s, 0);
    s->event_end = journal_offset(s->journal);
    if (store_empty(s))
        return;
    if (s->from_start)
        e->end.last_start = EVENT_MAGIC_LEN;
    s->base = s->event_end - e->end.last_start;
    struct journal_target target = {
        .dirfd = e->dirfd,
        .name = e->files.at[last_file(s)],
        .start = e->end.last_start,
        .size = e->end.pos,
    };
    journal_switch(s->journal, &target);
}

/* synced: up to where marks were applied; a later value could be ahead of T. */
static void advance_resume(struct store *s, uint64_t synced)
{
    if (s->phase == STORE_DRAINING && drained(s, synced))
        reopen_at_end(s);
    if (s->phase == STORE_REOPENING && drained(s, synced))
        s->phase = STORE_READY;
}

void store_restart(struct store *s)
{
    uint64_t unmade = journal_switched(s->journal) - journal_applied(s->journal);
    journal_restart(s->journal);
    s->marks_tail = s->marks_head;
    s->open_used = false;
    s->event_end = s->synced = journal_offset(s->journal);
    s->failed = false;
    drop_begun_files(s, unmade);
}

/* ---- appending ---- */

static bool marks_full(const struct store *s)
{
    return s->marks_head - s->marks_tail >= MARKS_MAX - 2;
}

bool store_has_room(struct store *s, size_t n)
{
    if (s->room < n)
        s->room = journal_room(s->journal);
    if (s->room >= n && !marks_full(s))
        return true;
    s->room_wanted = true;
    return false;
}

bool store_can_begin_file(struct store *s)
{
    bool can = journal_can_switch(s->journal) && store_has_room(s, EVENT_MAGIC_LEN);
    s->room_wanted = !can;
    return can;
}

static int check_successor(const struct store *s, const struct binfile_name *name, struct err *err)
{
    if (store_empty(s))
        return 0;
    const struct binfile_name *last = &s->epoch.files.at[s->epoch.files.n - 1];
    if (store_write_pos(s) < s->received_pos)
        return err_kind_set(err, ERR_DIVERGED,
                            "%s ends at %llu on the source, but %llu bytes of it are stored here: "
                            "the source lost the end of its log",
                            last->text, (unsigned long long)store_write_pos(s),
                            (unsigned long long)s->received_pos);
    if (binfile_same_base(last, name) && name->number == last->number + 1)
        return 0;
    return err_kind_set(err, ERR_DIVERGED,
                        "the source goes on with the file %s after %s: its logs were reset, or "
                        "files are missing",
                        name->text, last->text);
}

int store_begin_file(struct store *s, const struct binfile_name *name, struct err *err)
{
    if (check_successor(s, name, err) < 0)
        return -1;
    if (!store_empty(s)) {
        s->epoch.closed_bytes += epoch_file(&s->epoch, last_file(s))->size = s->received_pos;
        s->received_pos = 0;
    }
    store_publish(s);
    binfile_list_add(&s->epoch.files, name);
    epoch_file(&s->epoch, last_file(s))->checked = true;
    epoch_forget(&s->epoch, last_file(s)); /* of one that was dropped */
    s->epoch.newest = 0;
    s->base = journal_offset(s->journal);
    struct journal_target target = {
        .dirfd = s->epoch.dirfd,
        .name = *name,
        .create = true,
        .index_text = binfile_index_text(&s->epoch.files),
    };
    journal_switch(s->journal, &target);
    store_append(s, event_magic());
    return 0;
}

void store_append(struct store *s, struct bytes data)
{
    BUG_ON(data.n > s->room);
    s->room -= data.n;
    journal_put(s->journal, data);
}

static void seal_mark(struct store *s, uint64_t offset)
{
    if (!s->open_used)
        return;
    s->open.offset = offset;
    s->marks[s->marks_head++ & (MARKS_MAX - 1)] = s->open;
    s->open_used = false;
}

/* Whether what ends with the GTID, or with none, goes into the mark. */
static bool mark_takes(const struct mark *m, const struct gtid *gtid)
{
    if (!gtid || !m->gtid.gno)
        return !gtid && !m->gtid.gno;
    return gtid->gno == m->last + 1 && gtid_source_cmp(&m->gtid, gtid) == 0;
}

static void mark_event(struct store *s, const struct gtid *gtid)
{
    struct mark *m = &s->open;
    if (s->open_used && !mark_takes(m, gtid))
        seal_mark(s, s->open_end);
    if (!s->open_used) {
        m->gtid = gtid ? *gtid : (struct gtid){0};
        m->maria.seq = 0;
    }
    m->last = gtid ? gtid->gno : 0;
    s->open_used = true;
}

/* As mark_event. Only the last number of a domain and server_id counts, so that those of one server
 * share a mark. */
static void mark_maria(struct store *s, uint64_t previous_end)
{
    struct mark *m = &s->open;
    bool same = m->maria.domain == s->maria.domain && m->maria.server_id == s->maria.server_id;
    if (s->open_used && m->maria.seq && !same)
        seal_mark(s, previous_end);
    m->maria = s->maria;
}

void store_event_end(struct store *s, uint32_t length, enum trx_verdict verdict,
                     const struct gtid *gtid)
{
    uint64_t offset = journal_offset(s->journal);
    uint64_t pos = offset - s->base;
    s->event_end = offset;
    if (pos > s->received_pos) /* else it was stored before and is compared */
        s->received_pos = pos;
    if (verdict == TRX_INSIDE)
        return;
    mark_event(s, gtid);
    if (verdict == TRX_ENDED && s->maria.seq)
        mark_maria(s, s->open_end);
    s->maria.seq = 0;
    s->open_used = true;
    s->open.end =
        (struct place){store_write_file(s)->number, pos, pos - length, s->epoch.closed_bytes};
    s->open_end = offset;
}

void store_publish(struct store *s)
{
    seal_mark(s, s->open_end);
    journal_publish(s->journal);
}

void store_hurry(struct store *s)
{
    journal_hurry(s->journal);
}

void store_event_time(struct store *s, uint32_t timestamp)
{
    struct epoch_file *f = epoch_file(&s->epoch, last_file(s));
    if (!f->begun)
        f->begun = timestamp;
    if (timestamp > s->epoch.newest)
        s->epoch.newest = timestamp;
}

/* ---- removing ---- */

uint32_t store_file_begun(const struct store *s, size_t i)
{
    return i < s->epoch.facts_n ? s->epoch.facts[i].begun : 0;
}

uint32_t store_newest_time(const struct store *s)
{
    return s->epoch.newest;
}

void store_add_cursor(struct store *s, struct cursor *c)
{
    c->next = s->cursors;
    c->link = &s->cursors;
    if (c->next)
        c->next->link = &c->next;
    s->cursors = c;
}

void store_remove_cursor(struct cursor *c)
{
    if (!c->link)
        return;
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    c->next = NULL;
    c->link = NULL;
}

void store_keep(struct store *s, uint64_t number)
{
    s->keep = number;
}

void store_hold(const struct store *s, struct store_hold *hold)
{
    size_t serving = store_serving(s);
    *hold = (struct store_hold){serving > STORE_KEEP_FILES ? serving - STORE_KEEP_FILES : 0, 0};
    while (hold->n && s->epoch.files.at[hold->n - 1].number >= s->keep)
        hold->n--;
    for (const struct cursor *c = s->cursors; c; c = c->next) {
        bool older = c->epoch != s->epoch.number;
        if (older && (c->scope == CURSOR_IN_EPOCH || !store_chains(s, c->epoch)))
            continue;
        size_t i = older ? 0 : epoch_index(&s->epoch, c->file.number); /* it comes to all of them */
        if (i < hold->n)
            *hold = (struct store_hold){i, 0};
        hold->readers += i == hold->n;
    }
}

static void on_purged(void *ctx)
{
    struct store *s = ctx;
    log_debug("store", "all that was purged is removed");
    purge_free(s->purge);
    s->purge = NULL;
}

/* Whether a failure is news: none was told, or one that would pass. */
static bool may_fail(const struct store *s)
{
    struct err err;
    return !s->failed || (journal_failed(s->journal, &err) && err.kind == ERR_NO_SPACE);
}

/* Files behind one that is still there must not go: the rest of them would be no sequence. */
static void on_purge_failed(void *ctx, const struct err *err)
{
    struct store *s = ctx;
    s->purge_err = *err;
    purge_free(s->purge);
    s->purge = NULL;
    log_error("store", "nothing more is removed before the next start: %s", s->purge_err.text);
    if (s->purge_err.kind == ERR_IO && may_fail(s)) {
        s->failed = true;
        s->events->failed(s->events_ctx, &s->purge_err);
    }
}

static int begin_purge(struct store *s, struct worker *worker, struct err *err)
{
    if (*s->purge_err.text)
        return err_kind_set(err, ERR_OTHER, "an earlier purge failed: %s", s->purge_err.text);
    if (s->purge && purge_left_epoch(s->purge))
        return err_set(err, "files of an earlier source are still being removed");
    if (s->purge)
        return 0;
    struct purge_opts opts = {s->opts.fs, s->journal,      worker, &s->epoch,
                              on_purged,  on_purge_failed, s};
    s->purge = purge_new(&opts, err);
    return s->purge ? 0 : -1;
}

/* Without its first files an epoch may not go on any more where the one before it ends. */
static void check_joint(struct store *s)
{
    const struct epoch *older = archive_last(&s->archive);
    if (!older || archive_joins(older, epoch_previous(&s->epoch, 0)))
        return;
    log_info("store", "files of older epochs are not served any more: those that follow them go");
    archive_clear(&s->archive);
}

int store_purge(struct store *s, struct worker *worker, size_t n, struct err *err)
{
    struct store_hold hold;
    store_hold(s, &hold);
    BUG_ON(n > hold.n);
    if (!n)
        return 0;
    if (begin_purge(s, worker, err) < 0)
        return -1;
    struct binfile_list gone = {0};
    for (size_t i = 0; i < n; i++) {
        binfile_list_add(&gone, &s->epoch.files.at[i]);
        s->purged.bytes += store_file_size(s, i);
    }
    s->purged.files += n;
    epoch_drop(&s->epoch, n);
    check_joint(s);
    purge_add(s->purge, gone.at, gone.n);
    binfile_list_fini(&gone);
    return 0;
}

bool store_purging(const struct store *s)
{
    return s->purge;
}

void store_purge_stats(const struct store *s, struct store_purge_stats *stats)
{
    *stats = s->purged;
    stats->error = s->purge_err.text;
}

/* ---- what became durable ---- */

/* T is about to move from `from` to the mark. */
static void index_mark(struct store *s, const struct place *from, const struct mark *m)
{
    struct epoch *e = &s->epoch;
    struct gtid_index *index = &epoch_file(e, epoch_index(e, m->end.file))->index;
    bool other_file = from->pos && from->file != m->end.file;
    uint64_t pos = from->pos && !other_file ? from->pos : EVENT_MAGIC_LEN;
    if (m->gtid.gno)
        gtid_index_add(index, pos, m->end.pos, &m->gtid, m->last);
    else
        gtid_index_break(index);
    if (other_file)
        indexer_complete(&s->indexer, epoch_index(e, from->file));
}

/* Whether T moved. */
static bool apply_mark(struct store *s, const struct mark *m)
{
    struct place *end = &s->epoch.end;
    if (m->gtid.gno)
        gtid_set_add_range(&s->epoch.gtids, &m->gtid, m->gtid.gno, m->last);
    if (m->end.file < end->file || (m->end.file == end->file && m->end.pos <= end->pos))
        return false; /* what is compared again after a resume lies before T */
    if (m->maria.seq)
        maria_state_update(&s->epoch.maria, &m->maria);
    index_mark(s, end, m);
    *end = m->end;
    return true;
}

/* True when T moved. */
static bool apply_marks(struct store *s, uint64_t synced)
{
    bool moved = false;
    s->synced = synced;
    while (s->marks_tail != s->marks_head) {
        const struct mark *m = &s->marks[s->marks_tail & (MARKS_MAX - 1)];
        if (m->offset > synced)
            break;
        moved |= apply_mark(s, m);
        s->marks_tail++;
    }
    if (moved)
        journal_bound(s->journal, &s->epoch.files.at[end_file(s)], s->epoch.end.pos);
    return moved;
}

static void look_at_journal(struct store *s)
{
    struct err err;
    uint64_t synced = journal_synced(s->journal);
    bool moved = apply_marks(s, synced);
    advance_resume(s, synced);
    if (!s->failed && journal_failed(s->journal, &err)) {
        s->failed = true;
        apply_marks(s, journal_synced(s->journal)); /* it stands still now, and T with it */
        s->events->failed(s->events_ctx, &err);
        return;
    }
    if (!s->events) { /* nobody appends: the wake was the index's */
        indexer_work(&s->indexer);
        return;
    }
    s->events->durable(s->events_ctx);
    if (s->room_wanted) {
        s->room_wanted = false;
        s->events->room(s->events_ctx);
    }
    if (moved && s->moved) /* after: the ACK comes first */
        s->moved(s->moved_ctx);
    indexer_work(&s->indexer);
}

void store_work(struct store *s)
{
    look_at_journal(s);
    if (s->purge)
        purge_step(s->purge);
}
