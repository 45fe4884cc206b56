/* GTIDs and GTID sets: text, encoding, algebra against a model, and time for large inputs. */
#include "check.h"

#include "base/buf.h"
#include "base/mem.h"
#include "binlog/gtid_set.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define UUID_A       "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define UUID_B       "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"
#define GNO_MAX_TEXT "9223372036854775806"

#define MANY 1000000

/* Processor time for one pass over MANY intervals; a quadratic one takes minutes. */
#ifdef __SANITIZE_ADDRESS__
#define SECONDS_MAX 20.0
#else
#define SECONDS_MAX 3.0
#endif

static struct err err;

static struct gtid_set set_of(const char *text)
{
    struct gtid_set s;
    gtid_set_init(&s);
    assert_int_equal(gtid_set_parse(bytes_str(text), &s, &err), 0);
    return s;
}

static void assert_buf_text(struct buf *out, const char *expected)
{
    wr_u8(out, 0);
    assert_string_equal((const char *)buf_bytes(out).p, expected);
    buf_fini(out);
}

static void assert_set_text(const struct gtid_set *s, const char *expected)
{
    struct buf out;
    buf_init(&out);
    gtid_set_format(s, &out);
    assert_buf_text(&out, expected);
}

static void head_of_the_text_is_little_longer_than_asked(void **state)
{
    (void)state;
    const char *text = UUID_A ":1-3:5:7:9:11:13," UUID_B ":1";
    struct gtid_set s = set_of(text);
    for (size_t n = 0; n < strlen(text) + 10; n++) {
        struct buf out = {0};
        wr_str(&out, "x");
        gtid_set_format_head(&s, &out, n);
        struct bytes got = buf_bytes(&out);
        size_t all = strlen(text);
        assert_true(got.n - 1 >= (n < all ? n : all) && got.n - 1 <= n + 45);
        assert_memory_equal(got.p + 1, text, got.n - 1);
        buf_fini(&out);
    }
    gtid_set_fini(&s);
}

static struct bytes copy_exact(struct bytes b)
{
    uint8_t *p = mem_alloc(b.n ? b.n : 1);
    if (b.n)
        memcpy(p, b.p, b.n);
    return bytes_of(p, b.n);
}

static void free_bytes(struct bytes b)
{
    free((void *)b.p);
}

/* Single GTIDs */

static void gtid_with_valid_text_is_parsed_and_formatted(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *expected;
        const char *tag;
        uint64_t gno;
    } cases[] = {
        {UUID_A ":1", UUID_A ":1", "", 1},
        {"3E11FA47-71CA-11E1-9E33-C80AA9429562:23", UUID_A ":23", "", 23},
        {UUID_A ":" GNO_MAX_TEXT, UUID_A ":" GNO_MAX_TEXT, "", GTID_GNO_MAX},
        {UUID_A ":Tag_1:7", UUID_A ":tag_1:7", "tag_1", 7},
        {UUID_A ":_:7", UUID_A ":_:7", "_", 7},
        {UUID_A ":a2345678901234567890123456789012:7", UUID_A ":a2345678901234567890123456789012:7",
         "a2345678901234567890123456789012", 7},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct gtid g;
        assert_int_equal(gtid_parse(bytes_str(cases[i].text), &g, &err), 0);
        assert_int_equal(g.gno, cases[i].gno);
        assert_string_equal(g.tag, cases[i].tag);
        assert_int_equal(g.tag_len, strlen(cases[i].tag));
        struct buf out;
        buf_init(&out);
        gtid_format(&g, &out);
        assert_buf_text(&out, cases[i].expected);
    }
}

static void gtid_with_malformed_text_fails(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *error;
    } cases[] = {
        {"", "GTID: a uuid has 36 characters, not 0"},
        {"3e11fa47-71ca-11e1-9e33-c80aa942956", "GTID: a uuid has 36 characters, not 35"},
        {"3e11fa47:71ca-11e1-9e33-c80aa9429562:1", "GTID: a dash of the uuid is missing"},
        {"3e11fa47-71ca-11e1-9e33-c80aa942956g:1",
         "GTID: the uuid has a character that is no hexadecimal digit"},
        {UUID_A, "GTID: no colon behind the uuid"},
        {UUID_A "1", "GTID: no colon behind the uuid"},
        {UUID_A ":", "GTID: a number from 1 on is missing"},
        {UUID_A ":0", "GTID: a number from 1 on is missing"},
        {UUID_A ":01", "GTID: a number from 1 on is missing"},
        {UUID_A ":-1", "GTID: a number from 1 on is missing"},
        {UUID_A ":tag", "GTID: a number from 1 on is missing"},
        {UUID_A ":1-2", "GTID: the number has a character that is no digit"},
        {UUID_A ":9223372036854775807", "GTID: the number is above " GNO_MAX_TEXT},
        {UUID_A ":18446744073709551617", "GTID: the number is above " GNO_MAX_TEXT},
        {UUID_A "::1", "GTID: a tag has 1 to 32 characters, not 0"},
        {UUID_A ":a23456789012345678901234567890123:1",
         "GTID: a tag has 1 to 32 characters, not 33"},
        {UUID_A ":1tag:1", "GTID: a tag has letters, digits and _ only, and no digit first"},
        {UUID_A ":t-g:1", "GTID: a tag has letters, digits and _ only, and no digit first"},
        {UUID_A ":tag:other:1", "GTID: a number from 1 on is missing"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct gtid g = {.gno = 77};
        assert_int_equal(gtid_parse(bytes_str(cases[i].text), &g, &err), -1);
        assert_string_equal(err.text, cases[i].error);
        assert_int_equal(g.gno, 77);
    }
}

/* Text of sets */

static void set_text_with_any_spelling_becomes_canonical(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"", ""},
        {" \n\t", ""},
        {",,, ,", ""},
        {UUID_A, ""},
        {UUID_A ":tag", ""},
        {UUID_A ":1", UUID_A ":1"},
        {UUID_A ":1-3:5", UUID_A ":1-3:5"},
        {UUID_A ":5:1-3", UUID_A ":1-3:5"},
        {UUID_A ":1-3:4-6", UUID_A ":1-6"},
        {UUID_A ":1-3:3:2-9", UUID_A ":1-9"},
        {UUID_A ":1-9:2-3", UUID_A ":1-9"},
        {UUID_A ":5-4", ""},
        {UUID_A ":5-0:7", UUID_A ":7"},
        {UUID_A ":1-" GNO_MAX_TEXT, UUID_A ":1-" GNO_MAX_TEXT},
        {"3E11FA47-71CA-11E1-9E33-C80AA9429562:1:TAG:2", UUID_A ":1:tag:2"},
        {"\n " UUID_A " : 1 - 3 \r\n: 5 ,,\n" UUID_B " :\t2 ,", UUID_A ":1-3:5," UUID_B ":2"},
        {UUID_B ":1," UUID_A ":1", UUID_A ":1," UUID_B ":1"},
        {UUID_A ":1," UUID_B ":1," UUID_A ":2," UUID_B ":3", UUID_A ":1-2," UUID_B ":1:3"},
        {UUID_A ":1-3:tag_a:1-5", UUID_A ":1-3:tag_a:1-5"},
        {UUID_A ":b:1:a:2:b:2," UUID_A ":9", UUID_A ":9:a:2:b:1-2"},
        {UUID_A ": tag :1," UUID_B ":1", UUID_A ":tag:1," UUID_B ":1"},
        {UUID_A ":aa:1:a:1:_:1:a_:1:a1:1", UUID_A ":_:1:a:1:a1:1:a_:1:aa:1"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct gtid_set s = set_of(cases[i].text);
        assert_set_text(&s, cases[i].expected);
        gtid_set_fini(&s);
    }
}

static void set_text_malformed_fails_and_keeps_the_set(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *error;
    } cases[] = {
        {"x", "GTID set: in the element at byte 0: a uuid has 36 characters, not 1"},
        {UUID_A ":1, \n" UUID_B ":0",
         "GTID set: in the element at byte 41: a number from 1 on is missing"},
        {UUID_A ":", "GTID set: in the element at byte 0: a number from 1 on is missing"},
        {UUID_A "::1", "GTID set: in the element at byte 0: a number from 1 on is missing"},
        {UUID_A ":1:", "GTID set: in the element at byte 0: a number from 1 on is missing"},
        {UUID_A ":1-", "GTID set: in the element at byte 0: a number from 1 on is missing"},
        {UUID_A ":-1",
         "GTID set: in the element at byte 0: a tag has letters, digits and _ only, and no digit "
         "first"},
        {UUID_A ":1-2-3",
         "GTID set: in the element at byte 0: the number has a character that is no digit"},
        {UUID_A ":0x10", "GTID set: in the element at byte 0: a number from 1 on is missing"},
        {UUID_A ":010", "GTID set: in the element at byte 0: a number from 1 on is missing"},
        {UUID_A ":1 2",
         "GTID set: in the element at byte 0: the number has a character that is no digit"},
        {UUID_A ":1 " UUID_B ":1",
         "GTID set: in the element at byte 0: the number has a character that is no digit"},
        {UUID_A ":9223372036854775807",
         "GTID set: in the element at byte 0: the number is above " GNO_MAX_TEXT},
        {UUID_A ":1-9223372036854775807",
         "GTID set: in the element at byte 0: the number is above " GNO_MAX_TEXT},
        {UUID_A ":tag-1",
         "GTID set: in the element at byte 0: a tag has letters, digits and _ only, and no digit "
         "first"},
        {"+" UUID_A ":1", "GTID set: in the element at byte 0: a uuid has 36 characters, not 37"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct gtid_set s = set_of(UUID_B ":7");
        assert_int_equal(gtid_set_parse(bytes_str(cases[i].text), &s, &err), -1);
        assert_string_equal(err.text, cases[i].error);
        assert_set_text(&s, UUID_B ":7");
        gtid_set_fini(&s);
    }
}

/* Encoding */

static struct bytes golden_previous_gtids(void)
{
    size_t n;
    uint8_t *data = check_data("previous_gtids-5.7.36.bin", &n);
    struct bytes exact = copy_exact(bytes_of(data, n));
    free(data);
    return exact;
}

/* Untagged and tagged, a source twice; from the description of the format. */
static const char *const ENCODED_TAGGED =
    "01 030000000000 01"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 00 0100000000000000 0100000000000000 0400000000000000"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 06 666f6f"
    "0200000000000000 0100000000000000 0300000000000000 0700000000000000 0800000000000000"
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb 04 5f31 0100000000000000 0500000000000000 0600000000000000";

static void assert_encoding(struct bytes encoded, const char *text)
{
    struct gtid_set s;
    struct buf out;
    gtid_set_init(&s);
    assert_int_equal(gtid_set_decode(encoded, &s, &err), 0);
    assert_set_text(&s, text);
    buf_init(&out);
    gtid_set_encode(&s, &out);
    assert_true(bytes_eq(buf_bytes(&out), encoded));
    buf_fini(&out);
    gtid_set_fini(&s);
}

static void encoding_of_a_real_server_decodes_and_encodes(void **state)
{
    (void)state;
    struct bytes golden = golden_previous_gtids();
    assert_encoding(golden, "00000000-0000-0000-0000-000000000001:100:102,"
                            "5960727b-e4bf-11f1-8f36-02fc00000001:1-335,"
                            "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:1-2:5:9223372036854775806,"
                            "ffffffff-ffff-ffff-ffff-ffffffffffff:7");
    free_bytes(golden);
}

static void encoding_with_tags_decodes_and_encodes(void **state)
{
    (void)state;
    struct bytes in = check_unhex(ENCODED_TAGGED);
    assert_encoding(in, UUID_B ":1-3:foo:1-2:7,bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb:_1:5");
    free_bytes(in);
}

static void encoding_of_the_empty_set_is_eight_zero_bytes(void **state)
{
    (void)state;
    struct bytes in = check_unhex("0000000000000000");
    assert_encoding(in, "");
    free_bytes(in);
}

static void encoding_truncated_anywhere_fails(void **state)
{
    (void)state;
    struct bytes golden[] = {golden_previous_gtids(), check_unhex(ENCODED_TAGGED)};
    for (size_t i = 0; i < COUNT_OF(golden); i++) {
        for (size_t n = 0; n < golden[i].n; n++) {
            struct bytes cut = copy_exact(bytes_of(golden[i].p, n));
            struct gtid_set s = set_of(UUID_A ":7");
            assert_int_equal(gtid_set_decode(cut, &s, &err), -1);
            assert_set_text(&s, UUID_A ":7");
            gtid_set_fini(&s);
            free_bytes(cut);
        }
        free_bytes(golden[i]);
    }
}

#define HEX_SID "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_1   "0100000000000000"
#define HEX_2   "0200000000000000"
#define HEX_3   "0300000000000000"
#define HEX_0   "0000000000000000"
#define HEX_END "ffffffffffffff7f" /* INT64_MAX, behind the last number */

static void encoding_that_servers_accept_decodes(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        const char *text;
    } cases[] = {
        {"01 000000000000 01", ""},
        {HEX_1 HEX_SID HEX_0, ""},
        {HEX_1 HEX_SID HEX_1 HEX_1 HEX_END, UUID_B ":1-" GNO_MAX_TEXT},
        {HEX_2 HEX_SID HEX_1 HEX_2 HEX_3 HEX_SID HEX_1 HEX_1 HEX_2, UUID_B ":1-2"},
        {"01 010000000000 01" HEX_SID "06 464f6f" HEX_1 HEX_1 HEX_2, UUID_B ":foo:1"},
        {HEX_2 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" HEX_1 HEX_1 HEX_2 HEX_SID HEX_1 HEX_1 HEX_2,
         UUID_B ":1,bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb:1"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes in = check_unhex(cases[i].hex);
        struct gtid_set s;
        gtid_set_init(&s);
        assert_int_equal(gtid_set_decode(in, &s, &err), 0);
        assert_set_text(&s, cases[i].text);
        gtid_set_fini(&s);
        free_bytes(in);
    }
}

static void encoding_malformed_fails(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        const char *error;
    } cases[] = {
        {"", "GTID set: it ends in the number of sources"},
        {HEX_0 "00", "GTID set: 1 bytes behind its end"},
        {"02 010000000000 02", "GTID set: format 2 is not known"},
        {"00 010000000000 01", "GTID set: format 1 is not known"},
        {"ffffffffffffff00", "GTID set: 72057594037927935 sources do not fit in 0 bytes"},
        {HEX_2 HEX_SID HEX_1 HEX_1 HEX_2, "GTID set: 2 sources do not fit in 40 bytes"},
        {HEX_1 HEX_SID "ffffffffffffffff" HEX_1 HEX_2,
         "GTID set: 18446744073709551615 intervals do not fit in 16 bytes"},
        {HEX_1 HEX_SID HEX_2 HEX_1 HEX_2, "GTID set: 2 intervals do not fit in 16 bytes"},
        {HEX_1 HEX_SID HEX_1 HEX_0 HEX_2, "GTID set: interval 0..2 behind 0"},
        {HEX_1 HEX_SID HEX_1 HEX_2 HEX_2, "GTID set: interval 2..2 behind 0"},
        {HEX_1 HEX_SID HEX_1 HEX_3 HEX_2, "GTID set: interval 3..2 behind 0"},
        {HEX_1 HEX_SID HEX_1 HEX_1 "0000000000000080",
         "GTID set: interval 1..9223372036854775808 behind 0"},
        {HEX_1 HEX_SID HEX_2 HEX_1 HEX_2 HEX_2 HEX_3, "GTID set: interval 2..3 behind 2"},
        {HEX_1 HEX_SID HEX_2 HEX_2 HEX_3 HEX_1 HEX_2, "GTID set: interval 1..2 behind 3"},
        {"01 010000000000 01" HEX_SID "07 666f6f" HEX_0, "GTID set: a tag is longer than 32 bytes"},
        {"01 010000000000 01" HEX_SID "42 "
         "616161616161616161616161616161616161616161616161616161616161616161" HEX_0,
         "GTID set: a tag has 1 to 32 characters, not 33"},
        {"01 010000000000 01" HEX_SID "04 3161" HEX_0,
         "GTID set: a tag has letters, digits and _ only, and no digit first"},
        {"01 010000000000 01" HEX_SID "7e 616161 61616161", "GTID set: it ends in a tag"},
        {"01 010000000000 01" HEX_SID "06 666f6f 00000000",
         "GTID set: it ends in a number of intervals"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes in = check_unhex(cases[i].hex);
        struct gtid_set s;
        gtid_set_init(&s);
        assert_int_equal(gtid_set_decode(in, &s, &err), -1);
        assert_string_equal(err.text, cases[i].error);
        assert_true(gtid_set_empty(&s));
        gtid_set_fini(&s);
        free_bytes(in);
    }
}

/* Single operations */

static void set_after_clear_is_empty_and_usable(void **state)
{
    (void)state;
    struct gtid g;
    struct gtid_set s = set_of(UUID_A ":1," UUID_B ":2");
    gtid_set_clear(&s);
    assert_true(gtid_set_empty(&s));
    assert_int_equal(gtid_parse(bytes_str(UUID_B ":3"), &g, &err), 0);
    gtid_set_add(&s, &g);
    assert_set_text(&s, UUID_B ":3");
    gtid_set_fini(&s);
}

static void set_with_itself_as_operand_is_handled(void **state)
{
    (void)state;
    struct gtid_set s = set_of(UUID_A ":1:3");
    gtid_set_copy(&s, &s);
    gtid_set_union(&s, &s);
    assert_set_text(&s, UUID_A ":1:3");
    assert_true(gtid_set_is_subset(&s, &s));
    gtid_set_subtract(&s, &s);
    assert_true(gtid_set_empty(&s));
    gtid_set_fini(&s);
}

static void set_swapped_exchanges_contents(void **state)
{
    (void)state;
    struct gtid_set a = set_of(UUID_A ":1");
    struct gtid_set b = set_of("");
    gtid_set_swap(&a, &b);
    assert_true(gtid_set_empty(&a));
    assert_set_text(&b, UUID_A ":1");
    gtid_set_fini(&a);
    gtid_set_fini(&b);
}

static void contains_with_a_gno_out_of_range_is_false(void **state)
{
    (void)state;
    struct gtid g;
    struct gtid_set s = set_of(UUID_A ":1-" GNO_MAX_TEXT);
    assert_int_equal(gtid_parse(bytes_str(UUID_A ":1"), &g, &err), 0);
    g.gno = 0;
    assert_false(gtid_set_contains(&s, &g));
    g.gno = GTID_GNO_MAX + 1;
    assert_false(gtid_set_contains(&s, &g));
    gtid_set_fini(&s);
}

static void count_above_64_bits_saturates(void **state)
{
    (void)state;
    struct gtid_set s = set_of(UUID_A ":1-" GNO_MAX_TEXT "," UUID_B ":1-" GNO_MAX_TEXT);
    assert_int_equal(gtid_set_count(&s), 2 * GTID_GNO_MAX);
    struct gtid_set more = set_of(UUID_A ":x:1-" GNO_MAX_TEXT);
    gtid_set_union(&s, &more);
    assert_int_equal(gtid_set_count(&s), UINT64_MAX);
    gtid_set_fini(&s);
    gtid_set_fini(&more);
}

/* Algebra against a model: one bit for each of 64 numbers of four sources. */

#define SOURCES 4
#define NUMBERS 64

struct model {
    uint64_t bits[SOURCES];
};

/* Numbers of the even sources begin at 1, those of the odd ones end at the greatest. */
static struct gtid model_gtid(size_t source, unsigned bit)
{
    static const char *const texts[SOURCES] = {UUID_B ":1", UUID_A ":1", UUID_A ":tag:1",
                                               UUID_A ":a:1"};
    struct gtid g = {0};
    assert_int_equal(gtid_parse(bytes_str(texts[source]), &g, &err), 0);
    g.gno = bit + (source % 2 ? GTID_GNO_MAX - NUMBERS + 1 : 1);
    return g;
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void add_random(struct gtid_set *s, struct model *m, uint32_t *seed)
{
    size_t source = next_random(seed) % SOURCES;
    unsigned first = next_random(seed) % NUMBERS;
    unsigned last = first + next_random(seed) % 8;
    if (last >= NUMBERS)
        last = NUMBERS - 1;
    struct gtid g = model_gtid(source, first);
    if (first == last)
        gtid_set_add(s, &g);
    else
        gtid_set_add_range(s, &g, g.gno, g.gno + last - first);
    for (unsigned bit = first; bit <= last; bit++)
        m->bits[source] |= UINT64_C(1) << bit;
}

static struct gtid_set random_set(struct model *m, uint32_t *seed)
{
    struct gtid_set s;
    gtid_set_init(&s);
    *m = (struct model){0};
    for (unsigned n = next_random(seed) % 40; n; n--)
        add_random(&s, m, seed);
    return s;
}

static void assert_round_trips(const struct gtid_set *s)
{
    struct gtid_set again;
    struct buf out;
    gtid_set_init(&again);
    buf_init(&out);
    gtid_set_format(s, &out);
    assert_int_equal(gtid_set_parse(buf_bytes(&out), &again, &err), 0);
    assert_true(gtid_set_equal(s, &again));
    buf_clear(&out);
    gtid_set_encode(s, &out);
    assert_int_equal(gtid_set_decode(buf_bytes(&out), &again, &err), 0);
    assert_true(gtid_set_equal(s, &again));
    buf_fini(&out);
    gtid_set_fini(&again);
}

static void assert_is_model(const struct gtid_set *s, const struct model *m)
{
    uint64_t count = 0;
    size_t intervals = 0;
    for (size_t i = 0; i < SOURCES; i++) {
        count += (uint64_t)__builtin_popcountll(m->bits[i]);
        intervals += (size_t)__builtin_popcountll(m->bits[i] & ~(m->bits[i] << 1));
        struct gtid g = model_gtid(i, 0);
        for (unsigned bit = 0; bit < NUMBERS; bit++, g.gno++)
            assert_int_equal(gtid_set_contains(s, &g), m->bits[i] >> bit & 1);
    }
    assert_int_equal(gtid_set_count(s), count);
    assert_int_equal(gtid_set_intervals(s), intervals);
    assert_int_equal(gtid_set_empty(s), count == 0);
    assert_round_trips(s);
}

static void assert_pair(const struct gtid_set *a, const struct model *ma, const struct gtid_set *b,
                        const struct model *mb)
{
    struct model sum, rest;
    bool subset = true;
    for (size_t i = 0; i < SOURCES; i++) {
        sum.bits[i] = ma->bits[i] | mb->bits[i];
        rest.bits[i] = ma->bits[i] & ~mb->bits[i];
        subset = subset && !rest.bits[i];
    }
    struct gtid_set s;
    gtid_set_init(&s);
    gtid_set_copy(&s, a);
    assert_true(gtid_set_equal(&s, a));
    gtid_set_union(&s, b);
    assert_is_model(&s, &sum);
    assert_true(gtid_set_is_subset(a, &s));
    gtid_set_copy(&s, a);
    gtid_set_subtract(&s, b);
    assert_is_model(&s, &rest);
    assert_int_equal(gtid_set_empty(&s), subset);
    assert_int_equal(gtid_set_is_subset(a, b), subset);
    assert_int_equal(gtid_set_equal(a, b), memcmp(ma, mb, sizeof *ma) == 0);
    gtid_set_fini(&s);
}

static void algebra_with_random_sets_agrees_with_a_bitmap(void **state)
{
    (void)state;
    uint32_t seed = 20240607;
    for (int round = 0; round < 300; round++) {
        struct model ma, mb;
        struct gtid_set a = random_set(&ma, &seed);
        struct gtid_set b = random_set(&mb, &seed);
        assert_is_model(&a, &ma);
        assert_pair(&a, &ma, &b, &mb);
        gtid_set_union(&b, &a); /* so that a subset occurs */
        for (size_t i = 0; i < SOURCES; i++)
            mb.bits[i] |= ma.bits[i];
        assert_pair(&a, &ma, &b, &mb);
        add_random(&b, &mb, &seed);
        assert_is_model(&b, &mb);
        gtid_set_fini(&a);
        gtid_set_fini(&b);
    }
}

/* Large inputs */

static void assert_in_time(const char *what, clock_t start)
{
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    print_message("           %s: %.3f s\n", what, seconds);
    assert_true(seconds < SECONDS_MAX);
}

static void assert_many(struct gtid_set *s)
{
    assert_int_equal(gtid_set_intervals(s), MANY);
    assert_int_equal(gtid_set_count(s), MANY);
    gtid_set_fini(s);
}

static void add_of_successive_gnos_a_million_is_fast(void **state)
{
    (void)state;
    struct gtid g;
    struct gtid_set s = set_of(UUID_B ":1");
    assert_int_equal(gtid_parse(bytes_str(UUID_A ":1"), &g, &err), 0);
    clock_t start = clock();
    for (g.gno = 1; g.gno <= MANY; g.gno++)
        gtid_set_add(&s, &g);
    assert_in_time("add", start);
    assert_set_text(&s, UUID_A ":1-1000000," UUID_B ":1");
    gtid_set_fini(&s);
}

static void decode_of_a_million_intervals_is_fast(void **state)
{
    (void)state;
    struct buf in;
    struct gtid_set s;
    buf_init(&in);
    gtid_set_init(&s);
    wr_u64(&in, 1);
    wr_zero(&in, GTID_SID_BYTES);
    wr_u64(&in, MANY);
    for (uint64_t i = 1; i <= MANY; i++) {
        wr_u64(&in, 2 * i);
        wr_u64(&in, 2 * i + 1);
    }
    clock_t start = clock();
    assert_int_equal(gtid_set_decode(buf_bytes(&in), &s, &err), 0);
    assert_in_time("decode", start);
    assert_many(&s);
    buf_fini(&in);
}

static void decode_of_a_million_sources_descending_is_fast(void **state)
{
    (void)state;
    struct buf in;
    struct gtid_set s;
    buf_init(&in);
    gtid_set_init(&s);
    wr_u64(&in, MANY);
    for (uint64_t i = MANY; i > 0; i--) {
        wr_zero(&in, GTID_SID_BYTES - 1);
        wr_u8(&in, (uint8_t)(i % 2));
        wr_u64(&in, 1);
        wr_u64(&in, 2 * i);
        wr_u64(&in, 2 * i + 1);
    }
    clock_t start = clock();
    assert_int_equal(gtid_set_decode(buf_bytes(&in), &s, &err), 0);
    assert_in_time("decode descending, two sources in turn", start);
    assert_many(&s);
    buf_fini(&in);
}

static void parse_of_a_million_intervals_descending_is_fast(void **state)
{
    (void)state;
    struct buf in;
    struct gtid_set s;
    buf_init(&in);
    gtid_set_init(&s);
    wr_str(&in, UUID_A);
    for (uint64_t i = MANY; i > 0; i--)
        wr_fmt(&in, ":%" PRIu64, 2 * i);
    clock_t start = clock();
    assert_int_equal(gtid_set_parse(buf_bytes(&in), &s, &err), 0);
    assert_in_time("parse descending", start);
    buf_clear(&in);
    start = clock();
    gtid_set_format(&s, &in);
    assert_in_time("format", start);
    assert_many(&s);
    buf_fini(&in);
}

static void algebra_of_a_million_intervals_is_fast(void **state)
{
    (void)state;
    struct gtid g;
    struct gtid_set even = set_of("");
    struct gtid_set odd = set_of("");
    assert_int_equal(gtid_parse(bytes_str(UUID_A ":1"), &g, &err), 0);
    for (uint64_t i = 1; i <= MANY; i++) {
        gtid_set_add_range(&even, &g, 3 * i, 3 * i);
        gtid_set_add_range(&odd, &g, 3 * i + 1, 3 * i + 1);
    }
    clock_t start = clock();
    gtid_set_union(&odd, &even);
    assert_true(gtid_set_is_subset(&even, &odd));
    gtid_set_subtract(&odd, &even);
    assert_in_time("union, is_subset, subtract", start);
    assert_many(&even);
    assert_many(&odd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gtid_with_valid_text_is_parsed_and_formatted),
        cmocka_unit_test(gtid_with_malformed_text_fails),
        cmocka_unit_test(set_text_with_any_spelling_becomes_canonical),
        cmocka_unit_test(head_of_the_text_is_little_longer_than_asked),
        cmocka_unit_test(set_text_malformed_fails_and_keeps_the_set),
        cmocka_unit_test(encoding_of_a_real_server_decodes_and_encodes),
        cmocka_unit_test(encoding_with_tags_decodes_and_encodes),
        cmocka_unit_test(encoding_of_the_empty_set_is_eight_zero_bytes),
        cmocka_unit_test(encoding_truncated_anywhere_fails),
        cmocka_unit_test(encoding_that_servers_accept_decodes),
        cmocka_unit_test(encoding_malformed_fails),
        cmocka_unit_test(set_after_clear_is_empty_and_usable),
        cmocka_unit_test(set_with_itself_as_operand_is_handled),
        cmocka_unit_test(set_swapped_exchanges_contents),
        cmocka_unit_test(contains_with_a_gno_out_of_range_is_false),
        cmocka_unit_test(count_above_64_bits_saturates),
        cmocka_unit_test(algebra_with_random_sets_agrees_with_a_bitmap),
        cmocka_unit_test(add_of_successive_gnos_a_million_is_fast),
        cmocka_unit_test(decode_of_a_million_intervals_is_fast),
        cmocka_unit_test(decode_of_a_million_sources_descending_is_fast),
        cmocka_unit_test(parse_of_a_million_intervals_descending_is_fast),
        cmocka_unit_test(algebra_of_a_million_intervals_is_fast),
    };
    return RUN_TESTS(tests);
}
