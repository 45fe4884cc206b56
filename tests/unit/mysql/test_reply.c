/* OK, ERR and EOF packets. */
#include "check.h"

#include "capture.h"
#include "mysql/errcode.h"
#include "mysql/reply.h"

#define MYSQL97 "wire-mysql-9.7.txt"
#define MARIADB "wire-mariadb-10.11.txt"

static void reply_is_told_by_its_first_byte_and_length(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        bool err;
        bool eof;
    } cases[] = {
        {"", 0, false, false},
        {"\0\0\0\2\0\0\0", 7, false, false},
        {"\xfe", 1, false, true},
        {"\xfe\0\0\2\0", 5, false, true},
        {"\xfe\0\0\0\0\0\0\0", 8, false, true},
        {"\xfe\0\0\0\1\0\0\0\0", 9, false, false}, /* a row whose first cell has 16 MiB */
        {"\xff", 1, true, false},
        {"\xff\x10\x04Too many", 11, true, false},
        {"\x05short", 6, false, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes b = capture_copy(bytes_of(cases[i].bytes, cases[i].n));
        assert_int_equal(reply_is_err(b), cases[i].err);
        assert_int_equal(reply_is_eof(b), cases[i].eof);
        capture_free(b);
    }
}

static void reply_err_of_a_real_server_is_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *name;
        unsigned code;
        const char *message;
    } cases[] = {
        {MYSQL97, "too_many", 1040, "Too many connections"}, /* without SQLSTATE */
        {MYSQL97, "insecure.error", ER_SECURE_TRANSPORT_REQUIRED,
         "Connections using insecure transport are prohibited while "
         "--require_secure_transport=ON."},
        {MYSQL97, "unknown_variable", ER_UNKNOWN_SYSTEM_VARIABLE,
         "Unknown system variable 'rpl_semi_sync_master_enabled'"},
        {MYSQL97, "dump_error", ER_SOURCE_FATAL_ERROR_READING_BINLOG,
         "Could not find first log file name in binary log index file"},
        {MARIADB, "denied.error", ER_ACCESS_DENIED_ERROR,
         "Access denied for user 'repl'@'localhost' (using password: YES)"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct reply_err e;
        struct bytes b = capture_packet(cases[i].file, cases[i].name, 0);
        assert_true(reply_is_err(b));
        reply_err_decode(&e, b);
        assert_int_equal(e.code, cases[i].code);
        assert_string_equal(e.message, cases[i].message);
        capture_free(b);
    }
}

static void decode_cut_err(struct bytes b, void *arg)
{
    const struct reply_err *whole = arg;
    struct reply_err e;
    reply_err_decode(&e, b);
    assert_int_equal(e.code, b.n < 3 ? 0 : whole->code);
    if (b.n >= 9) {
        assert_int_equal(strlen(e.message), b.n - 9);
        assert_memory_equal(e.message, whole->message, b.n - 9);
    }
}

static void reply_err_that_is_cut_has_what_is_there(void **state)
{
    (void)state;
    struct reply_err whole;
    struct bytes b = capture_packet(MYSQL97, "dump_error", 0);
    reply_err_decode(&whole, b);
    capture_truncate(b, decode_cut_err, &whole);
    capture_free(b);
}

static void reply_err_with_a_long_message_is_cut_to_fit(void **state)
{
    (void)state;
    char text[3 + 1000];
    memset(text, 'm', sizeof text);
    text[0] = (char)REPLY_ERR;
    struct reply_err e;
    reply_err_decode(&e, bytes_of(text, sizeof text));
    assert_int_equal(strlen(e.message), sizeof e.message - 1);
    assert_memory_equal(e.message, text + 3, sizeof e.message - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reply_is_told_by_its_first_byte_and_length),
        cmocka_unit_test(reply_err_of_a_real_server_is_decoded),
        cmocka_unit_test(reply_err_that_is_cut_has_what_is_there),
        cmocka_unit_test(reply_err_with_a_long_message_is_cut_to_fit),
    };
    return RUN_TESTS(tests);
}
