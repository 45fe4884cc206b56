/*
 * Packets of a dump after a valid start, with a store that never syncs. The input is a row of
 * parts: one byte of flags (1 FIRST, 2 LAST), two of length, then the bytes. What the stream takes
 * must never make the store's T move beyond what was given.
 */
#include "fuzz.h"

#include "base/log.h"
#include "base/mem.h"
#include "dumper/stream.h"

#include <ftw.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#define RING (4u << 20)

static sem_t wakes;

static void wake(void *ctx)
{
    (void)ctx;
    sem_post(&wakes);
}

static void ignore(void *ctx)
{
    (void)ctx;
}

static void on_failed(void *ctx, const struct err *e)
{
    (void)e;
    *(bool *)ctx = true;
}

static const struct store_events events = {.durable = ignore, .room = ignore, .failed = on_failed};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int no_sync(int fd)
{
    (void)fd;
    return 0;
}

static void settle(struct store *s, const bool *failed)
{
    store_resume(s);
    store_work(s);
    while (!store_settled(s) && !*failed) {
        while (sem_wait(&wakes) < 0)
            ;
        store_work(s);
    }
}

static char dir[] = "/dev/shm/binlogd-fuzz-XXXXXX";

static void remove_dir(void)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* One for all inputs, in memory: each has an epoch of its own. */
static struct store *open_store(void)
{
    static struct fs fast;
    struct err err;
    fast = *fs_posix();
    fast.fdatasync = fast.fsync = no_sync;
    log_set_level(LOG_ERROR);
    BUG_ON(!mkdtemp(dir));
    atexit(remove_dir);
    sem_init(&wakes, 0, 0);
    struct store_opts so = {.directory = dir, .fs = &fast, .ring_size = RING, .wake = wake};
    struct store *s = store_open(&so, &err);
    BUG_ON(!s);
    return s;
}

static void begin_epoch(struct store *s, bool *failed)
{
    char last[sizeof dir + 40];
    struct err err;
    *failed = false;
    store_set_events(s, &events, failed);
    settle(s, failed);
    unsigned before = store_epoch(s);
    BUG_ON(*failed || store_new_epoch(s, "fuzz", STORE_DIVERGES, &err) < 0);
    snprintf(last, sizeof last, "%s/%04u-fuzz", dir, before);
    nftw(last, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Artificial Rotate and format description with checksum NONE, so that a fuzzer gets far. */
static void feed_start(struct stream *st)
{
    static const uint8_t lengths[] = {56, 13, 0,  8,  0,  18, 0, 4,  4,  4, 4,  18, 0, 0,
                                      98, 0,  4,  26, 8,  0,  0, 0,  8,  8, 8,  2,  0, 0,
                                      0,  10, 10, 10, 42, 42, 0, 18, 52, 0, 10, 40, 0, 0};
    static const char version[50] = "8.0.36";
    struct err err;
    struct buf b;
    buf_init(&b);
    wr_u8(&b, 0);
    wr_u32(&b, 0);
    wr_u8(&b, EVENT_ROTATE);
    wr_u32(&b, 7);
    wr_u32(&b, EVENT_HEADER + 8 + 16);
    wr_u32(&b, 0);
    wr_u16(&b, EVENT_FLAG_ARTIFICIAL);
    wr_u64(&b, EVENT_MAGIC_LEN);
    wr_str(&b, "mysql-bin.000001");
    BUG_ON(stream_part(st, buf_bytes(&b), CHANNEL_FIRST | CHANNEL_LAST, &err) != STREAM_TAKEN);
    buf_clear(&b);
    uint32_t n = EVENT_HEADER + 57 + sizeof lengths + 1 + EVENT_CRC;
    wr_u8(&b, 0);
    wr_u32(&b, 1);
    wr_u8(&b, EVENT_FORMAT_DESCRIPTION);
    wr_u32(&b, 7);
    wr_u32(&b, n);
    wr_u32(&b, EVENT_MAGIC_LEN + n);
    wr_u16(&b, 0);
    wr_u16(&b, 4);
    wr_bytes(&b, bytes_of(version, sizeof version));
    wr_u32(&b, 1);
    wr_u8(&b, EVENT_HEADER);
    wr_bytes(&b, bytes_of(lengths, sizeof lengths));
    wr_u8(&b, 0);
    wr_u32(&b, event_crc32(0, bytes_skip(buf_bytes(&b), 1)));
    BUG_ON(stream_part(st, buf_bytes(&b), CHANNEL_FIRST | CHANNEL_LAST, &err) != STREAM_TAKEN);
    buf_fini(&b);
}

/* Flags that the channel could give: a FIRST part after a LAST one only, and the other way round.
 */
static size_t feed_input(struct stream *st, struct bytes input)
{
    struct rd r = rd_of(input);
    struct err err;
    bool first = true;
    size_t given = 0;
    while (rd_left(&r) >= 3) {
        unsigned flags = (first ? CHANNEL_FIRST : 0) | (rd_u8(&r) & CHANNEL_LAST);
        size_t n = rd_u16(&r);
        struct bytes part = rd_bytes(&r, n < rd_left(&r) ? n : rd_left(&r));
        if (stream_part(st, part, flags, &err) != STREAM_TAKEN)
            break;
        given += part.n;
        first = flags & CHANNEL_LAST;
    }
    return given;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct store *s;
    static struct ack_queue acks;
    struct channel channel = {0};
    struct setup_facts facts = {.ack_mode = ACK_EACH};
    struct stream st;
    bool failed;
    if (!s)
        s = open_store();
    begin_epoch(s, &failed);
    ack_reset(&acks, ACK_EACH);
    stream_start(&st, s, &acks, &channel, &facts, NULL, EVENT_MAGIC_LEN);
    uint64_t empty = store_offset(s);
    feed_start(&st);
    uint64_t begun = store_offset(s);
    size_t given = feed_input(&st, bytes_of(data, size));
    /* Each file that begins adds its magic. */
    BUG_ON(store_offset(s) > begun + given + EVENT_MAGIC_LEN * store_files(s)->n);
    store_publish(s);
    settle(s, &failed);
    BUG_ON(failed || store_end(s).pos > store_offset(s) - empty + EVENT_MAGIC_LEN);
    return 0;
}
