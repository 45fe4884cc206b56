/* GTID sets as bytes: whatever decodes must survive text and a new encoding unchanged. */
#include "fuzz.h"

#include "base/mem.h"
#include "binlog/gtid_set.h"

static void check_text(const struct gtid_set *s)
{
    struct err err;
    struct buf text;
    struct gtid_set again;
    buf_init(&text);
    gtid_set_init(&again);
    gtid_set_format(s, &text);
    BUG_ON(gtid_set_parse(buf_bytes(&text), &again, &err) != 0);
    BUG_ON(!gtid_set_equal(s, &again));
    gtid_set_fini(&again);
    buf_fini(&text);
}

static void check_encoding(const struct gtid_set *s, size_t size)
{
    struct err err;
    struct buf bytes;
    struct gtid_set again;
    buf_init(&bytes);
    gtid_set_init(&again);
    gtid_set_encode(s, &bytes);
    BUG_ON(buf_bytes(&bytes).n > size);
    BUG_ON(gtid_set_decode(buf_bytes(&bytes), &again, &err) != 0);
    BUG_ON(!gtid_set_equal(s, &again));
    gtid_set_fini(&again);
    buf_fini(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    struct gtid_set s;
    gtid_set_init(&s);
    if (gtid_set_decode(bytes_of(data, size), &s, &err) == 0) {
        check_text(&s);
        check_encoding(&s, size);
    }
    gtid_set_fini(&s);
    return 0;
}
