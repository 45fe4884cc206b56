/* Answers as bytes, and read back by the client's decoder. */
#include "check.h"

#include "mysql/packet.h"
#include "mysql/reply.h"
#include "mysql/reply_writer.h"
#include "mysql/resultset.h"

#include <stdio.h>

static struct err err;
static struct buf out;
static struct reply_writer w;

static int set_up(void **state)
{
    (void)state;
    reply_writer_init(&w, &out, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_fini(&out);
    return 0;
}

static void assert_out(const char *hex)
{
    struct bytes expected = check_unhex(hex);
    assert_int_equal(out.len, expected.n);
    assert_memory_equal(buf_bytes(&out).p, expected.p, expected.n);
    free((void *)expected.p);
}

static void ok_and_eof_are_those_of_a_server(void **state)
{
    (void)state;
    reply_writer_ok(&w, 0);
    reply_writer_ok(&w, 3);
    reply_writer_eof(&w, 0);
    assert_out("07000001 00 00 00 0200 0000  07000002 00 00 00 0200 0300  05000003 fe 0000 0200");
    assert_int_equal(w.seq, 4);
}

static void err_has_the_sqlstate_of_its_code(void **state)
{
    (void)state;
    static const struct {
        uint16_t code;
        const char *sqlstate;
    } cases[] = {{1040, "08004"}, {1043, "08S01"}, {1045, "28000"}, {1047, "08S01"},
                 {1049, "42000"}, {1053, "08S01"}, {1064, "42000"}, {1065, "42000"},
                 {1094, "HY000"}, {1153, "08S01"}, {1156, "08S01"}, {1159, "08S01"},
                 {1193, "HY000"}, {1203, "42000"}, {1227, "42000"}, {1231, "42000"},
                 {1235, "42000"}, {1236, "HY000"}, {1251, "08004"}, {1317, "70100"},
                 {3159, "HY000"}, {60000, "HY000"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct reply_err e;
        buf_clear(&out);
        reply_writer_err(&w, cases[i].code, "text %d", 7);
        struct bytes payload = bytes_skip(buf_bytes(&out), PACKET_HEADER);
        assert_memory_equal(payload.p + 4, cases[i].sqlstate, 5);
        reply_err_decode(&e, payload);
        assert_int_equal(e.code, cases[i].code);
        assert_string_equal(e.message, "text 7");
    }
}

static void err_is_cut_at_511_bytes(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    reply_writer_err(&w, 1105, "%s", text);
    assert_int_equal(out.len, PACKET_HEADER + 9 + 511);
    buf_clear(&out);
    reply_err_encode(&out, 1105, text);
    assert_int_equal(out.len, 9 + 511);
}

static void err_in_place_of_the_greeting_has_no_sqlstate(void **state)
{
    (void)state;
    reply_err_encode_early(&out, 1040, "Too");
    assert_out("ff 1004 546f6f");
}

static const struct reply_column columns[] = {
    {"Log_name", REPLY_TYPE_VAR_STRING},
    {"File_size", REPLY_TYPE_LONGLONG},
};

static void head_describes_columns(void **state)
{
    (void)state;
    reply_writer_head(&w, columns, COUNT_OF(columns));
    assert_out("01000001 02"
               "1e000002 03646566 00 00 00 084c6f675f6e616d65 00 0c 2d00 00040000 fd 0000 1f 0000"
               "1f000003 03646566 00 00 00 0946696c655f73697a65 00 0c 3f00 15000000 08 a000 00 0000"
               "05000004 fe 0000 0200");
}

/* Feeds all packets that stand in out; they must be in sequence from 1. */
static enum resultset_step read_back(struct resultset *rs)
{
    struct bytes in = buf_bytes(&out);
    struct buf message = {0};
    enum resultset_step step = RESULTSET_MORE;
    for (uint8_t seq = 1; in.n; seq++) {
        size_t n = le24(in.p);
        assert_int_equal(in.p[3], seq);
        wr_bytes(&message, bytes_of(in.p + PACKET_HEADER, n));
        in = bytes_skip(in, PACKET_HEADER + n);
        if (n == PACKET_PART_MAX)
            continue;
        assert_int_equal(step, RESULTSET_MORE);
        step = resultset_feed(rs, buf_bytes(&message), &err);
        buf_clear(&message);
    }
    buf_fini(&message);
    return step;
}

static void result_set_is_read_back_cell_by_cell(void **state)
{
    (void)state;
    struct resultset rs;
    resultset_init(&rs);
    reply_writer_head(&w, columns, COUNT_OF(columns));
    reply_writer_row_begin(&w);
    reply_writer_cell(&w, "mysql-bin.000001");
    reply_writer_cell_u64(&w, UINT64_MAX);
    reply_writer_row_end(&w);
    reply_writer_row_begin(&w);
    reply_writer_cell(&w, NULL);
    reply_writer_cell(&w, "");
    reply_writer_row_end(&w);
    reply_writer_row_begin(&w);
    reply_writer_cell_bytes(&w, bytes_str("x"));
    reply_writer_cell_u64(&w, 0);
    reply_writer_row_end(&w);
    reply_writer_rows_end(&w);
    assert_int_equal(read_back(&rs), RESULTSET_ROWS);
    assert_int_equal(rs.rows, 3);
    assert_string_equal(resultset_get(&rs, 0, 0), "mysql-bin.000001");
    assert_string_equal(resultset_get(&rs, 0, 1), "18446744073709551615");
    assert_null(resultset_get(&rs, 1, 0));
    assert_string_equal(resultset_get(&rs, 1, 1), "");
    assert_string_equal(resultset_get(&rs, 2, 0), "x");
    assert_string_equal(resultset_get(&rs, 2, 1), "0");
    resultset_fini(&rs);
}

static void result_set_without_rows_is_read_back(void **state)
{
    (void)state;
    struct resultset rs;
    resultset_init(&rs);
    reply_writer_head(&w, columns, COUNT_OF(columns));
    reply_writer_rows_end(&w);
    assert_int_equal(read_back(&rs), RESULTSET_ROWS);
    assert_int_equal(rs.rows, 0);
    resultset_fini(&rs);
}

/* More packets than sequence numbers, behind bytes that were sent already. */
static void sequence_numbers_begin_anew_after_255(void **state)
{
    (void)state;
    struct resultset rs;
    resultset_init(&rs);
    wr_str(&out, "sent before");
    buf_consume(&out, 5);
    size_t before = out.len;
    reply_writer_head(&w, columns, COUNT_OF(columns));
    for (int i = 0; i < 1000; i++) {
        reply_writer_row_begin(&w);
        reply_writer_cell(&w, "a");
        reply_writer_cell_u64(&w, (uint64_t)i);
        reply_writer_row_end(&w);
    }
    reply_writer_rows_end(&w);
    buf_consume(&out, before);
    assert_int_equal(read_back(&rs), RESULTSET_ROWS);
    assert_int_equal(rs.rows, 1000);
    assert_string_equal(resultset_get(&rs, 999, 1), "999");
    resultset_fini(&rs);
}

/* Rows around the size where a packet must be followed by another. */
static void long_rows_are_split(void **state)
{
    (void)state;
    static const struct reply_column one[] = {{"v", REPLY_TYPE_VAR_STRING}};
    for (size_t n = PACKET_PART_MAX - 1; n <= PACKET_PART_MAX + 1; n++) {
        struct resultset rs;
        resultset_init(&rs);
        buf_clear(&out);
        reply_writer_init(&w, &out, 1);
        size_t text_n = n - 4; /* the cell's length takes four bytes */
        char *text = malloc(text_n);
        memset(text, 'x', text_n);
        reply_writer_head(&w, one, 1);
        reply_writer_row_begin(&w);
        reply_writer_cell_bytes(&w, bytes_of(text, text_n));
        reply_writer_row_end(&w);
        reply_writer_rows_end(&w);
        assert_int_equal(w.seq, n < PACKET_PART_MAX ? 6 : 7);
        assert_int_equal(read_back(&rs), RESULTSET_ROWS);
        assert_int_equal(strlen(resultset_get(&rs, 0, 0)), text_n);
        resultset_fini(&rs);
        free(text);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(ok_and_eof_are_those_of_a_server),
        T(err_has_the_sqlstate_of_its_code),
        T(err_is_cut_at_511_bytes),
        T(err_in_place_of_the_greeting_has_no_sqlstate),
        T(head_describes_columns),
        T(result_set_is_read_back_cell_by_cell),
        T(result_set_without_rows_is_read_back),
        T(sequence_numbers_begin_anew_after_255),
        T(long_rows_are_split),
    };
    return RUN_TESTS(tests);
}
