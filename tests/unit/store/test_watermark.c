/* The durable bound: what is written is read, and nothing else is taken for a bound. */
#include "check.h"

#include "base/mem.h"
#include "faultfs.h"
#include "store/watermark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static char *dir;
static int dirfd_;

static int set_up(void **state)
{
    (void)state;
    dir = check_mkdir();
    dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    faultfs_reset(NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(dirfd_);
    check_rmdir(dir);
    return 0;
}

static struct watermark read_mark(void)
{
    struct watermark mark;
    watermark_read(&mark, fs_posix(), dirfd_);
    return mark;
}

static struct binfile_name name_of(const char *text)
{
    struct binfile_name name = {0};
    struct err err;
    assert_int_equal(binfile_name_parse(&name, bytes_str(text), &err), 0);
    return name;
}

static void put(struct bytes text)
{
    struct err err;
    assert_int_equal(fs_write_atomic(fs_posix(), dirfd_, WATERMARK_FILE, text, &err), 0);
}

static void watermark_missing_is_none(void **state)
{
    (void)state;
    assert_false(read_mark().known);
    assert_string_equal(read_mark().name.text, "");
    assert_int_equal(read_mark().pos, 0);
}

static void watermark_of_a_new_folder_is_known_and_nothing(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(watermark_begin(fs_posix(), dirfd_, &err), 0);
    assert_true(read_mark().known);
    assert_string_equal(read_mark().name.text, "");
    assert_int_equal(read_mark().pos, 0);
}

static void watermark_written_is_read(void **state)
{
    (void)state;
    char longest[BINFILE_NAME_MAX + 1];
    memset(longest, 'a', 250);
    snprintf(longest + 250, sizeof longest - 250, ".1234567890");
    const char *const names[] = {"a.000001", longest, "b.000002"};
    const uint64_t positions[] = {0, 4, UINT32_MAX + 5ull, UINT64_MAX};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        for (size_t k = 0; k < COUNT_OF(positions); k++) {
            struct binfile_name name = name_of(names[i]);
            watermark_write(fs_posix(), dirfd_, &name, positions[k]);
            struct watermark mark = read_mark();
            assert_string_equal(mark.name.text, names[i]);
            assert_true(mark.pos == positions[k]);
            assert_int_equal(mark.name.number, name.number);
        }
}

/* A write that did not get to its end must not give a shorter number. */
static void watermark_every_truncation_is_none_or_whole(void **state)
{
    (void)state;
    struct err err;
    char *data;
    size_t n;
    struct binfile_name name = name_of("mysql-bin.000017");
    watermark_write(fs_posix(), dirfd_, &name, 123456789);
    assert_int_equal(fs_read_file(fs_posix(), dirfd_, WATERMARK_FILE, 4096, &data, &n, &err), 0);
    for (size_t len = 0; len <= n; len++) {
        put(bytes_of(data, len));
        struct watermark mark = read_mark();
        if (mark.name.text[0])
            assert_int_equal(mark.pos, 123456789);
        else
            assert_int_equal(mark.pos, 0);
    }
    assert_string_equal(read_mark().name.text, "mysql-bin.000017");
    free(data);
}

/* A power cut in the midst of overwriting: at no byte may two bounds become a third. */
static void watermark_every_tear_is_none_or_whole(void **state)
{
    (void)state;
    struct err err;
    char *data[2];
    size_t n;
    struct binfile_name name = name_of("mysql-bin.000017");
    const uint64_t positions[] = {98765, 742820};
    for (size_t i = 0; i < 2; i++) {
        watermark_write(fs_posix(), dirfd_, &name, positions[i]);
        assert_int_equal(fs_read_file(fs_posix(), dirfd_, WATERMARK_FILE, 4096, &data[i], &n, &err),
                         0);
    }
    for (size_t at = 0; at <= n; at++) {
        memcpy(data[0], data[1], at);
        put(bytes_of(data[0], n));
        uint64_t pos = read_mark().pos;
        if (pos && pos != positions[0] && pos != positions[1])
            fail_msg("torn at %zu: a bound of %llu", at, (unsigned long long)pos);
    }
    assert_true(read_mark().pos == positions[1]);
    free(data[0]);
    free(data[1]);
}

static void watermark_garbage_is_none(void **state)
{
    (void)state;
    static const char *const cases[] = {"",           "\n",           "a.000001",
                                        "a.000001 5", "a.000001 5 x", "a.000001 5 00000000",
                                        "a 5 .",      "a.000001 x .", "5 ."};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        put(bytes_str(cases[i]));
        if (read_mark().name.text[0])
            fail_msg("\"%s\" was taken for a bound", cases[i]);
    }
    char zeros[384] = {0}, large[2000];
    put(bytes_of(zeros, sizeof zeros));
    assert_string_equal(read_mark().name.text, "");
    memset(large, 'a', sizeof large);
    put(bytes_of(large, sizeof large));
    assert_string_equal(read_mark().name.text, "");
}

static void watermark_failed_write_is_silent(void **state)
{
    (void)state;
    struct binfile_name name = name_of("a.000001");
    for (unsigned n = 1; n <= 3; n++) {
        faultfs_fail(n, FAULTFS_ALL, EIO, FAULTFS_ONCE);
        watermark_write(faultfs(), dirfd_, &name, n);
    }
    assert_int_equal(read_mark().pos, 3); /* only its close failed */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(watermark_missing_is_none),
        TEST(watermark_of_a_new_folder_is_known_and_nothing),
        TEST(watermark_written_is_read),
        TEST(watermark_every_truncation_is_none_or_whole),
        TEST(watermark_every_tear_is_none_or_whole),
        TEST(watermark_garbage_is_none),
        TEST(watermark_failed_write_is_silent),
    };
    return RUN_TESTS(tests);
}
