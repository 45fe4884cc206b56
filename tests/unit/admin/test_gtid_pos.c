/* BINLOG_GTID_POS over a file that a MariaDB wrote. */
#include "check.h"

#include "admin/gtid_pos.h"
#include "base/mem.h"
#include "binlog/event.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define OTHERS ",2-1-18446744073709551615,7-1-1,4294967295-4294967295-1"
#define LIST   256u /* where the Gtid_list stands, up to 363 */

static uint8_t *image;
static size_t size;
static int fd;
static struct fs fs;

static int set_up(void **state)
{
    (void)state;
    fs = *fs_posix();
    fd = memfd_create("gtid_pos", MFD_CLOEXEC);
    image = check_data("binlog/mariadb-10.11-domains.binlog", &size);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(fd);
    free(image);
    return 0;
}

/* "none", or the answer for the first `end` bytes of the image. */
static const char *find_in(uint64_t position, uint64_t end)
{
    static char answer[300];
    struct buf text = {0};
    struct gtid_pos_request r = {&fs, fd, end, position};
    assert_int_equal(pwrite(fd, image, size, 0), size);
    bool found = gtid_pos_find(&r, &text);
    wr_u8(&text, 0);
    snprintf(answer, sizeof answer, "%s", found ? (const char *)text.data : "none");
    buf_fini(&text);
    return answer;
}

static void gtid_pos_at_each_place(void **state)
{
    (void)state;
    static const struct {
        uint64_t position;
        const char *answer;
    } cases[] = {
        {0, "0-1-3" OTHERS}, /* before the list its content is the answer */
        {4, "0-1-3" OTHERS},    {256, "0-1-3" OTHERS},  {363, "0-1-3" OTHERS},
        {406, "0-1-3" OTHERS},  {448, "0-1-4" OTHERS},  {613, "0-1-4" OTHERS},
        {698, "0-5-5" OTHERS},  {863, "0-5-5" OTHERS},  {1018, "0-5-6" OTHERS},
        {1264, "0-5-7" OTHERS}, {1311, "0-5-7" OTHERS}, {5, "none"},
        {364, "none"},          {1310, "none"},         {1312, "none"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (strcmp(find_in(cases[i].position, size), cases[i].answer) != 0)
            fail_msg("at %d: %s", (int)cases[i].position, find_in(cases[i].position, size));
}

static void gtid_pos_behind_what_may_be_looked_at_is_none(void **state)
{
    (void)state;
    assert_string_equal(find_in(613, 613), "0-1-4" OTHERS);
    assert_string_equal(find_in(656, 613), "none");
    assert_string_equal(find_in(656, 640), "none"); /* in the midst of an event */
    assert_string_equal(find_in(size, size + 100), "0-5-7" OTHERS);
    assert_string_equal(find_in(size + 50, size + 100), "none"); /* more than the file has */
}

static void gtid_pos_in_a_file_without_a_list_is_none(void **state)
{
    (void)state;
    free(image);
    image = check_data("binlog/5.7-statement.binlog", &size);
    assert_string_equal(find_in(194, size), "none");
}

/* Each makes an event before the position unreadable. */
static void gtid_pos_behind_damage_is_none(void **state)
{
    (void)state;
    static const struct {
        uint32_t at, value;
    } cases[] = {
        {LIST + 9, EVENT_HEADER - 1},        /* a length that is none */
        {LIST + 9, 107 - 1},                 /* the next event begins elsewhere */
        {LIST + EVENT_HEADER, 1000},         /* so many are not in the list */
        {406 + 9, EVENT_HEADER + EVENT_CRC}, /* a Gtid without a body */
        {406 + 9, EVENT_HEADER},             /* nor a CRC */
        {EVENT_MAGIC_LEN + EVENT_HEADER, 3}, /* another version */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint32_t real = le32(image + cases[i].at);
        put_le32(image + cases[i].at, cases[i].value);
        if (strcmp(find_in(613, size), "none") != 0)
            fail_msg("case %zu: %s", i, find_in(613, size));
        put_le32(image + cases[i].at, real);
    }
    assert_string_equal(find_in(613, size), "0-1-4" OTHERS);
}

/* A list longer than the window of 1 MiB is not read. */
static void gtid_pos_behind_a_very_long_list_is_none(void **state)
{
    (void)state;
    uint32_t length = (1u << 20) + 1;
    image = mem_realloc(image, LIST + length);
    memset(image + 363, 0, LIST + length - 363);
    put_le32(image + LIST + 9, length);
    size = LIST + length;
    assert_string_equal(find_in(size, size), "none");
}

static ssize_t failing_pread(int f, void *buf, size_t n, off_t off)
{
    (void)f, (void)buf, (void)n, (void)off;
    errno = EIO;
    return -1;
}

static void gtid_pos_of_an_unreadable_file_is_none(void **state)
{
    (void)state;
    fs.pread = failing_pread;
    assert_string_equal(find_in(613, size), "none");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gtid_pos_at_each_place),
        TEST(gtid_pos_behind_what_may_be_looked_at_is_none),
        TEST(gtid_pos_in_a_file_without_a_list_is_none),
        TEST(gtid_pos_behind_damage_is_none),
        TEST(gtid_pos_behind_a_very_long_list_is_none),
        TEST(gtid_pos_of_an_unreadable_file_is_none),
    };
    return RUN_TESTS(tests);
}
