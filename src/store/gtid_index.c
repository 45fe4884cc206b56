/* Blocks of transactions in a file, and their records. */
#include "store/gtid_index.h"

#include "base/mem.h"
#include "binlog/event.h"

#include <stdlib.h>

#define RECORD_HEAD 8u  /* length, CRC */
#define FILE_HEAD   20u /* number, size, number of blocks */
#define BLOCK_HEAD  20u /* start, end, length of the set */
#define SET_MIN     8u  /* an encoded set begins with the number of its sources */

void gtid_index_init(struct gtid_index *x)
{
    *x = (struct gtid_index){0};
}

void gtid_index_fini(struct gtid_index *x)
{
    free(x->at);
    buf_fini(&x->sets);
    gtid_set_fini(&x->open_set);
    gtid_index_init(x);
}

void gtid_index_swap(struct gtid_index *a, struct gtid_index *b)
{
    struct gtid_index c = *a;
    *a = *b;
    *b = c;
}

/* ---- growing ---- */

static void append_block(struct gtid_index *x, const struct gtid_block *block)
{
    if (x->n == x->cap) {
        x->cap = x->cap ? 2 * x->cap : 4;
        x->at = mem_realloc(x->at, x->cap * sizeof *x->at);
    }
    x->at[x->n++] = *block;
}

void gtid_index_break(struct gtid_index *x)
{
    if (!x->open.end)
        return;
    size_t before = x->sets.len;
    gtid_set_encode(&x->open_set, &x->sets);
    size_t n = x->sets.len - before;
    if (n > GTID_INDEX_SET_MAX || x->sets.len > GTID_INDEX_RECORD_MAX) {
        buf_truncate(&x->sets, before);
    } else {
        x->open.set_at = (uint32_t)before;
        x->open.set_len = (uint32_t)n;
        append_block(x, &x->open);
    }
    x->open.end = 0;
    gtid_set_clear(&x->open_set);
}

void gtid_index_add(struct gtid_index *x, uint64_t from, uint64_t to, const struct gtid *gtid,
                    uint64_t last)
{
    if (!x->open.end) {
        if (x->n && from - x->at[x->n - 1].start < GTID_INDEX_BLOCK)
            return;
        x->open.start = from;
    }
    x->open.end = to;
    gtid_set_add_range(&x->open_set, gtid, gtid->gno, last);
    if (to - x->open.start >= GTID_INDEX_BLOCK)
        gtid_index_break(x);
}

/* ---- looking up ---- */

static size_t first_from(const struct gtid_index *x, uint64_t pos)
{
    size_t low = 0, high = x->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (x->at[mid].start < pos)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool all_in(const struct gtid_index *x, size_t i, struct gtid_set *scratch,
                   const struct gtid_set *has)
{
    struct err ignored; /* a set that cannot be read is not jumped over */
    const struct gtid_block *b = &x->at[i];
    struct bytes set = bytes_of(buf_bytes(&x->sets).p + b->set_at, b->set_len);
    return gtid_set_decode(set, scratch, &ignored) == 0 && gtid_set_is_subset(scratch, has);
}

struct gtid_run gtid_index_run(const struct gtid_index *x, uint64_t pos, const struct gtid_set *has)
{
    struct gtid_set scratch;
    gtid_set_init(&scratch);
    size_t i = first_from(x, pos);
    size_t most = x->n - i < GTID_INDEX_LOOK_MAX ? x->n : i + GTID_INDEX_LOOK_MAX;
    while (i < most && !all_in(x, i, &scratch, has))
        i++;
    /* Behind the last block there may be more when the file has grown or was indexed anew. */
    uint64_t from = i < x->n ? x->at[i].start : pos + GTID_INDEX_BLOCK, to = from;
    for (; i < most && x->at[i].start == to && all_in(x, i, &scratch, has); i++)
        to = x->at[i].end;
    gtid_set_fini(&scratch);
    return (struct gtid_run){from, to};
}

/* ---- records ---- */

struct bytes gtid_index_magic(void)
{
    return bytes_str("binlogd gtid index 1\n");
}

static uint32_t record_crc(const uint8_t length[4], struct bytes rest)
{
    return event_crc32(event_crc32(0, bytes_of(length, 4)), rest);
}

size_t gtid_index_record_size(const struct gtid_index *x)
{
    return RECORD_HEAD + FILE_HEAD + x->n * BLOCK_HEAD + x->sets.len;
}

void gtid_index_encode(const struct gtid_index *x, uint64_t number, uint64_t size, struct buf *out)
{
    size_t n = gtid_index_record_size(x), before = out->len;
    if (n > GTID_INDEX_RECORD_MAX)
        return;
    buf_reserve(out, n);
    wr_u32(out, (uint32_t)(n - RECORD_HEAD));
    wr_u32(out, 0);
    wr_u64(out, number);
    wr_u64(out, size);
    wr_u32(out, (uint32_t)x->n);
    for (size_t i = 0; i < x->n; i++) {
        wr_u64(out, x->at[i].start);
        wr_u64(out, x->at[i].end);
        wr_u32(out, x->at[i].set_len);
    }
    if (x->sets.len)
        wr_bytes(out, buf_bytes(&x->sets));
    uint8_t *record = out->data + out->off + before;
    put_le32(record + 4, record_crc(record, bytes_of(record + RECORD_HEAD, n - RECORD_HEAD)));
}

/* Blocks in order, inside the file, and their sets as long as what is left says. */
static bool read_blocks(struct gtid_index_record *r, struct rd *in, uint32_t count)
{
    uint64_t end = EVENT_MAGIC_LEN;
    uint64_t sets = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct gtid_block b = {.set_at = (uint32_t)sets};
        b.start = rd_u64(in);
        b.end = rd_u64(in);
        b.set_len = rd_u32(in);
        sets += b.set_len;
        if (b.start < end || b.end <= b.start || b.end > r->size || b.set_len < SET_MIN ||
            b.set_len > GTID_INDEX_SET_MAX || sets > GTID_INDEX_RECORD_MAX)
            return false;
        end = b.end;
        append_block(&r->index, &b);
    }
    if (rd_left(in) != sets)
        return false;
    if (sets)
        wr_bytes(&r->index.sets, rd_rest(in));
    return true;
}

int gtid_index_decode(struct gtid_index_record *r, struct bytes *in)
{
    struct rd head = rd_of(*in);
    *r = (struct gtid_index_record){0};
    uint32_t length = rd_u32(&head), crc = rd_u32(&head);
    struct bytes rest = rd_bytes(&head, length);
    if (head.bad || length < FILE_HEAD || length > GTID_INDEX_RECORD_MAX ||
        record_crc(in->p, rest) != crc)
        return -1;
    struct rd body = rd_of(rest);
    r->number = rd_u64(&body);
    r->size = rd_u64(&body);
    uint32_t count = rd_u32(&body);
    if (count > rd_left(&body) / BLOCK_HEAD || !read_blocks(r, &body, count)) {
        gtid_index_fini(&r->index);
        return -1;
    }
    *in = bytes_skip(*in, RECORD_HEAD + length);
    return 0;
}
