/* A source played from files. */
#include "helper_feed.h"

#include "base/mem.h"
#include "binlog/event_body.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void index_source(struct gtid_index *x, struct bytes data)
{
    struct err err;
    int fd = memfd_create("source", MFD_CLOEXEC);
    BUG_ON(fd < 0 || pwrite(fd, data.p, data.n, 0) != (ssize_t)data.n);
    gtid_index_init(x);
    BUG_ON(scan_index(x, fs_posix(), fd, NULL, &err) < 0);
    close(fd);
}

void feed_source_load(struct feed_source *source)
{
    static const char *const names[FEED_FILES] = {"15a-many-gtids-5.7.36.binlog",
                                                  "15b-after-many-gtids-5.7.36.binlog",
                                                  "20-stop-event-5.7.36.binlog"};
    struct err err;
    for (size_t i = 0; i < FEED_FILES; i++) {
        char text[32];
        size_t n;
        uint8_t *p = check_data(names[i], &n);
        source->data[i] = bytes_of(p, n);
        snprintf(text, sizeof text, "mysql-bin.%06zu", i + 1);
        BUG_ON(binfile_name_parse(&source->name[i], bytes_str(text), &err) < 0);
        index_source(&source->index[i], source->data[i]);
    }
}

void feed_source_free(struct feed_source *source)
{
    for (size_t i = 0; i < FEED_FILES; i++) {
        free((void *)(uintptr_t)source->data[i].p);
        gtid_index_fini(&source->index[i]);
    }
}

int feed_cmp(struct feed_place a, struct feed_place b)
{
    if (a.file != b.file)
        return a.file < b.file ? -1 : 1;
    return a.pos < b.pos ? -1 : a.pos > b.pos;
}

/* ---- the loop ---- */

static void on_wake(void *ctx)
{
    struct feed *f = ctx;
    sem_post(&f->wake);
}

static struct feed_place place_of(const struct feed *f, struct store_pos pos)
{
    for (size_t i = 0; i < FEED_FILES; i++)
        if (strcmp(f->source->name[i].text, pos.file) == 0)
            return (struct feed_place){i, pos.pos};
    BUG_ON(pos.file[0]);
    return (struct feed_place){0, 0};
}

struct feed_place feed_t(const struct feed *f)
{
    return place_of(f, store_end(f->store));
}

static void on_durable(void *ctx)
{
    struct feed *f = ctx;
    struct feed_place t = feed_t(f);
    if (f->reported && feed_cmp(t, f->t) < 0)
        f->broken = "T went back";
    if (feed_cmp(place_of(f, store_received(f->store)), t) < 0)
        f->broken = "less was received than is durable";
    if (t.pos) {
        f->reported = true;
        f->t = t;
    }
}

static void on_room(void *ctx)
{
    struct feed *f = ctx;
    f->rooms++;
}

static void on_failed(void *ctx, const struct err *err)
{
    struct feed *f = ctx;
    if (f->failed)
        f->broken = "a failure was told twice";
    f->failed = true;
    f->err = *err;
}

static const struct store_events events = {on_durable, on_room, on_failed};

void feed_work(struct feed *f)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    BUG_ON(sem_timedwait(&f->wake, &until) < 0);
    while (sem_trywait(&f->wake) == 0)
        continue;
    store_work(f->store);
}

int feed_open(struct feed *f, const struct feed_source *source, const char *dir,
              const struct fs *fs)
{
    size_t batch = f->batch ? f->batch : 1000, ring = f->ring_size ? f->ring_size : 1u << 16;
    *f = (struct feed){.source = source, .batch = batch, .ring_size = ring};
    sem_init(&f->wake, 0, 0);
    struct store_opts opts = {dir, fs, ring, on_wake, f};
    f->store = store_open(&opts, &f->err);
    if (!f->store) {
        sem_destroy(&f->wake);
        return -1;
    }
    store_set_events(f->store, &events, f);
    return 0;
}

void feed_close(struct feed *f)
{
    if (!f->store)
        return;
    store_close(f->store);
    sem_destroy(&f->wake);
    f->store = NULL;
}

/* ---- feeding ---- */

static int finish_settle(struct feed *f)
{
    while (!f->failed && !store_settled(f->store))
        feed_work(f);
    if (f->failed)
        return -1;
    if (!store_source(f->store)[0] &&
        store_new_epoch(f->store, FEED_SOURCE, STORE_DIVERGES, &f->err) < 0) {
        f->failed = true;
        return -1;
    }
    f->at = place_of(f, store_resume_pos(f->store));
    f->trx.state = TRX_OUTSIDE;
    f->gtid.gno = 0;
    return 0;
}

int feed_settle(struct feed *f)
{
    store_resume(f->store);
    return finish_settle(f);
}

int feed_settle_from_start(struct feed *f)
{
    store_resume_from_start(f->store);
    return finish_settle(f);
}

static struct bytes event_at(const struct feed_source *source, struct feed_place at)
{
    struct bytes rest = bytes_skip(source->data[at.file], (size_t)at.pos);
    return bytes_of(rest.p, le32(rest.p + 9));
}

static int begin_file(struct feed *f)
{
    while (!f->failed && !store_can_begin_file(f->store))
        feed_work(f);
    if (f->failed || store_begin_file(f->store, &f->source->name[f->at.file], &f->err) < 0)
        return -1;
    f->at.pos = EVENT_MAGIC_LEN;
    return 0;
}

static void note_gtids(struct feed *f, const struct event_header *h, struct bytes event)
{
    struct bytes body = bytes_of(event.p, event.n - f->fde.crc_len);
    if (h->type == EVENT_GTID)
        BUG_ON(event_gtid_decode(&f->gtid, h, body, &f->err) < 0);
    if (h->type == EVENT_PREVIOUS_GTIDS)
        BUG_ON(store_set_previous_gtids(f->store, event_previous_gtids_set(body), &f->err) < 0);
    if (h->type == EVENT_MARIADB_GTID_LIST)
        BUG_ON(store_set_gtid_list(f->store, body, &f->err) < 0);
    if (h->type == EVENT_MARIADB_GTID) {
        struct maria_gtid gtid;
        uint8_t flags;
        BUG_ON(maria_gtid_decode(&gtid, &flags, h, body, &f->err) < 0);
        store_begin_maria_gtid(f->store, &gtid);
    }
}

int feed_event(struct feed *f)
{
    struct bytes format = event_at(f->source, (struct feed_place){f->at.file, EVENT_MAGIC_LEN});
    BUG_ON(fde_decode(&f->fde, format, &f->err) < 0);
    if (f->at.pos == 0 && begin_file(f) < 0)
        return -1;
    struct event_header h;
    struct bytes event = event_at(f->source, f->at);
    event_header_decode(&h, event.p);
    while (!f->failed && !store_has_room(f->store, event.n + EVENT_MAGIC_LEN))
        feed_work(f);
    if (f->failed)
        return -1;
    note_gtids(f, &h, event);
    enum trx_verdict v = trx_feed(&f->trx, &f->fde, &h, event);
    bool ended = v == TRX_ENDED;
    store_append(f->store, event);
    store_event_end(f->store, h.length, v, ended && f->gtid.gno ? &f->gtid : NULL);
    if (ended)
        f->gtid.gno = 0;
    f->at.pos += h.length;
    if (f->at.pos == f->source->data[f->at.file].n && f->at.file + 1 < FEED_FILES)
        f->at = (struct feed_place){f->at.file + 1, 0};
    return 0;
}

int feed_sync(struct feed *f)
{
    store_publish(f->store);
    store_hurry(f->store);
    store_work(f->store);
    while (!f->failed && store_synced(f->store) < store_offset(f->store))
        feed_work(f);
    if (f->failed)
        return -1;
    store_work(f->store);
    return 0;
}

int feed_until(struct feed *f, struct feed_place end)
{
    for (size_t n = 1; feed_cmp(f->at, end) < 0; n++)
        if (feed_event(f) < 0 || (n % f->batch == 0 && feed_sync(f) < 0))
            return -1;
    return feed_sync(f);
}

struct feed_place feed_end(const struct feed_source *source)
{
    return (struct feed_place){FEED_FILES - 1, source->data[FEED_FILES - 1].n};
}

int feed_all(struct feed *f)
{
    return feed_until(f, feed_end(f->source));
}

/* ---- checking ---- */

static char *read_file(const char *dir, const char *name, size_t *n)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s/%s", dir, FEED_FOLDER, name);
    FILE *in = fopen(path, "rb");
    if (!in)
        return NULL;
    char *data = mem_alloc(1u << 16);
    *n = fread(data, 1, 1u << 16, in);
    fclose(in);
    return data;
}

static const char *check_file(const struct feed *f, const char *dir, size_t i, bool recovered)
{
    struct feed_place t = feed_t(f);
    struct bytes want = f->source->data[i];
    size_t n, least = i < t.file ? want.n : (size_t)t.pos;
    char *data = read_file(dir, f->source->name[i].text, &n);
    const char *wrong = NULL;
    if (!data)
        return "a file is missing";
    if (n < least || n > want.n || memcmp(data, want.p, n) != 0)
        wrong = "bytes differ from the source's";
    else if (recovered && n != least)
        wrong = "there are bytes behind T";
    free(data);
    return wrong;
}

static const char *check_index(const struct feed *f, const char *dir)
{
    struct buf want;
    size_t n;
    char *data = read_file(dir, "mysql-bin.index", &n);
    buf_init(&want);
    for (size_t i = 0; i < store_files(f->store)->n; i++)
        wr_fmt(&want, "./%s\n", f->source->name[i].text);
    bool same = data && bytes_eq(bytes_of(data, n), buf_bytes(&want));
    buf_fini(&want);
    free(data);
    return same ? NULL : "the index differs";
}

/* Previous_gtids of file `first` and all GTIDs from there to T. */
static void expected_gtids(const struct feed *f, size_t first, struct gtid_set *set)
{
    struct feed_place t = feed_t(f), at = {first, EVENT_MAGIC_LEN};
    struct err err;
    while (feed_cmp(at, t) < 0) {
        struct event_header h;
        struct gtid g = {0};
        struct bytes event = event_at(f->source, at);
        event_header_decode(&h, event.p);
        struct bytes body = bytes_of(event.p, event.n - EVENT_CRC);
        if (h.type == EVENT_GTID && event_gtid_decode(&g, &h, body, &err) == 0)
            gtid_set_add(set, &g);
        if (h.type == EVENT_PREVIOUS_GTIDS && at.file == first)
            BUG_ON(gtid_set_decode(event_previous_gtids_set(body), set, &err) < 0);
        at.pos += h.length;
        if (at.pos == f->source->data[at.file].n && at.file + 1 < FEED_FILES)
            at = (struct feed_place){at.file + 1, EVENT_MAGIC_LEN};
    }
}

static bool gtids_as_from(const struct feed *f, size_t first)
{
    struct gtid_set want;
    gtid_set_init(&want);
    expected_gtids(f, first, &want);
    bool same = gtid_set_equal(&want, store_gtids(f->store));
    gtid_set_fini(&want);
    return same;
}

/* A store that was opened has the set of its last file, one that began with the first file that
 * one's: the source files at hand leave some numbers out between them. */
static bool gtids_ok(const struct feed *f)
{
    size_t last = feed_t(f).file;
    for (size_t first = 0; first <= last; first++)
        if (gtids_as_from(f, first))
            return true;
    return false;
}

/* Of complete files what is known is what they hold. */
static bool gtid_index_ok(const struct feed *f)
{
    const struct gtid_set *has = store_gtids(f->store);
    for (size_t i = 0; i < feed_t(f).file; i++) {
        struct gtid_run got = store_gtid_run(f->store, &f->source->name[i], 0, has);
        struct gtid_run want = gtid_index_run(&f->source->index[i], 0, has);
        if (got.from != got.to && (got.from != want.from || got.to != want.to))
            return false;
    }
    return true;
}

const char *feed_check(const struct feed *f, const char *dir, bool recovered)
{
    const struct binfile_list *files = store_files(f->store);
    struct feed_place t = feed_t(f);
    if (f->broken)
        return f->broken;
    if (!files->n)
        return t.pos ? "a place without files" : NULL;
    if (files->n < t.file + 1 || (recovered && files->n != t.file + 1))
        return "the list of files does not end at T";
    for (size_t i = 0; i < files->n; i++) {
        const char *wrong = check_file(f, dir, i, recovered);
        if (wrong)
            return wrong;
    }
    if (!gtids_ok(f))
        return "other GTIDs";
    if (!gtid_index_ok(f))
        return "the GTID index is wrong";
    return check_index(f, dir);
}

static int no_sync(int fd)
{
    (void)fd;
    return 0;
}

const struct fs *feed_fast_fs(void)
{
    static struct fs table;
    table = *fs_posix();
    table.fdatasync = table.fsync = no_sync;
    return &table;
}
