/* Errors as values: kinds, text, truncation. */
#include "check.h"

#include "base/err.h"

#include <errno.h>
#include <string.h>

static struct err err;

static void err_kinds(void **state)
{
    (void)state;
    assert_int_equal(err_set(&err, "a %d", 1), -1);
    assert_int_equal(err.kind, ERR_OTHER);
    assert_string_equal(err.text, "a 1");
    assert_int_equal(err_kind_set(&err, ERR_CORRUPT, "b"), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
}

static void err_io_kind_by_errno(void **state)
{
    (void)state;
    static const struct {
        int errnum;
        enum err_kind kind;
        const char *text;
    } cases[] = {
        {EIO, ERR_IO, "cannot x: Input/output error"},
        {ENOSPC, ERR_NO_SPACE, "cannot x: No space left on device"},
        {EDQUOT, ERR_NO_SPACE, "cannot x: Disk quota exceeded"},
        {EROFS, ERR_IO, "cannot x: Read-only file system"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(err_io(&err, cases[i].errnum, "cannot %s", "x"), -1);
        assert_int_equal(err.kind, cases[i].kind);
        assert_string_equal(err.text, cases[i].text);
    }
}

static void err_prefix_keeps_the_kind(void **state)
{
    (void)state;
    err_kind_set(&err, ERR_DIVERGED, "inner");
    assert_int_equal(err_prefix(&err, "outer %d", 2), -1);
    assert_string_equal(err.text, "outer 2: inner");
    assert_int_equal(err.kind, ERR_DIVERGED);
}

static void err_malformed_says_so_of_what_has_no_kind(void **state)
{
    (void)state;
    static const struct {
        enum err_kind was, is;
    } cases[] = {{ERR_OTHER, ERR_MALFORMED}, {ERR_DIVERGED, ERR_DIVERGED}, {ERR_LONG, ERR_LONG}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        err_kind_set(&err, cases[i].was, "inner");
        assert_int_equal(err_malformed(&err), -1);
        assert_int_equal(err.kind, cases[i].is);
        assert_string_equal(err.text, "inner");
    }
}

static void err_long_text_truncated(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    err_set(&err, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    err_prefix(&err, "outer");
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_memory_equal(err.text, "outer: xxx", 10);
    err_prefix(&err, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    err_io(&err, EIO, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_kinds),
        cmocka_unit_test(err_io_kind_by_errno),
        cmocka_unit_test(err_prefix_keeps_the_kind),
        cmocka_unit_test(err_malformed_says_so_of_what_has_no_kind),
        cmocka_unit_test(err_long_text_truncated),
    };
    return RUN_TESTS(tests);
}
