/* Commands of a replica against those that real replicas sent, and the bytes before events. */
#include "check.h"

#include "capture.h"
#include "mysql/repl.h"

#define MYSQL97 "wire-mysql-9.7.txt"
#define MYSQL56 "wire-mysql-5.6.txt"
#define MARIADB "wire-mariadb-10.11.txt"

static struct err err;

static void assert_packet(struct buf *out, const char *file, const char *name)
{
    struct bytes expected = capture_packet(file, name, 0);
    assert_int_equal(buf_bytes(out).n, expected.n);
    assert_memory_equal(buf_bytes(out).p, expected.p, expected.n);
    capture_free(expected);
    buf_fini(out);
}

static void register_is_what_real_replicas_send(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        uint16_t port;
    } cases[] = {{MYSQL97, 0x9029}, {MYSQL56, 0xdb6d}, {MARIADB, 0xca11}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct repl_register r = {2, "", cases[i].port};
        struct buf out;
        buf_init(&out);
        repl_register_encode(&out, &r);
        assert_packet(&out, cases[i].file, "register");
    }
}

static void register_names_the_report_host_cut_to_255_bytes(void **state)
{
    (void)state;
    char host[301] = {0};
    memset(host, 'h', 300);
    static const struct {
        size_t n;
        size_t written;
    } cases[] = {{1, 1}, {255, 255}, {256, 255}, {300, 255}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct repl_register r = {0x01020304, host + 300 - cases[i].n, 3306};
        struct buf out;
        buf_init(&out);
        repl_register_encode(&out, &r);
        struct rd got = rd_of(buf_bytes(&out));
        assert_int_equal(rd_u8(&got), COM_REGISTER_SLAVE);
        assert_int_equal(rd_u32(&got), 0x01020304);
        assert_int_equal(rd_u8(&got), cases[i].written);
        assert_memory_equal(rd_bytes(&got, cases[i].written).p, host, cases[i].written);
        assert_int_equal(rd_u16(&got), 0); /* no user, no password */
        assert_int_equal(rd_u16(&got), 3306);
        assert_int_equal(rd_u64(&got), 0);
        assert_int_equal(rd_left(&got), 0);
        buf_fini(&out);
    }
}

static void dump_is_what_real_replicas_send(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        uint32_t server_id;
        uint16_t flags;
    } cases[] = {{MYSQL97, 3, REPL_DUMP_HEARTBEAT_V2}, {MYSQL56, 2, 0}, {MARIADB, 2, 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct repl_dump d = {cases[i].server_id, cases[i].flags, "mysql-bin.000001", 4};
        struct buf out;
        buf_init(&out);
        repl_dump_encode(&out, &d);
        assert_packet(&out, cases[i].file, "dump");
    }
}

static void dump_gtid_is_what_a_real_replica_sends(void **state)
{
    (void)state;
    struct repl_dump d = {2, REPL_DUMP_HEARTBEAT_V2, "", 4};
    struct buf out;
    buf_init(&out);
    repl_dump_gtid_encode(&out, &d);
    assert_packet(&out, MYSQL97, "dump_gtid");
}

static void dump_gtid_with_a_file_has_its_length_and_64_bits_of_position(void **state)
{
    (void)state;
    struct repl_dump d = {7, 0, "b.1", 0x123456789a};
    struct bytes expected = check_unhex("1e 0000 07000000 03000000 622e31 9a78563412000000"
                                        "08000000 0000000000000000");
    struct buf out;
    buf_init(&out);
    repl_dump_gtid_encode(&out, &d);
    assert_true(bytes_eq(buf_bytes(&out), expected));
    capture_free(expected);
    buf_fini(&out);
}

static void ack_is_what_real_replicas_send(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        uint64_t pos;
    } cases[] = {{MYSQL97, 0x157}, {MARIADB, 0x1c7}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf out;
        buf_init(&out);
        repl_ack_encode(&out, cases[i].pos, "mysql-bin.000001");
        assert_packet(&out, cases[i].file, "ack");
    }
}

static void ack_of_real_replicas_is_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        uint64_t pos;
    } cases[] = {{MYSQL97, 0x157}, {MARIADB, 0x1c7}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct repl_ack a;
        struct bytes b = capture_packet(cases[i].file, "ack", 0);
        assert_int_equal(repl_ack_decode(&a, b, &err), 0);
        assert_int_equal(a.pos, cases[i].pos);
        assert_true(bytes_eq(a.file, bytes_str("mysql-bin.000001")));
        capture_free(b);
    }
}

/* Where only the name is cut, it is another name: nothing in the packet says how long it is. */
static void check_cut_ack(struct bytes cut, void *arg)
{
    struct repl_ack a;
    (void)arg;
    int rc = repl_ack_decode(&a, cut, &err);
    assert_int_equal(rc, cut.n > 9 ? 0 : -1);
    if (rc == 0)
        assert_int_equal(a.file.n, cut.n - 9);
}

static void ack_at_every_truncation_reads_no_further(void **state)
{
    (void)state;
    struct bytes b = capture_packet(MYSQL97, "ack", 0);
    capture_truncate(b, check_cut_ack, NULL);
    capture_free(b);
}

static void ack_that_is_wrong_fails(void **state)
{
    (void)state;
    char name[REPL_ACK_FILE_MAX + 2];
    memset(name, 'n', sizeof name);
    for (size_t n = REPL_ACK_FILE_MAX; n <= REPL_ACK_FILE_MAX + 1; n++) {
        struct repl_ack a;
        struct buf out = {0};
        name[n] = 0;
        repl_ack_encode(&out, UINT64_MAX, name);
        assert_int_equal(repl_ack_decode(&a, buf_bytes(&out), &err),
                         n <= REPL_ACK_FILE_MAX ? 0 : -1);
        name[n] = 'n';
        buf_fini(&out);
    }
    static const char *const cases[] = {"ee 5701000000000000 62", "00 5701000000000000 62",
                                        "ef 5701000000000000 6200", "ef 5701000000000000 00",
                                        "ef 5701000000000000 620062"};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct repl_ack a;
        struct bytes b = check_unhex(cases[i]);
        assert_int_equal(repl_ack_decode(&a, b, &err), -1);
        assert_non_null(strstr(err.text, "semi-sync ACK"));
        capture_free(b);
    }
}

static void event_prefix_of_a_real_source_is_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *name;
        bool semi_sync;
        bool ack_wanted;
        uint8_t type;
    } cases[] = {
        {MYSQL97, "event.rotate", true, false, 4},
        {MYSQL97, "event.format_description", true, false, 15},
        {MYSQL97, "event.gtid", true, false, 33},
        {MYSQL97, "event.query", true, true, 2},
        {MYSQL97, "event.heartbeat", true, false, 41},
        {MYSQL56, "event.rotate", false, false, 4},
        {MYSQL56, "event.query", false, false, 2},
        {MYSQL56, "event.heartbeat", false, false, 27},
        {MARIADB, "event.gtid_list", true, false, 163},
        {MARIADB, "event.query", true, true, 2},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool ack = !cases[i].ack_wanted;
        struct bytes b = capture_packet(cases[i].file, cases[i].name, 0);
        int n = repl_event_prefix_decode(b, cases[i].semi_sync, &ack, &err);
        assert_int_equal(n, cases[i].semi_sync ? 3 : 1);
        assert_int_equal(ack, cases[i].ack_wanted);
        assert_int_equal(b.p[n + 4], cases[i].type);
        assert_int_equal(le32(b.p + n + 9), b.n - (size_t)n); /* the event's length */
        capture_free(b);
    }
}

static void event_prefix_that_is_wrong_fails(void **state)
{
    (void)state;
    static const char no_ok[] = "a packet of the dump does not begin with an OK byte";
    static const char no_header[] = "an event lacks the semi-sync header";
    static const struct {
        const char *bytes;
        size_t n;
        bool semi_sync;
        const char *text;
    } cases[] = {
        {"", 0, false, no_ok},
        {"", 0, true, no_ok},
        {"\1", 1, false, no_ok},
        {"\xfe\0\0\0\0", 5, false, no_ok},
        {"\0", 1, true, no_ok},
        {"\0\xef", 2, true, no_ok},
        {"\xef\0\0", 3, true, no_ok},
        {"\0\xee\1", 3, true, no_header},
        {"\0\xef\2", 3, true, no_header},
        {"\0\xef\xff", 3, true, no_header},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool ack = true;
        struct bytes b = capture_copy(bytes_of(cases[i].bytes, cases[i].n));
        assert_int_equal(repl_event_prefix_decode(b, cases[i].semi_sync, &ack, &err), -1);
        assert_string_equal(err.text, cases[i].text);
        assert_false(ack);
        capture_free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(register_is_what_real_replicas_send),
        cmocka_unit_test(register_names_the_report_host_cut_to_255_bytes),
        cmocka_unit_test(dump_is_what_real_replicas_send),
        cmocka_unit_test(dump_gtid_is_what_a_real_replica_sends),
        cmocka_unit_test(dump_gtid_with_a_file_has_its_length_and_64_bits_of_position),
        cmocka_unit_test(ack_is_what_real_replicas_send),
        cmocka_unit_test(ack_of_real_replicas_is_decoded),
        cmocka_unit_test(ack_at_every_truncation_reads_no_further),
        cmocka_unit_test(ack_that_is_wrong_fails),
        cmocka_unit_test(event_prefix_of_a_real_source_is_decoded),
        cmocka_unit_test(event_prefix_that_is_wrong_fails),
    };
    return RUN_TESTS(tests);
}
