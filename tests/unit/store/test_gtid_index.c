/* Blocks of transactions: how they grow, what may be jumped over, and their records. */
#include "check.h"

#include "base/mem.h"
#include "store/gtid_index.h"

#define MIB (1u << 20)

static struct gtid_index x;
static struct gtid_set has;
static struct err err;

static int set_up(void **state)
{
    (void)state;
    gtid_index_init(&x);
    gtid_set_init(&has);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gtid_index_fini(&x);
    gtid_set_fini(&has);
    return 0;
}

static struct gtid gtid_of(uint64_t gno)
{
    struct gtid g = {.sid = {0xaa, 0xbb}, .gno = gno};
    return g;
}

/* One transaction a MiB, from `from` on; returns the end of the last. */
static uint64_t add_mibs(uint64_t from, uint64_t first, uint64_t last)
{
    for (uint64_t n = first; n <= last; n++, from += MIB) {
        struct gtid g = gtid_of(n);
        gtid_index_add(&x, from, from + MIB, &g, n);
    }
    return from;
}

static void set_has(uint64_t first, uint64_t last)
{
    struct gtid g = gtid_of(0);
    gtid_set_clear(&has);
    gtid_set_add_range(&has, &g, first, last);
}

static void assert_block(size_t i, uint64_t start, uint64_t end, uint64_t first, uint64_t last)
{
    struct gtid_set want, got;
    struct gtid g = gtid_of(0);
    gtid_set_init(&want);
    gtid_set_init(&got);
    gtid_set_add_range(&want, &g, first, last);
    struct bytes set = bytes_of(buf_bytes(&x.sets).p + x.at[i].set_at, x.at[i].set_len);
    int rc = gtid_set_decode(set, &got, &err);
    bool same = gtid_set_equal(&want, &got);
    gtid_set_fini(&want);
    gtid_set_fini(&got);
    assert_int_equal(rc, 0);
    assert_int_equal(x.at[i].start, start);
    assert_int_equal(x.at[i].end, end);
    assert_true(same);
}

#define assert_run(pos, f, t)                                                                      \
    do {                                                                                           \
        struct gtid_run run_ = gtid_index_run(&x, pos, &has);                                      \
        assert_int_equal(run_.from, f);                                                            \
        assert_int_equal(run_.to, t);                                                              \
    } while (0)

/* ---- growing ---- */

static void gtid_index_blocks_close_when_large_enough(void **state)
{
    (void)state;
    uint64_t end = add_mibs(200, 1, 10);
    assert_int_equal(x.n, 2);
    assert_block(0, 200, 200 + 4 * MIB, 1, 4);
    assert_block(1, 200 + 4 * MIB, 200 + 8 * MIB, 5, 8);
    gtid_index_break(&x);
    assert_int_equal(x.n, 3);
    assert_block(2, 200 + 8 * MIB, end, 9, 10);
    gtid_index_break(&x);
    assert_int_equal(x.n, 3);
}

static void gtid_index_break_ends_the_block_and_the_next_begins_later(void **state)
{
    (void)state;
    uint64_t end = add_mibs(200, 1, 1);
    gtid_index_break(&x); /* an anonymous transaction of 1 MiB follows */
    end = add_mibs(end + MIB, 2, 12);
    gtid_index_break(&x);
    assert_int_equal(x.n, 4);
    assert_block(0, 200, 200 + MIB, 1, 1);
    assert_block(1, 200 + 4 * MIB, 200 + 8 * MIB, 4, 7);
    assert_block(3, 200 + 12 * MIB, end, 12, 12);
}

static void gtid_index_many_breaks_few_blocks(void **state)
{
    (void)state;
    uint64_t end = 200;
    for (uint64_t n = 1; n <= 100000; n++, end += 400) {
        struct gtid g = gtid_of(n);
        gtid_index_add(&x, end, end + 200, &g, n);
        gtid_index_break(&x);
    }
    assert_true(x.n <= end / GTID_INDEX_BLOCK + 1);
}

static void gtid_index_block_with_a_huge_set_is_left_out(void **state)
{
    (void)state;
    uint64_t end = 200;
    for (uint64_t n = 1; n <= 2000; n++, end += 100) { /* each with a gap: 16 bytes in the set */
        struct gtid g = gtid_of(2 * n);
        gtid_index_add(&x, end, end + 100, &g, 2 * n);
    }
    gtid_index_break(&x);
    assert_int_equal(x.n, 0);
    assert_int_equal(x.sets.len, 0);
    add_mibs(end, 5001, 5004);
    assert_int_equal(x.n, 1);
    assert_block(0, end, end + 4 * MIB, 5001, 5004);
}

/* ---- looking up ---- */

static void gtid_index_run_joins_the_blocks_that_are_all_in(void **state)
{
    (void)state;
    add_mibs(200, 1, 16);
    set_has(1, 11);
    assert_run(0, 200, 200 + 8 * MIB);
    assert_run(200, 200, 200 + 8 * MIB);
    assert_run(201, 200 + 4 * MIB, 200 + 8 * MIB);
    set_has(5, 16);
    assert_run(0, 200 + 4 * MIB, 200 + 16 * MIB);
    set_has(2, 15);
    assert_run(0, 200 + 4 * MIB, 200 + 12 * MIB);
}

static void gtid_index_run_stops_at_what_lies_between_blocks(void **state)
{
    (void)state;
    uint64_t end = add_mibs(200, 1, 4);
    add_mibs(end + 77, 5, 8);
    set_has(1, 8);
    assert_run(200, 200, end);
    assert_run(end, end + 77, end + 77 + 4 * MIB);
}

static void gtid_index_run_none_says_where_to_ask_again(void **state)
{
    (void)state;
    set_has(1, 8);
    assert_run(500, 500 + GTID_INDEX_BLOCK, 500 + GTID_INDEX_BLOCK);
    add_mibs(200, 9, 20);
    assert_run(500, 500 + GTID_INDEX_BLOCK, 500 + GTID_INDEX_BLOCK);
    gtid_set_clear(&has);
    assert_run(500, 500 + GTID_INDEX_BLOCK, 500 + GTID_INDEX_BLOCK);
}

static void gtid_index_run_looks_at_few_blocks(void **state)
{
    (void)state;
    uint64_t look = (uint64_t)GTID_INDEX_LOOK_MAX * GTID_INDEX_BLOCK;
    add_mibs(200, 1, 4 * 200);
    set_has(1, 1000);
    assert_run(200, 200, 200 + look);
    set_has(799, 1000);
    assert_run(200, 200 + look, 200 + look);
}

/* ---- records ---- */

static void fill(void)
{
    add_mibs(200, 1, 4);
    struct gtid tagged = {.sid = {1}, .tag_len = 3, .tag = "abc", .gno = 9};
    gtid_index_add(&x, 200 + 4 * MIB, 200 + 5 * MIB, &tagged, 17);
    add_mibs(200 + 5 * MIB, 7, 9);
    gtid_index_break(&x);
    assert_int_equal(x.n, 2);
}

static void assert_same_index(const struct gtid_index *a, const struct gtid_index *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_int_equal(a->at[i].start, b->at[i].start);
        assert_int_equal(a->at[i].end, b->at[i].end);
        assert_int_equal(a->at[i].set_at, b->at[i].set_at);
        assert_int_equal(a->at[i].set_len, b->at[i].set_len);
    }
    assert_true(bytes_eq(buf_bytes(&a->sets), buf_bytes(&b->sets)));
}

static void gtid_index_record_round_trip(void **state)
{
    (void)state;
    struct buf out = {0};
    struct gtid_index empty = {0};
    struct gtid_index_record r;
    fill();
    gtid_index_encode(&x, 7, 200 + 9 * MIB, &out);
    assert_int_equal(out.len, gtid_index_record_size(&x));
    gtid_index_encode(&empty, UINT64_MAX, 0, &out);
    struct bytes in = buf_bytes(&out);
    assert_int_equal(gtid_index_decode(&r, &in), 0);
    assert_int_equal(r.number, 7);
    assert_int_equal(r.size, 200 + 9 * MIB);
    assert_same_index(&r.index, &x);
    gtid_index_fini(&r.index);
    assert_int_equal(gtid_index_decode(&r, &in), 0);
    assert_true(r.number == UINT64_MAX && r.size == 0 && r.index.n == 0);
    gtid_index_fini(&r.index);
    assert_int_equal(in.n, 0);
    buf_fini(&out);
}

static void gtid_index_record_too_long_is_not_written(void **state)
{
    (void)state;
    struct buf out = {0};
    x.n = GTID_INDEX_RECORD_MAX / 20;
    gtid_index_encode(&x, 1, 1, &out);
    assert_int_equal(out.len, 0);
    x.n = 0;
}

static bool decodes(struct bytes in)
{
    struct gtid_index_record r;
    if (gtid_index_decode(&r, &in) < 0)
        return false;
    gtid_index_fini(&r.index);
    return true;
}

static void gtid_index_every_truncation_of_a_record_ignored(void **state)
{
    (void)state;
    struct buf out = {0};
    fill();
    gtid_index_encode(&x, 7, 200 + 9 * MIB, &out);
    for (size_t n = 0; n < out.len; n++) {
        uint8_t *copy = mem_alloc(n + 1); /* of its own, so that a read behind it is seen */
        memcpy(copy, out.data, n);
        bool good = decodes(bytes_of(copy, n));
        free(copy);
        if (good)
            fail_msg("%zu of %zu bytes are taken for a record", n, out.len);
    }
    assert_true(decodes(buf_bytes(&out)));
    buf_fini(&out);
}

static void gtid_index_every_flipped_bit_of_a_record_ignored(void **state)
{
    (void)state;
    struct buf out = {0};
    fill();
    gtid_index_encode(&x, 7, 200 + 9 * MIB, &out);
    size_t n = out.len;
    wr_zero(&out, 1000); /* so that a longer length finds bytes */
    for (size_t i = 0; i < n; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            out.data[i] ^= (uint8_t)(1u << bit);
            if (decodes(buf_bytes(&out)))
                fail_msg("bit %u of byte %zu", bit, i);
            out.data[i] ^= (uint8_t)(1u << bit);
        }
    buf_fini(&out);
}

/* With a good CRC: blocks that no writer makes. */
static void gtid_index_record_with_bad_blocks_ignored(void **state)
{
    (void)state;
    static const struct {
        uint64_t start, end;
        uint32_t set_len;
        bool good;
    } cases[] = {
        {4, 1000, 8, true},   {4, 1001, 8, false}, {3, 1000, 8, false}, {1000, 1000, 8, false},
        {900, 800, 8, false}, {4, 1000, 7, false}, {4, 1000, 9, false}, {4, 1000, 1u << 20, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf out = {0};
        struct gtid_block block = {cases[i].start, cases[i].end, 0, cases[i].set_len};
        struct gtid_index bad = {.at = &block, .n = 1};
        wr_zero(&bad.sets, 8);
        gtid_index_encode(&bad, 1, 1000, &out);
        if (decodes(buf_bytes(&out)) != cases[i].good)
            fail_msg("case %zu", i);
        buf_fini(&bad.sets);
        buf_fini(&out);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(gtid_index_blocks_close_when_large_enough),
        TEST(gtid_index_break_ends_the_block_and_the_next_begins_later),
        TEST(gtid_index_many_breaks_few_blocks),
        TEST(gtid_index_block_with_a_huge_set_is_left_out),
        TEST(gtid_index_run_joins_the_blocks_that_are_all_in),
        TEST(gtid_index_run_stops_at_what_lies_between_blocks),
        TEST(gtid_index_run_none_says_where_to_ask_again),
        TEST(gtid_index_run_looks_at_few_blocks),
        TEST(gtid_index_record_round_trip),
        TEST(gtid_index_record_too_long_is_not_written),
        TEST(gtid_index_every_truncation_of_a_record_ignored),
        TEST(gtid_index_every_flipped_bit_of_a_record_ignored),
        TEST(gtid_index_record_with_bad_blocks_ignored),
    };
    return RUN_TESTS(tests);
}
