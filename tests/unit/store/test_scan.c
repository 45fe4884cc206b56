/* Scans of real and of made files: how far they are good, and whether what follows is a torn tail
 * or damage. */
#include "check.h"

#include "base/mem.h"
#include "binlog/event.h"
#include "store/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const files[] = {"15a-many-gtids-5.7.36.binlog",
                                    "15b-after-many-gtids-5.7.36.binlog",
                                    "20-stop-event-5.7.36.binlog", "08-xa-5.7.36.binlog"};
#define CHECKSUM_NONE "13a-checksum-switch-none-5.7.36.binlog"

static struct scan scan;
static struct err err;

static int memory_file(void)
{
    int fd = memfd_create("scan", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* Scans an image; scan_fini(&scan) after. */
static void scan_image(struct bytes image, uint64_t durable)
{
    int fd = memory_file();
    assert_int_equal(pwrite(fd, image.p, image.n, 0), image.n);
    assert_int_equal(scan_file(&scan, fs_posix(), fd, durable, &err), 0);
    close(fd);
}

static enum scan_verdict verdict_of(struct bytes image, uint64_t durable)
{
    scan_image(image, durable);
    scan_fini(&scan);
    return scan.verdict;
}

/* The places where no transaction is open, from the events' types: behind Xid, Query that is
 * neither BEGIN nor inside, and events outside. */
static size_t boundaries(struct bytes file, uint64_t at[100])
{
    size_t n = 0;
    bool open = false;
    for (uint64_t pos = 4; pos < file.n; pos += le32(file.p + pos + 9)) {
        const uint8_t *e = file.p + pos;
        uint32_t length = le32(e + 9);
        bool begin = memmem(e, length, "BEGIN", 5) || memmem(e, length, "XA START", 8);
        if (e[4] == EVENT_GTID || (e[4] == EVENT_QUERY && begin))
            open = true;
        else if (e[4] == EVENT_XID || e[4] == EVENT_XA_PREPARE)
            open = false;
        else if (e[4] == EVENT_QUERY && !memmem(e, length, "XA END", 6) &&
                 !memmem(e, length, "insert into x1", 14))
            open = false;
        if (!open)
            at[n++] = pos + length;
    }
    return n;
}

static uint64_t boundary_before(const uint64_t *at, size_t n, uint64_t end)
{
    uint64_t last = 0;
    for (size_t i = 0; i < n && at[i] <= end; i++)
        last = at[i];
    return last;
}

/* ---- whole files and truncations ---- */

static void scan_whole_file_clean(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        size_t n;
        uint8_t *p = check_data(files[i], &n);
        scan_image(bytes_of(p, n), n);
        assert_int_equal(scan.verdict, SCAN_CLEAN);
        assert_int_equal(scan.size, n);
        assert_int_equal(scan.valid_end, n);
        assert_int_equal(scan.trx_end, n);
        assert_true(scan.has_format);
        assert_true(scan.has_previous_gtids);
        scan_fini(&scan);
        free(p);
    }
}

static void assert_gtids(const char *want)
{
    struct buf text;
    buf_init(&text);
    gtid_set_format(&scan.gtids, &text);
    wr_u8(&text, 0);
    assert_string_equal((const char *)text.data, want);
    buf_fini(&text);
}

static void scan_gtids_are_those_up_to_the_last_transaction(void **state)
{
    (void)state;
    size_t n;
    uint8_t *p = check_data(files[0], &n);
    scan_image(bytes_of(p, 1400), 0);
    assert_int_equal(scan.verdict, SCAN_TORN);
    assert_int_equal(scan.trx_end, 1246);
    assert_int_equal(scan.last_start, 1215);
    assert_int_equal(scan.valid_end, 1379);
    assert_gtids("00000000-0000-0000-0000-000000000001:100,"
                 "5960727b-e4bf-11f1-8f36-02fc00000001:1-335,"
                 "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:1-2:5:9223372036854775806");
    scan_fini(&scan);
    free(p);
}

static void scan_tagged_gtids_are_noted(void **state)
{
    (void)state;
    size_t n;
    uint8_t *p = check_data("binlog/9.7-tagged.binlog", &n);
    scan_image(bytes_of(p, 1395), 0); /* up to the second of the three tags */
    assert_int_equal(scan.verdict, SCAN_CLEAN);
    assert_gtids("8ce63931-e4d8-11f1-9a8e-02fc00000001:1-3:tag:1,"
                 "ffeeddcc-bbaa-9988-8081-7f8001020300:tag_2:63");
    scan_fini(&scan);
    free(p);
}

static void scan_every_truncation_torn_at_the_right_boundary(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        size_t n;
        uint64_t at[100];
        uint8_t *p = check_data(files[i], &n);
        size_t count = boundaries(bytes_of(p, n), at);
        for (size_t len = 0; len < n; len++) {
            scan_image(bytes_of(p, len), 0);
            if (scan.valid_end == len)
                assert_int_equal(scan.verdict, SCAN_CLEAN);
            else
                assert_int_equal(scan.verdict, SCAN_TORN);
            assert_int_equal(scan.trx_end, boundary_before(at, count, len));
            scan_fini(&scan);
        }
        free(p);
    }
}

static void scan_shorter_than_the_bound_corrupt(void **state)
{
    (void)state;
    size_t n;
    uint8_t *p = check_data(files[0], &n);
    for (size_t len = 0; len < n; len += 13)
        assert_int_equal(verdict_of(bytes_of(p, len), len + 1), SCAN_CORRUPT);
    scan_image(bytes_of(p, 754), 755);
    assert_string_equal(scan.reason, "the file ends at 754, before what was durable already");
    scan_fini(&scan);
    free(p);
}

/* ---- damage ---- */

#ifdef __SANITIZE_THREAD__
#define BITS 2 /* each scan takes its time there, and there is no thread to watch */
#else
#define BITS 8
#endif

static void scan_each_flipped_byte_below_the_bound_corrupt(void **state)
{
    (void)state;
    size_t n;
    uint8_t *p = check_data(files[2], &n);
    for (size_t i = 0; i < n; i++)
        for (unsigned bit = 0; bit < BITS; bit++) {
            p[i] ^= (uint8_t)(1u << bit);
            enum scan_verdict v = verdict_of(bytes_of(p, n), n);
            /* The in-use flag of the first event is not covered by its CRC. */
            if (i == 4 + 17 && bit == 0)
                assert_int_equal(v, SCAN_CLEAN);
            else if (v != SCAN_CORRUPT)
                fail_msg("bit %u of byte %zu: verdict %d", bit, i, v);
            p[i] ^= (uint8_t)(1u << bit);
        }
    free(p);
}

/* No bound is known, but what follows is good: it was written, so this was once as well. */
static void scan_each_flipped_byte_before_good_events_corrupt(void **state)
{
    (void)state;
    size_t n;
    uint8_t *p = check_data(files[2], &n);
    uint64_t last = 764; /* the start of the last event */
    for (size_t i = 0; i < n; i++) {
        p[i] ^= 0x10;
        enum scan_verdict v = verdict_of(bytes_of(p, n), 0);
        if (v != (i < last ? SCAN_CORRUPT : SCAN_TORN))
            fail_msg("byte %zu: verdict %d", i, v);
        p[i] ^= 0x10;
    }
    p[700] ^= 1;
    scan_image(bytes_of(p, n), 0);
    assert_string_equal(scan.reason, "a wrong CRC in a Write_rows event at 693, with good events "
                                     "behind it");
    assert_int_equal(scan.trx_end, 518);
    scan_fini(&scan);
    free(p);
}

static void scan_flipped_byte_in_the_last_event_torn_above_the_bound(void **state)
{
    (void)state;
    size_t n;
    uint8_t *p = check_data(files[2], &n);
    p[780] ^= 1;
    assert_int_equal(verdict_of(bytes_of(p, n), 764), SCAN_TORN);
    assert_int_equal(verdict_of(bytes_of(p, n), 765), SCAN_CORRUPT);
    free(p);
}

/* What follows the first bad event has to be good itself to tell that it was written. */
static void scan_two_bad_events_in_succession(void **state)
{
    (void)state;
    size_t n;
    uint8_t *p = check_data(files[2], &n);
    p[700] ^= 1; /* in Write_rows */
    p[740] ^= 1; /* in Xid, before Stop at 764 */
    scan_image(bytes_of(p, n), 0);
    assert_int_equal(scan.verdict, SCAN_CORRUPT);
    scan_fini(&scan);
    p[780] ^= 1;
    scan_image(bytes_of(p, n), 0);
    assert_int_equal(scan.verdict, SCAN_TORN);
    assert_string_equal(scan.reason, "a wrong CRC in a Write_rows event at 693");
    assert_int_equal(scan.trx_end, 518);
    scan_fini(&scan);
    free(p);
}

static void scan_first_event_missing_torn_without_an_end(void **state)
{
    (void)state;
    size_t n;
    uint8_t *p = check_data(files[0], &n);
    scan_image(bytes_of(p, 4), 0);
    assert_int_equal(scan.verdict, SCAN_CLEAN);
    assert_int_equal(scan.trx_end, 0);
    assert_false(scan.has_format);
    scan_fini(&scan);
    scan_image(bytes_of("", 0), 0);
    assert_int_equal(scan.verdict, SCAN_CLEAN);
    assert_int_equal(scan.trx_end, 0);
    scan_fini(&scan);
    /* another event stands first */
    memmove(p + 4, p + 123, 71);
    put_le32(p + 4 + 13, 4 + 71);
    put_le32(p + 4 + 71 - 4, event_crc32(0, bytes_of(p + 4, 71 - 4)));
    scan_image(bytes_of(p, 4 + 71), 0);
    assert_int_equal(scan.verdict, SCAN_TORN);
    assert_int_equal(scan.trx_end, 0);
    assert_string_equal(scan.reason, "a Previous_gtids event comes first at 4");
    scan_fini(&scan);
    free(p);
}

/* ---- zeros ---- */

static void scan_zero_filled_tail_torn(void **state)
{
    (void)state;
    size_t n;
    uint64_t at[100];
    uint8_t *p = check_data(files[0], &n);
    uint8_t *image = mem_alloc(n + 5000);
    size_t count = boundaries(bytes_of(p, n), at);
    for (size_t len = 0; len < n; len++) {
        memcpy(image, p, len);
        memset(image + len, 0, n + 5000 - len);
        uint64_t end = boundary_before(at, count, len);
        scan_image(bytes_of(image, n + 5000), end);
        assert_int_equal(scan.verdict, SCAN_TORN);
        assert_true(scan.trx_end >= end); /* the lost byte can be a zero */
        scan_fini(&scan);
    }
    free(image);
    free(p);
}

static void scan_unwritten_sector_before_good_events_torn_above_a_bound_only(void **state)
{
    (void)state;
    static const struct {
        uint64_t from, to, durable;
        enum scan_verdict verdict;
    } cases[] = {
        {512, 1024, 0, SCAN_CORRUPT}, /* no bound: rot is as likely */
        {512, 1024, SCAN_BEHIND_BOUND, SCAN_TORN},
        {0, 512, SCAN_BEHIND_BOUND, SCAN_TORN},
        {100, 200, SCAN_BEHIND_BOUND, SCAN_CORRUPT},
        {512, 1024, 463, SCAN_CORRUPT},  /* of 461 .. 529, some is durable */
        {512, 1024, 461, SCAN_TORN},     /* the sector comes within the event at 461 */
        {512, 1024, 259, SCAN_TORN},     /* an older bound */
        {461, 512, 461, SCAN_TORN},      /* the rest of the bound's own sector */
        {461, 1536, 461, SCAN_TORN},     /* more sectors */
        {600, 700, 461, SCAN_CORRUPT},   /* zeros that are no sector */
        {1024, 1536, 1024, SCAN_CORRUPT} /* below the bound: 1000 .. 1065 is damaged */
    };
    size_t n;
    uint8_t *p = check_data(files[0], &n);
    uint8_t *image = mem_alloc(n);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        memcpy(image, p, n);
        memset(image + cases[i].from, 0, cases[i].to - cases[i].from);
        enum scan_verdict v = verdict_of(bytes_of(image, n), cases[i].durable);
        if (v != cases[i].verdict)
            fail_msg("case %zu: verdict %d", i, v);
    }
    free(image);
    free(p);
}

/* ---- no checksums ---- */

static void scan_checksum_none_follows_the_headers(void **state)
{
    (void)state;
    size_t n;
    uint8_t *p = check_data(CHECKSUM_NONE, &n);
    scan_image(bytes_of(p, n), 0);
    assert_int_equal(scan.verdict, SCAN_CLEAN);
    assert_int_equal(scan.trx_end, n);
    scan_fini(&scan);
    for (size_t len = 0; len < n; len++) {
        scan_image(bytes_of(p, len), 0);
        assert_int_equal(scan.verdict, scan.valid_end == len ? SCAN_CLEAN : SCAN_TORN);
        scan_fini(&scan);
    }
    free(p);
}

/* A Format_description has a CRC there too. */
static void scan_checksum_none_format_in_the_midst_has_a_crc(void **state)
{
    (void)state;
    size_t n;
    uint8_t *p = check_data(CHECKSUM_NONE, &n);
    uint32_t length = le32(p + EVENT_MAGIC_LEN + 9);
    uint8_t *image = mem_alloc(n + length), *format = image + n;
    memcpy(image, p, n);
    memcpy(format, p + EVENT_MAGIC_LEN, length);
    put_le32(format + 13, (uint32_t)(n + length));
    put_le32(format + length - EVENT_CRC, event_crc32(0, bytes_of(format, length - EVENT_CRC)));
    scan_image(bytes_of(image, n + length), 0);
    assert_int_equal(scan.verdict, SCAN_CLEAN);
    assert_int_equal(scan.trx_end, n + length);
    scan_fini(&scan);
    format[30] ^= 1;
    scan_image(bytes_of(image, n + length), 0);
    assert_int_equal(scan.verdict, SCAN_TORN);
    assert_int_equal(scan.trx_end, n);
    assert_int_equal(strncmp(scan.reason, "a wrong CRC in a Format_desc", 28), 0);
    scan_fini(&scan);
    free(image);
    free(p);
}

/* ---- long events and long files ---- */

/* Appends to the file an event of the type at off; its body is zeros but for what is given. */
static uint64_t append_event(int fd, uint64_t off, uint8_t type, struct bytes body, uint32_t length)
{
    static uint8_t zeros[1u << 20];
    uint8_t header[EVENT_HEADER] = {1, 2, 3, 4, type};
    put_le32(header + 9, length);
    put_le32(header + 13, (uint32_t)(off + length));
    uint32_t crc = event_crc32(0, bytes_of(header, sizeof header));
    crc = event_crc32(crc, body);
    for (size_t left = length - EVENT_HEADER - EVENT_CRC - body.n; left;) {
        size_t n = left < sizeof zeros ? left : sizeof zeros;
        crc = event_crc32(crc, bytes_of(zeros, n));
        left -= n;
    }
    uint8_t tail[EVENT_CRC];
    put_le32(tail, crc);
    BUG_ON(pwrite(fd, header, sizeof header, (off_t)off) != sizeof header);
    BUG_ON(pwrite(fd, body.p, body.n, (off_t)off + EVENT_HEADER) != (ssize_t)body.n);
    BUG_ON(pwrite(fd, tail, sizeof tail, (off_t)(off + length - EVENT_CRC)) != sizeof tail);
    return off + length;
}

/* Table_map is inside a transaction, Xid ends it. */
static uint64_t append_trx(int fd, uint64_t off, uint32_t length)
{
    off = append_event(fd, off, EVENT_TABLE_MAP, bytes_of("\1\2\3\4\5\6\7\10", 8), length);
    return append_event(fd, off, EVENT_XID, bytes_of("\1\2\3\4\5\6\7\10", 8), 31);
}

static int file_with_format(uint64_t *off)
{
    size_t n;
    uint8_t *p = check_data(files[0], &n);
    int fd = memory_file();
    assert_int_equal(pwrite(fd, p, 194, 0), 194);
    free(p);
    *off = 194;
    return fd;
}

static void scan_fd(int fd, uint64_t durable)
{
    assert_int_equal(scan_file(&scan, fs_posix(), fd, durable, &err), 0);
}

static void scan_events_around_the_window_clean(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {(4u << 20) - 1, 4u << 20,         (4u << 20) + 1,
                                       (4u << 20) + 4, (8u << 20) + 3,   (8u << 20) + 4,
                                       (8u << 20) + 5, (4u << 20) - 194, 9u << 20};
    uint64_t off;
    int fd = file_with_format(&off);
    for (size_t i = 0; i < COUNT_OF(lengths); i++)
        off = append_trx(fd, off, lengths[i]);
    scan_fd(fd, off);
    assert_int_equal(scan.verdict, SCAN_CLEAN);
    assert_int_equal(scan.trx_end, off);
    assert_int_equal(scan.last_start, off - 31);
    scan_fini(&scan);
    close(fd);
}

static void scan_long_event_damaged_or_torn(void **state)
{
    (void)state;
    static const struct {
        uint64_t at; /* in the long event */
        enum scan_verdict with_end, without_end;
    } cases[] = {{100, SCAN_CORRUPT, SCAN_TORN},
                 {(4u << 20) + 7, SCAN_CORRUPT, SCAN_TORN},
                 {(9u << 20) - 1, SCAN_CORRUPT, SCAN_TORN}};
    uint64_t start;
    int fd = file_with_format(&start);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t end = append_trx(fd, start, 9u << 20);
        uint8_t byte;
        off_t at = (off_t)(start + cases[i].at);
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x20;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        /* A body full of zeros would pass for sectors that were never written, above a bound. */
        scan_fd(fd, 0);
        assert_int_equal(scan.verdict, cases[i].with_end);
        assert_int_equal(scan.trx_end, start);
        scan_fini(&scan);
        assert_int_equal(ftruncate(fd, (off_t)end - 31), 0);
        scan_fd(fd, start);
        assert_int_equal(scan.verdict, cases[i].without_end);
        assert_int_equal(scan.trx_end, start);
        scan_fini(&scan);
        assert_int_equal(ftruncate(fd, (off_t)(start + cases[i].at)), 0);
        scan_fd(fd, start);
        assert_int_equal(scan.verdict, SCAN_TORN);
        assert_int_equal(scan.valid_end, start);
        scan_fini(&scan);
        assert_int_equal(ftruncate(fd, (off_t)start), 0);
    }
    close(fd);
}

/* Five events of 1 GiB less a bit, holes but for their ends, take the file past 4 GiB. */
static void scan_past_the_wrap_of_log_pos_clean(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip();
#endif
    uint64_t off;
    int fd = file_with_format(&off);
    for (int i = 0; i < 4; i++)
        off = append_trx(fd, off, 1u << 30);
    off = append_trx(fd, off, 1000);
    assert_true(off > UINT32_MAX);
    scan_fd(fd, off);
    assert_int_equal(scan.verdict, SCAN_CLEAN);
    assert_int_equal(scan.trx_end, off);
    scan_fini(&scan);
    close(fd);
}

/* An event that begins with the bad place's own sector and ends with another. */
static void scan_good_event_at_a_sectors_begin_after_damage(void **state)
{
    (void)state;
    uint64_t off;
    uint8_t zeros[512] = {0}, byte = 0xff;
    int fd = file_with_format(&off);
    append_event(fd, off, EVENT_TABLE_MAP, bytes_of("\1\2\3\4\5\6\7\10", 8), 512 - 194);
    append_event(fd, 512, EVENT_XID, bytes_of("\1\2\3\4\5\6\7\10", 8), 31);
    assert_int_equal(pwrite(fd, &byte, 1, 300), 1);
    scan_fd(fd, SCAN_BEHIND_BOUND);
    assert_int_equal(scan.verdict, SCAN_CORRUPT);
    scan_fini(&scan);
    assert_int_equal(pwrite(fd, zeros, 512 - 194, 194), 512 - 194);
    scan_fd(fd, SCAN_BEHIND_BOUND);
    assert_int_equal(scan.verdict, SCAN_TORN);
    assert_int_equal(scan.trx_end, 194);
    scan_fini(&scan);
    close(fd);
}

/* The 64 MiB behind a bad place are searched, not more. */
static void scan_good_event_far_behind_a_bad_place(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip();
#endif
    static const struct {
        uint64_t before_the_end;
        enum scan_verdict verdict;
    } cases[] = {{31, SCAN_CORRUPT}, {18, SCAN_TORN}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t off;
        int fd = file_with_format(&off);
        append_event(fd, off + (64u << 20) - cases[i].before_the_end, EVENT_XID,
                     bytes_of("\1\2\3\4\5\6\7\10", 8), 31);
        scan_fd(fd, 0);
        assert_int_equal(scan.verdict, cases[i].verdict);
        assert_int_equal(scan.trx_end, 194);
        scan_fini(&scan);
        close(fd);
    }
}

/* ---- events with a right CRC and a wrong body ---- */

static void scan_format_that_cannot_be_read_is_a_bad_place(void **state)
{
    (void)state;
    size_t n;
    uint8_t *p = check_data(files[0], &n);
    uint8_t *format = p + EVENT_MAGIC_LEN;
    uint32_t length = le32(format + 9);
    format[EVENT_HEADER] = 3; /* the version */
    put_le32(format + length - EVENT_CRC, event_crc32(0, bytes_of(format, length - EVENT_CRC)));
    scan_image(bytes_of(p, EVENT_MAGIC_LEN + length), 0);
    assert_int_equal(scan.verdict, SCAN_TORN);
    assert_false(scan.has_format);
    assert_int_equal(scan.trx_end, 0);
    assert_string_equal(scan.reason,
                        "binary log version 3 with headers of 19 bytes, not 4 with 19 at 4");
    scan_fini(&scan);
    free(p);
}

static void scan_gtid_that_cannot_be_read_is_none(void **state)
{
    (void)state;
    uint8_t ones[42];
    uint64_t off;
    int fd = file_with_format(&off);
    memset(ones, 0xff, sizeof ones); /* with a number that is none */
    scan_fd(fd, 0);
    struct gtid_set before = scan.gtids;
    gtid_set_init(&scan.gtids);
    scan_fini(&scan);
    off = append_event(fd, off, EVENT_GTID, bytes_of(ones, sizeof ones), 65);
    off = append_trx(fd, off, 100);
    scan_fd(fd, off);
    assert_int_equal(scan.verdict, SCAN_CLEAN);
    assert_int_equal(scan.trx_end, off);
    assert_true(gtid_set_equal(&scan.gtids, &before));
    scan_fini(&scan);
    gtid_set_fini(&before);
    close(fd);
}

/* Its format description says that these events may be as short as their headers. */
static int maria_file_with_format(uint64_t *off)
{
    size_t n;
    uint8_t *p = check_data("binlog/mariadb-10.11-domains.binlog", &n);
    uint8_t *format = p + EVENT_MAGIC_LEN;
    uint32_t length = le32(format + 9);
    format[EVENT_HEADER + 57 + EVENT_MARIADB_GTID - 1] = 0;
    format[EVENT_HEADER + 57 + EVENT_MARIADB_GTID_LIST - 1] = 0;
    put_le32(format + length - EVENT_CRC, event_crc32(0, bytes_of(format, length - EVENT_CRC)));
    *off = EVENT_MAGIC_LEN + length;
    int fd = memory_file();
    assert_int_equal(pwrite(fd, p, *off, 0), *off);
    free(p);
    return fd;
}

static void scan_maria_gtid_that_cannot_be_read_is_none(void **state)
{
    (void)state;
    uint64_t off;
    int fd = maria_file_with_format(&off);
    /* a number, but no domain */
    off = append_event(fd, off, EVENT_MARIADB_GTID, bytes_of("\7\0\0\0\0\0\0\0", 8), 31);
    off = append_trx(fd, off, 100);
    scan_fd(fd, off);
    assert_int_equal(scan.verdict, SCAN_CLEAN);
    assert_int_equal(scan.trx_end, off);
    assert_int_equal(scan.maria.n, 0);
    scan_fini(&scan);
    close(fd);
}

static void scan_gtid_list_that_cannot_be_read_is_empty(void **state)
{
    (void)state;
    static const uint8_t one[4 + 16] = {1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4};
    uint64_t off;
    int fd = maria_file_with_format(&off);
    off = append_event(fd, off, EVENT_MARIADB_GTID_LIST, bytes_of(one, sizeof one),
                       EVENT_HEADER + sizeof one + EVENT_CRC);
    scan_fd(fd, off);
    assert_int_equal(scan.maria.n, 1);
    scan_fini(&scan);
    off = append_event(fd, off, EVENT_MARIADB_GTID_LIST, bytes_of("\5\0\0\0", 4), 27);
    scan_fd(fd, off);
    assert_int_equal(scan.verdict, SCAN_CLEAN);
    assert_int_equal(scan.maria.n, 0);
    scan_fini(&scan);
    close(fd);
}

/* The stream takes one of this size into the file without reading it, too. */
static void scan_previous_gtids_longer_than_the_window_is_not_read(void **state)
{
    (void)state;
    uint64_t off;
    int fd = file_with_format(&off);
    assert_int_equal(ftruncate(fd, 123), 0);
    off = append_event(fd, 123, EVENT_PREVIOUS_GTIDS, bytes_of("", 0), (4u << 20) + 1);
    scan_fd(fd, off);
    assert_int_equal(scan.verdict, SCAN_CLEAN);
    assert_int_equal(scan.trx_end, off);
    assert_false(scan.has_previous_gtids);
    assert_true(gtid_set_empty(&scan.gtids));
    scan_fini(&scan);
    close(fd);
}

/* ---- the file itself ---- */

static ssize_t failing_pread(int fd, void *buf, size_t n, off_t off)
{
    (void)fd, (void)buf, (void)n, (void)off;
    errno = EIO;
    return -1;
}

static int failing_fstat(int fd, struct stat *st)
{
    (void)fd, (void)st;
    errno = EIO;
    return -1;
}

static void damage(int fd, uint64_t at)
{
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= 0x20;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
}

static unsigned reads_left;
static bool ended;

static ssize_t pread_failing_in_time(int fd, void *buf, size_t n, off_t off)
{
    if (reads_left-- == 0)
        return failing_pread(fd, buf, n, off);
    return pread(fd, buf, n, off);
}

static ssize_t pread_ending_in_time(int fd, void *buf, size_t n, off_t off)
{
    ssize_t got = ended ? 0 : pread(fd, buf, n, off);
    if (got > 0)
        ended = reads_left-- == 0;
    return ended ? 0 : got;
}

/* How many reads a scan of the file makes; each of them fails once. */
static unsigned fail_each_read(int fd)
{
    struct fs fs = *fs_posix();
    fs.pread = pread_failing_in_time;
    for (unsigned n = 0;; n++) {
        reads_left = n;
        int rc = scan_file(&scan, &fs, fd, 0, &err);
        scan_fini(&scan);
        if (rc == 0)
            return n;
        assert_int_equal(err.kind, ERR_IO);
    }
}

static void scan_each_read_fails_is_an_io_error(void **state)
{
    (void)state;
    /* Whole in the window, across its end, and with a CRC behind it. */
    static const uint32_t lengths[] = {
        (4u << 20) - 194 - 31, (4u << 20) - 10, (8u << 20) + 4, 3u << 20, 3u << 20, 9u << 20};
    uint64_t begin[COUNT_OF(lengths) + 1];
    int fd = file_with_format(&begin[0]);
    for (size_t i = 0; i < COUNT_OF(lengths); i++)
        begin[i + 1] = append_trx(fd, begin[i], lengths[i]);
    unsigned reads = fail_each_read(fd);
    assert_true(reads > 4);
    /* What good stands behind the bad place is looked for then, and sectors of zeros before it. */
    damage(fd, begin[5] + 31);
    assert_true(fail_each_read(fd) > reads);
    /* The first good event goes past the window's end. */
    damage(fd, begin[3] + 31);
    damage(fd, begin[4] - 10);
    assert_true(fail_each_read(fd) > 0);
    assert_int_equal(scan.verdict, SCAN_CORRUPT);
    assert_int_equal(scan.valid_end, begin[3]);
    close(fd);
}

/* Another process may cut the file meanwhile. */
static unsigned end_the_file_at_each_read(int fd)
{
    struct fs fs = *fs_posix();
    fs.pread = pread_ending_in_time;
    for (unsigned n = 0;; n++) {
        reads_left = n;
        ended = false;
        assert_int_equal(scan_file(&scan, &fs, fd, 0, &err), 0);
        scan_fini(&scan);
        if (!ended)
            return n;
        assert_int_not_equal(scan.verdict, SCAN_CLEAN);
    }
}

static void scan_file_that_ends_early_at_each_read_is_not_clean(void **state)
{
    (void)state;
    uint64_t off;
    int fd = file_with_format(&off);
    uint64_t second = append_trx(fd, off, (8u << 20) + 4);
    append_trx(fd, second, 9u << 20);
    unsigned reads = end_the_file_at_each_read(fd);
    assert_int_equal(scan.verdict, SCAN_CLEAN);
    damage(fd, second + 31);
    assert_true(end_the_file_at_each_read(fd) > reads);
    assert_int_equal(scan.verdict, SCAN_CORRUPT);
    close(fd);
}

static void scan_unreadable_file_is_an_io_error(void **state)
{
    (void)state;
    struct fs fs = *fs_posix();
    int fd = memory_file();
    fs.pread = failing_pread;
    assert_int_equal(scan_file(&scan, &fs, fd, 0, &err), -1);
    assert_int_equal(err.kind, ERR_IO);
    scan_fini(&scan);
    fs = *fs_posix();
    fs.fstat = failing_fstat;
    assert_int_equal(scan_file(&scan, &fs, fd, 0, &err), -1);
    assert_int_equal(err.kind, ERR_IO);
    scan_fini(&scan);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scan_whole_file_clean),
        cmocka_unit_test(scan_gtids_are_those_up_to_the_last_transaction),
        cmocka_unit_test(scan_tagged_gtids_are_noted),
        cmocka_unit_test(scan_every_truncation_torn_at_the_right_boundary),
        cmocka_unit_test(scan_shorter_than_the_bound_corrupt),
        cmocka_unit_test(scan_each_flipped_byte_below_the_bound_corrupt),
        cmocka_unit_test(scan_each_flipped_byte_before_good_events_corrupt),
        cmocka_unit_test(scan_flipped_byte_in_the_last_event_torn_above_the_bound),
        cmocka_unit_test(scan_two_bad_events_in_succession),
        cmocka_unit_test(scan_first_event_missing_torn_without_an_end),
        cmocka_unit_test(scan_zero_filled_tail_torn),
        cmocka_unit_test(scan_unwritten_sector_before_good_events_torn_above_a_bound_only),
        cmocka_unit_test(scan_checksum_none_follows_the_headers),
        cmocka_unit_test(scan_checksum_none_format_in_the_midst_has_a_crc),
        cmocka_unit_test(scan_events_around_the_window_clean),
        cmocka_unit_test(scan_long_event_damaged_or_torn),
        cmocka_unit_test(scan_past_the_wrap_of_log_pos_clean),
        cmocka_unit_test(scan_good_event_at_a_sectors_begin_after_damage),
        cmocka_unit_test(scan_good_event_far_behind_a_bad_place),
        cmocka_unit_test(scan_format_that_cannot_be_read_is_a_bad_place),
        cmocka_unit_test(scan_gtid_that_cannot_be_read_is_none),
        cmocka_unit_test(scan_maria_gtid_that_cannot_be_read_is_none),
        cmocka_unit_test(scan_gtid_list_that_cannot_be_read_is_empty),
        cmocka_unit_test(scan_previous_gtids_longer_than_the_window_is_not_read),
        cmocka_unit_test(scan_each_read_fails_is_an_io_error),
        cmocka_unit_test(scan_file_that_ends_early_at_each_read_is_not_clean),
        cmocka_unit_test(scan_unreadable_file_is_an_io_error),
    };
    return RUN_TESTS(tests);
}
