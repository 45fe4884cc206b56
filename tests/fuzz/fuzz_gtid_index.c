/* Records of the GTID index, with the CRC put right so that the input gets past it: blocks are in
 * order and inside the file, their sets inside the record, and what was read is written the same.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "binlog/event.h"
#include "store/gtid_index.h"

#include <stdlib.h>

#define RECORD_HEAD 8u

static void check_blocks(const struct gtid_index_record *r)
{
    uint64_t end = EVENT_MAGIC_LEN;
    for (size_t i = 0; i < r->index.n; i++) {
        const struct gtid_block *b = &r->index.at[i];
        BUG_ON(b->start < end || b->end <= b->start || b->end > r->size);
        BUG_ON((size_t)b->set_at + b->set_len > r->index.sets.len);
        end = b->end;
    }
}

static void check_runs(const struct gtid_index_record *r)
{
    struct gtid_set none;
    gtid_set_init(&none);
    uint64_t pos = 0;
    for (int i = 0; i < 10; i++) {
        struct gtid_run run = gtid_index_run(&r->index, pos, &none);
        BUG_ON(run.from < pos || run.to < run.from);
        pos = run.to + 1;
    }
}

static void check_written_the_same(const struct gtid_index_record *r, struct bytes record)
{
    struct buf out = {0};
    gtid_index_encode(&r->index, r->number, r->size, &out);
    BUG_ON(!bytes_eq(buf_bytes(&out), record));
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gtid_index_record r;
    uint8_t *record = mem_alloc(RECORD_HEAD + size);
    struct bytes in = bytes_of(record, RECORD_HEAD + size);
    put_le32(record, (uint32_t)size);
    if (size)
        memcpy(record + RECORD_HEAD, data, size);
    put_le32(record + 4, event_crc32(event_crc32(0, bytes_of(record, 4)), bytes_of(data, size)));
    if (gtid_index_decode(&r, &in) == 0) {
        BUG_ON(in.n);
        check_blocks(&r);
        check_runs(&r);
        check_written_the_same(&r, bytes_of(record, RECORD_HEAD + size));
        gtid_index_fini(&r.index);
    }
    free(record);
    return 0;
}
