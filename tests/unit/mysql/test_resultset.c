/* Answers to COM_QUERY: those of real servers, cut ones and hostile ones. */
#include "check.h"

#include "base/mem.h"
#include "capture.h"
#include "mysql/lenenc.h"
#include "mysql/resultset.h"

#define MYSQL97 "wire-mysql-9.7.txt"
#define MYSQL56 "wire-mysql-5.6.txt"
#define MARIADB "wire-mariadb-10.11.txt"

static struct err err;

/* Feeds the packets before the one with number end; the last step. */
static enum resultset_step feed_before(struct resultset *rs, const char *file, const char *name,
                                       size_t end)
{
    enum resultset_step step = RESULTSET_MORE;
    for (size_t i = 0; i < end && step == RESULTSET_MORE; i++) {
        struct bytes b = capture_packet(file, name, i);
        assert_non_null(b.p);
        step = resultset_feed(rs, b, &err);
        capture_free(b);
    }
    return step;
}

static size_t packets_of(const char *file, const char *name)
{
    for (size_t n = 0;; n++) {
        struct bytes b = capture_packet(file, name, n);
        capture_free(b);
        if (!b.p)
            return n;
    }
}

static void resultset_of_a_real_server_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *name;
        enum resultset_step step;
        size_t columns;
        size_t rows;
        const char *last; /* the last cell */
    } cases[] = {
        {MYSQL97, "variables", RESULTSET_ROWS, 2, 2, "32"},
        {MYSQL56, "variables", RESULTSET_ROWS, 2, 1, "1"},
        {MARIADB, "select", RESULTSET_ROWS, 1, 1, "0"},
        {MYSQL97, "select", RESULTSET_ROWS, 4, 2, "c"},
        {MYSQL97, "no_rows", RESULTSET_ROWS, 2, 0, NULL},
        {MYSQL97, "set", RESULTSET_OK, 0, 0, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct resultset rs;
        resultset_init(&rs);
        size_t n = packets_of(cases[i].file, cases[i].name);
        if (n > 1)
            assert_int_equal(feed_before(&rs, cases[i].file, cases[i].name, n - 1), RESULTSET_MORE);
        resultset_fini(&rs);
        resultset_init(&rs);
        assert_int_equal(feed_before(&rs, cases[i].file, cases[i].name, n), cases[i].step);
        assert_int_equal(rs.columns, cases[i].columns);
        assert_int_equal(rs.rows, cases[i].rows);
        if (cases[i].last)
            assert_string_equal(resultset_get(&rs, rs.rows - 1, rs.columns - 1), cases[i].last);
        resultset_fini(&rs);
    }
}

static void resultset_cells_tell_null_from_empty(void **state)
{
    (void)state;
    struct resultset rs;
    resultset_init(&rs);
    assert_int_equal(feed_before(&rs, MYSQL97, "select", 9), RESULTSET_ROWS);
    assert_string_equal(resultset_get(&rs, 0, 0), "1");
    assert_null(resultset_get(&rs, 0, 1));
    assert_string_equal(resultset_get(&rs, 0, 2), "");
    assert_int_equal(strlen(resultset_get(&rs, 0, 3)), 300);
    assert_null(resultset_get(&rs, 1, 0));
    assert_string_equal(resultset_get(&rs, 1, 1), "a");
    assert_null(resultset_get(&rs, 2, 0));
    assert_null(resultset_get(&rs, 0, 4));
    resultset_fini(&rs);
}

static void resultset_error_is_kept_wherever_it_comes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned code;
        const char *message;
    } cases[] = {
        {"unknown_variable", 1193, "Unknown system variable 'rpl_semi_sync_master_enabled'"},
        {"late_error", 1690, "DOUBLE value is out of range in 'exp(1000)'"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct resultset rs;
        resultset_init(&rs);
        size_t n = packets_of(MYSQL97, cases[i].name);
        assert_int_equal(feed_before(&rs, MYSQL97, cases[i].name, n), RESULTSET_ERR);
        assert_int_equal(rs.error.code, cases[i].code);
        assert_string_equal(rs.error.message, cases[i].message);
        assert_int_equal(rs.rows, 0);
        resultset_fini(&rs);
    }
}

struct place {
    const char *file;
    const char *name;
    size_t nth;
};

/* A cut row or head is broken; of columns only their number counts, and an EOF packet may be
 * short. */
static void feed_cut(struct bytes cut, void *arg)
{
    const struct place *at = arg;
    struct resultset rs;
    resultset_init(&rs);
    assert_int_equal(feed_before(&rs, at->file, at->name, at->nth), RESULTSET_MORE);
    bool row = rs.phase == RESULTSET_AT_ROWS, head = rs.phase == RESULTSET_AT_HEAD;
    enum resultset_step step = resultset_feed(&rs, cut, &err);
    if (row && !reply_is_eof(cut)) {
        assert_int_equal(step, RESULTSET_BROKEN);
        assert_string_equal(err.text, "malformed or too large row of a result set");
    } else if (head) {
        assert_int_equal(step, RESULTSET_BROKEN);
        assert_string_equal(err.text, "malformed head of a result set");
    }
    resultset_fini(&rs);
}

static void resultset_with_any_packet_cut_is_broken_or_waits(void **state)
{
    (void)state;
    static const struct place answers[] = {
        {MYSQL97, "variables", 0}, {MYSQL56, "variables", 0}, {MARIADB, "select", 0}};
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct place at = answers[i];
        for (; at.nth < packets_of(at.file, at.name); at.nth++) {
            struct bytes b = capture_packet(at.file, at.name, at.nth);
            capture_truncate(b, feed_cut, &at);
            capture_free(b);
        }
    }
}

struct payload {
    const char *p;
    size_t n;
};

#define PAYLOAD(text)                                                                              \
    {                                                                                              \
        text, sizeof text - 1                                                                      \
    }

static void resultset_against_the_protocol_is_broken(void **state)
{
    (void)state;
    static const struct {
        struct payload packets[4];
        const char *text;
    } cases[] = {
        {{{"", 0}}, "malformed head of a result set"},
        {{PAYLOAD("\xfe\0\0\2\0")}, "malformed head of a result set"},
        {{PAYLOAD("\x41")}, "malformed head of a result set"}, /* 65 columns */
        {{PAYLOAD("\xfe\0\0\0\0\0\0\0\0")}, "malformed head of a result set"},
        {{PAYLOAD("\xfb/etc/passwd")},
         "the server asks for a local file (LOCAL INFILE), which is never given"},
        {{PAYLOAD("\1"), PAYLOAD("\xfe\0\0\2\0")}, "malformed column list of a result set"},
        {{PAYLOAD("\1"), PAYLOAD("\3def"), PAYLOAD("\3def")},
         "malformed column list of a result set"},
        {{PAYLOAD("\1"), PAYLOAD("\3def"), PAYLOAD("\xfe\0\0\2\0"), PAYLOAD("\1a\1b")},
         "malformed or too large row of a result set"},
        {{PAYLOAD("\2"), PAYLOAD("\3def"), PAYLOAD("\3def"), PAYLOAD("\1a")},
         "malformed column list of a result set"},
        {{PAYLOAD("\1"), PAYLOAD("\3def"), PAYLOAD("\xfe\0\0\2\0"),
          PAYLOAD("\xfe\xff\xff\xff\xff\xff\xff\xff\xff")},
         "malformed or too large row of a result set"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct resultset rs;
        enum resultset_step step = RESULTSET_MORE;
        resultset_init(&rs);
        for (size_t k = 0; k < COUNT_OF(cases[i].packets) && step == RESULTSET_MORE; k++) {
            struct bytes b = capture_copy(bytes_of(cases[i].packets[k].p, cases[i].packets[k].n));
            step = resultset_feed(&rs, b, &err);
            capture_free(b);
        }
        assert_int_equal(step, RESULTSET_BROKEN);
        assert_string_equal(err.text, cases[i].text);
        resultset_fini(&rs);
    }
}

static void open_one_column(struct resultset *rs)
{
    resultset_init(rs);
    resultset_feed(rs, bytes_str("\1"), &err);
    resultset_feed(rs, bytes_str("\3def"), &err);
    assert_int_equal(resultset_feed(rs, bytes_of("\xfe\0\0\2\0", 5), &err), RESULTSET_MORE);
}

static void resultset_beyond_its_limit_is_broken(void **state)
{
    (void)state;
    struct resultset rs;
    struct buf row;
    size_t rows = 0;
    uint8_t *text = mem_alloc(1u << 20);
    memset(text, 't', 1u << 20);
    buf_init(&row);
    lenenc_str_encode(&row, bytes_of(text, 1u << 20));
    open_one_column(&rs);
    while (rows < 100 && resultset_feed(&rs, buf_bytes(&row), &err) == RESULTSET_MORE)
        rows++;
    assert_int_equal(rows, RESULTSET_BYTES_MAX / (1u << 20) - 1);
    assert_string_equal(err.text, "malformed or too large row of a result set");
    resultset_fini(&rs);
    buf_fini(&row);
    free(text);
}

static void resultset_of_nulls_is_bounded_too(void **state)
{
    (void)state;
    struct resultset rs;
    size_t rows = 0;
    open_one_column(&rs);
    while (resultset_feed(&rs, bytes_str("\xfb"), &err) == RESULTSET_MORE)
        rows++;
    assert_in_range(rows, 1000000, RESULTSET_BYTES_MAX);
    resultset_fini(&rs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resultset_of_a_real_server_is_read),
        cmocka_unit_test(resultset_cells_tell_null_from_empty),
        cmocka_unit_test(resultset_error_is_kept_wherever_it_comes),
        cmocka_unit_test(resultset_with_any_packet_cut_is_broken_or_waits),
        cmocka_unit_test(resultset_against_the_protocol_is_broken),
        cmocka_unit_test(resultset_beyond_its_limit_is_broken),
        cmocka_unit_test(resultset_of_nulls_is_bounded_too),
    };
    return RUN_TESTS(tests);
}
