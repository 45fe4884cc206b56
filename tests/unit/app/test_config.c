/* The configuration: what is taken, what is refused with which words, files and their modes, what
 * may change under a running daemon, and that sample, documentation and table agree. */
#include "check.h"

#include "app/config.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DUMPER "[dumper]\nhost=db\nuser=u\nserver_id=1\n"

struct bad {
    const char *text;
    const char *message; /* behind "x.ini:" */
};

static void assert_refused(struct bytes text, const char *message)
{
    struct config c;
    struct err err = {0};
    char expected[sizeof err.text + 8];
    snprintf(expected, sizeof expected, "x.ini:%s", message);
    assert_int_equal(config_parse(&c, "x.ini", text, &err), -1);
    assert_string_equal(err.text, expected);
    assert_int_equal(err.kind, ERR_USAGE);
    assert_null(c.storage.directory);
    config_free(&c);
}

static void assert_all_refused(const struct bad *bad, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_refused(bytes_str(bad[i].text), bad[i].message);
}

static struct config parsed(const char *text)
{
    struct config c;
    struct err err = {0};
    if (config_parse(&c, "x.ini", bytes_str(text), &err) < 0)
        fail_msg("%s", err.text);
    return c;
}

static void bad_value_is_refused_with_what_is_allowed(void **state)
{
    (void)state;
    static const struct bad bad[] = {
        {"[dumper]\nssl_mode=requried\n",
         "2: [dumper] ssl_mode: \"requried\" is not one of preferred, disabled, required, "
         "verify_ca, verify_identity"},
        {"[dumper]\nport=0\n", "2: [dumper] port: \"0\" is not a whole number from 1 to 65535"},
        {"[dumper]\nport=65536\n",
         "2: [dumper] port: \"65536\" is not a whole number from 1 to 65535"},
        {"[dumper]\nport=+1\n", "2: [dumper] port: \"+1\" is not a whole number from 1 to 65535"},
        {"[dumper]\nport=1x\n", "2: [dumper] port: \"1x\" is not a whole number from 1 to 65535"},
        {"[dumper]\nport=\n", "2: [dumper] port: \"\" is not a whole number from 1 to 65535"},
        {"[dumper]\nport=99999999999999999999999\n",
         "2: [dumper] port: \"99999999999999999999999\" is not a whole number from 1 to 65535"},
        {"[dumper]\nserver_id=0\n",
         "2: [dumper] server_id: \"0\" is not a whole number from 1 to 4294967295"},
        {"[dumper]\nserver_id=4294967296\n",
         "2: [dumper] server_id: \"4294967296\" is not a whole number from 1 to 4294967295"},
        {"[dumper]\nhost=db:3306\n",
         "2: [dumper] host: \"db:3306\" is not a host name, an address without a port, or the "
         "absolute path of a unix socket of at most 107 bytes"},
        {"[dumper]\nhost=\n",
         "2: [dumper] host: \"\" is not a host name, an address without a port, or the absolute "
         "path of a unix socket of at most 107 bytes"},
        {"[dumper]\nhost=db # the old one\n",
         "2: [dumper] host: \"db # the old one\" is not a host name, an address without a port, or "
         "the absolute path of a unix socket of at most 107 bytes"},
        {"[dumper]\nreport_host=a b\n",
         "2: [dumper] report_host: \"a b\" is not a host name or address of at most 60 bytes"},
        {"[dumper]\nuser=\n",
         "2: [dumper] user: \"\" is not a text of 1 to 128 bytes without a comment behind it"},
        {"[dumper]\nsemi_sync=yes\n", "2: [dumper] semi_sync: \"yes\" is not one of on, off"},
        {"[dumper]\nget_public_key=ON\n",
         "2: [dumper] get_public_key: \"ON\" is not one of on, off"},
        {"[dumper]\nretry_max=0.09\n",
         "2: [dumper] retry_max: \"0.09\" is not a number of seconds from 0.1 to 3600 with at most "
         "3 decimals"},
        {"[dumper]\nretry_max=3600.001\n",
         "2: [dumper] retry_max: \"3600.001\" is not a number of seconds from 0.1 to 3600 with at "
         "most 3 decimals"},
        {"[dumper]\nheartbeat_period=1.\n",
         "2: [dumper] heartbeat_period: \"1.\" is not a number of seconds from 0.1 to 3600 with at "
         "most 3 decimals"},
        {"[dumper]\nheartbeat_period=1.0001\n",
         "2: [dumper] heartbeat_period: \"1.0001\" is not a number of seconds from 0.1 to 3600 "
         "with at most 3 decimals"},
        {"[dumper]\nconnect_timeout=18446744073709551616\n",
         "2: [dumper] connect_timeout: \"18446744073709551616\" is not a number of seconds from "
         "0.1 to 3600 with at most 3 decimals"},
        {"[dumper]\nstart=first\n",
         "2: [dumper] start: \"first\" is not one of earliest, latest, FILE:POS (like "
         "mysql-bin.000001:4, no lower position)"},
        {"[dumper]\nstart=mysql-bin.000001:3\n",
         "2: [dumper] start: \"mysql-bin.000001:3\" is not one of earliest, latest, FILE:POS (like "
         "mysql-bin.000001:4, no lower position)"},
        {"[dumper]\nstart=../bin.000001:4\n",
         "2: [dumper] start: \"../bin.000001:4\" is not one of earliest, latest, FILE:POS (like "
         "mysql-bin.000001:4, no lower position)"},
        {"[dumper]\nstart=bin.00001:4\n",
         "2: [dumper] start: \"bin.00001:4\" is not one of earliest, latest, FILE:POS (like "
         "mysql-bin.000001:4, no lower position)"},
        {"[dumper]\non_divergence=go\n",
         "2: [dumper] on_divergence: \"go\" is not one of stop, failover, new_epoch"},
        {"[storage]\ndirectory=\n",
         "2: [storage] directory: \"\" is not a text of 1 to 180 bytes without a comment behind "
         "it"},
        {"[storage]\ndirectory=/d # data\n",
         "2: [storage] directory: \"/d # data\" is not a text of 1 to 180 bytes without a comment "
         "behind it"},
        {"[storage]\nmax_size=10GB\n",
         "2: [storage] max_size: \"10GB\" is not a number of bytes below 8388608T: a whole number, "
         "with K, M, G or T behind it if wanted"},
        {"[storage]\nmax_size=8388608T\n",
         "2: [storage] max_size: \"8388608T\" is not a number of bytes below 8388608T: a whole "
         "number, with K, M, G or T behind it if wanted"},
        {"[storage]\nmax_size=16777217T\n",
         "2: [storage] max_size: \"16777217T\" is not a number of bytes below 8388608T: a whole "
         "number, with K, M, G or T behind it if wanted"},
        {"[storage]\nmin_free=5%\n",
         "2: [storage] min_free: \"5%\" is not a number of bytes below 8388608T: a whole number, "
         "with K, M, G or T behind it if wanted"},
        {"[server]\nlisten=localhost:3306\n",
         "2: [server] listen: \"localhost:3306\" is not a list of ADDRESS:PORT or [ADDRESS]:PORT "
         "with a numeric address and commas between"},
        {"[server]\nlisten=1.2.3.4:1,,1.2.3.4:2\n",
         "2: [server] listen: \"1.2.3.4:1,,1.2.3.4:2\" is not a list of ADDRESS:PORT or "
         "[ADDRESS]:PORT with a numeric address and commas between"},
        {"[server]\nlisten=1.2.3.4:1,\n",
         "2: [server] listen: \"1.2.3.4:1,\" is not a list of ADDRESS:PORT or [ADDRESS]:PORT with "
         "a numeric address and commas between"},
        {"[server]\nlisten=::1:3306\n",
         "2: [server] listen: \"::1:3306\" is not a list of ADDRESS:PORT or [ADDRESS]:PORT with a "
         "numeric address and commas between"},
        {"[metrics]\nlisten=1.2.3.4:65536\n",
         "2: [metrics] listen: \"1.2.3.4:65536\" is not a list of ADDRESS:PORT or [ADDRESS]:PORT "
         "with a numeric address and commas between"},
        {"[user a]\nrights=\n",
         "2: [user a] rights: \"\" is not a list, with commas between, of replicate, status, "
         "admin"},
        {"[user a]\nrights=replicate,super\n",
         "2: [user a] rights: \"replicate,super\" is not a list, with commas between, of "
         "replicate, status, admin"},
        {"[user a]\nfrom=10.0.0.0/33\n",
         "2: [user a] from: \"10.0.0.0/33\" is not a list of ADDRESS or ADDRESS/BITS with numeric "
         "addresses and commas between"},
        {"[user a]\nfrom=::/129\n",
         "2: [user a] from: \"::/129\" is not a list of ADDRESS or ADDRESS/BITS with numeric "
         "addresses and commas between"},
        {"[user a]\nplugin=sha256_password\n",
         "2: [user a] plugin: \"sha256_password\" is not one of caching_sha2_password, "
         "mysql_native_password"},
        {"[log]\nlevel=verbose\n",
         "2: [log] level: \"verbose\" is not one of error, warn, info, debug"},
    };
    assert_all_refused(bad, COUNT_OF(bad));
}

static void wrong_structure_is_refused_at_its_line(void **state)
{
    (void)state;
    static const struct bad bad[] = {
        {"host=db\n", "1: host: a key before the first [section]"},
        {"\n[foo]\n", "2: [foo]: unknown section; there are [dumper], [storage], [server], "
                      "[user NAME], [log], [metrics]"},
        {"[Log]\n", "1: [Log]: unknown section; there are [dumper], [storage], [server], [user "
                    "NAME], [log], [metrics]"},
        {"[]\n", "1: []: unknown section; there are [dumper], [storage], [server], [user NAME], "
                 "[log], [metrics]"},
        {"[log]\nlvel=info\n", "2: [log] lvel: unknown key; there are file, level, "
                               "status_interval"},
        {"[log]\nhost=db\n", "2: [log] host: unknown key; there are file, level, "
                             "status_interval"},
        {"[log]\nlevel=info\n[log]\nlevel=warn\n", "4: [log] level: given again, after line 2"},
        {"[user a]\npassword=x\n[log]\n[user a]\npassword=y\n",
         "5: [user a] password: given again, after line 2"},
        {"[user]\n", "1: [user]: a user's name is 1 to 32 letters, digits, or any of _ - . $ @"},
        {"[user a b]\n",
         "1: [user a b]: a user's name is 1 to 32 letters, digits, or any of _ - . $ @"},
        {"[user abcdefghijklmnopqrstuvwxyz1234567]\n",
         "1: [user abcdefghijklmnopqrstuvwxyz1234567]: a user's name is 1 to 32 letters, digits, "
         "or "
         "any of _ - . $ @"},
        {"[log]\nlevel\n", "2: neither KEY=VALUE nor [SECTION] nor a comment"},
        {"[log]\n=info\n", "2: no key before \"=\""},
    };
    assert_all_refused(bad, COUNT_OF(bad));
}

static void missing_or_contradicting_keys_are_refused(void **state)
{
    (void)state;
    static const struct bad bad[] = {
        {"\n[dumper]\n", "2: [dumper] host: is missing, and the section needs it"},
        {"[dumper]\nhost=db\n", "1: [dumper] user: is missing, and the section needs it"},
        {"[dumper]\nhost=db\nuser=u\n",
         "1: [dumper] server_id: is missing, and the section needs it"},
        {DUMPER "password=x\npassword_file=/y\n",
         "6: [dumper] password_file: password is given too; give one of them"},
        {DUMPER "ssl_mode=verify_ca\n",
         "5: [dumper] ssl_mode: verify_ca and verify_identity need ssl_ca"},
        {"[dumper]\nhost=/s\nuser=u\nserver_id=1\nssl_ca=/c\nssl_mode=verify_identity\n",
         "6: [dumper] ssl_mode: verify_identity needs a host name, and host is a unix socket"},
        {DUMPER "ssl_cert=/c\n",
         "5: [dumper] ssl_cert: ssl_cert and ssl_key are given together or not at all"},
        {"[server]\nssl_key=/k\n",
         "2: [server] ssl_key: ssl_cert and ssl_key are given together or not at all"},
        {"[server]\nrequire_ssl=on\n", "2: [server] require_ssl: on needs ssl_cert and ssl_key"},
        {"[log]\n[user a]\n",
         "2: [user a] password: is missing; a user needs password or password_file"},
        {"[user a]\npassword=\n",
         "2: [user a] password: is missing; a user needs password or password_file"},
        {"[user a]\npassword_file=\n",
         "1: [user a] password: is missing; a user needs password or password_file"},
        {"[user a]\npassword_file=/y\npassword=x\n",
         "2: [user a] password_file: password is given too; give one of them"},
    };
    assert_all_refused(bad, COUNT_OF(bad));
}

static void text_that_libinih_would_mangle_is_refused(void **state)
{
    (void)state;
    static const char indented[] = "the line is indented; begin it in the first column";
    static const char inline_comment[] = "\" ;\" would end the line here; put a comment on a line "
                                         "of its own, and a password with it into a password_file";
    char line[64 + sizeof indented], comment[16 + sizeof inline_comment];
    snprintf(line, sizeof line, "3: %s", indented);
    snprintf(comment, sizeof comment, "2: %s", inline_comment);
    const struct bad bad[] = {
        {"[user a]\npassword=x\n  y\n", line},
        {"[user a]\npassword=x\n\ty=z\n", line},
        {"[log]\nfile=/x\n [log]\n", line},
        {"[user a]\npassword=abc ;def\n", comment},
        {"[user a]\npassword=abc\t;def\n", comment},
        {"[user a]\npassword= ;def\n", comment},
        {"[log]\nlevel=info ; usual\n", comment},
        {"[log]\n[user ;a]\n", comment},
        {"[log] level=warn\n", "1: text after \"]\"; a section stands alone on its line"},
        {"[log\nlevel=warn\n", "1: a section without its \"]\""},
        {"[log]\nlevel: warn\n", "2: neither KEY=VALUE nor [SECTION] nor a comment"},
        {"[log]\nfile:x=y\n", "2: neither KEY=VALUE nor [SECTION] nor a comment"},
        {"\xef\xbb\xbf[log]\n", "1: the file begins with a byte order mark; save it without one"},
        {"[log]\nlevel=\x01\n", "2: the line holds a control character"},
        {"[log]\rlevel=info\r", "1: the line holds a control character"},
        {"[user abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqr]\n",
         "1: [user abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqr]: a user's name is 1 to 32 "
         "letters, digits, or any of _ - . $ @"},
        {"[user abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrs]\n",
         "1: the section's name has 50 bytes; at most 49 are read"},
    };
    assert_all_refused(bad, COUNT_OF(bad));
}

static void nul_byte_is_refused_wherever_it_is(void **state)
{
    (void)state;
    static const char in_value[] = "[log]\nlevel=info\0x\n";
    static const char in_comment[] = "[log]\n# \0\nlevel=info\n";
    assert_refused(bytes_of(in_value, sizeof in_value - 1), "2: the line holds a NUL byte");
    assert_refused(bytes_of(in_comment, sizeof in_comment - 1), "2: the line holds a NUL byte");
}

static void line_of_199_bytes_is_taken_whole_and_of_200_refused(void **state)
{
    (void)state;
    char text[400], password[200];
    int room = 199 - (int)strlen("password=");
    memset(password, 'p', sizeof password);
    snprintf(text, sizeof text, "[user a]\npassword=%.*s\n", room, password);
    struct config c = parsed(text);
    assert_int_equal(strlen(c.users[0].password), room);
    config_free(&c);

    snprintf(text, sizeof text, "[user a]\npassword=%.*s\n", room + 1, password);
    assert_refused(bytes_str(text), "2: the line has 200 bytes; at most 199 are read");
    snprintf(text, sizeof text, "#%.*s\n", 199, password);
    assert_refused(bytes_str(text), "1: the line has 200 bytes; at most 199 are read");
}

static void bad_line_with_a_password_is_not_quoted(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "[user a]\npassword=s3cret ;x\n",
        "[user a]\npassword s3cret\n",
        "[user a]\n password=s3cret\n",
        "[user a]\npassword:s3cret\n",
        "[user a]\npassword=s3cret\x01\n",
        "[user a]\npassword=s3cret\npassword=s3cret\n",
        "[user a]\npassword=s3cret\npassword_file=/x\n",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct config c;
        struct err err = {0};
        assert_int_equal(config_parse(&c, "x.ini", bytes_str(texts[i]), &err), -1);
        assert_null(strstr(err.text, "s3cret"));
    }
}

static void empty_text_gives_the_defaults_without_a_dumper(void **state)
{
    (void)state;
    struct config c = parsed("");
    assert_false(c.dumper.present);
    assert_string_equal(c.dumper.host, "");
    assert_int_equal(c.dumper.port, 3306);
    assert_string_equal(c.dumper.user, "");
    assert_string_equal(c.dumper.password, "");
    assert_true(c.dumper.semi_sync);
    assert_int_equal(c.dumper.ssl_mode, CONFIG_SSL_PREFERRED);
    assert_false(c.dumper.get_public_key);
    assert_int_equal(c.dumper.start.kind, CONFIG_START_EARLIEST);
    assert_string_equal(c.dumper.start.file, "");
    assert_int_equal(c.dumper.heartbeat_period_ms, 2000);
    assert_int_equal(c.dumper.connect_timeout_ms, 10000);
    assert_int_equal(c.dumper.retry_max_ms, 5000);
    assert_int_equal(c.dumper.on_divergence, CONFIG_DIVERGENCE_STOP);
    assert_string_equal(c.storage.directory, "/var/lib/binlogd");
    assert_int_equal(c.storage.min_free, 0);
    assert_int_equal(c.server.listen.count, 1);
    assert_string_equal(c.server.listen.items[0], "0.0.0.0:3306");
    assert_int_equal(c.server.max_connections, 1000);
    assert_int_equal(c.user_count, 0);
    assert_int_equal(c.log.level, LOG_INFO);
    assert_int_equal(c.log.status_interval_s, 60);
    assert_int_equal(c.metrics.listen.count, 0);
    config_free(&c);
}

static void every_key_is_taken_as_written(void **state)
{
    (void)state;
    struct config c = parsed("; all of it\r\n"
                             "[dumper]\r\n"
                             "host = fe80::1%eth0\r\n"
                             "  # an indented comment is a comment\r\n"
                             "port=13306\nuser=u=;#\npassword=a;b#c = d\"\nserver_id=4294967295\n"
                             "report_host=me.example.com\nsemi_sync=off\nssl_mode=verify_identity\n"
                             "ssl_ca=/ca\nssl_cert=/cert\nssl_key=/key\nget_public_key=on\n"
                             "public_key_file=/rsa\nstart=my.sql-bin.0000000001:5000000000\n"
                             "heartbeat_period=0.1\nconnect_timeout=3600\nretry_max=1.250\n"
                             "on_divergence=new_epoch\n"
                             "[storage]\ndirectory=/data\nexpire_days=7\nmax_size=10g\n"
                             "min_free=8388607T\n"
                             "[server]\nlisten=127.0.0.1:0 , [::]:3307\nsocket=/run/s\n"
                             "max_connections=5\nssl_cert=/c\nssl_key=/k\nssl_ca=/a\n"
                             "require_ssl=on\nwait_for_replicas=2\n"
                             "wait_for_replicas_timeout=0\n"
                             "[user r-1]\npassword=x\nplugin=mysql_native_password\n"
                             "[user boss]\npassword_file=p\nrights=admin, status\n"
                             "[user r-1]\nfrom=10.0.0.0/8,::1,192.0.2.1/32\n"
                             "[log]\nfile=/log\nlevel=debug\nstatus_interval=1\n"
                             "[metrics]\nlisten=[::1]:9104");
    assert_true(c.dumper.present);
    assert_string_equal(c.dumper.host, "fe80::1%eth0");
    assert_int_equal(c.dumper.port, 13306);
    assert_string_equal(c.dumper.user, "u=;#");
    assert_string_equal(c.dumper.password, "a;b#c = d\"");
    assert_int_equal(c.dumper.server_id, 4294967295);
    assert_string_equal(c.dumper.report_host, "me.example.com");
    assert_false(c.dumper.semi_sync);
    assert_int_equal(c.dumper.ssl_mode, CONFIG_SSL_VERIFY_IDENTITY);
    assert_string_equal(c.dumper.ssl_ca, "/ca");
    assert_string_equal(c.dumper.ssl_cert, "/cert");
    assert_string_equal(c.dumper.ssl_key, "/key");
    assert_true(c.dumper.get_public_key);
    assert_string_equal(c.dumper.public_key_file, "/rsa");
    assert_int_equal(c.dumper.start.kind, CONFIG_START_FILE);
    assert_string_equal(c.dumper.start.file, "my.sql-bin.0000000001");
    assert_true(c.dumper.start.pos == UINT64_C(5000000000));
    assert_int_equal(c.dumper.heartbeat_period_ms, 100);
    assert_int_equal(c.dumper.connect_timeout_ms, 3600000);
    assert_int_equal(c.dumper.retry_max_ms, 1250);
    assert_int_equal(c.dumper.on_divergence, CONFIG_DIVERGENCE_NEW_EPOCH);
    assert_string_equal(c.storage.directory, "/data");
    assert_int_equal(c.storage.expire_days, 7);
    assert_true(c.storage.max_size == UINT64_C(10) << 30);
    assert_true(c.storage.min_free == UINT64_C(8388607) << 40);
    assert_int_equal(c.server.listen.count, 2);
    assert_string_equal(c.server.listen.items[0], "127.0.0.1:0");
    assert_string_equal(c.server.listen.items[1], "[::]:3307");
    assert_string_equal(c.server.socket, "/run/s");
    assert_int_equal(c.server.max_connections, 5);
    assert_string_equal(c.server.ssl_cert, "/c");
    assert_string_equal(c.server.ssl_key, "/k");
    assert_string_equal(c.server.ssl_ca, "/a");
    assert_true(c.server.require_ssl);
    assert_int_equal(c.server.wait_for_replicas, 2);
    assert_int_equal(c.server.wait_for_replicas_timeout_ms, 0);
    assert_int_equal(c.user_count, 2);
    assert_string_equal(c.users[0].name, "r-1");
    assert_string_equal(c.users[0].password, "x");
    assert_int_equal(c.users[0].plugin, CONFIG_PLUGIN_MYSQL_NATIVE_PASSWORD);
    assert_int_equal(c.users[0].rights, CONFIG_RIGHT_REPLICATE);
    assert_int_equal(c.users[0].from.count, 3);
    assert_string_equal(c.users[0].from.items[1], "::1");
    assert_string_equal(c.users[1].name, "boss");
    assert_string_equal(c.users[1].password_file, "p");
    assert_int_equal(c.users[1].rights, CONFIG_RIGHT_STATUS | CONFIG_RIGHT_ADMIN);
    assert_int_equal(c.users[1].from.count, 0);
    assert_string_equal(c.log.file, "/log");
    assert_int_equal(c.log.level, LOG_DEBUG);
    assert_int_equal(c.log.status_interval_s, 1);
    assert_int_equal(c.metrics.listen.count, 1);
    assert_string_equal(c.metrics.listen.items[0], "[::1]:9104");
    config_free(&c);
}

static void empty_list_replaces_the_default(void **state)
{
    (void)state;
    struct config c = parsed("[server]\nlisten=\n");
    assert_int_equal(c.server.listen.count, 0);
    config_free(&c);
}

static void freeing_twice_does_nothing(void **state)
{
    (void)state;
    struct config c = parsed(DUMPER "password=x\n[user a]\npassword=y\n");
    config_free(&c);
    assert_null(c.users);
    config_free(&c);
}

/* Files. */

static int setup_dir(void **state)
{
    unsetenv("CREDENTIALS_DIRECTORY");
    *state = check_mkdir();
    return 0;
}

static int teardown_dir(void **state)
{
    unsetenv("CREDENTIALS_DIRECTORY");
    check_rmdir(*state);
    return 0;
}

/* DIR/NAME in one of a few static buffers. */
static const char *path_in(const char *dir, const char *name)
{
    static char paths[4][600];
    static size_t next;
    char *path = paths[next++ % COUNT_OF(paths)];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static const char *put_file(const char *dir, const char *name, struct bytes text, mode_t mode)
{
    const char *path = path_in(dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.p, text.n), text.n);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    return path;
}

/* A dumper whose password is in the file. */
static const char *put_config(const char *dir, const char *password_file)
{
    char text[800];
    snprintf(text, sizeof text, DUMPER "password_file=%s\n", password_file);
    return put_file(dir, "c.ini", bytes_str(text), 0644);
}

static void assert_load_fails(const char *path, const char *expected)
{
    struct config c;
    struct err err = {0};
    assert_int_equal(config_load(&c, path, &err), -1);
    assert_string_equal(err.text, expected);
    assert_int_equal(err.kind, ERR_USAGE);
    assert_null(c.storage.directory);
}

static void assert_load_gives_password(const char *path, const char *password)
{
    struct config c;
    struct err err = {0};
    if (config_load(&c, path, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(c.dumper.password, password);
    config_free(&c);
}

static void missing_file_is_refused(void **state)
{
    char expected[700];
    const char *path = path_in(*state, "none.ini");
    snprintf(expected, sizeof expected, "cannot read %s: No such file or directory", path);
    assert_load_fails(path, expected);
}

static void what_is_no_file_is_refused(void **state)
{
    char expected[700];
    const char *path = path_in(*state, "fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(expected, sizeof expected, "cannot read %s: not a regular file", path);
    assert_load_fails(path, expected);
}

static void error_in_a_file_names_its_path(void **state)
{
    char expected[700];
    const char *path = put_file(*state, "c.ini", bytes_str("[log]\nlevel=no\n"), 0644);
    snprintf(expected, sizeof expected,
             "%s:2: [log] level: \"no\" is not one of error, warn, info, debug", path);
    assert_load_fails(path, expected);
}

static void inline_password_needs_a_private_file(void **state)
{
    static const struct {
        const char *text;
        const char *place;
    } cases[] = {
        {DUMPER "password=s3cret\n", "5: [dumper] password"},
        {"[user a]\npassword=s3cret\n", "2: [user a] password"},
    };
    static const mode_t modes[] = {0640, 0604, 0644, 0440};
    char expected[1500];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t m = 0; m < COUNT_OF(modes); m++) {
            const char *path = put_file(*state, "c.ini", bytes_str(cases[i].text), modes[m]);
            snprintf(expected, sizeof expected,
                     "%s:%s: %s holds a password and is readable by group or others (mode %04o): "
                     "chmod 600 %s",
                     path, cases[i].place, path, modes[m], path);
            assert_load_fails(path, expected);
            assert_int_equal(unlink(path), 0);
        }
    }
    assert_load_gives_password(
        put_file(*state, "c.ini", bytes_str(DUMPER "password=s3cret\n"), 0600), "s3cret");
}

static void file_without_password_may_be_public(void **state)
{
    assert_load_gives_password(put_file(*state, "c.ini", bytes_str(DUMPER), 0644), "");
    assert_load_gives_password(put_file(*state, "d.ini", bytes_str(DUMPER "password=\n"), 0644),
                               "");
}

static void password_file_gives_its_line(void **state)
{
    static const struct {
        const char *text;
        const char *password;
    } cases[] = {
        {"s3cret", "s3cret"},
        {"s3cret\n", "s3cret"},
        {"s3cret\r\n", "s3cret"},
        {" a ;b# ", " a ;b# "},
        {"\xef\xbb\xbfx\n", "\xef\xbb\xbfx"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *file = put_file(*state, "pw", bytes_str(cases[i].text), 0600);
        assert_load_gives_password(put_config(*state, file), cases[i].password);
    }
}

static void password_file_of_a_user_is_read(void **state)
{
    char text[700];
    snprintf(text, sizeof text, "[user a]\npassword_file=%s\n",
             put_file(*state, "pw", bytes_str("s3cret\n"), 0400));
    struct config c;
    struct err err;
    assert_int_equal(config_load(&c, put_file(*state, "c.ini", bytes_str(text), 0644), &err), 0);
    assert_string_equal(c.users[0].password, "s3cret");
    config_free(&c);
}

static void symbolic_links_are_followed(void **state)
{
    put_file(*state, "pw", bytes_str("s3cret\n"), 0600);
    const char *link = path_in(*state, "pw-link");
    assert_int_equal(symlink("pw", link), 0);
    const char *config_link = path_in(*state, "c-link.ini");
    assert_int_equal(symlink("c.ini", config_link), 0);
    put_config(*state, link);
    assert_load_gives_password(config_link, "s3cret");
}

static void bad_password_file_is_refused(void **state)
{
    static const struct {
        struct bytes text;
        mode_t mode;
        const char *why; /* behind the path, which comes again after "chmod 600 " */
    } cases[] = {
        {{(const uint8_t *)"x\n", 2},
         0640,
         "holds a password and is readable by group or others (mode 0640): chmod 600 "},
        {{(const uint8_t *)"x\n", 2},
         0604,
         "holds a password and is readable by group or others (mode 0604): chmod 600 "},
        {{(const uint8_t *)"", 0}, 0600, "is empty"},
        {{(const uint8_t *)"\n", 1}, 0600, "is empty"},
        {{(const uint8_t *)"x\ny\n", 4}, 0600, "has more than one line"},
        {{(const uint8_t *)"x\n\n", 3}, 0600, "has more than one line"},
        {{(const uint8_t *)"x\0y\n", 4}, 0600, "holds a NUL byte"},
    };
    char expected[2000];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *file = path_in(*state, "pw");
        unlink(file);
        put_file(*state, "pw", cases[i].text, cases[i].mode);
        const char *path = put_config(*state, file);
        bool again = strstr(cases[i].why, "chmod");
        snprintf(expected, sizeof expected, "%s:5: [dumper] password_file: %s %s%s", path, file,
                 cases[i].why, again ? file : "");
        assert_load_fails(path, expected);
    }
}

static void password_file_of_4096_bytes_is_taken_and_more_refused(void **state)
{
    static char text[4098];
    char expected[1500];
    memset(text, 'x', sizeof text - 1);
    const char *file = put_file(*state, "pw", bytes_of(text, 4097), 0600);
    const char *path = put_config(*state, file);
    snprintf(expected, sizeof expected,
             "%s:5: [dumper] password_file: cannot read %s: longer than 4096 bytes", path, file);
    assert_load_fails(path, expected);
    text[4096] = 0;
    put_file(*state, "pw", bytes_of(text, 4096), 0600);
    assert_load_gives_password(path, text);
}

static void missing_password_file_is_refused(void **state)
{
    char expected[1500];
    const char *file = path_in(*state, "none");
    const char *path = put_config(*state, file);
    snprintf(expected, sizeof expected,
             "%s:5: [dumper] password_file: cannot read %s: No such file or directory", path, file);
    assert_load_fails(path, expected);
}

static void credential_is_found_by_name_whatever_its_mode(void **state)
{
    const char *credentials = path_in(*state, "credentials");
    assert_int_equal(mkdir(credentials, 0700), 0);
    put_file(credentials, "source", bytes_str("s3cret\n"), 0440);
    setenv("CREDENTIALS_DIRECTORY", credentials, 1);
    assert_load_gives_password(put_config(*state, "source"), "s3cret");

    char file[700];
    snprintf(file, sizeof file, "%s/credentials/source", (char *)*state);
    assert_load_gives_password(put_config(*state, file), "s3cret");
}

static void mode_is_checked_outside_the_credentials_directory(void **state)
{
    char expected[2000], file[700], credentials[600];
    snprintf(credentials, sizeof credentials, "%s/credentials", (char *)*state);
    assert_int_equal(mkdir(credentials, 0700), 0);
    put_file(*state, "pw", bytes_str("s3cret\n"), 0440);
    setenv("CREDENTIALS_DIRECTORY", credentials, 1);
    snprintf(file, sizeof file, "%s/../pw", credentials);
    const char *path = put_config(*state, file);
    snprintf(expected, sizeof expected,
             "%s:5: [dumper] password_file: %s holds a password and is readable by group or others "
             "(mode 0440): chmod 600 %s",
             path, file, file);
    assert_load_fails(path, expected);
}

/* What CHANGE REPLICATION SOURCE TO has said. */

static const char *put_config_in(const char *dir, const char *more)
{
    static char text[1500];
    snprintf(text, sizeof text, DUMPER "%s\n[storage]\ndirectory=%s\n", more, dir);
    return put_file(dir, "c.ini", bytes_str(text), 0600);
}

static void told_keys_win_and_are_written_again(void **state)
{
    static const char told[] = "[dumper]\nhost=db9\nport=3309\npassword=told\nstart=b.000007:120\n";
    struct config c;
    struct err err;
    struct buf text;
    const char *path = put_config_in(*state, "port=3307\nretry_max=7\npassword_file=/nosuch\n");
    put_file(*state, CONFIG_SOURCE_FILE, bytes_str(told), 0600);
    assert_int_equal(config_load(&c, path, &err), 0);
    assert_string_equal(c.dumper.host, "db9");
    assert_int_equal(c.dumper.port, 3309);
    assert_string_equal(c.dumper.password, "told");
    assert_int_equal(c.dumper.retry_max_ms, 7000);
    assert_int_equal(c.dumper.start.pos, 120);
    buf_init(&text);
    config_told_text(&c, &text);
    wr_u8(&text, 0);
    const char *again = strstr((const char *)buf_bytes(&text).p, "[dumper]");
    assert_string_equal(again, told);
    buf_fini(&text);
    config_free(&c);
}

static void told_text_in_memory_stands_for_the_file(void **state)
{
    struct config c;
    struct err err;
    const char *path = put_config_in(*state, "port=3307\n");
    put_file(*state, CONFIG_SOURCE_FILE, bytes_str("[dumper]\nport=3309\n"), 0600);
    assert_int_equal(config_load_told(&c, path, bytes_str("[dumper]\nuser=x\n"), &err), 0);
    assert_string_equal(c.dumper.user, "x");
    assert_int_equal(c.dumper.port, 3307);
    config_free(&c);
}

static void damaged_told_file_is_named(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        const char *message; /* behind the path */
    } cases[] = {
        {"", 0600, ": damaged: there is no [dumper] in it"},
        {"[dumper]\nport=x\n", 0600,
         ":2: [dumper] port: \"x\" is not a whole number from 1 to 65535"},
        {"[dumper]\nserver_id=7\n", 0600,
         ":2: [dumper] server_id: CHANGE REPLICATION SOURCE TO does not set it"},
        {"[log]\nlevel=info\n", 0600, ":1: [log]: the only section is [dumper]"},
        {"[dumper]\npassword=x\n", 0640,
         " holds a password and is readable by group or others (mode 0640): chmod 600 "},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct config c;
        struct err err;
        char expected[1200];
        const char *path = put_config_in(*state, "");
        const char *told =
            put_file(*state, CONFIG_SOURCE_FILE, bytes_str(cases[i].text), cases[i].mode);
        assert_int_equal(config_load(&c, path, &err), -1);
        snprintf(expected, sizeof expected, "%s%s", told, cases[i].message);
        assert_memory_equal(err.text, expected, strlen(expected));
        assert_int_equal(err.kind, ERR_USAGE);
        config_free(&c);
    }
}

static void told_keys_may_change_while_the_source_is_stopped(void **state)
{
    (void)state;
    struct config old = parsed(DUMPER "port=3307\nssl_mode=required\n");
    struct config new = parsed(DUMPER "port=3308\nssl_mode=disabled\n");
    struct err err;
    assert_int_equal(config_reload_check(&old, &new, CONFIG_RELOAD_SOURCE_STOPPED, &err), 0);
    new.dumper.server_id++;
    assert_int_equal(config_reload_check(&old, &new, CONFIG_RELOAD_SOURCE_STOPPED, &err), -1);
    assert_string_equal(err.text, "[dumper] server_id: a new value needs a restart");
    config_free(&old);
    config_free(&new);
}

/* Reload. */

static void assert_reload(const char *was, const char *is, const char *message)
{
    struct config old = parsed(was), new = parsed(is);
    struct err err = {0};
    assert_int_equal(config_reload_check(&old, &new, CONFIG_RELOAD_RUNNING, &err),
                     *message ? -1 : 0);
    assert_string_equal(err.text, message);
    config_free(&old);
    config_free(&new);
}

static void reloadable_keys_may_change(void **state)
{
    (void)state;
    assert_reload(DUMPER "password=a\nretry_max=1\n[user a]\npassword=x\n[log]\nlevel=warn\n",
                  DUMPER "password_file=/b\nretry_max=2\nconnect_timeout=3\n"
                         "on_divergence=new_epoch\n"
                         "[storage]\nexpire_days=1\nmax_size=1G\nmin_free=1M\n"
                         "[server]\nssl_cert=/c\nssl_key=/k\nssl_ca=/a\nmax_connections=9\n"
                         "wait_for_replicas=1\nwait_for_replicas_timeout=0.5\n"
                         "[user b]\npassword=y\nrights=admin\n[user c]\npassword=z\n"
                         "[log]\nfile=/l\nlevel=debug\nstatus_interval=5\n",
                  "");
}

static void first_key_that_needs_a_restart_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *was;
        const char *is;
        const char *key;
    } cases[] = {
        {DUMPER, DUMPER "port=3307\nsemi_sync=off\n", "[dumper] port"},
        {DUMPER, "", "[dumper] host"},
        {"", DUMPER, "[dumper] host"},
        {DUMPER, DUMPER "start=latest\n", "[dumper] start"},
        {DUMPER "start=a.000001:4\n", DUMPER "start=a.000001:5\n", "[dumper] start"},
        {DUMPER, DUMPER "heartbeat_period=2.001\n", "[dumper] heartbeat_period"},
        {"[storage]\ndirectory=/a\n", "", "[storage] directory"},
        {"", "[server]\nlisten=0.0.0.0:3306,0.0.0.0:3307\n", "[server] listen"},
        {"", "[server]\nssl_cert=/c\nssl_key=/k\nrequire_ssl=on\n", "[server] require_ssl"},
    };
    char message[200];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        snprintf(message, sizeof message, "%s: a new value needs a restart", cases[i].key);
        assert_reload(cases[i].was, cases[i].is, message);
    }
}

/* Printing, the sample and the documentation. */

static char *printed(const struct config *c)
{
    struct buf out;
    buf_init(&out);
    config_print(c, &out);
    wr_u8(&out, 0);
    char *text = mem_strdup((const char *)buf_bytes(&out).p);
    buf_fini(&out);
    return text;
}

static void printing_hides_passwords(void **state)
{
    (void)state;
    struct config c = parsed(DUMPER "password=s3cret\n[user a]\npassword=s3cret\n"
                                    "[user b]\npassword_file=/p\n");
    char *text = printed(&c);
    assert_null(strstr(text, "s3cret"));
    assert_non_null(strstr(text, "user=u\npassword=********\npassword_file=\n"));
    assert_non_null(strstr(text, "[user a]\npassword=********\npassword_file=\n"));
    assert_non_null(strstr(text, "[user b]\npassword_file=/p\nplugin="));
    free(text);
    config_free(&c);
}

static void printed_values_are_read_back_the_same(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        DUMPER "start=a.000001:4\nretry_max=0.125\nheartbeat_period=3599.9\nssl_mode=disabled\n"
               "[storage]\nmax_size=1536M\nmin_free=1025\n"
               "[server]\nlisten=127.0.0.1:1,[::1]:2\n"
               "[user a]\npassword_file=/p\nrights=admin,replicate\nfrom=10.0.0.0/8,::1\n"
               "[log]\nlevel=error\n",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct config c = parsed(texts[i]);
        char *first = printed(&c);
        config_free(&c);
        c = parsed(first);
        char *second = printed(&c);
        config_free(&c);
        assert_string_equal(first, second);
        free(first);
        free(second);
    }
}

static void values_are_printed_in_the_largest_unit_that_fits(void **state)
{
    (void)state;
    struct config c = parsed(DUMPER "retry_max=1.050\n"
                                    "[storage]\nmax_size=1536M\nmin_free=2048G\n");
    char *text = printed(&c);
    assert_non_null(strstr(text, "\nretry_max=1.05\n"));
    assert_non_null(strstr(text, "\nmax_size=1536M\nmin_free=2T\n"));
    free(text);
    config_free(&c);
}

/* A file of the source tree, as text; free() it. */
static char *tree_file(const char *name)
{
    char path[700];
    const char *data = getenv("TEST_DATA");
    assert_non_null(data);
    const char *tests = strstr(data, "/tests/data");
    assert_non_null(tests);
    snprintf(path, sizeof path, "%.*s/%s", (int)(tests - data), data, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *text = mem_alloc(65536);
    assert_true(fread(text, 1, 65535, f) < 65535);
    fclose(f);
    return text;
}

static void sample_file_is_what_the_table_gives(void **state)
{
    (void)state;
    struct buf sample;
    buf_init(&sample);
    config_sample(&sample);
    wr_u8(&sample, 0);
    char *text = tree_file("conf/binlogd.ini");
    assert_string_equal(text, (const char *)buf_bytes(&sample).p);
    free(text);
    buf_fini(&sample);
}

/* Takes the # off the keys that have a default, and sets those that are required. */
static char *uncommented(const char *sample)
{
    struct buf out;
    buf_init(&out);
    for (const char *p = sample; *p;) {
        size_t n = strcspn(p, "\n");
        bool key = p[0] == '#' && p[1] != ' ';
        wr_bytes(&out, bytes_of(p + key, n - key));
        if (strncmp(p, "#host=", 6) == 0 || strncmp(p, "#user=", 6) == 0)
            wr_str(&out, "x");
        if (strncmp(p, "#server_id=", 11) == 0)
            wr_str(&out, "1");
        wr_u8(&out, '\n');
        p += n + (p[n] == '\n');
    }
    wr_u8(&out, 0);
    char *text = mem_strdup((const char *)buf_bytes(&out).p);
    buf_fini(&out);
    return text;
}

static void sample_names_the_defaults_that_hold(void **state)
{
    (void)state;
    char *sample = tree_file("conf/binlogd.ini");
    char *users = strstr(sample, "\n#[user ");
    char *rest = strstr(sample, "\n[log]");
    assert_non_null(users);
    assert_non_null(rest);
    memmove(users, rest, strlen(rest) + 1);
    char *text = uncommented(sample);
    struct config c = parsed(text), expected = parsed("[dumper]\nhost=x\nuser=x\nserver_id=1\n");
    char *is = printed(&c), *should = printed(&expected);
    assert_string_equal(is, should);
    free(is);
    free(should);
    free(text);
    free(sample);
    config_free(&c);
    config_free(&expected);
}

static void minimal_sample_is_taken(void **state)
{
    (void)state;
    char *text = tree_file("conf/minimal.ini");
    struct config c = parsed(text);
    assert_true(c.dumper.present);
    assert_string_not_equal(c.dumper.password_file, "");
    config_free(&c);
    free(text);
}

/* The part of the documentation below the heading of the section. */
static char *doc_section(const char *doc, const char *section)
{
    char heading[64];
    snprintf(heading, sizeof heading, "\n## `[%s%s]`", section,
             strcmp(section, "user") == 0 ? " NAME" : "");
    const char *p = strstr(doc, heading);
    if (!p) {
        fail_msg("no heading for [%s]", section);
        return NULL; /* the compiler does not know that fail_msg never returns */
    }
    const char *end = strstr(p + 1, "\n## ");
    return end ? strndup(p, (size_t)(end - p)) : mem_strdup(p);
}

static void documentation_has_each_key_with_its_default(void **state)
{
    (void)state;
    char *doc = tree_file("docs/configuration.md");
    struct config_key k;
    size_t i;
    for (i = 0; config_key_at(i, &k); i++) {
        char row[200];
        snprintf(row, sizeof row, "\n| `%s` | %s%s%s | ", k.key, *k.def ? "`" : "",
                 *k.def ? k.def : "-", *k.def ? "`" : "");
        char *part = doc_section(doc, k.section);
        const char *line = strstr(part, row);
        if (!line)
            fail_msg("[%s] has no row that begins with%s", k.section, row);
        char *whole = strndup(line, strcspn(line + 1, "\n") + 1);
        if (!strstr(whole, k.reloadable ? " | reload | " : " | restart | "))
            fail_msg("the row of [%s] %s is wrong about reload", k.section, k.key);
        if (!strstr(whole, "; required | ") == k.required)
            fail_msg("the row of [%s] %s is wrong about required", k.section, k.key);
        free(whole);
        free(part);
    }
    assert_true(i > 30);
    free(doc);
}

static void documentation_has_no_key_that_is_not_there(void **state)
{
    (void)state;
    char *doc = tree_file("docs/configuration.md");
    size_t rows = 0, keys = 0;
    for (const char *p = doc; (p = strstr(p, "\n| `")); p++)
        rows++;
    struct config_key k;
    while (config_key_at(keys, &k))
        keys++;
    assert_int_equal(rows, keys);
    free(doc);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, setup_dir, teardown_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_value_is_refused_with_what_is_allowed),
        cmocka_unit_test(wrong_structure_is_refused_at_its_line),
        cmocka_unit_test(missing_or_contradicting_keys_are_refused),
        cmocka_unit_test(text_that_libinih_would_mangle_is_refused),
        cmocka_unit_test(nul_byte_is_refused_wherever_it_is),
        cmocka_unit_test(line_of_199_bytes_is_taken_whole_and_of_200_refused),
        cmocka_unit_test(bad_line_with_a_password_is_not_quoted),
        cmocka_unit_test(empty_text_gives_the_defaults_without_a_dumper),
        cmocka_unit_test(every_key_is_taken_as_written),
        cmocka_unit_test(empty_list_replaces_the_default),
        cmocka_unit_test(freeing_twice_does_nothing),
        IN_DIR(missing_file_is_refused),
        IN_DIR(what_is_no_file_is_refused),
        IN_DIR(error_in_a_file_names_its_path),
        IN_DIR(inline_password_needs_a_private_file),
        IN_DIR(file_without_password_may_be_public),
        IN_DIR(password_file_gives_its_line),
        IN_DIR(password_file_of_a_user_is_read),
        IN_DIR(symbolic_links_are_followed),
        IN_DIR(bad_password_file_is_refused),
        IN_DIR(password_file_of_4096_bytes_is_taken_and_more_refused),
        IN_DIR(missing_password_file_is_refused),
        IN_DIR(credential_is_found_by_name_whatever_its_mode),
        IN_DIR(mode_is_checked_outside_the_credentials_directory),
        IN_DIR(told_keys_win_and_are_written_again),
        IN_DIR(told_text_in_memory_stands_for_the_file),
        IN_DIR(damaged_told_file_is_named),
        cmocka_unit_test(told_keys_may_change_while_the_source_is_stopped),
        cmocka_unit_test(reloadable_keys_may_change),
        cmocka_unit_test(first_key_that_needs_a_restart_is_named),
        cmocka_unit_test(printing_hides_passwords),
        cmocka_unit_test(printed_values_are_read_back_the_same),
        cmocka_unit_test(values_are_printed_in_the_largest_unit_that_fits),
        cmocka_unit_test(sample_file_is_what_the_table_gives),
        cmocka_unit_test(sample_names_the_defaults_that_hold),
        cmocka_unit_test(minimal_sample_is_taken),
        cmocka_unit_test(documentation_has_each_key_with_its_default),
        cmocka_unit_test(documentation_has_no_key_that_is_not_there),
    };
    return RUN_TESTS(tests);
}
