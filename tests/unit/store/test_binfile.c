/* Names of binary log files: what is let in, lists, the index. */
#include "check.h"

#include "base/mem.h"
#include "faultfs.h"
#include "store/binfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct err err;

static int parse(struct binfile_name *name, const char *text)
{
    return binfile_name_parse(name, bytes_str(text), &err);
}

static void binfile_good_names_parsed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t base_len;
        uint64_t number;
    } cases[] = {
        {"mysql-bin.000001", 9, 1},
        {"a.000000", 1, 0},
        {"binlog.999999", 6, 999999},
        {"x.1000000", 1, 1000000},
        {"x.9999999999", 1, 9999999999},
        {"x.4294967296", 1, 4294967296},
        {"db-1.example.com-bin.000042", 20, 42},
        {"_-_.000007", 3, 7},
        {"-.000001", 1, 1},
        {"a..000001", 2, 1},
        {"A1.123456.000002", 9, 2},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct binfile_name name;
        assert_int_equal(parse(&name, cases[i].text), 0);
        assert_string_equal(name.text, cases[i].text);
        assert_int_equal(name.base_len, cases[i].base_len);
        assert_int_equal(name.number, cases[i].number);
    }
}

static void binfile_bad_names_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        ".",
        "..",
        "000001",
        ".000001",
        "a.00001",
        "a000001",
        "a.",
        "a.b",
        "a.000001x",
        "a.00000x",
        "a.12345678901",
        "../a.000001",
        "/a.000001",
        "a/b.000001",
        ".a.000001",
        "..a.000001",
        "a\\b.000001",
        "a b.000001",
        "a\n.000001",
        "a\xc3\xa9.000001",
        "mysql-bin.index",
        "a.+00001",
        "a.-00001",
        " a.000001",
        "a.000001 ",
        "a:000001",
        "a*.000001",
        "a.000001.torn-20240101T000000Z",
        "a.0x0001",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct binfile_name name = {.number = 77};
        if (parse(&name, cases[i]) == 0)
            fail_msg("\"%s\" was accepted", cases[i]);
        assert_int_equal(name.number, 77);
    }
    struct binfile_name name;
    assert_int_equal(binfile_name_parse(&name, bytes_of("a\0b.000001", 10), &err), -1);
    assert_int_equal(binfile_name_parse(&name, bytes_of("a.000001\0", 9), &err), -1);
    assert_int_equal(binfile_name_parse(&name, bytes_of(NULL, 0), &err), -1);
}

static void binfile_base_of_250_is_the_longest(void **state)
{
    (void)state;
    char text[600];
    struct binfile_name name;
    for (size_t base = 249; base <= 300; base++) {
        memset(text, 'a', base);
        strcpy(text + base, ".1234567890");
        assert_int_equal(parse(&name, text), base <= 250 ? 0 : -1);
    }
    assert_non_null(strstr(err.text, "is no name for a binary log file"));
    assert_true(strlen(err.text) < 120);
}

static void binfile_names_compared(void **state)
{
    (void)state;
    struct binfile_name a, b, c, d;
    parse(&a, "bin.000001");
    parse(&b, "bin.000002");
    parse(&c, "bin2.000001");
    parse(&d, "bin.0000001");
    assert_true(binfile_same_base(&a, &b));
    assert_false(binfile_same_base(&a, &c));
    assert_true(binfile_name_eq(&a, &a));
    assert_false(binfile_name_eq(&a, &b));
    assert_false(binfile_name_eq(&a, &d));
}

static void touch(int dirfd, const char *name)
{
    int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void binfile_list_of_a_directory_sorted_by_number(void **state)
{
    (void)state;
    char *dir = check_mkdir();
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    static const char *const there[] = {"b.1000000",       "b.000010", "b.000002", "b.999999",
                                        "b.000002.torn-1", "b.index",  "durable",  ".b.000003"};
    for (size_t i = 0; i < COUNT_OF(there); i++)
        touch(fd, there[i]);
    assert_int_equal(mkdirat(fd, "b.000003", 0700), 0);
    assert_int_equal(symlinkat("b.000002", fd, "b.000004"), 0);
    struct binfile_list l = {0};
    struct buf text;
    buf_init(&text);
    assert_int_equal(binfile_list_read_dir(&l, fs_posix(), fd, &err), 0);
    binfile_index_format(&l, &text);
    wr_u8(&text, 0);
    assert_string_equal((char *)text.data, "./b.000002\n./b.000010\n./b.999999\n./b.1000000\n");
    struct binfile_name name;
    parse(&name, "b.999999");
    assert_int_equal(binfile_list_find(&l, &name), 2);
    parse(&name, "b.000003");
    assert_int_equal(binfile_list_find(&l, &name), -1);
    char index[BINFILE_NAME_MAX + 8];
    binfile_index_name(&name, index);
    assert_string_equal(index, "b.index");
    buf_fini(&text);
    binfile_list_fini(&l);
    close(fd);
    assert_int_equal(binfile_list_read_dir(&l, fs_posix(), fd, &err), -1);
    assert_int_equal(err.kind, ERR_IO);
    binfile_list_fini(&l);
    check_rmdir(dir);
}

static void binfile_list_of_a_directory_that_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    char *dir = check_mkdir();
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct binfile_list l = {0};
    touch(fd, "b.000001");
    for (unsigned n = 1; n <= 2; n++) {
        faultfs_fail(n, FAULTFS_BIT(FAULTFS_GETDENTS64), EIO, FAULTFS_ONCE);
        assert_int_equal(binfile_list_read_dir(&l, faultfs(), fd, &err), -1);
        assert_int_equal(err.kind, ERR_IO);
        assert_string_equal(err.text, "cannot list the files: read: Input/output error");
    }
    binfile_list_fini(&l);
    close(fd);
    check_rmdir(dir);
}

static void binfile_list_grows(void **state)
{
    (void)state;
    struct binfile_list l = {0};
    struct binfile_name name;
    for (int i = 0; i < 1000; i++) {
        char text[32];
        snprintf(text, sizeof text, "b.%06d", i);
        parse(&name, text);
        binfile_list_add(&l, &name);
    }
    assert_int_equal(l.n, 1000);
    parse(&name, "b.000500");
    assert_int_equal(binfile_list_find(&l, &name), 500);
    binfile_list_fini(&l);
    assert_int_equal(l.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binfile_good_names_parsed),
        cmocka_unit_test(binfile_bad_names_refused),
        cmocka_unit_test(binfile_base_of_250_is_the_longest),
        cmocka_unit_test(binfile_names_compared),
        cmocka_unit_test(binfile_list_of_a_directory_sorted_by_number),
        cmocka_unit_test(binfile_list_of_a_directory_that_cannot_be_read_is_an_error),
        cmocka_unit_test(binfile_list_grows),
    };
    return RUN_TESTS(tests);
}
