/* The command line as a whole, as far as it needs no running source: what is printed, and the exit
 * code. */
#include "check.h"

#include "app/app.h"
#include "app/command.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "binlog/event.h"
#include "status_socket.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES    5
#define FOLDER   "0001-x"
#define BEGUN    1700000000u /* the first file; the others a day later each */
#define DAY      86400u
#define ARGS_MAX 8

static struct {
    char *dir;
    char config[600];
    char text[1u << 16]; /* what was printed on both outputs */
    long size;           /* of each file */
} t;

static void write_file(const char *path, const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    BUG_ON(!f || fwrite(data, 1, n, f) != n);
    fclose(f);
}

static int set_up(void **state)
{
    (void)state;
    struct err err;
    char text[1200];
    log_open("/dev/null", LOG_ERROR, &err);
    t.dir = check_mkdir();
    snprintf(t.config, sizeof t.config, "%s/binlogd.ini", t.dir);
    snprintf(text, sizeof text, "[storage]\ndirectory=%s/data\n", t.dir);
    write_file(t.config, text, strlen(text));
    snprintf(text, sizeof text, "%s/data", t.dir);
    mkdir(text, 0750);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    check_rmdir(t.dir);
    log_close();
    return 0;
}

/* Complete files are not checked at a start, so their times can be anything. */
static void write_binlogs(void)
{
    size_t n;
    char path[700];
    uint8_t *data = check_data("20-stop-event-5.7.36.binlog", &n);
    uint32_t real = le32(data + EVENT_MAGIC_LEN);
    snprintf(path, sizeof path, "%s/data/" FOLDER, t.dir);
    mkdir(path, 0750);
    for (unsigned i = 1; i <= FILES; i++) {
        put_le32(data + EVENT_MAGIC_LEN, i < FILES ? BEGUN + (i - 1) * DAY : real);
        snprintf(path, sizeof path, "%s/data/" FOLDER "/mysql-bin.%06u", t.dir, i);
        write_file(path, data, n);
    }
    t.size = (long)n;
    free(data);
}

static bool is_there(unsigned file)
{
    char path[700];
    snprintf(path, sizeof path, "%s/data/" FOLDER "/mysql-bin.%06u", t.dir, file);
    return access(path, F_OK) == 0;
}

/* Runs with the words behind -c FILE; both outputs go to t.text. */
static int run(const char *const *words)
{
    char path[700];
    static char name[] = "binlogd", option[] = "-c";
    char *argv[ARGS_MAX + 4] = {name, option, t.config};
    int argc = 3;
    while (*words)
        argv[argc++] = (char *)(uintptr_t)*words++;
    snprintf(path, sizeof path, "%s/out", t.dir);
    int out = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int saved[2] = {dup(1), dup(2)};
    fflush(stdout);
    dup2(out, 1);
    dup2(out, 2);
    optind = 0; /* begins anew */
    int code = command_run(argc, argv);
    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        dup2(saved[i], i + 1);
        close(saved[i]);
    }
    ssize_t n = pread(out, t.text, sizeof t.text - 1, 0);
    t.text[n < 0 ? 0 : n] = 0;
    close(out);
    return code;
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})
#define assert_says(part)                                                                          \
    do {                                                                                           \
        if (!strstr(t.text, part))                                                                 \
            fail_msg("\"%s\" is not in \"%s\"", part, t.text);                                     \
    } while (0)

/* ---- the line itself ---- */

static void command_line_that_cannot_be_is_a_usage_error(void **state)
{
    (void)state;
    static const struct {
        const char *const words[4];
        const char *says;
    } cases[] = {
        {{"nonsense"}, "binlogd: unknown command nonsense\n"},
        {{"check", "twice"}, "binlogd: one command, not also twice\n"},
        {{"--json"}, "binlogd: --json does not go with running the daemon\n"},
        {{"status", "--dry-run"}, "binlogd: --dry-run does not go with status\n"},
        {{"purge", "--watch"}, "binlogd: --watch does not go with purge\n"},
        {{"--nonsense"}, "unrecognized option"},
        {{"purge", "--to=a.000001", "--before=2026-01-01"}, "binlogd: --to or --before, not both"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(run(cases[i].words), APP_USAGE);
        assert_says(cases[i].says);
    }
}

static void command_help_and_version_are_printed(void **state)
{
    (void)state;
    assert_int_equal(RUN("-h"), APP_OK);
    assert_says("binlogd purge [-c FILE]");
    assert_int_equal(RUN("-V"), APP_OK);
    assert_int_equal(strncmp(t.text, "binlogd ", 8), 0);
    assert_says(app_version());
}

static void command_with_a_bad_configuration_is_a_usage_error(void **state)
{
    (void)state;
    static const char *const words[] = {"status", "purge", "check"};
    write_file(t.config, "[nonsense]\n", 11);
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        assert_int_equal(RUN(words[i]), APP_USAGE);
        assert_says("nonsense");
    }
}

/* ---- purge ---- */

static void purge_dry_run_says_what_would_go_and_keeps_it(void **state)
{
    (void)state;
    write_binlogs();
    assert_int_equal(RUN("purge", "--dry-run", "--to=mysql-bin.000003"), APP_OK);
    assert_says("would purge mysql-bin.000001 (");
    assert_says("would purge mysql-bin.000002 (");
    assert_says("would purge 2 of 5 files, ");
    assert_says("before mysql-bin.000003");
    assert_true(is_there(1));
}

static void purge_to_removes_what_is_before(void **state)
{
    (void)state;
    write_binlogs();
    assert_int_equal(RUN("purge", "--to=mysql-bin.000003"), APP_OK);
    assert_says("purges 2 of 5 files, ");
    assert_false(is_there(1));
    assert_false(is_there(2));
    assert_true(is_there(3));
}

static void purge_before_a_time_removes_what_ended_by_then(void **state)
{
    (void)state;
    write_binlogs();
    /* 000003 begins on 2023-11-16: 000002 ended then */
    assert_int_equal(RUN("purge", "--before=2023-11-18"), APP_OK);
    assert_says("purges 3 of 5 files, ");
    assert_says("before 2023-11-18");
    assert_false(is_there(3));
    assert_true(is_there(4));
}

static void purge_keeps_the_newest_whatever_is_asked(void **state)
{
    (void)state;
    write_binlogs();
    assert_int_equal(RUN("purge", "--dry-run", "--to=mysql-bin.000005"), APP_OK);
    assert_says("the newest ");
    assert_int_equal(RUN("purge", "--dry-run"), APP_OK); /* no rule is set */
    assert_says("would purge 0 of 5 files");
}

static void purge_that_cannot_be_is_an_error(void **state)
{
    (void)state;
    write_binlogs();
    assert_int_equal(RUN("purge", "--to=mysql-bin.000009"), APP_ERROR);
    assert_says("mysql-bin.000009: Target log not found in binlog index");
    assert_int_equal(RUN("purge", "--before=yesterday"), APP_USAGE);
    assert_says("\"yesterday\" is no time");
    assert_true(is_there(1));
}

/* ---- status ---- */

static void status_without_a_daemon_tells_what_the_directory_has(void **state)
{
    (void)state;
    char want[200];
    assert_int_equal(RUN("status"), APP_ERROR);
    assert_says("NOT SAFE: binlogd is not running\n");
    assert_says("Files       0 with 0 bytes\n");
    write_binlogs();
    assert_int_equal(RUN("status"), APP_ERROR);
    snprintf(want, sizeof want,
             "Files       %d with %ld bytes in " FOLDER ", the newest is mysql-bin.%06d\n", FILES,
             FILES * t.size, FILES);
    assert_says(want);
    assert_int_equal(RUN("status", "--json"), APP_ERROR);
    snprintf(want, sizeof want, "\"files\":%d,\"bytes\":%ld,\"newest\":\"mysql-bin.%06d\"}}\n",
             FILES, FILES * t.size, FILES);
    assert_says(want);
    assert_int_equal(strncmp(t.text, "{\"running\":false,\"safe\":false,", 30), 0);
}

static void status_without_a_directory_is_an_error(void **state)
{
    (void)state;
    char path[700];
    snprintf(path, sizeof path, "%s/data", t.dir);
    rmdir(path);
    assert_int_equal(RUN("status"), APP_ERROR);
    assert_says("no status from the daemon of ");
    assert_says("No such file or directory");
}

static void status_newest_folder_that_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    char path[700];
    write_binlogs();
    snprintf(path, sizeof path, "%s/data/0002-y", t.dir);
    write_file(path, "", 0);
    assert_int_equal(RUN("status"), APP_ERROR);
    assert_says("cannot open the directory 0002-y: Not a directory\n");
    assert_null(strstr(t.text, "Files"));
}

/* A daemon's end of the socket, on a loop and thread of its own. */
static struct {
    struct ev_loop *loop;
    struct ev_async stop;
    struct status_socket *socket;
    pthread_t thread;
    int code; /* of the answer */
} d;

static int answer(void *ctx, const char *request, struct buf *out)
{
    (void)ctx;
    wr_fmt(out, "asked for %s\n", request);
    return d.code;
}

static void on_stop(struct ev_loop *loop, struct ev_async *w, int revents)
{
    (void)w;
    (void)revents;
    ev_break(loop, EVBREAK_ALL);
}

static void *daemon_main(void *arg)
{
    (void)arg;
    ev_run(d.loop, 0);
    return NULL;
}

static void start_daemon(int code)
{
    struct err err;
    char path[700];
    snprintf(path, sizeof path, "%s/data", t.dir);
    d.loop = ev_loop_new(EVFLAG_NOENV);
    d.code = code;
    struct status_socket_opts opts = {d.loop, path, answer, NULL};
    d.socket = status_socket_new(&opts, &err);
    assert_non_null(d.socket);
    ev_async_init(&d.stop, on_stop);
    ev_async_start(d.loop, &d.stop);
    thread_start(&d.thread, daemon_main, NULL);
}

static void stop_daemon(void)
{
    ev_async_send(d.loop, &d.stop);
    pthread_join(d.thread, NULL);
    status_socket_free(d.socket);
    ev_loop_destroy(d.loop);
}

static void status_prints_the_daemons_answer_and_ends_with_its_code(void **state)
{
    (void)state;
    start_daemon(APP_OK);
    int screen = RUN("status");
    bool screen_asked = strcmp(t.text, "asked for screen\n") == 0;
    d.code = APP_ERROR;
    int json = RUN("status", "--json");
    stop_daemon();
    assert_int_equal(screen, APP_OK);
    assert_true(screen_asked);
    assert_int_equal(json, APP_ERROR);
    assert_string_equal(t.text, "asked for json\n");
}

static void status_refused_by_the_daemon_is_an_error(void **state)
{
    (void)state;
    start_daemon(-1); /* as for a request that it does not know */
    int code = RUN("status");
    stop_daemon();
    assert_int_equal(code, APP_ERROR);
    assert_says("its answer is not whole: is it another version?");
}

static void status_socket_without_a_directory_refused(void **state)
{
    (void)state;
    struct err err;
    struct status_socket_opts opts = {NULL, "/nonexistent", answer, NULL};
    assert_null(status_socket_new(&opts, &err));
    assert_string_equal(err.text,
                        "no " STATUS_SOCKET_NAME " in /nonexistent: No such file or directory");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(command_line_that_cannot_be_is_a_usage_error),
        TEST(command_help_and_version_are_printed),
        TEST(command_with_a_bad_configuration_is_a_usage_error),
        TEST(purge_dry_run_says_what_would_go_and_keeps_it),
        TEST(purge_to_removes_what_is_before),
        TEST(purge_before_a_time_removes_what_ended_by_then),
        TEST(purge_keeps_the_newest_whatever_is_asked),
        TEST(purge_that_cannot_be_is_an_error),
        TEST(status_without_a_daemon_tells_what_the_directory_has),
        TEST(status_without_a_directory_is_an_error),
        TEST(status_newest_folder_that_cannot_be_read_is_an_error),
        TEST(status_prints_the_daemons_answer_and_ends_with_its_code),
        TEST(status_refused_by_the_daemon_is_an_error),
        TEST(status_socket_without_a_directory_refused),
    };
    return RUN_TESTS(tests);
}
