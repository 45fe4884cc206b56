/* SHOW BINLOG EVENTS of files that servers wrote, against what those servers answered. */
#include "check.h"

#include "admin/events.h"
#include "answer.h"
#include "base/mem.h"
#include "binlog/event.h"
#include "mysql/errcode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAD      "Log_name:253:1,Pos:8:a1,Event_type:253:1,Server_id:3:a1,End_log_pos:8:a1,Info:253:1"
#define SHOWN_MAX 500 /* characters of Info that the servers' answers were cut at */

static struct buf answer, text;
static struct events_request request;
static struct bytes image;

static void load(struct bytes data)
{
    request = (struct events_request){.fs = fs_posix(),
                                      .fd = memfd_create("events", MFD_CLOEXEC),
                                      .name = "a.000001",
                                      .end = data.n,
                                      .count = UINT64_MAX};
    assert_int_equal(pwrite(request.fd, data.p, data.n, 0), data.n);
}

static void load_file(const char *name)
{
    size_t n;
    const uint8_t *p = check_data(name, &n);
    image = bytes_of(p, n);
    load(image);
}

static void ask(void)
{
    buf_clear(&answer);
    buf_clear(&text);
    events_answer(&answer, &request);
    answer_describe(buf_bytes(&answer), &text);
}

static int tear_down(void **state)
{
    (void)state;
    close(request.fd);
    free((void *)(uintptr_t)image.p);
    image = bytes_of(NULL, 0);
    buf_fini(&answer);
    buf_fini(&text);
    return 0;
}

/* What binlogd does not describe has an empty Info. */
static bool is_described(const char *type)
{
    static const char *const types[] = {
        "Format_desc",    "Query",       "Gtid",        "Anonymous_Gtid",
        "Previous_gtids", "Rotate",      "Xid",         "Table_map",
        "Write_rows",     "Update_rows", "Delete_rows", "Gtid_tagged_log_event"};
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

/* The next row as a line of the server's answer; NULL at the end. */
static char *next_row(struct rd *r, char *line, size_t size, bool *described)
{
    char row[8192], type[64];
    unsigned long long pos, end;
    int at = 0;
    const uint8_t *next = memmem(r->p, rd_left(r), " | ", 3);
    if (!next)
        return NULL;
    r->p = next + 3;
    const uint8_t *stop = memmem(r->p, rd_left(r), " | a.000001,", 12);
    size_t n = stop ? (size_t)(stop - r->p) : rd_left(r);
    assert_true(n < sizeof row);
    memcpy(row, r->p, n);
    row[n] = 0;
    assert_int_equal(sscanf(row, "a.000001,%llu,%63[^,],%*u,%llu,%n", &pos, type, &end, &at), 3);
    assert_true(at > 0);
    *described = is_described(type);
    snprintf(line, size, "%llu\t%s\t%llu\t%.*s", pos, type, end, SHOWN_MAX, row + at);
    return line;
}

/* As the client escaped it. What binlogd leaves out: newlines behind the commas of a GTID set, and
 * the xid behind a DDL statement of 8.0 and later. */
static void unescape(char *line)
{
    char *xid = strstr(line, "\tQuery\t") ? strstr(line, " /* xid=") : NULL;
    if (xid)
        *xid = 0;
    bool set = strstr(line, "\tPrevious_gtids\t") != NULL;
    char *to = line;
    for (const char *from = line; *from; from++) {
        if (*from != '\\')
            *to++ = *from;
        else if (*++from != 'n')
            *to++ = *from;
        else if (!set)
            *to++ = '\n';
    }
    *to = 0;
}

static void assert_as_the_server_said(const char *name)
{
    char file[100], want[2000], got[2000];
    snprintf(file, sizeof file, "binlog/%s.binlog", name);
    load_file(file);
    ask();
    snprintf(file, sizeof file, "binlog/%s.events", name);
    size_t n;
    char *events = (char *)check_data(file, &n);
    assert_int_equal(strncmp((char *)text.data, HEAD, strlen(HEAD)), 0);
    struct rd r = rd_of(buf_bytes(&text));
    for (char *line = strtok(events, "\n"); line; line = strtok(NULL, "\n")) {
        bool described;
        if (!next_row(&r, got, sizeof got, &described))
            fail_msg("%s: no row for \"%s\"", name, line);
        snprintf(want, sizeof want, "%s", line);
        unescape(want);
        if (!described) /* up to the third tab */
            strchr(strchr(strchr(want, '\t') + 1, '\t') + 1, '\t')[1] = 0;
        if (strcmp(got, want) != 0)
            fail_msg("%s:\n\"%s\" instead of\n\"%s\"", name, got, want);
    }
    assert_null(memmem(r.p, rd_left(&r), " | ", 3));
    free(events);
    tear_down(NULL);
    request.fd = -1;
}

static void events_of_real_files_are_described_as_their_servers_do(void **state)
{
    (void)state;
    static const char *const names[] = {
        "5.6-gtid",      "5.6-no-gtid",  "5.7-statement", "5.7-many-gtids",
        "9.7-anonymous", "9.7-tagged",   "5.7-stop",      "5.7-checksum-none",
        "5.7-ddl",       "5.7-incident", "5.7-xa"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_as_the_server_said(names[i]);
}

/* The numbers of the rows' positions, in order. */
static void assert_positions(const char *want)
{
    struct buf got = {0};
    struct rd r = rd_of(buf_bytes(&text));
    char line[2000];
    bool described;
    while (next_row(&r, line, sizeof line, &described))
        wr_fmt(&got, "%.*s ", (int)strcspn(line, "\t"), line);
    wr_u8(&got, 0);
    assert_string_equal((char *)got.data, want);
    buf_fini(&got);
}

static void events_from_a_position_skipped_and_counted(void **state)
{
    (void)state;
    load_file("binlog/5.7-statement.binlog");
    request.position = 500;
    request.skip = 1;
    request.count = 3;
    ask();
    assert_positions("668 741 773 ");
    request.position = 1 << 30;
    ask();
    assert_positions("");
    request.position = 0;
    request.skip = 0;
    request.end = 260; /* no more is durable: the event at 259 has not even a header there */
    ask();
    assert_positions("4 123 194 ");
}

#define ERROR "ERR 1220 HY000 Error when executing command SHOW BINLOG EVENTS: "

static void events_behind_a_bad_place_are_an_error(void **state)
{
    (void)state;
    load_file("binlog/5.7-statement.binlog");
    request.end = 300; /* in the midst of the event at 259 */
    ask();
    assert_string_equal((char *)text.data, ERROR "Wrong offset or I/O error");
    request.end = image.n + EVENT_HEADER; /* more than the file has */
    ask();
    assert_string_equal((char *)text.data, ERROR "Wrong offset or I/O error");
}

static void events_from_where_no_file_reaches_are_an_error(void **state)
{
    (void)state;
    load_file("binlog/5.7-statement.binlog");
    request.position = UINT64_MAX;
    ask();
    assert_string_equal((char *)text.data,
                        ERROR "Error reading Log_event at position 18446744073709551615: Failed "
                              "decoding event: I/O error reading log event");
}

static ssize_t failing_pread(int fd, void *buf, size_t n, off_t off)
{
    (void)fd, (void)buf, (void)n, (void)off;
    errno = EIO;
    return -1;
}

static void events_of_an_unreadable_file_are_an_error(void **state)
{
    (void)state;
    struct fs fs = *fs_posix();
    fs.pread = failing_pread;
    load_file("binlog/5.7-statement.binlog");
    request.fs = &fs;
    ask();
    assert_string_equal((char *)text.data, ERROR "read: Input/output error");
}

/* Bodies that no server writes: what cannot be read of them is not shown. */
static void events_with_bodies_that_are_cut_have_no_info(void **state)
{
    (void)state;
    static const uint8_t types[] = {EVENT_QUERY,     EVENT_GTID,   EVENT_PREVIOUS_GTIDS,
                                    EVENT_TABLE_MAP, EVENT_ROTATE, EVENT_XID};
    size_t n;
    uint8_t *real = check_data("binlog/5.7-statement.binlog", &n);
    struct buf file = {0};
    wr_bytes(&file, bytes_of(real, 123));
    free(real);
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        wr_u32(&file, 1);
        wr_u8(&file, types[i]);
        wr_u32(&file, 1);
        wr_u32(&file, EVENT_HEADER + EVENT_CRC);
        wr_u32(&file, (uint32_t)file.len + 10);
        wr_zero(&file, 2 + EVENT_CRC);
    }
    load(buf_bytes(&file));
    request.position = 123;
    ask();
    assert_string_equal((char *)text.data, HEAD " | a.000001,123,Query,1,146,"
                                                " | a.000001,146,Gtid,1,169,"
                                                " | a.000001,169,Previous_gtids,1,192,"
                                                " | a.000001,192,Table_map,1,215,table_id: 0"
                                                " | a.000001,215,Rotate,1,238,"
                                                " | a.000001,238,Xid,1,261,");
    buf_fini(&file);
}

#define TEST(f) cmocka_unit_test_teardown(f, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(events_of_real_files_are_described_as_their_servers_do),
        TEST(events_from_a_position_skipped_and_counted),
        TEST(events_behind_a_bad_place_are_an_error),
        TEST(events_from_where_no_file_reaches_are_an_error),
        TEST(events_of_an_unreadable_file_are_an_error),
        TEST(events_with_bodies_that_are_cut_have_no_info),
    };
    return RUN_TESTS(tests);
}
