/* Packets of the connection phase against those of real servers. */
#include "check.h"

#include "capture.h"
#include "mysql/caps.h"
#include "mysql/handshake.h"

#include <stdio.h>

static struct err err;

#define MYSQL97 "wire-mysql-9.7.txt"
#define MYSQL56 "wire-mysql-5.6.txt"
#define MARIADB "wire-mariadb-10.11.txt"

static const struct {
    const char *file;
    const char *name;
    const char *version;
    uint32_t thread_id;
    uint32_t caps;
    uint8_t charset;
    const char *nonce;
    const char *plugin;
} greetings[] = {
    {MYSQL97, "full.greeting", "9.7.4-2", 11, 0xdfffffff, 255,
     "156254253d231c35536b4c1d25525d0e77093f43", "caching_sha2_password"},
    {MYSQL56, "native.greeting", "5.6.24-log", 3, 0x807ff7ff, 8,
     "486547722971214b3770532b7d56725f63555d56", "mysql_native_password"},
    {MARIADB, "native.greeting", "5.5.5-10.11.19-MariaDB-0+deb12u1-log", 8, 0x81fff7fe, 8,
     "5a363f786058766b3667262528387e37333c734f", "mysql_native_password"},
};

static void greeting_of_a_real_server_is_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(greetings); i++) {
        struct handshake_greeting g;
        struct bytes b = capture_packet(greetings[i].file, greetings[i].name, 0);
        assert_int_equal(handshake_greeting_decode(&g, b, &err), 0);
        assert_string_equal(g.server_version, greetings[i].version);
        assert_int_equal(g.thread_id, greetings[i].thread_id);
        assert_int_equal(g.caps, greetings[i].caps);
        assert_int_equal(g.charset, greetings[i].charset);
        assert_int_equal(g.status, 2);
        struct bytes nonce = check_unhex(greetings[i].nonce);
        assert_int_equal(nonce.n, HANDSHAKE_NONCE);
        assert_memory_equal(g.nonce, nonce.p, HANDSHAKE_NONCE);
        assert_string_equal(g.plugin, greetings[i].plugin);
        capture_free(nonce);
        capture_free(b);
    }
}

static void greeting_of_mysql_survives_a_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) { /* MariaDB has further flags in what is filler to MySQL */
        struct handshake_greeting g;
        struct buf out;
        buf_init(&out);
        struct bytes b = capture_packet(greetings[i].file, greetings[i].name, 0);
        assert_int_equal(handshake_greeting_decode(&g, b, &err), 0);
        handshake_greeting_encode(&out, &g);
        assert_true(bytes_eq(buf_bytes(&out), b));
        buf_fini(&out);
        capture_free(b);
    }
}

/* Behind the nonce a cut leaves a shorter plugin name, which nothing but its NUL could tell. */
static void decode_cut_greeting(struct bytes b, void *arg)
{
    const size_t *whole = arg;
    struct handshake_greeting g;
    int rc = handshake_greeting_decode(&g, b, &err);
    assert_int_equal(rc, b.n < *whole ? -1 : 0);
    if (rc == 0)
        return;
    assert_string_equal(err.text, b.n ? "malformed greeting"
                                      : "greeting of protocol version 0, only 10 is known");
}

static void greeting_that_is_cut_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(greetings); i++) {
        struct bytes b = capture_packet(greetings[i].file, greetings[i].name, 0);
        size_t whole = b.n - strlen(greetings[i].plugin) - 1;
        capture_truncate(b, decode_cut_greeting, &whole);
        capture_free(b);
    }
}

static void assert_greeting_fails(struct bytes b, const char *text)
{
    struct handshake_greeting g;
    struct bytes exact = capture_copy(b);
    assert_int_equal(handshake_greeting_decode(&g, exact, &err), -1);
    assert_string_equal(err.text, text);
    capture_free(exact);
}

static struct handshake_greeting some_greeting(void)
{
    struct handshake_greeting g = {
        .server_version = "8.0.36",
        .thread_id = 7,
        .caps = CAP_PROTOCOL_41 | CAP_SECURE_CONNECTION | CAP_PLUGIN_AUTH,
        .plugin = "caching_sha2_password",
    };
    for (size_t i = 0; i < HANDSHAKE_NONCE; i++)
        g.nonce[i] = (uint8_t)('a' + i);
    return g;
}

static void greeting_of_another_protocol_fails(void **state)
{
    (void)state;
    assert_greeting_fails(bytes_str("\x09"
                                    "3.20"),
                          "greeting of protocol version 9, only 10 is known");
    assert_greeting_fails(bytes_str("SSH-2.0-OpenSSH_9.2\r\n"),
                          "greeting of protocol version 83, only 10 is known");
}

static void greeting_of_a_server_before_4_1_fails(void **state)
{
    (void)state;
    static const uint32_t missing[] = {CAP_PROTOCOL_41, CAP_SECURE_CONNECTION};
    for (size_t i = 0; i < COUNT_OF(missing); i++) {
        struct handshake_greeting g = some_greeting();
        struct buf out;
        buf_init(&out);
        g.caps &= ~missing[i];
        handshake_greeting_encode(&out, &g);
        assert_greeting_fails(buf_bytes(&out),
                              "server 8.0.36 is too old: it does not speak protocol 4.1");
        buf_fini(&out);
    }
}

static void greeting_with_too_long_texts_fails(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out);
    wr_u8(&out, 10);
    for (int i = 0; i < HANDSHAKE_VERSION_MAX; i++)
        wr_u8(&out, '8');
    wr_zero(&out, 100);
    assert_greeting_fails(buf_bytes(&out), "malformed greeting");
    buf_clear(&out);
    struct handshake_greeting g = some_greeting();
    memset(g.plugin, 'p', sizeof g.plugin - 1);
    handshake_greeting_encode(&out, &g);
    buf_truncate(&out, buf_bytes(&out).n - 1);
    wr_cstr(&out, "p");
    assert_greeting_fails(buf_bytes(&out), "malformed authentication plugin name in the greeting");
    buf_fini(&out);
}

static void greeting_without_plugin_or_its_nul_is_accepted(void **state)
{
    (void)state;
    struct handshake_greeting g = some_greeting(), got;
    struct buf out;
    buf_init(&out);
    handshake_greeting_encode(&out, &g);
    buf_truncate(&out, buf_bytes(&out).n - 1);
    assert_int_equal(handshake_greeting_decode(&got, buf_bytes(&out), &err), 0);
    assert_string_equal(got.plugin, "caching_sha2_password");
    buf_clear(&out);
    g.caps &= ~CAP_PLUGIN_AUTH;
    g.plugin[0] = 0;
    handshake_greeting_encode(&out, &g);
    assert_int_equal(handshake_greeting_decode(&got, buf_bytes(&out), &err), 0);
    assert_string_equal(got.plugin, "");
    assert_memory_equal(got.nonce, g.nonce, HANDSHAKE_NONCE);
    buf_fini(&out);
}

/* The responses were sent to MySQL 9.7, which took them. */
static void response_has_golden_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *user;
        const char *scramble;
    } cases[] = {{"nopw.response", "nopw", NULL},
                 {"insecure.response", "repl", "insecure.scramble"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes none = {NULL, 0};
        struct bytes auth =
            cases[i].scramble ? capture_packet(MYSQL97, cases[i].scramble, 0) : none;
        struct handshake_response r = {
            .caps = CAP_LONG_PASSWORD | CAP_PROTOCOL_41 | CAP_TRANSACTIONS | CAP_SECURE_CONNECTION |
                    CAP_PLUGIN_AUTH,
            .max_packet = 1u << 30,
            .charset = 45,
            .user = cases[i].user,
            .auth = auth,
            .plugin = "caching_sha2_password",
        };
        struct bytes expected = capture_packet(MYSQL97, cases[i].name, 0);
        struct buf out;
        buf_init(&out);
        handshake_response_encode(&out, &r);
        assert_true(bytes_eq(buf_bytes(&out), expected));
        buf_clear(&out);
        handshake_ssl_request_encode(&out, &r);
        assert_true(bytes_eq(buf_bytes(&out), bytes_of(expected.p, 32)));
        buf_fini(&out);
        capture_free(expected);
        capture_free(auth);
    }
}

static void response_without_plugins_names_none(void **state)
{
    (void)state;
    struct handshake_response r = {.user = "u", .auth = bytes_str("abc"), .plugin = "p"};
    struct buf out;
    buf_init(&out);
    handshake_response_encode(&out, &r);
    assert_int_equal(buf_bytes(&out).n, 32 + 6);
    assert_memory_equal(buf_bytes(&out).p + 32, "u\0\3abc", 6);
    buf_fini(&out);
}

static void auth_switch_of_a_real_server_is_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *plugin;
        const char *nonce;
    } cases[] = {
        {MYSQL97, "caching_sha2_password", "2f2511352821283b26436b254131686f3a6d1b08"},
        {MYSQL56, "mysql_native_password", "655453286a60243063262f5a582a674b215f3c4d"},
        {MARIADB, "mysql_native_password", "4a292d465a6f4238343a6778452e56463b363a62"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct handshake_auth_switch s;
        struct bytes b = capture_packet(cases[i].file, "switch.request", 0);
        struct bytes nonce = check_unhex(cases[i].nonce);
        assert_int_equal(handshake_auth_switch_decode(&s, b, &err), 0);
        assert_string_equal(s.plugin, cases[i].plugin);
        assert_memory_equal(s.nonce, nonce.p, HANDSHAKE_NONCE);
        capture_free(nonce);
        capture_free(b);
    }
}

/* The plugin's data may be short or absent: some plugins have none. */
static void decode_cut_switch(struct bytes b, void *arg)
{
    (void)arg;
    struct handshake_auth_switch s;
    size_t name = 1 + strlen("mysql_native_password") + 1;
    int rc = handshake_auth_switch_decode(&s, b, &err);
    assert_int_equal(rc, b.n < name ? -1 : 0);
    if (rc < 0) {
        assert_string_equal(err.text, "malformed request to switch the authentication plugin");
        return;
    }
    uint8_t nonce[HANDSHAKE_NONCE] = {0};
    memcpy(nonce, b.p + name, b.n - name > sizeof nonce ? sizeof nonce : b.n - name);
    assert_memory_equal(s.nonce, nonce, sizeof nonce);
}

static void auth_switch_that_is_cut_fails_within_the_name(void **state)
{
    (void)state;
    struct bytes b = capture_packet(MYSQL56, "switch.request", 0);
    capture_truncate(b, decode_cut_switch, NULL);
    capture_free(b);
}

static void auth_switch_to_a_too_long_name_fails(void **state)
{
    (void)state;
    char text[1 + HANDSHAKE_PLUGIN_MAX + 1] = {'\xfe'};
    memset(text + 1, 'p', HANDSHAKE_PLUGIN_MAX);
    struct handshake_auth_switch s;
    assert_int_equal(handshake_auth_switch_decode(&s, bytes_of(text, sizeof text), &err), -1);
    assert_string_equal(err.text, "malformed request to switch the authentication plugin");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greeting_of_a_real_server_is_decoded),
        cmocka_unit_test(greeting_of_mysql_survives_a_round_trip),
        cmocka_unit_test(greeting_that_is_cut_fails),
        cmocka_unit_test(greeting_of_another_protocol_fails),
        cmocka_unit_test(greeting_of_a_server_before_4_1_fails),
        cmocka_unit_test(greeting_with_too_long_texts_fails),
        cmocka_unit_test(greeting_without_plugin_or_its_nul_is_accepted),
        cmocka_unit_test(response_has_golden_bytes),
        cmocka_unit_test(response_without_plugins_names_none),
        cmocka_unit_test(auth_switch_of_a_real_server_is_decoded),
        cmocka_unit_test(auth_switch_that_is_cut_fails_within_the_name),
        cmocka_unit_test(auth_switch_to_a_too_long_name_fails),
    };
    return RUN_TESTS(tests);
}
